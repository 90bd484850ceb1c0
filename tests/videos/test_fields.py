"""Vector fields: arrows point from cell to cell, colours follow the key, both back ends draw the one geometry."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from envs.errors import InputError
from envs.maze import Maze
from videos import fields, plots
from videos.fields import Drawing, FieldPanel, Heat, arrows, field_drawing, signed_heat, visits_heat
from videos.frames import cell_rect
from videos.plots import draw_arrows, field_figure, field_file, matplotlib_figure

OWN = """
.......
.#.####
.#.#...
.#.#.#.
.#...#.
.C##.#.
M#...#.
"""


@pytest.fixture(scope="module")
def maze() -> Maze:
    return Maze.from_ascii(OWN)


def toward(maze: Maze, goal: tuple[int, int]) -> np.ndarray:
    """The unit step of the shortest path from each cell, 0 at the goal: ``float[n_cells, 2]``."""
    steps = [np.subtract(maze.path(cell, goal)[1], cell) if cell != goal else (0, 0) for cell in maze.cells]
    return np.array(steps, dtype=np.float64)


def test_arrows_are_centred_on_their_cells_and_point_along_the_path(maze: Maze) -> None:
    vectors = toward(maze, maze.corner)
    drawn = arrows(maze, vectors, unit=0.8)
    moving = [i for i, v in enumerate(vectors) if v.any()]
    assert drawn.shape == (len(moving), 5, 2)
    for i, arrow in zip(moving, drawn, strict=True):
        tail, tip = arrow[0], arrow[1]
        assert (tail + tip) / 2 == pytest.approx(np.array(maze.cells[i]) + 0.5)
        assert tip - tail == pytest.approx(0.8 * vectors[i])
        for barb in (arrow[2], arrow[4]):
            assert np.dot(barb - tip, vectors[i]) < 0
        assert arrow[2] + arrow[4] - 2 * tip == pytest.approx(-0.6 * vectors[i], abs=1e-9)


def test_no_arrow_where_there_is_nothing_to_point_at(maze: Maze) -> None:
    vectors = np.full((len(maze.cells), 2), np.nan)
    vectors[3] = 0.001
    assert arrows(maze, vectors).shape == (0, 5, 2)
    vectors[4] = (0.0, -1.0)
    assert len(arrows(maze, vectors)) == 1


def drawing(maze: Maze) -> Drawing:
    values = np.linspace(0.01, 20, len(maze.cells))
    panels = [
        FieldPanel("clean", maze, toward(maze, maze.corner), visits_heat(values)),
        FieldPanel("change", maze, -toward(maze, maze.corner), signed_heat(values - 10, "change"), unit=0.45),
    ]
    return field_drawing(panels, "a caption with $ and _ in it")


def test_a_legend_says_what_each_mark_is_and_nothing_of_marks_that_are_not_there(maze: Maze) -> None:
    vectors = toward(maze, maze.corner)
    plain, told = (field_drawing([FieldPanel("f", maze, vectors)], legend=legend) for legend in (False, True))
    words = ["start", "cheese", "decision square", "top-right 5x5", "mean step of one move"]
    assert [each.text for each in told.letters if each not in plain.letters][: len(words)] == words
    bare = FieldPanel("f", maze.without_cheese(), vectors, mouse=(0, 0))
    texts = [each.text for each in field_drawing([bare], region=0, legend=True).letters]
    assert texts == ["start", "mouse", "mean step of one move", "f"]
    for each in told.letters:  # within the picture, below the maze
        assert 0 < each.y < told.height and each.x + 0.6 * each.height * len(each.text) < told.width + 0.5
    assert told.rasters[0].y - plain.rasters[0].y == pytest.approx(told.height - plain.height)


def test_colours_follow_the_key(maze: Maze) -> None:
    heat = Heat(np.zeros(1), "x", (1e-2, 1e2), log=True)
    ends = heat.colours(np.array([1e-9, 1e-2, 1.0, 1e2, 1e9]))
    assert np.array_equal(ends[0], ends[1]) and np.array_equal(ends[3], ends[4])
    assert ends[1].sum() > ends[2].sum() > ends[3].sum()  # darker for more
    assert heat.ticks() == [(pytest.approx(i / 4), text) for i, text in enumerate(("0.01", "0.1", "1", "10", "100"))]
    signed = signed_heat(np.array([-2.0, 0.0, 1.0]), "x")
    below, middle, above = signed.colours(signed.values).astype(int)
    assert middle.min() > 240 and below[0] > below[2] and above[2] > above[1]
    assert [text for _, text in signed.ticks()] == ["-2", "0", "2"]
    assert signed_heat(np.zeros(3), "x").limits == (-1.0, 1.0)


def test_the_raster_holds_every_cell_at_its_place(maze: Maze) -> None:
    made = drawing(maze)
    raster = made.rasters[0]
    assert raster.values.shape == (7, 7)
    for i, (x, y) in enumerate(maze.cells):
        assert raster.values[y, x] == pytest.approx(np.linspace(0.01, 20, len(maze.cells))[i])
    walls = (raster.colours == fields.WALL).all(axis=2)
    assert walls.sum() == 49 - len(maze.cells) and np.isnan(raster.values[walls]).all()


def test_matplotlib_and_plotly_draw_the_same_geometry(maze: Maze) -> None:
    """Colours of all cell middles agree between the picture by matplotlib and plotly's own raster and lines."""
    made = drawing(maze)
    figure = field_figure(made)
    image, raster = figure.data[0], made.rasters[0]
    assert np.array_equal(np.asarray(image.z), raster.colours)
    assert (image.x0 - image.dx / 2, image.y0 - image.dy / 2) == pytest.approx((raster.x, raster.y))
    lines = [trace for trace in figure.data if trace.type == "scatter"]
    assert len(lines) == len(made.strokes)
    for trace, strokes in zip(lines, made.strokes, strict=True):
        points = np.concatenate(list(strokes.lines)) if len(strokes.lines) else np.zeros((0, 2))
        x = np.asarray(trace.x, dtype=float)
        assert x[~np.isnan(x)] == pytest.approx(points[:, 0], abs=1e-6)
    assert [note.text for note in figure.layout.annotations] == [text.text for text in made.letters]
    png = field_file(made, Path("x.png"))
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    height, width = picture.shape[:2]
    assert (width, height) == pytest.approx((made.width * 990, made.height * 990), abs=2)  # 300 dpi
    for y in range(7):
        for x in range(7):
            # The lower left of the middle of the cell, where neither arrow nor mark lies.
            px = round((raster.x + (x + 0.1) / 7) / made.width * width)
            py = round((1 - (raster.y + (y + 0.09) / 7) / made.height) * height)
            if (x, y) != maze.decision_square and (x, y) != (2, 2):
                assert np.abs(picture[py, px] - raster.colours[y, x]).max() <= 2, (x, y)


