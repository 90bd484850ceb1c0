"""The networks that files can hold: how the weights of each are recognised, and how it is built for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from agents.checkpoints.sb3_zip import blank_from_sb3, is_sb3
from agents.checkpoints.stated import Origin
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy
from agents.untrusted.weights import fill
from envs.actions import N_ACTIONS
from envs.errors import InputError, shown

Weights = Mapping[str, Tensor]
_WIDTH_KEY = "embedder.block1.conv.weight"


@dataclass(frozen=True)
class Architecture:
    """One kind of network."""

    name: str
    """Name in error lines."""
    network: type[nn.Module]
    """Its class; ``net(float[n, 3, 64, 64])`` gives logits ``[n, 15]``, or these and values ``[n]``."""
    recognises: Callable[[Weights], bool]
    """True for weights under its names, whole or not: the first of :data:`ARCHITECTURES` that says so is built."""
    blank: Callable[[Weights, Origin], tuple[nn.Module, Weights]]
    """Build it on the meta device for (weights, the file they come from); return the network, and the weights that fill
    it by the names of its ``state_dict``. What shapes do not tell it asks :meth:`Origin.settle` for."""
    head: str = ""
    """Name of the layer that gives the logits, of which there must be 15; empty: shapes alone tell."""
    published: bool = False
    """True for the network of the published agents, which is trained and exported here and has the published sites."""


def _recognises_impala(weights: Weights) -> bool:
    return _WIDTH_KEY in weights


def _blank_impala(weights: Weights, origin: Origin) -> tuple[ImpalaPolicyNet, Weights]:
    """Build the IMPALA network; its scale is read from the first convolution."""
    where = origin.where
    if origin.saved is not None and not origin.saved.ours:
        raise InputError(
            f"checkpoint {where}: tensors do not belong to policy_class {origin.saved.name}; save it again"
        )
    origin.settle("relu", 255)
    first = weights.get(_WIDTH_KEY)
    if first is None:
        some = ", ".join(map(shown, list(weights)[:3])) or "none"
        raise InputError(f"checkpoint {where}: no {_WIDTH_KEY}: not the published IMPALA network (keys: {some})")
    scale = (first.shape[0] or 16) / 16 if first.ndim == 4 else 1
    if scale > 64:
        raise InputError(f"checkpoint {where}: {_WIDTH_KEY} has {first.shape[0]} channels, at most 1024 make sense")
    with torch.device("meta"):
        return ImpalaPolicyNet(scale), weights


PUBLISHED = Architecture(
    "the published IMPALA network", ImpalaPolicyNet, _recognises_impala, _blank_impala, "fc_policy", published=True
)
ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture("the Nature CNN of a CnnPolicy", NaturePolicyNet, is_sb3, blank_from_sb3, "action_net"),
    PUBLISHED,
)


def network_from_weights(weights: Weights, origin: Origin) -> nn.Module:
    """Return the network whose names the weights have, filled with them.

    Args:
        weights: tensors by name.
        origin: the file they come from; it knows afterwards what was taken on its user's word.

    Raises:
        InputError: names the first key that is missing, foreign, of another shape, or not finite; for names of no
            network, says that it is not the published one; for what neither file nor user says, asks for it.
    """
    known = next((each for each in ARCHITECTURES if each.recognises(weights)), PUBLISHED)
    net, own = known.blank(weights, origin)
    _check_head(own.get(f"{known.head}.weight"), known.head, origin.where)
    origin.check_used(known.name)
    fill(net, own, origin.where)
    return net


def _check_head(found: Tensor | None, name: str, where: str) -> None:
    """Raise :class:`InputError` for a layer of logits that is of another number of actions than procgen's."""
    if found is not None and found.ndim == 2 and len(found) != N_ACTIONS:
        is_, expected = shown(tuple(found.shape)), (N_ACTIONS, found.shape[1])
        raise InputError(
            f"checkpoint {where}: {name}.weight is {is_}, expected {expected}: a network of {len(found)} actions, and "
            f"procgen has {N_ACTIONS}; give one that was trained on procgen"
        )


def published_from_weights(weights: Weights, where: str) -> ImpalaPolicyNet:
    """Return the published network filled with ``weights``; raise as :func:`network_from_weights` does."""
    net, own = _blank_impala(weights, Origin(where))
    fill(net, own, where)
    return net


def architecture_of(net: nn.Module) -> Architecture | None:
    """Return the architecture of a network; None for one that no file here can hold."""
    return next((each for each in ARCHITECTURES if type(net) is each.network), None)


def published_net(policy: MazePolicy) -> ImpalaPolicyNet:
    """Return the policy's network; raise :class:`InputError` if it is not the published one."""
    known = architecture_of(policy.net)
    if known is None or not known.published:
        raise InputError(f"policy {policy.name}: a {type(policy.net).__name__}, expected {PUBLISHED.name}")
    return cast(ImpalaPolicyNet, policy.net)
