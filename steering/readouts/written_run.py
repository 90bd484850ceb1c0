"""From options to ``written_moves.json``: what the ``write-moves`` command does, resumable level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from agents.checkpoints.zoo import load_stated
from agents.hardware import check_memory, on_device
from agents.networks.policy import Policy, device_of
from envs.errors import RANGES, InputError, check_random_seed, counted, nearest, stopped_with, told_if_stopped
from envs.files import write_atomic
from envs.maze import Maze
from envs.stored.json_records import to_json, to_plain
from envs.training.levels import EVAL_LEVELS
from steering.experiments.levels import Skip, check_levels_asked, qualifying_levels
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import INPUT, Site, select_sites
from steering.measuring.beside_sweep import MeasureOptions, mazes_beside_sweep, measurements
from steering.measuring.rows import digest_of, fitting, keep_rows, stored_rows
from steering.probes.data import probe_data
from steering.probes.score_records import MOVES as TARGETS
from steering.readouts.directions import DRAWS, Directions, cheese_norms, learn_directions, places_of
from steering.readouts.written import BRANCHES, MOVES, STRENGTHS, LevelWriter, WrittenRow
from steering.readouts.written_summary import mean_share, written_place
from steering.records.readouts import WrittenSettings, WrittenSite, WrittenSummary
from steering.records.sweep import CheckpointId
from steering.statistics import bootstrap
from steering.statistics.seeding import generator
from steering.sweep.artifacts import WRITTEN
from steering.sweep.store import Store

DEFAULT_LEVELS = 50
DISTINCT = "distinct"
LEARN_LEVELS = 160
LEARN_FROM = EVAL_LEVELS[1] // 2  # first seed of the levels that readouts learn from
STATES = 8  # frames of each of them
BYTES_PER_VALUE = 16  # of memory, for each activation of each frame
REVISION = 1  # of how a level is measured: rows of another one are measured again
_WRITTEN, _READOUTS = "written moves", "readouts of written moves"  # parts of the table


@dataclass(frozen=True)
class WriteOptions(MeasureOptions):
    """The options of ``write-moves``, as typed."""

    sites: str = DISTINCT
    """``distinct`` (trunk sites that are experiments of their own), ``trunk``, ``all``, or names separated by commas;
    the picture itself is left out."""
    target: str = "cheese"
    """Whose next move is read and written: ``cheese``, ``corner`` or ``policy``."""
    branches: int = BRANCHES
    """Most branches of a level, at least 1."""
    learn_levels: int = LEARN_LEVELS
    """Levels that the readouts learn from, at least 10."""
    strengths: tuple[float, ...] = STRENGTHS
    """Lengths of what is added, as multiples of the norm of the cheese vector."""


@dataclass(frozen=True)
class LearnedSite:
    """What the readouts of one site are, as the summary needs it."""

    norm: float
    """Norm of the cheese vector, mean over the levels learned from."""
    frames: tuple[int, ...]
    """Frames of each level learned from."""
    right: dict[str, tuple[float, ...]]
    """Next moves of each level that the readout gets right when learned from others, by place."""
    chance: dict[str, tuple[float, ...]]
    """The same with shuffled moves."""


@dataclass(frozen=True)
class _Plan:
    """What is to be measured."""

    policy: Policy
    """The agent."""
    net: PartialNetwork
    """Its network, traced."""
    mazes: list[Maze]
    """Levels written in."""
    learned: list[Maze]
    """Levels learned from."""
    sites: list[Site]
    """Sites, in depth order."""
    settings: WrittenSettings
    """The settings."""

    def basis(self) -> str:
        """Return a digest of all that a level's row depends on, besides the level, the agent and the device."""
        shared = {**to_plain(self.settings), "levels": None, "revision": REVISION}
        del shared["device"]
        return digest_of(shared)


