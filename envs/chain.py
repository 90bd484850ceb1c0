"""Exact outcome statistics: dynamics plus move probabilities of every state (numpy, scipy).

A policy without memory on one level is a Markov chain over (cell, facing). Its statistics
within a horizon of T moves follow by T sparse multiplications, without sampling noise. Time 0 is
the start; "within T" means after at most T moves. The cheese ends the episode.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import block_diag, csr_array

from envs.actions import N_MOVES, Move
from envs.dynamics import transition_table
from envs.errors import RANGES, InputError
from envs.maze import Cell, Maze

MAX_HORIZON = int(RANGES["horizon"].high)
REGION = 5
TOGETHER = 64  # policies in one pass: more gain nothing, and memory must not grow with their number


@dataclass(frozen=True)
class ChainStatistics:
    """Exact statistics of one episode within the horizon, from the maze's start state."""

    p_cheese: float
    """Probability, 0..1, that the cheese is reached; 0 without a cheese."""
    p_cheese_cell: float
    """Probability, 0..1, that the cell ``goal`` is visited; ``p_cheese`` if the cheese lies there."""
    p_corner: float
    """Probability, 0..1, that the top-right cell is visited before the episode ends."""
    p_region: float
    """Probability, 0..1, that the top-right region (5x5 by default) is visited before the episode ends."""
    expected_steps: float
    """Mean of min(moves to the cheese, horizon), 0..horizon."""
    occupancy: np.ndarray
    """Expected number of moves made from each state of ``maze.states``: ``float64[n_states]``, 0 or more."""


def check_probabilities(maze: Maze, probabilities: np.ndarray) -> np.ndarray:
    """Return ``float64[n_states, 5]``; raise :class:`InputError` for another shape, negative numbers, or sums not 1."""
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != (len(maze.states), N_MOVES):
        raise InputError(f"move probabilities have shape {p.shape}, expected ({len(maze.states)}, {N_MOVES})")
    if not np.isfinite(p).all() or (p < 0).any() or not np.allclose(p.sum(axis=1), 1.0, atol=1e-6):
        raise InputError("move probabilities must be finite, non-negative and sum to 1 in every state")
    return p


def transition_matrix(maze: Maze, probabilities: np.ndarray, absorbing: Iterable[Cell] = ()) -> csr_array:
    """Return the row-stochastic ``[n_states, n_states]``; states on ``absorbing`` cells keep to themselves."""
    p = check_probabilities(maze, probabilities)
    table = transition_table(maze)
    stay = np.zeros(len(maze.states), dtype=bool)
    for cell in absorbing:
        stay[2 * maze.index[cell] : 2 * maze.index[cell] + 2] = True
    p = np.where(stay[:, None], np.eye(N_MOVES)[-1], p)
    table = np.where(stay[:, None], np.arange(len(p))[:, None], table)
    rows = np.repeat(np.arange(len(p)), N_MOVES)
    return csr_array((p.ravel(), (rows, table.ravel())), shape=(len(p), len(p)))


def statistics(
    maze: Maze,
    probabilities: np.ndarray,
    horizon: int = 256,
    *,
    goal: Cell | None = None,
    region: int = REGION,
) -> ChainStatistics:
    """Return the exact statistics of ``float64[n_states, 5]`` move probabilities within ``horizon`` moves.

    ``goal`` is the cell of ``p_cheese_cell`` (default: the cheese); it matters for a maze whose
    cheese was taken away.
    """
    return statistics_of_all(maze, [probabilities], horizon, goal=goal, region=region)[0]


