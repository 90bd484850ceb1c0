"""From options to ``anatomy.json``: what the ``anatomy`` command does, resumable level by level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.checkpoints.zoo import load_stated
from agents.hardware import check_memory, check_workers, on_device, usual_workers
from agents.networks.policy import Policy, device_of
from envs.errors import InputError, check_random_seed, counted, nearest, stopped_with, told_if_stopped
from envs.files import write_atomic
from envs.stored.json_records import to_json
from steering.anatomy.interference import CELLS, STATES
from steering.anatomy.part import Asked, basis_of, stored_as
from steering.anatomy.parts import MEASURED
from steering.anatomy.several import measured
from steering.experiments.levels import Skip, check_levels_asked
from steering.interventions.sites import select_sites
from steering.measuring.beside_sweep import MeasureOptions, mazes_beside_sweep, measurements
from steering.measuring.rows import fitting, keep_rows, stored_rows
from steering.records.anatomy.summary import PARTS, AnatomySettings, AnatomySummary
from steering.records.sweep import CheckpointId
from steering.sweep.artifacts import ANATOMY
from steering.sweep.planning import packed
from steering.sweep.store import Store
from steering.sweep.units import Checkpoint

DEFAULT_LEVELS = 100
BYTES_PER_VALUE = 16  # of memory, for each activation of each frame


@dataclass(frozen=True)
class AnatomyOptions(MeasureOptions):
    """The options of ``anatomy``, as typed."""

    parts: tuple[str, ...] = PARTS
    """Parts to measure, of :data:`steering.records.anatomy.summary.PARTS`."""
    sites: str = "all"
    """``all``, ``trunk``, or names separated by commas."""
    workers: int | None = None
    """Number of processes, 1 or more; None: one per core, on a GPU at most 8."""


def run_anatomy(
    options: AnatomyOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
    left_out: Callable[[Sequence[Skip]], None] = lambda skipped: None,
) -> AnatomySummary:
    """Measure what is missing, write ``anatomy.json``, and return what it holds.

    Every process has one thread, so the numbers are the same on every machine, with one process or many. A level
    measured before is not measured again.

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
    asked = _plan(options, progress, left_out)
    settings, known = asked.settings, CheckpointId(asked.policy.name, asked.policy.sha256)
    with measurements(options.out, asked.policy, settings.mode) as store:
        rows = {name: _stored(store, asked, name) for name in settings.parts}
        workers = _workers(options, asked.policy)
        sent = packed(options.checkpoint, known, options.stated, options.device)[0] if workers > 1 else None
        work = _Work(store, asked, rows, progress, workers, sent)

        def stored() -> str:
            return stopped_with(f"{work.done} of {counted(work.total, 'measurement')}", options.out)

        before = any(map(any, rows.values()))
        with told_if_stopped(stored):
            work.do()
        found = {}
        for name in settings.parts:
            with fitting(store, f"anatomy {name}", before):
                found[name] = MEASURED[name].summarize(asked, rows[name])
        result = AnatomySummary(format=ANATOMY.format, checkpoint=known, settings=settings, **found)
        write_atomic(options.out / ANATOMY.file, to_json(result, indent=1))
    return result


def _plan(
    options: AnatomyOptions, progress: Callable[[int, int], None], left_out: Callable[[Sequence[Skip]], None]
) -> Asked:
    """Return the agent, the mazes, the sites and the settings; raise :class:`InputError` for wrong options."""
    check_random_seed(options.seed)
    check_levels_asked(options.levels, options.n_levels)
    check_workers(options.workers)
    for name in options.parts:
        if name not in PARTS:
            raise InputError(f"--parts {name!r}: {nearest(name, PARTS)}")
    if not options.parts:
        raise InputError(f"--parts: name one or more of {', '.join(PARTS)}")
    policy = on_device(load_stated(options.checkpoint, options.stated), options.device)
    sites = select_sites(options.sites, policy.net)
    parts = tuple(name for name in PARTS if name in options.parts)
    for name in parts:
        MEASURED[name].check(policy, sites)
    mazes, mode = mazes_beside_sweep(options, policy, progress, default=DEFAULT_LEVELS, left_out=left_out)
    settings = AnatomySettings(
        parts=parts,
        sites=tuple(site.name for site in sites),
        levels=tuple(int(maze.level or 0) for maze in mazes),
        cells=CELLS,
        states=STATES,
        seed=options.seed,
        mode=mode,
        device=device_of(policy.net).type,
    )
    asked = Asked(policy, mazes, sites, settings)
    most = max(len(step.work(asked, ())) for name in parts for step in MEASURED[name].passes)  # done side by side
    workers = min(_workers(options, policy), most)
    level = max(MEASURED[name].frames for name in parts) * sum(site.size for site in sites) * BYTES_PER_VALUE
    what = f"the activations of a level in {counted(workers, 'worker')}"
    check_memory(level * workers, what, "give fewer --workers or --sites")
    return asked


def _workers(options: AnatomyOptions, policy: Policy) -> int:
    return options.workers or usual_workers(device_of(policy.net).type)


def _stored(store: Store, asked: Asked, name: str) -> list[dict[int, Any]]:
    """Return the rows of a part that are there, pass by pass."""
    return [
        stored_rows(store, stored_as(name, step), basis_of(step, asked.settings), step.row)
        for step in MEASURED[name].passes
    ]


@dataclass
class _Work:
    """What is to be measured, pass by pass; ``done`` and ``total`` count the rows of all passes, old and new."""

    store: Store
    asked: Asked
    rows: Mapping[str, list[dict[int, Any]]]
    progress: Callable[[int, int], None]
    workers: int
    checkpoint: Checkpoint | None
    done: int = 0
    total: int = 0

    def do(self) -> None:
        """Measure and store what is missing."""
        steps = [(name, k, step) for name in self.asked.settings.parts for k, step in enumerate(MEASURED[name].passes)]
        wanted = {(name, k): set(step.work(self.asked, ())) for name, k, step in steps}
        self.total = sum(map(len, wanted.values()))
        missing = sum(len(levels - self.rows[name][k].keys()) for (name, k), levels in wanted.items())
        self.done = self.total - missing
        self.progress(0, missing)
        for name, k, step in steps:
            found = self.rows[name][k]
            basis = basis_of(step, self.asked.settings)
            before, to_do = self.rows[name][:k], sorted(wanted[name, k] - found.keys())
            for level, row in measured(self.asked, name, k, before, to_do, self.workers, self.checkpoint):
                keep_rows(self.store, basis, {stored_as(name, step): {level: row}})
                found[level] = row
                self.done += 1
                self.progress(self.done - (self.total - missing), missing)
            self.rows[name][k] = dict(sorted(found.items()))  # in the order of a resumed run, whoever was first
