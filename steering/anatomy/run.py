"""From options to ``anatomy.json``: what the ``anatomy`` command does, resumable level by level."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.checkpoints.stated import NOTHING, Stated
from agents.checkpoints.zoo import load_stated
from agents.hardware import check_memory, on_device, one_thread
from agents.networks.policy import Policy, device_of
from envs.errors import InputError, check_random_seed, counted, nearest, stopped_with, told_if_stopped
from envs.files import write_atomic
from envs.maze import Maze
from envs.stored.json_records import to_json, to_plain
from steering.anatomy.interference import CELLS, SETS, STATES, InterferenceRow, interference_row
from steering.anatomy.interference_summary import interference_site
from steering.experiments.levels import Skip, check_levels_asked
from steering.interventions.sites import Site, select_sites
from steering.planning.rows import digest_of, keep_rows, stored_rows
from steering.records.anatomy.summary import INTERFERENCE, PARTS, AnatomySettings, AnatomySummary
from steering.records.sites import site_facts
from steering.records.sweep import CheckpointId
from steering.statistics import bootstrap
from steering.statistics.seeding import generator
from steering.sweep.artifacts import ANATOMY
from steering.sweep.planning import mazes_beside_sweep
from steering.sweep.store import Store, run_directory

DEFAULT_LEVELS = 100
BYTES_PER_VALUE = 16  # of memory, for each activation of each frame
REVISION = 1  # of how a level is measured: rows of another one are measured again


@dataclass(frozen=True)
class AnatomyOptions:
    """The options of ``anatomy``, as typed."""

    checkpoint: str
    """The agent: a name of the zoo, or a file's path."""
    out: Path
    """The run directory, that of a sweep or a new one."""
    levels: str | None = None
    """Seeds to consider, ``0:64`` or ``3,7,12``; None: by ``n_levels``."""
    n_levels: int | None = None
    """Take the first so many that qualify; None (and no ``levels``): the sweep's in ``out``, else 100."""
    parts: tuple[str, ...] = PARTS
    """Parts to measure, of :data:`steering.records.anatomy.summary.PARTS`."""
    sites: str = "all"
    """``all``, ``trunk``, or names separated by commas."""
    seed: int = 0
    """Seed of every random draw."""
    mode: str | None = None
    """Procgen's distribution mode, ``hard`` or ``easy``; None: that of the run in ``out``, else of its training,
    else hard."""
    stated: Stated = NOTHING
    """What the user states of the checkpoint, where its file does not say it."""
    device: str = "cpu"
    """Device of the network: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``."""


@dataclass(frozen=True)
class _Part:
    """One part, as it is measured."""

    kind: type[Any]
    """Record of a level's row."""
    measure: Callable[[Maze], Any]
    """Function that measures a level."""
    basis: str
    """Digest of all that a row depends on, besides the level, the agent and the device."""


def run_anatomy(
    options: AnatomyOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
    left_out: Callable[[Sequence[Skip]], None] = lambda skipped: None,
) -> AnatomySummary:
    """Measure what is missing, write ``anatomy.json``, and return what it holds.

    On one torch thread, so that every machine gets the same numbers. A level measured before is not measured again.

    Args:
        options: what to measure, on which levels, and where to keep it.
        progress: told ``(done, total)`` in measurements of a level.
        left_out: told the levels that were looked at and do not qualify.

    Returns:
        The content of ``anatomy.json``: numbers by site with 95% intervals over mazes.

    Raises:
        InputError: in one line, for options that cannot be met, levels of which none qualifies, or a directory in use
            or of another agent.
    """
    policy, mazes, settings, sites = _plan(options, progress, left_out)
    parts = _parts(policy, settings, sites)
    with run_directory(options.out) as directory, one_thread(), Store.open(directory) as store:
        store.claim({"device": settings.device, "checkpoint sha256": policy.sha256, "mode": settings.mode})
        rows = {name: stored_rows(store, _stored_as(name), part.basis, part.kind) for name, part in parts.items()}

        def stored() -> str:
            done = sum(all(maze.level in rows[name] for name in parts) for maze in mazes)
            return stopped_with(f"{done} of {counted(len(mazes), 'level')}", directory)

        with told_if_stopped(stored):
            _measure(store, parts, mazes, rows, progress)
        result = _result(policy, settings, sites, rows)
        write_atomic(directory / ANATOMY.file, to_json(result, indent=1))
    return result


