"""The probes' answers for every frame at each site, as ``probe_scores.json`` keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.errors import InputError, shown
from envs.stored.ranges import (
    Count,
    Device,
    Digest,
    LevelSeed,
    Mode,
    Name,
    NonNegative,
    Positive,
    Probability,
    RandomSeed,
)
from steering.records.probes import KERNELS

MOVES = ("cheese", "corner", "policy")  # whose next move


@dataclass(frozen=True)
class ProbeSpec:
    """The settings that determine the numbers of a probing."""

    checkpoint: Name
    """The agent's name."""
    sha256: Digest
    """Digest of its weights, hexadecimal."""
    levels: tuple[LevelSeed, ...]
    """Seeds of the levels, in the order of the mazes."""
    states: Positive
    """Frames of each level, at least 1."""
    seed: RandomSeed
    """Seed of every random draw."""
    mode: Mode
    """Procgen's distribution mode: ``hard`` or ``easy``."""
    device: Device = "cpu"
    """Kind of device that the network computed on."""


@dataclass(frozen=True)
class MoveScores:
    """One kind of next move, told of every frame by a probe that did not learn from its maze."""

    told: tuple[Count, ...]
    """``[n]``: the move told of each frame, 0 to 3."""
    control: tuple[Probability, ...]
    """``[n]``: share of the draws of shuffled labels that told the true one, 0 to 1."""


@dataclass(frozen=True)
class CellScores:
    """Cells between the cheese and where it was told to be, in every frame."""

    distance: tuple[NonNegative, ...]
    """``[n]``: from the linear probe's guess."""
    control: tuple[NonNegative, ...]
    """``[n]``: from the guesses of probes learned on shuffled labels, root mean square over the draws."""
    mean: tuple[NonNegative, ...]
    """``[n]``: from the mean cell of the frames learned from."""


@dataclass(frozen=True)
class MapScores:
    """Scores of a unit shared over all positions of a map, summed over the frames of each maze."""

    hits: tuple[NonNegative, ...]
    """``[n_mazes]``: frames whose largest answer is where the cheese is."""
    distance: tuple[NonNegative, ...]
    """``[n_mazes]``: cells between the cheese and the largest answer."""
    control_hits: tuple[NonNegative, ...]
    """``[n_mazes]``: ``hits`` of units learned on shuffled labels, mean over the draws."""
    control_distance: tuple[NonNegative, ...]
    """``[n_mazes]``: ``distance`` of units learned on shuffled labels, mean over the draws."""


@dataclass(frozen=True)
class KeptMaps:
    """The part of a site's scores that is taken over from an earlier version."""

    map: dict[Name, MapScores] | None
    """As of :class:`SiteScores`."""


@dataclass(frozen=True)
class SiteScores:
    """Scores of all probes at one site, for real labels and for shuffled ones."""

    moves: dict[Name, MoveScores]
    """By whose next move it is (:data:`steering.probes.data.MOVES`)."""
    cell: CellScores
    """The cheese's cell, told by a linear probe."""
    map: dict[Name, MapScores] | None
    """By side of the neighbourhood that the unit sees (``1x1``, ``3x3`` positions); null where the site is no map."""


@dataclass(frozen=True)
class StoredScores:
    """All of ``probe_scores.json``."""

    format: Name
    """Name and version of this file's format."""
    spec: dict[Name, Any]
    """The settings: those of a :class:`ProbeSpec`, if they are of this probing."""
    scores: dict[Name, Any]
    """By site: :class:`SiteScores`, or what an earlier version kept."""


# By site; of one whose scores an earlier version left, what is taken over from it.
Known = dict[str, SiteScores | KeptMaps]


def check_scores(known: Known, frames: int, mazes: int, where: object, remedy: str) -> None:
    """Raise :class:`InputError` in one line for scores of other frames or mazes than so many."""
    for name, site in known.items():
        at = f"{where}: {name}"
        if site.map is not None:
            _check_part(site.map, KERNELS, mazes, f"{at}: map", remedy)
        if isinstance(site, SiteScores):
            _check_part(site.moves, MOVES, frames, f"{at}: moves", remedy)
            _check_part({"cell": site.cell}, ("cell",), frames, at, remedy)


def _check_part(
    part: Mapping[str, MapScores | MoveScores | CellScores], names: tuple[str, ...], count: int, at: str, remedy: str
) -> None:
    if set(part) != set(names):
        raise InputError(f"{at}: expected {shown(names)}, got {shown([*part])}; {remedy}")
    for name, scores in part.items():
        found = sorted({len(numbers) for numbers in vars(scores).values()})
        if found != [count]:
            raise InputError(f"{at}: {name}: expected {count} numbers, got {shown(found)}; {remedy}")


@dataclass(frozen=True)
class ProbeScores:
    """The scores of all sites, and what is known of the ``n`` frames without any network."""

    maze: np.ndarray
    """``int[n]``: the maze of each frame, counted from 0."""
    fold: np.ndarray
    """``int[n]``: the fold of that maze, counted from 0."""
    moves: Mapping[str, np.ndarray]
    """``int[n]`` each: the true next moves, by whose they are (:data:`steering.probes.data.MOVES`)."""
    surroundings: Mapping[str, np.ndarray]
    """``int[n]`` each: :func:`steering.probes.surroundings.surroundings_moves`, by question; -1: not asked about."""
    sites: Mapping[str, SiteScores]
    """By site."""
