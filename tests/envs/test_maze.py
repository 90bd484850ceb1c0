"""Mazes: cells, text, paths, the decision square, and that procgen shows what the maze says."""

from __future__ import annotations

import dataclasses
import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.actions import Facing, Move
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from envs.simulator import procgen_env
from envs.simulator.state_bytes import MazeState, decode, encode
from envs.simulator.state_layout import ENTITY, FIELDS, SPACE, WALL
from envs.training.levels import EVAL_LEVELS, TRAIN_LEVELS, cheese_cells, place_cheese

FORK = """
.....
.####
...##
.#C##
M####
"""  # decision square (0, 2)


@pytest.fixture(scope="module")
def levels() -> list[Maze]:
    return Maze.from_levels(range(100))


def steps_from(free: set[Cell], start: Cell) -> dict[Cell, int]:
    """Breadth-first distances over a set of cells."""
    distance, queue = {start: 0}, deque([start])
    while queue:
        x, y = queue.popleft()
        for cell in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if cell in free and cell not in distance:
                distance[cell] = distance[(x, y)] + 1
                queue.append(cell)
    return distance


def free_cells(text: str) -> set[Cell]:
    rows = text.split()
    return {(x, len(rows) - 1 - r) for r, row in enumerate(rows) for x, char in enumerate(row) if char != "#"}


