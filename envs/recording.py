"""Recorded rollouts: the maze they are of, and whether procgen plays them again alike."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from msgspec import UnsetType

from envs.actions import ACTION_FOR_MOVE, Facing
from envs.dynamics import step
from envs.errors import InputError, one_line
from envs.maze import Maze, State
from envs.simulator import procgen_env, state_bytes
from envs.simulator.state_layout import MAX_BYTES
from envs.trajectory import Trajectory


def state_in(maze: Maze, data: bytes) -> State:
    """Return the inner cell and facing of the mouse in a serialized procgen state."""
    state = state_bytes.decode(data)
    x, y = state.mouse
    return State((x - state.margin, y - state.margin), Facing(state.facing))


def pack_state(maze: Maze) -> str:
    """Return the text that :func:`unpack_state` rebuilds the maze from without procgen."""
    return base64.b85encode(zlib.compress(state_bytes.encode(maze.state), 9)).decode()


def unpack_state(text: str, *, level: int | None = None) -> Maze:
    """Return the maze in the text of :func:`pack_state`.

    Args:
        text: the packed state.
        level: procgen's seed of the maze; None for a maze of one's own.

    Raises:
        InputError: for other text.
    """
    try:
        data = zlib.decompressobj().decompress(base64.b85decode(text), MAX_BYTES + 1)
        return Maze.from_state(data, level=level)
    except (InputError, ValueError, zlib.error) as error:
        raise InputError(f"packed procgen state: no maze can be made of it ({one_line(error)})") from None


def place_of(maze: Maze) -> dict[str, Any]:
    """Return the JSON that :func:`recorded_maze` rebuilds the maze from: its level, and the state where it is another.

    A maze of one's own has no level; one made of a level may have a corridor more, another look, or another start.
    """
    place: dict[str, Any] = {"level": maze.level, "mode": maze.mode}
    place["cheese"] = None if maze.cheese is None else list(maze.cheese)
    if maze.level is None or not _as_procgen_makes_it(maze):
        place["state"] = pack_state(maze)
    return place


def _as_procgen_makes_it(maze: Maze) -> bool:
    """Return whether the maze is the level of its seed, but perhaps for the cheese."""
    assert maze.level is not None
    level = Maze.from_level(maze.level, maze.mode)
    return maze.without_cheese() == level.without_cheese()


def recorded_maze(track: Trajectory) -> Maze:
    """Return the maze a trajectory was recorded in.

    Records of earlier versions name the level alone: they are taken to be of ``hard`` mode, with the
    cheese where the level has it, unless their condition is ``no_cheese``.

    Args:
        track: the recorded rollout.

    Returns:
        The maze, its cheese where it was, or without it.

    Raises:
        InputError: the record does not say which maze it is.

    Example:
        >>> policy, maze = as_policy(ImpalaPolicyNet(1)), Maze.from_level(26)
        >>> (track,) = rollouts(policy, maze.with_cheese((6, 0)), episodes=1, seed=0, horizon=2)
        >>> recorded_maze(track).cheese
        (6, 0)
    """
    facts = track.facts
    try:
        if facts.level is None or facts.state:
            maze = unpack_state(facts.state, level=facts.level)
        else:
            maze = Maze.from_level(facts.level, facts.mode)
    except InputError as error:
        raise InputError(f"recorded trajectory: no maze can be made of its record ({error})") from None
    if isinstance(facts.cheese, UnsetType):
        return maze.without_cheese() if facts.condition == "no_cheese" else maze
    if facts.cheese is None:
        return maze.without_cheese()
    return maze if facts.cheese == maze.cheese else maze.with_cheese(facts.cheese)


def replay(track: Trajectory) -> Maze:
    """Make the recorded moves again in real procgen.

    Args:
        track: the recorded rollout.

    Returns:
        The maze, if every state and the end of the episode were as recorded.

    Raises:
        InputError: at the first state that is not the recorded one, for another end of the episode, and for a record
            without moves.

    Example:
        >>> (track,) = rollouts(as_policy(ImpalaPolicyNet(1)), Maze.from_level(26), episodes=1, seed=0, horizon=2)
        >>> replay(track) == Maze.from_level(26)
        True
    """
    if not track.moves:
        raise InputError("recorded trajectory: it has no moves, so there is nothing to replay")
    maze = recorded_maze(track)
    if track.states[0] != (maze.mouse, maze.facing):
        raise InputError(
            f"recorded trajectory: it starts at {_words(track.states[0])}, "
            f"the level at {_words(State(maze.mouse, maze.facing))}"
        )
    last = len(track.moves) - 1
    env = procgen_env.gym3_env(1, maze.mode, start_level=0, num_levels=1, rand_seed=0)
    try:
        env.callmethod("set_state", [state_bytes.encode(maze.state)])
        for t, move in enumerate(track.moves):
            env.act(np.array([ACTION_FOR_MOVE[move]], dtype=np.int32))
            ended = bool(env.observe()[2][0])
            # Procgen goes on to another level at once, so the last state of an episode cannot be read.
            found = step(maze, track.states[t], move) if ended else state_in(maze, env.callmethod("get_state")[0])
            if found != track.states[t + 1]:
                raise InputError(
                    f"recorded trajectory: after move {t + 1} ({move.label}) procgen is at "
                    f"{_words(found)}, the record says {_words(track.states[t + 1])}"
                )
            if ended and t < last:
                raise InputError(f"recorded trajectory: procgen ends the episode after move {t + 1} of {last + 1}")
        if track.reached_cheese != (ended and found.cell == maze.cheese):
            said = "reached" if track.reached_cheese else "did not reach"
            raise InputError(
                f"recorded trajectory: the record says it {said} the cheese, procgen the opposite; record it anew"
            )
    finally:
        env.close()
    return maze


def _words(state: State) -> str:
    return f"{state.cell} looking {state.facing.label}"
