"""Warm start: imitate shortest-path moves on random levels of the training range.

Each batch is a function of (seed, batch number) alone, so a resumed run sees the data an
uninterrupted one would have seen. Levels are procgen's own; the cheese is put where the region
rule says; states (cell, facing) are drawn uniformly over the pooled states of the batch's
levels, so a large maze gets its share. The target is the move of the shortest path to the
cheese, plus the discounted return of that path for the value head.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from agents.impala import ImpalaPolicyNet
from agents.supervised import Batch, Progress, Session, UpdateConfig, expert_moves
from envs import procgen_env
from envs.errors import InputError
from envs.levels import TRAIN_LEVELS, place_cheese
from envs.maze import Maze

STATE = "imitation.pt"


@dataclass(frozen=True)
class ImitationConfig:
    """Options of the warm start; ``samples`` is the number of states shown in all."""

    scale: int = 1
    region: int | None = 5
    seed: int = 0
    samples: int = 4_000_000
    batch_size: int = 256
    levels_per_batch: int = 24
    learning_rate: float = 1e-3
    warmup_samples: int = 50_000
    value_weight: float = 0.25
    gamma: float = 0.99
    path_share: float = 0.25
    grad_norm: float = 1.0
    bf16: bool = True

    def __post_init__(self) -> None:
        for name in ("scale", "samples", "batch_size", "levels_per_batch"):
            if getattr(self, name) < 1:
                raise InputError(f"imitation: {name} is {getattr(self, name)}, must be at least 1")

    @property
    def update(self) -> UpdateConfig:
        """How a batch changes the weights."""
        return UpdateConfig.of(self)


def training_mazes(region: int | None, count: int, rng: np.random.Generator) -> list[Maze]:
    """``count`` mazes of the training range with the cheese placed by the region rule."""
    seeds = rng.integers(*TRAIN_LEVELS, size=count)
    return [place_cheese(maze, region, rng) for maze in Maze.from_levels(seeds.tolist())]


def make_batch(config: ImitationConfig, number: int) -> Batch:
    """Batch ``number``: the same for the same config, whoever asks and when."""
    rng = np.random.default_rng([config.seed, number])
    mazes = training_mazes(config.region, config.levels_per_batch, rng)
    distances = []
    weights = []
    for maze in mazes:
        assert maze.cheese is not None
        d = maze.distances(maze.cheese)
        on_path = np.zeros(len(d))
        path = [maze.index[cell] for cell in maze.path(maze.mouse, maze.cheese)[:-1]]
        on_path[path] = 1.0
        weight = (d > 0) * (1.0 - config.path_share) / (len(d) - 1) + on_path * config.path_share / max(len(path), 1)
        distances.append(d)
        weights.append(np.where(d > 0, weight, 0.0) * len(d))
    flat = np.concatenate(weights)
    chosen = np.sort(rng.choice(len(flat), size=config.batch_size, p=flat / flat.sum()))
    facings = rng.integers(2, size=config.batch_size)
    starts = np.cumsum([0] + [len(w) for w in weights])
    owner = np.searchsorted(starts, chosen, side="right") - 1
    requests, moves, returns = [], [], []
    for k in np.unique(owner):
        maze, d = mazes[k], distances[k]
        mine = owner == k
        cells = [maze.cells[i] for i in chosen[mine] - starts[k]]
        requests.append((maze.state, maze.outer(cells), facings[mine]))
        moves += expert_moves(maze, d, cells)
        returns += [config.gamma ** (d[maze.index[cell]] - 1) for cell in cells]
    frames = procgen_env.observe_many(requests)
    return Batch(frames, np.array(moves), np.array(returns, dtype=np.float32))


def train_imitation(
    config: ImitationConfig,
    out: Path,
    *,
    save_every_seconds: float = 60.0,
    progress: Progress | None = None,
) -> ImpalaPolicyNet:
    """Train (or take up again in ``out``) and return the network.

    ``out`` gets ``imitation.pt`` (weights, optimiser, samples shown; written whole or not at
    all), and TensorBoard events under ``tensorboard/``.
    """
    net = ImpalaPolicyNet(config.scale, generator=torch.Generator().manual_seed(config.seed))
    session = Session(
        net, config.update, asdict(config), out / STATE, save_every_seconds=save_every_seconds, progress=progress
    )
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(make_batch, config, session.number)
        while not session.over:
            batch = coming.result()
            coming = pool.submit(make_batch, config, session.number + 1)
            session.step(batch)
        coming.cancel()
    session.close()
    return net
