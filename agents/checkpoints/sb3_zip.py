"""Policies that users of stable-baselines3 trained and saved: ``CnnPolicy`` of PPO or A2C.

Of the ``.zip`` two members are looked at: ``policy.pth``, as tensors, and ``data``, as JSON.
The pickles inside ``data`` (``:serialized:``) are never decoded; beside them stable-baselines3
writes down in words what they hold, and that is enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from agents.checkpoints.weights import check_finite
from agents.networks.nature import NaturePolicyNet
from envs.errors import InputError, nearest, one_line

OWN, ACTOR, CRITIC = "features_extractor.", "pi_features_extractor.", "vf_features_extractor."
_ACTIVATIONS = {
    kind.__name__: kind
    for kind in (nn.Tanh, nn.ReLU, nn.ELU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Mish, nn.ReLU6)
}
_CLASS = re.compile(r"<class '([\w.]+)'>")


def is_sb3(weights: Mapping[str, Tensor]) -> bool:
    """Return whether the keys are those of a stable-baselines3 actor-critic policy."""
    return any(key.startswith((OWN, "mlp_extractor.", "action_net.")) for key in weights)


def blank_from_sb3(
    weights: Mapping[str, Tensor], facts: Callable[[], bytes | None], where: str
) -> tuple[NaturePolicyNet, Mapping[str, Tensor]]:
    """Build the network of a ``CnnPolicy`` on frames ``uint8[64, 64, 3]``, sizes read from the tensors.

    It is on the meta device; with it come the tensors that fill it. ``facts`` reads the member ``data``, if there is
    one. The activation function between the
    layers of ``net_arch`` cannot be read from shapes: it is the one that ``data`` names, and else
    Tanh, the default of stable-baselines3 (by default ``CnnPolicy`` has no such layers, and
    then it does not matter). The network divides nothing: its input is in 0..1.

    Raises :class:`InputError` that names key, found and expected: a missing, foreign or misshapen
    tensor, NaN, actor's and critic's names for one extractor that differ, another extractor than
    the Nature CNN, an unknown activation, frames that are not normalised.
    """
    data = facts()
    for key, value in weights.items():
        check_finite(key, value, where)
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
    first = own.get(f"{OWN}linear.0.weight")
    with torch.device("meta"):
        net = NaturePolicyNet(
            first.shape[0] or 1 if first is not None and first.ndim == 2 else 512,
            _widths(own, "mlp_extractor.policy_net."),
            _widths(own, "mlp_extractor.value_net."),
            _activation(data, where),
            shared=shared,
        )
    return net, own


def _same(weights: Mapping[str, Tensor], key: str, twin: str) -> bool:
    other = weights.get(twin)
    return other is not None and other.dtype == weights[key].dtype and torch.equal(other, weights[key])


def _widths(weights: Mapping[str, Tensor], prefix: str) -> list[int]:
    """Return the widths of the fully connected layers ``prefix`` 0, 2, 4... (the odd ones are activations)."""
    widths: list[int] = []
    while (found := weights.get(f"{prefix}{2 * len(widths)}.weight")) is not None:
        widths.append(found.shape[0] or 1 if found.ndim == 2 else 1)
    return widths


def _activation(data: bytes | None, where: str) -> type[nn.Module]:
    """Return the activation function that ``data`` names; raise :class:`InputError` for options that change the net."""
    options = _policy_kwargs(data, where)
    extractor = options.get("features_extractor_class")
    if extractor is not None and _class_name(extractor) != "stable_baselines3.common.torch_layers.NatureCNN":
        raise InputError(f"checkpoint {where}: features_extractor_class is {_shown(extractor)}, expected NatureCNN")
    if options.get("normalize_images", True) is not True:
        raise InputError(f"checkpoint {where}: normalize_images is off, expected a policy that divides frames by 255")
    given = options.get("activation_fn")
    if given is None:
        return nn.Tanh
    module, _, name = _class_name(given).rpartition(".")
    if module != "torch.nn.modules.activation" or name not in _ACTIVATIONS:
        hint = nearest(name, _ACTIVATIONS)
        raise InputError(f"checkpoint {where}: activation_fn is {_shown(given)}, expected one of torch.nn; {hint}")
    return _ACTIVATIONS[name]


def _policy_kwargs(data: bytes | None, where: str) -> dict[str, Any]:
    """Return ``policy_kwargs`` as far as it is written in words: numbers, lists, names of classes."""
    if data is None:
        return {}
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"checkpoint {where}: its member data is not JSON ({one_line(error)})") from None
    options = facts.get("policy_kwargs") if isinstance(facts, dict) else None
    return options if isinstance(options, dict) else {}


def _class_name(text: object) -> str:
    match = _CLASS.fullmatch(text) if isinstance(text, str) else None
    return match.group(1) if match else ""


def _shown(value: object) -> str:
    return " ".join(str(value).split())[:80]
