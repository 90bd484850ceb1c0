"""One table of conditions: all that is known of one is read from its row, and adding one touches two files."""

from __future__ import annotations

import csv
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from envs.errors import InputError
from steering.experiments import conditions
from steering.experiments.conditions import TABLE, find_condition
from steering.experiments.level_conditions import EDITS
from tests.helpers.worked_diff import copy_with, worked_diff


def test_the_table_gives_the_conditions_of_stored_runs_in_their_order() -> None:
    assert conditions.REFERENCES == ("clean", "no_cheese")
    assert conditions.CONDITIONS == (
        "subtract",
        "add",
        "random",
        "other_level",
        "same_cell",
        "move",
        "all_sites",
        "edit",
    )
    assert conditions.DEFAULT_CONDITIONS == ("subtract", "add", "random", "other_level", "same_cell")
    assert conditions.DRAWN == ("random", "other_level", "same_cell", "move")
    assert conditions.CONTROLS == ("random", "add", "other_level", "same_cell")
    assert conditions.MUST_NOT_BLIND == ("random", "add", "other_level")
    assert conditions.GROUPS == (
        ("clean", "no_cheese", "subtract", "add", "all_sites"),
        ("random",),
        ("other_level", "same_cell"),
        ("move",),
        ("edit",),
    )


def test_every_condition_has_a_name_of_its_own_and_an_edit() -> None:
    names = [condition.name for condition in TABLE]
    assert len(set(names)) == len(names) and set(EDITS) == set(names)
    assert len({condition.control for condition in TABLE if condition.control is not None}) == len(conditions.CONTROLS)
    assert all(condition.control is not None for condition in TABLE if condition.must_not_blind)


def test_a_condition_is_found_by_name_and_the_nearest_is_named() -> None:
    assert find_condition("add").label == "cheese vector added"
    with pytest.raises(InputError, match="unknown condition 'substract'; did you mean 'subtract'"):
        find_condition("substract")
    with pytest.raises(InputError, match="unknown condition 'clean'"):
        find_condition("clean", conditions.CONDITIONS)


def test_the_worked_diff_of_the_documentation_adds_a_condition(tmp_path: Path) -> None:
    """By two files; it is swept, stored, in the table of outcomes and on the page. Half of 2 is 1."""
    changes = worked_diff("docs/contributing.md", "A condition")
    assert len(changes) == 2
    code, run = tmp_path / "code", tmp_path / "run"
    code.mkdir()
    options = "--levels 10 --mode easy --sites embedder.fc --conditions subtract,half --coefficients 1,2".split()
    options += ["--episodes", "0", "--horizon", "30", "--workers", "1", "--out", str(run)]
    done = subprocess.run(
        [sys.executable, "-m", "steering.cli.app", "layer-sweep", *options],
        env={**os.environ, "PYTHONPATH": str(copy_with(changes, code))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(run / "results.sqlite") as database:
        rows = database.execute("SELECT condition, coefficient, tv_no_cheese FROM outcomes").fetchall()
    found = {(condition, coefficient): value for condition, coefficient, value in rows}
    assert found["half", 2.0] == pytest.approx(found["subtract", 1.0], abs=1e-6) != found["half", 1.0]
    with open(run / "outcomes.csv") as file:
        assert {row["condition"] for row in csv.DictReader(file)} == {"clean", "no_cheese", "subtract", "half"}
    page = (run / "report.html").read_text()
    assert "blindness, half" in page and "<summary>half" in page
