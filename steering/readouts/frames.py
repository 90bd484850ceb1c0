"""Frames that readouts learn from and are asked about: states and cheeses drawn, what is open, next moves.

Frames are cheap, mazes of one's own are what teaches: 16 states of each maze, each with a cheese of its own, drawn as
those of the probes are (:mod:`steering.probes.data`). Mazes learned from are none of those asked about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csgraph

from agents.networks.policy import Policy, move_probabilities, to_input
from envs.actions import MOVE_OF_STEP
from envs.chain import REGION
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from envs.simulator.state_layout import WALL
from envs.training.levels import EVAL_LEVELS
from steering.experiments.levels import BLOCK, skip_reason
from steering.interventions.hooks import HookedPolicy
from steering.planning.pairs import Goal, Kind, Pair, drawn_pairs, frames_of
from steering.probes.summary import APART
from steering.records.probes import QUESTIONS
from steering.records.readouts import POLICY, Told
from steering.statistics.seeding import generator

GOALS = ("cheese", "corner")
PICTURE = (64, 64, 3)
TOLD = (*GOALS, POLICY)  # whose next move a readout tells
BATCH = 64  # frames in one run: quicker than more


@dataclass(frozen=True)
class Frames:
    """``n`` frames of ``m`` mazes, with what there is to know of them. Cells are those of procgen's whole grid."""

    pictures: np.ndarray
    """``uint8[n, 64, 64, 3]``."""
    grids: np.ndarray
    """``bool[m, world, world]``: which cells are open, ``[y, x]`` from the lower left."""
    maze: np.ndarray
    """``int[n]``: which of ``grids``."""
    mouse: np.ndarray
    """``int[n, 2]``: the mouse's cell, (x, y)."""
    goals: Mapping[str, np.ndarray]
    """``int[n, 2]`` each: cells of the ``cheese`` and of the top-right ``corner``."""
    moves: Mapping[str, np.ndarray]
    """``int[n]`` each: first move of the shortest way to each of :data:`GOALS`."""

    @property
    def world(self) -> int:
        """Return the side of procgen's grid, in cells."""
        return int(self.grids.shape[1])

    @property
    def apart(self) -> np.ndarray:
        """Return the frames in which the two goals ask for different moves: ``bool[n]``."""
        return np.asarray(self.moves["cheese"] != self.moves["corner"])

    def part(self, rows: slice) -> Frames:
        """Return some of the frames."""
        return dataclasses.replace(
            self,
            pictures=self.pictures[rows],
            maze=self.maze[rows],
            mouse=self.mouse[rows],
            goals={goal: cells[rows] for goal, cells in self.goals.items()},
            moves={goal: moves[rows] for goal, moves in self.moves.items()},
        )

    def around(self, radius: int) -> np.ndarray:
        """Return which cells are open up to ``radius`` rows and columns from the mouse: ``bool[n, side, side]``.

        ``[row, column]`` from the lower left; cells beyond the grid are closed.
        """
        padded = np.pad(self.grids, ((0, 0), (radius, radius), (radius, radius)))
        reach = np.arange(2 * radius + 1)
        x, y = self.mouse.T
        return padded[self.maze[:, None, None], (y[:, None] + reach)[:, :, None], (x[:, None] + reach)[:, None, :]]


def joined(parts: Iterable[Frames]) -> Frames:
    """Return frames without their pictures, one part after the other; all of one mode and with the same goals."""
    found = list(parts)
    first = np.cumsum([0, *(len(part.grids) for part in found)])
    return Frames(
        pictures=np.zeros((0, *PICTURE), dtype=np.uint8),
        grids=np.concatenate([part.grids for part in found]),
        maze=np.concatenate([part.maze + start for part, start in zip(found, first, strict=False)]),
        mouse=np.concatenate([part.mouse for part in found]),
        goals={goal: np.concatenate([part.goals[goal] for part in found]) for goal in found[0].goals},
        moves={goal: np.concatenate([part.moves[goal] for part in found]) for goal in found[0].moves},
    )


