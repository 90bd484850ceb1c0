"""What worker processes of a test do: things that end them, once or always."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from steering.sweep import executors
from steering.sweep.spec import SweepSpec
from steering.sweep.units import Batch, Checkpoint, Result

Job = Callable[[], object]
BEGIN = executors._begin  # before a test puts something else in its place


def begin() -> Callable[[Job], object]:
    """Return what calls a job."""
    return _call


def _call(job: Job) -> object:
    return job()


@dataclass
class BeginOnThreads:
    """As :func:`begin`, and what it names brings libraries of linear algebra that start ``threads`` threads."""

    threads: int

    def __setstate__(self, state: dict[str, int]) -> None:
        vars(self).update(state)
        threadpool_limits(self.threads, user_api="blas")

    def __call__(self) -> Callable[[Job], object]:
        return _call


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_at_first(path: Path) -> str:
    """The first time: leave this process's number in ``path`` and wait for ever; then it is done."""
    if path.exists():
        return "done"
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    time.sleep(3600)
    return "never"


def much() -> bytes:
    """Return more than any pipe takes."""
    return bytes(5_000_000)


def never_serve(_: object) -> None:
    die()


def too_much() -> None:
    raise MemoryError


def begin_deadly(
    path: Path, level: int, times: int, checkpoint: Checkpoint, spec: SweepSpec, file: str
) -> Callable[[Batch], list[Result]]:
    """Return the work of a sweep in which batches with ``level`` end their process, ``times`` in all: see ``path``."""
    plain = BEGIN(checkpoint, spec, file)

    def deadly(batch: Batch) -> list[Result]:
        died = len(path.read_text()) if path.exists() else 0
        if level in [unit.level for unit in batch] and died < times:
            path.write_text("x" * (died + 1))
            die()
        return plain(batch)

    return deadly
