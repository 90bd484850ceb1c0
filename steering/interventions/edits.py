"""Interventions: frozen, hashable specs of what is done to activations.

One object is the store's key, the film's caption and the report's row. Interventions compose:
``subtract(v) + patch(w)`` does both, in this order at a shared site. Each kind of edit maps
``[n, *site] -> [n, *site]`` and returns a new tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from envs.errors import InputError
from steering.interventions.hooks import Edit, chained
from steering.interventions.places import PatchPlace
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
_WITH_VECTOR = AddVector | Patch | PatchPlace


@dataclass(frozen=True)
class Intervention:
    """A sequence of edits; ``Intervention()`` changes nothing, ``a + b`` does both.

    Raises:
        InputError: by the edits, for a coefficient or value that is not finite, or channels or an index that no site
            has. An edit that does not fit the network's site raises it when it is applied.
    """

    edits: tuple[AnyEdit, ...] = ()
    """The edits, in the order in which they act at a shared site."""

    def __add__(self, other: Intervention) -> Intervention:
        return Intervention(self.edits + other.edits)

    @property
    def sites(self) -> tuple[str, ...]:
        """Return the names of the sites edited, each once, in order."""
        return tuple(dict.fromkeys(edit.site for edit in self.edits))

    @property
    def vectors(self) -> dict[str, SteeringVector]:
        """Return the vectors used, by digest: what :meth:`from_json` asks for."""
        return {edit.vector.digest: edit.vector for edit in self.edits if isinstance(edit, _WITH_VECTOR)}

    def by_site(self) -> dict[str, Edit]:
        """Return one function per site that applies the site's edits in order."""
        grouped: dict[str, list[AnyEdit]] = {}
        for edit in self.edits:
            grouped.setdefault(edit.site, []).append(edit)
        return {site: chained(tuple(edits)) for site, edits in grouped.items()}

    def describe(self) -> str:
        """Return a short text for captions, e.g. ``-1 x cheese @ embedder.block2.res1.resadd``."""
        return "; ".join(edit.describe() for edit in self.edits) or "no intervention"

    def to_json(self) -> dict[str, Any]:
        """Return plain data; vectors are referred to by digest and carry their provenance."""
        return {"edits": [_entry(edit) for edit in self.edits]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], vectors: Mapping[str, SteeringVector]) -> Intervention:
        """Return the intervention that :meth:`to_json` gave ``data`` for.

        Args:
            data: the plain data.
            vectors: the vectors used, by digest.

        Raises:
            InputError: for an unknown kind, a missing field or vector, or a site that differs.
        """
        return cls(tuple(_edit(entry, vectors) for entry in data.get("edits", ())))


def subtract(vector: SteeringVector, coefficient: float = 1.0) -> Intervention:
    """Return the intervention that subtracts ``coefficient * vector`` in every state.

    Args:
        vector: of the shape of its site, which is where it is subtracted.
        coefficient: a finite number.

    Raises:
        InputError: for a coefficient that is not finite.

    Source: Turner et al. 2023.
    """
    return Intervention((AddVector(vector, -coefficient),))


def add(vector: SteeringVector, coefficient: float = 1.0) -> Intervention:
    """Return the intervention that adds ``coefficient * vector`` in every state.

    Args:
        vector: of the shape of its site, which is where it is added.
        coefficient: a finite number.

    Raises:
        InputError: for a coefficient that is not finite.
    """
    return Intervention((AddVector(vector, coefficient),))


def patch(vector: SteeringVector, channels: tuple[int, ...] | None = None) -> Intervention:
    """Return the intervention that replaces the activation of every state by ``vector``.

    Args:
        vector: of the shape of its site, such as :func:`steering.interventions.vectors.activation`.
        channels: indices of the site's first axis to replace; None: the whole site.

    Raises:
        InputError: for channels that the vector lacks, that repeat, or none.
    """
    return Intervention((Patch(vector, channels),))


def patch_place(site: Site, vector: SteeringVector, blocks: Iterable[tuple[int, int]]) -> Intervention:
    """Return the intervention that puts the activation ``vector`` into a place of every state: located patching.

    Args:
        site: a map; that of the vector.
        vector: the activation to put there, of the site's shape.
        blocks: row and column of the place's blocks of 8x8 pixels, 0 to 7, from the top left.

    Raises:
        InputError: for a site without places, or blocks that are none of the picture or repeat.
    """
    return Intervention((PatchPlace.at(site, vector, blocks),))


def ablate(site: str, channels: tuple[int, ...] | None = None) -> Intervention:
    """Return the intervention that sets channels of a site to zero in every state.

    For mean ablation :func:`patch` a :func:`steering.interventions.vectors.mean_activation`.

    Args:
        site: name of the site.
        channels: indices of its first axis; None: all.

    Raises:
        InputError: for channels that repeat, are negative, or none.
    """
    return Intervention((Ablate(site, channels),))


def clamp(site: str, index: tuple[int, ...], value: float) -> Intervention:
    """Return the intervention that sets one activation in every state: retargeting (Turner et al. 2023).

    Args:
        site: name of the site.
        index: position on each of its axes, e.g. ``(channel, row, column)``.
        value: the activation there, a finite number.

    Raises:
        InputError: for a negative or empty index, or a value that is not finite.
    """
    return Intervention((Clamp(site, index, value),))


def _entry(edit: AnyEdit) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": edit.kind, "site": edit.site}
    if isinstance(edit, AddVector):
        entry["coefficient"] = edit.coefficient
    if isinstance(edit, Patch | Ablate):
        entry["channels"] = list(edit.channels) if edit.channels is not None else None
    if isinstance(edit, Clamp):
        entry |= {"index": list(edit.index), "value": edit.value}
    if isinstance(edit, PatchPlace):
        entry |= {"blocks": [list(block) for block in edit.blocks], "units": list(edit.units)}
    if isinstance(edit, _WITH_VECTOR):
        entry |= {"vector": edit.vector.digest, "provenance": edit.vector.provenance}
    return entry


def _edit(entry: Mapping[str, Any], vectors: Mapping[str, SteeringVector]) -> AnyEdit:
    def vector() -> SteeringVector:
        found = vectors.get(entry["vector"])
        if found is None or found.site != entry["site"]:
            raise InputError(f"intervention: no vector {entry['vector']} for site {entry['site']}; load it first")
        return found

    def channels() -> tuple[int, ...] | None:
        return None if entry["channels"] is None else tuple(int(c) for c in entry["channels"])

    kinds: dict[str, Callable[[], AnyEdit]] = {
        AddVector.kind: lambda: AddVector(vector(), float(entry["coefficient"])),
        Patch.kind: lambda: Patch(vector(), channels()),
        PatchPlace.kind: lambda: PatchPlace(
            vector(),
            tuple((int(row), int(column)) for row, column in entry["blocks"]),
            (float(entry["units"][0]), int(entry["units"][1])),
        ),
        Ablate.kind: lambda: Ablate(str(entry["site"]), channels()),
        Clamp.kind: lambda: Clamp(str(entry["site"]), tuple(int(i) for i in entry["index"]), float(entry["value"])),
    }
    if entry.get("kind") not in kinds:
        raise InputError(f"intervention: unknown kind {entry.get('kind')!r}; known: {', '.join(kinds)}")
    try:
        return kinds[entry["kind"]]()
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"intervention: {entry['kind']} without a usable {error}") from None


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
