"""What the figures of positions and probes show, as numbers: for readers of the Markdown twin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steering.analysis.readings import MOVES
from steering.experiments.conditions import BY_NAME, MAIN
from steering.records.probes import Estimate, ProbeSummary
from steering.replication.store import Data
from steering.reports.site_axis import distance_labels, labels
from steering.statistics.bootstrap import FEW
from steering.statistics.formatting import format_estimate, format_number, published_inside


def replicate_table(data: Data) -> list[Data]:
    """The findings of a ``replicate.json`` as they are shown, in the list's order: measured beside published.

    Each is what is stored of it (``what``, ``published``, ``verdict``, ``mazes``, ``notes``) with its ``name``, and has
    for ``figures`` rows of text with ``figure``, ``published``, ``measured``, ``interval`` and ``inside``
    (:func:`published_inside`).
    """
    findings = data["findings"]
    return [
        {"name": name, **findings[name], "figures": [_row(figure) for figure in findings[name]["figures"]]}
        for name in findings
    ]


def _row(figure: Mapping[str, Any]) -> dict[str, str]:
    low, high = figure["low"], figure["high"]
    return {
        "figure": figure["label"],
        "published": _text(figure["published"]),
        "measured": _text(figure["value"]),
        "interval": "" if low is None or high is None else f"{_text(low)} to {_text(high)}",
        "inside": published_inside(figure),
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"
    return str(value)


Table = list[list[str]]  # header first
# Moves at the decision square and worlds, as in :func:`steering.analysis.decision_square.decision_squares`.
DECISIONS = {"cheese": "to the cheese", "corner": "to the top right", "other": "other"}
WORLDS = {name: BY_NAME[name].label for name in ("clean", MAIN, "no_cheese")}


def position_cells(
    summary: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], list[int], list[list[dict[str, Any] | None]]]:
    """Distinct trunk sites with profiles, path lengths, and for each site its ``position_curve`` there."""
    sites = list(
        {s["equivalence_class"]: s for s in reversed(summary["sites"]) if s["trunk"] and s["position_curve"]}.values()
    )
    sites.reverse()  # the first swept of each class
    distances = sorted({row["distance"] for site in sites for row in site["position_curve"]})
    curves = [{row["distance"]: row for row in site["position_curve"]} for site in sites]
    return sites, distances, [[curve.get(distance) for distance in distances] for curve in curves]


def starred(row: Mapping[str, Any] | None, between: str = " ") -> str:
    """The blindness of a bin of states, starred where most of them are outside the receptive field; its interval,
    where there are mazes enough for one.
    """
    if row is None or row["blindness"] is None:
        return ""
    star = "*" if row["outside"]["states"] > row["inside"]["states"] else ""
    if row["mazes"] < FEW:
        return f"{row['blindness']:.2f}{star}"
    return f"{row['blindness']:.2f}{star}{between}({row['blindness_low']:.2f} to {row['blindness_high']:.2f})"


def decision_table(decisions: Mapping[str, Any]) -> Table:
    """Moves at the decision square, before and after: mean and quartiles over mazes."""
    rows = []
    for world, label in WORLDS.items():
        cells = []
        for part in DECISIONS:
            low, middle, high = np.quantile(decisions[world][part], (0.25, 0.5, 0.75))
            cells.append(f"{np.mean(decisions[world][part]):.3f}; {middle:.3f} ({low:.3f} to {high:.3f})")
        rows.append([label, *cells])
    return [["mean; median (quartiles)", *DECISIONS.values()], *rows]


def position_table(summary: Mapping[str, Any]) -> Table:
    """Blindness by depth (rows) and path length from where the vector was taken; empty without profiles."""
    sites, distances, cells = position_cells(summary)
    if not sites:
        return []
    rows = [[label, *map(starred, line)] for label, line in zip(labels(sites), cells, strict=True)]
    return [["site", *counted_labels(distances, cells)], *rows]


def counted_labels(distances: list[int], cells: Sequence[Sequence[Mapping[str, Any] | None]]) -> list[str]:
    """Names of bins of path length, with how many mazes have such states."""
    mazes = [max(row["mazes"] for row in column if row) for column in zip(*cells, strict=True)]
    return [f"{label} ({count} mazes)" for label, count in zip(distance_labels(distances), mazes, strict=True)]


def probe_table(probes: ProbeSummary) -> Table:
    """Return what probes, surroundings and shuffled labels tell at each site; the vectors' readings behind."""
    header = ["site", *(f"next move: {said}" for said in MOVES.values())]
    header += ["cheese's cell, R2", "cell, 1x1 unit", "cell, 3x3 unit"]
    header += ["cosine with the vector at the start", "norm ratio", "interaction"]
    empty = [""] * (len(header) - 1 - len(MOVES))
    rows = [["surroundings alone", *(format_estimate(probes.surroundings[name]) for name in MOVES), *empty]]
    vectors = {row.name: row.inside for row in probes.representation}
    for label, site in zip(labels(probes.sites), probes.sites, strict=True):
        moves = [_beside(site.moves[name].accuracy, site.moves[name].control) for name in MOVES]
        maps = [site.map[kernel] if site.map else None for kernel in ("1x1", "3x3")]
        inside = vectors[site.name]
        held = (inside.cosine, inside.norm_ratio, inside.interaction) if inside else (None, None, None)
        rows.append(
            [
                label,
                *moves,
                _beside(site.cell.r2, site.cell.control_r2),
                *(_beside(part.hits, part.control_hits) if part else "–" for part in maps),
                *map(format_estimate, held),
            ]
        )
    return [header, *rows]


def _beside(part: Estimate, control: Estimate) -> str:
    """Return a reading with its interval, and that of the shuffled labels."""
    return f"{format_estimate(part)}; shuffled {format_number(control.value, 2)}"
