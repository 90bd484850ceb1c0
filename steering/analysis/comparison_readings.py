"""The three kinds of evidence side by side for several agents: the readings of each, and of their mean curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steering.analysis.compared_runs import ComparedRun
from steering.analysis.readings import readings
from steering.probes.curves import boundaries, cut, mean_curves, probe_curves, tallies_from_json
from steering.probes.summary import APART, ProbeCurves, with_interval
from steering.records.comparison import (
    ComparedBoundary,
    ComparedProbedSite,
    ComparedReadings,
    Comparison,
    ProbedCurves,
)
from steering.records.probes import Estimate
from steering.records.readings import Reading
from steering.statistics import bootstrap
from steering.sweep.artifacts import read_artifact


@dataclass(frozen=True)
class _SharedProbes:
    """What the probes of all runs share."""

    levels: list[int]
    """Seeds of the mazes."""
    facts: tuple[ComparedProbedSite, ...]
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
    facts = [dataclasses.asdict(fact) for fact in shared.facts]
    over, mean = comparison.over_agents, None
    if over is not None:
        mean = _readings(over, boundaries(facts, mean_curves(curves, np.random.default_rng([comparison.seed, 1]))))
    return ComparedReadings(
        levels=len(shared.levels),
        sites=tuple(fact.name for fact in shared.facts),
        facts=shared.facts,
        curves=tuple(_shown(curve) for curve in curves),
        arms=tuple(
            _readings(run.boundary, boundaries(facts, curve))
            for run, curve in zip(comparison.arms, curves, strict=True)
        ),
        over_agents=mean,
    ), ""


def _probes_of(runs: Sequence[ComparedRun]) -> tuple[list[dict[str, Any]], str]:
    """Return the probes of all runs, or none and which runs lack them."""
    files = [read_artifact(run.directory, run.spec.sha256, run.spec.mode, "probes") for run in runs]
    probes = [part for part, _ in files if part is not None]
    if len(probes) == len(runs):
        return probes, ""
    missing = [
        f"{run.name}: {note}" if note else f"{run.name} has none"
        for run, (part, note) in zip(runs, files, strict=True)
        if part is None
    ]
    return [], "; ".join(missing) if probes or any(note for _, note in files) else ""


def _shared(probes: Sequence[dict[str, Any]]) -> _SharedProbes | str:
    """Return what all probes share, or why they cannot be shown side by side."""
    if len({(part["states"], part["seed"]) for part in probes}) > 1:
        return "the runs were probed with other --states or another --seed"
    levels = [level for level in probes[0]["levels"] if all(level in part["levels"] for part in probes)]
    if len(levels) < bootstrap.FEWEST:
        return f"the probes share {len(levels)} levels, {bootstrap.FEWEST} are needed"
    sites = [{site["name"]: _site(site) for site in part["sites"]} for part in probes]
    names = [name for name in sites[0] if all(name in own for own in sites)]
    facts = [tuple(own[name] for name in names) for own in sites]
    if any(other != facts[0] for other in facts):
        return "the agents were probed at other sites, or have another architecture"
    return _SharedProbes(levels, facts[0])


def _site(site: Mapping[str, Any]) -> ComparedProbedSite:
    return ComparedProbedSite(**{field.name: site[field.name] for field in dataclasses.fields(ComparedProbedSite)})


def _curves(probes: Mapping[str, Any], shared: _SharedProbes, samples: np.ndarray) -> ProbeCurves:
    """Return the curves of one run's probes at the shared sites over the shared mazes."""
    names = [site["name"] for site in probes["sites"]]
    sites = [names.index(fact.name) for fact in shared.facts]
    mazes = [probes["levels"].index(level) for level in shared.levels]
    return probe_curves(cut(tallies_from_json(probes["tallies"]), sites, mazes), samples)


def _shown(curves: ProbeCurves) -> ProbedCurves:
    """Return the curves with 95% intervals over mazes."""
    return ProbedCurves(
        next_move=_estimates(curves["cheese"]),
        surroundings=_estimates(curves["cheese surroundings"]),
        apart=_estimates(curves[APART]),
        apart_surroundings=_estimates(curves[f"{APART} surroundings"]),
        cell=_estimates(1.0 - curves["cell"]),
        interaction=_estimates(curves["interaction"]),
    )


def _estimates(curve: np.ndarray) -> tuple[Estimate, ...]:
    return tuple(Estimate(**with_interval(row)) for row in curve)


def _readings(boundary: ComparedBoundary, probed: Mapping[str, Any]) -> tuple[Reading, ...]:
    return tuple(readings(dataclasses.asdict(boundary), probed))


def readings_table(columns: Mapping[str, Sequence[Reading]]) -> list[list[str]]:
    """Return a header and a row for each reading: kind, what, and for each column where, with its interval."""
    cells = [{(row.kind, row.what): f"{row.place} ({row.interval})" for row in rows} for rows in columns.values()]
    asked = dict.fromkeys(key for part in cells for key in part)
    rows = [[*key, *(part.get(key, "") for part in cells)] for key in asked]
    return [["evidence", "what holds", *columns], *rows]
