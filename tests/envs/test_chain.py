"""The exact chain: known answers, dense matrix powers, and simulated walks."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import chain
from envs.actions import N_MOVES, Facing, Move
from envs.dynamics import step, transition_table
from envs.errors import InputError
from envs.maze import Maze, State

CORRIDOR = "....C\n.####\n.####\n.####\nM####"  # 4 up, 4 right
FORK = ".....\n.####\n...##\n.#C##\nM####"  # decision square (0, 2)
LOOP = "...\n.#.\nMC."
WIDE = ".......\n.#.####\n.#.#...\n.#.#.#.\n.#...#.\n.C##.#.\nM#...#."  # not all of it in the region


def always(maze: Maze, move: Move) -> np.ndarray:
    p = np.zeros((len(maze.states), N_MOVES))
    p[:, move] = 1.0
    return p


def up_then_right(maze: Maze) -> np.ndarray:
    p = np.zeros((len(maze.states), N_MOVES))
    for i, state in enumerate(maze.states):
        p[i, Move.UP if maze.is_free((state.cell[0], state.cell[1] + 1)) else Move.RIGHT] = 1.0
    return p


def random_policy(maze: Maze, seed: int, sharpness: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(N_MOVES, 1 / sharpness), size=len(maze.states))


def greedy_with_noise(maze: Maze, noise: float) -> np.ndarray:
    """Towards the cheese with probability 1 - noise, otherwise any move."""
    assert maze.cheese is not None
    p = np.full((len(maze.states), N_MOVES), noise / N_MOVES)
    for i, state in enumerate(maze.states):
        if state.cell != maze.cheese:
            p[i, maze.walk(maze.path(state.cell, maze.cheese)[:2])[0][1]] += 1 - noise
        else:
            p[i, Move.NOOP] += 1 - noise
    return p


def test_deterministic_walk_in_a_corridor() -> None:
    maze = Maze.from_ascii(CORRIDOR)
    p = up_then_right(maze)
    for horizon in (1, 7, 8, 9, 100, 500):
        found = chain.statistics(maze, p, horizon)
        reached = float(horizon >= 8)
        assert (found.p_cheese, found.p_cheese_cell, found.p_corner) == (reached,) * 3
        assert found.p_region == 1.0  # the whole maze is the top-right 5x5
        assert found.expected_steps == min(horizon, 8)
        visits = {state: found.occupancy[i] for i, state in enumerate(maze.states) if found.occupancy[i]}
        walk = [State((0, y), Facing.LEFT) for y in range(5)] + [State((x, 4), Facing.RIGHT) for x in range(1, 4)]
        assert visits == dict.fromkeys(walk[:horizon], 1.0)


def test_standing_still_gets_nowhere() -> None:
    maze = Maze.from_ascii(CORRIDOR)
    found = chain.statistics(maze, always(maze, Move.NOOP), 50, region=2)
    assert (found.p_cheese, found.p_corner, found.p_region, found.expected_steps) == (0.0, 0.0, 0.0, 50.0)
    assert found.occupancy[maze.state_index(maze.mouse, maze.facing)] == 50.0


def test_a_coin_at_every_step_gives_the_negative_binomial() -> None:
    """Forward with probability q, else stay: P(8 successes within T) is a binomial tail."""
    maze, q, horizon = Maze.from_ascii(CORRIDOR), 0.3, 30
    p = q * up_then_right(maze) + (1 - q) * always(maze, Move.NOOP)
    tail = sum(math.comb(horizon, k) * q**k * (1 - q) ** (horizon - k) for k in range(8, horizon + 1))
    assert math.isclose(chain.statistics(maze, p, horizon).p_cheese, tail, rel_tol=1e-12)
    long = chain.statistics(maze, p, 500)
    assert math.isclose(long.expected_steps, 8 / q, rel_tol=1e-9)


def test_the_cheese_ends_the_episode_before_the_corner() -> None:
    """Cheese on the way: reached for certain, what lies behind it is never visited."""
    maze = Maze.from_ascii("..C..\n.####\n.####\n.####\nM####")
    p = up_then_right(maze)
    found = chain.statistics(maze, p, 50, region=1)
    assert (found.p_cheese, found.p_corner, found.p_region, found.expected_steps) == (1.0, 0.0, 0.0, 6.0)
    bare = chain.statistics(maze.without_cheese(), p, 50, goal=maze.cheese, region=1)
    assert (bare.p_cheese, bare.p_cheese_cell, bare.p_corner, bare.p_region) == (0.0, 1.0, 1.0, 1.0)
    assert bare.expected_steps == 50.0
    elsewhere = chain.statistics(maze, p, 50, goal=(0, 3), region=1)
    assert (elsewhere.p_cheese, elsewhere.p_cheese_cell) == (1.0, 1.0)


def dense_statistics(maze: Maze, p: np.ndarray, horizon: int, goal: tuple[int, int] | None) -> list[float]:
    """By powers of dense matrices built state by state from :func:`envs.dynamics.step`."""
    n = len(maze.states)
    end = {maze.cheese} - {None}

    def reach(target: set[object]) -> tuple[float, np.ndarray]:
        matrix = np.zeros((n, n))
        for i, state in enumerate(maze.states):
            for move in Move:
                to = state if state.cell in end | target else step(maze, state, move)
                matrix[i, maze.states.index(to)] += p[i, move]
        row = np.linalg.matrix_power(matrix, horizon)[maze.state_index(maze.mouse, maze.facing)]
        return sum(row[i] for i, s in enumerate(maze.states) if s.cell in target), matrix

    cheese, matrix = reach(set(end))
    there = [i for i, s in enumerate(maze.states) if s.cell in end]
    steps, power = 0.0, np.eye(n)[maze.state_index(maze.mouse, maze.facing)]
    for _ in range(horizon):
        steps += 1.0 - power[there].sum()
        power = power @ matrix
    targets: list[set[object]] = [{goal}, {maze.corner}, set(maze.region(5))]
    return [cheese, *(reach(t)[0] for t in targets), steps]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    text=st.sampled_from([CORRIDOR, FORK, LOOP, WIDE]),
    seed=st.integers(0, 1000),
    horizon=st.integers(1, 300),
    cheese=st.booleans(),
)
def test_agrees_with_dense_matrix_powers(text: str, seed: int, horizon: int, cheese: bool) -> None:
    maze = Maze.from_ascii(text)
    goal = maze.cheese
    maze = maze if cheese else maze.without_cheese()
    p = random_policy(maze, seed, 4.0)
    found = chain.statistics(maze, p, horizon, goal=goal)
    expected = dense_statistics(maze, p, horizon, goal)
    figures = [found.p_cheese, found.p_cheese_cell, found.p_corner, found.p_region, found.expected_steps]
    np.testing.assert_allclose(figures, expected, rtol=1e-9, atol=1e-12)
    assert math.isclose(found.occupancy.sum(), found.expected_steps, rel_tol=1e-9)


def simulate(maze: Maze, p: np.ndarray, horizon: int, n: int, seed: int) -> dict[str, np.ndarray]:
    """``n`` walks at once; per walk whether each event happened, and the steps taken."""
    rng, table = np.random.default_rng(seed), transition_table(maze)
    cells = np.array([state.cell for state in maze.states])
    at_cheese = (cells == np.array(maze.cheese)).all(axis=1)
    at_corner = (cells == maze.dim - 1).all(axis=1)
    in_region = (cells >= maze.dim - 5).all(axis=1)
    now = np.full(n, maze.state_index(maze.mouse, maze.facing))
    alive = np.ones(n, dtype=bool)
    happened = {"corner": at_corner[now], "region": in_region[now]}
    steps = np.zeros(n)
    for _ in range(horizon):
        steps += alive
        move = (rng.random(n)[:, None] > p.cumsum(axis=1)[now]).sum(axis=1).clip(max=N_MOVES - 1)
        now = np.where(alive, table[now, move], now)
        happened["corner"] |= at_corner[now]
        happened["region"] |= in_region[now]
        alive &= ~at_cheese[now]
    return {**happened, "cheese": ~alive, "steps": steps}


@pytest.mark.parametrize("level", [0, 2, 8])
def test_agrees_with_simulated_walks(level: int) -> None:
    maze, n = Maze.from_level(level), 4000
    assert maze.cheese is not None
    p = greedy_with_noise(maze, 0.75)
    horizon = 4 * (len(maze.path(maze.mouse, maze.cheese)) - 1)  # about the mean time of such a drift
    found, walks = chain.statistics(maze, p, horizon), simulate(maze, p, horizon, n, 5)
    assert 0.02 < found.p_cheese < 0.98
    exact = {"cheese": found.p_cheese, "corner": found.p_corner, "region": found.p_region}
    for name, value in exact.items():
        # Five standard errors, and one walk for probabilities next to 0 or 1.
        assert abs(walks[name].mean() - value) <= 5 * math.sqrt(value * (1 - value) / n) + 1 / n, name
    assert abs(walks["steps"].mean() - found.expected_steps) <= 5 * walks["steps"].std() / math.sqrt(n)


def test_longer_horizons_only_add() -> None:
    maze = Maze.from_level(2)
    p = greedy_with_noise(maze, 0.7)
    rows = [dataclasses.astuple(chain.statistics(maze, p, t))[:5] for t in (1, 2, 16, 64, 256, 500)]
    assert (np.diff(rows, axis=0) >= -1e-12).all()
    assert ((np.array(rows)[:, :4] >= 0) & (np.array(rows)[:, :4] <= 1)).all()
    # The corner lies in the region.
    assert all(row[2] <= row[3] + 1e-12 for row in rows)


def test_transition_matrix_is_stochastic_and_absorbs() -> None:
    maze = Maze.from_level(2)
    assert maze.cheese is not None
    matrix = chain.transition_matrix(maze, random_policy(maze, 0), [maze.cheese])
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)).ravel(), 1.0)
    for facing in Facing:
        i = maze.state_index(maze.cheese, facing)
        assert matrix[[i], :].toarray()[0, i] == 1.0


@pytest.mark.parametrize("horizon", [0, -1, 501, 10**9])
def test_impossible_horizons(horizon: int) -> None:
    maze = Maze.from_ascii(CORRIDOR)
    with pytest.raises(InputError, match=rf"^horizon {horizon}: give 1 to 500 "):
        chain.statistics(maze, up_then_right(maze), horizon)


def test_bad_probabilities() -> None:
    maze = Maze.from_ascii(CORRIDOR)
    good = up_then_right(maze)
    negative = good.copy()
    negative[0, :2] += [0.5, -0.5]
    for bad in (good[:-1], good[:, :4], good * 0.9, good * np.nan, negative, np.zeros_like(good)):
        with pytest.raises(InputError, match="^move probabilities [^\n]+$"):
            chain.statistics(maze, bad)


def test_path_and_decision_probabilities_by_hand() -> None:
    maze = Maze.from_ascii(FORK)
    p = np.full((len(maze.states), N_MOVES), 0.2)
    p[maze.state_index((0, 0), Facing.LEFT)] = [0.1, 0.1, 0.6, 0.1, 0.1]
    p[maze.state_index((0, 1), Facing.LEFT)] = [0.0, 0.0, 0.5, 0.0, 0.5]
    p[maze.state_index((0, 2), Facing.LEFT)] = [0.05, 0.7, 0.15, 0.06, 0.04]
    p[maze.state_index((0, 2), Facing.RIGHT)] = [1.0, 0.0, 0.0, 0.0, 0.0]  # never asked for
    p[maze.state_index((1, 2), Facing.RIGHT)] = [0.0, 0.9, 0.0, 0.1, 0.0]
    p[maze.state_index((2, 2), Facing.RIGHT)] = [0.0, 0.0, 0.0, 0.8, 0.2]
    assert chain.decision_probabilities(maze, p) == pytest.approx((0.7, 0.15, 0.15))
    expected = (0.6 * 0.5 * 0.7 * 0.9 * 0.8) ** (1 / 5)
    assert chain.path_probability(maze, p, maze.cheese) == pytest.approx(expected)
    assert chain.path_probability(maze, p, (0, 1)) == pytest.approx(0.6)
    for goal in (None, maze.mouse, (4, 0)):
        assert math.isnan(chain.path_probability(maze, p, goal))
    p[maze.state_index((0, 0), Facing.LEFT)] = [1.0, 0.0, 0.0, 0.0, 0.0]
    assert chain.path_probability(maze, p, maze.cheese) < 1e-50
    assert all(map(math.isnan, chain.decision_probabilities(maze.without_cheese(), p)))
    corridor = Maze.from_ascii(CORRIDOR)
    assert all(map(math.isnan, chain.decision_probabilities(corridor, up_then_right(corridor))))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_total_variation_is_a_distance_in_0_to_1(seed: int) -> None:
    p, q, r = np.random.default_rng(seed).dirichlet(np.full(5, 0.3), size=(3, 20))
    d = chain.total_variation(p, q)
    # The largest difference of the probability of any event.
    events = (np.arange(32)[:, None] >> np.arange(5)) & 1
    np.testing.assert_allclose(d, ((p - q) @ events.T).max(axis=1), atol=1e-12)
    np.testing.assert_array_equal(d, chain.total_variation(q, p))
    assert (d <= chain.total_variation(p, r) + chain.total_variation(r, q) + 1e-12).all()
    assert not chain.total_variation(p, p).any()


def test_policies_together_give_the_numbers_of_each_alone() -> None:
    maze = Maze.from_level(5)
    tables = [random_policy(maze, seed) for seed in range(3)]
    together = chain.statistics_of_all(maze.without_cheese(), tables, 64, goal=maze.cheese)
    for table, found in zip(tables, together, strict=True):
        alone = chain.statistics(maze.without_cheese(), table, 64, goal=maze.cheese)
        assert np.array_equal(alone.occupancy, found.occupancy)
        assert dataclasses.astuple(alone)[:5] == dataclasses.astuple(found)[:5]
    assert chain.statistics_of_all(maze, []) == []
