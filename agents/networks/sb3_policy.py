"""The IMPALA network as a stable-baselines3 policy, and the PPO that can fit its value head.

``state_dict`` keys are ``net.`` and the names of :class:`agents.networks.impala.ImpalaPolicyNet`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.networks.impala import ImpalaPolicyNet
from envs.simulator.procgen_env import silence_gym_notice

silence_gym_notice()  # stable-baselines3 imports gym wherever it finds one

from stable_baselines3 import PPO  # noqa: E402
from stable_baselines3.common.distributions import Distribution  # noqa: E402
from stable_baselines3.common.policies import ActorCriticPolicy  # noqa: E402
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule  # noqa: E402


class MazeActorCriticPolicy(ActorCriticPolicy):
    """Categorical over procgen's 15 actions, logits and value from one ``ImpalaPolicyNet``.

    ``scale`` is the network's; ``bf16`` runs its convolutions and ``fc`` in bfloat16 (the two
    heads stay in float32); ``init_seed`` determines the first weights. Observations come as
    stable-baselines3 gives them, ``uint8[n, 3, 64, 64]``, and are divided by 255.
    """

    def __init__(self, *args: Any, scale: float = 1, bf16: bool = False, init_seed: int = 0, **kwargs: Any) -> None:
        self.scale = scale
        self.bf16 = bf16
        self.init_seed = init_seed
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        net = ImpalaPolicyNet(self.scale, generator=torch.Generator().manual_seed(self.init_seed))
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            **super()._get_constructor_parameters(),
            "scale": self.scale,
            "bf16": self.bf16,
            "init_seed": self.init_seed,
        }

    def embed(self, obs: PyTorchObs) -> Tensor:
        """Map ``uint8[n, 3, 64, 64]`` to features ``float32[n, 256]``."""
        assert isinstance(obs, Tensor)
        # Converted and laid out in one pass, then scaled in place.
        frames = obs.to(torch.float32, memory_format=torch.channels_last).div_(255.0)
        with torch.autocast(obs.device.type, torch.bfloat16, enabled=self.bf16):
            features = self.net.embedder(frames)
        return features.float()

    def heads(self, obs: PyTorchObs) -> tuple[Distribution, Tensor]:
        """Return the action distribution and the values ``float32[n, 1]``."""
        features = self.embed(obs)
        return self.action_dist.proba_distribution(action_logits=self.net.fc_policy(features)), self.net.fc_value(
            features
        )

    def forward(self, obs: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Return actions ``int64[n]``, values ``[n, 1]`` and log-probabilities ``[n]``."""
        distribution, values = self.heads(obs)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values, distribution.log_prob(actions)

    def evaluate_actions(self, obs: PyTorchObs, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return values ``[n, 1]``, log-probabilities ``[n]`` and entropies ``[n]``."""
        distribution, values = self.heads(obs)
        return values, distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: PyTorchObs) -> Distribution:
        """Return the distribution over the 15 actions."""
        return self.action_dist.proba_distribution(action_logits=self.net.fc_policy(self.embed(obs)))

    def predict_values(self, obs: PyTorchObs) -> Tensor:
        """Return values ``float32[n, 1]``."""
        return self.net.fc_value(self.embed(obs))


class MazePPO(PPO):
    """PPO that spends its first ``value_fit_steps`` fitting the value head alone.

    Each pass of an update is a call of stable-baselines3's ``train`` with ``n_epochs`` 1.
    """

    value_fit_steps: int = 0
    """Environment steps, from the beginning, in which an update fits the value head alone; 0: none."""
    warm: bool = False
    """True if the run began from given weights."""
    passes: int = 1
    """Passes over the rollout in one update, 1 or more."""
    between: Callable[[int], None] | None = None
    """Called after each pass but the last with the number of passes left; None: nothing is called."""

    def train(self) -> None:
        """Make one update from the rollout buffer; what is logged of it is of its last pass."""
        if self.num_timesteps <= self.value_fit_steps:
            self.fit_value_head()
            return
        for left in reversed(range(self.passes)):
            super().train()
            if left and self.between is not None:
                self.between(left)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "between"]

    @torch.no_grad()
    def fit_value_head(self, ridge: float = 1e-4) -> None:
        """Fit the value head by least squares of the rollout's returns on the features; the rest stays as it is.

        The returns are Monte-Carlo (lambda 1) up to the end of the rollout, since estimates that
        lean on the present value head are what is to be replaced.
        """
        policy, buffer = self.policy, self.rollout_buffer
        assert isinstance(policy, MazeActorCriticPolicy)
        head = policy.net.fc_value
        gram = torch.zeros(head.in_features + 1, head.in_features + 1, dtype=torch.float64)
        moment = torch.zeros(head.in_features + 1, dtype=torch.float64)
        returns = monte_carlo_returns(self)
        frames = buffer.observations
        for t in range(0, buffer.buffer_size, 8):
            obs = torch.from_numpy(frames[t : t + 8].reshape(-1, *buffer.obs_shape)).to(self.device)
            x = policy.embed(obs).cpu().double()
            x = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
            gram += x.T @ x
            moment += x.T @ torch.from_numpy(returns[t : t + 8].reshape(-1)).double()
        # The features' own scale sets the penalty; the constant is not penalised.
        penalty = torch.full((len(gram),), ridge * float(gram.diagonal()[:-1].mean()), dtype=torch.float64)
        penalty[-1] = 0.0
        solution = torch.linalg.solve(gram + torch.diag(penalty), moment)
        head.weight.copy_(solution[None, :-1])
        head.bias.copy_(solution[-1:])
        total = returns.astype(np.float64)
        error = float(np.square(total).sum() + solution @ (gram @ solution - 2.0 * moment))
        self.logger.record("train/value_fit", 1.0 - error / max(float(total.var() * total.size), 1e-12))


def monte_carlo_returns(model: PPO) -> np.ndarray:
    """Compute the returns ``float32[n_steps, n_envs]`` of the rollout buffer, bootstrapped at its end only."""
    buffer = model.rollout_buffer
    # advantage + value at the last step hold the one bootstrap that the buffer's end needs.
    running = buffer.returns[-1].copy()
    out = np.empty_like(buffer.rewards)
    out[-1] = running
    for t in range(buffer.buffer_size - 2, -1, -1):
        running = buffer.rewards[t] + model.gamma * running * (1.0 - buffer.episode_starts[t + 1])
        out[t] = running
    return out
