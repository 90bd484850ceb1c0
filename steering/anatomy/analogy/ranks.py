"""Which candidate lies nearest to a guess: "A with cheese, less A, plus B", among pictures of B and the inputs.

Everything is counted from ``a(B)``, the activations of B without cheese: ``here`` are the cheese vectors of B's cells,
``there`` those of A, and the guess of a cell is A's vector of it. The three inputs are then 0, ``there + apart`` and
``apart``, with ``apart = a(A) - a(B)``. Distances do not change by that, and keep their digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.stored.ranges import Count, NonNegative

INPUTS = 3  # B without cheese, A with cheese on the cell, A without


@dataclass(frozen=True)
class RankPart:
    """Where the targets stand among their candidates, summed over analogies. Of equals half count as nearer."""

    first: Count
    """Number that are nearer than every other candidate, the inputs among them."""
    first_excluding: Count
    """The same without the inputs."""
    ranks: NonNegative
    """Sum of ranks, 1 the nearest, the inputs among the candidates."""
    ranks_excluding: NonNegative
    """The same without the inputs."""
    shares: NonNegative
    """Sum of the shares of the other cells of B that are nearer than the target, 0 to 1 each."""


def by_distance(products: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return how near candidates are to guesses by Euclidean distance, larger for nearer: ``float64[m, n]``.

    Args:
        products: inner products of guesses and candidates, ``float64[m, n]``.
        candidates: squared lengths of the candidates, ``float64[n]`` or ``[m, n]``.
    """
    return np.asarray(2.0 * products - candidates)  # less the guess's own, which all its candidates share


def by_cosine(
    products: np.ndarray,
    lengths: tuple[np.ndarray, np.ndarray],
    along: tuple[np.ndarray, np.ndarray],
    origin: float,
) -> np.ndarray:
    """Return the cosines of guesses and candidates as seen from an origin: ``float64[m, n]``, 0 for no direction.

    Args:
        products: inner products of guesses and candidates, ``float64[m, n]``.
        lengths: squared lengths of the guesses, ``float64[m]``, and of the candidates, ``float64[n]`` or ``[m, n]``.
        along: inner products of both with the origin, of the same shapes.
        origin: squared length of the origin.
    """
    own, others = along
    inner = products - own[:, None] - others + origin
    sizes = [np.sqrt(np.maximum(square - 2.0 * to + origin, 0.0)) for square, to in zip(lengths, along, strict=True)]
    scale = sizes[0][:, None] * sizes[1]
    return np.asarray(np.divide(inner, scale, out=np.zeros_like(inner), where=scale > 0))


def ranked(cells: np.ndarray, inputs: np.ndarray, target: np.ndarray) -> tuple[RankPart, np.ndarray, np.ndarray]:
    """Return where the targets stand, which are nearest of all, and which without the inputs: ``bool[m]`` each.

    Args:
        cells: nearness of B's pictures, ``float[m, n]``.
        inputs: nearness of the three inputs, ``float[m, 3]``.
        target: index of each target among the cells, ``int[m]``.
    """
    own = np.take_along_axis(cells, target[:, None], axis=1)
    nearer, equal = (np.sum(cells > own, axis=1), np.sum(cells == own, axis=1) - 1)
    among = np.sum(inputs > own, axis=1) + 0.5 * np.sum(inputs == own, axis=1)
    behind = nearer + 0.5 * equal
    first_excluding = behind == 0
    first = first_excluding & (among == 0)
    part = RankPart(
        first=int(first.sum()),
        first_excluding=int(first_excluding.sum()),
        ranks=float(np.sum(1.0 + behind + among)),
        ranks_excluding=float(np.sum(1.0 + behind)),
        shares=float(np.sum(behind / max(cells.shape[1] - 1, 1))),
    )
    return part, first, first_excluding


def nearest_of(cells: np.ndarray, inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return which kind of candidate is nearest: ``int[m]``, 0 the target, 1 another cell of B, 2, 3, 4 the inputs.

    Of equals the input is taken, then the other cell: a target wins only alone.
    """
    best = cells.max(axis=1)
    own = np.take_along_axis(cells, target[:, None], axis=1)[:, 0]
    kind = np.where((own == best) & (np.sum(cells == own[:, None], axis=1) == 1), 0, 1)
    of_inputs = inputs.argmax(axis=1)
    return np.asarray(np.where(inputs.max(axis=1) >= best, 2 + of_inputs, kind))
