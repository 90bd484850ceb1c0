"""The back ends of a drawing of :mod:`videos.fields`: a file for print, a plotly figure, a picture of a film."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from envs.errors import InputError, nearest
from envs.maze import Maze
from videos.fields import INK, Drawing, Letters, Raster, Strokes, arrows
from videos.frames import cell_rect

SIDE_INCHES = 3.3  # of one panel in print
SIDE_PIXELS = 420  # of one panel in a page
DPI = 300
FORMATS = (".png", ".svg", ".html")


def field_file(drawing: Drawing, path: Path) -> bytes:
    """Return a drawing as the bytes of a file; the same drawing gives the same bytes.

    Args:
        drawing: the drawing, made by :func:`videos.fields.field_drawing`.
        path: name of the file, which is not written here: ``.png`` (300 dpi), ``.svg`` or ``.html`` (one page).

    Raises:
        InputError: for another suffix.

    Example:
        >>> from pathlib import Path
        >>> maze = Maze.from_level(26)
        >>> drawing = field_drawing([FieldPanel("still", maze, np.zeros((len(maze.cells), 2)))])
        >>> field_file(drawing, Path("field.svg"))[:5]
        b'<?xml'
    """
    suffix = check_format(path)
    if suffix == ".html":
        page = field_figure(drawing).to_html(include_plotlyjs=True, div_id="field", config={"displaylogo": False})
        return str(page).encode()
    buffer = io.BytesIO()
    # Letters stay letters, so that a drawing program can edit them; a salt, so that names of parts are not random.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mazesteer"}):
        figure = matplotlib_figure(drawing)
        figure.savefig(buffer, format=suffix[1:], dpi=DPI, metadata={"Date": None} if suffix == ".svg" else None)
    return buffer.getvalue()


def check_format(path: Path) -> str:
    """Return the suffix of a field's file, in small letters; raise :class:`InputError` for one that is not known."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        hint = nearest(suffix, FORMATS) if suffix else "end the name in .png, .svg or .html"
        raise InputError(f"cannot write {path}: unknown format {suffix!r} of a field; {hint}")
    return suffix


def matplotlib_figure(drawing: Drawing, side: float = SIDE_INCHES) -> Figure:
    """Return the drawing as a matplotlib figure, ``side`` inches a panel; vector graphics throughout."""
    figure = Figure(figsize=(drawing.width * side, drawing.height * side), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, drawing.width), ylim=(0, drawing.height))
    axes.set_axis_off()
    for raster in drawing.rasters:
        rows, columns = raster.colours.shape[:2]
        x = raster.x + raster.step[0] * np.arange(columns + 1)
        y = raster.y + raster.step[1] * np.arange(rows + 1)
        # An edge in its own colour closes the hairlines that viewers leave between rectangles.
        axes.pcolormesh(x, y, raster.colours / 255.0, edgecolors="face", linewidth=0.2, zorder=1)
    for strokes in drawing.strokes:
        axes.add_collection(
            LineCollection(
                list(strokes.lines),
                colors=[np.array(strokes.colour) / 255.0],
                linewidths=strokes.width * side * 72,
                linestyles=(0, (4, 3)) if strokes.dashed else "solid",
                capstyle="butt" if strokes.dashed else "round",
                zorder=2,
            )
        )
    for text in drawing.letters:
        align = {"left": "left", "middle": "center"}[text.anchor]
        axes.text(
            text.x,
            text.y,
            text.text,
            fontsize=text.height * side * 72,
            ha=align,
            va="center",
            zorder=3,
            parse_math=False,
        )
    return figure


def field_figure(drawing: Drawing, side: int = SIDE_PIXELS) -> go.Figure:
    """Return a drawing as a plotly figure; pointing at a cell shows its number.

    Args:
        drawing: the drawing, made by :func:`videos.fields.field_drawing`.
        side: side of a panel in pixels.

    Example:
        >>> maze = Maze.from_level(26)
        >>> heat = Heat(np.arange(31.0), "number of the cell", (0.0, 31.0))
        >>> drawing = field_drawing([FieldPanel("still", maze, np.zeros((31, 2)), heat)], "no arrows")
        >>> type(field_figure(drawing)).__name__
        'Figure'
    """
    figure = go.Figure()
    for raster in drawing.rasters:
        dx, dy = raster.step
        texts = _pointed(raster)
        figure.add_image(
            z=raster.colours,
            x0=raster.x + dx / 2,
            y0=raster.y + dy / 2,
            dx=dx,
            dy=dy,
            text=texts,
            hoverinfo="skip" if texts is None else "text",
        )
    for strokes in drawing.strokes:
        points = _broken(strokes)
        colour = f"rgb{strokes.colour}"
        line = {"color": colour, "width": max(strokes.width * side, 1.0), "dash": "dash" if strokes.dashed else "solid"}
        figure.add_scatter(x=points[:, 0], y=points[:, 1], mode="lines", line=line, hoverinfo="skip", showlegend=False)
    # All at once: each `add_annotation` would check those there are again.
    figure.update_layout(annotations=[_annotation(text, side) for text in drawing.letters])
    figure.update_xaxes(range=[0, drawing.width], visible=False, fixedrange=True)
    figure.update_yaxes(range=[0, drawing.height], visible=False, fixedrange=True, scaleanchor="x")
    size = {"width": round(drawing.width * side), "height": round(drawing.height * side)}
    figure.update_layout(template="simple_white", margin={"l": 0, "r": 0, "t": 0, "b": 0}, **size)
    return figure


def _pointed(raster: Raster) -> list[list[str]] | None:
    """Return the text for each cell pointed at; None for a raster without numbers and for keys."""
    if len(raster.values) == 1 or np.isnan(raster.values).all():
        return None
    return [
        ["" if np.isnan(value) else f"({x}, {y}) {value:.4g}" for x, value in enumerate(row)]
        for y, row in enumerate(raster.values)
    ]


def _broken(strokes: Strokes) -> np.ndarray:
    """Return all lines one after the other with gaps, ``float32[k, 2]``."""
    gap = np.full((1, 2), np.nan)
    parts = [part for line in strokes.lines for part in (line, gap)]
    return np.concatenate(parts or [gap]).astype(np.float32)


def _annotation(text: Letters, side: int) -> dict[str, object]:
    return {
        "x": text.x,
        "y": text.y,
        "text": text.text,
        "showarrow": False,
        "xanchor": {"left": "left", "middle": "center"}[text.anchor],
        "yanchor": "middle",
        "font": {"size": text.height * side, "color": "#141618"},
    }


def draw_arrows(picture: np.ndarray, maze: Maze, vectors: np.ndarray) -> np.ndarray:
    """Return a copy of procgen's picture of ``maze`` with the arrows of ``float[n_cells, 2]`` on their cells."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    left, _, right, bottom = cell_rect(maze, (0, 0), picture.shape[0])
    unit = right - left
    for arrow in arrows(maze, vectors):
        points = [(left + x * unit, bottom - y * unit) for x, y in arrow]
        for colour, width in (((255, 255, 255), 4), (INK, 2)):
            draw.line(points, fill=colour, width=width)
    return np.array(image)
