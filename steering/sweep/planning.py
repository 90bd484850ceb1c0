"""From the options of a sweep to its spec, its levels, its checkpoint and its executor."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from agents.checkpoints.cards import checkpoint_file, mode_for, zoo_names, zoo_snapshots
from agents.checkpoints.files import SUFFIXES, has_suffix
from agents.checkpoints.stated import NOTHING, Stated
from agents.checkpoints.zoo import load_stated
from agents.hardware import check_device, check_workers, device_named
from agents.networks.policy import MazePolicy
from envs.errors import RANGES, InputError, nearest
from envs.stored.ranges import Mode
from envs.stored.sources import MOST_WEIGHTS, read_file
from steering.experiments.conditions import DEFAULT_CONDITIONS, EDIT, MAIN
from steering.experiments.edit_text import read_edits
from steering.experiments.level_conditions import Given
from steering.experiments.levels import (
    check_levels_asked,
    look_for_levels,
    parse_levels,
)
from steering.experiments.outcome import HORIZON
from steering.interventions.sites import enumerate_sites, select_sites
from steering.records.sites import SiteFacts, site_facts
from steering.records.sweep import CheckpointId
from steering.statistics import boundary
from steering.statistics.sequential import MOST, LookPlan
from steering.sweep.artifacts import DATABASE
from steering.sweep.executors import Cluster, dask, local
from steering.sweep.run import Executor
from steering.sweep.spec import MOST_RESULTS, SPEC, SweepSpec
from steering.sweep.store import Store
from steering.sweep.units import Checkpoint

DEFAULT_LEVELS = 32
MOST_RECORDINGS = 1_000_000  # files in one folder
SECONDS_PER_RESULT = 0.1  # of one core, about
BYTES_PER_RESULT = 1_000  # of the driver's memory and of the database, about
EXECUTORS = ("local", "dask")


@dataclass(frozen=True)
class SweepOptions:
    """The options of ``layer-sweep``, as typed."""

    checkpoint: str
    """Shipped name or file."""
    levels: str | None = None
    """Seeds, such as ``0:64`` or ``3,7``; null: the first that qualify."""
    n_levels: int | None = None
    """Number of qualifying levels, 1 or more; null: :data:`DEFAULT_LEVELS`, or the most that ``until_width`` takes."""
    until_width: float | None = None
    """Width of the intervals of blindness at which the sweep ends early, .001 to 2; null: it does all levels."""
    sites: str = "trunk"
    """``trunk``, ``all`` or names with commas."""
    conditions: tuple[str, ...] = DEFAULT_CONDITIONS
    """Names of conditions; a name given twice counts once."""
    coefficients: tuple[float, ...] = (1.0,)
    """Multiples of the vector."""
    horizon: int = HORIZON
    """Most moves of an episode, 1 or more."""
    seed: int = 0
    """Seed of everything drawn at random, 0 or more."""
    out: Path = Path("runs/sweep")
    """Run directory."""
    mode: str | None = None
    """Procgen's mode of the levels, ``hard`` or ``easy``; null: see :func:`mode_in`."""
    random_draws: int = 1
    """Results per site and coefficient of what is drawn at random, 1 or more."""
    episodes: int = 2
    """Rollouts recorded per level and condition, 0 or more."""
    workers: int | None = None
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
    stated: Stated = NOTHING
    """What the user states of the checkpoint, where its file does not say it."""
    device: str = "cpu"
    """Device of the network: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``; on the machines of a cluster, theirs."""
    edits: tuple[str, ...] = ()
    """Edits of the condition ``edit``, which then is one of the sweep's: see :class:`EditText`."""
    foreign_vectors: bool = False
    """True to take vectors of other agents in them."""
    save_vectors: bool = False
    """True to write the cheese vectors of each level and site, too."""
    chart: bool = True
    """Whether blindness by site is shown while the sweep goes on."""

    @property
    def wanted(self) -> int:
        """Return the number of levels to look for where no seeds are named."""
        return self.n_levels or (DEFAULT_LEVELS if self.until_width is None else MOST)


