"""The training environments: real procgen, stepped, reset and looked at."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.actions import ACTION_FOR_MOVE, Facing, Move
from envs.errors import InputError
from envs.maze import Maze, State
from envs.simulator import procgen_env, state_bytes
from envs.training.levels import EVAL_LEVELS, TRAIN_LEVELS
from envs.training.single_env import MazeEnv
from envs.training.slots import check_levels
from envs.training.vec_env import MazeVecEnv, make_vec_env


def towards_cheese(maze: Maze, state: State) -> int:
    """The action of the next step on the shortest path to the cheese."""
    assert maze.cheese is not None
    _, move = maze.walk(maze.path(state.cell, maze.cheese)[:2])[0]
    return ACTION_FOR_MOVE[move]


def rendered(env: MazeVecEnv) -> np.ndarray:
    """Return procgen's frame for each followed (maze, cell, facing)."""
    pairs = zip(env.mazes, env.states, strict=True)
    return procgen_env.observe_many([(m.state, m.outer([s.cell]), np.array([s.facing])) for m, s in pairs])


def walk_procgen(maze: Maze, actions: list[int], **fields: int) -> np.ndarray:
    """The last frame of procgen itself stepped from ``maze`` with ``fields`` of its state edited."""
    state = dataclasses.replace(maze.state, values={**maze.state.values, **fields})
    env = procgen_env.gym3_env(1, maze.mode, start_level=0, num_levels=1, rand_seed=0)
    env.callmethod("set_state", [state_bytes.encode(state)])
    for action in actions:
        env.act(np.array([action]))
        _, observations, first = env.observe()
        assert not first[0]
    frame = observations["rgb"][0].copy()
    env.close()
    return frame


def test_frames_are_those_of_the_followed_states_across_automatic_resets() -> None:
    env = MazeVecEnv(6, region=4, seed=3)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(env.reset(), rendered(env))
    resets = 0
    for _ in range(120):
        goal = [towards_cheese(m, s) for m, s in zip(env.mazes, env.states, strict=True)]
        actions = np.where(rng.random(6) < 0.6, goal, rng.integers(15, size=6))
        frames, _, dones, _ = env.step(actions)
        resets += int(dones.sum())
        np.testing.assert_array_equal(frames, rendered(env))
    assert resets >= 5
    env.close()


@pytest.mark.parametrize("region", [1, 5, None])
def test_the_cheese_rule_holds_in_every_episode(region: int | None) -> None:
    env = MazeVecEnv(4, region=region, levels=(1_000_000, 1_000_500), mode="easy", seed=1)
    env.reset()
    seen = {id(m): m for m in env.mazes}
    for _ in range(150):
        env.step(np.array([towards_cheese(m, s) for m, s in zip(env.mazes, env.states, strict=True)]))
        seen |= {id(m): m for m in env.mazes}
        if len(seen) > 40:
            break
    env.close()
    assert len(seen) > 20
    for maze in seen.values():
        assert maze.level is not None and 1_000_000 <= maze.level < 1_000_500
        assert maze.mouse == (0, 0)
        assert maze.cheese in (maze.cells if region is None else maze.region(region))
    assert len({m.level for m in seen.values()}) > 15
    outside = [m for m in seen.values() if m.cheese not in m.region(5)]
    assert bool(outside) == (region is None)


def test_reaching_the_cheese_ends_the_episode_with_procgens_own_last_frame() -> None:
    env = make_vec_env(1, region=5, seed=11)
    env.reset()
    inner = env.venv
    assert isinstance(inner, MazeVecEnv)
    for _ in range(3):
        maze = inner.mazes[0]
        assert maze.cheese is not None
        actions: list[int] = []
        done = False
        while not done:
            actions.append(towards_cheese(maze, inner.states[0]))
            frames, rewards, dones, infos = env.step(np.array(actions[-1:]))
            done = bool(dones[0])
        assert rewards[0] == 10
        assert infos[0]["episode"]["r"] == 10
        assert infos[0]["episode"]["l"] == len(actions) == len(maze.path(maze.mouse, maze.cheese)) - 1
        assert infos[0]["is_success"] and not infos[0]["TimeLimit.truncated"]
        assert infos[0]["level"] == maze.level
        # The game removes the eaten cheese before the episode ends, so procgen's last frame is
        # that of the same walk in the same level without cheese.
        np.testing.assert_array_equal(infos[0]["terminal_observation"], walk_procgen(maze.without_cheese(), actions))
        np.testing.assert_array_equal(frames, inner.mazes[0].observations([State((0, 0), Facing.LEFT)]))
    env.close()


