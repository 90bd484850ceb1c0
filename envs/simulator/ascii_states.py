"""Mazes drawn in characters into procgen states."""

from __future__ import annotations

import dataclasses

import numpy as np

from envs.actions import Facing
from envs.errors import InputError
from envs.simulator import procgen_env
from envs.simulator.state_bytes import MazeState
from envs.simulator.state_layout import CHEESE, SPACE, WALL, WORLD_DIM


def ascii_state(text: str, mode: str) -> MazeState:
    """Return the state of a maze of one's own, edited into the mode's template.

    Args:
        text: ``#`` wall, ``.`` free, ``M`` mouse, ``C`` cheese; top row first.
        mode: procgen's distribution mode, ``hard`` or ``easy``.

    Raises:
        InputError: if the text is not an odd square that fits the mode's world, holds another character, or lacks a
            mouse or a cheese.
    """
    rows = [line.strip() for line in text.strip().splitlines()]
    dim = len(rows)
    world = WORLD_DIM.get(mode)
    if world is None:
        raise InputError(f"maze mode {mode!r} is not supported; use 'hard' or 'easy'")
    if dim < 3 or dim % 2 == 0 or dim > world or any(len(row) != dim for row in rows):
        lengths = sorted({len(row) for row in rows}) or [0]
        raise InputError(
            f"ASCII maze: {dim} rows of {lengths[0]} to {lengths[-1]} characters; "
            f"a {mode} maze is a square of odd side 3 to {world}"
        )
    for number, row in enumerate(rows, 1):
        for char in row:
            if char not in "#.MC":
                raise InputError(f"ASCII maze: row {number} holds {char!r}; use # . M C only")
    marks = {c: [(x, dim - 1 - r) for r in range(dim) for x in range(dim) if rows[r][x] == c] for c in "MC"}
    for char, name in (("M", "mouse"), ("C", "cheese")):
        if len(marks[char]) != 1:
            raise InputError(f"ASCII maze: {len(marks[char])} {name} cells ({char}); there must be exactly one")
    base = procgen_env.template(mode)
    grid = np.full((world, world), WALL, dtype="<i4")
    margin = (world - dim) // 2
    for r, row in enumerate(rows):
        for x, char in enumerate(row):
            grid[margin + dim - 1 - r, margin + x] = {"#": WALL, "C": CHEESE}.get(char, SPACE)
    x, y = marks["M"][0]
    # The template's mouse must never stand in the new grid's wall: move both in one edit.
    open_grid = np.full((world, world), WALL, dtype="<i4")
    open_grid[margin : margin + dim, margin : margin + dim] = SPACE
    start = base.mouse
    open_grid[start[1], start[0]] = SPACE
    moved = dataclasses.replace(base, values={**base.values, "grid": open_grid, "maze_dim": world})
    return moved.with_mouse((x + margin, y + margin), Facing.LEFT).with_grid(grid, dim)
