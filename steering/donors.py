"""Other levels to take vectors from: a function of (seed, level, what for, draw), so order and resume cannot matter."""

from __future__ import annotations

from envs.errors import InputError
from envs.maze import Cell, Maze
from envs.training.levels import EVAL_LEVELS
from steering.plan import OTHER_LEVEL, SAME_CELL, skip_reason
from steering.statistics.seeding import generator

_BLOCK = 16
_LIMIT = 4096


def donor(maze: Maze, condition: str, seed: int, draw: int) -> Maze:
    """A level to take a control's vector from, drawn at random from the evaluation levels.

    ``other_level``: one that qualifies for a sweep itself, with its cheese on another cell of the picture.
    ``same_cell``: any in which that cell is free, with the cheese moved there. Cells are compared in procgen's whole
    grid, so that equal cells are equal pixels. Raises :class:`InputError` if none is found.
    """
    return donors(maze, condition, seed, draw, 1)[0]


def donors(maze: Maze, condition: str, seed: int, draw: int, count: int) -> list[Maze]:
    """``count`` different levels as :func:`donor` draws them."""
    if maze.cheese is None:
        raise InputError(f"{condition}: this maze has no cheese to compare with")
    rng = generator(seed, maze.level or 0, condition, draw)
    found: dict[int | None, Maze] = {}
    for _ in range(_LIMIT // _BLOCK):
        for candidate in Maze.from_levels(rng.integers(*EVAL_LEVELS, size=_BLOCK).tolist(), maze.mode):
            fit = None if candidate.level in (maze.level, *found) else _fitting(candidate, maze, condition)
            if fit is not None:
                found[fit.level] = fit
                if len(found) == count:
                    return list(found.values())
    raise InputError(f"level {maze.level}: {condition} needs {count} levels to take vectors from, found {len(found)}")


def _fitting(candidate: Maze, maze: Maze, condition: str) -> Maze | None:
    here = _outer_cheese(maze)
    if condition == OTHER_LEVEL:
        return candidate if not skip_reason(candidate) and _outer_cheese(candidate) != here else None
    assert condition == SAME_CELL, condition
    cell = (here[0] - candidate.state.margin, here[1] - candidate.state.margin)
    return candidate.with_cheese(cell) if candidate.is_free(cell) and cell != candidate.mouse else None


def _outer_cheese(maze: Maze) -> Cell:
    assert maze.cheese is not None
    return (maze.cheese[0] + maze.state.margin, maze.cheese[1] + maze.state.margin)
