"""Ten thousand messages of every kind of wrong: nothing falls, nothing hangs, nothing grows, answers stay right."""

from __future__ import annotations

import copy
import gc
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.app.web.frames import MOST_BYTES, decode_message, encode_message
from steering.experiments.exact import LevelEvaluator
from tests.helpers.workbench_page import Page, field_of, page, workbench

MESSAGES = 10_000
ROUNDS = 10
WAITED = 10  # every so many messages the answer is waited for: else a newer state takes the place of most
GROWTH = 48 * 1024 * 1024  # bytes that the process may gain after the first round, Python's own arenas included
WORDS = (
    "cheese", "clean", "", "..", "/etc/passwd", "__proto__", "\x00", "é" * 20, "#" * 900, "M", "C\n.M", "1e999", "-1",
    "subtract,vector=/etc/passwd", "subtract,vector=../x.safetensors", "ablate,channels=0+1", "clamp,index=0,value=nan",
    "subtract,vector=cheese,site=nowhere", "add,vector=random,seed=99999999999999999999", "<script>", "difference",
)  # fmt: skip
VALUES: tuple[Any, ...] = (None, True, False, 0, -1, 3, 2**31, 2**63, -(2**63), 0.5, -1e308, [], {}, [[]], {"a": {}})


class Rubbish:
    """Messages drawn at random: bytes, frames with bytes turned, good messages with a part put wrong."""

    def __init__(self, good: dict[str, Any], seed: int) -> None:
        self.good, self.rng = good, np.random.default_rng(seed)

    def draw(self, seq: int) -> bytes | str:
        kind = self.rng.integers(10)
        if kind == 0:
            return self.rng.bytes(int(self.rng.integers(0, 300)))
        message = self.message(seq, asks=kind % 3 == 0)
        frame = encode_message(message)
        if kind == 1:  # turned bytes
            turned = bytearray(frame)
            for place in self.rng.integers(len(turned), size=4):
                turned[place] = self.rng.integers(256)
            return bytes(turned)
        if kind == 2:  # cut
            return frame[: int(self.rng.integers(len(frame)))]
        if kind == 3 and self.rng.random() < 0.1:  # too long, or text
            return bytes(MOST_BYTES + 1) if self.rng.random() < 0.5 else "text"
        return frame

    def message(self, seq: int, *, asks: bool) -> dict[str, Any]:
        message = {"type": "state", "seq": seq, "state": copy.deepcopy(self.good)}
        if asks:
            what = self.pick(("level", "taken", "vector")) if self.rng.random() < 0.8 else self.pick(WORDS)
            message |= {"type": "ask", "what": what, "level": self.value(), "mode": self.value(), "seed": self.value()}
        for _ in range(int(self.rng.integers(1, 4))):
            self.spoil(message["state"])
        return message

    def spoil(self, part: Any) -> None:
        """Put one place of a state wrong: another value or letter, one more, one less."""
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                return
            key = self.pick(keys)
            if isinstance(part[key], dict | list) and part[key] and self.rng.random() < 0.7:
                part = part[key]
                continue
            kind = self.rng.integers(5)
            if kind > 2 and isinstance(part[key], str) and part[key]:
                place = int(self.rng.integers(len(part[key])))
                letter = self.pick("#.MC\n=,+0123456789-abces")
                part[key] = part[key][:place] + letter + part[key][place + 1 :]
            elif kind == 0:
                del part[key]
            elif kind == 1 and isinstance(part, dict):
                part[str(self.pick(WORDS))] = self.value()
            else:
                part[key] = self.value()
            return

    def value(self) -> Any:
        return self.pick(WORDS) if self.rng.random() < 0.5 else copy.deepcopy(self.pick(VALUES))

    def pick(self, things: Any) -> Any:
        return things[int(self.rng.integers(len(things)))]


def is_message(frame: bytes | str) -> bool:
    """Whether it gets an answer under its own number."""
    try:
        return bool(isinstance(frame, bytes) and decode_message(frame))
    except InputError:
        return False


def is_right(tab: Page, state: dict[str, Any], due: LevelEvaluator) -> None:
    """A good state is answered, with the right numbers."""
    found = field_of(tab.answer(state), "clean")
    assert sorted(found) == list(range(len(due.maze.states)))
    for index, (moves, _) in found.items():
        assert moves == pytest.approx(due.clean.probabilities[index], abs=1e-5)


def test_ten_thousand_messages_do_no_harm(policy: MazePolicy, small_maze: Maze, tmp_path: Path) -> None:
    (tmp_path / "here.txt").write_text("kept")
    due, process = LevelEvaluator(policy, small_maze), psutil.Process()
    grown: list[int] = []
    judged: Counter[str] = Counter()
    with workbench(policy, tmp_path) as address, page(address) as tab:
        maze = {"ascii": small_maze.to_ascii(), "mode": "hard", "facing": "left", "level": None}
        good = {**tab.state, "maze": maze, "panels": ["clean"], "asked": []}
        rubbish = Rubbish(good, seed=1)
        for _ in range(ROUNDS):
            heard = _Listener(tab)
            for _ in range(MESSAGES // ROUNDS):
                tab.seq += 1
                message = rubbish.draw(tab.seq)
                tab.socket.send(message)
                if tab.seq % WAITED == 0 and is_message(message):
                    heard.until_answered(tab.seq)
            heard.until_quiet()
            assert heard.faults == []
            judged += heard.judged
            is_right(tab, good, due)
            gc.collect()
            grown.append(process.memory_info().rss)
    assert judged["state"] > 100 and judged["ask"] > 100 and judged["message"] > 1_000
    assert grown[-1] - grown[0] < GROWTH, [f"{size >> 20} MiB" for size in grown]
    assert [path.name for path in tmp_path.iterdir()] == ["here.txt"]


class _Listener:
    """Takes what comes while rubbish is sent: the problems by what is wrong, and those that are no plain line."""

    def __init__(self, tab: Page) -> None:
        self.tab, self.judged = tab, Counter[str]()
        self.faults: list[str] = []
        self._ended = threading.Event()
        self._newest, self._came = 0, threading.Condition()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            header, _ = self.tab.heard()
            with self._came:
                self._newest = max(self._newest, header["answers"])
                self._came.notify_all()
            if header["type"] != "problem":
                continue
            if self._ended.is_set() and "text, where" in header["line"]:
                return
            self.judged[header["what"]] += 1
            if "\n" in header["line"] or "fault in the workbench" in header["line"] or len(header["line"]) > 400:
                self.faults.append(header["line"])

    def until_answered(self, seq: int) -> None:
        """Wait for an answer to this message."""
        with self._came:
            assert self._came.wait_for(lambda: self._newest >= seq, timeout=120), f"no answer to {seq}"

    def until_quiet(self) -> None:
        """Send a last message and listen up to its answer."""
        self._ended.set()
        while self._thread.is_alive():
            self.tab.socket.send("the last one")
            self._thread.join(0.5)
