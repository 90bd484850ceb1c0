"""The kinds of edit: frozen, hashable specs of what is done to the activations of one site.

Each maps ``[n, *site] -> [n, *site]`` and returns a new tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from envs.errors import InputError, check_kind
from envs.maze import Maze, State
from steering.interventions.places import BLOCKS, PatchPlace, block_of_units, blocks_of_tiles
from steering.interventions.sites import Site
from steering.interventions.vectors import SteeringVector


@dataclass(frozen=True)
class AddVector:
    """Add ``coefficient * vector`` to the activation of every state at the vector's site."""

    vector: SteeringVector
    """The tensor to add, of the site's shape."""
    coefficient: float
    """Its multiple, a finite number; negative to subtract."""
    kind: ClassVar[str] = "add_vector"

    def __post_init__(self) -> None:
        check_kind(isinstance(self.vector, SteeringVector), self.vector, "a steering vector", "add or subtract")
        if not math.isfinite(self.coefficient):
            raise InputError(f"coefficient {self.coefficient} is not a finite number")

    @property
    def site(self) -> str:
        """Return the site where it acts."""
        return self.vector.site

    def __call__(self, activation: Tensor) -> Tensor:
        """Edit activations: ``[n, *site] -> [n, *site]``."""
        return activation + self.coefficient * self.vector.fitting(activation)

    def describe(self) -> str:
        """Return a caption such as ``-1 x cheese @ embedder.block2.res1.resadd``."""
        return f"{self.coefficient:+g} x {self.vector.kind} @ {self.site}"


@dataclass(frozen=True)
class Patch:
    """Put the activation ``vector`` in the place of every state's own (resampling, mean ablation)."""

    vector: SteeringVector
    """The activation to put there, of the site's shape."""
    channels: tuple[int, ...] | None = None
    """Indices of the site's first axis, each once, from 0 up; None: the whole site."""
    kind: ClassVar[str] = "patch"

    def __post_init__(self) -> None:
        check_kind(isinstance(self.vector, SteeringVector), self.vector, "a steering vector", "patch")
        _check_channels(self.channels, self.vector.tensor.shape[0] if self.vector.tensor.ndim else 0)

    @property
    def site(self) -> str:
        """Return the site where it acts."""
        return self.vector.site

    def __call__(self, activation: Tensor) -> Tensor:
        """Edit activations: ``[n, *site] -> [n, *site]``."""
        value = self.vector.fitting(activation)
        if self.channels is None:
            return value.expand_as(activation).clone()
        edited = activation.clone()
        edited[:, list(self.channels)] = value[list(self.channels)]
        return edited

    def describe(self) -> str:
        """Return a caption such as ``patch channels 3,7 with activation @ embedder.block2.res1.resadd``."""
        return f"patch{_of(self.channels)} with {self.vector.kind} @ {self.site}"


@dataclass(frozen=True)
class Ablate:
    """Set channels of a site to zero in every state."""

    site: str
    """Name of the site."""
    channels: tuple[int, ...] | None = None
    """Indices of the site's first axis, each once, from 0 up; None: all."""
    kind: ClassVar[str] = "ablate"

    def __post_init__(self) -> None:
        _check_channels(self.channels, None)

    def __call__(self, activation: Tensor) -> Tensor:
        """Edit activations: ``[n, *site] -> [n, *site]``."""
        edited = activation.clone()
        edited[:, _within(self.channels, activation, self.site)] = 0.0
        return edited

    def describe(self) -> str:
        """Return a caption such as ``zero channels 3,7 @ embedder.block2.res1.resadd``."""
        return f"zero{_of(self.channels)} @ {self.site}"


