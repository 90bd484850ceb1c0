"""Figures of what probes and cheese vectors say at each site, made from ``probes.json`` data only.

What a figure cannot show as a finding it marks: sites affine in the pixels (shaded, "free"), sites whose units see
only part of the picture (framed, "local"), sites that are the same experiment as one before them (open markers), and
states where a vector cannot depend on the mouse (outside the receptive field: their own, open markers).
"""

from __future__ import annotations

import itertools
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.profiles import DISTANCES

# Okabe and Ito's colour-blind-safe palette.
_BLUE, _ORANGE, _GREEN, _RED, _PINK, _GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#666666"
_SHADE = {"fillcolor": "#999999", "opacity": 0.15, "line_width": 0}
_FRAME = {"fillcolor": "rgba(0,0,0,0)", "line": {"color": _GREY, "width": 1.5, "dash": "dot"}}
_MOVES = (
    ("cheese", "to the cheese", _ORANGE),
    ("corner", "to the top right", _BLUE),
    ("policy", "the policy's own", _GREEN),
)


def probe_figure(data: dict[str, Any]) -> go.Figure:
    """Next moves told rightly (above), the cheese's cell (below), over depth; lines where planning appears."""
    rows = data["sites"]
    figure = _panels("next move told rightly, mazes held out", "where the cheese is")
    for name, label, colour in _MOVES:
        moves = [row["moves"][name] for row in rows]
        _line(figure, rows, [move["accuracy"] for move in moves], f"next move {label}", colour, 1)
        _line(figure, rows, [move["control"] for move in moves], f"{label}, shuffled labels", colour, 1, dash="dot")
        pixels = moves[0]["accuracy"]["value"]
        figure.add_hline(y=pixels, line={"color": colour, "dash": "dash", "width": 1}, row=1, col=1)
    _line(figure, rows, [row["cell"]["r2"] for row in rows], "cell, linear probe: variance explained", _BLUE, 2)
    _line(figure, rows, [row["cell"]["control_r2"] for row in rows], "the same, shuffled labels", _BLUE, 2, dash="dot")
    for kernel, colour in (("1x1", _PINK), ("3x3", _RED)):
        maps = [row["map"][kernel] if row["map"] else {} for row in rows]
        _line(figure, rows, [part.get("hits") for part in maps], f"cell, {kernel} unit: hits", colour, 2)
        _line(
            figure,
            rows,
            [part.get("control_hits") for part in maps],
            f"{kernel}, shuffled labels",
            colour,
            2,
            dash="dot",
        )
    _mark(figure, rows, panels=2)
    edge = data["decoding_boundary"]
    _edge(figure, rows, edge["next_move"]["cheese"]["site"], "next move appears", 1)
    _edge(figure, rows, edge["cell"]["lost"], "cell lost", 2)
    figure.update_yaxes(range=[0, 1.05], title="accuracy (dashed: pixels)", row=1)
    figure.update_yaxes(range=[-0.25, 1.05], title="share", row=2)
    _finish(figure, rows, 820)
    return figure


def representation_figure(data: dict[str, Any]) -> go.Figure:
    """Cheese vectors at other positions against the one at the start: over depth, and by distance (inside only)."""
    rows, found = data["sites"], {row["name"]: row for row in data["representation"]}
    figure = _panels(
        "against the vector at the start", "cosine by path length from the start, inside the receptive field"
    )
    parts = (("cosine", "cosine", _BLUE), ("norm_ratio", "norm ratio", _ORANGE), ("interaction", "interaction", _RED))
    for name, label, colour in parts:
        for side in ("inside", "outside"):
            values = [(found[row["name"]][side] or {}).get(name) for row in rows]
            if any(values):
                outside = side == "outside"
                _line(figure, rows, values, f"{label}, {side} the receptive field", colour, 1,
                      dash="dot" if outside else "solid", symbol="diamond-open" if outside else None)  # fmt: skip
    ends = dict(itertools.pairwise(DISTANCES))
    labels = [
        f"{a} or more" if a not in ends else str(a) if ends[a] == a + 1 else f"{a}-{ends[a] - 1}" for a in DISTANCES
    ]
    cosines = {
        (row["name"], part["distance"]): part["cosine"]["value"]
        for row in data["representation"]
        for part in row["by_distance"]
        if not part["outside"]
    }
    table = [[cosines.get((row["name"], distance)) for row in rows] for distance in DISTANCES]
    figure.add_heatmap(x=_names(rows), y=labels, z=table, zmin=-1, zmax=1, colorscale="cividis", row=2, col=1,
                       texttemplate="%{z:.2f}", colorbar={"title": "cosine", "len": 0.4, "y": 0.2})  # fmt: skip
    _mark(figure, rows, panels=1)
    figure.update_yaxes(title="1, 1, 0: the same everywhere", rangemode="tozero", row=1)
    figure.update_yaxes(type="category", title="path length", row=2)
    _finish(figure, rows, 860)
    return figure