def drawn_frames(mazes: Sequence[Maze], states: int, seed: int, what: str, *, pictures: bool = True) -> Frames:
    """Return ``states`` frames of each maze (fewer, if it has fewer), drawn by (seed, level, what).

    The mouse stands neither on its goal nor in the corner; the cheese lies on a cell with which the level qualifies.

    Args:
        mazes: levels that qualify for a sweep, of one mode.
        states: frames of each.
        seed: of the drawing.
        what: the frames are for.
        pictures: whether they are made; readers without a network need none.
    """
    shown: list[tuple[Maze, State]] = []
    owner: list[int] = []
    moves: dict[str, list[int]] = {goal: [] for goal in GOALS}
    for number, maze in enumerate(mazes):
        rng = generator(seed, maze.level or 0, what, 0)
        steps, before = csgraph.dijkstra(maze.graph, unweighted=True, return_predecessors=True)
        corner, fits = maze.index[maze.corner], np.flatnonzero(_qualifying(maze, steps))
        free = [state for state in maze.states if state.cell != maze.corner]
        for index in rng.permutation(len(free))[:states]:
            state = free[index]
            here = maze.index[state.cell]
            cheeses = fits[fits != here]
            if not len(cheeses):
                continue
            cheese = int(rng.choice(cheeses))
            shown.append((maze.with_cheese(maze.cells[cheese]), state))
            owner.append(number)
            for goal, end in (("cheese", cheese), ("corner", corner)):
                moves[goal].append(_move(state.cell, maze.cells[before[end, here]]))
    return Frames(
        pictures=frames_of(shown) if pictures else np.zeros((0, *PICTURE), dtype=np.uint8),
        grids=np.stack([open_cells(maze) for maze in mazes]),
        maze=np.array(owner),
        mouse=_cells((maze, state.cell) for maze, state in shown),
        goals={
            "cheese": _cells((maze, maze.cheese or maze.corner) for maze, _ in shown),
            "corner": _cells((maze, maze.corner) for maze, _ in shown),
        },
        moves={goal: np.array(found) for goal, found in moves.items()},
    )


def _qualifying(maze: Maze, steps: np.ndarray) -> np.ndarray:
    """Return the cells with a cheese on which the level qualifies, ``bool[cells]``; ``steps``: all path lengths.

    In a maze without loops there is a decision square if neither goal lies on the way to the other.
    """
    start, corner = maze.index[maze.mouse], maze.index[maze.corner]
    on_way_to_corner = steps[start] + steps[:, corner] == steps[start, corner]
    behind_corner = steps[start, corner] + steps[corner] == steps[start]
    near = np.array([cell in maze.region(REGION) for cell in maze.cells])
    return np.asarray(~on_way_to_corner & ~behind_corner & ~near & np.isfinite(steps[start]))


def _move(cell: Cell, neighbour: Cell) -> int:
    return int(MOVE_OF_STEP[(neighbour[0] - cell[0], neighbour[1] - cell[1])])


def _cells(placed: Iterable[tuple[Maze, Cell]]) -> np.ndarray:
    return np.array([maze.outer([cell])[0] for maze, cell in placed]).reshape(-1, 2)


def open_cells(maze: Maze) -> np.ndarray:
    """Return which cells of procgen's whole grid are open, ``bool[world, world]``, ``[y, x]``."""
    return np.asarray(maze.state.grid != WALL)


def pair_frames(pairs: Sequence[Pair], goal: str) -> Frames:
    """Return the frames of pairs to one goal: level and twin of the first, of the second, and so on."""
    shown = [(maze, pair.state) for pair in pairs for maze in (pair.level, pair.twin)]
    ends = _cells((pair.level, pair.goal) for pair in pairs for _ in pair.moves)
    return Frames(
        pictures=frames_of(shown),
        grids=np.stack([open_cells(maze) for maze, _ in shown]),
        maze=np.arange(len(shown)),
        mouse=_cells((maze, state.cell) for maze, state in shown),
        goals={goal: ends},
        moves={goal: np.array([int(move) for pair in pairs for move in pair.moves])},
    )


def mazes_to_learn_from(asked: Sequence[Maze], seed: int) -> Iterator[Maze]:
    """Yield levels that qualify, drawn by ``seed``, all of other walls, and none of those of a maze ``asked`` about.

    Raises:
        InputError: where so many different mazes cannot be found.
    """
    rng = generator(seed, 0, "mazes learned from", 0)
    taken = {maze.walls for maze in asked}
    order = rng.permutation(np.arange(*EVAL_LEVELS))
    found = 0
    for start in range(0, len(order), BLOCK):
        for maze in Maze.from_levels(order[start : start + BLOCK].tolist(), asked[0].mode):
            if maze.walls not in taken and skip_reason(maze) is None:
                taken.add(maze.walls)
                found += 1
                yield maze
    raise InputError(f"only {found} different {asked[0].mode} mazes to learn from were found; take fewer --frames")


