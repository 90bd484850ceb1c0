"""How many levels are needed: a known answer, what more levels really give, the command."""

from __future__ import annotations

import numpy as np
import pytest

from envs.errors import InputError
from steering import stats
from steering.power import SIZES, levels_needed


def pilot(n: int, sd: float) -> np.ndarray:
    """``float[n]`` with exactly mean 2 and standard deviation ``sd``, normal."""
    x = np.random.default_rng(0).normal(size=n)
    return (x - x.mean()) / x.std() * sd + 2


@pytest.mark.parametrize("width", [0.1, 0.05, 0.03])
def test_a_mean_needs_what_the_formula_says(width: float) -> None:
    """With the same TV everywhere blindness is one minus a mean: n = (2 * 1.96 * sd / width)^2.

    Within 8%: the formula takes the standard error for known, and 64 studies have noise of their own.
    """
    sd = 0.3
    found = levels_needed(pilot(300, sd), np.ones(300), width, np.random.default_rng(1))
    assert found.levels == pytest.approx((2 * 1.96 * sd / width) ** 2, rel=0.08)
    assert (found.levels > SIZES[-1]) == (width == 0.03)


def test_the_number_of_levels_gives_the_width_asked() -> None:
    """Fresh mazes from where the pilot came from: the mean width is the one asked for, within 10%."""
    rng = np.random.default_rng(3)

    def mazes(n: int) -> tuple[np.ndarray, np.ndarray]:
        clean = rng.beta(1.0, 3.0, size=n)
        return clean * rng.beta(2.0, 2.0, size=n), clean

    found = levels_needed(*mazes(400), 0.08, rng)
    widths = []
    for _ in range(100):
        weights = stats.counts(stats.resamples(found.levels, rng, 500))
        low, high = stats.blindness_interval(*mazes(found.levels), weights)
        widths.append(high - low)
    assert np.mean(widths) == pytest.approx(0.08, rel=0.10)


def test_narrower_needs_more_and_small_pilots_are_named() -> None:
    edited = pilot(300, 0.3)
    needed = [levels_needed(edited, np.ones(300), w, np.random.default_rng(1)) for w in (2.0, 0.3, 0.1)]
    assert [found.levels for found in needed] == sorted(found.levels for found in needed)
    assert needed[0].levels == SIZES[0] and all(not found.warning for found in needed)
    widths = [width for _, width in needed[0].curve]
    assert widths == sorted(widths, reverse=True)
    small = levels_needed(edited[:10], np.ones(10), 0.3, np.random.default_rng(1))
    assert "a pilot of 10 levels is small" in small.warning
    far = levels_needed(edited[:30], np.ones(30), 0.03, np.random.default_rng(1))
    assert far.levels > 300 and "more than 10 times the pilot's 30 levels" in far.warning


def test_what_cannot_be_asked() -> None:
    for width in (0.0, -1.0, 3.0, float("nan")):
        with pytest.raises(InputError, match="width"):
            levels_needed(np.ones(20), np.ones(20), width, np.random.default_rng(0))
    with pytest.raises(InputError, match="cheese changes nothing"):
        levels_needed(np.ones(20), np.zeros(20), 0.1, np.random.default_rng(0))
