"""Pictures that are put together are procgen's own, pixel by pixel."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from envs.maze import Maze
from steering.app.session.frames import Frames, Kept


@pytest.mark.parametrize(
    ("level", "mode"), [(26, "hard"), (43, "hard"), (95, "hard"), (3, "hard"), (15, "easy"), (6, "easy")]
)
def test_pictures_are_those_of_procgen_wherever_the_cheese_lies(level: int, mode: str) -> None:
    frames, maze = Frames(), Maze.from_level(level, mode)
    rng = np.random.default_rng(level)
    places = [cell for cell in maze.cells if cell != maze.mouse]
    for place in [maze.cheese, *(places[int(k)] for k in rng.integers(len(places), size=2))]:
        world = maze.with_cheese(place or maze.corner)
        order = rng.permutation(len(world.states))
        found = np.empty((len(order), 64, 64, 3), dtype=np.uint8)
        for chunk in np.array_split(order, 4):
            found[chunk] = frames.of(world, chunk)
        np.testing.assert_array_equal(found, world.observations())
        np.testing.assert_array_equal(frames.of(world, order[:5]), world.observations()[order[:5]])
    bare = maze.without_cheese()
    np.testing.assert_array_equal(frames.of(bare, np.arange(len(bare.states))), bare.observations())


def test_looks_that_no_level_has() -> None:
    maze = Maze.from_level(54)
    plain = dataclasses.replace(maze.state, values={**maze.state.values, "use_monochrome_assets": 1})
    world = Maze.from_state(plain, level=54)
    np.testing.assert_array_equal(Frames().of(world, np.arange(len(world.states))), world.observations())


def test_what_was_used_last_stays_and_the_size_is_bounded() -> None:
    kept: Kept[str] = Kept(10)
    for name in "abc":
        kept.put(name, name, 3)
    assert kept.get("a") == "a"
    kept.put("d", "d", 3)
    assert [kept.get(name) for name in "abcd"] == ["a", None, "c", "d"]
    kept.put("a", "A", 4)
    assert (kept.get("a"), kept.size) == ("A", 10)
    assert kept.put("large", "large", 11) == "large"
    assert (kept.get("large"), kept.size) == (None, 10)
