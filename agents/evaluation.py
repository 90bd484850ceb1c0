"""Exact success of a policy in its mazes: the figures of a model card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agents.networks.impala import ResidualBlock
from agents.networks.policy import MazePolicy
from envs import chain
from envs.maze import Maze
from envs.training.levels import place_cheese

LEVELS = (0, 256)
DEAD_LEVELS = (0, 8)
HORIZON = 256
DIGITS = 4


def evaluation_maze(maze: Maze, region: int | None, seed: int) -> Maze:
    """Return the level with its cheese by the region rule (a function of seed and level), or as it is."""
    if region is None:
        return maze
    return place_cheese(maze, region, np.random.default_rng([seed, maze.level or 0]))


def policy_figures(
    policy: MazePolicy,
    region: int | None,
    *,
    levels: tuple[int, int] = LEVELS,
    horizon: int = HORIZON,
    seed: int = 0,
    mode: str = "hard",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return the exact success in distribution (cheese in the ``region``) and with procgen's own cheese.

    The same arguments give the same figures.

    Args:
        policy: the agent.
        region: side, in cells, of the top-right square that the cheese lay in during training; None: it lay anywhere.
        levels: the first level seed, and the one after the last.
        horizon: most moves of an episode, 1 to 500.
        seed: of the cheese's places in the region.
        mode: procgen's distribution mode of the levels, ``hard`` or ``easy``.
        progress: told ``(done, total)`` in mazes.

    Returns:
        The figures of a card by name, rounded to the digits that it prints: ``p_cheese_in_distribution``,
        ``p_cheese_anywhere`` and so on. Moves at the decision square are None where no level has one.

    Raises:
        InputError: for a bad level seed, horizon or mode.

    Example:
        >>> figures = policy_figures(as_policy(ImpalaPolicyNet(1)), region=5, levels=(26, 27), horizon=20)
        >>> figures["levels"], figures["levels_by_maze_size"]
        ([26, 27], {'7': 1})
    """
    mazes = Maze.from_levels(range(*levels), mode)
    rules = dict.fromkeys((region, None))  # one for an agent of cheese anywhere
    rows: dict[int | None, list[tuple[Maze, chain.ChainStatistics, tuple[float, float, float]]]] = {}
    total = len(rules) * len(mazes)
    done = 0
    for rule in rules:
        rows[rule] = []
        for maze in mazes:
            placed = evaluation_maze(maze, rule, seed)
            p = policy.move_probabilities(placed.observations())
            rows[rule].append((placed, chain.statistics(placed, p, horizon), chain.decision_probabilities(placed, p)))
            done += 1
            if progress is not None:
                progress(done, total)
    inside, anywhere = rows[region], rows[None]
    decisions = np.array([d for _, _, d in anywhere])
    has_square = ~np.isnan(decisions[:, 0])
    sizes = sorted({maze.dim for maze, _, _ in inside})
    return {
        "levels": list(levels),
        "horizon": horizon,
        "seed": seed,
        "mode": mode,
        "region": region,
        "p_cheese_in_distribution": _mean([s.p_cheese for _, s, _ in inside]),
        "p_cheese_by_maze_size": {
            str(dim): _mean([s.p_cheese for maze, s, _ in inside if maze.dim == dim]) for dim in sizes
        },
        "levels_by_maze_size": {str(dim): sum(maze.dim == dim for maze, _, _ in inside) for dim in sizes},
        "expected_steps_in_distribution": _mean([s.expected_steps for _, s, _ in inside]),
        "p_cheese_anywhere": _mean([s.p_cheese for _, s, _ in anywhere]),
        "p_region_anywhere": _mean([s.p_region for _, s, _ in anywhere]),
        "decision_square": {
            "levels": int(has_square.sum()),
            "p_cheese_move": _mean(decisions[has_square, 0]),
            "p_corner_move": _mean(decisions[has_square, 1]),
            "p_other_move": _mean(decisions[has_square, 2]),
        },
    }


def dead_branches(policy: MazePolicy, levels: tuple[int, int] = DEAD_LEVELS, mode: str = "hard") -> list[str]:
    """Return the names of residual blocks whose branch has no active unit in any state of ``levels``.

    Such a branch adds the same to every state, so the site behind it is the experiment before it once more, and curves
    over depth stand still there for want of anything computed. Too large a learning rate leaves such blocks behind.
    """
    blocks = {name: module for name, module in policy.net.named_modules() if isinstance(module, ResidualBlock)}
    alive: set[str] = set()

    def note(name: str) -> Callable[..., None]:
        return lambda module, inputs, output: alive.add(name) if bool((output > 0).any()) else None

    handles = [block.relu2.register_forward_hook(note(name)) for name, block in blocks.items()]
    try:
        for maze in Maze.from_levels(range(*levels), mode):
            policy.move_probabilities(maze.observations())
    finally:
        for handle in handles:
            handle.remove()
    return [name for name in blocks if name not in alive]


def _mean(values: Sequence[float] | np.ndarray) -> float | None:
    return round(float(np.mean(values)), DIGITS) if len(values) else None
