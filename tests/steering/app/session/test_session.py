"""The session without its web layer: what it answers is what the package computes, however it was reached."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.app.session.session import Session
from steering.app.session.updates import Update
from steering.experiments.edit_text import edited, read_edits
from steering.experiments.exact import LevelEvaluator, evaluate
from tests.helpers.workbench import SITE, STACK, fields_of, state_of


def check(updates: list[Update], policy: MazePolicy, maze: Maze, edits: Iterable[str]) -> None:
    """Hold a session's answer against the package's own evaluation."""
    assert [update.facts for update in updates if update.type == "problem"] == []
    intervention = edited(read_edits(list(edits), policy), policy, maze, SITE)
    evaluator = LevelEvaluator(policy, maze)
    (steered,) = evaluator.fields([intervention])
    expected = {"clean": evaluator.clean, "steered": steered, "no_cheese": evaluator.no_cheese}
    for panel, found in fields_of(updates, len(maze.states)).items():
        np.testing.assert_allclose(found.probabilities, expected[panel].probabilities, atol=1e-5)
        np.testing.assert_allclose(found.values, expected[panel].values, atol=1e-4)
    whole = evaluate(policy, maze, intervention)
    outcomes = {"clean": whole.clean, "steered": whole, "no_cheese": whole.no_cheese}
    told = [update for update in updates if update.type == "outcome"]
    assert {update.facts["panel"] for update in told} == set(expected)
    for update in told:
        for name, value in update.facts["outcome"].items():
            expected_value = getattr(outcomes[update.facts["panel"]], name)
            assert (value is None and np.isnan(expected_value)) or value == pytest.approx(expected_value, abs=1e-4)
        if update.facts["panel"] == "steered":
            assert update.facts["blindness"] == pytest.approx(whole.blindness, abs=1e-4)
    assert updates[-1].type == "done"


AT_MOUSE = (f"subtract,vector=cheese,coefficient=1.5,place=mouse,site={SITE}", "ablate,place=mouse,site=relu3")


@pytest.mark.parametrize("edits", [(), STACK[:1], STACK, AT_MOUSE])
def test_fields_and_outcomes_are_those_of_evaluate(
    policy: MazePolicy, edits: tuple[str, ...], leak_check: None
) -> None:
    maze = Maze.from_level(26)
    check(list(Session(policy).work(state_of(maze, edits))), policy, maze, edits)


def test_what_was_kept_of_other_states_changes_no_number(policy: MazePolicy, leak_check: None) -> None:
    """Cheese and mouse moved, a wall opened, edits switched and scaled, each work dropped half-way, in one session."""
    session, maze = Session(policy), Maze.from_level(26)
    cheese = maze.with_cheese((4, 2))
    turned = dataclasses.replace(maze, mouse=(2, 4), state=maze.state.with_mouse((11, 13), maze.facing))
    opened = Maze.from_ascii("look: 26\n" + maze.to_ascii().replace("#", ".", 1))
    steps = [(maze, STACK[:1]), (cheese, STACK[:1]), (cheese, STACK), (turned, STACK[:2]), (opened, STACK)]
    for world, edits in steps:  # each is left after its first chunks
        assert len(list(itertools.islice(session.work(state_of(world, edits, look=26)), 3))) == 3
    for world, edits in reversed(steps):
        check(list(session.work(state_of(world, edits, look=26))), policy, world, edits)


def test_fields_without_edits_do_not_wait_for_a_vector_that_is_averaged(policy: MazePolicy) -> None:
    """It is taken once: then a coefficient changes the steered field alone, in the usual order."""
    session, maze = Session(policy), Maze.from_level(26)
    edits = [f"subtract,vector=cheese-mean,site={SITE},coefficient=1.0", "patch,vector=activation-mean,site=fc_policy"]
    updates = list(session.work(state_of(maze, edits)))
    check(updates, policy, maze, edits)
    panels = [update.facts["panel"] for update in updates if update.type == "field" and len(update.arrays["states"])]
    assert max(k for k, panel in enumerate(panels) if panel != "steered") < panels.index("steered")
    edits[0] = edits[0].replace("1.0", "0.5")
    again = list(session.work(state_of(maze, edits)))
    check(again, policy, maze, edits)
    assert [update.type for update in again[:3]] == ["maze", "field", "field"]


def test_a_state_that_is_refused_gives_one_line_and_changes_nothing(policy: MazePolicy) -> None:
    session, maze = Session(policy), Maze.from_level(26)
    good = state_of(maze, STACK)
    before = list(session.work(good))
    for part, value, what in (
        ("maze", {"ascii": "M##\n#C#\n##.", "mode": "hard", "facing": "left", "level": None}, "maze"),
        ("edits", [{"on": True, "text": "subtract,vector=../../etc/passwd"}], "edit"),
        ("edits", [{"on": True, "text": "add,vector=cheese,site=input,coefficient=1e999"}], "edit"),
        ("site", "nowhere", "edit"),
        ("horizon", 0, "state"),
        ("panels", ["clean", "other"], "state"),
        ("surplus", 1, "state"),
    ):
        bad = copy.deepcopy(good) | {part: value}
        (found,) = session.work(bad)
        assert (found.type, found.facts["what"]) == ("problem", what)
        assert "\n" not in found.facts["line"]
    after = list(session.work(good))
    assert fields_of(after, len(maze.states)).keys() == fields_of(before, len(maze.states)).keys()
    check(after, policy, maze, STACK)
