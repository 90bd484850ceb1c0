"""Paired comparison of runs: agents, coefficients of one run, or snapshots of one training.

All runs are read from their stores and cut to the mazes and trunk sites that all have, with the same bootstrap
resamples, so that differences are between runs and not between mazes. Nothing is computed by a network.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.errors import InputError, check_random_seed
from steering.analysis.compared_runs import ComparedRun, are_training_seeds
from steering.analysis.distances import effect_spread, weighed, weighed_curves
from steering.analysis.summary import maze_weights, trunk_curves
from steering.experiments.conditions import MAIN
from steering.experiments.outcome import ATTRACTION, COMPARED
from steering.records.comparison import (
    BlindnessDifference,
    CheeseEffect,
    ComparedBoundary,
    ComparedOutcomes,
    ComparedReferences,
    ComparedRunSummary,
    ComparedSite,
    Comparison,
    CurvePoint,
    RunDifference,
    RunEffect,
    WeightedCurve,
)
from steering.statistics import bootstrap, boundary, paired
from steering.statistics.boundary import Boundary, Curves, ThresholdPair, agreed_thresholds, find_boundary, over_agents
from steering.sweep.outcome_table import Columns, Distances, OutcomeTable
from steering.sweep.store import Store

FORMAT = "mazesteer-compare-1"


@dataclass(frozen=True)
class SharedOutcomes:
    """Outcomes of one run on the mazes and at the sites that all runs share."""

    run: ComparedRun
    """The run."""
    edited: dict[str, Columns]
    """Outcomes under subtraction, ``float64[n]`` each, by site."""
    clean: Columns
    """Outcomes of the policy left alone."""
    no_cheese: Columns
    """Outcomes of the policy in the levels without their cheese."""
    curves: Curves
    """Blindness and competence over the sites."""
    weighed: Mapping[str, Distances]
    """Distances with the states of a maze weighed in other ways, by name."""

    @property
    def distances(self) -> Distances:
        """Return the distances to the policy without cheese: edited ``float[s, n]``, left alone ``float[n]``."""
        return _stacked(self.edited, "tv_no_cheese"), self.clean.tv_no_cheese


def compare(
    runs: Sequence[ComparedRun], *, seed: int = 0, blindness: float | None = None, competence: float | None = None
) -> Comparison:
    """Return all numbers of the comparison of two runs or more.

    Args:
        runs: the first is what the others are compared with.
        seed: of the bootstrap.
        blindness: threshold of the boundary's rule; None: the runs' own.
        competence: threshold of the boundary's rule; None: the runs' own.

    Returns:
        The comparison, without what only its command knows: ``command``, ``versions``, ``readings``, ``unfinished``
        and ``development`` are empty.

    Raises:
        InputError: if the runs' thresholds differ, they share no site or fewer than
            :data:`steering.statistics.bootstrap.FEWEST` mazes, or were swept with another horizon or mode.

    Example:
        >>> settings = {"sites": "input", "conditions": "subtract", "coefficients": (1, 2), "episodes": 0}
        >>> run = layer_sweep("region5", levels="26,52,54,92,95,152", out="runs/new", **settings)
        >>> [arm.name for arm in compare(read_compared_runs([run.directory])).arms]
        ['region5 x1', 'region5 x2']
    """
    first = runs[0]
    sites, levels = _shared_sites(runs), _shared_levels(runs)
    rng = np.random.default_rng(check_random_seed(seed))
    weights = bootstrap.counts(bootstrap.resamples(len(levels), rng))
    shared = [_cut(run, sites, levels, weights) for run in runs]
    rule = agreed_thresholds([run.thresholds for run in runs], blindness=blindness, competence=competence)
    boundaries = [find_boundary(part.curves, blindness=rule.blindness, competence=rule.competence) for part in shared]
    site = boundaries[0].site or sites[0]
    differences = [_blindness_differences(shared[0], part, weights) for part in shared[1:]]
    effects = _in_words([_outcome_effects(shared[0], part, site, rng) for part in shared[1:]])
    mean, no_mean = _mean_boundary(shared, rule, rng)
    return Comparison(
        format=FORMAT,
        levels=tuple(levels),
        sites=tuple(sites),
        classes=shared[0].curves.classes,
        facts=tuple(_site(first, name) for name in sites),
        thresholds=rule,
        horizon=first.spec.horizon,
        mode=first.spec.mode,
        seed=seed,
        arms=tuple(_summary(part, found, rule, weights) for part, found in zip(shared, boundaries, strict=True)),
        differences=tuple(
            RunDifference(of=run.name, against=first.name, blindness=difference, effects=effect)
            for run, difference, effect in zip(runs[1:], differences, effects, strict=True)
        ),
        over_agents=mean,
        no_over_agents=no_mean,
        command="",
        versions={},
        readings=None,
        no_readings="",
        unfinished=(),
    )


def _shared_sites(runs: Sequence[ComparedRun]) -> list[str]:
    """Return the trunk sites that all runs have.

    Raises:
        InputError: if there are none, or for another horizon or mode.
    """
    first = runs[0]
    for run, name in itertools.product(runs[1:], ("horizon", "mode")):
        here, there = getattr(first.spec, name), getattr(run.spec, name)
        if here != there:
            raise InputError(f"compare: {first.name} has {name} {here}, {run.name} {there}; sweep both alike")
    sites = [site for site in first.sites if all(site in run.sites for run in runs)]
    if not sites:
        raise InputError("compare: the runs have no trunk site in common; sweep all with the same --sites")
    return sites


def _shared_levels(runs: Sequence[ComparedRun]) -> list[int]:
    """Return the levels that all runs have finished; raises :class:`InputError` if these are too few."""
    levels = [level for level in runs[0].levels if all(level in run.levels for run in runs)]
    if len(levels) < bootstrap.FEWEST:
        raise InputError(
            f"compare: the runs share {len(levels)} finished levels, {bootstrap.FEWEST} are needed; "
            "sweep the same --levels"
        )
    return levels


def _cut(run: ComparedRun, sites: Sequence[str], levels: Sequence[int], weights: np.ndarray) -> SharedOutcomes:
    """Return the outcomes of a run at some of its sites on some of its levels; ``weights``: the resamples."""
    table = dataclasses.replace(run.table, levels=list(levels))
    edited = {site: table.condition(MAIN, site) for site in sites}
    clean, no_cheese = table.reference("clean"), table.reference("no_cheese")
    curves = Curves.of(
        sites,
        [table.facts[site].equivalence_class for site in sites],
        _stacked(edited, "tv_no_cheese"),
        clean.tv_no_cheese,
        _stacked(edited, "p_region_first"),
        no_cheese.p_region_first,
        weights,
    )
    return SharedOutcomes(run, edited, clean, no_cheese, curves, weighed(table, sites))


def _stacked(edited: Mapping[str, Columns], outcome: str) -> np.ndarray:
    return np.array([columns[outcome] for columns in edited.values()])


def _summary(part: SharedOutcomes, boundary: Boundary, rule: ThresholdPair, weights: np.ndarray) -> ComparedRunSummary:
    run = part.run
    return ComparedRunSummary(
        name=run.name,
        checkpoint=run.spec.checkpoint,
        sha256=run.spec.sha256,
        coefficient=run.coefficient,
        vector=run.spec.vector,
        seed=run.spec.seed,
        command=run.command,
        versions=tuple(run.versions),
        boundary=_boundary(boundary, run),
        curve=_points(part, weights),
        reference=ComparedReferences(clean=_means(part.clean), no_cheese=_means(part.no_cheese)),
        tv_no_cheese=float(part.clean.tv_no_cheese.mean()),
        cheese=_cheese(part),
        weightings=_weightings(part, rule, weights),
        spread=effect_spread(part.clean.tv_no_cheese),
    )


def _site(run: ComparedRun, name: str) -> ComparedSite:
    facts = run.table.facts[name]
    return ComparedSite(facts.name, facts.depth, facts.affine, facts.equivalence_class, facts.receptive_field)


def _boundary(found: Boundary, run: ComparedRun) -> ComparedBoundary:
    """Return the boundary, and whether its site is free."""
    return ComparedBoundary(
        site=found.site,
        next_site=found.next_site,
        low=found.low,
        high=found.high,
        change_site=found.change_site,
        change_low=found.change_low,
        change_high=found.change_high,
        blindness_alone=found.blindness_alone,
        rule=found.rule,
        affine=None if found.site is None else run.table.facts[found.site].affine,
    )


def _points(part: SharedOutcomes, weights: np.ndarray) -> tuple[CurvePoint, ...]:
    edited, clean = part.distances
    ends = [bootstrap.blindness_interval(row, clean, weights) for row in edited]
    return tuple(
        CurvePoint(
            site, bootstrap.defined(blind), bootstrap.defined(low), bootstrap.defined(high), bootstrap.defined(able)
        )
        for site, blind, (low, high), able in zip(
            part.curves.sites, part.curves.blind, ends, part.curves.able, strict=True
        )
    )


def _weightings(part: SharedOutcomes, rule: ThresholdPair, weights: np.ndarray) -> tuple[WeightedCurve, ...]:
    """Return subtraction with states weighed in other ways, each with its boundary."""
    found = []
    for name, curves in weighed_curves(part.curves, part.weighed, weights).items():
        edited, clean = part.weighed[name]
        lows, highs = zip(*(bootstrap.blindness_interval(row, clean, weights) for row in edited), strict=True)
        blind, low, high = (tuple(map(bootstrap.defined, ends)) for ends in (curves.blind, lows, highs))
        reach = vars(boundary.reach(curves, rule.blindness, rule.competence))
        found.append(WeightedCurve(name, **reach, blindness=blind, blindness_low=low, blindness_high=high))
    return tuple(found)


def _means(columns: Columns) -> ComparedOutcomes:
    return ComparedOutcomes(**{outcome: bootstrap.defined(float(np.nanmean(columns[outcome]))) for outcome in COMPARED})


def _cheese(part: SharedOutcomes) -> tuple[CheeseEffect, ...]:
    """Return the effect of the cheese: the agent left alone against the level without it, by outcome."""
    found = []
    for outcome in ATTRACTION:
        rng = np.random.default_rng(part.run.spec.seed)
        effect = paired.paired_effect(part.clean[outcome], part.no_cheese[outcome], rng)
        found.append(CheeseEffect(outcome=outcome, **vars(effect)))
    return tuple(found)


def _blindness_differences(
    first: SharedOutcomes, other: SharedOutcomes, weights: np.ndarray
) -> tuple[BlindnessDifference, ...]:
    """Return blindness of the second run minus that of the first at each site, paired by maze."""
    curves = other.curves
    distinct = [group[0] for group in curves.groups]
    points = zip(
        *bootstrap.difference_intervals(first.distances, other.distances, weights, distinct),
        strict=True,
    )
    draws = curves.boot_blind - first.curves.boot_blind
    larger = ((draws > bootstrap.TIE) + (np.abs(draws) <= bootstrap.TIE) / 2).mean(axis=0)
    return tuple(
        BlindnessDifference(
            site=site,
            difference=bootstrap.defined(value),
            low=bootstrap.defined(value - one),
            high=bootstrap.defined(value + one),
            band_low=bootstrap.defined(value - most),
            band_high=bootstrap.defined(value + most),
            larger=float(share) if np.isfinite(value) else None,
        )
        for site, (value, one, most), share in zip(curves.sites, points, larger, strict=True)
    )


def _outcome_effects(
    first: SharedOutcomes, other: SharedOutcomes, site: str, rng: np.random.Generator
) -> dict[str, paired.PairedEffect]:
    """Return the second run minus the first, maze by maze: each outcome left alone and edited at ``site``, by name."""
    pairs = {f"{MAIN} at {site}": (other.edited[site], first.edited[site])}
    if other.run.spec.sha256 != first.run.spec.sha256:  # else left alone they are the same by construction, and no test
        pairs = {"clean": (other.clean, first.clean), **pairs}
    return {
        f"{outcome}, {where}": paired.paired_effect(a[outcome], b[outcome], rng)
        for outcome, (where, (a, b)) in itertools.product(COMPARED, pairs.items())
    }


def _in_words(runs: Sequence[Mapping[str, paired.PairedEffect]]) -> list[dict[str, RunEffect]]:
    """Return the effects with Holm's adjustment over all of them, and in words."""
    adjusted = iter(paired.holm([effect.p for effects in runs for effect in effects.values()]))
    found = []
    for effects in runs:
        told = {}
        for what, effect in effects.items():
            p = next(adjusted)
            told[what] = RunEffect(**vars(effect), words=paired.in_words(effect, what, p), p_holm=p)
        found.append(told)
    return found


