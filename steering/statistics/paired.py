"""The paired effect of one condition against another, maze by maze: interval, test, sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from steering.statistics.bootstrap import DRAWS, FEWEST, LEVEL, TIE, resamples

Resampler = Callable[[int], np.ndarray]
_AT_ONCE = 2_000_000  # numbers that the jackknife of an interval holds


@dataclass(frozen=True)
class PairedEffect:
    """Difference ``a - b``, maze by maze; null where ``note`` says why there is no number."""

    n: int
    """Number of mazes where both are defined, 0 or more."""
    undefined: int
    """Number of the other mazes."""
    zeros: int
    """Number of the ``n`` mazes that differ by no more than :data:`TIE`."""
    mean: float | None = None
    """Mean difference, in units of ``a``."""
    median: float | None = None
    """Median difference, in units of ``a``."""
    low: float | None = None
    """Low end of the 95% BCa interval of the mean; null with fewer than :data:`FEWEST` mazes."""
    high: float | None = None
    """High end of the 95% BCa interval of the mean; null with fewer than :data:`FEWEST` mazes."""
    p: float | None = None
    """P-value by :func:`signed_rank`, from 0 to 1; null with fewer than :data:`FEWEST` mazes."""
    improvement: float | None = None
    """Share of mazes with ``a > b``, ties counting half, from 0 to 1."""
    note: str = ""
    """Reason for there being no number, or a peculiarity of the data; empty for none."""


@functools.lru_cache(maxsize=1)
def same_resamples(seed: int, draws: int = DRAWS) -> Resampler:
    """Return a function that gives ``int[draws, n]`` resamples of ``n`` mazes, drawn once for each ``n``.

    Those of ``n`` are the first of a generator of their own from ``seed``: a sweep's effects, hundreds of them over as
    many mazes, are then made with the same ones.
    """

    @functools.lru_cache(maxsize=4)  # of 3 MB each for 200 mazes
    def drawn(n: int) -> np.ndarray:
        return resamples(n, np.random.default_rng(seed), draws)

    return drawn


def paired_effect(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator | Resampler, draws: int = DRAWS
) -> PairedEffect:
    """Return the effect of ``float[n_mazes]`` ``a`` against ``b``, same mazes in the same order.

    Args:
        a, b: an outcome of each maze under two conditions, NaN where it is not defined.
        rng: draws the bootstrap's resamples; or :func:`same_resamples`.
        draws: how many, if ``rng`` is a generator.

    Returns:
        Mean difference ``a - b`` with 95% BCa interval and signed-rank test, over the mazes where both are defined.
    """
    return paired_effects([a], b, rng, draws)[0]


def paired_effects(
    rows: Sequence[np.ndarray], b: np.ndarray, rng: np.random.Generator | Resampler, draws: int = DRAWS
) -> list[PairedEffect]:
    """Return :func:`paired_effect` of each of ``rows`` against ``b``; effects over as many mazes share resamples.

    Their intervals are made together: one by one, ``scipy.stats.bootstrap`` would spend most of its time on its
    arguments.
    """
    samples = rng if callable(rng) else lambda n: resamples(n, rng, draws)
    differences = [np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64) for a in rows]
    defined = [difference[~np.isnan(difference)] for difference in differences]
    defined = [np.where(np.abs(difference) <= TIE, 0.0, difference) for difference in defined]
    by_count: dict[int, list[int]] = {}
    for i, difference in enumerate(defined):
        if len(difference) >= FEWEST and np.ptp(difference) > TIE:
            by_count.setdefault(len(difference), []).append(i)
    intervals: dict[int, tuple[float, float]] = {}
    for n, where in by_count.items():
        found = bca_intervals(np.stack([defined[i] for i in where]), samples(n))
        intervals |= dict(zip(where, found, strict=True))
    return [_effect(difference, len(b) - len(difference), intervals.get(i)) for i, difference in enumerate(defined)]


def _effect(difference: np.ndarray, undefined: int, interval: tuple[float, float] | None) -> PairedEffect:
    """Return the effect of ``float[n]`` differences; ``interval``: of their mean, None where they do not differ."""
    n, zeros = len(difference), int((difference == 0).sum())
    if n == 0:
        return PairedEffect(0, undefined, 0, note="defined in no maze")
    mean, median = float(difference.mean()), float(np.median(difference))
    better = float((difference > 0).mean() + (difference == 0).mean() / 2)
    if n < FEWEST:
        note = f"{n} mazes are too few for an interval or a test ({FEWEST} at least)"
        return PairedEffect(n, undefined, zeros, mean, median, improvement=better, note=note)
    note = ""
    if interval is None:
        interval, note = (mean, mean), "no maze differs" if zeros == n else "all mazes differ by the same"
    return PairedEffect(n, undefined, zeros, mean, median, *interval, signed_rank(difference), better, note)


def bca_intervals(values: np.ndarray, samples: np.ndarray) -> list[tuple[float, float]]:
    """Return the 95% BCa interval of the mean of each row, by ``scipy.stats.bootstrap``.

    Args:
        values: rows of numbers that are not all equal, ``float[k, n]``.
        samples: the resamples, ``int[draws, n]``, given so that many effects over the same mazes share them.
    """
    from scipy.stats import bootstrap

    means = np.stack([np.take(row, samples).mean(axis=1) for row in values])
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=0,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=means),
        confidence_level=LEVEL,
        method="BCa",
        vectorized=True,
        axis=-1,
        batch=max(_AT_ONCE // values.size, 1),
    ).confidence_interval
    return [(float(low), float(high)) for low, high in zip(found.low, found.high, strict=True)]


def signed_rank(difference: np.ndarray) -> float:
    """Return p of the two-sided Wilcoxon signed-rank test of ``float[n]``; zeros are left out, and all zero is 1.

    Exact up to 50 differences without ties and up to 10 with; normal approximation else. Zeros that stayed in (Pratt's
    way) would leave only the approximation, which with many zeros and few differences is far too sure.
    """
    from scipy.stats import PermutationMethod, wilcoxon

    moved = difference[difference != 0]
    if not len(moved):
        return 1.0
    untied = len(np.unique(np.abs(moved))) == len(moved)
    method: str | PermutationMethod = "exact" if untied and len(moved) <= 50 else "approx"
    if not untied and len(moved) <= 10:
        method = PermutationMethod(n_resamples=2**10)  # as many as there are: all are gone through
    return float(wilcoxon(moved, method=method).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjustment of p-values over a family of tests (Holm 1979).

    Three lines instead of statsmodels' ``multipletests``, which a test compares it with: that one begins with a garbage
    collection, and over all families of a sweep those took longer than everything else in its summary.

    Args:
        p_values: one per test, 0 to 1; None: the test could not be made, and is no part of the family.

    Returns:
        The adjusted p-values in the same order, at most 1; None where there was none.
    """
    made = np.array([p for p in p_values if p is not None])
    order = np.argsort(made)
    adjusted = np.empty_like(made)
    adjusted[order] = np.minimum(np.maximum.accumulate(made[order] * np.arange(len(made), 0, -1)), 1.0)
    left = iter(adjusted)
    return [None if p is None else float(next(left)) for p in p_values]


