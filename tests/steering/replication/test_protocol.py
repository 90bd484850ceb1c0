"""Figures, claims and verdicts of findings: what they say, and when they say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from steering.experiments.conditions import PUBLISHED_SITE
from steering.replication.channels import summarize_resampling, summarize_retargeting
from steering.replication.own_vectors import (
    log_odds,
    summarize_adding,
    summarize_effect,
    summarize_noise,
    summarize_top_right,
)
from steering.replication.protocol import (
    Claim,
    Measure,
    Measurement,
    Sample,
    Settings,
    Setup,
    mean_change,
    median,
    pooled_ratio,
    verdict,
)
from steering.replication.run import stored_figure
from steering.replication.tracking import Tracking
from steering.replication.transfer import exact_share, summarize_removal, summarize_transfer


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
    assert figure.within(0, 2) is None and stored_figure(figure).low is None
    assert np.isnan(Sample("x", [{"a": None}] * 9, 0).figure("m", median, "a").value)


@pytest.mark.parametrize(
    ("low", "high", "above", "inside"), [(0.1, 0.2, True, True), (-0.2, -0.1, False, False), (-0.1, 0.1, None, None)]
)
def test_a_claim_holds_where_the_interval_lies_on_one_side(
    low: float, high: float, above: bool | None, inside: bool | None
) -> None:
    figure = Measure("", (low + high) / 2, low, high)
    assert figure.above(0) is above
    assert figure.below(0) is (None if above is None else not above)
    assert figure.within(0, 1) is inside


def test_verdicts_in_words() -> None:
    yes, no, open_ = Claim("a", True), Claim("b", False), Claim("c", None)
    assert verdict([yes]).startswith("agrees in direction. A: yes")
    assert verdict([yes, no, open_]).startswith("does not agree")
    assert verdict([yes, open_]).startswith("undecided")
    assert "no number was published" in verdict([])


def test_log_odds_are_finite_and_invert_the_logistic_function() -> None:
    x = np.array([-5.0, 0.0, 3.0])
    assert np.allclose(log_odds(1 / (1 + np.exp(-x))), x)
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


# -- from hand-made rows to claims and figures ----------------------------------------------------------------------


class Tracked(Setup):
    """A bench on which channel 3 is known to track the cheese, a column to the right of it."""

    tracking = Tracking((3,), np.eye(32)[3], np.full(32, 5.0), np.ones(32), np.tile([0, 1], (32, 1)))


def moves(**conditions: tuple[float, float, float]) -> Measurement:
    """``<condition>_cheese``, ``_corner``, ``_other``."""
    return {
        f"{name}_{move}": p
        for name, each in conditions.items()
        for move, p in zip(("cheese", "corner", "other"), each, strict=True)
    }


def transferred(**left: tuple[float, float]) -> Measurement:
    """P(cheese) and total variation with each vector, ``of_<offset>`` for those of the other level."""
    names = {"own": "own", "of_0": "0", "of_1": "1", "of_2": "2", "of_3": "3-4", "of_5": "5+"}
    row = {"clean_cheese": 0.9, "clean_tv": 0.5}
    for name, (p, tv) in left.items():
        row |= {f"{names[name]}_cheese": p, f"{names[name]}_tv": tv}
    return row


def noisy(clean: float, norm: float, peak: float) -> Measurement:
    """Moves to either goal under each arm; every other number of an arm is its own."""
    row = {}
    for arm, goal, rest in (("clean", clean, 0.0), ("norm", norm, 0.1), ("peak", peak, 0.2)):
        row |= {f"{arm}_p_{move}_decision": share * goal for move, share in (("cheese", 0.75), ("corner", 0.25))}
        row |= {f"{arm}_p_other_decision": 1 - goal, f"{arm}_goal": goal}
        row |= {f"{arm}_p_cheese": 0.8 - rest, f"{arm}_p_region": 0.7 - rest, f"{arm}_tv_clean": rest}
    return row


def shifted(clean: float, **odds: float) -> Measurement:
    """P(top-right) of these log-odds, P(region) at a tenth of them."""
    numbers = {"clean": clean, **odds}
    row = {name: float(1 / (1 + np.exp(-each))) for name, each in numbers.items()}
    return row | {f"{name}_region": 0.5 + each / 10 for name, each in numbers.items()}


def targets(*gains: float) -> Measurement:
    """Clean .3, with the cheese there .9; clamped more by these gains: upper near, upper far, elsewhere near, far."""
    places = ((1.0, 0.0), (1.0, 8.0), (0.0, 2.0), (0.0, 6.0))
    between = [1.0, 4.0, 0.3, 0.3 + (gains[0] + gains[1]) / 2, 0.9]  # neither near nor far
    return {"targets": [[*place, 0.3, 0.3 + g, 0.9] for place, g in zip(places, gains, strict=True)] + [between]}


CHEESE, CORNER, OTHER = (f"P({move} | decision square)" for move in ("cheese", "top-right", "other"))
GOAL = "moves to either goal at the decision square"
CASES: list[tuple[Callable[..., Any], Measurement, list[bool], dict[str, float]]] = [
    (
        summarize_effect,
        moves(clean=(0.8, 0.13, 0.07), subtract=(0.1, 0.85, 0.05), no_cheese=(0.02, 0.9, 0.08)),
        [True, True],
        {
            f"median {CHEESE}, clean": 0.8,
            f"median {CORNER}, clean": 0.13,
            f"median {OTHER}, subtracted": 0.05,
            f"median {CHEESE}, cheese removed": 0.02,
            f"median change of {CHEESE}": -0.7,
            f"median change of {CORNER}": 0.72,
        },
    ),
    (
        summarize_effect,
        moves(clean=(0.5, 0.4, 0.1), subtract=(0.6, 0.1, 0.3), no_cheese=(0.1, 0.8, 0.1)),
        [False, False],
        {f"median change of {CHEESE}": 0.1, f"median change of {CORNER}": -0.3},
    ),
    (
        summarize_adding,
        moves(clean=(0.8, 0.1, 0.1), add=(0.75, 0.2, 0.05))
        | {"add_moved": 0.05, "subtract_moved": 0.7, "add_tv": 0.02, "subtract_tv": 0.4},
        [True],
        {
            f"median {CHEESE}, added": 0.75,
            f"median {CORNER}, added": 0.2,
            f"median change of {CHEESE}": -0.05,
            "change of P(cheese), adding as a share of subtracting": 0.05 / 0.7,
            "total variation to clean, adding as a share of subtracting": 0.05,
        },
    ),
    (
        summarize_adding,
        moves(clean=(0.5, 0.3, 0.2), add=(0.9, 0.05, 0.05))
        | {"add_moved": 0.4, "subtract_moved": 0.4, "add_tv": 0.1, "subtract_tv": 0.4},
        [False],
        {},
    ),
    (
        summarize_noise,
        noisy(0.9, 0.3, 0.6),
        [True],
        {
            f"median {CHEESE}, clean": 0.675,
            f"median {CORNER}, noise of equal norm": 0.075,
            "mean P(cheese), noise of equal norm": 0.7,
            "mean P(top-right 5x5), noise as strong as the vector's peak": 0.5,
            "mean total variation to clean, noise of equal norm": 0.1,
            f"{GOAL}, noise of equal norm, as a share of clean": 1 / 3,
            f"{GOAL}, noise as strong as the vector's peak, as a share of clean": 2 / 3,
        },
    ),
    (summarize_noise, noisy(0.9, 0.8, 0.1), [False], {}),
    (
        summarize_transfer,
        transferred(
            own=(0.1, 0.05), of_0=(0.2, 0.1), of_1=(0.3, 0.2), of_2=(0.4, 0.3), of_3=(0.6, 0.35), of_5=(0.8, 0.45)
        ),
        [True, True, True],
        {
            f"median {CHEESE}, own vector": 0.1,
            f"median {CHEESE}, 2 cells away": 0.4,
            "blindness, same cell": 0.8,
            "blindness, 5+ cells away": 0.1,
            "fall of P(cheese), 2 cells away minus 5+ cells away": 0.4,
            "fall of P(cheese), same cell, as a share of the own vector's": 7 / 8,
            "fall of P(cheese), 5+ cells away, as a share of the own vector's": 1 / 8,
        },
    ),
    (
        summarize_transfer,
        transferred(
            own=(0.1, 0.05), of_0=(0.8, 0.4), of_1=(0.3, 0.2), of_2=(0.85, 0.3), of_3=(0.6, 0.35), of_5=(0.2, 0.1)
        ),
        [False, False, False],
        {},
    ),
    (
        summarize_top_right,
        shifted(-1.0, add=1.0, cheese=2.0, both=4.0),
        [True, True],
        {
            f"median {CORNER}, clean": float(1 / (1 + np.e)),
            "mean P(top-right 5x5), both": 0.9,
            "mean shift of its log-odds, top-right vector added": 2.0,
            "mean shift of its log-odds, cheese vector subtracted": 3.0,
            "mean shift of its log-odds, both": 5.0,
            "log-odds shift of both, as a share of the sum of each alone": 1.0,
        },
    ),
    (
        summarize_top_right,
        shifted(-1.0, add=-2.0, cheese=2.0, both=4.0),
        [False, False],
        {"log-odds shift of both, as a share of the sum of each alone": 2.5},
    ),
    (
        summarize_resampling,
        {"cheese_same": 0.02, "cheese_other": 0.06, "random_same": 0.03, "random_other": 0.04},
        [True, True],
        {
            "total variation to clean, cheese-tracking channels, cheese on the same cell": 0.02,
            "total variation to clean, random channels, cheese on another": 0.04,
            "other cell minus same cell, random channels": 0.01,
            "difference of the two differences": 0.03,
        },
    ),
    (
        summarize_resampling,
        {"cheese_same": 0.06, "cheese_other": 0.05, "random_same": 0.03, "random_other": 0.04},
        [False, False],
        {"other cell minus same cell, cheese-tracking channels": -0.01},
    ),
    (
        summarize_retargeting,
        targets(0.5, 0.3, 0.2, 0.0),
        [True, True, True],
        {
            "path probability, upper right, no cheese": 0.3,
            "path probability, elsewhere, no cheese, clamped": 0.4,
            "path probability, far from it, cheese moved there": 0.9,
            "gain by clamping, upper right": 0.4,
            "gain, upper right minus elsewhere": 0.3,
            "gain, near minus far": 0.2,
        },
    ),
    (summarize_retargeting, targets(-0.25, 0.05, -0.1, 0.2), [False, False, False], {}),
]


@pytest.mark.parametrize(("summarize", "row", "holds", "figures"), CASES)
def test_claims_follow_from_rows(
    random_policy: MazePolicy,
    summarize: Callable[..., Any],
    row: Measurement,
    holds: list[bool],
    figures: dict[str, float],
) -> None:
    """All mazes alike, so every interval is a point; every column has a number of its own."""
    bench = Tracked(random_policy, Settings("random", random_policy.sha256, PUBLISHED_SITE, (0,)))
    summary = summarize(bench, Sample("x", [row] * 12, 0))
    assert [claim.holds for claim in summary.claims] == holds
    measured = {figure.label: figure.value for figure in summary.figures}
    assert {label: measured[label] for label in figures} == pytest.approx(figures)


@pytest.mark.parametrize(
    ("same", "n", "holds"),
    [(6, 6, None), (0, 6, None), (15, 27, True), (3, 27, None), (80, 80, False), (0, 80, False), (0, 0, None)],
)
def test_levels_that_are_all_alike_decide_only_if_they_are_many(
    random_policy: MazePolicy, same: int, n: int, holds: bool | None
) -> None:
    bench = Setup(random_policy, Settings("random", random_policy.sha256, PUBLISHED_SITE, (0,)))
    rows = [{"level": 100 + i, "steered": 0.01 if i < same else 0.19, "clean": 0.2} for i in range(n)]
    rows += [{"level": 0, "steered": 0.004, "clean": 0.008}] * 3  # the cheese changes nothing there
    summary = summarize_removal(bench, Sample("removal", rows, 0))
    assert [claim.holds for claim in summary.claims] == [holds]
    share = next(figure for figure in summary.figures if figure.label.startswith("share of levels"))
    if n:
        assert (
            share.value == same / n and 0.0 <= share.low <= share.value <= share.high <= 1.0 and share.low < share.high
        )
    else:
        assert np.isnan([share.value, share.low, share.high]).all()


@pytest.mark.parametrize("n", [1, 6, 54])
def test_the_interval_of_a_share_is_exact(n: int) -> None:
    """At the ends Clopper's and Pearson's bound is that under which all being alike has a probability of 2.5%."""
    everyone, none = exact_share("", np.ones(n, dtype=bool)), exact_share("", np.zeros(n, dtype=bool))
    assert (everyone.low, everyone.high) == pytest.approx((0.025 ** (1 / n), 1.0))
    assert (none.low, none.high) == pytest.approx((0.0, 1 - 0.025 ** (1 / n)))


def test_the_named_levels_are_told_apart(random_policy: MazePolicy) -> None:
    bench = Setup(random_policy, Settings("random", random_policy.sha256, PUBLISHED_SITE, (0,)))
    rows = [{"level": level, "steered": tv, "clean": 0.2} for level, tv in ((0, 0.02), (7, 0.1), (12, 0.03), (19, 0.2))]
    summary = summarize_removal(bench, Sample("removal", rows, 0))
    measured = {figure.label: figure.value for figure in summary.figures}
    said = {0: ("same", 0.1), 7: ("not the same", 0.5), 12: ("same", 0.15), 19: ("not the same", 1.0)}
    for level, (word, left) in said.items():
        assert measured[f"level {level}: part of the cheese's effect left; published: {word}"] == pytest.approx(left)
