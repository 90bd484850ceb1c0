"""Blindness by distance and by visits: parts of the pooled curve, the boundary of each, runs of earlier versions."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from steering.analysis.compared_runs import read_compared_runs
from steering.analysis.comparison import compare
from steering.analysis.distances import effect_spread, weighed, weighed_curves
from steering.analysis.summary import maze_weights, summarize_run, trunk_curves
from steering.experiments.conditions import MAIN
from steering.experiments.outcome import CELLS, Nearness, cells_label
from steering.figures.weighting_figures import compared_weightings, weighting_figure, weighting_table
from steering.statistics import bootstrap
from steering.statistics.boundary import ThresholdPair
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.run import remaining
from steering.sweep.store import Store
from tests.helpers.runs import LEVELS, SITES, SPEC, make_run

STATES = 40


def run_with_nearness(folder: Path, near: float, far: float) -> Path:
    """A run of two sites; at the second a ``near`` part of the cheese's effect is left at 0-2 cells, else ``far``."""
    run = make_run(folder, SPEC, {SITES[0]: 0.0, SITES[1]: 0.75 * near + 0.25 * far})
    table = OutcomeTable.open(run)
    clean = dict(zip(LEVELS, table.reference("clean").tv_no_cheese, strict=True))
    with Store.open(run) as store:
        store.describe("command", "mazesteer layer-sweep")
        for level in LEVELS:
            for site, parts in ((SITES[0], (0.0, 0.0)), (SITES[1], (near, far))):
                bins = [(0, 10, 0.75, parts[0]), (9, 30, 0.25, parts[1])]  # first distance, states, effect, part left
                store.add(
                    [],
                    [
                        Nearness(level, site, 1.0, cells, n, left * part * c * STATES, part * c * STATES)
                        for cells, n, part, left in bins
                        for c in [clean[level]]
                    ],
                )
    return run


def test_the_pooled_curve_is_the_mean_of_the_distances_by_effect(tmp_path: Path) -> None:
    """Bins weigh by the cheese's effect in them; each has its own boundary, and intervals hold their numbers."""
    summary = summarize_run(run_with_nearness(tmp_path / "run", near=0.9, far=0.2))
    deep = summary.sites[1]
    near, far = deep.nearness_curve
    assert (near.cells, near.states, far.cells, far.states) == (0, 10 * len(LEVELS), 9, 30 * len(LEVELS))
    assert (near.effect, far.effect) == pytest.approx((0.75, 0.25))
    assert (near.blindness, far.blindness) == pytest.approx((0.1, 0.8))
    pooled = sum(part.effect * part.blindness for part in deep.nearness_curve if part.effect and part.blindness)
    assert pooled == pytest.approx(deep.conditions[MAIN].blindness)
    for part in deep.nearness_curve:
        assert part.blindness_low is not None and part.blindness is not None and part.blindness_high is not None
        assert part.blindness_low - 1e-9 <= part.blindness <= part.blindness_high + 1e-9
        assert part.mazes == len(LEVELS) and part.effective_mazes == pytest.approx(summary.spread.effective_mazes)
    found = {part.weighting: part for part in summary.boundary.weightings}
    assert list(found) == ["visits", "0-2 cells", "9-12 cells"]
    assert found["0-2 cells"].site == found["0-2 cells"].high == SITES[0] == summary.boundary.site
    assert found["9-12 cells"].site == found["9-12 cells"].low == SITES[1]
    header, first, second, ends, effects, mazes = weighting_table(summary)
    assert header == ["site", "all states", *found]
    assert second[3].startswith("0.10 (") and second[4].startswith("0.80 (") and first[1].startswith("1.00")
    assert ends[3:] == ["input (input to input)", "relu3 (relu3 to relu3)"]
    assert effects[3:] == ["0.75", "0.25"] and mazes[1] == mazes[3] == f"{summary.spread.effective_mazes:.0f}"
    figure = weighting_figure(summary)
    assert figure is not None and [line.name for line in figure.data] == header[1:]


