"""Planning side by side: differences paired by maze over the same pairs, over training, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.errors import InputError
from envs.stored.json_records import from_json, to_json
from steering.analysis.comparison_readings import planning_table
from steering.figures.planning_figures import compared_planning
from steering.planning.behaviour import LADDER, CellAnswers, PairAnswers
from steering.planning.located import PATCHES
from steering.planning.measure import LevelRow
from steering.planning.summary import goal_behaviour, weights_of
from steering.records.comparison import Comparison
from steering.records.planning import Located, PlanningSettings, PlanningSummary, PlanReading, Share, behaviour_rows
from steering.records.readings import ComparedPlan, ComparedPlanning
from steering.records.sweep import CheckpointId
from steering.reports.comparison_report import run_compare
from steering.sweep.artifacts import PLANNING
from steering.sweep.store import Store
from tests.helpers.runs import LEVELS, SPEC, make_run

SHARE = {"input": 0.0, "embedder.relu3": 0.4}


def answer(kind: str, follows: bool) -> PairAnswers:
    right = (0.9, 0.9) if follows else (0.9, 0.1)
    return PairAnswers(kind, "cheese", 7, right, (0.1, 0.1), follows, 0.5, (0.25,) * len(LADDER))


def planned(directory: Path, name: str, sha256: str, follows: np.ndarray, distance: int = 5) -> None:
    """Put planning beside a sweep; ``follows``: ``bool[n_levels, pairs]``."""
    cells = CellAnswers("cheese", 10, 0.8, 0.8, tuple(np.linspace(0.5, 1, len(LADDER)).tolist()))
    answers = [(*(answer("detour", each) for each in row), answer("idle", True)) for row in follows.tolist()]
    settings = PlanningSettings((), LEVELS, follows.shape[1], distance, 0, "hard")
    behaviour = goal_behaviour("cheese", answers, [cells] * len(LEVELS), weights_of(len(LEVELS), 0), distance)
    summary = PlanningSummary(PLANNING.format, CheckpointId(name, sha256), settings, LADDER, PATCHES, (behaviour,), ())
    (directory / PLANNING.file).write_bytes(to_json(summary))
    part, basis = behaviour_rows(settings, "cheese")
    with Store.open(directory) as store, store.transaction() as db:
        for level, row in zip(LEVELS, answers, strict=True):
            text = to_json(LevelRow(row, cells)).decode()
            db.execute("INSERT INTO planning VALUES (?, ?, ?, ?)", (part, level, basis, text))


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three snapshots: the first without planning in them, the later ones with more."""
    rng, found = np.random.default_rng(0), []
    for k, count in enumerate((4096, 65536, 1048576)):
        spec = replace(SPEC, checkpoint=f"region5@{count}", sha256=str(k) * 64)
        found.append(make_run(tmp_path / str(count), spec, SHARE, seed=k))
        planned(found[-1], spec.checkpoint, spec.sha256, rng.random((len(LEVELS), 4)) < (0.1, 0.4, 0.8)[k])
    return found


def followed(run: Path) -> np.ndarray:
    with Store.open(run) as store, store.transaction() as db:
        rows = [from_json(text, LevelRow) for (text,) in db.execute("SELECT measured FROM planning ORDER BY level")]
    return np.array([[each.follows for each in row.answers if each.kind == "detour"] for row in rows], dtype=float)


def test_detours_followed_are_compared_maze_by_maze_and_drawn_over_training(runs: list[Path], tmp_path: Path) -> None:
    data = run_compare(runs[::-1], tmp_path / "out", seed=0)
    assert data.planning is not None and data.planning.missing == ""
    assert from_json((tmp_path / "out" / "compare.json").read_text(), Comparison, "compare.json", "") == data
    shares = [followed(run) for run in runs]
    for k, (plan,) in enumerate(data.planning.arms):
        assert (plan.goal, plan.pairs, plan.idle.value) == ("cheese", 80, 1.0)
        assert plan.follows.value == pytest.approx(shares[k].mean())
        if k == 0:
            assert plan.difference is None and plan.mazes == 0
            continue
        assert plan.difference is not None and plan.mazes == len(LEVELS)
        assert plan.difference.value == pytest.approx(shares[k].mean() - shares[0].mean())
        by_maze = (shares[k] - shares[0]).mean(axis=1)
        error = by_maze.std() / np.sqrt(len(by_maze))
        low, high = plan.difference.low, plan.difference.high
        assert low is not None and high is not None and high - low == pytest.approx(2 * 1.96 * error, rel=0.15)
    line = compared_planning(data.planning, (4096, 65536, 1048576))["compare-detours"].data[0]
    assert list(line.x) == [4096, 65536, 1048576] and list(line.y) == [share.mean() for share in shares]
    page = (tmp_path / "out" / "compare.md").read_text()
    assert "## Planning, run by run" in page and "Detours followed, run by run" in page
    assert "Looks ahead: " in page, "what the columns mean"
    assert 'id="planning"' in (tmp_path / "out" / "compare.html").read_text()


