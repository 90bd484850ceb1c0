"""Angles between directions, against known answers: random, orthogonal, and built to interfere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from steering.anatomy import gram
from steering.anatomy.interference import SIZES, InterferenceRow, SiteRow, site_row
from steering.anatomy.interference_summary import interference_site
from steering.records.anatomy.interference_site import InterferenceSite
from steering.records.sites import SiteFacts

MANY, WIDE = 60, 300  # vectors and dimensions
PAIRS = MANY * (MANY - 1) / 2
MAZES = 12


def row_of(vectors: np.ndarray, effective: float | None = None) -> SiteRow:
    rng = np.random.default_rng(7)
    cells = [(i % 10, i // 10) for i in range(len(vectors))]
    return site_row(vectors @ vectors.T, cells, vectors.shape[1], rng, effective=effective)


def summed(rows: list[SiteRow], size: int) -> InterferenceSite:
    facts = SiteFacts("site", 1, (size,), True, False, "site", None)
    return interference_site(facts, size, [InterferenceRow({"site": row}) for row in rows], np.ones((3, len(rows))))


def test_random_directions_interfere_as_predicted_within_the_error_of_the_sample() -> None:
    """A squared cosine has mean 1/d and variance 2(d - 1)/(d^2 (d + 2)); pairs of random directions are independent."""
    rng = np.random.default_rng(0)
    found = summed([row_of(rng.standard_normal((MANY, WIDE)), WIDE) for _ in range(MAZES)], WIDE)
    spread = math.sqrt(2 * (WIDE - 1) / (WIDE + 2) / (PAIRS * MAZES))  # of the mean squared cosine, over its mean
    rms, median, largest = found.raw
    for ratio in (rms.ratio, rms.ratio_effective, found.centred[0].ratio):
        assert ratio.value is not None and abs(ratio.value**2 - 1) < 4 * spread
    assert median.ratio.value == pytest.approx(1, abs=4 * 1.26 / math.sqrt(PAIRS * MAZES) * 2)
    assert largest.ratio.value == pytest.approx(1, abs=0.1)
    for part in found.sets:  # what is read of theirs and of other random ones: two shares of 200 draws a maze
        assert part.right.value is not None and part.random.value is not None
        error = math.sqrt(max(part.random.value * (1 - part.random.value), 0.01) * 2 / part.sets)
        assert abs(part.right.value - part.random.value) < 6 * error


def test_an_orthogonal_set_does_not_interfere_and_all_of_every_sum_is_read() -> None:
    found = summed([row_of(np.eye(WIDE)[:MANY] * 3.0)], WIDE)
    assert [each.measured.value for each in found.raw] == [0, 0, 0] and found.interference.ratio.value == 0
    assert [part.right.value for part in found.sets] == [1.0] * len(SIZES)
    less = found.centred[0].measured.value  # vectors less their mean lean away from one another, no more
    assert less == pytest.approx(1 / (MANY - 1)) and found.could_be_orthogonal


@pytest.mark.parametrize("shared", [0.2, 0.5, 0.9])
def test_vectors_built_to_share_a_direction_have_that_cosine(shared: float) -> None:
    """Each is ``sqrt(shared)`` along one direction and the rest along one of its own: the mean takes it away."""
    own = np.eye(MANY, WIDE, 1) * math.sqrt(1 - shared)
    own[:, 0] = math.sqrt(shared)
    found = summed([row_of(own)], WIDE)
    for each in found.raw:
        assert each.measured.value == pytest.approx(shared)
    assert found.interference.ratio.value == pytest.approx(shared * math.sqrt(WIDE))
    assert found.centred[0].measured.value == pytest.approx(1 / (MANY - 1))
    assert [part.rms.value for part in found.distances if part.pairs] == pytest.approx([shared] * 5)
    assert [part.right.value for part in found.sets] == [1.0] * len(SIZES)  # all are raised alike


def test_more_vectors_than_dimensions_cannot_be_orthogonal_nor_be_told_from_a_sum() -> None:
    turns = np.linspace(0, np.pi, 16, endpoint=False)
    found = summed([row_of(np.stack([np.cos(turns), np.sin(turns)], axis=1))], 2)
    assert not found.could_be_orthogonal and found.bound == 1.0
    assert found.raw[2].measured.value == pytest.approx(math.cos(np.pi / 16))
    assert found.sets[0].right.value == 1.0 and (found.sets[-1].right.value or 0) < 0.05


def test_vectors_of_nothing_have_no_direction_and_give_no_number() -> None:
    found = summed([row_of(np.zeros((5, WIDE)))], WIDE)
    assert found.cells == 0 and found.bound is None
    assert {each.measured.value for each in (*found.raw, *found.centred)} == {None}
    assert all(part.sets == 0 and part.right.value is None for part in found.sets)
    alone = row_of(np.eye(3)[:1])
    assert (alone.cells, alone.raw.pairs) == (1, 0)


def test_distances_are_between_the_cells_of_the_vectors_left() -> None:
    vectors = np.eye(4)[[0, 0, 1, 2]]
    vectors[2] = 0
    row = site_row(vectors @ vectors.T, [(0, 0), (1, 0), (5, 5), (0, 9)], 4, np.random.default_rng(0))
    assert [(part.pairs, part.squares) for part in row.distances] == [(1, 1.0), (0, 0), (0, 0), (0, 0), (2, 0)]


def test_gram_matrices_of_random_directions_are_those_of_vectors_drawn() -> None:
    """Mean and variance of squared cosines, of many draws; also with more vectors than dimensions."""
    for vectors, dimension in ((8, 30), (8, 3)):
        rng = np.random.default_rng(1)
        squares = np.array(
            [gram.random_cosines(vectors, dimension, rng)[np.triu_indices(vectors, 1)] for _ in range(4000)]
        )
        squares = squares**2
        variance = 2 * (dimension - 1) / (dimension**2 * (dimension + 2))
        assert np.abs(squares.mean(axis=0) - 1 / dimension).max() < 5 * math.sqrt(variance / 4000)
        np.testing.assert_allclose(squares.var(axis=0), variance, rtol=0.25)


@pytest.mark.parametrize("dimension", [5, 40, 400])
def test_the_effective_dimension_of_few_samples_is_that_of_what_they_come_from(dimension: int) -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(40):
        samples = np.zeros((50, dimension + 3))
        samples[:, :dimension] = rng.standard_normal((50, dimension))
        samples += 10.0  # a mean is no direction that varies
        found.append(gram.effective_dimension(samples @ samples.T))
    assert np.mean(found) == pytest.approx(dimension, rel=0.05)


def test_an_effective_dimension_is_not_defined_where_nothing_varies_or_samples_are_few() -> None:
    assert math.isnan(gram.effective_dimension(np.ones((9, 9))))
    assert math.isnan(gram.effective_dimension(np.eye(3)))
    line = np.outer(np.arange(9.0), np.arange(9.0))
    assert gram.effective_dimension(line) == pytest.approx(1.0, abs=0.1)


def test_predictions_have_their_forms_for_large_dimensions() -> None:
    assert gram.chance_cosine(10_000) == pytest.approx(0.6745 / 100, rel=1e-3)
    large = math.sqrt(2 * math.log(1000 * 999 / 2) / 10_000)
    assert gram.chance_largest(1000, 10_000) == pytest.approx(large, rel=0.1)
    assert gram.chance_cosine(1) == 1.0 and gram.bound_of(64, 10**6) == pytest.approx(
        math.sqrt(8 * math.log(64)) / 1000
    )
