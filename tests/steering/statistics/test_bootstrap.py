"""Statistics over mazes: known answers, the coverage of the intervals, other libraries' results."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon
from statsmodels.stats.multitest import multipletests

from steering.statistics import bootstrap, paired

REPETITIONS = 1000


def skewed_mazes(n: int, gone: tuple[float, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(TV edited, TV clean) of ``n`` mazes: as in real sweeps a few hold most of the sum; what is left of each maze's
    share is drawn from Beta(``gone``)."""
    clean = 0.3 * rng.beta(0.35, 1.8, size=n)
    return clean * rng.beta(*gone, size=n), clean


def test_blindness_by_hand() -> None:
    clean = np.array([0.4, 0.1, 0.0])
    assert bootstrap.blindness(np.zeros(3), clean) == 1.0
    assert bootstrap.blindness(clean, clean) == 0.0
    assert bootstrap.blindness(np.array([0.2, 0.05, 0.0]), clean) == pytest.approx(0.5)
    assert bootstrap.blindness(2 * clean, clean) == pytest.approx(-1.0)
    assert np.isnan(bootstrap.blindness(np.ones(2), np.zeros(2)))


def test_a_maze_where_the_cheese_changes_nothing_does_not_matter() -> None:
    with_idle = bootstrap.blindness(np.array([0.1, 0.2, 0.0]), np.array([0.5, 0.5, 0.0]))
    assert with_idle == bootstrap.blindness(np.array([0.1, 0.2]), np.array([0.5, 0.5]))


def test_resamples_are_a_function_of_the_generator() -> None:
    a, b = (bootstrap.resamples(7, np.random.default_rng(3), draws=5) for _ in range(2))
    assert np.array_equal(a, b) and a.shape == (5, 7) and a.max() < 7


def test_weights_give_what_the_resamples_themselves_give() -> None:
    rng = np.random.default_rng(0)
    edited, clean = rng.random((3, 9)), rng.random(9)
    samples = bootstrap.resamples(9, rng, draws=50)
    weights = bootstrap.counts(samples)
    assert (weights.sum(axis=1) == 9).all()
    np.testing.assert_allclose(
        bootstrap.blindness(edited, clean, weights), bootstrap.blindness(edited[:, samples], clean[samples]), atol=1e-12
    )
    np.testing.assert_allclose(
        bootstrap.competence(edited, clean, weights),
        bootstrap.competence(edited[:, samples], clean[samples]),
        atol=1e-12,
    )


@pytest.mark.parametrize("gone", [(0.6, 0.6), (0.35, 2.5)], ids=["half gone", "nearly gone"])
def test_the_interval_of_blindness_covers_as_often_as_it_says(gone: tuple[float, float]) -> None:
    rng = np.random.default_rng(1)
    truth, hits, widths = 1.0 - gone[0] / sum(gone), 0, []
    for _ in range(REPETITIONS):
        edited, clean = skewed_mazes(32, gone, rng)
        low, high = bootstrap.blindness_interval(
            edited, clean, bootstrap.counts(bootstrap.resamples(32, rng, draws=1000))
        )
        hits += low <= truth <= high
        widths.append(high - low)
    assert 0.92 <= hits / REPETITIONS <= 0.98
    assert np.mean(widths) < 0.6, "an interval that holds everything says nothing"


@pytest.mark.parametrize(
    ("n", "kept", "broken"),
    [(32, (1.2, 0.3), (1.2, 0.3)), (64, (12.0, 0.5), (0.5, 1.0))],
    ids=["by degrees", "a quarter breaks"],
)
def test_the_interval_of_competence_near_its_threshold_covers_as_often_as_it_says(
    n: int, kept: tuple[float, float], broken: tuple[float, float]
) -> None:
    """Most mazes keep nearly all of P(top-right 5x5), some lose most of it: together a fifth."""
    rng, hits, widths = np.random.default_rng(5), 0, []
    truth = 0.75 * kept[0] / sum(kept) + 0.25 * broken[0] / sum(broken)
    assert truth == pytest.approx(0.8, abs=0.01)
    for _ in range(REPETITIONS):
        without_cheese = rng.beta(3.0, 0.5, size=n)
        left = np.where(rng.random(n) < 0.25, rng.beta(*broken, size=n), rng.beta(*kept, size=n))
        weights = bootstrap.counts(bootstrap.resamples(n, rng, draws=1000))
        low, high = bootstrap.ratio_interval(left * without_cheese, without_cheese, weights)
        hits += low <= truth <= high
        widths.append(high - low)
    assert 0.92 <= hits / REPETITIONS <= 0.98
    assert np.mean(widths) < 0.4, "an interval that holds everything says nothing"


