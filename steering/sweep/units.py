"""Units of work of a sweep: one group of conditions on one level, from spec to rows.

A unit's results depend on the policy, the level and the spec alone, so they are the same whoever computes them, and
when. Equivalent experiments are run once. On a GPU units of several levels are computed in one batch; another batch
rounds otherwise there, and no more.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agents.checkpoints.stated import NOTHING, Stated
from agents.checkpoints.zoo import policy_from_bytes
from agents.hardware import on_device, one_thread
from agents.networks.policy import MazePolicy, Policy
from envs.errors import counted
from envs.maze import Maze
from steering.experiments.conditions import BY_NAME, GROUPS, MAIN, MOVE, REFERENCES, Key
from steering.experiments.exact import LevelEvaluator, StatePolicy, fields_together
from steering.experiments.level_conditions import NOTHING_GIVEN, Given, LevelConditions
from steering.experiments.outcome import Sums
from steering.experiments.profiles import level_moved, level_nearness, level_profiles
from steering.experiments.sampled import rollouts
from steering.interventions.sites import Site, enumerate_sites
from steering.sweep.recordings import rollout_name
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row

_ONE_AT_A_TIME = threading.Lock()  # a worker of several threads: hooks and procgen serve one batch at a time


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


class Batch(tuple[Unit, ...]):
    """The same units of one level or several, which are computed together."""

    __slots__ = ()

    def __str__(self) -> str:
        """Name the first unit, and how many more there are."""
        return f"{self[0]}" if len(self) == 1 else f"{self[0]} and {counted(len(self) - 1, 'level')} beside it"


def batched(units: Iterable[Unit], levels: Sequence[int], most: int) -> list[Batch]:
    """Return units in batches: those that ask the same of levels which stand together in the sweep's order.

    Args:
        units: level by level.
        levels: all levels of the sweep, in its order. It alone decides which levels go together, so that a sweep that
            is gone on with has the batches of one that was never interrupted.
        most: the number of levels in one batch, 1 or more.
    """
    group = {level: place // most for place, level in enumerate(levels)}
    found: dict[object, list[Unit]] = {}
    for unit in units:
        alike = tuple(key._replace(level=0) for key in unit.keys)
        found.setdefault((group[unit.level], alike), []).append(unit)
    return [Batch(batch) for batch in found.values()]


@dataclass(frozen=True)
class _Asked:
    """What keys ask of one level; equivalent edits are run once.

    Vectors that are differences of activations give one policy at affine-equivalent sites, so the first site of the
    class is run and its numbers are reported for all; a random vector has no such twin. Edits that all name their
    sites are run once.
    """

    evaluator: LevelEvaluator
    level: LevelConditions
    keys: Sequence[Key]
    sites: dict[str, Site]
    jobs: dict[Key, Key]  # what is run for each key that edits

    @classmethod
    def of(cls, evaluator: LevelEvaluator, keys: Sequence[Key], spec: SweepSpec, given: Given) -> _Asked:
        policy = evaluator.policy
        sites = {site.name: site for site in enumerate_sites(policy.net)}
        jobs: dict[Key, Key] = {}
        for key in keys:
            condition = BY_NAME[key.condition]
            if condition.shared_in_class:
                jobs[key] = key._replace(site=sites[key.site].equivalence_class)
            elif condition.typed and given.names_sites:
                jobs[key] = key._replace(site=given.edits[0].fixed or "")
            elif not condition.reference:
                jobs[key] = key
        read = [*jobs.values(), *(key for key in jobs if key.condition == MAIN)]
        level = LevelConditions.of(policy, evaluator.maze, spec.source, spec.seed, read, given)
        return cls(evaluator, level, keys, sites, jobs)

    @property
    def distinct(self) -> list[Key]:
        """Return what is run, each once."""
        return list(dict.fromkeys(self.jobs.values()))

    def rows(self, fields: Mapping[Key, StatePolicy]) -> list[Row]:
        """Return the result of each key, from the policy under what is run."""
        evaluator = self.evaluator
        done = dict(zip(fields, evaluator.outcomes_of(list(fields.values())), strict=True))
        rows = []
        for key in self.keys:
            if key.condition == "clean":
                rows.append(Row(key, "", evaluator.clean_outcome()))
            elif key.condition == "no_cheese":
                rows.append(Row(key, "", evaluator.no_cheese_outcome()))
            else:
                job = self.jobs[key]
                outcome = done[job]
                shared = BY_NAME[key.condition].shared_in_class and job.site
                if shared and self.sites[job.site].feeds_value and not self.sites[key.site].feeds_value:
                    outcome = replace(outcome, value_start=evaluator.clean_outcome().value_start)
                rows.append(Row(key, job.site, outcome, self.level.source(job)))
        return rows


def level_rows(
    policy: Policy, maze: Maze, keys: Sequence[Key], spec: SweepSpec, given: Given = NOTHING_GIVEN
) -> tuple[list[Row], list[Sums]]:
    """Return exact outcomes of ``keys`` on one level, and its sums by distance; equivalent ones are run once."""
    return rows_together(policy, [maze], [keys], spec, given)[0]


def rows_together(
    policy: Policy,
    mazes: Sequence[Maze],
    keys: Sequence[Sequence[Key]],
    spec: SweepSpec,
    given: Given = NOTHING_GIVEN,
) -> list[tuple[list[Row], list[Sums]]]:
    """Return :func:`level_rows` of several levels, whose states share the network's passes.

    Args:
        policy: of the sweep's checkpoint.
        mazes: the levels.
        keys: of each level, alike but for the level.
        spec: the sweep's settings.
        given: the edits that ``spec`` names.

    Raises:
        InputError: for a site that the network lacks, or a vector that one of the levels cannot give.
    """
    first = LevelEvaluator(policy, mazes[0], spec.horizon)
    evaluators = [first, *map(first.world, mazes[1:])]
    asked = [_Asked.of(*each, spec, given) for each in zip(evaluators, keys, strict=True)]
    edits = [[each.level.intervention(key) for key in each.distinct] for each in asked]
    found = fields_together(evaluators, edits)
    fields_together([evaluator.without_cheese for evaluator in evaluators], [[] for _ in evaluators])
    done = []
    for each, policies in zip(asked, found, strict=True):
        fields = dict(zip(each.distinct, policies, strict=True))
        done.append((each.rows(fields), _sums(each, fields)))
    return done


def _sums(asked: _Asked, fields: Mapping[Key, StatePolicy]) -> list[Sums]:
    """Return subtraction by distance (a site's own activations, its class's policy), and moving against moved."""
    evaluator, level, jobs, sites = asked.evaluator, asked.level, asked.jobs, asked.sites
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
        One row per key; on the processor the same on any machine, whatever was computed before.

    Raises:
        InputError: for a site that the network lacks, or a vector that the level cannot give.
    """
    return run_batch(policy, Batch([unit]), spec, given)[0]


