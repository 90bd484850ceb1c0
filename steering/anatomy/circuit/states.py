"""States of the mouse that stand for a maze: more of them are drawn where the cheese changes what the policy does.

Half of a state's chance to be drawn is the same for all, half goes by the distance between the policies with and
without the cheese there. Weights are the inverse of the chance (Horvitz and Thompson 1952), so a weighted sum over
the states drawn is, on average over the draws, the mean over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.stored.ranges import Count, NonNegative

LEAST, MOST = 2, 16  # states of a maze
UNITS = 4.0  # of total variation for a state
EVEN = 0.5  # share of a state's chance that is the same for all


@dataclass(frozen=True)
class DrawnStates:
    """States drawn from a maze."""

    indices: tuple[Count, ...]
    """Their places among the maze's states, rising."""
    weights: tuple[NonNegative, ...]
    """Weight of each in a mean over all states."""


def drawn_states(distances: np.ndarray, off_cheese: np.ndarray, rng: np.random.Generator) -> DrawnStates:
    """Return states drawn for one maze: one for four units of total variation between the policies, 2 to 16.

    Args:
        distances: total variation between the policies with and without the cheese, of all states ``float[n]``.
        off_cheese: states that may be drawn, ``bool[n]``.
        rng: draws them.
    """
    states = int(off_cheese.sum())
    moved = np.where(off_cheese, distances, 0.0)
    even = off_cheese / states
    total = float(moved.sum())
    shares = even if not total > 0 else EVEN * even + (1.0 - EVEN) * moved / total
    chances = inclusion_chances(shares, min(max(round(total / UNITS), LEAST), MOST, states))
    ends = np.concatenate([[0.0], np.cumsum(chances)]) - rng.random()  # systematic sampling: none is drawn twice
    drawn = np.flatnonzero(np.diff(np.floor(ends)))
    weights = 1.0 / (chances[drawn] * states)
    return DrawnStates(tuple(int(i) for i in drawn), tuple(float(weight) for weight in weights))


def inclusion_chances(shares: np.ndarray, count: int) -> np.ndarray:
    """Return the chance of each state to be among ``count`` drawn: in proportion to ``shares``, but at most 1.

    Args:
        shares: ``float[n]``, of which ``count`` or more are positive.
        count: number of states to draw.
    """
    certain = np.zeros(len(shares), dtype=bool)
    while True:
        rest = np.where(certain, 0.0, shares)
        left = count - int(certain.sum())
        chances = np.where(certain, 1.0, rest * (left / rest.sum() if left else 0.0))
        if (chances <= 1.0).all():
            return np.asarray(chances)
        certain |= chances > 1.0
