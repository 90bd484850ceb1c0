"""The figure of the first screen: blindness, the cheese's effect and the next move read, on one axis of depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.experiments.conditions import CONTROLS, MAIN
from steering.marks.colours import GREY, MOUSE, SOURCE, TOLD, TRICK
from steering.marks.site_axis import draw_band, draw_boundary, interval_bars, names, shade_sites
from steering.records.planning import Located, PlanningSummary, Share
from steering.records.probes import Estimate, ProbeSummary
from steering.records.readings import CAUSAL, PLANNING, Reading
from steering.records.readouts import READ, ReadoutSummary
from steering.records.sweep import SiteSummary, SweepSummary

GOAL = "cheese"
_NOTHING = Estimate(None, None, None)


@dataclass(frozen=True)
class _Panel:
    """One panel of the figure."""

    title: str
    """Words above it that name its lines by their colours."""
    draw: Callable[[go.Figure, int], None]
    """Function (figure, row) that draws it."""


def hero_figure(
    summary: SweepSummary,
    probes: ProbeSummary | None,
    planning: PlanningSummary | None,
    readouts: ReadoutSummary | None,
    *,
    narrow: bool = False,
) -> go.Figure | None:
    """Draw what was measured of the three questions, a panel each, over the trunk; None if no site was swept.

    Args:
        summary: the numbers of the sweep.
        probes: readings of the probes; None: not probed.
        planning: readings of planning; None: not measured.
        readouts: readouts at the mouse; None: not read.
        narrow: whether it is for a phone.
    """
    sites = [site for site in summary.sites if site.trunk and MAIN in site.conditions]
    if not sites:
        return None
    panels = [_trick(summary, sites, narrow), _effect(planning, sites, narrow), _read(probes, readouts, sites, narrow)]
    shown = [panel for panel in panels if panel is not None]
    heights, height = [1.25, *[1.0] * (len(shown) - 1)], (125 + 82 * len(shown) if narrow else 155 + 105 * len(shown))
    figure = make_subplots(
        rows=len(shown),
        cols=1,
        shared_xaxes=True,
        row_heights=heights,
        vertical_spacing=26 / (height - 120),
        subplot_titles=[panel.title for panel in shown],
    )
    figure.update_annotations(x=0, xanchor="left", font_size=10 if narrow else 13)
    for row, panel in enumerate(shown, 1):
        panel.draw(figure, row)
        figure.add_hline(y=0.5, line={"color": GREY, "dash": "dot", "width": 1}, row=row, col=1)
    last = len(sites) - 1
    shade_sites(figure, sites, panels=[1])
    depths = _edges(
        Reading(CAUSAL, "", "up to", summary.boundary.site, summary.boundary.low, summary.boundary.high), sites
    )
    if depths is not None:
        for row in range(1, len(shown) + 1):
            text = "boundary" if row == 1 else ""
            draw_boundary(figure, depths, text, row, annotation_position="top right", annotation_font_size=12)
    figure.update_xaxes(
        tickvals=list(range(last + 1)), ticktext=names(sites), range=[-0.75, last + 0.75], tickangle=-50
    )
    if depths is not None and -0.5 in depths:
        figure.update_xaxes(tickvals=[-0.6, *range(1, last + 1)], ticktext=["nowhere", *names(sites)[1:]])
    figure.update_yaxes(range=[-0.12, 1.08], tickvals=[0, 0.5, 1], zeroline=False)
    figure.update_yaxes(range=[-0.12, 1.34], row=1, col=1)  # room for the marks of sites
    margin = {"l": 26, "r": 6, "t": 24, "b": 100} if narrow else {"l": 36, "r": 10, "t": 24, "b": 105}
    figure.update_layout(template="simple_white", height=height, margin=margin, hovermode="x unified", showlegend=False)
    if narrow:
        figure.update_xaxes(tickangle=-90, tickfont_size=9)
    return figure


def _edges(reading: Reading, sites: Sequence[SiteSummary]) -> tuple[float, float, float] | None:
    return reading.edges([site.name for site in sites])


def _named(colour: str, text: str) -> str:
    return f'<b style="color:{colour}">{text}</b>'


def _trick(summary: SweepSummary, sites: Sequence[SiteSummary], narrow: bool) -> _Panel:
    """Return the panel of blindness, the controls as a band."""
    rows = [site.conditions[MAIN] for site in sites]
    swept = [name for name in CONTROLS if any(name in site.conditions for site in sites)]
    least = f"{summary.boundary.thresholds.blindness:g}"
    title = f"{_named(TRICK, 'blindness')} under subtraction"
    title += f", {_named(GREY, 'controls')}" if swept else ""
    title += "" if narrow else f" (1: as without the cheese; {least} or more: it works)"

    def draw(figure: go.Figure, row: int) -> None:
        x = list(range(len(sites)))
        parts = [[site.conditions[name].blindness for name in swept if name in site.conditions] for site in sites]
        known = [[value for value in values if value is not None] for values in parts]
        ends = [(min(values, default=None), max(values, default=None)) for values in known]
        draw_band(figure, x, [low for low, _ in ends], [high for _, high in ends], GREY, row, opacity=0.3)
        draw_band(figure, x, [each.blindness_low for each in rows], [each.blindness_high for each in rows], TRICK, row)
        _line(figure, row, sites, [each.blindness for each in rows], "blindness", TRICK)

    return _Panel(title, draw)


def _effect(planning: PlanningSummary | None, sites: Sequence[SiteSummary], narrow: bool) -> _Panel | None:
    """Return the panel of where the cheese's effect is, with its departure and its handoff; None: not measured."""
    found = cheese_located(planning)
    if found is None:
        return None
    title = f"the cheese's effect {_named(SOURCE, 'at the cheese')}, {_named(MOUSE, 'at the mouse')}"
    title += "" if narrow else " (the part that each place carries)"

    def draw(figure: go.Figure, row: int) -> None:
        for k, (name, colour) in enumerate((("at the cheese", SOURCE), ("at the mouse", MOUSE))):
            known = {site.name: site.carried[k] for site in found.sites}
            shares: list[Share | Estimate] = [known.get(site.name, _NOTHING) for site in sites]
            ends = [share.low for share in shares], [share.high for share in shares]
            values = [share.value for share in shares]
            # Beside the line: the intervals of few mazes are wide, and as bands they would hide both lines.
            figure.add_scatter(
                x=[depth + 0.12 * (2 * k - 1) for depth in range(len(sites))],
                y=values,
                error_y=interval_bars(values, *ends),
                mode="markers",
                marker={"color": colour, "size": 1},
                hoverinfo="skip",
                row=row,
                col=1,
            )
            _line(figure, row, sites, values, name, colour)
        named = {reading.name: reading for reading in found.readings}
        hands = named["handoff"]
        reading = Reading(PLANNING, "handoff", "from", hands.site, hands.low, hands.high)
        patched = {site.name for site in found.sites}
        last = max((k for k, site in enumerate(sites) if site.name in patched), default=-1)
        depths = _edges(reading, sites[: last + 1])
        if hands.site is not None and depths is not None:
            draw_boundary(figure, depths, "handoff", row, MOUSE, annotation_position="top right")
        elif depths is not None:
            style = {"showarrow": False, "xanchor": "left", "font": {"color": MOUSE}}
            figure.add_annotation(x=last + 0.4, y=0.9, text="handoff: nowhere", row=row, col=1, **style)

    return _Panel(title, draw)