def _panels(above: str, below: str) -> go.Figure:
    return make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=(above, below))


def _names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"].removeprefix("embedder.") for row in rows]


def _line(
    figure: go.Figure,
    rows: list[dict[str, Any]],
    readings: list[dict[str, float | None] | None],
    label: str,
    colour: str,
    panel: int,
    dash: str = "solid",
    symbol: str | None = None,
) -> None:
    """One curve over the sites with its intervals; a control (not solid) is thin and without."""
    ends = [reading or {"value": None, "low": None, "high": None} for reading in readings]
    main = dash == "solid"
    twin = [row["equivalence_class"] != row["name"] for row in rows]
    figure.add_scatter(
        x=_names(rows),
        y=[end["value"] for end in ends],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [_gap(end["high"], end["value"]) for end in ends],
            "arrayminus": [_gap(end["value"], end["low"]) for end in ends],
            "thickness": 1.2,
            "visible": main,
        },
        name=label,
        mode="lines+markers",
        line={"color": colour, "width": 2.5 if main else 1.2, "dash": dash},
        marker={"size": 7 if main else 5, "symbol": symbol or ["circle-open" if same else "circle" for same in twin]},
        customdata=[f"sees {row['receptive_field']} px" if row["receptive_field"] else "sees all" for row in rows],
        hovertemplate="%{y:.3f} (%{customdata})",
        row=panel,
        col=1,
    )


def _mark(figure: go.Figure, rows: list[dict[str, Any]], panels: int) -> None:
    """Shade the sites that are affine in the pixels and frame those whose units see only part of the picture."""
    free = [i for i, row in enumerate(rows) if row["affine"]]
    local = [i for i, row in enumerate(rows) if row["receptive_field"] is not None and not row["affine"]]
    kinds = (
        (free, "free (affine)", _SHADE),
        (local, "local (a unit sees part of the picture)", _FRAME),
    )
    for members, text, style in kinds:
        for panel in range(1, panels + 1 if members else 1):
            figure.add_vrect(x0=members[0] - 0.4, x1=members[-1] + 0.4, annotation_text=text, row=panel, col=1,
                             annotation_position="bottom left", **style)  # fmt: skip


def _edge(figure: go.Figure, rows: list[dict[str, Any]], site: str | None, text: str, panel: int) -> None:
    """A line before ``site``."""
    names = [row["name"] for row in rows]
    if site in names:
        figure.add_vline(x=names.index(site) - 0.5, line={"color": _RED, "dash": "dash", "width": 2},
                         annotation_text=text, annotation_font_color=_RED, row=panel, col=1)  # fmt: skip


def _finish(figure: go.Figure, rows: list[dict[str, Any]], height: int) -> None:
    figure.update_xaxes(categoryorder="array", categoryarray=_names(rows), tickangle=-50)
    figure.update_layout(template="simple_white", height=height, margin={"l": 70, "r": 20, "t": 40, "b": 230},
                         legend={"orientation": "h", "y": -0.28})  # fmt: skip


def _gap(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else max(a - b, 0.0)
