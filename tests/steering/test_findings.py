"""Figures, claims and verdicts of findings: what they say, and when they say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from steering.findings import Claim, Figure, Sample, mean_change, median, pooled_ratio, verdict
from steering.findings_vectors import log_odds


def test_a_figure_is_the_statistic_of_the_mazes_where_it_is_defined() -> None:
    rows = [{"a": float(i), "b": 1.0} for i in range(9)] + [{"a": None, "b": 5.0}, {"a": 3.0, "b": float("nan")}]
    sample = Sample("x", rows, seed=0)
    figure = sample.figure("m", median, "a", published=7.0)
    assert figure.value == 3.5 and figure.published == 7.0  # 0 to 8 and 3
    assert sample.figure("c", mean_change, "a", "b").value == 3.0
    assert sample.figure("r", pooled_ratio, "a", "b").value == 4.0
    assert figure.low < figure.value < figure.high
    assert sample.figure("m", median, "a", published=7.0) == figure, "the interval is a function of the seed"
    assert Sample("x", rows, seed=1).figure("m", median, "a").value == figure.value


def test_the_interval_is_that_of_the_mean_of_normal_mazes() -> None:
    n = 400
    values = np.random.default_rng(0).standard_normal(n)
    figure = Sample("x", [{"a": v} for v in values], 0).figure("m", lambda a: a.mean(axis=-1), "a")
    half = 1.96 * values.std() / n**0.5
    # 2,000 draws: a quantile at 2.5% has a standard error of about 6% of this half width; three of them.
    assert figure.high - figure.value == pytest.approx(half, rel=0.18)
    assert figure.value - figure.low == pytest.approx(half, rel=0.18)


def test_few_mazes_decide_nothing() -> None:
    figure = Sample("x", [{"a": 1.0}] * 4, 0).figure("m", median, "a")
    assert figure.value == 1.0 and figure.above(0) is None and figure.below(0) is None
    assert figure.within(0, 2) is None and figure.to_json()["low"] is None
    assert np.isnan(Sample("x", [{"a": None}] * 9, 0).figure("m", median, "a").value)


@pytest.mark.parametrize(("low", "high", "above", "inside"),
                         [(0.1, 0.2, True, True), (-0.2, -0.1, False, False), (-0.1, 0.1, None, None)])  # fmt: skip
def test_a_claim_holds_where_the_interval_lies_on_one_side(
    low: float, high: float, above: bool | None, inside: bool | None
) -> None:
    figure = Figure("", (low + high) / 2, low, high)
    assert figure.above(0) is above
    assert figure.below(0) is (None if above is None else not above)
    assert figure.within(0, 1) is inside


def test_verdicts_in_words() -> None:
    yes, no, open_ = Claim("a", True), Claim("b", False), Claim("c", None)
    assert verdict([yes]).startswith("agrees in direction (a: yes")
    assert verdict([yes, no, open_]).startswith("does not agree")
    assert verdict([yes, open_]).startswith("undecided")
    assert "no number was published" in verdict([])


def test_log_odds_are_finite_and_invert_the_logistic_function() -> None:
    x = np.array([-5.0, 0.0, 3.0])
    assert np.allclose(log_odds(1 / (1 + np.exp(-x))), x)
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
