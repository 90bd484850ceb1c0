"""Sweeps killed at every moment at which something becomes stored, each in a process of its own.

A program: it imports everything once and forks, so a sweep costs no start; plan and units are computed once and then
handed out again. In the folder it is given it leaves ``whole`` (left alone), for each moment ``N`` the folder
``killed-N`` (as the kill left it) and ``N`` (gone on with), ``chain`` (one sweep killed again and again, then
finished), and ``moments.json``.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from steering.sweep.planning import SweepOptions
from steering.sweep.run import Executor
from steering.sweep.spec import SweepSpec
from steering.sweep.units import Batch, Checkpoint, Result, Unit, compute
from steering.workflows import sweep_runs

RESULTS = 2 + 2  # of a level: the references, and two conditions at one site
OPTIONS = SweepOptions(
    checkpoint="region5",
    levels="26,54",
    n_levels=None,
    sites="embedder.relu3",
    conditions=("subtract", "random"),
    coefficients=(1.0,),
    horizon=256,
    seed=0,
    out=Path(),
    mode="hard",
    random_draws=1,
    episodes=1,
    workers=1,
)


class Moments:
    """Counts the moments at which something is about to become stored, and kills the process at one of them."""

    def __init__(self, fatal: int | None) -> None:
        self.seen: list[str] = []
        self._fatal = fatal

    def pass_by(self, name: str) -> None:
        if len(self.seen) == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen.append(name)

    def watch(self) -> None:
        """Begin and end of every transaction, every statement that is one by itself, every file put in place."""
        connect, put_in_place = sqlite3.connect, os.replace

        def watched(*args: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **options)

            def statement(text: str) -> None:
                word = text.split()[0].rstrip(";").upper()
                if word in ("BEGIN", "COMMIT") or (word == "INSERT" and not connection.in_transaction):
                    self.pass_by(word)

            connection.set_trace_callback(statement)
            return connection

        def put(source: str | Path, target: str | Path) -> None:
            self.pass_by(f"file {Path(target).name}")
            put_in_place(source, target)

        sqlite3.connect, os.replace = watched, put  # type: ignore[assignment]


def sweep(out: Path, memory: Path, fatal: int | None, *, outputs: bool) -> list[str]:
    """Run a sweep in this process; ``fatal``: the number of the moment at which it is killed.

    Returns the moments until all is stored. ``memory`` is a file for the plan and the results of the units.
    """
    moments, seen = Moments(fatal), list[str]()
    known: dict[Unit | str, Any] = pickle.loads(memory.read_bytes()) if memory.exists() else {}
    plan, examples, write = sweep_runs.plan_sweep, sweep_runs.keep_examples, sweep_runs.write_outputs

    def planned(options: SweepOptions, progress: object = None) -> Any:
        if "plan" not in known:
            known["plan"] = plan(options)
        return known["plan"]

    def here(options: SweepOptions, spec: SweepSpec, checkpoint: Checkpoint) -> Executor:
        def execute(units: Sequence[Unit]) -> Iterator[Result]:
            for unit in units:
                if unit not in known:
                    (known[unit],) = compute(checkpoint, Batch([unit]), spec)
                yield known[unit]

        return execute

    def all_stored(*given: Any) -> None:
        memory.write_bytes(pickle.dumps(known))
        seen.extend(moments.seen)
        if outputs:
            examples(*given)

    sweep_runs.plan_sweep, sweep_runs.executor, sweep_runs.keep_examples = planned, here, all_stored
    sweep_runs.write_outputs = write if outputs else lambda *_: {}
    moments.watch()
    sweep_runs.run_layer_sweep(replace(OPTIONS, out=out))
    return seen


def forked(task: Callable[[], object]) -> int:
    """Do a task in a forked process; return its exit code, or minus the number of the signal that ended it."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            task()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(folder: Path) -> None:
    memory, moments = folder / "memory", folder / "moments.json"
    assert forked(lambda: moments.write_text(json.dumps(sweep(folder / "whole", memory, None, outputs=True)))) == 0
    for number in range(len(json.loads(moments.read_text()))):
        out = folder / str(number)
        killed = forked(lambda: sweep(out, memory, number, outputs=False))  # noqa: B023
        assert killed == -signal.SIGKILL, killed
        if out.exists():
            shutil.copytree(out, folder / f"killed-{number}")
        assert forked(lambda: sweep(out, memory, None, outputs=False)) == 0  # noqa: B023
    fatal = 0
    while ended := forked(lambda: sweep(folder / "chain", memory, fatal, outputs=True)):  # noqa: B023
        assert ended == -signal.SIGKILL, ended
        fatal += 2


if __name__ == "__main__":
    run(Path(sys.argv[1]))
