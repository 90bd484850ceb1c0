"""Causal maps: block by block of the picture, site by site, where what a pair of frames differs in is known.

B's activations are put into one block of A's run at a time. Averages over pairs are taken around the source and around
the mouse; each pair is mirrored so that the mouse lies to the right of the source, or above it, or both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.networks.policy import Policy
from steering.interventions.partial import PartialNetwork
from steering.interventions.places import BLOCKS, block_of
from steering.interventions.sites import Site
from steering.planning.located import PairRuns, Shown, chunks
from steering.records.planning import CausalMap, MapDistance, SiteMap
from steering.statistics import bootstrap

AROUND = 2 * BLOCKS - 1  # blocks of a map around a centre, in each direction


@dataclass(frozen=True)
class BlockEffects:
    """Effects of patching each block for ``n`` pairs at ``s`` sites."""

    source: np.ndarray
    """Row and column of the block of the nearest changed tile, ``int[n, 2]``, rows from the top."""
    mouse: np.ndarray
    """Row and column of the mouse's block, ``int[n, 2]``."""
    apart: np.ndarray
    """TV(A, B), ``float64[n]``."""
    rest: np.ndarray
    """TV(A with B's activations in the block, B), ``float64[s, n, 8, 8]``."""


def block_effects(policy: Policy, pairs: Sequence[Shown], sites: Sequence[Site]) -> BlockEffects:
    """Return the effects of patching each of the 64 blocks at every site.

    Args:
        policy: of a network that can be traced.
        pairs: of one mode, at least one.
        sites: maps.

    Raises:
        InputError: for a network that cannot be traced, or a site without places.
    """
    net = PartialNetwork(policy.net)
    blocks = np.eye(BLOCKS**2, dtype=bool).reshape(BLOCKS**2, 1, BLOCKS, BLOCKS)
    apart, rest = [], []
    for part in chunks(pairs):
        runs = PairRuns(net, part)
        places = np.broadcast_to(blocks, (BLOCKS**2, len(part), BLOCKS, BLOCKS))
        apart.append(runs.apart)
        rest.append(np.stack([runs.rest(site, places).T.reshape(-1, BLOCKS, BLOCKS) for site in sites]))
    return BlockEffects(
        source=np.array([block_of(pair.mazes[0], pair.nearest) for pair in pairs]),
        mouse=np.array([block_of(pair.mazes[0], pair.state.cell) for pair in pairs]),
        apart=np.concatenate(apart),
        rest=np.concatenate(rest, axis=1),
    )


def causal_map(
    kind: str,
    goal: str,
    sites: Sequence[tuple[str, int]],
    results: Sequence[BlockEffects | None],
    weights: np.ndarray,
) -> CausalMap:
    """Return the maps of all mazes, averaged around the source and around the mouse.

    Args:
        kind: ``cheese`` or ``detour``.
        goal: ``cheese`` or ``corner``.
        sites: names and depths, in depth order.
        results: of each maze; None where it has no pair.
        weights: bootstrap's weights of mazes, ``float[draws, mazes]``.
    """
    have = [each for each in results if each is not None]
    source, mouse = (np.concatenate([getattr(each, name) for each in have]) for name in ("source", "mouse"))
    apart = np.concatenate([each.apart for each in have])
    rest = np.concatenate([each.rest for each in have], axis=1)
    maze = np.repeat([k for k, each in enumerate(results) if each is not None], [len(each.apart) for each in have])
    towards = np.where(mouse >= source, 1, -1)  # of each pair: the mouse is to lie above and to the right
    around = {"source": _offsets(source, towards), "mouse": _offsets(mouse, towards)}
    count = {name: _summed(offsets, np.ones((len(apart), BLOCKS, BLOCKS))) for name, offsets in around.items()}
    found = []
    for s, (name, depth) in enumerate(sites):
        gained = apart[:, None, None] - rest[s]
        averages = {
            each: bootstrap.quotient(_summed(offsets, gained), _summed(offsets, _everywhere(apart)))
            for each, offsets in around.items()
        }
        towards_b = np.maximum(gained, 0.0)
        distances = {
            each: _mean_distance(np.abs(offsets).max(axis=3), towards_b, maze, weights)
            for each, offsets in around.items()
        }
        found.append(
            SiteMap(
                name=name,
                depth=depth,
                source=_rows(averages["source"]),
                mouse=_rows(averages["mouse"]),
                together=bootstrap.defined(bootstrap.quotient(gained.sum(), apart.sum())),
                from_source=distances["source"],
                from_mouse=distances["mouse"],
            )
        )
    return CausalMap(
        kind=kind,
        goal=goal,
        pairs=len(apart),
        mazes=len(have),
        around_source=_whole(count["source"]),
        around_mouse=_whole(count["mouse"]),
        sites=tuple(found),
    )


def _offsets(centre: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Return how far each block lies above and to the right of a centre, mirrored: ``int[n, 8, 8, 2]``."""
    blocks = np.stack(np.meshgrid(np.arange(BLOCKS), np.arange(BLOCKS), indexing="ij"), axis=2)
    return np.asarray((blocks - centre[:, None, None]) * towards[:, None, None])


def _summed(offsets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return sums over pairs by offset, the topmost row first: ``float64[15, 15]``."""
    total = np.zeros((AROUND, AROUND))
    np.add.at(total, (BLOCKS - 1 - offsets[..., 0], BLOCKS - 1 + offsets[..., 1]), values)
    return total


def _everywhere(values: np.ndarray) -> np.ndarray:
    return np.broadcast_to(values[:, None, None], (len(values), BLOCKS, BLOCKS))


def _mean_distance(distance: np.ndarray, gained: np.ndarray, maze: np.ndarray, weights: np.ndarray) -> MapDistance:
    """Return the mean distance in blocks of what is carried, with its interval over mazes."""
    mazes = weights.shape[1]
    top, bottom = (
        np.bincount(maze, values.sum(axis=(1, 2)), minlength=mazes) for values in (distance * gained, gained)
    )
    if not bottom.sum() > 0:
        return MapDistance(None, None, None)
    few = (bottom > 0).sum() < bootstrap.FEWEST
    low, high = (np.nan, np.nan) if few else bootstrap.ratio_interval(top, bottom, weights)
    farthest = min(float(high), BLOCKS - 1.0)  # no two blocks are farther apart
    return MapDistance(float(top.sum() / bottom.sum()), bootstrap.defined(low), bootstrap.defined(farthest))


def _rows(values: np.ndarray) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if np.isnan(value) else round(float(value), 6) for value in row) for row in values)


def _whole(values: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(value) for value in row) for row in values)
