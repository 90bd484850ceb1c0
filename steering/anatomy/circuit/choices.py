"""What one pass tells the next: rankings of channels, constants to set them to, sizes of sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from steering.anatomy.circuit.orders import reached, rising, sizes
from steering.anatomy.circuit.rows import RemovedRow, SearchRow, SetsRow, SinglesRow
from steering.records.anatomy.circuit_site import COMPETENCE_SIZES, FALLS, SHARES
from steering.statistics import bootstrap
from steering.statistics.seeding import generator

LEAST_BLIND = 0.1  # full blindness below which there is no half of it to look for


def ranked(rows: Sequence[SinglesRow], site: str) -> np.ndarray:
    """Return channels by the blindness that each gains alone, pooled over levels, the most first."""
    return rising(np.sum([row.sites[site].alone for row in rows], axis=0))


def by_norm(rows: Sequence[SinglesRow], site: str) -> np.ndarray:
    """Return channels by the norm of the vector in them, root mean square over levels, the largest first."""
    return rising(-np.sum([row.sites[site].squares for row in rows], axis=0))


def shared_means(rows: Sequence[SinglesRow], site: str) -> np.ndarray:
    """Return the constant that each channel is set to, the same for all levels: ``float64[c]``."""
    return np.asarray(np.mean([row.sites[site].means for row in rows], axis=0))


def removal_orders(rows: Sequence[RemovedRow], site: str) -> tuple[np.ndarray, np.ndarray]:
    """Return channels by what each takes of the cheese's effect, and by that less the damage it does, most first."""
    left, damage = (np.sum([getattr(row.sites[site], what) for row in rows], axis=0) for what in ("left", "damage"))
    return rising(left), rising(left + damage)


def removal_sets(
    singles: Sequence[SinglesRow], alone: Sequence[RemovedRow], searched: Sequence[SearchRow], site: str
) -> list[np.ndarray]:
    """Return the channels that take each of :data:`FALLS` of the cheese's effect on the finding half.

    In either order the fewest of the measured sizes that do, and of these two sets that which does less damage. All
    channels together take all of it.
    """
    clean = sum(row.clean for row in singles)
    at = sizes(len(singles[0].sites[site].alone))
    found = []
    for fall in FALLS:
        fit: list[tuple[float, int, int]] = []
        for k in range(2):
            parts = [row.sites[site].orders[k] for row in searched]
            left, damage = (np.sum([getattr(part, what) for part in parts], axis=0) for what in ("left", "damage"))
            first = next((i for i, of in enumerate(left) if of <= (1.0 - fall) * clean), len(at) - 1)
            fit.append((float(damage[first]), k, at[first]))
        _, k, size = min(fit)
        found.append(removal_orders(alone, site)[k][:size])
    return found


def blind_with_all(measured: Mapping[int, SetsRow], singles: Mapping[int, SinglesRow], site: str) -> bool:
    """Return whether all channels give :data:`LEAST_BLIND` or more, in the levels that sets are measured in."""
    clean = sum(singles[level].clean for level in measured)
    return sum(row.sites[site].ranked[-1] for row in measured.values()) <= (1.0 - LEAST_BLIND) * clean > 0


def subtraction_sizes(rows: Sequence[SetsRow], clean: np.ndarray, site: str, channels: int) -> list[int]:
    """Return how many channels give each of :data:`SHARES` of the full blindness; all, where that is next to none.

    Args:
        rows: of the levels of the checking half.
        clean: distance between the policies with and without the cheese in each, ``float[n]``.
        site: name of the site.
        channels: number of its channels.
    """
    curve = bootstrap.blindness(np.transpose([row.sites[site].ranked for row in rows]), clean)
    return [channels if np.isnan(size) else int(size) for size in shares_reached(curve, channels)]


def competence_sizes(rows: Sequence[SetsRow], clean: np.ndarray, site: str, channels: int) -> list[int]:
    """Return the numbers of ranked channels at which competence is measured, rising.

    Those of :data:`COMPETENCE_SIZES`, all channels, and :func:`subtraction_sizes`, whose arguments it takes.
    """
    ladder = {size for size in COMPETENCE_SIZES if size < channels}
    return sorted(ladder | {channels} | set(subtraction_sizes(rows, clean, site, channels)))


def shares_reached(curve: np.ndarray, channels: int) -> np.ndarray:
    """Return the numbers of channels at which blindness reaches each of :data:`SHARES` of that of all channels.

    Args:
        curve: blindness at each of :func:`steering.anatomy.circuit.orders.sizes`, ``float[..., s]``.
        channels: number of channels.

    Returns:
        ``float64[shares, ...]``; NaN where that of all channels is below :data:`LEAST_BLIND`.
    """
    full = np.where(curve[..., -1] >= LEAST_BLIND, curve[..., -1], np.nan)
    return np.array([reached(curve, sizes(channels), share * full) for share in SHARES])


def random_order(seed: int, level: int, site: str, channels: int, what: str) -> np.ndarray:
    """Return channels in an order drawn for one level: its first ones are a random set of any size."""
    return generator(seed, level, f"{what} {site}", 0).permutation(channels)
