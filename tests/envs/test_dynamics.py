"""The transition table against procgen itself, step by step and frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from envs.actions import ACTION_FOR_MOVE, MOVE_OF_ACTION, N_ACTIONS, Facing, Move
from envs.dynamics import step, transition_table
from envs.maze import Maze, State
from envs.simulator import procgen_env, state_bytes

LEVELS = 24
STEPS = 60


def held(data: bytes) -> tuple[int, State]:
    """Level and (cell, facing) of the state that procgen holds."""
    state = state_bytes.decode(data)
    x, y = state.mouse
    return state.integer("current_level_seed"), State((x - state.margin, y - state.margin), state.facing)


@pytest.mark.parametrize(("mode", "levels", "steps"), [("hard", LEVELS, STEPS), ("easy", 20, 40)])
def test_random_actions_in_procgen_follow_the_table(mode: str, levels: int, steps: int) -> None:
    mazes = Maze.from_levels(range(levels), mode)
    tables = [transition_table(maze) for maze in mazes]
    env = procgen_env.gym3_env(levels, mode, start_level=0, num_levels=1, rand_seed=3)
    env.callmethod("set_state", [state_bytes.encode(maze.state) for maze in mazes])
    rng = np.random.default_rng(11)
    now = [State(maze.mouse, maze.facing) for maze in mazes]
    visited: list[list[State]] = [[] for _ in mazes]
    shown: list[list[np.ndarray]] = [[] for _ in mazes]
    tried = np.zeros((N_ACTIONS, 2), dtype=int)  # stayed on the cell, left it
    ends = 0
    for _ in range(steps):
        actions = rng.integers(N_ACTIONS, size=levels).astype(np.int32)
        for i, maze in enumerate(mazes):
            # A third of the levels drift towards the cheese, so that episodes end.
            if i % 3 == 0 and rng.random() < 0.7:
                assert maze.cheese is not None
                move = maze.walk(maze.path(now[i].cell, maze.cheese)[:2])[0][1]
                actions[i] = ACTION_FOR_MOVE[move]
        env.act(actions)
        rewards, observations, first = env.observe()
        frames = observations["rgb"]
        for i, (maze, data) in enumerate(zip(mazes, env.callmethod("get_state"), strict=True)):
            move = MOVE_OF_ACTION[actions[i]]
            expected = maze.states[tables[i][maze.state_index(*now[i]), move]]
            assert expected == step(maze, now[i], move)
            tried[actions[i], int(expected.cell != now[i].cell)] += 1
            ended = expected.cell == maze.cheese
            assert (bool(first[i]), rewards[i]) == (ended, 10.0 if ended else 0.0)
            # The states draw their next level from their own seed alone: an end starts it anew.
            now[i] = State(maze.mouse, maze.facing) if ended else expected
            ends += ended
            assert held(data) == (maze.level, now[i])
            visited[i].append(now[i])
            shown[i].append(frames[i].copy())
    env.close()
    for maze, states, frames in zip(mazes, visited, shown, strict=True):
        np.testing.assert_array_equal(maze.observations(states), np.stack(frames))
    moving = [a for a in range(N_ACTIONS) if MOVE_OF_ACTION[a] is not Move.NOOP]
    assert ends >= 5 and (tried.sum(axis=1) > 0).all() and (tried[moving] > 0).all()


def test_table_by_hand() -> None:
    """Corner of a corridor: cells (0, 0), (0, 1), (0, 2), (1, 2), (2, 2)."""
    maze = Maze.from_ascii("..C\n.##\nM##")
    table = transition_table(maze)
    assert table.shape == (10, 5)

    def after(cell: tuple[int, int], facing: Facing, move: Move) -> State:
        return maze.states[table[maze.state_index(cell, facing), move]]

    assert after((0, 0), Facing.LEFT, Move.UP) == State((0, 1), Facing.LEFT)
    assert after((0, 0), Facing.RIGHT, Move.UP) == State((0, 1), Facing.RIGHT)
    assert after((0, 0), Facing.LEFT, Move.RIGHT) == State((0, 0), Facing.RIGHT)  # blocked, yet turned
    assert after((0, 0), Facing.RIGHT, Move.LEFT) == State((0, 0), Facing.LEFT)
    assert after((0, 0), Facing.RIGHT, Move.DOWN) == State((0, 0), Facing.RIGHT)
    assert after((0, 2), Facing.LEFT, Move.RIGHT) == State((1, 2), Facing.RIGHT)
    assert after((1, 2), Facing.RIGHT, Move.LEFT) == State((0, 2), Facing.LEFT)
    assert after((1, 2), Facing.RIGHT, Move.NOOP) == State((1, 2), Facing.RIGHT)
    assert after((2, 2), Facing.RIGHT, Move.RIGHT) == State((2, 2), Facing.RIGHT)


def test_table_agrees_with_single_steps_everywhere() -> None:
    for maze in Maze.from_levels(range(100, 106)):
        table = transition_table(maze)
        for i, state in enumerate(maze.states):
            assert [maze.states[j] for j in table[i]] == [step(maze, state, move) for move in Move]
