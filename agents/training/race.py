"""How soon exact gradients, imitation and PPO solve a few small mazes: ``python -m agents.training.race``."""

from __future__ import annotations

import argparse
import contextlib
import copy
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from agents.hardware import one_thread
from agents.networks.impala import ImpalaPolicyNet, check_scale
from agents.networks.policy import MazePolicy
from agents.sessions.history import Watcher
from agents.sessions.session import UpdateConfig, check_counts
from agents.training.exact import ExactConfig, train_exact
from agents.training.ppo import PPOConfig, train_ppo
from agents.training.supervised import Batch, SupervisedSession
from envs.chain import statistics
from envs.errors import InputError
from envs.files import check_folder, write_atomic
from envs.maze import Maze
from envs.stored.json_records import from_json, to_json
from envs.stored.ranges import Count, Name, NonNegative, Positive, RandomSeed, Scale
from envs.stored.sources import read_file
from envs.training.levels import TRAIN_LEVELS
from envs.training.slots import check_levels
from envs.training.teachers import shortest_path

MARKS = (0.5, 0.9, 0.99)  # of the probability that the cheese is reached in time, the mean over the mazes
SLACK = 2  # moves in time, for each of the shortest path
RATE = 1e-3  # of Adam
LOOKS = 1.01  # a look is due at so many times the samples of the last
MOST = 1_000  # levels of a run, and seeds
Tell = Callable[[str], None]


@dataclass(frozen=True)
class RaceSpec:
    """What one run is: mazes, network, seed and length.

    Raises:
        InputError: no level or no samples, more than :data:`MOST` levels, or levels that are not for training.
    """

    first: Positive = TRAIN_LEVELS[0]
    """Seed of the first level, easy, with the cheese in the corner."""
    levels: Positive = 1
    """Levels, from the first on."""
    samples: Positive = 20_000
    """Most samples."""
    scale: Scale = 1
    """Scale of the network."""
    seed: RandomSeed = 0
    """Seed of the first weights and of all draws."""

    def __post_init__(self) -> None:
        check_counts(self, "race", "levels", "samples")
        if self.levels > MOST:
            raise InputError(f"race: {self.levels:,} levels; give at most {MOST:,}")
        check_levels(self.seeds)
        object.__setattr__(self, "scale", check_scale(self.scale))

    @property
    def seeds(self) -> tuple[int, int]:
        """Return the level seeds ``low <= s < high``."""
        return self.first, self.first + self.levels

    @property
    def mazes(self) -> list[Maze]:
        """Return the mazes."""
        return [maze.with_cheese(maze.corner) for maze in Maze.from_levels(range(*self.seeds), "easy")]


@dataclass(frozen=True)
class Mark:
    """When a mark was first seen to be reached."""

    p: NonNegative
    """Probability that the cheese is reached in time."""
    samples: Count
    """Samples so far."""
    seconds: NonNegative
    """Seconds of the processor so far, those of looking left out."""


@dataclass(frozen=True)
class Run:
    """One training and what it reached."""

    racer: Name
    """Name of the way of training."""
    spec: RaceSpec
    """What was asked."""
    reached: tuple[Mark, ...]
    """The marks that it reached, in the order of :data:`MARKS`."""


class Solved(Exception):
    """The last of :data:`MARKS` was reached."""


class Judge(Watcher):
    """Looks at a network in training now and then, and notes when it first reaches each mark."""

    def __init__(self, mazes: list[Maze], tell: Tell | None = None) -> None:
        super().__init__(Path(), "", 0, 1)
        self._mazes, self._tell = mazes, tell
        self._frames = [maze.observations() for maze in mazes]
        self._looked = self._due = 0.0
        self._begun = time.process_time()
        self.reached: list[Mark] = []

    def begin(self, done: int) -> None:
        """Start the clock, which counts seconds of the processor but for those of looking."""
        self._begun = time.process_time()

    def look(
        self, done: int, net: nn.Module, figures: Mapping[str, float], seconds: float, *, last: bool = False
    ) -> dict[str, float]:
        """Note the marks reached at ``done`` samples; raise :class:`Solved` at the last of them."""
        if done < self._due and not last:
            return {}
        self._due = LOOKS * done
        start = time.process_time()
        policy = MazePolicy(copy.deepcopy(net))
        p = float(
            np.mean([_in_time(m, policy.move_probabilities(f)) for m, f in zip(self._mazes, self._frames, strict=True)])
        )
        taken = start - self._begun - self._looked
        self.reached += [Mark(mark, done, taken) for mark in MARKS[len(self.reached) :] if p >= mark]
        if self._tell is not None:
            self._tell(f"{done:,} samples, {taken:.0f} s: P {p:.3f}")
        self._looked += time.process_time() - start
        if len(self.reached) == len(MARKS):
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
    train: Callable[[RaceSpec, Path, Judge], object]
    """Trains in a folder, watched by a judge."""


def _exact(spec: RaceSpec, out: Path, judge: Judge) -> None:
    config = ExactConfig(
        mode="easy",
        levels=spec.seeds,
        region=1,
        scale=spec.scale,
        seed=spec.seed,
        samples=spec.samples,
        levels_per_batch=spec.levels,
        learning_rate=RATE,
        warmup_samples=1,
        decay_to=1.0,
        bf16=False,
    )
    train_exact(config, out, watcher=judge)


def _ppo(spec: RaceSpec, out: Path, judge: Judge) -> None:
    """Train with the published options, but for the rate, and in rollouts of 8 x 64 steps instead of 256 x 256."""
    config = PPOConfig(
        mode="easy",
        levels=spec.seeds,
        region=1,
        scale=spec.scale,
        seed=spec.seed,
        total_steps=spec.samples,
        n_envs=8,
        n_steps=64,
        minibatches=4,
        learning_rate=RATE,
        bf16=False,
    )
    train_ppo(config, out, watcher=judge)


