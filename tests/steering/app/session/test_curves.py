"""Curves of a run colour the network: blindness of its sweep, and what planning found there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from steering.app.session.hello import read_curves
from steering.interventions.sites import enumerate_sites
from steering.sweep.artifacts import PLANNING
from tests.helpers.result_tables import evidence


def test_a_run_has_blindness_and_what_planning_found(
    policy: MazePolicy, random_policy: MazePolicy, sweep: Path, tmp_path: Path
) -> None:
    assert read_curves(None, policy) == {}
    assert list(read_curves(sweep, policy)) == ["blindness"]
    run = shutil.copytree(sweep, tmp_path / "run")
    planning = evidence(PLANNING, "region5", tmp_path)
    shutil.copy(tmp_path / "region5" / PLANNING.file, run)
    found = read_curves(run, policy)
    assert found["blindness"]["input"] == pytest.approx(1)
    source, mouse = (found[f"the cheese, carried at the {place}"] for place in ("source", "mouse"))
    first, last = planning.settings.sites[0], planning.settings.sites[-1]
    assert source[first] == pytest.approx(1) and source[last] < 0.9 and abs(mouse[first]) < 0.01
    assert len(found) == 1 + 2 * len(planning.located)
    assert all(set(curve) <= {site.name for site in enumerate_sites(policy.net)} for curve in found.values())
    with pytest.raises(InputError, match="not of random"):
        read_curves(run, random_policy)
