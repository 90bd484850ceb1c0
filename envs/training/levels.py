"""Levels for training and for evaluation, and the cells where the cheese may lie."""

from __future__ import annotations

import numpy as np

from envs.errors import RANGES, InputError
from envs.maze import Cell, Maze

TRAIN_LEVELS = (1_000_000, 2**31 - 2)
"""Level seeds ``low <= s < high`` that agents are trained on; they share none with :data:`EVAL_LEVELS`."""
EVAL_LEVELS = (0, 100_000)
"""Level seeds ``low <= s < high`` kept for measurements; no training here meets one of them."""


def cheese_cells(maze: Maze, region: int | None) -> list[Cell]:
    """Return the cells the cheese may lie on: free cells of the top-right r x r region, or anywhere (None).

    The mouse's own cell is never one. With r = 1 this is the top-right corner.
    """
    allowed = maze.cells if region is None else sorted(maze.region(region))
    cells = [c for c in allowed if c != maze.mouse]
    if not cells:
        raise InputError(f"no free cell for the cheese in the top-right {region}x{region} region of this maze")
    return cells


def place_cheese(maze: Maze, region: int | None, rng: np.random.Generator) -> Maze:
    """Return the maze with its cheese moved to a cell drawn uniformly from :func:`cheese_cells`.

    Args:
        maze: the level; with or without a cheese.
        region: side r, in cells, of the top-right square that is drawn from; None: all free cells.
        rng: generator of the one draw.

    Raises:
        InputError: the region has no free cell but the mouse's own.
    """
    cells = cheese_cells(maze, region)
    return maze.with_cheese(cells[int(rng.integers(len(cells)))])


def check_region(r: int) -> int | None:
    """Return the region rule for the number a user types: r, or None (anywhere) for 0."""
    return RANGES["region"].check(r) or None
