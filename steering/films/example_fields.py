"""Three mazes to look at: those where subtraction works as it typically does, best, and worst.

Their fields are computed when a sweep ends and kept in ``fields.json``, so that a report needs neither network nor
procgen.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from agents.networks.policy import Policy
from envs.errors import InputError
from envs.files import write_atomic
from envs.maze import Maze
from envs.recording import pack_state
from envs.stored.json_records import read_record, to_json
from steering.experiments.conditions import MAIN, Key
from steering.experiments.exact import LevelEvaluator
from steering.experiments.level_conditions import level_intervention
from steering.records.examples import ChosenMaze, ExampleFields, MazeFields
from steering.records.sweep import CheckpointId
from steering.sweep.artifacts import FIELDS
from steering.sweep.recordings import rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store

_DIGITS = 5  # of a probability: more than an arrow shows


def choose(store: Store, spec: SweepSpec, site: str) -> dict[str, ChosenMaze]:
    """Return the mazes to show: ``typical``, ``best`` and ``worst``; empty if none is finished.

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
    rows = [ChosenMaze(level, 1 - edited / clean) for level, clean, edited in found[: -(-len(found) // 2)] if clean > 0]
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
    made = ExampleFields(
        checkpoint=CheckpointId(spec.checkpoint, spec.sha256),
        site=site,
        mode=spec.mode,
        horizon=spec.horizon,
        format=FIELDS.format,
        coefficient=spec.coefficients[0],
        vector=spec.vector,
        chosen=chosen,
        levels={},
    )
    if _of_same(path, made):
        return path
    levels = {str(level): _fields(policy, level, spec, site) for level, _ in chosen.values()}
    write_atomic(path, to_json(dataclasses.replace(made, levels=levels)))
    return path


def _of_same(path: Path, made: ExampleFields) -> bool:
    """Return whether the file is there and readable, and of the same mazes under the same settings."""
    try:
        found = read_record(path, ExampleFields)
    except InputError:  # it is made anew
        return False
    return dataclasses.replace(found, levels={}) == made


def _fields(policy: Policy, level: int, spec: SweepSpec, site: str) -> MazeFields:
    """Return the fields of moves on one level: left alone, steered at ``site``, and without its cheese."""
    maze = Maze.from_level(level, spec.mode)
    evaluator = LevelEvaluator(policy, maze, spec.horizon)
    edit = level_intervention(policy, maze, Key(level, MAIN, site, spec.coefficients[0]), spec.source, spec.seed)
    fields = evaluator.clean, evaluator.fields([edit])[0], evaluator.no_cheese
    clean, steered, gone = (np.round(field.probabilities, _DIGITS).tolist() for field in fields)
    return MazeFields(clean=clean, subtract=steered, no_cheese=gone, state=pack_state(maze))
