"""Second half of the warm start: imitation on the states the policy itself gets into.

Dataset aggregation (Ross, Gordon and Bagnell 2011, arXiv 1011.0686), online: the policy walks in
procgen, every state it meets is labelled with the shortest-path move, and half of each batch is
still drawn at random (:func:`agents.training.imitation.make_block`). A policy that fails a large maze
usually shuttles between a few states; random states hardly ever show those, its own walks do.
Some of its moves are the expert's, so that it meets what lies beyond; a walk that has met no new
cell for a while is given up for one in another level, or the batches fill with the same few states.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from agents.hardware import SAVE_EVERY, bf16_pays
from agents.networks.impala import ImpalaPolicyNet, check_scale
from agents.networks.policy import move_log_probabilities, sample_rows
from agents.sessions.history import Watcher
from agents.sessions.session import Progress, UpdateConfig, check_counts
from agents.training.imitation import ImitationConfig, batches
from agents.training.supervised import Batch, SupervisedSession
from envs.actions import ACTION_FOR_MOVE, Move
from envs.errors import InputError
from envs.maze import Maze
from envs.simulator.state_layout import WORLD_DIM
from envs.training.levels import TRAIN_LEVELS
from envs.training.teachers import TEACHERS
from envs.training.vec_env import MazeVecEnv

NAME = "dagger"
_ACTIONS = np.array([ACTION_FOR_MOVE[move] for move in Move])


@dataclass(frozen=True)
class DaggerConfig:
    """Options of a round of imitation on the policy's own walks."""

    scale: float = 1
    """Scale of the network, a multiple of 1/16 (:func:`agents.networks.impala.block_channels`)."""
    region: int | None = 5
    """Side, in cells, of the top-right square where the cheese lies; None: anywhere."""
    seed: int = 0
    """Seed of the walks and of the states drawn at random, 0 or more."""
    samples: int = 1_100_000
    """Labelled states shown in all, those of walks and those drawn at random."""
    n_envs: int = 128
    """Walking mice: states of walks in each batch."""
    random_states: int = 128
    """States drawn at random in each batch."""
    levels_per_batch: int = 6
    """Levels that the random states of one batch are drawn from."""
    block: int = 4
    """Batches whose random states are drawn together from ``block * levels_per_batch`` levels."""
    learning_rate: float = 6e-4
    """Full learning rate of Adam."""
    matrix_rate: float = 0.0
    """Full rate of :class:`agents.sessions.muon.Muon` for the hidden weights; 0: Adam has them all."""
    decay_to: float = 0.0
    """Share of the full rates left after ``samples``, 0..1."""
    warmup_samples: int = 20_000
    """Samples over which the rates rise linearly to the full ones."""
    expert_share: float = 0.2
    """Share of the mice's steps that are the expert's, 0..1."""
    patience: int = 12
    """Steps without a new cell after which a walk is given up for a new level; 0: never."""
    value_weight: float = 0.25
    """Weight of the value's squared error beside the cross-entropy, 0 or more."""
    gamma: float = 0.99
    """Discount per step of the returns that the value head learns, 0..1."""
    grad_norm: float = 1.0
    """Bound of the gradient's norm, over the weights that Adam has."""
    bf16: bool = field(default_factory=bf16_pays)
    """Compute in bfloat16 where autocast can; by default where the device does so by itself."""
    teacher: str = "path"
    """Whose moves are shown, of :data:`envs.training.teachers.TEACHERS`."""
    mode: str = "hard"
    """Procgen's distribution mode of the levels, ``hard`` or ``easy``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", check_scale(self.scale))
        check_counts(self, "dagger", "samples", "n_envs", "random_states", "levels_per_batch", "block")
        if self.patience < 0:
            raise InputError(f"dagger: patience is {self.patience}, must be 0 (none needed) or more")

    @property
    def batch_size(self) -> int:
        """Return the states per update."""
        return self.n_envs + self.random_states

    @property
    def update(self) -> UpdateConfig:
        """Return the options of an update from a batch."""
        return UpdateConfig.of(self)

    @property
    def random_part(self) -> ImitationConfig:
        """Return the options of the random half: a stream of its own, so no batch of imitation recurs."""
        return ImitationConfig(
            scale=self.scale,
            region=self.region,
            seed=self.seed + 1_000_000,
            batch_size=self.random_states,
            levels_per_batch=self.levels_per_batch,
            block=self.block,
            value_weight=self.value_weight,
            gamma=self.gamma,
            bf16=self.bf16,
            teacher=self.teacher,
            mode=self.mode,
        )


class Walkers:
    """``n`` mice of the policy in procgen; :meth:`labels` gives the expert's move for each."""

    def __init__(self, config: DaggerConfig, seed: int) -> None:
        self._env = MazeVecEnv(config.n_envs, region=config.region, levels=TRAIN_LEVELS, mode=config.mode, seed=seed)
        self.frames = np.array(self._env.reset())
        self._patience = config.patience
        self._teacher = TEACHERS[config.teacher]
        grid = (config.n_envs, WORLD_DIM[config.mode], WORLD_DIM[config.mode])
        self._known: list[Maze | None] = [None] * config.n_envs  # whose way the next two hold, at [mouse, x, y]
        self._moves, self._steps = np.zeros(grid, dtype=int), np.zeros(grid)
        self._met = np.zeros(grid, dtype=bool)
        self._met[self._here()] = True
        self._idle = np.zeros(config.n_envs, dtype=int)  # steps since the last new cell

    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the teacher's moves ``int64[n]`` and steps to the cheese ``float64[n]``."""
        for i, maze in enumerate(self._env.mazes):
            if self._known[i] is not maze:
                x, y = maze.outer(maze.cells).T
                self._moves[i, x, y], self._steps[i, x, y] = self._teacher(maze)
                self._known[i] = maze
        return self._moves[self._here()], self._steps[self._here()]

    def act(self, actions: np.ndarray) -> None:
        """Move every mouse by one step; episodes that ended, or led nowhere new for long, go on in a new level."""
        frames, _, dones, _ = self._env.step(actions)
        self._met[dones] = False
        self._idle = np.where(self._met[self._here()], self._idle + 1, 0)
        tired = np.flatnonzero(self._idle >= self._patience).tolist() if self._patience else []
        if tired:
            frames = self._env.renew(tired)
            self._met[tired] = False
            self._idle[tired] = 0
        self._met[self._here()] = True
        self.frames = np.array(frames)

    def _here(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the index of every mouse's cell into the arrays kept of each cell."""
        x, y = self._env.cells.T
        return np.arange(len(x)), x, y

    def close(self) -> None:
        """Give procgen's environment back."""
        self._env.close()


def train_dagger(
    config: DaggerConfig,
    out: Path,
    start: ImpalaPolicyNet,
    *,
    name: str = NAME,
    save_every_seconds: float = SAVE_EVERY,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
    device: str = "cpu",
    workers: int = 0,
) -> ImpalaPolicyNet:
    """Train ``start`` (or take up again in ``out``) and return the network.

    ``out`` gets ``dagger.pt`` (or another ``name``) and TensorBoard events. Taken up again, weights, optimiser and
    schedule go on; the walks begin in new levels.
    """
    net = ImpalaPolicyNet(config.scale)
    net.load_state_dict(start.state_dict())
    session = SupervisedSession(
        net,
        config.update,
        asdict(config),
        out / f"{name}.pt",
        save_every_seconds=save_every_seconds,
        progress=progress,
        watcher=watcher,
        device=device,
    )
    rng = np.random.default_rng([config.seed, session.done, 1])
    walkers = Walkers(config, int(rng.integers(2**31 - 1)))
    data = batches(config.random_part, session.number, workers)
    try:
        while not session.over:
            step(config, session, walkers, next(data), rng)
    finally:
        data.close()
        walkers.close()
        session.close()
    return net.to("cpu")


def step(
    config: DaggerConfig, session: SupervisedSession, walkers: Walkers, drawn: Batch, rng: np.random.Generator
) -> None:
    """Make one update on where the mice stand and on a batch ``drawn`` at random, then one step of every mouse."""
    n = config.n_envs
    moves, steps = walkers.labels()
    batch = Batch(
        np.concatenate([walkers.frames, drawn.frames]),
        np.concatenate([moves, drawn.moves]),
        np.concatenate([(config.gamma ** (steps - 1)).astype(np.float32), drawn.returns]),
    )
    logits = session.step(batch, accuracy_on_policy=functools.partial(_agreement, moves))
    own = sample_rows(torch.softmax(logits[:n].double(), -1).numpy(), rng.random(n))
    walkers.act(np.where(rng.random(n) < config.expert_share, _ACTIONS[moves], own))


def _agreement(moves: np.ndarray, logits: torch.Tensor) -> float:
    return float((move_log_probabilities(logits[: len(moves)]).argmax(-1).numpy() == moves).mean())
