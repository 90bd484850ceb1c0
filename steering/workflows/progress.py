"""Progress of long work on standard error: a bar with an estimate, or a line a minute where no bar can be drawn.

A stretch of which no share is known says what it does, on a terminal, and for how long it has done so.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

EVERY = 60.0  # seconds between two lines
_SPEED_OVER = 1800.0  # seconds that the estimate looks back: steps of slow work are minutes apart

F = TypeVar("F", bound=Callable[..., Any])
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
def bar(what: str, unit: str = "") -> Iterator[Update]:
    """Yield ``update(done, total)``; ``what`` is said beside the bar, or at the head of each line.

    Args:
        what: the work, such as ``sweeping``.
        unit: what is counted, such as ``levels``; empty: nothing is said.
    """
    if is_silent():
        yield lambda done, total, note="": None
        return
    console = Console(stderr=True)
    if not _moves(console):
        yield lines(what, time.monotonic, unit)
        return
    columns = (
        TextColumn(what),
        BarColumn(bar_width=None),  # what the rest leaves of the line
        MofNCompleteColumn(),
        *([TextColumn(unit)] if unit else []),
        TextColumn("elapsed"),
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


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Say on a terminal what is done inside, and for how long it has been done."""
    console = Console(stderr=True)
    if is_silent() or not _moves(console):
        yield
        return
    columns = (SpinnerColumn(), TextColumn(what), TextColumn("elapsed"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(what, total=None)
        yield


def after_loading(*modules: str) -> Callable[[F], F]:
    """Return a decorator of a command that first imports what takes seconds, and says so."""

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def run(*args: Any, **options: Any) -> Any:
            with doing("loading"):
                for module in modules:
                    importlib.import_module(module)
            return command(*args, **options)

        return run  # type: ignore[return-value]

    return decorate


def _moves(console: Console) -> bool:
    """Return whether standard error is a terminal that can move its cursor.

    FORCE_COLOR is about colours: a bar in a file, or on a terminal that cannot move its cursor, is no progress.
    """
    return sys.stderr.isatty() and console.is_interactive


def lines(what: str, clock: Callable[[], float], unit: str = "") -> Update:
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
        left = "" if done <= first else f", left {_span((now - begun) / (done - first) * max(total - done, 0))}"
        counted = f"{done:,} of {total:,}{f' {unit}' if unit else ''}"
        print(f"{what}: {counted}, elapsed {_span(now - begun)}{left}{told}", file=sys.stderr, flush=True)

    return update


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