def test_time_runs_out_at_step_500_whatever_the_other_slots_do() -> None:
    env = MazeVecEnv(2, region=1, seed=5)
    rng = np.random.default_rng(2)
    env.reset()
    maze = env.mazes[1]
    actions: list[int] = []
    resets = 0
    for step in range(1, 501):
        # Along the bottom row only: the cheese is in the top-right corner.
        actions.append(int(rng.choice([0, 1, 4, 7, 8])))
        _, rewards, dones, infos = env.step(np.array([towards_cheese(env.mazes[0], env.states[0]), actions[-1]]))
        resets += int(dones[0])
        assert bool(dones[1]) == (step == 500)
    assert resets > 5
    assert rewards[1] == 0 and infos[1]["TimeLimit.truncated"] and not infos[1]["is_success"]
    # Procgen itself, given a longer time, shows the frame that the time-out hides.
    np.testing.assert_array_equal(infos[1]["terminal_observation"], walk_procgen(maze, actions, timeout=600))
    env.close()


def test_same_seed_and_actions_give_the_same_observations() -> None:
    def play(env: MazeVecEnv) -> tuple[list[np.ndarray], list[int | None]]:
        rng = np.random.default_rng(9)
        frames = [np.array(env.reset())]
        for _ in range(60):
            goal = [towards_cheese(m, s) for m, s in zip(env.mazes, env.states, strict=True)]
            frames.append(np.array(env.step(np.where(rng.random(3) < 0.8, goal, 4))[0]))
        return frames, [m.level for m in env.mazes]

    env = MazeVecEnv(3, region=5, seed=21)
    first, levels = play(env)
    twin = MazeVecEnv(3, region=5, seed=21)
    np.testing.assert_array_equal(first, play(twin)[0])
    env.seed(21)
    again, again_levels = play(env)
    np.testing.assert_array_equal(first, again)
    assert again_levels == levels
    env.seed(22)
    assert play(env)[1] != levels
    for each in (env, twin):
        each.close()
        each.close()


def test_training_and_evaluation_levels_are_kept_apart() -> None:
    assert check_levels(TRAIN_LEVELS) == TRAIN_LEVELS and check_levels(EVAL_LEVELS) == EVAL_LEVELS
    for bad in ((0, 2_000_000), (99_999, 1_000_001), (500_000, 600_000), (-5, 5), (1_000_000, 2**31 + 5)):
        with pytest.raises(InputError, match="inside one of them"):
            MazeVecEnv(1, levels=bad)
    with pytest.raises(InputError, match="empty"):
        check_levels((7, 7))


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="region 0"):
        MazeVecEnv(1, region=0)
    with pytest.raises(InputError, match="number of environments"):
        MazeVecEnv(0)
    with pytest.raises(InputError, match="'memory'"):
        MazeVecEnv(1, mode="memory")
    env = MazeVecEnv(1)
    env.reset()
    for action in (-1, 15):
        with pytest.raises(InputError, match="actions must be 0 to 14"):
            env.step(np.array([action]))
    env.close()


def test_the_registered_environment_passes_gymnasiums_checker() -> None:
    env = gymnasium.make("envs.register:mazesteer/Maze-v0", region=5, render_mode="rgb_array")
    check_env(env.unwrapped)
    assert isinstance(env.unwrapped, MazeEnv)
    _, info = env.reset(seed=4, options={"level": 1_000_007})
    assert info["level"] == 1_000_007
    assert env.reset(seed=4)[1]["level"] == env.reset(seed=4)[1]["level"] != env.reset()[1]["level"]
    large = env.render()
    assert isinstance(large, np.ndarray) and large.shape == (512, 512, 3)
    env.close()


def test_a_single_episode_ends_and_must_be_reset() -> None:
    env = MazeEnv(region=1, mode="easy")
    with pytest.raises(InputError, match="call reset"):
        env.step(4)
    env.reset(seed=0, options={"level": 1_000_001})
    maze = Maze.from_level(1_000_001, "easy")
    maze = maze.with_cheese(maze.corner)
    moves = [move for _, move in maze.walk(maze.path(maze.mouse, maze.corner))]
    for move in moves:
        frame, reward, terminated, truncated, _ = env.step(ACTION_FOR_MOVE[move])
    assert (reward, terminated, truncated) == (10.0, True, False)
    assert moves[0] in Move
    np.testing.assert_array_equal(frame, maze.without_cheese().observations([maze.arrival(maze.corner)])[0])
    with pytest.raises(InputError, match="call reset"):
        env.step(4)
    with pytest.raises(InputError, match="unknown option 'lvl'"):
        env.reset(options={"lvl": 3})
    env.close()


def test_gyms_notice_is_silenced_and_its_procgen_steps() -> None:
    code = (
        "import envs.training.single_env as v; env = v.make_gym(start_level=0, num_levels=1);"
        "assert env.reset().shape == (64, 64, 3); frame, reward, done, info = env.step(7);"
        "assert frame.shape == (64, 64, 3) and not done"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "unmaintained" not in found.stderr and "Gymnasium" not in found.stderr
