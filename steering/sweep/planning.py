"""From the options of a sweep to its spec, its levels, its checkpoint and its executor."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agents.checkpoints.cards import checkpoint_file, zoo_names, zoo_snapshots
from agents.checkpoints.files import SUFFIXES
from agents.checkpoints.zoo import load_policy
from envs.errors import InputError, nearest
from envs.maze import Maze
from steering.experiments.levels import SEARCH_LIMIT, Skip, parse_levels, qualifying_levels
from steering.interventions.sites import enumerate_sites, select_sites
from steering.records.sites import SiteFacts, site_facts
from steering.statistics import boundary
from steering.sweep.executors import Checkpoint, Cluster, dask, local
from steering.sweep.run import Executor
from steering.sweep.spec import SweepSpec

DEFAULT_LEVELS = 32
EXECUTORS = ("local", "dask")


@dataclass(frozen=True)
class SweepOptions:
    """The options of ``layer-sweep``, as typed."""

    checkpoint: str
    """Shipped name or file."""
    levels: str | None
    """Seeds, such as ``0:64`` or ``3,7``; null: the first that qualify."""
    n_levels: int | None
    """Number of qualifying levels, 1 or more; null: :data:`DEFAULT_LEVELS`."""
    sites: str
    """``trunk``, ``all`` or names with commas."""
    conditions: tuple[str, ...]
    """Names of conditions; a name given twice counts once."""
    coefficients: tuple[float, ...]
    """Multiples of the vector."""
    horizon: int
    """Most moves of an episode, 1 or more."""
    seed: int
    """Seed of everything drawn at random, 0 or more."""
    out: Path
    """Run directory."""
    mode: str
    """Procgen's mode of the levels: ``hard`` or ``easy``."""
    random_draws: int
    """Results per site and coefficient of what is drawn at random, 1 or more."""
    episodes: int
    """Rollouts recorded per level and condition, 0 or more."""
    workers: int | None
    """Number of processes, 1 or more; null: one per core."""
    vector: str = "start"
    """Place where cheese vectors are taken: see :class:`steering.experiments.levels.VectorSource`."""
    executor: str = "local"
    """One of :data:`EXECUTORS`."""
    cluster: Cluster = Cluster()  # noqa: RUF009  (frozen)
    """Dask cluster; only for the executor ``dask``."""
    blindness: float = boundary.BLINDNESS
    """Least blindness of every site up to the boundary, from -10 to 10."""
    competence: float = boundary.COMPETENCE
    """Least competence of every site up to the boundary, from -10 to 10."""


def plan_sweep(
    options: SweepOptions,
) -> tuple[SweepSpec, list[tuple[int, bool, str, dict[str, float]]], list[SiteFacts]]:
    """Return (spec, level rows for the store, facts of all sites); validate everything first."""
    check_options(options)
    policy = load_policy(options.checkpoint)
    sites = select_sites(options.sites, policy.net)
    asked = SweepSpec(  # complains about options before levels are looked for
        checkpoint=policy.name,
        sha256=policy.sha256,
        levels=(0,),
        sites=tuple(site.name for site in sites),
        conditions=tuple(dict.fromkeys(options.conditions)),
        coefficients=options.coefficients,
        draws=options.random_draws,
        horizon=options.horizon,
        seed=options.seed,
        mode=options.mode,
        episodes=options.episodes,
        vector=options.vector,
    )
    used, skipped = _levels(options)
    spec = replace(
        asked,
        levels=tuple(int(maze.level or 0) for maze in used),
        skipped=tuple(each.level for each in skipped),
    )
    rows = [(int(maze.level or 0), True, "", maze.features()) for maze in used]
    rows += [(each.level, False, each.words, {}) for each in skipped]
    return spec, rows, site_facts(enumerate_sites(policy.net))


