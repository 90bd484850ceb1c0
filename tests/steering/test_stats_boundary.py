"""Pooled statistics and the boundary rule, against hand-made curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering import stats
from steering.boundary import change_point, depth_reached, find_boundary


def test_blindness_by_hand() -> None:
    clean = np.array([0.4, 0.1, 0.0])
    assert stats.blindness(np.zeros(3), clean) == 1.0
    assert stats.blindness(clean, clean) == 0.0
    assert stats.blindness(np.array([0.2, 0.05, 0.0]), clean) == pytest.approx(0.5)
    assert stats.blindness(2 * clean, clean) == pytest.approx(-1.0)
    assert np.isnan(stats.blindness(np.ones(2), np.zeros(2)))


def test_a_maze_where_the_cheese_changes_nothing_does_not_matter() -> None:
    with_idle = stats.blindness(np.array([0.1, 0.2, 0.0]), np.array([0.5, 0.5, 0.0]))
    assert with_idle == stats.blindness(np.array([0.1, 0.2]), np.array([0.5, 0.5]))


def test_bootstrap_interval_covers_about_as_often_as_it_says() -> None:
    """95% intervals of a pooled ratio over simulated mazes: coverage within a binomial bound."""
    rng = np.random.default_rng(0)
    repeats, n, truth = 400, 60, 0.7
    hits = 0
    for _ in range(repeats):
        clean = rng.gamma(2.0, 0.1, size=n)
        edited = clean * np.clip(rng.normal(1.0 - truth, 0.2, size=n), 0, None)
        expected = 1.0 - np.mean(np.clip(np.random.default_rng(1).normal(1.0 - truth, 0.2, size=100_000), 0, None))
        index = stats.resamples(n, rng, draws=400)
        low, high = stats.interval(stats.blindness(edited[index], clean[index]))
        hits += bool(low <= expected <= high)
    # Four standard errors around .95, and .02 for the known undercoverage of percentile intervals.
    assert abs(hits / repeats - 0.95) < 4 * np.sqrt(0.95 * 0.05 / repeats) + 0.02


def test_resamples_are_a_function_of_the_generator() -> None:
    a, b = (stats.resamples(7, np.random.default_rng(3), draws=5) for _ in range(2))
    assert np.array_equal(a, b) and a.shape == (5, 7) and a.max() < 7


def test_depth_stops_at_the_first_failure() -> None:
    blind = np.array([1.0, 0.9, 0.4, 0.9])
    assert depth_reached(blind, np.ones(4), 0.5, 0.8) == 2
    assert depth_reached(blind, np.array([1.0, 0.5, 1.0, 1.0]), 0.5, 0.8) == 1
    assert depth_reached(np.zeros(4), np.ones(4), 0.5, 0.8) == 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(2, 10), st.integers(0, 1000))
def test_change_point_finds_a_clean_step(k: int, s: int, seed: int) -> None:
    k = min(k, s - 1)
    noise = np.random.default_rng(seed).normal(0, 0.01, size=s)
    curve = np.where(np.arange(s) < k, 1.0, 0.0) + noise
    assert change_point(curve) == k
    brute = min(range(1, s), key=lambda j: curve[:j].var() * j + curve[j:].var() * (s - j))
    assert change_point(curve[None])[0] == brute


def _curves(levels: list[float], mazes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    clean = rng.uniform(0.1, 0.3, size=mazes)
    noise = rng.normal(0, 0.05, size=(len(levels), mazes))
    return clean * (1.0 - np.array(levels)[:, None] + noise), clean


def test_boundary_of_a_known_curve() -> None:
    names = ["a", "b", "c", "d", "e"]
    edited, clean = _curves([1.0, 1.0, 0.9, 0.1, 0.0], 40, 0)
    able = np.full((5, 40), 0.6)
    samples = stats.resamples(40, np.random.default_rng(0), draws=300)
    found = find_boundary(names, names, edited, clean, able, np.full(40, 0.6), samples)
    assert (found.site, found.next_site, found.low, found.high) == ("c", "d", "c", "c")
    assert (found.change_site, found.change_low, found.change_high) == ("c", "c", "c")
    strict = find_boundary(names, names, edited, clean, able, np.full(40, 0.6), samples, blindness=0.95)
    assert strict.site == "b" and "0.95" in strict.rule


def test_the_rule_speaks_of_the_sites_swept() -> None:
    edited, clean = _curves([1.0, 0.0], 20, 0)
    able = np.full((2, 20), 0.6)
    samples = stats.resamples(20, np.random.default_rng(0), draws=50)
    for names in (["input", "fc"], ["relu3", "fc"]):
        rule = find_boundary(names, names, edited, clean, able, able[0], samples, competence=0.7).rule
        assert "blindness >= 0.5 and competence >= 0.7 at every trunk site swept" in rule
        assert f"(2, from {names[0]} on)" in rule and ("input" in rule) == (names[0] == "input")


def test_boundary_needs_competence_too() -> None:
    names = ["a", "b", "c"]
    edited, clean = _curves([1.0, 1.0, 1.0], 30, 1)
    able = np.array([np.full(30, 0.6), np.full(30, 0.6), np.full(30, 0.1)])
    samples = stats.resamples(30, np.random.default_rng(0), draws=100)
    assert find_boundary(names, names, edited, clean, able, np.full(30, 0.6), samples).site == "b"
    everywhere = find_boundary(names, names, edited, clean, np.full((3, 30), 0.6), np.full(30, 0.6), samples)
    assert everywhere.site == "c" and everywhere.next_site is None


def test_boundary_can_be_nowhere_and_uncertain() -> None:
    names = ["a", "b"]
    edited, clean = _curves([0.0, 0.0], 20, 2)
    samples = stats.resamples(20, np.random.default_rng(0), draws=200)
    able = np.full((2, 20), 0.6)
    nowhere = find_boundary(names, names, edited, clean, able, able[0], samples)
    assert nowhere.site is None and nowhere.next_site == "a"
    edited, clean = _curves([1.0, 0.5], 20, 3)
    unsure = find_boundary(names, names, edited, clean, able, able[0], samples)
    assert (unsure.low, unsure.high) == ("a", "b")


def test_members_of_a_class_count_once_in_the_change_point() -> None:
    """Copies of one experiment must not outvote the others, and the class ends at its last member."""
    edited, clean = _curves([1.0, 0.45, 0.0, 0.0, 0.0, 0.0], 40, 4)
    edited[3:] = edited[2]
    names = list("abcdef")
    classes = ["a", "b", "c", "c", "c", "c"]
    samples = stats.resamples(40, np.random.default_rng(0), draws=50)
    able = np.full((6, 40), 0.6)
    merged = find_boundary(names, classes, edited, clean, able, able[0], samples)
    apart = find_boundary(names, names, edited, clean, able, able[0], samples)
    assert (merged.change_site, apart.change_site) == ("a", "b")
    edited, clean = _curves([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], 40, 4)
    edited[2] = edited[1]
    ends = find_boundary(names, ["a", "b", "b", "d", "e", "f"], edited, clean, able, able[0], samples)
    assert ends.change_site == "c"
