"""Figure, table and sentence of growing sets of channels: blindness and competence by their number."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from steering.figures.anatomy.circuit_figures import blindest, with_half
from steering.figures.anatomy.lines import two_panels
from steering.figures.tables import Table
from steering.marks.colours import ABLE, GREY, MOST_NAMED, TRICK, faded, shades
from steering.marks.site_axis import LEGEND, interval_bars
from steering.records.anatomy.circuit_site import CircuitSite
from steering.records.anatomy.summary import AnatomySummary
from steering.records.probes import Estimate
from steering.statistics.formatting import format_estimate, short_site_name

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")  # of a site, in both panels


def curve_sites(found: AnatomySummary) -> list[CircuitSite]:
    """Return the sites behind the picture whose channels give blindness to speak of: at most six, evenly over depth."""
    known = with_half(found.circuit or ())
    count = min(len(known), MOST_NAMED)
    return [known[round(k * (len(known) - 1) / max(count - 1, 1))] for k in range(count)]


def circuit_curves_figure(found: AnatomySummary) -> go.Figure | None:
    """Draw blindness, and competence below it, by the share of channels that the vector is subtracted in."""
    sites = curve_sites(found)
    if not sites:
        return None
    figure = two_panels("blindness, of channels ranked by effect alone", "competence, of the same channels")
    colours = shades(TRICK, len(sites)), shades(ABLE, len(sites))
    for site, symbol, upper, lower in zip(sites, SYMBOLS[: len(sites)], *colours, strict=True):
        _curve(figure, site, [each.ranked for each in site.sets], upper, symbol, 1)
        _curve(figure, site, [each.competence for each in site.sets], lower, symbol, 2)
    for panel in (1, 2):
        figure.add_hline(y=1, line={"color": GREY, "width": 1, "dash": "dot"}, row=panel, col=1)
    figure.update_xaxes(title="share of the site's channels", rangemode="tozero", row=2)
    layout = {"height": 640, "legend": LEGEND, "margin": {"t": 110, "b": 60}}
    figure.update_layout(template="simple_white", **layout)
    return figure


def _curve(
    figure: go.Figure, site: CircuitSite, values: Sequence[Estimate | None], colour: str, symbol: str, panel: int
) -> None:
    """Draw one site's curve, where it was measured; the legend names it once, for both panels."""
    shown = [(part.size / site.channels, value) for part, value in zip(site.sets, values, strict=True) if value]
    ends = [[value.value for _, value in shown], [value.low for _, value in shown], [value.high for _, value in shown]]
    figure.add_scatter(
        x=[share for share, _ in shown],
        y=ends[0],
        error_y={**interval_bars(*ends), "thickness": 1, "color": faded(colour, 0.4)},
        name=short_site_name(site.name),
        legendgroup=site.name,
        showlegend=panel == 1,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 8, "symbol": symbol},
        hovertemplate="%{y:.2f}",
        row=panel,
        col=1,
    )


def circuit_curves_table(found: AnatomySummary) -> Table:
    """Return the curves of all sites, one row a number of channels."""
    if not found.circuit:
        return []
    header = ["site", "channels", "blindness, ranked", "greedily", "by norm", "at random", "competence, ranked"]
    rows = []
    for site in found.circuit:
        for part in site.sets:
            parts = (part.ranked, part.greedy, part.norm, part.random, part.competence)
            cells = ["–" if each is None else format_estimate(each) for each in parts]
            rows.append([short_site_name(site.name), f"{part.size} of {site.channels}", *cells])
    return [header, *rows]


def circuit_curves_caption(found: AnatomySummary) -> dict[str, object]:
    """Return the sentence in the caption: competence with few channels and with all, at the site of the first one."""
    known = [site for site in with_half(found.circuit or ()) if site.half.competence.value is not None]
    if not known:
        return {"curves": ""}
    site = blindest(known)
    most = site.sets[-1].competence
    said = (
        f"At {short_site_name(site.name)}, with the {site.half.ranked.value:.0f} channels for half of the blindness, "
    )
    said += f"competence is {format_estimate(site.half.competence)}"
    return {"curves": f"{said}." if most is None else f"{said}; with all {site.channels}, {format_estimate(most)}."}
