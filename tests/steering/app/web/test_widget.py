"""The widget: the page's messages in, frames out, and a state that a notebook reads and sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.app import Workbench
from steering.app.web.frames import decode, encode_message
from steering.app.web.notebook import WorkbenchWidget
from steering.app.web.pieces import module, styles
from steering.experiments.exact import LevelEvaluator
from tests.helpers.workbench_page import Answer, field_of


class Wire(BaseComm):
    """The kernel's end of a widget's line, which keeps what goes over it."""

    def __init__(self, *args: Any, **of: Any) -> None:
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.came = threading.Condition()
        super().__init__(*args, **of)

    def publish_msg(self, msg_type: str, data: Any = None, buffers: Any = None, **rest: Any) -> None:
        with self.came:
            self.sent.append((data or {}, list(buffers or [])))
            self.came.notify_all()


class Cell:
    """A notebook's page: says and hears."""

    def __init__(self, widget: WorkbenchWidget) -> None:
        self.widget = widget
        assert isinstance(widget.comm, Wire)
        self.wire, self.read = widget.comm, 0

    def say(self, content: dict[str, Any], *buffers: bytes) -> None:
        data = {"method": "custom", "content": content}
        self.widget._handle_msg({"content": {"data": data}, "buffers": [memoryview(each) for each in buffers]})

    def heard(self) -> Answer:
        """The next frame."""
        while True:
            with self.wire.came:
                assert self.wire.came.wait_for(lambda: len(self.wire.sent) > self.read, timeout=120)
                data, buffers = self.wire.sent[self.read]
            self.read += 1
            if data.get("method") == "custom":
                assert len(buffers) == 1
                return decode(buffers[0])

    def answer(self, state: Any) -> list[Answer]:
        self.say({}, encode_message({"type": "state", "seq": 1, "state": state}))
        found = [self.heard()]
        while found[-1][0]["type"] not in ("done", "problem"):
            found.append(self.heard())
        return found


@pytest.fixture
def cell(policy: MazePolicy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    monkeypatch.setattr(comm, "create_comm", Wire)
    widget = Workbench(policy, level=26)
    yield Cell(widget)
    widget.close()


def test_it_begins_with_the_level_asked_for(cell: Cell) -> None:
    maze = Maze.from_level(26)
    assert cell.widget.state["maze"]["ascii"] == maze.to_ascii() and cell.widget.state["maze"]["level"] == 26
    cell.say({"begin": True})
    hello, _ = cell.heard()
    assert hello["type"] == "hello" and hello["state"] == cell.widget.state


def test_the_page_is_the_browsers(cell: Cell) -> None:
    assert (cell.widget._esm, cell.widget._css) == (module(), styles())
    assert "export default { render }" in module()


def test_its_numbers_are_those_of_evaluate(cell: Cell, policy: MazePolicy, small_maze: Maze) -> None:
    cell.say({"begin": True})
    cell.heard()
    maze = {"ascii": small_maze.to_ascii(), "mode": "hard", "facing": "left", "level": None}
    state = {**cell.widget.state, "maze": maze, "panels": ["clean"]}
    found = field_of(cell.answer(state), "clean")
    due = LevelEvaluator(policy, small_maze).clean
    assert len(found) == len(due.probabilities)
    assert all(moves == pytest.approx(due.probabilities[i], abs=1e-5) for i, (moves, _) in found.items())
    assert cell.widget.state["maze"]["ascii"].split() == small_maze.to_ascii().split(), "a notebook reads what is shown"


def test_a_state_that_the_notebook_sets_reaches_the_page(cell: Cell) -> None:
    cell.say({"begin": True})
    cell.heard()
    cell.widget.state = {**cell.widget.state, "edits": []}
    told, _ = cell.heard()
    assert told["type"] == "state" and told["state"]["edits"] == []
    with pytest.raises(InputError):
        cell.widget.state = {"maze": "none"}
    assert cell.widget.state["edits"] == []


def test_what_the_page_says_wrongly_is_a_problem_and_changes_nothing(cell: Cell) -> None:
    before = cell.widget.state
    cell.say({}, b"before it has said that it is there")
    cell.say({"begin": True})
    cell.heard()
    for wrong in (b"rubbish", encode_message({"type": "state", "seq": 1, "state": {"maze": 3}})):
        cell.say({}, wrong)
        assert cell.heard()[0]["type"] == "problem"
    assert cell.widget.state == before


def test_what_it_cannot_begin_with_is_one_line(policy: MazePolicy) -> None:
    for wrong in ({"level": -1}, {"run": "nowhere"}, {"start": "nowhere"}, {"level": 0, "mode": "soft"}):
        with pytest.raises(InputError):
            Workbench(policy, **wrong)  # type: ignore[arg-type]
