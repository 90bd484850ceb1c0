"""What the network sees, kept: pictures of all states of a maze, drawn by procgen as few times as need be.

Values are kept by what determines them, so many bytes of them at most.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np

from envs.maze import Maze

MOST_FRAMES = 2**26  # bytes of pictures: 8 of the largest maze

V = TypeVar("V")


def world_of(maze: Maze) -> Hashable:
    """Return all of a maze that a field depends on: not where the mouse starts."""
    return maze.walls, maze.cheese, maze.mode, maze.theme


def start_of(maze: Maze) -> Hashable:
    """Return all of a maze that anything depends on, without the maze itself and what it has worked out."""
    return world_of(maze), maze.mouse, maze.facing, maze.level


class Kept(Generic[V]):
    """Values by key, of so many bytes at most; those used last stay."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 0
        self._items: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """Return the value of a key; None: it is not there."""
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key][0]

    def put(self, key: Hashable, value: V, size: int) -> V:
        """Keep a value of ``size`` bytes, and return it; others are let go to make room."""
        self.size -= self._items.pop(key)[1] if key in self._items else 0
        if size <= self.most:
            self._items[key] = value, size
            self.size += size
        while self.size > self.most:
            self.size -= self._items.popitem(last=False)[1][1]
        return value


class Frames:
    """Pictures ``uint8[64, 64, 3]`` of the states of mazes, as far as they were asked for; those used last stay."""

    def __init__(self) -> None:
        self._kept: Kept[tuple[np.ndarray, np.ndarray]] = Kept(MOST_FRAMES)

    def of(self, maze: Maze, which: np.ndarray) -> np.ndarray:
        """Return the pictures of the states ``int[m]``: ``uint8[m, 64, 64, 3]``, procgen's own, pixel by pixel."""
        found = self._kept.get(world_of(maze))
        if found is None:
            states = len(maze.states)
            made = np.empty((states, 64, 64, 3), dtype=np.uint8), np.zeros(states, dtype=bool)
            found = self._kept.put(world_of(maze), made, made[0].nbytes)
        pictures, known = found
        missing = which[~known[which]]
        if len(missing):
            pictures[missing] = self._drawn(maze, missing)
            known[missing] = True
        return pictures[which]

    def _drawn(self, maze: Maze, which: np.ndarray) -> np.ndarray:
        """Return pictures of states; those far from the cheese are those without it, with the cheese's pixels put in.

        Procgen draws a tile at a time, and a tile's edge colours the pixel beside it at most. So two tiles with another
        between them share no pixel, and the cheese looks alike whichever far state the mouse is in.
        """
        far = _far_from_cheese(maze, which)
        if maze.cheese is None or far.sum() < 2:
            return maze.observations([maze.states[k] for k in which])
        near = np.append(which[~far], which[far][0])
        found = np.empty((len(which), 64, 64, 3), dtype=np.uint8)
        drawn = maze.observations([maze.states[k] for k in near])
        alone = self.of(maze.without_cheese(), which[far])
        tile = (drawn[-1] != alone[0]).any(axis=-1)
        alone[:, tile] = drawn[-1][tile]
        found[~far], found[far] = drawn[:-1], alone
        return found


def _far_from_cheese(maze: Maze, which: np.ndarray) -> np.ndarray:
    """Return for states ``int[m]`` whether a tile lies between the mouse and the cheese: ``bool[m]``."""
    if maze.cheese is None:
        return np.zeros(len(which), dtype=bool)
    apart = np.abs(np.array([maze.cells[k // 2] for k in which]) - maze.cheese)
    return np.asarray(apart.max(axis=1) > 1)
