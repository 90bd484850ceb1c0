"""Three mazes to look at: where subtraction does what it typically does, where it works best, and where worst.

Their fields are computed when a sweep ends and kept in ``fields.json``, so that a report needs no network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from agents.networks.policy import Policy
from envs.files import write_atomic
from envs.maze import Maze
from steering.experiments.conditions import MAIN, Key
from steering.experiments.exact import LevelEvaluator
from steering.experiments.level_conditions import level_intervention
from steering.sweep.artifacts import FIELDS
from steering.sweep.recordings import rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store

_DIGITS = 5  # of a probability: more than an arrow shows


def choose(store: Store, spec: SweepSpec, site: str) -> dict[str, tuple[int, float]]:
    """``{"typical" | "best" | "worst": (level, blindness there)}``; empty if no maze is finished.

    Of the half of the mazes where the cheese matters most (elsewhere the ratio says little): the greatest and the
    least blindness, and the one nearest to the median.
    """
    table = {row.key: row.outcome for row in store.rows()}
    found = []
    for level in spec.levels:
        keys = Key(level, "clean"), Key(level, MAIN, site, spec.coefficients[0])
        if all(key in table for key in keys):
            clean, edited = (table[key].tv_no_cheese for key in keys)
            found.append((level, clean, edited))
    found.sort(key=lambda row: -row[1])
    rows = [(level, 1 - edited / clean) for level, clean, edited in found[: -(-len(found) // 2)] if clean > 0]
    if not rows:
        return {}
    middle = float(np.median([b for _, b in rows]))
    return {
        "typical": min(rows, key=lambda row: (abs(row[1] - middle), row[0])),
        "best": max(rows, key=lambda row: (row[1], -row[0])),
        "worst": min(rows, key=lambda row: (row[1], row[0])),
    }


def keep_examples(policy: Policy, store: Store, spec: SweepSpec, directory: Path) -> Path | None:
    """Write ``fields.json`` for the mazes of :func:`choose`, unless it is there already; None if there is none."""
    if MAIN not in spec.conditions:
        return None
    site = rollout_site(spec.sites)
    chosen = choose(store, spec, site)
    if not chosen:
        return None
    path = directory / FIELDS.file
    facts: dict[str, Any] = {
        "checkpoint": {"name": spec.checkpoint, "sha256": spec.sha256},
        "site": site,
        "mode": spec.mode,
        "horizon": spec.horizon,
    }
    facts |= {"format": FIELDS.format, "coefficient": spec.coefficients[0], "vector": spec.vector}
    facts |= {"chosen": {name: list(pair) for name, pair in chosen.items()}}
    try:
        if facts.items() <= json.loads(path.read_text()).items():
            return path
    except (OSError, ValueError, AttributeError):  # none yet, or not readable: made anew
        pass
    levels = {str(level): _fields(policy, level, spec, site) for level, _ in chosen.values()}
    write_atomic(path, (json.dumps({**facts, "levels": levels}) + "\n").encode())
    return path


def _fields(policy: Policy, level: int, spec: SweepSpec, site: str) -> dict[str, list[list[float]]]:
    maze = Maze.from_level(level, spec.mode)
    evaluator = LevelEvaluator(policy, maze, spec.horizon)
    edit = level_intervention(policy, maze, Key(level, MAIN, site, spec.coefficients[0]), spec.source, spec.seed)
    fields = {"clean": evaluator.clean, MAIN: evaluator.fields([edit])[0], "no_cheese": evaluator.no_cheese}
    return {name: np.round(field.probabilities, _DIGITS).tolist() for name, field in fields.items()}
