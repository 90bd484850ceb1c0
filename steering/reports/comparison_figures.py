"""Figures of a comparison (plotly), from the plain data of :func:`steering.analysis.comparison.compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.analysis.paired_effects import cheese_tells
from steering.reports.site_axis import (
    LEGEND,
    PALETTE,
    PINK,
    RED,
    error_bars,
    labels,
    names,
    run_colours,
    shade_sites,
    symbols,
)
from steering.statistics.formatting import short_site_name

NOWHERE = "nowhere"  # the row of the site axis for a boundary before the first site
_SHAPES = ("circle", "square", "diamond", "triangle-up")
_DASHES = ("solid", "dash", "dot", "dashdot")


def curves_figure(data: Mapping[str, Any]) -> go.Figure:
    """Blindness over depth, one line an arm, with its interval."""
    arms, facts, figure = data["arms"], data["facts"], go.Figure()
    for arm, line in zip(arms, _lines(len(arms)), strict=True):
        figure.add_trace(_curve(arm["curve"], "blindness", facts, line, name=arm["name"]))
    shade_sites(figure, facts)
    lowest = min([p["low"] for arm in arms for p in arm["curve"] if p["low"] is not None], default=0.0)
    figure.update_yaxes(title="blindness", range=[max(min(lowest - 0.1, -0.6), -1.05), 1.1])
    figure.update_xaxes(tickangle=-50)
    figure.update_layout(
        template="simple_white", height=540, margin={"l": 60, "r": 20, "t": 30, "b": 150}, legend=LEGEND
    )
    return figure


def probes_figure(data: Mapping[str, Any]) -> go.Figure:
    """What the probes of each arm read at each site, from ``readings`` of the comparison; a panel for each curve."""
    found, arms = data["readings"], data["arms"]
    panels = {
        "next_move": "next move to the cheese told rightly",
        "apart": "the same, where it is not the move to the corner",
        "cell": "the cheese's cell: variance explained",
        "interaction": "interaction",
    }
    figure = make_subplots(rows=4, cols=1, shared_xaxes=True, vertical_spacing=0.05, subplot_titles=[*panels.values()])
    for arm, curves, line in zip(arms, found["curves"], _lines(len(arms)), strict=True):
        for row, name in enumerate(panels, start=1):
            trace = _curve(curves[name], "value", found["facts"], line, name=arm["name"], showlegend=row == 1)
            figure.add_trace(trace, row=row, col=1)
    for row, name in ((1, "surroundings"), (2, "apart_surroundings")):
        told = found["curves"][0][name][0]["value"]  # by the mazes alone: the same for all that were probed on the same
        if told is not None:
            figure.add_hline(y=told, line={"color": "#333333", "dash": "dash", "width": 1}, row=row, col=1)
    shade_sites(figure, found["facts"], panels=(1, 2, 3, 4))
    for row in (1, 2, 3):
        figure.update_yaxes(range=[-0.1, 1.1], title="share", row=row)
    figure.update_yaxes(rangemode="tozero", title="share", row=4)
    figure.update_xaxes(tickangle=-50)
    legend = {**LEGEND, "y": 1.06}
    figure.update_layout(
        template="simple_white", height=1150, margin={"l": 60, "r": 20, "t": 60, "b": 150}, legend=legend
    )
    return figure


def differences_figure(data: Mapping[str, Any]) -> go.Figure:
    """Blindness of each arm minus that of the first, with bands that hold all distinct sites at once."""
    figure = go.Figure()
    for i, difference in enumerate(data["differences"]):
        rows = difference["blindness"]
        figure.add_scatter(
            x=[short_site_name(row["site"]) for row in rows],
            y=[row["difference"] for row in rows],
            error_y=error_bars(rows, "difference", "band_low", "band_high"),
            name=f"{difference['of']} minus {difference['against']}",
            mode="markers",
            marker={"color": PALETTE[(i + 1) % len(PALETTE)], "size": 8,
                    "symbol": symbols(data["facts"], _SHAPES[i % len(_SHAPES)])},
        )  # fmt: skip
    shade_sites(figure, data["facts"])
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
    """Over training: blindness by site, the boundary with its interval, how well the policy does, competence, and the
    loss with its bumps marked.

    The boundary has an open marker where the cheese hardly draws the agent. Competence is that at a snapshot's
    boundary, or, with an open marker, at the first site where that is nowhere.
    """
    order = sorted(range(len(counts)), key=lambda i: counts[i])
    arms, x = [data["arms"][i] for i in order], [max(counts[i], 1) for i in order]
    sites = labels(data["facts"])
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.5, 0.25, 0.25], vertical_spacing=0.06)
    figure.add_heatmap(
        x=x,
        y=[NOWHERE, *sites],
        z=[[None] * len(arms), *([arm["curve"][s]["blindness"] for arm in arms] for s in range(len(sites)))],
        hoverongaps=False,
        zmin=-1,
        zmax=1,
        colorscale="cividis",
        colorbar={"title": "blindness", "len": 0.5, "y": 0.78},
        row=1,
        col=1,
    )
    label: dict[str | None, str] = {None: NOWHERE, **dict(zip(data["sites"], sites, strict=True))}
    depth, low, high = ([label[arm["boundary"][end]] for arm in arms] for end in ("site", "low", "high"))
    figure.add_scatter(x=[*x, *reversed(x)], y=[*low, *reversed(high)], name="its 95% interval", mode="lines",
                       fill="toself", fillcolor="rgba(213, 94, 0, 0.3)", hoverinfo="skip",
                       line={"color": RED, "width": 1, "dash": "dot"}, row=1, col=1)  # fmt: skip
    seen = ["circle" if cheese_tells(arm["cheese"]) else "circle-open" for arm in arms]
    figure.add_scatter(x=x, y=depth, mode="lines+markers", name="boundary", line={"color": RED, "width": 2},
                       marker={"symbol": seen, "size": 9}, row=1, col=1)  # fmt: skip
    for world, outcome, name, colour in (
        ("clean", "p_cheese", "P(cheese), left alone", "#0072B2"),
        ("no_cheese", "p_region", "P(top-right 5x5), cheese removed", "#009E73"),
    ):
        figure.add_scatter(x=x, y=[arm["reference"][world][outcome] for arm in arms], name=name, mode="lines+markers",
                           line={"color": colour}, row=2, col=1)  # fmt: skip
    found = [arm["boundary"]["site"] for arm in arms]
    points = [
        arm["curve"][0 if site is None else data["sites"].index(site)] for arm, site in zip(arms, found, strict=True)
    ]
    able = [point["competence"] for point in points]
    figure.add_scatter(x=x, y=able, name="competence", mode="lines+markers",
                       text=[label[point["site"]] for point in points], hovertemplate="%{y:.3f} at %{text}",
                       marker={"symbol": ["diamond" if site else "diamond-open" for site in found], "size": 9},
                       line={"color": PINK, "dash": "dash"}, row=2, col=1)  # fmt: skip
    for i, curve in enumerate(losses):
        figure.add_scatter(x=curve["count"], y=curve["loss"], name=f"loss, {curve['stage']}", mode="lines",
                           line={"color": "#333333", "dash": _DASHES[i % len(_DASHES)]}, row=3, col=1)  # fmt: skip
        for first, last in curve["bumps"]:
            figure.add_vrect(
                x0=first * 0.97, x1=last * 1.03, fillcolor="#E69F00", opacity=0.3, line_width=0, row=3, col=1
            )
    figure.update_yaxes(autorange="reversed", row=1, col=1)
    figure.update_yaxes(range=[0, 1.05 * max([1.0, *(value for value in able if value is not None)])],
                        title="probability, competence", row=2, col=1)  # fmt: skip
    figure.update_yaxes(title="loss", rangemode="tozero", row=3, col=1)
    figure.update_xaxes(type="log")
    figure.update_xaxes(title="samples and steps of training (the first weights stand at 1)", row=3, col=1)
    figure.update_layout(
        template="simple_white", height=860, margin={"l": 150, "r": 20, "t": 30, "b": 60}, legend=LEGEND
    )
    return figure


def _lines(arms: int) -> list[dict[str, Any]]:
    """A line for each arm: told apart by colour and dash, or, where there are many, along one scale of colours."""
    colours = run_colours(arms)
    if arms <= len(PALETTE):
        return [{"color": colour, "dash": _DASHES[i % len(_DASHES)], "width": 2.5} for i, colour in enumerate(colours)]
    return [{"color": colour, "dash": "solid", "width": 2} for colour in colours]


def _curve(
    rows: Sequence[Mapping[str, Any]],
    value: str,
    facts: Sequence[Mapping[str, Any]],
    line: Mapping[str, Any],
    **options: Any,
) -> go.Scatter:
    """One arm's ``value`` over depth; intervals only where lines have colours of their own."""
    return go.Scatter(
        x=names(facts),
        y=[row[value] for row in rows],
        error_y=error_bars(rows, value) if line["color"] in PALETTE else None,
        mode="lines+markers",
        line=dict(line),
        marker={"size": 8, "symbol": symbols(facts)},
        legendgroup=options["name"],
        **options,
    )
