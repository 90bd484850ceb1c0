"""From stored results to the numbers a reader wants: ``summary.json``, made from the store only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.files import write_atomic
from envs.stored.json_records import to_json
from steering.analysis.distances import (
    Bins,
    effect_spread,
    nearness_curve,
    position_bins,
    position_curve,
    receptive_field_split,
    weighed,
    weighed_curves,
)
from steering.analysis.paired_effects import effects
from steering.experiments.conditions import ALL_SITES, BY_NAME, CONTROLS, MAIN, MOVE
from steering.experiments.outcome import OUTCOME_FIELDS
from steering.records.boundary import BoundarySummary, ControlReading, ControlSummary, ThresholdReach, WeightedReach
from steering.records.sweep import (
    CheckpointId,
    CleanReference,
    ConditionSummary,
    LevelsUsed,
    MeanOutcome,
    References,
    SiteSummary,
    SkippedLevel,
    SweepSummary,
)
from steering.statistics import bootstrap, boundary
from steering.statistics.boundary import Reach, ThresholdPair
from steering.statistics.sequential import SequentialStop
from steering.sweep.outcome_table import Columns, OutcomeTable
from steering.sweep.spec import SweepSpec, labelled
from steering.sweep.store import Store

STOP = "stop"  # what the store calls the end of a sweep that was to stop by itself


@dataclass(frozen=True)
class _Basis:
    """The arrays that every number of a run is computed from."""

    table: OutcomeTable
    """The results of the run."""
    clean: Columns
    """Outcomes of the policy left alone, ``float64[n_levels]`` each."""
    no_cheese: Columns
    """Outcomes on the levels without cheese, ``float64[n_levels]`` each."""
    weights: np.ndarray
    """Times that each level occurs in each resample, ``float64[draws, n_levels]``."""


def summarize_run(directory: str | os.PathLike[str]) -> SweepSummary:
    """Return all numbers of a run with the thresholds of its last sweep command, as its ``summary.json`` has them.

    Args:
        directory: what ``--out`` of ``layer-sweep`` was.

    Returns:
        The content of its ``summary.json``.

    Raises:
        InputError: if there is no finished run.

    Example:
        >>> summary = summarize_run("runs/mine")
        >>> [round(site.conditions["subtract"].blindness, 2) for site in summary.sites[:2]]
        [1.0, 1.0]
    """
    spec = SweepSpec.load(directory)
    with Store.read(Path(directory)) as store:
        return summarize(store, spec, **vars(store.thresholds()))


def summarize(
    store: Store,
    spec: SweepSpec,
    *,
    blindness: float = boundary.BLINDNESS,
    competence: float = boundary.COMPETENCE,
) -> SweepSummary:
    """Return all numbers of ``summary.json``, with intervals over mazes.

    Args:
        store: the run's results.
        spec: what the run was asked for.
        blindness: least blindness of every site up to the boundary, from -10 to 10.
        competence: least competence of every site up to the boundary, from -10 to 10.

    Returns:
        The content of ``summary.json``; null where a number is undefined.

    Raises:
        InputError: if no level is finished.

    Example:
        >>> with Store.read("runs/mine") as store:  # of a finished sweep
        ...     summary = summarize(store, SweepSpec.load("runs/mine"), blindness=0.9)
        >>> summary.boundary.site
        'embedder.block1.conv'
    """
    table = OutcomeTable.read(store, spec)
    weights = maze_weights(table)
    basis = _Basis(table, table.reference("clean"), table.reference("no_cheese"), weights)
    bins = position_bins(store, table.levels, spec.coefficients[0])
    sites = tuple(_site(basis, name, bins.get(name, {})) for name in spec.sites)
    everywhere = spec.coefficients if ALL_SITES in spec.conditions else ()
    asked = set(spec.skipped)
    skipped = tuple(SkippedLevel(level, reason) for level, _, reason in store.levels() if level in asked)
    return SweepSummary(
        checkpoint=CheckpointId(spec.checkpoint, spec.sha256),
        levels=LevelsUsed(tuple(table.levels), skipped),
        horizon=spec.horizon,
        seed=spec.seed,
        coefficients=spec.coefficients,
        vector=spec.vector,
        reference=_references(basis),
        sites=sites,
        all_sites=tuple(_condition(basis, ALL_SITES, "", coefficient) for coefficient in everywhere),
        boundary=boundary_readings(table, weights, sites, ThresholdPair(blindness, competence)),
        effects=tuple(effects(table)),
        spread=effect_spread(basis.clean.tv_no_cheese),
        mode=spec.mode,
        stop=next(iter(store.meta(STOP, list[SequentialStop], [])), None),
    )


def maze_weights(table: OutcomeTable) -> np.ndarray:
    """Return the resamples of mazes behind all intervals of a run, ``float64[draws, n_levels]``, by its seed."""
    return bootstrap.counts(bootstrap.resamples(len(table.levels), np.random.default_rng(table.spec.seed)))


def trunk_curves(table: OutcomeTable, weights: np.ndarray, condition: str = MAIN) -> boundary.Curves | None:
    """Return the curves of a condition over the trunk sites swept; None without any."""
    names = table.trunk()
    if not names or condition not in table.spec.conditions:
        return None
    columns = [table.condition(condition, name) for name in names]
    edited, clean = zip(*(table.distances(condition, name) for name in names), strict=True)
    return boundary.Curves.of(
        names,
        table.classes(condition),
        np.array(edited),
        clean[0],
        np.array([each.p_region_first for each in columns]),
        table.reference("no_cheese").p_region_first,
        weights,
    )


def boundary_readings(
    table: OutcomeTable, weights: np.ndarray, sites: Sequence[SiteSummary], thresholds: ThresholdPair
) -> BoundarySummary:
    """Return the boundary of subtraction, and readings of the same rule with other thresholds and controls.

    Args:
        table: the results of the run.
        weights: ``float64[draws, n_levels]`` from :func:`steering.statistics.bootstrap.counts`.
        sites: the numbers of the sites swept.
        thresholds: least blindness and competence up to the boundary.

    Returns:
        The readings; null and empty without trunk sites.
    """
    curves = trunk_curves(table, weights)
    if curves is None:
        return _no_boundary(thresholds)
    blindness, competence = thresholds.blindness, thresholds.competence
    found = boundary.find_boundary(curves, blindness=blindness, competence=competence)
    affine: dict[str | None, bool | None] = {None: None}
    affine |= {name: table.facts[name].affine for name in curves.sites}
    by_blindness, by_competence = (
        tuple(ThresholdReach(least, at.site, at.low, at.high, affine[at.site]) for least, at in curve)
        for curve in (boundary.threshold_curve(curves, competence), boundary.competence_curve(curves, blindness))
    )
    trunk, moved = [site for site in sites if site.trunk], trunk_curves(table, weights, MOVE)
    controls = {condition: trunk_curves(table, weights, condition) for condition in CONTROLS}
    return BoundarySummary(
        site=found.site,
        next_site=found.next_site,
        low=found.low,
        high=found.high,
        change_site=found.change_site,
        change_low=found.change_low,
        change_high=found.change_high,
        blindness_alone=found.blindness_alone,
        rule=found.rule,
        thresholds=thresholds,
        affine=affine[found.site],
        by_threshold={f"{row.threshold:g}": row.site for row in by_blindness},
        threshold_curve=by_blindness,
        competence_curve=by_competence,
        controls={
            condition: ControlSummary(
                there=_most_blind([site for site in trunk if site.name == found.site], condition),
                most=_most_blind([site for site in trunk if not site.affine], condition),
                reach=boundary.reach(each, blindness, None),
                change=boundary.change(each),
            )
            for condition, each in controls.items()
            if each is not None
        },
        moved=None if moved is None else boundary.reach(moved, blindness, None),
        weightings=tuple(
            WeightedReach(name, **vars(boundary.reach(each, blindness, competence)))
            for name, each in weighed_curves(curves, weighed(table, curves.sites), weights).items()
        ),
    )


def _no_boundary(thresholds: ThresholdPair) -> BoundarySummary:
    """Return the boundary of a run that swept no trunk site: none."""
    return BoundarySummary(
        site=None,
        next_site=None,
        low=None,
        high=None,
        change_site=None,
        change_low=None,
        change_high=None,
        blindness_alone=Reach(None, None, None),
        rule=None,
        thresholds=thresholds,
        affine=None,
        by_threshold={},
        threshold_curve=(),
        competence_curve=(),
        controls={},
    )


def _most_blind(sites: Sequence[SiteSummary], condition: str) -> ControlReading | None:
    """Return the one of ``sites`` where a condition blinds most; None without a site or a number."""
    found = []
    for site in sites:
        row = site.conditions[condition]
        if row.blindness is not None and row.blindness_low is not None and row.blindness_high is not None:
            found.append(ControlReading(site.name, row.blindness, row.blindness_low, row.blindness_high))
    return max(found, key=lambda reading: reading.blindness, default=None)


def write_summary(summary: SweepSummary, path: Path) -> None:
    """Write ``summary.json`` (whole or not at all)."""
    write_atomic(path, to_json(summary, indent=2))


def _references(basis: _Basis) -> References:
    clean, no_cheese = basis.clean, basis.no_cheese
    competence = bootstrap.defined(bootstrap.competence(clean.p_region_first, no_cheese.p_region_first))
    return References(CleanReference(**_means(clean), competence=competence), MeanOutcome(**_means(no_cheese)))


def _site(basis: _Basis, name: str, bins: Bins) -> SiteSummary:
    spec = basis.table.spec
    return SiteSummary(
        **vars(basis.table.facts[name]),
        conditions={
            labelled(spec, condition, coefficient): _condition(basis, condition, name, coefficient)
            for condition in spec.conditions
            if BY_NAME[condition].at_one_site
            for coefficient in spec.coefficients
        },
        position_curve=position_curve(bins, basis.weights),
        receptive_field_split=receptive_field_split(bins, basis.weights),
        nearness_curve=nearness_curve(basis.table, name, basis.weights),
    )


def _condition(basis: _Basis, condition: str, site: str, coefficient: float) -> ConditionSummary:
    columns, weights = basis.table.condition(condition, site, coefficient), basis.weights
    blind = basis.table.distances(condition, site, coefficient)
    visited = columns.tv_no_cheese_occupancy, basis.clean.tv_no_cheese_occupancy
    if BY_NAME[condition].to_moved:  # visits of the level without cheese say nothing of it
        visited = np.full_like(blind[0], np.nan), np.full_like(blind[1], np.nan)
    able = columns.p_region_first, basis.no_cheese.p_region_first
    low, high = bootstrap.blindness_interval(*blind, weights)
    able_low, able_high = bootstrap.ratio_interval(*able, weights)
    visited_low, visited_high = bootstrap.blindness_interval(*visited, weights)
    return ConditionSummary(
        coefficient=coefficient,
        blindness=bootstrap.defined(bootstrap.blindness(*blind)),
        blindness_low=bootstrap.defined(low),
        blindness_high=bootstrap.defined(high),
        competence=bootstrap.defined(bootstrap.competence(*able)),
        competence_low=bootstrap.defined(able_low),
        competence_high=bootstrap.defined(able_high),
        **_means(columns),
        blindness_occupancy=bootstrap.defined(bootstrap.blindness(*visited)),
        blindness_occupancy_low=bootstrap.defined(visited_low),
        blindness_occupancy_high=bootstrap.defined(visited_high),
    )


def _means(columns: Columns) -> dict[str, float | None]:
    """Return the mean of every outcome over the mazes where it is defined."""
    return {name: bootstrap.defined(np.nanmean(columns[name])) for name in OUTCOME_FIELDS}
