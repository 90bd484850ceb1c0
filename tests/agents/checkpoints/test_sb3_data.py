"""A zip of stable-baselines3 loads as the network that it is, or gets one line that says what it is instead."""

from __future__ import annotations

import base64
import functools
import hashlib
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from agents.checkpoints.stated import ACTIVATIONS
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from envs.errors import InputError
from tests.helpers.sb3_zips import (
    FRAMES,
    MASKABLE,
    OURS,
    STOCK,
    ActorCriticCnnPolicy,
    Bomb,
    facts,
    named,
    own_log_probabilities,
    pickled,
    sb3_policy,
    write_zip,
)

from stable_baselines3.common.torch_layers import NatureCNN  # isort: skip

pytestmark = pytest.mark.usefixtures("one_thread")
Box, Discrete = gymnasium.spaces.Box, gymnasium.spaces.Discrete
PICTURES = np.random.default_rng(0).integers(256, size=(16, 64, 64, 3), dtype=np.uint8)


class Deeper(ActorCriticCnnPolicy):
    """A user's own: its class fixes what ``policy_kwargs`` do not say."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "net_arch": [64], "activation_fn": nn.ReLU})


class Wave(NatureCNN):
    """A user's own extractor with the same tensors."""

    def forward(self, observations: Tensor) -> Tensor:
        return torch.sin(super().forward(observations))


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Tensors of a policy with layers between extractor and heads."""
    return dict(sb3_policy(net_arch=[8]).state_dict())


def loaded_equals(policy: Any, path: Path, **stated: Any) -> None:
    """The loaded policy's log-probabilities are those of stable-baselines3 itself, which differ between pictures."""
    own = own_log_probabilities(policy, PICTURES)
    found = torch.log_softmax(load_policy(path, **stated).logits_and_values(PICTURES)[0], -1)
    assert float(own.std(0).max()) > 1e-4
    torch.testing.assert_close(found, own, rtol=0.0, atol=1e-5)


widths = st.lists(st.integers(8, 24), max_size=2)
options = st.fixed_dictionaries(
    {},
    optional={
        "net_arch": widths | st.fixed_dictionaries({"pi": widths, "vf": widths}),
        "activation_fn": st.sampled_from([getattr(nn, name) for name in ACTIVATIONS.values()]),
        "normalize_images": st.booleans(),
        "share_features_extractor": st.booleans(),
        "features_extractor_class": st.just(NatureCNN),
        "features_extractor_kwargs": st.fixed_dictionaries({"features_dim": st.integers(16, 64)}),
        "ortho_init": st.booleans(),
        "optimizer_kwargs": st.just({"eps": 1e-5}),
    },
)


@settings(max_examples=40, deadline=None)
@given(options=options, kind=st.sampled_from([STOCK, MASKABLE]), side=st.sampled_from([64, 64, 64, 84]))
def test_what_loads_has_the_log_probabilities_of_stable_baselines3(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, Any], kind: str, side: int
) -> None:
    """Over widths, activations, normalization, shared extractors or two, both classes; other sizes do not load."""
    space = Box(0, 255, (3, side, side), np.uint8)
    policy = sb3_policy(space=space, **options)
    path = tmp_path_factory.getbasetemp() / "any.zip"
    write_zip(path, policy.state_dict(), facts(policy_class=kind, policy_kwargs=options, observation_space=space))
    if side != 64:
        with pytest.raises(InputError, match=rf"observation_space is uint8\[3, {side}, {side}\]"):
            load_policy(path)
        return
    loaded_equals(policy, path)


def test_our_own_policy_class_loads_under_its_names_of_then_and_now(tmp_path: Path) -> None:
    net = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0)).eval()
    tensors = {f"net.{key}": value for key, value in net.state_dict().items()}
    for name in (OURS, "agents.sb3_policy.MazeActorCriticPolicy"):
        path = write_zip(tmp_path / "ours.zip", tensors, facts(policy_class=name, policy_kwargs={"scale": 1}))
        found = load_policy(path).net.state_dict()
        assert all(torch.equal(found[key], value) for key, value in net.state_dict().items())
    for name, given_tensors in ((STOCK, tensors), (OURS, sb3_policy().state_dict())):
        write_zip(path, given_tensors, facts(policy_class=name))
        with pytest.raises(InputError, match=f"tensors do not belong to policy_class {name}; save it again$"):
            load_policy(path)


