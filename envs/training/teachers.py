"""Teachers: the moves that a policy is shown, of which one plans the way and one only looks around."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csgraph

from envs.actions import MOVE_OF_STEP, Move
from envs.errors import InputError
from envs.maze import Maze

# [dx + 1, dy + 1] to the move that makes that step.
_MOVE_OF_STEP = np.full((3, 3), int(Move.NOOP))
for (_dx, _dy), _move in MOVE_OF_STEP.items():
    _MOVE_OF_STEP[_dx + 1, _dy + 1] = int(_move)


def shortest_path(maze: Maze) -> tuple[np.ndarray, np.ndarray]:
    """Return the move of the shortest path to the cheese ``int64[n]``, and its steps ``float64[n]``, from every cell.

    On the cheese's own cell: no move, 0 steps. Raises :class:`InputError` if there is no cheese.
    """
    steps, next_cell = csgraph.dijkstra(
        maze.graph, indices=maze.index[_cheese(maze)], unweighted=True, return_predecessors=True
    )
    return _moves(maze, np.where(next_cell >= 0, next_cell, np.arange(len(maze.cells)))), steps


def reflex(maze: Maze) -> tuple[np.ndarray, np.ndarray]:
    """Return the move of a mouse that only looks around, ``int64[n]``, and cells to the cheese ``float64[n]``.

    It knows the four walls beside it and which way the cheese lies: of the free cells one step away it takes the one
    that is nearest to the cheese in a straight line; of two the first in the order left, right, up, down. It plans
    nothing, and in a dead end it goes back and forth. The second array, horizontal and vertical cells added up, tells
    nothing of walls either. On the cheese's own cell: no move, 0 cells. Raises :class:`InputError` without a cheese.
    """
    goal = _cheese(maze)
    cells = np.array(maze.cells)
    crow = np.hypot(*(cells - goal).T)
    beside = [[maze.index[other] for other in maze.neighbours(cell)] for cell in maze.cells]
    to = np.array([min(near, key=lambda k: crow[k], default=here) for here, near in enumerate(beside)])
    to[maze.index[goal]] = maze.index[goal]
    return _moves(maze, to), np.abs(cells - goal).sum(axis=1).astype(float)


Teacher = Callable[[Maze], tuple[np.ndarray, np.ndarray]]
TEACHERS: dict[str, Teacher] = {"path": shortest_path, "reflex": reflex}


def _cheese(maze: Maze) -> tuple[int, int]:
    if maze.cheese is None:
        raise InputError("teacher: this maze has no cheese to show the way to; take a maze with cheese")
    return maze.cheese


def _moves(maze: Maze, to: np.ndarray) -> np.ndarray:
    """Return the moves from every cell to a neighbour, given by its place in ``maze.cells``, or to itself."""
    cells = np.array(maze.cells)
    dx, dy = (cells[to] - cells).T
    return _MOVE_OF_STEP[dx + 1, dy + 1]