def run_write_moves(
    options: WriteOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
    left_out: Callable[[Sequence[Skip]], None] = lambda skipped: None,
) -> WrittenSummary:
    """Measure what is missing, write ``written_moves.json``, and return what it holds.

    On one thread, so that every machine gets the same numbers. A level measured before is not measured again;
    readouts are learned again if any level is missing.

    Args:
        options: where to write, on which levels, and where to keep it.
        progress: told ``(done, total)`` in sites learned and levels measured.
        left_out: told the levels that were looked at and do not qualify.

    Returns:
        The content of ``written_moves.json``: shares with 95% intervals over mazes.

    Raises:
        InputError: in one line, for options that cannot be met, levels without a branch, a network that cannot be
            traced, or a directory in use or of another agent.
    """
    plan = _plan(options, progress, left_out)
    with measurements(options.out, plan.policy, plan.settings.mode) as store:
        rows = stored_rows(store, _WRITTEN, plan.basis(), WrittenRow)

        def stored() -> str:
            done = sum(maze.level in rows for maze in plan.mazes)
            return stopped_with(f"{done} of {counted(len(plan.mazes), 'level')}", options.out)

        before = bool(rows)
        with told_if_stopped(stored):
            readouts = _measure(store, plan, rows, progress)
        with fitting(store, _WRITTEN, before):
            result = _result(plan, rows, readouts)
        write_atomic(options.out / WRITTEN.file, to_json(result, indent=1))
    return result


def _plan(
    options: WriteOptions, progress: Callable[[int, int], None], left_out: Callable[[Sequence[Skip]], None]
) -> _Plan:
    """Return what is to be measured; raise :class:`InputError` for wrong options."""
    check_random_seed(options.seed)
    RANGES["branches"].check(options.branches)
    RANGES["learn-levels"].check(options.learn_levels)
    check_levels_asked(options.levels, options.n_levels)
    for strength in options.strengths:
        RANGES["strength"].check(strength)
    if not options.strengths:
        raise InputError("--strengths: write numbers separated by commas, e.g. 0.5,1,2")
    if options.target not in TARGETS:
        raise InputError(f"--target {options.target!r}: {nearest(options.target, TARGETS)}")
    policy = on_device(load_stated(options.checkpoint, options.stated), options.device)
    net = PartialNetwork(policy.net)
    sites = sites_to_write(options.sites, policy.net)
    frames = options.learn_levels * STATES
    check_memory(frames * max(site.size for site in sites) * BYTES_PER_VALUE, f"readouts of {frames:,} frames")
    mazes, mode = mazes_beside_sweep(options, policy, progress, default=DEFAULT_LEVELS, left_out=left_out)
    learned, _ = qualifying_levels(range(LEARN_FROM, EVAL_LEVELS[1]), options.learn_levels, mode)
    known = {maze.level for maze in learned}
    for maze in mazes:
        if maze.level in known:
            raise InputError(f"level {maze.level}: readouts learn from it; take levels below {LEARN_FROM}")
    settings = WrittenSettings(
        sites=tuple(site.name for site in sites),
        levels=tuple(int(maze.level or 0) for maze in mazes),
        learned=tuple(int(maze.level or 0) for maze in learned),
        states=STATES,
        target=options.target,
        branches=options.branches,
        strengths=tuple(sorted(set(options.strengths))),
        draws=DRAWS,
        moves=MOVES,
        seed=options.seed,
        mode=mode,
        device=device_of(policy.net).type,
    )
    return _Plan(policy, net, mazes, learned, sites, settings)


def sites_to_write(spec: str, net: nn.Module) -> list[Site]:
    """Return the sites that ``spec`` asks for (see :class:`WriteOptions`), each once, in depth order.

    Raises:
        InputError: for a name that no site has, or where none is left behind the picture.
    """
    found = [site for site in select_sites("trunk" if spec == DISTINCT else spec, net) if site.name != INPUT]
    if spec == DISTINCT:
        found = [site for site in found if site.equivalence_class == site.name]
    if not found:
        raise InputError(f"--sites {spec}: no site behind the picture; see `mazesteer sites`")
    return found


