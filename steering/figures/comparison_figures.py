"""Figures of a comparison (plotly), from the records of :mod:`steering.records.comparison`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.analysis.paired_effects import cheese_tells
from steering.marks.colours import ABLE, CHEESE, CORNER, GREY, RUN_COLOURS, TRICK, UNSIGNED, faded, run_colours
from steering.marks.site_axis import (
    LEGEND,
    Site,
    interval_bars,
    labels,
    names,
    shade_sites,
    symbols,
)
from steering.records.comparison import ComparedRunSummary, ComparedSite, Comparison, LossCurve
from steering.records.probes import Estimate
from steering.records.readings import ComparedPlan, ComparedPlanning, ComparedReadings
from steering.statistics.formatting import short_site_name

NOWHERE = "nowhere"  # the row of the site axis for a boundary before the first site
_SHAPES = ("circle", "square", "diamond", "triangle-up")
_DASHES = ("solid", "dash", "dot", "dashdot")
_PANELS = {  # by curve of ProbedCurves; each with what the surroundings tell, if there is one
    "next_move": ("next move to the cheese told rightly", "surroundings"),
    "apart": ("the same, where it is not the move to the corner", "apart_surroundings"),
    "cell": ("the cheese's cell: variance explained", None),
    "interaction": ("interaction", None),
}


def curves_figure(found: Comparison) -> go.Figure:
    """Draw blindness over depth, one line a run, with its interval."""
    figure = go.Figure()
    for run, line in zip(found.arms, _lines(len(found.arms)), strict=True):
        points = run.curve
        blind, low, high = [p.blindness for p in points], [p.low for p in points], [p.high for p in points]
        figure.add_trace(_curve(blind, low, high, found.facts, line, name=run.name))
    shade_sites(figure, found.facts)
    figure.add_hline(y=found.thresholds.blindness, line={"color": GREY, "dash": "dot", "width": 1})
    lowest = min([point.low for run in found.arms for point in run.curve if point.low is not None], default=0.0)
    figure.update_yaxes(title="blindness", range=[max(min(lowest - 0.1, -0.6), -1.05), 1.1])
    figure.update_xaxes(tickangle=-50)
    figure.update_layout(
        template="simple_white", height=540, margin={"l": 60, "r": 20, "t": 30, "b": 150}, legend=LEGEND
    )
    return figure


def probes_figure(readings: ComparedReadings, runs: Sequence[str]) -> go.Figure:
    """Draw what the probes of each run read at each site, a panel for each curve; ``runs``: their names."""
    titles = [title for title, _ in _PANELS.values()]
    figure = make_subplots(rows=4, cols=1, shared_xaxes=True, vertical_spacing=0.05, subplot_titles=titles)
    for run, curves, line in zip(runs, readings.curves, _lines(len(runs)), strict=True):
        for row, name in enumerate(_PANELS, start=1):
            trace = _probed_curve(getattr(curves, name), readings.facts, line, run, shown=row == 1)
            figure.add_trace(trace, row=row, col=1)
    for row, (_, alone) in enumerate(_PANELS.values(), start=1):
        # By the mazes alone: the same for all that were probed on the same.
        told = None if alone is None else getattr(readings.curves[0], alone)[0].value
        if told is not None:
            figure.add_hline(y=told, line={"color": GREY, "dash": "dash", "width": 1}, row=row, col=1)
    shade_sites(figure, readings.facts, panels=(1, 2, 3, 4))
    for row in (1, 2, 3):
        figure.update_yaxes(range=[-0.1, 1.1], title="share", row=row)
    figure.update_yaxes(rangemode="tozero", title="share", row=4)
    figure.update_xaxes(tickangle=-50)
    legend = {**LEGEND, "y": 1.06}
    figure.update_layout(
        template="simple_white", height=1150, margin={"l": 60, "r": 20, "t": 60, "b": 150}, legend=legend
    )
    return figure


def differences_figure(found: Comparison) -> go.Figure:
    """Draw blindness of each run minus that of the first, with bands that hold all distinct sites at once."""
    figure = go.Figure()
    for i, difference in enumerate(found.differences):
        rows = difference.blindness
        figure.add_scatter(
            x=[short_site_name(row.site) for row in rows],
            y=[row.difference for row in rows],
            error_y=interval_bars(
                [row.difference for row in rows], [row.band_low for row in rows], [row.band_high for row in rows]
            ),
            name=f"{difference.of} minus {difference.against}",
            mode="markers",
            marker={
                "color": RUN_COLOURS[(i + 1) % len(RUN_COLOURS)],
                "size": 8,
                "symbol": symbols(found.facts, _SHAPES[i % len(_SHAPES)]),
            },
        )
    shade_sites(figure, found.facts)
    figure.add_hline(y=0, line={"color": GREY, "width": 1})
    figure.update_yaxes(title="difference of blindness")
    figure.update_xaxes(tickangle=-50)
    figure.update_layout(
        template="simple_white", height=480, margin={"l": 60, "r": 20, "t": 30, "b": 150}, legend=LEGEND
    )
    return figure


def development_figure(
    runs: Sequence[ComparedRunSummary],
    facts: Sequence[ComparedSite],
    counts: Sequence[int],
    losses: Sequence[LossCurve],
) -> go.Figure:
    """Draw over training: blindness by site, the boundary, how well the policy does, competence, and the loss.

    The boundary has an open marker where the cheese hardly draws the agent. Competence is that at a snapshot's
    boundary, or, with an open marker, at the first site where that is nowhere. Bumps of the loss are shaded.

    Args:
        runs: the snapshots, in any order.
        facts: of the sites.
        counts: place of each snapshot on the axis of samples and steps.
        losses: by stage of the training.
    """
    order = sorted(range(len(counts)), key=lambda i: counts[i])
    ordered, x = [runs[i] for i in order], [max(counts[i], 1) for i in order]
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.5, 0.25, 0.25], vertical_spacing=0.06)
    _add_boundary(figure, ordered, facts, x)
    highest = _add_policy(figure, ordered, facts, x)
    _add_loss(figure, losses)
    figure.update_yaxes(autorange="reversed", row=1, col=1)
    figure.update_yaxes(range=[0, 1.05 * max(1.0, highest)], title="probability, competence", row=2, col=1)
    figure.update_yaxes(title="loss", rangemode="tozero", row=3, col=1)
    figure.update_xaxes(type="log")
    figure.update_xaxes(title="samples and steps of training (the first weights stand at 1)", row=3, col=1)
    figure.update_layout(
        template="simple_white", height=860, margin={"l": 150, "r": 20, "t": 30, "b": 60}, legend=LEGEND
    )
    return figure


def _add_boundary(
    figure: go.Figure, runs: Sequence[ComparedRunSummary], facts: Sequence[ComparedSite], x: Sequence[int]
) -> None:
    """Add blindness by site and snapshot, and the boundary with its interval, to the upper panel."""
    sites, label = labels(facts), _site_labels(facts)
    figure.add_heatmap(
        x=x,
        y=[NOWHERE, *sites],
        z=[[None] * len(runs), *([run.curve[s].blindness for run in runs] for s in range(len(sites)))],
        hoverongaps=False,
        zmin=-1,
        zmax=1,
        colorscale=UNSIGNED,
        colorbar={"title": "blindness", "len": 0.5, "y": 0.78},
        row=1,
        col=1,
    )
    low, high = [label[run.boundary.low] for run in runs], [label[run.boundary.high] for run in runs]
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*low, *reversed(high)],
        name="its 95% interval",
        mode="lines",
        fill="toself",
        fillcolor=faded(TRICK, 0.3),
        hoverinfo="skip",
        line={"color": TRICK, "width": 1, "dash": "dot"},
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=x,
        y=[label[run.boundary.site] for run in runs],
        mode="lines+markers",
        name="boundary",
        line={"color": TRICK, "width": 2},
        marker={"symbol": ["circle" if cheese_tells(run.cheese) else "circle-open" for run in runs], "size": 9},
        row=1,
        col=1,
    )


def _add_policy(
    figure: go.Figure, runs: Sequence[ComparedRunSummary], facts: Sequence[ComparedSite], x: Sequence[int]
) -> float:
    """Add how well the policy does, and its competence, to the middle panel; returns the highest competence, or 0."""
    label = _site_labels(facts)
    rows = {
        "P(cheese), left alone": (CHEESE, [run.reference.clean.p_cheese for run in runs]),
        "P(top-right 5x5), cheese removed": (CORNER, [run.reference.no_cheese.p_region for run in runs]),
    }
    for name, (colour, values) in rows.items():
        figure.add_scatter(x=x, y=values, name=name, mode="lines+markers", line={"color": colour}, row=2, col=1)
    place = {fact.name: k for k, fact in enumerate(facts)}
    found = [run.boundary.site for run in runs]
    points = [run.curve[0 if site is None else place[site]] for run, site in zip(runs, found, strict=True)]
    figure.add_scatter(
        x=x,
        y=[point.competence for point in points],
        name="competence",
        mode="lines+markers",
        text=[label[point.site] for point in points],
        hovertemplate="%{y:.3f} at %{text}",
        marker={"symbol": ["diamond" if site else "diamond-open" for site in found], "size": 9},
        line={"color": ABLE, "dash": "dash"},
        row=2,
        col=1,
    )
    return max([point.competence for point in points if point.competence is not None], default=0.0)


def _add_loss(figure: go.Figure, losses: Sequence[LossCurve]) -> None:
    """Add the loss, its bumps shaded, to the lower panel."""
    for i, curve in enumerate(losses):
        figure.add_scatter(
            x=curve.count,
            y=curve.loss,
            name=f"loss, {curve.stage}",
            mode="lines",
            line={"color": GREY, "dash": _DASHES[i % len(_DASHES)]},
            row=3,
            col=1,
        )
        for first, last in curve.bumps:
            figure.add_vrect(x0=first * 0.97, x1=last * 1.03, fillcolor=GREY, opacity=0.3, line_width=0, row=3, col=1)


def planning_figures(found: ComparedPlanning, counts: Sequence[int] | None) -> dict[str, go.Figure]:
    """Return the figures of planning side by side; ``counts``: place of each snapshot of one training, else None."""
    made = {"compare-detours": _followed_figure(found, counts), "compare-carried": _carried_figure(found)}
    return {name: figure for name, figure in made.items() if figure is not None}


def _followed_figure(found: ComparedPlanning, counts: Sequence[int] | None) -> go.Figure:
    """Draw the share of detours followed, and of idle changes, by goal: run by run, or over training."""
    figure = go.Figure()
    x: list[Any] = list(found.runs) if counts is None else [max(count, 1) for count in counts]
    for goal, colour in (("cheese", CHEESE), ("corner", CORNER)):
        at = [(x[k], plan) for k, plans in enumerate(found.arms) for plan in plans if plan.goal == goal]
        for name, dash, shares in (
            (f"detours to the {goal} followed", "solid", [plan.follows for _, plan in at]),
            (f"idle changes, {goal}", "dot", [plan.idle for _, plan in at]),
        ):
            bars = interval_bars([s.value for s in shares], [s.low for s in shares], [s.high for s in shares])
            figure.add_scatter(
                x=[place for place, _ in at],
                y=[share.value for share in shares],
                error_y=bars,
                name=name,
                mode="markers" if counts is None else "lines+markers",
                line={"color": colour, "dash": dash},
                marker={"color": colour, "size": 10, "symbol": "circle" if dash == "solid" else "circle-open"},
            )
    if counts is not None:
        figure.update_xaxes(type="log", title="samples and steps of training (the first weights stand at 1)")
    figure.update_yaxes(title="right in both mazes", range=[0, 1.05])
    figure.update_layout(template="simple_white", height=420, legend=LEGEND, margin={"t": 90})
    if counts is None:
        figure.update_layout(scattermode="group", scattergap=0.6)  # else the points of a run hide one another
    return figure


def _carried_figure(found: ComparedPlanning) -> go.Figure | None:
    """Draw over depth what the changed walls (solid) and the mouse's place (dashed) carry of a detour, run by run."""
    goals = [goal for goal in ("cheese", "corner") if any(_located(plans, goal) for plans in found.arms)]
    if not goals:
        return None
    titles = [f"a detour to the {goal}" for goal in goals]
    figure = make_subplots(rows=len(goals), cols=1, vertical_spacing=0.25, subplot_titles=titles)
    for panel, goal in enumerate(goals, 1):
        for name, plans, colour in zip(found.runs, found.arms, run_colours(len(found.runs)), strict=True):
            for plan in _located(plans, goal):
                sites = plan.located.sites if plan.located is not None else ()
                for k, (place, dash) in enumerate((("source", "solid"), ("mouse", "dash"))):
                    figure.add_scatter(
                        x=[short_site_name(site.name) for site in sites],
                        y=[site.carried[k].value for site in sites],
                        name=f"{name}, {place}",
                        legendgroup=f"{name}, {place}",
                        showlegend=panel == 1,
                        mode="lines+markers",
                        line={"color": colour, "dash": dash},
                        row=panel,
                        col=1,
                    )
    figure.add_hline(y=0.5, line={"color": GREY, "dash": "dot", "width": 1})
    figure.update_xaxes(tickangle=-50)
    figure.update_yaxes(title="part of the effect carried", range=[-0.15, 1.1])
    figure.update_layout(template="simple_white", height=440 * len(goals), legend=LEGEND, margin={"t": 110, "b": 150})
    return figure