def check_options(options: SweepOptions) -> None:
    """Raise :class:`InputError` for options that contradict one another or ask for too much."""
    if options.levels is not None and options.n_levels is not None:
        raise InputError("give --levels or --n-levels, not both")
    if options.n_levels is not None and options.n_levels < 1:
        raise InputError(f"--n-levels {options.n_levels}: at least 1 level is needed")
    if options.workers is not None and options.workers < 1:
        raise InputError(f"--workers {options.workers}: at least 1 process is needed")
    most = max(64, 4 * (os.cpu_count() or 1))
    if (options.workers or 1) > most:
        raise InputError(f"--workers {options.workers}: at most {most} processes on this machine")
    if options.executor not in EXECUTORS:
        raise InputError(f"--executor {options.executor!r}: {nearest(options.executor, EXECUTORS)}")
    if options.executor == "local" and options.cluster != Cluster():
        raise InputError("--scheduler, --scheduler-file and --gpus-per-unit belong to --executor dask; add it")
    if not 0 <= options.cluster.gpus_per_unit <= 1024:
        raise InputError(f"--gpus-per-unit {options.cluster.gpus_per_unit}: give a number from 0 to 1024")
    if options.cluster.address and options.cluster.scheduler_file:
        raise InputError("give --scheduler or --scheduler-file, not both")
    if options.cluster.scheduler_file is not None and not options.cluster.scheduler_file.is_file():
        raise InputError(f"--scheduler-file {options.cluster.scheduler_file}: no such file; start the scheduler first")
    boundary.check_thresholds(options.blindness, options.competence)


def _levels(options: SweepOptions) -> tuple[list[Maze], list[Skip]]:
    """Return the mazes to use, and the levels left out."""
    if options.levels is not None:
        used, skipped = qualifying_levels(parse_levels(options.levels), mode=options.mode, vector=options.vector)
    else:
        wanted = options.n_levels or DEFAULT_LEVELS
        used, skipped = qualifying_levels(range(SEARCH_LIMIT), wanted, options.mode, options.vector)
        if len(used) < wanted:
            raise InputError(f"--n-levels {wanted}: only {len(used)} of {SEARCH_LIMIT} levels qualify")
    if not used:
        raise InputError(
            f"--levels {options.levels}: none of {len(skipped)} levels qualifies "
            "(a decision square, and cheese outside the top-right 5x5); take a wider range"
        )
    return used, skipped


def read_checkpoint(options: SweepOptions, spec: SweepSpec) -> Checkpoint:
    """Return the checkpoint's bytes, read once: what happens to the file later is of no matter."""
    file = checkpoint_file(options.checkpoint)
    checkpoint = Checkpoint(file.read_bytes(), file.suffix, spec.checkpoint)
    if hashlib.sha256(checkpoint.data).hexdigest() != spec.sha256:
        raise InputError(f"checkpoint {options.checkpoint} changed while the sweep was planned; start again")
    return checkpoint


def executor(options: SweepOptions, spec: SweepSpec, checkpoint: Checkpoint) -> Executor:
    """Return the executor that the options name."""
    if options.executor == "dask":
        return lambda units: dask(checkpoint, units, spec, options.cluster, options.workers)
    return lambda units: local(checkpoint, units, spec, options.workers)


def expand_checkpoints(given: Sequence[str]) -> tuple[list[str], bool]:
    """Return (checkpoints, whether there may be several) for what a user types.

    Names and files stand for themselves, a directory or ``NAME@all`` for the snapshots in it. A shipped name is that
    name, whatever a folder is called.

    Raises:
        InputError: for a directory without checkpoints.
    """
    found: list[str] = []
    several = len(given) > 1
    for text in given:
        name, _, what = text.partition("@")
        if what == "all" and zoo_snapshots(name):
            several = True
            found += [f"{name}@{count}" for count in sorted(zoo_snapshots(name))]
        elif text not in zoo_names() and _is_dir(text):
            several = True
            try:
                files = sorted(str(path) for path in Path(text).iterdir() if path.suffix in SUFFIXES)
            except OSError as error:
                raise InputError(f"--checkpoint {text}: cannot be read ({error.strerror})") from None
            if not files:
                raise InputError(f"--checkpoint {text}: no checkpoint in this directory ({', '.join(SUFFIXES)})")
            found += files
        else:
            found.append(text)
    return list(dict.fromkeys(found)), several


def _is_dir(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except OSError:  # no name for a file: `load_policy` says so
        return False
