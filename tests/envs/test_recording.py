"""A maze as text: the same maze comes back; other text is one line."""

from __future__ import annotations

import base64
import zlib

import pytest

from envs.errors import InputError
from envs.maze import Maze
from envs.recording import pack_state, unpack_state
from envs.simulator import state_bytes


@pytest.mark.parametrize("mode", ["hard", "easy"])
def test_a_maze_comes_back_from_its_text_with_every_byte_of_its_state(mode: str) -> None:
    maze = Maze.from_level(7, mode)
    for each in (maze, maze.without_cheese()):
        found = unpack_state(pack_state(each), level=7)
        assert found == each and state_bytes.encode(found.state) == state_bytes.encode(each.state)
    own = Maze.from_ascii("C..\n.##\nM..", mode)
    assert unpack_state(pack_state(own)) == own


def test_text_that_is_no_such_maze_is_refused_in_one_line() -> None:
    text = pack_state(Maze.from_level(7))
    bomb = base64.b85encode(zlib.compress(bytes(10**8), 9)).decode()  # 100 MB are not unpacked
    for other in ("", "!", "ä", text[:-40], base64.b85encode(b"no zlib").decode(), bomb):
        with pytest.raises(InputError, match=r"^packed procgen state: no maze can be made of it \(") as caught:
            unpack_state(other, level=7)
        assert "\n" not in str(caught.value)