def _located(plans: Sequence[ComparedPlan], goal: str) -> list[ComparedPlan]:
    return [plan for plan in plans if plan.goal == goal and plan.located is not None]


def _site_labels(facts: Sequence[ComparedSite]) -> dict[str | None, str]:
    """Return the label of each site on an axis, by name; None is nowhere."""
    return {None: NOWHERE, **{fact.name: label for fact, label in zip(facts, labels(facts), strict=True)}}


def _lines(runs: int) -> list[dict[str, Any]]:
    """Return a line for each run: apart by colour and dash, or, where there are many, along one scale of colours."""
    colours = run_colours(runs)
    if runs <= len(RUN_COLOURS):
        return [{"color": colour, "dash": _DASHES[i % len(_DASHES)], "width": 2.5} for i, colour in enumerate(colours)]
    return [{"color": colour, "dash": "solid", "width": 2} for colour in colours]


def _curve(
    values: Sequence[float | None],
    lows: Sequence[float | None],
    highs: Sequence[float | None],
    facts: Sequence[Site],
    line: Mapping[str, Any],
    *,
    name: str,
    **options: Any,
) -> go.Scatter:
    """Return one run's values over depth; intervals only where lines have colours of their own."""
    return go.Scatter(
        x=names(facts),
        y=values,
        error_y=interval_bars(values, lows, highs) if line.get("color") in RUN_COLOURS else None,
        mode="lines+markers",
        line=dict(line),
        marker={"size": 8, "symbol": symbols(facts)},
        legendgroup=name,
        name=name,
        **options,
    )


def _probed_curve(
    rows: Sequence[Estimate], facts: Sequence[Site], line: Mapping[str, Any], name: str, *, shown: bool
) -> go.Scatter:
    values, lows, highs = [row.value for row in rows], [row.low for row in rows], [row.high for row in rows]
    return _curve(values, lows, highs, facts, line, name=name, showlegend=shown)
