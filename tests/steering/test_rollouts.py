"""Real rollouts against the exact chain; records; common random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from agents.policy import MazePolicy
from envs.dynamics import step
from envs.errors import InputError
from envs.maze import Maze
from steering.evaluate import LevelEvaluator
from steering.interventions import Intervention, subtract
from steering.rollouts import rollouts
from steering.vectors import cheese_vector

EPISODES = 192
HORIZON = 24


def _flattened(policy: MazePolicy, maze: Maze) -> Intervention:
    """An intervention that leaves outcomes undecided, so that agreement means something."""
    return subtract(cheese_vector(policy, maze, "embedder.block3.res1.resadd"), 1.0)


@pytest.mark.parametrize("which", ["clean", "steered", "random"])
def test_rollouts_agree_with_the_exact_outcome(
    policy: MazePolicy, random_policy: MazePolicy, small_maze: Maze, which: str
) -> None:
    """Five standard errors of the empirical mean; the horizon is short so that p is not 0 or 1."""
    used = random_policy if which == "random" else policy
    edit = _flattened(used, small_maze) if which == "steered" else Intervention()
    level = LevelEvaluator(used, small_maze, HORIZON)
    exact = level.outcomes([edit])[0]
    tracks = rollouts(used, small_maze, edit, episodes=EPISODES, seed=5, horizon=HORIZON)
    reached = np.array([t.reached_cheese for t in tracks])
    corner = np.array([any(s.cell == small_maze.corner for s in t.states) for t in tracks])
    steps = np.array([len(t) for t in tracks])
    for p, found in ((exact.p_cheese, reached), (exact.p_corner, corner)):
        bound = 5 * np.sqrt(max(p * (1 - p), 1 / EPISODES) / EPISODES)
        assert abs(found.mean() - p) <= bound, (which, p, found.mean())
    assert abs(steps.mean() - exact.expected_steps) <= 5 * max(steps.std(), 1.0) / np.sqrt(EPISODES)


def test_records_follow_the_dynamics_and_the_policy(policy: MazePolicy, small_maze: Maze) -> None:
    level = LevelEvaluator(policy, small_maze, HORIZON)
    for track in rollouts(policy, small_maze, episodes=3, seed=1, horizon=HORIZON):
        assert track.states[0] == (small_maze.mouse, small_maze.facing)
        for t, move in enumerate(track.moves):
            assert step(small_maze, track.states[t], move) == track.states[t + 1]
            row = level.clean.probabilities[small_maze.state_index(*track.states[t])]
            np.testing.assert_allclose(track.probabilities[t], row, atol=1e-4)
        assert track.reached_cheese == (track.states[-1].cell == small_maze.cheese)


def test_same_seed_same_rollout_and_common_random_numbers(random_policy: MazePolicy, small_maze: Maze) -> None:
    policy = random_policy
    first, again = (rollouts(policy, small_maze, episodes=2, seed=3, horizon=HORIZON) for _ in range(2))
    assert [t.to_bytes() for t in first] == [t.to_bytes() for t in again]
    alone = rollouts(policy, small_maze, episodes=1, seed=3, horizon=HORIZON)
    assert alone[0].states == first[0].states
    same_policy = rollouts(policy, small_maze, Intervention(), episodes=2, seed=3, horizon=HORIZON, condition="x")
    assert [t.states for t in same_policy] == [t.states for t in first]
    other = rollouts(policy, small_maze, episodes=2, seed=4, horizon=HORIZON)
    assert [t.states for t in other] != [t.states for t in first]


def test_without_cheese_nothing_ends_an_episode(policy: MazePolicy, small_maze: Maze) -> None:
    (track,) = rollouts(policy, small_maze.without_cheese(), episodes=1, seed=0, horizon=40)
    assert len(track) == 40 and not track.reached_cheese


def test_bad_requests(policy: MazePolicy, small_maze: Maze) -> None:
    with pytest.raises(InputError, match="at least 1"):
        rollouts(policy, small_maze, episodes=0, seed=0)
    with pytest.raises(InputError, match="horizon"):
        rollouts(policy, small_maze, episodes=1, seed=0, horizon=1000)
