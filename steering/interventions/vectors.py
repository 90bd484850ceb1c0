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

from agents.networks.policy import Policy, batches, to_input
from envs.errors import InputError
from envs.files import write_atomic
from envs.maze import Cell, Maze, State
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import find_site

_FORMAT = "mazesteer-vector-1"


@dataclass(frozen=True)
class SteeringVector:
    """A tensor at a site. Equality and hash go by site, digest and provenance.

    Raises:
        InputError: for a tensor with NaN or infinite values.
    """

    site: str
    """Full name of the site."""
    tensor: Tensor = field(compare=False, repr=False)
    """``float32[*site]``, in units of activations (of pixels, 0 to 1, at ``input``)."""
    provenance: str
    """A JSON object as text: kind, level, cell, checkpoint, seed and the like."""
    digest: str = field(init=False)
    """First 32 hexadecimal digits of the tensor's SHA-256."""

    def __post_init__(self) -> None:
        if not torch.isfinite(self.tensor).all():
            raise InputError(f"steering vector at {self.site}: holds NaN or infinite values")
        tensor = self.tensor.detach().float().contiguous()
        object.__setattr__(self, "tensor", tensor)
        object.__setattr__(self, "digest", hashlib.sha256(tensor.numpy().tobytes()).hexdigest()[:32])

    @property
    def norm(self) -> float:
        """Return the Euclidean norm."""
        return float(torch.linalg.vector_norm(self.tensor.double()))

    @property
    def kind(self) -> str:
        """Return what it is, as its provenance says: ``cheese``, ``activation`` and the like."""
        return str(json.loads(self.provenance).get("kind", "vector"))

    def fitting(self, activation: Tensor) -> Tensor:
        """Return the tensor in the type of activations ``[n, *site]``.

        Raises:
            InputError: for another shape, which torch might broadcast.
        """
        if self.tensor.shape != activation.shape[1:]:
            found, expected = tuple(self.tensor.shape), tuple(activation.shape[1:])
            raise InputError(f"site {self.site}: the vector has shape {found}, the site {expected}")
        return self.tensor.to(activation)

    def save(self, path: Path) -> None:
        """Write safetensors with site and provenance (whole or not at all)."""
        metadata = {"format": _FORMAT, "site": self.site, "provenance": self.provenance}
        write_atomic(path, safetensors.torch.save({"vector": self.tensor}, metadata))

    @classmethod
    def load(cls, path: Path) -> SteeringVector:
        """Read a file written by :meth:`save`.

        Raises:
            InputError: if it is not one.
        """
        try:
            with safetensors.safe_open(str(path), framework="pt") as handle:
                metadata = handle.metadata() or {}
                if metadata.get("format") != _FORMAT:
                    raise InputError(f"{path}: not a mazesteer steering vector")
                return cls(metadata["site"], handle.get_tensor("vector"), metadata["provenance"])
        except (safetensors.SafetensorError, OSError, KeyError) as error:
            raise InputError(f"{path}: not a steering vector file ({error})") from None


def provenance(**facts: Any) -> str:
    """Return facts about a vector's origin as canonical JSON text."""
    return json.dumps(facts, sort_keys=True)


def _mean_activations(policy: Policy, maze: Maze, states: Sequence[State], sites: Sequence[str]) -> dict[str, Tensor]:
    """Return activations ``float64[*site]`` at each site, by the name asked for, averaged over ``states``."""
    sums: dict[str, Tensor] = {}
    for frames in batches(maze.observations(states)):
        _, _, seen = HookedPolicy(policy.net).run(to_input(frames), capture=sites)
        for site in sites:
            part = seen[_full_name(policy, site)].double().sum(0)
            sums[site] = sums[site] + part if site in sums else part
    return {site: total / len(states) for site, total in sums.items()}


def _full_name(policy: Policy, site: str) -> str:
    return find_site(policy.net, site).name


def _origin(policy: Policy, maze: Maze, kind: str, **facts: Any) -> str:
    cheese = list(maze.cheese) if maze.cheese is not None else None
    level = {"checkpoint": policy.sha256, "level": maze.level, "mode": maze.mode, "cheese": cheese}
    return provenance(kind=kind, **level, **facts)


def _standing(maze: Maze, cell: Cell | None) -> State:
    return State(maze.mouse, maze.facing) if cell is None else maze.arrival(cell)


def _need_cheese(maze: Maze) -> None:
    if maze.cheese is None:
        raise InputError("cheese vector: this maze has no cheese; take it from a level that has one")


