"""The workbench's server in this process, and a page that talks to it without a browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection, connect

from agents.networks.policy import MazePolicy
from steering.app.session.session import Session
from steering.app.web.frames import decode, encode_message
from steering.app.web.guard import Guard
from steering.app.web.server import address_of, listening, serving

Answer = tuple[dict[str, Any], dict[str, np.ndarray]]


@contextlib.contextmanager
def workbench(policy: MazePolicy, start: Path, guard: Guard | None = None, port: int = 0) -> Iterator[str]:
    """The address of a server that is up inside; ``start`` is its directory."""
    place = listening("127.0.0.1", port)
    with serving(lambda: Session(policy, start=start), place, guard or Guard()):
        yield address_of(place, Guard())


class Page:
    """A page without a browser: what it heard is kept in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seq = 0
        self.hello, _ = self.heard()

    @property
    def state(self) -> dict[str, Any]:
        """The state to begin with."""
        state: dict[str, Any] = self.hello["state"]
        return state

    def heard(self, timeout: float = 120) -> Answer:
        """The next frame."""
        frame = self.socket.recv(timeout=timeout)
        assert isinstance(frame, bytes)
        return decode(frame)

    def say(self, state: dict[str, Any], **asked: Any) -> int:
        """Send a state, or with ``what=...`` a question; the number of the message."""
        self.seq += 1
        message = {"type": "ask" if asked else "state", "seq": self.seq, "state": state, **asked}
        self.socket.send(encode_message(message))
        return self.seq

    def until(self, found: Callable[[dict[str, Any]], bool]) -> list[Answer]:
        """All frames up to the first whose header is so."""
        frames = [self.heard()]
        while not found(frames[-1][0]):
            frames.append(self.heard())
        return frames

    def answer(self, state: dict[str, Any], **asked: Any) -> list[Answer]:
        """Send, and return what answers it, up to its end."""
        seq = self.say(state, **asked)
        last = ("problem",) if not asked else ("problem", "level", "rollouts", "saved", "taken", "vector")
        frames = self.until(lambda h: h["answers"] == seq and h["type"] in (*last, "done"))
        return [frame for frame in frames if frame[0]["answers"] == seq]


@contextlib.contextmanager
def page(address: str) -> Iterator[Page]:
    """A page of the workbench at this address."""
    where = f"ws{address.removeprefix('http')}socket"
    with connect(where, origin=address.rstrip("/"), max_size=None, compression=None) as socket:  # type: ignore[arg-type]
        yield Page(socket)


def field_of(frames: list[Answer], panel: str) -> dict[int, tuple[list[float], float]]:
    """A panel's probabilities and values by state, of the chunks that came."""
    found: dict[int, tuple[list[float], float]] = {}
    for header, arrays in frames:
        if header["type"] == "field" and header["panel"] == panel:
            for state, moves, value in zip(arrays["states"], arrays["probabilities"], arrays["values"], strict=True):
                found[int(state)] = moves.tolist(), float(value)
    return found
