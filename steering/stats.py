"""Paired statistics over mazes: arrays in, numbers out, explicit generator. What each means: docs/statistics.md.

``scipy.stats`` is slow to import, and is when it is used: a sweep needs it at its end only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000
LEVEL = 0.95
TAIL = (1.0 - LEVEL) / 2.0
FEWEST = 6  # mazes: with fewer the signed-rank test cannot reach p = 0.05
FEW = 16  # mazes: with fewer no interval tried covered nearly as often as it says
NO_SPREAD = 0.05  # of the standard error observed: a resample with less says nothing about how far off a mean may be
FLOOR = 1 / 3  # of the sample's standard error: see `difference_intervals`
TIE = 1e-6  # differences of probabilities up to this are zero: above float32's rounding, below anything of interest


def resamples(n: int, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """``int[draws, n]``: bootstrap samples of ``n`` mazes; one matrix serves all sites (paired)."""
    return rng.integers(n, size=(draws, n))


def counts(samples: np.ndarray) -> np.ndarray:
    """``float64[draws, n]``: how often each maze occurs in each sample of :func:`resamples`."""
    draws, n = samples.shape
    flat = samples + n * np.arange(draws)[:, None]
    return np.bincount(flat.ravel(), minlength=draws * n).reshape(draws, n).astype(np.float64)


def blindness(tv_edited: np.ndarray, tv_clean: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """``B = 1 - sum TV(edited, no_cheese) / sum TV(clean, no_cheese)``, summed over the last axis.

    A pooled ratio, so a maze where the cheese changes nothing divides nothing by zero. NaN where the cheese changes
    nothing in any maze. ``weights`` from :func:`counts` give it for each resample: ``float[..., draws]``.
    """
    return 1.0 - quotient(_pooled(tv_edited, weights), _pooled(tv_clean, weights))


def competence(
    p_region_edited: np.ndarray, p_region_no_cheese: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Pooled P(top-right 5x5 before the cheese's cell) under the edit relative to the level without cheese."""
    return quotient(_pooled(p_region_edited, weights), _pooled(p_region_no_cheese, weights))


