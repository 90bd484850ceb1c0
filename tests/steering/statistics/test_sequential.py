"""Stopping at narrow intervals: the looks planned, and that the interval at the stop covers as it says."""

from __future__ import annotations

import numpy as np
import pytest

from envs.errors import InputError
from steering.statistics import bootstrap
from steering.statistics.sequential import FIRST, LookPlan, SequentialStop, SiteInterval


@pytest.mark.parametrize(
    ("most", "looks"),
    [(FIRST, (32,)), (33, (32, 33)), (64, (32, 64)), (200, (32, 64, 128, 200)), (256, (32, 64, 128, 256))],
)
def test_looks_double_up_to_the_most_and_share_the_five_percent(most: int, looks: tuple[int, ...]) -> None:
    plan = LookPlan(0.1, most)
    assert plan.looks == looks
    assert len(looks) * (1 - plan.confidence) == pytest.approx(1 - bootstrap.LEVEL)


@pytest.mark.parametrize(
    ("width", "most", "said"), [(0.1, 31, "first look is at 32"), (0.0, 64, "width 0.0: give 0.001")]
)
def test_a_plan_without_a_look_and_a_width_out_of_range_are_refused(width: float, most: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        LookPlan(width, most)


def test_the_interval_at_the_stop_covers_where_a_plain_one_does_not() -> None:
    """Bounds: three standard errors of 1,000 studies of a skewed population with blindness 0.88."""
    plan, studies, truth = LookPlan(0.1, 256), 1_000, 1.0 - 0.6 / 5.0
    hits = {plan.confidence: 0, bootstrap.LEVEL: 0}
    stops = {level: set[int]() for level in hits}
    for study in range(studies):
        rng = np.random.default_rng([study, 7])
        clean = rng.lognormal(-3.5, 1.3, plan.most).clip(0.0, 1.0)
        edited = clean * rng.beta(0.6, 4.4, plan.most)
        for level in hits:
            for n in plan.looks:
                weights = bootstrap.counts(bootstrap.resamples(n, np.random.default_rng(study), draws=600))
                low, high = bootstrap.blindness_interval(edited[:n], clean[:n], weights, level)
                if plan.narrow(low, high) or n == plan.most:
                    hits[level] += low <= truth <= high
                    stops[level].add(n)
                    break
    slack = 3 * np.sqrt(0.05 * 0.95 / studies)
    assert hits[bootstrap.LEVEL] / studies < 0.95 - slack < hits[plan.confidence] / studies
    assert all(found == set(plan.looks) for found in stops.values()), "it stops at every look"


def test_a_higher_confidence_makes_a_wider_interval_and_the_default_is_the_reported_one() -> None:
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.0, 0.2, 64)
    edited, weights = clean * rng.uniform(size=64), bootstrap.counts(bootstrap.resamples(64, rng))
    reported = bootstrap.blindness_interval(edited, clean, weights)
    assert reported == bootstrap.blindness_interval(edited, clean, weights, bootstrap.LEVEL)
    low, high = LookPlan(0.1, 256).interval(edited, clean, weights)
    assert low < reported[0] < reported[1] < high
    undefined = LookPlan(0.1, 256).interval(edited, np.zeros(64), weights)
    assert np.isnan(undefined).all() and not LookPlan(2.0, 256).narrow(*undefined)


def test_the_end_is_said_in_two_sentences() -> None:
    plan = LookPlan(0.1, 200)
    sites = (SiteInterval("embedder.block1.conv", 0.91, 0.98), SiteInterval("embedder.relu3", None, None))
    assert SequentialStop(plan, 64, plan.confidence, sites, True).words == (
        "Stopped at 64 of 200 levels, with intervals of blindness up to 0.1 wide. "
        "They allow for 4 looks (98.75% each): block1.conv 0.91 to 0.98; relu3 not defined."
    )
    assert SequentialStop(plan, 200, plan.confidence, sites, False).words.startswith(
        "Ended at 200 of 200 levels, without intervals of blindness up to 0.1 wide. "
    )
