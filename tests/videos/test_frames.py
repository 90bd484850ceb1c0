"""Pictures: captions stay in their bars, marks lie on their cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.actions import Facing
from envs.errors import InputError
from envs.maze import Maze, State
from videos import frames

GAPS = str.maketrans("", "", " |")  # where lines are broken


@pytest.fixture(scope="module")
def maze() -> Maze:
    """Level 0: 13x13, centred in 25 tiles, with a decision square."""
    return Maze.from_level(0)


# -- captions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["short", "long " * 24, ["one", "two", "three"], "W" * 60, "a | b", ""])
@pytest.mark.parametrize(("width", "height"), [(512, 44), (300, 60), (200, 90)])
def test_text_keeps_clear_of_the_bars_edges(text: str | list[str], width: int, height: int) -> None:
    bar = frames.caption_bar(width, text, height)
    assert bar.shape == (height, width, 3) and bar.dtype == np.uint8
    ink = (bar != frames.BAR).any(axis=2)
    assert not ink[:, :8].any() and not ink[:, -4:].any()
    assert ink.any() == bool(text)


@given(
    text=st.text(st.characters(min_codepoint=33, max_codepoint=126) | st.just(" "), max_size=120),
    width=st.integers(2, 600),
    height=st.integers(2, 100),
)
def test_a_caption_is_whole_or_refused(text: str, width: int, height: int) -> None:
    """Every letter is in one of the lines, in order; lines are as wide and as high as there is room."""
    try:
        size, lines = frames.caption_lines(width, text, height)
    except InputError:
        return
    assert "".join(lines).translate(GAPS) == text.translate(GAPS)
    font = frames._font(size)
    assert size >= frames.MIN_FONT or not lines
    assert all(font.getlength(line) <= width - sum(frames.MARGINS) for line in lines if line)
    assert sum(font.getmetrics()) * len(lines) <= height


def test_long_text_is_wrapped_and_shrinks_before_it_is_refused() -> None:
    site = "cheese vector subtracted at embedder.block2.res1.resadd, x 1"
    sizes = [frames.caption_lines(width, site) for width in (900, 420, 250)]
    assert [len(lines) for _, lines in sizes] == [1, 1, 2] and sizes[0][0] > sizes[1][0] > sizes[2][0] >= 11
    assert frames.caption_lines(200, "step 12: right, a wall | decision square")[1][1] == "decision square"
    with pytest.raises(InputError, match="does not fit into"):
        frames.caption_lines(120, site)


def test_words_are_broken_only_where_they_have_to_be() -> None:
    assert all("resadd" in " ".join(frames.caption_lines(width, "at block2.res1.resadd")[1]) for width in (140, 300))
    _, lines = frames.caption_lines(100, "embedder.block2.res1.resadd", 44)
    assert len(lines) > 1 and lines[0].endswith(".") and "".join(lines) == "embedder.block2.res1.resadd"


def test_letters_without_a_glyph_are_written_in_ascii() -> None:
    assert np.array_equal(frames.caption_bar(300, "2 × 3 → é"), frames.caption_bar(300, "2 x 3 -> e"))


def test_changing_a_bar_does_not_change_the_next_one() -> None:
    first = frames.caption_bar(200, "same")
    before = first.copy()
    first[:] = 0
    assert np.array_equal(frames.caption_bar(200, "same"), before)


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
