"""How modular the network is by its weights, beside shuffled and untrained ones, and over its shipped training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from agents.checkpoints.cards import load_card, zoo_names, zoo_snapshots
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import Policy
from envs.stored.ranges import Count, Number, Positive
from steering.anatomy.modules.channels import ChannelGraph, channel_graph
from steering.anatomy.modules.partition import (
    Weights,
    best_communities,
    modularity_matrix,
    newman,
    of_whole_layers,
    shuffled,
    shuffled_alike,
    weights_of,
)
from steering.anatomy.part import Asked, Once, Rows
from steering.records.anatomy.modules import Modularity, Null, Snapshot
from steering.statistics.seeding import generator

SHUFFLES = 50  # of each kind
STARTS = 3  # orders of the channels, of which the best partition counts: of the network as of each shuffle
FRESH = 20  # untrained networks
NEWMAN_SHUFFLES = 10
REVISION = 1  # of how a network is measured


@dataclass(frozen=True)
class NetworkRow:
    """What was measured of the network, as the run's database keeps it."""

    communities: tuple[Count, ...]
    """Number of the community of each channel, group by group."""
    layers: Positive
    """Number of layers of weights."""
    modularity: Modularity
    """Of the network."""
    untrained: Null | None
    """Of fresh networks of the same architecture; null: it is not known how its training began."""
    newman: Number
    """Newman's modularity."""
    newman_shuffled: Null
    """Of weights shuffled freely within each layer."""
    whole_layers: bool
    """Whether Newman's communities are of whole layers."""


@dataclass(frozen=True)
class SnapshotsRow:
    """The modularity over the agent's shipped training, as the run's database keeps it."""

    snapshots: tuple[Snapshot, ...]
    """In the order of training; empty: none are shipped."""


def null_of(value: float, drawn: Sequence[float]) -> Null:
    """Return what values of comparable networks say about that of a network."""
    found = np.array(drawn)
    low, high = np.quantile(found, [0.025, 0.975])
    spread = float(found.std(ddof=1)) if len(found) > 1 else 0.0
    alike = not spread > 1e-9 * max(abs(float(found.mean())), 1e-9)
    z = None if alike else (value - float(found.mean())) / spread
    reached = float((found >= value - 1e-9).mean())
    return Null(mean=float(found.mean()), low=float(low), high=float(high), z=z, reached=reached)


def measured(graph: ChannelGraph, seed: int, name: str) -> tuple[np.ndarray, Modularity]:
    """Return the communities of channels, ``int[n]``, and the modularity beside shuffled weights.

    Args:
        graph: the channels and their layers.
        seed: of all that is drawn.
        name: of the network, for its own draws.
    """
    weights = weights_of(graph)

    def best(chosen: Weights, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        return best_communities(modularity_matrix(graph, chosen), STARTS, rng)

    def drawn(shuffle: Callable[[Weights, np.random.Generator], Weights]) -> list[float]:
        found = []
        for draw in range(SHUFFLES):
            rng = generator(seed, 0, f"modules: {shuffle.__name__} {name}", draw)
            found.append(best(shuffle(weights, rng), rng)[1])
        return found

    labels, value = best(weights, generator(seed, 0, f"modules: {name}", 0))
    nulls = [null_of(value, drawn(shuffle)) for shuffle in (shuffled_alike, shuffled)]
    return labels, Modularity(value, int(labels.max()) + 1, *nulls)


def fresh_networks(net: nn.Module, seed: int) -> list[nn.Module]:
    """Return untrained networks of the same architecture; none for one of which it is not known how training begins."""
    if not isinstance(net, ImpalaPolicyNet | NaturePolicyNet):
        return []
    made: list[nn.Module] = []
    for draw in range(FRESH):
        fresh = copy.deepcopy(net).cpu()
        with torch.no_grad():
            fresh.initialize(torch.Generator().manual_seed(seed + draw))
        made.append(fresh)
    return made


def network_row(policy: Policy, seed: int) -> NetworkRow:
    """Return how modular the network is, beside shuffled weights and untrained networks."""
    graph = channel_graph(policy.net)
    labels, found = measured(graph, seed, "own")
    fresh = []
    for draw, net in enumerate(fresh_networks(policy.net, seed)):
        matrix = modularity_matrix(untrained := channel_graph(net), weights_of(untrained))
        fresh.append(best_communities(matrix, STARTS, generator(seed, 0, "modules: untrained", draw))[1])
    weights = weights_of(graph)
    communities, value = newman(graph, weights, seed)
    others = [shuffled(weights, generator(seed, 0, "modules: newman", draw)) for draw in range(NEWMAN_SHUFFLES)]
    return NetworkRow(
        communities=tuple(int(label) for label in labels),
        layers=len(graph.layers),
        modularity=found,
        untrained=null_of(found.value, fresh) if fresh else None,
        newman=value,
        newman_shuffled=null_of(value, [newman(graph, each, seed)[1] for each in others]),
        whole_layers=of_whole_layers(graph, communities),
    )


def snapshots_row(policy: Policy, seed: int) -> SnapshotsRow:
    """Return the modularity of the shipped snapshots of a shipped agent, whatever its file is called."""
    name = next((each for each in zoo_names() if load_card(each)["sha256"] == policy.sha256), None)
    found = []
    for samples in sorted(zoo_snapshots(name)) if name else ():
        net = load_policy(f"{name}@{samples}").net
        found.append(Snapshot(samples, measured(channel_graph(net), seed, str(samples))[1]))
    return SnapshotsRow(tuple(found))


def _network(asked: Asked, _: Sequence[Rows]) -> NetworkRow:
    return network_row(asked.policy, asked.settings.seed)


def _snapshots(asked: Asked, _: Sequence[Rows]) -> SnapshotsRow:
    return snapshots_row(asked.policy, asked.settings.seed)


_BASIS = {"shuffles": SHUFFLES, "starts": STARTS, "fresh": FRESH, "newman": NEWMAN_SHUFFLES, "revision": REVISION}
NETWORK = Once(NetworkRow, _network, _BASIS, "network", of_all=False)
"""The pass over the network's weights."""
SNAPSHOTS = Once(SnapshotsRow, _snapshots, _BASIS, "snapshots", of_all=False)
"""The pass over the weights of its training."""
