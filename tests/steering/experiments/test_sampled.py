"""Real rollouts against the exact chain; records and their replay; common random numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs import chain
from envs.actions import STEP_OF_MOVE, Move
from envs.dynamics import step
from envs.errors import InputError
from envs.maze import Maze, State
from envs.recording import recorded_maze, replay
from envs.trajectory import Trajectory
from steering.experiments.exact import LevelEvaluator
from steering.experiments.sampled import rollouts
from steering.interventions.edits import Intervention, subtract
from steering.interventions.vectors import cheese_vector

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


def test_where_two_policies_agree_on_a_state_they_make_the_same_move(
    random_policy: MazePolicy, small_maze: Maze
) -> None:
    """The draw behind move t is the same in every condition, so a difference is due to the distributions alone."""
    edit = subtract(cheese_vector(random_policy, small_maze, "embedder.block3.res1.resadd"), 1e3)
    options: dict[str, int] = {"episodes": 16, "seed": 2, "horizon": HORIZON}
    clean = rollouts(random_policy, small_maze, **options)
    steered = rollouts(random_policy, small_maze, edit, condition="steered", **options)
    pairs = list(zip(clean, steered, strict=True))
    assert any(a.states != b.states for a, b in pairs), "the edit changes something"
    for a, b in pairs:
        for t, (p, q) in enumerate(zip(a.probabilities, b.probabilities, strict=False)):
            # One number decides both moves: there must be one that lies in the interval of each.
            (low_a, high_a), (low_b, high_b) = _interval(p, a.moves[t]), _interval(q, b.moves[t])
            assert max(low_a, low_b) < min(high_a, high_b) + 1e-6
            if np.allclose(p, q, atol=1e-9):
                assert a.moves[t] == b.moves[t]
    nothing = subtract(cheese_vector(random_policy, small_maze, "embedder.block3.res1.resadd"), 0.0)
    same = rollouts(random_policy, small_maze, nothing, condition="coefficient 0", **options)
    assert [track.moves for track in same] == [track.moves for track in clean]


def _interval(p: np.ndarray, move: Move) -> tuple[float, float]:
    """Which numbers in 0..1 give this move."""
    return float(p[:move].sum()), float(p[: move + 1].sum())


def recorded(policy: MazePolicy, maze: Maze, tmp_path: Path, horizon: int = HORIZON) -> Trajectory:
    (track,) = rollouts(policy, maze, episodes=1, seed=0, horizon=horizon)
    path = tmp_path / "r.npz"
    path.write_bytes(track.to_bytes())
    return Trajectory.load(path)


def in_plain_shapes(maze: Maze) -> Maze:
    """The same level as procgen draws it with ``use_monochrome_assets``."""
    values = {**maze.state.values, "use_monochrome_assets": 1, "use_backgrounds": 0}
    return Maze.from_state(dataclasses.replace(maze.state, values=values), level=maze.level)


def test_a_record_says_what_its_maze_is_and_is_replayed_in_it(
    policy: MazePolicy, random_policy: MazePolicy, small_maze: Maze, tmp_path: Path
) -> None:
    level = Maze.from_level(3, "easy")
    moved = level.with_cheese(next(cell for cell in reversed(level.cells) if cell not in (level.cheese, level.mouse)))
    for used, maze in [
        (policy, small_maze),
        (random_policy, small_maze.without_cheese()),
        (policy, moved),
        (policy, Maze.from_level(2).without_cheese()),
        (policy, Maze.from_level(3).with_corner_path().without_cheese()),  # not as procgen makes it
        (policy, in_plain_shapes(level)),
    ]:
        track = recorded(used, maze, tmp_path)
        assert recorded_maze(track) == maze
        assert replay(track) == maze


def test_the_longest_episode_is_replayed_to_its_end(
    random_policy: MazePolicy, small_maze: Maze, tmp_path: Path
) -> None:
    track = recorded(random_policy, small_maze.without_cheese(), tmp_path, chain.MAX_HORIZON)
    assert len(track) == chain.MAX_HORIZON and replay(track)


def test_a_record_of_an_earlier_version_is_replayed(policy: MazePolicy, tmp_path: Path) -> None:
    for maze, condition in ((Maze.from_level(0), "clean"), (Maze.from_level(0).without_cheese(), "no_cheese")):
        track = recorded(policy, maze, tmp_path)
        older = dataclasses.replace(track, info={"level": 0, "condition": condition, "seed": 0})
        assert replay(older) == maze


def test_a_record_that_procgen_does_not_follow_is_refused(policy: MazePolicy, small_maze: Maze, tmp_path: Path) -> None:
    track = recorded(policy, small_maze, tmp_path)
    assert track.reached_cheese
    other = dataclasses.replace(track, info=recorded(policy, Maze.from_level(0), tmp_path).info)
    bare = recorded(policy, small_maze.without_cheese(), tmp_path).info
    blocked = [
        (t, m) for t, s in enumerate(track.states[:-1]) for m in list(Move)[:4] if step(small_maze, s, m).cell == s.cell
    ]
    t, move = blocked[0]
    for wrong, says in [
        (other, "after move 1 |it starts at"),
        (dataclasses.replace(track, info={**track.info, **bare}), "says it .* the cheese, procgen the opp"),
        (dataclasses.replace(track, reached_cheese=False), "says it did not reach the cheese"),
        (_through_a_wall(small_maze, t, move, track), f"after move {t + 1} .*procgen is at"),
        (_cut(track, 0), "no moves"),
        (dataclasses.replace(track, info={}), "no maze can be made"),
        (dataclasses.replace(track, info={"level": None, "state": "!"}), "no maze can be made"),
    ]:
        with pytest.raises(InputError, match=says) as caught:
            replay(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"got `int` - at `\$\.cheese`"):
        dataclasses.replace(track, info={"level": 0, "cheese": 3})
    on = dataclasses.replace(
        track,
        states=(*track.states, track.states[-1]),
        moves=(*track.moves, Move.NOOP),
        probabilities=np.vstack([track.probabilities, track.probabilities[-1:]]),
    )
    with pytest.raises(InputError, match="procgen ends the episode after move"):
        replay(on)


def _cut(track: Trajectory, length: int) -> Trajectory:
    return dataclasses.replace(
        track,
        states=track.states[: length + 1],
        moves=track.moves[:length],
        probabilities=track.probabilities[:length],
        reached_cheese=False,
    )


def _through_a_wall(maze: Maze, t: int, move: Move, track: Trajectory) -> Trajectory:
    """The record up to step ``t``, then one that passes a wall as if there were none."""
    x, y = track.states[t].cell
    dx, dy = STEP_OF_MOVE[move]
    ghost = State((x + dx, y + dy), step(maze, track.states[t], move).facing)
    start = _cut(track, t)
    return dataclasses.replace(
        start,
        states=(*start.states, ghost),
        moves=(*start.moves, move),
        probabilities=np.vstack([start.probabilities, track.probabilities[:1]]),
    )


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
