"""The canvas of a film: still parts are drawn once, changing parts are pasted into their places.

Texts have strips of their own, so none ever lies on a maze::

    header
    title   | title       one column per condition, one row per level
    maze    | maze
    moves   | moves       the five move probabilities
    status  | status
    chart                 optional
    footer

Strips have one height, whatever is written in them, so all films of one size and one number of panels have
equal pictures. A text that does not fit into its strip is refused, not cut.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from envs.actions import N_MOVES, Move
from envs.errors import RANGES, InputError
from videos.frames import (
    ACCENTS,
    BACKGROUND,
    BAR,
    LIT,
    MIN_FONT,
    MUTED,
    RGB,
    TEXT,
    TITLE_HEIGHT,
    blend,
    caption_bar,
    caption_height,
    caption_lines,
    check_picture,
)

GAP = 8  # pixels between panels and around everything
HEADER_HEIGHT = 44
MOVES_HEIGHT = 26
STATUS_HEIGHT = 34
FOOTER_HEIGHT = 30
COLUMN = 200  # least width of a panel's texts, in pixels; smaller mazes stand in the middle of it
LARGEST = 4096  # pixels: beyond that, players and encoders begin to refuse
SEPARATOR = "   |   "  # a line that is too long is broken there
MOVE_SIGNS = {Move.LEFT: "L", Move.RIGHT: "R", Move.UP: "U", Move.DOWN: "D", Move.NOOP: "-"}
_CARD_FONT = 18
_SIGN_WIDTH = 18  # of a sign with its margins
_NARROW, _NARROW_FOOTER = 320, 58  # pixels: on a smaller width the footer is higher


@dataclass(frozen=True)
class Place:
    """Place of a panel's parts on the canvas, in pixels from the top left."""

    left: int
    """Left edge of its texts."""
    maze_left: int
    """Left edge of its maze."""
    title: int
    """Top of its title."""
    maze: int
    """Top of its maze."""
    moves: int
    """Top of its move probabilities."""
    status: int
    """Top of its status."""


def film_width(columns: int, side: int) -> int:
    """Return a film's width with ``columns`` panels of ``side`` pixels side by side; even, as encoders need it."""
    width = GAP + columns * (max(side, COLUMN) + GAP)
    return width + width % 2


class Stage:
    """Rows of panels of ``side`` x ``side`` pixels; :attr:`canvas` is ``uint8[H, W, 3]``, H and W even.

    ``titles`` has a list per row, ``footer`` a text per key. ``moves``: leave room for move
    probabilities; ``chart``: a strip of this height below. Raises :class:`InputError` for no panels,
    a picture beyond what players take, or a text that does not fit.
    """

    def __init__(
        self,
        titles: Sequence[Sequence[str]],
        side: int,
        *,
        header: str | Sequence[str] = "",
        footer: Sequence[str] = (),
        moves: bool = False,
        chart: int = 0,
    ) -> None:
        if not titles or not all(titles):
            raise InputError("film: nothing to show; give at least one panel in every row")
        RANGES["size"].check(side)
        self.side, self.column = side, max(side, COLUMN)
        top = HEADER_HEIGHT if header else GAP
        width = film_width(max(map(len, titles)), side)
        between = MOVES_HEIGHT if moves else 0
        self.places: list[list[Place]] = []
        for row in titles:
            maze = top + TITLE_HEIGHT
            status = maze + side + between
            lefts = [GAP + k * (self.column + GAP) for k in range(len(row))]
            inset = (self.column - side) // 2
            self.places.append([Place(left, left + inset, top, maze, maze + side, status) for left in lefts])
            top = status + STATUS_HEIGHT + GAP
        self._chart = (top, chart)
        top += chart + GAP if chart else 0
        inner = width - 2 * GAP
        below = (FOOTER_HEIGHT if inner >= _NARROW else _NARROW_FOOTER) if footer else GAP
        height = top - GAP + below
        height += height % 2
        if max(height, width) > LARGEST:
            raise InputError(
                f"film: {width}x{height} pixels, at most {LARGEST} each; show fewer panels or smaller mazes"
            )
        self.canvas = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
        if header:
            self._paste(0, GAP, caption_bar(inner, header, HEADER_HEIGHT, background=BACKGROUND))
        if footer:
            bar = caption_bar(inner, SEPARATOR.join(footer), below, background=BACKGROUND, colour=MUTED)
            self._paste(top - GAP, GAP, bar)
        for texts, places in zip(titles, self.places, strict=True):
            for k, (text, place) in enumerate(zip(texts, places, strict=True)):
                bar = caption_bar(self.column, text, TITLE_HEIGHT, accent=ACCENTS[k % len(ACCENTS)])
                self._paste(place.title, place.left, bar)

    def _paste(self, top: int, left: int, picture: np.ndarray) -> None:
        self.canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture

    def show_maze(self, row: int, column: int, picture: np.ndarray) -> None:
        """Put a picture ``uint8[side, side, 3]`` into a panel."""
        check_picture(picture, f"panel {column + 1} of row {row + 1}")
        if picture.shape[:2] != (self.side, self.side):
            raise InputError(
                f"panel {column + 1} of row {row + 1}: {picture.shape[:2]} pixels in a panel of {self.side}"
            )
        place = self.places[row][column]
        self._paste(place.maze, place.maze_left, picture)

    def check_statuses(self, texts: Iterable[str]) -> None:
        """Raise :class:`InputError` if one of the texts does not fit where :meth:`show_status` writes it."""
        for text in set(texts):
            caption_lines(self.column, text, STATUS_HEIGHT)

    def show_status(self, row: int, column: int, text: str, *, lit: bool = False) -> None:
        """Write a panel's status, on the panel's colour if ``lit``."""
        accent = ACCENTS[column % len(ACCENTS)]
        back, strip = (blend(accent, BAR, LIT), accent) if lit else (BAR, None)
        place = self.places[row][column]
        bar = caption_bar(self.column, text, STATUS_HEIGHT, background=back, accent=strip)
        self._paste(place.status, place.left, bar)

    def show_moves(self, row: int, column: int, probabilities: np.ndarray | None, chosen: Move | None = None) -> None:
        """Draw the bar of move probabilities ``float[5]`` (None: empty), the chosen move in the panel's colour."""
        place = self.places[row][column]
        bar = moves_bar(self.column, probabilities, chosen, ACCENTS[column % len(ACCENTS)])
        self._paste(place.moves, place.left, bar)

    def show_chart(self, picture: np.ndarray) -> None:
        """Put a picture ``uint8[chart, W - 2 GAP, 3]`` into the strip for it."""
        top, height = self._chart
        if picture.shape != (height, self.canvas.shape[1] - 2 * GAP, 3):
            raise InputError(
                f"film: the chart is {picture.shape}, expected {(height, self.canvas.shape[1] - 2 * GAP, 3)}"
            )
        self._paste(top, GAP, picture)


