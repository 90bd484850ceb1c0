"""From what was written in each level to shares with intervals, and where a move that can be read can be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from steering.readouts.directions import CONTROLS, DIRECTIONS
from steering.readouts.written import WrittenRow, effects_of
from steering.records.planning import Share
from steering.records.readouts import WrittenDirection, WrittenEffect, WrittenPlace
from steering.statistics import bootstrap

HALF = 0.5


def mean_share(top: np.ndarray, count: np.ndarray, samples: np.ndarray) -> Share:
    """Return a pooled mean that may be negative, with its percentile interval over mazes.

    Args:
        top: sum of each maze, ``float[n_mazes]``.
        count: number of things summed in each, ``float[n_mazes]``.
        samples: weights of mazes, those as they are first, ``float[1 + draws, n_mazes]``.
    """
    return interval_of(bootstrap.quotient(samples @ top, samples @ count), count)


def interval_of(values: np.ndarray, count: np.ndarray) -> Share:
    """Return a statistic ``float[1 + draws]`` with its interval; none for too few mazes with anything counted."""
    return Share(*bootstrap.with_ends(values, int((count > 0).sum())))


def written_place(
    place: str,
    right: tuple[np.ndarray, np.ndarray, np.ndarray],
    rows: Sequence[WrittenRow],
    site: str,
    strengths: Sequence[float],
    samples: np.ndarray,
    learned: np.ndarray,
) -> WrittenPlace:
    """Return what comes of reading and writing at one place of a site.

    Args:
        place: ``mouse`` or ``map``.
        right: of the levels learned from: moves got right, the same with shuffled moves, frames; ``float[m]`` each.
        rows: of the levels written in.
        site: name of the site.
        strengths: of what was written.
        samples: weights of the levels written in, those as they are first, ``float[1 + draws, n]``.
        learned: the same of the levels learned from, ``float[1 + draws, m]``.
    """
    told, chance, frames = right
    count = np.array([row.branches for row in rows], dtype=float)
    clean = np.array([row.clean.taken for row in rows])
    sums = {name: effects_of(rows, site, place, name, len(strengths)) for name in (*DIRECTIONS, *CONTROLS)}
    rises = {
        name: bootstrap.quotient((each["taken"] - clean) @ samples.T, samples @ count) for name, each in sums.items()
    }
    best = np.max([rises[name] for name in CONTROLS], axis=0)  # [strengths, 1 + draws]
    return WrittenPlace(
        place=place,
        accuracy=mean_share(told, frames, learned),
        chance=mean_share(chance, frames, learned),
        above=mean_share(told - chance, frames, learned),
        directions=tuple(
            _direction(name, sums[name], rises[name], None if name in CONTROLS else best, strengths, count, samples)
            for name in sums
        ),
    )


def _direction(
    name: str,
    sums: Mapping[str, np.ndarray],
    rises: np.ndarray,
    best: np.ndarray | None,
    strengths: Sequence[float],
    count: np.ndarray,
    samples: np.ndarray,
) -> WrittenDirection:
    effects = []
    for k, strength in enumerate(strengths):
        effects.append(
            WrittenEffect(
                strength=strength,
                taken=mean_share(sums["taken"][k], count, samples),
                rise=interval_of(rises[k], count),
                beyond=None if best is None else interval_of(rises[k] - best[k], count),
                entered=mean_share(sums["entered"][k], count, samples),
                goes_on=mean_share(sums["goes_on"][k], count, samples),
            )
        )
    enough = (each.strength for each in effects if each.beyond is not None and (each.beyond.value or 0.0) >= HALF)
    return WrittenDirection(name, tuple(effects), next(enough, None))
