"""Files as stable-baselines3 writes them, made of a policy alone: no algorithm, no environment."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

import agents.networks.sb3_policy  # noqa: F401  (silences gym's notice)

from stable_baselines3.common.policies import ActorCriticCnnPolicy  # isort: skip
from stable_baselines3.common.save_util import data_to_json  # isort: skip

FRAMES = gymnasium.spaces.Box(0, 255, (3, 64, 64), np.uint8)
ACTIONS = gymnasium.spaces.Discrete(15)
STOCK = "stable_baselines3.common.policies.ActorCriticCnnPolicy"
OURS = "agents.networks.sb3_policy.MazeActorCriticPolicy"
MASKABLE = "sb3_contrib.common.maskable.policies.MaskableActorCriticCnnPolicy"


class Bomb:
    """Unpickling it creates a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (os.mkdir, (str(self.path),))


def named(name: str) -> dict[str, str]:
    """A class as it stands in ``data``: pickled by name, be it installed or not."""
    parts = [part.encode() for part in name.rsplit(".", 1)]
    words = b"".join(pickle.SHORT_BINUNICODE + bytes([len(part)]) + part + pickle.MEMOIZE for part in parts)
    return pickled(pickle.PROTO + b"\5" + words + pickle.STACK_GLOBAL + pickle.MEMOIZE + pickle.STOP)


def pickled(data: bytes) -> dict[str, str]:
    """Bytes of a pickle as they stand in ``data``."""
    return {":type:": "<class 'abc.ABCMeta'>", ":serialized:": base64.b64encode(data).decode()}


def facts(**changed: Any) -> dict[str, Any]:
    """The member ``data`` of a policy on our mazes, as far as loading looks at it, its objects as they are saved."""
    objects = {
        "observation_space": FRAMES,
        "action_space": ACTIONS,
        "policy_kwargs": {},
        "policy_class": STOCK,
        **changed,
    }
    written: dict[str, Any] = json.loads(data_to_json(objects))
    for key, value in objects.items():
        if isinstance(value, str):
            written[key] = named(value)
    return written


def write_zip(path: Path, weights: Mapping[str, torch.Tensor], data: Mapping[str, Any] | bytes | None) -> Path:
    """Write the members that matter; ``data`` None: that one is missing."""
    buffer = io.BytesIO()
    torch.save(dict(weights), buffer)
    with zipfile.ZipFile(path, "w") as archive:
        if data is not None:
            archive.writestr("data", data if isinstance(data, bytes) else json.dumps(data))
        archive.writestr("policy.pth", buffer.getvalue())
    return path


def sb3_policy(seed: int = 0, space: gymnasium.Space = FRAMES, **options: Any) -> Any:  # type: ignore[type-arg]
    """A ``CnnPolicy`` of stable-baselines3 itself, whose logits differ from frame to frame."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        policy: Any = ActorCriticCnnPolicy(space, ACTIONS, lambda _: 1e-3, **options)
        policy.eval()
    pictures = np.random.default_rng(seed).integers(256, size=(8, *space.shape[1:], 3), dtype=np.uint8)
    with torch.no_grad():  # log-probabilities of the size that a trained policy's have
        policy.action_net.weight.mul_(10.0 / own_log_probabilities(policy, pictures).abs().max())
    return policy


def own_log_probabilities(policy: Any, frames: np.ndarray) -> torch.Tensor:
    """What stable-baselines3 computes of ``uint8[n, 64, 64, 3]``: log-probabilities of the 15 actions."""
    with torch.no_grad():
        observations, _ = policy.obs_to_tensor(frames)
        found: torch.Tensor = policy.get_distribution(observations).distribution.logits
    return found
