"""One layer sweep from options to report, or one for each of several checkpoints, side by side with an index."""

from __future__ import annotations

import operator
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from agents.checkpoints.stated import NOTHING, Stated
from agents.checkpoints.zoo import load_stated
from envs.errors import RANGES, InputError, check_kind, counted, nearest, stopped_with, told_if_stopped
from envs.files import locked, write_atomic
from envs.stored.json_records import to_json
from steering.analysis.power import end_at_look
from steering.analysis.summary import STOP
from steering.experiments.conditions import MAIN
from steering.films.example_fields import keep_examples
from steering.records.boundary import IndexedRun, RunIndex
from steering.records.sweep import SweepSummary
from steering.statistics.boundary import ThresholdPair
from steering.statistics.sequential import LookPlan, SequentialStop
from steering.sweep.artifacts import INDEX, read_index
from steering.sweep.planning import SweepOptions, executor, plan_sweep, read_checkpoint
from steering.sweep.provenance import used_versions
from steering.sweep.run import run_sweep
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store, run_directory
from steering.sweep.units import Checkpoint, Result
from steering.workflows.finished import Run, load_run
from steering.workflows.kept_vectors import keep_given, keep_vectors
from steering.workflows.live_chart import LiveChart
from steering.workflows.outputs import Outputs, console, print_outputs, write_outputs
from steering.workflows.progress import Update, bar, doing, is_silent

ANOTHER = "choose another --out"


def run_layer_sweep(options: SweepOptions, command: str = "") -> Outputs:
    """Plan, compute what is missing, write all outputs.

    Args:
        options: the sweep's.
        command: what was typed, for the report; empty: the command line of this process.

    Returns:
        The numbers, the answer in words, and where it all lies.

    Raises:
        InputError: for options that do not fit, before anything is computed, and for a directory of another sweep.
    """
    with told_if_stopped(
        lambda: f"mazesteer: stopped before anything was computed for {options.out}: type the same command to go on"
    ):
        with bar("looking for levels", "levels") as progress:
            spec, rows, facts = plan_sweep(options, progress)
        checkpoint = read_checkpoint(options, spec)
    with run_directory(options.out) as directory, Store.open(directory) as store:

        def stored() -> str:
            present = store.keys()
            done = sum(all(key in present for key in spec.keys(level)) for level in spec.levels)
            return stopped_with(f"{done} of {counted(len(spec.levels), 'level')}", directory)

        with told_if_stopped(stored):
            store.claim(spec.shared())
            store.claim({"sites": facts})
            store.describe("command", command or "mazesteer " + shlex.join(sys.argv[1:]))
            store.describe("versions", used_versions(store.versions()))
            thresholds = ThresholdPair(options.blindness, options.competence)
            store.describe("thresholds", thresholds)
            store.add_levels(rows)
            spec = _sweep(options, spec, store, checkpoint, thresholds)
            policy = checkpoint.policy()
            keep_given(checkpoint.given, directory)
            if options.save_vectors:
                with bar("writing vectors", "levels") as progress:
                    keep_vectors(policy, spec, directory, progress)
            with doing("drawing example fields, then writing the report"):
                keep_examples(policy, store, spec, directory)
                return write_outputs(store, spec, directory, thresholds)


def _sweep(
    options: SweepOptions, spec: SweepSpec, store: Store, checkpoint: Checkpoint, thresholds: ThresholdPair
) -> SweepSpec:
    """Compute what is missing, up to the look that ends the sweep or all of it; return the sweep that was done.

    The looks go by the order of the levels and not by that in which results arrive, so the end is the same on one
    worker or many, resumed or not.
    """
    plan = LookPlan.of(options.until_width, len(spec.levels))
    chart = LiveChart(store, spec, thresholds) if options.chart and not is_silent() else None
    note = ""

    def noting(update: Update) -> Callable[[int, int], None]:
        return lambda done, total: update(done, total, note)

    def seen(result: Result) -> None:
        nonlocal note
        note = chart.add(result.rows) if chart is not None else ""

    if store.meta(STOP, list[SequentialStop], []):
        store.describe(STOP, [])  # of an earlier command
    for count in (len(spec.levels),) if plan is None else plan.looks:
        part = spec.first(count)
        part.save(options.out)
        execute = executor(options, part, checkpoint)
        with bar("sweeping", "parts of levels") as update:
            run_sweep(part, options.out, store, execute, progress=noting(update), seen=seen)
        if plan is not None:
            stop = end_at_look(store, part, plan, thresholds)
            store.describe(STOP, [stop])
            if stop.narrow:
                break
    return part