def moves_bar(width: int, probabilities: np.ndarray | None, chosen: Move | None, colour: RGB) -> np.ndarray:
    """Draw five bars from left to right, ``uint8[26, width, 3]``, each as full as its move is probable."""
    bar = _signs(width).copy()
    if probabilities is None:
        return bar
    for move in Move:
        left, room = bar_room(width, move)
        filled = round(room * float(probabilities[move]))
        bar[5 : MOVES_HEIGHT - 5, left : left + room] = BACKGROUND
        bar[5 : MOVES_HEIGHT - 5, left : left + filled] = colour if move == chosen else MUTED
    return bar


def bar_room(width: int, move: Move) -> tuple[int, int]:
    """Return (left edge, pixels of probability 1) of a move's bar in a strip ``width`` wide."""
    slot = width // N_MOVES
    return int(move) * slot + _SIGN_WIDTH, max(slot - _SIGN_WIDTH - 4, 1)


@functools.lru_cache(maxsize=16)
def _signs(width: int) -> np.ndarray:
    parts = [caption_bar(width // N_MOVES, sign, MOVES_HEIGHT, margins=(5, 0)) for sign in MOVE_SIGNS.values()]
    whole = np.concatenate(parts, axis=1)
    rest = np.full((MOVES_HEIGHT, width - whole.shape[1], 3), BAR, dtype=np.uint8)
    return np.concatenate([whole, rest], axis=1)


def result_card(
    shape: tuple[int, int], header: str | Sequence[str], rows: Sequence[tuple[str, str, int]]
) -> np.ndarray:
    """Return the last picture of a film, ``uint8[*shape, 3]``: the header, then the result of each panel.

    A row is (title, result, column), the column giving the colour. Raises :class:`InputError` if not all
    of it fits.
    """
    height, width = shape
    inner, room = width - 2 * GAP, height - HEADER_HEIGHT - GAP
    texts = [text for title, result, _ in rows for text in (title, result)]
    for size in range(_CARD_FONT, MIN_FONT - 1, -1):
        heights = [caption_height(inner, text, size) for text in texts]
        if sum(heights) <= room:
            break
    else:
        raise InputError(
            f"film: the results of {len(rows)} rollouts do not fit into {width}x{height} pixels; "
            "show larger mazes or fewer at once"
        )
    bars = [caption_bar(inner, header, HEADER_HEIGHT, background=BACKGROUND)]
    for number, (text, bar) in enumerate(zip(texts, heights, strict=True)):
        accent = ACCENTS[rows[number // 2][2] % len(ACCENTS)]
        bars.append(caption_bar(inner, text, bar, colour=TEXT if number % 2 else MUTED, accent=accent))
    body = np.concatenate(bars)
    top = (height - body.shape[0]) // 2
    card = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
    card[top : top + body.shape[0], GAP : width - GAP] = body
    return card
