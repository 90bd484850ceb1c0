"""Under the mouse: the trail depends on the way alone, heat maps lie where their units look, crops hold the maze."""

from __future__ import annotations

import numpy as np
import pytest

from envs.errors import InputError
from envs.maze import Cell, Maze, State
from videos.frames import ACCENTS, cell_rect
from videos.scene import PICTURE, HeatOverlay, Scene, crop_box, fitted


@pytest.fixture(scope="module")
def maze() -> Maze:
    """Level 0: 13x13, centred in 25 tiles, with a decision square."""
    return Maze.from_level(0)


def walk(maze: Maze, goal: Cell) -> list[State]:
    return [state for state, _ in maze.walk(maze.path(maze.mouse, goal))] + [maze.arrival(goal)]


def trail_after(maze: Maze, states: list[State]) -> np.ndarray:
    scene = Scene(maze, states)
    scene.decorate(ACCENTS[0], None, None)
    scene.picture(len(states) - 1)
    return scene.layer


def test_the_trail_lies_on_the_walked_cells_and_only_there(maze: Maze) -> None:
    states = walk(maze, maze.corner)
    drawn = (trail_after(maze, states) != Scene(maze, states).layer).any(axis=2)
    for number, state in enumerate(states):
        left, top, right, bottom = (round(edge) for edge in cell_rect(maze, state.cell, PICTURE))
        inside = drawn[top:bottom, left:right]
        assert inside.any()
        if 0 < number < len(states) - 1:
            assert inside[inside.shape[0] // 2, inside.shape[1] // 2]  # through the middle
        drawn[top - 1 : bottom + 1, left - 1 : right + 1] = False
    assert not drawn.any()


def test_the_trail_does_not_depend_on_the_order_of_steps(maze: Maze) -> None:
    there = walk(maze, maze.corner)
    back = [*there, *reversed(there[:-1])]
    assert np.array_equal(trail_after(maze, there), trail_after(maze, back))
    scene = Scene(maze, there)
    scene.decorate(ACCENTS[0], None, None)
    for step in range(len(there)):
        scene.picture(step)
    assert np.array_equal(scene.layer, trail_after(maze, there))


@pytest.mark.parametrize("count", [1, 8, 16, 25, 64])
def test_a_heat_maps_peak_is_shown_where_its_unit_looks(count: int) -> None:
    """Units stretched over the picture: the centre of mass of what is coloured is the unit's middle."""
    grey = np.full((PICTURE, PICTURE, 3), 120, dtype=np.uint8)
    for row, column in {(0, 0), (count // 2, count // 3), (count - 1, 0)}:
        values = np.zeros((1, count, count))
        values[0, row, column] = 3.0
        overlay = HeatOverlay(values, 0.5 / count, 1 / count)
        ys, xs = np.nonzero((overlay.over(grey, 0) != grey).any(axis=2))
        middle = np.array([ys.mean(), xs.mean()]) + 0.5
        assert middle == pytest.approx((np.array([row, column]) + 0.5) * PICTURE / count, abs=0.51)
        assert len(ys) == pytest.approx((PICTURE / count) ** 2, rel=0.1)


def test_the_cell_of_a_tile_map_is_the_cell_of_the_maze(maze: Maze) -> None:
    world, margin = maze.state.world_dim, maze.state.margin
    grey = np.full((PICTURE, PICTURE, 3), 120, dtype=np.uint8)
    for cell in maze.cells[::9]:
        values = np.zeros((1, world, world))
        values[0, world - 1 - (cell[1] + margin), cell[0] + margin] = 1.0
        ys, xs = np.nonzero((HeatOverlay(values, 0.5 / world, 1 / world).over(grey, 0) != grey).any(axis=2))
        left, top, right, bottom = cell_rect(maze, cell, PICTURE)
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == pytest.approx((left, top, right, bottom), abs=1)


def test_signs_have_colours_and_zero_has_none() -> None:
    grey = np.full((PICTURE, PICTURE, 3), 120, dtype=np.uint8)
    shown = HeatOverlay(np.array([[[1.0, 0.0], [-1.0, 0.5]]]), 0.25, 0.5).over(grey, 0).astype(int)
    above, zero, below, half = shown[100, 100], shown[100, 400], shown[400, 100], shown[400, 400]
    assert above[0] > above[2] and below[2] > below[0] and (zero == 120).all()
    assert np.abs(half - 120).sum() == pytest.approx(np.abs(above - 120).sum() / 2, abs=4)


def test_each_step_has_its_own_map_and_lies_under_the_mouse(maze: Maze) -> None:
    states = walk(maze, maze.corner)[:4]
    maps = np.zeros((4, 2, 2))
    maps[2, 0, 0] = 1.0
    overlay = HeatOverlay(maps, 0.25, 0.5)
    scene, plain = Scene(maze, states), Scene(maze, states)
    for step in range(4):
        same = np.array_equal(scene.picture(step, overlay), plain.picture(step))
        assert same == (step != 2)
    full = HeatOverlay(np.ones((1, 1, 1)), 0.5, 1.0)
    box, where, pixels = scene._sprites[states[1]]
    assert where.sum() > 40
    assert np.array_equal(scene.picture(1, full)[box][where], pixels[where])


@pytest.mark.parametrize(("level", "mode"), [(0, "hard"), (1, "hard"), (3, "easy")])
def test_a_crop_holds_the_maze_and_a_tile_around_it(level: int, mode: str) -> None:
    maze = Maze.from_level(level, mode)
    left, top, right, bottom = crop_box(maze)
    unit = PICTURE / maze.state.world_dim
    edge = 2 if maze.state.margin else 0
    assert right - left == pytest.approx((maze.dim + edge) * unit) == pytest.approx(bottom - top)
    assert min(left, top) >= 0 and max(right, bottom) <= PICTURE
    # A mark on a cell is found, after the crop, at the cell's place among the cropped tiles.
    picture = np.zeros((PICTURE, PICTURE, 3), dtype=np.uint8)
    x0, y0, x1, y1 = (round(v) for v in cell_rect(maze, maze.corner, PICTURE))
    picture[y0:y1, x0:x1] = 255
    ys, xs = np.nonzero(fitted(picture, crop_box(maze), 300)[..., 0] > 127)
    tile = 300 / (maze.dim + edge)
    expected = (np.array([maze.dim - 1 + edge / 2, edge / 2]) + 0.5) * tile
    assert (xs.mean() + 0.5, ys.mean() + 0.5) == pytest.approx(tuple(expected), abs=0.1 * tile)


def test_bad_heat_maps_are_refused_in_one_line() -> None:
    for maps, step in ((np.zeros((2, 2)), 0.5), (np.full((1, 2, 2), np.nan), 0.5), (np.zeros((1, 2, 2)), 0.0)):
        with pytest.raises(InputError) as caught:
            HeatOverlay(maps, 0.25, step)
        assert "\n" not in str(caught.value)
