"""The dynamics of the maze: ``(cell, facing) x move -> (cell, facing)``.

One cell a move; a move into a wall stays in place; a horizontal attempt turns the sprite even
when a wall blocks it (``BasicAbstractGame::set_action_xy`` and ``MazeGame::game_step`` in
procgen 0.10.7). The test drives real procgen at random and compares states and frames.
"""

from __future__ import annotations

import functools

import numpy as np

from envs.actions import N_MOVES, STEP_OF_MOVE, Facing, Move, facing_after
from envs.maze import Maze, State


def step(maze: Maze, state: State, move: Move) -> State:
    """Return the state after ``move``. Reaching the cheese ends the episode: that is the chain's matter."""
    dx, dy = STEP_OF_MOVE[move]
    target = (state.cell[0] + dx, state.cell[1] + dy)
    cell = target if maze.is_free(target) else state.cell
    return State(cell, facing_after(state.facing, move))


@functools.lru_cache(maxsize=8)
def transition_table(maze: Maze) -> np.ndarray:
    """Return the state after each move from each state.

    Args:
        maze: the maze; its cheese plays no part, since the end of an episode is the chain's matter.

    Returns:
        Indices into ``maze.states``, ``int64[n_states, 5]``, read-only; columns in the order of :class:`Move`.

    Example:
        >>> maze = Maze.from_ascii("C..\\n.##\\nM..")
        >>> start = maze.state_index(maze.mouse, maze.facing)
        >>> maze.states[transition_table(maze)[start, Move.UP]].cell
        (0, 1)

    Source: ``BasicAbstractGame::set_action_xy`` and ``MazeGame::game_step`` of procgen 0.10.7.
    """
    moves_to = np.empty((len(maze.cells), N_MOVES), dtype=np.int64)
    for move in Move:
        dx, dy = STEP_OF_MOVE[move]
        for i, (x, y) in enumerate(maze.cells):
            moves_to[i, move] = maze.index.get((x + dx, y + dy), i)
    table = np.empty((2 * len(maze.cells), N_MOVES), dtype=np.int64)
    for facing in Facing:
        for move in Move:
            table[int(facing) :: 2, move] = 2 * moves_to[:, move] + int(facing_after(facing, move))
    table.setflags(write=False)
    return table
