"""Next moves told from the cells around the mouse, without any network: a baseline of the probes.

Most next moves follow from walls close by. What is asked of a site that is said to hold a path is therefore more than
can be told from the cells near the mouse and the direction its goal lies in: a reader of these walks greedily, and does
not plan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from envs.actions import STEP_OF_MOVE, Move
from steering.probes.data import FOLDS, REACH, ProbeData
from steering.probes.ridge import linear_predictions
from steering.probes.summary import probe_questions

RADII = tuple(range(1, REACH + 1))


def surroundings_moves(data: ProbeData) -> dict[str, np.ndarray]:
    """Return, by question about next moves, the moves told of held-out frames, ``int[n]``; -1: not asked about.

    Ridge regressions like the probes', in the same folds, on :func:`look` at each of ``RADII``, fitted to all frames
    and, where only some are asked about, to these too. Of all, the one that is right most often is taken, in favour
    of the baseline. Of the policy's own move both goals are known.
    """
    fits: dict[tuple[str, int], tuple[Tensor, np.ndarray]] = {}
    found = {}
    for name, (whose, frames) in probe_questions(data.moves).items():
        labels, told = data.moves[whose], []
        for radius in RADII:
            if (whose, radius) not in fits:
                features = look(data.around, data.mouse, data.world, _goals(data, whose), radius)
                fits[whose, radius] = features, _fitted(features, labels, data.fold)
            features, moves = fits[whose, radius]
            told.append(moves)
            if not frames.all() and len(np.unique(data.fold[frames])) == FOLDS:
                own = moves.copy()
                own[frames] = _fitted(features[torch.from_numpy(frames)], labels[frames], data.fold[frames])
                told.append(own)
        best = max(told, key=lambda moves: int((moves == labels)[frames].sum()))
        found[name] = np.where(frames, best, -1)
    return found


def look(around: np.ndarray, mouse: np.ndarray, world: int, goals: Sequence[np.ndarray], radius: int) -> Tensor:
    """Return features of the walls around the mouse and of the goal's direction: ``float32[n, d]``.

    Which cells are open up to ``radius`` rows and columns from the mouse; which of the four ways are; and of each of
    ``goals`` (cells ``int[n, 2]``) where it lies from the mouse: the two differences, which of the nine directions,
    and for each of these which ways are open. ``around``, ``mouse``, ``world``: as of :class:`ProbeData`.
    """
    near = around[:, REACH - radius : REACH + radius + 1, REACH - radius : REACH + radius + 1]
    ways = np.eye(16)[open_ways(around)]
    parts = [near.reshape(len(near), -1), ways]
    for goal in goals:
        away = goal - mouse
        columns, rows = np.sign(away).T
        direction = np.eye(9)[3 * rows + columns + 4]
        parts += [away / world, direction, (ways[:, :, None] * direction[:, None]).reshape(len(ways), -1)]
    return torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))


def open_ways(around: np.ndarray) -> np.ndarray:
    """Return the moves that lead to an open cell, ``int[n]``: bit k for move k; ``around``: of :class:`ProbeData`."""
    steps = {move: STEP_OF_MOVE[move] for move in (Move.LEFT, Move.RIGHT, Move.UP, Move.DOWN)}
    return np.sum([around[:, REACH + dy, REACH + dx] << move for move, (dx, dy) in steps.items()], axis=0)


def _goals(data: ProbeData, whose: str) -> list[np.ndarray]:
    """Return the goals ``int[n, 2]`` that are known of one kind of move; of the policy's own, both."""
    goals = {"cheese": [data.cheese], "corner": [data.corner]}
    return goals.get(whose, [data.cheese, data.corner])


def _fitted(features: Tensor, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return the labels ``int[n]`` told of held-out rows of ``features`` ``float32[n, d]``."""
    classes = np.unique(labels)
    targets = {"move": (labels[:, None] == classes).astype(float)}
    (guesses,) = linear_predictions(features, targets, fold).values()
    return classes[guesses.argmax(1)]
