"""The mazes of ``fields.json``: read from the file, so that a report need not start procgen, which takes a second."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from envs.errors import InputError
from envs.files import write_atomic
from envs.maze import Maze
from envs.recording import pack_state, unpack_state
from envs.stored.json_records import to_json
from steering.records.examples import ExampleFields
from steering.sweep.artifacts import FIELDS


def example_maze(data: ExampleFields, level: int) -> Maze:
    """Return a maze of ``fields.json``; procgen makes it where an earlier version wrote the file.

    Raises:
        InputError: for a file that holds no such maze.
    """
    try:
        state = data.levels[str(level)].state
        maze = unpack_state(state, level=level) if state else Maze.from_level(level, data.mode)
        if maze.state.integer("current_level_seed") != level:
            raise InputError(f"the maze said to be level {level} is another")
        return maze
    except (KeyError, InputError) as error:
        raise damaged(error) from None


def keep_mazes(data: ExampleFields, path: Path) -> ExampleFields:
    """Return the content of ``fields.json`` with its mazes; add them to the file at ``path`` if it lacks them."""
    mazes = {str(level): example_maze(data, level) for level, _ in data.chosen.values()}
    levels = {level: dataclasses.replace(data.levels[level], state=pack_state(maze)) for level, maze in mazes.items()}
    kept = dataclasses.replace(data, levels=data.levels | levels)
    if kept == data:
        return data
    write_atomic(path, to_json(kept))
    return kept


def damaged(error: Exception) -> InputError:
    """Return the line about a file whose fields are not of its mazes."""
    return InputError(f"{FIELDS.file}: damaged ({error}); remove it and type the sweep's command again")
