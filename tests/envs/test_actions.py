"""The action table."""

from __future__ import annotations

import numpy as np

from envs.actions import (
    ACTION_FOR_MOVE,
    ACTIONS_OF_MOVE,
    MOVE_OF_ACTION,
    N_ACTIONS,
    Facing,
    Move,
    action_to_move_matrix,
    facing_after,
)

# The horizontal and vertical part of each procgen action (procgen/env.py, get_combos).
COMBOS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0), (0, 1), (1, -1), (1, 0), (1, 1)] + [(0, 0)] * 6
MOVE_OF_COMBO = {(-1, 0): Move.LEFT, (1, 0): Move.RIGHT, (0, 1): Move.UP, (0, -1): Move.DOWN, (0, 0): Move.NOOP}


def test_each_action_is_the_move_of_its_key_combination_with_the_horizontal_part_winning() -> None:
    expected = [MOVE_OF_COMBO[(h, 0 if h else v)] for h, v in COMBOS]
    assert list(MOVE_OF_ACTION) == expected
    assert sorted(a for actions in ACTIONS_OF_MOVE.values() for a in actions) == list(range(N_ACTIONS))
    assert all(MOVE_OF_ACTION[action] is move for move, action in ACTION_FOR_MOVE.items())


def test_matrix_sums_the_actions_of_each_move() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(N_ACTIONS))
    moved = p @ action_to_move_matrix()
    for move in Move:
        assert np.isclose(moved[move], sum(p[a] for a in range(N_ACTIONS) if MOVE_OF_ACTION[a] is move))


def test_only_horizontal_attempts_turn_the_mouse() -> None:
    for facing in Facing:
        assert facing_after(facing, Move.LEFT) is Facing.LEFT
        assert facing_after(facing, Move.RIGHT) is Facing.RIGHT
        for move in (Move.UP, Move.DOWN, Move.NOOP):
            assert facing_after(facing, move) is facing
