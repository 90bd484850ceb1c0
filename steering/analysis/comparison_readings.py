"""The kinds of evidence side by side for several agents: readings of each and of their mean curves, and planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from envs.stored.json_records import Kinds, from_json
from envs.stored.ranges import LevelSeed, Name, Text
from steering.analysis.compared_runs import ComparedRun
from steering.analysis.readings import readings
from steering.probes.curves import boundaries, cut, mean_curves, probe_curves, tallies_from_json
from steering.probes.summary import APART, CHEESE, ProbeCurves, with_interval
from steering.records.comparison import ComparedBoundary, Comparison
from steering.records.planning import (
    READINGS,
    GoalBehaviour,
    PlanningSettings,
    PlanningSummary,
    Share,
    behaviour_rows,
)
from steering.records.probes import CELL, INTERACTION, SURROUNDINGS, Estimate, ProbeBoundaries, ProbeSummary
from steering.records.readings import (
    ComparedPlan,
    ComparedPlanning,
    ComparedProbedSite,
    ComparedReadings,
    FollowedCurve,
    ProbedCurves,
    Reading,
    span,
)
from steering.records.readouts import READ, ReadoutSummary
from steering.records.sites import SiteFacts
from steering.statistics import bootstrap
from steering.statistics.formatting import format_estimate, short_site_name
from steering.sweep.artifacts import PLANNING, READOUTS, read_probes
from steering.sweep.store import Store

DETOUR = "detour"  # kind of pairs
_Planned = tuple[ComparedRun, PlanningSettings]  # a run, and the settings of its planning


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
    readouts, no_readouts = _readouts_of(runs)
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
            _readings(run.boundary, boundaries(shared.sites, curve), readout)
            for run, curve, readout in zip(comparison.arms, curves, readouts, strict=True)
        ),
        over_agents=mean,
        readouts=tuple(_followed_curves(readout) for readout in readouts) if any(readouts) else (),
        no_readouts=no_readouts,
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


def _readouts_of(runs: Sequence[ComparedRun]) -> tuple[list[ReadoutSummary | None], str]:
    """Return the readouts of each run, None without, and which runs lack them; all are made as those of the first."""
    files = [READOUTS.of_sweep(run.directory, run.spec.sha256, run.spec.mode) for run in runs]
    first = next((part for part, _ in files if part is not None), None)
    found, missing = [], []
    for run, (part, note) in zip(runs, files, strict=True):
        alike = part is not None and first is not None and part.settings == first.settings
        found.append(part if alike else None)
        if not alike:
            missing.append(f"{run.name}: {note or ('not made' if part is None else 'made with other settings')}")
    return found, "; ".join(missing) if first is not None or any(note for _, note in files) else ""


def _followed_curves(found: ReadoutSummary | None) -> tuple[FollowedCurve, ...]:
    """Return the detours that readouts of the units around the mouse follow, from the most frames, by goal."""
    if found is None:
        return ()
    views = [(site.name, view) for site in found.sites for view in site.views if view.view == READ and view.curve]
    return tuple(
        FollowedCurve(
            goal,
            READ,
            tuple(name for name, view in views if goal in view.curve[-1].follows),
            tuple(view.curve[-1].follows[goal] for _, view in views if goal in view.curve[-1].follows),
        )
        for goal in found.pairs
    )


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


def _readings(
    boundary: ComparedBoundary, probed: ProbeBoundaries, readouts: ReadoutSummary | None = None
) -> tuple[Reading, ...]:
    return tuple(readings(boundary, probed, readouts=readouts))


def readings_table(columns: Mapping[str, Sequence[Reading]]) -> list[list[str]]:
    """Return a header and a row for each reading: kind, what, and for each column where, with its interval."""
    cells = [{(row.kind, row.what): f"{row.place} ({row.interval})" for row in rows} for rows in columns.values()]
    asked = dict.fromkeys(key for part in cells for key in part)
    rows = [[*key, *(part.get(key, "") for part in cells)] for key in asked]
    return [["evidence", "what holds", *columns], *rows]


def planning_side_by_side(runs: Sequence[ComparedRun], seed: int) -> ComparedPlanning | None:
    """Return what the runs measured of planning, each against the first; None where none did.

    Differences are over mazes that both have, if the same pairs were drawn (number, distance, seed and mode agree), and
    of rows that were measured with the settings of ``planning.json``: a command with others, stopped, leaves some that
    were not.

    Args:
        runs: of agents of their own, the first is what the others are compared with.
        seed: of the bootstrap.

    Raises:
        InputError: for a file or rows that cannot be read.
    """
    if len({run.spec.sha256 for run in runs}) < len(runs):
        return None
    files = [PLANNING.of_sweep(run.directory, run.spec.sha256, run.spec.mode) for run in runs]
    if all(found is None for found, _ in files):
        return None
    arms, first = [], files[0][0]
    for run, (found, _) in zip(runs, files, strict=True):
        pair: list[_Planned] = []
        if found is not None and first is not None and run is not runs[0] and _drawn(found) == _drawn(first):
            pair = [(runs[0], first.settings), (run, found.settings)]
        arms.append(() if found is None else tuple(_plan(row, found, pair, seed) for row in found.behaviour))
    missing = [
        f"{run.name}: {note or 'not measured'}" for run, (found, note) in zip(runs, files, strict=True) if found is None
    ]
    return ComparedPlanning(tuple(run.name for run in runs), tuple(arms), "; ".join(missing))


def _drawn(found: PlanningSummary) -> tuple[int, int, int, str]:
    """Return the settings on which the pairs of a level depend."""
    settings = found.settings
    return settings.pairs, settings.distance, settings.seed, settings.mode


def _plan(row: GoalBehaviour, found: PlanningSummary, runs: Sequence[_Planned], seed: int) -> ComparedPlan:
    difference, mazes = None, 0
    if runs:
        difference, mazes = _followed_difference(runs, row.goal, seed)
    located = [each for each in found.located if (each.kind, each.goal) == (DETOUR, row.goal)]
    return ComparedPlan(
        goal=row.goal,
        pairs=row.detour[-1].pairs,
        follows=row.detour[-1].follows,
        idle=row.idle[-1].follows,
        difference=difference,
        mazes=mazes,
        equivalent_depth=row.equivalent_depth,
        detour_depth=row.detour_depth,
        look_ahead=row.look_ahead,
        located=located[0] if located else None,
    )


def _followed_difference(runs: Sequence[_Planned], goal: str, seed: int) -> tuple[Share | None, int]:
    """Return how many more detours the second run follows, and the number of mazes it is of."""
    here, there = (_followed(run, settings, goal) for run, settings in runs)
    levels = [level for level in here if level in there and len(here[level]) == len(there[level]) > 0]
    if not levels:
        return None, 0
    more = np.array([sum(there[level]) - sum(here[level]) for level in levels], dtype=float)
    count = np.array([len(here[level]) for level in levels], dtype=float)
    weights = bootstrap.counts(bootstrap.resamples(len(levels), np.random.default_rng([seed, 2])))
    few = len(levels) < bootstrap.FEWEST
    ends = (np.nan, np.nan) if few else bootstrap.interval(bootstrap.quotient(weights @ more, weights @ count))
    return Share(float(more.sum() / count.sum()), *map(bootstrap.defined, ends)), len(levels)


def _followed(run: ComparedRun, settings: PlanningSettings, goal: str) -> dict[int, list[bool]]:
    """Return whether each detour pair that a run stored with these settings is followed, by level."""
    query = "SELECT level, measured FROM planning WHERE part = ? AND basis = ? ORDER BY level"
    kinds: Kinds = {"level": LevelSeed, "measured": Text}
    with Store.open(run.directory) as store:
        rows = store.select(query, "planning", kinds, *behaviour_rows(settings, goal))
        found = {}
        for level, text in rows:
            if level not in settings.levels:
                continue
            where = f"{store.path}, planning, level {level}"
            row = from_json(text, _StoredAnswers, where, "measure planning again", partial=True)
            found[level] = [answer.follows for answer in row.answers if answer.kind == DETOUR]
    return found


@dataclass(frozen=True)
class _StoredAnswer:
    """The part of an answer to a pair that differences are made of."""

    kind: Name
    """``detour`` or ``idle``."""
    follows: bool
    """Whether the most likely move is right in both mazes."""


@dataclass(frozen=True)
class _StoredAnswers:
    """The part of a level's row that differences are made of."""

    answers: tuple[_StoredAnswer, ...]
    """Answers to its pairs."""


