"""Interventions: frozen, hashable specs of what is done to activations.

One object is the store's key, the film's caption and the report's row. Interventions compose:
``subtract(v) + add(w)`` does both, in this order at a shared site.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from envs.errors import InputError
from steering.hooks import Edit
from steering.vectors import SteeringVector


@dataclass(frozen=True)
class AddVector:
    """Add ``coefficient * vector`` to the activation of every state at the vector's site."""

    vector: SteeringVector
    coefficient: float

    def __post_init__(self) -> None:
        if not torch.isfinite(torch.tensor(self.coefficient)):
            raise InputError(f"coefficient {self.coefficient} is not a finite number")

    def __call__(self, activation: Tensor) -> Tensor:
        """``[n, *site] -> [n, *site]``, a new tensor."""
        return activation + self.coefficient * self.vector.tensor.to(activation)


@dataclass(frozen=True)
class Intervention:
    """A sequence of edits; ``Intervention(())`` changes nothing."""

    edits: tuple[AddVector, ...] = ()

    def __add__(self, other: Intervention) -> Intervention:
        return Intervention(self.edits + other.edits)

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites edited, each once, in order."""
        return tuple(dict.fromkeys(edit.vector.site for edit in self.edits))

    def by_site(self) -> dict[str, Edit]:
        """One function per site that applies the site's edits in order."""
        grouped: dict[str, list[AddVector]] = {}
        for edit in self.edits:
            grouped.setdefault(edit.vector.site, []).append(edit)
        return {site: _chain(tuple(edits)) for site, edits in grouped.items()}

    def describe(self) -> str:
        """Short text for captions, e.g. ``-1 x cheese @ embedder.block2.res1.resadd``."""
        parts = []
        for edit in self.edits:
            kind = json.loads(edit.vector.provenance).get("kind", "vector")
            parts.append(f"{edit.coefficient:+g} x {kind} @ {edit.vector.site}")
        return "; ".join(parts) or "no intervention"

    def to_json(self) -> dict[str, Any]:
        """Plain data; vectors are referred to by digest and carry their provenance."""
        return {
            "edits": [
                {
                    "kind": "add_vector",
                    "site": edit.vector.site,
                    "coefficient": edit.coefficient,
                    "vector": edit.vector.digest,
                    "provenance": edit.vector.provenance,
                }
                for edit in self.edits
            ]
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], vectors: Mapping[str, SteeringVector]) -> Intervention:
        """Inverse of :meth:`to_json`; ``vectors`` maps digests to vectors.

        Raises :class:`InputError` for an unknown kind, a missing vector or a site that differs.
        """
        edits = []
        for entry in data.get("edits", ()):
            if entry.get("kind") != "add_vector":
                raise InputError(f"intervention: unknown kind {entry.get('kind')!r}; known: add_vector")
            vector = vectors.get(entry["vector"])
            if vector is None or vector.site != entry["site"]:
                raise InputError(f"intervention: no vector {entry['vector']} for site {entry['site']}; load it first")
            edits.append(AddVector(vector, float(entry["coefficient"])))
        return cls(tuple(edits))


def subtract(vector: SteeringVector, coefficient: float = 1.0) -> Intervention:
    """Subtract ``coefficient * vector`` at every state."""
    return Intervention((AddVector(vector, -coefficient),))


def add(vector: SteeringVector, coefficient: float = 1.0) -> Intervention:
    """Add ``coefficient * vector`` at every state."""
    return Intervention((AddVector(vector, coefficient),))


def _chain(edits: tuple[AddVector, ...]) -> Edit:
    def apply(activation: Tensor) -> Tensor:
        for edit in edits:
            activation = edit(activation)
        return activation

    return apply
