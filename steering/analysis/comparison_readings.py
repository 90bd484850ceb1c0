"""The three kinds of evidence side by side for several agents: the readings of each, and of their mean curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steering.analysis.compared_runs import ComparedRun
from steering.analysis.readings import readings
from steering.probes.curves import boundaries, cut, mean_curves, probe_curves, tallies_from_json
from steering.probes.summary import APART, ProbeCurves, with_interval
from steering.records.readings import Reading
from steering.statistics import bootstrap
from steering.sweep.artifacts import read_artifact

FACTS = ("name", "depth", "trunk", "affine", "equivalence_class", "receptive_field")


def side_by_side(arms: Sequence[ComparedRun], data: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """``readings`` of ``compare.json`` and an empty text; or None and why not (empty if no run holds probes).

    ``data``: what :func:`steering.analysis.comparison.compare` made of ``arms``. ``levels``, ``sites``: what all
    agents' probes have, with the same resamples for all, and ``facts`` of these sites; ``arms``: a list of readings
    each; ``curves``: what they were read from, see :func:`_shown`; ``over_agents``: readings of the mean curves,
    agents and mazes drawn anew, where the causal one has it. For agents of their own with probes that were made alike.
    """
    if len({arm.spec.sha256 for arm in arms}) < len(arms):
        return None, ""
    files = [read_artifact(arm.directory, arm.spec.sha256, arm.spec.mode, "probes") for arm in arms]
    probes = [part for part, _ in files if part is not None]
    if len(probes) < len(arms):
        missing = [f"{arm.name} has none" if not note else f"{arm.name}: {note}"
                   for arm, (part, note) in zip(arms, files, strict=True) if part is None]  # fmt: skip
        return None, "; ".join(missing) if probes or any(note for _, note in files) else ""
    if len({(part["states"], part["seed"]) for part in probes}) > 1:
        return None, "the runs were probed with other --states or another --seed"
    names = [[row["name"] for row in part["sites"]] for part in probes]
    sites = [name for name in names[0] if all(name in own for own in names)]
    levels = [level for level in probes[0]["levels"] if all(level in part["levels"] for part in probes)]
    if len(levels) < bootstrap.FEWEST:
        return None, f"the probes share {len(levels)} levels, {bootstrap.FEWEST} are needed"
    facts = [[{key: part["sites"][own.index(name)][key] for key in FACTS} for name in sites]
             for part, own in zip(probes, names, strict=True)]  # fmt: skip
    if any(part != facts[0] for part in facts):
        return None, "the agents were probed at other sites, or have another architecture"
    samples = bootstrap.resamples(len(levels), np.random.default_rng(data["seed"]))
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
    over, mean = data["over_agents"], None
    if over is not None:
        mean = _rows(over, boundaries(facts[0], mean_curves(curves, np.random.default_rng([data["seed"], 1]))))
    return {
        "levels": len(levels),
        "sites": sites,
        "facts": facts[0],
        "curves": [_shown(curve) for curve in curves],
        "arms": [
            _rows(arm["boundary"], boundaries(facts[0], curve)) for arm, curve in zip(data["arms"], curves, strict=True)
        ],
        "over_agents": mean,
    }, ""


def _shown(curves: ProbeCurves) -> dict[str, list[dict[str, float | None]]]:
    """``value``, ``low``, ``high`` at each site, with 95% intervals over mazes; None where undefined.

    ``next_move``: share of the next moves to the cheese told rightly; ``apart``: the same in the frames where it is not
    the one to the corner; ``surroundings``, ``apart_surroundings``: told from a look around the mouse alone, one entry
    for all sites; ``cell``: variance of the cheese's cell explained; ``interaction``: the part of the cheese's effect
    that the vector taken at the start does not account for.
    """
    shown = {
        "next_move": curves["cheese"],
        "surroundings": curves["cheese surroundings"],
        "apart": curves[APART],
        "apart_surroundings": curves[f"{APART} surroundings"],
        "cell": 1.0 - curves["cell"],
        "interaction": curves["interaction"],
    }
    return {name: [with_interval(row) for row in values] for name, values in shown.items()}


def _rows(boundary: Mapping[str, Any], probed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(row) for row in readings(boundary, probed)]


def readings_table(columns: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """Header, then a row for each reading: kind, what, and for each of ``columns`` where, with its interval."""
    cells = [{(row.kind, row.what): f"{row.place} ({row.interval})" for row in (Reading(**row) for row in part)}
             for part in columns.values()]  # fmt: skip
    asked = dict.fromkeys(key for part in cells for key in part)
    rows = [[*key, *(part.get(key, "") for part in cells)] for key in asked]
    return [["evidence", "what holds", *columns], *rows]
