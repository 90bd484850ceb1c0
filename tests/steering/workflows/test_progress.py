"""Progress where no bar can be drawn: a line now and then, and what it estimates."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from steering.workflows.progress import EVERY, bar, doing, lines


def test_a_line_a_minute_with_an_estimate_from_what_this_run_did(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    update = lines("sweeping", lambda: now, "levels")
    update(400, 1000)  # stored by an earlier command
    for seconds, done in ((EVERY / 2, 405), (EVERY, 410), (1.5 * EVERY, 415), (2 * EVERY, 420), (3 * EVERY, 420)):
        now = seconds
        update(done, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "sweeping: 410 of 1,000 levels, elapsed 0:01:00, left 0:59:00",
        "sweeping: 420 of 1,000 levels, elapsed 0:02:00, left 0:58:00",
        "sweeping: 420 of 1,000 levels, elapsed 0:03:00, left 1:27:00",
    ]


def test_the_first_note_is_told_at_once_and_later_ones_with_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    update = lines("training", lambda: now)
    for seconds, done in ((1.0, 0), (5.0, 256), (6.0, 512), (5.0 + EVERY, 1_024)):
        now = seconds
        update(done, 2_048, "loss 2.5" if done else "")
    assert capsys.readouterr().err.splitlines() == [
        "training: 256 of 2,048, elapsed 0:00:05, left 0:00:35, loss 2.5",
        "training: 1,024 of 2,048, elapsed 0:01:05, left 0:01:05, loss 2.5",
    ]


@pytest.mark.parametrize(("done", "left"), [(0, ""), (12, ", left 0:00:00")])
def test_before_anything_is_done_and_beyond_the_end_nothing_is_promised(
    capsys: pytest.CaptureFixture[str], done: int, left: str
) -> None:
    now = 0.0
    update = lines("training", lambda: now)
    update(0, 10)
    now = EVERY
    update(done, 10)
    assert capsys.readouterr().err == f"training: {done} of 10, elapsed 0:01:00{left}\n"


def test_where_there_is_no_terminal_no_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    with bar("sweeping") as update:
        update(1, 2)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_all_parts_of_a_line_of_80_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with terminal(tmp_path / "stderr") as file, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", file)
        with bar("looking for levels", "levels") as update:
            update(100, 10_000)
        with doing("writing the report"):
            pass
    text = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", (tmp_path / "stderr").read_text())
    assert re.search(r"looking for levels \S+ +100/10000 levels elapsed 0:00:0\d left ", text)
    assert re.search(r"writing the report elapsed 0:00:0\d", text)


@contextlib.contextmanager
def terminal(path: Path) -> Iterator[TextIO]:
    """A file that is a terminal; what was written to it is in ``path`` at the end."""
    ours, its = os.openpty()
    with open(its, "w", encoding="utf-8") as file:
        yield file
        file.flush()
        os.set_blocking(ours, False)
        parts = []
        with contextlib.suppress(BlockingIOError):
            while True:
                parts.append(os.read(ours, 65536))
        path.write_bytes(b"".join(parts))
    os.close(ours)


@pytest.mark.parametrize(
    ("opened", "variables", "drawn"),
    [
        (terminal, {"TERM": "xterm"}, True),
        (terminal, {"TERM": "dumb"}, False),
        (terminal, {"TERM": "dumb", "FORCE_COLOR": "1"}, False),
        (terminal, {"TERM": "xterm", "TTY_INTERACTIVE": "0"}, False),
        (lambda path: open(path, "w"), {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
        (lambda path: open(path, "w"), {"TERM": "xterm", "TTY_COMPATIBLE": "1"}, False),
    ],
)
def test_a_bar_is_drawn_where_it_can_move_and_lines_are_written_everywhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Any, variables: dict[str, str], drawn: bool
) -> None:
    for name in ("TERM", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("steering.workflows.progress.EVERY", 0.0)
    with opened(tmp_path / "stderr") as file, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", file)
        with bar("sweeping") as update:
            update(1, 2, "so far\nin full")
    text = (tmp_path / "stderr").read_text()
    assert ("\x1b" in text) == drawn
    assert ("sweeping: 1 of 2, elapsed" in text) == (not drawn)
    assert "so far" in text and ("in full" in text) == drawn, "above a bar the whole note, in a line its first"
