"""Pairs of mazes: two far cells differ, the maze stays a maze, and the first move is what the kind says."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np
import pytest

from envs.errors import InputError
from envs.maze import Cell, Maze, State
from steering.planning.pairs import BINS, DISTANCE, Goal, Kind, Pair, bins_from, drawn_pairs, length_bin, twin_of

LEVELS = ((2, "hard"), (8, "hard"), (100, "hard"), (6, "easy"), (16, "easy"))
SMALL = 26  # a level of 7x7


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [
        pair
        for seed, mode in LEVELS
        for goal in Goal
        for kind in Kind
        for pair in drawn_pairs(Maze.from_level(seed, mode), kind, goal, 8, 0)
    ]


def way(free: set[Cell], start: Cell, goal: Cell) -> list[Cell]:
    """The shortest way by a search of its own."""
    before: dict[Cell, Cell] = {start: start}
    queue = deque([start])
    while queue:
        x, y = here = queue.popleft()
        for cell in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if cell in free and cell not in before:
                before[cell] = here
                queue.append(cell)
    cells = [goal]
    while cells[-1] != start:
        cells.append(before[cells[-1]])
    return cells[::-1]


def test_a_twin_differs_in_two_far_cells_and_nothing_else(pairs: list[Pair]) -> None:
    assert len(pairs) == 8 * 4 * len(LEVELS)
    for pair in pairs:
        changed = np.argwhere(pair.level.state.grid != pair.twin.state.grid)
        margin = pair.level.state.margin
        assert {(int(x) - margin, int(y) - margin) for y, x in changed} == {pair.closed, pair.opened}
        assert pair.level.is_free(pair.closed) and not pair.level.is_free(pair.opened)
        x, y = pair.state.cell
        assert all(max(abs(a - x), abs(b - y)) >= 5 for a, b in (pair.closed, pair.opened))
        assert (pair.level.cheese, pair.level.mouse) == (pair.twin.cheese, pair.twin.mouse)
        assert pair.level.theme == pair.twin.theme and pair.level.dim == pair.twin.dim
        twin = pair.twin
        assert twin.graph.nnz == 2 * (len(twin.cells) - 1)
        assert np.isfinite(twin.distances(pair.goal)).all()


def test_first_moves_and_lengths_are_those_of_another_search(pairs: list[Pair]) -> None:
    for pair in pairs:
        ways = [way(set(maze.cells), pair.state.cell, pair.goal) for maze in (pair.level, pair.twin)]
        assert pair.closed in ways[0] and pair.opened in ways[1]
        assert (ways[0][1] != ways[1][1]) == (pair.kind is Kind.DETOUR) == (pair.moves[0] != pair.moves[1])
        assert pair.distance == min(ways[0].index(pair.closed), ways[1].index(pair.opened))
        assert (pair.level.cheese is None) == (pair.goal == pair.level.corner and pair.goal != pair.twin.cheese)


def test_only_the_changed_tiles_look_different(pairs: list[Pair]) -> None:
    for pair in pairs[::7]:
        one, two = (maze.observations([State(*pair.state)], human=True)[0] for maze in (pair.level, pair.twin))
        rows, columns = np.nonzero((one != two).any(axis=2))
        unit = 512 / pair.level.state.world_dim
        seen = {(int(c / unit), int((511 - r) / unit)) for r, c in zip(rows, columns, strict=True)}
        outer = {(x, y) for x, y in pair.level.outer([pair.closed, pair.opened]).tolist()}
        near = {(x + a, y + b) for x, y in outer for a in (-1, 0, 1) for b in (-1, 0, 1)}  # pixels on a tile's edge
        assert outer <= seen <= near


@pytest.mark.parametrize("kind", Kind)
def test_every_pair_that_exists_can_be_drawn_and_no_other(kind: Kind) -> None:
    """Against trying every free cell, every wall and every mouse of a small maze."""
    maze = Maze.from_level(SMALL)
    goal = maze.cheese
    assert goal is not None
    expected = set()
    walls = [(x, y) for x in range(maze.dim) for y in range(maze.dim) if not maze.is_free((x, y))]
    for closed in maze.cells:
        for opened in walls:
            try:
                twin = twin_of(maze, closed, opened)
            except InputError:
                continue
            for cell in set(maze.cells) & set(twin.cells) - {goal}:
                far = all(max(abs(a - cell[0]), abs(b - cell[1])) >= 2 for a, b in (closed, opened))
                before, after = way(set(maze.cells), cell, goal), way(set(twin.cells), cell, goal)
                if far and closed in before and (before[1] != after[1]) == (kind is Kind.DETOUR):
                    expected.add((closed, cell))
    found = drawn_pairs(maze, kind, Goal.CHEESE, 10_000, 0, distance=2)
    assert {(pair.closed, pair.state.cell) for pair in found} == expected
    assert len(expected) == len(found) > 3


def test_draws_depend_on_seed_and_level_alone_and_are_spread_over_lengths() -> None:
    maze = Maze.from_level(100)
    few, many = (drawn_pairs(maze, Kind.IDLE, Goal.CHEESE, count, 3) for count in (4, 12))
    assert few == many[:4] and drawn_pairs(maze, Kind.IDLE, Goal.CHEESE, 4, 4) != few
    assert sorted({length_bin(pair.distance) for pair in many}) == list(range(len(BINS)))
    assert len({(pair.state.cell, pair.closed) for pair in many}) == len(many)


def test_mazes_without_pairs_and_twins_that_are_none() -> None:
    assert drawn_pairs(Maze.from_level(101), Kind.DETOUR, Goal.CHEESE, 8, 0) == []
    maze = Maze.from_level(SMALL)
    with pytest.raises(InputError, match="has no cheese"):
        drawn_pairs(maze.without_cheese(), Kind.DETOUR, Goal.CHEESE, 1, 0)
    passages = [cell for cell in maze.cells if sum(cell) % 2 and cell != maze.cheese]
    walls = [(x, y) for x in range(7) for y in range(7) if (x + y) % 2 and not maze.is_free((x, y))]
    for closed, opened in ((walls[0], walls[1]), (passages[0], passages[1]), ((0, 0), walls[0]), (passages[0], (1, 1))):
        with pytest.raises(InputError, match="^no twin: .* must be a passage"):
            twin_of(maze, closed, opened)
    refused = 0
    for closed, opened in itertools.product(passages, walls):
        try:
            twin_of(maze, closed, opened)
        except InputError as error:
            assert str(error).endswith("makes a loop and cuts off a part; choose others")
            refused += 1
    assert 0 < refused < len(passages) * len(walls)
    for text in ("...\n.#C\nM..", "..C\n..#\nM#."):
        with pytest.raises(InputError, match="such as procgen's: without loops"):
            drawn_pairs(Maze.from_ascii(text), Kind.DETOUR, Goal.CHEESE, 1, 0)


def test_bins_follow_the_distance_of_the_changes() -> None:
    """Without it the bin "5 to 9" would hold shorter paths too."""
    assert bins_from(DISTANCE) == BINS and bins_from(2) == (2, *BINS) and bins_from(12) == (12, 15, 25)
    assert bins_from(30) == (30,)
    lows = bins_from(2)
    few, many = (drawn_pairs(Maze.from_level(100), Kind.DETOUR, Goal.CHEESE, n, 0, distance=2) for n in (12, 400))
    assert min(pair.distance for pair in many) >= 2
    every, found = ({length_bin(pair.distance, lows) for pair in pairs} for pairs in (many, few))
    assert found == every and len(every) > 3, "a few pairs are of all the bins that there are pairs of"
    for pair in many:
        k = length_bin(pair.distance, lows)
        assert lows[k] <= pair.distance < (*lows, 10**6)[k + 1]
