"""Probes: what a linear readout of one site's activations says about cheese and next move.

Every frame is a state of a level with a cheese of its own. Levels are split into folds, so a maze is either learned
from or asked about. All probes are ridge regressions in closed form: the linear ones through the Gram matrix, which
gives the same predictions as the fit on the activations themselves (representer theorem) at the cost of the number of
frames, not of units; the convolutional ones through sums of products over positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from agents.networks.policy import Policy
from steering.probes.convolutional import holding, position_cells, predicted_positions
from steering.probes.data import MOVES, ProbeData, activations
from steering.probes.ridge import linear_predictions

KERNELS = (1, 3)
MAP_CONTROLS = 3  # fits over all positions cost more


# -- one site -------------------------------------------------------------------------------------


def site_scores(
    policy: Policy, data: ProbeData, site: str, controls: Sequence[ProbeData], kept: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What all probes at one site say, as plain numbers, for real labels and for shuffled ones (means over the draws).

    ``moves``: by target, ``told`` ``[n]``, the moves told of held-out frames, and ``control`` ``[n]``, the share of
    draws that told the true one. ``cell``: ``distance`` and ``control`` ``[n]``, cells between the cheese and the
    linear probe's guess (control: root mean square over the draws); ``mean`` ``[n]``, from the mean cell of the
    training frames. ``map``: by kernel, ``hits`` and ``distance`` ``[n_mazes]`` with their ``control_*``; None where
    the site is no map. ``kept``: parts of these, by name, known from before.
    """
    return feature_scores(activations(policy, data.frames, site), data, controls, kept)


def feature_scores(
    features: Tensor, data: ProbeData, controls: Sequence[ProbeData], kept: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """:func:`site_scores` of activations ``float32[n, ...]``."""
    found = dict(kept or {})
    if "map" not in found:
        sets, is_map = [data, *controls[:MAP_CONTROLS]], features.ndim == 4
        found["map"] = {f"{k}x{k}": _map_scores(features, data, sets, k) for k in KERNELS} if is_map else None
    return {**_linear_scores(features.flatten(1), data, [data, *controls]), **found}


def _linear_scores(features: Tensor, data: ProbeData, sets: Sequence[ProbeData]) -> dict[str, Any]:
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
        moves[name] = {"told": told.tolist(), "control": np.mean(np.stack(rest) == data.moves[name], axis=0).tolist()}
    distance, *others = [_distance(guesses[f"cell {k}"], data.cheese) for k in range(len(sets))]
    means = np.array([data.cheese[data.fold != fold].mean(0) for fold in data.fold])
    cell = {"distance": distance, "control": np.sqrt(np.mean(np.square(others), axis=0)),
            "mean": _distance(means, data.cheese)}  # fmt: skip
    return {"moves": moves, "cell": {name: values.tolist() for name, values in cell.items()}}


def _map_scores(features: Tensor, data: ProbeData, sets: Sequence[ProbeData], kernel: int) -> dict[str, Any]:
    shape = (int(features.shape[2]), int(features.shape[3]))
    masks = [holding(labels.cheese, shape, data.world) for labels in sets]
    cells = position_cells(shape, data.world)
    hits, distances = [], []
    for positions in predicted_positions(features, masks, data.fold, kernel):
        hits.append(data.per_maze(masks[0].reshape(len(positions), -1)[np.arange(len(positions)), positions]))
        distances.append(data.per_maze(_distance(cells[positions], data.cheese)))
    return {"hits": hits[0].tolist(), "distance": distances[0].tolist(),
            "control_hits": np.mean(hits[1:], axis=0).tolist(),
            "control_distance": np.mean(distances[1:], axis=0).tolist()}  # fmt: skip


def _distance(guess: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return np.linalg.norm(guess - cells, axis=1)