def layer_sweep(
    checkpoint: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] = SweepOptions.out,
    n_levels: int | None = None,
    levels: str | Iterable[int] | None = None,
    sites: str | Iterable[str] = SweepOptions.sites,
    conditions: str | Iterable[str] = SweepOptions.conditions,
    coefficients: float | Iterable[float] = SweepOptions.coefficients,
    activation: str | None = None,
    scale_pixels: int | None = None,
    **settings: Any,
) -> Run:
    """Subtract the cheese vector at every layer, as ``mazesteer layer-sweep`` does, and return the finished run.

    Interrupted, it goes on where it stopped when it is called again. Progress is told on standard error.

    Args:
        checkpoint: a shipped name or a file, as :func:`agents.checkpoints.zoo.load_policy` takes it.
        out: the run directory.
        n_levels: the first so many levels that qualify; None: 32, or all of ``levels``.
        levels: seeds to consider, numbers or a text such as ``"0:64"``; None: the first that qualify.
        sites: ``"trunk"``, ``"all"``, or names.
        conditions: names of conditions.
        coefficients: multiples of the vector; the boundary is that of the first.
        activation: stated of the file, as ``load_policy`` takes it.
        scale_pixels: stated of the file, as ``load_policy`` takes it.
        settings: other fields of :class:`steering.sweep.planning.SweepOptions`: ``mode``, ``horizon``, ``seed``,
            ``vector``, ``random_draws``, ``episodes``, ``workers``, ``device``, ``blindness``, ``competence`` ...

    Returns:
        The run, as :func:`steering.workflows.finished.load_run` reads it again later.

    Raises:
        InputError: for what the command refuses, in the same words.

    Example:
        >>> settings = {"sites": "input", "conditions": "subtract", "episodes": 0}
        >>> run = layer_sweep("region5", levels=[26, 54], out="runs/new", **settings)
        >>> run.spec.levels, round(run.summary.sites[0].conditions["subtract"].blindness, 2)
        ((26, 54), 1.0)
    """
    check_kind(isinstance(checkpoint, str | os.PathLike), checkpoint, "a shipped name or a file", "layer_sweep")
    known = [each.name for each in fields(SweepOptions)]
    for name in settings:
        if name not in known:
            raise InputError(f"layer_sweep: no setting {name!r}; {nearest(name, known)}")
        if name.replace("_", "-") in RANGES and settings[name] is not None:
            RANGES[name.replace("_", "-")].check(settings[name])
    given = SweepOptions(
        checkpoint=os.fspath(checkpoint),
        out=Path(out),
        n_levels=n_levels,
        levels=levels if isinstance(levels, str | None) else ",".join(str(operator.index(seed)) for seed in levels),
        sites=sites if isinstance(sites, str) else ",".join(sites),
        conditions=tuple(_words(conditions)),
        coefficients=tuple(coefficients) if isinstance(coefficients, Iterable) else (coefficients,),
        stated=Stated(activation, scale_pixels),
        **settings,
    )
    run_layer_sweep(given, _call(given))
    return load_run(given.out)


def _words(given: str | Iterable[str]) -> list[str]:
    """Return names, given as a text with commas or one by one."""
    return [word.strip() for word in given.split(",") if word.strip()] if isinstance(given, str) else list(given)


