"""Exact discounted returns of a policy in its mazes, and where their gradient comes from (numpy, scipy).

A policy without memory on one level is a Markov chain over (cell, facing), so the return it can expect from each state
solves a linear system, and so does the number of visits it makes to each; nothing is sampled. The
reward is procgen's: 10 on reaching the cheese, which ends the episode. There is no last move: procgen's end after 500
is left out, and the discount takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, eye_array
from scipy.sparse.linalg import splu

from envs.actions import N_MOVES
from envs.dynamics import transition_table
from envs.errors import InputError
from envs.maze import Maze

REWARD = 10.0


@dataclass(frozen=True)
class Chains:
    """The dynamics of several mazes as one: their states, one maze after another."""

    after: np.ndarray
    """State after each move from each state: ``int64[n, 5]``."""
    over: np.ndarray
    """Whether the episode has ended, the mouse on the cheese: ``bool[n]``."""
    starts: np.ndarray
    """Share of the episodes that begin in each state: ``float64[n]``, 1 in all, the same of each maze."""

    @classmethod
    def of(cls, mazes: Sequence[Maze], uniform_starts: float = 0.0) -> Chains:
        """Return the chains of mazes.

        Args:
            mazes: the levels, each with a cheese.
            uniform_starts: share of the episodes, 0..1, that begin in a state drawn from all but those on the cheese;
                the others begin in the maze's own start.

        Raises:
            InputError: no maze, a maze without a cheese, or a share outside 0..1.
        """
        if not mazes or any(maze.cheese is None for maze in mazes):
            raise InputError("returns: give one maze or more, each with its cheese: there is no reward without it")
        if not 0.0 <= uniform_starts <= 1.0:
            raise InputError(f"returns: the share of uniform starts is {uniform_starts}, must be 0 to 1")
        after, over, starts = [], [], []
        first = 0
        for maze in mazes:
            assert maze.cheese is not None
            n = len(maze.states)
            after.append(transition_table(maze) + first)
            ended = np.zeros(n, dtype=bool)
            ended[2 * maze.index[maze.cheese] : 2 * maze.index[maze.cheese] + 2] = True
            begun = uniform_starts * ~ended / max((~ended).sum(), 1)
            begun[maze.state_index(maze.mouse, maze.facing)] += 1.0 - uniform_starts
            over.append(ended)
            starts.append(begun / len(mazes))
            first += n
        return cls(np.concatenate(after), np.concatenate(over), np.concatenate(starts))


@dataclass(frozen=True)
class Returns:
    """Exact figures of a policy, in the states of :class:`Chains`."""

    expected: float
    """Discounted return that an episode can expect: the objective."""
    values: np.ndarray
    """The same from each state: ``float64[n]``; 0 where the episode is over."""
    advantages: np.ndarray
    """Gain of each move, made once, over the policy's own: ``float64[n, 5]``; 0 where the episode is over."""
    visits: np.ndarray
    """Discounted number of moves made from each state in an episode: ``float64[n]``, 0 or more."""


def exact_returns(chains: Chains, probabilities: np.ndarray, gamma: float) -> Returns:
    """Return the exact returns of move probabilities ``float64[n, 5]``, discounted by ``gamma`` (0..1, below 1) a move.

    The gradient of ``expected`` with respect to the policy's parameters is the sum over states and moves of
    ``visits * probabilities * advantages`` times the gradient of the logarithm of the probability (Sutton et al. 2000).
    """
    n = len(chains.after)
    if probabilities.shape != (n, N_MOVES):
        raise InputError(f"returns: move probabilities have shape {probabilities.shape}, expected ({n}, {N_MOVES})")
    if not 0.0 <= gamma < 1.0:
        raise InputError(f"returns: the discount is {gamma}, must be 0 or more and below 1")
    p = np.where(chains.over[:, None], 0.0, probabilities.astype(np.float64))
    p /= np.where(chains.over, 1.0, p.sum(1))[:, None]
    rewards = REWARD * chains.over[chains.after]
    rows = np.repeat(np.arange(n), N_MOVES)
    moves = csc_array((p.ravel(), (rows, chains.after.ravel())), shape=(n, n))
    solver = splu((eye_array(n, format="csc") - gamma * moves).tocsc())
    values = solver.solve((p * rewards).sum(1))
    visits = solver.solve(chains.starts, trans="T")
    gains = rewards + gamma * values[chains.after] - values[:, None]
    return Returns(
        expected=float(chains.starts @ values),
        values=values,
        advantages=np.where(chains.over[:, None], 0.0, gains),
        visits=np.where(chains.over, 0.0, visits),
    )
