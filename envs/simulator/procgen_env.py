"""The only importer of procgen, gym and gym3: serialized states in, frames and states out.

Nothing is imported from procgen before it is needed, and the deprecation notice that ``gym``
prints is silenced first. Environments are kept per (mode, size) and reused; every state that
reaches them has been validated by :mod:`envs.simulator.state_bytes`.
"""

from __future__ import annotations

import functools
import operator
import os
import sys
import threading
import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from envs.errors import InputError, nearest, one_line
from envs.simulator import state_bytes
from envs.simulator.state_bytes import MazeState
from envs.simulator.state_layout import MODE_CODE

MAX_SEED = 2**31 - 2
BATCH = 64
_SHARED = SimpleNamespace(lock=threading.RLock())  # held while a shared environment is used
_MADE: weakref.WeakSet[Any] = weakref.WeakSet()


def silence_gym_notice() -> None:
    """Keep ``gym`` from printing its maintenance notice on stderr; call before importing gym."""
    sys.modules.setdefault("gym_notices.notices", None)  # type: ignore[arg-type]


def gym3_env(num: int, mode: str = "hard", **options: Any) -> Any:
    """Return a fresh ``ProcgenGym3Env`` of ``num`` mazes; ``options`` go to procgen.

    Raises :class:`InputError` if procgen or the system library it needs is missing.
    """
    check_mode(mode)
    silence_gym_notice()
    try:
        from procgen import ProcgenGym3Env
    except ImportError as error:
        raise InputError(f"procgen cannot be imported ({error}); run `mazesteer doctor`") from None
    try:
        env = ProcgenGym3Env(num=num, env_name="maze", distribution_mode=mode, **options)
    except OSError as error:
        raise InputError(f"procgen's library cannot be loaded ({one_line(error)}); run `mazesteer doctor`") from None
    # Procgen's threads go on making the first levels after the constructor returns; a state set
    # meanwhile would be painted over on a busy machine. Observing waits for them.
    env.observe()
    _MADE.add(env)
    return env


@functools.lru_cache(maxsize=8)
def _kept(mode: str, num: int, human: bool) -> tuple[Any, bytes]:
    """Return a shared environment of ``num`` mazes, and the state of its first maze as it was made: level 0."""
    options: dict[str, Any] = {"render_mode": "rgb_array"} if human else {}
    env = gym3_env(num, mode, start_level=0, num_levels=1, rand_seed=0, **options)
    return env, env.callmethod("get_state")[0]


def _leave_to_the_parent() -> None:
    """Forget the parent's environments in a forked child: their threads stayed with the parent.

    Waiting for those threads, to observe or to close, would last for ever; the lock may be held by one of them.
    """
    _SHARED.lock = threading.RLock()
    for env in _MADE:
        env.closed = True  # what gym3 looks at before it closes
    _MADE.clear()
    _kept.cache_clear()


os.register_at_fork(after_in_child=_leave_to_the_parent)


def cached_env(mode: str, num: int, human: bool = False) -> Any:
    """Return a shared environment of ``num`` mazes, to be put into a validated state before each use."""
    return _kept(mode, num, human)[0]


@functools.lru_cache(maxsize=4)
def template(mode: str) -> MazeState:
    """Return the start state of level 0, from which other levels are asked for."""
    with _SHARED.lock:
        return state_bytes.decode(_kept(mode, 1, False)[1])


def check_mode(mode: str) -> str:
    """Return procgen's distribution mode ``mode``; raise :class:`InputError` for one without mazes."""
    if mode not in MODE_CODE:
        raise InputError(f"maze mode {mode!r} is not supported; {nearest(mode, MODE_CODE)}")
    return mode


def check_seed(seed: int) -> int:
    """Return ``seed`` as an int if procgen can make that level, else raise :class:`InputError`."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number <= MAX_SEED:
        raise InputError(f"level {seed!r} does not exist; levels are the whole numbers 0 to {MAX_SEED}")
    return number


def level_states(seeds: Sequence[int], mode: str = "hard") -> list[bytes]:
    """Return the serialized start states of the levels ``seeds``, in order.

    A validated template is told to draw its next level from ``seed <= s < seed + 1`` and reset
    by the action -1, which gives the level that ``start_level=seed`` gives, without building an
    environment per level.
    """
    check_mode(mode)
    start = template(mode)
    asked = [state_bytes.encode(start.with_level_seeds(check_seed(s), check_seed(s) + 1)) for s in seeds]
    out: list[bytes] = []
    with _SHARED.lock:
        for chunk, env in _chunks(asked, mode):
            env.callmethod("set_state", chunk)
            env.act(np.full(len(chunk), -1, dtype=np.int32))
            env.observe()
            out += env.callmethod("get_state")
    return out[: len(asked)]


def observe_states(states: Sequence[bytes], *, human: bool = False) -> np.ndarray:
    """Return the frames of serialized states: ``uint8[n, 64, 64, 3]``, or 512x512 where ``human``.

    All states must be of one mode. They are validated one by one; for many states of one level
    :func:`observe_variants` validates once.
    """
    mode = _one_mode([state_bytes.decode(state) for state in states])
    return _observe([bytes(state) for state in states], mode, human)


def observe_variants(state: MazeState, cells: np.ndarray, facings: np.ndarray, *, human: bool = False) -> np.ndarray:
    """Return the frames with the mouse at each outer cell ``int[n, 2]`` and facing ``int[n]``."""
    return _observe(state_bytes.mouse_variants(state, cells, facings, frames_only=True), state.mode, human)


def observe_many(batches: Sequence[tuple[MazeState, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the frames of several (state, cells, facings) of one mode, rendered together, in order."""
    mode = _one_mode([state for state, _, _ in batches])
    encoded = [v for batch in batches for v in state_bytes.mouse_variants(*batch, frames_only=True)]
    return _observe(encoded, mode, False)


def _one_mode(states: Sequence[MazeState]) -> str:
    modes = {state.mode for state in states}
    if len(modes) > 1:
        raise InputError("states of different modes cannot be observed in one call; call once per mode")
    return modes.pop() if modes else "hard"


def _observe(encoded: list[bytes], mode: str, human: bool) -> np.ndarray:
    if not encoded:
        raise InputError("no states to observe")
    frames = []
    with _SHARED.lock:
        for chunk, env in _chunks(encoded, mode, human):
            env.callmethod("set_state", chunk)
            if human:
                frames.append(np.stack([info["rgb"] for info in env.get_info()]))
            else:
                frames.append(np.array(env.observe()[1]["rgb"]))
    return np.concatenate(frames)[: len(encoded)]


def _chunks(states: list[bytes], mode: str, human: bool = False) -> Any:
    """Yield pairs of (chunk, environment of just that size); only the last chunk is padded."""
    start = 0
    while start < len(states):
        left = len(states) - start
        size = next((s for s in (1, 4, 16) if s >= left), 16 if (left < BATCH or human) else BATCH)
        chunk = states[start : start + size]
        start += len(chunk)
        chunk = chunk + [chunk[-1]] * (size - len(chunk))
        yield chunk, cached_env(mode, size, human)