def test_plotly_figures_are_small_even_for_the_largest_maze() -> None:
    maze = next(m for m in Maze.from_levels(range(40)) if m.dim == 25)
    rng = np.random.default_rng(0)
    n = len(maze.cells)
    figure = field_figure(field_drawing([FieldPanel("f", maze, rng.normal(size=(n, 2)), visits_heat(rng.random(n)))]))
    assert len(figure.to_json()) < 60_000
    json.loads(figure.to_json())


def test_files_are_the_same_each_time_and_letters_stay_letters(maze: Maze) -> None:
    made = drawing(maze)
    for suffix in (".svg", ".html"):
        first = field_file(made, Path(f"x{suffix}"))
        assert field_file(made, Path(f"y{suffix}")) == first
    svg = field_file(made, Path("x.svg")).decode()
    assert "a caption with $ and _ in it" in svg and "<image" not in svg
    with pytest.raises(InputError, match=r"unknown format '.pgn' of a field; did you mean '.png'"):
        field_file(made, Path("x.pgn"))
    with pytest.raises(InputError, match="end the name in"):
        field_file(made, Path("x"))


def test_text_keeps_clear_of_the_mazes(maze: Maze) -> None:
    made = drawing(maze)
    boxes = [(r.x, r.y, r.x + 1, r.y + 1) for r in made.rasters if r.values.shape[0] > 1]
    figure = matplotlib_figure(made)
    figure.canvas.draw()
    axes = figure.axes[0]
    for text in axes.texts:
        (x0, y0), (x1, y1) = axes.transData.inverted().transform(text.get_window_extent())
        assert 0 <= y0 and y1 <= made.height
        for left, low, right, high in boxes:
            assert x1 <= left or x0 >= right or y1 <= low or y0 >= high, text.get_text()


def test_arrows_on_procgens_picture_lie_on_their_cells(maze: Maze) -> None:
    blank = np.full((512, 512, 3), 90, dtype=np.uint8)
    for i in (0, len(maze.cells) // 2, len(maze.cells) - 1):
        vectors = np.zeros((len(maze.cells), 2))
        vectors[i] = (0.7, 0.7)
        rows, columns = np.nonzero((draw_arrows(blank, maze, vectors) != blank).any(axis=2))
        left, top, right, bottom = cell_rect(maze, maze.cells[i], 512)
        assert left - 3 <= columns.min() and columns.max() <= right + 3
        assert top - 3 <= rows.min() and rows.max() <= bottom + 3
        assert (columns.mean(), rows.mean()) == pytest.approx(((left + right) / 2, (top + bottom) / 2), abs=6)


def test_what_does_not_fit_is_refused_in_one_line(maze: Maze) -> None:
    n = len(maze.cells)
    for call in (
        lambda: field_drawing([]),
        lambda: FieldPanel("f", maze, np.zeros((n - 1, 2))),
        lambda: FieldPanel("f", maze, np.zeros((n, 2)), Heat(np.zeros(n + 1), "x", (0, 1))),
        lambda: Heat(np.zeros(n), "x", (1, 1)),
        lambda: Heat(np.zeros(n), "x", (0, 1), log=True),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert plots.check_format(Path("A.PNG")) == ".png"
