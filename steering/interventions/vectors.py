"""Steering vectors: differences of activations at a site, with their provenance.

The cheese vector (Turner et al. 2023): activations on the level with its cheese, minus
activations on the same level without it, mouse at the start (or at any given cell). Shapes are
those of the site, without a batch axis; units are activations, and pixels in 0..1 at ``input``.
"""

from __future__ import annotations

import hashlib
import json
import numbers
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from agents.checkpoints.files import with_ordered_metadata
from agents.networks.policy import Policy, batches, check_policy, to_input
from envs.errors import InputError, check_kind, one_line, shown
from envs.files import write_atomic
from envs.maze import Cell, Maze, State
from envs.stored.sources import read_file
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import find_site

_FORMAT = "mazesteer-vector-1"
_LONGEST_KIND = 60  # characters of a sum's kind
_MOST = 2**28  # bytes of a file; a vector at the widest site of the widest network has a thirtieth


@dataclass(frozen=True, repr=False)
class SteeringVector:
    """A tensor at a site: ``v + w``, ``v - w``, ``2 * v`` and ``-v`` are vectors too.

    Equality and hash go by site, digest and provenance.

    Raises:
        InputError: for what is no array of finite real numbers; in a sum, for vectors of two sites.

    Example:
        >>> v = SteeringVector("embedder.fc", [3.0, 4.0])
        >>> v.norm, (2 * v - v).tensor.tolist(), (-v).kind
        (5.0, [3.0, 4.0], '-1 x given')
    """

    __array_ufunc__: ClassVar[None] = None  # a number of NumPy's times a vector is a vector

    site: str
    """Full name of the site."""
    tensor: Tensor = field(compare=False, repr=False)
    """``float32[*site]``, in units of activations (of pixels, 0 to 1, at ``input``); made of any array or list."""
    provenance: str = '{"kind": "given"}'
    """A JSON object as text: kind, level, cell, checkpoint, seed and the like."""
    digest: str = field(init=False)
    """First 32 hexadecimal digits of the tensor's SHA-256."""

    def __post_init__(self) -> None:
        check_kind(isinstance(self.site, str), self.site, "the name of a site", "SteeringVector")
        tensor = _as_tensor(self.tensor, self.site)
        if not torch.isfinite(tensor).all():
            raise InputError(f"steering vector at {self.site}: holds NaN or infinite values")
        object.__setattr__(self, "tensor", tensor)
        object.__setattr__(self, "digest", hashlib.sha256(tensor.numpy().tobytes()).hexdigest()[:32])

    @property
    def norm(self) -> float:
        """Return the Euclidean norm."""
        return float(torch.linalg.vector_norm(self.tensor.double()))

    @property
    def kind(self) -> str:
        """Return what it is, as its provenance says: ``cheese``, ``activation`` and the like."""
        return shown(json.loads(self.provenance).get("kind", "vector"))

    @property
    def agents(self) -> frozenset[str]:
        """Return the digests of the agents whose activations it is made of, as its provenance says; none: not said."""
        said, parts = [], [json.loads(self.provenance)]
        for facts in parts:  # grows by what each is made of
            of = facts["of"] if isinstance(facts.get("of"), list) else []
            parts += [part for part in (*of, facts.get("like")) if isinstance(part, dict)]
            said.append(facts.get("checkpoint"))
        return frozenset(sha256 for sha256 in said if isinstance(sha256, str))

    def __repr__(self) -> str:
        return f"SteeringVector {self.kind} @ {self.site}: float32{list(self.tensor.shape)}, norm {self.norm:.4g}"

    def __add__(self, other: SteeringVector) -> SteeringVector:
        return self._combined(other, "+", 1.0)

    def __sub__(self, other: SteeringVector) -> SteeringVector:
        return self._combined(other, "-", -1.0)

    def __mul__(self, factor: float) -> SteeringVector:
        fits = isinstance(factor, numbers.Real)
        check_kind(fits, factor, "a number", "steering vector")
        facts = {
            "kind": f"{float(factor):g} x {self.kind}",
            "times": float(factor),
            "of": [json.loads(self.provenance)],
        }
        return SteeringVector(self.site, self.tensor.double() * float(factor), provenance(**facts))

    __rmul__ = __mul__

    def __neg__(self) -> SteeringVector:
        return self * -1.0

    def _combined(self, other: SteeringVector, sign: str, factor: float) -> SteeringVector:
        check_kind(isinstance(other, SteeringVector), other, "a steering vector", f"steering vector {sign}")
        if (self.site, self.tensor.shape) != (other.site, other.tensor.shape):
            raise InputError(
                f"steering vector {sign}: one is of {self.site}, one of {other.site}; take both at one site"
            )
        kind, of = f"({self.kind} {sign} {other.kind})", [json.loads(each.provenance) for each in (self, other)]
        facts = {"kind": kind if len(kind) <= _LONGEST_KIND else "sum", "signs": f"+{sign}", "of": of}
        return SteeringVector(self.site, self.tensor.double() + factor * other.tensor.double(), provenance(**facts))

    def fitting(self, activation: Tensor) -> Tensor:
        """Return the tensor in the type of activations ``[n, *site]``.

        Raises:
            InputError: for another shape, which torch might broadcast.
        """
        if self.tensor.shape != activation.shape[1:]:
            found, expected = tuple(self.tensor.shape), tuple(activation.shape[1:])
            raise InputError(f"site {self.site}: the vector has shape {found}, the site {expected}")
        return self.tensor.to(activation)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write safetensors with site and provenance (whole or not at all); the same vector gives the same bytes."""
        write_atomic(Path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the bytes of the file that :meth:`save` writes."""
        metadata = {"format": _FORMAT, "site": self.site, "provenance": self.provenance}
        return with_ordered_metadata(safetensors.torch.save({"vector": self.tensor}, metadata))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SteeringVector:
        """Read a file written by :meth:`save`.

        Raises:
            InputError: if it is not one.
        """
        data = read_file(Path(path), _MOST, "give a file of `mazesteer vector`")
        try:
            tensors = safetensors.torch.load(data)
            metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
            if metadata["format"] != _FORMAT or not isinstance(json.loads(metadata["provenance"]), dict):
                raise ValueError("of another format")
            return cls(metadata["site"], tensors["vector"], metadata["provenance"])
        except (safetensors.SafetensorError, KeyError, ValueError, RecursionError) as error:
            raise InputError(f"{shown(path)}: not a steering vector file ({one_line(error)})") from None


