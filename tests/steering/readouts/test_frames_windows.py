"""Frames to learn from, and readers of windows: what they see, what they cannot."""

from __future__ import annotations

import numpy as np
import pytest

from envs.actions import STEP_OF_MOVE, Move
from envs.maze import Maze, State
from steering.experiments.levels import first_levels, skip_reason
from steering.planning.pairs import DISTANCE, Goal, Kind, Pair, drawn_pairs, frames_of
from steering.readouts.frames import GOALS, Frames, drawn_frames, joined, mazes_to_learn_from, pair_frames
from steering.readouts.windows import WAYS, look_told, trees_told, window_features

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=["hard", "easy"])
def mazes(request: pytest.FixtureRequest) -> list[Maze]:
    return first_levels(6, request.param)[0]


@pytest.fixture(scope="module")
def frames(mazes: list[Maze]) -> Frames:
    return drawn_frames(mazes, 8, 0, "a test")


@pytest.fixture(scope="module")
def pairs(mazes: list[Maze]) -> list[Pair]:
    return [pair for maze in mazes for pair in drawn_pairs(maze, Kind.DETOUR, Goal.CHEESE, 4, 0)]


def test_frames_show_what_is_said_of_them(mazes: list[Maze], frames: Frames) -> None:
    """Redrawn by procgen from the cells recorded; the moves are those of the shortest paths, and the levels qualify."""
    assert len(frames.mouse) == 48 and frames.apart.any() and not frames.apart.all()
    for k, (x, y) in enumerate(frames.mouse):
        maze = mazes[frames.maze[k]]
        margin = maze.state.margin
        here, cheese = (x - margin, y - margin), tuple(int(v) for v in frames.goals["cheese"][k] - margin)
        shown = maze.with_cheese((cheese[0], cheese[1]))
        assert skip_reason(shown) is None
        both = [frames_of([(shown, State(here, facing))])[0] for facing in (0, 1)]  # type: ignore[arg-type]
        assert any(np.array_equal(frames.pictures[k], picture) for picture in both)
        for goal, end in (("cheese", shown.cheese), ("corner", shown.corner)):
            assert end is not None
            dx, dy = STEP_OF_MOVE[Move(frames.moves[goal][k])]
            assert shown.path(here, end)[1] == (here[0] + dx, here[1] + dy)


def test_frames_are_drawn_by_level_alone(mazes: list[Maze], frames: Frames) -> None:
    alone = drawn_frames(mazes[2:3], 8, 0, "a test", pictures=False)
    rows = frames.maze == 2
    assert np.array_equal(frames.mouse[rows], alone.mouse) and not len(alone.pictures)
    assert np.array_equal(frames.moves["cheese"][rows], alone.moves["cheese"])
    again = joined([drawn_frames([maze], 8, 0, "a test", pictures=False) for maze in mazes])
    assert np.array_equal(again.around(4), frames.around(4))


def test_no_maze_asked_about_is_learned_from(mazes: list[Maze]) -> None:
    found = [maze for maze, _ in zip(mazes_to_learn_from(mazes, 0), range(40), strict=False)]
    walls = [maze.walls for maze in found]
    assert len(set(walls)) == 40 and not {maze.walls for maze in mazes} & set(walls)
    assert all(skip_reason(maze) is None for maze in found)


def test_a_window_that_shows_all_finds_the_way_by_flood_fill(frames: Frames) -> None:
    """The way behind which the flood fill comes nearest to the goal is the first move of the shortest path."""
    for goal in GOALS:
        features = window_features(frames, goal, 24)
        nearest = features[:, 9 : 9 + 2 * len(WAYS) : 2]
        assert np.array_equal(nearest.argmin(1), frames.moves[goal])
        assert nearest.min() == 0


def test_a_window_tells_nothing_from_beyond_it(pairs: list[Pair]) -> None:
    """Level and twin of a detour are the same to every window that ends before the change, and differ in a larger."""
    shown = pair_frames(pairs, "cheese")
    for radius in (1, 3, DISTANCE - 1):
        features = window_features(shown, "cheese", radius)
        assert np.array_equal(features[::2], features[1::2])
    wide = window_features(shown, "cheese", 24)
    assert (wide[::2] != wide[1::2]).any(axis=1).all()
    assert (shown.moves["cheese"][::2] != shown.moves["cheese"][1::2]).all()


def test_readers_of_surroundings_learn_and_follow_no_detour(
    mazes: list[Maze], frames: Frames, pairs: list[Pair]
) -> None:
    """By construction; a window that shows the change follows more than none."""
    chosen = [maze for maze, _ in zip(mazes_to_learn_from(mazes, 0), range(40), strict=False)]
    learned = drawn_frames(chosen, 16, 0, "a test", pictures=False)
    shown = pair_frames(pairs, "cheese")
    asked = {"cheese": [frames, shown], "corner": [frames]}
    right = {}
    for name, told in (
        ("1", trees_told(learned, asked, 1)),
        ("8", trees_told(learned, asked, 8)),
        ("look", look_told(learned, asked)),
    ):
        on_frames, on_pairs = told["cheese"]
        follows = (on_pairs == shown.moves["cheese"]).reshape(-1, 2).all(axis=1)
        right[name] = (on_frames == frames.moves["cheese"]).mean(), follows.mean()
    assert right["1"][0] > 0.5 and right["8"][0] > right["1"][0]
    assert right["1"][1] == right["look"][1] == 0 and right["8"][1] > 0.1
