"""Ridge regressions learned from as many frames as it takes: from running sums, or from inner products.

The rule is that of the probes (:mod:`steering.probes.ridge`): standardised activations, a free constant, the penalty by
cross-validation over mazes. What comes out are weights in the activations' own units, so that a direction can be asked
for, and written back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import linalg
from torch import Tensor

from steering.probes.ridge import LEAST_SPREAD, PENALTIES, gram

FOLDS = 5
WIDE = 1024  # numbers a frame from which one fold, not five, is held out to choose the penalty


@dataclass(frozen=True)
class Readout:
    """A linear readout: weights in the units of what is read."""

    weights: Tensor
    """``float32[d, t]``: one column for each answer."""
    constant: Tensor
    """``float32[t]``."""

    def answers(self, features: Tensor) -> Tensor:
        """Return the answers ``float32[n, t]`` to features ``float32[n, d]``."""
        return features @ self.weights + self.constant


class Moments:
    """Sums of products over frames, from which readouts of any of the features are fitted.

    Args:
        size: features of a frame.
        targets: numbers to be told of a frame, 0 or 1 each.
    """

    def __init__(self, size: int, targets: int) -> None:
        self.folds = FOLDS if size <= WIDE else 1
        self._products = torch.zeros(max(self.folds, 2), size + 1, size + 1, dtype=torch.float64)
        self._answers = torch.zeros(max(self.folds, 2), size + 1, targets, dtype=torch.float64)
        self._origin = torch.zeros(size)
        self._chunks = 0

    @staticmethod
    def bytes(size: int) -> int:
        """Return the memory that sums over so many features take."""
        return 8 * (size + 1) ** 2 * (FOLDS if size <= WIDE else 2)

    def add(self, features: Tensor, targets: Tensor) -> None:
        """Add a chunk of frames of whole mazes: features ``float32[n, d]``, targets ``float32[n, t]``.

        Every fifth chunk belongs to the same fold.
        """
        if not self._chunks:  # sums of what is far from 0 would lose what varies
            self._origin = features.mean(0)
        rows = torch.nn.functional.pad(features - self._origin, (0, 1), value=1.0)
        fold = self._chunks % FOLDS
        part = fold if self.folds > 1 else min(fold, 1)
        self._products[part] += rows.T @ rows
        self._answers[part] += rows.T @ targets
        self._chunks += 1

    def fit(self, groups: Sequence[slice], columns: np.ndarray | None = None) -> Readout:
        """Return the readout of some of the features (``columns``: their indices), of all frames added so far.

        Args:
            groups: targets that share a penalty.
            columns: None: all.
        """
        size = self._products.shape[1] - 1
        kept = np.r_[np.arange(size) if columns is None else columns, size]
        products = self._products[:, kept][:, :, kept].numpy()
        answers = self._answers[:, kept].numpy()
        scale = _scale(products.sum(0))
        errors = np.zeros((len(PENALTIES), answers.shape[2]))
        for held in range(self.folds):
            rest = [part for part in range(len(products)) if part != held]
            solved = _solutions(products[rest].sum(0), answers[rest].sum(0), scale)
            for k, weights in enumerate(solved):
                errors[k] += _squared_errors(products[held], answers[held], weights)
        weights = _chosen(_solutions(products.sum(0), answers.sum(0), scale), errors, groups)
        constant = weights[-1] - self._origin.double().numpy()[kept[:-1]] @ weights[:-1]
        return Readout(torch.from_numpy(weights[:-1]).float(), torch.from_numpy(constant).float())


def _scale(products: np.ndarray) -> np.ndarray:
    """Return the factor of each feature, ``float64[d]``: its spread, as :func:`steering.probes.ridge.gram` takes it."""
    count, mean = products[-1, -1], products[-1, :-1] / products[-1, -1]
    square = products.diagonal()[:-1] / count
    variance = square - mean**2
    varies = variance > 1e-6 * square  # or it is rounding
    spread = np.sqrt(np.maximum(variance, 0.0))
    least = LEAST_SPREAD * np.sqrt(np.mean(spread**2))
    return np.where(varies, 1.0 / np.maximum(spread, max(least, np.finfo(float).tiny)), 0.0)


def _solutions(products: np.ndarray, answers: np.ndarray, scale: np.ndarray) -> list[np.ndarray]:
    """Return for each penalty the weights ``float64[d + 1, t]``, the constant last, of sums over some frames."""
    count, mean = products[-1, -1], products[-1, :-1] / products[-1, -1]
    centred = (products[:-1, :-1] - count * np.outer(mean, mean)) * np.outer(scale, scale)
    usual = answers[-1] / count
    along = (answers[:-1] - np.outer(mean, answers[-1])) * scale[:, None]
    unit = float(centred.trace()) / count or 1.0
    found = []
    for penalty in PENALTIES:
        penalised = centred + penalty * unit * np.eye(len(centred))
        factor = linalg.cho_factor(penalised, overwrite_a=True, check_finite=False)
        weights = linalg.cho_solve(factor, along, check_finite=False) * scale[:, None]
        found.append(np.vstack([weights, usual - mean @ weights]))
    return found


def _squared_errors(products: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return summed squared errors ``float64[t]`` on held-out sums; targets are 0 or 1, so they are their squares."""
    return np.asarray(answers[-1] - 2 * (weights * answers).sum(0) + (weights * (products @ weights)).sum(0))


