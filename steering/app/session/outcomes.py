"""What a state says in numbers: the maze, fields as they come, and the exact outcome of each panel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from envs.maze import State
from envs.shown.displays import png_bytes
from steering.app.session.context import Context
from steering.app.session.frames import Kept, start_of
from steering.app.session.state import Panel
from steering.app.session.updates import Update, floats, integers, octets
from steering.experiments.outcome import OUTCOME_FIELDS, Evaluation, Outcome
from steering.statistics.bootstrap import competence

RUNS: tuple[Panel, ...] = ("clean", "steered", "no_cheese")  # the panels that are a field of their own
TOLD = (
    "p_cheese",
    "p_corner",
    "p_region",
    "p_region_first",
    "p_cheese_decision",
    "p_corner_decision",
    "p_other_decision",
    "expected_steps",
    "value_start",
    "tv_clean",
    "tv_no_cheese",
)
MOST_PICTURES = 2**23  # bytes of PNG kept


class Pictures:
    """Procgen's own pictures of mazes, 512 pixels, as PNG; those shown last are kept."""

    def __init__(self) -> None:
        self._kept: Kept[bytes] = Kept(MOST_PICTURES)

    def of(self, context: Context) -> bytes:
        """Return the picture of a maze with the mouse at its start."""
        maze = context.maze
        found = self._kept.get(start_of(maze))
        if found is None:
            (frame,) = maze.observations([State(maze.mouse, maze.facing)], human=True)
            found = png_bytes(frame, quick=True)
            self._kept.put(start_of(maze), found, len(found))
        return found


def maze_update(context: Context, picture: bytes) -> Update:
    """Return what the page draws under the arrows."""
    maze = context.maze
    steps = maze.distances(maze.mouse)
    facts = {
        "dim": maze.dim,
        "world": maze.state.world_dim,
        "margin": maze.state.margin,
        "cells": len(maze.cells),
        "decision": maze.decision_square,
        "corner": maze.corner,
        "solvable": True,
        "label": maze.label,
    }
    distance = integers(np.where(np.isfinite(steps), steps, -1))
    return Update("maze", facts, {"cells": integers(maze.cells), "distance": distance, "picture": octets(picture)})


def field_update(context: Context, panel: str, which: np.ndarray) -> Update:
    """Return the moves and values of a panel in some states, ``int[m]``."""
    field = context.field(panel)
    arrays = {
        "states": integers(which),
        "probabilities": floats(field.probabilities[which]),
        "values": floats(field.values[which]),
    }
    return Update("field", {"panel": panel}, arrays)


def field_updates(context: Context, shown: Iterable[str]) -> Iterator[Update]:
    """Yield the fields of panels: first what is known of each, then chunk by chunk outward from the mouse."""
    shown = list(shown)
    told = {panel: context.field(panel).known.copy() for panel in shown}
    for panel in shown:
        known = context.order[told[panel][context.order]]
        if len(known):
            yield field_update(context, panel, known)
    for chunk in context.chunks(shown) if shown else ():
        for panel in shown:
            new = chunk[~told[panel][chunk]]
            if len(new):
                yield field_update(context, panel, new)


def outcome_updates(context: Context, shown: Iterable[str]) -> Iterator[Update]:
    """Yield the exact outcome of each panel, once all fields are whole."""
    shown, evaluator = list(shown), context.evaluator
    runs = ["clean", *(["steered"] if "steered" in shown else [])]
    found = dict(zip(runs, evaluator.outcomes_and_visits([context.field(run).policy for run in runs]), strict=True))
    found["no_cheese"] = evaluator.outcomes_and_visits([context.no_cheese], context.bare)[0]
    references = found["clean"][0], found["no_cheese"][0]
    for panel in shown:
        yield _outcome_update(panel, *found[panel], *references)


def _outcome_update(panel: str, found: Outcome, visits: np.ndarray, clean: Outcome, no_cheese: Outcome) -> Update:
    numbers = {name: getattr(found, name) for name in OUTCOME_FIELDS}
    evaluation = Evaluation(**numbers, clean=clean, no_cheese=no_cheese, title="")
    region = np.array([found.p_region_first]), np.array([no_cheese.p_region_first])
    facts = {
        "panel": panel,
        "outcome": {name: _plain(numbers[name]) for name in TOLD},
        "blindness": _plain(evaluation.blindness),
        "competence": _plain(float(competence(*region))),
    }
    return Update("outcome", facts, {"occupancy": floats(visits)})


def _plain(value: float) -> float | None:
    """Return a number as JSON has it: None for one that is undefined."""
    return float(value) if np.isfinite(value) else None
