"""Directions: the gradient of the very regression that tells the next move, and means that differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steering.probes.ridge import PENALTIES, gram, linear_directions, ridge
from steering.readouts.directions import shuffled_moves, unit_length


@pytest.mark.parametrize("wide", [False, True])
def test_a_gradient_is_that_of_the_regressions_own_predictions(wide: bool) -> None:
    rng = np.random.default_rng(0)
    n, d = 60, 200 if wide else 7
    features = torch.from_numpy(rng.normal(size=(n + 9, d)) * rng.uniform(0.5, 3, size=d) + 5).float()
    labels = features[:n, :2].double().numpy() + rng.normal(size=(n, 2))
    found = linear_directions(features[:n], {"two": labels}, np.arange(n) % 5)["two"]
    # The same penalty's predictions of nine other rows change with them as the gradient says.
    learn = np.arange(n + 9) < n
    every = ridge(gram(features, learn), learn, ~learn, torch.from_numpy(np.pad(labels, ((0, 9), (0, 0)))), PENALTIES)
    step = (features[n:] - features[:n].mean(0)).double() @ found.gradient.double().T
    told = torch.from_numpy(labels.mean(0)) + step
    assert min(float((each - told).abs().max()) for each in every) < 1e-3
    assert found.guesses.shape == labels.shape and np.corrcoef(found.guesses[:, 0], labels[:, 0])[0, 1] > 0.2


def test_with_little_noise_the_gradient_is_what_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    features = torch.from_numpy(rng.normal(size=(400, 5))).float()
    weights = rng.normal(size=(1, 5))
    labels = features.double().numpy() @ weights.T
    found = linear_directions(features, {"one": labels}, np.arange(400) % 5)["one"]
    np.testing.assert_allclose(found.gradient, weights, atol=1e-3)


def test_shuffled_moves_keep_each_folds_own() -> None:
    labels, fold = np.arange(40) % 4, np.arange(40) // 10
    found = shuffled_moves(labels, fold, 0, 0)
    assert (found != labels).any() and (shuffled_moves(labels, fold, 0, 1) != found).any()
    for each in range(4):
        assert sorted(found[fold == each]) == sorted(labels[fold == each])


def test_a_direction_of_nothing_stays_nothing() -> None:
    vectors = torch.stack([torch.zeros(2, 3), torch.full((2, 3), 7.0)])
    found = unit_length(vectors, 1)
    assert (found[0] == 0).all() and float(found[1].norm()) == pytest.approx(1, abs=1e-6)
