"""The race of three ways of training: what the judge sees is the exact chance of the cheese in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.networks.impala import ImpalaPolicyNet
from agents.training.race import MARKS, Judge, Solved, race, racers
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


def test_the_judge_ends_a_training_that_solves_its_mazes() -> None:
    maze = Maze.from_level(1_000_000, "easy")
    maze = maze.with_cheese(maze.corner)
    judge = Judge([maze])
    judge.begin(0)
    judge.look(5, ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0)), {}, 0.0)
    assert judge.reached == {}
    judge.look(9, Known(maze, 0.8), {}, 0.0)
    assert 0.5 in judge.reached and 0.99 not in judge.reached
    with pytest.raises(Solved):
        judge.look(12, Known(maze, 0.999), {}, 0.0)
    samples = [judge.reached[mark][0] for mark in MARKS]
    assert samples[0] == 9 and samples[-1] == 12 and samples == sorted(samples)
    assert all(seconds >= 0 for _, seconds in judge.reached.values())


def test_exact_gradients_solve_a_small_maze(tmp_path: Path, one_thread: None) -> None:
    """Beyond what one mixture of moves reaches everywhere, .64 in time: states are told apart."""
    level = 1_000_000
    maze = Maze.from_level(level, "easy")
    maze = maze.with_cheese(maze.corner)
    with pytest.raises(Solved):
        racers([maze], (level, level + 1), 8_000)[0].train(tmp_path, Judge([maze]))


def test_every_way_of_training_has_its_row() -> None:
    lines = race(1, 1).splitlines()
    assert len(lines) == 5 and [line.count("|") for line in lines] == [6] * 5
    assert all(line.endswith("| not reached | not reached | not reached |") for line in lines[2:])
    with pytest.raises(InputError, match="^race: 0 levels, 5 samples; give 1 of each or more$"):
        race(0, 5)
