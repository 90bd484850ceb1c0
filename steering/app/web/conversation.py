"""One page and its session: the newest state is worked on, by a thread of its own; frames go out as they are taken."""

from __future__ import annotations

import dataclasses
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from agents.checkpoints.stated import NOTHING, Stated
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from steering.app.session.session import Session
from steering.app.session.updates import Update, problem
from steering.app.web.frames import decode_message, encode

WORKING = "workbench"  # name of a thread that computes
MOST_ASKED = 16  # questions that wait for their turn
MOST_WAITING = 2 * 1024 * 1024  # bytes of frames that wait for a slow page
COMPARED = ("clean", "steered")  # what the panel `difference` is made of
COMPUTED = (*COMPARED, "no_cheese")  # panels with fields of their own


class Computing(Protocol):
    """A session as a conversation needs it."""

    def hello(self) -> Update:
        """Return what a page is told first."""

    def work(self, state: dict[str, Any], seq: int) -> Iterator[Update]:
        """Yield the updates for a state; each step is one short chunk of work."""

    def ask(self, message: dict[str, Any]) -> Iterator[Update]:
        """Yield the answer to a question."""


def sessions(
    agent: MazePolicy, run: Path | None, start: Path, checkpoint: str | None, stated: Stated = NOTHING
) -> Callable[[], Session]:
    """Return what makes a session for each page; a run is read once, here.

    Args:
        agent: the policy.
        run: a run directory whose curves colour the network; None: none.
        start: the directory that files may be read from and written to.
        checkpoint: what the agent was loaded from, for texts that load it again; None: its name.
        stated: what was stated of that file.

    Raises:
        InputError: for a run that is none, or one of another agent.
    """
    curves = Session(agent, run=run, start=start).curves

    def begin() -> Session:
        session = Session(agent, start=start, checkpoint=checkpoint, stated=stated)
        session.curves = curves
        return session

    return begin


class _Work:
    """The answer to one message, as far as it was sent."""

    def __init__(self, message: dict[str, Any], updates: Iterator[Update], due: int | None = None) -> None:
        """Begin; ``due``: number of panels whose first chunk is sent before a newer state takes over, None: never."""
        self.seq: int = message["seq"]
        self.what: str = message["type"]
        self.updates = updates
        self._due = due

    @property
    def passing(self) -> bool:
        """Whether a newer state ends it."""
        return self._due is not None and self._due <= 0

    def sent(self, update: Update) -> None:
        """Take note of what was sent."""
        if self._due is not None and update.type != "maze":
            self._due -= 1 if update.type == "field" else self._due


def _panels(state: dict[str, Any]) -> int:
    """Return the number of fields that an unchecked state wants."""
    named = state.get("panels")
    if not isinstance(named, list):
        return 0
    return sum(panel in named or (panel in COMPARED and "difference" in named) for panel in COMPUTED)


def _said(error: Exception) -> InputError:
    """Return bad input as it is; of a fault of ours the kind, and print it whole."""
    if isinstance(error, InputError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    return InputError(f"fault in the workbench: {type(error).__name__}; its terminal says more")


class Conversation:
    """A session that answers a page's messages, on a thread of its own.

    A state cancels the work for older ones, between two chunks. The first chunk of each panel is sent before that, so
    that arrows move while something is dragged. Questions are answered between two chunks of that work, in their order.
    While ``MOST_WAITING`` bytes wait to be taken, nothing is computed.
    """

    def __init__(
        self, begin: Callable[[], Computing], ready: Callable[[], None], first: dict[str, Any] | None = None
    ) -> None:
        """Start the thread, which makes the session and says hello.

        Args:
            begin: makes the session.
            ready: called, from any thread, when there is something for :meth:`take`.
            first: the state that the page begins with; None: the session's.
        """
        self._begin, self._ready, self._first = begin, ready, first
        self._change = threading.Condition()
        self._state: dict[str, Any] | None = None  # newest message of a state that is not worked on yet
        self._asked: deque[dict[str, Any]] = deque()
        self._frames: deque[bytes] = deque()
        self._waiting = 0  # bytes in `_frames`
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=WORKING, daemon=True)
        self._thread.start()

    def hear(self, frame: bytes) -> None:
        """Take a message of the page; what is no message is answered with one ``problem``."""
        try:
            message = decode_message(frame)
        except InputError as error:
            self._refuse(error)
            return
        with self._change:
            if message["type"] == "state":
                self._state = message
            elif len(self._asked) < MOST_ASKED:
                self._asked.append(message)
            else:
                self._refuse(InputError("too much is asked at once; wait for an answer"), message["seq"])
            self._change.notify_all()

    def refuse_text(self) -> None:
        """Answer a message that is text, where frames are bytes."""
        self._refuse(InputError("message: text, where a frame of bytes belongs"))

    def take(self) -> bytes | None:
        """Return the next frame for the page, or None if there is none now."""
        with self._change:
            if not self._frames:
                return None
            frame = self._frames.popleft()
            self._waiting -= len(frame)
            self._change.notify_all()
            return frame

    def close(self, timeout: float = 0.0) -> None:
        """End the work, at the latest after the chunk that is computed now; wait for that so many seconds."""
        with self._change:
            self._closed = True
            self._frames.clear()
            self._waiting = 0
            self._change.notify_all()
        if timeout:
            self._thread.join(timeout)

    def _run(self) -> None:
        """Say hello; then work on the newest state and answer questions, one chunk of each in turn."""
        try:
            session = self._begin()
            hello = session.hello()
            if self._first is not None:
                hello = dataclasses.replace(hello, facts={**hello.facts, "state": self._first})
        except Exception as error:
            self._put(encode(problem(_said(error), "state"), 0))
            return
        self._put(encode(hello, 0))
        work: _Work | None = None
        answer: _Work | None = None
        while True:
            with self._change:
                if work is None and answer is None:
                    self._change.wait_for(lambda: self._state is not None or self._asked or self._closed)
                if self._closed:
                    return
                if self._state is not None and (work is None or work.passing):
                    message, self._state = self._state, None
                    work = _Work(message, session.work(message["state"], message["seq"]), _panels(message["state"]))
                if answer is None and self._asked:
                    message = self._asked.popleft()
                    answer = _Work(message, session.ask(message))
            if work is not None and not self._step(work):
                work = None
            if answer is not None and not self._step(answer):
                answer = None

    def _step(self, work: _Work) -> bool:
        """Compute and send one update; return whether there may be more."""
        try:
            update = next(work.updates, None)
            if update is None:
                return False
            frame = encode(update, work.seq)
        except Exception as error:  # also a fault of ours ends this piece of work, not the conversation
            self._put(encode(problem(_said(error), work.what), work.seq))
            return False
        self._put(frame, passing=work.passing)
        work.sent(update)
        return True

    def _put(self, frame: bytes, *, passing: bool = False) -> None:
        """Hand out a frame, once there is room for it."""
        with self._change:
            self._change.wait_for(
                lambda: self._waiting < MOST_WAITING or self._closed or (passing and self._state is not None)
            )
            if self._closed or (passing and self._state is not None):
                return
            self._frames.append(frame)
            self._waiting += len(frame)
        self._ready()

    def _refuse(self, error: InputError, seq: int = 0) -> None:
        """Answer at once with a problem; a page that takes none of its frames gets none."""
        frame = encode(problem(error, "message"), seq)
        with self._change:
            if self._waiting < MOST_WAITING and not self._closed:
                self._frames.append(frame)
                self._waiting += len(frame)
        self._ready()
