"""Readers without a network: the ladder; and boosted trees and ridge regression on the walls within a window.

A window of radius r shows the cells up to r rows and columns from the mouse, nothing beyond. Its features are the walls
next to the mouse, where the goal lies, and what a flood fill within the window finds behind each of the four ways: the
strongest reader of such a window that we know how to make. Of two mazes that are the same within the window it says
the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from envs.actions import STEP_OF_MOVE, Move
from envs.maze import Maze
from steering.planning.readers import HORIZONS, reader_moves
from steering.probes.data import REACH
from steering.probes.surroundings import look
from steering.readouts.frames import GOALS, Asked, Frames
from steering.readouts.learners import Moments
from steering.records.readouts import Told

RADII = (1, 2, 3, 5, 8)
WALLS = 3  # rows and columns of walls that trees see one by one; farther ones by the flood fill
# Of the boosted trees: as good here as scikit-learn's defaults, at a quarter of the cost.
TREES = {"max_iter": 50, "learning_rate": 0.2, "max_leaf_nodes": 15, "max_bins": 63, "early_stopping": False}
LOOK = "look around"
WAYS = (Move.LEFT, Move.RIGHT, Move.UP, Move.DOWN)
_FAR = 64.0  # cells: farther than any


def window_features(frames: Frames, goal: str, radius: int) -> np.ndarray:
    """Return what a window shows, ``float32[n, d]``.

    The goal's place from the mouse; walls up to :data:`WALLS` cells away; and for each of the four ways, of what can be
    reached over it without leaving the window or coming back: whether it is open, how many cells there are, whether the
    goal is among them, how near the goal they come in a straight line (also those at the window's edge, where the way
    may go on), and how these compare with the best of the other ways.
    """
    near = frames.around(radius)
    reached = _flooded(near)
    side = np.arange(-radius, radius + 1)
    away = frames.goals[goal] - frames.mouse
    crow = np.hypot(side - away[:, 0, None, None], side[:, None] - away[:, 1, None, None])
    edge = np.maximum(np.abs(side), np.abs(side)[:, None]) == radius
    parts = [away, np.abs(away), np.abs(away[:, :1]) - np.abs(away[:, 1:])]
    nearest, nearest_edge = [], []
    for bit, _ in enumerate(WAYS):
        inside = (reached >> bit & 1).astype(bool)
        nearest.append(np.where(inside, crow, _FAR).min(axis=(1, 2)))
        nearest_edge.append(np.where(inside & edge, crow, _FAR).min(axis=(1, 2)))
        parts.append(inside.sum(axis=(1, 2))[:, None])
    for columns in (np.array(nearest), np.array(nearest_edge)):
        for way in range(len(WAYS)):
            others = np.delete(columns, way, axis=0).min(axis=0)
            parts.append(np.stack([columns[way], columns[way] - others], axis=1))
    seen = min(radius, WALLS)
    walls = near[:, radius - seen : radius + seen + 1, radius - seen : radius + seen + 1]
    parts.append(walls.reshape(len(walls), -1))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _flooded(near: np.ndarray) -> np.ndarray:
    """Return over which ways each cell of a window is reached: ``uint8[n, side, side]``, bit k for ``WAYS[k]``."""
    middle = near.shape[1] // 2
    passable = np.where(near, np.uint8(255), np.uint8(0))
    passable[:, middle, middle] = 0
    reached = np.zeros_like(passable)
    for bit, way in enumerate(WAYS):
        dx, dy = STEP_OF_MOVE[way]
        reached[:, middle + dy, middle + dx] = passable[:, middle + dy, middle + dx] & np.uint8(1 << bit)
    while True:
        spread = reached.copy()
        spread[:, 1:] |= reached[:, :-1]
        spread[:, :-1] |= reached[:, 1:]
        spread[:, :, 1:] |= reached[:, :, :-1]
        spread[:, :, :-1] |= reached[:, :, 1:]
        spread &= passable
        if np.array_equal(spread, reached):
            return reached
        reached = spread


def window_name(radius: int) -> str:
    """Return the name of the trees that see a window."""
    return f"window {radius}"


def trees_told(learned: Frames, asked: Mapping[str, list[Frames]], radius: int) -> dict[str, list[np.ndarray]]:
    """Return, by goal, the moves ``int[n]`` that boosted trees tell of each of the frames ``asked`` about it.

    Args:
        learned: frames to learn from.
        asked: by goal.
        radius: of the window, in cells.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import

    told = {}
    for goal in GOALS:
        trees = HistGradientBoostingClassifier(**TREES, random_state=0)
        trees.fit(window_features(learned, goal, radius), learned.moves[goal])
        told[goal] = [trees.predict(window_features(frames, goal, radius)) for frames in asked[goal]]
    return told


def look_told(learned: Frames, asked: Mapping[str, list[Frames]]) -> dict[str, list[np.ndarray]]:
    """Return the same of the ridge regression on a look around (:func:`steering.probes.surroundings.look`)."""
    told = {}
    for goal in GOALS:
        moments = None
        targets = torch.from_numpy(np.eye(len(WAYS), dtype=np.float32)[learned.moves[goal]])
        features = _look(learned, goal)
        moments = Moments(features.shape[1], len(WAYS))
        for rows in np.array_split(np.arange(len(features)), max(len(features) // 256, 5)):
            moments.add(features[rows], targets[rows])
        readout = moments.fit([slice(0, len(WAYS))])
        told[goal] = [readout.answers(_look(frames, goal)).argmax(1).numpy() for frames in asked[goal]]
    return told


def _look(frames: Frames, goal: str) -> Tensor:
    return look(frames.around(REACH), frames.mouse, frames.world, [frames.goals[goal]], REACH)


def ladder_told(asked: Asked, mazes: Sequence[Maze]) -> dict[int | None, list[Told]]:
    """Return how often each reader of the ladder is right, by the steps of path that it sees."""
    frames, margin = asked.frames, [maze.state.margin for maze in mazes]
    inner = {goal: cells - np.array(margin)[frames.maze][:, None] for goal, cells in frames.goals.items()}
    mouse = frames.mouse - np.array(margin)[frames.maze][:, None]
    found: dict[int | None, list[Told]] = {}
    for horizon in HORIZONS:
        told = {
            goal: np.array(
                [
                    reader_moves(mazes[k], [(int(here[0]), int(here[1]))], (int(end[0]), int(end[1])), horizon)[0]
                    for k, here, end in zip(frames.maze, mouse, ends, strict=True)
                ]
            )
            for goal, ends in inner.items()
        }
        on_pairs = {
            goal: np.array(
                [
                    reader_moves(maze, [pair.state.cell], pair.goal, horizon)[0]
                    for pair in pairs
                    for maze in (pair.level, pair.twin)
                ]
            )
            for goal, pairs in asked.pairs.items()
        }
        found[horizon] = asked.score(told, on_pairs)
    return found


def readers_told(asked: Asked, learned: Frames) -> dict[str, list[Told]]:
    """Return how often the readers that learn are right, by name."""
    wanted = {goal: [asked.frames, *([asked.pair_frames[goal]] if goal in asked.pair_frames else [])] for goal in GOALS}
    told = {window_name(radius): trees_told(learned, wanted, radius) for radius in RADII}
    told[LOOK] = look_told(learned, wanted)
    return {
        name: asked.score(
            {goal: found[0] for goal, found in each.items()},
            {goal: found[1] for goal, found in each.items() if len(found) > 1},
        )
        for name, each in told.items()
    }