def test_other_pairs_have_no_difference_and_runs_without_planning_are_named(runs: list[Path], tmp_path: Path) -> None:
    (runs[1] / PLANNING.file).unlink()
    with Store.open(runs[2]) as store, store.transaction() as db:
        db.execute("DELETE FROM planning")
    planned(runs[2], "region5@1048576", "2" * 64, np.ones((len(LEVELS), 4), dtype=bool), distance=3)
    data = run_compare(runs, tmp_path / "out", seed=0)
    assert data.planning is not None and data.planning.missing == "region5@65536: not measured"
    assert [len(plans) for plans in data.planning.arms] == [1, 0, 1]
    assert data.planning.arms[2][0].difference is None
    assert "Planning is missing for region5@65536: not measured." in (tmp_path / "out" / "compare.md").read_text()


def test_levels_that_only_one_run_has_do_not_count(runs: list[Path], tmp_path: Path) -> None:
    with Store.open(runs[0]) as store, store.transaction() as db:
        db.execute("DELETE FROM planning WHERE level < 5")
    data = run_compare(runs[:2], tmp_path / "out", seed=0)
    assert data.planning is not None
    (plan,) = data.planning.arms[1]
    assert plan.mazes == len(LEVELS) - 5 and plan.difference is not None
    expected = followed(runs[1])[5:].mean() - followed(runs[0]).mean()
    assert plan.difference.value == pytest.approx(expected)
    for run in runs:
        (run / PLANNING.file).unlink()
    assert run_compare(runs, tmp_path / "out", seed=0).planning is None


def test_a_reading_that_is_nowhere_is_not_called_a_site() -> None:
    share = Share(0.5, 0.4, 0.6)
    ends = {"departure": ("embedder.relu3", None), "handoff": (None, None), "arrival": ("input", "input")}
    rows = tuple(PlanReading(name, low, low, high, 0.5) for name, (low, high) in ends.items())
    located = Located("detour", "cheese", 9, 9, 0, share, (), rows, (), ())
    plan = ComparedPlan("cheese", 8, share, share, None, 0, None, None, None, located)
    header, row = planning_table(ComparedPlanning(("a",), ((plan,),), ""))
    shown = dict(zip(header, row, strict=True))
    assert shown["departure"] == "relu3 (relu3 to nowhere)"
    assert shown["handoff"] == "nowhere (nowhere)" and shown["arrival"] == "input (input only)"


def test_rows_of_another_command_do_not_count(runs: list[Path], tmp_path: Path) -> None:
    """A command with other settings that was stopped has replaced some rows, ``planning.json`` is the former's."""
    with Store.open(runs[1]) as store, store.transaction() as db:
        db.execute("UPDATE planning SET basis = 'another' WHERE level < 5")
    data = run_compare(runs[:2], tmp_path / "out", seed=0)
    assert data.planning is not None and data.planning.arms[1][0].mazes == len(LEVELS) - 5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"answers": [{"kind": "detour", "follows": NaN}]}'])
def test_a_damaged_row_is_refused_in_one_line(text: str, runs: list[Path], tmp_path: Path) -> None:
    with Store.open(runs[1]) as store, store.transaction() as db:
        db.execute("UPDATE planning SET measured = ? WHERE level = ?", (text, LEVELS[0]))
    with pytest.raises(InputError, match=rf"^\S+sqlite, planning, level {LEVELS[0]}: .*; measure planning again$"):
        run_compare(runs[:2], tmp_path / "out", seed=0)