def _read(
    probes: ProbeSummary | None, readouts: ReadoutSummary | None, sites: Sequence[SiteSummary], narrow: bool
) -> _Panel | None:
    """Return the panel of the next move read: at the mouse, else from whole maps; None: neither was measured."""
    look = _named(GREY, "a look around")
    if readouts is not None:
        views = {site.name: view.curve[-1] for site in readouts.sites for view in site.views if view.view == READ}
        told = {name: share.accuracy.get(GOAL, _NOTHING) for name, share in views.items()}
        curves = [("next move", told, "solid")]
        curves.append(("detours", {name: share.follows.get(GOAL, _NOTHING) for name, share in views.items()}, "dash"))
        alone = [each.curve[-1].accuracy.get(GOAL, _NOTHING) for each in readouts.readers if each.name == "look around"]
        title = f"{_named(TOLD, 'read at the mouse')}: next move, far detours (broken)"
        title += "" if narrow else f"; {look} alone"
    elif probes is not None:
        curves = [("next move", {site.name: site.moves[GOAL].accuracy for site in probes.sites}, "solid")]
        alone = [probes.surroundings[GOAL]]
        title = f"{_named(TOLD, 'next move read')} from whole maps; {look} alone"
    else:
        return None

    def draw(figure: go.Figure, row: int) -> None:
        for name, shares, dash in curves:
            _shares(figure, row, sites, shares, name, TOLD, dash)
        for told in alone:
            if told.value is not None:
                figure.add_hline(y=told.value, line={"color": GREY, "width": 1.5}, row=row, col=1)

    return _Panel(title, draw)


def cheese_located(planning: PlanningSummary | None) -> Located | None:
    """Return where the cheese's own effect is known; None if that was not measured."""
    parts = planning.located if planning is not None else ()
    return next((part for part in parts if (part.kind, part.goal) == ("cheese", GOAL)), None)


def _shares(
    figure: go.Figure,
    row: int,
    sites: Sequence[SiteSummary],
    shares: dict[str, Share] | dict[str, Estimate],
    name: str,
    colour: str,
    dash: str = "solid",
) -> None:
    known: list[Share | Estimate] = [shares.get(site.name, _NOTHING) for site in sites]
    draw_band(figure, range(len(sites)), [each.low for each in known], [each.high for each in known], colour, row)
    _line(figure, row, sites, [each.value for each in known], name, colour, dash)


def _line(
    figure: go.Figure,
    row: int,
    sites: Sequence[SiteSummary],
    values: Sequence[float | None],
    name: str,
    colour: str,
    dash: str = "solid",
) -> None:
    figure.add_scatter(
        x=list(range(len(sites))),
        y=values,
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2.5, "dash": dash},
        marker={"size": 6},
        hovertemplate="%{y:.2f}",
        row=row,
        col=1,
    )
