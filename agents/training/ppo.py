"""PPO on procgen mazes with stable-baselines3, from scratch or from a warm start.

The defaults are the published hyper-parameters (Langosco et al. 2022, arXiv 2105.14111): see
:class:`PPOConfig`. A run lives in one directory and is taken up again from there: ``ppo.zip``
(a stable-baselines3 archive with our own ``mazesteer.json`` in it, written whole or not at all),
``ppo.safetensors`` (the network alone) and TensorBoard events under ``tensorboard/``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from agents.hardware import SAVE_EVERY, bf16_pays, keep_freed_memory
from agents.networks.impala import ImpalaPolicyNet, check_scale
from agents.networks.sb3_policy import MazeActorCriticPolicy, MazePPO
from agents.sessions.history import Watcher
from agents.sessions.session import check_counts
from agents.training.ppo_archive import ARCHIVE, read_state, restore, save_run, warm_weights
from envs.errors import InputError
from envs.training.levels import TRAIN_LEVELS
from envs.training.vec_env import make_vec_env

from stable_baselines3.common.callbacks import BaseCallback  # isort: skip  (after envs, which silences gym's notice)
from stable_baselines3.common.logger import Logger, configure  # isort: skip
from stable_baselines3.common.vec_env import VecNormalize  # isort: skip

Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class PPOConfig:
    """Options of a PPO run; the defaults are the published ones (arXiv 2105.14111) unless noted.

    Ours is what differs for a warm start, a policy that is already good. With a value weight of 0.5 the value loss
    moves the shared trunk away from it (measured after 8,192 steps on 24 levels: exact P(cheese) fell from .92 to .89;
    with 0.05 it rose to .95). The value head it comes with knows nothing of the normalised rewards, so it is fitted
    first.
    """

    scale: float = 1
    """Scale of the network, a multiple of 1/16 (:func:`agents.networks.impala.block_channels`)."""
    region: int | None = 5
    """Side, in cells, of the top-right square where the cheese lies; None: anywhere."""
    levels: tuple[int, int] = TRAIN_LEVELS
    """Level seeds ``low <= s < high`` to train on."""
    mode: str = "hard"
    """Procgen's distribution mode, ``hard`` or ``easy``."""
    seed: int = 0
    """Seed of weights, levels and actions, 0 or more."""
    total_steps: int = 80_000_000
    """Environment steps, rounded up to whole rollouts of ``n_envs * n_steps``."""
    n_envs: int = 64
    """Mazes walked at once."""
    n_steps: int = 256
    """Steps of each maze in a rollout."""
    epochs: int = 3
    """Passes over a rollout in one update."""
    minibatches: int = 8
    """Parts of a rollout, each of which makes one gradient step in a pass."""
    learning_rate: float | None = None
    """First rate of Adam, which falls linearly to 0; None: 5e-4 from scratch, 1e-4 from a warm start (ours)."""
    gamma: float = 0.999
    """Discount per step, 0..1."""
    gae_lambda: float = 0.95
    """Decay of the advantage estimates, 0..1."""
    clip: float = 0.2
    """Bound of the change of a probability ratio in an update."""
    entropy: float = 0.01
    """Weight of the entropy bonus."""
    value: float | None = None
    """Weight of the value loss; None: 0.5 from scratch, 0.05 from a warm start (ours)."""
    grad_norm: float = 0.5
    """Bound of the gradient's norm."""
    adam_eps: float = 1e-5
    """Adam's epsilon."""
    critic_warmup_steps: int = 16_384
    """Steps, rounded up to whole rollouts, in which a warm start fits the value head alone (ours)."""
    bf16: bool = field(default_factory=bf16_pays)
    """Compute convolutions and ``fc`` in bfloat16 (ours); by default where the machine can: half the time."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", check_scale(self.scale))
        check_counts(self, "ppo", "total_steps", "n_envs", "n_steps", "epochs", "minibatches")
        if self.rollout % self.minibatches or self.rollout // self.minibatches < 2:
            raise InputError(
                f"ppo: {self.n_envs} environments x {self.n_steps} steps do not divide into {self.minibatches} "
                "minibatches of 2 or more"
            )
        if self.critic_warmup_steps < 0:
            raise InputError(f"ppo: critic_warmup_steps is {self.critic_warmup_steps}, must be 0 or more")

    @property
    def rollout(self) -> int:
        """Return the steps between two updates."""
        return self.n_envs * self.n_steps

    @property
    def steps(self) -> int:
        """Return ``total_steps`` rounded up to whole rollouts."""
        return -(-self.total_steps // self.rollout) * self.rollout


@dataclass(frozen=True)
class LinearDecay:
    """Learning rate from ``start`` at the first update towards zero after the last.

    Stable-baselines3 asks at the end of a rollout, when ``progress_remaining`` is already one
    rollout (``share`` of the run) further: unshifted, the last update would have no effect.
    """

    start: float
    """Rate at the first update."""
    share: float
    """Share of the run that one rollout is, 0..1."""

    def __call__(self, progress_remaining: float) -> float:
        """Return the rate for stable-baselines3's ``progress_remaining`` (1 at the start, 0 at the end)."""
        return self.start * min(1.0, max(0.0, progress_remaining + self.share))