def test_percentiles_would_not_cover() -> None:
    """Why the interval of blindness is studentized; if this fails, the simpler interval will do."""
    rng = np.random.default_rng(1)
    gone, hits = (0.35, 2.5), 0
    truth = 1.0 - gone[0] / sum(gone)
    for _ in range(REPETITIONS):
        edited, clean = skewed_mazes(32, gone, rng)
        weights = bootstrap.counts(bootstrap.resamples(32, rng, draws=1000))
        low, high = bootstrap.interval(bootstrap.blindness(edited, clean, weights))
        hits += bool(low <= truth <= high)
    assert hits / REPETITIONS < 0.90


def test_the_allowance_is_the_jackknife_s_error_and_student_s_quantile() -> None:
    """Delete-one ratios written out; equal residuals of many mazes need next to none, a single one most."""
    rng = np.random.default_rng(2)
    top, bottom = skewed_mazes(12, (0.6, 0.6), rng)
    ratio = top.sum() / bottom.sum()
    residual = top - ratio * bottom
    without = np.array([np.delete(top, i).sum() / np.delete(bottom, i).sum() for i in range(12)])
    jackknife = np.sqrt(((without - ratio) ** 2).sum()) * bottom.sum() / np.sqrt(residual @ residual)
    shares = residual**2 / (residual @ residual)
    student = scipy.stats.t.ppf(0.975, 2 / ((shares**2).sum() - 1 / 12)) / scipy.stats.norm.ppf(0.975)
    assert bootstrap._allowance(residual, bottom) == pytest.approx(jackknife * student)
    assert jackknife > 1.02 and student > 1.02
    even = np.where(np.arange(500) % 2, 1.0, -1.0)
    assert bootstrap._allowance(even, np.ones(500)) == pytest.approx(1.002, abs=2e-4)
    assert bootstrap._allowance(7 * residual, 7 * bottom) == pytest.approx(bootstrap._allowance(residual, bottom))
    alone = np.where(np.arange(40) == 3, 0.2, 0.0)
    assert 2.0 < bootstrap._allowance(alone, np.ones(40)) < 2.5


def test_without_the_allowance_few_uneven_mazes_would_not_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why it is there: 24 mazes whose effects span orders of magnitude. Bounds: three standard errors of the sample."""
    repetitions, hits = 400, {"with": 0, "without": 0}
    allowance, rng = bootstrap._allowance, np.random.default_rng(3)
    for _ in range(repetitions):
        clean = np.exp(2.0 * rng.standard_normal(24))
        edited = clean * rng.beta(0.6, 0.6, size=24)
        weights = bootstrap.counts(bootstrap.resamples(24, rng, draws=400))
        for name, factor in (("with", allowance), ("without", lambda *_: 1.0)):
            monkeypatch.setattr(bootstrap, "_allowance", factor)
            low, high = bootstrap.blindness_interval(edited, clean, weights)
            hits[name] += low <= 0.5 <= high
    slack = 3 * np.sqrt(0.05 * 0.95 / repetitions)
    assert hits["without"] / repetitions < 0.95 - slack < hits["with"] / repetitions


@pytest.mark.parametrize("gone", [(0.6, 0.6), (0.35, 2.5)], ids=["half gone", "nearly gone"])
def test_the_interval_of_200_mazes_covers_and_is_not_needlessly_wide(gone: tuple[float, float]) -> None:
    rng, repetitions = np.random.default_rng(8), 300
    truth, hits = 1.0 - gone[0] / sum(gone), 0
    for _ in range(repetitions):
        edited, clean = skewed_mazes(200, gone, rng)
        weights = rng.multinomial(200, np.full(200, 1 / 200), size=300).astype(np.float64)
        low, high = bootstrap.blindness_interval(edited, clean, weights)
        hits += low <= truth <= high
    slack = 3 * np.sqrt(0.05 * 0.95 / repetitions)
    assert 0.95 - slack < hits / repetitions <= 0.995


def test_intervals_of_blindness_at_its_ends() -> None:
    rng = np.random.default_rng(0)
    clean = rng.random(20)
    weights = bootstrap.counts(bootstrap.resamples(20, rng))
    assert bootstrap.blindness_interval(np.zeros(20), clean, weights) == (1.0, 1.0)
    assert bootstrap.blindness_interval(clean, clean, weights) == (0.0, 0.0)
    assert np.isnan(bootstrap.blindness_interval(clean, np.zeros(20), weights)).all()
    one = np.zeros(20)
    one[0] = clean[0]  # a single maze where anything is left: many resamples lack it
    low, high = bootstrap.blindness_interval(one, clean, weights)
    assert low < bootstrap.blindness(one, clean) < high == 1.0


@pytest.mark.parametrize("rounding", [0.0, 3e-8])
@pytest.mark.parametrize("mazes", [1, 2, 3])
def test_a_few_mazes_with_something_left_do_not_make_an_interval_endless(mazes: int, rounding: float) -> None:
    """Many resamples lack all of them, and have no spread but rounding's: they must not set the scale."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        clean = rng.uniform(0.05, 0.15, size=32)
        edited = rounding * rng.random(32)
        edited[:mazes] = rng.uniform(0.2, 0.9) * clean[:mazes]
        weights = bootstrap.counts(bootstrap.resamples(32, rng, draws=400))
        low, high = bootstrap.blindness_interval(edited, clean, weights)
        assert 0.5 < low <= bootstrap.blindness(edited, clean) <= high <= 1.0