def test_spaces_of_gym_and_the_transpose_are_read(tmp_path: Path) -> None:
    """Files from before stable-baselines3 2 name gym's spaces."""
    policy = sb3_policy(net_arch=[8])
    data = facts(observation_space=Box(0, 255, (64, 64, 3), np.uint8), policy_kwargs={"net_arch": [8]})
    loaded_equals(policy, write_zip(tmp_path / "x.zip", policy.state_dict(), data))
    for key in ("observation_space", "action_space"):
        content = base64.b64decode(data[key][":serialized:"])
        old = content.replace(b"gymnasium.spaces", b"gym.spaces").replace(b"numpy._core", b"numpy.core")
        # The text is shorter, so its length is another, and the frame around all of it is left out.
        at = old.index(b"gym.spaces")
        end = old.index(b"\x94", at)
        data[key] = pickled(old[:2] + old[11 : at - 1] + bytes([end - at]) + _shorter(old[at:]))
    loaded_equals(policy, write_zip(tmp_path / "x.zip", policy.state_dict(), data))


def _shorter(content: bytes) -> bytes:
    """Give each text of an old NumPy module the length that it has now."""
    for name in (b"numpy.core.numeric", b"numpy.core.multiarray"):
        content = content.replace(bytes([len(name) + 1]) + name, bytes([len(name)]) + name)
    return content


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "own class": ({"policy_class": Deeper}, "policy_class is {name}, whose code is not read"),
    "recurrent": (
        {"policy_class": "sb3_contrib.common.recurrent.policies.RecurrentActorCriticCnnPolicy"},
        "a recurrent policy (sb3_contrib.common.recurrent.policies.RecurrentActorCriticCnnPolicy)",
    ),
    "dqn": ({"policy_class": "stable_baselines3.dqn.policies.CnnPolicy"}, "a policy of DQN (stable_baselines3.dqn."),
    "qrdqn": ({"policy_class": "sb3_contrib.qrdqn.policies.CnnPolicy"}, "a policy of QRDQN (sb3_contrib.qrdqn."),
    "sac": ({"policy_class": "stable_baselines3.sac.policies.CnnPolicy"}, "a policy of SAC (stable_baselines3.sac."),
    "td3": ({"policy_class": "stable_baselines3.td3.policies.CnnPolicy"}, "read are PPO and A2C with CnnPolicy"),
    "several inputs": (
        {"policy_class": "stable_baselines3.common.policies.MultiInputActorCriticPolicy"},
        "policy_class is stable_baselines3.common.policies.MultiInputActorCriticPolicy; read are PPO and A2C",
    ),
    "no class": ({"policy_class": {}}, "policy_class is dict"),
    "flat": (
        {"policy_class": "stable_baselines3.common.policies.ActorCriticPolicy"},
        "features_extractor_class is stable_baselines3.common.torch_layers.FlattenExtractor, expected",
    ),
    "own extractor": ({"policy_kwargs": {"features_extractor_class": Wave}}, "features_extractor_class is {name}"),
    "extractor's options": (
        {"policy_kwargs": {"features_extractor_kwargs": {"depth": 3}}},
        "policy_kwargs has depth, whose effect is not known",
    ),
    "unknown option": ({"policy_kwargs": {"dropout": 0.5}}, "policy_kwargs has dropout, whose effect is not known"),
    "unknown activation": (
        {"policy_kwargs": {"activation_fn": nn.Tanhshrink}},
        "activation_fn is torch.nn.modules.activation.Tanhshrink, expected one of Tanh, ReLU, ",
    ),
    "an activation with arguments": (
        {"policy_kwargs": {"activation_fn": functools.partial(nn.LeakyReLU, 0.3)}},
        "activation_fn is functools.partial(...), expected one of Tanh",
    ),
    "an activation as code": (
        {"policy_kwargs": {"activation_fn": lambda: nn.Tanh()}},
        "activation_fn is cloudpickle.cloudpickle._make_function(...), expected one of Tanh",
    ),
    "an activation in words": ({"policy_kwargs": {"activation_fn": "ReLU"}}, "activation_fn is ReLU, expected one of"),
    "normalization": ({"policy_kwargs": {"normalize_images": "no"}}, "normalize_images is no, expected true or false"),
    "stacked": ({"observation_space": Box(0, 255, (12, 64, 64), np.uint8)}, "observation_space is uint8[12, 64, 64]"),
    "floats": ({"observation_space": Box(0, 1, (3, 64, 64), np.float32)}, "is float32[3, 64, 64], expected uint8"),
    "a smaller range": ({"observation_space": Box(0, 1, (3, 64, 64), np.uint8)}, "does not reach from 0 to 255"),
    "from 1": ({"observation_space": Box(1, 255, (3, 64, 64), np.uint8)}, "does not reach from 0 to 255"),
    "another space": ({"observation_space": Discrete(5)}, "observation_space is gymnasium.spaces.discrete.Discrete("),
    "five moves": ({"action_space": Discrete(5)}, "action_space is Discrete(5) from 0, expected Discrete(15) from 0"),
    "moves from 1": ({"action_space": Discrete(15, start=1)}, "action_space is Discrete(15) from 1, expected"),
    "three of five": (
        {"action_space": gymnasium.spaces.MultiDiscrete([5, 5, 5])},
        "action_space is gymnasium.spaces.multi_discrete.MultiDiscrete(...), expected Discrete(15)",
    ),
    "fifteen numbers": ({"action_space": Box(-1, 1, (15,))}, "action_space is gymnasium.spaces.box.Box(...), expected"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_policy_of_another_meaning_is_refused_by_what_differs(
    weights: dict[str, Tensor], tmp_path: Path, name: str
) -> None:
    """Though its tensors are those of one that loads; a class of the user's also where it is written out as code."""
    changed, words = REFUSED[name]
    kinds: dict[str, type] = {"own class": Deeper, "own extractor": Wave}
    kind, module = kinds.get(name, Wave), sys.modules[__name__]
    for shown in (f"{kind.__module__}.{kind.__name__}", f"{kind.__name__} (written out as code)"):
        if shown.endswith("code)"):
            cloudpickle.register_pickle_by_value(module)
        try:
            path = write_zip(tmp_path / "x.zip", weights, facts(**changed))
        finally:
            if shown.endswith("code)"):
                cloudpickle.unregister_pickle_by_value(module)
        with pytest.raises(InputError, match=r"^checkpoint [^\n]+x\.zip: [^\n]+$") as caught:
            load_policy(path, activation="tanh", scale_pixels=255)
        assert words.format(name=shown) in str(caught.value)


@pytest.mark.parametrize("key", ["policy_class", "observation_space", "action_space"])
def test_what_a_file_does_not_say_is_not_assumed(weights: dict[str, Tensor], tmp_path: Path, key: str) -> None:
    data = facts()
    del data[key]
    with pytest.raises(InputError, match=f"its member data has no {key}, which stable-baselines3 writes$"):
        load_policy(write_zip(tmp_path / "x.zip", weights, data))


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "no stack": b".",
    "pops nothing": b"0.",
    "memory": b"\x80\x05h\x07.",
    "cut": cloudpickle.dumps(FRAMES)[:-200],
    "deep": b"(" * 90_000 + b"t" * 90_000 + b".",
    "long": b"N0" * 200_000 + b".",
    "itself": b"\x80\x05]\x94h\x00a.",
    "deep calls": b"N" + b")R" * 40_000 + b".",
    "keys of lists": b"\x80\x05}]Ns.",
    "persistent": b"\x80\x05NQ.",
    "extension": b"\x80\x05\x82\x01.",
    "not text": b"\x80\x05\x8c\x02\xff\xfe.",
    "changes the class": b"\x80\x05" + b"cstable_baselines3.common.policies\nActorCriticCnnPolicy\n}b.",
    "calls it": b"\x80\x05" + b"cstable_baselines3.common.policies\nActorCriticCnnPolicy\n)R.",
    "drops a call": b"\x80\x05cos\ngetcwd\n)R0cstable_baselines3.common.policies\nActorCriticCnnPolicy\n.",
}


