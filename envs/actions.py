"""The 15 actions of procgen and the 5 moves they amount to in the maze.

Procgen's action is a pair (horizontal, vertical); in the maze the horizontal part wins
(``MazeGame::set_action_xy`` in procgen's ``games/maze.cpp`` zeroes the vertical speed when the
horizontal one is set), so every diagonal is a horizontal move. The actions 9 to 14 are special
actions of other games and do nothing here.
"""

from __future__ import annotations

import enum

import numpy as np

N_ACTIONS = 15


class Move(enum.IntEnum):
    """A move of the mouse; the value is the index used in every probability array.

    Example:
        >>> Move.UP, Move.UP.label, int(Move.UP)
        (<Move.UP: 2>, 'up', 2)
    """

    LEFT = 0
    RIGHT = 1
    UP = 2
    DOWN = 3
    NOOP = 4

    @property
    def label(self) -> str:
        """Return the lower-case name used in JSON and reports."""
        return self.name.lower()


class Facing(enum.IntEnum):
    """Direction in which the sprite looks; equals procgen's ``is_reflected`` of the agent.

    Example:
        >>> Maze.from_level(26).facing.label, [facing.label for facing in Facing]
        ('left', ['left', 'right'])
    """

    LEFT = 0
    RIGHT = 1

    @property
    def label(self) -> str:
        """Return the lower-case name used in JSON and reports."""
        return self.name.lower()


N_MOVES = len(Move)
ACTIONS_OF_MOVE: dict[Move, tuple[int, ...]] = {
    Move.LEFT: (0, 1, 2),
    Move.RIGHT: (6, 7, 8),
    Move.UP: (5,),
    Move.DOWN: (3,),
    Move.NOOP: (4, 9, 10, 11, 12, 13, 14),
}
ACTION_FOR_MOVE: dict[Move, int] = {
    Move.LEFT: 1,
    Move.RIGHT: 7,
    Move.UP: 5,
    Move.DOWN: 3,
    Move.NOOP: 4,
}
STEP_OF_MOVE: dict[Move, tuple[int, int]] = {
    Move.LEFT: (-1, 0),
    Move.RIGHT: (1, 0),
    Move.UP: (0, 1),
    Move.DOWN: (0, -1),
    Move.NOOP: (0, 0),
}
MOVE_OF_STEP: dict[tuple[int, int], Move] = {step: move for move, step in STEP_OF_MOVE.items()}
MOVE_OF_ACTION: tuple[Move, ...] = tuple(
    next(move for move, actions in ACTIONS_OF_MOVE.items() if action in actions) for action in range(N_ACTIONS)
)


def action_to_move_matrix() -> np.ndarray:
    """Return ``float32[15, 5]``: multiply action probabilities by it to get move probabilities."""
    matrix = np.zeros((N_ACTIONS, N_MOVES), dtype=np.float32)
    for action, move in enumerate(MOVE_OF_ACTION):
        matrix[action, move] = 1.0
    return matrix


def facing_after(facing: Facing, move: Move) -> Facing:
    """Return the facing once ``move`` has been attempted, even into a wall."""
    if move == Move.LEFT:
        return Facing.LEFT
    if move == Move.RIGHT:
        return Facing.RIGHT
    return facing