def _call(options: SweepOptions) -> str:
    """Return the call that has these options, without those that are as by default."""
    plain = SweepOptions(options.checkpoint)
    changed = {each.name: getattr(options, each.name) for each in fields(options)[1:]}
    changed = {name: value for name, value in changed.items() if value != getattr(plain, name)}
    changed |= {name: str(value) for name, value in changed.items() if isinstance(value, Path)}
    stated = changed.pop("stated", NOTHING)
    changed |= {name: value for name, value in vars(stated).items() if value != getattr(NOTHING, name)}
    parts = [f"{name}={value!r}" for name, value in changed.items()]
    return f"layer_sweep({', '.join([repr(options.checkpoint), *parts])})"


def run_layer_sweeps(options: SweepOptions, checkpoints: Sequence[str]) -> RunIndex:
    """Make the same sweep for every checkpoint, each in a directory of its name under ``options.out``.

    All are planned before the first begins, so bad input costs nothing. Typed again, it goes on.

    Returns:
        The index of the runs.

    Raises:
        InputError: if two checkpoints share a name, or if ``options.out`` holds something else.
    """
    parts = {}
    for checkpoint in checkpoints:
        name = load_stated(checkpoint, options.stated).name
        if name in parts:
            raise InputError(f"--checkpoint: two checkpoints are called {name}; rename one of the files")
        parts[name] = replace(options, checkpoint=checkpoint, out=options.out / name)
    print(f"{counted(len(parts), 'checkpoint')}: {', '.join(parts)}", flush=True)
    for part in parts.values():
        with bar("looking for levels", "levels") as progress:
            plan_sweep(part, progress)
    _claim(options.out, list(parts))
    with locked(options.out):
        others = [run for run in read_index(options.out, ANOTHER).runs if run.name not in parts]
        finished: list[IndexedRun] = []
        for number, (name, part) in enumerate(parts.items(), 1):
            print(f"\n[{number}/{len(parts)}] {name}", flush=True)
            written = run_layer_sweep(part)
            print_outputs(written)
            finished.append(_indexed(written.summary, name))
            names = (*(run.name for run in others), *parts)
            index = RunIndex(INDEX.format, names, (*others, *finished))
            write_atomic(options.out / INDEX.file, to_json(index, indent=2))
    _print_boundaries(finished)
    print(f"index: {options.out / INDEX.file}")
    return index


def _indexed(summary: SweepSummary, directory: str) -> IndexedRun:
    """Return a finished run as the index names it."""
    return IndexedRun(
        name=summary.checkpoint.name,
        sha256=summary.checkpoint.sha256,
        directory=directory,
        boundary=summary.boundary,
        blindness={s.name: s.conditions[MAIN].blindness for s in summary.sites if MAIN in s.conditions},
    )


def _claim(directory: Path, names: list[str]) -> None:
    """Make the folder ours, or refuse one that holds anything else."""
    try:
        present = {path.name for path in directory.iterdir()} if directory.exists() else set()
    except OSError as error:
        raise InputError(f"{directory}: cannot be read ({error.strerror}); {ANOTHER}") from None
    present = {name for name in present if not name.startswith(f".{Path(INDEX.file).stem}.")}  # of one killed at once
    if present and INDEX.file not in present:
        raise InputError(f"{directory} is not empty and not a folder of several runs; {ANOTHER}")
    if INDEX.file in present:
        read_index(directory, ANOTHER)
    else:
        write_atomic(directory / INDEX.file, to_json(RunIndex(INDEX.format, tuple(names), ())))


def _print_boundaries(runs: Sequence[IndexedRun]) -> None:
    """Print a line for each run: its boundary and the ends of its interval."""
    table = Table(box=None, pad_edge=False)
    for name in ("checkpoint", "boundary", "from", "to"):
        table.add_column(name)
    for run in runs:
        found = run.boundary
        ends = () if found is None else (found.site, found.low, found.high)
        table.add_row(run.name, *(end or "none" for end in ends))
    to = console()
    to.print()
    to.print(table)
