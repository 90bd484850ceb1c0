"""One layer sweep from options to report, or one for each of several checkpoints, side by side with an index."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agents.checkpoints.zoo import load_stated
from envs.errors import InputError, told_if_stopped
from envs.files import locked, write_atomic
from envs.stored.json_records import to_json
from steering.experiments.conditions import MAIN
from steering.films.example_fields import keep_examples
from steering.records.boundary import IndexedRun, RunIndex
from steering.records.sweep import SweepSummary
from steering.statistics.boundary import ThresholdPair
from steering.sweep.artifacts import INDEX, read_index
from steering.sweep.planning import SweepOptions, executor, plan_sweep, read_checkpoint
from steering.sweep.provenance import used_versions
from steering.sweep.run import run_sweep
from steering.sweep.store import Store, run_directory
from steering.workflows.outputs import write_outputs
from steering.workflows.progress import bar

ANOTHER = "choose another --out"


def run_layer_sweep(options: SweepOptions) -> SweepSummary:
    """Plan, compute what is missing, write all outputs, print the answer; return the summary."""
    with told_if_stopped(
        lambda: f"mazesteer: stopped before anything was computed for {options.out}: type the same command to go on"
    ):
        with bar("looking for levels") as progress:
            spec, rows, facts = plan_sweep(options, progress)
        checkpoint = read_checkpoint(options, spec)
    with run_directory(options.out) as directory, Store.open(directory) as store:

        def stored() -> str:
            present = store.keys()
            done = sum(all(key in present for key in spec.keys(level)) for level in spec.levels)
            count = f"{done} of {len(spec.levels)} levels are stored in {directory}"
            return f"mazesteer: stopped; {count}: type the same command to go on"

        with told_if_stopped(stored):
            store.claim(spec.shared())
            store.claim({"sites": facts})
            store.describe("command", "mazesteer " + shlex.join(sys.argv[1:]))
            store.describe("versions", used_versions(store.versions()))
            thresholds = ThresholdPair(options.blindness, options.competence)
            store.describe("thresholds", thresholds)
            store.add_levels(rows)
            spec.save(directory)
            with bar("sweeping") as progress:
                run_sweep(spec, directory, store, executor(options, spec, checkpoint), progress=progress)
            policy = checkpoint.policy()
            keep_examples(policy, store, spec, directory)
            return write_outputs(store, spec, directory, thresholds)


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
    print(f"{len(parts)} checkpoints: {', '.join(parts)}", flush=True)
    for part in parts.values():
        with bar("looking for levels") as progress:
            plan_sweep(part, progress)
    _claim(options.out, list(parts))
    with locked(options.out):
        others = [run for run in read_index(options.out, ANOTHER).runs if run.name not in parts]
        finished: list[IndexedRun] = []
        for number, (name, part) in enumerate(parts.items(), 1):
            print(f"\n[{number}/{len(parts)}] {name}", flush=True)
            finished.append(_indexed(run_layer_sweep(part), name))
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
    to = Console(width=120, highlight=False)
    to.print()
    to.print(table)
