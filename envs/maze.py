"""Immutable mazes: grid, cells, shortest paths, *the* decision square, features, ASCII.

Cells are ``(x, y)`` counted from the bottom left of the inner maze, so the mouse of a procgen level starts at
``(0, 0)`` and the top-right cell is ``(dim - 1, dim - 1)``. Image rows run the other way. A maze carries the procgen
state it came from (or, for a maze of one's own, a template edited into it), so it can always be shown by procgen.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csgraph, csr_array

from envs.actions import MOVE_OF_STEP, Facing, Move, facing_after
from envs.errors import InputError
from envs.shown.displays import html_picture, png_bytes
from envs.simulator import procgen_env, state_bytes
from envs.simulator.ascii_states import ascii_state
from envs.simulator.state_bytes import MazeState
from envs.simulator.state_layout import SPACE, WALL
from envs.stored.sources import read_file

Cell = tuple[int, int]
_MOST_TEXT = 2**14  # bytes of a maze drawn in characters; the largest has 650
# All that a picture of procgen's depends on, besides the grid and the mouse.
_THEME = ("background_index", "bg_tile_ratio", "bg_pct_x", "use_backgrounds", "use_monochrome_assets")


class State(NamedTuple):
    """State of the mouse, on which an observation of a level depends.

    Example:
        >>> Maze.from_level(26).states[1]
        State(cell=(0, 0), facing=<Facing.RIGHT: 1>)
    """

    cell: Cell
    """Cell (x, y) of the mouse, from the bottom left of the inner maze."""
    facing: Facing
    """Direction in which its sprite looks."""


@dataclass(frozen=True, repr=False)
class Maze:
    """A maze with a mouse and, usually, a cheese.

    Build one with :meth:`from_level`, :meth:`from_ascii` or :meth:`from_state`.

    Example:
        >>> maze = Maze.from_ascii("C..\\n.##\\nM..")
        >>> maze.cheese, maze.corner, len(maze.states)
        ((0, 2), (2, 2), 14)
    """

    walls: tuple[str, ...]
    """``walls[y][x]`` is ``#`` (wall) or ``.`` (free): ``dim`` rows of ``dim``, counted from the bottom."""
    mouse: Cell
    """Start cell of the mouse."""
    cheese: Cell | None
    """Cell of the cheese; None if it was removed."""
    facing: Facing
    """Facing of the mouse at the start."""
    mode: str
    """Procgen's distribution mode: ``hard`` (world of 25x25) or ``easy`` (15x15)."""
    level: int | None
    """Procgen's level seed; None for a maze of one's own."""
    theme: tuple[float, ...] = field(repr=False)
    """Look of the picture: index, tile ratio and x offset of its background; whether it is shown; whether all is
    drawn as plain shapes. (Fields of the state.)"""
    state: MazeState = field(repr=False, compare=False)
    """Procgen state that shows the maze; equality and hash see its ``theme`` only."""

    # -- building ---------------------------------------------------------------------------

    @classmethod
    def from_level(cls, seed: int, mode: str = "hard") -> Maze:
        """Return the level that procgen makes from ``seed``; raise :class:`InputError` for a bad seed or mode."""
        return cls.from_levels([seed], mode)[0]

    @classmethod
    def from_levels(cls, seeds: Sequence[int], mode: str = "hard") -> list[Maze]:
        """Return many levels at once, as :meth:`from_level` does, several times faster than one by one."""
        states = procgen_env.level_states(seeds, mode)
        return [cls.from_state(data, level=int(seed)) for seed, data in zip(seeds, states, strict=True)]

    @classmethod
    def from_state(cls, data: bytes | MazeState, *, level: int | None = None) -> Maze:
        """Return the maze in a procgen state.

        Where cells outside the inner maze are free, as after a corridor was carved out of its corner, the maze is the
        whole world: cells count from the world's bottom left, and the top-right cell is the world's.

        Raises :class:`InputError` for bytes that procgen does not write.
        """
        state = data if isinstance(data, MazeState) else state_bytes.decode(data)
        m, d = state.margin, state.maze_dim
        text = np.where(state.grid[m : m + d, m : m + d] == WALL, b"#", b".").tobytes().decode()
        walls = tuple(text[row : row + d] for row in range(0, d * d, d))
        mouse, outer = (state.mouse[0] - m, state.mouse[1] - m), state.cheese
        cheese = (outer[0] - m, outer[1] - m) if outer is not None else None
        theme = tuple(float(state.values[name]) for name in _THEME)  # type: ignore[arg-type]
        return cls(walls, mouse, cheese, state.facing, state.mode, level, theme, state)

    @classmethod
    def from_ascii(cls, text: str, mode: str = "hard") -> Maze:
        """Return a maze of one's own: ``#`` wall, ``.`` free, ``M`` mouse, ``C`` cheese; top row first.

        Lines before it: ``look: 26`` (a level's look), ``facing: right``. Raises :class:`InputError` for another line,
        no odd square that fits the mode's world, another character, or no mouse, cheese or path between them.
        """
        state, level = ascii_state(text, mode)
        maze = cls.from_state(state, level=level)
        if maze.cheese is None or not maze.connected(maze.mouse, maze.cheese):
            raise InputError(
                f"ASCII maze: no path from the mouse at {maze.mouse} to the cheese at {maze.cheese}; open one"
            )
        return maze

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], mode: str = "hard") -> Maze:
        """Return the maze drawn in a text file; :class:`InputError` names it and says what :meth:`from_ascii` does."""
        text = read_file(Path(path), _MOST_TEXT, "give the text of a maze").decode("utf-8-sig", errors="replace")
        try:
            return cls.from_ascii(text, mode)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    # -- cells ------------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        """Return the side of the inner maze in cells."""
        return len(self.walls)

    @property
    def corner(self) -> Cell:
        """Return the top-right cell."""
        return (self.dim - 1, self.dim - 1)

    def is_free(self, cell: Cell) -> bool:
        """Return whether ``cell`` lies in the maze and is no wall."""
        x, y = cell
        return 0 <= x < self.dim and 0 <= y < self.dim and self.walls[y][x] == "."

    @functools.cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Return the free cells, row by row from the bottom left."""
        return tuple((x, y) for y, row in enumerate(self.walls) for x, kind in enumerate(row) if kind == ".")

    @functools.cached_property
    def index(self) -> dict[Cell, int]:
        """Return the position of each free cell in :attr:`cells`."""
        return {cell: i for i, cell in enumerate(self.cells)}

    @functools.cached_property
    def states(self) -> tuple[State, ...]:
        """Return all (cell, facing): state ``2 * i + facing`` stands on cell ``i``."""
        return tuple(State(cell, facing) for cell in self.cells for facing in Facing)

    def state_index(self, cell: Cell, facing: Facing) -> int:
        """Return the index of a state in :attr:`states`."""
        return 2 * self.index[cell] + int(facing)

    def region(self, r: int) -> frozenset[Cell]:
        """Return the free cells of the top-right r x r square (``x, y >= dim - r``)."""
        side = range(max(self.dim - r, 0), self.dim)
        return frozenset((x, y) for y in side for x in side if self.walls[y][x] == ".")

    @property
    def label(self) -> str:
        """Return the maze's name in captions: ``level 26``, or ``maze of one's own``."""
        return "maze of one's own" if self.level is None else f"level {self.level}"

    # -- variants ---------------------------------------------------------------------------

    def without_cheese(self) -> Maze:
        """Return the same level with its cheese removed."""
        return dataclasses.replace(self, cheese=None, state=self.state.with_cheese(None))

    def with_cheese(self, cell: Cell) -> Maze:
        """Return the same level with the cheese on ``cell``; raise :class:`InputError` on a wall."""
        if not self.is_free(cell):
            raise InputError(f"cheese cannot lie on {cell}: not a free cell of this {self.dim}x{self.dim} maze")
        x, y = cell
        outer = (x + self.state.margin, y + self.state.margin)
        return dataclasses.replace(self, cheese=(x, y), state=self.state.with_cheese(outer))

    def with_corner_path(self) -> Maze:
        """Return the level with a corridor from its top-right cell up, then right, to the world's top-right corner.

        The same picture elsewhere; its cells count from the world's bottom left. Raises :class:`InputError` where the
        maze fills the world.
        """
        world, margin, end = self.state.world_dim, self.state.margin, self.state.margin + self.dim - 1
        if margin == 0:
            raise InputError(f"a {self.dim}x{self.dim} maze fills the world: no corridor leads out; take a smaller one")
        grid = self.state.grid.copy()
        grid[end + 1 :, end] = SPACE
        grid[world - 1, end:] = SPACE
        return Maze.from_state(self.state.with_grid(grid, world), level=self.level)

    # -- paths ------------------------------------------------------------------------------

    @functools.cached_property
    def graph(self) -> csr_array:
        """Return the adjacency matrix of free cells, ``[n, n]``, ones between neighbours."""
        dim = self.dim
        free = np.frombuffer("".join(self.walls).encode(), dtype="S1").reshape(dim, dim) == b"."
        number = np.full((dim, dim), -1)
        number[free] = np.arange(free.sum())
        right = free[:, :-1] & free[:, 1:]
        up = free[:-1] & free[1:]
        a = np.concatenate([number[:, :-1][right], number[:-1][up]])
        b = np.concatenate([number[:, 1:][right], number[1:][up]])
        row, column = np.r_[a, b], np.r_[b, a]
        order = np.lexsort((column, row))
        starts = np.r_[0, np.cumsum(np.bincount(row, minlength=len(self.cells)))]
        return csr_array((np.ones(len(row)), column[order], starts), shape=(len(self.cells),) * 2)

    def distances(self, cell: Cell) -> np.ndarray:
        """Return the path length in steps from every free cell to ``cell``: ``float64[n]`` (inf: no path)."""
        return csgraph.dijkstra(self.graph, indices=self.index[cell], unweighted=True)

    def connected(self, start: Cell, goal: Cell) -> bool:
        """Return whether both are free cells and a path leads from one to the other."""
        if (start, goal) in self._paths:
            return True
        both = start in self.index and goal in self.index
        return both and bool(np.isfinite(self.distances(goal)[self.index[start]]))

    def path(self, start: Cell, goal: Cell) -> tuple[Cell, ...]:
        """Return a shortest path, both ends included (unique in a procgen maze, which has no loops).

        Among equally short steps the first in the order left, right, up, down is taken.
        Raises :class:`InputError` if there is none.
        """
        if (known := self._paths.get((start, goal))) is not None:
            return known
        for cell in (start, goal):
            if cell not in self.index:
                raise InputError(f"{cell} is not a free cell of this {self.dim}x{self.dim} maze")
        left = self.distances(goal)
        if not np.isfinite(left[self.index[start]]):
            raise InputError(f"no path from {start} to {goal} in this maze")
        path = [start]
        while path[-1] != goal:
            path.append(min(self.neighbours(path[-1]), key=lambda c: left[self.index[c]]))
        return self._paths.setdefault((start, goal), tuple(path))

    @functools.cached_property
    def _paths(self) -> dict[tuple[Cell, Cell], tuple[Cell, ...]]:
        """Keep the paths found so far: every outcome of a level asks for the same few."""
        return {}

    def neighbours(self, cell: Cell) -> list[Cell]:
        """Return the free cells one step away, in the order left, right, up, down."""
        x, y = cell
        return [c for c in ((x - 1, y), (x + 1, y), (x, y + 1), (x, y - 1)) if c in self.index]

    @functools.cached_property
    def decision_square(self) -> Cell | None:
        """Return the last common cell of the shortest paths mouse -> cheese and mouse -> top-right cell.

        None if there is no cheese, if the top-right cell cannot be reached, or if one path
        contains the other: then the two goals never ask for different moves.
        """
        if self.cheese is None or not self.connected(self.mouse, self.corner):
            return None
        to_cheese = self.path(self.mouse, self.cheese)
        to_corner = self.path(self.mouse, self.corner)
        common = 0
        while common < min(len(to_cheese), len(to_corner)) and to_cheese[common] == to_corner[common]:
            common += 1
        if common in (len(to_cheese), len(to_corner)):
            return None
        return to_cheese[common - 1]

    def walk(self, path: Sequence[Cell], facing: Facing | None = None) -> list[tuple[State, Move]]:
        """Return the states met and moves made when walking ``path``; ``facing`` defaults to the mouse's."""
        here = self.facing if facing is None else facing
        steps = []
        for (x0, y0), (x1, y1) in itertools.pairwise(path):
            move = MOVE_OF_STEP[(x1 - x0, y1 - y0)]
            steps.append((State((x0, y0), here), move))
            here = facing_after(here, move)
        return steps

    def arrival(self, cell: Cell) -> State:
        """Return the state in which the mouse arrives on ``cell`` by the shortest path from its start."""
        facing = self.facing
        for state, move in self.walk(self.path(self.mouse, cell)):
            facing = facing_after(state.facing, move)
        return State(cell, facing)

    def features(self) -> dict[str, float]:
        """Return the distances between start, decision square, cheese and top-right cell.

        Keys ``euclid_A_B`` and ``path_A_B`` for the six pairs of ``start``, ``decision``,
        ``cheese``, ``corner``; unit: cells. NaN where the maze has no such cell.
        """
        points = {"start": self.mouse, "decision": self.decision_square, "cheese": self.cheese, "corner": self.corner}
        out: dict[str, float] = {}
        for (a, p), (b, q) in itertools.combinations(points.items(), 2):
            euclid = path = float("nan")
            if p is not None and q is not None and p in self.index and q in self.index:
                euclid = float(np.hypot(p[0] - q[0], p[1] - q[1]))
                path = float(self.distances(q)[self.index[p]])
            out |= {f"euclid_{a}_{b}": euclid, f"path_{a}_{b}": path}
        return out

    # -- pictures ---------------------------------------------------------------------------

    def outer(self, cells: Iterable[Cell]) -> np.ndarray:
        """Return inner cells as cells of procgen's whole grid, ``int[n, 2]``."""
        return np.array(list(cells), dtype=int).reshape(-1, 2) + self.state.margin

    def observations(self, states: Sequence[State] | None = None, *, human: bool = False) -> np.ndarray:
        """Return procgen's frames of ``states`` (default: all), ``uint8[n, 64, 64, 3]`` (512 if human)."""
        chosen = self.states if states is None else states
        facings = np.array([int(s.facing) for s in chosen])
        return procgen_env.observe_variants(self.state, self.outer(s.cell for s in chosen), facings, human=human)

    def to_ascii(self) -> str:
        """Return the maze as text, top row first; :meth:`from_ascii` reads it back."""
        rows = [list(row) for row in self.walls]
        if self.cheese is not None:
            rows[self.cheese[1]][self.cheese[0]] = "C"
        rows[self.mouse[1]][self.mouse[0]] = "M"
        return "\n".join("".join(row) for row in reversed(rows))

    def __repr__(self) -> str:
        return f"{self._words}\n{self.to_ascii()}"

    def _repr_html_(self) -> str:
        (frame,) = self.observations([State(self.mouse, self.facing)], human=True)
        return html_picture(png_bytes(frame), self._words)

    @property
    def _words(self) -> str:
        """Return in a line which maze it is."""
        cheese = "no cheese" if self.cheese is None else f"cheese on {self.cheese}"
        return f"{self.label}, {self.mode}, {self.dim}x{self.dim}, mouse on {self.mouse}, {cheese}"
