"""The Nature CNN with an actor and a critic, as stable-baselines3's ``CnnPolicy`` has it.

Mnih et al. 2015 (Nature 518, 529-533). Dotted module names and weight names are those of a
stable-baselines3 ``ActorCriticPolicy``, so sites carry the names that its users know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from agents.networks.impala import OBS_SHAPE
from envs.actions import N_ACTIONS

FLAT = 64 * 4 * 4  # what three convolutions without padding leave of 64 x 64 pixels


class NatureExtractor(nn.Module):
    """Three convolutions without padding, flatten, linear: ``[n, 3, 64, 64] -> [n, features]``."""

    def __init__(self, features: int) -> None:
        super().__init__()
        convolutions = ((OBS_SHAPE[0], 32, 8, 4), (32, 64, 4, 2), (64, 64, 3, 1))
        layers: list[nn.Module] = []
        for channels_in, channels, kernel, stride in convolutions:
            layers += [nn.Conv2d(channels_in, channels, kernel, stride), nn.ReLU()]
        self.cnn = nn.Sequential(*layers, nn.Flatten())
        self.linear = nn.Sequential(nn.Linear(FLAT, features), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``float[n, 3, 64, 64]`` in 0..1 to features ``[n, features]``."""
        out: Tensor = self.linear(self.cnn(x))
        return out


class ActorCriticLayers(nn.Module):
    """Fully connected layers between the features and the two heads; none by default."""

    def __init__(self, features: int, policy: Sequence[int], value: Sequence[int], activation: type[nn.Module]) -> None:
        super().__init__()
        self.policy_net = _layers(features, policy, activation)
        self.value_net = _layers(features, value, activation)


def _layers(width: int, widths: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for wider in widths:
        layers += [nn.Linear(width, wider), activation()]
        width = wider
    return nn.Sequential(*layers)


class NaturePolicyNet(nn.Module):
    """Observations ``float[n, 3, 64, 64]`` in 0..1 to logits ``[n, 15]`` and values ``[n]``.

    Args:
        features: width of the extractor's output; 512 in the paper.
        policy_layers: widths of the layers between features and the actor's head, each followed by ``activation``.
        value_layers: the same for the critic's head.
        activation: class of these activations.
        shared: actor and critic have one feature extractor.
        raw: the layers take frames in 0..255, as they are; the network's input is in 0..1 all the same.
        generator: source of the first weights (:meth:`initialize`); None: those of torch, from its global generator.

    Example:
        >>> import torch
        >>> logits, values = NaturePolicyNet(features=64, policy_layers=(32,))(torch.zeros(2, 3, 64, 64))
        >>> logits.shape, values.shape
        (torch.Size([2, 15]), torch.Size([2]))

    Source: Mnih et al. 2015 (Nature 518, 529-533); layers and names of stable-baselines3's ``NatureCNN``.
    """

    channels_last: ClassVar[bool] = True
    """The memory layout in which its convolutions are fastest."""

    def __init__(
        self,
        features: int = 512,
        policy_layers: Sequence[int] = (),
        value_layers: Sequence[int] = (),
        activation: type[nn.Module] = nn.Tanh,
        *,
        shared: bool = True,
        raw: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.raw = raw
        self.features_extractor = NatureExtractor(features)
        self.vf_features_extractor = None if shared else NatureExtractor(features)
        self.mlp_extractor = ActorCriticLayers(features, policy_layers, value_layers, activation)
        self.action_net = nn.Linear(policy_layers[-1] if policy_layers else features, N_ACTIONS)
        self.value_net = nn.Linear(value_layers[-1] if value_layers else features, 1)
        self.float()  # whatever torch's default type is: weights are stored, and frames come, in float32
        if generator is not None:
            self.initialize(generator)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``float[n, 3, 64, 64] -> (logits[n, 15], values[n])``."""
        if self.raw:
            x = x * 255.0  # exactly the whole numbers that were divided
        seen = valued = self.features_extractor(x)
        if self.vf_features_extractor is not None:
            valued = self.vf_features_extractor(x)
        # An empty stack would be a site of its own.
        if len(self.mlp_extractor.policy_net):
            seen = self.mlp_extractor.policy_net(seen)
        if len(self.mlp_extractor.value_net):
            valued = self.mlp_extractor.value_net(valued)
        return self.action_net(seen), self.value_net(valued).squeeze(-1)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw all weights from ``generator``: Xavier-uniform, zero biases."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
