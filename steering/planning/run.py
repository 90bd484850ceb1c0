"""From options to ``planning.json`` and its maps: what the ``planning`` command does, resumable level by level."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.checkpoints.zoo import load_stated
from agents.hardware import on_device
from agents.networks.policy import Policy, device_of
from envs.errors import RANGES, InputError, check_random_seed, counted, nearest, stopped_with, told_if_stopped
from envs.files import write_atomic
from envs.maze import Maze
from envs.stored.json_records import to_json
from steering.experiments.levels import Skip, check_levels_asked
from steering.interventions.sites import Site
from steering.measuring.beside_sweep import MeasureOptions, mazes_beside_sweep, measurements
from steering.measuring.rows import fitting, keep_rows, stored_rows
from steering.planning.behaviour import LADDER
from steering.planning.located import PATCHES
from steering.planning.located_summary import located
from steering.planning.maps import causal_map
from steering.planning.measure import (
    CHEESE,
    KINDS,
    LevelRow,
    MapRow,
    PatchRow,
    behaviour_row,
    map_row,
    map_sites,
    patch_row,
)
from steering.planning.pairs import DISTANCE, Goal
from steering.planning.summary import goal_behaviour, weights_of
from steering.records.planning import PlanningMaps, PlanningSettings, PlanningSummary, basis_of
from steering.records.sweep import CheckpointId
from steering.sweep.artifacts import PLANNING, PLANNING_MAPS
from steering.sweep.store import Store

DEFAULT_LEVELS = 100
PAIRS = 8  # of each kind and goal, and states with and without cheese, of each level
MAPS = 1  # pairs of each kind, goal and level of which causal maps are made


@dataclass(frozen=True)
class PlanningOptions(MeasureOptions):
    """The options of ``planning``, as typed."""

    kinds: tuple[str, ...] = KINDS
    """Kinds of pairs that are patched, of :data:`steering.planning.measure.KINDS`."""
    goals: tuple[str, ...] = tuple(goal.value for goal in Goal)
    """Goals of pairs: ``cheese``, ``corner``."""
    pairs: int = PAIRS
    """Pairs of each kind, goal and level, at least 1."""
    distance: int = DISTANCE
    """Cells, Chebyshev, between the mouse and every changed cell, at least 1."""
    maps: int = MAPS
    """Pairs of each kind, goal and level of which causal maps are made, at most ``pairs``; 0: none."""


@dataclass(frozen=True)
class _Part:
    """One kind of measurement of every level."""

    name: str
    """Its name in the database."""
    kind: type[Any]
    """Record of a level's row."""
    measure: Callable[[Maze], Any]
    """Function that measures a level."""


def run_planning(
    options: PlanningOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
    left_out: Callable[[Sequence[Skip]], None] = lambda skipped: None,
) -> PlanningSummary:
    """Measure what is missing, write ``planning.json``, and return what it holds.

    On one thread, so that every machine gets the same numbers. A level measured before is not measured again.

    Args:
        options: what to measure, on which levels, and where to keep it.
        progress: told ``(done, total)`` in measurements of a level.
        left_out: told the levels that were looked at and do not qualify.

    Returns:
        The content of ``planning.json``: shares with 95% intervals over mazes, and readings.

    Raises:
        InputError: in one line, for options that cannot be met, levels without a pair, a network without maps, or a
            directory in use or of another agent.
    """
    policy, mazes, settings, sites = _plan(options, progress, left_out)
    parts = list(_parts(options, policy, sites))
    with measurements(options.out, policy, settings.mode) as store:
        rows = {part.name: stored_rows(store, part.name, _basis(part, settings), part.kind) for part in parts}

        def stored() -> str:
            done = sum(all(maze.level in rows[part.name] for part in parts) for maze in mazes)
            return stopped_with(f"{done} of {counted(len(mazes), 'level')}", options.out)

        before = any(rows.values())
        with told_if_stopped(stored):
            _measure(store, parts, mazes, settings, rows, progress)
        with fitting(store, "all parts", before):
            result = _result(options, policy, mazes, settings, sites, rows)
            maps = _maps(options, policy, settings, sites, rows) if settings.maps else None
        write_atomic(options.out / PLANNING.file, to_json(result, indent=1))
        if maps is not None:
            write_atomic(options.out / PLANNING_MAPS.file, to_json(maps))
        else:  # those of other settings would stand beside these numbers; what was measured is kept in the database
            (options.out / PLANNING_MAPS.file).unlink(missing_ok=True)
    return result


def _plan(
    options: PlanningOptions, progress: Callable[[int, int], None], left_out: Callable[[Sequence[Skip]], None]
) -> tuple[Policy, list[Maze], PlanningSettings, list[Site]]:
    """Return the agent, the mazes, the settings and the sites; raise :class:`InputError` for wrong options."""
    _check(options)
    policy = on_device(load_stated(options.checkpoint, options.stated), options.device)
    sites = map_sites(policy) if options.kinds else []
    mazes, mode = mazes_beside_sweep(options, policy, progress, default=DEFAULT_LEVELS, left_out=left_out)
    settings = PlanningSettings(
        sites=tuple(site.name for site in sites),
        levels=tuple(int(maze.level or 0) for maze in mazes),
        pairs=options.pairs,
        distance=options.distance,
        seed=options.seed,
        mode=mode,
        device=device_of(policy.net).type,
        maps=options.maps if options.kinds else 0,
    )
    return policy, mazes, settings, sites


