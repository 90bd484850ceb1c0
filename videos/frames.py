"""Captions and marks: pure arrays in and out.

A picture is ``uint8[height, width, 3]``, image row 0 at the top. Cells are those of
:mod:`envs.maze`, counted from the bottom left; :func:`cell_rect` is the one place where they
become pixels.
"""

from __future__ import annotations

import bisect
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
MIN_FONT, MAX_FONT = 11, 20  # pixels
MARGINS = (12, 8)  # of a caption, left and right, in pixels
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
    margins: tuple[int, int] = MARGINS,
) -> np.ndarray:
    """Draw a bar with all of a text in it: lines are wrapped, and the font shrinks down to 11 pixels.

    Args:
        width: width in pixels, 2 or more.
        lines: the text, or its lines; letters beyond ASCII are written in ASCII.
        height: height in pixels, 2 or more.
        colour: red, green and blue of the letters, 0..255.
        background: the same of the bar.
        accent: the same of a strip at its left edge; None: no strip.
        margins: pixels left free at the left and at the right.

    Returns:
        The picture, ``uint8[height, width, 3]``.

    Raises:
        InputError: the bar is too small, or the text does not fit even in the smallest font.

    Example:
        >>> caption_bar(300, "left alone").shape
        (34, 300, 3)
    """
    texts = _texts(lines)
    if width < 2 or height < 2:
        raise InputError(f"caption bar: {width}x{height} pixels is too small; use at least 2x2")
    return _bar(width, texts, height, colour, background, accent, margins).copy()


def caption_lines(
    width: int, lines: str | Sequence[str], height: int = TITLE_HEIGHT, margins: tuple[int, int] = MARGINS
) -> tuple[int, tuple[str, ...]]:
    """Return (size of the font, lines as they are broken) of a caption bar; raises as :func:`caption_bar` does."""
    return _laid_out(_texts(lines), width - sum(margins), height)


def caption_height(width: int, text: str, size: int) -> int:
    """Return the height of a bar in which ``text`` is at least ``size`` pixels high, if no word is broken."""
    font = _font(size)
    count = len(_wrapped(_ascii(text), font, width - sum(MARGINS), break_words=True))
    return count * sum(font.getmetrics()) + 2 * (size - MIN_FONT) + 2


def _texts(lines: str | Sequence[str]) -> tuple[str, ...]:
    texts = [lines] if isinstance(lines, str) else list(lines)
    return tuple(_ascii(part) for text in texts for part in (text.splitlines() or [""]))


@functools.lru_cache(maxsize=256)
def _bar(
    width: int,
    texts: tuple[str, ...],
    height: int,
    colour: RGB,
    background: RGB,
    accent: RGB | None,
    margins: tuple[int, int],
) -> np.ndarray:
    size, lines = _laid_out(texts, width - sum(margins), height)
    image = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(image)
    if accent is not None:
        draw.rectangle((0, 0, min(4, width) - 1, height - 1), fill=accent)
    font = _font(size)
    line_height = sum(font.getmetrics())
    top = (height - line_height * len(lines)) / 2
    for number, line in enumerate(lines):
        draw.text((margins[0], top + number * line_height), line, font=font, fill=colour)
    return np.asarray(image)


@functools.lru_cache(maxsize=1024)
def _laid_out(texts: tuple[str, ...], room: int, height: int) -> tuple[int, tuple[str, ...]]:
    """Return the largest font in which the wrapped texts fit; words are broken only where none fits otherwise."""
    for break_words in (False, True):
        for size in range(max(MIN_FONT, min(MAX_FONT, height * 12 // 25)), MIN_FONT - 1, -1):
            font = _font(size)
            lines = [line for text in texts for line in _wrapped(text, font, room, break_words=break_words)]
            if sum(font.getmetrics()) * len(lines) <= height and all(font.getlength(line) <= room for line in lines):
                return size, tuple(lines)
        if not any(texts):  # nothing to show, however small the bar
            return MIN_FONT, ()
    shown = " ".join(texts)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    raise InputError(
        f"film: the caption {shown!r} does not fit into {room}x{height} pixels; show larger mazes or use shorter names"
    )


def _wrapped(text: str, font: ImageFont.FreeTypeFont, room: int, *, break_words: bool) -> list[str]:
    """Return ``text`` in lines of at most ``room`` pixels, broken at "|", else at a space; words if they may be."""
    lines: list[str] = []
    while text and font.getlength(text) > room:
        end = bisect.bisect_right(range(len(text)), float(room), key=lambda n: font.getlength(text[:n])) - 1
        cuts = [text.rfind(mark, 0, end + 1) for mark in "| "]
        if break_words:
            cuts += [max(text.rfind(mark, 0, end) for mark in "._/-") + 1, end, 1]
        cut = next((at for at in cuts if at > 0), len(text))
        lines.append(text[:cut].rstrip(" |"))
        text = text[cut:].lstrip(" |")
    return [*lines, text] if text or not lines else lines


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
    """Return ``share`` of ``a``, the rest ``b``."""
    mixed = [round(share * x + (1 - share) * y) for x, y in zip(a, b, strict=True)]
    return (mixed[0], mixed[1], mixed[2])


# -- from cells to pixels -------------------------------------------------------------------------


def cell_rect(maze: Maze, cell: Cell, side: int = 512) -> tuple[float, float, float, float]:
    """Return the pixel rectangle (left, top, right, bottom) of an inner cell in procgen's picture.

    ``side`` is the picture's side: procgen draws ``world_dim`` tiles across it, the bottom tile
    row at the bottom (``BasicAbstractGame::get_screen_rect`` in procgen's ``basic-abstract-game.cpp``).
    """
    unit = side / maze.state.world_dim
    x, y = cell[0] + maze.state.margin, cell[1] + maze.state.margin
    return (x * unit, side - (y + 1) * unit, (x + 1) * unit, side - y * unit)


def mark_cell(picture: np.ndarray, maze: Maze, cell: Cell) -> np.ndarray:
    """Return a copy with the corners of ``cell`` bracketed in white on black."""
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
    """Return a copy with a dashed line around the top-right r x r region."""
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
    """Return the rectangle of whole pixels one pixel inside ``rect``."""
    return (int(rect[0]) + 1, int(rect[1]) + 1, int(rect[2]) - 2, int(rect[3]) - 2)
