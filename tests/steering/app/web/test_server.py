"""The server as a browser meets it: right numbers, its own page only, two tabs, a lost line, and what it writes."""

from __future__ import annotations

import contextlib
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.app.web import server
from steering.app.web.frames import decode
from steering.app.web.guard import Guard
from steering.app.web.pieces import FOLDER, PIECES, files
from steering.app.web.server import MOST_PAGES, READ_BYTES, listening
from steering.experiments.edit_text import edited, read_edits
from steering.experiments.exact import LevelEvaluator
from tests.helpers.workbench_page import Page, field_of, page, workbench

EDIT = "subtract,vector=cheese,site=block2.res1.resadd,coefficient=1.0"


@pytest.fixture(scope="module")
def address(policy: MazePolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one server for all tests of this file."""
    with workbench(policy, tmp_path_factory.mktemp("start")) as address:
        yield address


@pytest.fixture
def tab(address: str) -> Iterator[Page]:
    with page(address) as tab:
        yield tab


def small(tab: Page, maze: Maze, **changed: Any) -> dict[str, Any]:
    """The first state with this maze and one edit."""
    text = {"ascii": maze.to_ascii(), "mode": maze.mode, "facing": "left", "level": None}
    return {**tab.state, "maze": text, "edits": [{"text": EDIT, "on": True}], **changed}


def test_the_numbers_are_those_of_evaluate(tab: Page, policy: MazePolicy, small_maze: Maze) -> None:
    frames = tab.answer(small(tab, small_maze))
    assert frames[0][0]["type"] == "maze" and frames[-1][0]["type"] == "done"
    evaluator = LevelEvaluator(policy, small_maze)
    (steered,) = evaluator.fields([edited(read_edits([EDIT], policy), policy, small_maze)])
    for panel, due in (("clean", evaluator.clean), ("steered", steered), ("no_cheese", evaluator.no_cheese)):
        found = field_of(frames, panel)
        assert sorted(found) == list(range(len(small_maze.states)))
        for state, (moves, value) in found.items():
            assert moves == pytest.approx(due.probabilities[state], abs=1e-5)
            assert value == pytest.approx(due.values[state], abs=1e-4)


def test_two_tabs_have_two_sessions(address: str, small_maze: Maze) -> None:
    """Each is answered for its own states, under its own numbers, also when both ask at once."""
    with page(address) as one, page(address) as two:
        plain = small(one, small_maze)
        first = one.say({**plain, "edits": [], "panels": ["clean"]})
        second = two.say({**plain, "panels": ["steered"]})
        heard_one = one.until(lambda h: h["type"] == "done")
        heard_two = two.until(lambda h: h["type"] == "done")
        assert {h["answers"] for h, _ in heard_one} == {first} and {h["answers"] for h, _ in heard_two} == {second}
        assert field_of(heard_one, "steered") == {} and field_of(heard_two, "steered") != {}


def test_a_connection_that_was_lost_is_taken_up_again(address: str, small_maze: Maze) -> None:
    with page(address) as before:
        state = small(before, small_maze, panels=["steered"])
        first = field_of(before.answer(state), "steered")
        before.socket.socket.close()
    with page(address) as again:
        assert field_of(again.answer(state), "steered") == first


def test_a_line_that_is_cut_in_the_middle_of_work_harms_nobody(address: str, small_maze: Maze) -> None:
    with page(address) as cut, page(address) as other:
        cut.say(cut.state)
        cut.socket.socket.close()
        assert other.answer(small(other, small_maze))[-1][0]["type"] == "done"


def test_only_its_own_page_gets_an_answer(address: str) -> None:
    where = f"ws{address.removeprefix('http')}socket"
    for origin in (None, "http://evil.example", "null", address.rstrip("/") + "1"):
        with pytest.raises(InvalidStatus) as refused:
            connect(where, origin=origin)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        with pytest.raises(urllib.error.HTTPError) as forbidden:
            urllib.request.urlopen(urllib.request.Request(address, headers=headers))
        assert forbidden.value.code == 403
        assert forbidden.value.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_token_is_asked_for(policy: MazePolicy, tmp_path: Path) -> None:
    with workbench(policy, tmp_path, Guard(token="s3cret")) as address:
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(address)
        assert urllib.request.urlopen(f"{address}?token=s3cret").status == 200
        where, origin = f"ws{address.removeprefix('http')}socket", address.rstrip("/")
        with pytest.raises(InvalidStatus):
            connect(where, origin=origin)  # type: ignore[arg-type]
        with connect(f"{where}?token=s3cret", origin=origin) as socket:  # type: ignore[arg-type]
            hello = socket.recv()
            assert isinstance(hello, bytes) and decode(hello)[0]["type"] == "hello"


@pytest.mark.parametrize("path", [*files(), "/plotly.js"])
def test_every_file_of_the_page_is_served_with_safe_headers(address: str, path: str) -> None:
    with urllib.request.urlopen(address.rstrip("/") + path) as answer:
        assert answer.read()
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["none", "../server.py", "page/index.html", "%2e%2e/server.py", "socket"])
def test_nothing_else_is_served(address: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(address + path)
    assert missing.value.code in (404, 403)


def test_every_piece_of_the_page_is_joined_into_its_module() -> None:
    assert sorted(PIECES) == sorted(path.stem for path in FOLDER.glob("*.js") if path.stem != "start")


def test_too_many_pages_are_told_so(address: str) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_PAGES):
            stack.enter_context(page(address))
        with page(address) as late:
            assert "pages are open" in late.hello["line"]


def closed(connection: socket.socket) -> bool:
    """Whether the server ends a connection over which nothing is said."""
    connection.settimeout(60)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_connections_without_a_request_do_not_pile_up(
    address: str, tab: Page, small_maze: Maze, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that say nothing, or half a request, are closed in time, and those beyond a number at once; pages stay."""
    port = int(address.rstrip("/").rpartition(":")[2])
    monkeypatch.setattr(server, "SILENCE", 0.5)
    with contextlib.ExitStack() as stack:
        late = stack.enter_context(page(address))
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3)]
        idle[0].sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert all(closed(each) for each in idle)
        assert late.answer(small(late, small_maze))[-1][0]["type"] == "done"
        monkeypatch.setattr(server, "MOST_CONNECTIONS", 0)
        assert closed(stack.enter_context(socket.create_connection(("127.0.0.1", port))))
        assert tab.answer(small(tab, small_maze))[-1][0]["type"] == "done"


def test_a_message_beyond_all_bounds_ends_its_connection_and_no_other(address: str, tab: Page) -> None:
    with page(address) as loud:
        with pytest.raises(ConnectionClosed):
            loud.socket.send(bytes(READ_BYTES + 1))
            loud.heard()
    tab.socket.send("text")
    assert "text" in tab.heard()[0]["line"]


def test_a_port_that_is_taken_is_one_line() -> None:
    with listening("127.0.0.1", 0) as place:
        with pytest.raises(InputError, match="cannot be listened on"):
            listening("127.0.0.1", place.getsockname()[1])
    with pytest.raises(InputError, match="--host"):
        listening("203.0.113.7", 0)
    with pytest.raises(InputError, match="--host"):
        listening("no such host", 0)
