"""The kinds of edit: frozen, hashable specs of what is done to the activations of one site.

Each maps ``[n, *site] -> [n, *site]`` and returns a new tensor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from envs.errors import InputError, check_kind
from steering.interventions.places import PatchPlace
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


AnyEdit = AddVector | Patch | PatchPlace | Ablate | Clamp
WITH_VECTOR = AddVector | Patch | PatchPlace


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
