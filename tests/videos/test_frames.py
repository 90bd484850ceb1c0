"""Pictures: captions stay in their bars, marks lie on their cells, films show procgen's own frames."""

from __future__ import annotations

import numpy as np
import pytest

from envs.actions import Facing
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from videos import frames, side_by_side
from videos.side_by_side import Panel, film_frames, result_text


@pytest.fixture(scope="module")
def maze() -> Maze:
    """Level 0: 13x13, centred in 25 tiles, with a decision square."""
    return Maze.from_level(0)


def walk(maze: Maze, goal: Cell) -> list[State]:
    return [state for state, _ in maze.walk(maze.path(maze.mouse, goal))] + [maze.arrival(goal)]


def maze_area(frame: np.ndarray, panel: int, header: bool = True) -> np.ndarray:
    """The 512x512 maze of one panel, found by the layout's constants."""
    top = (frames.HEADER_HEIGHT if header else frames.GAP) + frames.TITLE_HEIGHT
    left = frames.GAP + panel * (512 + frames.GAP)
    return frame[top : top + 512, left : left + 512]


def status_area(frame: np.ndarray, panel: int) -> np.ndarray:
    top = frames.HEADER_HEIGHT + frames.TITLE_HEIGHT + 512
    left = frames.GAP + panel * (512 + frames.GAP)
    return frame[top : top + frames.STATUS_HEIGHT, left : left + 512]


# -- captions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["short", "long " * 60, ["one", "two", "three", "four", "five"], "W" * 400, ""])
@pytest.mark.parametrize(("width", "height"), [(512, 34), (200, 24), (64, 16)])
def test_text_keeps_clear_of_the_bars_edges(text: str | list[str], width: int, height: int) -> None:
    bar = frames.caption_bar(width, text, height)
    assert bar.shape == (height, width, 3) and bar.dtype == np.uint8
    ink = (bar != frames.BAR).any(axis=2)
    assert not ink[:, :8].any() and not ink[:, -4:].any()
    assert ink.any() == bool(text)


def test_long_text_shrinks_before_it_is_cut() -> None:
    site = "cheese vector subtracted at embedder.block2.res1.resadd, x 1"
    assert ink_width(frames.caption_bar(512, site)) > 400
    wide, narrow = frames.caption_bar(900, site), frames.caption_bar(420, site)
    assert ink_height(narrow) < ink_height(wide)  # shrunk
    cut = frames.caption_bar(420, site + " and then a good deal more than fits")
    assert not np.array_equal(narrow, cut)


def ink_width(bar: np.ndarray) -> int:
    return int(np.ptp(np.nonzero((bar != frames.BAR).any(axis=(0, 2)))[0]))


def ink_height(bar: np.ndarray) -> int:
    return int(np.ptp(np.nonzero((bar != frames.BAR).any(axis=(1, 2)))[0]))


def test_letters_without_a_glyph_are_written_in_ascii() -> None:
    assert np.array_equal(frames.caption_bar(300, "2 × 3 → é"), frames.caption_bar(300, "2 x 3 -> e"))


def test_changing_a_bar_does_not_change_the_next_one() -> None:
    first = frames.caption_bar(200, "same")
    before = first.copy()
    first[:] = 0
    assert np.array_equal(frames.caption_bar(200, "same"), before)


# -- panels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[(9, 11)], [(64, 65), (33, 64)], [(50, 51), (51, 50), (7, 201)]])
@pytest.mark.parametrize(("header", "footer"), [("", ""), ("head", ""), ("head", "foot")])
def test_composed_sizes_are_even_and_panels_unchanged(sizes: list[tuple[int, int]], header: str, footer: str) -> None:
    panels = [np.full((h, w, 3), 200 + i, dtype=np.uint8) for i, (h, w) in enumerate(sizes)]
    out = frames.compose_panels(panels, ["t"] * len(sizes), header, footer, statuses=["s"] * len(sizes))
    assert out.shape[0] % 2 == 0 and out.shape[1] % 2 == 0
    top = (frames.HEADER_HEIGHT if header else frames.GAP) + frames.TITLE_HEIGHT
    left = frames.GAP
    for panel in panels:
        h, w = panel.shape[:2]
        assert np.array_equal(out[top : top + h, left : left + w], panel)
        left += w + frames.GAP


