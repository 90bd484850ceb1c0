"""Captions and marks: pure arrays in and out.

A picture is ``uint8[height, width, 3]``, image row 0 at the top. Cells are those of
:mod:`envs.maze`, counted from the bottom left; :func:`cell_rect` is the one place where they
become pixels.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.errors import InputError
from envs.maze import Cell, Maze

RGB = tuple[int, int, int]
# Accents from the colour-blind-safe palette of Okabe and Ito (2008), one per panel.
ACCENTS: tuple[RGB, ...] = ((86, 180, 233), (230, 159, 0), (204, 121, 167), (0, 158, 115), (240, 228, 66))
BACKGROUND: RGB = (24, 26, 30)
BAR: RGB = (36, 39, 45)
TEXT: RGB = (236, 238, 241)
MUTED: RGB = (158, 164, 173)
TITLE_HEIGHT = 34
MIN_FONT = 11
LIT = 0.38  # share of the panel's colour in a lit status
# The built-in font has no glyphs beyond ASCII that a caption needs.
_PLAIN = str.maketrans({"×": "x", "−": "-", "–": "-", "—": "-", "…": "...", "→": "->", "·": "|", "’": "'"})


def caption_bar(
    width: int,
    lines: str | Sequence[str],
    height: int = TITLE_HEIGHT,
    *,
    colour: RGB = TEXT,
    background: RGB = BAR,
    accent: RGB | None = None,
) -> np.ndarray:
    """A bar of text, ``uint8[height, width, 3]``; ``accent`` draws a strip at its left edge.

    The text always fits: the font shrinks to 11 pixels, then lines that are too long end in
    "..." and lines that are too many are left out. Letters beyond ASCII are written in ASCII.
    """
    if width < 2 or height < 2:
        raise InputError(f"caption bar: {width}x{height} pixels is too small; use at least 2x2")
    texts = [lines] if isinstance(lines, str) else list(lines)
    texts = [_ascii(part) for text in texts for part in (text.splitlines() or [""])]
    return _bar(width, tuple(texts), height, colour, background, accent).copy()


@functools.lru_cache(maxsize=256)
def _bar(
    width: int, texts: tuple[str, ...], height: int, colour: RGB, background: RGB, accent: RGB | None
) -> np.ndarray:
    image = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(image)
    if accent is not None:
        draw.rectangle((0, 0, min(4, width) - 1, height - 1), fill=accent)
    left = 12
    room = width - left - 8
    size = max(MIN_FONT, min(20, height * 12 // 25))
    while size > MIN_FONT and not _fits(texts, size, room, height):
        size -= 1
    font = _font(size)
    line_height = sum(font.getmetrics())
    shown = list(texts[: max(1, height // line_height)])
    if shown and len(shown) < len(texts):
        shown[-1] += " ..."
    top = (height - line_height * len(shown)) / 2
    for number, text in enumerate(shown):
        draw.text((left, top + number * line_height), _shorten(text, font, room), font=font, fill=colour)
    return np.asarray(image)


def _fits(texts: tuple[str, ...], size: int, room: int, height: int) -> bool:
    font = _font(size)
    return sum(font.getmetrics()) * len(texts) <= height and all(font.getlength(text) <= room for text in texts)


def _shorten(text: str, font: ImageFont.FreeTypeFont, room: int) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "...") > room:
        text = text[:-1]
    return text.rstrip() + "..." if text else ""


@functools.lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # a size was given, so Pillow cannot return its bitmap font
    return font


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN)).encode("ascii", "ignore").decode()
    return "".join(char if char.isprintable() else " " for char in plain)


def check_picture(picture: np.ndarray, what: str) -> None:
    """Raise :class:`InputError`, naming ``what``, unless it is a ``uint8[h, w, 3]`` array."""
    shape, dtype = getattr(picture, "shape", None), getattr(picture, "dtype", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise InputError(f"{what}: a picture is a uint8 array [height, width, 3], got {dtype} {shape}")


def blend(a: RGB, b: RGB, share: float) -> RGB:
    """``share`` of ``a``, the rest ``b``."""
    mixed = [round(share * x + (1 - share) * y) for x, y in zip(a, b, strict=True)]
    return (mixed[0], mixed[1], mixed[2])


# -- from cells to pixels -------------------------------------------------------------------------


def cell_rect(maze: Maze, cell: Cell, side: int = 512) -> tuple[float, float, float, float]:
    """Pixel rectangle (left, top, right, bottom) of an inner cell in procgen's picture.

    ``side`` is the picture's side: procgen draws ``world_dim`` tiles across it, the bottom tile
    row at the bottom (``BasicAbstractGame::get_screen_rect`` in procgen's ``basic-abstract-game.cpp``).
    """
    unit = side / maze.state.world_dim
    x, y = cell[0] + maze.state.margin, cell[1] + maze.state.margin
    return (x * unit, side - (y + 1) * unit, (x + 1) * unit, side - y * unit)


def mark_cell(picture: np.ndarray, maze: Maze, cell: Cell) -> np.ndarray:
    """A copy with the corners of ``cell`` bracketed in white on black."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    box = _inside(cell_rect(maze, cell, picture.shape[0]))
    arm = max(3, (box[2] - box[0]) // 3)
    for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 2)):
        for x, inward_x in ((box[0], arm), (box[2], -arm)):
            for y, inward_y in ((box[1], arm), (box[3], -arm)):
                draw.line([(x + inward_x, y), (x, y), (x, y + inward_y)], fill=colour, width=width, joint="curve")
    return np.asarray(image)


def mark_region(picture: np.ndarray, maze: Maze, r: int) -> np.ndarray:
    """A copy with a dashed line around the top-right r x r region."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    low = max(0, maze.dim - r)
    left, _, _, bottom = cell_rect(maze, (low, low), picture.shape[0])
    _, top, right, _ = cell_rect(maze, maze.corner, picture.shape[0])
    x0, y0, x1, y1 = _inside((left, top, right, bottom))
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        for x in range(x0, x1 + 1, 10):
            for y in (y0, y1):
                draw.line([(x, y), (min(x + 5, x1), y)], fill=colour, width=width)
        for y in range(y0, y1 + 1, 10):
            for x in (x0, x1):
                draw.line([(x, y), (x, min(y + 5, y1))], fill=colour, width=width)
    return np.asarray(image)


def _inside(rect: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    """The rectangle of whole pixels one pixel inside ``rect``."""
    return (int(rect[0]) + 1, int(rect[1]) + 1, int(rect[2]) - 2, int(rect[3]) - 2)
