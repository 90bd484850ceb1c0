"""Written moves: one case by the public interface, the chain by another way, and networks whose answer is known."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.networks.policy import MazePolicy, as_policy
from envs.actions import ACTION_FOR_MOVE, Facing, Move
from envs.dynamics import step
from envs.maze import Cell, Maze, State
from steering.experiments.exact import LevelEvaluator
from steering.experiments.levels import qualifying_levels
from steering.interventions.edits import add
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import find_site
from steering.probes.data import FOLDS, ProbeData, activations, probe_data
from steering.readouts.directions import MAP, MEANS, MOUSE, READOUT, Directions, learn_directions, move_vector
from steering.readouts.written import MOVES, Branch, BranchChain, LevelWriter, branches

SITE = "embedder.block2.res1.resadd"


@pytest.fixture(scope="module")
def learned() -> list[Maze]:
    return qualifying_levels(range(50_000, 60_000), 12)[0]


@pytest.fixture(scope="module")
def found(policy: MazePolicy, learned: list[Maze]) -> Directions:
    data = probe_data(policy, learned, 4, 0)
    return learn_directions(policy, data, find_site(policy.net, SITE), 16.0, "cheese", 0)


@pytest.fixture(scope="module")
def writer(policy: MazePolicy, maze: Maze) -> LevelWriter:
    return LevelWriter(policy, PartialNetwork(policy.net), maze, 4, 0)


def test_branches_are_free_moves_at_junctions_that_the_policy_does_not_make(policy: MazePolicy, maze: Maze) -> None:
    p = LevelEvaluator(policy, maze).clean.probabilities
    every = branches(maze, p, 10_000, 0)
    expected = set()
    for cell in maze.cells:
        near = maze.neighbours(cell)
        for move in Move:
            entered = step(maze, State(cell, Facing.LEFT), move).cell
            chosen = [p[maze.state_index(cell, facing)].argmax() for facing in Facing]
            if len(near) > 2 and entered != cell and move not in chosen and cell not in (maze.cheese, maze.corner):
                expected.add(Branch(cell, move, entered))
    assert set(every) == expected and len(every) == len(expected) > 8
    assert branches(maze, p, 3, 0) == every[:3] and branches(maze, p, 3, 1) != every[:3]


@pytest.mark.parametrize("place", [MOUSE, MAP])
@pytest.mark.parametrize("name", [READOUT, MEANS])
def test_one_case_by_an_intervention_is_that_of_the_batch(
    policy: MazePolicy, maze: Maze, found: Directions, writer: LevelWriter, place: str, name: str
) -> None:
    together = next(writer.written(found, place, found.tensors[place][name][0], [1.5]))
    for k, branch in enumerate(writer.branches[:2]):
        vector = move_vector(found, maze, branch.cell, branch.move, name, place)
        assert vector.norm == pytest.approx(found.norm, rel=1e-4) and vector.site == SITE
        field = LevelEvaluator(policy, maze).fields([add(vector, 1.5)])[0].probabilities
        alone = [field[maze.state_index(branch.cell, facing)] for facing in Facing]
        np.testing.assert_allclose(together[k], alone, atol=1e-5)
        if place == MOUSE:
            assert 0 < (vector.tensor != 0).any(0).sum() <= 9


def lived_out(maze: Maze, clean: np.ndarray, branch: Branch, written: np.ndarray) -> tuple[float, float]:
    """P(entered), P(goes on), by following every course of the mouse, edited at the junction, move by move."""

    def moves(here: State) -> np.ndarray:
        row: np.ndarray = written[here.facing] if here.cell == branch.cell else clean[maze.state_index(*here)]
        return row

    @functools.cache
    def stays_away(here: State, left: int) -> float:
        if here.cell == branch.cell:
            return 0.0
        if left == 0 or here.cell == maze.cheese:
            return 1.0
        return sum(moves(here)[move] * stays_away(step(maze, here, move), left - 1) for move in Move)

    @functools.cache
    def enters(here: State, left: int) -> tuple[float, float]:
        if here.cell == branch.entered:
            return 1.0, stays_away(here, MOVES)
        if here.cell != branch.cell or left == 0:
            return 0.0, 0.0
        parts = [np.multiply(moves(here)[move], enters(step(maze, here, move), left - 1)) for move in Move]
        first, second = np.sum(parts, axis=0)
        return float(first), float(second)

    one, two = np.mean([enters(State(branch.cell, facing), MOVES) for facing in Facing], axis=0)
    return float(one), float(two)


def test_the_chain_is_that_of_following_every_course(maze: Maze) -> None:
    rng = np.random.default_rng(0)
    clean = rng.dirichlet(np.full(5, 0.3), size=len(maze.states))
    every = branches(maze, clean, 10_000, 0)
    beside = [Branch(cell, move, maze.cheese) for cell, move in _next_to(maze, maze.cheese)]
    for branch in (*every[:6], *beside):
        written = rng.dirichlet(np.full(5, 0.3), size=(3, 2))
        found = np.stack(BranchChain(maze, clean, branch).follow(written), axis=1)
        np.testing.assert_allclose(found, [lived_out(maze, clean, branch, each) for each in written], atol=1e-12)


def _next_to(maze: Maze, cell: Cell | None) -> list[tuple[Cell, Move]]:
    return [
        (near, move)
        for near in maze.neighbours(cell or (0, 0))
        for move in Move
        if step(maze, State(near, Facing.LEFT), move).cell == cell
    ]


class Folded(nn.Module):
    """The next move is that of the four sums over the picture which is farthest from its mean.

    At ``beside`` the sums stand, and the distances from the mean that the move is linear in. What follows is made of
    the sums alone. At ``last`` it is made of the distances.
    """

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.sums = nn.Linear(3 * 64 * 64, 4)
        self.both = nn.Linear(4, 8)
        self.fold = nn.ReLU()
        self.beside = nn.Linear(8, 8)
        self.again = nn.Linear(8, 8)
        self.last = nn.ReLU()
        self.read = nn.Linear(8, 15)
        ways = torch.tensor([ACTION_FOR_MOVE[move] for move in (Move.LEFT, Move.RIGHT, Move.UP, Move.DOWN)])
        eye, zero = torch.eye(4), torch.zeros(4, 4)
        away = torch.cat([eye, -eye])
        with torch.no_grad():
            for layer in (self.sums, self.both, self.beside, self.again, self.read):
                layer.bias.zero_()
            self.sums.weight.copy_(torch.randn(self.sums.weight.shape, generator=torch.Generator().manual_seed(2)))
            self.sums.bias.copy_(-self.sums.weight @ mean.flatten())
            self.both.weight.copy_(away)
            self.beside.weight.copy_(torch.cat([away.T, 0.2 * away.abs().T]))
            self.again.weight.copy_(torch.cat([away, torch.cat([zero, zero])], dim=1))
            self.read.weight.zero_()
            self.read.weight[ways] = away.abs().T
            self.read.bias.fill_(-1000.0)
            self.read.bias[ways] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        beside = self.beside(self.fold(self.both(self.sums(self.flatten(x)))))
        logits: Tensor = self.read(self.last(self.again(beside)))
        return logits


@pytest.fixture(scope="module")
def pictures() -> ProbeData:
    """A picture each of many levels, the mouse at its start; next moves are put in by the test."""
    mazes = Maze.from_levels(range(50_000, 50_400))
    cells, number = np.zeros((len(mazes), 2), dtype=int), np.arange(len(mazes))
    return ProbeData(
        frames=np.concatenate([maze.observations([State(maze.mouse, maze.facing)]) for maze in mazes]),
        maze=number,
        fold=number % FOLDS,
        cheese=np.array([maze.outer([maze.cheese or maze.mouse])[0] for maze in mazes]),
        moves={},
        mouse=cells,
        corner=cells,
        around=np.ones((len(mazes), 7, 7), dtype=bool),
        world=25,
    )


@pytest.mark.parametrize(("site", "used"), [("beside", False), ("last", True)])
def test_a_move_is_written_where_what_follows_is_made_of_it_and_nowhere_else(
    pictures: ProbeData, maze: Maze, site: str, used: bool
) -> None:
    folded = as_policy(Folded(torch.from_numpy(pictures.frames.mean(0)).permute(2, 0, 1).float() / 255))
    moves = folded.move_probabilities(pictures.frames).argmax(1)
    data = dataclasses.replace(pictures, moves={"policy": moves})
    length = float(activations(folded, data.frames, site).std(0).norm())
    found = learn_directions(folded, data, find_site(folded.net, site), 4 * length, "policy", 0)
    assert found.right[MAP].sum() > 0.7 * len(moves) > 1.2 * found.chance[MAP].sum()
    writer = LevelWriter(folded, PartialNetwork(folded.net), maze, 16, 0)
    row = writer.row([found], [1.0])
    assert len(writer.branches) > 8
    taken, clean = (each.taken / len(writer.branches) for each in (row.written[site][MAP][READOUT][0], row.clean))
    assert clean < 0.05
    assert taken > 0.99 if used else taken < 0.2