@pytest.mark.parametrize("key", ["policy_class", "observation_space", "action_space", "policy_kwargs"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_gets_one_line(weights: dict[str, Tensor], tmp_path: Path, name: str, key: str) -> None:
    path = write_zip(tmp_path / "x.zip", weights, {**facts(), key: pickled(HOSTILE[name])})
    with pytest.raises(InputError, match=r"^checkpoint [^\n]{1,600}$"):
        load_policy(path)


def test_nothing_in_it_is_run(weights: dict[str, Tensor], tmp_path: Path) -> None:
    sign = tmp_path / "it-ran"
    bomb = pickled(cloudpickle.dumps(Bomb(sign)))
    armed = {**facts(), "learning_rate": bomb, "more": bomb}
    load_policy(write_zip(tmp_path / "x.zip", weights, armed))
    for key in ("policy_class", "observation_space", "action_space", "policy_kwargs"):
        with pytest.raises(InputError, match=r"(mkdir|dictionary)"):
            load_policy(write_zip(tmp_path / "x.zip", weights, {**armed, key: bomb}))
    with pytest.raises(InputError, match="activation_fn is posix.mkdir"):
        load_policy(write_zip(tmp_path / "x.zip", weights, facts(policy_kwargs={"activation_fn": Bomb(sign)})))
    assert not sign.exists()
    cloudpickle.loads(base64.b64decode(bomb[":serialized:"]))
    assert sign.exists()  # the bomb is a live one


def test_words_beside_a_pickle_count_for_nothing(weights: dict[str, Tensor], tmp_path: Path) -> None:
    """Of the two stable-baselines3 loads the pickle."""
    data = facts(policy_kwargs={"activation_fn": nn.ReLU, "net_arch": [8]})
    data["policy_kwargs"]["activation_fn"] = "<class 'torch.nn.modules.activation.Tanh'>"
    policy = sb3_policy(net_arch=[8], activation_fn=nn.ReLU)
    loaded_equals(policy, write_zip(tmp_path / "x.zip", policy.state_dict(), data))
    data["policy_class"] = {**named("mine.Policy"), "__module__": "stable_baselines3.common.policies"}
    with pytest.raises(InputError, match=r"policy_class is mine\.Policy, whose code is not read"):
        load_policy(write_zip(tmp_path / "x.zip", weights, data))


def test_tensors_alone_are_loaded_on_their_users_word(tmp_path: Path) -> None:
    own = {"net_arch": [8], "activation_fn": nn.ReLU, "normalize_images": False}
    policy, path = sb3_policy(**own), tmp_path / "x.pth"
    torch.save(policy.state_dict(), path)
    with pytest.raises(InputError, match="(?s)--activation tanh.*--scale-pixels 255") as caught:
        load_policy(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="do not tell what frames were divided by"):
        load_policy(path, activation="relu")
    with pytest.raises(InputError, match="do not tell the activation"):
        load_policy(path, scale_pixels=1)
    loaded_equals(policy, path, activation="relu", scale_pixels=1)
    without_data = write_zip(tmp_path / "x.zip", policy.state_dict(), None)
    loaded_equals(policy, without_data, activation="relu", scale_pixels=1)


def test_tensors_without_layers_need_no_activation(tmp_path: Path) -> None:
    policy = sb3_policy()
    torch.save(policy.state_dict(), tmp_path / "x.pth")
    loaded_equals(policy, tmp_path / "x.pth", scale_pixels=255)
    with pytest.raises(InputError, match="do not tell what frames were divided by"):
        load_policy(tmp_path / "x.pth")


def test_a_statement_that_the_file_contradicts_is_refused(weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", weights, facts(policy_kwargs={"net_arch": [8]}))
    plain = load_policy(path)
    assert load_policy(path, activation="tanh", scale_pixels=255).sha256 == plain.sha256
    for stated in ({"activation": "relu"}, {"scale_pixels": 1}):
        for checkpoint in (path, "region5"):
            if (checkpoint, stated) != ("region5", {"activation": "relu"}):
                with pytest.raises(InputError, match=r"this network has (tanh|255); leave it out$"):
                    load_policy(checkpoint, **stated)  # type: ignore[arg-type]
    for wrong in (
        {"activation": "Relu"},
        {"activation": nn.ReLU},
        {"scale_pixels": 2},
        {"scale_pixels": "255"},
        {"scale_pixels": True},
        {"scale_pixels": 255.0},
    ):
        with pytest.raises(InputError, match=r"^--(activation|scale-pixels) [^\n]+$"):
            load_policy(path, **wrong)


def test_networks_of_one_file_are_told_apart(weights: dict[str, Tensor], tmp_path: Path) -> None:
    """By the digest that runs are known by; that of the defaults is the file's own, as of earlier versions."""
    torch.save(weights, tmp_path / "x.pth")
    found = {
        load_policy(tmp_path / "x.pth", activation=activation, scale_pixels=divisor).sha256
        for activation in ("tanh", "relu", "elu")
        for divisor in (255, 1)
    }
    assert len(found) == 6 and all(len(digest) == 64 for digest in found)
    assert hashlib.sha256((tmp_path / "x.pth").read_bytes()).hexdigest() in found
