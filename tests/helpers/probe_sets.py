"""Made-up frames and scores for tests of probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from steering.probes.data import FOLDS, MOVES, REACH, ProbeData, shuffled
from steering.probes.scores import feature_scores
from steering.probes.surroundings import surroundings_moves

# Small mazes that qualify for a sweep.
LEVELS = "26,52,54,92,95,152,163,193,208,223"
WORLD = 25


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def made_up(mazes: int = 40, states: int = 5, seed: int = 0) -> ProbeData:
    """Labels without pictures: cheese and moves drawn uniformly for every frame."""
    n, draw = mazes * states, rng(seed)
    maze = np.repeat(np.arange(mazes), states)
    moves = {name: draw.integers(4, size=n) for name in MOVES}
    frames = np.zeros((n, 64, 64, 3), dtype=np.uint8)
    cheese, mouse = (draw.integers(WORLD, size=(n, 2)) for _ in range(2))
    around = draw.random((n, 2 * REACH + 1, 2 * REACH + 1)) < 0.5
    corner = np.full((n, 2), WORLD - 1)
    return ProbeData(frames, maze, maze % FOLDS, cheese, moves, mouse, corner, around, WORLD)


def scores_of(sites: Mapping[str, torch.Tensor], data: ProbeData, draws: int = 3) -> dict[str, Any]:
    """What the probes say at made-up sites."""
    controls = [shuffled(data, rng(100 + draw)) for draw in range(draws)]
    found = {name: feature_scores(features, data, controls) for name, features in sites.items()}
    known = {"maze": data.maze, "fold": data.fold, "moves": data.moves, "surroundings": surroundings_moves(data)}
    return {**known, "sites": found}


def one_hot(labels: np.ndarray) -> np.ndarray:
    return (labels[:, None] == np.unique(labels)).astype(np.float32)


def noise(*shape: int, seed: int = 5) -> np.ndarray:
    return rng(seed).standard_normal(shape).astype(np.float32)