@dataclass(frozen=True)
class Asked:
    """What is asked of every readout and reader: frames, and pairs to each goal, of the run's levels."""

    frames: Frames
    """Frames of the levels."""
    policy: np.ndarray
    """``int[n]``: the policy's most likely move in each frame."""
    pairs: Mapping[str, Sequence[Pair]]
    """Detour pairs, by goal."""
    owner: Mapping[str, np.ndarray]
    """``int[p]``: the level of each pair, counted from 0, by goal."""
    pair_frames: Mapping[str, Frames]
    """Level and twin of each pair, by goal that has any."""
    mazes: int
    """Number of levels."""

    def score(self, told: Mapping[str, np.ndarray], on_pairs: Mapping[str, np.ndarray]) -> list[Told]:
        """Return how often moves are right, level by level.

        Args:
            told: moves ``int[n]`` or their probabilities ``float[n, 5]`` for the frames, by whose move.
            on_pairs: the same for ``pair_frames``, by goal.
        """
        right = {}
        for name, (whose, frames, labels) in self.questions().items():
            if whose in told:
                right[name] = self._by_level(_chance(told[whose], labels) * frames, self.frames.maze)
        follows: dict[str, np.ndarray] = {}
        swapped: dict[str, np.ndarray] = {}
        for goal, moves in on_pairs.items():
            own = self.pair_frames[goal].moves[goal].reshape(-1, 2)
            for found, labels in ((follows, own), (swapped, own[:, ::-1])):
                both = _chance(moves, labels.reshape(-1)).reshape(-1, 2).prod(axis=1)
                found[goal] = self._by_level(both, self.owner[goal])
        return [
            Told(*({name: float(sums[k]) for name, sums in part.items()} for part in (right, follows, swapped)))
            for k in range(self.mazes)
        ]

    def questions(self) -> dict[str, tuple[str, np.ndarray, np.ndarray]]:
        """Return, by question, whose move it is, in which frames it is asked, and the right moves."""
        every = np.ones(len(self.frames.mouse), dtype=bool)
        moves = {**self.frames.moves, POLICY: self.policy}
        asked = {name: (name, every, moves.get(name, self.policy)) for name in QUESTIONS}
        return {**asked, APART: ("cheese", self.frames.apart, moves["cheese"])}

    def counts(self) -> list[Told]:
        """Return how many frames and pairs each question is asked about, level by level."""
        frames = {name: self._by_level(kept, self.frames.maze) for name, (_, kept, _) in self.questions().items()}
        pairs = {goal: self._by_level(np.ones(len(owner)), owner) for goal, owner in self.owner.items()}
        return [
            Told(*({name: float(sums[k]) for name, sums in part.items()} for part in (frames, pairs, pairs)))
            for k in range(self.mazes)
        ]

    def _by_level(self, values: np.ndarray, owner: np.ndarray) -> np.ndarray:
        return np.bincount(owner, np.asarray(values, dtype=float), minlength=self.mazes)


def _chance(told: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the probability of the right move: 0 or 1 where one move is told."""
    if told.ndim == 1:
        return np.asarray(told == labels, dtype=float)
    return np.asarray(told[np.arange(len(told)), labels])


def asked_of(policy: Policy, mazes: Sequence[Maze], states: int, pairs: int, distance: int, seed: int) -> Asked:
    """Return what is asked, drawn by (seed, level)."""
    frames = drawn_frames(mazes, states, seed, "frames asked of readouts")
    found: dict[str, list[Pair]] = {}
    owner: dict[str, np.ndarray] = {}
    for goal in Goal:
        each = [drawn_pairs(maze, Kind.DETOUR, goal, pairs, seed, distance) for maze in mazes]
        if any(each):
            found[goal.value] = [pair for part in each for pair in part]
            owner[goal.value] = np.repeat(np.arange(len(mazes)), [len(part) for part in each])
    return Asked(
        frames=frames,
        policy=_policy_moves(policy, frames.pictures),
        pairs=found,
        owner=owner,
        pair_frames={goal: pair_frames(part, goal) for goal, part in found.items()},
        mazes=len(mazes),
    )


def _policy_moves(policy: Policy, pictures: np.ndarray) -> np.ndarray:
    hooked = HookedPolicy(policy.net)
    parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    return np.concatenate([move_probabilities(hooked.run(to_input(part))[0]).numpy().argmax(1) for part in parts])


def agent_told(policy: Policy, asked: Asked) -> list[Told]:
    """Return how often the policy's own most likely move is right."""
    on_pairs = {goal: _policy_moves(policy, frames.pictures) for goal, frames in asked.pair_frames.items()}
    return asked.score(dict.fromkeys(TOLD, asked.policy), on_pairs)