def in_words(effect: PairedEffect, what: str, p_holm: float | None = None) -> str:
    """Return one sentence: direction, size, interval; or that the data show nothing. ``p_holm`` goes before ``p``."""
    mazes = f"{effect.n} maze{'' if effect.n == 1 else 's'}"
    if effect.zeros and effect.zeros < effect.n:
        mazes += f", no difference in {effect.zeros}"
    if effect.undefined:
        mazes += f", {effect.undefined} left out as undefined"
    if effect.mean is None or effect.low is None or effect.high is None:
        return f"{what}: nothing can be said: {effect.note}."
    if effect.zeros == effect.n:
        return f"{what}: no difference in any maze ({mazes})."
    p, name = (effect.p, "p") if p_holm is None else (p_holm, "Holm's p")
    assert p is not None
    strength = f"{name} {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
    size = f"95% interval {effect.low:.3g} to {effect.high:.3g}, {strength}, {mazes}"
    if effect.low <= 0 <= effect.high or p > 1 - LEVEL:
        return f"{what}: no clear difference (mean {effect.mean:+.3g}, {size})."
    assert effect.improvement is not None
    up = effect.mean > 0
    more, fewer = ("lower", "higher") if up else ("higher", "lower")
    most = f", though {more} in more mazes than {fewer}" if (effect.improvement - 0.5) * effect.mean < 0 else ""
    return f"{what}: {'higher' if up else 'lower'} by {abs(effect.mean):.3g} on average{most} ({size})."