def test_the_interval_of_any_ratio_turns_with_it() -> None:
    rng = np.random.default_rng(4)
    edited, clean = skewed_mazes(32, (0.6, 0.6), rng)
    weights = bootstrap.counts(bootstrap.resamples(32, rng))
    low, high = bootstrap.ratio_interval(edited, clean, weights)
    assert bootstrap.blindness_interval(edited, clean, weights) == (1 - high, 1 - low)
    assert bootstrap.ratio_interval(3 * edited, clean, weights) == pytest.approx((3 * low, 3 * high))
    assert low < edited.sum() / clean.sum() < high


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_an_interval_of_blindness_holds_its_value(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    clean = rng.beta(0.3, 2.0, size=n) * (rng.random(n) < 0.8)
    edited = rng.beta(0.3, 2.0, size=n) * (rng.random(n) < 0.8)
    low, high = bootstrap.blindness_interval(edited, clean, bootstrap.counts(bootstrap.resamples(n, rng, draws=200)))
    value = float(bootstrap.blindness(edited, clean))
    assert (np.isnan([low, high, value]).all()) or (np.isfinite([low, high]).all() and low <= value <= high <= 1.0)


@pytest.mark.parametrize("kind", ["normal", "nearly all or nothing"])
def test_the_interval_of_a_paired_effect_covers_as_often_as_it_says(kind: str) -> None:
    """The second kind is what a change of P(cheese) looks like: some mazes change wholly, most hardly."""
    rng, n, hits = np.random.default_rng(2), 48, 0
    truth = 0.1 if kind == "normal" else 0.3 / (0.3 + 0.6)
    for _ in range(REPETITIONS):
        difference = rng.normal(0.1, 0.2, size=n) if kind == "normal" else rng.beta(0.3, 0.6, size=n)
        found = paired.paired_effect(difference, np.zeros(n), rng, draws=500)
        hits += (found.low or 0.0) <= truth <= (found.high or 0.0)
    assert 0.92 <= hits / REPETITIONS <= 0.98


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(6, 80), st.sampled_from(["normal", "nearly all or nothing", "mostly none", "ties"]), st.integers(0, 99)
)
def test_interval_and_test_of_a_paired_effect_are_those_of_scipy(n: int, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(0.1, 0.3, n),
        "nearly all or nothing": rng.beta(0.3, 0.6, n),
        "mostly none": np.where(rng.random(n) < 0.8, 0.0, rng.normal(size=n)),
        "ties": rng.integers(-3, 4, n) / 4,
    }[kind]
    assume(np.ptp(values) > 0)
    (found,) = paired.bca_intervals(values[None], bootstrap.resamples(n, np.random.default_rng(seed), 300))
    one = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=300, method="BCa", vectorized=True, rng=np.random.default_rng(seed)
    )
    assert found == pytest.approx(tuple(one.confidence_interval), rel=1e-12, abs=1e-15)
    moved = values[values != 0]
    untied = len(np.unique(np.abs(moved))) == len(moved)
    how = "exact" if untied and len(moved) <= 50 else "approx"
    if not untied and len(moved) <= 10:
        how = scipy.stats.PermutationMethod(n_resamples=2**10)
    assert paired.signed_rank(values) == pytest.approx(scipy.stats.wilcoxon(moved, method=how).pvalue, rel=1e-12)


