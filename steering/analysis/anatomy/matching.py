"""Which channel of one agent is which of another: by activations at the same points, one to one."""

from __future__ import annotations

import numpy as np


def varying(values: np.ndarray) -> np.ndarray:
    """Return which channels vary over points ``float[c, n]``: ``bool[c]``. One that a ReLU shuts off does not."""
    return np.asarray(np.ptp(values, axis=1) > 0) if values.size else np.zeros(len(values), dtype=bool)


def correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the correlation of each channel of one agent with each of another.

    Args:
        one: activations of channels at points, ``float[c, n]``.
        other: those of the other agent at the same points, ``float[d, n]``.

    Returns:
        ``float64[c, d]``, -1 to 1; 0 for a channel that does not vary.
    """
    first, second = (_standard(np.asarray(values, dtype=np.float64)) for values in (one, other))
    return np.asarray(first @ second.T)


def _standard(values: np.ndarray) -> np.ndarray:
    """Return rows less their mean, of length 1; a row that does not vary is 0."""
    rest = values - values.mean(axis=1, keepdims=True) if values.size else values
    rest[~varying(values)] = 0.0
    length = np.linalg.norm(rest, axis=1, keepdims=True)
    return np.asarray(np.divide(rest, length, out=np.zeros_like(rest), where=length > 0))


def partners(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return for each channel of one agent its partner in another: the one-to-one matching of largest correlation.

    The sum of correlations is the largest possible (assignment problem; Li et al. 2016, arXiv 1511.07543, section 3.1).

    Args:
        one: activations of channels at points, ``float[c, n]``.
        other: those of the other agent at the same points, ``float[c, n]``.

    Returns:
        ``int[c]``, each number once.
    """
    from scipy.optimize import linear_sum_assignment

    _, found = linear_sum_assignment(correlations(one, other), maximize=True)
    return np.asarray(found)