@dataclass(frozen=True)
class Clamp:
    """Set one activation of a site in every state (retargeting)."""

    site: str
    """Name of the site."""
    index: tuple[int, ...]
    """Position of the activation on each axis of the site, from 0 up."""
    value: float
    """The activation to set there, a finite number."""
    kind: ClassVar[str] = "clamp"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InputError(f"clamp at {self.site}: value {self.value} is not a finite number")
        if not self.index or min(self.index) < 0:
            raise InputError(f"clamp at {self.site}: index {self.index} must be one or more numbers from 0 up")

    def __call__(self, activation: Tensor) -> Tensor:
        """Edit activations: ``[n, *site] -> [n, *site]``."""
        shape = tuple(activation.shape[1:])
        if len(self.index) != len(shape) or any(i >= side for i, side in zip(self.index, shape, strict=True)):
            raise InputError(f"clamp at {self.site}: index {self.index} is not inside the site's shape {shape}")
        edited = activation.clone()
        where: tuple[slice | int, ...] = (slice(None), *self.index)
        edited[where] = self.value
        return edited

    def describe(self) -> str:
        """Return a caption such as ``clamp (55, 4, 9) to 5.6 @ embedder.block2.res1.resadd``."""
        return f"clamp {self.index} to {self.value:g} @ {self.site}"


@dataclass(frozen=True)
class AtMouse:
    """Do another edit only at the mouse's place: in the blocks of the picture that touch its tile, state by state.

    Source of the place: :func:`steering.interventions.places.blocks_around` the mouse's cell.
    """

    edit: AddVector | Patch | Ablate
    """What is done there, of the whole site."""
    rows: tuple[int, ...]
    """Block row of each row of the site's map, 0 to 7 from the top."""
    columns: tuple[int, ...]
    """Block column of each of its columns, 0 to 7 from the left."""
    world: int
    """Side of procgen's whole grid, in cells."""
    margin: int
    """Cells of that grid to the left of the maze, and below it."""
    kind: ClassVar[str] = "at_mouse"

    def __post_init__(self) -> None:
        if not (0 <= self.margin < self.world and {*self.rows, *self.columns} <= set(range(BLOCKS))):
            raise InputError(f"at the mouse: margin {self.margin} of {self.world} cells, or blocks beyond the picture")

    @classmethod
    def of(cls, edit: AddVector | Patch | Ablate, site: Site, maze: Maze) -> AtMouse:
        """Return the edit at the mouse of a maze; raises :class:`InputError` for a site without places."""
        rows, columns = block_of_units(site)
        return cls(edit, tuple(rows.tolist()), tuple(columns.tolist()), maze.state.world_dim, maze.state.margin)

    @property
    def site(self) -> str:
        """Return the site where it acts."""
        return self.edit.site

    def at(self, states: Sequence[State]) -> Callable[[Tensor], Tensor]:
        """Return the edit of a batch, ``[n, channels, h, w] -> [n, channels, h, w]``, whose states are these ``n``."""
        tiles = np.array([state.cell for state in states], dtype=int).reshape(-1, 2) + self.margin
        blocks = np.array([blocks_of_tiles(self.world, [tile]) for tile in tiles]).reshape(-1, BLOCKS, BLOCKS)
        units = torch.from_numpy(blocks[:, list(self.rows)][:, :, list(self.columns)])[:, None]

        def apply(activation: Tensor) -> Tensor:
            return torch.where(units.to(activation.device), self.edit(activation), activation)

        return apply

    def describe(self) -> str:
        """Return a caption such as ``zero @ embedder.block2.res1.resadd, at the mouse``."""
        return f"{self.edit.describe()}, at the mouse"


AnyEdit = AddVector | Patch | PatchPlace | Ablate | Clamp | AtMouse
WITH_VECTOR = AddVector | Patch | PatchPlace


def acting(edit: AnyEdit) -> AddVector | Patch | PatchPlace | Ablate | Clamp:
    """Return what an edit does, whatever its place in each state."""
    return edit.edit if isinstance(edit, AtMouse) else edit


def _check_channels(channels: tuple[int, ...] | None, count: int | None) -> None:
    if channels is None:
        return
    if not channels or len(set(channels)) < len(channels) or min(channels) < 0:
        raise InputError(f"channels {channels}: give one or more, each once, from 0 up")
    if count is not None and max(channels) >= count:
        raise InputError(f"channels {channels}: the vector has {count}, 0 to {count - 1}")


def _within(channels: tuple[int, ...] | None, activation: Tensor, site: str) -> list[int]:
    count = activation.shape[1]
    if channels is not None and max(channels) >= count:
        raise InputError(f"site {site}: channels {channels}, but it has {count}, 0 to {count - 1}")
    return list(range(count)) if channels is None else list(channels)


def _of(channels: tuple[int, ...] | None) -> str:
    return "" if channels is None else f" channels {','.join(map(str, channels))}"