def _as_tensor(values: Any, site: str) -> Tensor:
    """Return a copy of a tensor, an array or a list as ``float32[*site]`` on the CPU."""
    try:
        tensor = torch.as_tensor(np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"steering vector at {site}: not an array of numbers ({one_line(error)})") from None
    if tensor.is_complex():
        raise InputError(f"steering vector at {site}: holds complex numbers; give real ones")
    return tensor.detach().to("cpu", torch.float32, copy=True).contiguous()


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


def origin(policy: Policy, maze: Maze, kind: str, **facts: Any) -> str:
    """Return the provenance of a vector that is taken from one maze."""
    cheese = list(maze.cheese) if maze.cheese is not None else None
    level = {"checkpoint": policy.sha256, "level": maze.level, "mode": maze.mode, "cheese": cheese}
    return provenance(kind=kind, **level, **facts)


def standing(maze: Maze, cell: Cell | None) -> State:
    """Return the state of the mouse on a cell as it arrives there; None: at its start."""
    return State(maze.mouse, maze.facing) if cell is None else maze.arrival(cell)


def _need_cheese(policy: Policy, maze: Maze, sites: Sequence[str]) -> None:
    check_policy(policy, "cheese vector")
    check_kind(isinstance(maze, Maze), maze, "a maze", "cheese vector")
    check_kind(not isinstance(sites, str), sites, "names of sites", "cheese_vectors")
    for site in sites:
        check_kind(isinstance(site, str), site, "the name of a site", "cheese vector")
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

    Example:
        >>> found = cheese_vectors(load_policy("region5"), Maze.from_level(26), ["input", "block3.conv"])
        >>> [(site, vector.site) for site, vector in found.items()]
        [('input', 'input'), ('block3.conv', 'embedder.block3.conv')]

    Source: Turner et al. 2023.
    """
    _need_cheese(policy, maze, sites)
    state = standing(maze, cell)
    facts = origin(policy, maze, "cheese", cell=list(state.cell), facing=state.facing.label)
    frames = np.concatenate([maze.observations([state]), maze.without_cheese().observations([state])])
    _, _, seen = HookedPolicy(policy.net).run(to_input(frames), capture=sites)
    names = {asked: _full_name(policy, asked) for asked in sites}
    return {asked: SteeringVector(name, seen[name][0] - seen[name][1], facts) for asked, name in names.items()}


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

    Example:
        >>> cheese_vector(load_policy("region5"), Maze.from_level(26), "relu3").tensor.shape
        torch.Size([32, 8, 8])
    """
    return cheese_vectors(policy, maze, [site], cell)[site]


