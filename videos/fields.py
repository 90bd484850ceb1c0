"""Vector fields on mazes as a drawing: coloured cells, arrows, marks and letters in plain coordinates.

The geometry is worked out here once; :mod:`videos.plots` draws it with matplotlib, with plotly and
on procgen's own pictures. A panel is a square of side 1, x to the right and y up; panels stand side
by side, each with its title above and the key to its colours below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import matplotlib
import numpy as np

from envs.errors import InputError
from envs.maze import Cell, Maze

WALL = (70, 74, 82)
FREE = (255, 255, 255)
INK = (20, 22, 26)
_BLUE = (0, 114, 178)
GAP = 0.07  # between panels, in sides of a panel
TOP, BOTTOM = 0.15, 0.19  # room for the titles above and the keys below
_LINE = 0.07  # height of a line of the legend
_TITLE, _SMALL = 0.042, 0.034  # heights of letters
_SHORTEST = 0.02  # of a cell: shorter arrows are not drawn
_KEY_STEPS = 64
_ARROW = np.array([(0.0, 0.5), (1.0, 0.5), (0.7, 0.7), (1.0, 0.5), (0.7, 0.3)])  # tail, tip, barb, tip, barb
_LOWEST = 1e-3  # where a logarithmic key begins


@dataclass(frozen=True)
class Heat:
    """A number for each free cell, shown as a colour.

    Raises:
        InputError: the limits are no range, or those of a logarithmic key are not above 0.
    """

    values: np.ndarray
    """Numbers ``float[n_cells]``, in the order of ``maze.cells``; NaN: no colour."""
    label: str
    """Name of the numbers, under the key."""
    limits: tuple[float, float]
    """Ends of the key, low < high; beyond them the colour of the end."""
    log: bool = False
    """The key is logarithmic; its lower end must be above 0."""
    signed: bool = False
    """Two colours, from the middle of the key."""

    def __post_init__(self) -> None:
        low, high = self.limits
        if not low < high or (self.log and low <= 0):
            raise InputError(f"heat map {self.label!r}: limits {low:g} to {high:g} are no range; give low < high")

    def colours(self, values: np.ndarray) -> np.ndarray:
        """Return ``uint8[..., 3]`` of any numbers on this key; beyond its ends the colour of the end."""
        low, high = self.limits
        shown = np.clip(np.nan_to_num(values, nan=low), low, high)
        if self.log:
            low, high, shown = np.log10(low), np.log10(high), np.log10(shown)
        share = (shown - low) / (high - low)
        # Light colours only: black arrows lie on top.
        colours = (
            matplotlib.colormaps["PuOr"](0.15 + 0.7 * share)
            if self.signed
            else matplotlib.colormaps["YlGnBu"](0.62 * share)
        )
        return np.round(255 * np.asarray(colours)[..., :3]).astype(np.uint8)

    def ticks(self) -> list[tuple[float, str]]:
        """Return (position in 0..1, text): powers of ten, or the ends and the middle."""
        low, high = self.limits
        if self.log:
            first, last = np.log10(low), np.log10(high)
            powers = range(int(np.ceil(first - 1e-9)), int(np.floor(last + 1e-9)) + 1)
            return [((p - first) / (last - first), f"{10.0**p:g}") for p in powers]
        return [(share, f"{low + share * (high - low):.3g}") for share in (0.0, 0.5, 1.0)]


def visits_heat(values: np.ndarray, label: str = "expected visits") -> Heat:
    """Return the heat map of visits, which go from hundreds to almost none, on a logarithmic key from 0.001."""
    high = float(np.nanmax(values, initial=0.0))
    return Heat(values, label, (_LOWEST, max(high, 10 * _LOWEST)), log=True)


def signed_heat(values: np.ndarray, label: str) -> Heat:
    """Return the heat map of differences on a key that is symmetric about 0."""
    high = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    return Heat(values, label, (-high, high), signed=True)


@dataclass(frozen=True)
class FieldPanel:
    """One maze with an arrow on each free cell and, perhaps, colours.

    Raises:
        InputError: vectors or heat map of another number of cells than the maze has.
    """

    title: str
    """Text above the maze."""
    maze: Maze
    """The maze, with its start, cheese and decision square."""
    vectors: np.ndarray
    """Arrows ``float[n_cells, 2]`` (right, up) in the order of ``maze.cells``; NaN: no arrow."""
    heat: Heat | None = None
    """Colours of the cells and their key; None: all white."""
    unit: float = 0.85
    """Length, in cells, of the arrow of a vector of length 1."""
    mouse: Cell | None = None
    """Cell of a mouse that has left its start; None: none is drawn."""

    def __post_init__(self) -> None:
        n = len(self.maze.cells)
        if np.shape(self.vectors) != (n, 2):
            raise InputError(f"field {self.title!r}: vectors {np.shape(self.vectors)}, this maze needs ({n}, 2)")
        if self.heat is not None and np.shape(self.heat.values) != (n,):
            raise InputError(f"field {self.title!r}: heat map {np.shape(self.heat.values)}, this maze needs ({n},)")


@dataclass(frozen=True)
class Raster:
    """Coloured rectangles in rows from the bottom; lengths in sides of a panel."""

    x: float
    """Left edge."""
    y: float
    """Lower edge."""
    step: tuple[float, float]
    """Width and height of a rectangle."""
    colours: np.ndarray
    """Colours ``uint8[h, w, 3]``, the bottom row first."""
    values: np.ndarray
    """Numbers ``float[h, w]`` shown to a reader who points at one; NaN: nothing."""


@dataclass(frozen=True)
class Strokes:
    """Lines of one look; lengths in sides of a panel."""

    lines: Sequence[np.ndarray]
    """Corners (x, y) of each line, ``float[k, 2]``."""
    colour: tuple[int, int, int]
    """Red, green and blue, 0..255."""
    width: float
    """Width of the lines."""
    dashed: bool = False
    """Dashed in place of solid."""


@dataclass(frozen=True)
class Letters:
    """A text; lengths in sides of a panel."""

    x: float
    """Position of the anchor, from the left."""
    y: float
    """Middle of the letters' height, from the bottom."""
    text: str
    """The text, in one line."""
    height: float
    """Height of the letters."""
    anchor: str = "middle"
    """Part of the text at ``x``: ``left`` or ``middle``."""