class _Log(Logger):
    """TensorBoard events at samples and steps since the first weights: ``offset`` more than the steps of PPO."""

    def __init__(self, folder: Path, offset: int, done: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # What an interrupted run logged after its last save, or without any, is dropped: it comes again.
        SummaryWriter(str(folder), purge_step=offset + done + 1).close()
        super().__init__(str(folder), configure(str(folder), ["tensorboard"]).output_formats)
        self.offset = offset

    def dump(self, step: int = 0) -> None:
        """Write what was recorded."""
        super().dump(self.offset + step)


class _Keeper(BaseCallback):
    """Saves at rollout starts and between the passes of an update, and reports.

    At a rollout's start weights and step count belong together. A state saved between passes counts the rollout as
    done: taken up again, the run goes on with the next one and leaves out the passes that were left.
    """

    def __init__(
        self,
        config: PPOConfig,
        out: Path,
        save_every_seconds: float,
        progress: Progress | None,
        watcher: Watcher | None,
        earlier: float,
    ) -> None:
        super().__init__()
        self.config, self.out, self.progress, self.watcher = config, out, progress, watcher
        self.every, self.earlier = save_every_seconds, earlier
        self.saved = self.begun = time.monotonic()
        self.first_step = 0
        self.update: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Return the wall time so far in seconds, interruptions left out."""
        return self.earlier + time.monotonic() - self.begun

    def _on_training_start(self) -> None:
        self.first_step = self.num_timesteps

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        # Written now, an update's figures stand at its own step and outlive an interruption.
        self.look()
        self.logger.dump(self.num_timesteps)
        if self.model.num_timesteps > self.first_step:
            self.save_if_due(0)

    def save_if_due(self, left: int) -> None:
        """Save if the last time is long ago; ``left``: passes of the present update that are still to be made."""
        if time.monotonic() - self.saved >= self.every:
            save_run(self.model, asdict(self.config), self.out, self.seconds, passes_left=left)
            self.saved = time.monotonic()

    def look(self, *, last: bool = False) -> None:
        """Log the exact figures, if the watcher thinks it is time."""
        self.update = {k: float(v) for k, v in self.logger.name_to_value.items() if k.startswith("train/")}
        policy = self.model.policy
        if self.watcher is None or not isinstance(policy, MazeActorCriticPolicy):
            return
        seen = self.watcher.look(self.num_timesteps, policy.net, self.figures(), self.seconds, last=last)
        for key, value in seen.items():
            self.logger.record(f"exact/{key}", value)

    def figures(self) -> dict[str, float]:
        """Return means over the last episodes, and the figures of the last update.

        ``loss`` is the mean over the minibatches of its last pass: that in stable-baselines3's log is of the very last
        one alone.
        """
        episodes = list(self.model.ep_info_buffer or [])
        figures = {
            "episode_return": float(np.mean([e["r"] for e in episodes])) if episodes else float("nan"),
            "episode_length": float(np.mean([e["l"] for e in episodes])) if episodes else float("nan"),
            "success": float(np.mean(self.model.ep_success_buffer or [float("nan")])),
        }
        for key in ("explained_variance", "approx_kl", "clip_fraction", "entropy_loss", "value_loss", "value_fit"):
            if f"train/{key}" in self.update:
                figures[key] = self.update[f"train/{key}"]
        if "value_loss" in figures:  # the critic's warm-up has none
            model = self.model
            assert isinstance(model, MazePPO)
            surrogate = self.update["train/policy_gradient_loss"]
            entropy, value = (figures[f"{part}_loss"] for part in ("entropy", "value"))
            figures["loss"] = surrogate + model.ent_coef * entropy + model.vf_coef * value
        return figures

    def _on_rollout_end(self) -> None:
        if self.progress is not None:
            self.progress(self.num_timesteps, self.config.steps, self.figures())


def train_ppo(
    config: PPOConfig,
    out: Path,
    warm_start: Path | ImpalaPolicyNet | None = None,
    *,
    progress: Progress | None = None,
    save_every_seconds: float = SAVE_EVERY,
    watcher: Watcher | None = None,
    device: str = "cpu",
) -> ImpalaPolicyNet:
    """Train, or go on training, in the directory ``out``; return the network.

    ``warm_start`` (a network, a checkpoint file, or the ``imitation.pt`` of a warm start) gives
    the first weights of a run that begins; a run taken up again has its own. What goes on is
    weights, optimiser, reward statistics, step count and schedule; the levels are new ones.
    ``progress(done, total, figures)`` is called once a rollout. Raises :class:`InputError` if
    ``out`` was begun with other options or the warm start has another scale.
    """
    out.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    state = read_state(out / ARCHIVE, asdict(config))
    done = state.steps if state else 0
    warm = state.warm_start if state else warm_start is not None
    model = _model(config, done, warm, device)
    policy = model.policy
    assert isinstance(policy, MazeActorCriticPolicy)
    try:
        if state:
            restore(model, state, out / ARCHIVE)
        elif warm_start is not None:
            policy.net.load_state_dict(warm_weights(warm_start, config.scale))
        if done < config.steps or (state and state.passes_left):  # else the run has ended
            earlier = state.seconds if state else 0.0
            model.set_logger(_Log(out / "tensorboard", watcher.offset if watcher is not None else 0, done))
            _learn(model, _Keeper(config, out, save_every_seconds, progress, watcher, earlier), done)
    finally:
        assert model.env is not None
        model.env.close()
    return policy.net.to("cpu")


def _model(config: PPOConfig, done: int, warm: bool, device: str) -> MazePPO:
    """Make the model of a run that has made ``done`` steps, on new levels; ``warm``: it began from given weights."""
    rate = config.learning_rate if config.learning_rate is not None else (1e-4 if warm else 5e-4)
    value = config.value if config.value is not None else (0.05 if warm else 0.5)
    # A run taken up again must not meet the levels of its beginning once more.
    seed = int(np.random.SeedSequence([config.seed, done]).generate_state(1)[0] >> 1)
    envs = make_vec_env(config.n_envs, region=config.region, levels=config.levels, mode=config.mode, seed=seed)
    model = MazePPO(
        MazeActorCriticPolicy,
        VecNormalize(envs, norm_obs=False, norm_reward=True, gamma=config.gamma),
        learning_rate=LinearDecay(rate, config.rollout / config.steps),
        n_steps=config.n_steps,
        batch_size=config.rollout // config.minibatches,
        n_epochs=1,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip,
        ent_coef=config.entropy,
        vf_coef=value,
        max_grad_norm=config.grad_norm,
        stats_window_size=400,
        policy_kwargs={
            "scale": config.scale,
            "bf16": config.bf16,
            "init_seed": config.seed,
            "optimizer_kwargs": {"eps": config.adam_eps},
        },
        seed=seed,
        device=device,
    )
    model.warm, model.passes = warm, config.epochs
    model.value_fit_steps = -(-config.critic_warmup_steps // config.rollout) * config.rollout if warm else 0
    return model


def _learn(model: MazePPO, keeper: _Keeper, done: int) -> None:
    """Train from step ``done`` to the end, watched and saved by ``keeper``."""
    model.between = keeper.save_if_due
    if keeper.watcher is not None:
        keeper.watcher.begin(done)
    model.learn(keeper.config.steps - done, callback=keeper, reset_num_timesteps=False)
    keeper.look(last=True)
    model.logger.dump(model.num_timesteps)
    model.logger.close()
    save_run(model, asdict(keeper.config), keeper.out, keeper.seconds)
