"""Reward alone, without noise: the exact gradient of the return that the policy expects in whole mazes.

No labels, no critic, no walks. A batch is a few training levels with all of their states. The policy on them is a
known chain (:mod:`envs.training.returns`), so its advantages and its visits follow exactly, and with them the policy
gradient: all moves of all states, each state weighted by the policy's own discounted visits from the start. Several
steps are made on a batch, by mirror descent (Tomar et al. 2021, arXiv 2005.09814): up the gain, but no farther from the
policy that the batch began with than a Kullback-Leibler penalty allows. What chance is left lies in the draw of levels.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from agents.hardware import SAVE_EVERY, bf16_pays
from agents.networks.impala import ImpalaPolicyNet, check_scale
from agents.networks.policy import move_log_probabilities, to_input
from agents.sessions.data import in_order
from agents.sessions.history import Watcher
from agents.sessions.session import Progress, Session, UpdateConfig, check_counts
from envs.actions import N_MOVES
from envs.errors import InputError
from envs.simulator import procgen_env
from envs.training.levels import TRAIN_LEVELS
from envs.training.returns import REWARD, Chains, Returns, exact_returns
from envs.training.slots import LevelStream

STATE = "exact.pt"
_STREAM = 2  # beside those of imitation and of walks, so that no seed shows them the same levels in the same order


@dataclass(frozen=True)
class ExactConfig:
    """Options of a training by exact gradients."""

    scale: float = 1
    """Scale of the network, a multiple of 1/16 (:func:`agents.networks.impala.block_channels`)."""
    region: int | None = 5
    """Side, in cells, of the top-right square where the cheese lies; None: anywhere."""
    levels: tuple[int, int] = TRAIN_LEVELS
    """Level seeds ``low <= s < high`` to train on."""
    mode: str = "hard"
    """Procgen's distribution mode of the levels, ``hard`` or ``easy``."""
    seed: int = 0
    """Seed of the first weights and of the levels, 0 or more."""
    samples: int = 10_000_000
    """States that go through the network in all, once for each time they do, rounded up to a whole batch of levels."""
    levels_per_batch: int = 8
    """Levels drawn for a batch."""
    passes: int = 3
    """Steps up the gain on a batch, after the pass that finds the policy."""
    mirror_step: float = 1.0
    """Step of mirror descent: the weight of the gain beside the Kullback-Leibler divergence from the policy that the
    batch began with. A step of 1 multiplies the odds of a move that gains as much as is usual by e."""
    entropy: float = 0.01
    """Weight of the entropy bonus beside the gain, 0 or more."""
    gamma: float = 0.999
    """Discount per move, 0 or more and below 1; PPO's, and so the same objective."""
    uniform_starts: float = 0.1
    """Share of the episodes that begin anywhere in the maze instead of at its start, 0..1."""
    learning_rate: float = 5e-4
    """Full learning rate of Adam."""
    decay_to: float = 0.0
    """Share of the full rate left after ``samples``, 0..1."""
    warmup_samples: int = 20_000
    """Samples over which the rate rises linearly to the full one."""
    grad_norm: float = 1.0
    """Bound of the gradient's norm."""
    chunk: int = 512
    """States that go through the network at once: it bounds the memory, and changes no number but by rounding."""
    bf16: bool = field(default_factory=bf16_pays)
    """Compute in bfloat16 where autocast can; by default where the device does so by itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", check_scale(self.scale))
        check_counts(self, "exact", "samples", "levels_per_batch", "passes", "chunk")
        if not self.mirror_step > 0.0:
            raise InputError(f"exact: mirror_step is {self.mirror_step}, must be above 0")
        for name in ("entropy", "learning_rate"):
            if not getattr(self, name) >= 0.0:
                raise InputError(f"exact: {name} is {getattr(self, name)}, must be 0 or more")
        if not 0.0 <= self.uniform_starts <= 1.0:
            raise InputError(f"exact: uniform_starts is {self.uniform_starts}, must be 0 to 1")
        if not 0.0 <= self.gamma < 1.0:
            raise InputError(f"exact: gamma is {self.gamma}, must be 0 or more and below 1")

    @property
    def update(self) -> UpdateConfig:
        """Return the options of Adam's steps; a batch has as many samples as its levels have states."""
        return UpdateConfig(
            samples=self.samples,
            batch_size=100 * self.levels_per_batch * (1 + self.passes),  # about; it only lets the first batch warm up
            learning_rate=self.learning_rate,
            warmup_samples=self.warmup_samples,
            decay_to=self.decay_to,
            grad_norm=self.grad_norm,
            bf16=self.bf16,
        )


@dataclass(frozen=True)
class LevelBatch:
    """Whole training levels."""

    chains: Chains
    """Their dynamics, and the share of episodes that begin in each state."""
    frames: np.ndarray
    """Observations of the states in which an episode goes on: ``uint8[m, 64, 64, 3]``."""

    @property
    def live(self) -> np.ndarray:
        """Return the indices of these states among those of ``chains``: ``int64[m]``."""
        return np.flatnonzero(~self.chains.over)


