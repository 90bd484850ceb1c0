"""The probes' answers for every frame at each site, as ``probe_scores.json`` keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProbeSpec:
    """The settings that determine the numbers of a probing."""

    checkpoint: str
    """The agent's name."""
    sha256: str
    """Digest of its weights, hexadecimal."""
    levels: tuple[int, ...]
    """Seeds of the levels, in the order of the mazes."""
    states: int
    """Frames of each level, at least 1."""
    seed: int
    """Seed of every random draw."""
    mode: str
    """Procgen's distribution mode: ``hard`` or ``easy``."""


@dataclass(frozen=True)
class MoveScores:
    """One kind of next move, told of every frame by a probe that did not learn from its maze."""

    told: tuple[int, ...]
    """``[n]``: the move told of each frame, 0 to 3."""
    control: tuple[float, ...]
    """``[n]``: share of the draws of shuffled labels that told the true one, 0 to 1."""


@dataclass(frozen=True)
class CellScores:
    """Cells between the cheese and where it was told to be, in every frame."""

    distance: tuple[float, ...]
    """``[n]``: from the linear probe's guess."""
    control: tuple[float, ...]
    """``[n]``: from the guesses of probes learned on shuffled labels, root mean square over the draws."""
    mean: tuple[float, ...]
    """``[n]``: from the mean cell of the frames learned from."""


@dataclass(frozen=True)
class MapScores:
    """Scores of a unit shared over all positions of a map, summed over the frames of each maze."""

    hits: tuple[float, ...]
    """``[n_mazes]``: frames whose largest answer is where the cheese is."""
    distance: tuple[float, ...]
    """``[n_mazes]``: cells between the cheese and the largest answer."""
    control_hits: tuple[float, ...]
    """``[n_mazes]``: ``hits`` of units learned on shuffled labels, mean over the draws."""
    control_distance: tuple[float, ...]
    """``[n_mazes]``: ``distance`` of units learned on shuffled labels, mean over the draws."""


@dataclass(frozen=True)
class KeptMaps:
    """The part of a site's scores that is taken over from an earlier version."""

    map: dict[str, MapScores] | None
    """As of :class:`SiteScores`."""


@dataclass(frozen=True)
class SiteScores:
    """Scores of all probes at one site, for real labels and for shuffled ones."""

    moves: dict[str, MoveScores]
    """By whose next move it is (:data:`steering.probes.data.MOVES`)."""
    cell: CellScores
    """The cheese's cell, told by a linear probe."""
    map: dict[str, MapScores] | None
    """By side of the neighbourhood that the unit sees (``1x1``, ``3x3`` positions); null where the site is no map."""


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
