"""States of the workbench as a client sends them and as the session understands them, and its answers put together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from envs.maze import Maze
from steering.app.session.context import Context, Contexts
from steering.app.session.state import MazeText, TypedEdit, WorkbenchState
from steering.app.session.updates import Update
from steering.experiments.exact import StatePolicy

SITE = "embedder.block2.res1.resadd"
STACK = (
    f"subtract,vector=cheese,site={SITE},coefficient=1.5",
    "ablate,site=block1.res1.conv1,channels=0+3",
    "clamp,site=block3.conv,index=1+2+3,value=4.0",
)
Understood = Callable[..., Context]


def state_of(maze: Maze, edits: Iterable[str] = (), look: int | None = None, **fields: Any) -> dict[str, Any]:
    """Return the state of a maze and edits as a client sends it."""
    typed = tuple(TypedEdit(text) for text in edits)
    text = dataclasses.replace(MazeText.of(maze), level=look if maze.level is None else maze.level)
    made = WorkbenchState(text, typed, SITE, **fields).plain()
    return json.loads(json.dumps(made))


def fields_of(updates: Iterable[Update], states: int) -> dict[str, StatePolicy]:
    """Put the chunks of each panel together; every state must come, and once."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for update in updates:
        if update.type == "field" and len(update.arrays["states"]):
            rows = update.arrays["states"]
            probabilities, values = found.setdefault(
                update.facts["panel"], (np.full((states, 5), np.nan), np.full(states, np.nan))
            )
            assert np.isnan(values[rows]).all()
            probabilities[rows], values[rows] = update.arrays["probabilities"], update.arrays["values"]
    assert not any(np.isnan(values).any() for _, values in found.values())
    return {panel: StatePolicy(*arrays) for panel, arrays in found.items()}


def understood_by(session: Contexts, maze: Maze, *edits: str, site: str = SITE, **state: Any) -> Context:
    """Return the context of a state, its fields whole."""
    asked = WorkbenchState(MazeText.of(maze), tuple(TypedEdit(text) for text in edits), site, **state)
    context = session.context(asked, maze, session.texts(asked))
    for _ in context.chunks(("clean", "steered", "no_cheese")):
        pass
    return context
