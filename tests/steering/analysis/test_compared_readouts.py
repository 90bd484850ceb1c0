"""Readouts at the mouse side by side: their readings stand among the others, and the picture draws them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from envs.stored.json_records import from_json, to_json
from steering.figures.readout_figures import compared_readouts
from steering.figures.static_figures import compare_figure
from steering.records.comparison import Comparison
from steering.records.probes import Estimate
from steering.records.readouts import (
    READ,
    VIEWS,
    Appearance,
    ReadoutSettings,
    ReadoutSite,
    ReadoutSummary,
    ToldShares,
    View,
)
from steering.records.sweep import CheckpointId
from steering.reports.comparison_report import run_compare
from steering.sweep.artifacts import PROBES, READOUTS
from tests.helpers.probe_sets import made_up_site, made_up_summary, made_up_tallies
from tests.helpers.runs import LEVELS, SPEC, make_run

SITES = [made_up_site(name, depth, affine=name == "input") for depth, name in enumerate(("input", "a", "b"))]
FOLLOWED = ((0.0, 0.25), (0.0, 0.5))  # by run: 3x3 units at the two sites with a map


def told(share: float, frames: int = 80) -> ToldShares:
    estimate = {"corner": Estimate(share, share, share)}
    return ToldShares(frames, {"cheese": Estimate(0.5, 0.5, 0.5)}, estimate, {"corner": Estimate(0.0, 0.0, 0.0)})


def readouts(run: int, name: str, sha256: str, states: int = 8) -> ReadoutSummary:
    """Two sites with a map and one without; other views follow everything."""
    sites = []
    for depth, site in enumerate(SITES):
        views = [view for view in VIEWS if depth < 2 or view == "whole"]
        shares = [FOLLOWED[run][depth] if view == READ else 1.0 for view in views]
        curves = [(told(0.9, 20), told(share)) for share in shares]
        made = [View(view, 1, None, "all", curve, {}, None) for view, curve in zip(views, curves, strict=True)]
        sites.append(ReadoutSite(**vars(site), views=tuple(made)))
    where = Appearance("corner", READ, "surroundings", "a", "a", "b", "b", "a", None)
    settings = ReadoutSettings(LEVELS, states, 4, 5, (20, 80), 0, "hard")
    checkpoint, pairs = CheckpointId(name, sha256), {"corner": 80}
    return ReadoutSummary(
        READOUTS.format,
        checkpoint,
        settings,
        {},
        {"cheese": 160},
        pairs,
        told(1.0),
        (),
        tuple(sites),
        (where,),
        (),
        "a",
    )


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    found = []
    for k in range(2):
        spec = replace(SPEC, checkpoint=f"agent-{k}", sha256=str(k) * 64)
        found.append(make_run(tmp_path / spec.checkpoint, spec, {"input": 0.0, "embedder.relu3": 0.3}, seed=k))
        checkpoint = CheckpointId(spec.checkpoint, spec.sha256)
        probes = made_up_summary(SITES, made_up_tallies(len(SITES), 1, 20, 0), range(20), checkpoint, spec.mode)
        (found[-1] / PROBES.file).write_bytes(to_json(probes))
        (found[-1] / READOUTS.file).write_bytes(to_json(readouts(k, spec.checkpoint, spec.sha256)))
    return found


def test_readouts_stand_among_the_readings_and_in_the_picture(runs: list[Path], tmp_path: Path) -> None:
    data = run_compare(runs, tmp_path / "out", seed=0)
    assert data.readings is not None and data.readings.no_readouts == ""
    assert from_json((tmp_path / "out" / "compare.json").read_text(), Comparison, "compare.json", "") == data
    for k, curves in enumerate(data.readings.readouts):
        (curve,) = curves
        assert (curve.goal, curve.view, curve.sites) == ("corner", READ, ("input", "a"))
        assert tuple(row.value for row in curve.follows) == FOLLOWED[k], "of the most frames"
    row = next(row for row in (tmp_path / "out" / "compare.md").read_text().splitlines() if "follows detours |" in row)
    assert row.count("from a (a to b)") == 2
    figure = compare_figure(data)
    named = {axes.get_ylabel().replace("\n", " "): axes for axes in figure.axes}
    drawn = named["corner detours that a 3x3 readout at the mouse follows"]
    assert not any("next move" in name or "another move" in name for name in named), "whole maps give way"
    assert next(line.get_ydata().tolist() for line in drawn.lines if len(line.get_xdata()) == 2) == [0.0, 0.25]
    on_page = compared_readouts(data.readings, [run.name for run in data.arms])["compare-readouts"]
    assert [(line.name, tuple(line.y)) for line in on_page.data] == [("agent-0", FOLLOWED[0]), ("agent-1", FOLLOWED[1])]
    assert "What is read at the mouse, run by run" in (tmp_path / "out" / "compare.html").read_text()


def test_readouts_of_other_settings_are_left_out_and_named(runs: list[Path], tmp_path: Path) -> None:
    (runs[1] / READOUTS.file).write_bytes(to_json(readouts(1, "agent-1", "1" * 64, states=4)))
    data = run_compare(runs, tmp_path / "out", seed=0)
    assert data.readings is not None and [len(curves) for curves in data.readings.readouts] == [1, 0]
    assert data.readings.no_readouts == "agent-1: made with other settings"
    page = (tmp_path / "out" / "compare.md").read_text()
    assert "Readouts at the mouse are missing for agent-1: made with other settings." in page
    for run in runs:
        (run / READOUTS.file).unlink()
    bare = run_compare(runs, tmp_path / "out", seed=0).readings
    assert bare is not None and (bare.readouts, bare.no_readouts) == ((), "") and not compared_readouts(bare, [])
