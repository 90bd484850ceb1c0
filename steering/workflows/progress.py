"""Progress of long work on standard error: a bar with an estimate, or a line a minute where no bar can be drawn."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

EVERY = 60.0  # seconds between two lines
_SPEED_OVER = 1800.0  # seconds that the estimate looks back: steps of slow work are minutes apart

Update = Callable[[int, int], None]
_SILENT = contextvars.ContextVar("silent", default=False)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Show no progress inside."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


@contextlib.contextmanager
def bar(what: str) -> Iterator[Update]:
    """Yield ``update(done, total)``; ``what`` is said beside the bar, or at the head of each line."""
    if _SILENT.get():
        yield lambda done, total: None
        return
    console = Console(stderr=True)
    # FORCE_COLOR is about colours: a bar in a file, or on a terminal that cannot move its cursor, is no progress.
    if not (sys.stderr.isatty() and console.is_interactive):
        yield lines(what, time.monotonic)
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, speed_estimate_period=_SPEED_OVER) as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield update


def lines(what: str, clock: Callable[[], float]) -> Update:
    """Return an ``update(done, total)`` that prints a line, :data:`EVERY` seconds of ``clock`` after the last.

    The estimate is from what was done since the first call: what is stored from an earlier time took none.
    """
    begun = last = clock()
    first: int | None = None

    def update(done: int, total: int) -> None:
        nonlocal first, last
        first = done if first is None else first
        now = clock()
        if now - last < EVERY:
            return
        last = now
        left = "" if done <= first else f", {_span((now - begun) / (done - first) * max(total - done, 0))} left"
        print(f"{what}: {done:,} of {total:,} after {_span(now - begun)}{left}", file=sys.stderr, flush=True)

    return update


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
