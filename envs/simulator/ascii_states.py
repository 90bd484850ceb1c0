"""Mazes drawn in characters into procgen states.

Above the drawing there may be lines of what characters cannot draw: ``look: 26`` (the level whose colours and
background it has) and ``facing: right`` (where the mouse looks). Without them: level 0, and left.
"""

from __future__ import annotations

import dataclasses
import functools
import re

import numpy as np

from envs.actions import Facing
from envs.errors import InputError, shown
from envs.simulator import procgen_env, state_bytes
from envs.simulator.state_bytes import MazeState
from envs.simulator.state_layout import CHEESE, SPACE, WALL, WORLD_DIM

_FACT = re.compile(r"(\w+)\s*:\s*(\S*)")
_FACINGS = {facing.label: facing for facing in Facing}


def ascii_state(text: str, mode: str) -> tuple[MazeState, int | None]:
    """Return the state of a maze of one's own, edited into that of a level whose look it has.

    Args:
        text: ``#`` wall, ``.`` free, ``M`` mouse, ``C`` cheese; top row first; before it ``look:`` and ``facing:``.
        mode: procgen's distribution mode, ``hard`` or ``easy``.

    Returns:
        The state, and the level if the walls are those of the level whose look it has.

    Raises:
        InputError: if the text is not an odd square that fits the mode's world, holds another character, lacks a
            mouse or a cheese, or has another line before the drawing.
    """
    rows = [line.strip() for line in text.strip().splitlines()]
    look, facing = _facts(rows)
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
    base = procgen_env.template(mode) if look is None else _level(look, mode)
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
    made = moved.with_mouse((x + margin, y + margin), facing).with_grid(grid, dim)
    same = look is not None and dim == base.maze_dim and np.array_equal(grid == WALL, base.grid == WALL)
    return made, look if same else None


def _facts(rows: list[str]) -> tuple[int | None, Facing]:
    """Take the lines before the drawing out of ``rows``; return the level of the look and the facing."""
    look, facing = None, Facing.LEFT
    given: set[str] = set()
    while rows and (found := _FACT.fullmatch(rows[0])):
        name, value = found.groups()
        if name in given:
            raise InputError(f"ASCII maze: {name} is given twice; give it once")
        given.add(name)
        if name == "look" and re.fullmatch("[0-9]{1,10}", value):
            look = procgen_env.check_seed(int(value))
        elif name == "facing" and value in _FACINGS:
            facing = _FACINGS[value]
        else:
            raise InputError(
                f"ASCII maze: {shown(rows[0])!r}; before the drawing write look: LEVEL, facing: left or facing: right"
            )
        del rows[0]
    return look, facing


@functools.lru_cache(maxsize=16)
def _level(seed: int, mode: str) -> MazeState:
    """Return the start state of a level."""
    return state_bytes.decode(procgen_env.level_states([seed], mode)[0])