def planning_table(found: ComparedPlanning) -> list[list[str]]:
    """Return a header and a row for each run and goal: detours, differences, readers, and where the detour is known."""
    rows = [["run", "goal", "detours followed", "looks ahead", "idle changes", "detour pairs"]]
    rows[0] += ["against the first run", "as good as the reader of", "on detours", *READINGS]
    for name, plans in zip(found.runs, found.arms, strict=True):
        for plan in plans:
            known = plan.located.readings if plan.located is not None else ()
            places = {row.name: f"{_short(row.site)} ({_span(row.low, row.high)})" for row in known}
            rows.append(
                [
                    name,
                    plan.goal,
                    format_estimate(plan.follows),
                    "nowhere" if plan.look_ahead is None else f"{plan.look_ahead} steps",
                    format_estimate(plan.idle),
                    str(plan.pairs),
                    "" if plan.difference is None else f"{format_estimate(plan.difference)}, {plan.mazes} mazes",
                    plan.equivalent_depth or "none",
                    plan.detour_depth or "none",
                    *(places.get(each, "") for each in READINGS),
                ]
            )
    return rows


def _short(site: str | None) -> str:
    return "nowhere" if site is None else short_site_name(site)


def _span(low: str | None, high: str | None) -> str:
    return span(*(None if end is None else short_site_name(end) for end in (low, high)))