def mean_cheese_vectors(policy: Policy, maze: Maze, sites: Sequence[str]) -> dict[str, SteeringVector]:
    """Return cheese vectors averaged over all states of the level but those on the cheese's cell.

    Raises:
        InputError: without a cheese.
    """
    _need_cheese(policy, maze, sites)
    states = [state for state in maze.states if state.cell != maze.cheese]
    with_cheese, without = (_mean_activations(policy, m, states, sites) for m in (maze, maze.without_cheese()))
    facts = origin(policy, maze, "cheese", cell="mean over all states")
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
    facts = origin(policy, maze, "top-right", cell=list(start.cell), facing=start.facing.label)
    return {site: SteeringVector(name, seen[name][0] - seen[name][1], facts) for site, name in names.items()}


def activation(policy: Policy, maze: Maze, site: str, cell: Cell | None = None) -> SteeringVector:
    """Return the activation at ``site`` with the mouse at its start (or at ``cell``), to patch with."""
    state = standing(maze, cell)
    facts = origin(policy, maze, "activation", cell=list(state.cell), facing=state.facing.label)
    return SteeringVector(_full_name(policy, site), _mean_activations(policy, maze, [state], [site])[site], facts)


def mean_activation(policy: Policy, maze: Maze, site: str) -> SteeringVector:
    """Return the activation at ``site`` averaged over all states of the level: for mean ablation."""
    facts = origin(policy, maze, "mean activation")
    mean = _mean_activations(policy, maze, maze.states, [site])[site]
    return SteeringVector(_full_name(policy, site), mean, facts)


def random_vector(like: SteeringVector, rng: np.random.Generator) -> SteeringVector:
    """Return isotropic Gaussian noise with the norm of ``like``: the control of equal size.

    Args:
        like: the vector that gives site, shape and norm.
        rng: draws the noise.

    Returns:
        ``float32[*site]``, with ``like``'s digest in its provenance.

    Example:
        >>> like = SteeringVector("embedder.fc", np.ones(256))
        >>> round(random_vector(like, np.random.default_rng(0)).norm, 3), like.norm
        (16.0, 16.0)
    """
    check_kind(isinstance(like, SteeringVector), like, "a steering vector", "random_vector")
    check_kind(isinstance(rng, np.random.Generator), rng, "a random generator", "random_vector")
    noise = rng.standard_normal(tuple(like.tensor.shape))
    size = np.linalg.norm(noise)
    scaled = torch.from_numpy(noise * (like.norm / size)).float()
    facts = {"kind": "random", "norm_of": like.digest, "like": json.loads(like.provenance)}
    return SteeringVector(like.site, scaled, provenance(**facts))
