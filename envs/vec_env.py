"""Procgen mazes to train on: a stable-baselines3 ``VecEnv`` and a single Gymnasium environment.

Both step real procgen. Levels and cheese cells are drawn here, from a seeded generator, rather
than by procgen's own level draw: each episode starts from a validated level state whose cheese
has been placed by the region rule, handed to its one slot of the batch, so the other slots keep
their step counters and generators.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs import procgen_env, state_bytes
from envs.actions import MOVE_OF_ACTION, N_ACTIONS, STEP_OF_MOVE, Move
from envs.errors import InputError
from envs.levels import EVAL_LEVELS, TRAIN_LEVELS, place_cheese
from envs.maze import Maze, State
from envs.register import register_envs
from envs.state_layout import WALL, WORLD_DIM

procgen_env.silence_gym_notice()  # stable-baselines3 imports gym wherever it finds one

from stable_baselines3.common.vec_env import VecMonitor  # noqa: E402
from stable_baselines3.common.vec_env.base_vec_env import (  # noqa: E402
    VecEnv,
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

__all__ = ["LevelStream", "MazeEnv", "MazeVecEnv", "check_levels", "make_gym", "make_vec_env", "register_envs"]

CHEESE_REWARD = 10.0
TIMEOUT = 500
_BLOCK = 32
_STEP = np.array([STEP_OF_MOVE[move] for move in MOVE_OF_ACTION])
_FACES = np.array([{Move.LEFT: 0, Move.RIGHT: 1}.get(move, -1) for move in MOVE_OF_ACTION])


def check_levels(levels: tuple[int, int]) -> tuple[int, int]:
    """``(low, high)``, level seeds ``low <= s < high``, if all are of one kind.

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
        f"levels {low}:{high} lie neither within the training levels {train}:{train_end} "
        f"nor within the evaluation levels {test}:{test_end}; choose a range inside one of them"
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
        """The next maze; the sequence is a function of the generator's state alone."""
        if not self._ready:
            seeds = self.rng.integers(*self.levels, size=self._block).tolist()
            made = Maze.from_levels(seeds, self.mode)
            self._ready = [place_cheese(maze, self.region, self.rng) for maze in reversed(made)]
        return self._ready.pop()

    def take(self, level: int) -> Maze:
        """The level of seed ``level``, the cheese drawn as always."""
        return place_cheese(Maze.from_level(level, self.mode), self.region, self.rng)


class _Slots:
    """``n`` procgen mazes stepped as one batch, with each mouse's cell (``cells``, ``int[n, 2]``) and facing known."""

    def __init__(self, n: int, mode: str) -> None:
        if n < 1:
            raise InputError(f"the number of environments is {n}, must be at least 1")
        self.n = n
        self.env = procgen_env.gym3_env(n, mode, start_level=0, num_levels=1, rand_seed=0)
        world = WORLD_DIM[mode]
        # One more ring of wall, so that a step out of the world is a step into a wall.
        self._free = np.zeros((n, world + 2, world + 2), dtype=bool)
        self.cells = np.zeros((n, 2), dtype=int)
        self._facings = np.zeros(n, dtype=int)
        self._mazes: list[Maze | None] = [None] * n

    def maze(self, i: int) -> Maze:
        """The maze that slot ``i`` started its episode in."""
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
        """Procgen's present frames, ``uint8[n, 64, 64, 3]``."""
        return self.env.observe()[1]["rgb"]

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Act; frames, rewards ``float32[n]`` and dones ``bool[n]``.

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
        """The frame of slot ``i`` as followed, the cheese gone if ``eaten``; ``uint8[h, w, 3]``."""
        state = self.maze(i).state
        if eaten:
            state = state.with_cheese(None)
        return procgen_env.observe_variants(state, self.cells[i : i + 1], self._facings[i : i + 1], human=human)[0]

    def state(self, i: int) -> State:
        """Inner cell and facing of the mouse in slot ``i``."""
        maze = self.maze(i)
        x, y = self.cells[i] - maze.state.margin
        return State((int(x), int(y)), type(maze.facing)(int(self._facings[i])))


