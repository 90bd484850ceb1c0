"""From what was measured of each level to numbers with intervals: how few channels carry the cheese."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from agents.networks.policy import Policy
from steering.anatomy.circuit import choices
from steering.anatomy.circuit.greedily import GREEDY_PASSES
from steering.anatomy.circuit.measure import PASSES, circuit_sites, outcome_levels
from steering.anatomy.circuit.orders import checking_half, finding_half, reached, sizes
from steering.anatomy.circuit.overlap import overlap
from steering.anatomy.circuit.points import POINTS_PASS
from steering.anatomy.circuit.rows import GreedySetsRow, OutcomesRow, RemovedRow, SearchRow, SetsRow, SinglesRow
from steering.anatomy.circuit.states import MOST
from steering.anatomy.part import Asked, Part, Rows
from steering.interventions.sites import Site
from steering.records.anatomy.circuit_site import FALLS, SHARES, CircuitSite, Needed, Overlap, Removed, SizedSet
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts, site_facts
from steering.statistics import bootstrap
from steering.statistics.seeding import generator

UNKNOWN = Estimate(None, None, None)
MIXING = (nn.Linear, nn.modules.conv._ConvNd)  # what makes new channels of those before


def circuit_site(
    facts: SiteFacts,
    space: str,
    ranked: Sequence[Sequence[SinglesRow]],
    searched: tuple[Sequence[RemovedRow], Sequence[SearchRow]],
    measured: Sequence[SetsRow],
    outcomes: Sequence[OutcomesRow],
    greedy: Sequence[GreedySetsRow],
    seed: int,
) -> CircuitSite:
    """Return what the rows of all levels come to at one site, but for its overlap with the site before.

    Args:
        facts: of the site.
        space: first site of its channel space.
        ranked: rows of single channels, of the finding and of the checking half.
        searched: rows of the finding half with channels removed: one by one, and in sets.
        measured: rows of sets, of the checking half.
        outcomes: exact outcomes, of some levels of the checking half.
        greedy: rows of sets found greedily, of the checking half.
        seed: of the resamples.
    """
    name, channels = facts.name, facts.shape[0]
    finding, checking = ranked
    order = choices.ranked(finding, name)
    at, mazes = sizes(channels), len(measured)
    weights = _weights(mazes, seed, "circuit bootstrap")
    clean = np.array([row.clean for row in checking])

    def estimate(values: np.ndarray) -> Estimate:
        return _estimate(values, mazes)

    def curve(what: str) -> np.ndarray:
        left = np.array([getattr(row.sites[name], what) for row in measured]).reshape(mazes, len(at))
        return bootstrap.blindness(left.T, clean, weights).T  # [1 + draws, sizes]

    kinds = {what: curve(what) for what in ("ranked", "norm", "random")}
    full = kinds["ranked"][:, -1]
    blind = np.where(full >= choices.LEAST_BLIND, full, np.nan)
    counts = {what: choices.shares_reached(values, channels) for what, values in kinds.items()}
    most = len(greedy[0].sites.get(name, ())) if greedy else 0
    taken = np.array([row.sites.get(name, ()) for row in greedy]).reshape(mazes, most)
    kinds["greedy"] = np.full_like(kinds["ranked"], np.nan)  # beyond the most that are taken
    kinds["greedy"][:, :most] = bootstrap.blindness(taken.T, clean, weights).T
    few = _weights(len(outcomes), seed, "circuit outcomes bootstrap")
    competence = _competence(outcomes, name, few)
    numbers = [channels if np.isnan(values[0]) else int(values[0]) for values in counts["ranked"]]
    needed = [
        Needed(
            share,
            estimate(counts["ranked"][k]),
            estimate(counts["norm"][k]),
            estimate(counts["random"][k]),
            estimate(_within(kinds["greedy"], at, share * blind)),
            competence.get(numbers[k], UNKNOWN),
        )
        for k, share in enumerate(SHARES)
    ]
    region = np.array([[*row.sites[name].region, row.sites[name].region_random] for row in outcomes])
    change = region.reshape(-1, len(FALLS) + 1) - np.array([row.no_cheese for row in outcomes])[:, None]

    def changed(k: int) -> Estimate:
        return _estimate(bootstrap.quotient(few @ change[:, k], few.sum(axis=1)), len(outcomes))

    def sized(k: int, size: int) -> SizedSet:
        ranked, norm, random, greedily = (
            estimate(kinds[what][:, k]) for what in ("ranked", "norm", "random", "greedy")
        )
        return SizedSet(size, ranked, norm, random, greedily, competence.get(size))

    def left(what: str, k: int) -> Estimate:
        values = np.array([getattr(row.sites[name], what).left[k] for row in measured])
        return estimate(1.0 - bootstrap.blindness(values, clean, weights))

    removed = [
        Removed(
            fall,
            tuple(int(channel) for channel in chosen),
            left("removed", k),
            left("removed_random", k),
            changed(k),
        )
        for k, (fall, chosen) in enumerate(zip(FALLS, choices.removal_sets(finding, *searched, name), strict=True))
    ]
    half = needed[0].ranked.value
    again = choices.ranked(checking, name) if checking else order
    return CircuitSite(
        **vars(facts),
        channels=channels,
        space=space,
        full=estimate(full),
        ranking=tuple(int(channel) for channel in order),
        sets=tuple(sized(k, size) for k, size in enumerate(at)),
        needed=tuple(needed),
        halves=_first_shared(order, half, again, half),
        before=None,
        removed=tuple(removed),
        region_random=changed(len(FALLS)),
    )


def _estimate(values: np.ndarray, mazes: int) -> Estimate:
    """Return a statistic of so many mazes, as they are first, then of each resample: ``float64[1 + draws]``."""
    return Estimate(*bootstrap.with_ends(values, mazes)) if mazes else UNKNOWN


def _competence(outcomes: Sequence[OutcomesRow], site: str, weights: np.ndarray) -> dict[int, Estimate]:
    """Return competence by the number of ranked channels that the vector is subtracted in."""
    if not outcomes:
        return {}
    bare = np.array([row.no_cheese_first for row in outcomes])
    edited = np.transpose([row.sites[site].competence for row in outcomes])
    return {
        size: _estimate(bootstrap.competence(values, bare, weights), len(outcomes))
        for size, values in zip(outcomes[0].sites[site].sizes, edited, strict=True)
    }


def _weights(mazes: int, seed: int, what: str) -> np.ndarray:
    """Return weights of the mazes, those as they are first, then each resample: ``float64[1 + draws, n]``."""
    if not mazes:
        return np.ones((1, 0))
    drawn = bootstrap.counts(bootstrap.resamples(mazes, generator(seed, 0, what, 0)))
    return np.vstack([np.ones(mazes), drawn])


def _within(curves: np.ndarray, at: Sequence[int], target: np.ndarray) -> np.ndarray:
    """Return the channels at which curves reach a target: ``float64[1 + draws]``.

    NaN throughout where the first curve, that of the mazes as they are, does not; a resample of which that is true has
    all channels, for all would do.
    """
    counts = reached(curves, at, target)
    if np.isnan(counts[0]):
        return np.full_like(counts, np.nan)
    return np.where(np.isnan(counts) & ~np.isnan(target), at[-1], counts)


def _first_shared(first: np.ndarray, one: float | None, second: np.ndarray, other: float | None) -> Overlap | None:
    """Return what the first channels of two rankings have in common; None where there are none, or all."""
    if one is None or other is None or max(one, other) >= len(first):
        return None
    return overlap(set(first[: int(one)].tolist()), set(second[: int(other)].tolist()), len(first))


def channel_spaces(policy: Policy, sites: Sequence[Site]) -> list[str]:
    """Return for each site the first of those before it that have the same channels: none of them mixes channels."""
    found: list[str] = []
    for k, site in enumerate(sites):
        mixes = site.depth == 0 or isinstance(policy.net.get_submodule(site.name), MIXING)
        fits = k and sites[k - 1].shape[0] == site.shape[0] and len(sites[k - 1].shape) == len(site.shape)
        found.append(found[-1] if fits and not mixes else site.name)
    return found


def _summarize(asked: Asked, rows: Sequence[Rows]) -> tuple[CircuitSite, ...]:
    levels = asked.settings.levels
    finding, checking = finding_half(levels), checking_half(levels)

    def of(number: int, which: Sequence[int]) -> list[Any]:
        return [rows[number][level] for level in which]

    ranked = of(0, finding), of(0, checking)
    searched = of(1, finding), of(2, finding)
    measured, outcomes, greedy = of(3, checking), of(4, outcome_levels(levels)), of(6, checking)
    sites = circuit_sites(asked.sites)
    found: list[CircuitSite] = []
    for facts, space in zip(site_facts(sites), channel_spaces(asked.policy, sites), strict=True):
        site = circuit_site(facts, space, ranked, searched, measured, outcomes, greedy, asked.settings.seed)
        if found and found[-1].space == space:
            last = found[-1]
            orders = np.array(last.ranking), np.array(site.ranking)
            shared = _first_shared(orders[0], last.half.ranked.value, orders[1], site.half.ranked.value)
            site = replace(site, before=shared)
        found.append(site)
    return tuple(found)


PART = Part((*PASSES, *GREEDY_PASSES, POINTS_PASS), _summarize, frames=4 * MOST)
"""The part ``circuit``."""