def _imitate(spec: RaceSpec, out: Path, judge: Judge) -> None:
    """Show all states of the mazes, with the moves of their shortest paths, again and again."""
    frames, moves = [], []
    for maze in spec.mazes:
        best, steps = shortest_path(maze)
        frames.append(maze.observations()[np.repeat(steps > 0, 2)])
        moves.append(np.repeat(best[steps > 0], 2))
    shown = Batch(np.concatenate(frames), np.concatenate(moves), np.zeros(sum(map(len, moves)), np.float32))
    update = UpdateConfig(spec.samples, len(shown.moves), RATE, 1, decay_to=1.0, value_weight=0.0, bf16=False)
    net = ImpalaPolicyNet(spec.scale, generator=torch.Generator().manual_seed(spec.seed))
    session = SupervisedSession(
        net, update, {}, out / "imitation.pt", save_every_seconds=np.inf, progress=None, watcher=judge
    )
    try:
        while not session.over:
            session.step(shown)
    finally:
        session.close()


RACERS = (
    Racer("exact gradients", "states, each pass", _exact),
    Racer("imitation", "labelled states", _imitate),
    Racer("PPO from scratch", "steps", _ppo),
)


def race(specs: Sequence[RaceSpec], out: Path | None = None, tell: Tell | None = None) -> Iterator[str]:
    """Yield the lines of a Markdown table: samples, and seconds of the processor, until each mark.

    A row comes as soon as its runs have ended. Ctrl-C gives the row of what was reached, and goes on as
    ``KeyboardInterrupt``.

    Args:
        specs: of the runs of each way of training; the table has their median and their range.
        out: file that keeps the runs which have ended, a line of JSON for each; these are not made again.
        tell: told a line at each look.

    Raises:
        InputError: ``out`` holds something else, or cannot be written.
    """
    kept = _kept(out)
    yield "| | a sample is | " + " | ".join(f"P {mark:g}" for mark in MARKS) + " |"
    yield "|---" * (2 + len(MARKS)) + "|"
    for racer in RACERS:
        runs: list[Run] = []
        for spec in specs:
            run = next((run for run in kept if (run.racer, run.spec) == (racer.name, spec)), None)
            if run is None:
                judge = Judge(spec.mazes, tell and _named(f"{racer.name}, seed {spec.seed}", tell))
                try:
                    with tempfile.TemporaryDirectory() as folder, one_thread(), contextlib.suppress(Solved):
                        racer.train(spec, Path(folder), judge)
                except KeyboardInterrupt:
                    yield row(racer, [*runs, Run(racer.name, spec, tuple(judge.reached))])
                    raise
                run = Run(racer.name, spec, tuple(judge.reached))
                kept.append(run)
                if out is not None:
                    write_atomic(out, b"".join(map(to_json, kept)))
            runs.append(run)
        yield row(racer, runs)


def _kept(out: Path | None) -> list[Run]:
    """Return the runs in a file; none if there is no file."""
    if out is None:
        return []
    check_folder(out.parent)
    if not os.path.lexists(out):
        return []
    remedy = "not the runs of a race: choose another --out"
    lines = read_file(out, remedy=remedy).splitlines()
    return [from_json(line, Run, f"{out}, line {number}", remedy) for number, line in enumerate(lines, 1)]


def _named(name: str, tell: Tell) -> Tell:
    return lambda line: tell(f"{name}: {line}")


def row(racer: Racer, runs: Sequence[Run]) -> str:
    """Return the row of a way of training: for each mark median and range of samples over ``runs``, 1 or more."""
    cells = []
    for number in range(len(MARKS)):
        reached = sorted((run.reached[number] for run in runs if number < len(run.reached)), key=lambda m: m.samples)
        cells.append(_cell(reached, len(runs)))
    return f"| {racer.name} | {racer.counted} | {' | '.join(cells)} |"


def _cell(reached: Sequence[Mark], runs: int) -> str:
    """Return the (lower) median of samples, their range, and the seconds of the median run."""
    middle = (runs - 1) // 2
    if middle >= len(reached):
        return f"{len(reached)} of {runs} runs" if reached else "not reached"
    text = f"{reached[middle].samples:,}"
    if runs > 1:
        most = f"{reached[-1].samples:,}" if len(reached) == runs else "not reached"
        text += f" ({reached[0].samples:,} to {most})"
    return f"{text}, {reached[middle].seconds:.0f} s"


def main() -> None:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m agents.training.race", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--first", type=int, default=RaceSpec.first, help="first level (default: %(default)s)")
    parser.add_argument("--levels", type=int, default=RaceSpec.levels, help="easy levels from it on (%(default)s)")
    parser.add_argument("--samples", type=int, default=RaceSpec.samples, help="most samples of a run (%(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each way of training (%(default)s)")
    parser.add_argument("--scale", type=float, default=RaceSpec.scale, help="scale of the network (%(default)s)")
    parser.add_argument("--out", type=Path, help="file that keeps the runs which have ended; typed again, it goes on")
    given = parser.parse_args()
    try:
        if not 1 <= given.seeds <= MOST:
            raise InputError(f"race: {given.seeds:,} seeds; give 1 to {MOST:,}")
        specs = [RaceSpec(given.first, given.levels, given.samples, given.scale, seed) for seed in range(given.seeds)]
        for line in race(specs, given.out, lambda line: print(f"{line:<70}", end="\r", file=sys.stderr, flush=True)):
            print(line, flush=True)
    except InputError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
