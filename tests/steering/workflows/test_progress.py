"""Progress where no bar can be drawn: a line now and then, and what it estimates."""

from __future__ import annotations

import sys

import pytest

from steering.workflows.progress import EVERY, bar, lines


def test_a_line_a_minute_with_an_estimate_from_what_this_run_did(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    update = lines("sweeping", lambda: now)
    update(400, 1000)  # stored by an earlier command
    for seconds, done in ((EVERY / 2, 405), (EVERY, 410), (1.5 * EVERY, 415), (2 * EVERY, 420), (3 * EVERY, 420)):
        now = seconds
        update(done, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "sweeping: 410 of 1,000 after 0:01:00, 0:59:00 left",
        "sweeping: 420 of 1,000 after 0:02:00, 0:58:00 left",
        "sweeping: 420 of 1,000 after 0:03:00, 1:27:00 left",
    ]


@pytest.mark.parametrize(("done", "left"), [(0, ""), (12, ", 0:00:00 left")])
def test_before_anything_is_done_and_beyond_the_end_nothing_is_promised(
    capsys: pytest.CaptureFixture[str], done: int, left: str
) -> None:
    now = 0.0
    update = lines("training", lambda: now)
    update(0, 10)
    now = EVERY
    update(done, 10)
    assert capsys.readouterr().err == f"training: {done} of 10 after 0:01:00{left}\n"


def test_where_there_is_no_terminal_no_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    with bar("sweeping") as update:
        update(1, 2)
    assert capsys.readouterr().err == ""
