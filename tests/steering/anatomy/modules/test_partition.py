"""Communities against known answers: blocks are found, dense random weights are no more than chance."""

from __future__ import annotations

import itertools

import networkx
import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from steering.anatomy.modules import network
from steering.anatomy.modules.channels import ChannelGraph, Group, Layer, channel_graph
from steering.anatomy.modules.modules_summary import mutual_information, separation
from steering.anatomy.modules.partition import (
    communities,
    modularity_matrix,
    newman,
    of_whole_layers,
    shuffled,
    shuffled_alike,
    weights_of,
)

WIDTHS, BLOCKS = (8, 16, 16, 12), 4


def graph_of(weights: list[np.ndarray]) -> ChannelGraph:
    widths = [weights[0].shape[1], *(each.shape[0] for each in weights)]
    layers = [Layer(f"layer{k}", k, k + 1, each) for k, each in enumerate(weights)]
    return ChannelGraph(tuple(Group(width, (f"place{k}",)) for k, width in enumerate(widths)), tuple(layers))


def blocks(leak: float = 0.0) -> tuple[ChannelGraph, np.ndarray]:
    """Weights that join each block of channels to the block of the same number; and the numbers of the blocks."""
    rng = np.random.default_rng(0)
    own = [np.arange(width) * BLOCKS // width for width in WIDTHS]
    weights = [
        np.where(own[k + 1][:, None] == own[k][None, :], 1.0, leak) * (0.5 + rng.random((WIDTHS[k + 1], WIDTHS[k])))
        for k in range(len(WIDTHS) - 1)
    ]
    return graph_of(weights), np.concatenate(own)


def dense(seed: int) -> ChannelGraph:
    rng = np.random.default_rng(seed)
    return graph_of([np.abs(rng.standard_normal((b, a))) for a, b in itertools.pairwise(WIDTHS)])


@pytest.mark.parametrize("leak", [0.0, 0.1])
def test_blocks_are_found_and_are_far_beyond_chance(leak: float) -> None:
    graph, own = blocks(leak)
    labels, found = network.measured(graph, 0, "blocks")
    assert len({(a, b) for a, b in zip(labels, own, strict=True)}) == BLOCKS == found.communities
    inside = 1 / (1 + (BLOCKS - 1) * leak)  # of the weight, up to what is drawn
    assert found.value == pytest.approx(inside - 1 / BLOCKS, abs=0.03)
    assert found.kept.exceeded and found.shuffled.exceeded and min(found.kept.z or 0, found.shuffled.z or 0) > 4


def test_dense_random_weights_are_inside_the_null() -> None:
    found = [network.measured(dense(seed), seed, "dense")[1] for seed in range(6)]
    for nulls in ([each.kept for each in found], [each.shuffled for each in found]):
        assert abs(np.mean([null.z for null in nulls])) < 1.2  # 6 draws of a z: standard error .4
        assert sum(null.exceeded for null in nulls) <= 1


def test_the_modularity_is_that_of_the_labels_and_no_move_of_one_channel_gains() -> None:
    graph, _ = blocks(0.3)
    matrix = modularity_matrix(graph, weights_of(graph))
    labels, value = communities(matrix, np.random.default_rng(3))
    same = labels[:, None] == labels[None, :]
    assert value == pytest.approx(matrix[same].sum()) and matrix.sum() == pytest.approx(0, abs=1e-12)
    shares = [norms / norms.sum() for norms in (layer.norms for layer in graph.layers)]
    inside = 0.0
    for k, norms in enumerate(shares):  # by the formula, layer by layer
        made, read = (labels[graph.starts[j] : graph.starts[j + 1]] for j in (k + 1, k))
        expected = np.outer(norms.sum(axis=1), norms.sum(axis=0))
        inside += (norms - expected)[made[:, None] == read[None, :]].sum() / len(shares)
    assert value == pytest.approx(inside)


def test_newmans_communities_are_whole_layers_whatever_the_weights_are(random_policy: MazePolicy) -> None:
    """Why the prediction is made within layers: Newman's finds the layers, in random weights as in shuffled ones."""
    graph = channel_graph(random_policy.net)
    found, value = newman(graph, weights_of(graph), 0)
    others, other = newman(graph, shuffled(weights_of(graph), np.random.default_rng(1)), 0)
    assert of_whole_layers(graph, found) and of_whole_layers(graph, others)
    assert value == pytest.approx(other, abs=1e-9) and value > 0.4 and len(found) < len(graph.groups)
    parted = [set(members) for members in found]
    parted[0].add(parted[1].pop())
    assert not of_whole_layers(graph, parted)


def test_communities_agree_with_networkx_where_both_ask_the_same() -> None:
    """A graph of one layer with itself has Newman's prediction: the same optimum by the library's method."""
    rng = np.random.default_rng(5)
    own = np.arange(30) // 10
    weights = np.where(own[:, None] == own[None, :], 1.0, 0.1) * rng.random((30, 30))
    weights = weights + weights.T
    strengths = weights.sum(axis=1)
    labels, value = communities((weights - np.outer(strengths, strengths) / weights.sum()) / weights.sum(), rng)
    np.fill_diagonal(weights, np.diag(weights) / 2)  # networkx counts a loop twice
    graph = networkx.from_numpy_array(weights)
    found = networkx.community.louvain_communities(graph, seed=0)
    assert {frozenset(np.flatnonzero(labels == k)) for k in range(3)} == {frozenset(each) for each in found}
    assert value == pytest.approx(networkx.community.modularity(graph, found), abs=0.02)


def test_shuffles_keep_what_they_say() -> None:
    weights = weights_of(blocks(0.2)[0])
    rng = np.random.default_rng(0)
    for own, free, alike in zip(weights, shuffled(weights, rng), shuffled_alike(weights, rng), strict=True):
        assert np.array_equal(np.sort(own.ravel()), np.sort(free.ravel())) and not np.array_equal(own, free)
        assert np.allclose(own.sum(axis=0), alike.sum(axis=0)) and np.allclose(own.sum(axis=1), alike.sum(axis=1))
        assert not np.allclose(own, alike) and (alike >= 0).all() and own.sum() == pytest.approx(1)


def test_a_layer_of_zeros_adds_nothing() -> None:
    graph, _ = blocks()
    graph = graph_of([graph.layers[0].norms, np.zeros_like(graph.layers[1].norms), graph.layers[2].norms])
    _, found = network.measured(graph, 0, "zeros")
    assert np.isfinite(found.value) and found.value > 0.5


def test_communities_tell_marks_that_lie_in_them_and_no_others() -> None:
    from sklearn.metrics import mutual_info_score

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 16)
    marks = [(np.arange(k, 64, 2), np.arange(k, 64, 2) < 16) for k in range(2)]  # of two layers: those of community 0
    found = separation("cheese", labels, marks, rng)
    assert found.channels == 64 and found.bits == pytest.approx(0.8113, abs=1e-4)  # all of the entropy of one quarter
    assert found.p < 0.01 and found.chance < 0.1
    apart = separation("cheese", labels, [(numbers, rng.permutation(marked)) for numbers, marked in marks], rng)
    assert apart.p > 0.05 and apart.bits < 0.2
    drawn = rng.random(64) < 0.4
    assert mutual_information(labels, drawn) == pytest.approx(mutual_info_score(labels, drawn) / np.log(2))
    assert separation("cheese", labels, [], rng).channels == 0
