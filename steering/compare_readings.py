"""The three kinds of evidence side by side for several agents: the readings of each, and of their mean curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steering import stats
from steering.compare import Arm
from steering.probe_curves import boundaries, cut, mean_curves, probe_curves, tallies_from_json
from steering.readings import Reading, readings


def side_by_side(arms: Sequence[Arm], data: Mapping[str, Any]) -> dict[str, Any] | None:
    """``readings`` of ``compare.json``; ``data``: what :func:`steering.compare.compare` made of ``arms``.

    ``levels``: mazes that all agents' probes have, with the same resamples for all; ``arms``: a list of readings each;
    ``over_agents``: those of the mean curves, agents and mazes drawn anew, where the causal one has it. None unless the
    arms are agents of their own, each with probes in its run, on enough mazes in common.
    """
    probes = [arm.probes for arm in arms if arm.probes is not None]
    if len(probes) < len(arms) or len({arm.spec.sha256 for arm in arms}) < len(arms):
        return None
    names = [[row["name"] for row in part["sites"]] for part in probes]
    sites = [name for name in names[0] if all(name in other for other in names)]
    levels = [level for level in probes[0]["levels"] if all(level in part["levels"] for part in probes)]
    if len(levels) < stats.FEWEST:
        return None
    rng = np.random.default_rng([data["seed"], 1])
    samples = stats.resamples(len(levels), rng)
    facts = [row for row in probes[0]["sites"] if row["name"] in sites]
    curves = [
        probe_curves(
            cut(
                tallies_from_json(part["tallies"]),
                [own.index(name) for name in sites],
                [part["levels"].index(level) for level in levels],
            ),
            samples,
        )
        for part, own in zip(probes, names, strict=True)
    ]
    made = [_rows(arm["boundary"], boundaries(facts, curve)) for arm, curve in zip(data["arms"], curves, strict=True)]
    over = data["over_agents"]
    return {
        "levels": len(levels),
        "arms": made,
        "over_agents": None if over is None else _rows(over, boundaries(facts, mean_curves(curves, rng))),
    }


def _rows(boundary: Mapping[str, Any], probed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(row) for row in readings(boundary, probed)]


def readings_table(found: Mapping[str, Any], arms: Sequence[str]) -> list[list[str]]:
    """Header, then a row for each reading: kind, what, and for each arm (and their mean) where, with its interval."""
    columns = [*found["arms"], *([found["over_agents"]] if found["over_agents"] is not None else [])]
    cells = [{(row.kind, row.what): f"{row.place} ({row.interval})" for row in map(_reading, part)} for part in columns]
    mean = ["mean of the agents"] * (len(columns) - len(arms))
    asked = dict.fromkeys(key for part in cells for key in part)
    return [
        ["evidence", "what holds", *arms, *mean],
        *([*key, *(part.get(key, "") for part in cells)] for key in asked),
    ]


def _reading(row: Mapping[str, Any]) -> Reading:
    return Reading(**row)
