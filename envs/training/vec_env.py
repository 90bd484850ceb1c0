"""Procgen mazes to train on, as a stable-baselines3 ``VecEnv``; levels and cheese as in :mod:`envs.training.slots`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.actions import N_ACTIONS
from envs.errors import InputError
from envs.maze import Maze, State
from envs.simulator import procgen_env
from envs.training.levels import TRAIN_LEVELS
from envs.training.slots import LevelStream, Slots

procgen_env.silence_gym_notice()  # stable-baselines3 imports gym wherever it finds one

from stable_baselines3.common.vec_env import VecMonitor  # noqa: E402
from stable_baselines3.common.vec_env.base_vec_env import (  # noqa: E402
    VecEnv,
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

_BLOCK = 32


class MazeVecEnv(VecEnv):
    """``n_envs`` procgen mazes for stable-baselines3.

    Observations ``uint8[n, 64, 64, 3]``, 15 actions, reward 10 at the cheese, which ends the
    episode; so does the 500th step. An ended episode is followed by a new level at once; its
    info holds ``terminal_observation`` (the last frame, which procgen itself never shows; on
    success the mouse stands on the cheese's cell and the cheese is gone, as in
    ``MazeGame::game_step``), ``TimeLimit.truncated`` (the time ran out), ``is_success``,
    ``level`` and ``maze_dim``. The same seed and the same actions give the same frames.

    Args:
        n_envs: number of mazes, 1 or more.
        region: side, in cells, of the top-right square where the cheese lies; None: any free cell.
        levels: level seeds ``low <= s < high`` to draw from, all for training or all for evaluation.
        mode: procgen's distribution mode, ``hard`` or ``easy``.
        seed: seed of the sequence of levels and cheese cells.

    Raises:
        InputError: for a bad region, level range, mode or number of environments.
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
        self._slots = Slots(n_envs, mode)
        self._actions = np.zeros(n_envs, dtype=np.int32)
        self._closed = False
        self.render_mode = "rgb_array"
        super().__init__(n_envs, spaces.Box(0, 255, (64, 64, 3), np.uint8), spaces.Discrete(N_ACTIONS))

    @property
    def mazes(self) -> list[Maze]:
        """Return the mazes of the running episodes."""
        return [self._slots.maze(i) for i in range(self.num_envs)]

    @property
    def cells(self) -> np.ndarray:
        """Return each mouse's cell on procgen's whole grid, ``int[n, 2]`` (:meth:`envs.maze.Maze.outer`)."""
        return self._slots.cells.copy()

    @property
    def states(self) -> list[State]:
        """Return each mouse's inner cell and facing."""
        return [self._slots.state(i) for i in range(self.num_envs)]

    def reset(self) -> VecEnvObs:
        """Put a new level into every slot; after :meth:`seed` the sequence starts anew."""
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
        """Return frames ``uint8[n, 64, 64, 3]``, rewards ``float32[n]``, dones ``bool[n]`` and infos."""
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
            self._slots.close()
            self._closed = True

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Return large frames ``uint8[512, 512, 3]`` of all slots."""
        return [self._slots.frame(i, human=True) for i in range(self.num_envs)]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return the attribute of this batch, once for each index."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of this batch; the slots have none of their own."""
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Raise :class:`InputError`: the slots of a batch are not environment objects."""
        raise InputError(f"MazeVecEnv has no method {method_name!r} per environment; its slots are one procgen batch")

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """Return False for each index: no slot is wrapped."""
        return [False for _ in self._get_indices(indices)]


def make_vec_env(n_envs: int, **options: Any) -> VecMonitor:
    """Return :class:`MazeVecEnv` (same options) with episode return and length in ``info["episode"]``."""
    return VecMonitor(MazeVecEnv(n_envs, **options))
