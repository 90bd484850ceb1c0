"""The workbench in a notebook, by its name; what it needs is imported when it is made."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from envs.errors import InputError

if TYPE_CHECKING:
    from agents.networks.policy import MazePolicy
    from steering.app.web.notebook import WorkbenchWidget


def Workbench(
    agent: str | MazePolicy = "region5",
    *,
    level: int | None = None,
    mode: str | None = None,
    run: str | Path | None = None,
    start: str | Path = ".",
) -> WorkbenchWidget:
    """Return the live workbench as a widget, for Jupyter, Colab, VS Code and marimo.

    Its ``state`` is what the page shows: read it, or set it, and the page follows.

    Args:
        agent: a shipped name, a file, or a policy.
        level: procgen's seed of the level to begin with; None: the workbench's first maze.
        mode: procgen's distribution mode of that level; None: the agent's.
        run: a run directory whose curves colour the network.
        start: the folder that vectors are read from and films are written to.

    Raises:
        InputError: for an agent, a level or a run that cannot be used, and without the extra ``notebook``.

    Example:
        >>> Workbench("region5", level=26).state["maze"]["level"]
        26
    """
    if importlib.util.find_spec("anywidget") is None:
        raise InputError("Workbench needs anywidget: install mazesteer[notebook]")
    from agents.checkpoints.cards import mode_for
    from agents.checkpoints.zoo import load_policy
    from envs.maze import Maze
    from envs.stored.json_records import to_plain
    from steering.app.session.state import MazeText
    from steering.app.web.conversation import sessions
    from steering.app.web.notebook import WorkbenchWidget

    policy = load_policy(agent) if isinstance(agent, str) else agent
    place, sweep = Path(start).resolve(), None if run is None else Path(run)
    if not place.is_dir():
        raise InputError(f"Workbench: {str(start)[:80]!r} is no folder")
    begin = sessions(policy, sweep, place, agent if isinstance(agent, str) else None)
    state = dict(begin().hello().facts["state"])
    if level is not None:
        maze = Maze.from_level(level, mode_for(mode, policy.name, policy.card))
        state["maze"] = to_plain(MazeText.of(maze))
    return WorkbenchWidget(begin, state)
