"""Policies that users of stable-baselines3 trained and saved: the tensors of a ``CnnPolicy``, as a network.

Sizes are read from the tensors. What these do not tell, the activation between the layers of ``net_arch`` and what
frames were divided by, is read from the ``.zip`` (:mod:`agents.checkpoints.sb3_data`); of tensors alone the user
states it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from agents.checkpoints.sb3_data import READ
from agents.checkpoints.stated import ACTIVATIONS, Origin
from agents.networks.nature import NaturePolicyNet
from agents.untrusted.weights import check_finite
from envs.errors import InputError, shown

OWN, ACTOR, CRITIC = "features_extractor.", "pi_features_extractor.", "vf_features_extractor."
LAYERS = "mlp_extractor."
# The beginnings of names that other policies of stable-baselines3 and sb3-contrib have, and only they.
_OTHERS = {
    f"{LAYERS}shared_net.": "layers that actor and critic share (net_arch before stable-baselines3 1.8)",
    "lstm_actor.": "a recurrent policy, expected one without memory",
    "lstm_critic.": "a recurrent policy, expected one without memory",
    "quantile_net.": "a policy of QR-DQN",
    "q_net.": "a policy of DQN",
    "q_net_target.": "a policy of DQN",
    "critic.qf0.": "a policy of SAC, TD3 or DDPG",
    "actor.mu.": "a policy of SAC, TD3 or DDPG",
    "actor.latent_pi.": "a policy of SAC",
    "actor.features_extractor.": "a policy of SAC, TD3 or DDPG",
}


def is_sb3(weights: Mapping[str, Tensor]) -> bool:
    """Return whether the keys are those of a stable-baselines3 policy."""
    return any(key.startswith((OWN, LAYERS, "action_net.", *_OTHERS)) for key in weights)


def blank_from_sb3(weights: Mapping[str, Tensor], origin: Origin) -> tuple[NaturePolicyNet, Mapping[str, Tensor]]:
    """Build the network of a ``CnnPolicy`` on frames ``uint8[64, 64, 3]``, sizes read from the tensors.

    It is on the meta device; with it come the tensors that fill it. Its input is in 0..1.

    Raises :class:`InputError` that names key, found and expected: a missing, foreign or misshapen
    tensor, NaN, actor's and critic's names for one extractor that differ, another extractor than
    the Nature CNN, another policy, a fact that neither the file nor the user states.
    """
    where = origin.where
    for key, value in weights.items():
        other = next((words for beginning, words in _OTHERS.items() if key.startswith(beginning)), None)
        if other is not None:
            raise InputError(f"checkpoint {where}: {shown(key)}: {other}; {READ}")
        check_finite(key, value, where)
    if origin.saved is not None and origin.saved.ours:
        raise InputError(
            f"checkpoint {where}: tensors do not belong to policy_class {origin.saved.name}; save it again"
        )
    if not any(key.startswith(f"{OWN}cnn.") for key in weights):
        raise InputError(f"checkpoint {where}: {OWN}cnn.0.weight is missing, expected the Nature CNN of a CnnPolicy")
    own = {key: value for key, value in weights.items() if not key.startswith(ACTOR)}
    for key in set(weights) - set(own):
        if not _same(weights, key, key.replace(ACTOR, OWN, 1)):
            twin = key.replace(ACTOR, OWN, 1)
            raise InputError(f"checkpoint {where}: {key} differs from {twin}, expected one tensor under two names")
    of_critic = [key for key in own if key.startswith(CRITIC)]
    shared = all(_same(own, key, key.replace(CRITIC, OWN, 1)) for key in of_critic)
    if shared:
        own = {key: value for key, value in own.items() if key not in of_critic}
    activation, divisor = _facts(own, origin)
    first = own.get(f"{OWN}linear.0.weight")
    with torch.device("meta"):
        net = NaturePolicyNet(
            first.shape[0] or 1 if first is not None and first.ndim == 2 else 512,
            _widths(own, f"{LAYERS}policy_net."),
            _widths(own, f"{LAYERS}value_net."),
            getattr(nn, ACTIVATIONS[activation]),
            shared=shared,
            raw=divisor == 1,
        )
    return net, own


def _facts(weights: Mapping[str, Tensor], origin: Origin) -> tuple[str, int]:
    """Return activation and divisor: of a ``.zip`` as it says, of tensors alone as the user states."""
    if origin.saved is not None:
        return origin.settle(origin.saved.activation, origin.saved.scale_pixels)
    layers = any(key.startswith(LAYERS) for key in weights)
    return origin.settle(None if layers else "relu", None)  # without layers only the extractor's own are there


def _same(weights: Mapping[str, Tensor], key: str, twin: str) -> bool:
    other = weights.get(twin)
    return other is not None and other.dtype == weights[key].dtype and torch.equal(other, weights[key])


def _widths(weights: Mapping[str, Tensor], prefix: str) -> list[int]:
    """Return the widths of the fully connected layers ``prefix`` 0, 2, 4... (the odd ones are activations)."""
    widths: list[int] = []
    while (found := weights.get(f"{prefix}{2 * len(widths)}.weight")) is not None:
        widths.append(found.shape[0] or 1 if found.ndim == 2 else 1)
    return widths