def cheese_vectors(
    policy: Policy, maze: Maze, sites: Sequence[str], cell: Cell | None = None
) -> dict[str, SteeringVector]:
    """Return the cheese vectors at several sites, from one pass over two frames.

    Args:
        policy: its network is read by hooks and left as it was.
        maze: the level, with its cheese.
        sites: names of the sites.
        cell: where the mouse stands, facing as the shortest path from the start leaves it; None: at its start.

    Returns:
        One vector ``float32[*site]`` for each name in ``sites``: activations with the cheese minus those without it.

    Raises:
        InputError: without a cheese, or for a site that the network lacks.

    Source: Turner et al. 2023.
    """
    _need_cheese(maze)
    state = _standing(maze, cell)
    facts = _origin(policy, maze, "cheese", cell=list(state.cell), facing=state.facing.label)
    frames = np.concatenate([maze.observations([state]), maze.without_cheese().observations([state])])
    _, _, seen = HookedPolicy(policy.net).run(to_input(frames), capture=sites)
    out = {}
    for asked in sites:
        name = _full_name(policy, asked)
        out[asked] = SteeringVector(name, seen[name][0] - seen[name][1], facts)
    return out


def cheese_vector(policy: Policy, maze: Maze, site: str, cell: Cell | None = None) -> SteeringVector:
    """Return the cheese vector of a level at one site.

    Args:
        policy: its network is read by hooks and left as it was.
        maze: the level, with its cheese.
        site: name of the site.
        cell: where the mouse stands; None: at its start.

    Returns:
        ``float32[*site]``, as :func:`cheese_vectors` gives it.

    Raises:
        InputError: without a cheese, or for a site that the network lacks.
    """
    return cheese_vectors(policy, maze, [site], cell)[site]


def mean_cheese_vectors(policy: Policy, maze: Maze, sites: Sequence[str]) -> dict[str, SteeringVector]:
    """Return cheese vectors averaged over all states of the level but those on the cheese's cell.

    Raises:
        InputError: without a cheese.
    """
    _need_cheese(maze)
    states = [state for state in maze.states if state.cell != maze.cheese]
    with_cheese, without = (_mean_activations(policy, m, states, sites) for m in (maze, maze.without_cheese()))
    facts = _origin(policy, maze, "cheese", cell="mean over all states")
    return {site: SteeringVector(_full_name(policy, site), with_cheese[site] - without[site], facts) for site in sites}


def mean_vector(vectors: Sequence[SteeringVector]) -> SteeringVector:
    """Return the mean of vectors at one site, e.g. cheese vectors of many levels."""
    if not vectors or len({vector.site for vector in vectors}) > 1:
        raise InputError("mean vector: give one or more vectors, all at one site")
    tensor = torch.stack([vector.tensor.double() for vector in vectors]).mean(0)
    return SteeringVector(
        vectors[0].site, tensor, provenance(kind="mean", of=[json.loads(vector.provenance) for vector in vectors])
    )


def top_right_vectors(policy: Policy, maze: Maze, sites: Sequence[str]) -> dict[str, SteeringVector]:
    """Return activations with a corridor carved to the world's top-right corner, minus those without it.

    Mouse at its start. Added, it attracts to the top right (Turner et al. 2023, "Add a top-right vector").

    Raises:
        InputError: where the maze fills the world.
    """
    start, carved = State(maze.mouse, maze.facing), maze.with_corner_path()
    there = carved.observations([State(carved.mouse, carved.facing)])
    _, _, seen = HookedPolicy(policy.net).run(
        to_input(np.concatenate([there, maze.observations([start])])), capture=sites
    )
    names = {site: _full_name(policy, site) for site in sites}
    facts = _origin(policy, maze, "top-right", cell=list(start.cell), facing=start.facing.label)
    return {site: SteeringVector(name, seen[name][0] - seen[name][1], facts) for site, name in names.items()}


def activation(policy: Policy, maze: Maze, site: str, cell: Cell | None = None) -> SteeringVector:
    """Return the activation at ``site`` with the mouse at its start (or at ``cell``), to patch with."""
    state = _standing(maze, cell)
    facts = _origin(policy, maze, "activation", cell=list(state.cell), facing=state.facing.label)
    return SteeringVector(_full_name(policy, site), _mean_activations(policy, maze, [state], [site])[site], facts)


def mean_activation(policy: Policy, maze: Maze, site: str) -> SteeringVector:
    """Return the activation at ``site`` averaged over all states of the level: for mean ablation."""
    facts = _origin(policy, maze, "mean activation")
    mean = _mean_activations(policy, maze, maze.states, [site])[site]
    return SteeringVector(_full_name(policy, site), mean, facts)


def random_vector(like: SteeringVector, rng: np.random.Generator) -> SteeringVector:
    """Return isotropic Gaussian noise with the norm of ``like``: the control of equal size.

    Args:
        like: the vector that gives site, shape and norm.
        rng: draws the noise.

    Returns:
        ``float32[*site]``, with ``like``'s digest in its provenance.
    """
    noise = rng.standard_normal(tuple(like.tensor.shape))
    size = np.linalg.norm(noise)
    scaled = torch.from_numpy(noise * (like.norm / size)).float()
    facts = {"kind": "random", "norm_of": like.digest, "like": json.loads(like.provenance)}
    return SteeringVector(like.site, scaled, provenance(**facts))
