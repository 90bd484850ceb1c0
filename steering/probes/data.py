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
from steering.statistics.seeding import generator

FOLDS = 5
MOVES = ("cheese", "corner", "policy")  # whose next move
REACH = 3  # cells around the mouse that are kept


@dataclass(frozen=True)
class ProbeData:
    """Frames and what probes are asked about them, ``n`` in all.

    ``frames``: ``uint8[n, 64, 64, 3]``; ``maze``, ``fold``: ``int[n]``, which maze, and the fold it belongs to;
    ``cheese``: ``int[n, 2]`` cells of procgen's whole grid; ``moves``: ``int[n]`` each, next shortest-path move to
    the cheese and to the top-right corner, and the policy's own most likely move; ``mouse``, ``corner``: ``int[n, 2]``
    cells like ``cheese``; ``around``: ``bool[n, 7, 7]``, which cells are open up to ``REACH`` rows and columns from the
    mouse, ``[row, column]`` from the lower left; ``world``: the grid's side.
    """

    frames: np.ndarray
    maze: np.ndarray
    fold: np.ndarray
    cheese: np.ndarray
    moves: Mapping[str, np.ndarray]
    mouse: np.ndarray
    corner: np.ndarray
    around: np.ndarray
    world: int

    def per_maze(self, values: np.ndarray) -> np.ndarray:
        """Sums ``float[n_mazes, ...]`` of what is given per frame, ``[n, ...]``."""
        sums = np.zeros((self.maze.max() + 1, *values.shape[1:]))
        np.add.at(sums, self.maze, values)
        return sums


def drawn_states(maze: Maze, count: int, seed: int) -> list[State]:
    """``count`` states (all, if there are fewer), off the cheese and the corner, as (seed, level) say."""
    states = [state for state in maze.states if state.cell not in (maze.cheese, maze.corner)]
    order = generator(seed, maze.level or 0, "probe states", 0).permutation(len(states))
    return [states[i] for i in order[:count]]


def drawn_cheese(maze: Maze, state: State, rng: np.random.Generator) -> Maze:
    """``maze`` with its cheese on a cell drawn from those with which it still qualifies for a sweep.

    Without this all frames of a level would share one cheese, and a probe would see a few hundred cheeses in all.
    """
    for index in rng.permutation(len(maze.cells)):
        cell = maze.cells[index]
        if cell not in (state.cell, maze.mouse) and not skip_reason(moved := maze.with_cheese(cell)):
            return moved
    return maze


def probe_data(policy: Policy, mazes: Sequence[Maze], states: int, seed: int) -> ProbeData:
    """``states`` frames of each maze, in ``FOLDS`` folds of whole mazes.

    Raises :class:`InputError` for fewer than two mazes a fold.
    """
    # Slow to import, and sweeps and their reports need only the names of this module.
    from sklearn.model_selection import GroupKFold

    if len(mazes) < 2 * FOLDS:
        raise InputError(
            f"probes need at least {2 * FOLDS} levels ({FOLDS} folds of whole mazes), found {len(mazes)}; "
            "take more with --n-levels"
        )
    frames, owner, around = [], [], []
    cells: dict[str, list[np.ndarray]] = {"mouse": [], "cheese": [], "corner": []}
    moves: dict[str, list[int]] = {"cheese": [], "corner": []}
    for number, maze in enumerate(mazes):
        rng = generator(seed, maze.level or 0, "probe cheese", 0)
        open_ = np.pad(maze.state.grid != WALL, REACH)
        for state in drawn_states(maze, states, seed):
            shown = drawn_cheese(maze, state, rng)
            assert shown.cheese is not None
            frames.append(shown.observations([state]))
            owner.append(number)
            for name, cell in (("mouse", state.cell), ("cheese", shown.cheese), ("corner", shown.corner)):
                cells[name].append(shown.outer([cell])[0])
            x, y = cells["mouse"][-1]
            around.append(open_[y : y + 2 * REACH + 1, x : x + 2 * REACH + 1])
            for name, goal in (("cheese", shown.cheese), ("corner", shown.corner)):
                moves[name].append(_move(*shown.path(state.cell, goal)[:2]))
    maze_of, shown_frames = np.array(owner), np.concatenate(frames)
    fold = np.zeros(len(maze_of), dtype=int)
    for number, (_, held_out) in enumerate(GroupKFold(FOLDS).split(maze_of, groups=maze_of)):
        fold[held_out] = number
    hooked = HookedPolicy(policy.net)
    chosen = [move_probabilities(hooked.run(to_input(part))[0]).argmax(1).numpy() for part in batches(shown_frames)]
    labels = {
        "cheese": np.array(moves["cheese"]),
        "corner": np.array(moves["corner"]),
        "policy": np.concatenate(chosen),
    }
    mouse, cheese, corner = (np.array(cells[name]) for name in ("mouse", "cheese", "corner"))
    world = mazes[0].state.world_dim
    return ProbeData(shown_frames, maze_of, fold, cheese, labels, mouse, corner, np.array(around), world)


def _move(cell: Cell, neighbour: Cell) -> int:
    return int(MOVE_OF_STEP[(neighbour[0] - cell[0], neighbour[1] - cell[1])])


def shuffled(data: ProbeData, rng: np.random.Generator) -> ProbeData:
    """The control: labels dealt out anew among the frames of each fold, so any set of folds is shuffled in itself."""
    order = np.arange(len(data.fold))
    for fold in np.unique(data.fold):
        members = np.flatnonzero(data.fold == fold)
        order[members] = rng.permutation(members)
    moves = {name: labels[order] for name, labels in data.moves.items()}
    return dataclasses.replace(data, cheese=data.cheese[order], moves=moves)


def activations(policy: Policy, frames: np.ndarray, site: str) -> Tensor:
    """Activations ``float32[n, *site]`` of frames ``uint8[n, 64, 64, 3]``."""
    hooked = HookedPolicy(policy.net)
    parts = [hooked.run(to_input(part), capture=[site])[2][site].contiguous() for part in batches(frames)]
    return torch.cat(parts)