def _check(options: PlanningOptions) -> None:
    """Raise :class:`InputError` for options that mean nothing."""
    check_random_seed(options.seed)
    RANGES["pairs"].check(options.pairs)
    RANGES["distance"].check(options.distance)
    if RANGES["maps"].check(options.maps) > options.pairs:
        raise InputError(f"--maps {options.maps}: give at most --pairs, {options.pairs}")
    check_levels_asked(options.levels, options.n_levels)
    known = {"--kinds": (options.kinds, KINDS), "--goal": (options.goals, [goal.value for goal in Goal])}
    for option, (given, names) in known.items():
        for name in given:
            if name not in names:
                raise InputError(f"{option} {name!r}: {nearest(name, names)}")
    if not options.goals:
        raise InputError("--goal: name cheese, corner or both")


def _parts(options: PlanningOptions, policy: Policy, sites: Sequence[Site]) -> Iterator[_Part]:
    """Yield the measurements that the options ask for; detours are patched for each goal."""
    drawn: dict[str, Any] = {"pairs": options.pairs, "distance": options.distance, "seed": options.seed}
    for goal in map(Goal, options.goals):
        measure = functools.partial(behaviour_row, policy, goal=goal, **drawn)
        yield _Part(f"behaviour {goal.value}", LevelRow, measure)
    for kind, goal in _patched(options):
        patch = functools.partial(patch_row, policy, kind=kind, goal=goal, sites=sites, **drawn)
        yield _Part(f"{kind} {goal.value}", PatchRow, patch)
        if options.maps:
            map_ = functools.partial(map_row, policy, kind=kind, goal=goal, sites=sites, maps=options.maps, **drawn)
            yield _Part(_map_part(kind, goal), MapRow, map_)


def _map_part(kind: str, goal: Goal) -> str:
    return f"maps of {kind} {goal.value}"


def _patched(options: PlanningOptions) -> list[tuple[str, Goal]]:
    """Return the kinds of pairs to patch, each with its goal: of the cheese's own effect there is one."""
    goals = list(map(Goal, options.goals))
    return [(kind, goal) for kind in options.kinds for goal in ([Goal.CHEESE] if kind == CHEESE else goals)]


def _basis(part: _Part, settings: PlanningSettings) -> str:
    """Return a digest of all that a level's row depends on, besides the level and the agent."""
    unused = {LevelRow: ("levels", "maps", "sites"), PatchRow: ("levels", "maps"), MapRow: ("levels",)}
    return basis_of(settings, part.name, unused[part.kind])


def _measure(
    store: Store,
    parts: Sequence[_Part],
    mazes: Sequence[Maze],
    settings: PlanningSettings,
    rows: Mapping[str, dict[int, Any]],
    progress: Callable[[int, int], None],
) -> None:
    """Measure and store what is missing, level by level."""
    work = [(maze, part) for maze in mazes for part in parts if maze.level not in rows[part.name]]
    progress(0, len(work))
    for done, (maze, part) in enumerate(work, 1):
        level, row = int(maze.level or 0), part.measure(maze)
        keep_rows(store, _basis(part, settings), {part.name: {level: row}})
        rows[part.name][level] = row
        progress(done, len(work))


def _result(
    options: PlanningOptions,
    policy: Policy,
    mazes: Sequence[Maze],
    settings: PlanningSettings,
    sites: Sequence[Site],
    rows: Mapping[str, Mapping[int, Any]],
) -> PlanningSummary:
    """Return everything that ``planning.json`` says."""
    weights = weights_of(len(mazes), settings.seed)
    levels = settings.levels
    behaviour = []
    for goal in options.goals:
        of_goal = [rows[f"behaviour {goal}"][level] for level in levels]
        answers, cells = [row.answers for row in of_goal], [row.cells for row in of_goal]
        behaviour.append(goal_behaviour(goal, answers, cells, weights, settings.distance))
    patches = []
    for kind, to in _patched(options):
        measured = [rows[f"{kind} {to.value}"][level] for level in levels]
        results = [row.patched() for row in measured]
        if all(result is None for result in results):
            left_out = sum(row.left_out for row in measured)
            why = (
                f"places touch in all {left_out}"
                if left_out
                else f"none has changes {counted(settings.distance, 'cell')} away"
            )
            raise InputError(f"no {kind} pairs to the {to.value} in these levels ({why}); take more or larger levels")
        patches.append(
            located(
                kind,
                to.value,
                [(site.name, site.depth) for site in sites],
                results,
                sum(row.left_out for row in measured),
                weights,
                1 if kind == CHEESE else settings.distance,
            )
        )
    return PlanningSummary(
        format=PLANNING.format,
        checkpoint=CheckpointId(policy.name, policy.sha256),
        settings=settings,
        ladder=LADDER,
        patches=PATCHES,
        behaviour=tuple(behaviour),
        located=tuple(patches),
    )


def _maps(
    options: PlanningOptions,
    policy: Policy,
    settings: PlanningSettings,
    sites: Sequence[Site],
    rows: Mapping[str, Mapping[int, Any]],
) -> PlanningMaps:
    """Return everything that ``planning_maps.json`` says."""
    weights, named = weights_of(len(settings.levels), settings.seed), [(site.name, site.depth) for site in sites]
    maps = []
    for kind, goal in _patched(options):
        effects = [rows[_map_part(kind, goal)][level].effects() for level in settings.levels]
        maps.append(causal_map(kind, goal.value, named, effects, weights))
    return PlanningMaps(PLANNING_MAPS.format, CheckpointId(policy.name, policy.sha256), settings.mode, tuple(maps))
