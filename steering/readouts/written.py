"""Written moves: a direction of the next move is added where the mouse stands at a junction. Does the mouse take it?

A branch is a free move at a junction that is the policy's most likely one in neither facing. A direction for it is
added at one site in the states of that cell only. Read are P(that move) and, in the exact chain with these two states
edited, whether the mouse enters the branch and whether it then goes on. Elsewhere it moves as the policy left alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, move_probabilities, to_input
from envs.actions import MOVE_OF_STEP, Facing, Move
from envs.chain import transition_matrix
from envs.dynamics import transition_table
from envs.maze import Cell, Maze, State
from steering.experiments.exact import LevelEvaluator
from steering.interventions.partial import PartialNetwork
from steering.readouts.directions import WAYS, Directions, at_site, with_random
from steering.statistics.seeding import generator

STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the norm of the cheese vector
MOVES = 5  # within which the branch is entered, and within which the mouse turns back or does not
JUNCTION = 3  # free neighbours, at least
BRANCHES = 8  # of a level


@dataclass(frozen=True)
class Branch:
    """A free move at a junction that the policy does not make there."""

    cell: Cell
    """The junction."""
    move: Move
    """The move."""
    entered: Cell
    """The cell that it leads to."""


@dataclass(frozen=True)
class Taken:
    """What comes of the moves of some branches, each number summed over them."""

    taken: float
    """Probability of the move, mean over the two facings."""
    entered: float
    """Probability that the next cell visited is the branch's, within :data:`MOVES` moves."""
    goes_on: float
    """Probability that it is, and that the mouse is not at the junction again in as many moves from there."""


@dataclass(frozen=True)
class WrittenRow:
    """Writing in one level."""

    branches: int
    """Number of branches."""
    clean: Taken
    """The policy left alone."""
    written: dict[str, dict[str, dict[str, tuple[Taken, ...]]]]
    """By site, place and direction, for each strength; of several draws the mean."""


def branches(maze: Maze, probabilities: np.ndarray, count: int, seed: int) -> list[Branch]:
    """Return ``count`` branches of a level (all, if there are fewer), drawn by (seed, level).

    Junctions are cells with three free neighbours or more, off cheese and corner.

    Args:
        maze: the level.
        probabilities: of the moves in each state, ``float[n_states, 5]``, the policy left alone.
        count: most branches.
        seed: of the drawing.
    """
    found = []
    for k, cell in enumerate(maze.cells):
        near = maze.neighbours(cell)
        if len(near) < JUNCTION or cell in (maze.cheese, maze.corner):
            continue
        chosen = set(probabilities[2 * k : 2 * k + 2].argmax(axis=1).tolist())
        for there in near:
            move = MOVE_OF_STEP[(there[0] - cell[0], there[1] - cell[1])]
            if move not in chosen:
                found.append(Branch(cell, move, there))
    order = generator(seed, maze.level or 0, "branches", 0).permutation(len(found))
    return [found[k] for k in order[:count]]


