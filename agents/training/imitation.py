"""Warm start: imitate shortest-path moves on random levels of the training range.

Data come in blocks of a few batches, each a function of (seed, block number) alone, so a resumed
run sees the data an uninterrupted one would have seen, whoever makes them. Levels are procgen's
own; the cheese is put where the region rule says; states (cell, facing) are drawn from the pooled
states of the block's levels, so a large maze gets its share (within a maze uniformly, but that
``path_share`` of its weight lies on the way from the start). The target is the move of the
shortest path to the cheese, plus the discounted return of that path for the value head.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from agents.hardware import SAVE_EVERY, bf16_pays
from agents.networks.impala import ImpalaPolicyNet, check_scale
from agents.sessions.data import in_order
from agents.sessions.history import Watcher
from agents.sessions.session import Progress, UpdateConfig, check_counts
from agents.training.supervised import Batch, SupervisedSession
from envs.maze import Maze
from envs.simulator import procgen_env
from envs.training.levels import TRAIN_LEVELS, place_cheese
from envs.training.teachers import TEACHERS

STATE = "imitation.pt"


@dataclass(frozen=True)
class ImitationConfig:
    """Options of the warm start."""

    scale: float = 1
    """Scale of the network, a multiple of 1/16 (:func:`agents.networks.impala.block_channels`)."""
    region: int | None = 5
    """Side, in cells, of the top-right square where the cheese lies; None: anywhere."""
    seed: int = 0
    """Seed of the first weights, the levels and the states, 0 or more."""
    samples: int = 4_000_000
    """States shown in all."""
    batch_size: int = 256
    """States per update."""
    levels_per_batch: int = 12
    """Levels per batch: a block has ``block * levels_per_batch``."""
    block: int = 4
    """Batches drawn from the same levels: a long block mixes the states of many levels in each batch."""
    learning_rate: float = 1e-3
    """Full learning rate of Adam."""
    matrix_rate: float = 0.0
    """Full rate of :class:`agents.sessions.muon.Muon` for the hidden weights; 0: Adam has them all."""
    decay_to: float = 0.0
    """Share of the full rates left after ``samples``, 0..1."""
    warmup_samples: int = 50_000
    """Samples over which the rates rise linearly to the full ones."""
    value_weight: float = 0.25
    """Weight of the value's squared error beside the cross-entropy, 0 or more."""
    gamma: float = 0.99
    """Discount per step of the returns that the value head learns, 0..1."""
    path_share: float = 0.25
    """Share of a maze's weight that lies on the way from the start to the cheese, 0..1."""
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
        check_counts(self, "imitation", "samples", "batch_size", "levels_per_batch", "block")

    @property
    def update(self) -> UpdateConfig:
        """Return the options of an update from a batch."""
        return UpdateConfig.of(self)


def training_mazes(region: int | None, count: int, rng: np.random.Generator, mode: str = "hard") -> list[Maze]:
    """Return ``count`` mazes of the training range with the cheese placed by the region rule."""
    seeds = rng.integers(*TRAIN_LEVELS, size=count)
    return [place_cheese(maze, region, rng) for maze in Maze.from_levels(seeds.tolist(), mode)]


def make_block(config: ImitationConfig, number: int) -> list[Batch]:
    """Draw block ``number``, ``config.block`` batches: the same for the same config, whoever asks and when."""
    rng = np.random.default_rng([config.seed, number])
    mazes = training_mazes(config.region, config.levels_per_batch * config.block, rng, config.mode)
    size = config.batch_size * config.block
    known = [TEACHERS[config.teacher](maze) for maze in mazes]
    flat = np.concatenate(
        [_weights(maze, steps, config.path_share) for maze, (_, steps) in zip(mazes, known, strict=True)]
    )
    chosen = np.sort(rng.choice(len(flat), size=size, p=flat / flat.sum()))
    facings = rng.integers(2, size=size)
    starts = np.cumsum([0] + [len(steps) for _, steps in known])
    cells = np.concatenate([maze.outer(maze.cells) for maze in mazes])[chosen]
    moves, steps = (np.concatenate(part)[chosen] for part in zip(*known, strict=True))
    cuts = np.searchsorted(chosen, starts)
    frames = procgen_env.observe_many(
        [(maze.state, cells[a:b], facings[a:b]) for maze, a, b in zip(mazes, cuts[:-1], cuts[1:], strict=True) if b > a]
    )
    returns = (config.gamma ** (steps - 1)).astype(np.float32)
    order = rng.permutation(size).reshape(config.block, config.batch_size)
    return [Batch(frames[rows], moves[rows], returns[rows]) for rows in order]


def _weights(maze: Maze, steps: np.ndarray, path_share: float) -> np.ndarray:
    """Return the weight of each cell ``float64[n]``: n in all, ``path_share`` of it on the way from the start."""
    assert maze.cheese is not None
    path = [maze.index[cell] for cell in maze.path(maze.mouse, maze.cheese)[:-1]]
    weights = (steps > 0) * (1.0 - path_share) / (len(steps) - 1)
    weights[path] += path_share / max(len(path), 1)
    return weights * len(steps)


def batches(config: ImitationConfig, first: int, workers: int = 0) -> Generator[Batch, None, None]:
    """Yield batches ``first``, ``first + 1``, ..., made here as they are needed, or ahead by ``workers`` processes."""
    number, skip = divmod(first, config.block)
    make = functools.partial(make_block, config)
    with contextlib.closing(in_order(make, number, workers, __name__)) as blocks:
        for block in blocks:
            yield from block[skip:]
            skip = 0


def train_imitation(
    config: ImitationConfig,
    out: Path,
    *,
    save_every_seconds: float = SAVE_EVERY,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
    device: str = "cpu",
    workers: int = 0,
) -> ImpalaPolicyNet:
    """Train (or take up again in ``out``) and return the network.

    ``out`` gets ``imitation.pt`` (weights, optimiser, samples shown; written whole or not at
    all), and TensorBoard events under ``tensorboard/``. ``workers`` processes make the data
    (0: this one does, which is enough beside a network on the processor).
    """
    net = ImpalaPolicyNet(config.scale, generator=torch.Generator().manual_seed(config.seed))
    session = SupervisedSession(
        net,
        config.update,
        asdict(config),
        out / STATE,
        save_every_seconds=save_every_seconds,
        progress=progress,
        watcher=watcher,
        device=device,
    )
    data = batches(config, session.number, workers)
    try:
        while not session.over:
            session.step(next(data))
    finally:
        data.close()
        session.close()
    return net.to("cpu")
