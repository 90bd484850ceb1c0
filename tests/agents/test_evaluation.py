"""The figures of a model card, against direct computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from agents.evaluation import dead_branches, evaluation_maze, policy_figures
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy
from envs import chain
from envs.dynamics import step
from envs.maze import Maze, State

LEVELS = (0, 5)


def reach_probability(maze: Maze, p: np.ndarray, horizon: int) -> float:
    """P(cheese) by value iteration, state by state: another way round than the chain's forward pass."""
    value = np.array([float(state.cell == maze.cheese) for state in maze.states])
    to = np.array([[maze.state_index(*step(maze, s, m)) for m in range(5)] for s in maze.states])  # type: ignore[arg-type]
    ends = value.copy()
    for _ in range(horizon):
        value = np.where(ends > 0, 1.0, (p * value[to]).sum(axis=1))
    return float(value[maze.state_index(maze.mouse, maze.facing)])


@pytest.fixture(scope="module")
def figures(policy: MazePolicy) -> dict:
    return policy_figures(policy, 5, levels=LEVELS)


def test_cheese_of_evaluation_lies_in_the_region_and_depends_on_seed_and_level() -> None:
    for maze in Maze.from_levels(range(30)):
        placed = evaluation_maze(maze, 5, 0)
        assert placed.cheese in maze.region(5) and placed.walls == maze.walls and placed.level == maze.level
        assert evaluation_maze(maze, 5, 0) == placed
        assert evaluation_maze(maze, None, 0) == maze
    maze = Maze.from_level(4)
    assert len({evaluation_maze(maze, 5, seed).cheese for seed in range(20)}) > 3


def test_a_branch_that_is_never_active_is_found() -> None:
    net = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0))
    assert dead_branches(MazePolicy(net), levels=(0, 1)) == []
    block = net.embedder.block2.res2
    with torch.no_grad():
        block.conv1.bias.fill_(-1e3)  # type: ignore[union-attr]
    assert dead_branches(MazePolicy(net), levels=(0, 1)) == ["embedder.block2.res2"]
    assert not block.relu2._forward_hooks


def test_figures_equal_a_direct_computation(policy: MazePolicy, figures: dict) -> None:
    inside, anywhere, decisions = [], [], []
    for level in range(*LEVELS):
        maze = Maze.from_level(level)
        placed = evaluation_maze(maze, 5, 0)
        inside.append(reach_probability(placed, policy.move_probabilities(placed.observations()), 256))
        p = policy.move_probabilities(maze.observations())
        anywhere.append(reach_probability(maze, p, 256))
        if maze.decision_square is not None:
            state: State = maze.arrival(maze.decision_square)
            assert maze.cheese is not None
            towards = maze.walk(maze.path(state.cell, maze.cheese))[0][1]
            decisions.append(p[maze.state_index(*state), towards])
    assert math.isclose(figures["p_cheese_in_distribution"], np.mean(inside), abs_tol=6e-5)
    assert math.isclose(figures["p_cheese_anywhere"], np.mean(anywhere), abs_tol=6e-5)
    assert figures["decision_square"]["levels"] == len(decisions) > 0
    assert math.isclose(figures["decision_square"]["p_cheese_move"], np.mean(decisions), abs_tol=6e-5)


def test_figures_say_what_they_are_of(policy: MazePolicy, figures: dict) -> None:
    assert (figures["levels"], figures["horizon"], figures["seed"], figures["region"]) == ([0, 5], 256, 0, 5)
    by_size, counts = figures["p_cheese_by_maze_size"], figures["levels_by_maze_size"]
    assert by_size.keys() == counts.keys() and sum(counts.values()) == 5
    mean = sum(by_size[k] * counts[k] for k in counts) / 5
    assert math.isclose(mean, figures["p_cheese_in_distribution"], abs_tol=2e-4)
    square = figures["decision_square"]
    assert math.isclose(sum(square[k] for k in square if k != "levels"), 1.0, abs_tol=2e-4)


def test_where_no_level_has_a_decision_square_its_figures_are_none(policy: MazePolicy) -> None:
    square = policy_figures(policy, 5, levels=(1, 2), horizon=8)["decision_square"]
    assert square == {"levels": 0, "p_cheese_move": None, "p_corner_move": None, "p_other_move": None}


def test_figures_are_reproducible_and_progress_is_reported(policy: MazePolicy) -> None:
    calls: list[tuple[int, int]] = []
    first = policy_figures(policy, 5, levels=(1, 3), horizon=64, progress=lambda d, t: calls.append((d, t)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert policy_figures(policy, 5, levels=(1, 3), horizon=64) == first
    assert first != policy_figures(policy, 5, levels=(1, 3), horizon=8)
    calls.clear()
    anywhere = policy_figures(policy, None, levels=(1, 3), horizon=64, progress=lambda d, t: calls.append((d, t)))
    assert calls == [(1, 2), (2, 2)]  # cheese as in training is cheese anywhere
    assert anywhere["p_cheese_in_distribution"] == anywhere["p_cheese_anywhere"] == first["p_cheese_anywhere"]


def test_the_shipped_policy_finds_its_cheese_far_more_often_than_chance(figures: dict) -> None:
    uniform = []
    for level in range(*LEVELS):
        maze = evaluation_maze(Maze.from_level(level), 5, 0)
        uniform.append(chain.statistics(maze, np.full((len(maze.states), 5), 0.2)).p_cheese)
    assert figures["p_cheese_in_distribution"] > 0.5 > np.mean(uniform)
