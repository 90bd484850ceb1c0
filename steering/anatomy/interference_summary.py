"""From the angles of each level to numbers with intervals, beside what chance predicts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from steering.anatomy import gram
from steering.anatomy.interference import (
    CELLS,
    DISTANCES,
    STATES,
    WITHIN,
    Angles,
    DistancePart,
    InterferenceRow,
    SiteRow,
)
from steering.anatomy.mean_vectors import OVER_LEVELS, MeanRow
from steering.anatomy.part import ONCE, Asked, Part, Rows
from steering.records.anatomy.interference_site import (
    LARGEST,
    MEDIAN,
    RMS,
    ByDistance,
    Compared,
    InterferenceSite,
    MeanVectors,
    SetsRead,
)
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts, site_facts
from steering.statistics import bootstrap

Chance = Callable[[int, float], float]  # (vectors, dimension) -> what chance predicts
Ends = Callable[[np.ndarray, int], tuple[float | None, float | None, float | None]]
"""Function of a statistic (as it is first, then of each resample) and the number of mazes: value, low and high end."""


def interference_site(
    facts: SiteFacts,
    size: int,
    rows: Sequence[InterferenceRow],
    samples: np.ndarray,
    ends: Ends = bootstrap.with_ends,
) -> InterferenceSite:
    """Return what the angles of all levels at one site come to.

    Args:
        facts: of the site.
        size: numbers in one of its vectors.
        rows: of the levels.
        samples: weights of the levels, those as they are first, ``float64[1 + draws, n]``.
        ends: makes the intervals.
    """
    found = [row.sites[facts.name] for row in rows]
    effective = np.array([np.nan if row.effective is None else row.effective for row in found])
    cells = np.array([row.cells for row in found])
    distances = [
        _distance(low, high, [row.distances[k] for row in found], samples, ends)
        for k, (low, high) in enumerate(itertools.zip_longest(DISTANCES, DISTANCES[1:]))
    ]
    return InterferenceSite(
        **vars(facts),
        dimension=size,
        effective=_mean(effective, samples, ends),
        cells=float(cells.mean()),
        could_be_orthogonal=bool((cells <= size).all()),
        bound=_bound(cells, np.full(len(cells), float(size))),
        bound_effective=_bound(cells, effective),
        raw=_compared([row.raw for row in found], cells, size, effective, samples, ends, less_mean=False),
        centred=_compared([row.centred for row in found], cells, size, effective, samples, ends, less_mean=True),
        distances=tuple(distances),
        sets=tuple(_sets(found, k, samples, ends) for k in range(len(found[0].sets))),
    )


def _mean(values: np.ndarray, samples: np.ndarray, ends: Ends) -> Estimate:
    """Return the mean over the mazes in which it is defined."""
    known = ~np.isnan(values)
    sums = samples @ np.where(known, values, 0.0)
    return Estimate(*ends(bootstrap.quotient(sums, samples @ known.astype(float)), int(known.sum())))


def _root_mean(squares: np.ndarray, pairs: np.ndarray, samples: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(bootstrap.quotient(samples @ squares, samples @ pairs)))


def _bound(cells: np.ndarray, dimension: np.ndarray) -> float | None:
    known = (cells > 1) & ~np.isnan(dimension)
    if not known.any():
        return None
    return float(np.mean([gram.bound_of(m, d) for m, d in zip(cells[known], dimension[known], strict=True)]))


def _compared(
    angles: Sequence[Angles],
    cells: np.ndarray,
    size: int,
    effective: np.ndarray,
    samples: np.ndarray,
    ends: Ends,
    *,
    less_mean: bool,
) -> tuple[Compared, ...]:
    """Return the three numbers about cosines, each beside what chance predicts in either dimension."""
    pairs = np.array([each.pairs for each in angles], dtype=float)
    some = (pairs > 0).astype(float)
    nominal = np.full(len(cells), float(size))

    def chance_square(vectors: int, dimension: float) -> float:
        return gram.chance_square(vectors, dimension, less_mean=less_mean)

    def chance_median(_: int, dimension: float) -> float:
        return math.nan if less_mean else gram.chance_cosine(dimension)

    def chance_largest(vectors: int, dimension: float) -> float:
        return math.nan if less_mean else gram.chance_largest(vectors, dimension)

    def row(what: str, values: np.ndarray, weights: np.ndarray, chance: Chance, root: bool) -> Compared:
        found = bootstrap.quotient(samples @ values, samples @ weights)
        measured = np.sqrt(found) if root else found
        sides: list[tuple[float | None, Estimate]] = []
        for dimension in (nominal, effective):
            known = (weights > 0) & ~np.isnan(dimension)
            expected = np.zeros(len(cells))
            expected[known] = [chance(m, d) for m, d in zip(cells[known], dimension[known], strict=True)]
            of_known = np.where(known, weights, 0.0)
            ratio = bootstrap.quotient(samples @ np.where(known, values, 0.0), samples @ (expected * of_known))
            predicted = bootstrap.quotient(expected @ of_known, of_known.sum())
            ratio, predicted = (np.sqrt(ratio), np.sqrt(predicted)) if root else (ratio, predicted)
            sides.append((bootstrap.defined(predicted), Estimate(*ends(ratio, int(known.sum())))))
        (random, ratio_), (random_effective, ratio_effective) = sides
        return Compared(
            what, Estimate(*ends(measured, int(some.sum()))), random, ratio_, random_effective, ratio_effective
        )

    squares, medians, largest = (
        np.array([getattr(each, name) for each in angles]) for name in ("squares", "median", "largest")
    )
    return (
        row(RMS, squares, pairs, chance_square, True),
        row(MEDIAN, medians, some, chance_median, False),
        row(LARGEST, largest, some, chance_largest, False),
    )


def _distance(low: int, high: int | None, parts: Sequence[DistancePart], samples: np.ndarray, ends: Ends) -> ByDistance:
    pairs, squares = (np.array([getattr(part, name) for part in parts], dtype=float) for name in ("pairs", "squares"))
    rms = Estimate(*ends(_root_mean(squares, pairs, samples), int((pairs > 0).sum())))
    return ByDistance(low, high, int(pairs.sum()), rms)


def _sets(found: Sequence[SiteRow], k: int, samples: np.ndarray, ends: Ends) -> SetsRead:
    parts = [row.sets[k] for row in found]
    sets, right, random = (np.array([getattr(p, n) for p in parts], dtype=float) for n in ("sets", "right", "random"))
    mazes = int((sets > 0).sum())
    shares = [Estimate(*ends(bootstrap.quotient(samples @ each, samples @ sets), mazes)) for each in (right, random)]
    return SetsRead(parts[0].size, int(sets.sum()), *shares)


def means_of(facts: SiteFacts, size: int, row: MeanRow) -> MeanVectors | None:
    """Return what the angles between the means of cells at one site come to; None without means."""
    if not row.sites:
        return None
    found = row.sites[facts.name]
    rows = [InterferenceRow({facts.name: angles}) for angles in found.angles]
    site = interference_site(facts, size, rows, np.eye(len(rows)), lambda values, _: _jackknifed(values, 0.0, np.inf))
    halves = [
        np.array([np.nan if (value := getattr(part, name)) is None else value for part in found.halves])
        for name in ("same", "other", "found")
    ]
    same, other = (Estimate(*_jackknifed(values, -1.0, 1.0)) for values in halves[:2])
    return MeanVectors(
        cells=row.cells,
        levels=row.levels,
        same=same,
        other=other,
        recognised=Estimate(*_jackknifed(halves[2], 0.0, 1.0)),
        raw=site.raw,
        centred=site.centred,
        distances=site.distances,
        sets=site.sets,
    )


def _jackknifed(values: np.ndarray, least: float, most: float) -> tuple[float | None, float | None, float | None]:
    """Return a statistic with its jackknife interval, of which what no such statistic can be is cut off."""
    value, low, high = bootstrap.jackknifed(values)
    return value, None if low is None else max(low, least), None if high is None else min(high, most)


def _summarize(asked: Asked, rows: Sequence[Rows]) -> tuple[InterferenceSite, ...]:
    within, means = rows
    found = [within[level] for level in asked.settings.levels]
    sites = []
    for known, site in zip(site_facts(asked.sites), asked.sites, strict=True):
        one = interference_site(known, site.size, found, asked.samples)
        sites.append(replace(one, means=means_of(known, site.size, means[ONCE])))
    return tuple(sites)


PART = Part((WITHIN, OVER_LEVELS), _summarize, frames=CELLS + STATES)
"""The part ``interference``."""
