"""Figure and table of written moves: what can be read at each site, and what comes of writing it there."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.figures.tables import Table
from steering.marks.colours import GREY, MOUSE, TOLD
from steering.marks.site_axis import LEGEND, interval_bars
from steering.records.planning import Share
from steering.records.readouts import WrittenPlace, WrittenSite, WrittenSummary
from steering.statistics.formatting import format_estimate, format_number, short_site_name

PLACES = {"mouse": "written at the mouse's place", "map": "written over the whole site"}
_NAMES = {"readout": ("the readout's direction", TOLD), "means": ("difference of means", MOUSE)}


def written_figure(found: WrittenSummary) -> go.Figure:
    """Draw over depth what is read, and the rise of the written move beyond every control, a panel for each place.

    Of the strengths the one nearest to 1 and the greatest.
    """
    panels = {place: rows for place in PLACES if (rows := _rows(found, place))}
    figure = make_subplots(
        rows=len(panels),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.1,
        subplot_titles=[PLACES[place] for place in panels],
    )
    order = [short_site_name(site.name) for site in found.sites]
    strengths = found.settings.strengths
    one = min(range(len(strengths)), key=lambda k: abs(strengths[k] - 1))
    shown = {len(strengths) - 1: "dot"} | {one: "solid"}
    for panel, rows in enumerate(panels.values(), 1):
        at = [short_site_name(site.name) for site, _ in rows]
        for label, read, dash in (
            ("next move read", [part.accuracy for _, part in rows], "solid"),
            ("read, shuffled moves", [part.chance for _, part in rows], "dot"),
        ):
            _line(figure, at, read, label, GREY, dash, panel)
        for name, (label, colour) in _NAMES.items():
            for k, dash in shown.items():
                values = [_effects(part, name)[k] for _, part in rows]
                _line(figure, at, values, f"{label}, strength {strengths[k]:g}", colour, dash, panel)
    figure.update_xaxes(categoryorder="array", categoryarray=order, tickangle=-50)
    figure.add_hline(y=0.5, line={"color": GREY, "dash": "dot", "width": 1.5})
    figure.update_yaxes(title="share read; rise of P(move)", range=[-0.3, 1.05])
    margin = {"l": 60, "r": 20, "t": 90, "b": 130}
    figure.update_layout(
        template="simple_white", height=150 + 280 * len(panels), legend={**LEGEND, "y": 1.07}, margin=margin
    )
    return figure


def _rows(found: WrittenSummary, place: str) -> list[tuple[WrittenSite, WrittenPlace]]:
    return [(site, part) for site in found.sites for part in site.places if part.place == place]


def _effects(part: WrittenPlace, name: str) -> list[Share]:
    """Return the rise beyond every control of one direction, by strength."""
    return [effect.beyond for each in part.directions if each.name == name for effect in each.effects if effect.beyond]


def _line(
    figure: go.Figure, at: list[str], shares: list[Share], label: str, colour: str, dash: str, panel: int
) -> None:
    bars = interval_bars([s.value for s in shares], [s.low for s in shares], [s.high for s in shares])
    figure.add_scatter(
        x=at,
        y=[share.value for share in shares],
        error_y={**bars, "visible": dash == "solid"},
        name=label,
        legendgroup=label,
        showlegend=panel == 1,
        mode="lines+markers",
        line={"color": colour, "width": 2.2 if dash == "solid" else 1.2, "dash": dash},
        row=panel,
        col=1,
    )


def written_table(found: WrittenSummary) -> Table:
    """Return what is read and what is written at every site and place, by strength."""
    strengths = found.settings.strengths
    header = ["site", "written", "read", "with shuffled moves", "direction"]
    header += [f"rise beyond controls, strength {each:g}" for each in strengths]
    header += ["half from strength", f"entered, strength {strengths[-1]:g}", f"goes on, strength {strengths[-1]:g}"]
    rows = []
    for site in found.sites:
        for part in site.places:
            for each in part.directions:
                if each.name not in _NAMES:
                    continue
                last = each.effects[-1]
                rows.append(
                    [
                        short_site_name(site.name),
                        "at the mouse" if part.place == "mouse" else "whole site",
                        format_estimate(part.accuracy),
                        format_estimate(part.chance),
                        each.name,
                        *(format_estimate(share) for share in _effects(part, each.name)),
                        "none" if each.half is None else f"{each.half:g}",
                        format_number(last.entered.value, 2),
                        format_number(last.goes_on.value, 2),
                    ]
                )
    return [header, *rows]


def written_caption(found: WrittenSummary) -> dict[str, object]:
    """Return the numbers and names in the caption of written moves."""
    told = {}
    for place, words in (("mouse", "at the mouse's place"), ("map", "over the whole site")):
        if any(part.place == place for site in found.sites for part in site.places):
            told[words] = ", ".join(map(short_site_name, found.unused(place, "readout"))) or "no site"
    unused = "; ".join(f"{words}: {sites}" for words, sites in told.items())
    clean = format_number(found.clean.value, 2)
    return {"branches": found.branches, "written_mazes": found.mazes, "clean": clean, "unused": unused}
