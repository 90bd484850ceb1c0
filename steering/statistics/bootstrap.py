"""Paired statistics over mazes: arrays in, numbers out, explicit generator. What each means: docs/statistics.md.

``scipy.stats`` is slow to import, and is when it is used: a sweep needs it at its end only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRAWS = 2000
LEVEL = 0.95
TAIL = (1.0 - LEVEL) / 2.0
FEWEST = 6  # mazes: with fewer the signed-rank test cannot reach p = 0.05
FEW = 16  # mazes: with fewer no interval tried covered nearly as often as it says
NO_SPREAD = 0.05  # of the standard error observed: a resample with less says nothing about how far off a mean may be
FLOOR = 1 / 3  # of the sample's standard error: see `difference_intervals`
TIE = 1e-6  # differences of probabilities up to this are zero: above float32's rounding, below anything of interest


def without_rounding(distances: np.ndarray, states: np.ndarray | float = 1.0) -> np.ndarray:
    """Return total-variation distances, those up to :data:`TIE` counted as zero.

    Args:
        distances: a maze's mean distance, 0 to 1, or the sum of those of its ``states``: ``float[...]``; NaN stays.
        states: number of states that each is summed over; 1 for means.

    Returns:
        The same, ``float64[...]``; zero where the mean per state is rounding.
    """
    distances = np.asarray(distances, dtype=np.float64)
    return np.where(distances <= TIE * np.asarray(states), 0.0, distances)


def resamples(n: int, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Return bootstrap samples of mazes; one matrix serves all sites (paired).

    Args:
        n: number of mazes, at least 1.
        rng: draws the mazes.
        draws: number of samples.

    Returns:
        Indices of mazes, 0 to ``n - 1``: ``int[draws, n]``.
    """
    return rng.integers(n, size=(draws, n))


def counts(samples: np.ndarray) -> np.ndarray:
    """Return the number of times that each maze occurs in each sample.

    Args:
        samples: ``int[draws, n]`` from :func:`resamples`.

    Returns:
        Weights of the mazes, ``float64[draws, n]``; each row sums to ``n``.
    """
    draws, n = samples.shape
    flat = samples + n * np.arange(draws)[:, None]
    return np.bincount(flat.ravel(), minlength=draws * n).reshape(draws, n).astype(np.float64)


