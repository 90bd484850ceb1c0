"""Figures of a comparison (plotly), from the records of :mod:`steering.records.comparison`."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.analysis.paired_effects import cheese_tells
from steering.marks.colours import (
    ABLE,
    CHEESE,
    CORNER,
    DASHES,
    GREY,
    RUN_COLOURS,
    TRICK,
    UNSIGNED,
    faded,
    named_runs,
    run_colours,
    run_lines,
)
from steering.marks.site_axis import (
    DODGED,
    LEGEND,
    beside,
    interval_bars,
    labels,
    names,
    place,
    shade_sites,
    symbols,
)
from steering.records.comparison import ComparedRunSummary, ComparedSite, Comparison, LossCurve
from steering.records.readings import CAUSAL, Reading
from steering.statistics.formatting import short_site_name

MOST_LISTED = 12  # runs whose boundaries are listed below the curves
NOWHERE = "nowhere"  # the row of the site axis for a boundary before the first site
_SHAPES = ("circle", "square", "diamond", "triangle-up")


def curves_figure(found: Comparison, *, narrow: bool = False) -> go.Figure:
    """Draw blindness over depth, a line a run; below it each run's boundary, which names the run in its colour.

    An open marker: the conclusion has a caveat. With more runs than ``MOST_LISTED`` the boundaries are left out.

    Args:
        found: the comparison.
        narrow: whether it is for a phone.
    """
    runs, sites = found.arms, [fact.name for fact in found.facts]
    listed = len(runs) <= MOST_LISTED
    rows = 17 * len(runs) + 14 if listed else 0
    curves, below = (170, 88) if narrow else (250, 100)
    titles = [f"blindness under subtraction{'' if narrow else ' (1: as without the cheese; 0: no effect)'}"]
    titles += ["boundary, with its 95% interval"] if listed else []
    figure = make_subplots(
        rows=len(titles),
        cols=1,
        shared_xaxes=True,
        row_heights=[curves, rows] if listed else [curves],
        vertical_spacing=24 / (curves + rows + 24),
        subplot_titles=titles,
    )
    figure.update_annotations(x=0, xanchor="left", font_size=11 if narrow else 13)
    few = len(runs) <= len(RUN_COLOURS)
    for k, (run, line, named) in enumerate(zip(runs, run_lines(len(runs)), named_runs(len(runs)), strict=True)):
        aside = beside(k, len(runs)) if few else 0.0
        blind = [point.blindness for point in run.curve]
        ends = [point.low for point in run.curve], [point.high for point in run.curve]
        figure.add_scatter(
            x=[depth + aside for depth in range(len(sites))],
            y=blind,
            text=names(found.facts),
            hovertemplate="%{text}: %{y:.2f}",
            error_y=interval_bars(blind, *ends) if few else None,
            mode="lines+markers",
            line=line,
            marker={"size": 7, "symbol": symbols(found.facts)},
            name=run.name,
            showlegend=named and not listed,
            row=1,
            col=1,
        )
    shade_sites(figure, found.facts, panels=(1,))
    figure.add_hline(y=found.thresholds.blindness, line={"color": GREY, "dash": "dot", "width": 1.5}, row=1, col=1)
    lowest = min([point.low for run in runs for point in run.curve if point.low is not None], default=0.0)
    figure.update_yaxes(range=[max(min(lowest - 0.1, -0.3), -1.05), 1.25], row=1, col=1)
    ticks, first = names(found.facts), -0.7
    if listed and _add_boundaries(figure, runs, sites):
        first = -1.6
        figure.update_xaxes(tickvals=[-1, *range(len(sites))], ticktext=[NOWHERE, *ticks])
    else:
        figure.update_xaxes(tickvals=list(range(len(sites))), ticktext=ticks)
    figure.update_xaxes(range=[first, len(sites) - 0.3], tickangle=-90 if narrow else -50)
    if narrow:
        figure.update_xaxes(tickfont_size=9)
        figure.update_yaxes(tickfont_size=9)
    margin = {"l": 84 if narrow and listed else 110 if listed else 40, "r": 8, "t": 24 if listed else 60, "b": below}
    height = curves + rows + 24 + margin["t"] + below
    figure.update_layout(template="simple_white", height=height, margin=margin, legend=LEGEND)
    return figure


def _add_boundaries(figure: go.Figure, runs: Sequence[ComparedRunSummary], sites: Sequence[str]) -> bool:
    """Add a row for each run's boundary and its interval to the second panel; returns whether any is nowhere."""
    nowhere = False
    for k, (run, colour) in enumerate(zip(runs, run_colours(len(runs)), strict=True)):
        found = run.boundary
        depths = Reading(CAUSAL, "boundary", "up to", found.site, found.low, found.high).edges(sites)
        if depths is None or run.curve[0].blindness is None:
            continue
        nowhere = nowhere or -0.5 in depths
        at, low, high = (-1.0 if depth == -0.5 else depth for depth in depths)
        plain = cheese_tells(run.cheese) and not found.affine and found.blindness_alone.site == found.site
        figure.add_scatter(
            x=[low, high],
            y=[k, k],
            mode="lines",
            line={"color": faded(colour, 0.45), "width": 5},
            hoverinfo="skip",
            showlegend=False,
            row=2,
            col=1,
        )
        figure.add_scatter(
            x=[at],
            y=[k],
            mode="markers",
            marker={
                "color": colour,
                "size": 11,
                "symbol": "circle" if plain else "circle-open",
                "line": {"color": colour, "width": 2.5},
            },
            name=run.name,
            hovertemplate=f"{place(found.site)} (95% interval {place(found.low)} to {place(found.high)})",
            showlegend=False,
            row=2,
            col=1,
        )
    coloured = zip(runs, run_colours(len(runs)), strict=True)
    figure.update_yaxes(
        tickvals=list(range(len(runs))),
        ticktext=[f'<b style="color:{colour}">{run.name}</b>' for run, colour in coloured],
        range=[len(runs) - 0.4, -0.6],
        ticks="",
        showline=False,
        row=2,
        col=1,
    )
    return nowhere


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
    margin = {"l": 60, "r": 20, "t": 30, "b": 130}
    # The legend names the runs of one difference too, which plotly would leave out.
    figure.update_layout(template="simple_white", height=440, margin=margin, legend=LEGEND, showlegend=True, **DODGED)
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
            line={"color": GREY, "dash": DASHES[i % len(DASHES)]},
            row=3,
            col=1,
        )
        for first, last in curve.bumps:
            figure.add_vrect(x0=first * 0.97, x1=last * 1.03, fillcolor=GREY, opacity=0.3, line_width=0, row=3, col=1)


def _site_labels(facts: Sequence[ComparedSite]) -> dict[str | None, str]:
    """Return the label of each site on an axis, by name; None is nowhere."""
    return {None: NOWHERE, **{fact.name: label for fact, label in zip(facts, labels(facts), strict=True)}}