def test_resamples_of_one_seed_are_drawn_once_and_are_what_the_seed_gives() -> None:
    drawn = paired.same_resamples(5)
    assert drawn(9) is drawn(9) and np.array_equal(drawn(9), bootstrap.resamples(9, np.random.default_rng(5)))
    a, b = np.random.default_rng(1).random((2, 9))
    assert paired.paired_effect(a, b, drawn) == paired.paired_effect(a, b, np.random.default_rng(5))


def test_effects_made_together_are_those_made_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows over other numbers of mazes, without a difference, of too few mazes and of none are among them."""
    rng = np.random.default_rng(2)
    rows, b, drawn = rng.random((9, 30)), rng.random(30), paired.same_resamples(5)
    rows[1] = b
    rows[2] = b + 0.25
    for row, defined in zip(rows[3:7], (20, 20, 3, 0), strict=True):
        row[defined:] = np.nan
    one_by_one = [paired.paired_effect(row, b, drawn) for row in rows]
    assert [effect.n for effect in one_by_one] == [30, 30, 30, 20, 20, 3, 0, 30, 30]
    for at_once in (2_000_000, 1):
        monkeypatch.setattr(paired, "_AT_ONCE", at_once)
        together = paired.paired_effects(list(rows), b, drawn)
        for effect, alone in zip(together, one_by_one, strict=True):
            assert dataclasses.replace(effect, low=alone.low, high=alone.high) == alone
            for end, expected in ((effect.low, alone.low), (effect.high, alone.high)):
                assert end == (None if expected is None else pytest.approx(expected, rel=1e-12))


def test_a_paired_effect_by_hand() -> None:
    a = np.array([0.9, 0.5, 0.4, 0.7, 0.3, 0.2, np.nan, 0.8])
    b = np.array([0.1, 0.5, 0.5, 0.2, 0.1, 0.2 + 1e-9, 0.4, np.nan])
    found = paired.paired_effect(a, b, np.random.default_rng(0))
    assert (found.n, found.undefined, found.zeros) == (6, 2, 2)
    assert found.mean == pytest.approx(1.4 / 6) and found.median == pytest.approx(0.1)
    assert found.improvement == pytest.approx((3 + 2 / 2) / 6)
    assert found.low is not None and found.high is not None and found.low < found.mean < found.high
    assert found.p == 2 * 2 / 2**4  # of 4 that differ, 1 has the smallest rank the other way
    assert found == paired.paired_effect(a, b, np.random.default_rng(0))


def test_effects_that_are_degenerate_say_so() -> None:
    rng, some = np.random.default_rng(0), np.random.default_rng(1).random(10)
    same = paired.paired_effect(some, some + 1e-8, rng)
    assert (same.mean, same.low, same.high, same.p, same.zeros) == (0.0, 0.0, 0.0, 1.0, 10)
    assert same.improvement == 0.5 and same.note == "no maze differs"
    shifted = paired.paired_effect(some + 0.25, some, rng)
    assert shifted.low == shifted.high == pytest.approx(0.25) and shifted.p == pytest.approx(2 / 2**10)
    few = paired.paired_effect(some[:5], np.zeros(5), rng)
    assert few.mean == some[:5].mean() and few.low is few.high is few.p is None and "5 mazes are too few" in few.note
    assert paired.paired_effect(np.full(3, np.nan), np.zeros(3), rng).note == "defined in no maze"
    least = paired.paired_effect(some[: bootstrap.FEWEST], np.zeros(bootstrap.FEWEST), rng)
    assert least.p is not None and least.p <= 0.05  # what FEWEST is chosen by


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=11))
def test_the_signed_rank_test_goes_through_all_signs(values: list[int]) -> None:
    """p is the share of sign changes with a rank sum at least as far from its mean."""
    moved = np.array([v for v in values if v])
    ranks = rankdata(np.abs(moved))
    signs = np.array(list(itertools.product([-1, 1], repeat=len(moved))))
    seen, all_of_them = abs(np.sign(moved) @ ranks), np.abs(signs @ ranks)
    if len(moved) <= 10:
        assert paired.signed_rank(np.array(values, dtype=float)) == pytest.approx((all_of_them >= seen - 1e-9).mean())


def test_few_differences_among_many_zeros_are_no_evidence() -> None:
    difference = np.r_[np.zeros(40), [0.1, 0.2, 0.3, 0.4]]
    assert paired.signed_rank(difference) == 2 / 2**4 and wilcoxon(difference, zero_method="pratt").pvalue < 0.05
    assert paired.signed_rank(np.zeros(4)) == 1.0


@pytest.mark.parametrize("step", [0.0, 0.05], ids=["no two alike", "ties and zeros"])
def test_a_null_sweep_of_many_mazes_errs_as_often_as_it_says(step: float) -> None:
    """Sizes as of real changes, signs by chance, mazes alike at all sites: where the test is the normal approximation.

    A single site's false positives lie within three standard errors of 5% on both sides; those of a family after
    Holm's adjustment, any site counting, below the upper one.
    """
    rng, n, sites, single, families = np.random.default_rng(6), 64, 5, 0, 0
    for _ in range(REPETITIONS):
        difference = rng.choice([-1.0, 1.0], size=n) * rng.beta(0.35, 1.8, size=n) * rng.gamma(4.0, 1 / 4, (sites, n))
        if step:
            difference = step * np.round(difference / step)
        p_values = [paired.signed_rank(row) for row in difference]
        moved = difference[0][difference[0] != 0]
        assert p_values[0] == wilcoxon(moved, method="approx").pvalue and len(moved) > 10
        single += p_values[0] <= 0.05
        families += min(p for p in paired.holm(p_values) if p is not None) <= 0.05
    error = 3 * np.sqrt(0.05 * 0.95 / REPETITIONS)
    assert abs(single / REPETITIONS - 0.05) <= error
    assert families / REPETITIONS <= 0.05 + error


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(6, 14), st.integers(0, 10_000))
def test_the_other_way_round_the_effect_is_turned_over(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, size=n) / 4, rng.integers(0, 4, size=n) / 4
    one, other = (paired.paired_effect(*pair, np.random.default_rng(0), draws=300) for pair in ((a, b), (b, a)))
    assert one.mean == -(other.mean or 0.0) and one.p == other.p and one.zeros == other.zeros
    assert one.improvement == pytest.approx(1 - (other.improvement or 0.0))
    assert None not in (one.low, one.high) and np.isfinite([one.low, one.high]).all()  # type: ignore[call-overload]


@pytest.mark.parametrize("size", [1, 2, 12, 40])
def test_holm_is_that_of_statsmodels(size: int) -> None:
    p_values = list(np.random.default_rng(size).random(size).round(2) ** 3)
    np.testing.assert_allclose(paired.holm(p_values), multipletests(p_values, method="holm")[1], atol=1e-15)
    with_gaps = paired.holm([None, *p_values, None])
    assert with_gaps[0] is with_gaps[-1] is None and with_gaps[1:-1] == paired.holm(p_values)
    assert paired.holm([None]) == [None] and paired.holm([]) == []


def test_words_say_direction_size_and_when_there_is_nothing() -> None:
    rng = np.random.default_rng(0)
    b = rng.random(30) / 4

    def words(a: np.ndarray, p_holm: float | None = None) -> str:
        return paired.in_words(paired.paired_effect(a, b, np.random.default_rng(0)), "P(cheese)", p_holm)

    assert words(b + 0.2 + rng.random(30) / 10).startswith("P(cheese): higher by 0.2")
    assert words(b - 0.2 + rng.random(30) / 10).startswith("P(cheese): lower by 0.1")
    assert "p < 0.001, 30 mazes" in words(b - 0.2 + rng.random(30) / 10)
    assert words(b - 0.2 + rng.random(30) / 10, 0.3).startswith("P(cheese): no clear difference")
    assert words(b + rng.normal(0, 0.1, 30)).startswith("P(cheese): no clear difference")
    few = np.where(np.arange(30) < 16, -0.01, 1.0) * (1 + np.arange(30) / 100)
    assert words(b + few).startswith("P(cheese): higher by 0.566 on average, though lower in more mazes than higher (")
    assert words(b - few).startswith("P(cheese): lower by 0.566 on average, though higher in more mazes than lower (")
    assert words(b) == "P(cheese): no difference in any maze (30 mazes)."
    assert words(np.where(np.arange(30) < 26, np.nan, b)) == (
        "P(cheese): nothing can be said: 4 mazes are too few for an interval or a test (6 at least)."
    )