def test_wrong_panels_are_refused_in_one_line() -> None:
    good = np.zeros((4, 4, 3), dtype=np.uint8)
    for panels, titles in [([], []), ([good], []), ([good.astype(float)], ["t"]), ([good[..., 0]], ["t"])]:
        with pytest.raises(InputError) as caught:
            frames.compose_panels(panels, titles)
        assert "\n" not in str(caught.value)


# -- cells to pixels --------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "mode"), [(0, "hard"), (1, "hard"), (4, "hard"), (3, "easy")])
def test_the_mouse_is_drawn_in_the_rectangle_of_its_cell(level: int, mode: str) -> None:
    maze = Maze.from_level(level, mode)
    cells = sorted({*maze.cells[:: max(1, len(maze.cells) // 12)], maze.cells[0], maze.cells[-1]})
    states = [State(cell, Facing.LEFT) for cell in cells]
    pictures = maze.observations(states, human=True)
    for a in range(len(cells)):
        b = int(np.argmax(np.abs(np.array(cells) - cells[a]).sum(axis=1)))  # the farthest
        changed = (pictures[a] != pictures[b]).any(axis=2)
        for cell in (cells[a], cells[b]):
            left, top, right, bottom = frames.cell_rect(maze, cell)
            inner = changed[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
            assert inner.sum() > 0.1 * inner.size  # the sprite appeared or vanished here
            changed[int(top) : int(bottom) + 3, int(left) - 1 : int(right) + 2] = False
        assert not changed.any()  # and nowhere else, but for feet under the tile


def test_marks_lie_on_their_cells_only(maze: Maze) -> None:
    blank = np.full((512, 512, 3), 99, dtype=np.uint8)
    cell = maze.decision_square
    assert cell is not None
    left, top, right, bottom = frames.cell_rect(maze, cell)
    assert inked_box(frames.mark_cell(blank, maze, cell)) == pytest.approx((left, top, right, bottom), abs=3)
    x0, _, _, y1 = frames.cell_rect(maze, (maze.dim - 5, maze.dim - 5))
    _, y0, x1, _ = frames.cell_rect(maze, maze.corner)
    assert inked_box(frames.mark_region(blank, maze, 5)) == pytest.approx((x0, y0, x1, y1), abs=3)
    assert (blank == 99).all()


def inked_box(picture: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((picture != 99).any(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_a_region_larger_than_the_maze_is_the_maze() -> None:
    small = Maze.from_level(1)
    assert small.dim == 3
    blank = np.full((512, 512, 3), 99, dtype=np.uint8)
    assert np.array_equal(frames.mark_region(blank, small, 5), frames.mark_region(blank, small, 3))


# -- films ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "mode"), [(0, "hard"), (1, "hard"), (14, "hard"), (3, "easy")])
def test_without_marks_every_frame_is_procgens_own(level: int, mode: str) -> None:
    maze = Maze.from_level(level, mode)
    rng = np.random.default_rng(level)
    states = [maze.states[i] for i in rng.integers(len(maze.states), size=24)]
    film = film_frames(maze, [Panel("random", states)], header="h", marks=False, lead_seconds=0, hold_seconds=0)
    for frame, real in zip(film, maze.observations(states, human=True), strict=True):
        assert np.array_equal(maze_area(frame, 0), real)


def test_film_of_two_lengths_freezes_the_shorter_and_holds_the_end(maze: Maze) -> None:
    assert maze.cheese is not None
    short, long = walk(maze, maze.cheese), walk(maze, maze.corner)
    panels = [Panel("clean", short), Panel("steered", long)]
    film = list(film_frames(maze, panels, header="h", fps=10, lead_seconds=0.5, hold_seconds=1.5))
    assert len(film) == 5 + len(long) + 15
    assert len({frame.shape for frame in film}) == 1
    end = len(short) - 1
    for step in range(end, len(long)):  # the left panel stands still, the right one walks on
        assert np.array_equal(maze_area(film[5 + step], 0), maze_area(film[5 + end], 0))
        assert np.array_equal(status_area(film[5 + step], 0), status_area(film[5 + end], 0))
        assert not np.array_equal(maze_area(film[4 + step], 1), maze_area(film[5 + step], 1))
    assert not np.array_equal(status_area(film[5 + end], 0), status_area(film[4 + end], 0))
    assert all(np.array_equal(frame, film[-1]) for frame in film[-16:])


def test_a_mouse_is_never_hidden_by_marks(maze: Maze) -> None:
    decision = maze.decision_square
    assert decision is not None
    states = walk(maze, decision)
    states = [*states, *reversed(states)]  # back over its own trail
    plain, marked = (
        list(film_frames(maze, [Panel("p", states)], header="h", marks=marks, lead_seconds=0, hold_seconds=0))
        for marks in (False, True)
    )
    empty = side_by_side._Scene(maze, states)._base
    for bare, drawn in zip(plain, marked, strict=True):
        bare, drawn = maze_area(bare, 0), maze_area(drawn, 0)
        mouse = (bare != empty).any(axis=2)
        assert mouse.sum() > 40
        assert np.array_equal(drawn[mouse], bare[mouse])


def test_frames_are_the_callers_to_change(maze: Maze) -> None:
    panel = Panel("p", [State(maze.mouse, maze.facing)])
    first, second = list(film_frames(maze, [panel], header="h", fps=1, lead_seconds=0, hold_seconds=1))
    kept = second.copy()
    first[:] = 0
    assert np.array_equal(second, kept)


def test_a_panel_may_show_the_level_without_its_cheese(maze: Maze) -> None:
    bare = maze.without_cheese()
    state = [State(maze.mouse, maze.facing)]
    film = film_frames(maze, [Panel("clean", state), Panel("no cheese", state, maze=bare)], header="h", marks=False)
    frame = next(iter(film))
    changed = (maze_area(frame, 0) != maze_area(frame, 1)).any(axis=2)
    assert maze.cheese is not None
    left, top, right, bottom = frames.cell_rect(maze, maze.cheese)
    assert changed.any()
    changed[int(top) - 1 : int(bottom) + 2, int(left) - 1 : int(right) + 2] = False
    assert not changed.any()


def test_results_in_words(maze: Maze) -> None:
    assert maze.cheese is not None
    at_cheese = walk(maze, maze.cheese)
    assert result_text(maze, at_cheese) == f"reached the cheese at step {len(at_cheese) - 1}"
    assert result_text(maze.without_cheese(), at_cheese).startswith("not finished")
    assert "top-right corner" in result_text(maze, walk(maze, maze.corner))
    beside = next(cell for cell in maze.neighbours(maze.corner))
    assert "top-right 5x5" in result_text(maze, walk(maze, beside))
    assert result_text(maze, at_cheese[:1] * 257) == "not finished after 256 steps"
    assert result_text(maze, at_cheese[:2]) == "not finished after 1 step"


def test_bad_films_are_refused_before_the_first_frame(maze: Maze) -> None:
    wall = next((x, y) for x in range(maze.dim) for y in range(maze.dim) if not maze.is_free((x, y)))
    with pytest.raises(InputError, match="no states"):
        Panel("empty", [])
    with pytest.raises(InputError, match="at least one panel"):
        film_frames(maze, [], header="h")
    with pytest.raises(InputError, match=r"state 1 of 'lost' .* not a free cell"):
        film_frames(maze, [Panel("lost", [State(maze.mouse, Facing.LEFT), State(wall, Facing.LEFT)])], header="h")
