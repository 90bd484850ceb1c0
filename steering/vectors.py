"""Steering vectors: differences of activations at a site, with their provenance.

The cheese vector (Turner et al. 2023): activations on the level with its cheese, minus
activations on the same level without it, mouse at the start (or at any given cell). Shapes are
those of the site, without a batch axis; units are activations, and pixels in 0..1 at ``input``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from agents.checkpoints import write_atomic
from agents.policy import Policy, to_input
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from steering.hooks import HookedPolicy
from steering.sites import find_site

_FORMAT = "mazesteer-vector-1"


@dataclass(frozen=True)
class SteeringVector:
    """A tensor at a site. Equality and hash go by content (``digest``) and provenance.

    ``provenance`` is a JSON object as text (kind, level, cell, checkpoint, seed...).
    """

    site: str
    tensor: Tensor = field(compare=False, repr=False)
    provenance: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        if not torch.isfinite(self.tensor).all():
            raise InputError(f"steering vector at {self.site}: holds NaN or infinite values")
        tensor = self.tensor.detach().float().contiguous()
        object.__setattr__(self, "tensor", tensor)
        object.__setattr__(self, "digest", hashlib.sha256(tensor.numpy().tobytes()).hexdigest()[:32])

    @property
    def norm(self) -> float:
        """Euclidean norm."""
        return float(torch.linalg.vector_norm(self.tensor.double()))

    def save(self, path: Path) -> None:
        """Write safetensors with site and provenance (whole or not at all)."""
        metadata = {"format": _FORMAT, "site": self.site, "provenance": self.provenance}
        write_atomic(path, safetensors.torch.save({"vector": self.tensor}, metadata))

    @classmethod
    def load(cls, path: Path) -> SteeringVector:
        """Read a file written by :meth:`save`; raises :class:`InputError` if it is not one."""
        try:
            with safetensors.safe_open(str(path), framework="pt") as handle:
                metadata = handle.metadata() or {}
                if metadata.get("format") != _FORMAT:
                    raise InputError(f"{path}: not a mazesteer steering vector")
                return cls(metadata["site"], handle.get_tensor("vector"), metadata["provenance"])
        except (safetensors.SafetensorError, OSError, KeyError) as error:
            raise InputError(f"{path}: not a steering vector file ({error})") from None


def provenance(**facts: Any) -> str:
    """Facts about a vector's origin as canonical JSON text."""
    return json.dumps(facts, sort_keys=True)


def cheese_vectors(
    policy: Policy, maze: Maze, sites: Sequence[str], cell: Cell | None = None
) -> dict[str, SteeringVector]:
    """Cheese vectors at several sites from one pass over two frames.

    ``cell``: where the mouse stands (default: its start); there its facing is the one left by
    the shortest path from the start. Raises :class:`InputError` without a cheese.
    """
    if maze.cheese is None:
        raise InputError("cheese vector: this maze has no cheese; take it from a level that has one")
    state = State(maze.mouse, maze.facing) if cell is None else maze.arrival(cell)
    frames = np.concatenate([maze.observations([state]), maze.without_cheese().observations([state])])
    _, _, seen = HookedPolicy(policy.net).run(to_input(frames), capture=sites)
    facts = {
        "kind": "cheese",
        "checkpoint": policy.sha256,
        "level": maze.level,
        "mode": maze.mode,
        "cheese": list(maze.cheese),
        "cell": list(state.cell),
        "facing": state.facing.label,
    }
    out = {}
    for asked in sites:
        name = find_site(policy.net, asked).name
        out[asked] = SteeringVector(name, seen[name][0] - seen[name][1], provenance(**facts))
    return out


def cheese_vector(policy: Policy, maze: Maze, site: str, cell: Cell | None = None) -> SteeringVector:
    """The cheese vector of ``maze`` at ``site`` (see :func:`cheese_vectors`)."""
    return cheese_vectors(policy, maze, [site], cell)[site]


def random_vector(like: SteeringVector, rng: np.random.Generator) -> SteeringVector:
    """Isotropic Gaussian noise scaled to the norm of ``like``: the control of equal size."""
    noise = rng.standard_normal(tuple(like.tensor.shape))
    size = np.linalg.norm(noise)
    scaled = torch.from_numpy(noise * (like.norm / size)).float()
    facts = {"kind": "random", "norm_of": like.digest, "like": json.loads(like.provenance)}
    return SteeringVector(like.site, scaled, provenance(**facts))