def _mean_boundary(
    shared: Sequence[SharedOutcomes], rule: ThresholdPair, rng: np.random.Generator
) -> tuple[ComparedBoundary | None, str | None]:
    """Return the boundary over agents, and why there is none; None and None if the runs are not seeds of one recipe."""
    if not are_training_seeds([part.run for part in shared]):
        return None, None
    undefined = [part.run.name for part in shared if not np.isfinite(part.curves.blind).all()]
    if undefined:
        return None, f"the cheese changes nothing for {', '.join(undefined)}"
    curves = [part.curves for part in shared]
    found = over_agents(curves, rng, same_mazes=True, blindness=rule.blindness, competence=rule.competence)
    return _boundary(found, shared[0].run), None


def agents_boundary(
    directories: Sequence[Path], *, blindness: float | None = None, competence: float | None = None, seed: int = 0
) -> boundary.Boundary:
    """Return the boundary over the agents of several finished runs (:func:`boundary.over_agents`).

    Thresholds that are None are the runs' own.

    Raises:
        InputError: for runs that cannot be read, were not swept at the same sites, or have other thresholds than one
            another.
    """
    curves, mazes, known = [], set(), []
    for directory in directories:
        table = OutcomeTable.open(directory)
        with Store.open(directory) as store:
            known.append(store.thresholds())
        found = trunk_curves(table, maze_weights(table))
        if found is None:
            raise InputError(f"{directory}: no trunk site was swept under `{MAIN}`")
        curves.append(found)
        mazes.add((tuple(table.levels), table.spec.mode, table.spec.seed))
    rng = np.random.default_rng(seed)
    rule = boundary.agreed_thresholds(known, blindness=blindness, competence=competence)
    return boundary.over_agents(
        curves, rng, same_mazes=len(mazes) == 1, blindness=rule.blindness, competence=rule.competence
    )