def statistics_of_all(
    maze: Maze,
    probabilities: Sequence[np.ndarray],
    horizon: int = 256,
    *,
    goal: Cell | None = None,
    region: int = REGION,
) -> list[ChainStatistics]:
    """Return :func:`statistics` of several policies on one maze, in one pass; the numbers are those of each alone.

    The pass carries four copies of each chain: with the episode's own end, and with the goal, the corner and the
    region absorbing as well.
    """
    check_horizon(horizon)
    if len(probabilities) > TOGETHER:
        parts = [probabilities[i : i + TOGETHER] for i in range(0, len(probabilities), TOGETHER)]
        return [found for part in parts for found in statistics_of_all(maze, part, horizon, goal=goal, region=region)]
    if not probabilities:
        return []
    end = {maze.cheese} if maze.cheese is not None else set()
    goal = maze.cheese if goal is None else goal
    targets: list[set[Cell]] = [
        set(end),
        {goal} if goal is not None else set(),
        {maze.corner} & set(maze.cells),
        set(maze.region(region)),
    ]
    n, count = len(maze.states), len(probabilities)
    stay = np.zeros((n, len(targets)), dtype=bool)  # whose mass keeps to its state, in each copy
    for k, target in enumerate(targets):
        stay[_states(maze, end | target), k] = True
    stay = np.tile(stay, (count, 1))
    move = (~stay).astype(np.float64)
    matrix = block_diag([transition_matrix(maze, p) for p in probabilities], format="csr").T.tocsr()
    mass = np.zeros((count * n, len(targets)))
    mass[np.arange(count) * n + maze.state_index(maze.mouse, maze.facing)] = 1.0
    occupancy = np.zeros(count * n)
    for _ in range(horizon):
        moving = mass * move
        occupancy += moving[:, 0]
        mass = matrix @ moving + np.where(stay, mass, 0.0)
    within = [_states(maze, target) for target in targets]
    found = []
    for block, visits in zip(mass.reshape(count, n, len(targets)), occupancy.reshape(count, n), strict=True):
        p_cheese, p_goal, p_corner, p_region = (min(float(block[rows, k].sum()), 1.0) for k, rows in enumerate(within))
        steps = min(float(visits.sum()), float(horizon))
        found.append(ChainStatistics(p_cheese, p_goal, p_corner, p_region, steps, visits))
    return found


def _states(maze: Maze, cells: Iterable[Cell]) -> list[int]:
    """Return the indices of the states on ``cells``, in order."""
    return sorted(2 * maze.index[cell] + facing for cell in cells for facing in (0, 1))


def check_horizon(horizon: int) -> int:
    """Return ``horizon`` or raise :class:`InputError` if no episode can be that long."""
    return RANGES["horizon"].check(horizon)


def path_probability(maze: Maze, probabilities: np.ndarray, goal: Cell | None) -> float:
    """Return the geometric mean of the step probabilities along the shortest path start -> ``goal``.

    The normalized path probability of Turner et al. 2023; the facing is the one the walk leaves.
    NaN if there is no goal, no path to it, or the mouse starts on it.
    """
    if goal is None or goal == maze.mouse or not maze.connected(maze.mouse, goal):
        return float("nan")
    steps = maze.walk(maze.path(maze.mouse, goal))
    p = np.array([probabilities[maze.state_index(*state), move] for state, move in steps])
    return float(np.exp(np.mean(np.log(np.maximum(p, 1e-300)))))


def decision_probabilities(maze: Maze, probabilities: np.ndarray) -> tuple[float, float, float]:
    """Return the probabilities of the move towards the cheese, towards the corner and of any other.

    Taken at the decision square, facing as left by the shortest path from the start. NaN three
    times if the maze has none.
    """
    square = maze.decision_square
    if square is None or maze.cheese is None:
        return (float("nan"),) * 3
    p = probabilities[maze.state_index(*maze.arrival(square))]
    to_cheese, to_corner = (_first_move(maze, square, goal) for goal in (maze.cheese, maze.corner))
    return float(p[to_cheese]), float(p[to_corner]), float(max(1.0 - p[to_cheese] - p[to_corner], 0.0))


def _first_move(maze: Maze, start: Cell, goal: Cell) -> Move:
    return maze.walk(maze.path(start, goal))[0][1]


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the total-variation distances of the rows of two ``float[..., k]`` arrays: ``float[...]`` in 0..1."""
    return 0.5 * np.abs(np.asarray(p, dtype=np.float64) - np.asarray(q, dtype=np.float64)).sum(axis=-1)
