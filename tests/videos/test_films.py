"""Films: procgen's own frames, frozen ends, captions of what happened, the known pictures."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from envs.actions import Facing, Move
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from videos import frames, stage
from videos.scene import HeatOverlay, Scene
from videos.side_by_side import Look, Panel, decision_text, event_text, film_frames, grid_frames, result_text

BARE = Look(marks=False, lead=0.0, hold=0.0, card=0.0)
GOLDEN = Path(__file__).parent / "golden"
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
    """Level 0: 13x13, centred in 25 tiles, with a decision square."""
    return Maze.from_level(0)


def walk(maze: Maze, goal: Cell) -> list[State]:
    return [state for state, _ in maze.walk(maze.path(maze.mouse, goal))] + [maze.arrival(goal)]


def moves(maze: Maze, goal: Cell) -> list[Move]:
    return [move for _, move in maze.walk(maze.path(maze.mouse, goal))]


def maze_area(frame: np.ndarray, panel: int) -> np.ndarray:
    """The 512x512 maze of one panel of a film with a header, found by the layout's constants."""
    top = stage.HEADER_HEIGHT + frames.TITLE_HEIGHT
    left = stage.GAP + panel * (512 + stage.GAP)
    return frame[top : top + 512, left : left + 512]


def status_area(frame: np.ndarray, panel: int) -> np.ndarray:
    top = stage.HEADER_HEIGHT + frames.TITLE_HEIGHT + 512
    left = stage.GAP + panel * (512 + stage.GAP)
    return frame[top : top + stage.STATUS_HEIGHT, left : left + 512]


@pytest.mark.parametrize(("level", "mode"), [(0, "hard"), (1, "hard"), (14, "hard"), (3, "easy")])
def test_without_marks_every_frame_is_procgens_own(level: int, mode: str) -> None:
    maze = Maze.from_level(level, mode)
    rng = np.random.default_rng(level)
    states = [maze.states[i] for i in rng.integers(len(maze.states), size=24)]
    film = film_frames(maze, [Panel("random", states)], header="h", look=BARE)
    for frame, real in zip(film, maze.observations(states, human=True), strict=True):
        assert np.array_equal(maze_area(frame, 0), real)


def test_film_of_two_lengths_freezes_the_shorter_and_holds_the_end(maze: Maze) -> None:
    assert maze.cheese is not None
    short, long = walk(maze, maze.cheese), walk(maze, maze.corner)
    panels = [Panel("clean", short), Panel("steered", long)]
    film = list(film_frames(maze, panels, header="h", look=Look(fps=10, lead=0.5, hold=1.5, card=0.0)))
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
        list(film_frames(maze, [Panel("p", states)], header="h", look=Look(marks=marks, lead=0, hold=0, card=0)))
        for marks in (False, True)
    )
    empty = Scene(maze, states).layer
    for bare, drawn in zip(plain, marked, strict=True):
        bare, drawn = maze_area(bare, 0), maze_area(drawn, 0)
        mouse = (bare != empty).any(axis=2)
        assert mouse.sum() > 40
        assert np.array_equal(drawn[mouse], bare[mouse])


def test_frames_are_the_callers_to_change(maze: Maze) -> None:
    panel = Panel("p", [State(maze.mouse, maze.facing)])
    first, second = list(film_frames(maze, [panel], header="h", look=Look(fps=1, lead=0, hold=1, card=0)))
    kept = second.copy()
    first[:] = 0
    assert np.array_equal(second, kept)


def test_a_panel_may_show_the_level_without_its_cheese(maze: Maze) -> None:
    bare = maze.without_cheese()
    state = [State(maze.mouse, maze.facing)]
    film = film_frames(maze, [Panel("clean", state), Panel("no cheese", state, maze=bare)], header="h", look=BARE)
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


def test_what_happened_in_words(maze: Maze) -> None:
    assert maze.cheese is not None and maze.decision_square is not None
    states = [State(maze.mouse, Facing.LEFT)] * 3
    panel = Panel("p", states, moves=[Move.DOWN, Move.NOOP])
    assert event_text(maze, panel, 0) == "step 0"
    assert event_text(maze, panel, 1) == "step 1: down, a wall"
    assert event_text(maze, panel, 2) == "step 2: stays"
    way = Panel("p", walk(maze, maze.cheese), moves=moves(maze, maze.cheese))
    texts = [event_text(maze, way, step) for step in range(len(way.states))]
    assert texts[1] == f"step 1: {way.moves[0].label}"
    assert sum("decision square" in text for text in texts) == 1
    assert decision_text(maze, way.states) == "took the way to the cheese"
    assert decision_text(maze, walk(maze, maze.corner)) == "took the way to the top right"
    there = walk(maze, maze.decision_square)
    assert decision_text(maze, there) == "" == decision_text(maze.without_cheese(), way.states)
    assert decision_text(maze, [*there, there[-2]]) == "turned back at the decision square"


def test_a_film_ends_with_its_result_card(maze: Maze) -> None:
    panel = Panel("p", walk(maze, maze.corner))
    film = list(film_frames(maze, [panel], header="h", look=Look(fps=10, lead=0, hold=0, card=0.5)))
    assert len(film) == len(panel.states) + 5
    assert all(np.array_equal(frame, film[-1]) for frame in film[-5:])
    assert film[-1].shape == film[0].shape and not np.array_equal(film[-1], film[-6])
    told = list(film_frames(maze, [Panel("p", panel.states, facts="more")], header="h", look=Look(lead=0, hold=0)))
    assert not np.array_equal(told[-1], film[-1])


