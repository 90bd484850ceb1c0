"""The fields of an edit: their names, what a user may type for each, and what it means in a maze."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import numpy as np

from envs.errors import RANGES, InputError, check_random_seed, shown
from envs.maze import Cell, Maze
from envs.simulator.procgen_env import check_seed
from steering.experiments.levels import VectorSource
from steering.experiments.vector_kinds import START, VECTOR_KINDS
from steering.interventions.places import blocks_around

# The fields of each kind of edit.
FIELDS: dict[str, tuple[str, ...]] = {
    "subtract": ("vector", "taken", "seed", "site", "coefficient", "channels", "place"),
    "add": ("vector", "taken", "seed", "site", "coefficient", "channels", "place"),
    "patch": ("vector", "taken", "seed", "site", "channels", "place"),
    "ablate": ("site", "channels", "place"),
    "clamp": ("site", "index", "value"),
}
# Vectors taken in each maze: the kind of vector, and where the mouse stands.
TAKEN: dict[str, tuple[str, str]] = {
    "cheese": ("cheese", "start"),
    "cheese-mean": ("cheese", "mean"),
    "top-right": ("top-right", "start"),
    "activation": ("activation", "start"),
    "activation-mean": ("activation", "mean"),
    "random": ("cheese", "start"),
}
RANDOM = "random"  # noise with the norm of the cheese vector
CELLS = ("start", "cheese", "decision", "corner")  # places of one cell
ROUTE, ELSEWHERE = "route", "elsewhere"
MOUSE = "mouse"  # the one place that is another in each state
PLACES = (*CELLS, MOUSE, ROUTE, ELSEWHERE)
_CELL = re.compile(r"([0-9]{1,2})\+([0-9]{1,2})")
_LEVEL = re.compile(r"level:([0-9]{1,10})")
_NUMBERS = re.compile(r"[0-9]{1,6}(\+[0-9]{1,6})*")


def check_together(kind: str, found: dict[str, str]) -> None:
    """Raise :class:`InputError` for fields that a kind of edit lacks, or that do not go together.

    Args:
        kind: one of :data:`FIELDS`.
        found: what was typed, by the field's name.
    """
    for needed in {"clamp": ("index", "value"), "patch": ("vector",)}.get(kind, ()):
        if needed not in found:
            raise InputError(f"{kind} needs {needed}=: add it")
    if kind in ("patch", "ablate") and "channels" in found and "place" in found:
        raise InputError(f"{kind} takes channels or a place, not both")
    vector = found.get("vector", "cheese")
    if "seed" in found and vector != RANDOM:
        raise InputError("seed= belongs to vector=random; leave it out")
    if "taken" in found:
        if vector not in TAKEN:
            raise InputError("taken=: a file has its vector already; leave out taken=")
        of, mouse = TAKEN[vector]
        if mouse != "start":
            raise InputError(f"taken=: {vector} is averaged over states already; write vector={of},taken=...")
        if source(found["taken"]).kind not in VECTOR_KINDS[of].mouse:
            raise InputError(f"taken={found['taken']}: {vector} is taken at the mouse's start; write start or level:N")


def source(taken: str) -> VectorSource:
    """Return where the mouse stands for what was typed after ``taken=``: in another level it is at its start."""
    if found := _CELL.fullmatch(taken):
        return VectorSource("cell", (int(found[1]), int(found[2])))
    return VectorSource("mean") if taken == "mean" else START


def source_maze(taken: str, maze: Maze) -> Maze:
    """Return the maze that a vector is taken in: the one that is edited, or another level of its mode.

    Raises:
        InputError: where the mouse cannot stand on the cell asked for.
    """
    if found := _LEVEL.fullmatch(taken):
        return Maze.from_level(int(found[1]), maze.mode)
    if not source(taken).fits(maze):
        raise InputError(f"taken={taken}: the mouse cannot stand there; name a free cell without the cheese")
    return maze


def place_blocks(place: str, maze: Maze) -> np.ndarray:
    """Return the blocks of the picture that a place is in a maze.

    A cell's are those that touch its tile. ``route``: those of the shortest path from mouse to cheese that are not the
    start's or the cheese's; ``elsewhere``: all that are not on that path, ends included.

    Args:
        place: one of :data:`PLACES` but ``mouse``, or a cell ``X+Y``.
        maze: the maze.

    Returns:
        ``bool[8, 8]``, rows from the top.

    Raises:
        InputError: where the maze lacks the place.
    """
    if place in CELLS or _CELL.fullmatch(place):
        return blocks_around(maze, [_cell_of(place, maze)])
    if maze.cheese is None:
        raise InputError(f"place={place}: this maze has no cheese; choose another place")
    way = blocks_around(maze, maze.path(maze.mouse, maze.cheese))
    found = way & ~blocks_around(maze, [maze.mouse, maze.cheese]) if place == ROUTE else ~way
    if not found.any():
        said = "no block lies between those of mouse and cheese" if place == ROUTE else "the path touches every block"
        raise InputError(f"place={place}: {said}; choose another place")
    return np.asarray(found)


def _cell_of(place: str, maze: Maze) -> Cell:
    if found := _CELL.fullmatch(place):
        cell = int(found[1]), int(found[2])
        if max(cell) >= maze.dim:
            raise InputError(f"place={place}: not in this {maze.dim}x{maze.dim} maze; cells count from 0, bottom left")
        return cell
    named = {"start": maze.mouse, "cheese": maze.cheese, "decision": maze.decision_square, "corner": maze.corner}
    if (cell_named := named[place]) is None:
        what = "cheese" if place == "cheese" else "decision square"
        raise InputError(f"place={place}: this maze has no {what}; choose another place")
    return cell_named


def _channels(text: str) -> tuple[int, ...]:
    found = _several("channels", text)
    if len(set(found)) < len(found):
        raise InputError(f"channels={text}: give each once")
    for channel in found:
        RANGES["channel"].check(channel)
    return found


def _index(text: str) -> tuple[int, ...]:
    return _several("index", text)


def _several(name: str, text: str) -> tuple[int, ...]:
    if not _NUMBERS.fullmatch(text):
        raise InputError(f"{name}={shown(text)}: write numbers from 0 up joined by +, e.g. 3+7")
    return tuple(int(part) for part in text.split("+"))


def _place(text: str) -> str:
    if text not in PLACES and not _CELL.fullmatch(text):
        raise InputError(f"place={shown(text)}: write {', '.join(PLACES)} or a cell X+Y")
    return text


def _taken(text: str) -> str:
    if found := _LEVEL.fullmatch(text):
        return f"level:{check_seed(int(found[1]))}"
    if found := _CELL.fullmatch(text):
        return f"{int(found[1])}+{int(found[2])}"
    if text not in ("start", "mean"):
        raise InputError(f"taken={shown(text)}: write start, mean, a cell X+Y or another level, level:N")
    return text


def _seed(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise InputError(f"seed={shown(text)}: write a whole number from 0 up")
    return check_random_seed(int(text))


def _number(name: str) -> Callable[[str], float]:
    def parsed(text: str) -> float:
        with contextlib.suppress(ValueError):
            return RANGES["coefficient"].check(float(text))
        low, high = RANGES["coefficient"].low, RANGES["coefficient"].high
        raise InputError(f"{name}={shown(text)}: write a number from {low:,.0f} to {high:,.0f}")

    return parsed


# Of each field but the vector: the function that reads what was typed, or raises InputError.
READ: dict[str, Callable[[str], object]] = {
    "taken": _taken,
    "seed": _seed,
    "site": str,
    "coefficient": _number("coefficient"),
    "channels": _channels,
    "place": _place,
    "index": _index,
    "value": _number("value"),
}
