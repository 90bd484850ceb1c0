"""Frames to learn from and to ask about: states drawn, their labels, folds that keep a maze together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, batches, move_probabilities, to_input
from envs.actions import MOVE_OF_STEP
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from envs.simulator.state_layout import WALL
from steering.experiments.levels import skip_reason
from steering.interventions.hooks import HookedPolicy
from steering.probes.score_records import MOVES
from steering.statistics.seeding import generator

FOLDS = 5
REACH = 3  # cells around the mouse that are kept


@dataclass(frozen=True)
class ProbeData:
    """Frames and what probes are asked about them, ``n`` in all. Cells are those of procgen's whole grid, (x, y)."""

    frames: np.ndarray
    """``uint8[n, 64, 64, 3]``: the pictures."""
    maze: np.ndarray
    """``int[n]``: which maze, counted from 0."""
    fold: np.ndarray
    """``int[n]``: the fold that the maze belongs to, 0 to ``FOLDS`` - 1."""
    cheese: np.ndarray
    """``int[n, 2]``: the cheese's cell."""
    moves: Mapping[str, np.ndarray]
    """``int[n]`` each, by :data:`MOVES`: next shortest-path move to the cheese and to the top-right corner, and the
    policy's own most likely move."""
    mouse: np.ndarray
    """``int[n, 2]``: the mouse's cell."""
    corner: np.ndarray
    """``int[n, 2]``: the cell of the top-right corner."""
    around: np.ndarray
    """``bool[n, 7, 7]``: which cells are open up to ``REACH`` rows and columns from the mouse, ``[row, column]`` from
    the lower left."""
    world: int
    """Side of the grid, in cells."""

    def per_maze(self, values: np.ndarray) -> np.ndarray:
        """Return sums ``float[n_mazes, ...]`` of what is given per frame, ``[n, ...]``."""
        sums = np.zeros((self.maze.max() + 1, *values.shape[1:]))
        np.add.at(sums, self.maze, values)
        return sums


def drawn_states(maze: Maze, count: int, seed: int) -> list[State]:
    """Return ``count`` states (all, if there are fewer), off cheese and corner, drawn by (seed, level)."""
    states = [state for state in maze.states if state.cell not in (maze.cheese, maze.corner)]
    order = generator(seed, maze.level or 0, "probe states", 0).permutation(len(states))
    return [states[i] for i in order[:count]]


def drawn_cheese(maze: Maze, state: State, rng: np.random.Generator) -> Maze:
    """Return ``maze`` with its cheese on a cell drawn from those with which it still qualifies for a sweep.

    Without this all frames of a level would share one cheese, and a probe would see a few hundred cheeses in all.
    """
    for index in rng.permutation(len(maze.cells)):
        cell = maze.cells[index]
        if cell not in (state.cell, maze.mouse) and skip_reason(moved := maze.with_cheese(cell)) is None:
            return moved
    return maze


def probe_data(policy: Policy, mazes: Sequence[Maze], states: int, seed: int) -> ProbeData:
    """Return frames of each maze with what is asked about them, in ``FOLDS`` folds of whole mazes.

    Args:
        policy: whose own moves are among the labels.
        mazes: each with a corner; their cheese is placed anew for every frame.
        states: frames of each maze.
        seed: of the drawing of states and cheeses.

    Raises:
        InputError: for fewer than two mazes a fold.
    """
    # Slow to import, and sweeps and their reports need only the names of this module.
    from sklearn.model_selection import GroupKFold

    if len(mazes) < 2 * FOLDS:
        raise InputError(
            f"probes need at least {2 * FOLDS} levels ({FOLDS} folds of whole mazes), found {len(mazes)}; "
            "take more with --n-levels"
        )
    frames, owner, around = [], [], []
    mouse, cheese, corner, to_cheese, to_corner = [], [], [], [], []
    for number, maze in enumerate(mazes):
        rng = generator(seed, maze.level or 0, "probe cheese", 0)
        open_ = np.pad(maze.state.grid != WALL, REACH)
        for state in drawn_states(maze, states, seed):
            shown = drawn_cheese(maze, state, rng)
            assert shown.cheese is not None
            frames.append(shown.observations([state]))
            owner.append(number)
            x, y = shown.outer([state.cell])[0]
            around.append(open_[y : y + 2 * REACH + 1, x : x + 2 * REACH + 1])
            mouse.append((x, y))
            cheese.append(shown.outer([shown.cheese])[0])
            corner.append(shown.outer([shown.corner])[0])
            to_cheese.append(_move(*shown.path(state.cell, shown.cheese)[:2]))
            to_corner.append(_move(*shown.path(state.cell, shown.corner)[:2]))
    maze_of, shown_frames = np.array(owner), np.concatenate(frames)
    fold = np.zeros(len(maze_of), dtype=int)
    for number, (_, held_out) in enumerate(GroupKFold(FOLDS).split(maze_of, groups=maze_of)):
        fold[held_out] = number
    hooked = HookedPolicy(policy.net)
    chosen = [move_probabilities(hooked.run(to_input(part))[0]).argmax(1).numpy() for part in batches(shown_frames)]
    labels = (np.array(to_cheese), np.array(to_corner), np.concatenate(chosen))
    return ProbeData(
        frames=shown_frames,
        maze=maze_of,
        fold=fold,
        cheese=np.array(cheese),
        moves=dict(zip(MOVES, labels, strict=True)),
        mouse=np.array(mouse),
        corner=np.array(corner),
        around=np.array(around),
        world=mazes[0].state.world_dim,
    )


def _move(cell: Cell, neighbour: Cell) -> int:
    return int(MOVE_OF_STEP[(neighbour[0] - cell[0], neighbour[1] - cell[1])])


def shuffled(data: ProbeData, rng: np.random.Generator) -> ProbeData:
    """Return the control: labels dealt out anew among the frames of each fold, so any set of folds keeps its own."""
    order = np.arange(len(data.fold))
    for fold in np.unique(data.fold):
        members = np.flatnonzero(data.fold == fold)
        order[members] = rng.permutation(members)
    moves = {name: labels[order] for name, labels in data.moves.items()}
    return dataclasses.replace(data, cheese=data.cheese[order], moves=moves)


def activations(policy: Policy, frames: np.ndarray, site: str) -> Tensor:
    """Return activations ``float32[n, *site]`` of frames ``uint8[n, 64, 64, 3]``."""
    hooked = HookedPolicy(policy.net)
    parts = [hooked.run(to_input(part), capture=[site])[2][site].contiguous() for part in batches(frames)]
    return torch.cat(parts)