def make_batch(config: ExactConfig, number: int) -> LevelBatch:
    """Draw the levels of batch ``number``: the same for the same config, whoever asks and when."""
    rng = np.random.default_rng([config.seed, number, _STREAM])
    stream = LevelStream(config.levels, config.region, config.mode, rng, block=config.levels_per_batch)
    mazes = [stream.next() for _ in range(config.levels_per_batch)]
    shown = []
    for maze in mazes:
        states = [state for state in maze.states if state.cell != maze.cheese]
        shown.append((maze.state, maze.outer(s.cell for s in states), np.array([int(s.facing) for s in states])))
    return LevelBatch(Chains.of(mazes, config.uniform_starts), procgen_env.observe_many(shown))


@dataclass(frozen=True)
class Goal:
    """What a batch asks of the policy: where each move of each state should go."""

    before: Tensor
    """Log-probabilities of the moves when the batch began: ``float[m, 5]``."""
    gains: Tensor
    """Advantages of the moves, in units of their root mean square under the policy's own visits: ``float[m, 5]``."""
    weights: Tensor
    """Share of the policy's visits that each state has: ``float[m]``, 1 in all."""

    @classmethod
    def of(cls, before: Tensor, found: Returns, live: np.ndarray) -> Goal:
        """Return the goal that exact returns set; ``live`` are the states that ``before`` is of.

        Visits and advantages are each divided by one number for the whole batch, so the gradient keeps its direction.
        """
        weights = torch.from_numpy(found.visits[live] / found.visits.sum())
        gains = torch.from_numpy(found.advantages[live])
        usual = (weights @ (before.cpu().double().exp() * gains**2).sum(-1)).sqrt()
        gains = gains / usual.clamp_min(1e-12)
        return cls(before, gains.to(before), weights.to(before))


def mirror_loss(log_p: Tensor, goal: Goal, rows: slice | Tensor, *, step: float, entropy: float) -> Tensor:
    """Return minus the gain of the states ``rows``, plus what leaving the old policy costs, less the entropy bonus.

    At the policy that the batch began with, and without the bonus, its gradient is minus that of the exact return,
    times one positive number.

    Args:
        log_p: log-probabilities of the moves now, ``float[k, 5]``.
        goal: of the batch.
        rows: of ``goal``, ``k`` states.
        step: of mirror descent; the divergence is divided by it.
        entropy: weight of the bonus.
    """
    p = log_p.exp()
    gain = (p * goal.gains[rows]).sum(-1)
    divergence = (p * (log_p - goal.before[rows])).sum(-1)
    bonus = -(p * log_p).sum(-1)
    return -(goal.weights[rows] * (gain - divergence / step + entropy * bonus)).sum()


def train_exact(
    config: ExactConfig,
    out: Path,
    start: nn.Module | None = None,
    *,
    save_every_seconds: float = SAVE_EVERY,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
    device: str = "cpu",
    workers: int = 0,
) -> ImpalaPolicyNet:
    """Train (or take up again in ``out``) and return the network; its value head learns nothing.

    Args:
        config: the options.
        out: folder; it gets ``exact.pt`` and TensorBoard events.
        start: network to begin with; None: first weights drawn by the seed.
        save_every_seconds: least seconds between two states on disk, which are written after a batch.
        progress: called with samples shown and figures.
        watcher: looks at the network now and then.
        device: where the network is trained.
        workers: processes that make the data; 0: this one does.

    Raises:
        InputError: the state in ``out`` is damaged, or of other options.
    """
    net = ImpalaPolicyNet(config.scale, generator=torch.Generator().manual_seed(config.seed))
    if start is not None:
        net.load_state_dict(start.state_dict())
    session = Session(
        net,
        config.update,
        asdict(config),
        out / STATE,
        save_every_seconds=save_every_seconds,
        progress=progress,
        watcher=watcher,
        device=device,
        log_every=4,
    )
    data = in_order(functools.partial(make_batch, config), session.number, workers, __name__)
    try:
        with contextlib.closing(data):
            while not session.over:
                improve(config, session, next(data))
    finally:
        session.close()
    return net.to("cpu")


def improve(config: ExactConfig, session: Session, batch: LevelBatch) -> None:
    """Find the policy on the levels of ``batch`` and its exact returns, and make the batch's steps."""
    live = batch.live
    with torch.no_grad():
        before = torch.cat([log_p for _, log_p in _log_probabilities(config, session.net, batch.frames)])
    probabilities = np.zeros((len(batch.chains.over), N_MOVES))
    probabilities[live] = before.cpu().double().exp().numpy()
    found = exact_returns(batch.chains, probabilities, config.gamma)
    goal = Goal.of(before, found, live)
    for _ in range(config.passes):
        session.descend(
            mirror_loss(log_p, goal, rows, step=config.mirror_step, entropy=config.entropy)
            for rows, log_p in _log_probabilities(config, session.net, batch.frames)
        )
    entropy = -(goal.weights * (before.exp() * before).sum(-1)).sum()
    figures = {"reward": found.expected / REWARD, "visits": float(found.visits.sum()), "entropy": entropy.item()}
    session.advance((1 + config.passes) * len(live), figures)


def _log_probabilities(config: ExactConfig, net: nn.Module, frames: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
    """Yield the log-probabilities of the moves ``float32[k, 5]``, chunk by chunk, each with its rows of ``frames``."""
    device = next(net.parameters()).device
    for first in range(0, len(frames), config.chunk):
        rows = slice(first, first + config.chunk)
        x = to_input(frames[rows], device)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            logits, _ = net(x)
        yield rows, move_log_probabilities(logits.float())
