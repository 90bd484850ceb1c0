"""Communities of channels: how much more weight lies within them than chance puts there, layer by layer.

Newman's modularity compares the weight within communities with what the nodes' strengths predict, whoever they may be
joined to. In a network of layers that is no fair prediction: channels are joined to the next layer's only, so whole
layers are its best communities, whatever the weights are. Here the prediction is made within each layer:
``s_i s_j / W`` for channels ``i`` and ``j`` that a layer joins, with their strengths ``s`` in that layer and its whole
weight ``W`` (for one layer, Barber 2007, arXiv 0707.1616). Every layer has the same weight in all.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx
import numpy as np

from steering.anatomy.modules.channels import ChannelGraph

LEAST_GAIN = 1e-12  # of a move of one channel: less is rounding
SWEEPS = 100  # over all channels, at most, before communities are joined
BALANCING = 50  # rounds, to give shuffled weights the strengths that they had

Weights = Sequence[np.ndarray]
"""Norms of each layer's kernels, ``float64[made, read]``."""


def weights_of(graph: ChannelGraph) -> list[np.ndarray]:
    """Return the norms of each layer's kernels, each layer scaled to a sum of 1; zeros stay zeros."""
    return [layer.norms / max(float(layer.norms.sum()), 1e-300) for layer in graph.layers]


def modularity_matrix(graph: ChannelGraph, weights: Weights) -> np.ndarray:
    """Return what each pair of channels adds to the modularity if both are in one community, ``float64[n, n]``."""
    starts = graph.starts
    found = np.zeros((starts[-1], starts[-1]))
    for layer, norms in zip(graph.layers, weights, strict=True):
        total = norms.sum()
        excess = norms - np.outer(norms.sum(axis=1), norms.sum(axis=0)) / total if total > 0 else norms
        made, read = (slice(starts[group], starts[group + 1]) for group in (layer.target, layer.source))
        found[made, read] += excess
        found[read, made] += excess.T
    return found / max(2 * sum(float(norms.sum()) for norms in weights), 1e-300)


def _moved(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return communities in which no move of one node to another community gains anything, ``int[n]``."""
    count = len(matrix)
    labels, sums, own = np.arange(count), matrix.copy(), np.diag(matrix)  # sums[k]: over the members of community k
    for _ in range(SWEEPS):
        still = True
        for node in rng.permutation(count):
            gains, here = sums[:, node].copy(), labels[node]
            gains[here] -= own[node]
            best = int(gains.argmax())
            if gains[best] > gains[here] + LEAST_GAIN:
                sums[here] -= matrix[node]
                sums[best] += matrix[node]
                labels[node], still = best, False
        if still:
            break
    return labels


def communities(matrix: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return communities of high modularity, and that modularity, as Louvain's method finds them.

    Nodes move one by one to the community that gains most, until none does; then communities become nodes (Blondel et
    al. 2008). networkx has the method for Newman's prediction alone, so it is here for any.

    Args:
        matrix: of :func:`modularity_matrix`, ``float64[n, n]``.
        rng: draws the order of the nodes.

    Returns:
        Labels ``int[n]`` from 0, and the modularity.
    """
    labels = np.arange(len(matrix))
    while True:
        kept, joined = np.unique(_moved(matrix, rng), return_inverse=True)
        labels = joined[labels]
        if len(kept) == len(matrix):
            return labels, float(np.trace(matrix))
        member = np.eye(len(kept))[joined]
        matrix = member.T @ matrix @ member


def best_communities(matrix: np.ndarray, starts: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return the best of ``starts`` partitions of :func:`communities`."""
    return max((communities(matrix, rng) for _ in range(starts)), key=lambda found: found[1])


def shuffled(weights: Weights, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the weights of each layer in random places of the layer."""
    return [rng.permutation(norms.ravel()).reshape(norms.shape) for norms in weights]


def shuffled_alike(weights: Weights, rng: np.random.Generator) -> list[np.ndarray]:
    """Return random weights under which each channel keeps its strength in each layer.

    The ratios of weights to those that strengths predict are shuffled within the layer; then rows and columns are
    scaled in turn to the strengths that they had (Sinkhorn 1964).
    """
    found = []
    for norms in weights:
        made, read = norms.sum(axis=1, keepdims=True), norms.sum(axis=0, keepdims=True)
        predicted = made @ read / max(float(norms.sum()), 1e-300)
        ratios = np.divide(norms, predicted, out=np.zeros_like(norms), where=predicted > 0)
        drawn = rng.permutation(ratios.ravel()).reshape(norms.shape) * predicted
        for _ in range(BALANCING):
            for axis, kept in ((1, made), (0, read)):
                sums = drawn.sum(axis=axis, keepdims=True)
                drawn = drawn * np.divide(kept, sums, out=np.zeros_like(kept), where=sums > 0)
        found.append(drawn)
    return found


def newman(graph: ChannelGraph, weights: Weights, seed: int) -> tuple[list[set[int]], float]:
    """Return the communities that networkx's Louvain method finds, and Newman's modularity of them.

    Args:
        graph: the channels.
        weights: of its layers.
        seed: of the order of the channels.
    """
    starts = graph.starts
    adjacency = np.zeros((starts[-1], starts[-1]))
    for layer, norms in zip(graph.layers, weights, strict=True):
        made, read = (slice(starts[group], starts[group + 1]) for group in (layer.target, layer.source))
        adjacency[made, read] += norms
        adjacency[read, made] += norms.T
    joined = networkx.from_numpy_array(adjacency)
    found = [set(members) for members in networkx.community.louvain_communities(joined, seed=seed)]
    return found, float(networkx.community.modularity(joined, found))


def of_whole_layers(graph: ChannelGraph, found: Sequence[set[int]]) -> bool:
    """Return whether no group of channels lies in more than one community."""
    where = {node: number for number, members in enumerate(found) for node in members}
    starts = graph.starts
    ranges = [range(starts[k], starts[k + 1]) for k in range(len(graph.groups))]
    return all(len({where[node] for node in each}) == 1 for each in ranges)
