"""Progress of long work on standard error: a bar with an estimate, or a line a minute where no bar can be drawn."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

EVERY = 60.0  # seconds between two lines
_SPEED_OVER = 1800.0  # seconds that the estimate looks back: steps of slow work are minutes apart

_SILENT = contextvars.ContextVar("silent", default=False)


class Update(Protocol):
    """Tells how far the work is."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell of ``done`` of ``total``; ``note``: what is known so far.

        A note of several lines stands above a bar; a line of progress has the first of them.
        """


class _Noted(Progress):
    """A bar with a note above it."""

    note = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        """Yield the note and the bar."""
        if self.note:
            yield Text(self.note, no_wrap=True, overflow="ellipsis")
        yield from super().get_renderables()


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Show no progress inside."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def is_silent() -> bool:
    """Return whether no progress is shown here."""
    return _SILENT.get()


@contextlib.contextmanager
def bar(what: str) -> Iterator[Update]:
    """Yield ``update(done, total)``; ``what`` is said beside the bar, or at the head of each line."""
    if is_silent():
        yield lambda done, total, note="": None
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
    with _Noted(*columns, console=console, transient=True, speed_estimate_period=_SPEED_OVER) as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int, note: str = "") -> None:
            progress.note = note
            progress.update(task, completed=done, total=total)

        yield update


def lines(what: str, clock: Callable[[], float]) -> Update:
    """Return an ``update(done, total)`` that prints a line, :data:`EVERY` seconds of ``clock`` after the last.

    The first note is told at once: it shows that the work is under way. The estimate is from what was done since the
    first call: what is stored from an earlier time took none.
    """
    begun = last = clock()
    noted = False
    first: int | None = None

    def update(done: int, total: int, note: str = "") -> None:
        nonlocal first, last, noted
        first = done if first is None else first
        now = clock()
        if now - last < EVERY and (noted or not note):
            return
        last, noted = now, noted or bool(note)
        told = f", {note.splitlines()[0]}" if note else ""
        left = "" if done <= first else f", {_span((now - begun) / (done - first) * max(total - done, 0))} left"
        print(
            f"{what}: {done:,} of {total:,} after {_span(now - begun)}{left}{told}",
            file=sys.stderr,
            flush=True,
        )

    return update


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
