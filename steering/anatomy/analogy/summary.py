"""From the analogies of each maze to numbers with intervals, and to what they go with: depth or dimensions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from steering.anatomy.analogy.behaviour import STATES
from steering.anatomy.analogy.measure import PAIRED, AnalogyRow, AnalogySiteRow, GroupPart
from steering.anatomy.analogy.pairs import CELLS, PARTNERS
from steering.anatomy.interference import DISTANCES
from steering.anatomy.part import Asked, Part, Rows
from steering.records.anatomy.analogy_site import (
    DEPTH,
    DIMENSIONS,
    EFFECTIVE,
    GUESSES,
    MEASURES,
    AnalogySite,
    AnalogySummary,
    Group,
    Nearest,
    Ranked,
    Trend,
)
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts, site_facts
from steering.statistics import bootstrap

FRAMES = 200  # for the check of memory, which takes 16 bytes a number: a large maze has 640 frames, at 4
FEWEST = 4  # sites that a correlation is taken over


def analogy_site(facts: SiteFacts, size: int, rows: Sequence[AnalogyRow], samples: np.ndarray) -> AnalogySite:
    """Return what the analogies of all mazes at one site come to.

    Args:
        facts: of the site.
        size: numbers in one of its vectors.
        rows: of the mazes.
        samples: weights of the mazes, those as they are first, ``float64[1 + draws, n]``.
    """
    found = [row.sites[facts.name] for row in rows]
    count = np.array([row.analogies for row in found], dtype=float)

    def share(values: Sequence[float] | np.ndarray) -> Estimate:
        return _ratio(np.array(values, dtype=float), count, samples)

    ranks = [
        Ranked(
            guess,
            measure,
            *(
                share([getattr(row.ranks[k], name) for row in found])
                for name in ("first", "first_excluding", "ranks", "ranks_excluding", "shares")
            ),
        )
        for k, (guess, measure) in enumerate(itertools.product(GUESSES, MEASURES))
    ]
    nearest = np.array([row.nearest for row in found], dtype=float)
    effective = np.array([np.nan if row.effective is None else row.effective for row in found])
    known = (~np.isnan(effective)).astype(float)
    moved = [row.moves for row in found]
    edited, other, nothing = (
        np.array([0.0 if part is None else getattr(part, name) for part in moved])
        for name in ("edited", "other", "nothing")
    )
    same = [row.same_start for row in found]
    return AnalogySite(
        **vars(facts),
        dimension=size,
        effective=_ratio(np.nan_to_num(effective), known, samples),
        analogies=int(count.sum()),
        candidates=float(np.mean([row.candidates for row in found])),
        ranks=tuple(ranks),
        nearest=Nearest(*map(share, (*nearest[:, :3].T, nearest[:, 3:].sum(axis=1)))),
        left=_ratio(np.array([row.left for row in found]), np.array([row.whole for row in found]), samples),
        distances=tuple(
            _group(low, high, [row.distances[k] for row in found], samples)
            for k, (low, high) in enumerate(itertools.zip_longest(DISTANCES, DISTANCES[1:]))
        ),
        same_start=_group(0, None, same, samples),
        behaviour=_ratio(nothing - edited, nothing, samples),
        behaviour_other=_ratio(nothing - other, nothing, samples),
    )


def _ratio(top: np.ndarray, bottom: np.ndarray, samples: np.ndarray) -> Estimate:
    """Return the pooled ratio with its interval over the mazes that have something in the denominator."""
    return Estimate(*bootstrap.with_ends(bootstrap.quotient(samples @ top, samples @ bottom), int((bottom > 0).sum())))


def _group(low: int, high: int | None, parts: Sequence[GroupPart], samples: np.ndarray) -> Group:
    count, first, excluding = (
        np.array([getattr(part, name) for part in parts], dtype=float)
        for name in ("analogies", "first", "first_excluding")
    )
    tops = (_ratio(first, count, samples), _ratio(excluding, count, samples))
    return Group(low, high, int(count.sum()), *tops)


def trends_of(
    facts: Sequence[SiteFacts], sizes: Sequence[int], rows: Sequence[AnalogyRow], samples: np.ndarray
) -> tuple[Trend, ...]:
    """Return how the rate of analogies that hold goes with depth and with dimensions, over distinct trunk sites.

    Args:
        facts: of the sites, in depth order.
        sizes: numbers in a vector of each.
        rows: of the mazes.
        samples: weights of the mazes, those as they are first, ``float64[1 + draws, n]``.
    """
    chosen = [k for k, site in enumerate(facts) if site.trunk is not False and site.equivalence_class == site.name]
    at = [[row.sites[facts[k].name] for row in rows] for k in chosen]
    mazes = sum(any(site.analogies for site in row.sites.values()) for row in rows)
    undefined = Estimate(None, None, None)
    if len(chosen) < FEWEST:
        return tuple(Trend(what, undefined, undefined) for what in (DEPTH, DIMENSIONS, EFFECTIVE))
    count = np.array([[row.analogies for row in found] for found in at], dtype=float)
    first = np.array([[row.ranks[0].first for row in found] for found in at], dtype=float)
    rate = bootstrap.quotient(samples @ first.T, samples @ count.T)
    effective = _effective(at, samples)
    depth = np.broadcast_to(np.arange(len(chosen), dtype=float), rate.shape)
    nominal = np.broadcast_to(np.array([sizes[k] for k in chosen], dtype=float), rate.shape)
    with_depth, with_nominal, with_effective = (rank_correlation(rate, x) for x in (depth, nominal, effective))
    pairs = {
        DEPTH: (with_depth, partial(with_depth, with_effective, rank_correlation(depth, effective))),
        DIMENSIONS: (with_nominal, partial(with_nominal, with_depth, rank_correlation(nominal, depth))),
        EFFECTIVE: (with_effective, partial(with_effective, with_depth, rank_correlation(effective, depth))),
    }
    return tuple(
        Trend(what, *(Estimate(*bootstrap.with_ends(values, mazes)) for values in pair)) for what, pair in pairs.items()
    )


def _effective(at: Sequence[Sequence[AnalogySiteRow]], samples: np.ndarray) -> np.ndarray:
    """Return the mean effective dimension of each sample at each site: ``float64[1 + draws, sites]``."""
    values = np.array([[np.nan if row.effective is None else row.effective for row in found] for found in at])
    known = ~np.isnan(values)
    return bootstrap.quotient(samples @ np.where(known, values, 0.0).T, samples @ known.astype(float).T)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of the rows of two ``float[n, k]`` arrays: ``float64[n]``.

    NaN where one of them does not vary, or is not defined at some place.
    """
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=1, nan_policy="propagate") for values in (first, second)]
    one, two = (each - each.mean(axis=1, keepdims=True) for each in ranks)
    scale = np.sqrt(np.sum(one**2, axis=1) * np.sum(two**2, axis=1))
    return bootstrap.quotient(np.sum(one * two, axis=1), scale)


def partial(with_first: np.ndarray, with_second: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Return the partial correlation with the first at equal second, from three correlations; NaN if they are one."""
    scale = np.sqrt(np.maximum((1.0 - with_second**2) * (1.0 - between**2), 0.0))
    return bootstrap.quotient(with_first - with_second * between, np.where(scale > 1e-9, scale, 0.0))


def _summarize(asked: Asked, rows: Sequence[Rows]) -> AnalogySummary:
    (paired,) = rows
    found = [paired[level] for level in asked.settings.levels]
    facts, sizes = site_facts(asked.sites), [site.size for site in asked.sites]
    sites = zip(facts, sizes, strict=True)
    return AnalogySummary(
        sites=tuple(analogy_site(known, size, found, asked.samples) for known, size in sites),
        partners=PARTNERS,
        cells=CELLS,
        states=STATES,
        trends=trends_of(facts, sizes, found, asked.samples),
    )


PART = Part((PAIRED,), _summarize, frames=FRAMES)
"""The part ``analogy``."""
