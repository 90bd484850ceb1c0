"""Analogies against known answers: embeddings in which they hold, fail, and hold only if the inputs are left out."""

from __future__ import annotations

import numpy as np
import pytest

from steering.anatomy.analogy.measure import AnalogyRow, AnalogySiteRow, Partner, site_row
from steering.anatomy.analogy.ranks import by_cosine, by_distance
from steering.anatomy.analogy.summary import analogy_site, partial, rank_correlation, trends_of
from steering.records.anatomy.analogy_site import (
    ALONE,
    CENTRED,
    COSINE,
    EUCLIDEAN,
    GUESS,
    GUESSES,
    MEASURES,
    RANDOM,
    AnalogySite,
    Ranked,
)
from steering.records.sites import SiteFacts

CELLS, WIDE, ASKED = 20, 400, 6
KINDS = [(guess, measure) for guess in GUESSES for measure in MEASURES]


def partner(there: np.ndarray, apart: float = 3.0) -> Partner:
    """A partner with the vectors ``there`` of the first cells of B."""
    rng = np.random.default_rng(5)
    away = rng.standard_normal(there.shape[1])
    return Partner(
        there=there,
        apart=apart * away / np.linalg.norm(away),
        target=np.arange(len(there)),
        distances=np.arange(1, len(there) + 1),
        same_start=True,
    )


def row_of(here: np.ndarray, *there: np.ndarray, blank: np.ndarray | None = None, apart: float = 3.0) -> AnalogySiteRow:
    """What comes of the analogies of a maze whose cheese vectors are ``here``, with partners whose are ``there``."""
    origin = np.zeros(here.shape[1]) if blank is None else blank
    return site_row(origin, here, [partner(each, apart) for each in there], np.random.default_rng(0))


def summed(row: AnalogySiteRow) -> AnalogySite:
    facts = SiteFacts("site", 1, (WIDE,), True, False, "site", None)
    return analogy_site(facts, WIDE, [AnalogyRow({"site": row})], np.ones((3, 1)))


def of(site: AnalogySite, guess: str, measure: str) -> Ranked:
    return site.ranks[KINDS.index((guess, measure))]


def directions() -> np.ndarray:
    rng = np.random.default_rng(1)
    found = rng.standard_normal((CELLS, WIDE))
    return np.asarray(found / np.linalg.norm(found, axis=1)[:, None])


@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_where_the_cheese_adds_the_same_vector_in_every_maze_it_holds(offset: float) -> None:
    """Whatever all pictures share; a(B) alone is nearest to itself, and a random difference leads nowhere."""
    vectors = directions()
    found = summed(row_of(vectors, vectors[:ASKED], blank=np.full(WIDE, offset)))
    assert found.holds.value == 1.0 and found.left.value == 0.0 and found.nearest.target.value == 1.0
    for measure in MEASURES:
        part = of(found, GUESS, measure)
        assert (part.top.value, part.top_excluding.value, part.rank.value) == (1.0, 1.0, 1.0)
        assert of(found, ALONE, measure).top.value == 0.0 and of(found, RANDOM, measure).top.value == 0.0
    assert of(found, RANDOM, EUCLIDEAN).nearer.value == pytest.approx(0.5, abs=0.35)
    assert found.candidates == CELLS + 3 and found.analogies == ASKED


def test_where_a_maze_has_vectors_of_its_own_it_fails_as_often_as_a_random_difference() -> None:
    rng = np.random.default_rng(2)
    vectors, others = directions(), rng.standard_normal((ASKED, WIDE)) / np.sqrt(WIDE)
    found = summed(row_of(vectors, *[others] * 4))
    assert found.holds.value == 0.0 and found.nearest.target.value == 0.0
    assert (found.left.value or 0) == pytest.approx(2.0, abs=0.3)  # two directions that know nothing of each other
    part = of(found, GUESS, EUCLIDEAN)
    assert (part.top_excluding.value or 0) <= 0.34 and part.nearer.value == pytest.approx(0.5, abs=0.3)
    assert of(found, GUESS, EUCLIDEAN).nearer.value == pytest.approx(of(found, RANDOM, EUCLIDEAN).nearer.value, abs=0.3)


def test_where_the_vector_is_too_faint_it_holds_only_without_the_inputs() -> None:
    """A's vectors point the right way and are too short: B without cheese is nearer to the guess than the target."""
    vectors = directions()
    found = summed(row_of(vectors, 0.3 * vectors[:ASKED], blank=np.ones(WIDE)))
    part = of(found, GUESS, EUCLIDEAN)
    assert (part.top.value, part.top_excluding.value) == (0.0, 1.0) and part.rank.value == 2.0
    assert found.nearest.here.value == 1.0 and found.left.value == pytest.approx(0.7**2)


def test_where_mazes_lie_close_the_other_input_is_nearest() -> None:
    """A with cheese itself, where A lies nearer to B than one cell's cheese to another's."""
    rng = np.random.default_rng(3)
    vectors = directions()
    others = vectors[:ASKED] + 0.4 * rng.standard_normal((ASKED, WIDE)) / np.sqrt(WIDE)
    found = summed(row_of(vectors, others, apart=0.1))
    assert found.holds.value == 0.0 and found.nearest.there.value == 1.0
    assert of(found, GUESS, EUCLIDEAN).top_excluding.value == 1.0