@dataclass(frozen=True)
class Drawing:
    """Things to draw, in the order of the fields, with (0, 0) at the lower left; lengths in sides of a panel."""

    width: float
    """Width of the whole."""
    height: float
    """Height of the whole."""
    rasters: tuple[Raster, ...]
    """Cells of the mazes, and the keys."""
    strokes: tuple[Strokes, ...]
    """Marks and arrows."""
    letters: tuple[Letters, ...]
    """Titles, keys' numbers and caption."""


def arrows(maze: Maze, vectors: np.ndarray, unit: float = 0.85) -> np.ndarray:
    """Return arrows in cells, ``float[k, 5, 2]``: tail, tip, one barb, tip, other barb.

    Cell (x, y) has its middle at (x + 0.5, y + 0.5), which is the middle of its arrow. Arrows too short to be seen are
    left out.
    """
    middles = np.array(maze.cells, dtype=np.float64) + 0.5
    whole = unit * np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(whole, axis=1)
    seen = np.nan_to_num(length) > _SHORTEST
    middles, whole, length = middles[seen], whole[seen], length[seen]
    along = whole / length[:, None]
    across = along[:, ::-1] * np.array([-1.0, 1.0])
    head = np.minimum(0.3, 0.5 * length)[:, None]
    tail, tip = middles - whole / 2, middles + whole / 2
    barbs = [tip - head * along + side * 0.6 * head * across for side in (1.0, -1.0)]
    return np.stack([tail, tip, barbs[0], tip, barbs[1]], axis=1)


def field_drawing(panels: Sequence[FieldPanel], caption: str = "", *, region: int = 5, legend: bool = False) -> Drawing:
    """Return the drawing of panels from left to right under one caption.

    A circle is the start, a disc a mouse elsewhere, a square the cheese; corners bracket the decision square, dashes
    surround the region.

    Args:
        panels: one or more mazes.
        caption: text above all; empty: none.
        region: side, in cells, of the dashed top-right square; 0: none.
        legend: whether lines below all say what the marks are.

    Raises:
        InputError: there are no panels.
    """
    if not panels:
        raise InputError("field: nothing to draw; give at least one panel")
    rasters: list[Raster] = []
    strokes: list[Strokes] = []
    letters: list[Letters] = []
    width, bottom = GAP + len(panels) * (1 + GAP), BOTTOM
    if legend:
        strokes, letters, bottom = _legend(panels, region, width)
    for number, panel in enumerate(panels):
        corner = np.array([GAP + number * (1 + GAP), bottom])
        rasters.append(_cells(panel, corner))
        strokes += _marks(panel.maze, corner, region)
        cell = 1 / panel.maze.dim
        if panel.mouse is not None:
            strokes.append(_placed(_mouse(panel.mouse), cell, corner))
        pointed = arrows(panel.maze, panel.vectors, panel.unit) * cell + corner
        strokes.append(Strokes(list(pointed), INK, 0.07 * cell))
        letters.append(Letters(corner[0] + 0.5, bottom + 1.03, panel.title, _TITLE))
        if panel.heat is not None:
            raster, texts = _key(panel.heat, corner)
            rasters.append(raster)
            letters += texts
    height = bottom + 1 + TOP
    if caption:
        letters.append(Letters(GAP, height - 0.05, caption, _TITLE, "left"))
    return Drawing(width, height, tuple(rasters), tuple(strokes), tuple(letters))


def _cells(panel: FieldPanel, corner: np.ndarray) -> Raster:
    dim = panel.maze.dim
    colours = np.full((dim, dim, 3), WALL, dtype=np.uint8)
    values = np.full((dim, dim), np.nan)
    columns, rows = np.array(panel.maze.cells).T
    colours[rows, columns] = FREE
    if panel.heat is not None:
        has = ~np.isnan(panel.heat.values)
        colours[rows[has], columns[has]] = panel.heat.colours(panel.heat.values[has])
        values[rows, columns] = panel.heat.values
    return Raster(corner[0], corner[1], (1 / dim, 1 / dim), colours, values)


