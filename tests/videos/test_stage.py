"""The canvas: parts lie side by side and never on one another, whatever the texts; bars are as long as probable."""

from __future__ import annotations

import numpy as np
import pytest

from envs.actions import Move
from envs.errors import InputError
from videos import stage
from videos.frames import ACCENTS, MUTED
from videos.stage import Stage, moves_bar, result_card

LONGEST = "step 500: right, a wall | decision square"
FOOTER = ["brackets: decision square", "dashes: top-right 5x5", "line: path so far", "colour: heat map"]
BLANK = (1, 2, 3)  # a colour that no text or bar has


@pytest.mark.parametrize("side", [64, 101, 200, 512])
@pytest.mark.parametrize(
    "rows", [[["a"]], [["a", "b"], ["c", "d"]], [["subtract x1 at block2.res1.resadd"] * 3, ["b"]]]
)
@pytest.mark.parametrize("text", ["", "level 12345, policy region5, seed 0"])
def test_no_text_ever_lies_on_a_maze(side: int, rows: list[list[str]], text: str) -> None:
    made = Stage(rows, side, header=text, footer=FOOTER if text else [], moves=True, chart=40)
    assert made.canvas.shape[0] % 2 == 0 and made.canvas.shape[1] % 2 == 0
    assert made.canvas.shape[1] == stage.film_width(max(map(len, rows)), side)
    maze = np.full((side, side, 3), BLANK, dtype=np.uint8)
    chart = np.full((40, made.canvas.shape[1] - 2 * stage.GAP, 3), BLANK, dtype=np.uint8)
    made.show_chart(chart)
    for i, row in enumerate(rows):
        for k in range(len(row)):
            made.show_maze(i, k, maze)
            made.show_status(i, k, LONGEST, lit=bool(k))
            made.show_moves(i, k, np.full(5, 0.2), Move.UP)
    seen = (made.canvas == BLANK).all(axis=2).sum()
    assert seen == sum(map(len, rows)) * side**2 + chart[..., 0].size


@pytest.mark.parametrize("side", [64, 2048])
def test_all_that_films_say_fits_at_any_size(side: int) -> None:
    """The longest captions there are, each in its strip; what fits nowhere is refused, with the remedy."""
    title = "level 12345, seed 0: other level x0.125 at block3.res2.resadd"
    made = Stage([[title]], side, header="level 12345 (easy), policy region5-seed1, seed 0, episode 1", footer=FOOTER)
    made.check_statuses([LONGEST, "in the top-right corner after 500 steps", "blindness -0.93 over 10000 levels"])
    facts = "turned back at the decision square   |   exactly: P(cheese) 0.29, P(top-right 5x5) 0.47"
    result_card(made.canvas.shape[:2], "h", [(title, "not finished after 500 steps   |   " + facts, 0)])
    for call in (
        lambda: Stage([["W" * 900]], side),
        lambda: Stage([["a"]], side, header="W" * 1500),
        lambda: made.check_statuses(["a", "W" * 900]),
        lambda: result_card((200, 300), "h", [("W" * 900, "b", 0)]),
    ):
        with pytest.raises(InputError, match="show larger mazes") as caught:
            call()
        assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)


def test_bars_are_as_long_as_the_moves_are_probable() -> None:
    p = np.array([0.5, 0.0, 0.25, 0.125, 0.125])
    bar = moves_bar(512, p, Move.UP, ACCENTS[0])
    for move in Move:
        left, room = stage.bar_room(512, move)
        colour = ACCENTS[0] if move == Move.UP else MUTED
        filled = (bar[stage.MOVES_HEIGHT // 2, left : left + room] == colour).all(axis=1)
        assert filled.sum() == round(room * p[move]) and not filled[round(room * p[move]) :].any()
    assert np.array_equal(moves_bar(512, None, None, ACCENTS[0]), moves_bar(512, None, None, ACCENTS[1]))


@pytest.mark.parametrize(
    ("shape", "count"), [((232, 216), 1), ((368, 632), 5), ((680, 1048), 3), ((680, 1048), 12), ((1500, 536), 12)]
)
def test_a_card_has_the_films_size(shape: tuple[int, int], count: int) -> None:
    card = result_card(shape, "head", [(f"panel {i}", LONGEST, i) for i in range(count)])
    assert card.shape == (*shape, 3) and card.dtype == np.uint8
    assert len(np.unique(card.reshape(-1, 3), axis=0)) > 5


def test_wrong_parts_are_refused_in_one_line() -> None:
    made = Stage([["a"]], 64)
    for call in (
        lambda: Stage([], 64),
        lambda: Stage([["a"], []], 64),
        lambda: Stage([["a"]], 63),
        lambda: Stage([["a"] * 9], 512),
        lambda: made.show_maze(0, 0, np.zeros((64, 64, 3))),
        lambda: made.show_maze(0, 0, np.zeros((64, 65, 3), dtype=np.uint8)),
        lambda: made.show_chart(np.zeros((1, 1, 3), dtype=np.uint8)),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert "\n" not in str(caught.value)
