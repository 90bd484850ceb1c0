"""Probes: scores of linear readouts of one site's activations, for the cheese's cell and the next move.

Every frame is a state of a level with a cheese of its own. Levels are split into folds, so a maze is either learned
from or asked about. All probes are ridge regressions in closed form: the linear ones through the Gram matrix, which
gives the same predictions as the fit on the activations themselves (representer theorem) at the cost of the number of
frames, not of units; the convolutional ones through sums of products over positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from agents.networks.policy import Policy
from steering.probes.convolutional import holding, position_cells, predicted_positions
from steering.probes.data import ProbeData, activations
from steering.probes.ridge import linear_predictions
from steering.probes.score_records import MOVES, CellScores, KeptMaps, MapScores, MoveScores, SiteScores

KERNELS = (1, 3)
MAP_CONTROLS = 3  # fits over all positions cost more


def site_scores(
    policy: Policy, data: ProbeData, site: str, controls: Sequence[ProbeData], kept: KeptMaps | None = None
) -> SiteScores:
    """Return the scores of all probes at one site, for real labels and for shuffled ones.

    Args:
        policy: whose activations are read.
        data: the ``n`` frames and what is asked about them.
        site: the site's name.
        controls: the same frames with shuffled labels (:func:`steering.probes.data.shuffled`), at least one draw.
        kept: scores of this site from before, which are not computed again.

    Returns:
        Scores by frame or maze, each of probes that did not learn from that maze.

    Raises:
        InputError: for a site that the network does not have.
    """
    return feature_scores(activations(policy, data.frames, site), data, controls, kept)


def feature_scores(
    features: Tensor, data: ProbeData, controls: Sequence[ProbeData], kept: KeptMaps | None = None
) -> SiteScores:
    """Return :func:`site_scores` of activations ``float32[n, ...]``."""
    sets = [data, *controls[:MAP_CONTROLS]]
    maps: dict[str, MapScores] | None = None
    if kept is not None:
        maps = kept.map
    elif features.ndim == 4:
        maps = {f"{kernel}x{kernel}": _map_scores(features, data, sets, kernel) for kernel in KERNELS}
    return SiteScores(*_linear_scores(features.flatten(1), data, [data, *controls]), maps)


def _linear_scores(
    features: Tensor, data: ProbeData, sets: Sequence[ProbeData]
) -> tuple[dict[str, MoveScores], CellScores]:
    """Return the scores of linear probes of ``float32[n, d]``, for moves and the cell; ``sets``: true labels first."""
    targets: dict[str, np.ndarray] = {}
    classes = {name: np.unique(data.moves[name]) for name in MOVES}
    for number, labels in enumerate(sets):
        targets[f"cell {number}"] = labels.cheese.astype(float)
        for name in MOVES:
            targets[f"{name} {number}"] = (labels.moves[name][:, None] == classes[name]).astype(float)
    guesses = linear_predictions(features, targets, data.fold)
    moves = {}
    for name in MOVES:
        told, *rest = [classes[name][guesses[f"{name} {k}"].argmax(1)] for k in range(len(sets))]
        right = np.mean(np.stack(rest) == data.moves[name], axis=0)
        moves[name] = MoveScores(tuple(told.tolist()), tuple(right.tolist()))
    distance, *others = [_distance(guesses[f"cell {k}"], data.cheese) for k in range(len(sets))]
    means = np.array([data.cheese[data.fold != fold].mean(0) for fold in data.fold])
    cell = CellScores(
        distance=tuple(distance.tolist()),
        control=tuple(np.sqrt(np.mean(np.square(others), axis=0)).tolist()),
        mean=tuple(_distance(means, data.cheese).tolist()),
    )
    return moves, cell


def _map_scores(features: Tensor, data: ProbeData, sets: Sequence[ProbeData], kernel: int) -> MapScores:
    """Return the scores of a unit over ``float32[n, c, h, w]``, by maze; ``sets``: true labels first."""
    shape = (int(features.shape[2]), int(features.shape[3]))
    masks = [holding(labels.cheese, shape, data.world) for labels in sets]
    cells = position_cells(shape, data.world)
    hits, distances = [], []
    for positions in predicted_positions(features, masks, data.fold, kernel):
        hits.append(data.per_maze(masks[0].reshape(len(positions), -1)[np.arange(len(positions)), positions]))
        distances.append(data.per_maze(_distance(cells[positions], data.cheese)))
    return MapScores(
        hits=tuple(hits[0].tolist()),
        distance=tuple(distances[0].tolist()),
        control_hits=tuple(np.mean(hits[1:], axis=0).tolist()),
        control_distance=tuple(np.mean(distances[1:], axis=0).tolist()),
    )


def _distance(guess: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return np.linalg.norm(guess - cells, axis=1)
