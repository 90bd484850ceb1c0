"""Real rollouts against the exact chain; records; common random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from agents.policy import MazePolicy
from envs import chain
from envs.dynamics import step
from envs.errors import InputError
from envs.maze import Maze
from steering.evaluate import LevelEvaluator
from steering.interventions import Intervention, subtract
from steering.rollouts import rollouts
from steering.vectors import cheese_vector

EPISODES = 256
HORIZON = 24
# Small mazes with a decision square and cheese outside the top-right 5x5, on some of which any agent hesitates.
LEVELS = (238, 83, 230, 270, 95, 307, 152, 206, 92, 199, 256, 269, 26, 193)


def _flattened(policy: MazePolicy, maze: Maze) -> Intervention:
    """An intervention that leaves outcomes undecided, so that agreement means something."""
    return subtract(cheese_vector(policy, maze, "embedder.block3.res1.resadd"), 1.0)


def _disagreement(policy: MazePolicy, maze: Maze, edit: Intervention, horizon: int) -> float:
    """Largest distance of rollouts from the exact chain over four outcomes, in standard errors.

    The standard error is the exact outcome's own, not less than that of one episode in all.
    """
    exact = LevelEvaluator(policy, maze, horizon).outcomes([edit])[0]
    tracks = rollouts(policy, maze, edit, episodes=EPISODES, seed=5, horizon=horizon)
    region = maze.region(chain.REGION)
    found = {
        "p_cheese": [t.reached_cheese for t in tracks],
        "p_corner": [any(s.cell == maze.corner for s in t.states) for t in tracks],
        "p_region": [any(s.cell in region for s in t.states) for t in tracks],
    }
    steps = np.array([len(t) for t in tracks])
    apart = [abs(steps.mean() - exact.expected_steps) / (max(steps.std(), 1.0) / np.sqrt(EPISODES))]
    for name, hits in found.items():
        p = getattr(exact, name)
        apart.append(abs(np.mean(hits) - p) / np.sqrt(max(p * (1 - p), 1 / EPISODES) / EPISODES))
    return max(apart)


@pytest.fixture(scope="module")
def undecided(policy: MazePolicy) -> tuple[Maze, int]:
    """First level and horizon at which P(cheese) and P(region) are both open, each in some arm."""
    for level in LEVELS:
        maze = Maze.from_level(level)
        fields = LevelEvaluator(policy, maze).fields([Intervention(), _flattened(policy, maze)])
        for horizon in (HORIZON, HORIZON // 2, 2 * HORIZON):
            arms = [chain.statistics(maze, field.probabilities, horizon) for field in fields]
            if all(any(0.05 < getattr(a, name) < 0.95 for a in arms) for name in ("p_cheese", "p_region")):
                return maze, horizon
    pytest.fail("on none of these levels is the shipped policy undecided; name others")


@pytest.mark.parametrize("which", ["clean", "steered", "random"])
def test_rollouts_agree_with_the_exact_outcome(
    policy: MazePolicy, random_policy: MazePolicy, small_maze: Maze, undecided: tuple[Maze, int], which: str
) -> None:
    """Within four standard errors of a mean of 256, on a maze of our own and on a level where p is not 0 or 1."""
    used = random_policy if which == "random" else policy
    for maze, horizon in ((small_maze, HORIZON), undecided):
        edit = _flattened(used, maze) if which == "steered" else Intervention()
        assert _disagreement(used, maze, edit, horizon) <= 4, (which, maze.level)


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


def test_the_longest_episode_is_the_one_procgen_ends(random_policy: MazePolicy, small_maze: Maze) -> None:
    """Move 500 is recorded though procgen has gone on to another level by then."""
    maze, longest = small_maze.without_cheese(), chain.MAX_HORIZON
    (track,) = rollouts(random_policy, maze, episodes=1, seed=0, horizon=longest)
    assert (len(track), len(track.states), track.reached_cheese) == (longest, longest + 1, False)
    assert track.states[-1] == step(maze, track.states[-2], track.moves[-1])
    (shorter,) = rollouts(random_policy, maze, episodes=1, seed=0, horizon=longest - 1)
    assert shorter.states == track.states[:-1]
    exact = LevelEvaluator(random_policy, maze, longest).clean_outcome()
    assert exact.expected_steps == pytest.approx(longest)


def test_bad_requests(policy: MazePolicy, small_maze: Maze) -> None:
    with pytest.raises(InputError, match="at least 1"):
        rollouts(policy, small_maze, episodes=0, seed=0)
    with pytest.raises(InputError, match="horizon"):
        rollouts(policy, small_maze, episodes=1, seed=0, horizon=1000)
