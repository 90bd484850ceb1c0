"""From uint8 observations to move probabilities, and the policy class that PPO trains."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from agents.impala import OBS_SHAPE, ImpalaPolicyNet
from envs.actions import N_ACTIONS, action_to_move_matrix
from envs.errors import InputError

BATCH = 256
_TO_MOVES = torch.from_numpy(action_to_move_matrix())


class Policy(Protocol):
    """What evaluation asks of a policy: a network that maps pixels to (logits, values)."""

    net: nn.Module
    name: str
    sha256: str


def to_input(observations: np.ndarray, device: torch.device | None = None) -> Tensor:
    """``uint8[n, 64, 64, 3]`` frames to ``float32[n, 3, 64, 64]`` in 0..1, channels last, on ``device``."""
    if observations.dtype != np.uint8 or observations.ndim != 4 or observations.shape[1:] != (64, 64, 3):
        raise InputError(f"observations are {observations.dtype}{observations.shape}, expected uint8[n, 64, 64, 3]")
    frames = torch.from_numpy(np.ascontiguousarray(observations)).to(device).permute(0, 3, 1, 2)
    return frames.float().div_(255.0)


def move_probabilities(logits: Tensor) -> Tensor:
    """Logits ``[n, 15]`` to probabilities of left, right, up, down, noop ``float64[n, 5]``."""
    return torch.softmax(logits.double(), dim=-1) @ _TO_MOVES.double()


def move_log_probabilities(logits: Tensor) -> Tensor:
    """Logits ``[n, 15]`` to log-probabilities of the five moves ``[n, 5]`` (differentiable)."""
    masked = logits.unsqueeze(-1) + torch.log(_TO_MOVES.to(logits))
    return torch.logsumexp(masked, dim=-2) - torch.logsumexp(logits, dim=-1, keepdim=True)


class MazePolicy:
    """A trained network with its name and the hash of its file.

    ``predict`` follows stable-baselines3; randomness comes from the ``rng`` one passes.
    """

    def __init__(
        self, net: ImpalaPolicyNet, name: str = "unnamed", sha256: str = "", card: dict[str, Any] | None = None
    ):
        self.net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.name = name
        self.sha256 = sha256
        self.card = card or {}

    @torch.no_grad()
    def logits_and_values(self, observations: np.ndarray) -> tuple[Tensor, Tensor]:
        """``uint8[n, 64, 64, 3]`` to logits ``float32[n, 15]`` and values ``float32[n]``."""
        outs = [self.net(to_input(chunk)) for chunk in batches(observations)]
        return torch.cat([o[0] for o in outs]), torch.cat([o[1] for o in outs])

    def move_probabilities(self, observations: np.ndarray) -> np.ndarray:
        """``uint8[n, 64, 64, 3]`` to probabilities of the five moves ``float64[n, 5]``."""
        return move_probabilities(self.logits_and_values(observations)[0]).numpy()

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
        *,
        rng: np.random.Generator | None = None,
    ) -> tuple[np.ndarray, None]:
        """Actions ``int64[n]`` for frames ``uint8[n, 64, 64, 3]``; sampling needs ``rng``."""
        logits, _ = self.logits_and_values(np.asarray(observation))
        if deterministic:
            return logits.argmax(dim=-1).numpy(), None
        if rng is None:
            raise InputError("predict: sampling needs an explicit rng=np.random.default_rng(seed)")
        return sample_rows(torch.softmax(logits.double(), -1).numpy(), rng.random(len(logits))), None


def batches(observations: np.ndarray, size: int = BATCH) -> list[np.ndarray]:
    """Split along the first axis into pieces of at most ``size``."""
    return [observations[i : i + size] for i in range(0, len(observations), size)]


def sample_rows(probabilities: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """One index per row of ``float[n, k]`` by inverse transform of ``uniform`` in ``[0, 1)``."""
    cumulative = np.cumsum(probabilities, axis=1)
    cumulative[:, -1] = np.maximum(cumulative[:, -1], 1.0)
    return (uniform[:, None] >= cumulative).sum(axis=1)


def assert_published_shapes(net: ImpalaPolicyNet) -> None:
    """Run one blank frame through ``net``; a wrong architecture fails here, by name."""
    logits, _ = net(torch.zeros(1, *OBS_SHAPE))
    if logits.shape != (1, N_ACTIONS):
        raise InputError(f"the network gives logits {tuple(logits.shape)}, expected (1, {N_ACTIONS})")
