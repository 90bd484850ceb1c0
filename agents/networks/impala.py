"""The IMPALA network of the published maze agents, at any scale.

Espeholt et al. 2018 (arXiv 1802.01561), figure 3 (right), without memory, as trained on Procgen
by Cobbe et al. 2020 and Langosco et al. 2022 (arXiv 2105.14111). Every operation, the residual
adds included, is a module of its own, so dotted module names are the names of the published
network and every intermediate value can be hooked.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from envs.actions import N_ACTIONS
from envs.errors import InputError

OBS_SHAPE = (3, 64, 64)
HIDDEN = 256
SCALE_STEP = 1 / 16  # of scales: the first block has 16 times the scale


def check_scale(scale: float) -> float:
    """Return a scale that a network can have, whole ones as ``int``.

    Raises :class:`InputError` for one that is not above 0, or of which a block has no whole number of channels.
    """
    if not (scale > 0 and scale % SCALE_STEP == 0):
        raise InputError(f"scale is {scale}, must be a multiple of {SCALE_STEP}: 16 times it is a number of channels")
    return int(scale) if scale % 1 == 0 else float(scale)


def block_channels(scale: float) -> tuple[int, int, int]:
    """Return the channels of the three blocks: 16, 32 and 32 times ``scale`` (4 in the published agent)."""
    return int(16 * scale), int(32 * scale), int(32 * scale)


class ResAdd(nn.Module):
    """The residual sum as a module, so that it can be a site."""

    def forward(self, skip: Tensor, branch: Tensor) -> Tensor:
        """Return ``skip + branch``; both ``[n, c, h, w]``."""
        return skip + branch


class ResidualBlock(nn.Module):
    """relu, conv, relu, conv, added to the input; shape ``[n, c, h, w]`` is kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.resadd = ResAdd()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[n, c, h, w] -> [n, c, h, w]``."""
        return self.resadd(x, self.conv2(self.relu2(self.conv1(self.relu1(x)))))


class ImpalaBlock(nn.Module):
    """conv, 3x3 max-pool of stride 2, two residual blocks; halves height and width."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.res1 = ResidualBlock(channels)
        self.res2 = ResidualBlock(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[n, c_in, h, w] -> [n, c, h/2, w/2]``."""
        return self.res2(self.res1(self.maxpool(self.conv(x))))


class Embedder(nn.Module):
    """Three blocks, relu, flatten, fc, relu: ``[n, 3, 64, 64] -> [n, 256]``."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        c1, c2, c3 = block_channels(scale)
        self.block1 = ImpalaBlock(OBS_SHAPE[0], c1)
        self.block2 = ImpalaBlock(c1, c2)
        self.block3 = ImpalaBlock(c2, c3)
        self.relu3 = nn.ReLU()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(c3 * 8 * 8, HIDDEN)
        self.relufc = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[n, 3, 64, 64]`` in 0..1 to features ``[n, 256]``."""
        x = self.block3(self.block2(self.block1(x)))
        return self.relufc(self.fc(self.flatten(self.relu3(x))))


class ImpalaPolicyNet(nn.Module):
    """Observations ``float[n, 3, 64, 64]`` in 0..1 to logits ``[n, 15]`` and values ``[n]``.

    Args:
        scale: the blocks have 16, 32 and 32 times as many channels, whole numbers; 4 in the published agents.
        generator: source of the first weights (:meth:`initialize`); None: those of torch, from its global generator.

    Raises:
        InputError: ``scale`` is no multiple of 1/16 above 0.

    Example:
        >>> import torch
        >>> logits, values = ImpalaPolicyNet(1)(torch.zeros(2, 3, 64, 64))
        >>> logits.shape, values.shape
        (torch.Size([2, 15]), torch.Size([2]))

    Source: Espeholt et al. 2018 (arXiv 1802.01561), figure 3.
    """

    channels_last: ClassVar[bool] = True
    """The memory layout in which its convolutions are fastest."""

    def __init__(self, scale: float = 1, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.scale = check_scale(scale)
        self.embedder = Embedder(self.scale)
        self.fc_policy = nn.Linear(HIDDEN, N_ACTIONS)
        self.fc_value = nn.Linear(HIDDEN, 1)
        self.float()  # whatever torch's default type is: weights are stored, and frames come, in float32
        if generator is not None:
            self.initialize(generator)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``float[n, 3, 64, 64] -> (logits[n, 15], values[n])``."""
        features = self.embedder(x)
        return self.fc_policy(features), self.fc_value(features).squeeze(-1)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw all weights from ``generator``: Xavier-uniform, small heads, zero biases."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                gain = {"fc_policy": 0.01, "fc_value": 0.1}.get(name, 1.0)
                nn.init.xavier_uniform_(module.weight, gain, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
