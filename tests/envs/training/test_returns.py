"""Exact returns, advantages and visits: held to finite differences, to sampled episodes, to the chain, to theorems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.chain import statistics
from envs.errors import InputError
from envs.maze import Maze
from envs.training.returns import REWARD, Chains, exact_returns
from envs.training.teachers import shortest_path

SMALL = Maze.from_ascii(
    """
    .....
    .###C
    .#...
    .#.#.
    M#...
    """
)
TINY = Maze.from_ascii(
    """
    ..C
    .##
    M..
    """
)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def drawn_policy(chains: Chains, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(5), len(chains.over))


@pytest.mark.parametrize("uniform_starts", [0.0, 0.3])
def test_the_gradient_is_that_of_finite_differences(uniform_starts: float) -> None:
    chains = Chains.of([SMALL, TINY], uniform_starts)
    logits = np.random.default_rng(0).normal(size=(len(chains.over), 5))
    p = softmax(logits)
    found = exact_returns(chains, p, 0.9)
    gradient = found.visits[:, None] * p * found.advantages  # what lies on logits; advantages have mean 0
    step = 1e-5
    for state in range(0, len(logits), 3):
        for move in range(5):
            moved = [logits.copy(), logits.copy()]
            moved[0][state, move] += step
            moved[1][state, move] -= step
            up, down = (exact_returns(chains, softmax(each), 0.9).expected for each in moved)
            assert (up - down) / (2 * step) == pytest.approx(gradient[state, move], abs=1e-8)
    assert np.abs(gradient).max() > 1e-3


def test_the_gradient_is_the_mean_of_sampled_ones() -> None:
    """REINFORCE (Williams 1992) on 20,000 episodes, followed until what is left of the reward is lost in rounding."""
    gamma, episodes, moves = 0.7, 20_000, 60
    chains = Chains.of([TINY])
    p = drawn_policy(chains, 1)
    found = exact_returns(chains, p, gamma)
    rng = np.random.default_rng(2)
    n = len(p)
    state = np.full(episodes, int(chains.starts.argmax()))
    scores = np.zeros((episodes, n, 5))  # sum over the moves made, each discounted, of its gradient on the logits
    gradients, returns = np.zeros((episodes, n, 5)), np.zeros(episodes)
    each = np.arange(episodes)
    for time in range(moves):
        going = ~chains.over[state]
        move = (rng.random(episodes)[:, None] >= np.cumsum(p[state], 1)[:, :4]).sum(1)
        scores[each, state] -= going[:, None] * p[state]
        scores[each, state, move] += going
        state = np.where(going, chains.after[state, move], state)
        reward = REWARD * gamma**time * (going & chains.over[state])
        gradients += reward[:, None, None] * scores
        returns += reward
    exact = found.visits[:, None] * p * found.advantages
    error = gradients.std(0) / np.sqrt(episodes)
    assert abs(returns.mean() - found.expected) <= 4 * returns.std() / np.sqrt(episodes)
    assert (np.abs(gradients.mean(0) - exact) <= 5 * error + 1e-12).all()
    assert np.abs(exact).max() > 20 * error.max(), "there is something to be seen in the noise"


def test_the_return_is_that_of_the_chains_probabilities() -> None:
    """The cheese is reached at move T with the difference of the probabilities within T and within T - 1 moves."""
    chains = Chains.of([SMALL])
    p = drawn_policy(chains, 3)
    within = np.array([0.0, *(statistics(SMALL, p, horizon).p_cheese for horizon in range(1, 101))])
    expected = REWARD * (0.8 ** np.arange(100) * np.diff(within)).sum()
    assert exact_returns(chains, p, 0.8).expected == pytest.approx(expected, abs=REWARD * 0.8**100)


@given(st.integers(0, 2**32), st.floats(0.0, 0.995), st.floats(0.0, 1.0))
@settings(max_examples=20, deadline=None)
def test_a_policys_return_differs_by_the_advantages_that_another_meets(seed: int, gamma: float, share: float) -> None:
    """The performance difference lemma (Kakade and Langford 2002) ties values, advantages and visits together."""
    chains = Chains.of([SMALL, TINY], share)
    old, new = drawn_policy(chains, seed), drawn_policy(chains, seed + 1)
    before, after = exact_returns(chains, old, gamma), exact_returns(chains, new, gamma)
    met = (after.visits[:, None] * new * before.advantages).sum()
    assert after.expected - before.expected == pytest.approx(met, abs=1e-8)
    assert (before.visits >= 0).all() and (0 <= before.values).all() and (before.values <= REWARD).all()


@given(st.integers(0, 2**32), st.sampled_from(range(1_000_000, 1_000_006)))
@settings(max_examples=15, deadline=None)
def test_in_a_maze_without_loops_the_shortest_path_has_the_largest_advantage(seed: int, level: int) -> None:
    """Whatever the policy does, as long as it does not look at its own facing: another way must come back."""
    maze = Maze.from_level(level, "easy")
    chains = Chains.of([maze])
    p = np.repeat(np.random.default_rng(seed).dirichlet(np.full(5, 5.0), len(maze.cells)), 2, axis=0)
    moves, steps = shortest_path(maze)
    on_the_way = np.repeat(steps > 0, 2)
    best = exact_returns(chains, p, 0.99).advantages.argmax(1)
    assert (best == np.repeat(moves, 2))[on_the_way].all() and (on_the_way == ~chains.over).all()


def test_uniform_starts_are_uniform_and_every_maze_counts_alike() -> None:
    chains = Chains.of([SMALL, TINY], 0.25)
    n = len(SMALL.states)
    for maze, starts in ((SMALL, chains.starts[:n]), (TINY, chains.starts[n:])):
        own = maze.state_index(maze.mouse, maze.facing)
        others = np.delete(starts, own)
        assert starts.sum() == pytest.approx(0.5) and starts[own] == pytest.approx(0.375 + others.max())
        assert sorted(set(others.round(12))) == [0.0, pytest.approx(0.125 / (len(maze.states) - 2))]


def test_what_has_no_return_is_one_line() -> None:
    chains = Chains.of([TINY])
    p = drawn_policy(chains, 0)
    for make, says in (
        (lambda: Chains.of([]), "give one maze or more"),
        (lambda: Chains.of([TINY.without_cheese()]), "each with its cheese"),
        (lambda: Chains.of([TINY], 1.5), "share of uniform starts is 1.5, must be 0 to 1"),
        (lambda: exact_returns(chains, p[1:], 0.9), "expected"),
        (lambda: exact_returns(chains, p, 1.0), "discount is 1.0, must be 0 or more and below 1"),
    ):
        with pytest.raises(InputError, match=f"^returns: [^\n]*{says}"):
            make()
