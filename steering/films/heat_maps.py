"""Heat maps of a site over the level, aligned to the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from agents.networks.impala import OBS_SHAPE
from envs.errors import InputError
from steering.interventions.graph import data_inputs, trace
from steering.interventions.sites import INPUT, find_site


@dataclass(frozen=True)
class Alignment:
    """Position of a site's units in the frame: unit (row, column) has its middle at pixel ``start + step * index``.

    Pixels are counted at their middles, the first 0, rows from the top.
    """

    start: float
    """Pixel of the middle of the first unit."""
    step: float
    """Pixels from one unit to the next, above 0."""

    def share(self, index: float) -> float:
        """Return a unit's middle as a share of the frame's side, 0 (left or top edge) to 1."""
        return (self.start + self.step * index + 0.5) / OBS_SHAPE[1]


def alignment(net: nn.Module, site: str) -> Alignment:
    """Return the alignment of a site with maps ``[channels, rows, columns]``.

    Kernels, strides and paddings on the way are followed through the traced graph; a stride-2 pooling with padding 1
    puts its units on every second pixel, not between two. A network that cannot be traced has its maps stretched over
    the frame.

    Raises:
        InputError: for a site without maps.
    """
    found = find_site(net, site)
    if len(found.shape) != 3:
        raise InputError(
            f"site {found.name}: its shape {found.shape} is no stack of maps; choose one up to the last block"
        )
    try:
        graph = trace(net).graph
    except InputError:
        step = OBS_SHAPE[1] / found.shape[1]
        return Alignment((step - 1) / 2, step)
    modules = dict(net.named_modules())
    at: dict[object, Alignment] = {}
    for node, inputs in data_inputs(graph).items():
        here = at[inputs[0]] if inputs else Alignment(0.0, 1.0)
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            size, stride, padding = (_first(value) for value in (module.kernel_size, module.stride, module.padding))
            reach = (size - 1) * _first(getattr(module, "dilation", 1))
            here = Alignment(here.start + (reach / 2 - padding) * here.step, here.step * stride)
        at[node] = here
        if str(node.target) == found.name or (not inputs and found.name == INPUT):
            return here
    raise InputError(f"site {found.name}: not found in the network's graph")


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def heat_map(tensor: torch.Tensor, channel: int | None = None) -> np.ndarray:
    """Return one map of an activation or a vector.

    Args:
        tensor: ``[channels, rows, columns]``.
        channel: index of the channel, shown as it is; None: the norm over channels.

    Returns:
        ``float64[rows, columns]``, in units of activations.

    Raises:
        InputError: for a channel it lacks, or a tensor without maps.
    """
    if tensor.ndim != 3:
        raise InputError(f"heat map: shape {tuple(tensor.shape)} is no stack of maps; choose a convolutional site")
    if channel is None:
        return torch.linalg.vector_norm(tensor.double(), dim=0).numpy()
    if not 0 <= channel < len(tensor):
        raise InputError(f"heat map: channel {channel} of {len(tensor)}; give 0 to {len(tensor) - 1}")
    return tensor[channel].double().numpy()
