"""Places: parts of the picture, as parts of every site that is a map.

The picture of 64x64 pixels is cut into 8x8 blocks of 8x8 pixels, and a place is a set of blocks. A unit of a map
belongs to the block that holds the centre of the square which it sees. So a place is the same pixels at every site.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from envs.errors import InputError
from envs.maze import Cell, Maze
from steering.interventions.sites import Site
from steering.interventions.vectors import SteeringVector

SIDE = 64  # pixels of the picture
BLOCK = 8  # pixels of a block
BLOCKS = SIDE // BLOCK


def check_map(site: Site) -> Site:
    """Return the site; raise :class:`InputError` if it is no map, or the places of its units are not known."""
    if site.units is None:
        raise InputError(f"site {site.name} is no map whose units have a known place in the picture; choose another")
    return site


def block_of_units(site: Site) -> tuple[np.ndarray, np.ndarray]:
    """Return the block row of each row of a map, and the block column of each column: ``int[h]``, ``int[w]``.

    Raises:
        InputError: for a site without places.
    """
    units = check_map(site).units
    assert units is not None
    _, height, width = site.shape
    return _blocks_of(units, height), _blocks_of(units, width)


def _blocks_of(units: tuple[float, int], count: int) -> np.ndarray:
    """Return the block of each of ``count`` units of a row, by :attr:`Site.units`: ``int[count]``."""
    start, jump = units
    return np.clip(np.floor((start + np.arange(count) * jump) / BLOCK), 0, BLOCKS - 1).astype(int)


def units_in(site: Site, places: np.ndarray) -> np.ndarray:
    """Return which units of a map lie in places.

    Args:
        site: a map.
        places: ``bool[..., 8, 8]``, block rows from the top.

    Returns:
        ``bool[..., h, w]``.

    Raises:
        InputError: for a site without places.
    """
    rows, columns = block_of_units(site)
    return np.asarray(places)[..., rows, :][..., :, columns]


def blocks_around(maze: Maze, cells: Iterable[Cell], margin: int = 0) -> np.ndarray:
    """Return the blocks that touch the tiles of some inner cells and ``margin`` tiles around: ``bool[8, 8]``."""
    return blocks_of_tiles(maze.state.world_dim, maze.outer(cells), margin)


def blocks_of_tiles(world: int, tiles: Iterable[Iterable[int]], margin: int = 0) -> np.ndarray:
    """Return the blocks that touch some tiles and ``margin`` tiles around: ``bool[8, 8]``.

    Args:
        world: side of procgen's whole grid, in cells.
        tiles: x and y of its cells, from the lower left.
        margin: tiles around.
    """
    unit = SIDE / world
    found = np.zeros((BLOCKS, BLOCKS), dtype=bool)
    for x, y in tiles:
        left, right = (x - margin) * unit, (x + 1 + margin) * unit
        top, bottom = SIDE - (y + 1 + margin) * unit, SIDE - (y - margin) * unit
        (r0, r1), (c0, c1) = (
            (max(int(np.floor(low / BLOCK + 1e-9)), 0), min(int(np.ceil(high / BLOCK - 1e-9)), BLOCKS))
            for low, high in ((top, bottom), (left, right))
        )
        found[r0:r1, c0:c1] = True
    return found


def block_of(maze: Maze, cell: Cell) -> tuple[int, int]:
    """Return row and column of the block that holds the centre of the tile of an inner cell; rows from the top."""
    unit = SIDE / maze.state.world_dim
    ((x, y),) = maze.outer([cell])
    return int((SIDE - (y + 0.5) * unit) // BLOCK), int((x + 0.5) * unit // BLOCK)


@dataclass(frozen=True)
class UnitSquares:
    """Squares of a map's units, one for each of ``n`` states; parts of them may lie beyond the map's edge."""

    rows: np.ndarray
    """Rows of the map, ``int[n, size]``; below 0 or beyond the last where the square leaves the map."""
    columns: np.ndarray
    """Columns of the map, ``int[n, size]``, likewise."""

    def read(self, activations: Tensor) -> Tensor:
        """Return the units' activations ``float[n, channels, size, size]`` of ``[n, channels, h, w]``; 0 beyond."""
        flat, inside = self._flat(activations)
        return flat.gather(2, self._index(activations)).where(inside[:, None], 0.0).reshape(*self._shape(activations))

    def write(self, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return ``float[n, *shape]`` that is ``values`` ``[n, channels, size, size]`` in the squares, elsewhere 0.

        What would lie beyond the map is left out: so ``(write(v) * a).sum() == (v * read(a)).sum()``.
        """
        out = values.new_zeros(len(values), *shape)
        flat, inside = self._flat(out)
        flat.scatter_add_(2, self._index(out), values.flatten(2).where(inside[:, None], 0.0))
        return out

    def _flat(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps as ``[n, channels, h * w]``, and which units of the squares lie in them: ``bool[n, k]``."""
        _, _, height, width = maps.shape
        held = ((self.rows >= 0) & (self.rows < height))[:, :, None] & ((self.columns >= 0) & (self.columns < width))[
            :, None, :
        ]
        return maps.flatten(2), torch.from_numpy(held.reshape(len(held), -1))

    def _index(self, maps: Tensor) -> Tensor:
        _, channels, height, width = maps.shape
        rows, columns = np.clip(self.rows, 0, height - 1), np.clip(self.columns, 0, width - 1)
        index = torch.from_numpy((rows[:, :, None] * width + columns[:, None, :]).reshape(len(rows), 1, -1))
        return index.expand(-1, channels, -1)

    def _shape(self, maps: Tensor) -> tuple[int, int, int, int]:
        return len(self.rows), int(maps.shape[1]), self.rows.shape[1], self.columns.shape[1]


def units_around(site: Site, tiles: np.ndarray, world: int, size: int) -> UnitSquares:
    """Return squares of units around tiles: in the middle the unit whose square of the picture is centred nearest.

    Args:
        site: a map.
        tiles: cells of procgen's whole grid (:meth:`envs.maze.Maze.outer`), x and y from the lower left, ``int[n, 2]``.
        world: side of that grid, in cells.
        size: units along a side, odd; 1 for the one unit.

    Raises:
        InputError: for a site without places.
    """
    units = check_map(site).units
    assert units is not None and size % 2 == 1
    start, jump = units
    _, height, width = site.shape
    tile = SIDE / world
    x, y = np.asarray(tiles, dtype=float).reshape(-1, 2).T
    squares = []
    for middle, count in ((SIDE - 0.5 - (y + 0.5) * tile, height), ((x + 0.5) * tile - 0.5, width)):
        away = np.abs(start + np.arange(count) * jump - middle[:, None])
        nearest = np.isclose(away, away.min(axis=1, keepdims=True)).argmax(axis=1)  # of two as near, the first
        squares.append(nearest[:, None] + np.arange(size) - size // 2)
    return UnitSquares(*squares)


@dataclass(frozen=True)
class PlacePatch:
    """Put other activations into a place, state by state: what one run has there is put into another run."""

    units: Tensor
    """``bool[n, 1, h, w]``: the units to replace, for each state."""
    other: Tensor
    """``float[n, channels, h, w]``: the activations to put there."""

    def __call__(self, activation: Tensor) -> Tensor:
        """Edit activations: ``[n, channels, h, w] -> [n, channels, h, w]``."""
        return torch.where(self.units.to(activation.device), self.other.to(activation.device), activation)


def place_patch(site: Site, places: np.ndarray, other: Tensor) -> PlacePatch:
    """Return the edit that puts ``other`` into places.

    Args:
        site: a map.
        places: ``bool[n, 8, 8]``, one for each state.
        other: ``float[n, *site]``.

    Raises:
        InputError: for a site without places, or activations of another shape.
    """
    if tuple(other.shape) != (len(places), *site.shape):
        raise InputError(f"site {site.name}: activations {tuple(other.shape)}, expected {(len(places), *site.shape)}")
    return PlacePatch(torch.from_numpy(units_in(site, places))[:, None], other)


@dataclass(frozen=True)
class PatchPlace:
    """Put the activation ``vector`` into a place of every state: located patching (Jenner et al. 2024)."""

    vector: SteeringVector
    """The activation to put there, of the site's shape."""
    blocks: tuple[tuple[int, int], ...]
    """Row and column of the place's blocks, each once, 0 to 7, from the top left; none: nothing changes."""
    units: tuple[float, int]
    """Centre of the first unit and distance between units, in pixels: :attr:`Site.units` of the site."""
    kind: ClassVar[str] = "patch_place"

    def __post_init__(self) -> None:
        if len(set(self.blocks)) < len(self.blocks) or any(not 0 <= i < BLOCKS for block in self.blocks for i in block):
            raise InputError(f"place {self.blocks}: give rows and columns of blocks, each once, 0 to {BLOCKS - 1}")
        if self.vector.tensor.ndim != 3 or not (math.isfinite(self.units[0]) and self.units[1] > 0):
            raise InputError(
                f"site {self.site} is no map whose units have a known place in the picture; choose another"
            )

    @classmethod
    def at(cls, site: Site, vector: SteeringVector, blocks: Iterable[tuple[int, int]]) -> PatchPlace:
        """Return the patch of a site; raises :class:`InputError` for one without places, or another's vector."""
        units = check_map(site).units
        if vector.site != site.name or units is None:
            raise InputError(f"site {site.name}: the vector is of {vector.site}; take one of this site")
        return cls(vector, tuple(sorted((int(row), int(column)) for row, column in blocks)), units)

    @property
    def site(self) -> str:
        """Return the site where it acts."""
        return self.vector.site

    def __call__(self, activation: Tensor) -> Tensor:
        """Edit activations: ``[n, channels, h, w] -> [n, channels, h, w]``."""
        place = np.zeros((BLOCKS, BLOCKS), dtype=bool)
        for block in self.blocks:
            place[block] = True
        rows, columns = (_blocks_of(self.units, count) for count in activation.shape[2:])
        units = torch.from_numpy(place[rows][:, columns])
        return PlacePatch(units[None, None], self.vector.fitting(activation)[None])(activation)

    def describe(self) -> str:
        """Return a caption such as ``put activation into 4 of 64 blocks @ embedder.block2.res1.resadd``."""
        return f"put {self.vector.kind} into {len(self.blocks)} of {BLOCKS**2} blocks @ {self.site}"
