"""Answers to pairs: those of the exact evaluation of each maze, and of a reader's own moves."""

from __future__ import annotations

import numpy as np

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.experiments.exact import LevelEvaluator
from steering.planning.behaviour import cell_answers, pair_answers
from steering.planning.pairs import Goal, Kind, drawn_pairs, first_move, frames_of
from steering.planning.readers import HORIZONS, reader_moves


def test_answers_to_pairs_are_those_of_the_exact_evaluation(policy: MazePolicy) -> None:
    maze = Maze.from_level(2)
    pairs = [pair for kind in Kind for pair in drawn_pairs(maze, kind, Goal.CORNER, 2, 0)]
    for pair, found in zip(pairs, pair_answers(policy, pairs), strict=True):
        p = np.stack(
            [
                LevelEvaluator(policy, each).clean.probabilities[each.state_index(*pair.state)]
                for each in (pair.level, pair.twin)
            ]
        )
        here, there = pair.moves
        np.testing.assert_allclose(found.right, (p[0, here], p[1, there]), atol=1e-6)
        np.testing.assert_allclose(found.other, (p[0, there], p[1, here]), atol=1e-6)
        np.testing.assert_allclose(found.change, np.abs(p[0] - p[1]).sum() / 2, atol=1e-6)
        assert found.follows == (p[0].argmax() == here and p[1].argmax() == there)
        assert (found.kind, found.goal, found.distance) == (pair.kind.value, "corner", pair.distance)
        assert found.readers[-1] == 1.0


def test_a_reader_that_sees_less_far_cannot_follow_a_detour(random_policy: MazePolicy) -> None:
    pairs = drawn_pairs(Maze.from_level(100), Kind.DETOUR, Goal.CHEESE, 12, 0)
    for found in pair_answers(random_policy, pairs):
        for horizon, right in zip(HORIZONS, found.readers, strict=True):
            if horizon is not None and horizon < found.distance:
                assert right <= 0.25  # the same in both: right in one at most, or torn between the two


def test_answers_on_all_cells_are_those_of_the_exact_evaluation(policy: MazePolicy) -> None:
    maze = Maze.from_level(2)
    for goal, shown, end in ((Goal.CHEESE, maze, maze.cheese), (Goal.CORNER, maze.without_cheese(), maze.corner)):
        assert end is not None
        found = cell_answers(policy, maze, goal)
        p = LevelEvaluator(policy, shown).clean.probabilities
        asked = [(k, first_move(shown, s.cell, end)) for k, s in enumerate(shown.states) if s.cell != end]
        np.testing.assert_allclose(found.right, np.mean([p[k, move] for k, move in asked]), atol=1e-6)
        assert found.likely == np.mean([p[k].argmax() == move for k, move in asked])
        assert found.cells == len(shown.cells) - 1
        ladder = [
            np.mean([reader_moves(shown, [c], end, h)[0, first_move(shown, c, end)] for c in shown.cells if c != end])
            for h in HORIZONS
        ]
        np.testing.assert_allclose(found.readers, ladder)


def test_frames_are_the_levels_and_the_twins_in_turn(policy: MazePolicy) -> None:
    pairs = drawn_pairs(Maze.from_level(2), Kind.DETOUR, Goal.CHEESE, 2, 0)
    frames = frames_of((maze, pair.state) for pair in pairs for maze in (pair.level, pair.twin))
    for k, pair in enumerate(pairs):
        for side, maze in enumerate((pair.level, pair.twin)):
            np.testing.assert_array_equal(frames[2 * k + side], maze.observations([pair.state])[0])
    assert pair_answers(policy, []) == []