def _measure(
    store: Store, plan: _Plan, rows: dict[int, WrittenRow], progress: Callable[[int, int], None]
) -> Mapping[str, LearnedSite]:
    """Measure and store what is missing, level by level; return what the readouts are."""
    first = plan.settings.learned[0]
    known = stored_rows(store, _READOUTS, plan.basis(), dict[str, LearnedSite])
    missing = [maze for maze in plan.mazes if maze.level not in rows]
    if not missing and first in known:
        readouts: Mapping[str, LearnedSite] = known[first]
        return readouts
    total = len(plan.sites) + len(missing)
    progress(0, total)
    directions = []
    for done, found in enumerate(_learned(plan), 1):
        directions.append(found)
        progress(done, total)
    readouts = {each.site.name: _learned_site(each) for each in directions}
    keep_rows(store, plan.basis(), {_READOUTS: {first: readouts}})
    for done, maze in enumerate(missing, len(plan.sites) + 1):
        level = int(maze.level or 0)
        row = LevelWriter(plan.policy, plan.net, maze, plan.settings.branches, plan.settings.seed).row(
            directions, plan.settings.strengths
        )
        keep_rows(store, plan.basis(), {_WRITTEN: {level: row}})
        rows[level] = row
        progress(done, total)
    return readouts


def _learned(plan: _Plan) -> Iterator[Directions]:
    """Yield the directions of each site."""
    settings = plan.settings
    norms = cheese_norms(plan.policy, plan.learned, plan.sites)
    data = probe_data(plan.policy, plan.learned, settings.states, settings.seed)
    for site in plan.sites:
        yield learn_directions(plan.policy, data, site, norms[site.name], settings.target, settings.seed)


def _learned_site(found: Directions) -> LearnedSite:
    def by_place(values: Mapping[str, np.ndarray]) -> dict[str, tuple[float, ...]]:
        return {place: tuple(row.tolist()) for place, row in values.items()}

    return LearnedSite(found.norm, tuple(found.frames.tolist()), by_place(found.right), by_place(found.chance))


def _result(plan: _Plan, rows: Mapping[int, WrittenRow], readouts: Mapping[str, LearnedSite]) -> WrittenSummary:
    """Return everything that ``written_moves.json`` says."""
    found = [rows[level] for level in plan.settings.levels]
    count = np.array([row.branches for row in found], dtype=float)
    if not count.any():
        raise InputError("the policy makes every move at the junctions of these levels; take more levels")
    samples, learned = (_samples(len(mazes), plan.settings.seed) for mazes in (plan.mazes, plan.learned))
    sites = []
    for site in plan.sites:
        known = readouts[site.name]
        places = []
        for place in places_of(site):
            right = np.array(known.right[place]), np.array(known.chance[place]), np.array(known.frames, dtype=float)
            places.append(written_place(place, right, found, site.name, plan.settings.strengths, samples, learned))
        sites.append(WrittenSite(site.name, site.depth, known.norm, tuple(places)))
    return WrittenSummary(
        format=WRITTEN.format,
        checkpoint=CheckpointId(plan.policy.name, plan.policy.sha256),
        settings=plan.settings,
        branches=int(count.sum()),
        mazes=int((count > 0).sum()),
        clean=mean_share(np.array([row.clean.taken for row in found]), count, samples),
        clean_entered=mean_share(np.array([row.clean.entered for row in found]), count, samples),
        sites=tuple(sites),
    )


def _samples(mazes: int, seed: int) -> np.ndarray:
    """Return weights of mazes, those as they are first: ``float64[1 + draws, mazes]``."""
    drawn = bootstrap.counts(bootstrap.resamples(mazes, generator(seed, 0, "written moves bootstrap", 0)))
    return np.vstack([np.ones(mazes), drawn])
