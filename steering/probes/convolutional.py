"""Convolutional probes: one linear unit, shared over all positions of a feature map, that is to light up on the cheese.

Fitted by least squares on every position, those that hold the cheese and the others weighing half each. Sums of
products over a fold's positions are all that a fit needs, so folds are combined without a second pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from agents.networks.impala import OBS_SHAPE

PENALTIES = 10.0 ** np.arange(-6.0, 2.0)  # relative to the variance of a standardised feature
_SIDE = OBS_SHAPE[1]
_CHUNK = 2**22  # numbers held at once


def centres(positions: int) -> np.ndarray:
    """Return the middle pixel of what each of ``positions`` along one side of a map sees: ``float64[positions]``.

    Where the map divides the picture evenly, every stride is taken to be padded on both sides (as in the published
    network), so that position ``i`` is centred on pixel ``stride * i``; else the picture is divided evenly.
    """
    stride = _SIDE / positions
    return np.arange(positions) * stride + (0.0 if _SIDE % positions == 0 else (stride - 1) / 2)


def position_cells(shape: tuple[int, int], world: int) -> np.ndarray:
    """Return the positions of a map's units: ``float64[h * w, 2]`` in cells of the whole grid, y counted from below."""
    tile = _SIDE / world
    x = (centres(shape[1]) + 0.5) / tile - 0.5
    y = (_SIDE - 0.5 - centres(shape[0])) / tile - 0.5
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(-1, 2)


def holding(cells: np.ndarray, shape: tuple[int, int], world: int) -> np.ndarray:
    """Return ``bool[n, h, w]``: positions centred within the tile of each of ``cells`` ``[n, 2]``, and the nearest."""
    tile = _SIDE / world
    middle_x, middle_y = (cells[:, 0] + 0.5) * tile - 0.5, _SIDE - (cells[:, 1] + 0.5) * tile - 0.5
    inside = []
    for middle, positions in ((middle_y, shape[0]), (middle_x, shape[1])):
        gap = np.abs(centres(positions) - middle[:, None])
        inside.append((gap <= tile / 2) | (gap == gap.min(axis=1, keepdims=True)))
    return inside[0][:, :, None] & inside[1][:, None, :]


def predicted_positions(
    maps: Tensor, masks: Sequence[np.ndarray], fold: np.ndarray, kernel: int
) -> Iterator[np.ndarray]:
    """Yield for each of ``masks`` (``bool[n, h, w]``, what to learn) the position of the largest answer: ``int[n]``.

    ``maps``: ``float32[n, c, h, w]``. Every fold is answered by a unit learned on the others, its penalty chosen among
    these; ``kernel``: side of the neighbourhood that the unit sees, in positions.
    """
    folds = [int(number) for number in np.unique(fold)]
    moments = {number: _moments(maps[fold == number], [m[fold == number] for m in masks], kernel) for number in folds}
    found = np.zeros((len(masks), len(maps)), dtype=int)
    for outer in folds:
        train = [number for number in folds if number != outer]
        units = torch.stack([_fit([moments[number][k] for number in train]) for k in range(len(masks))])
        weights = units.reshape(len(masks), maps.shape[1], kernel, kernel).float()
        for part in np.array_split(np.flatnonzero(fold == outer), max((fold == outer).sum() // 64, 1)):
            answers = functional.conv2d(maps[torch.from_numpy(part)], weights, padding=kernel // 2)
            found[:, part] = answers.flatten(2).argmax(2).T.numpy()
    yield from found


def _moments(maps: Tensor, masks: Sequence[np.ndarray], kernel: int) -> list[tuple[Tensor, Tensor]]:
    """Return for each mask mean products ``float64[d + 1, d + 1]`` of features and a 1: where it holds; elsewhere."""
    size = maps.shape[1] * kernel**2 + 1
    total = torch.zeros(size, size, dtype=torch.float64)
    held = torch.zeros(len(masks), size, size, dtype=torch.float64)
    step = max(_CHUNK // (size * maps.shape[2] * maps.shape[3]), 1)
    for first in range(0, len(maps), step):
        patches = functional.unfold(maps[first : first + step], kernel, padding=kernel // 2)
        rows = functional.pad(patches.transpose(1, 2).reshape(-1, size - 1), (0, 1), value=1.0)
        total += rows.T @ rows
        for k, mask in enumerate(masks):
            chosen = rows[torch.from_numpy(mask[first : first + step].reshape(-1))].double()
            held[k] += chosen.T @ chosen
    return [(each, total - each) for each in held]


def _fit(folds: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Return weights ``float64[d]`` of the unit learned on ``folds``, with the penalty best for each held out."""
    errors = torch.zeros(len(PENALTIES), dtype=torch.float64)
    for k, held_out in enumerate(folds):
        units = _units([fold for other, fold in enumerate(folds) if other != k])
        there, both = _weighted([held_out])
        errors += ((units @ both) * units).sum(1) - units @ there[:, -1] + 0.5
    return _units(folds)[int(errors.argmin()), :-1]


def _weighted(folds: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return mean products where the cheese is, and of both kinds of position at half the weight each."""
    there, elsewhere = (sum(part[1:], part[0]) for part in zip(*folds, strict=True))
    there = there / there[-1, -1]
    return there, (there + elsewhere / elsewhere[-1, -1]) / 2


def _units(folds: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Return ridge solutions ``float64[penalties, d + 1]``, the constant last, for 1 on the cheese, else 0."""
    there, both = _weighted(folds)
    mean = both[:-1, -1]
    covariance = both[:-1, :-1] - torch.outer(mean, mean)
    variance = covariance.diagonal()
    varies = variance > 1e-6 * both.diagonal()[:-1]
    scale = torch.where(varies, variance.clamp(min=0.0).rsqrt(), 0.0)
    values, vectors = torch.linalg.eigh(covariance * torch.outer(scale, scale))
    along = vectors.T @ (scale * (there[:-1, -1] - mean) / 2)
    shrunk = along / (values.clamp(min=0.0) + torch.from_numpy(PENALTIES)[:, None])
    weights = (shrunk @ vectors.T) * scale
    return torch.cat([weights, 0.5 - weights @ mean[:, None]], dim=1)