def interval(samples: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over the first axis, NaN left out."""
    tail = (1.0 - level) / 2.0
    if np.isnan(samples).all():
        blank = np.full(np.shape(samples)[1:], np.nan)
        return blank, blank
    low, high = np.nanquantile(samples, [tail, 1.0 - tail], axis=0)
    return low, high


def blindness_interval(tv_edited: np.ndarray, tv_clean: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """95% interval of the blindness of ``float[n]`` ``tv_edited``: :func:`ratio_interval`; never above 1."""
    low, high = ratio_interval(tv_edited, tv_clean, weights)
    return 1.0 - high, 1.0 - low


def ratio_interval(top: np.ndarray, bottom: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """95% interval of ``sum(top) / sum(bottom)``, ``float[n]`` and not negative, from the resamples in ``weights``.

    Studentized bootstrap (Efron and Tibshirani 1993, section 12.5) with the linearized standard error of a ratio: a few
    mazes hold most of a sum, and there it covers where percentile and BCa intervals fall short. Percentiles serve for
    fewer than :data:`FEWEST` mazes, and where the studentized interval has no end: where more resamples than a tail
    holds have next to no spread, because they lack the few mazes that have it. NaN where the ratio is.
    """
    total = bottom.sum()
    if not total > 0:
        return float("nan"), float("nan")
    ratio = top.sum() / total
    residual = top - ratio * bottom
    error = np.sqrt(residual @ residual) / total
    if error <= np.finfo(np.float64).eps * max(ratio, 1.0):
        return float(ratio), float(ratio)
    totals = weights @ bottom
    shift = quotient(weights @ residual, totals)  # of the ratio, from the one observed
    ends = np.nanquantile(shift, [TAIL, 1.0 - TAIL])
    if len(top) >= FEWEST:
        squares = weights @ np.stack([residual**2, residual * bottom, bottom**2], axis=1)
        spread = np.sqrt(np.maximum(squares[:, 0] - 2 * shift * squares[:, 1] + shift**2 * squares[:, 2], 0.0))
        spread = quotient(spread, totals)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = shift / np.where(spread > NO_SPREAD * error, spread, 0.0)
        t = np.sort(t[~np.isnan(t)])
        k = int(TAIL * (len(t) + 1))
        studentized = -error * t[[-k, k - 1]] if k else np.array([np.inf])
        ends = studentized if np.isfinite(studentized).all() else ends
    return float(max(ratio + min(ends[0], 0.0), 0.0)), float(ratio + max(ends[1], 0.0))


def difference_intervals(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray,
    distinct: Sequence[int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blindness of the second less that of the first; half the width of its 95% interval; half that of its band.

    ``first``, ``second``: distances edited ``float[s, n]`` and left alone ``float[n]`` in the same mazes; ``weights``:
    ``float[draws, n]`` from :func:`counts`. Three ``float[s]``. An interval is of one site by itself;
    the bands of the sites ``distinct`` hold all of them at once.

    Symmetric studentized bootstrap (Hall 1988) with the linearized standard error of a difference of two ratios; the
    band takes the largest of the sites' ``|t|`` in each resample. Where a few mazes hold all that differs, a resample
    without them has no spread: its standard error is taken for :data:`FLOOR` of the sample's at least, so no width
    exceeds 3 times that of the same interval unstudentized. Up to :data:`TIE` is rounding.
    """
    samples = np.vstack([np.ones(weights.shape[1]), weights])  # the mazes as they are, then each resample
    (blind_a, scale_a), (blind_b, scale_b) = (
        (blindness(edited, clean, samples), quotient(np.ones(1), samples @ clean)) for edited, clean in (first, second)
    )
    values, spread = blind_b - blind_a, np.empty_like(blind_a)
    for i in range(len(values)):
        # Residuals are a combination of these columns, another in each resample; their squares need but the moments.
        columns = np.stack([first[0][i], first[1], second[0][i], second[1]], axis=1)
        moments = np.tensordot(samples, columns[:, :, None] * columns[:, None, :], axes=1)
        factors = [scale_a, (blind_a[i] - 1) * scale_a, -scale_b, (1 - blind_b[i]) * scale_b]
        spread[i] = np.sqrt(np.maximum(np.einsum("jd,djk,kd->d", factors, moments, factors), 0.0))
    error = np.where(spread[:, 0] > TIE, spread[:, 0], 0.0)[:, None]
    t = quotient(np.abs(values[:, 1:] - values[:, :1]), np.maximum(spread[:, 1:], FLOOR * error))
    t = np.where(error > 0, t, 0.0)
    t = t[:, ~np.isnan(t).any(axis=0)]  # without resamples in which the cheese changes nothing
    one, most = np.quantile(t, LEVEL, axis=1), np.quantile(t[list(distinct)].max(axis=0), LEVEL)
    difference = values[:, 0] * (np.abs(values[:, 0]) > TIE) + 0.0  # no -0
    return difference, error[:, 0] * one, error[:, 0] * most


@dataclass(frozen=True)
class PairedEffect:
    """How much ``a`` exceeds ``b``, maze by maze; None where ``note`` says why there is no number.

    ``n``: mazes where both are defined, ``undefined``: the others, ``zeros``: of the ``n``, those that differ by no
    more than :data:`TIE`. ``low``, ``high``: 95% BCa interval of the mean difference. ``p``: :func:`signed_rank`.
    ``improvement``: the share of mazes with ``a > b``, ties counting half.
    """

    n: int
    undefined: int
    zeros: int
    mean: float | None = None
    median: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    improvement: float | None = None
    note: str = ""


def paired_effect(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, draws: int = DRAWS) -> PairedEffect:
    """The effect of ``float[n_mazes]`` ``a`` against ``b``, same mazes in the same order."""
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    undefined = int(np.isnan(difference).sum())
    difference = difference[~np.isnan(difference)]
    difference = np.where(np.abs(difference) <= TIE, 0.0, difference)
    n, zeros = len(difference), int((difference == 0).sum())
    if n == 0:
        return PairedEffect(0, undefined, 0, note="defined in no maze")
    mean, median = float(difference.mean()), float(np.median(difference))
    better = float((difference > 0).mean() + (difference == 0).mean() / 2)
    if n < FEWEST:
        note = f"{n} mazes are too few for an interval or a test ({FEWEST} at least)"
        return PairedEffect(n, undefined, zeros, mean, median, improvement=better, note=note)
    low, high, note = _bca(difference, rng, draws)
    if zeros == n:
        note = "no maze differs"
    return PairedEffect(n, undefined, zeros, mean, median, low, high, signed_rank(difference), better, note)


def signed_rank(difference: np.ndarray) -> float:
    """p of the two-sided Wilcoxon signed-rank test of ``float[n]``; zeros are left out, and all zero is 1.

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
    """Holm's adjustment over a family of tests; tests that could not be made (None) are no part of it.

    Three lines instead of statsmodels' ``multipletests``, which a test compares it with: that one begins with a garbage
    collection, and over all families of a sweep those took longer than everything else in its summary.
    """
    made = np.array([p for p in p_values if p is not None])
    order = np.argsort(made)
    adjusted = np.empty_like(made)
    adjusted[order] = np.minimum(np.maximum.accumulate(made[order] * np.arange(len(made), 0, -1)), 1.0)
    left = iter(adjusted)
    return [None if p is None else float(next(left)) for p in p_values]


def in_words(effect: PairedEffect, what: str, p_holm: float | None = None) -> str:
    """One sentence: direction, size, interval; or that the data show nothing. The p-value is ``p_holm`` if given."""
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


def _bca(difference: np.ndarray, rng: np.random.Generator, draws: int) -> tuple[float, float, str]:
    """(low, high, note) of the mean; what has no spread has itself for an interval."""
    from scipy.stats import bootstrap

    if np.ptp(difference) <= TIE:
        mean = float(difference.mean())
        return mean, mean, "all mazes differ by the same"
    found = bootstrap(
        (difference,), np.mean, n_resamples=draws, confidence_level=LEVEL, method="BCa", vectorized=True, rng=rng
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high), ""


def _pooled(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.sum(values, axis=-1) if weights is None else np.asarray(values @ weights.T)


def quotient(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """``top / bottom``, NaN where ``bottom`` is not positive."""
    top, bottom = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom > 0)
