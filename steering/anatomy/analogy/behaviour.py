"""The behavioural analogy: what the policy does in a maze with the cheese vector of another maze added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, move_probabilities, to_input
from envs.chain import total_variation
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from envs.stored.ranges import NonNegative
from steering.anatomy.analogy.pairs import Analogy
from steering.interventions.hooks import HookedPolicy
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import Site
from steering.statistics.seeding import generator

STATES = 3  # of the mouse in a maze, the same for all its analogies


@dataclass(frozen=True)
class MovesPart:
    """Total variation to the policy of B with cheese on the cell, summed over analogies and states of the mouse."""

    edited: NonNegative
    """Of B without cheese, A's vector of the cell added."""
    other: NonNegative
    """Of B without cheese, A's vector of another cell added; of a lone cell the same vector."""
    nothing: NonNegative
    """Of B without cheese, nothing added."""


class Behaviour:
    """The policy in some states of one maze: without cheese, with it, and with vectors added at a site.

    Args:
        policy: of any network; of one that can be traced only what follows a site runs again.
        maze: the maze B.
        analogies: its partners, with the cells that the cheese is put on.
        seed: of the states drawn, none of which stands on such a cell.
    """

    def __init__(self, policy: Policy, maze: Maze, analogies: Sequence[Analogy], seed: int) -> None:
        states = _drawn_states(maze, {cell for each in analogies for cell in each.here}, seed)
        self._net, self._count = HookedPolicy(policy.net), len(states)
        self._frames = to_input(maze.without_cheese().observations(states))
        self._partial: PartialNetwork | None = None
        with_cheese = [maze.with_cheese(cell).observations(states) for each in analogies for cell in each.here]
        self._shown = bool(states and with_cheese)
        if not self._shown:
            return
        self._nothing = self._moves(self._net.run(self._frames)[0])
        self._aims = self._moves(self._net.run(to_input(np.concatenate(with_cheese)))[0])
        self._repeated = self._frames.repeat(len(with_cheese), 1, 1, 1)  # all states for each vector in turn
        try:
            self._partial = PartialNetwork(policy.net)
            self._clean = self._partial.clean(self._repeated)
        except InputError:  # torch.fx cannot trace it
            self._partial = None

    def _moves(self, logits: Tensor) -> np.ndarray:
        """Return the probabilities of moves of so many runs of the states: ``float64[m, states, 5]``."""
        found = np.asarray(move_probabilities(logits).numpy(), dtype=np.float64)
        return found.reshape(-1, self._count, found.shape[1])

    def with_added(self, site: Site, vectors: Tensor) -> np.ndarray:
        """Return the probabilities of moves without cheese, each vector added in each state: ``float64[m, states, 5]``.

        Args:
            site: where.
            vectors: of all analogies, ``float[m, size]``.
        """
        added = vectors.repeat_interleave(self._count, dim=0).reshape(-1, *site.shape)
        if self._partial is None:
            return self._moves(self._net.run(self._repeated, {site.name: lambda value: value + added})[0])
        return self._moves(self._partial.rerun(self._clean, {site.name: lambda value: value + added.to(value)})[0])

    def part(self, site: Site, vectors: Sequence[Tensor]) -> MovesPart | None:
        """Return the distances at one site, summed over partners; None if there is nothing to sum.

        Args:
            site: where vectors are added.
            vectors: of the cells of each partner, ``float[m, size]``.
        """
        if not self._shown:
            return None
        edited = self.with_added(site, torch.cat(list(vectors)))
        parts = np.split(edited, np.cumsum([len(each) for each in vectors])[:-1])
        others = np.concatenate([np.roll(part, 1, axis=0) for part in parts])  # the vector of the cell before
        nothing = np.broadcast_to(self._nothing, self._aims.shape)
        return MovesPart(*(_distance(found, self._aims) for found in (edited, others, nothing)))


def _distance(found: np.ndarray, aims: np.ndarray) -> float:
    return float(total_variation(found.reshape(-1, found.shape[-1]), aims.reshape(-1, aims.shape[-1])).sum())


def _drawn_states(maze: Maze, taken: set[Cell], seed: int) -> list[State]:
    left = [state for state in maze.states if state.cell not in taken]
    rng = generator(seed, maze.level or 0, "states with a vector added", 0)
    return [left[i] for i in sorted(rng.permutation(len(left))[:STATES])]