def _plan(
    options: AnatomyOptions, progress: Callable[[int, int], None], left_out: Callable[[Sequence[Skip]], None]
) -> tuple[Policy, list[Maze], AnatomySettings, list[Site]]:
    """Return the agent, the mazes, the settings and the sites; raise :class:`InputError` for wrong options."""
    check_random_seed(options.seed)
    check_levels_asked(options.levels, options.n_levels)
    for name in options.parts:
        if name not in PARTS:
            raise InputError(f"--parts {name!r}: {nearest(name, PARTS)}")
    if not options.parts:
        raise InputError(f"--parts: name one or more of {', '.join(PARTS)}")
    policy = on_device(load_stated(options.checkpoint, options.stated), options.device)
    sites = select_sites(options.sites, policy.net)
    check_memory((CELLS + STATES) * sum(site.size for site in sites) * BYTES_PER_VALUE, "the activations of a level")
    mazes, mode = mazes_beside_sweep(options, policy, progress, default=DEFAULT_LEVELS, left_out=left_out)
    settings = AnatomySettings(
        parts=tuple(name for name in PARTS if name in options.parts),
        sites=tuple(site.name for site in sites),
        levels=tuple(int(maze.level or 0) for maze in mazes),
        cells=CELLS,
        states=STATES,
        seed=options.seed,
        mode=mode,
        device=device_of(policy.net).type,
    )
    return policy, mazes, settings, sites


def _parts(policy: Policy, settings: AnatomySettings, sites: Sequence[Site]) -> dict[str, _Part]:
    """Return the parts asked for, by name."""
    shared = {name: value for name, value in to_plain(settings).items() if name not in ("parts", "levels", "device")}
    known = {INTERFERENCE: (InterferenceRow, interference_row)}
    return {
        name: _Part(
            kind,
            functools.partial(measure, policy, sites=sites, seed=settings.seed),
            digest_of({**shared, "sets": SETS, "revision": REVISION}),
        )
        for name, (kind, measure) in known.items()
        if name in settings.parts
    }


def _stored_as(part: str) -> str:
    return f"anatomy {part}"


def _measure(
    store: Store,
    parts: Mapping[str, _Part],
    mazes: Sequence[Maze],
    rows: Mapping[str, dict[int, Any]],
    progress: Callable[[int, int], None],
) -> None:
    """Measure and store what is missing, level by level."""
    work = [(maze, name) for maze in mazes for name in parts if maze.level not in rows[name]]
    progress(0, len(work))
    for done, (maze, name) in enumerate(work, 1):
        level, row = int(maze.level or 0), parts[name].measure(maze)
        keep_rows(store, parts[name].basis, {_stored_as(name): {level: row}})
        rows[name][level] = row
        progress(done, len(work))


def _result(
    policy: Policy, settings: AnatomySettings, sites: Sequence[Site], rows: Mapping[str, Mapping[int, Any]]
) -> AnatomySummary:
    """Return everything that ``anatomy.json`` says."""
    count = len(settings.levels)
    drawn = bootstrap.counts(bootstrap.resamples(count, generator(settings.seed, 0, "anatomy bootstrap", 0)))
    samples = np.vstack([np.ones(count), drawn])
    interference = None
    if INTERFERENCE in rows:
        found = [rows[INTERFERENCE][level] for level in settings.levels]
        facts = zip(site_facts(sites), sites, strict=True)
        interference = tuple(interference_site(known, site.size, found, samples) for known, site in facts)
    return AnatomySummary(
        format=ANATOMY.format,
        checkpoint=CheckpointId(policy.name, policy.sha256),
        settings=settings,
        interference=interference,
    )