class MazeVecEnv(VecEnv):
    """``n_envs`` procgen mazes for stable-baselines3.

    Observations ``uint8[n, 64, 64, 3]``, 15 actions, reward 10 at the cheese, which ends the
    episode; so does the 500th step. An ended episode is followed by a new level at once; its
    info holds ``terminal_observation`` (the last frame, which procgen itself never shows; on
    success the mouse stands on the cheese's cell and the cheese is gone, as in
    ``MazeGame::game_step``), ``TimeLimit.truncated`` (the time ran out), ``is_success``,
    ``level`` and ``maze_dim``. The same seed and the same actions give the same frames.

    Raises :class:`InputError` for a bad region, level range, mode or number of environments.
    """

    def __init__(
        self,
        n_envs: int,
        *,
        region: int | None = None,
        levels: tuple[int, int] = TRAIN_LEVELS,
        mode: str = "hard",
        seed: int = 0,
    ) -> None:
        self._stream = LevelStream(levels, region, mode, np.random.default_rng(seed), _BLOCK)
        self._slots = _Slots(n_envs, mode)
        self._actions = np.zeros(n_envs, dtype=np.int32)
        self._closed = False
        self.render_mode = "rgb_array"
        super().__init__(n_envs, spaces.Box(0, 255, (64, 64, 3), np.uint8), spaces.Discrete(N_ACTIONS))

    @property
    def mazes(self) -> list[Maze]:
        """The mazes of the running episodes."""
        return [self._slots.maze(i) for i in range(self.num_envs)]

    @property
    def cells(self) -> np.ndarray:
        """Where each mouse stands on procgen's whole grid, ``int[n, 2]`` (:meth:`envs.maze.Maze.outer`)."""
        return self._slots.cells.copy()

    @property
    def states(self) -> list[State]:
        """Where each mouse stands and looks."""
        return [self._slots.state(i) for i in range(self.num_envs)]

    def reset(self) -> VecEnvObs:
        """A new level in every slot; after :meth:`seed` the sequence starts anew."""
        if self._seeds[0] is not None:
            old = self._stream
            self._stream = LevelStream(old.levels, old.region, old.mode, np.random.default_rng(self._seeds[0]), _BLOCK)
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = [{} for _ in range(self.num_envs)]
        for i in range(self.num_envs):
            self._slots.load(i, self._stream.next())
        return self._slots.observe()

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions ``int[n]`` of the next :meth:`step_wait`."""
        self._actions = np.asarray(actions).reshape(self.num_envs)

    def step_wait(self) -> VecEnvStepReturn:
        """Frames, rewards ``float32[n]``, dones ``bool[n]`` and infos."""
        slots = self._slots
        frames, rewards, dones = slots.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(dones).tolist():
            maze, success = slots.maze(i), bool(rewards[i] > 0)
            infos[i] = {
                "terminal_observation": slots.frame(i, eaten=success),
                "TimeLimit.truncated": not success,
                "is_success": success,
                "level": maze.level,
                "maze_dim": maze.dim,
            }
            slots.load(i, self._stream.next())
        return slots.observe() if dones.any() else frames, rewards, dones, infos

    def renew(self, slots: Sequence[int]) -> np.ndarray:
        """Give up the episodes of ``slots`` for new levels, without a done; all frames ``uint8[n, 64, 64, 3]``."""
        for i in slots:
            self._slots.load(i, self._stream.next())
        return self._slots.observe()

    def close(self) -> None:
        """Give procgen's environment back; a second call does nothing."""
        if not self._closed:
            self._slots.env.close()
            self._closed = True

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Large frames ``uint8[512, 512, 3]`` of all slots."""
        return [self._slots.frame(i, human=True) for i in range(self.num_envs)]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute of this batch, once for each index."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of this batch; the slots have none of their own."""
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Not available: the slots of a batch are not environment objects."""
        raise InputError(f"MazeVecEnv has no method {method_name!r} per environment; its slots are one procgen batch")

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """No slot is wrapped."""
        return [False for _ in self._get_indices(indices)]


def make_vec_env(n_envs: int, **options: Any) -> VecMonitor:
    """:class:`MazeVecEnv` (same options) with episode return and length in ``info["episode"]``."""
    return VecMonitor(MazeVecEnv(n_envs, **options))


class MazeEnv(gymnasium.Env[np.ndarray, np.integer]):
    """One procgen maze as a Gymnasium environment, registered as ``mazesteer/Maze-v0``.

    Frames ``uint8[64, 64, 3]``, 15 actions. ``terminated`` at the cheese (reward 10),
    ``truncated`` at the 500th step. ``reset(options={"level": 7})`` chooses the level. With
    ``render_mode="rgb_array"``, :meth:`render` gives ``uint8[512, 512, 3]``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012  (as Env declares it)

    def __init__(
        self,
        region: int | None = None,
        levels: tuple[int, int] = TRAIN_LEVELS,
        mode: str = "hard",
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise InputError(f"render mode {render_mode!r} is not supported; use 'rgb_array' or None")
        self._options = (check_levels(levels), region, mode)
        LevelStream(*self._options, self.np_random)
        self._slots = _Slots(1, mode)
        self._running = self._eaten = self._closed = False
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 255, (64, 64, 3), np.uint8)
        self.action_space = spaces.Discrete(N_ACTIONS)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a random level of the range, or the level ``options["level"]``."""
        super().reset(seed=seed)
        unknown = sorted(set(options or {}) - {"level"})
        if unknown:
            raise InputError(f"reset: unknown option {unknown[0]!r}; known: level")
        stream = LevelStream(*self._options, self.np_random)
        maze = stream.take(options["level"]) if options else stream.next()
        self._slots.load(0, maze)
        self._running, self._eaten = True, False
        return self._slots.observe()[0], {"level": maze.level, "maze_dim": maze.dim}

    def step(self, action: np.integer | int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Frame, reward, terminated (cheese), truncated (time out) and an empty info."""
        if not self._running:
            raise InputError("step: the episode is over or has not begun; call reset first")
        frames, rewards, dones = self._slots.step(np.array([int(action)]))
        self._eaten = bool(rewards[0] > 0)
        self._running = not bool(dones[0])
        # Procgen has already gone on to another level when an episode ends.
        frame = frames[0] if self._running else self._slots.frame(0, eaten=self._eaten)
        return frame, float(rewards[0]), self._eaten, not self._running and not self._eaten, {}

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The present state as ``uint8[512, 512, 3]``, or None without a render mode."""
        return self._slots.frame(0, eaten=self._eaten, human=True) if self.render_mode else None

    def close(self) -> None:
        """Give procgen's environment back; a second call does nothing."""
        if not self._closed:
            self._slots.env.close()
            self._closed = True


def make_gym(**options: Any) -> Any:
    """``gym.make("procgen:procgen-maze-v0", **options)`` without gym's notice on stderr.

    Procgen's own environment, of gym's old interface (``reset`` gives a frame, ``step`` four
    values). Gym's checker is off by default: it knows only the new interface and asks NumPy 2
    for names that are gone.
    """
    procgen_env.silence_gym_notice()
    import gym

    return gym.make("procgen:procgen-maze-v0", **{"disable_env_checker": True, **options})
