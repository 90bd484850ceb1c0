"""Units of work of a sweep: one group of conditions on one level, from spec to rows.

A unit's results depend on the policy, the level and the spec alone, so they are the same whoever computes them, and
when. Equivalent experiments are run once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agents.networks.policy import Policy
from envs.errors import counted
from envs.maze import Maze
from steering.experiments.conditions import BY_NAME, GROUPS, MAIN, MOVE, REFERENCES, Key
from steering.experiments.exact import LevelEvaluator, StatePolicy
from steering.experiments.level_conditions import NOTHING_GIVEN, Given, LevelConditions
from steering.experiments.outcome import Sums
from steering.experiments.profiles import level_moved, level_nearness, level_profiles
from steering.experiments.sampled import rollouts
from steering.interventions.sites import Site, enumerate_sites
from steering.sweep.recordings import rollout_name
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row


@dataclass(frozen=True)
class Unit:
    """Results to compute and store together, of one group on one level, and rollouts to record."""

    level: int
    """Seed of the level."""
    keys: tuple[Key, ...]
    """Keys of the results to compute."""
    recordings: tuple[Key, ...] = ()
    """Keys whose rollouts are recorded."""

    def __str__(self) -> str:
        """Name level, conditions and sites in a few words."""
        keys = self.keys or self.recordings
        conditions = ", ".join(dict.fromkeys(key.condition for key in keys))
        sites = list(dict.fromkeys(key.site for key in keys if key.site))
        where = f" at {sites[0]}" if len(sites) == 1 else f" at {counted(len(sites), 'site')}" if sites else ""
        return f"level {self.level} ({conditions}{where})"


@dataclass(frozen=True)
class Result:
    """Results of a unit, as the store and ``rollouts/`` take them."""

    unit: Unit
    """The unit."""
    rows: tuple[Row, ...]
    """One result per key of the unit."""
    sums: tuple[Sums, ...]
    """Subtraction by distance: profiles, then nearness to the cheese; how near moving comes to the cheese moved."""
    files: tuple[tuple[str, bytes], ...]
    """(name, content) of the rollouts recorded."""


def split(level: int, keys: Iterable[Key], recordings: Iterable[Key] = ()) -> list[Unit]:
    """Return the units of one level that compute ``keys``; rollouts are recorded with the first."""
    keys, recordings = list(keys), tuple(recordings)
    parts = [tuple(key for key in keys if key.condition in group) for group in GROUPS]
    units = [Unit(level, part) for part in parts if part]
    if recordings:
        units = [replace(units[0], recordings=recordings), *units[1:]] if units else [Unit(level, (), recordings)]
    return units


def level_rows(
    policy: Policy, maze: Maze, keys: Sequence[Key], spec: SweepSpec, given: Given = NOTHING_GIVEN
) -> tuple[list[Row], list[Sums]]:
    """Return exact outcomes of ``keys`` on one level, and its sums by distance; equivalent ones are run once.

    Vectors that are differences of activations give one policy at affine-equivalent sites, so the first site of the
    class is run and its numbers are reported for all; a random vector has no such twin. Edits that all name their
    sites are run once.
    """
    sites = {site.name: site for site in enumerate_sites(policy.net)}
    evaluator = LevelEvaluator(policy, maze, spec.horizon)
    jobs: dict[Key, Key] = {}
    for key in keys:
        condition = BY_NAME[key.condition]
        if condition.shared_in_class:
            jobs[key] = key._replace(site=sites[key.site].equivalence_class)
        elif condition.typed and given.names_sites:
            jobs[key] = key._replace(site=given.edits[0].fixed or "")
        elif not condition.reference:
            jobs[key] = key
    distinct = list(dict.fromkeys(jobs.values()))
    level = LevelConditions.of(
        policy, maze, spec.source, spec.seed, [*distinct, *(key for key in jobs if key.condition == MAIN)], given
    )
    fields = dict(zip(distinct, evaluator.fields([level.intervention(key) for key in distinct]), strict=True))
    done = dict(zip(distinct, evaluator.outcomes_of(list(fields.values())), strict=True))
    rows = []
    for key in keys:
        if key.condition == "clean":
            rows.append(Row(key, "", evaluator.clean_outcome()))
        elif key.condition == "no_cheese":
            rows.append(Row(key, "", evaluator.no_cheese_outcome()))
        else:
            job = jobs[key]
            outcome = done[job]
            shared = BY_NAME[key.condition].shared_in_class and job.site
            if shared and sites[job.site].feeds_value and not sites[key.site].feeds_value:
                outcome = replace(outcome, value_start=evaluator.clean_outcome().value_start)
            rows.append(Row(key, job.site, outcome, level.source(job)))
    return rows, _sums(evaluator, level, jobs, fields, sites)


def _sums(
    evaluator: LevelEvaluator,
    level: LevelConditions,
    jobs: dict[Key, Key],
    fields: dict[Key, StatePolicy],
    sites: dict[str, Site],
) -> list[Sums]:
    """Return subtraction by distance (a site's own activations, its class's policy), and moving against moved."""
    edited = {(key.site, key.coefficient, key.draw): fields[job] for key, job in jobs.items() if key.condition == MOVE}
    draws = sorted({draw for _, _, draw in edited})
    moved = level_moved(evaluator, edited, {draw: level.moved(draw)[0] for draw in draws})
    subtracted = {(key.site, key.coefficient): fields[job] for key, job in jobs.items() if key.condition == MAIN}
    if not subtracted:
        return list(moved)
    source, vectors = level.vector, level.own()
    profiles = level_profiles(
        evaluator,
        sites,
        {name: vectors[name].tensor for name, _ in subtracted},
        subtracted,
        source.cell or (level.maze.mouse if source.kind == "start" else None),
    )
    return [*profiles, *level_nearness(evaluator, subtracted), *moved]


def record_rollouts(
    policy: Policy, maze: Maze, keys: Sequence[Key], spec: SweepSpec, given: Given = NOTHING_GIVEN
) -> list[tuple[str, bytes]]:
    """Return ``spec.episodes`` rollouts per key in real procgen, as (file name, ``.npz`` bytes)."""
    files = []
    level = LevelConditions.of(policy, maze, spec.source, spec.seed, keys, given)
    for key in keys:
        world = maze.without_cheese() if key.condition == "no_cheese" else maze
        edit = None if key.condition in REFERENCES else level.intervention(key)
        tracks = rollouts(
            policy, world, edit, episodes=spec.episodes, seed=spec.seed, horizon=spec.horizon, condition=key.condition
        )
        files += [(rollout_name(key, episode), track.to_bytes()) for episode, track in enumerate(tracks)]
    return files


def run_unit(policy: Policy, unit: Unit, spec: SweepSpec, given: Given = NOTHING_GIVEN) -> Result:
    """Return everything that a unit asks for: exact outcomes, sums by distance and recorded rollouts.

    Args:
        policy: of the sweep's checkpoint.
        unit: one group of conditions on one level.
        spec: the sweep's settings.
        given: the edits that ``spec`` names.

    Returns:
        One row per key; the same on any machine, whatever was computed before.

    Raises:
        InputError: for a site that the network lacks, or a vector that the level cannot give.
    """
    maze = Maze.from_level(unit.level, spec.mode)
    rows, sums = level_rows(policy, maze, unit.keys, spec, given) if unit.keys else ([], [])
    files = record_rollouts(policy, maze, unit.recordings, spec, given) if unit.recordings else []
    return Result(unit, tuple(rows), tuple(sums), tuple(files))
