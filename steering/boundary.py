"""From per-site curves to the decoding/planning boundary with its uncertainty.

Two readings of the same curve, both bootstrapped over mazes. Threshold: the deepest trunk site up
to which, without a gap from the first site swept on, subtraction still blinds (blindness) and does not break
the agent (competence). Change-point: the split of the blindness curve into two levels with the
least squared error, over distinct experiments only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.errors import InputError
from steering import stats

BLINDNESS = 0.5
COMPETENCE = 0.8


@dataclass(frozen=True)
class Boundary:
    """``site``: the last trunk site where the trick works (None: nowhere); ``next_site``: the first
    where it does not. ``low`` and ``high``: 95% bootstrap interval of ``site``. ``change_*``: last
    site before the drop. ``rule`` says it in words."""

    site: str | None
    next_site: str | None
    low: str | None
    high: str | None
    change_site: str | None
    change_low: str | None
    change_high: str | None
    rule: str


def check_thresholds(blindness: float, competence: float) -> None:
    """Raise :class:`InputError` for thresholds that no rule can mean."""
    if not (abs(blindness) <= 10 and abs(competence) <= 10):
        raise InputError(f"thresholds {blindness:g} and {competence:g}: give numbers between -10 and 10")


def depth_reached(blind: np.ndarray, competent: np.ndarray, blindness: float, competence: float) -> np.ndarray:
    """Number of leading sites (last axis) that pass both thresholds: ``int[...]``."""
    passes = (blind >= blindness) & (competent >= competence)
    return np.cumprod(passes, axis=-1).sum(axis=-1)


def change_point(curves: np.ndarray) -> np.ndarray:
    """``int[...]``: length of the first of two constant pieces that fit ``float[..., s]`` best.

    At least one site on each side; needs ``s >= 2``.
    """
    s = curves.shape[-1]
    errors = []
    for k in range(1, s):
        left, right = curves[..., :k], curves[..., k:]
        errors.append(left.var(axis=-1) * k + right.var(axis=-1) * (s - k))
    return np.argmin(np.stack(errors, axis=-1), axis=-1) + 1


def find_boundary(
    sites: Sequence[str],
    classes: Sequence[str],
    tv_edited: np.ndarray,
    tv_clean: np.ndarray,
    region_edited: np.ndarray,
    region_no_cheese: np.ndarray,
    samples: np.ndarray,
    *,
    blindness: float = BLINDNESS,
    competence: float = COMPETENCE,
) -> Boundary:
    """The boundary over trunk ``sites`` in depth order.

    ``tv_edited``, ``region_edited``: ``float[n_sites, n_mazes]``; ``tv_clean``,
    ``region_no_cheese``: ``float[n_mazes]``; ``samples``: ``int[draws, n_mazes]`` from
    :func:`steering.stats.resamples`. Sites of one equivalence class (``classes``) are one point
    of the change-point's curve.
    """
    blind, able = (
        stats.blindness(tv_edited, tv_clean),
        stats.competence(region_edited, region_no_cheese),
    )
    boot_blind = stats.blindness(tv_edited[:, samples], tv_clean[samples]).T
    boot_able = stats.competence(region_edited[:, samples], region_no_cheese[samples]).T
    reached = int(depth_reached(blind, able, blindness, competence))
    boot = depth_reached(boot_blind, boot_able, blindness, competence)
    low, high = np.quantile(boot, [0.025, 0.975], method="inverted_cdf").astype(int)
    members = [[i for i, c in enumerate(classes) if c == name] for name in dict.fromkeys(classes)]
    change: list[str | None] = [None, None, None]
    distinct = [group[0] for group in members]
    if len(distinct) > 1 and np.isfinite(boot_blind).all():
        splits = change_point(boot_blind[:, distinct])
        ends = [
            int(change_point(blind[distinct])),
            *np.quantile(splits, [0.025, 0.975], method="inverted_cdf").astype(int),
        ]
        change = [sites[members[k - 1][-1]] for k in ends]
    return Boundary(
        site=_name(sites, reached),
        next_site=sites[reached] if reached < len(sites) else None,
        low=_name(sites, low),
        high=_name(sites, high),
        change_site=change[0],
        change_low=change[1],
        change_high=change[2],
        rule=(
            f"deepest trunk site up to which blindness >= {blindness:g} and competence >= {competence:g} at every "
            f"trunk site swept ({len(sites)}, from {sites[0]} on); "
            f"interval: 95% bootstrap over mazes ({len(samples)} draws)"
        ),
    )


def _name(sites: Sequence[str], reached: int) -> str | None:
    return sites[reached - 1] if reached > 0 else None
