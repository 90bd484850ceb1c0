"""Procgen's pictures of one trajectory, with marks, the trail and a heat map under the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from envs.errors import InputError
from envs.maze import Cell, Maze, State
from videos.frames import RGB, cell_rect, mark_cell, mark_region

PICTURE = 512  # side of procgen's picture for people, in pixels
BATCH = 16
_TRAIL = (2, 1)  # half widths of the trail's dark edge and of its colour, in pixels
_ABOVE, _BELOW = (213, 94, 0), (0, 114, 178)  # colours of a heat map's values above and below 0
_OPACITY = 0.8  # of the largest value


@dataclass(frozen=True)
class HeatOverlay:
    """Maps of a layer's units to lay over the pictures of a trajectory.

    Unit (row, column) has its middle at ``start + step * index``, from the top left.

    Raises:
        InputError: maps of another shape, without units or not finite, or a step that is not above 0.

    Example:
        >>> HeatOverlay(np.ones((1, 8, 8)), start=1 / 16, step=1 / 8).over(np.zeros((64, 64, 3), np.uint8), 0).shape
        (64, 64, 3)
    """

    maps: np.ndarray
    """Values ``float[n, h, w]``, one map for each state or a single one; shown relative to the largest magnitude."""
    start: float
    """Middle of the first unit, in sides of the picture."""
    step: float
    """Distance between the middles of two units, in sides of the picture."""
    peak: float | None = None
    """Magnitude from which on the colour is full, above 0; None: the largest of the maps."""

    def __post_init__(self) -> None:
        if self.maps.ndim != 3 or 0 in self.maps.shape or not np.isfinite(self.maps).all():
            raise InputError(f"heat map: {self.maps.shape} values; give finite numbers [n, rows, columns]")
        if not self.step > 0:
            raise InputError(f"heat map: the distance between units is {self.step}; give one above 0")

    def over(self, picture: np.ndarray, number: int) -> np.ndarray:
        """Return a copy of the picture under map ``number`` (the only one, if there is one)."""
        shown = self.maps[min(number, len(self.maps) - 1)]
        rows, columns = (self._units(n, picture.shape[0]) for n in shown.shape)
        peak = self.peak or float(np.abs(self.maps).max()) or 1.0
        # A border of zeros: pixels that no unit looks at.
        strength = 255 * _OPACITY * np.minimum(np.abs(shown) / peak, 1.0)
        mask = np.pad(np.round(strength).astype(np.uint8), 1)[rows][:, columns]
        colour = np.where(np.pad(shown, 1)[..., None] < 0, _BELOW, _ABOVE).astype(np.uint8)[rows][:, columns]
        mixed = Image.composite(Image.fromarray(colour), Image.fromarray(picture), Image.fromarray(mask))
        return np.array(mixed)

    def _units(self, count: int, side: int) -> np.ndarray:
        """Return index + 1 of the unit that each pixel of a side belongs to; 0 and count + 1: none."""
        index = np.floor(((np.arange(side) + 0.5) / side - self.start) / self.step + 0.5).astype(int)
        return np.clip(index, -1, count) + 1


class Scene:
    """One trajectory, to be shown step by step.

    Kept are one picture without the mouse and the sprite's pixels for each state, not a picture per
    state (0.8 MB); the sprite never leaves its own tile except for its feet, up to a pixel below it.
    Steps must be shown in order: the trail grows.
    """

    def __init__(self, maze: Maze, states: Sequence[State]) -> None:
        self.maze = maze
        self.states = tuple(states)
        self.layer = self._background()
        self._accent: RGB | None = None
        self._inside = np.zeros(self.layer.shape[:2], dtype=bool)  # where the trail has its colour
        self._drawn = 0
        self._sprites: dict[State, tuple[tuple[slice, slice], np.ndarray, np.ndarray]] = {}
        unique = list(dict.fromkeys(self.states))
        for start in range(0, len(unique), BATCH):
            chunk = unique[start : start + BATCH]
            for state, picture in zip(chunk, self.maze.observations(chunk, human=True), strict=True):
                box = self._around(state.cell)
                self._sprites[state] = (box, (picture[box] != self.layer[box]).any(axis=2), picture[box].copy())

    def _around(self, cell: Cell) -> tuple[slice, slice]:
        left, top, right, bottom = cell_rect(self.maze, cell, PICTURE)
        return (slice(max(int(top) - 2, 0), int(bottom) + 4), slice(max(int(left) - 2, 0), int(right) + 3))

    def _background(self) -> np.ndarray:
        """Return the level without the mouse: two pictures with it far apart, each hiding the other's."""
        first = self.maze.cells[0]
        other = max(self.maze.cells, key=lambda c: abs(c[0] - first[0]) + abs(c[1] - first[1]))
        facing = self.states[0].facing
        base, clear = self.maze.observations([State(first, facing), State(other, facing)], human=True)
        left, top, right, bottom = cell_rect(self.maze, first, base.shape[0])
        shift = (bottom - top) / 10  # below its tile for the feet, and clear of a mouse one tile above
        tile = (slice(int(top + shift), int(bottom + shift) + 1), slice(int(left), int(right) + 1))
        base = base.copy()
        base[tile] = clear[tile]
        return base

    def decorate(self, accent: RGB, decision: Cell | None, region: int | None) -> None:
        """Mark region and decision square, and have the trail drawn in ``accent``."""
        self._accent = accent
        if region:
            self.layer = mark_region(self.layer, self.maze, region)
        if decision is not None:
            self.layer = mark_cell(self.layer, self.maze, decision)
        self.layer = np.array(self.layer)

    def picture(self, step: int, heat: HeatOverlay | None = None) -> np.ndarray:
        """Return the picture at ``step`` (after the end: the last one), ``uint8[512, 512, 3]``."""
        step = min(step, len(self.states) - 1)
        if self._accent is not None:
            for number in range(self._drawn, step):
                self._draw_trail(self.states[number].cell, self.states[number + 1].cell)
            self._drawn = max(self._drawn, step)
        picture = self.layer.copy() if heat is None else heat.over(self.layer, step)
        box, where, pixels = self._sprites[self.states[step]]
        picture[box][where] = pixels[where]
        return picture

    def _draw_trail(self, a: Cell, b: Cell) -> None:
        """Draw the line between two middles. What is seen depends on the lines drawn, not on their order."""
        if a == b:
            return
        assert self._accent is not None
        boxes = [cell_rect(self.maze, cell, PICTURE) for cell in (a, b)]
        xs = [round((left + right) / 2) for left, _, right, _ in boxes]
        ys = [round((top + bottom) / 2) for _, top, _, bottom in boxes]
        wide, narrow = ((slice(min(ys) - w, max(ys) + w + 1), slice(min(xs) - w, max(xs) + w + 1)) for w in _TRAIL)
        self.layer[wide][~self._inside[wide]] = 0
        self.layer[narrow] = self._accent
        self._inside[narrow] = True


def crop_box(maze: Maze) -> tuple[float, float, float, float]:
    """Return the part of procgen's picture with the maze and one tile of wall around it: (left, top, right, bottom)."""
    left, _, _, bottom = cell_rect(maze, (0, 0), PICTURE)
    _, top, right, _ = cell_rect(maze, maze.corner, PICTURE)
    unit = PICTURE / maze.state.world_dim
    edge = unit if maze.state.margin else 0.0
    return (left - edge, top - edge, right + edge, bottom + edge)


def fitted(picture: np.ndarray, box: tuple[float, float, float, float] | None, side: int) -> np.ndarray:
    """Return the part ``box`` (None: all) of a picture, ``side`` x ``side`` pixels."""
    if box is None and picture.shape[0] == side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR, box=box))
