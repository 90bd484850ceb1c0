"""Figures and table of readouts at the mouse: by site and by number of frames, beside readers; of several runs."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.figures.tables import Table
from steering.marks.colours import GREY, INK, TOLD, named_runs, run_colours, shades
from steering.marks.site_axis import (
    DODGED,
    LEGEND,
    draw_boundary,
    draw_levels,
    interval_bars,
    names,
    shade_sites,
    symbols,
)
from steering.records.probes import Estimate
from steering.records.readings import DECODING, ComparedReadings, Reading
from steering.records.readouts import READ, VIEWS, ReadoutSite, ReadoutSummary, ToldShares
from steering.statistics.formatting import format_estimate, short_site_name

_COLOURS = dict(zip(VIEWS, (*shades(TOLD, 3), INK), strict=True))
_READERS = ("2", "4", "8", "16", "look around")  # drawn as lines; the others are in the table
_NOTHING = Estimate(None, None, None)
GOAL = "cheese"


def readout_figure(found: ReadoutSummary) -> go.Figure:
    """Draw over depth what readouts tell of the way to the cheese, on ordinary frames and on detours."""
    figure = make_subplots(
        rows=2,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.09,
        subplot_titles=("next move to the cheese named correctly", "right in both mazes of a detour to the cheese"),
    )
    for view, colour in _COLOURS.items():
        last = [_last(site, view) for site in found.sites]
        for panel, part in ((1, "accuracy"), (2, "follows")):
            values = [_NOTHING if share is None else getattr(share, part).get(GOAL, _NOTHING) for share in last]
            _line(figure, found.sites, values, view if view == "whole" else f"{view} at the mouse", colour, panel)
    told = [(_short_reader(each.name), each.curve[-1]) for each in found.readers if each.name in _READERS]
    draw_levels(figure, [(name, share.accuracy.get(GOAL, _NOTHING).value) for name, share in told], 1)
    told.append(("the policy", found.agent))
    draw_levels(figure, [(name, share.follows.get(GOAL, _NOTHING).value) for name, share in told], 2)
    shade_sites(figure, found.sites, panels=(1, 2))
    for row in found.detours:
        if (row.what, row.view) == (GOAL, READ) and row.site is not None:
            reading = Reading(DECODING, f"{READ} follows detours", "from", row.site, row.low, row.high)
            depths = reading.edges([site.name for site in found.sites])
            if depths is not None:
                draw_boundary(figure, depths, reading.what, 2, TOLD)
    figure.update_yaxes(range=[-0.03, 1.05], title="share")
    figure.update_xaxes(categoryorder="array", categoryarray=names(found.sites), tickangle=-50)
    legend, margin = {"orientation": "h", "y": -0.22}, {"l": 70, "r": 150, "t": 40, "b": 190}
    figure.update_layout(template="simple_white", height=760, margin=margin, legend=legend)
    return figure


def compared_readouts(found: ComparedReadings, runs: Sequence[str]) -> dict[str, go.Figure]:
    """Draw over depth the detours that each run's readout at the mouse follows, a panel for each goal.

    Args:
        found: readings of the runs.
        runs: their names.

    Returns:
        The figure by its name; nothing where no run has readouts.
    """
    goals = list(dict.fromkeys(curve.goal for curves in found.readouts for curve in curves))
    if not goals:
        return {}
    titles = [f"detours to the {goal}" for goal in goals]
    figure = make_subplots(rows=len(goals), cols=1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=titles)
    drawn = zip(runs, found.readouts, run_colours(len(runs)), named_runs(len(runs)), strict=True)
    for name, curves, colour, named in drawn:
        for curve in curves:
            panel = 1 + goals.index(curve.goal)
            values, lows, highs = zip(*((each.value, each.low, each.high) for each in curve.follows), strict=True)
            figure.add_scatter(
                x=[short_site_name(site) for site in curve.sites],
                y=values,
                error_y=interval_bars(values, lows, highs),
                name=name,
                legendgroup=name,
                showlegend=named and curve is curves[0],
                mode="lines+markers",
                line={"color": colour},
                row=panel,
                col=1,
            )
    figure.update_xaxes(tickangle=-50)
    figure.update_yaxes(title="followed", range=[-0.03, 1.05])
    margin = {"l": 60, "r": 20, "t": 60, "b": 130}
    legend = {**LEGEND, "y": 1.06}
    figure.update_layout(template="simple_white", height=190 + 210 * len(goals), legend=legend, margin=margin, **DODGED)
    return {"compare-readouts": figure}


def learning_figure(found: ReadoutSummary, *, narrow: bool = False) -> go.Figure:
    """Draw accuracy against the frames learned from: readouts at some sites, and readers that learn.

    ``narrow``: for a phone, of the last of these sites.
    """
    shown = _spread([site for site in found.sites if len(site.views) == len(VIEWS)])[-1 if narrow else 0 :]
    figure = make_subplots(
        rows=1, cols=len(shown), shared_yaxes=True, subplot_titles=[short_site_name(site.name) for site in shown]
    )
    for column, site in enumerate(shown, 1):
        for view in site.views:
            _curve(figure, view.curve, view.view, _COLOURS[view.view], "solid", column)
        for reader in found.readers:
            if len(reader.curve) > 1:
                _curve(figure, reader.curve, reader.name, GREY, "dot", column)
    learnt = [reader for reader in found.readers if len(reader.curve) > 1]
    ends = [(_short_reader(each.name), each.curve[-1].accuracy.get(GOAL, _NOTHING).value) for each in learnt]
    draw_levels(figure, ends, 1, len(shown), apart=0.03, lines=False)
    counts = list(found.settings.frames)
    figure.update_xaxes(type="log", title="frames", tickvals=counts, ticktext=[f"{each:,}" for each in counts])
    figure.update_annotations(font_size=11)
    figure.update_yaxes(range=[0.2, 1.02])
    figure.update_yaxes(title="next moves named correctly", col=1)
    legend, margin = {"orientation": "h", "y": -0.25}, {"l": 70, "r": 130, "t": 40, "b": 110}
    figure.update_layout(template="simple_white", height=440, margin=margin, legend=legend)
    if narrow:
        margin, legend = {"l": 40, "r": 108, "t": 70, "b": 45}, {"orientation": "h", "y": 1.1, "yanchor": "bottom"}
        figure.update_layout(height=330, margin=margin, legend=legend, font_size=9)
        figure.update_annotations(font_size=8)
    return figure


def readout_table(found: ReadoutSummary) -> Table:
    """Return what each readout and each reader tells from the most frames."""
    header = ["read", "frames", "still rising", "strongest reader that sees as far"]
    header += [f"next move: {name}" for name in found.asked]
    header += [f"detours to the {goal} followed" for goal in found.pairs]
    rows = []
    for site in found.sites:
        for view in site.views:
            if view.curve:
                rising = "not measured" if view.saturated is None else "no" if view.saturated else "yes"
                name = f"{short_site_name(site.name)}, {view.view}"
                rows.append([name, str(view.curve[-1].frames), rising, view.reader, *_cells(found, view.curve[-1])])
    for reader in found.readers:
        steps = (
            f"reader of {reader.name} steps" if not reader.name[0].isalpha() or reader.name == "all" else reader.name
        )
        last = reader.curve[-1]
        rows.append([steps, str(last.frames or "none"), "", "", *_cells(found, last)])
    rows.append(["the policy itself", "none", "", "", *_cells(found, found.agent)])
    return [header, *rows]


def readout_caption(found: ReadoutSummary) -> dict[str, object]:
    """Return the numbers in the captions of readouts."""
    most = max(found.settings.frames)
    pairs = " and ".join(f"{count} to the {goal}" for goal, count in found.pairs.items()) or "none"
    rising = []
    for name in VIEWS:
        asked = [view.saturated for site in found.sites for view in site.views if view.view == name]
        if False in asked:
            rising.append(f"{name} {asked.count(False)} of {len(asked)}")
    return {
        "frames_learned": f"{most:,}",
        "frames_asked": f"{found.asked[GOAL]:,}",
        "pairs": pairs,
        "rising": ", ".join(rising) or "none",
    }


def _cells(found: ReadoutSummary, share: ToldShares) -> list[str]:
    told = [share.accuracy.get(name, _NOTHING) for name in found.asked]
    return [format_estimate(each) for each in [*told, *(share.follows.get(goal, _NOTHING) for goal in found.pairs)]]


def _last(site: ReadoutSite, view: str) -> ToldShares | None:
    curves = [each.curve for each in site.views if each.view == view]
    return curves[0][-1] if curves and curves[0] else None


def _spread(sites: Sequence[ReadoutSite]) -> list[ReadoutSite]:
    """Return up to four of the sites: the last of each quarter of those that are no picture of the pixels."""
    open_ = [site for site in sites if not site.affine] or list(sites)
    return [open_[len(open_) * k // 4 - 1] for k in range(1, 5)] if len(open_) >= 4 else open_


def _line(
    figure: go.Figure, sites: Sequence[ReadoutSite], values: Sequence[Estimate], label: str, colour: str, panel: int
) -> None:
    figure.add_scatter(
        x=names(sites),
        y=[each.value for each in values],
        error_y=interval_bars([e.value for e in values], [e.low for e in values], [e.high for e in values]),
        name=label,
        legendgroup=label,
        showlegend=panel == 1,
        mode="lines+markers",
        line={"color": colour, "width": 2.2},
        marker={"size": 7, "symbol": symbols(sites)},
        row=panel,
        col=1,
    )


def _short_reader(name: str) -> str:
    """Return the name of a reader as a figure has room for it."""
    return f"{name} steps" if name.isdigit() else name


def _curve(figure: go.Figure, curve: Sequence[ToldShares], label: str, colour: str, dash: str, column: int) -> None:
    values = [share.accuracy.get(GOAL, _NOTHING) for share in curve]
    bars = interval_bars([e.value for e in values], [e.low for e in values], [e.high for e in values])
    figure.add_scatter(
        x=[share.frames for share in curve],
        y=[each.value for each in values],
        error_y={**bars, "visible": dash == "solid"},
        name=label,
        legendgroup=label,
        showlegend=column == 1 and dash == "solid",
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 2.0 if dash == "solid" else 1.0},
        row=1,
        col=column,
    )
