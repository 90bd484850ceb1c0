"""Blindness with the states weighed in other ways: by the cells between mouse and cheese, and by visits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from steering.analysis.distances import VISITS
from steering.experiments.conditions import MAIN
from steering.experiments.outcome import CELLS, cells_label
from steering.figures.tables import Table
from steering.marks.colours import ABLE, GREY, INK, TRICK, shades
from steering.marks.site_axis import DODGED, LEGEND, interval_bars, labels, names, place, shade_sites, symbols
from steering.records.boundary import BoundarySummary
from steering.records.comparison import Comparison
from steering.records.sweep import SiteSummary, SweepSummary
from steering.statistics.formatting import format_number, format_range, short_site_name

POOLED = "all states"


@dataclass(frozen=True)
class _Line:
    """Blindness of subtraction over the trunk, one way of weighing states."""

    name: str
    """Its name."""
    values: tuple[tuple[float | None, float | None, float | None], ...]
    """Blindness and the ends of its interval at each site."""


def _trunk(summary: SweepSummary) -> list[SiteSummary]:
    return [site for site in summary.sites if site.trunk and MAIN in site.conditions]


def _lines(sites: Sequence[SiteSummary]) -> list[_Line]:
    """Return a line for all states, for visits, and for each distance that is known at every site."""
    rows = [site.conditions[MAIN] for site in sites]
    found = [
        _Line(POOLED, tuple((row.blindness, row.blindness_low, row.blindness_high) for row in rows)),
        _Line(
            VISITS,
            tuple((row.blindness_occupancy, row.blindness_occupancy_low, row.blindness_occupancy_high) for row in rows),
        ),
    ]
    for cells in CELLS:
        bins = [next((part for part in site.nearness_curve if part.cells == cells), None) for site in sites]
        known = [(part.blindness, part.blindness_low, part.blindness_high) for part in bins if part is not None]
        if len(known) == len(bins):
            found.append(_Line(cells_label(cells), tuple(known)))
    return found


def weighting_figure(summary: SweepSummary) -> go.Figure | None:
    """Return blindness of subtraction over depth, for all states, by visits, and by distance; None without sites."""
    sites = _trunk(summary)
    if not sites:
        return None
    lines = _lines(sites)
    near = [line.name for line in lines[2:]]
    named = [f'<b style="color:{colour}">{name}</b>' for name, colour in ((POOLED, INK), (VISITS, ABLE))]
    colours = {POOLED: INK, VISITS: ABLE, **dict(zip(near, shades(TRICK, len(near)), strict=True))}
    figure = go.Figure()
    for line in lines:
        values, lows, highs = zip(*line.values, strict=True)
        bold = line.name in (POOLED, VISITS)
        figure.add_scatter(
            x=names(sites),
            y=values,
            error_y=interval_bars(values, lows, highs),
            name=line.name,
            showlegend=not bold,
            mode="lines+markers",
            line={
                "color": colours[line.name],
                "width": 3 if bold else 1.5,
                "dash": "dash" if line.name == VISITS else "solid",
            },
            marker={"size": 7, "symbol": symbols(sites)},
        )
    shade_sites(figure, sites)
    figure.add_hline(y=summary.boundary.thresholds.blindness, line={"color": GREY, "dash": "dot", "width": 1})
    text = f"{named[0]}; weighed by {named[1]} (broken)" + ("; by cells to the cheese:" if near else "")
    corner = {"x": 0, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    figure.add_annotation(text=text, showarrow=False, yshift=4, **corner)
    lowest = min((value for line in lines for value, _, _ in line.values if value is not None), default=0.0)
    figure.update_yaxes(range=[max(min(lowest, 0.0) - 0.1, -1.0), 1.25], title="blindness")
    figure.update_xaxes(categoryorder="array", categoryarray=names(sites), tickangle=-50)
    figure.update_layout(
        template="simple_white",
        height=480,
        margin={"l": 60, "r": 20, "t": 60, "b": 130},
        legend={**LEGEND, "y": 1.09},
        hovermode="x unified",
        **DODGED,
    )
    return figure


def weighting_table(summary: SweepSummary) -> Table:
    """Return blindness of subtraction by site (rows) and way of weighing states; then the boundary of each."""
    sites = _trunk(summary)
    if not sites:
        return []
    lines = _lines(sites)
    rows = [[label, *(format_range(*line.values[k]) for line in lines)] for k, label in enumerate(labels(sites))]
    found = summary.boundary
    ends = {POOLED: _reach(found.site, found.low, found.high)} | weighted_boundaries(found)
    rows.append(["boundary", *(ends.get(line.name, "–") for line in lines)])
    bins = {cells_label(part.cells): part for part in sites[0].nearness_curve}
    if bins:
        near = [bins.get(line.name) for line in lines[2:]]
        effects = (format_number(None if part is None else part.effect, 2) for part in near)
        effective = (format_number(None if part is None else part.effective_mazes, 0) for part in near)
        rows.append(["part of the cheese's effect", "1", "–", *effects])
        whole = format_number(summary.spread.effective_mazes, 0)
        rows.append(["effective number of mazes", whole, "–", *effective])
    return [["site", *(line.name for line in lines)], *rows]


def weighted_boundaries(found: BoundarySummary) -> dict[str, str]:
    """Return the boundary of each way of weighing states, with its interval, in words."""
    return {part.weighting: _reach(part.site, part.low, part.high) for part in found.weightings}


def _reach(site: str | None, low: str | None, high: str | None) -> str:
    return f"{place(site)} ({place(low)} to {place(high)})"


def compared_weightings(found: Comparison) -> Table:
    """Return, run by run, the boundary with states weighed in each way, and blindness at the first run's boundary."""
    at = found.arms[0].boundary.site or found.sites[0]
    k = found.sites.index(at)
    names = [POOLED, *dict.fromkeys(part.weighting for run in found.arms for part in run.weightings)]
    rows = []
    for name in names:
        reaches, values = [], []
        for run in found.arms:
            reach, point = run.boundary, run.curve[k]
            value: tuple[float | None, float | None, float | None] = (point.blindness, point.low, point.high)
            shown = _reach(reach.site, reach.low, reach.high)
            if name != POOLED:
                part = next((part for part in run.weightings if part.weighting == name), None)
                shown = "–" if part is None else _reach(part.site, part.low, part.high)
                value = (
                    (None,) * 3 if part is None else (part.blindness[k], part.blindness_low[k], part.blindness_high[k])
                )
            reaches.append(shown)
            values.append(format_range(*value))
        rows += [[f"{name}: boundary", *reaches], [f"{name}: blindness at {short_site_name(at)}", *values]]
    spreads = [run.spread for run in found.arms]
    rows.append(["effective number of mazes", *(format_number(spread.effective_mazes, 0) for spread in spreads)])
    rows.append([f"share of the largest {spreads[0].of}", *(format_number(spread.largest, 2) for spread in spreads)])
    return [["states", *(run.name for run in found.arms)], *rows]
