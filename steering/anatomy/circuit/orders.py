"""In which order channels are taken: ranked by what they do alone, by norm, at random; and what is found by search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from steering.records.anatomy.circuit_site import SIZES

MOST_CHANNELS = 512  # of a site: its single channels are measured one by one
ROUNDING = 1e-9  # of a number of channels
KEPT = 8  # channels that are asked on all levels for the next place in a greedy order
Distance = Callable[[np.ndarray], np.ndarray]  # sets of channels bool[m, c] -> what each leaves of the effect, float[m]


def finding_half(levels: Sequence[int]) -> Sequence[int]:
    """Return the levels on which channels are ranked: every other one, from the first."""
    return levels[0::2]


def checking_half(levels: Sequence[int]) -> Sequence[int]:
    """Return the other levels, on which sets of channels are measured."""
    return levels[1::2]


def sizes(channels: int) -> list[int]:
    """Return the numbers of channels that are measured at a site, rising; the last is all of them."""
    return [size for size in SIZES if size < channels] + [channels]


def first(order: np.ndarray, size: int) -> np.ndarray:
    """Return the first channels of an order as ``bool[c]``."""
    return among(len(order), order[:size])


def singly(channels: int) -> np.ndarray:
    """Return each channel as a set of its own: ``bool[channels, channels]``."""
    return np.eye(channels, dtype=bool)


def among(channels: int, chosen: np.ndarray) -> np.ndarray:
    """Return channels by number as ``bool[channels]``."""
    found = np.zeros(channels, dtype=bool)
    found[chosen] = True
    return found


def rising(left: np.ndarray) -> np.ndarray:
    """Return channels by what is left when each is edited alone, the least first; equal ones by number."""
    return np.argsort(left, kind="stable")


def reached(curve: np.ndarray, at: Sequence[int], target: np.ndarray) -> np.ndarray:
    """Return the least whole number of channels at which a curve reaches a target.

    Between the numbers measured the curve is taken for straight, and below the first for a line from 0 at no channel.

    Args:
        curve: ``float[..., s]``, one value for each number in ``at``.
        at: numbers of channels, rising.
        target: what is to be reached, above 0, ``float[...]``; NaN: nothing is.

    Returns:
        ``float64[...]``, 1 or more; NaN where the curve stays below.
    """
    ends, values = [0, *at], np.concatenate([np.zeros((*curve.shape[:-1], 1)), curve], axis=-1)
    found = np.full(np.shape(target), np.nan)
    for k in range(len(at), 0, -1):  # the first crossing is written last
        low, high = values[..., k - 1], values[..., k]
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = ends[k - 1] + (ends[k] - ends[k - 1]) * (target - low) / (high - low)
        found = np.where((low < target) & (target <= high), np.ceil(inside - ROUNDING), found)
    return found


def greedy(alone: np.ndarray, trial: Distance, rest: Distance, most: int) -> np.ndarray:
    """Return channels in the order in which each leaves least beside those taken before it: ``int[most]``.

    The first is known. For each later place all channels are tried on a part of the levels; the :data:`KEPT` that leave
    least there are asked on the rest of the levels, too, and the sum tells.

    Args:
        alone: what each channel leaves when it is the only one, on all levels: ``float[c]``.
        trial: what sets leave on a part of the levels.
        rest: what they leave on the others.
        most: number of channels at which to stop; at most all are taken.
    """
    order = [int(np.argmin(alone))]
    while len(order) < min(len(alone), most):
        others = np.setdiff1d(np.arange(len(alone)), order)
        sets = among(len(alone), np.array(order)) | singly(len(alone))[others]
        left = trial(sets)
        kept = np.sort(rising(left)[:KEPT])
        order.append(int(others[kept[np.argmin(left[kept] + rest(sets[kept]))]]))
    return np.array(order)
