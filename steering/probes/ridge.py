"""Ridge regression with a penalty chosen on other mazes, for many labels at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Of the ridge, relative to the mean squared length of a centred row.
PENALTIES = 10.0 ** np.arange(-4.0, 3.0)
LEAST_SPREAD = 0.1
_COLUMNS = 4096


def gram(features: Tensor, train: np.ndarray) -> Tensor:
    """Return inner products ``float64[n, n]`` of rows standardised as the ``train`` rows (``bool[n]``) say.

    A column's spread counts as at least ``LEAST_SPREAD`` of the columns' root mean square: a unit that is silent but
    on one frame in a hundred would else decide what is said of the next such frame.
    """
    mean, scale = _standards(features, train)
    total = torch.zeros(len(features), len(features), dtype=torch.float64)
    for columns, middle, factor in zip(
        *(part.split(_COLUMNS, dim=-1) for part in (features, mean, scale)), strict=True
    ):
        rows = (columns - middle) * factor
        total += rows @ rows.T
    return total


def _standards(features: Tensor, train: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return the means of columns over the ``train`` rows, and what they are multiplied by: ``float32[d]`` each."""
    chosen = torch.from_numpy(train)
    moments = [torch.std_mean(columns[chosen], dim=0, correction=0) for columns in features.split(_COLUMNS, dim=1)]
    spread, mean = (torch.cat(parts) for parts in zip(*moments, strict=True))
    least = LEAST_SPREAD * float(spread.square().mean().sqrt())
    varies = spread > 1e-5 * mean.abs()  # or it is rounding
    return mean, torch.where(varies, 1 / spread.clamp(min=least), 0.0)


def ridge(products: Tensor, train: np.ndarray, test: np.ndarray, targets: Tensor, penalties: np.ndarray) -> Tensor:
    """Return predictions ``float64[p, n_test, t]`` of ridge regressions with a free constant, one for each penalty.

    ``products``: inner products ``[n, n]`` of all rows; ``targets``: ``[n, t]``. A penalty counts in units of the
    mean squared length of the centred training rows.
    """
    learn, ask = torch.from_numpy(np.flatnonzero(train)), torch.from_numpy(np.flatnonzero(test))
    among, across = products[learn][:, learn], products[ask][:, learn]
    column = among.mean(0)
    centred = among - column - column[:, None] + column.mean()
    across = across - across.mean(1, keepdim=True) - column + column.mean()
    unit = float(centred.diagonal().mean()) or 1.0
    mean, eye = targets[learn].mean(0), torch.eye(len(learn), dtype=torch.float64)
    found = []
    for penalty in penalties:
        factor = torch.linalg.cholesky(centred + float(penalty) * unit * eye)
        found.append(across @ torch.cholesky_solve(targets[learn] - mean, factor) + mean)
    return torch.stack(found)


def linear_predictions(
    features: Tensor, targets: Mapping[str, np.ndarray], fold: np.ndarray, penalties: np.ndarray = PENALTIES
) -> dict[str, np.ndarray]:
    """Return held-out predictions ``float64[n, t]`` for each of ``targets`` (``[n, t]``) from ``features`` ``[n, d]``.

    Each fold is predicted from the others; the penalty is chosen for each target by the squared error in a second
    round of cross-validation among these.
    """
    ends = np.cumsum([0, *(target.shape[1] for target in targets.values())])
    parts = {name: slice(a, b) for name, a, b in zip(targets, ends, ends[1:], strict=False)}
    joined = torch.from_numpy(np.concatenate(list(targets.values()), axis=1)).double()
    found = torch.zeros_like(joined)
    for outer in np.unique(fold):
        train, test = fold != outer, fold == outer
        products = gram(features, train)
        errors = torch.zeros(len(penalties), joined.shape[1], dtype=torch.float64)
        for inner in np.unique(fold[train]):
            guessed = ridge(products, train & (fold != inner), fold == inner, joined, penalties)
            errors += (guessed - joined[fold == inner]).square().sum(1)
        held_out = ridge(products, train, test, joined, penalties)
        for part in parts.values():
            found[test, part] = held_out[int(errors[:, part].sum(1).argmin())][:, part]
    return {name: found[:, part].numpy() for name, part in parts.items()}


@dataclass(frozen=True)
class LinearReadout:
    """A ridge regression on all rows, and what the same regression says of rows that it did not learn from."""

    gradient: Tensor
    """Change of each prediction with each raw feature, ``float32[t, d]``."""
    guesses: np.ndarray
    """Predictions of each fold by a fit on the others, ``float64[n, t]``."""


def linear_directions(
    features: Tensor, targets: Mapping[str, np.ndarray], fold: np.ndarray, penalties: np.ndarray = PENALTIES
) -> dict[str, LinearReadout]:
    """Return for each of ``targets`` (``[n, t]``) its ridge regression on ``features`` ``float32[n, d]``.

    Columns are standardised by all rows, and the penalty is the one that predicts the folds best; so ``guesses`` know a
    little of the rows they are of: for a comparison of labels with shuffled ones, not of two sites.
    """
    n = len(features)
    ends = np.cumsum([0, *(target.shape[1] for target in targets.values())])
    parts = {name: slice(a, b) for name, a, b in zip(targets, ends, ends[1:], strict=False)}
    joined = torch.from_numpy(np.concatenate(list(targets.values()), axis=1)).double()
    every = np.ones(n, dtype=bool)
    products = gram(features, every)
    guesses = torch.zeros(len(penalties), *joined.shape, dtype=torch.float64)
    for each in np.unique(fold):
        guesses[:, fold == each] = ridge(products, fold != each, fold == each, joined, penalties)
    errors = (guesses - joined).square().sum(1)
    best = {name: int(errors[:, part].sum(1).argmin()) for name, part in parts.items()}
    column = products.mean(0)
    centred = products - column - column[:, None] + column.mean()
    unit = float(centred.diagonal().mean()) or 1.0
    mean, scale = _standards(features, every)
    found = {}
    for name, part in parts.items():
        factor = torch.linalg.cholesky(
            centred + float(penalties[best[name]]) * unit * torch.eye(n, dtype=torch.float64)
        )
        duals = torch.cholesky_solve(joined[:, part] - joined[:, part].mean(0), factor)
        duals = (duals - duals.mean(0)).float()  # of rows that are centred
        pieces = zip(features.split(_COLUMNS, dim=1), mean.split(_COLUMNS), strict=True)
        gradient = torch.cat([duals.T @ (columns - middle) for columns, middle in pieces], dim=1)
        found[name] = LinearReadout(gradient * scale.square(), guesses[best[name]][:, part].numpy())
    return found
