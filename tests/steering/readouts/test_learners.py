"""Readouts of running sums and of inner products: the same ridge regression as another library's, in raw units."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from steering.probes.ridge import LEAST_SPREAD, PENALTIES
from steering.readouts.learners import FOLDS, Moments, Readout, readout_by_products

pytestmark = pytest.mark.usefixtures("one_thread")
CHUNK = 30
GROUPS = [slice(0, 2), slice(2, 3)]


def made_up(size: int, chunks: int = 2 * FOLDS) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Features far from 0 and of unlike spreads, targets of 0 and 1 that depend on them, and the fold of each row."""
    rng = np.random.default_rng(size)
    n = CHUNK * chunks
    features = rng.normal(size=(n, size)) * rng.choice([0.01, 1.0, 3.0], size) + rng.normal(size=size) * 5
    features[:, 0] = 7.0  # says nothing
    told = features[:, 1:4] + rng.normal(size=(n, 3)) > features[:, 1:4].mean(0)
    fold = np.arange(n) // CHUNK % FOLDS
    return torch.from_numpy(features).float(), torch.from_numpy(told.astype(np.float32)), fold


def by_sums(features: torch.Tensor, targets: torch.Tensor, columns: np.ndarray | None = None) -> Readout:
    moments = Moments(features.shape[1], targets.shape[1])
    for start in range(0, len(features), CHUNK):
        moments.add(features[start : start + CHUNK], targets[start : start + CHUNK])
    return moments.fit(GROUPS, columns)


def by_sklearn(features: torch.Tensor, targets: torch.Tensor, fold: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The rule done by scikit-learn: standardise, choose the penalty of each group over the folds, fit on all."""
    x, y = features.double().numpy(), targets.double().numpy()
    spread = x.std(0)
    z = np.where(spread > 1e-5, (x - x.mean(0)) / np.maximum(spread, LEAST_SPREAD * np.sqrt(np.mean(spread**2))), 0.0)

    def fitted(rows: np.ndarray, penalty: float) -> Ridge:
        unit = np.square(z[rows] - z[rows].mean(0)).sum(1).mean()
        return Ridge(alpha=penalty * unit).fit(z[rows], y[rows])

    errors = np.array(
        [
            sum(
                np.square(fitted(fold != held, penalty).predict(z[fold == held]) - y[fold == held]).sum(0)
                for held in range(FOLDS)
            )
            for penalty in PENALTIES
        ]
    )
    every = np.ones(len(z), dtype=bool)
    best = [PENALTIES[errors[:, group].sum(1).argmin()] for group in GROUPS]
    return np.concatenate(
        [fitted(every, penalty).predict(z[asked])[:, group] for penalty, group in zip(best, GROUPS, strict=True)], 1
    )


@pytest.mark.parametrize("size", [12, 400])
def test_sums_and_products_give_the_ridge_regression_of_another_library(size: int) -> None:
    """With fewer and with more features than frames; in the features' own units."""
    features, targets, fold = made_up(size)
    expected = by_sklearn(features, targets, fold, np.arange(20))
    for readout in (by_sums(features, targets), readout_by_products(features, targets, fold, GROUPS)):
        np.testing.assert_allclose(readout.answers(features[:20]).numpy(), expected, atol=2e-3)


def test_sums_over_many_features_serve_any_few_of_them() -> None:
    features, targets, _ = made_up(40)
    columns = np.arange(1, 40, 3)
    few = by_sums(features, targets, columns)
    alone = by_sums(features[:, columns], targets)
    np.testing.assert_allclose(few.weights.numpy(), alone.weights.numpy(), atol=1e-5)
    np.testing.assert_allclose(few.constant.numpy(), alone.constant.numpy(), atol=1e-4)


def test_a_feature_that_never_varies_is_not_used() -> None:
    features, targets, fold = made_up(12)
    assert by_sums(features, targets).weights[0].abs().max() == 0
    assert readout_by_products(features, targets, fold, GROUPS).weights[0].abs().max() == 0
