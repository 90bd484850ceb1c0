"""A run summed up: as its report has it, with its own thresholds; profiles count rounding as no distance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.errors import InputError
from envs.stored.json_records import from_json
from steering.analysis.distances import position_bins, position_curve
from steering.analysis.summary import summarize_run
from steering.cli.app import report
from steering.experiments.outcome import Profile
from steering.records.sweep import SweepSummary
from steering.statistics.bootstrap import TIE, counts, resamples
from steering.statistics.boundary import ThresholdPair
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.store import Store
from tests.helpers.runs import LEVELS, SITES, SPEC, make_run, outcome

SITE = SITES[1]
STATES = 40


def run_with_profiles(folder: Path, means: dict[int, tuple[float, float]]) -> Path:
    """A run with two bins a level at one site; ``means``: distance to mean distances, subtracted and left alone."""
    run = make_run(folder, SPEC, {"input": 0.1, SITE: 0.5})
    with Store.open(run) as store:
        for level in LEVELS:
            store.add(
                [],
                [
                    Profile(level, SITE, 1.0, at, 0, STATES, STATES * tv, STATES * clean, 3.0, 4.0)
                    for at, (tv, clean) in means.items()
                ],
            )
    return run


@pytest.mark.parametrize("least", [None, ThresholdPair(0.7, 0.1)])
def test_a_run_is_summed_up_as_its_report_has_it(tmp_path: Path, least: ThresholdPair | None) -> None:
    run = run_with_profiles(tmp_path / "run", {1: (0.1, 0.2), 3: (0.0, 1e-7)})
    with Store.open(run) as store:
        store.describe("command", "mazesteer layer-sweep")
        if least is not None:
            store.describe("thresholds", least)
    summary = summarize_run(run)
    assert summary.boundary.thresholds == (least or ThresholdPair())
    assert summary.boundary.site == (SITE if least is None else "input")
    report(run)
    assert from_json((run / "summary.json").read_bytes(), SweepSummary) == summary


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    spec_only = tmp_path / "begun"
    spec_only.mkdir()
    SPEC.save(spec_only)
    for folder in (tmp_path, tmp_path / "missing", spec_only):
        with pytest.raises(InputError, match=str(folder)) as caught:
            summarize_run(folder)
        assert "\n" not in str(caught.value)


def test_distances_of_a_bin_that_are_rounding_count_as_zero(tmp_path: Path) -> None:
    """By the rule for outcomes: a bin's sums count by their mean over its states."""
    means = {1: (0.5 * TIE, 0.2), 3: (0.1, 2 * TIE), 6: (0.5 * TIE, 0.9 * TIE)}
    with Store.open(run_with_profiles(tmp_path / "run", means)) as store:
        bins = position_bins(store, LEVELS, 1.0)
    weights = counts(resamples(len(LEVELS), np.random.default_rng(0)))
    near, middle, far = position_curve(bins[SITE], weights)
    assert (near.blindness, near.blindness_low, near.interaction) == (1.0, 1.0, 0.75)
    assert middle.blindness == pytest.approx(1 - 0.1 / (2 * TIE)) and middle.interaction == 0.75
    assert (far.states, far.mazes) == (STATES * len(LEVELS), len(LEVELS))
    none = (far.blindness, far.blindness_low, far.blindness_high)
    assert none == (far.interaction, far.interaction_low, far.interaction_high) == (None, None, None)
    assert far.inside.interaction is None


def test_outcomes_and_profiles_are_rounded_alike(tmp_path: Path) -> None:
    """A maze's mean distance is rounding in an outcome exactly where it is in a profile of one bin."""
    for name, mean, zero in (("below", 0.99 * TIE, True), ("above", 1.01 * TIE, False)):
        run = run_with_profiles(tmp_path / name, {1: (mean, mean)})
        with Store.open(run) as store:
            rows = [replace(row, outcome=outcome(mean)) for row in store.rows()]
            table = OutcomeTable(SPEC, list(LEVELS), {row.key: row.outcome for row in rows}, store.sites())
            sums = position_bins(store, LEVELS, 1.0)[SITE][1, 0]
        assert (table.condition("subtract", SITE).tv_no_cheese == 0).all() == zero
        assert (sums[:, 1:3] == 0).all() == zero and (sums[:, 3:] == [3.0, 4.0]).all()
