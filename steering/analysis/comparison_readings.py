"""The three kinds of evidence side by side for several agents: the readings of each, and of their mean curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steering.analysis.compared_runs import ComparedRun
from steering.analysis.readings import readings
from steering.probes.curves import boundaries, cut, mean_curves, probe_curves, tallies_from_json
from steering.probes.summary import APART, CHEESE, ProbeCurves, with_interval
from steering.records.comparison import ComparedBoundary, Comparison
from steering.records.probes import CELL, INTERACTION, SURROUNDINGS, Estimate, ProbeBoundaries, ProbeSummary
from steering.records.readings import ComparedProbedSite, ComparedReadings, ProbedCurves, Reading
from steering.records.sites import SiteFacts
from steering.statistics import bootstrap
from steering.sweep.artifacts import read_probes


@dataclass(frozen=True)
class _SharedProbes:
    """Mazes and sites that the probes of all runs share."""

    levels: list[int]
    """Seeds of the mazes."""
    sites: tuple[SiteFacts, ...]
    """The sites, in depth order."""


def side_by_side(runs: Sequence[ComparedRun], comparison: Comparison) -> tuple[ComparedReadings | None, str]:
    """Return the readings of agents of their own whose probes were made alike, or None and why there are none.

    The text is empty if there are readings, or if no run holds probes. ``comparison`` is that of ``runs``. All agents
    have the same resamples; readings of the mean curves are there if ``comparison`` has a boundary over agents.
    """
    if len({run.spec.sha256 for run in runs}) < len(runs):
        return None, ""
    probes, why = _probes_of(runs)
    if not probes:
        return None, why
    shared = _shared(probes)
    if isinstance(shared, str):
        return None, shared
    samples = bootstrap.resamples(len(shared.levels), np.random.default_rng(comparison.seed))
    curves = [_curves(part, shared, samples) for part in probes]
    over, mean = comparison.over_agents, None
    if over is not None:
        mean = _readings(
            over, boundaries(shared.sites, mean_curves(curves, np.random.default_rng([comparison.seed, 1])))
        )
    return ComparedReadings(
        levels=len(shared.levels),
        sites=tuple(site.name for site in shared.sites),
        facts=tuple(_facts(site) for site in shared.sites),
        curves=tuple(_shown(curve) for curve in curves),
        arms=tuple(
            _readings(run.boundary, boundaries(shared.sites, curve))
            for run, curve in zip(comparison.arms, curves, strict=True)
        ),
        over_agents=mean,
    ), ""


def _probes_of(runs: Sequence[ComparedRun]) -> tuple[list[ProbeSummary], str]:
    """Return the probes of all runs, or none and which runs lack them."""
    files = [read_probes(run.directory, run.spec.sha256, run.spec.mode) for run in runs]
    probes = [part for part, _ in files if part is not None]
    if len(probes) == len(runs):
        return probes, ""
    missing = [
        f"{run.name}: {note}" if note else f"{run.name} has none"
        for run, (part, note) in zip(runs, files, strict=True)
        if part is None
    ]
    return [], "; ".join(missing) if probes or any(note for _, note in files) else ""


def _shared(probes: Sequence[ProbeSummary]) -> _SharedProbes | str:
    """Return the settings that all probes share, or why they cannot be shown side by side."""
    if len({(part.states, part.seed) for part in probes}) > 1:
        return "the runs were probed with other --states or another --seed"
    levels = [level for level in probes[0].levels if all(level in part.levels for part in probes)]
    if len(levels) < bootstrap.FEWEST:
        return f"the probes share {len(levels)} levels, {bootstrap.FEWEST} are needed"
    facts = [{site.name: _facts(site) for site in part.sites} for part in probes]
    sites = tuple(site for site in probes[0].sites if all(site.name in own for own in facts))
    if any(own[site.name] != facts[0][site.name] for own in facts for site in sites):
        return "the agents were probed at other sites, or have another architecture"
    return _SharedProbes(levels, sites)


def _facts(site: SiteFacts) -> ComparedProbedSite:
    """Return the facts that a comparison gives of a site."""
    return ComparedProbedSite(
        name=site.name,
        depth=site.depth,
        trunk=site.trunk,
        affine=site.affine,
        equivalence_class=site.equivalence_class,
        receptive_field=site.receptive_field,
    )


def _curves(probes: ProbeSummary, shared: _SharedProbes, samples: np.ndarray) -> ProbeCurves:
    """Return the curves of one run's probes at the shared sites over the shared mazes."""
    names = [site.name for site in probes.sites]
    sites = [names.index(site.name) for site in shared.sites]
    mazes = [probes.levels.index(level) for level in shared.levels]
    return probe_curves(cut(tallies_from_json(probes.tallies), sites, mazes), samples)


def _shown(curves: ProbeCurves) -> ProbedCurves:
    """Return the curves with 95% intervals over mazes."""
    return ProbedCurves(
        next_move=_estimates(curves[CHEESE]),
        surroundings=_estimates(curves[CHEESE + SURROUNDINGS]),
        apart=_estimates(curves[APART]),
        apart_surroundings=_estimates(curves[APART + SURROUNDINGS]),
        cell=_estimates(1.0 - curves[CELL]),
        interaction=_estimates(curves[INTERACTION]),
    )


def _estimates(curve: np.ndarray) -> tuple[Estimate, ...]:
    return tuple(with_interval(row) for row in curve)


def _readings(boundary: ComparedBoundary, probed: ProbeBoundaries) -> tuple[Reading, ...]:
    return tuple(readings(boundary, probed))


def readings_table(columns: Mapping[str, Sequence[Reading]]) -> list[list[str]]:
    """Return a header and a row for each reading: kind, what, and for each column where, with its interval."""
    cells = [{(row.kind, row.what): f"{row.place} ({row.interval})" for row in rows} for rows in columns.values()]
    asked = dict.fromkeys(key for part in cells for key in part)
    rows = [[*key, *(part.get(key, "") for part in cells)] for key in asked]
    return [["evidence", "what holds", *columns], *rows]