def blindness(tv_edited: np.ndarray, tv_clean: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return ``B = 1 - sum TV(edited, no_cheese) / sum TV(clean, no_cheese)``, summed over the last axis.

    A pooled ratio, so a maze where the cheese changes nothing divides nothing by zero.

    Args:
        tv_edited: total variation to the policy without cheese under the edit, 0 to 1, ``float[..., n]``.
        tv_clean: the same of the policy left alone, ``float[..., n]``.
        weights: ``float[draws, n]`` from :func:`counts`; None: the mazes as they are.

    Returns:
        ``float[...]``, or ``float[..., draws]`` with weights: at most 1, NaN where the cheese changes nothing in any
        maze.
    """
    return 1.0 - quotient(_pooled(tv_edited, weights), _pooled(tv_clean, weights))


def competence(
    p_region_edited: np.ndarray, p_region_no_cheese: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return pooled P(top-right 5x5 before the cheese's cell) under the edit relative to the level without cheese.

    Args:
        p_region_edited: that probability under the edit, 0 to 1, ``float[..., n]``.
        p_region_no_cheese: the same of the policy on the level without its cheese, ``float[..., n]``.
        weights: ``float[draws, n]`` from :func:`counts`; None: the mazes as they are.

    Returns:
        ``float[...]``, or ``float[..., draws]`` with weights: 0 or more, NaN where the region is never reached without
        cheese.
    """
    return quotient(_pooled(p_region_edited, weights), _pooled(p_region_no_cheese, weights))


def interval(samples: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval of ``float[draws, ...]`` over the first axis, NaN left out: two ``float[...]``."""
    tail = (1.0 - level) / 2.0
    if np.isnan(samples).all():
        blank = np.full(np.shape(samples)[1:], np.nan)
        return blank, blank
    low, high = np.nanquantile(samples, [tail, 1.0 - tail], axis=0)
    return low, high


def blindness_interval(
    tv_edited: np.ndarray, tv_clean: np.ndarray, weights: np.ndarray, level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of :func:`blindness`, by :func:`ratio_interval`.

    Args:
        tv_edited: total variation to the policy without cheese under the edit, ``float[n]``.
        tv_clean: the same of the policy left alone, ``float[n]``.
        weights: ``float[draws, n]`` from :func:`counts`.
        level: its confidence.

    Returns:
        Low and high end, at most 1; NaN where the cheese changes nothing in any maze.
    """
    low, high = ratio_interval(tv_edited, tv_clean, weights, level)
    return 1.0 - high, 1.0 - low


def ratio_interval(
    top: np.ndarray, bottom: np.ndarray, weights: np.ndarray, level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of ``sum(top) / sum(bottom)``.

    Studentized bootstrap (Efron and Tibshirani 1993, section 12.5) with the linearized standard error of a ratio: a few
    mazes hold most of a sum, and there it covers where percentile and BCa intervals fall short. Its ends are set apart
    by :func:`_allowance`, without which it falls short with few mazes. Percentiles serve for fewer than :data:`FEWEST`
    mazes, and where the studentized interval has no end: where more resamples than a tail holds have next to no spread,
    because they lack the few mazes that have it.

    Args:
        top: numerator of each maze, not negative, ``float[n]``.
        bottom: denominator of each maze, not negative, ``float[n]``.
        weights: ``float[draws, n]`` from :func:`counts`.
        level: its confidence; the tails beyond it need a resample each, at least.

    Returns:
        Low and high end, 0 or more; NaN where ``bottom`` sums to 0.
    """
    total, tail = bottom.sum(), (1.0 - level) / 2.0
    if not total > 0:
        return float("nan"), float("nan")
    ratio = top.sum() / total
    residual = top - ratio * bottom
    error = np.sqrt(residual @ residual) / total
    if error <= np.finfo(np.float64).eps * max(ratio, 1.0):
        return float(ratio), float(ratio)
    totals = weights @ bottom
    shift = quotient(weights @ residual, totals)  # of the ratio, from the one observed
    ends = None
    if len(top) >= FEWEST:
        squares = weights @ np.stack([residual**2, residual * bottom, bottom**2], axis=1)
        spread = np.sqrt(np.maximum(squares[:, 0] - 2 * shift * squares[:, 1] + shift**2 * squares[:, 2], 0.0))
        spread = quotient(spread, totals)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = shift / np.where(spread > NO_SPREAD * error, spread, 0.0)
        t = np.sort(t[~np.isnan(t)])
        k = int(tail * (len(t) + 1))
        studentized = -error * _allowance(residual, bottom, tail) * t[[-k, k - 1]] if k else np.array([np.inf])
        ends = studentized if np.isfinite(studentized).all() else None
    if ends is None:
        ends = np.nanquantile(shift, [tail, 1.0 - tail])
    return float(max(ratio + min(ends[0], 0.0), 0.0)), float(ratio + max(ends[1], 0.0))


def _allowance(residual: np.ndarray, bottom: np.ndarray, tail: float = TAIL) -> float:
    """Return the factor, 1 or more, by which a few mazes make the linearized standard error of a ratio too sure.

    A maze that holds a share ``h`` of the denominator pulls the ratio to itself, so its residual is too small by
    ``1 - h`` (jackknife; MacKinnon and White 1985). And a standard error that few mazes make is itself uncertain:
    Student's quantile over the normal one, with Satterthwaite's degrees of freedom of a sum of squares.

    Args:
        residual: of each maze, not all 0, ``float[n]``.
        bottom: denominator of each maze, ``float[n]``.
        tail: share of the studies beyond each end of the interval.
    """
    from scipy.special import ndtri, stdtrit

    left = 1.0 - bottom / bottom.sum()
    pulled = np.divide(residual, left, out=residual.copy(), where=left > 0)
    squares = residual**2
    even = 1.0 / len(residual)
    uneven = (squares @ squares) / squares.sum() ** 2 - even  # 0: all mazes have the same
    freedom = max(2.0 / max(uneven, even**2), 2.0)
    student = stdtrit(freedom, 1.0 - tail) / ndtri(1.0 - tail)
    return float(np.sqrt((pulled @ pulled) / squares.sum()) * student)


def difference_intervals(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray,
    distinct: Sequence[int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the difference in blindness of two runs at each site, with its 95% interval and simultaneous band.

    Symmetric studentized bootstrap (Hall 1988) with the linearized standard error of a difference of two ratios; the
    band takes the largest of the sites' ``|t|`` in each resample. Where a few mazes hold all that differs, a resample
    without them has no spread: its standard error is taken for :data:`FLOOR` of the sample's at least, so no width
    exceeds 3 times that of the same interval unstudentized. Up to :data:`TIE` is rounding.

    Args:
        first: distances to the policy without cheese, edited ``float[s, n]`` and left alone ``float[n]``.
        second: the same of the other run, in the same mazes.
        weights: ``float[draws, n]`` from :func:`counts`.
        distinct: indices of the sites whose bands hold all of them at once.

    Returns:
        Three ``float[s]``: blindness of the second less that of the first; half the width of its 95% interval, of one
        site by itself; half the width of its band.
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


def effective_number(values: np.ndarray) -> np.ndarray:
    """Return the number of equal parts as unevenly spread as ``float[..., n]``: squared sum over sum of squares.

    Kish's effective sample size (1965), over the last axis: 1 to n, NaN where all are 0.
    """
    return quotient(np.sum(values, axis=-1) ** 2, np.sum(np.square(values), axis=-1))


def _pooled(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.sum(values, axis=-1) if weights is None else np.asarray(values @ weights.T)


def defined(value: float | np.ndarray) -> float | None:
    """Return a number that may not be defined; None for one that is not finite."""
    return float(value) if np.isfinite(value) else None


def with_ends(values: np.ndarray, mazes: int) -> tuple[float | None, float | None, float | None]:
    """Return a statistic of all mazes with its percentile interval; no interval for fewer than :data:`FEWEST` mazes.

    Args:
        values: of the mazes as they are first, then of each resample, ``float[1 + draws]``.
        mazes: number of mazes that it is of.

    Returns:
        The value, the low and the high end; None for what is not defined.
    """
    low, high = (np.nan, np.nan) if mazes < FEWEST else interval(values[1:])
    return defined(values[0]), defined(low), defined(high)


def jackknifed(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Return a statistic with its 95% interval by the jackknife (Tukey 1958), by Student's distribution.

    Args:
        values: of all mazes first, then with each of ``g`` groups of them left out, ``float[1 + g]``.

    Returns:
        The value, the low and the high end; None for what is not defined.
    """
    from scipy.special import stdtrit

    left = values[1:]
    error = np.sqrt((len(left) - 1) * np.mean((left - left.mean()) ** 2))
    half = error * stdtrit(len(left) - 1, 1.0 - TAIL)
    return defined(values[0]), defined(values[0] - half), defined(values[0] + half)


def quotient(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Return ``top / bottom``, NaN where ``bottom`` is not positive."""
    top, bottom = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    blank = np.full(np.broadcast(top, bottom).shape, np.nan)
    return np.asarray(np.divide(top, bottom, out=blank, where=bottom > 0))
