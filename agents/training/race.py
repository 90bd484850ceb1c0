"""How soon exact gradients, imitation and PPO solve a few small mazes: ``python -m agents.training.race``."""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from agents.hardware import one_thread
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy
from agents.sessions.history import Watcher
from agents.sessions.session import UpdateConfig
from agents.training.exact import ExactConfig, train_exact
from agents.training.ppo import PPOConfig, train_ppo
from agents.training.supervised import Batch, SupervisedSession
from envs.chain import statistics
from envs.errors import InputError
from envs.maze import Maze
from envs.training.levels import TRAIN_LEVELS
from envs.training.teachers import shortest_path

MARKS = (0.5, 0.9, 0.99)  # of the probability that the cheese is reached in time
SLACK = 2  # moves in time, for each of the shortest path
RATE = 1e-3  # of Adam, for all


class Solved(Exception):
    """The last of :data:`MARKS` was reached."""


class Judge(Watcher):
    """Looks at a network in training whenever it may, and notes when it first reaches each mark."""

    def __init__(self, mazes: list[Maze]) -> None:
        super().__init__(Path(), "", 0, 1)
        self._mazes = mazes
        self._frames = [maze.observations() for maze in mazes]
        self._looked = 0.0
        self._begun = time.process_time()
        self.reached: dict[float, tuple[int, float]] = {}

    def begin(self, done: int) -> None:
        """Start the clock, which counts seconds of the processor but for those of looking."""
        self._begun = time.process_time()

    def look(
        self, done: int, net: nn.Module, figures: Mapping[str, float], seconds: float, *, last: bool = False
    ) -> dict[str, float]:
        """Note the marks reached at ``done`` samples; raise :class:`Solved` at the last of them."""
        start = time.process_time()
        policy = MazePolicy(copy.deepcopy(net))
        p = float(
            np.mean([_in_time(m, policy.move_probabilities(f)) for m, f in zip(self._mazes, self._frames, strict=True)])
        )
        for mark in MARKS:
            if p >= mark and mark not in self.reached:
                self.reached[mark] = (done, start - self._begun - self._looked)
        self._looked += time.process_time() - start
        if MARKS[-1] in self.reached:
            raise Solved
        return {}


def _in_time(maze: Maze, probabilities: np.ndarray) -> float:
    assert maze.cheese is not None
    return statistics(maze, probabilities, SLACK * (len(maze.path(maze.mouse, maze.cheese)) - 1)).p_cheese


@dataclass(frozen=True)
class Racer:
    """A way of training."""

    name: str
    """Name in the table."""
    counted: str
    """What one of its samples is."""
    train: Callable[[Path, Judge], object]
    """Trains in a folder, watched by a judge."""


def racers(mazes: list[Maze], levels: tuple[int, int], samples: int) -> list[Racer]:
    """Return the ways of training on easy ``levels``, which are ``mazes`` with the cheese in the corner."""
    exact = ExactConfig(
        mode="easy", levels=levels, region=1, samples=samples, levels_per_batch=len(mazes), learning_rate=RATE
    )
    exact = replace(exact, warmup_samples=1, decay_to=1.0, bf16=False)
    ppo = PPOConfig(mode="easy", levels=levels, region=1, total_steps=samples, n_envs=8, n_steps=64, minibatches=4)
    ppo = replace(ppo, learning_rate=RATE, bf16=False)
    return [
        Racer("exact gradients", "states, each pass", lambda out, judge: train_exact(exact, out, watcher=judge)),
        Racer("imitation", "labelled states", lambda out, judge: _imitate(mazes, samples, out, judge)),
        Racer("PPO from scratch", "steps", lambda out, judge: train_ppo(ppo, out, watcher=judge)),
    ]


def _imitate(mazes: list[Maze], samples: int, out: Path, judge: Judge) -> None:
    """Show all states of the mazes, with the moves of their shortest paths, again and again."""
    frames, moves = [], []
    for maze in mazes:
        best, steps = shortest_path(maze)
        frames.append(maze.observations()[np.repeat(steps > 0, 2)])
        moves.append(np.repeat(best[steps > 0], 2))
    shown = Batch(np.concatenate(frames), np.concatenate(moves), np.zeros(sum(map(len, moves)), np.float32))
    update = UpdateConfig(samples, len(shown.moves), RATE, 1, decay_to=1.0, value_weight=0.0, bf16=False)
    net = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0))
    session = SupervisedSession(
        net, update, {}, out / "imitation.pt", save_every_seconds=np.inf, progress=None, watcher=judge
    )
    try:
        while not session.over:
            session.step(shown)
    finally:
        session.close()


def race(count: int, samples: int) -> str:
    """Return a Markdown table: samples and seconds of the processor until each mark.

    Args:
        count: easy training levels from the first on, 1 or more.
        samples: most samples of each way of training.

    Raises:
        InputError: a count below 1.
    """
    if count < 1 or samples < 1:
        raise InputError(f"race: {count} levels, {samples} samples; give 1 of each or more")
    levels = (TRAIN_LEVELS[0], TRAIN_LEVELS[0] + count)
    mazes = [maze.with_cheese(maze.corner) for maze in Maze.from_levels(range(*levels), "easy")]
    rows = ["| | a sample is | " + " | ".join(f"P {mark:g}" for mark in MARKS) + " |", "|---" * (2 + len(MARKS)) + "|"]
    for racer in racers(mazes, levels, samples):
        judge = Judge(mazes)
        with tempfile.TemporaryDirectory() as folder, one_thread():
            try:
                racer.train(Path(folder), judge)
            except Solved:
                pass
        found = (judge.reached.get(mark) for mark in MARKS)
        cells = [f"{at[0]:,} ({at[1]:.0f} s)" if at else "not reached" for at in found]
        rows.append(f"| {racer.name} | {racer.counted} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m agents.training.race", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--levels", type=int, default=1, help="easy training levels, from the first on")
    parser.add_argument("--samples", type=int, default=20_000, help="most samples of each way of training")
    given = parser.parse_args()
    try:
        print(race(given.levels, given.samples))
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
