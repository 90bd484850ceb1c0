"""How a vector's energy lies over the channels of a site, and how it would lie over random axes.

The energy of a channel is the sum of the vector's squares there. Turned axes have other energies, and all of these
follow from the vector's covariance between channels alone: with its eigenvalues ``l`` and a random orthogonal matrix
``Q``, turned axis ``i`` has the energy ``sum_j l_j Q_ij^2``.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from steering.statistics.bootstrap import quotient

TOP = 0.25  # of the channels: those with the most energy
ROTATIONS = 200


def participation(energies: np.ndarray) -> np.ndarray:
    """Return how many channels of equal energy are as concentrated: 1 to c, for ``float[..., c]``."""
    return quotient(energies.sum(axis=-1) ** 2, np.square(energies).sum(axis=-1))


def gini(energies: np.ndarray) -> np.ndarray:
    """Return the Gini coefficient over channels: 0 if all have the same energy, 1 - 1/c if one has all."""
    count = energies.shape[-1]
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return quotient(np.sort(energies, axis=-1) @ ranks, count * energies.sum(axis=-1))


def top_channels(channels: int) -> int:
    """Return how many channels are a quarter of them, 1 or more."""
    return math.ceil(TOP * channels)


def top_share(energies: np.ndarray) -> np.ndarray:
    """Return the share of the energy in the quarter of the channels that has the most: 1/4 to 1."""
    ordered = np.sort(energies, axis=-1)
    return quotient(ordered[..., -top_channels(energies.shape[-1]) :].sum(axis=-1), energies.sum(axis=-1))


def top_quarter(energies: np.ndarray) -> np.ndarray:
    """Return which channels are the quarter with the most energy, of equal ones the first: ``bool[c]``."""
    member = np.zeros(len(energies), dtype=bool)
    member[np.argsort(-energies, kind="stable")[: top_channels(len(energies))]] = True
    return member


def spectrum(rows: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of the covariance between channels, without the zeros that there must be.

    Args:
        rows: numbers of each channel, not centred, ``float64[c, m]``.

    Returns:
        ``float64[min(c, m)]``, 0 or more; their sum is the energy.
    """
    products = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
    return np.maximum(np.linalg.eigvalsh(products), 0.0)[::-1]


def turned(eigenvalues: np.ndarray, channels: int, draws: int = ROTATIONS) -> np.ndarray:
    """Return the energies along the axes of random bases, ``float64[draws, channels]``, the same bases each time."""
    return np.asarray(_squares(channels, len(eigenvalues), draws) @ eigenvalues)


@functools.lru_cache(maxsize=32)
def _squares(channels: int, directions: int, draws: int) -> np.ndarray:
    """Return squares of random orthonormal columns, ``float64[draws, channels, directions]``, by size alone."""
    rng = np.random.default_rng([channels, directions, draws])
    return np.asarray(np.linalg.qr(rng.standard_normal((draws, channels, directions)))[0] ** 2)


def turned_participation(eigenvalues: np.ndarray, channels: int) -> float:
    """Return ``(sum e)^2 / E[sum e^2]`` over all rotations, exactly: ``(c + 2) / (1 + 2 sum(l^2) / sum(l)^2)``.

    Of a random unit vector ``q``, ``E[(q' M q)^2] = ((tr M)^2 + 2 tr M^2) / (c (c + 2))``.
    """
    share = float(np.square(eigenvalues).sum() / eigenvalues.sum() ** 2)
    return (channels + 2) / (1 + 2 * share)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the cosine of two profiles of energy: 1 if they are alike, 0 if no channel has both; NaN for none."""
    size = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / size if size > 0 else math.nan


def chance_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean of that cosine over all orders of the channels of one of them, exactly."""
    size = math.sqrt(float(one @ one) * float(other @ other))
    return float(one.sum() * other.sum()) / (len(one) * size) if size > 0 else math.nan


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share, of the channels in either top quarter, that are in both."""
    tops = top_quarter(one), top_quarter(other)
    return float((tops[0] & tops[1]).sum() / (tops[0] | tops[1]).sum())


def chance_jaccard(channels: int) -> float:
    """Return the mean of that share for two random quarters: their overlap is hypergeometric."""
    size = top_channels(channels)
    chances = [math.comb(size, k) * math.comb(channels - size, size - k) / math.comb(channels, size)
               for k in range(size + 1)]  # fmt: skip
    return sum(chance * k / (2 * size - k) for k, chance in enumerate(chances))
