"""Pairs of mazes that differ in two far cells: a detour to be taken, or (idle) a change that asks for nothing.

A level and its twin show the same mouse and the same goal. In the twin one passage of the shortest way to the goal is
wall and one wall is a passage, so that it is again a maze that procgen could make: without loops, everything in reach.
Whoever looks around the mouse sees the same in both. (After corrupted twins of chess positions: Jenner et al. 2024,
arXiv 2406.00877.) Procgen's mazes have rooms where both coordinates are even; a passage or a wall lies between two.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csgraph

from envs.actions import MOVE_OF_STEP, Facing, Move
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from envs.simulator import procgen_env
from envs.simulator.state_layout import SPACE, WALL
from steering.statistics.seeding import generator

DISTANCE = 5  # cells, Chebyshev, between the mouse and every changed cell
BINS = (5, 10, 15, 25)  # lower ends of the bins of path length, from DISTANCE on; the last has no upper end


class Goal(enum.Enum):
    """The cell that the shortest way leads to."""

    CHEESE = "cheese"
    CORNER = "corner"


class Kind(enum.Enum):
    """The effect of a twin's change on the first move of the shortest way."""

    DETOUR = "detour"
    IDLE = "idle"


@dataclass(frozen=True)
class Pair:
    """A level and its twin, and a place of the mouse."""

    level: Maze
    """The level; without its cheese where the goal is the corner."""
    twin: Maze
    """The same with two cells changed."""
    state: State
    """Cell and facing of the mouse, in both."""
    goal: Cell
    """Cell of the goal."""
    kind: Kind
    """Detour: the first move of the shortest way is another one in the twin. Idle: it is the same."""
    closed: Cell
    """Passage of the shortest way that is wall in the twin."""
    opened: Cell
    """Wall between two rooms that is a passage in the twin."""
    distance: int
    """Path length, in steps, from the mouse to the nearer of the two; in the maze where that one is free."""
    moves: tuple[Move, Move]
    """First move of the shortest way to the goal, in the level and in the twin."""


@dataclass(frozen=True)
class _Change:
    """One way to make a twin, with the cells of the mouse that it can be seen from."""

    closed: Cell
    opened: Cell
    cells: np.ndarray
    """Indices of the mouse's cells that are far enough from both, ``int[m]``."""
    distances: np.ndarray
    """Path length to the nearer change, ``int[m]``."""
    detour: np.ndarray
    """Whether the first move is another one, ``bool[m]``."""


def _without_goal_cheese(maze: Maze, goal: Goal) -> tuple[Maze, Cell]:
    """Return the maze as the pair shows it, and the goal's cell."""
    if goal is Goal.CORNER:
        return maze.without_cheese(), maze.corner
    if maze.cheese is None:
        raise InputError("this maze has no cheese to be the goal of a detour; take goal corner")
    return maze, maze.cheese


def _changes(maze: Maze, goal: Cell, distance: int) -> Iterator[_Change]:
    """Yield every change of two cells that leaves a maze without loops, in a fixed order.

    In a tree, closing a passage leaves two parts, that of the goal and the other; opening any wall between a room of
    each joins them. The shortest way of a mouse in the other part then leads over the opened wall.
    """
    cells, index, n = np.array(maze.cells), maze.index, len(maze.cells)
    steps, before = csgraph.dijkstra(maze.graph, unweighted=True, return_predecessors=True)
    steps, end = steps.astype(int), index[goal]
    apart = np.abs(cells[:, None, :] - cells[None, :, :]).max(axis=2)  # Chebyshev
    bridges = _bridges(maze)
    towards = before[end]  # the next cell on the way to the goal
    for k in range(n):
        cell = maze.cells[k]
        if not _between_rooms(cell) or cell in (goal, maze.cheese, maze.mouse):
            continue
        # Behind `k`, seen from the goal: all whose way to the goal leads over it.
        behind = steps[end] == steps[end, k] + steps[k]
        behind[k] = False
        for wall, near, far in bridges:
            for inside, outside in ((near, far), (far, near)):
                if not behind[inside] or behind[outside]:
                    continue
                to_wall = np.abs(cells - np.array(wall)).max(axis=1)
                fits = behind & (apart[k] >= distance) & (to_wall >= distance)
                mice = np.flatnonzero(fits)
                if len(mice):
                    over = before[inside][mice]  # the next cell on the way to the opened wall
                    nearer = np.minimum(steps[mice, k], steps[mice, inside] + 1)
                    yield _Change(cell, wall, mice, nearer, over != towards[mice])


def _between_rooms(cell: Cell) -> bool:
    return (cell[0] + cell[1]) % 2 == 1


def _bridges(maze: Maze) -> list[tuple[Cell, int, int]]:
    """Return the walls between two rooms, each with the indices of the two."""
    found = []
    for y, x in itertools.product(range(maze.dim), repeat=2):
        if _between_rooms((x, y)) and not maze.is_free((x, y)):
            sides = ((x - 1, y), (x + 1, y)) if x % 2 else ((x, y - 1), (x, y + 1))
            found.append(((x, y), maze.index[sides[0]], maze.index[sides[1]]))
    return found


