"""Matching channels one to one: known answers, and what it does not see."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from steering.analysis.anatomy.matching import correlations, partners

CHANNELS, POINTS = 6, 400


def activations(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(CHANNELS, POINTS))


def test_channels_in_another_order_scale_and_offset_are_found() -> None:
    rng = np.random.default_rng(0)
    one, order = activations(1), rng.permutation(CHANNELS)
    other = 3.0 * one[order] - 2.0 + 0.5 * rng.normal(size=(CHANNELS, POINTS))
    assert order[partners(one, other)].tolist() == list(range(CHANNELS))


def test_no_other_one_to_one_matching_correlates_more() -> None:
    one, other = activations(2), activations(3)
    sums = correlations(one, other)
    best = max(sum(sums[k, j] for k, j in enumerate(order)) for order in itertools.permutations(range(CHANNELS)))
    found = partners(one, other)
    assert sorted(found) == list(range(CHANNELS))
    assert sum(sums[k, j] for k, j in enumerate(found)) == pytest.approx(best)


def test_correlations_are_numpys_and_a_channel_that_does_not_vary_has_none() -> None:
    one, other = activations(4), activations(5)
    one[2] = 0.1
    found = correlations(one, other)
    rest = [0, 1, 3, 4, 5]
    assert np.allclose(found[rest], np.corrcoef(one[rest], other)[: len(rest), len(rest) :])
    assert (found[2] == 0).all() and sorted(partners(one, other)) == list(range(CHANNELS))


def test_without_a_point_nothing_correlates_and_numpy_does_not_warn() -> None:
    """As on the checking half of a single level."""
    none = np.empty((CHANNELS, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (correlations(none, none) == 0).all() and correlations(none, none).shape == (CHANNELS, CHANNELS)
