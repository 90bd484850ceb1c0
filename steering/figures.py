"""The report's figures (plotly), from ``summary.json`` data and the other evidence of a run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from steering.profiles import DISTANCES
from steering.summary import MAIN

# Okabe and Ito's colour-blind-safe palette.
_COLOURS = {
    "subtract": "#0072B2",
    "add": "#E69F00",
    "random": "#666666",
    "other_level": "#CC79A7",
    "same_cell": "#56B4E9",
}
_COMPETENCE = "#009E73"
LEGEND = {"orientation": "h", "x": 0, "y": 1.04, "yanchor": "bottom"}
_BOUNDARY = "#D55E00"


def short(name: str) -> str:
    """A site's name as shown on an axis."""
    return name.removeprefix("embedder.")


def blindness_figure(summary: dict[str, Any]) -> go.Figure:
    """Blindness of every condition over depth, competence, free sites and the boundary."""
    trunk = [site for site in summary["sites"] if site["trunk"]]
    branch = [site for site in summary["sites"] if not site["trunk"]]
    figure = go.Figure()
    labels = list(dict.fromkeys(label for site in trunk for label in site["conditions"]))
    for label in labels:
        rows = [site["conditions"][label] for site in trunk]
        main = label == MAIN
        figure.add_scatter(
            x=[short(site["name"]) for site in trunk],
            y=[row["blindness"] for row in rows],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [gap(row["blindness_high"], row["blindness"]) for row in rows],
                "arrayminus": [gap(row["blindness"], row["blindness_low"]) for row in rows],
                "thickness": 1.2,
            },
            name=f"blindness, {label}",
            mode="lines+markers",
            line={"color": _COLOURS.get(label.split(" ")[0], "#999999"), "width": 3 if main else 1.5,
                  "dash": "solid" if main else "dash" if label.startswith(MAIN) else "dot"},
            marker={"size": 8 if main else 6,
                    "symbol": "circle" if main else "square-open" if label.startswith(MAIN) else "diamond-open"},
        )  # fmt: skip
    if labels and MAIN in labels:
        figure.add_scatter(
            x=[short(site["name"]) for site in trunk],
            y=[site["conditions"][MAIN]["competence"] for site in trunk],
            name=f"competence, {MAIN}",
            mode="lines",
            line={"color": _COMPETENCE, "dash": "dash", "width": 2},
        )
    if branch and MAIN in branch[0]["conditions"]:
        figure.add_scatter(
            x=[short(site["name"]) for site in branch],
            y=[site["conditions"][MAIN]["blindness"] for site in branch],
            name=f"blindness, {MAIN}, branch sites",
            mode="markers",
            marker={"color": _COLOURS[MAIN], "symbol": "x-thin-open", "size": 7},
        )
    order = [short(site["name"]) for site in summary["sites"]]
    free = [i for i, site in enumerate(summary["sites"]) if site["affine"]]
    if free:
        figure.add_vrect(x0=free[0] - 0.4, x1=free[-1] + 0.4, fillcolor="#999999", opacity=0.15, line_width=0,
                         annotation_text="free (affine)", annotation_position="bottom left")  # fmt: skip
    found = summary["boundary"]
    if found["site"] is not None:
        line = {"color": _BOUNDARY, "dash": "dash", "width": 2}
        edge = order.index(short(found["site"])) + 0.5
        figure.add_vline(x=edge, line=line, annotation_text="boundary", annotation_font_color=_BOUNDARY)
        if found["low"] is not None and found["high"] is not None:
            low, high = (order.index(short(found[end])) + 0.5 for end in ("low", "high"))
            figure.add_vrect(x0=low - 0.08, x1=high + 0.08, fillcolor=_BOUNDARY, opacity=0.12, line_width=0)
    lows = [row["blindness"] for site in summary["sites"] for row in site["conditions"].values()]
    lows = [low for low in lows if low is not None]
    figure.update_yaxes(range=[max(min([*lows, 0.0]) - 0.1, -1.0), 1.1], title="1 = as without cheese, 0 = no effect")
    figure.update_xaxes(categoryorder="array", categoryarray=order, tickangle=-50, title=None)
    figure.update_layout(template="simple_white", height=540, margin={"l": 60, "r": 20, "t": 30, "b": 150},
                         legend=LEGEND, hovermode="x unified")  # fmt: skip
    return figure