def twin_of(maze: Maze, closed: Cell, opened: Cell) -> Maze:
    """Return the maze with one passage walled and one wall opened.

    Raises:
        InputError: if it is then not connected, or has a loop, or a cell is not what it should be.
    """
    between = _between_rooms(closed) and _between_rooms(opened)
    if not between or not maze.is_free(closed) or maze.is_free(opened) or closed in (maze.mouse, maze.cheese):
        raise InputError(
            f"no twin: {closed} must be a passage without mouse or cheese, and {opened} a wall between two rooms"
        )
    margin, grid = maze.state.margin, maze.state.grid.copy()
    grid[closed[1] + margin, closed[0] + margin] = WALL
    grid[opened[1] + margin, opened[0] + margin] = SPACE
    twin = Maze.from_state(maze.state.with_grid(grid, maze.dim), level=maze.level)
    joined, _ = csgraph.connected_components(twin.graph, directed=False)
    if joined != 1 or twin.graph.nnz != 2 * (len(twin.cells) - 1):
        raise InputError(
            f"no twin: closing {closed} and opening {opened} makes a loop and cuts off a part; choose others"
        )
    return twin


def bins_from(least: int) -> tuple[int, ...]:
    """Return the lower ends of the bins of path length where the shortest path has ``least`` steps, 0 or more."""
    return (least, *(end for end in BINS if end > least))


def length_bin(length: int, bins: Sequence[int] = BINS) -> int:
    """Return the index of the bin that holds a path length, which is not less than the first bin's lower end."""
    return int(np.searchsorted(bins, length, side="right")) - 1


def drawn_pairs(maze: Maze, kind: Kind, goal: Goal, count: int, seed: int, distance: int = DISTANCE) -> list[Pair]:
    """Return ``count`` pairs of a level (fewer, if there are fewer), spread over the bins of path length.

    Drawn by (seed, level) from all that exist: the bins in turn, in each bin evenly among (change, mouse). No two pairs
    have the same mouse and the same closed cell.

    Args:
        maze: the level, without loops; for goal ``cheese`` with one.
        kind: detour or idle.
        goal: where the shortest way leads.
        count: number of pairs wanted.
        seed: of the drawing.
        distance: cells, Chebyshev, between the mouse and every changed cell, at least 1.

    Raises:
        InputError: for a maze without cheese where that is the goal, or a maze with loops.
    """
    shown, end = _without_goal_cheese(maze, goal)
    if shown.graph.nnz != 2 * (len(shown.cells) - 1) or not _has_rooms(shown):
        raise InputError("pairs are made of mazes such as procgen's: without loops, a room on every second cell")
    changes, bins = list(_changes(shown, end, distance)), bins_from(distance)
    rows = [
        (number, m, length_bin(int(change.distances[m]), bins))
        for number, change in enumerate(changes)
        for m in np.flatnonzero(change.detour == (kind is Kind.DETOUR))
    ]
    rng = generator(seed, maze.level or 0, f"{kind.value} pairs to the {goal.value}", 0)
    waiting: list[list[tuple[int, int, int]]] = [[] for _ in bins]
    for row in rng.permutation(len(rows)) if rows else ():
        waiting[rows[row][2]].append(rows[row])
    pairs: list[Pair] = []
    taken: set[tuple[int, Cell]] = set()
    while len(pairs) < count and any(waiting):
        for queue in waiting:
            while queue and len(pairs) < count:
                number, m, _ = queue.pop()
                change = changes[number]
                key = int(change.cells[m]), change.closed
                if key not in taken:
                    taken.add(key)
                    pairs.append(_pair(shown, end, kind, change, int(m), Facing(int(rng.integers(2)))))
                    break
    return pairs


def _has_rooms(maze: Maze) -> bool:
    rows = np.array([list(row) for row in maze.walls]) == "."
    return bool(rows[::2, ::2].all() and not rows[1::2, 1::2].any())


def _pair(maze: Maze, goal: Cell, kind: Kind, change: _Change, m: int, facing: Facing) -> Pair:
    cell = maze.cells[change.cells[m]]
    twin = twin_of(maze, change.closed, change.opened)
    return Pair(
        level=maze,
        twin=twin,
        state=State(cell, facing),
        goal=goal,
        kind=kind,
        closed=change.closed,
        opened=change.opened,
        distance=int(change.distances[m]),
        moves=(first_move(maze, cell, goal), first_move(twin, cell, goal)),
    )


def frames_of(shown: Iterable[tuple[Maze, State]]) -> np.ndarray:
    """Return procgen's frames of one state in each of several mazes of one mode, ``uint8[n, 64, 64, 3]``."""
    return procgen_env.observe_many(
        [(maze.state, maze.outer([state.cell]), np.array([int(state.facing)])) for maze, state in shown]
    )


def first_move(maze: Maze, cell: Cell, goal: Cell) -> Move:
    """Return the first move of the shortest way from ``cell`` to ``goal``."""
    here, there = maze.path(cell, goal)[:2]
    return MOVE_OF_STEP[(there[0] - here[0], there[1] - here[1])]
