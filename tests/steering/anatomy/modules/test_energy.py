"""Energy over channels against known answers: one channel, rotated channels, the same and other channels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from steering.anatomy.modules import energy
from steering.anatomy.modules.alignment import SiteRow, site_row
from steering.anatomy.modules.modules_summary import kind_energy, overlap
from steering.records.anatomy.modules import KINDS

CHANNELS, PLACES, VECTORS, MAZES = 16, 25, 8, 8


def rotation(seed: int) -> np.ndarray:
    return np.asarray(np.linalg.qr(np.random.default_rng(seed).standard_normal((CHANNELS, CHANNELS)))[0])


def row_of(cheese: np.ndarray, walls: np.ndarray, mouse: np.ndarray) -> SiteRow:
    """A level's row of vectors ``float[n, c, m]`` of each kind, beside activations that are 0."""
    seen = np.concatenate([np.zeros((1, CHANNELS, PLACES)), cheese, walls, mouse])
    return site_row(torch.from_numpy(seen), [len(cheese), len(walls), len(mouse)])


def drawn(seed: int, channels: list[int]) -> np.ndarray:
    """Random vectors in some channels alone."""
    found = np.zeros((VECTORS, CHANNELS, PLACES))
    found[:, channels] = np.random.default_rng(seed).standard_normal((VECTORS, len(channels), PLACES))
    return found


def test_numbers_of_concentration_have_their_known_values() -> None:
    one, even = np.eye(CHANNELS)[3], np.ones(CHANNELS)
    assert energy.participation(np.stack([one, even])).tolist() == [1, CHANNELS]
    assert energy.gini(np.stack([one, even])) == pytest.approx([1 - 1 / CHANNELS, 0])
    assert energy.top_share(np.stack([one, even])) == pytest.approx([1, 0.25])
    assert np.isnan(energy.participation(np.zeros(CHANNELS))) and energy.top_channels(15) == 4
    assert energy.top_quarter(np.array([0.0, 3, 3, 1, 2, 3, 0, 0])).tolist() == [False, True, True, *[False] * 5]


def test_rotations_agree_with_turning_the_vector_itself_and_with_the_exact_mean() -> None:
    """Two ways to turn a vector, and the mean of the squared energies by formula."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((CHANNELS, 5)) * rng.random((CHANNELS, 1)) ** 2
    eigenvalues = energy.spectrum(rows)
    assert eigenvalues.sum() == pytest.approx(np.square(rows).sum())
    along = energy.turned(eigenvalues, CHANNELS, 4000)
    assert along.sum(axis=1) == pytest.approx(np.full(4000, eigenvalues.sum()))
    itself = np.array([np.square(rotation(seed) @ rows).sum(axis=1) for seed in range(2000)])
    for squares in (np.square(each).sum(axis=1) for each in (along, itself)):
        exact = eigenvalues.sum() ** 2 / energy.turned_participation(eigenvalues, CHANNELS)
        assert squares.mean() == pytest.approx(exact, abs=5 * squares.std() / math.sqrt(len(squares)))
    assert np.median(along.max(axis=1)) == pytest.approx(np.median(itself.max(axis=1)), rel=0.05)


def test_vectors_in_one_channel_are_aligned_and_the_same_rotated_are_not() -> None:
    aligned = [row_of(drawn(maze, [3]), drawn(maze, [5]), drawn(maze, [7])) for maze in range(MAZES)]
    turned = [
        row_of(*(np.einsum("ij,njm->nim", rotation(maze), drawn(maze, [k])) for k in (3, 5, 7)))
        for maze in range(MAZES)
    ]
    weights = np.ones((3, MAZES))
    along = kind_energy("cheese", [row.kinds["cheese"] for row in aligned], weights)
    across = kind_energy("cheese", [row.kinds["cheese"] for row in turned], weights)
    assert along.channels.value == pytest.approx(1) and along.top.value == pytest.approx(1)
    assert along.aligned.value == 1 and (along.ratio.value or 1) < 0.25
    assert across.ratio.value == pytest.approx(1, abs=0.3) and (across.aligned.value or 0) <= 0.25
    assert along.turned == pytest.approx(across.turned or 0, rel=0.02)  # a rotation does not change what is expected


def test_kinds_in_the_same_channels_overlap_and_those_in_others_do_not() -> None:
    rows = [row_of(drawn(maze, [0, 1]), drawn(maze + 50, [0, 1]), drawn(maze + 90, [8, 9])) for maze in range(MAZES)]
    rng, weights = np.random.default_rng(1), np.ones((3, MAZES))
    same, other = (overlap("cheese", kind, rows, weights, rng) for kind in KINDS[1:])
    assert same.above_chance.value == pytest.approx(1, abs=0.05) and (same.p or 1) < 0.02 and same.top.value == 1
    assert other.cosine.value == 0 and (other.above_chance.value or 0) < 0 and other.p == 1
    assert same.alike == pytest.approx(other.alike or 0, abs=0.1) and same.chance == pytest.approx(
        2 / CHANNELS, abs=0.02
    )


def test_chance_is_the_mean_over_orders_of_the_channels() -> None:
    rng = np.random.default_rng(2)
    one, two = rng.random((2, CHANNELS)) ** 3
    orders = [rng.permutation(two) for _ in range(4000)]
    assert energy.chance_cosine(one, two) == pytest.approx(
        np.mean([energy.cosine(one, each) for each in orders]), rel=0.02
    )
    assert energy.chance_jaccard(CHANNELS) == pytest.approx(
        np.mean([energy.jaccard(one, each) for each in orders]), rel=0.05
    )


def test_a_change_that_moves_nothing_gives_no_number() -> None:
    rows = [row_of(np.zeros((VECTORS, CHANNELS, PLACES)), drawn(0, [1]), drawn(1, [1])[:1])] * MAZES
    weights = np.ones((3, MAZES))
    found = kind_energy("cheese", [row.kinds["cheese"] for row in rows], weights)
    assert found.vectors == 0 and found.ratio.value is None and found.turned is None
    nothing = overlap("cheese", "walls", rows, weights, np.random.default_rng(0))
    assert nothing.cosine.value is None and nothing.p is None
    single = overlap("walls", "mouse", rows, weights, np.random.default_rng(0))  # one vector has no halves to compare
    assert single.above_chance.value is None and single.top.value is not None