def decision_figure(summary: dict[str, Any]) -> go.Figure:
    """Move probabilities at the decision square: towards the cheese, the corner, elsewhere."""
    trunk = [site for site in summary["sites"] if site["trunk"] and MAIN in site["conditions"]]
    names = ["clean", *[short(site["name"]) for site in trunk], "no cheese"]
    reference = summary["reference"]
    rows = [reference["clean"], *[site["conditions"][MAIN] for site in trunk], reference["no_cheese"]]
    figure = go.Figure()
    parts = (("p_cheese_decision", "to the cheese", "#E69F00"), ("p_corner_decision", "to the top right", "#0072B2"),
             ("p_other_decision", "other", "#BBBBBB"))  # fmt: skip
    for key, label, colour in parts:
        figure.add_bar(x=names, y=[row[key] for row in rows], name=label, marker_color=colour)
    figure.update_layout(barmode="stack", template="simple_white", height=440, legend=LEGEND,
                         margin={"l": 60, "r": 20, "t": 30, "b": 150})  # fmt: skip
    figure.update_yaxes(range=[0, 1], title="mean probability of the move")
    figure.update_xaxes(tickangle=-50)
    return figure


def position_figure(summary: dict[str, Any]) -> go.Figure | None:
    """Blindness by depth and distance from where the vector was taken, distinct trunk sites; None without profiles."""
    sites = list(
        {s["equivalence_class"]: s for s in reversed(summary["sites"]) if s["trunk"] and s["position_curve"]}.values()
    )
    sites.reverse()  # the first swept of each class
    if not sites:
        return None
    distances = sorted({row["distance"] for site in sites for row in site["position_curve"]})
    ends = dict(itertools.pairwise(DISTANCES))
    labels = [
        f"{a} or more" if a not in ends else str(a) if ends[a] == a + 1 else f"{a}-{ends[a] - 1}" for a in distances
    ]
    values = []
    for site in sites:
        by_distance = {row["distance"]: row["blindness"] for row in site["position_curve"]}
        values.append([by_distance.get(distance) for distance in distances])
    figure = go.Figure()
    figure.add_heatmap(
        x=labels,
        y=[short(site["name"]) for site in sites],
        z=values,
        zmin=-1,
        zmax=1,
        colorscale="cividis",
        texttemplate="%{z:.2f}",
        colorbar={"title": "blindness"},
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="path length from where the vector was taken", type="category")
    figure.update_layout(template="simple_white", height=460, margin={"l": 130, "r": 20, "t": 20, "b": 60})
    return figure


def threshold_figure(summary: dict[str, Any]) -> go.Figure | None:
    """The boundary for every blindness threshold, with its interval; None if no trunk site was swept."""
    curve = summary["boundary"].get("threshold_curve")
    if not curve:
        return None
    names = [short(site["name"]) for site in summary["sites"] if site["trunk"] and MAIN in site["conditions"]]
    rows = ["nowhere", *names]

    def depth(site: str | None) -> int:
        return 0 if site is None else rows.index(short(site))

    x = [row["threshold"] for row in curve]
    figure = go.Figure()
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*(depth(row["high"]) for row in curve), *(depth(row["low"]) for row in reversed(curve))],
        fill="toself", fillcolor="rgba(213,94,0,.18)", line={"width": 0}, hoverinfo="skip", name="95% interval",
    )  # fmt: skip
    figure.add_scatter(x=x, y=[depth(row["site"]) for row in curve], mode="lines+markers", name="boundary",
                       line={"color": _BOUNDARY, "width": 3, "shape": "hv"})  # fmt: skip
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=rows, autorange="reversed")
    figure.update_xaxes(title="blindness that counts as working", range=[0, 1])
    figure.update_layout(template="simple_white", height=480, margin={"l": 130, "r": 20, "t": 20, "b": 60},
                         legend=LEGEND)  # fmt: skip
    return figure


def before_after_figure(decisions: Mapping[str, Any]) -> go.Figure:
    """Per maze: move probabilities at the decision square, the policy left alone, steered, and without the cheese.

    The published figure (Turner et al. 2023) for this agent; ``decisions`` is
    :func:`steering.evidence.decision_squares`.
    """
    figure = go.Figure()
    moves = (("cheese", "to the cheese"), ("corner", "to the top right"), ("other", "other"))
    worlds = (("clean", "left alone", "#666666"), (MAIN, "cheese vector subtracted", _COLOURS[MAIN]),
              ("no_cheese", "cheese removed", "#E69F00"))  # fmt: skip
    for world, label, colour in worlds:
        x = [text for key, text in moves for _ in decisions[world][key]]
        y = [value for key, _ in moves for value in decisions[world][key]]
        figure.add_box(x=x, y=y, name=label, marker={"color": colour, "size": 4}, boxpoints="all", jitter=0.5,
                       pointpos=0, line={"width": 1.5})  # fmt: skip
    figure.update_layout(boxmode="group", template="simple_white", height=440, legend=LEGEND,
                         margin={"l": 60, "r": 20, "t": 30, "b": 40})  # fmt: skip
    figure.update_yaxes(range=[-0.02, 1.02], title="probability of the move")
    return figure


def gap(a: float | None, b: float | None) -> float | None:
    """``a - b``, not below 0; None if either is."""
    return None if a is None or b is None else max(a - b, 0.0)