def test_a_run_of_an_earlier_version_has_the_visits_alone_and_is_completed_by_its_command(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", SPEC, {SITES[0]: 0.0, SITES[1]: 0.5})
    summary = summarize_run(run)
    assert [site.nearness_curve for site in summary.sites] == [(), ()]
    assert [part.weighting for part in summary.boundary.weightings] == ["visits"]
    with Store.open(run) as store:
        asked = [(unit.level, {(key.condition, key.site) for key in unit.keys}) for unit in remaining(SPEC, store, run)]
    assert asked == [(level, {(MAIN, site) for site in SITES}) for level in LEVELS]
    whole = run_with_nearness(tmp_path / "whole", 0.5, 0.5)
    with sqlite3.connect(whole / "results.sqlite") as db:
        db.execute("DELETE FROM nearness WHERE level = 3 AND site = ?", (SITES[1],))
    with Store.open(whole) as store:
        units = remaining(SPEC, store, whole)
    assert [(unit.level, [key.site for key in unit.keys]) for unit in units if unit.keys] == [(3, [SITES[1]])]
    assert summarize_run(whole).sites[1].nearness_curve == () != summarize_run(whole).sites[0].nearness_curve
    assert [part.weighting for part in summarize_run(whole).boundary.weightings] == ["visits"]


def test_a_comparison_has_the_numbers_of_each_run_and_says_what_is_missing(tmp_path: Path) -> None:
    """One run with distances beside one of an earlier version: the same rule, and a dash where none is known."""
    new = run_with_nearness(tmp_path / "new", near=0.9, far=0.2)
    old = make_run(tmp_path / "old", SPEC, {SITES[0]: 0.0, SITES[1]: 0.5})
    found = compare(read_compared_runs([new, old]))
    first, second = found.arms
    alone = summarize_run(new)
    deep = alone.sites[1].nearness_curve
    told = {part.weighting: part for part in first.weightings}
    assert [(p.weighting, p.site) for p in first.weightings] == [
        (p.weighting, p.site) for p in alone.boundary.weightings
    ]
    assert [told[name].blindness[1] for name in ("0-2 cells", "9-12 cells")] == [part.blindness for part in deep]
    assert first.spread == second.spread == alone.spread
    assert [part.weighting for part in second.weightings] == ["visits"]
    header, *rows = compared_weightings(found)
    cells = {row[0]: row[1:] for row in rows}
    assert len(header) == 3 and cells["0-2 cells: boundary"] == ["input (input to input)", "–"]
    assert cells["9-12 cells: boundary"][0].startswith("relu3") and cells["all states: boundary"][1].startswith("relu3")
    assert cells["visits: blindness at input"] == ["0.00 (0.00 to 0.00)"] * 2  # such are these runs


def test_curves_of_other_weights_keep_the_competence_of_the_whole(tmp_path: Path) -> None:
    """A distance without any effect has none; resamples in which the cheese changes nothing there are left out."""
    table = OutcomeTable.open(run_with_nearness(tmp_path / "run", 0.9, 0.2))
    weights = maze_weights(table)
    curves = trunk_curves(table, weights)
    assert curves is not None
    parts = weighed(table, SITES)
    assert list(parts) == ["visits", *map(cells_label, CELLS)]
    edited, clean = parts["0-2 cells"]
    rare = np.where(np.arange(len(LEVELS)) == 7, clean, 0.0)
    found = weighed_curves(curves, {"none": (edited, 0 * clean), "rare": (0 * edited, rare)}, weights)
    assert list(found) == ["rare"]
    drawn = weights[:, 7] > 0
    assert 0.6 < drawn.mean() < 0.7 and np.array_equal(found["rare"].boot_able, curves.boot_able[drawn])
    assert (found["rare"].boot_blind == 1.0).all() and np.array_equal(found["rare"].able, curves.able)


def test_the_spread_of_an_effect_is_that_of_equal_mazes() -> None:
    """Equal mazes count each, one with all of it counts alone, and size does not matter (Kish)."""
    assert effect_spread(np.full(50, 0.3)).effective_mazes == pytest.approx(50)
    assert effect_spread(np.full(50, 0.3)).largest == pytest.approx(0.4)
    alone = effect_spread(np.array([0.0, 0.2, 0.0]))
    assert (alone.effective_mazes, alone.largest, alone.of) == (1.0, 1.0, 3)
    nothing = effect_spread(np.zeros(30))
    assert (nothing.effective_mazes, nothing.largest, nothing.of) == (None, None, 20)
    values = np.random.default_rng(0).gamma(0.5, size=200)
    assert bootstrap.effective_number(values) == pytest.approx(bootstrap.effective_number(7 * values))
    assert 1 < bootstrap.effective_number(values) < 200
    split = np.concatenate([values, values]) / 2  # each maze in two halves: twice as many
    assert bootstrap.effective_number(split) == pytest.approx(2 * bootstrap.effective_number(values))
    assert ThresholdPair().blindness == 0.5  # the threshold that the runs above are made for