def test_nearness_is_that_of_the_vectors_themselves() -> None:
    """From inner products, as from the vectors seen from anywhere."""
    rng = np.random.default_rng(4)
    origin, guesses, others = rng.standard_normal(7), rng.standard_normal((3, 7)), rng.standard_normal((5, 7))
    products, squares = guesses @ others.T, np.sum(others**2, axis=1)
    apart = np.linalg.norm(guesses[:, None] - others[None], axis=2) ** 2
    found = by_distance(products, squares)
    np.testing.assert_allclose(found - found[:, :1], -(apart - apart[:, :1]))
    lengths, along = (np.sum(guesses**2, axis=1), squares), (guesses @ origin, others @ origin)
    one, two = guesses - origin, others - origin
    cosines = (one @ two.T) / np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(two, axis=1))
    np.testing.assert_allclose(by_cosine(products, lengths, along, float(origin @ origin)), cosines)


def test_the_same_ranks_as_from_the_activations_one_by_one() -> None:
    """Every measure, by the definitions: guess, target and candidates as whole activations."""
    rng = np.random.default_rng(8)
    blank, here = rng.standard_normal(30) + 2, 0.5 * rng.standard_normal((9, 30))
    there = here[:4] + 0.4 * rng.standard_normal((4, 30))
    one = partner(there, 1.0)
    row = site_row(blank, here, [one], np.random.default_rng(0))
    a = blank + one.apart
    middle = (blank + here).mean(axis=0)
    for measure, origin in ((COSINE, 0.0), (CENTRED, middle), (EUCLIDEAN, None)):
        ranks, without = 0, 0
        for k in range(4):
            guess, inputs = (a + there[k]) - a + blank, [blank, a + there[k], a]
            candidates = np.array([*(blank + here), *inputs])
            if origin is None:
                near = -np.linalg.norm(candidates - guess, axis=1)
            else:
                sides = candidates - origin, guess - origin
                near = sides[0] @ sides[1] / np.linalg.norm(sides[0], axis=1)
            ranks += 1 + int(np.sum(near > near[k]))
            without += 1 + int(np.sum(near[:9] > near[k]))
        part = row.ranks[KINDS.index((GUESS, measure))]
        assert (part.ranks, part.ranks_excluding) == (ranks, without)


def test_of_equal_candidates_no_target_is_first() -> None:
    vectors = np.repeat(directions()[:1], 4, axis=0)
    part = row_of(vectors, vectors[:2]).ranks[0]
    assert (part.first, part.first_excluding, part.ranks) == (0, 0, 2 * 2.5)


def test_cells_are_grouped_by_their_distance_from_the_mouse() -> None:
    vectors = directions()
    row = row_of(vectors, vectors[:ASKED])
    assert [(part.analogies, part.first) for part in row.distances] == [(1, 1), (1, 1), (2, 2), (2, 2), (0, 0)]
    assert row.same_start.analogies == ASKED


def test_a_maze_without_partners_counts_for_nothing() -> None:
    found = summed(row_of(directions()))
    assert found.analogies == 0 and found.holds.value is None and found.behaviour.value is None


def faint(strength: float, apart: int) -> AnalogySiteRow:
    """A row in which so many of ten targets are nearest."""
    vectors = directions()
    there = vectors[:10].copy()
    there[apart:] *= 0.1
    row = row_of(vectors, there)
    return AnalogySiteRow(**{**vars(row), "effective": strength})


def test_trends_tell_depth_from_dimensions() -> None:
    """Ten sites; the rate falls with depth while dimensions go up and down, then with dimensions alone."""
    rng = np.random.default_rng(0)
    samples = np.ones((3, 1))
    facts = [SiteFacts(f"s{k}", k, (WIDE,), True, False, f"s{k}", None) for k in range(10)]
    jumps = rng.permutation(10)
    deep = {f"s{k}": faint(float(2 + jumps[k]), 10 - k) for k in range(10)}
    depth, _, effective = trends_of(facts, [8] * 10, [AnalogyRow(deep)], samples)
    assert depth.correlation.value == pytest.approx(-1) and depth.alone.value == pytest.approx(-1)
    assert abs(effective.correlation.value or 1) < 1 and effective.alone.value is None  # nothing left to explain
    wide = {f"s{k}": faint(float(2 + jumps[k]), 10 - int(jumps[k])) for k in range(10)}
    depth, nominal, effective = trends_of(facts, [2 + int(jump) for jump in jumps], [AnalogyRow(wide)], samples)
    for trend in (nominal, effective):
        assert trend.correlation.value == pytest.approx(-1) and trend.alone.value == pytest.approx(-1)
    few = trends_of(facts[:3], [8] * 3, [AnalogyRow(deep)], samples)
    assert [trend.correlation.value for trend in few] == [None] * 3


def test_partial_correlations_are_those_of_what_is_left() -> None:
    rng = np.random.default_rng(6)
    x, y, z = rng.permutation(30.0 * np.arange(30)), rng.standard_normal(30), rng.standard_normal(30)
    y = y + 0.01 * x
    ranks = np.argsort(np.argsort([x, y, z], axis=1), axis=1).astype(float)
    a, b, c = ranks - ranks.mean(axis=1, keepdims=True)
    left_a, left_b = (v - c * (v @ c) / (c @ c) for v in (a, b))
    expected = left_a @ left_b / np.sqrt((left_a @ left_a) * (left_b @ left_b))
    xy, xz, yz = (rank_correlation(u[None], v[None]) for u, v in ((x, y), (x, z), (y, z)))
    assert partial(xy, xz, yz)[0] == pytest.approx(expected)
