"""A conversation: the newest state wins, something moves during a drag, questions wait their turn, nothing piles up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from envs.errors import InputError
from steering.app.session.updates import Update
from steering.app.web.conversation import MOST_ASKED, MOST_WAITING, Conversation
from steering.app.web.frames import decode, encode_message

PANELS = {"panels": ["clean", "difference"]}  # two fields


class Steps:
    """A session whose every step waits to be allowed, so that a test decides what arrives when."""

    def __init__(self, chunks: int = 3, size: int = 1) -> None:
        self.allowed = threading.Semaphore(0)
        self.made = 0
        self.chunks, self.size = chunks, size

    def hello(self) -> Update:
        return Update("hello", {"state": {}})

    def work(self, state: dict[str, Any], seq: int) -> Iterator[Update]:
        yield self._step(Update("maze"))
        for chunk in range(self.chunks):
            for panel in ("clean", "steered"):
                facts = {"panel": panel, "chunk": chunk}
                yield self._step(Update("field", facts, {"values": np.zeros(self.size, "f4")}))
        yield self._step(Update("done"))

    def ask(self, message: dict[str, Any]) -> Iterator[Update]:
        if message["what"] == "bad":
            raise InputError("it cannot be")
        if message["what"] == "fault":
            raise ZeroDivisionError
        yield self._step(Update("saved", {"path": message["what"]}))

    def _step(self, update: Update) -> Update:
        assert self.allowed.acquire(timeout=60)
        self.made += 1
        return update


class Ear:
    """The page's end: takes frames as they come."""

    def __init__(self, session: Steps) -> None:
        self.session = session
        self.ready = threading.Semaphore(0)
        self.talk = Conversation(lambda: session, self.ready.release)
        assert self.next()["type"] == "hello"

    def next(self, steps: int = 0) -> dict[str, Any]:
        """The next frame, after so many steps were allowed."""
        self.session.allowed.release(steps) if steps else None
        while (frame := self.talk.take()) is None:
            assert self.ready.acquire(timeout=60)
        return decode(frame)[0]

    def say(self, seq: int, state: dict[str, Any] | None = None, **asked: Any) -> None:
        message = {"type": "ask" if asked else "state", "seq": seq, "state": state or PANELS, **asked}
        self.talk.hear(encode_message(message))


@pytest.fixture
def ear() -> Iterator[Callable[..., Ear]]:
    made: list[Ear] = []

    def make(**of: int) -> Ear:
        made.append(Ear(Steps(**of)))
        return made[-1]

    yield make
    for each in made:
        each.session.allowed.release(10_000)
        each.talk.close(60)


def test_a_state_is_answered_to_its_end(ear: Callable[..., Ear]) -> None:
    page = ear()
    page.say(1)
    kinds = [page.next(1)["type"] for _ in range(8)]
    assert kinds == ["maze", *["field"] * 6, "done"]


def test_a_newer_state_wins_once_each_panel_has_moved(ear: Callable[..., Ear]) -> None:
    page = ear()
    page.say(1)
    assert page.next(1)["answers"] == 1
    for seq in (2, 3, 4):
        page.say(seq)
    first = [page.next(1) for _ in range(2)]
    assert [(part["answers"], part["panel"], part["chunk"]) for part in first] == [(1, "clean", 0), (1, "steered", 0)]
    assert [page.next(1)["answers"] for _ in range(8)] == [4] * 8, "2 and 3 are not worked on at all"


def test_questions_are_answered_in_turn_and_cancel_nothing(ear: Callable[..., Ear]) -> None:
    page = ear()
    page.say(1)
    page.next(1)
    page.say(2, what="a")
    page.say(3, what="b")
    heard = [page.next(1) for _ in range(9)]
    assert [part["path"] for part in heard if part["type"] == "saved"] == ["a", "b"]
    assert [part["type"] for part in heard if part["answers"] == 1] == [*["field"] * 6, "done"]
    assert heard.index(next(part for part in heard if part["type"] == "saved")) < 4, "between two chunks"


def test_too_many_questions_are_refused_in_one_line(ear: Callable[..., Ear]) -> None:
    page = ear()
    page.say(1, what="first")  # taken up, waits for its step
    for seq in range(2, MOST_ASKED + 4):
        page.say(seq, what="more")
    assert "too much" in page.next()["line"]


def test_bad_input_and_a_fault_end_what_they_are_in_and_nothing_else(
    ear: Callable[..., Ear], capsys: pytest.CaptureFixture[str]
) -> None:
    page = ear()
    page.say(1, what="bad")
    page.say(2, what="fault")
    bad, fault = page.next(), page.next()
    assert (bad["answers"], bad["line"], bad["what"]) == (1, "it cannot be", "ask")
    assert fault["answers"] == 2 and "ZeroDivisionError" in fault["line"]
    assert "Traceback" in capsys.readouterr().err
    page.say(3)
    assert page.next(1)["type"] == "maze"


def test_a_page_that_takes_nothing_makes_nothing_pile_up(ear: Callable[..., Ear]) -> None:
    size = MOST_WAITING // 40
    page = ear(chunks=1_000, size=size // 4)
    page.say(1)
    page.session.allowed.release(2_100)
    for _ in range(500):
        page.talk.hear(b"rubbish")  # answers to that may not pile up either
    while page.ready.acquire(timeout=1):
        pass  # until nothing comes any more
    assert page.session.made < 50
    assert page.talk._waiting < MOST_WAITING + 2 * size
    page.say(2)  # the work that waits for room gives way
    while page.next()["answers"] != 2:
        pass


def test_a_session_that_cannot_be_made_is_one_line() -> None:
    def refuse() -> Steps:
        raise InputError("no such run")

    ready = threading.Event()
    talk = Conversation(refuse, ready.set)
    assert ready.wait(60)
    frame = talk.take()
    assert frame is not None and decode(frame)[0]["line"] == "no such run"
    talk.close(60)


def test_a_closed_conversation_ends_its_thread(ear: Callable[..., Ear]) -> None:
    page = ear()
    page.say(1)
    page.next(1)
    page.session.allowed.release(1)
    page.talk.close(60)
    assert not page.talk._thread.is_alive()
