"""Next moves of an agent, and of the ladder of readers, on detour pairs, on idle pairs and on all cells of a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.networks.policy import Policy, batches, move_probabilities, to_input
from envs.chain import total_variation
from envs.maze import Maze
from steering.interventions.hooks import HookedPolicy
from steering.planning.pairs import Goal, Pair, first_move, frames_of
from steering.planning.readers import HORIZONS, reader_moves, reader_name


@dataclass(frozen=True)
class PairAnswers:
    """Answers to one pair."""

    kind: str
    """``detour`` or ``idle``."""
    goal: str
    """``cheese`` or ``corner``."""
    distance: int
    """Path length, in steps, from the mouse to the nearer changed cell."""
    right: tuple[float, float]
    """Probability of the right move, in the level and in the twin."""
    other: tuple[float, float]
    """Probability of the move that is right in the other one; of idle pairs the right move again."""
    follows: bool
    """Whether the most likely move is right in both."""
    change: float
    """Total variation between the moves in the level and in the twin, 0 to 1."""
    readers: tuple[float, ...]
    """Probability that a reader is right in both, for each of the ladder's horizons."""


@dataclass(frozen=True)
class CellAnswers:
    """Next moves on all cells of a level."""

    goal: str
    """``cheese`` or ``corner``."""
    cells: int
    """Number of cells asked about."""
    right: float
    """Mean probability of the right move, over cells and facings."""
    likely: float
    """Share of states whose most likely move is the right one."""
    readers: tuple[float, ...]
    """Mean probability of the right move of each reader of the ladder."""


def pair_answers(policy: Policy, pairs: Sequence[Pair]) -> list[PairAnswers]:
    """Return the answers of a policy and of the readers to pairs of one mode, in order."""
    if not pairs:
        return []
    frames = frames_of((maze, pair.state) for pair in pairs for maze in (pair.level, pair.twin))
    p = _moves(policy, frames).reshape(len(pairs), 2, -1)
    change = total_variation(p[:, 0], p[:, 1])
    found = []
    for k, pair in enumerate(pairs):
        here, there = pair.moves
        ladder = [
            np.prod(
                [
                    reader_moves(maze, [pair.state.cell], pair.goal, horizon)[0, move]
                    for maze, move in zip((pair.level, pair.twin), pair.moves, strict=True)
                ]
            )
            for horizon in HORIZONS
        ]
        found.append(
            PairAnswers(
                kind=pair.kind.value,
                goal=(Goal.CORNER if pair.level.cheese is None else Goal.CHEESE).value,
                distance=pair.distance,
                right=(float(p[k, 0, here]), float(p[k, 1, there])),
                other=(float(p[k, 0, there]), float(p[k, 1, here])),
                follows=bool(p[k, 0].argmax() == here and p[k, 1].argmax() == there),
                change=float(change[k]),
                readers=tuple(map(float, ladder)),
            )
        )
    return found


def cell_answers(policy: Policy, maze: Maze, goal: Goal) -> CellAnswers:
    """Return how often a policy and the readers make the right next move, over all cells but the goal's."""
    shown = maze.without_cheese() if goal is Goal.CORNER else maze
    end = maze.corner if goal is Goal.CORNER else maze.cheese
    assert end is not None
    cells = [cell for cell in shown.cells if cell != end]
    right = np.array([first_move(shown, cell, end) for cell in cells])
    states = [state for state in shown.states if state.cell != end]  # cell by cell, both facings
    p = _moves(policy, shown.observations(states))
    asked = np.repeat(right, 2)
    return CellAnswers(
        goal=goal.value,
        cells=len(cells),
        right=float(p[np.arange(len(p)), asked].mean()),
        likely=float((p.argmax(1) == asked).mean()),
        readers=tuple(
            float(reader_moves(shown, cells, end, horizon)[np.arange(len(cells)), right].mean()) for horizon in HORIZONS
        ),
    )


def _moves(policy: Policy, frames: np.ndarray) -> np.ndarray:
    """Return move probabilities ``float64[n, 5]``."""
    hooked = HookedPolicy(policy.net)
    return np.concatenate([move_probabilities(hooked.run(to_input(part))[0]).numpy() for part in batches(frames)])


LADDER = tuple(reader_name(horizon) for horizon in HORIZONS)
