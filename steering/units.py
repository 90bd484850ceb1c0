"""Units of work of a sweep: one group of conditions on one level, from spec to rows.

A unit's results depend on the policy, the level and the spec alone, so they are the same whoever computes them, and
when. Equivalent experiments are run once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from agents.networks.policy import Policy
from envs.errors import InputError, nearest
from envs.maze import Maze
from steering.donors import donor, donors
from steering.evaluate import Field, LevelEvaluator
from steering.experiments.conditions import PUBLISHED_SITE
from steering.interventions.edits import Intervention, add, subtract
from steering.interventions.sites import Site, enumerate_sites
from steering.interventions.vectors import (
    SteeringVector,
    cheese_vectors,
    mean_cheese_vectors,
    mean_vector,
    random_vector,
)
from steering.plan import ALL_SITES, CONDITIONS, GROUPS, OTHER_LEVEL, REFERENCES, SAME_CELL, SweepSpec, VectorSource
from steering.profiles import Profile, level_profiles
from steering.rollouts import rollouts
from steering.statistics.seeding import generator
from steering.store import Key, Row

Vectors = dict[str, SteeringVector]
MEAN_DRAW = 2**32 - 1  # the draw of the levels that a mean is taken over, apart from those of the controls


@dataclass(frozen=True)
class Unit:
    """What is computed and stored together: results of one group on one level, and rollouts to record."""

    level: int
    keys: tuple[Key, ...]
    recordings: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Result:
    """What a unit gives: rows and profiles for the store, and files by name for ``rollouts/``."""

    unit: Unit
    rows: tuple[Row, ...]
    profiles: tuple[Profile, ...]
    files: tuple[tuple[str, bytes], ...]


def split(level: int, keys: Iterable[Key], recordings: Iterable[Key] = ()) -> list[Unit]:
    """The units of one level that compute ``keys``; rollouts are recorded with the first."""
    keys, recordings = list(keys), tuple(recordings)
    parts = [tuple(key for key in keys if key.condition in group) for group in GROUPS]
    units = [Unit(level, part) for part in parts if part]
    if recordings:
        units = [replace(units[0], recordings=recordings), *units[1:]] if units else [Unit(level, (), recordings)]
    return units


def own_vectors(policy: Policy, maze: Maze, sites: Sequence[str], source: VectorSource, seed: int) -> Vectors:
    """The sweep's cheese vectors for one level, by site."""
    if source.kind == "mean":
        return mean_cheese_vectors(policy, maze, sites)
    if source.kind == "levels":
        parts = [cheese_vectors(policy, m, sites) for m in donors(maze, OTHER_LEVEL, seed, MEAN_DRAW, source.count)]
        return {site: mean_vector([part[site] for part in parts]) for site in sites}
    return cheese_vectors(policy, maze, sites, source.cell)


@dataclass
class _Level:
    """Vectors of one level, each made once."""

    policy: Policy
    maze: Maze
    spec: SweepSpec
    sites: list[str]

    @classmethod
    def of(cls, policy: Policy, maze: Maze, spec: SweepSpec, keys: Iterable[Key]) -> _Level:
        """With the vectors that ``keys`` edit with."""
        keys = list(keys)
        sites = [key.site for key in keys if key.site]
        if any(key.condition == ALL_SITES for key in keys):
            sites += trunk_experiments(enumerate_sites(policy.net))
        return cls(policy, maze, spec, list(dict.fromkeys(sites)))

    def __post_init__(self) -> None:
        self._own: Vectors | None = None
        self._drawn: dict[tuple[str, int], tuple[int, Vectors]] = {}

    def own(self) -> Vectors:
        """Of the level itself."""
        if self._own is None:
            source = VectorSource.parse(self.spec.vector)
            self._own = own_vectors(self.policy, self.maze, self.sites, source, self.spec.seed)
        return self._own

    def drawn(self, condition: str, draw: int) -> tuple[int, Vectors]:
        """(level, vectors) of a level drawn for a control."""
        if (condition, draw) not in self._drawn:
            other = donor(self.maze, condition, self.spec.seed, draw)
            make = mean_cheese_vectors if self.spec.vector == "mean" else cheese_vectors
            self._drawn[condition, draw] = (other.level or 0, make(self.policy, other, self.sites))
        return self._drawn[condition, draw]

    def source(self, key: Key) -> int | None:
        """The level a control's vector is from, if another."""
        return self.drawn(key.condition, key.draw)[0] if key.condition in (OTHER_LEVEL, SAME_CELL) else None

    def intervention(self, key: Key) -> Intervention:
        """What a key stands for; references change nothing."""
        kinds: dict[str, Callable[[], Intervention]] = {
            **dict.fromkeys(REFERENCES, Intervention),
            "subtract": lambda: subtract(self.own()[key.site], key.coefficient),
            "add": lambda: add(self.own()[key.site], key.coefficient),
            "random": lambda: subtract(
                random_vector(self.own()[key.site], generator(self.spec.seed, key.level, key.site, key.draw)),
                key.coefficient,
            ),
            **dict.fromkeys(
                (OTHER_LEVEL, SAME_CELL),
                lambda: subtract(self.drawn(key.condition, key.draw)[1][key.site], key.coefficient),
            ),
            ALL_SITES: lambda: everywhere(self.policy, self.own(), key.coefficient),
        }
        if key.condition not in kinds:
            raise InputError(
                f"unknown condition {key.condition!r}; {nearest(key.condition, (*REFERENCES, *CONDITIONS))}"
            )
        return kinds[key.condition]()


