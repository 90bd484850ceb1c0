"""The ladder of readers: what each sees decides what it does."""

from __future__ import annotations

import numpy as np
import pytest

from envs.maze import Maze
from steering.planning.pairs import Goal, Kind, drawn_pairs, first_move
from steering.planning.readers import HORIZONS, reader_moves


@pytest.mark.parametrize("mode", ["hard", "easy"])
@pytest.mark.parametrize("goal", Goal)
def test_a_reader_that_sees_all_is_right_everywhere_and_farther_sight_helps(goal: Goal, mode: str) -> None:
    accuracy = {horizon: [] for horizon in HORIZONS}  # type: ignore[var-annotated]
    for maze in Maze.from_levels(range(8), mode):
        end = maze.corner if goal is Goal.CORNER else maze.cheese
        assert end is not None
        cells = [cell for cell in maze.cells if cell != end]
        right = [first_move(maze, cell, end) for cell in cells]
        for horizon in HORIZONS:
            p = reader_moves(maze, cells, end, horizon)
            np.testing.assert_allclose(p.sum(axis=1), 1.0)
            assert (p[:, 4] == 0).all()
            accuracy[horizon].append(p[np.arange(len(cells)), right].mean())
    means = [float(np.mean(accuracy[horizon])) for horizon in HORIZONS]
    assert means[-1] == 1.0 and means == sorted(means) and means[0] < 0.5


def test_whoever_sees_less_far_than_the_change_does_the_same_in_both() -> None:
    for seed, mode in ((2, "hard"), (100, "hard"), (6, "easy")):
        for pair in drawn_pairs(Maze.from_level(seed, mode), Kind.DETOUR, Goal.CORNER, 12, 0):
            for horizon in (0, 1, 2, 4, 8, 16):
                one, two = (
                    reader_moves(maze, [pair.state.cell], pair.goal, horizon)[0] for maze in (pair.level, pair.twin)
                )
                if horizon < pair.distance:
                    np.testing.assert_array_equal(one, two)
                else:
                    assert one[pair.moves[0]] > 0 or two[pair.moves[1]] > 0


def test_known_answers() -> None:
    maze = Maze.from_ascii("..C\n.##\nM..")
    left, right, up, down = range(4)
    (start, dead_end) = reader_moves(maze, [(0, 0), (2, 0)], (2, 2), 0)
    assert start[right] == start[up] == 0.5 and dead_end[up] == 1.0  # straight for it, through walls
    (start,) = reader_moves(maze, [(0, 0)], (2, 2), 1)
    assert start[right] == start[up] == 0.5  # both cells are as near
    (start,) = reader_moves(maze, [(0, 0)], (2, 2), 2)
    assert start[right] == start[up] == 0.5
    (start, above) = reader_moves(maze, [(0, 0), (0, 1)], (2, 2), 3)
    assert start[up] == 1.0 and above[up] == 1.0
    (corridor,) = reader_moves(maze, [(2, 0)], (2, 2), 2)
    assert corridor[left] == 1.0 and corridor[down] == 0.0
