"""Ridge regression with a penalty chosen on other mazes, for many labels at once."""

from __future__ import annotations

from collections.abc import Mapping

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
    chosen = torch.from_numpy(train)
    parts = features.split(_COLUMNS, dim=1)
    moments = [torch.std_mean(columns[chosen], dim=0, correction=0) for columns in parts]
    least = LEAST_SPREAD * float(torch.cat([spread for spread, _ in moments]).square().mean().sqrt())
    total = torch.zeros(len(features), len(features), dtype=torch.float64)
    for columns, (spread, mean) in zip(parts, moments, strict=True):
        varies = spread > 1e-5 * mean.abs()  # or it is rounding
        rows = (columns - mean) * torch.where(varies, 1 / spread.clamp(min=least), 0.0)
        total += rows @ rows.T
    return total


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