def _chosen(solutions: Sequence[np.ndarray], errors: np.ndarray, groups: Sequence[slice]) -> np.ndarray:
    """Return the weights of each group's best penalty."""
    return np.concatenate([solutions[int(errors[:, group].sum(1).argmin())][:, group] for group in groups], axis=1)


def readout_by_products(features: Tensor, targets: Tensor, fold: np.ndarray, groups: Sequence[slice]) -> Readout:
    """Return the same readout where a frame has more features than there are frames.

    Args:
        features: ``float32[n, d]``.
        targets: ``float32[n, t]``.
        fold: ``int[n]``; with more than :data:`WIDE` frames the first fold alone is held out to choose the penalty.
        groups: targets that share a penalty.
    """
    every = np.ones(len(features), dtype=bool)
    products, wanted = gram(features, every).numpy(), targets.double().numpy()
    errors = np.zeros((len(PENALTIES), wanted.shape[1]))
    for held in np.unique(fold)[: 1 if len(features) > 2 * WIDE else None]:
        learn, ask = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        for k, (dual, column) in enumerate(_dual(products[np.ix_(learn, learn)], wanted[learn], PENALTIES)):
            across = products[np.ix_(ask, learn)] - column
            guess = across @ dual + wanted[learn].mean(0)
            errors[k] += np.square(guess - wanted[ask]).sum(0)
    best = {int(errors[:, group].sum(1).argmin()) for group in groups}
    solved = {k: next(iter(_dual(products, wanted, PENALTIES[[k]])))[0] for k in best}
    dual = np.concatenate([solved[int(errors[:, group].sum(1).argmin())][:, group] for group in groups], axis=1)
    spread, mean = torch.std_mean(features, dim=0, correction=0)
    least = LEAST_SPREAD * float(spread.square().mean().sqrt())
    scale = torch.where(spread > 1e-5 * mean.abs(), 1 / spread.clamp(min=least), 0.0)
    weights = scale.square()[:, None] * (features.T @ torch.from_numpy(dual).float())  # dual weights sum to 0
    return Readout(weights, targets.mean(0) - mean @ weights)


def _dual(products: np.ndarray, wanted: np.ndarray, penalties: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each penalty the dual weights ``float64[n, t]``, summing to 0, and the mean products ``[n]``."""
    column = products.mean(0)
    centred = products - column - column[:, None] + column.mean()
    unit = float(centred.diagonal().mean()) or 1.0
    found = []
    for penalty in penalties:
        factor = linalg.cho_factor(
            centred + penalty * unit * np.eye(len(centred)), overwrite_a=True, check_finite=False
        )
        dual = linalg.cho_solve(factor, wanted - wanted.mean(0), check_finite=False)
        found.append((dual, column))
    return found
