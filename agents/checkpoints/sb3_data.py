"""What the ``.zip`` of a stable-baselines3 model says of its policy: the member ``data``, read and not run.

``data`` is JSON. What JSON cannot hold (classes, spaces) is in it as a pickle in base64, beside words for people to
read; ``load`` of stable-baselines3 takes the pickle, so the pickle is what is read here, as a tree of plain values
(:mod:`agents.untrusted.plain_pickles`). Only policies, spaces and options whose meaning is known are let through.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from agents.checkpoints.stated import ACTIVATIONS, SavedPolicy
from agents.untrusted.plain_pickles import Made, Name, read_pickle
from envs.actions import N_ACTIONS
from envs.errors import InputError, one_line, shown

_NATURE = "stable_baselines3.common.torch_layers.NatureCNN"
_FLAT = "stable_baselines3.common.torch_layers.FlattenExtractor"
# The policies that are read, with their extractors where `policy_kwargs` names none.
_STOCK = {
    "stable_baselines3.common.policies.ActorCriticCnnPolicy": _NATURE,
    "stable_baselines3.common.policies.ActorCriticPolicy": _FLAT,
    "sb3_contrib.common.maskable.policies.MaskableActorCriticCnnPolicy": _NATURE,
    "sb3_contrib.common.maskable.policies.MaskableActorCriticPolicy": _FLAT,
}
_OURS = ("agents.networks.sb3_policy.MazeActorCriticPolicy", "agents.sb3_policy.MazeActorCriticPolicy")
READ = "read are PPO and A2C with CnnPolicy, MaskablePPO with its CnnPolicy, and mazesteer's own"
# Options that change neither logits nor values of given weights.
_WITHOUT_EFFECT = {
    *("net_arch", "ortho_init", "use_sde", "log_std_init", "full_std", "use_expln", "squash_output"),
    *("share_features_extractor", "optimizer_class", "optimizer_kwargs", "device"),
    *("scale", "bf16", "init_seed"),  # of our own class; widths are read from the tensors
}
_OF_EXTRACTOR = {"features_dim", "normalized_image"}
_BOXES = ("gymnasium.spaces.box.Box", "gym.spaces.box.Box")
_DISCRETE = ("gymnasium.spaces.discrete.Discrete", "gym.spaces.discrete.Discrete")
_NUMPY = ("numpy._core.", "numpy.core.")
_CHANNELS, _SIDE = 3, 64
_SHAPES = ((_CHANNELS, _SIDE, _SIDE), (_SIDE, _SIDE, _CHANNELS))
_PIXELS = _CHANNELS * _SIDE * _SIDE
_MISSING = object()


def saved_policy(data: bytes, where: str) -> SavedPolicy:
    """Return what the member ``data`` says of the policy.

    Args:
        data: the member's bytes, of any content.
        where: the file's name in error lines.

    Raises:
        InputError: it cannot be read, or the policy, a space or an option is one whose meaning is not known here.
    """
    return _Saved(data, where).policy()


class _Saved:
    """The member ``data``, with the file's name for error lines."""

    def __init__(self, data: bytes, where: str) -> None:
        self._where = where
        try:
            facts = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._error(f"its member data is not JSON ({one_line(error)})") from None
        self._facts: dict[str, Any] = facts if isinstance(facts, dict) else {}

    def policy(self) -> SavedPolicy:
        name = self._policy_class()
        self._check_frames(self._value("observation_space"))
        self._check_actions(self._value("action_space"))
        options = self._options()
        if name in _OURS:
            return SavedPolicy(name, ours=True, activation="relu", scale_pixels=255)
        extractor = options.get("features_extractor_class", Name(_STOCK[name]))
        if extractor != Name(_NATURE):
            raise self._error(f"features_extractor_class is {_shown(extractor)}, expected {_NATURE}")
        normalized = options.get("normalize_images", True)
        if not isinstance(normalized, bool):
            raise self._error(f"normalize_images is {_shown(normalized)}, expected true or false")
        return SavedPolicy(
            name, ours=False, activation=self._activation(options), scale_pixels=255 if normalized else 1
        )

    def _error(self, what: str) -> InputError:
        return InputError(f"checkpoint {self._where}: {what}")

    def _value(self, key: str, default: Any = _MISSING) -> Any:
        """Return a fact as stable-baselines3 would load it, as a tree of plain values."""
        found = self._facts.get(key, default)
        if found is _MISSING:
            raise self._error(f"its member data has no {key}, which stable-baselines3 writes")
        if not (isinstance(found, dict) and ":serialized:" in found):
            return found
        try:
            return read_pickle(base64.b64decode(str(found[":serialized:"])))
        except ValueError as error:
            said = _shown(found.get(":type:", "something"))
            raise self._error(f"its {key} ({said}) is not one that is known here: {one_line(error)}") from None

    def _policy_class(self) -> str:
        found = self._value("policy_class")
        name = found.text if isinstance(found, Name) else ""
        if name in _STOCK or name in _OURS:
            return name
        algorithm = re.match(r"(?:stable_baselines3|sb3_contrib)\.(?!common\.)(\w+)\.", name)
        if "recurrent" in name.lower():
            raise self._error(f"a recurrent policy ({_shown(found)}), expected one without memory; {READ}")
        if algorithm is not None:
            raise self._error(f"a policy of {algorithm.group(1).upper()} ({_shown(found)}); {READ}")
        if name.startswith(("stable_baselines3.", "sb3_contrib.")):
            raise self._error(f"policy_class is {_shown(found)}; {READ}")
        raise self._error(
            f"policy_class is {_shown(found)}, whose code is not read, so what it computes is not known; if it is a "
            "CnnPolicy but for its defaults, save model.policy.state_dict() and state --activation and --scale-pixels"
        )

    def _check_frames(self, space: Any) -> None:
        """Refuse all but ``Box(0, 255, (3, 64, 64), uint8)`` and its transpose."""
        state = _state(space, _BOXES)
        if state is None:
            raise self._error(f"observation_space is {_shown(space)}, expected a Box of uint8[64, 64, 3]")
        shape, kind = state.get("_shape", state.get("shape")), _dtype(state.get("dtype"))
        if kind != "u1" or not any(_is_shape(shape, known) for known in _SHAPES):
            found = f"{_DTYPES.get(kind, kind)}{_shown(shape)}"
            raise self._error(f"observation_space is {found}, expected uint8[64, 64, 3] or its transpose")
        if _array(state.get("low")) != bytes(_PIXELS) or _array(state.get("high")) != b"\xff" * _PIXELS:
            raise self._error("observation_space does not reach from 0 to 255, as pixels do")

    def _check_actions(self, space: Any) -> None:
        """Refuse all but ``Discrete(15)``: others have heads of 15 numbers too, which mean something else."""
        state = _state(space, _DISCRETE)
        if state is None:
            raise self._error(f"action_space is {_shown(space)}, expected Discrete({N_ACTIONS})")
        n, start = _integer(state.get("n")), _integer(state.get("start", 0))
        if (n, start) != (N_ACTIONS, 0):
            raise self._error(f"action_space is Discrete({n}) from {start}, expected Discrete({N_ACTIONS}) from 0")

    def _options(self) -> Mapping[str, Any]:
        options = self._value("policy_kwargs", {})
        options = {} if options is None else options
        if not isinstance(options, dict):
            raise self._error(f"policy_kwargs is {_shown(options)}, expected a dictionary")
        known = {*_WITHOUT_EFFECT, "activation_fn", "normalize_images", "features_extractor_class"}
        given = options.get("features_extractor_kwargs") or {}
        inner = set(given) - _OF_EXTRACTOR if isinstance(given, dict) else {shown(_shown(given))}
        foreign = sorted(set(options) - known - {"features_extractor_kwargs"}) + sorted(inner)
        if foreign:
            raise self._error(f"policy_kwargs has {shown(foreign[0])}, whose effect is not known")
        return options

    def _activation(self, options: Mapping[str, Any]) -> str:
        found = options.get("activation_fn", Name("torch.nn.modules.activation.Tanh"))
        for word, name in ACTIVATIONS.items():
            if found == Name(f"torch.nn.modules.activation.{name}"):
                return word
        raise self._error(f"activation_fn is {_shown(found)}, expected one of {', '.join(ACTIVATIONS.values())}")