class BranchChain:
    """The exact chain from a junction on: it is left for the branch or another cell, and returned to or not.

    Args:
        maze: the level.
        probabilities: of the moves in each state, ``float[n_states, 5]``, the policy left alone.
        branch: the branch.
    """

    def __init__(self, maze: Maze, probabilities: np.ndarray, branch: Branch) -> None:
        here, there = maze.index[branch.cell], maze.index[branch.entered]
        to = transition_table(maze)[2 * here : 2 * here + 2]  # [facing, move]: the state that follows
        facings = np.arange(2)
        turned = (to % 2)[:, :, None] == facings
        self._stays, self._enters = (
            (turned & (to // 2 == cell)[:, :, None]).astype(float) for cell in (here, there)
        )  # [facing, move, facing that follows]
        ends = {branch.cell} | ({maze.cheese} if maze.cheese is not None else set())
        matrix = transition_matrix(maze, probabilities, ends).T.tocsr()
        mass = np.zeros((len(maze.states), 2))
        mass[2 * there + facings, facings] = 1.0
        for _ in range(MOVES):
            mass = matrix @ mass
        self._away = 1.0 - mass[2 * here : 2 * here + 2].sum(axis=0)  # by facing on arrival

    def follow(self, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return P(the branch is entered) and P(it is, and the mouse goes on), from the junction in each facing alike.

        Args:
            probabilities: of the moves at the junction, ``float[..., 2, 5]``.

        Returns:
            ``float[...]`` each.
        """
        at = np.broadcast_to(np.array([0.5, 0.5]), probabilities.shape[:-1])
        entered = np.zeros(at.shape)
        for _ in range(MOVES):
            entered = entered + np.einsum("...f,...fm,fmg->...g", at, probabilities, self._enters)
            at = np.einsum("...f,...fm,fmg->...g", at, probabilities, self._stays)
        return entered.sum(axis=-1), entered @ self._away


class LevelWriter:
    """One level, and its branches to write into.

    Args:
        policy: its network must be one that can be traced.
        net: the same network, traced.
        maze: the level.
        count: most branches.
        seed: of the drawing.
    """

    def __init__(self, policy: Policy, net: PartialNetwork, maze: Maze, count: int, seed: int) -> None:
        probabilities = LevelEvaluator(policy, maze).clean.probabilities
        self.maze, self.seed, self._net = maze, seed, net
        self.branches = branches(maze, probabilities, count, seed)
        self._chains = [BranchChain(maze, probabilities, branch) for branch in self.branches]
        states = [State(branch.cell, facing) for branch in self.branches for facing in Facing]
        self._tiles = maze.outer(state.cell for state in states)
        self._ways = torch.tensor([WAYS.index(branch.move) for branch in self.branches]).repeat_interleave(2)
        if states:
            self._clean = net.clean(to_input(maze.observations(states)))

    def row(self, found: Sequence[Directions], strengths: Sequence[float] = STRENGTHS) -> WrittenRow:
        """Return what comes of writing every direction at every site and strength."""
        if not self.branches:
            return WrittenRow(0, Taken(0.0, 0.0, 0.0), {})
        clean = self._summed(self.moves(self._net.outputs(self._clean)[0])[None])[0]
        return WrittenRow(len(self.branches), clean, {each.site.name: self._at(each, strengths) for each in found})

    def _at(self, found: Directions, strengths: Sequence[float]) -> dict[str, dict[str, tuple[Taken, ...]]]:
        return {
            place: {name: self._effects(found, place, tensors, strengths) for name, tensors in named.items()}
            for place, named in with_random(found, self.seed, self.maze.level or 0).items()
        }

    def _effects(self, found: Directions, place: str, tensors: Tensor, strengths: Sequence[float]) -> tuple[Taken, ...]:
        """Return for each strength what comes of a direction, mean over the draws."""
        by_draw = [self._summed(np.stack(list(self.written(found, place, draw, strengths)))) for draw in tensors]
        return tuple(
            Taken(*(round(float(np.mean([getattr(each, name) for each in same])), 9) for name in _FIELDS))
            for same in zip(*by_draw, strict=True)
        )

    def written(
        self, found: Directions, place: str, directions: Tensor, strengths: Sequence[float]
    ) -> Iterator[np.ndarray]:
        """Yield for each strength the probabilities of the moves at each junction, ``float[n, 2, 5]``.

        Args:
            found: site and norm.
            place: where is written.
            directions: one for each move, ``float32[4, *shape]``.
            strengths: lengths, as multiples of the norm.
        """
        added = at_site(found, place, directions[self._ways], self._tiles, self.maze.state.world_dim)
        for strength in strengths:
            logits, _ = self._net.rerun(self._clean, {found.site.name: functools.partial(_plus, strength * added)})
            yield self.moves(logits)

    def moves(self, logits: Tensor) -> np.ndarray:
        """Return move probabilities ``float64[n, 2, 5]`` of logits of both facings at each junction."""
        return np.asarray(move_probabilities(logits).numpy()).reshape(len(self.branches), 2, -1)

    def _summed(self, probabilities: np.ndarray) -> list[Taken]:
        """Return what comes of each of ``k`` sets of moves ``float[k, n, 2, 5]`` at the junctions."""
        sums = np.zeros((len(probabilities), 3))
        for k, (branch, chain) in enumerate(zip(self.branches, self._chains, strict=True)):
            entered, goes_on = chain.follow(probabilities[:, k])
            sums += np.stack([probabilities[:, k, :, branch.move].mean(axis=1), entered, goes_on], axis=1)
        return [Taken(*(round(float(value), 9) for value in row)) for row in sums]


def _plus(added: Tensor, activation: Tensor) -> Tensor:
    """Return ``activation + added``, where the network computes."""
    return activation + added.to(activation.device)


_FIELDS = ("taken", "entered", "goes_on")


def effects_of(
    rows: Sequence[WrittenRow], site: str, place: str, name: str, strengths: int
) -> Mapping[str, np.ndarray]:
    """Return sums over the branches of each level, ``float[strengths, n_levels]``, by the fields of :class:`Taken`."""
    found = [row.written[site][place][name] if row.branches else (row.clean,) * strengths for row in rows]
    return {field: np.array([[getattr(each, field) for each in row] for row in found]).T for field in _FIELDS}
