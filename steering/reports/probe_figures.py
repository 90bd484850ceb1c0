"""Figures of what probes and cheese vectors say at each site, made from ``probes.json`` data only.

What is no finding is marked as in every figure over depth (:mod:`steering.reports.site_axis`), and so are states where
a vector cannot depend on the mouse (outside the receptive field: diamonds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.analysis.readings import MOVES
from steering.experiments.outcome import DISTANCES
from steering.probes.summary import APART, DEPENDENT
from steering.records.readings import DECODING, REPRESENTATIONAL, Reading
from steering.reports.site_axis import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    RED,
    distance_labels,
    draw_boundary,
    error_bars,
    labels,
    names,
    shade_sites,
    symbols,
)
from steering.statistics.bootstrap import FEW

_COLOURS = {"cheese": ORANGE, APART: ORANGE, "corner": BLUE, "policy": GREEN}
_NOTHING = {"value": None, "low": None, "high": None}


def probe_figure(data: dict[str, Any]) -> go.Figure:
    """Over depth: next moves told rightly (first panel), those to the cheese where it is not the way to the corner
    (second), the cheese's cell (third); lines where planning appears."""
    rows = data["sites"]
    figure = _panels(
        "next move told rightly, mazes held out",
        f"next move to the cheese where the corner asks for another ({data['asked'][APART]} frames)",
        "where the cheese is",
    )
    for name, said in MOVES.items():
        colour, panel = _COLOURS[name], 2 if name == APART else 1
        moves = [row["moves"][name] for row in rows]
        _line(figure, rows, [move["accuracy"] for move in moves], f"next move: {said}", colour, panel)
        _line(figure, rows, [move["control"] for move in moves], f"{said}, shuffled labels", colour, panel, dash="dot")
        around = data["surroundings"][name]["value"]
        if around is not None:
            figure.add_hline(y=around, line={"color": colour, "dash": "dash", "width": 1}, row=panel, col=1)
    _line(figure, rows, [row["cell"]["r2"] for row in rows], "cell, linear probe: variance explained", BLUE, 3)
    _line(figure, rows, [row["cell"]["control_r2"] for row in rows], "the same, shuffled labels", BLUE, 3, dash="dot")
    for kernel, colour in (("1x1", PINK), ("3x3", RED)):
        maps = [row["map"][kernel] if row["map"] else {} for row in rows]
        controls = [part.get("control_hits") for part in maps]
        _line(figure, rows, [part.get("hits") for part in maps], f"cell, {kernel} unit: hits", colour, 3)
        _line(figure, rows, controls, f"{kernel}, shuffled labels", colour, 3, dash="dot")
    shade_sites(figure, rows, panels=(1, 2, 3))
    found = data["decoding_boundary"]
    for name, panel in (("cheese", 1), (APART, 2)):
        move = found["next_move"][name]
        what = "next move to the cheese appears"
        _edge(figure, rows, Reading(DECODING, what, "from", move["site"], move["low"], move["high"]), panel)
    cell = found["cell"]
    _edge(figure, rows, Reading(DECODING, "cell lost", "from", cell["lost"], cell["lost_low"], cell["lost_high"]), 3)
    for panel in (1, 2):
        figure.update_yaxes(range=[0, 1.05], title="accuracy (dashed: surroundings)", row=panel)
    figure.update_yaxes(range=[-0.25, 1.05], title="share", row=3)
    _finish(figure, rows, 1130)
    return figure


def representation_figure(data: dict[str, Any]) -> go.Figure:
    """Cheese vectors at other positions against the one at the start: over depth, and by distance (inside only)."""
    rows, found = data["sites"], {row["name"]: row for row in data["representation"]}
    figure = _panels(
        "against the vector at the start", "cosine by path length from the start, inside the receptive field"
    )
    parts = (("cosine", "cosine", BLUE), ("norm_ratio", "norm ratio", ORANGE), ("interaction", "interaction", RED))
    for name, label, colour in parts:
        for side in ("inside", "outside"):
            values = [(found[row["name"]][side] or {}).get(name) for row in rows]
            if any(values):
                outside = side == "outside"
                _line(figure, rows, values, f"{label}, {side} the receptive field", colour, 1,
                      dash="dot" if outside else "solid", symbol="diamond" if outside else "circle")  # fmt: skip
    cosines = {
        (row["name"], part["distance"]): part["cosine"]["value"]
        for row in data["representation"]
        for part in row["by_distance"]
        if not part["outside"] and part["mazes"] >= FEW
    }
    table = [[cosines.get((row["name"], distance)) for row in rows] for distance in DISTANCES]
    if cosines:  # plotly draws no map of nothing
        figure.add_heatmap(x=names(rows), y=distance_labels(), z=table, zmin=-1, zmax=1, colorscale="cividis", row=2,
                           col=1, texttemplate="%{z:.2f}",
                           colorbar={"title": "cosine", "len": 0.4, "y": 0.2})  # fmt: skip
    shade_sites(figure, rows, panels=(1,))
    # The map has colours of its own, so its marks are words.
    figure.update_xaxes(tickvals=names(rows), ticktext=labels(rows), row=2)
    held = data["representational_boundary"]
    what = f"interaction above {DEPENDENT:g}"
    _edge(figure, rows, Reading(REPRESENTATIONAL, what, "up to", held["site"], held["low"], held["high"]), 1)
    figure.update_yaxes(title="1, 1, 0: the same everywhere", rangemode="tozero", row=1)
    figure.update_yaxes(type="category", title="path length", row=2)
    _finish(figure, rows, 860)
    return figure


def _panels(*titles: str) -> go.Figure:
    return make_subplots(
        rows=len(titles), cols=1, shared_xaxes=True, vertical_spacing=0.18 / len(titles), subplot_titles=titles
    )


def _line(
    figure: go.Figure,
    rows: Sequence[Mapping[str, Any]],
    readings: Sequence[Mapping[str, Any] | None],
    label: str,
    colour: str,
    panel: int,
    dash: str = "solid",
    symbol: str = "circle",
) -> None:
    """One curve over the sites with its intervals; a control (not solid) is thin and without."""
    ends = [reading or _NOTHING for reading in readings]
    main = dash == "solid"
    figure.add_scatter(
        x=names(rows),
        y=[end["value"] for end in ends],
        error_y={**error_bars(ends, "value"), "visible": main},
        name=label,
        mode="lines+markers",
        line={"color": colour, "width": 2.5 if main else 1.2, "dash": dash},
        marker={"size": 7 if main else 5, "symbol": symbols(rows, symbol)},
        customdata=[f"sees {row['receptive_field']} px" if row["receptive_field"] else "sees all" for row in rows],
        hovertemplate="%{y:.3f} (%{customdata})",
        row=panel,
        col=1,
    )


def _edge(figure: go.Figure, rows: Sequence[Mapping[str, Any]], reading: Reading, panel: int) -> None:
    depths = reading.edges([row["name"] for row in rows])
    if reading.site is not None and depths is not None:
        draw_boundary(figure, depths, reading.what, panel)


def _finish(figure: go.Figure, rows: Sequence[Mapping[str, Any]], height: int) -> None:
    figure.update_xaxes(categoryorder="array", categoryarray=names(rows), tickangle=-50)
    figure.update_layout(template="simple_white", height=height, margin={"l": 70, "r": 20, "t": 40, "b": 230},
                         legend={"orientation": "h", "y": -0.28})  # fmt: skip
