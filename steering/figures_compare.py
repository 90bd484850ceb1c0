"""Figures of a comparison (plotly), from the plain data of :func:`steering.compare.compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from steering.depth_axis import LEGEND, bars, labels, mark, short, symbols

# Okabe and Ito's colour-blind-safe palette, for up to seven arms; more of them run through one scale.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
_SHAPES = ("circle", "square", "diamond", "triangle-up")
_DASHES = ("solid", "dash", "dot", "dashdot")


def curves_figure(data: Mapping[str, Any]) -> go.Figure:
    """Blindness over depth, one line an arm, with its interval."""
    arms, facts, figure = data["arms"], data["facts"], go.Figure()
    x = [short(site) for site in data["sites"]]
    few = len(arms) <= len(_PALETTE)
    colours = _PALETTE if few else sample_colorscale("cividis", [i / (len(arms) - 1) for i in range(len(arms))])
    for i, arm in enumerate(arms):
        rows = arm["curve"]
        figure.add_scatter(
            x=x,
            y=[row["blindness"] for row in rows],
            error_y=bars(rows, "blindness") if few else None,
            name=arm["name"],
            mode="lines+markers",
            line={"color": colours[i], "width": 2.5, "dash": _DASHES[i % len(_DASHES)] if few else "solid"},
            marker={"size": 8, "symbol": symbols(facts)},
        )
    mark(figure, facts)
    figure.update_yaxes(title="blindness", range=[-0.6, 1.1])
    figure.update_xaxes(tickangle=-50)
    figure.update_layout(
        template="simple_white", height=540, margin={"l": 60, "r": 20, "t": 30, "b": 150}, legend=LEGEND
    )
    return figure


def differences_figure(data: Mapping[str, Any]) -> go.Figure:
    """Blindness of each arm minus that of the first, site by site, with paired intervals."""
    figure = go.Figure()
    for i, difference in enumerate(data["differences"]):
        rows = difference["blindness"]
        figure.add_scatter(
            x=[short(row["site"]) for row in rows],
            y=[row["difference"] for row in rows],
            error_y=bars(rows, "difference"),
            name=f"{difference['of']} minus {difference['against']}",
            mode="markers",
            marker={"color": _PALETTE[(i + 1) % len(_PALETTE)], "size": 8,
                    "symbol": symbols(data["facts"], _SHAPES[i % len(_SHAPES)])},
        )  # fmt: skip
    mark(figure, data["facts"])
    figure.add_hline(y=0, line={"color": "#999999", "width": 1})
    figure.update_yaxes(title="difference of blindness")
    figure.update_xaxes(tickangle=-50)
    figure.update_layout(
        template="simple_white", height=480, margin={"l": 60, "r": 20, "t": 30, "b": 150}, legend=LEGEND
    )
    return figure


def development_figure(
    data: Mapping[str, Any], counts: Sequence[int], losses: Sequence[Mapping[str, Any]]
) -> go.Figure:
    """Over training: blindness by site, the boundary, how well the policy does, and the loss with its bumps marked."""
    order = sorted(range(len(counts)), key=lambda i: counts[i])
    arms, x = [data["arms"][i] for i in order], [max(counts[i], 1) for i in order]
    sites = labels(data["facts"])
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.5, 0.25, 0.25], vertical_spacing=0.06)
    figure.add_heatmap(
        x=x,
        y=sites,
        z=[[arm["curve"][s]["blindness"] for arm in arms] for s in range(len(sites))],
        zmin=-1,
        zmax=1,
        colorscale="cividis",
        colorbar={"title": "blindness", "len": 0.5, "y": 0.78},
        row=1,
        col=1,
    )
    label = dict(zip(data["sites"], sites, strict=True))
    depth = [label.get(arm["boundary"]["site"]) for arm in arms]
    figure.add_scatter(x=x, y=depth, mode="lines+markers", name="boundary", line={"color": "#D55E00", "width": 2},
                       row=1, col=1)  # fmt: skip
    for world, outcome, name, colour in (
        ("clean", "p_cheese", "P(cheese), left alone", "#0072B2"),
        ("no_cheese", "p_region", "P(top-right 5x5), cheese removed", "#009E73"),
    ):
        figure.add_scatter(x=x, y=[arm["reference"][world][outcome] for arm in arms], name=name, mode="lines+markers",
                           line={"color": colour}, row=2, col=1)  # fmt: skip
    for i, curve in enumerate(losses):
        figure.add_scatter(x=curve["count"], y=curve["loss"], name=f"loss, {curve['stage']}", mode="lines",
                           line={"color": "#333333", "dash": _DASHES[i % len(_DASHES)]}, row=3, col=1)  # fmt: skip
        for first, last in curve["bumps"]:
            figure.add_vrect(
                x0=first * 0.97, x1=last * 1.03, fillcolor="#E69F00", opacity=0.3, line_width=0, row=3, col=1
            )
    figure.update_yaxes(autorange="reversed", row=1, col=1)
    figure.update_yaxes(range=[0, 1], title="probability", row=2, col=1)
    figure.update_yaxes(title="loss", rangemode="tozero", row=3, col=1)
    figure.update_xaxes(type="log")
    figure.update_xaxes(title="samples and steps of training (the first weights stand at 1)", row=3, col=1)
    figure.update_layout(
        template="simple_white", height=860, margin={"l": 150, "r": 20, "t": 30, "b": 60}, legend=LEGEND
    )
    return figure