def everywhere(policy: Policy, vectors: Vectors, coefficient: float) -> Intervention:
    """Subtract at all distinct trunk sites at once, the coefficient shared out equally among them."""
    sites = trunk_experiments(enumerate_sites(policy.net))
    edit = Intervention()
    for site in sites:
        edit = edit + subtract(vectors[site], coefficient / len(sites))
    return edit


def trunk_experiments(sites: Sequence[Site]) -> list[str]:
    """The trunk sites that are experiments of their own, in depth order."""
    return [site.name for site in sites if site.trunk and site.equivalence_class == site.name]


def level_intervention(policy: Policy, maze: Maze, key: Key, spec: SweepSpec) -> Intervention:
    """The intervention of one key on one level."""
    return _Level.of(policy, maze, spec, [key]).intervention(key)


def level_rows(policy: Policy, maze: Maze, keys: Sequence[Key], spec: SweepSpec) -> tuple[list[Row], list[Profile]]:
    """Exact outcomes of ``keys`` on one level, and profiles of subtraction; equivalent experiments are run once.

    Vectors that are differences of activations give one policy at affine-equivalent sites, so the first site of the
    class is run and its numbers are reported for all; a random vector has no such twin.
    """
    sites = {site.name: site for site in enumerate_sites(policy.net)}
    evaluator = LevelEvaluator(policy, maze, spec.horizon)
    jobs: dict[Key, Key] = {}
    for key in keys:
        if key.condition in ("random", ALL_SITES):
            jobs[key] = key
        elif key.condition not in REFERENCES:
            jobs[key] = key._replace(site=sites[key.site].equivalence_class)
    distinct = list(dict.fromkeys(jobs.values()))
    level = _Level.of(policy, maze, spec, [*distinct, *(key for key in jobs if key.condition == "subtract")])
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
            if job.site and sites[job.site].feeds_value and not sites[key.site].feeds_value:
                outcome = replace(outcome, value_start=evaluator.clean_outcome().value_start)
            rows.append(Row(key, job.site, outcome, level.source(job)))
    return rows, _profiles(evaluator, level, jobs, fields, sites)


def _profiles(
    evaluator: LevelEvaluator, level: _Level, jobs: dict[Key, Key], fields: dict[Key, Field], sites: dict[str, Site]
) -> list[Profile]:
    """Profiles of subtraction: a site's own activations, its class's policy."""
    subtracted = {(key.site, key.coefficient): fields[job] for key, job in jobs.items() if key.condition == "subtract"}
    if not subtracted:
        return []
    source, vectors = VectorSource.parse(level.spec.vector), level.own()
    return level_profiles(
        evaluator,
        sites,
        {name: vectors[name].tensor for name, _ in subtracted},
        subtracted,
        source.cell or (level.maze.mouse if source.kind == "start" else None),
    )


def rollout_site(names: Sequence[str]) -> str:
    """Where rollouts are recorded: the published site if it is swept, else the middle one."""
    return PUBLISHED_SITE if PUBLISHED_SITE in names else names[len(names) // 2]


def rollout_name(key: Key, episode: int) -> str:
    """File name of a recorded rollout."""
    where = f"_{key.site}" if key.site else ""
    where += f"_x{key.coefficient:g}" if key.condition not in REFERENCES else ""
    return f"level{key.level:05d}_{key.condition}{where}_e{episode}.npz"


def rollout_keys(spec: SweepSpec, level: int, site: str) -> list[Key]:
    """Conditions recorded on each level: the references, and each condition at one site."""
    chosen = [
        Key(level, condition, "" if condition == ALL_SITES else site, spec.coefficients[0])
        for condition in spec.conditions
    ]
    return [Key(level, name) for name in REFERENCES] + chosen


def record_rollouts(policy: Policy, maze: Maze, keys: Sequence[Key], spec: SweepSpec) -> list[tuple[str, bytes]]:
    """``spec.episodes`` rollouts per key in real procgen, as (file name, ``.npz`` bytes)."""
    files = []
    level = _Level.of(policy, maze, spec, keys)
    for key in keys:
        world = maze.without_cheese() if key.condition == "no_cheese" else maze
        edit = None if key.condition in REFERENCES else level.intervention(key)
        tracks = rollouts(
            policy, world, edit, episodes=spec.episodes, seed=spec.seed, horizon=spec.horizon, condition=key.condition
        )
        files += [(rollout_name(key, episode), track.to_bytes()) for episode, track in enumerate(tracks)]
    return files


def run_unit(policy: Policy, unit: Unit, spec: SweepSpec) -> Result:
    """Everything a unit asks for."""
    maze = Maze.from_level(unit.level, spec.mode)
    rows, profiles = level_rows(policy, maze, unit.keys, spec) if unit.keys else ([], [])
    files = record_rollouts(policy, maze, unit.recordings, spec) if unit.recordings else []
    return Result(unit, tuple(rows), tuple(profiles), tuple(files))