def _key(heat: Heat, corner: np.ndarray) -> tuple[Raster, list[Letters]]:
    """Return a strip of the colours under the maze, with the numbers and the label under it."""
    low, high = heat.limits
    share = (np.arange(_KEY_STEPS) + 0.5) / _KEY_STEPS
    values = low * (high / low) ** share if heat.log else low + share * (high - low)
    x, y = corner[0] + 0.2, corner[1] - 0.06
    strip = Raster(x, y, (0.6 / _KEY_STEPS, 0.03), heat.colours(values)[None], values[None])
    texts = [Letters(x + 0.6 * share, y - 0.04, text, _SMALL) for share, text in heat.ticks()]
    return strip, [*texts, Letters(x + 0.3, y - 0.09, heat.label, _SMALL)]


def _marks(maze: Maze, corner: np.ndarray, region: int) -> list[Strokes]:
    cell = 1 / maze.dim
    outline = _box(0, 0, maze.dim)
    marks = [Strokes([outline * cell + corner], INK, 0.004)]
    low = max(0, maze.dim - region)
    if region:
        marks.append(Strokes([_box(low, low, maze.dim - low) * cell + corner], _BLUE, 0.006, dashed=True))
    found = [_start(maze.mouse)]
    found += [_cheese(maze.cheese)] if maze.cheese is not None else []
    found += [_decision(maze.decision_square)] if maze.decision_square is not None else []
    return marks + [_placed(mark, cell, corner) for mark in found]


def _legend(panels: Sequence[FieldPanel], region: int, width: float) -> tuple[list[Strokes], list[Letters], float]:
    """Return the marks that are drawn, each with its words, and the height up to which the keys of colours come."""
    mazes, box = [panel.maze for panel in panels], Strokes([_box(0.1, 0.1, 0.8)], _BLUE, 0.15, dashed=True)
    told = [
        ("start", _start((0, 0)), True),
        ("mouse", _mouse((0, 0)), any(panel.mouse is not None for panel in panels)),
        ("cheese", _cheese((0, 0)), any(maze.cheese is not None for maze in mazes)),
        ("decision square", _decision((0, 0)), any(maze.decision_square is not None for maze in mazes)),
        (f"top-right {region}x{region}", box, region > 0),
        ("mean step of one move", Strokes([_ARROW], INK, 0.1), True),
    ]
    strokes: list[Strokes] = []
    letters: list[Letters] = []
    x, line = GAP, 0
    for words, mark, shown in told:
        length = 2.4 * _SMALL + 0.6 * _SMALL * len(words)
        if not shown:
            continue
        if x > GAP and x + length > width:
            x, line = GAP, line + 1
        y = -line * _LINE
        strokes.append(_placed(mark, 1.2 * _SMALL, np.array([x, y - 0.6 * _SMALL])))
        letters.append(Letters(x + 1.8 * _SMALL, y, words, _SMALL, "left"))
        x += length + _SMALL
    up = (line + 0.7) * _LINE  # the last line stands above the lower edge
    marks = [_placed(each, 1.0, np.array([0.0, up])) for each in strokes]
    return marks, [replace(each, y=each.y + up) for each in letters], BOTTOM + (line + 1) * _LINE


def _placed(mark: Strokes, scale: float, at: np.ndarray) -> Strokes:
    """Return a mark that is drawn in cells, in sides of a panel."""
    return replace(mark, lines=[np.asarray(line) * scale + at for line in mark.lines], width=mark.width * scale)


def _start(cell: Cell) -> Strokes:
    return Strokes([_ring(cell, 0.36)], (0, 158, 115), 0.1)


def _mouse(cell: Cell) -> Strokes:
    return Strokes([_ring(cell, 0.2)], INK, 0.4)


def _cheese(cell: Cell) -> Strokes:
    return Strokes([_box(cell[0] + 0.18, cell[1] + 0.18, 0.64)], (213, 94, 0), 0.12)


def _decision(cell: Cell) -> Strokes:
    """Return the four corners of the decision square."""
    box = _box(cell[0] + 0.06, cell[1] + 0.06, 0.88)
    sides = [
        (box[i] + 0.3 * (box[i - 1 if i else 3] - box[i]), box[i], box[i] + 0.3 * (box[i + 1] - box[i]))
        for i in range(4)
    ]
    return Strokes([np.array(side) for side in sides], (204, 121, 167), 0.1)


def _ring(cell: Cell, radius: float) -> np.ndarray:
    """Return a closed circle around a cell's middle, ``float[25, 2]``."""
    turn = np.linspace(0, 2 * np.pi, 25)
    return np.asarray(np.array(cell) + 0.5 + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1))


def _box(x: float, y: float, side: float) -> np.ndarray:
    """Return a closed square, ``float[5, 2]``."""
    return np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)], dtype=np.float64)
