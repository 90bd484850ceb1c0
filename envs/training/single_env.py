"""One procgen maze as a Gymnasium environment, and procgen's own of gym's old interface; no torch is needed."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.actions import N_ACTIONS
from envs.errors import InputError
from envs.simulator import procgen_env
from envs.training.levels import TRAIN_LEVELS
from envs.training.slots import LevelStream, Slots, check_levels


class MazeEnv(gymnasium.Env[np.ndarray, np.integer]):
    """One procgen maze as a Gymnasium environment, registered as ``mazesteer/Maze-v0``.

    Frames ``uint8[64, 64, 3]``, 15 actions. ``terminated`` at the cheese (reward 10),
    ``truncated`` at the 500th step (``MazeGame`` in procgen's ``games/maze.cpp``).
    ``reset(options={"level": 7})`` chooses the level.

    Args:
        region: side, in cells, of the top-right square where the cheese lies; None: any free cell.
        levels: level seeds ``low <= s < high`` to draw from, all for training or all for evaluation.
        mode: procgen's distribution mode, ``hard`` or ``easy``.
        render_mode: ``rgb_array``: :meth:`render` gives ``uint8[512, 512, 3]``; None: it gives None.

    Raises:
        InputError: for a bad region, level range, mode or render mode.
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
        self._slots = Slots(1, mode)
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
        """Act; return frame, reward, terminated (cheese), truncated (time out) and an empty info."""
        if not self._running:
            raise InputError("step: the episode is over or has not begun; call reset first")
        frames, rewards, dones = self._slots.step(np.array([int(action)]))
        self._eaten = bool(rewards[0] > 0)
        self._running = not bool(dones[0])
        # Procgen has already gone on to another level when an episode ends.
        frame = frames[0] if self._running else self._slots.frame(0, eaten=self._eaten)
        return frame, float(rewards[0]), self._eaten, not self._running and not self._eaten, {}

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return the present state as ``uint8[512, 512, 3]``, or None without a render mode."""
        return self._slots.frame(0, eaten=self._eaten, human=True) if self.render_mode else None

    def close(self) -> None:
        """Give procgen's environment back; a second call does nothing."""
        if not self._closed:
            self._slots.close()
            self._closed = True


def make_gym(**options: Any) -> Any:
    """Return ``gym.make("procgen:procgen-maze-v0", **options)`` without gym's notice on stderr.

    Procgen's own environment, of gym's old interface (``reset`` gives a frame, ``step`` four
    values). Gym's checker is off by default: it knows only the new interface and asks NumPy 2
    for names that are gone.
    """
    procgen_env.silence_gym_notice()
    import gym

    return gym.make("procgen:procgen-maze-v0", **{"disable_env_checker": True, **options})