def plan_sweep(
    options: SweepOptions, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[SweepSpec, list[tuple[int, bool, str, dict[str, float]]], list[SiteFacts]]:
    """Return (spec, level rows for the store, facts of all sites); validate everything first.

    ``progress`` is told while levels are looked for: found, wanted.
    """
    check_options(options)
    policy = load_stated(options.checkpoint, options.stated)
    mode = mode_in(options.out, policy, options.mode)
    sites = select_sites(options.sites, policy.net)
    edits = read_edits(options.edits, policy, foreign=options.foreign_vectors)
    for edit, site in itertools.product(edits, sites):
        if edit.fixed is None:
            edit.check(site)
    asked = SweepSpec(  # complains about options before levels are looked for
        checkpoint=policy.name,
        sha256=policy.sha256,
        levels=(0,),
        sites=tuple(site.name for site in sites),
        conditions=tuple(dict.fromkeys((*options.conditions, *((EDIT,) if edits else ())))),
        coefficients=options.coefficients,
        draws=options.random_draws,
        horizon=options.horizon,
        seed=options.seed,
        mode=mode,
        episodes=options.episodes,
        vector=options.vector,
        activation=options.stated.activation,
        scale_pixels=options.stated.scale_pixels,
        device=device_of_units(options).type,
        edits=tuple(str(edit) for edit in edits),
    )
    candidates = parse_levels(options.levels) if options.levels is not None else None
    if options.until_width is not None:
        LookPlan(options.until_width, options.wanted if candidates is None else len(candidates))
        if MAIN not in asked.conditions or not any(site.trunk for site in sites):
            raise InputError(f"until-width: judges by `{MAIN}` at trunk sites; add both, or leave it out")
    check_size(asked, len(candidates) if candidates is not None else options.wanted)
    used, skipped = look_for_levels(options.levels, options.wanted, mode, options.vector, progress)
    for edit, maze in itertools.product(edits, used):
        edit.check_maze(maze)
    spec = replace(
        asked,
        levels=tuple(int(maze.level or 0) for maze in used),
        skipped=tuple(each.level for each in skipped),
    )
    LookPlan.of(options.until_width, len(spec.levels))
    rows = [(int(maze.level or 0), True, "", maze.features()) for maze in used]
    rows += [(each.level, False, each.words, {}) for each in skipped]
    return spec, rows, site_facts(enumerate_sites(policy.net))


def check_options(options: SweepOptions) -> None:
    """Raise :class:`InputError` for options that contradict one another or ask for too much."""
    check_levels_asked(options.levels, options.n_levels)
    check_workers(options.workers)
    if options.executor not in EXECUTORS:
        raise InputError(f"--executor {options.executor!r}: {nearest(options.executor, EXECUTORS)}")
    if options.executor == "local" and options.cluster != Cluster():
        raise InputError("--scheduler, --scheduler-file and --gpus-per-unit belong to --executor dask; add it")
    RANGES["gpus-per-unit"].check(options.cluster.gpus_per_unit)
    if options.cluster.address and options.cluster.scheduler_file:
        raise InputError("give --scheduler or --scheduler-file, not both")
    if options.cluster.scheduler_file is not None and not options.cluster.scheduler_file.is_file():
        raise InputError(f"--scheduler-file {options.cluster.scheduler_file}: no such file; start the scheduler first")
    device_of_units(options)
    boundary.check_thresholds(options.blindness, options.competence)


def device_of_units(options: SweepOptions) -> torch.device:
    """Return the device that units run on; raise :class:`InputError` for one that is not there, or GPUs not used.

    What another machine has is not known here: its workers look for it.
    """
    cluster = options.cluster
    elsewhere = cluster.address is not None or cluster.scheduler_file is not None
    name = "cuda" if options.device == "auto" and cluster.gpus_per_unit else options.device
    device = device_named(name) if elsewhere else check_device(name)
    if cluster.gpus_per_unit and device.type == "cpu":
        raise InputError(f"--gpus-per-unit {cluster.gpus_per_unit:g}: units would not use them; add --device cuda")
    return device


def check_size(spec: SweepSpec, levels: int) -> None:
    """Raise :class:`InputError`, with an estimate, for a sweep of ``levels`` levels that no machine finishes."""
    results, recordings = levels * spec.results_per_level, levels * len(spec.conditions) * spec.episodes
    if results > MOST_RESULTS:
        years = results * SECONDS_PER_RESULT / (365 * 24 * 3600)
        raise InputError(
            f"this sweep asks for {results:,} results ({levels:,} levels, {spec.results_per_level:,} each): about "
            f"{years:,.2g} years of one core and {results * BYTES_PER_RESULT / 1e9:,.0f} GB; the most is "
            f"{MOST_RESULTS:,}: take fewer levels, sites, coefficients or --random-draws"
        )
    if recordings > MOST_RECORDINGS:
        raise InputError(
            f"this sweep asks for {recordings:,} recorded rollouts, a file each; the most is {MOST_RECORDINGS:,}: "
            "take fewer --episodes"
        )


def mode_in(out: Path, policy: MazePolicy, mode: str | None) -> str:
    """Return procgen's mode for a command that goes on in ``out``.

    Args:
        out: its directory, which need not be there.
        policy: the agent.
        mode: as typed; None: that of the run in ``out``, else as the agent was trained, else hard.

    Raises:
        InputError: for a mode without mazes, or a run that cannot be read.
    """
    if mode is None and os.path.lexists(out / SPEC):
        mode = SweepSpec.load(out).mode
    elif mode is None and (out / DATABASE).is_file():
        with Store.read(out) as store:
            mode = store.meta("mode", Mode, "") or None
    return mode_for(mode, policy.name, policy.card)


def packed(checkpoint: str, known: CheckpointId, stated: Stated, device: str) -> tuple[Checkpoint, MazePolicy]:
    """Return a checkpoint's bytes for workers, read once, and the policy that they hold, on the processor.

    Args:
        checkpoint: shipped name or file.
        known: its name in messages and results, and the digest of what was loaded before.
        stated: what its user states of it.
        device: device of the workers' networks.

    Raises:
        InputError: if the file is no more what was loaded.
    """
    file = checkpoint_file(checkpoint)
    found = Checkpoint(read_file(file, MOST_WEIGHTS), file.suffix, known.name, stated, device)
    policy = found.policy()
    if policy.sha256 != known.sha256:
        raise InputError(f"checkpoint {checkpoint} changed while the run was planned; start again")
    return found, policy


def read_checkpoint(options: SweepOptions, spec: SweepSpec) -> Checkpoint:
    """Return the checkpoint's bytes with the edits, read once: what happens to the files later is of no matter."""
    known = CheckpointId(spec.checkpoint, spec.sha256)
    checkpoint, policy = packed(options.checkpoint, known, options.stated, str(device_of_units(options)))
    edits = read_edits(options.edits, policy, foreign=options.foreign_vectors)
    if tuple(str(edit) for edit in edits) != spec.edits:
        raise InputError("a vector of --edit changed while the sweep was planned; start again")
    return replace(checkpoint, given=Given(edits=edits))


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
        InputError: for an empty name, or a directory without checkpoints.
    """
    found: list[str] = []
    several = len(given) > 1
    for text in given:
        if not text.strip():
            raise InputError("the name of the checkpoint is empty; give a shipped name or a file")
        name, _, what = text.partition("@")
        if what == "all" and zoo_snapshots(name):
            several = True
            found += [f"{name}@{count}" for count in sorted(zoo_snapshots(name))]
        elif text not in zoo_names() and _is_dir(text):
            several = True
            try:
                files = sorted(str(path) for path in Path(text).iterdir() if has_suffix(path))
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
    except OSError:  # no name for a file: `load_stated` says so
        return False
