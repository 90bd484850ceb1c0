"""A batch of procgen mazes whose levels and cheese cells are drawn here, from a seeded generator.

Procgen's own level draw is not used: each episode starts from a validated level state whose cheese has been placed by
the region rule, handed to its one slot of the batch, so the other slots keep their step counters and generators.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from envs.actions import MOVE_OF_ACTION, N_ACTIONS, STEP_OF_MOVE, Move
from envs.errors import InputError
from envs.maze import Maze, State
from envs.simulator import procgen_env, state_bytes
from envs.simulator.state_layout import WALL, WORLD_DIM
from envs.training.levels import EVAL_LEVELS, TRAIN_LEVELS, place_cheese

_STEP = np.array([STEP_OF_MOVE[move] for move in MOVE_OF_ACTION])
_FACES = np.array([{Move.LEFT: 0, Move.RIGHT: 1}.get(move, -1) for move in MOVE_OF_ACTION])


def check_levels(levels: tuple[int, int]) -> tuple[int, int]:
    """Return ``(low, high)``, level seeds ``low <= s < high``, if all are of one kind.

    Raises :class:`InputError` unless the range is not empty and lies within the training levels
    or within the evaluation levels: a mixture would let training see what is evaluated on.
    """
    low, high = (operator.index(bound) for bound in levels)
    if low >= high:
        raise InputError(f"levels {low}:{high} is empty; give low < high")
    for first, end in (TRAIN_LEVELS, EVAL_LEVELS):
        if first <= low and high <= end:
            return low, high
    (train, train_end), (test, test_end) = TRAIN_LEVELS, EVAL_LEVELS
    raise InputError(
        f"levels {low}:{high} reach beyond the training levels {train}:{train_end} and the evaluation levels "
        f"{test}:{test_end}; choose a range inside one of them"
    )


class LevelStream:
    """Mazes of random levels with the cheese placed by the region rule, one after another.

    Level seeds are uniform over ``levels``; the cheese is uniform over the free cells of the
    top-right ``region`` x ``region`` square, or over all free cells (None). ``block`` levels
    are made at a time, which costs less per level.
    """

    def __init__(
        self, levels: tuple[int, int], region: int | None, mode: str, rng: np.random.Generator, block: int = 1
    ) -> None:
        if region is not None and operator.index(region) < 1:
            raise InputError(f"cheese region {region} must be at least 1, or None for anywhere")
        self.levels = check_levels(levels)
        self.region = region
        self.mode = mode
        self.rng = rng
        self._block = block
        self._ready: list[Maze] = []

    def next(self) -> Maze:
        """Return the next maze; the sequence is a function of the generator's state alone."""
        if not self._ready:
            seeds = self.rng.integers(*self.levels, size=self._block).tolist()
            made = Maze.from_levels(seeds, self.mode)
            self._ready = [place_cheese(maze, self.region, self.rng) for maze in reversed(made)]
        return self._ready.pop()

    def take(self, level: int) -> Maze:
        """Return the level of seed ``level``, the cheese drawn as always."""
        return place_cheese(Maze.from_level(level, self.mode), self.region, self.rng)


class Slots:
    """``n`` procgen mazes stepped as one batch, with each mouse's cell (``cells``, ``int[n, 2]``) and facing known."""

    def __init__(self, n: int, mode: str) -> None:
        if n < 1:
            raise InputError(f"the number of environments is {n}, must be at least 1")
        self.n = n
        self._env = procgen_env.gym3_env(n, mode, start_level=0, num_levels=1, rand_seed=0)
        world = WORLD_DIM[mode]
        # One more ring of wall, so that a step out of the world is a step into a wall.
        self._free = np.zeros((n, world + 2, world + 2), dtype=bool)
        self.cells = np.zeros((n, 2), dtype=int)
        self._facings = np.zeros(n, dtype=int)
        self._mazes: list[Maze | None] = [None] * n

    @property
    def env(self) -> Any:
        """Return procgen's environment; raise :class:`InputError` for one that is closed or was made before a fork."""
        if self._env.closed:
            raise InputError("this environment is closed, or was made before a fork; make one in this process")
        return self._env

    def close(self) -> None:
        """Close procgen's environment; once more is no fault."""
        self._env.close()

    def maze(self, i: int) -> Maze:
        """Return the maze that slot ``i`` started its episode in."""
        maze = self._mazes[i]
        assert maze is not None
        return maze

    def load(self, i: int, maze: Maze) -> None:
        """Begin an episode of ``maze`` in slot ``i``; no other slot is touched."""
        data = state_bytes.encode(maze.state)
        # gym3's callmethod("set_state") would write all n states; this is its loop body for one.
        self.env.call_c_func("set_state", i, data, len(data))
        self._mazes[i] = maze
        self._free[i, 1:-1, 1:-1] = maze.state.grid != WALL
        self.cells[i] = maze.state.mouse
        self._facings[i] = int(maze.state.facing)

    def observe(self) -> np.ndarray:
        """Return procgen's present frames, ``uint8[n, 64, 64, 3]``."""
        return self.env.observe()[1]["rgb"]

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Act; return frames ``uint8[n, 64, 64, 3]``, rewards ``float32[n]`` and dones ``bool[n]``.

        A slot that is done shows a level of procgen's own choice until it is loaded.
        """
        if not ((actions >= 0) & (actions < N_ACTIONS)).all():
            raise InputError(f"actions must be 0 to {N_ACTIONS - 1}, found {actions.min()} to {actions.max()}")
        self.env.act(actions)
        rewards, observations, first = self.env.observe()
        target = self.cells + _STEP[actions]
        free = self._free[np.arange(self.n), target[:, 1] + 1, target[:, 0] + 1]
        self.cells = np.where(free[:, None], target, self.cells)
        faces = _FACES[actions]
        self._facings = np.where(faces >= 0, faces, self._facings)
        return observations["rgb"], rewards, first.astype(bool)

    def frame(self, i: int, *, eaten: bool = False, human: bool = False) -> np.ndarray:
        """Return the frame of slot ``i`` as followed, the cheese gone if ``eaten``; ``uint8[h, w, 3]``."""
        state = self.maze(i).state
        if eaten:
            state = state.with_cheese(None)
        return procgen_env.observe_variants(state, self.cells[i : i + 1], self._facings[i : i + 1], human=human)[0]

    def state(self, i: int) -> State:
        """Return the inner cell and facing of the mouse in slot ``i``."""
        maze = self.maze(i)
        x, y = self.cells[i] - maze.state.margin
        return State((int(x), int(y)), type(maze.facing)(int(self._facings[i])))
