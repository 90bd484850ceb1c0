"""The table of outcome columns: one for each outcome, and what is derived from it."""

from __future__ import annotations

import dataclasses

import numpy as np

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.experiments.exact import LevelEvaluator, evaluate
from steering.experiments.outcome import (
    ATTRACTION,
    COMPARED,
    GROUPS,
    LABELS,
    OUTCOME_FIELDS,
    OUTCOMES,
    Outcome,
    shown_on,
)
from steering.interventions.edits import subtract
from steering.interventions.vectors import cheese_vector


def test_an_outcome_shows_every_field_once_and_what_is_undefined_as_a_dash() -> None:
    named = [name for members in GROUPS.values() for name in members.values()]
    assert sorted(named) == sorted(OUTCOME_FIELDS)
    shown = repr(Outcome(**{name: k + 0.25 for k, name in enumerate(OUTCOME_FIELDS)} | {"value_start": np.nan}))
    assert len(shown.splitlines()) <= 24 and max(map(len, shown.splitlines())) <= 80
    assert all(f"{k}.250" in shown for k, name in enumerate(OUTCOME_FIELDS) if name != "value_start")
    assert "value at the start                           -" in shown


def test_an_evaluation_stands_beside_clean_and_no_cheese(policy: MazePolicy, small_maze: Maze) -> None:
    """The three columns are the evaluator's own, and blindness is the ratio of their distances."""
    level = LevelEvaluator(policy, small_maze)
    edit = subtract(cheese_vector(policy, small_maze, "embedder.block3.conv"))
    found = evaluate(policy, small_maze, edit)
    assert found.to_json() == level.outcomes([edit])[0].to_json()
    assert (found.clean.to_json(), found.no_cheese.to_json()) == (
        level.clean_outcome().to_json(),
        level.no_cheese_outcome().to_json(),
    )
    assert abs(found.blindness - (1 - found.tv_no_cheese / found.clean.tv_no_cheese)) < 1e-9
    assert 0.01 < found.clean.tv_no_cheese and evaluate(policy, small_maze).blindness == 0.0
    assert np.isnan(evaluate(policy, small_maze.without_cheese()).blindness)
    columns = [line.split()[-3:] for line in repr(found).splitlines() if "moves made" in line]
    assert columns == [[f"{each.expected_steps:.3f}" for each in (found, found.clean, found.no_cheese)]]
    assert found._repr_html_().count("<tr>") == len(repr(found).splitlines()) - 1


def test_each_outcome_has_one_column_in_the_order_of_the_csv() -> None:
    assert [column.name for column in OUTCOMES] == [field.name for field in dataclasses.fields(Outcome)]
    assert all(column.label for column in OUTCOMES)
    assert {column.across_worlds for column in OUTCOMES} <= {"", *LABELS}


def test_what_is_shown_tested_and_compared_stands_in_its_order() -> None:
    tested = {
        against: [column.name for column in OUTCOMES if against in column.tested_against]
        for against in ("clean", "no_cheese")
    }
    assert tested["no_cheese"] == ["p_cheese_cell", "p_region_first", "p_cheese_decision", "p_corner_decision"]
    assert tested["clean"] == [*tested["no_cheese"], "tv_no_cheese"]
    assert COMPARED == ("p_cheese", "p_cheese_decision", "p_region"), "the order in which intervals are drawn"
    assert ATTRACTION == ("p_cheese_cell", "p_cheese_decision")
    assert [column.label for column in shown_on("console")] == ["P(cheese)", "P(cheese | decision)"]
    labels = ["P(cheese)", "P(top-right 5x5)", "P(cheese | decision)", "P(top right | decision)"]
    assert [column.label for column in shown_on("site table")] == labels