def run_batch(policy: Policy, batch: Batch, spec: SweepSpec, given: Given = NOTHING_GIVEN) -> list[Result]:
    """Return :func:`run_unit` of each unit of a batch; the states of all its levels share the network's passes."""
    mazes = Maze.from_levels([unit.level for unit in batch], spec.mode)
    found: list[tuple[list[Row], list[Sums]]] = [([], []) for _ in batch]
    if batch[0].keys:
        found = rows_together(policy, mazes, [unit.keys for unit in batch], spec, given)
    results = []
    for unit, maze, (rows, sums) in zip(batch, mazes, found, strict=True):
        files = record_rollouts(policy, maze, unit.recordings, spec, given) if unit.recordings else []
        results.append(Result(unit, tuple(rows), tuple(sums), tuple(files)))
    return results


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as it travels to workers."""

    data: bytes
    """Content of its file."""
    suffix: str
    """Suffix of its file, which tells the layout, such as ``.safetensors``."""
    name: str
    """Name of the policy in messages and results."""
    stated: Stated = NOTHING
    """What its user states of it."""
    device: str = "cpu"
    """Device that units run on, by the name it has on the worker's machine."""
    given: Given = NOTHING_GIVEN
    """The edits of the sweep, with the vectors of theirs that were read from files."""

    def policy(self) -> MazePolicy:
        """Return the policy that the file holds, on the processor."""
        return policy_from_bytes(self.data, self.suffix, self.name, self.stated)


@functools.lru_cache(maxsize=2)
def policy_of(checkpoint: Checkpoint) -> Policy:
    """Return the policy that a checkpoint holds, on its device; the same one if asked again."""
    return on_device(checkpoint.policy(), checkpoint.device)


def compute(checkpoint: Checkpoint, batch: Batch, spec: SweepSpec) -> list[Result]:
    """Return the results of a batch, on one thread.

    If it fails, at one of its levels or for want of memory, its units are computed one by one. Those that fail again
    are left out; a unit that comes alone raises what it raises.
    """
    with _ONE_AT_A_TIME, one_thread():
        run = functools.partial(run_batch, policy_of(checkpoint), spec=spec, given=checkpoint.given)
        if len(batch) == 1:
            return run(batch)
        with contextlib.suppress(Exception):
            return run(batch)
        found: list[Result] = []
        for unit in batch:
            with contextlib.suppress(Exception):
                found += run(Batch([unit]))
        return found
