"""The channels of a network as a graph: an edge for each pair that a kernel joins, with the kernel's norm.

Derived from the traced graph of operations. A convolution or a linear layer makes new channels and joins them to those
that it reads. Operations that treat each channel by itself (relu, pooling, flatten) keep the channels. A residual sum
adds channel to channel, so the skip joins no two channels: those before and after the sum are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import networkx
import numpy as np
import torch
from torch import Tensor, fx, nn

from agents.networks.impala import OBS_SHAPE
from envs.errors import InputError
from steering.interventions.graph import data_inputs, keeps_channels, trace


@dataclass(frozen=True)
class Layer:
    """The kernels of one convolution or linear layer."""

    name: str
    """Name of its module."""
    source: int
    """Group of the channels that it reads."""
    target: int
    """Group of the channels that it makes, or adds to."""
    norms: np.ndarray
    """Euclidean norm of the kernel between two channels, ``float64[made, read]``."""


@dataclass(frozen=True)
class Group:
    """Channels that stay the same over some operations, such as those of a block's residual stream."""

    channels: int
    """Number of channels."""
    places: tuple[str, ...]
    """Names of the modules whose outputs they are, in order; of the picture: ``input``."""


@dataclass(frozen=True)
class ChannelGraph:
    """Groups of channels, from the picture's to the logits', and the layers that join them."""

    groups: tuple[Group, ...]
    """In the order in which they are made."""
    layers: tuple[Layer, ...]
    """In the order in which they run."""

    @property
    def starts(self) -> np.ndarray:
        """Return the number of the first channel of each group, and behind the last the number of all channels."""
        return np.r_[0, np.cumsum([group.channels for group in self.groups])]


@dataclass
class _Making:
    """Groups as they are made; ``joined`` names, for each, the group that a sum made it one with."""

    channels: list[int] = field(default_factory=list)
    joined: list[int] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    def new(self, channels: int) -> int:
        self.channels.append(channels)
        self.joined.append(len(self.joined))
        return len(self.joined) - 1

    def root(self, group: int) -> int:
        while self.joined[group] != group:
            group = self.joined[group]
        return group


def channel_graph(net: nn.Module) -> ChannelGraph:
    """Return the graph of the channels on the way from the picture to the logits.

    Args:
        net: maps ``float[n, 3, 64, 64]`` to logits ``[n, 15]`` or to (logits, values).

    Returns:
        Its groups of channels and layers; what serves the value alone is left out.

    Raises:
        InputError: in one line, for a network that cannot be traced, or with an operation behind which the channels
            are not known.

    Example:
        >>> [group.channels for group in channel_graph(ImpalaPolicyNet(1)).groups]
        [3, 16, 16, 16, 32, 32, 32, 32, 32, 32, 256, 15]
    """
    try:
        graph = trace(net).graph
    except InputError as error:
        raise InputError(f"--parts modules: {error.args[0].partition(';')[0]}; leave this part out") from None
    modules, data = dict(net.named_modules()), data_inputs(graph)
    (out,) = next(node for node in graph.nodes if node.op == "output").args
    logits = out[0] if isinstance(out, tuple | list) else out
    edges = networkx.DiGraph((before, node) for node, inputs in data.items() for before in inputs)
    relevant = networkx.ancestors(edges, logits) | {logits}
    making, group_of, flat = _Making(), dict[fx.Node, int](), dict[fx.Node, bool]()
    for node, inputs in data.items():
        if node in relevant:
            module = modules[str(node.target)] if node.op == "call_module" else None
            read = [i for i in inputs if i in relevant]
            group_of[node] = _group(making, node, module, [group_of[i] for i in read], all(flat[i] for i in read))
            flat[node] = isinstance(module, nn.Linear) or _flattens(node, module) or (bool(read) and flat[read[0]])
    return _finished(making, group_of)


def _flattens(node: fx.Node, module: nn.Module | None) -> bool:
    """Return whether an operation makes of a map one row, channel by channel."""
    if module is not None:
        return isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1)
    arguments = (*node.args[1:], *node.kwargs.items())
    return node.target in (torch.flatten, "flatten") and arguments in ((1,), (("start_dim", 1),), (1, -1))


def _group(making: _Making, node: fx.Node, module: nn.Module | None, inputs: Sequence[int], flat: bool) -> int:
    """Return the group of the channels behind an operation, and note the layer that it is.

    Args:
        making: groups and layers so far.
        node: the operation.
        module: its module, if it is one.
        inputs: groups that it reads.
        flat: whether all that it reads are rows, not maps.
    """
    if node.op == "placeholder":
        return making.new(OBS_SHAPE[0])
    first = inputs[0]
    width = making.channels[first]
    if isinstance(module, nn.Conv2d) and module.groups == 1 and not flat:
        return _layer(making, node, first, module.weight.flatten(2))
    if isinstance(module, nn.Linear) and module.in_features % width == 0 and flat:
        return _layer(making, node, first, module.weight.unflatten(1, (width, -1)))
    alike = all(making.channels[group] == width for group in inputs)
    if len(inputs) == 2 and alike and keeps_channels(node, module):
        one, other = sorted(making.root(group) for group in inputs)
        making.joined[other] = one
        return one
    flattening = isinstance(module, nn.Flatten) or node.target in (torch.flatten, "flatten")
    if len(inputs) == 1 and keeps_channels(node, module) and (not flattening or _flattens(node, module)):
        return first
    what = type(module).__name__ if module is not None else getattr(node.target, "__name__", node.target)
    name = str(node.target) if module is not None else node.name
    raise InputError(f"--parts modules: the channels behind {name} ({what}) are not known; leave this part out")


def _layer(making: _Making, node: fx.Node, source: int, kernels: Tensor) -> int:
    """Note a layer of kernels ``float[made, read, size]`` and return the group that it makes."""
    target = making.new(kernels.shape[0])
    norms = kernels.detach().cpu().to(torch.float64).norm(dim=2).numpy()
    making.layers.append(Layer(str(node.target), source, target, norms))
    return target


def _finished(making: _Making, group_of: dict[fx.Node, int]) -> ChannelGraph:
    roots = sorted({making.root(group) for group in range(len(making.channels))})
    number = {group: roots.index(making.root(group)) for group in range(len(making.channels))}
    places: list[list[str]] = [[] for _ in roots]
    for node, group in group_of.items():
        if node.op in ("placeholder", "call_module"):
            places[number[group]].append("input" if node.op == "placeholder" else str(node.target))
    groups = [Group(making.channels[root], tuple(named)) for root, named in zip(roots, places, strict=True)]
    layers = [Layer(each.name, number[each.source], number[each.target], each.norms) for each in making.layers]
    return ChannelGraph(tuple(groups), tuple(layers))
