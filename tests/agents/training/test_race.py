"""The race of three ways of training: what the judge sees is the exact chance of the cheese in time."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.networks.impala import ImpalaPolicyNet
from agents.training.race import MARKS, RACERS, Judge, Mark, RaceSpec, Run, Solved, main, race, row
from envs.actions import ACTION_FOR_MOVE, Move
from envs.errors import InputError
from envs.maze import Maze
from envs.training.teachers import shortest_path


class Known(nn.Module):
    """A network that knows the right move of every frame of a maze, and makes it with probability ``p``."""

    def __init__(self, maze: Maze, p: float) -> None:
        super().__init__()
        moves, _ = shortest_path(maze)
        self.frames = torch.from_numpy(maze.observations()).permute(0, 3, 1, 2).float() / 255
        self.actions = torch.tensor([ACTION_FOR_MOVE[Move(move)] for move in np.repeat(moves, 2)])
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        rest = (1 - self.p) / 14
        state = (x[:, None] - self.frames).abs().sum((2, 3, 4)).argmin(1)
        return torch.full((len(x), 15), rest).scatter(1, self.actions[state][:, None], self.p).log()


SHORT = RaceSpec(samples=300, scale=0.0625)


def test_the_judge_ends_a_training_that_solves_its_mazes() -> None:
    mazes = RaceSpec().mazes
    judge = Judge(mazes)
    judge.begin(0)
    judge.look(5, ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0)), {}, 0.0)
    assert judge.reached == []
    judge.look(9, Known(mazes[0], 0.8), {}, 0.0)
    assert 0.5 in {mark.p for mark in judge.reached} and 0.99 not in {mark.p for mark in judge.reached}
    judge.look(9, Known(mazes[0], 0.999), {}, 0.0)
    assert len(judge.reached) < len(MARKS), "too soon for another look"
    with pytest.raises(Solved):
        judge.look(12, Known(mazes[0], 0.999), {}, 0.0)
    samples = [mark.samples for mark in judge.reached]
    assert tuple(mark.p for mark in judge.reached) == MARKS
    assert samples[0] == 9 and samples[-1] == 12 and samples == sorted(samples)
    assert all(mark.seconds >= 0 for mark in judge.reached)


def test_exact_gradients_solve_a_small_maze(tmp_path: Path, one_thread: None) -> None:
    """Beyond what one mixture of moves reaches everywhere, .64 in time: states are told apart."""
    spec = RaceSpec(samples=8_000, scale=0.25)
    with pytest.raises(Solved):
        RACERS[0].train(spec, tmp_path, Judge(spec.mazes))


def test_runs_that_have_ended_are_kept(tmp_path: Path) -> None:
    """Ctrl-C gives the rows so far; typed again, the race makes only what is missing."""
    out = tmp_path / "race.jsonl"
    specs = [SHORT, replace(SHORT, seed=1)]
    told: list[str] = []

    def interrupt(line: str) -> None:
        told.append(line)
        if line.startswith("PPO from scratch, seed 1"):
            raise KeyboardInterrupt

    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        for line in race(specs, out, interrupt):
            lines.append(line)
    assert len(lines) == 2 + len(RACERS)
    again: list[str] = []
    after = list(race(specs, out, again.append))
    assert len(after) == 2 + len(RACERS) and {line.count("|") for line in after} == {6}
    assert {line.split(":")[0] for line in again} == {"PPO from scratch, seed 1"}
    assert len({line.split(":")[0] for line in told}) == len(RACERS) * len(specs)
    assert len(out.read_text().splitlines()) == len(RACERS) * len(specs)
    assert list(race(specs, out, pytest.fail)) == after, "nothing is left to do"


def test_a_row_has_the_median_and_the_range() -> None:
    def run(*samples: int) -> Run:
        reached = (Mark(p, n, n / 10) for p, n in zip(MARKS, samples, strict=False))
        return Run("imitation", RaceSpec(), tuple(reached))

    assert row(RACERS[1], [run(50, 60, 70)]) == "| imitation | labelled states | 50, 5 s | 60, 6 s | 70, 7 s |"
    three = row(RACERS[1], [run(50, 900), run(10, 60, 70), run(30)])
    assert three.endswith("| 30 (10 to 50), 3 s | 900 (60 to not reached), 90 s | 1 of 3 runs |")
    assert row(RACERS[1], [run(), run()]).endswith("| not reached | not reached | not reached |")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--levels", "0"], "race: levels is 0, must be at least 1"),
        (["--seeds", "0"], "race: 0 seeds; give 1 to 1,000"),
        (["--seeds", "1000000000"], "race: 1,000,000,000 seeds; give 1 to 1,000"),
        (["--levels", "100000000"], "race: 100,000,000 levels; give at most 1,000"),
        (["--first", "99999", "--levels", "2"], "levels 99999:100001 reach beyond the training levels"),
        (["--scale", "0.3"], "scale is 0.3, must be a multiple of 0.0625"),
    ],
)
def test_a_race_that_cannot_be(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["race", *words])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert says in capsys.readouterr().err


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a line\n")
    with pytest.raises(InputError, match=r"notes, line 1: not readable as JSON .*; not the runs of a race"):
        list(race([SHORT], tmp_path / "notes"))
