"""Blindness by where the mouse is: by the path from where the vector was taken, by the cheese, and where it goes."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from steering.experiments.conditions import MAIN
from steering.experiments.outcome import CELLS, PROFILE_SUMS, cells_label
from steering.records.sweep import EffectSpread, NearnessBin, PooledProfile, PositionBin, ReceptiveFieldSplit
from steering.statistics import bootstrap
from steering.statistics.boundary import Curves
from steering.sweep.outcome_table import Distances, OutcomeTable
from steering.sweep.store import Store

_SUMS_OF = operator.attrgetter(*PROFILE_SUMS)
_DISTANCES = [1 + PROFILE_SUMS.index(name) for name in PROFILE_SUMS if name.startswith("tv_")]  # columns of `Bins`
INSIDE, OUTSIDE = 0, 1  # ``outside`` of a profile
# Of one site, by (distance, outside): ``float64[n_levels, 5]``, the number of states and the sums of the profiles.
Bins = dict[tuple[int, int], np.ndarray]
LARGEST = 20  # mazes whose share of the cheese's effect is told
VISITS = "visits"


def effect_spread(tv_clean: np.ndarray) -> EffectSpread:
    """Return among how many mazes the cheese's effect lies.

    Args:
        tv_clean: distance of the policy left alone to the policy without cheese, ``float64[n_levels]``.
    """
    largest = np.sort(tv_clean)[::-1][:LARGEST]
    return EffectSpread(
        effective_mazes=bootstrap.defined(bootstrap.effective_number(tv_clean)),
        largest=bootstrap.defined(bootstrap.quotient(largest.sum(), tv_clean.sum())),
        of=len(largest),
    )


def nearness_curve(table: OutcomeTable, site: str, weights: np.ndarray) -> tuple[NearnessBin, ...]:
    """Return subtraction at one site by the cells between mouse and cheese, with intervals from ``weights``.

    Every state counts by one over the states of its maze, as in blindness of all states, so the bins of a maze add up
    to that. Empty where a level has no such sums: those of a run of an earlier version.
    """
    bins = table.nearness(site)
    if bins is None:
        return ()
    total = bins[..., 2].sum()
    found = []
    for cells, (states, tv, tv_clean) in zip(CELLS, np.moveaxis(bins, -1, 1), strict=True):
        if states.any():
            low, high = bootstrap.blindness_interval(tv, tv_clean, weights)
            found.append(
                NearnessBin(
                    cells=cells,
                    states=int(states.sum()),
                    mazes=int(np.count_nonzero(states)),
                    effect=bootstrap.defined(bootstrap.quotient(tv_clean.sum(), total)),
                    effective_mazes=bootstrap.defined(bootstrap.effective_number(tv_clean)),
                    blindness=bootstrap.defined(bootstrap.blindness(tv, tv_clean)),
                    blindness_low=bootstrap.defined(low),
                    blindness_high=bootstrap.defined(high),
                )
            )
    return tuple(found)


def weighed(table: OutcomeTable, sites: Sequence[str]) -> dict[str, Distances]:
    """Return the distances of subtraction at ``sites`` with the states of a maze weighed in other ways, by their name.

    By visits, and of the states at each distance from the cheese; these only where all sites and levels have them.
    Edited ``float64[n_sites, n_levels]``, left alone ``float64[n_levels]``.
    """
    edited = np.array([table.condition(MAIN, site).tv_no_cheese_occupancy for site in sites])
    found = {VISITS: (edited, table.reference("clean").tv_no_cheese_occupancy)}
    bins = [table.nearness(site) for site in sites]
    known = [part for part in bins if part is not None]
    if len(known) == len(bins):
        for k, cells in enumerate(CELLS):
            found[cells_label(cells)] = np.array([part[k, :, 1] for part in known]), known[0][k, :, 2]
    return found


def weighed_curves(curves: Curves, parts: Mapping[str, Distances], weights: np.ndarray) -> dict[str, Curves]:
    """Return ``curves`` with blindness of other distances, by their name; competence stays that of the whole policy.

    Left out are distances where the cheese changes nothing, and resamples in which it does not.
    """
    found = {}
    for name, (edited, clean) in parts.items():
        if not clean.sum() > 0:
            continue
        boot = bootstrap.blindness(edited, clean, weights).T
        defined = np.isfinite(boot).all(axis=1)
        found[name] = replace(
            curves,
            blind=bootstrap.blindness(edited, clean),
            boot_blind=boot[defined],
            boot_able=curves.boot_able[defined],
        )
    return found


def position_bins(store: Store, levels: Sequence[int], coefficient: float) -> dict[str, Bins]:
    """Return the profiles of the levels at each site, by distance and side of the receptive field.

    Distances whose mean over a level's bin is rounding count as zero, as those of outcomes do.
    """
    row = {level: k for k, level in enumerate(levels)}
    bins: dict[str, Bins] = {}
    for profile in store.profiles():
        if profile.level in row and profile.coefficient == coefficient:
            site = bins.setdefault(profile.site, {})
            place = profile.distance, profile.outside
            sums = site.get(place)
            if sums is None:
                sums = site[place] = np.zeros((len(levels), 1 + len(PROFILE_SUMS)))
            sums[row[profile.level]] += [profile.states, *_SUMS_OF(profile)]
    for sums in (sums for site in bins.values() for sums in site.values()):
        sums[:, _DISTANCES] = bootstrap.without_rounding(sums[:, _DISTANCES], sums[:, :1])
    return bins


def position_curve(bins: Bins, weights: np.ndarray) -> tuple[PositionBin, ...]:
    """Return blindness and interaction of one site by distance, with intervals from ``weights``."""

    def at(distance: int) -> PositionBin:
        both = _pooled([sums for (where, _), sums in bins.items() if where == distance], weights)
        inside, outside = (
            _pooled([bins[distance, side]] if (distance, side) in bins else [], weights) for side in (INSIDE, OUTSIDE)
        )
        return PositionBin(distance, **vars(both), inside=inside, outside=outside)

    return tuple(at(distance) for distance in sorted({distance for distance, _ in bins}))


def receptive_field_split(bins: Bins, weights: np.ndarray) -> ReceptiveFieldSplit:
    """Return blindness and interaction of one site inside and outside the receptive field."""
    inside, outside = (
        _pooled([sums for (_, at), sums in bins.items() if at == side], weights) for side in (INSIDE, OUTSIDE)
    )
    return ReceptiveFieldSplit(inside, outside)


def _pooled(parts: Sequence[np.ndarray], weights: np.ndarray) -> PooledProfile:
    """Return the profile of bins taken together, with intervals from ``weights``."""
    empty = np.zeros((weights.shape[1], 1 + len(PROFILE_SUMS)))
    states, tv, tv_clean, rest, difference = np.sum(parts or [empty], axis=0).T
    low, high = bootstrap.blindness_interval(tv, tv_clean, weights)
    if not tv_clean.any():  # the cheese moves nothing here: what the vector leaves of it is of no effect
        difference = np.zeros_like(difference)
    rest_low, rest_high = bootstrap.ratio_interval(rest, difference, weights)
    return PooledProfile(
        states=int(states.sum()),
        mazes=int(np.count_nonzero(states)),
        blindness=bootstrap.defined(bootstrap.blindness(tv, tv_clean)),
        blindness_low=bootstrap.defined(low),
        blindness_high=bootstrap.defined(high),
        interaction=bootstrap.defined(bootstrap.quotient(rest.sum(), difference.sum())),
        interaction_low=bootstrap.defined(rest_low),
        interaction_high=bootstrap.defined(rest_high),
    )