def test_a_stride_shows_every_nth_step_and_the_last(maze: Maze) -> None:
    states = walk(maze, maze.corner)
    every = list(film_frames(maze, [Panel("p", states)], header="h", look=BARE))
    some = list(
        film_frames(maze, [Panel("p", states)], header="h", look=Look(marks=False, lead=0, hold=0, card=0, stride=5))
    )
    expected = [*range(0, len(states) - 1, 5), len(states) - 1]
    assert [int(np.array([np.array_equal(s, e) for e in every]).argmax()) for s in some] == expected


def test_a_grid_shows_each_level_as_its_own_film_does(maze: Maze) -> None:
    other = Maze.from_level(1)
    rows = [(maze, [Panel("a", walk(maze, maze.corner)[:3])]), (other, [Panel("b", walk(other, other.corner)[:3])])]
    grid = list(grid_frames(rows, header="h", look=BARE))
    below = stage.STATUS_HEIGHT + stage.GAP + frames.TITLE_HEIGHT + 512
    for i, (level, panels) in enumerate(rows):
        alone = list(film_frames(level, panels, header="h", look=BARE))
        for together, own in zip(grid, alone, strict=True):
            assert np.array_equal(maze_area(together[i * below :], 0), maze_area(own, 0))


def test_captions_and_marks_leave_procgens_maze_alone_in_a_small_film(maze: Maze) -> None:
    """At half size every maze is procgen's picture scaled, whatever stands around it."""
    states = walk(maze, maze.corner)[:2]
    small = next(film_frames(maze, [Panel("W " * 20, states)], header="W " * 30, look=Look(side=256, marks=False)))
    top = stage.HEADER_HEIGHT + frames.TITLE_HEIGHT
    shown = small[top : top + 256, stage.GAP : stage.GAP + 256].astype(int)
    real = Image.fromarray(maze.observations(states[:1], human=True)[0]).resize((256, 256), Image.Resampling.BILINEAR)
    assert np.array_equal(shown, np.asarray(real))


def test_memory_does_not_grow_with_the_length(maze: Maze) -> None:
    """Most that Python and NumPy hold while composing: a film 10 times as long needs not one picture more."""
    there = walk(maze, maze.corner)
    back = [*there, *reversed(there)]
    probabilities = np.full(5, 0.2)
    picture = 0

    def most(rounds: int) -> int:
        nonlocal picture
        states = (back * rounds)[: 40 * rounds]
        p = np.broadcast_to(probabilities, (len(states) - 1, 5))
        tracemalloc.start()
        film = film_frames(
            maze,
            [Panel("p", states, moves=[Move.NOOP] * (len(states) - 1), probabilities=p)] * 2,
            header="h",
            look=Look(side=128, card=0.5),
        )
        for frame in film:
            picture = frame.nbytes
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most(1)  # fonts and captions are kept
    assert most(10) - most(1) < picture


# -- known pictures -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """Return the pictures kept in ``golden``: a maze of our own, known trails, captions, moves, heat, a card."""
    maze = Maze.from_ascii(OWN)
    assert maze.cheese is not None
    rng = np.random.default_rng(0)
    panels = []
    for title, goal in (("clean", maze.cheese), ("subtract x1 at block2.res1.resadd", maze.corner)):
        way = moves(maze, goal)
        panels.append(Panel(title, walk(maze, goal), moves=way, probabilities=rng.dirichlet(np.ones(5), len(way))))
    look = Look(crop=True, side=256, fps=4, lead=0, hold=0, card=0.25)
    film = list(film_frames(maze, panels, header="own maze, policy p, seed 0", look=look))
    tiles = np.zeros((1, 25, 25))
    tiles[0, 24 - 12, 9], tiles[0, 24 - 15, 15] = 1.0, -1.0  # cells (0, 3) and (6, 6) of 7x7 in 25x25
    heat = Panel("heat", walk(maze, maze.corner), heat=HeatOverlay(tiles, 0.02, 0.04))
    heated = next(film_frames(maze, [heat], header="h", look=Look(side=256, crop=True)))
    return {"step7": film[7], "card": film[-1], "heat": heated}


@pytest.mark.parametrize("name", ["step7", "card", "heat"])
def test_known_pictures(pictures: dict[str, np.ndarray], name: str) -> None:
    """Equal to the kept picture as far as an eye can tell. ``GOLDEN=write`` keeps new ones: look at them."""
    path, frame = GOLDEN / f"{name}.png", pictures[name]
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(frame).reduce(2).save(path, optimize=True)
    with Image.open(path) as kept:
        expected = kept.convert("RGB")
    assert expected.size == (frame.shape[1] // 2, frame.shape[0] // 2)
    pairs = ((expected, 2), (Image.fromarray(frame), 4))
    blurred = [np.asarray(image.reduce(by)).astype(int) for image, by in pairs]
    apart = np.abs(blurred[0] - blurred[1])
    assert apart.mean() < 3 and apart.max() < 60
