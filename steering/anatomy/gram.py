"""Angles between directions, what chance predicts of them, and how many of them a sum tells; all from inner products.

``m`` vectors of ``d`` numbers enter only by their Gram matrix ``float64[m, m]``, so a site of 65,536 activations costs
no more than one of 15. What chance predicts is exact for directions drawn evenly from the sphere in ``d`` dimensions:
the squared cosine of two of them has the distribution Beta(1/2, (d - 1)/2).
"""

from __future__ import annotations

import math

import numpy as np

ROUNDING = 1e-12  # of the largest squared length: less is no direction, but rounding
MEDIAN = 0.5
SPAN = 8.0  # in the bound of Johnson and Lindenstrauss: d >= 8 ln(m) / eps^2


def with_direction(gram: np.ndarray, scale: float) -> np.ndarray:
    """Return which vectors are long enough to have a direction: ``bool[m]``.

    Args:
        gram: ``float64[m, m]``.
        scale: squared length to which their squared lengths are compared.
    """
    lengths = np.diag(gram)
    return np.asarray(lengths > ROUNDING * max(scale, float(lengths.max(initial=0.0))))


def cosines(gram: np.ndarray) -> np.ndarray:
    """Return the cosines between vectors that have a direction: ``float64[m, m]``, 1 on the diagonal."""
    lengths = np.sqrt(np.diag(gram))
    found = np.clip(gram / np.outer(lengths, lengths), -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def centred(gram: np.ndarray) -> np.ndarray:
    """Return the Gram matrix of the same vectors less their mean."""
    rows = gram.mean(axis=0)
    return np.asarray(gram - rows[:, None] - rows[None, :] + gram.mean())


def effective_dimension(gram: np.ndarray) -> float:
    """Return the participation ratio of the covariance that ``n`` samples come from, from their Gram matrix.

    ``(tr C)^2 / tr C^2``: ``d`` if all directions vary alike, 1 if only one varies. Both traces are estimated without
    bias for normal samples (Bai and Saranadasa 1996); the plain ratio of a sample is below ``n``, whatever ``d`` is.

    Returns:
        At least 1; NaN for fewer than four samples, where nothing varies, and where the samples are too few to tell.
    """
    n = len(gram) - 1  # degrees of freedom
    if n < 3:
        return math.nan
    inner = centred(gram)
    trace, squared = np.trace(inner) / n, np.sum(inner**2) / n**2
    if not trace > ROUNDING * np.trace(gram) / n:
        return math.nan
    of_square = n**2 / ((n - 1) * (n + 2)) * (squared - trace**2 / n)
    if not of_square > 0:
        return math.nan
    return float(max((trace**2 - 2.0 * of_square / n) / of_square, 1.0))


def chance_cosine(dimension: float, share: float = MEDIAN) -> float:
    """Return the |cosine| that this share of pairs of random directions stays below; 1 in one dimension."""
    from scipy.special import betaincinv

    return 1.0 if dimension <= 1 else math.sqrt(float(betaincinv(0.5, (dimension - 1) / 2, share)))


def chance_largest(vectors: int, dimension: float) -> float:
    """Return the median of the largest |cosine| among so many random directions.

    Cosines of pairs are taken for independent. For large ``dimension`` it is near ``sqrt(2 ln(pairs) / dimension)``.
    """
    pairs = vectors * (vectors - 1) / 2
    return chance_cosine(dimension, MEDIAN ** (1 / pairs))


def chance_square(vectors: int, dimension: float, *, less_mean: bool) -> float:
    """Return the mean squared cosine of two random directions, or of two of ``vectors`` random ones less their mean."""
    return min(1.0, 1.0 / dimension + (1.0 / (vectors - 1) ** 2 if less_mean else 0.0))


def bound_of(vectors: int, dimension: float) -> float:
    """Return the interference that so many directions never need: ``eps`` with ``d = 8 ln(m) / eps^2``, at most 1.

    Johnson and Lindenstrauss (1984): ``m`` orthogonal directions fit into so many dimensions with all distances kept to
    within a share ``eps``.
    """
    return min(1.0, math.sqrt(SPAN * math.log(vectors) / dimension))


def random_cosines(vectors: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Return the cosines of random directions, ``float64[vectors, vectors]``, without drawing long vectors.

    Of Bartlett's decomposition: the Gram matrix of normal vectors is ``L L'``, with independent normal numbers below
    the diagonal of ``L`` and chi-distributed ones on it.
    """
    width = min(vectors, dimension)
    lower = np.tril(rng.standard_normal((vectors, width)), -1)
    lower[np.arange(width), np.arange(width)] = np.sqrt(rng.chisquare(dimension - np.arange(width)))
    return cosines(lower @ lower.T)


def sets_read(gram: np.ndarray, size: int, draws: int, rng: np.random.Generator) -> int:
    """Return how many of ``draws`` random sets of vectors are read from their sum.

    A set is read if its sum, projected on the direction of every vector, is larger on each of the set's own than on any
    other one.

    Args:
        gram: of more than ``size`` vectors that all have a direction, ``float64[m, m]``.
        size: vectors in a set.
        draws: number of sets.
        rng: draws the sets.
    """
    lengths = np.sqrt(np.diag(gram))
    chosen = np.argsort(rng.random((draws, len(gram))), axis=1)[:, :size]
    member = np.zeros((draws, len(gram)), dtype=bool)
    np.put_along_axis(member, chosen, True, axis=1)
    read = member @ gram / lengths
    own, others = np.where(member, read, np.inf).min(axis=1), np.where(member, -np.inf, read).max(axis=1)
    return int((own > others).sum())
