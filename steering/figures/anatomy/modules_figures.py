"""Figures and tables of modules: vectors over channels along the depth, and the modularity over training."""

from __future__ import annotations

import plotly.graph_objects as go

from steering.figures.anatomy.lines import draw_line, two_panels
from steering.figures.anatomy.modules_words import path_sites
from steering.figures.tables import Table
from steering.marks.colours import CHEESE, GREY, INK, MOUSE, PALE, VECTOR
from steering.marks.site_axis import LEGEND, interval_bars, names, shade_sites
from steering.records.anatomy.modules import KINDS, PAIRS, Modularity, Null
from steering.records.anatomy.summary import AnatomySummary
from steering.statistics.formatting import format_estimate, format_number, short_site_name

_KINDS = dict(zip(KINDS, (CHEESE, INK, MOUSE), strict=True))
_PAIRS = dict(zip(PAIRS, (VECTOR, MOUSE, GREY), strict=True))


def modules_figure(found: AnatomySummary) -> go.Figure | None:
    """Draw over depth how many channels the vectors lie along, and whether two kinds share channels."""
    sites = path_sites(found)
    if not sites:
        return None
    figure = two_panels("channels in use, over those along random axes", "same channels: 0 by chance, 1 as one kind")
    lines = [
        (kind, colour, [site.kinds[k].ratio for site in sites], 1) for k, (kind, colour) in enumerate(_KINDS.items())
    ] + [
        (f"{one} and {other}", colour, [site.overlaps[k].above_chance for site in sites], 2)
        for k, ((one, other), colour) in enumerate(_PAIRS.items())
    ]
    for label, colour, values, panel in lines:
        draw_line(figure, sites, values, label, colour, panel, symbol="circle" if panel == 1 else "square")
    figure.add_hline(1, line={"color": GREY, "width": 1, "dash": "dot"}, row=1, col=1)
    figure.add_hline(0, line={"color": GREY, "width": 1, "dash": "dot"}, row=2, col=1)
    shade_sites(figure, sites, panels=(1, 2))
    figure.update_yaxes(range=[0, 1.75], row=1)  # room for the marks of sites
    figure.update_yaxes(range=[-1.1, 1.6], row=2)
    figure.update_xaxes(categoryorder="array", categoryarray=names(sites), tickangle=-50)
    figure.update_layout(template="simple_white", height=760, legend=LEGEND, margin={"t": 110, "b": 150})
    return figure


def _networks(found: AnatomySummary) -> list[tuple[str, Modularity]]:
    """Return the networks whose modularity is shown, with their names: snapshots of the training, then the agent."""
    if found.modules is None:
        return []
    network = found.modules.network
    over = [(f"{each.samples:,}", each.modularity) for each in network.snapshots]
    return [*over, (found.checkpoint.name, network.modularity)]


def modules_training_figure(found: AnatomySummary) -> go.Figure | None:
    """Draw the modularity of the snapshots of the training and of the agent, beside shuffled and untrained weights."""
    shown = _networks(found)
    if found.modules is None:
        return None
    labels = [label for label, _ in shown]
    figure = go.Figure()
    for name, colour, nulls, dash in (
        ("shuffled freely", PALE, [each.shuffled for _, each in shown], "dot"),
        ("shuffled, strengths kept", GREY, [each.kept for _, each in shown], "dash"),
    ):
        figure.add_scatter(
            x=labels,
            y=[null.mean for null in nulls],
            error_y=interval_bars(*([getattr(null, end) for null in nulls] for end in ("mean", "low", "high"))),
            name=name,
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            hovertemplate="%{y:.4f}",
        )
    figure.add_scatter(
        x=labels,
        y=[each.value for _, each in shown],
        name="the network",
        mode="lines+markers",
        line={"color": INK, "width": 2.5},
        hovertemplate="%{y:.4f}",
    )
    if (fresh := found.modules.network.untrained) is not None:
        figure.add_hrect(fresh.low, fresh.high, fillcolor=PALE, opacity=0.35, line_width=0, layer="below")
        where = {"x": 1, "xref": "paper", "xanchor": "right", "y": fresh.high, "yshift": 9}
        figure.add_annotation(text="untrained", showarrow=False, **where)
    figure.update_xaxes(type="category", title="training samples", tickangle=-50)
    figure.update_yaxes(title="modularity", rangemode="tozero")
    figure.update_layout(template="simple_white", height=430, legend=LEGEND, margin={"t": 60, "b": 110})
    return figure


def modules_table(found: AnatomySummary) -> Table:
    """Return the numbers of every site."""
    if found.modules is None:
        return []
    header = ["site", "channels"]
    for kind in KINDS:
        header += [f"{kind}: channels in use", "along random axes", "ratio", "in top quarter", "along random axes"]
    for one, other in PAIRS:
        header += [f"{one} and {other}: cosine", "by chance", "of one kind", "above chance", "p"]
    rows = []
    for site in found.modules.sites:
        cells = [short_site_name(site.name), str(site.channels)]
        for each in site.kinds:
            cells += [format_number(each.channels.value, 1), format_number(each.turned, 1), format_estimate(each.ratio)]
            cells += [format_number(each.top.value, 2), format_number(each.top_turned, 2)]
        for pair in site.overlaps:
            cells += [format_number(value, 2) for value in (pair.cosine.value, pair.chance, pair.alike)]
            cells += [format_estimate(pair.above_chance), format_number(pair.p)]
        rows.append(cells)
    return [header, *rows]


def modules_training_table(found: AnatomySummary) -> Table:
    """Return the modularity of the snapshots of the training and of the agent."""
    shown = _networks(found)
    if not shown:
        return []
    header = ["training samples", "modularity", "communities", "shuffled, strengths kept", "z", "shuffled freely", "z"]

    def cells(null: Null) -> list[str]:
        ends = f"{format_number(null.mean, 4)} ({format_number(null.low, 4)} to {format_number(null.high, 4)})"
        return [ends, format_number(null.z, 1)]

    return [
        header,
        *(
            [label, format_number(each.value, 4), str(each.communities), *cells(each.kept), *cells(each.shuffled)]
            for label, each in shown
        ),
    ]