_DTYPES = {"u1": "uint8", "f4": "float32", "f8": "float64", "i4": "int32", "i8": "int64", "b1": "bool"}


def _state(space: Any, classes: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the attributes of an instance of one of ``classes``; None if it is of another."""
    if not (isinstance(space, Made) and isinstance(space.function, Name) and space.function.text in classes):
        return None
    return space.state if isinstance(space.state, dict) else None


def _called(tree: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the arguments of a call of one of NumPy's functions; none if it is something else."""
    known = {f"{core}{name}" for core in _NUMPY for name in names} | {"numpy.dtype"} & set(names)
    if not (isinstance(tree, Made) and isinstance(tree.function, Name) and tree.function.text in known):
        return ()
    return tree.arguments if isinstance(tree.arguments, tuple) else ()


def _dtype(tree: Any) -> str:
    """Return the code of a NumPy type, such as ``u1``; empty if it is none, or big-endian."""
    arguments = _called(tree, ("numpy.dtype",))
    state = tree.state if arguments and isinstance(tree.state, tuple) else ()
    return arguments[0] if arguments and isinstance(arguments[0], str) and ">" not in state[1:2] else ""


def _array(tree: Any) -> bytes | None:
    """Return the bytes of an array of ``uint8``; None for anything else."""
    parts = _called(tree, ("numeric._frombuffer",))
    content, kind = (parts[0], parts[1]) if len(parts) == 4 else (None, None)
    if _called(tree, ("multiarray._reconstruct",)) and isinstance(tree.state, tuple) and len(tree.state) == 5:
        content, kind = tree.state[4], tree.state[2]
    return content if isinstance(content, bytes) and _dtype(kind) == "u1" else None


def _integer(tree: Any) -> int | None:
    if type(tree) is int:
        return tree
    parts = _called(tree, ("multiarray.scalar",))
    if len(parts) != 2 or not isinstance(parts[1], bytes) or not re.fullmatch("[iu][1248]", _dtype(parts[0])):
        return None
    return int.from_bytes(parts[1], "little", signed=True)


def _is_shape(found: Any, known: tuple[int, ...]) -> bool:
    sides = found if isinstance(found, list | tuple) else ()
    return len(sides) == len(known) and all(type(n) is int and n == m for n, m in zip(sides, known, strict=True))


def _shown(tree: Any) -> str:
    """Return a part of a pickle in few words, without walking through it."""
    if isinstance(tree, Name):
        return shown(tree.text)
    if isinstance(tree, Made):
        named = [part for part in tree.arguments if isinstance(part, str)] if isinstance(tree.arguments, tuple) else []
        if named and isinstance(tree.function, Name) and tree.function.text.startswith("cloudpickle."):
            return f"{shown(named[0])} (written out as code)"
        return f"{tree.function.text if isinstance(tree.function, Name) else 'something'}(...)"[:80]
    if isinstance(tree, list | tuple) and len(tree) < 8 and all(type(part) is int for part in tree):
        return shown(list(tree))
    return shown(" ".join(str(tree).split())) if isinstance(tree, str | int | float | None) else type(tree).__name__
