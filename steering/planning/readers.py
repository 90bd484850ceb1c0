"""A ladder of readers: planners without a network that see the maze only so many steps far.

A reader of horizon k knows every cell that a path of at most k steps leads to. If the goal is among them it takes the
shortest way. If not, it goes to the cell at the edge of what it knows, k steps away, that lies nearest to the goal as
the crow flies; where there are several it is torn between them evenly. With k = 0 it knows no wall and goes straight
for the goal. With no limit it is right everywhere. (Algorithms of growing depth as a yardstick: arXiv 2410.03020.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csgraph

from envs.actions import MOVE_OF_STEP, Move
from envs.maze import Cell, Maze

HORIZONS: tuple[int | None, ...] = (0, 1, 2, 4, 8, 16, None)
"""Steps of path that each reader of the ladder sees; None: all."""


def reader_name(horizon: int | None) -> str:
    """Return a reader's name in tables."""
    return "all" if horizon is None else str(horizon)


def reader_moves(maze: Maze, cells: Sequence[Cell], goal: Cell, horizon: int | None) -> np.ndarray:
    """Return the move probabilities of a reader on some cells.

    Args:
        maze: without loops, the goal in reach.
        cells: where the mouse stands; not on the goal.
        goal: the cell that it heads for.
        horizon: steps of path that it sees, 0 or more; None: all.

    Returns:
        ``float64[len(cells), 5]``, in the order of :class:`envs.actions.Move`; rows sum to 1.
    """
    if horizon == 0:
        return np.stack([_straight(cell, goal) for cell in cells])
    starts = [maze.index[cell] for cell in cells]
    steps, back = csgraph.dijkstra(maze.graph, unweighted=True, indices=starts, return_predecessors=True)
    places = np.array(maze.cells)
    crow = np.hypot(*(places - np.array(goal)).T)
    out = np.zeros((len(cells), len(Move)))
    for row, start in enumerate(starts):
        end = maze.index[goal]
        if horizon is None or steps[row, end] <= horizon:
            aims = np.array([end])
        else:
            aims = np.flatnonzero(steps[row] == horizon)
            aims = aims[np.isclose(crow[aims], crow[aims].min())]
        for aim in aims:
            out[row, _first_move(maze, back[row], start, int(aim))] += 1.0 / len(aims)
    return out


def _straight(cell: Cell, goal: Cell) -> np.ndarray:
    """Return the moves along the larger of the two distances to the goal; both alike if they are equal."""
    across, up = goal[0] - cell[0], goal[1] - cell[1]
    out = np.zeros(len(Move))
    if abs(across) >= abs(up):
        out[MOVE_OF_STEP[(int(np.sign(across)), 0)]] += 1.0
    if abs(up) >= abs(across):
        out[MOVE_OF_STEP[(0, int(np.sign(up)))]] += 1.0
    return out / out.sum()


def _first_move(maze: Maze, back: np.ndarray, start: int, aim: int) -> Move:
    """Return the first move of the way to ``aim``, from the predecessors of a search that began at ``start``."""
    while back[aim] != start:
        aim = int(back[aim])
    (x0, y0), (x1, y1) = maze.cells[start], maze.cells[aim]
    return MOVE_OF_STEP[(x1 - x0, y1 - y0)]