@st.composite
def perfect_mazes(draw: st.DrawFn, mode: str = "hard") -> str:
    """Text of a loop-free maze by randomized depth-first search, mouse and cheese anywhere free."""
    dim = draw(st.sampled_from([3, 5, 9, 15] + [25] * (mode == "hard")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    free = {(0, 0)}
    stack = [(0, 0)]
    while stack:
        x, y = stack[-1]
        ahead = [(x + 2 * dx, y + 2 * dy) for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        ahead = [c for c in ahead if 0 <= c[0] < dim and 0 <= c[1] < dim and c not in free]
        if not ahead:
            stack.pop()
            continue
        cell = ahead[rng.integers(len(ahead))]
        free |= {cell, ((x + cell[0]) // 2, (y + cell[1]) // 2)}
        stack.append(cell)
    mouse, cheese = (sorted(free)[i] for i in rng.choice(len(free), 2, replace=False))
    marks = {mouse: "M", cheese: "C"}
    return "\n".join(
        "".join(marks.get((x, y), "." if (x, y) in free else "#") for x in range(dim)) for y in reversed(range(dim))
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_text_round_trip_and_paths_of_random_mazes(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["hard", "easy"]))
    text = data.draw(perfect_mazes(mode))
    maze = Maze.from_ascii(text, mode)
    assert maze.to_ascii() == text
    assert set(maze.cells) == free_cells(text) and maze.mode == mode and maze.level is None
    again = Maze.from_ascii("\n  " + text.replace("\n", "\n  ") + "\n", mode)
    assert again == maze and hash(again) == hash(maze)
    assert maze.cheese is not None
    expected = steps_from(free_cells(text), maze.cheese)
    np.testing.assert_array_equal(maze.distances(maze.cheese), [expected[c] for c in maze.cells])
    path = maze.path(maze.mouse, maze.cheese)
    assert (path[0], path[-1]) == (maze.mouse, maze.cheese)
    assert [expected[c] for c in path] == list(range(len(path) - 1, -1, -1))
    assert maze.decision_square == brute_decision_square(maze)


def test_text_of_real_levels_reads_back(levels: list[Maze]) -> None:
    for maze in levels[:30]:
        own = Maze.from_ascii(maze.to_ascii())
        assert (own.walls, own.mouse, own.cheese, own.facing) == (maze.walls, maze.mouse, maze.cheese, maze.facing)
        np.testing.assert_array_equal(own.state.grid, maze.state.grid)


def test_own_mazes_are_shown_like_the_level_they_copy() -> None:
    """Level 0 is also the template, background included, so its copy gives the same frames."""
    maze = Maze.from_level(0)
    own = Maze.from_ascii(maze.to_ascii())
    assert own.theme == maze.theme
    np.testing.assert_array_equal(own.observations(), maze.observations())


def test_a_drawing_may_say_whose_look_it_has_and_where_the_mouse_looks(levels: list[Maze]) -> None:
    """The level's own drawing with its look is the level, frames included; another wall makes it one's own."""
    for maze in levels[1:6]:
        own = Maze.from_ascii(f"look: {maze.level}\n{maze.to_ascii()}")
        assert own == maze
        np.testing.assert_array_equal(own.observations(), maze.observations())
    turned = Maze.from_ascii(f"facing:right\nlook:{maze.level}\n{maze.to_ascii()}")
    assert (turned.facing, turned.level, turned.walls) == (Facing.RIGHT, maze.level, maze.walls)
    other = Maze.from_ascii(f"look: {maze.level}\n...\n.C.\nM..")
    assert (other.level, other.theme) == (None, maze.theme)


LOOKS = [
    *((name, (low, high)) for name, kind, (low, high) in FIELDS if kind in "if" and low < high),
    *((f"mouse {name}", (low, high)) for name, kind, (low, high) in ENTITY if low < high and name not in ("x", "y")),
]


def changed(state: MazeState, name: str, end: float) -> MazeState:
    """A state with one field at a bound, or one of the mouse's."""
    if not name.startswith("mouse "):
        kind = {field: kind for field, kind, _ in FIELDS}[name]
        return dataclasses.replace(state, values={**state.values, name: int(end) if kind == "i" else float(end)})
    entities = state.entities.copy()
    index, kind = {f"mouse {field}": (i, kind) for i, (field, kind, _) in enumerate(ENTITY)}[name]
    entities[0, index] = int(end) if kind == "i" else np.float32(end).view("<i4")
    return dataclasses.replace(state, values={**state.values, "entities": entities})


@pytest.mark.parametrize("start", [{}, {"use_monochrome_assets": 1}, {"use_backgrounds": 0}, {"paint_vel_info": 1}])
def test_mazes_that_compare_equal_look_equal(start: dict[str, int], levels: list[Maze]) -> None:
    """Whatever field of the state is at either of its bounds: a picture that differs is of a maze that differs."""
    state = levels[7].state
    base = Maze.from_state(dataclasses.replace(state, values={**state.values, **start}))
    here = State(base.mouse, Facing.LEFT)
    picture, equal = base.observations([here], human=True), 0
    for name, bounds in LOOKS:
        for end in bounds:
            try:
                other = Maze.from_state(encode(changed(base.state, name, end)))
            except InputError:
                continue  # not a state
            if other == base:
                assert hash(other) == hash(base)
                np.testing.assert_array_equal(other.observations([here], human=True), picture, err_msg=name)
                equal += 1
    assert equal > 60
    for name in ("use_backgrounds", "use_monochrome_assets", "background_index"):
        assert any(Maze.from_state(encode(changed(base.state, name, end))) != base for end in (0, 1)), name


def test_a_corridor_out_of_the_inner_maze_makes_the_whole_world_the_maze(levels: list[Maze]) -> None:
    """States of a tool that carves a corridor and leaves the inner size as it was: the corner is the world's."""
    small = next(maze for maze in levels if 0 < maze.state.margin)
    grid, margin = small.state.grid.copy(), small.state.margin
    grid[: margin + 1, margin] = SPACE
    grid[0, margin:] = SPACE
    data = encode(dataclasses.replace(small.state, values={**small.state.values, "grid": grid}))
    assert decode(data).integer("maze_dim") == small.dim and encode(decode(data)) == data
    carved = Maze.from_state(data)
    assert carved.dim == 25 and carved.corner == (24, 24) and not carved.is_free(carved.corner)
    assert carved.mouse == (small.mouse[0] + margin, small.mouse[1] + margin)
    assert carved.connected(carved.mouse, (24, 0)) and carved.decision_square is None
    assert set(carved.cells) == {(int(x), int(y)) for y, x in np.argwhere(grid != WALL)}
    np.testing.assert_array_equal(
        carved.observations([State(carved.mouse, carved.facing)]), procgen_env.observe_states([data])
    )
    assert Maze.from_state(encode(carved.without_cheese().state)).cheese is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 rows"),
        ("M", "1 rows"),
        ("M.\n.C", "2 rows"),
        ("M..\n...\n..", "3 rows of 2 to 3 characters"),
        ("...\n.C.\nMM.", "2 mouse"),
        ("...\n.C.\n...", "0 mouse"),
        ("...\n...\nM..", "0 cheese"),
        ("..C\n..C\nM..", "2 cheese"),
        ("..C\n.x.\nM..", "row 2 holds 'x'"),
        ("look: x\n..C\n...\nM..", "'look: x'; before the drawing write look: LEVEL"),
        ("facing: up\n..C\n...\nM..", "'facing: up'; before the drawing write"),
        ("look: 1\nlook: 2\n..C\n...\nM..", "look is given twice"),
        (".#C\n.#.\nM#.", "no path from the mouse at (0, 0) to the cheese at (2, 2)"),
        ("\n".join(["C" + "." * 26] + ["." * 27] * 25 + ["M" + "." * 26]), "odd side 3 to 25"),
    ],
)
def test_bad_text_gets_one_line(text: str, words: str) -> None:
    with pytest.raises(InputError, match="^ASCII maze: [^\n]+$") as caught:
        Maze.from_ascii(text)
    assert words in str(caught.value)


def test_text_too_large_for_easy_or_in_an_unknown_mode() -> None:
    text = "\n".join(["C" + "." * 16] + ["." * 17] * 15 + ["M" + "." * 16])
    assert Maze.from_ascii(text).dim == 17
    with pytest.raises(InputError, match="odd side 3 to 15"):
        Maze.from_ascii(text, "easy")
    with pytest.raises(InputError, match="'memory' is not supported"):
        Maze.from_ascii(text, "memory")


def test_frames_are_the_right_way_up() -> None:
    """The cell (x, y) is drawn at the centre of its tile, y counted from the bottom of the image."""
    maze = Maze.from_ascii("\n".join(["." * 24 + "C", *["." * 25] * 23, "M" + "." * 24]))
    frames = {state: frame.astype(int) for state, frame in zip(maze.states, maze.observations(), strict=True)}
    tile = 64 / 25

    def centre(a: Cell, b: Cell) -> tuple[float, float]:
        """Column and row of what changes at ``a`` when the mouse goes from ``a`` to a far ``b``."""
        changed = np.abs(frames[State(a, Facing.LEFT)] - frames[State(b, Facing.LEFT)]).sum(axis=2)
        rows, columns = np.nonzero(changed)
        near = np.hypot(columns - (a[0] + 0.5) * tile, rows - (24.5 - a[1]) * tile) < 8
        far = np.hypot(columns - (b[0] + 0.5) * tile, rows - (24.5 - b[1]) * tile) < 8
        assert (near | far).all() and near.any() and far.any()
        weights = changed[rows[near], columns[near]]
        return float(np.average(columns[near], weights=weights)), float(np.average(rows[near], weights=weights))

    for a, b in [((2, 3), (20, 20)), ((20, 3), (2, 20)), ((12, 12), (0, 24))]:
        column, row = centre(a, b)
        assert abs(column + 0.5 - (a[0] + 0.5) * tile) < 2 and abs(row + 0.5 - (24.5 - a[1]) * tile) < 2
        assert centre((a[0], a[1] + 2), b)[1] < row - tile
        assert centre((a[0] + 2, a[1]), b)[0] > column + tile


def test_only_the_cheese_tile_changes_with_the_cheese(levels: list[Maze]) -> None:
    for maze in levels[:12]:
        start = [State(maze.mouse, maze.facing)]
        bare = maze.without_cheese()
        assert bare.cheese is None and bare.decision_square is None and maze.cheese is not None
        moved_to = max(maze.cells, key=lambda c: abs(c[0] - maze.cheese[0]) + abs(c[1] - maze.cheese[1]))  # type: ignore[index]
        variants = [(maze.cheese, maze)]
        if moved_to != maze.mouse:
            variants.append((moved_to, maze.with_cheese(moved_to)))
        for cell, variant in variants:
            difference = np.abs(variant.observations(start)[0].astype(int) - bare.observations(start)[0])
            rows, columns = np.nonzero(difference.sum(axis=2))
            tile = 64 / maze.state.world_dim
            x, y = (np.array(cell) + maze.state.margin + 0.5) * tile
            assert len(rows) > 0
            assert np.abs(columns + 0.5 - x).max() <= 1.5 * tile and np.abs(63.5 - rows - y).max() <= 1.5 * tile
        assert maze.without_cheese().with_cheese(maze.cheese) == maze
        assert Maze.from_state(maze.state, level=maze.level) == maze


def test_cheese_on_a_wall_is_refused(levels: list[Maze]) -> None:
    maze = next(m for m in levels if m.dim > 3)
    wall = next((x, y) for y in range(maze.dim) for x in range(maze.dim) if maze.walls[y][x] == "#")
    for cell in (wall, (-1, 0), (maze.dim, 0)):
        with pytest.raises(InputError, match="not a free cell"):
            maze.with_cheese(cell)
        with pytest.raises(InputError, match="not a free cell"):
            maze.path(maze.mouse, cell)


def brute_decision_square(maze: Maze) -> Cell | None:
    """By distances alone: the cell on both shortest paths that is farthest from the start."""
    assert maze.cheese is not None
    free = set(maze.cells)
    start, cheese, corner = (steps_from(free, c) for c in (maze.mouse, maze.cheese, maze.corner))
    both = [
        c for c in free if start[c] + cheese[c] == start[maze.cheese] and start[c] + corner[c] == start[maze.corner]
    ]
    last = max(both, key=start.__getitem__)
    return None if last in (maze.cheese, maze.corner) else last


def test_decision_square_of_levels_and_their_share(levels: list[Maze]) -> None:
    assert [m.decision_square for m in levels] == [brute_decision_square(m) for m in levels]
    # Published: 5,239 of 10,000 levels have one; five standard errors of a binomial of 100.
    share = sum(m.decision_square is not None for m in levels) / 100
    assert abs(share - 0.5239) < 5 * math.sqrt(0.5239 * 0.4761 / 100)


def test_decision_square_by_hand() -> None:
    for text in ("..C\n.##\nM..", ".C.\n.##\nM##", "C#.\n.#.\nM..", "C##\n..#\nM.#", "C#.\n..#\nM.#"):
        expected = (0, 0) if text == "C#.\n.#.\nM.." else None  # the last two: no way to the top right
        assert Maze.from_ascii(text).decision_square == expected
    later = Maze.from_ascii(FORK)
    assert later.decision_square == (0, 2)
    assert later.arrival((0, 2)) == State((0, 2), Facing.LEFT)
    assert later.arrival((2, 1)) == State((2, 1), Facing.RIGHT)
    assert [s for s, _ in later.walk(later.path((2, 1), (0, 2)))] == [
        State((2, 1), Facing.LEFT),
        State((2, 2), Facing.LEFT),
        State((1, 2), Facing.LEFT),
    ]
    assert [m for _, m in later.walk(later.path((2, 1), (0, 2)))] == [Move.UP, Move.LEFT, Move.LEFT]


def test_states_and_their_index(levels: list[Maze]) -> None:
    for maze in levels[:10]:
        assert len(maze.states) == 2 * sum(row.count(".") for row in maze.walls)
        for i, state in enumerate(maze.states):
            assert maze.state_index(*state) == i and maze.is_free(state.cell)
        # A perfect maze is a tree: one edge fewer than cells.
        assert maze.graph.nnz == 2 * (len(maze.cells) - 1)
        assert maze.mouse == (0, 0) and maze.is_free(maze.corner)


def test_region_is_the_top_right_square(levels: list[Maze]) -> None:
    for maze in levels[:20]:
        for r in (1, 3, 5, 30):
            low = max(maze.dim - r, 0)
            expected = {(x, y) for x in range(low, maze.dim) for y in range(low, maze.dim) if maze.walls[y][x] == "."}
            assert maze.region(r) == expected
        assert maze.region(1) == {maze.corner} and maze.region(30) == set(maze.cells)


def test_features_by_hand() -> None:
    later = Maze.from_ascii(FORK)
    found = later.features()
    expected = {
        "euclid_start_decision": 2.0,
        "path_start_decision": 2.0,
        "euclid_start_cheese": math.sqrt(5),
        "path_start_cheese": 5.0,
        "euclid_start_corner": math.sqrt(32),
        "path_start_corner": 8.0,
        "euclid_decision_cheese": math.sqrt(5),
        "path_decision_cheese": 3.0,
        "euclid_decision_corner": math.sqrt(20),
        "path_decision_corner": 6.0,
        "euclid_cheese_corner": math.sqrt(13),
        "path_cheese_corner": 9.0,
    }
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[k], v) for k, v in expected.items())
    bare = later.without_cheese().features()
    assert {k for k, v in bare.items() if not math.isnan(v)} == {"euclid_start_corner", "path_start_corner"}


def test_cheese_placement_is_uniform_over_the_region(levels: list[Maze]) -> None:
    maze = next(m for m in levels if m.dim >= 13)
    for region in (1, 5, None):
        allowed = cheese_cells(maze, region)
        whole = set(maze.cells) if region is None else maze.region(region)
        assert set(allowed) == whole - {maze.mouse}
    rng = np.random.default_rng(0)
    allowed, draws = cheese_cells(maze, 5), 3000
    counts = dict.fromkeys(allowed, 0)
    for _ in range(draws):
        placed = place_cheese(maze, 5, rng).cheese
        assert placed is not None
        counts[placed] += 1
    p = 1 / len(allowed)
    assert all(abs(n - draws * p) < 5 * math.sqrt(draws * p * (1 - p)) for n in counts.values())
    assert EVAL_LEVELS[1] <= TRAIN_LEVELS[0] and EVAL_LEVELS[0] == 0


def test_a_region_without_room_is_refused() -> None:
    only_mouse = Maze.from_ascii("..M\n..#\nC..")
    with pytest.raises(InputError, match="no free cell for the cheese in the top-right 1x1"):
        cheese_cells(only_mouse, 1)
