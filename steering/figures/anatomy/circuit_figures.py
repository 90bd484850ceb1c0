"""Figure, table and sentence of sub-circuits: how few channels carry the cheese, over depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from envs.errors import counted
from steering.figures.anatomy.lines import two_panels
from steering.figures.tables import Table
from steering.marks.colours import ABLE, GREY, TRICK, VECTOR, shades
from steering.marks.site_axis import DODGED, LEGEND, interval_bars, names, shade_sites
from steering.records.anatomy.circuit_site import FALLS, HELD, CircuitSite, Removed
from steering.records.anatomy.summary import AnatomySummary
from steering.records.probes import Estimate
from steering.statistics.formatting import format_estimate, format_number, short_site_name

BLIND = 0.9  # full blindness from which a site is one that the sentence can be about
FALL = FALLS[-1]


def circuit_figure(found: AnatomySummary) -> go.Figure | None:
    """Draw over depth the share of channels for half of the blindness, and what removing channels for good costs."""
    sites = found.circuit or ()
    if not sites:
        return None
    figure = two_panels(
        "share of channels that gives half of the full blindness",
        "change in P(top-right) without cheese, channels removed for good",
    )
    for label, colour, pick in (
        ("ranked by effect alone", TRICK, lambda site: site.half.ranked),
        ("found greedily", shades(TRICK, 3)[2], lambda site: site.half.greedy),
        ("ranked by norm", VECTOR, lambda site: site.half.norm),
        ("random channels", GREY, lambda site: site.half.random),
    ):
        _points(figure, sites, [_share(site, pick(site)) for site in sites], label, colour, 1)
    for label, colour, symbol, changes in (
        ("removed to halve the effect", ABLE, "square", [site.removed[-1].region for site in sites]),
        ("as many random", GREY, "square", [site.region_random for site in sites]),
    ):
        _points(figure, sites, changes, label, colour, 2, symbol)
    shade_sites(figure, sites, panels=(1, 2))
    figure.add_hrect(y0=-HELD, y1=HELD, fillcolor=ABLE, opacity=0.2, line_width=0, row=2, col=1)
    figure.update_yaxes(range=[-0.05, 1.25], tickvals=[0, 0.5, 1], row=1)  # room for the marks of sites
    figure.update_yaxes(range=[-1.05, 0.6], tickvals=[-1, -0.5, 0, 0.5], row=2)
    figure.update_xaxes(categoryorder="array", categoryarray=names(sites), tickangle=-50)
    layout = {"height": 760, "legend": LEGEND, "margin": {"t": 110, "b": 150}, **DODGED}
    figure.update_layout(template="simple_white", **layout)
    return figure


def _share(site: CircuitSite, count: Estimate) -> Estimate:
    ends = (None if end is None else end / site.channels for end in (count.value, count.low, count.high))
    return Estimate(*ends)


def _points(
    figure: go.Figure,
    sites: Sequence[CircuitSite],
    values: Sequence[Estimate],
    label: str,
    colour: str,
    panel: int,
    symbol: str = "circle",
) -> None:
    figure.add_scatter(
        x=names(sites),
        y=[value.value for value in values],
        error_y=interval_bars([e.value for e in values], [e.low for e in values], [e.high for e in values]),
        name=label,
        mode="markers",
        marker={"size": 8, "symbol": [symbol] * len(sites), "color": colour},
        hovertemplate="%{y:.2f}",
        row=panel,
        col=1,
    )


def circuit_table(found: AnatomySummary) -> Table:
    """Return the numbers of every site."""
    sites = found.circuit or ()
    if not sites:
        return []
    header = ["site", "channels", "full blindness", "for half", "for nine tenths", "half greedily"]
    header += ["half by norm", "half at random"]
    header += ["competence at half", "shared by halves (chance)", "shared with site before (chance)"]
    header += [f"removed to take {fall:.0%}" for fall in FALLS]
    rows = []
    for site in sites:
        half, most = site.needed
        rows.append(
            [
                short_site_name(site.name),
                str(site.channels),
                format_estimate(site.full),
                counted_channels(half.ranked),
                counted_channels(most.ranked),
                counted_channels(half.greedy),
                counted_channels(half.norm),
                counted_channels(half.random),
                format_estimate(half.competence),
                _shared(site, lambda each: each.halves),
                _shared(site, lambda each: each.before),
                *(_taken(part) for part in site.removed),
            ]
        )
    return [header, *rows]


def counted_channels(count: Estimate) -> str:
    """Return a number of channels with its interval; a dash for none."""
    if count.value is None:
        return "–"
    ends = "" if count.low is None or count.high is None else f" ({count.low:.0f} to {count.high:.0f})"
    return f"{count.value:.0f}{ends}"


def _shared(site: CircuitSite, pick: Callable[[CircuitSite], object]) -> str:
    part = pick(site)
    if part is None:
        return "–"
    return f"{format_number(part.jaccard, 2)} ({format_number(part.chance, 2)})"  # type: ignore[attr-defined]


def _taken(part: Removed) -> str:
    """Return how many channels are removed, what is left, and what becomes of P(top-right)."""
    said = f"{len(part.channels)}: {format_number(part.left.value, 2)} left"
    change = part.region.value
    return said if change is None else f"{said}, P(top-right) {round(change, 2) + 0.0:+.2f}"


def circuit_caption(found: AnatomySummary) -> dict[str, object]:
    """Return the sentences in the caption: how few channels carry the cheese, and whether any can be removed."""
    sites = found.circuit or ()
    return {"circuit": f"{carried(sites)} {removable(sites)}".rstrip()}


def with_half(sites: Sequence[CircuitSite]) -> list[CircuitSite]:
    """Return the sites behind the picture where all channels give blindness to speak of."""
    return [site for site in sites if site.half.ranked.value is not None and not site.affine]


def blindest(known: Sequence[CircuitSite]) -> CircuitSite:
    """Return the deepest of sites where all channels give nearly all of the blindness, else that where most."""
    blind = [site for site in known if (site.full.value or 0.0) >= BLIND]
    return blind[-1] if blind else max(known, key=lambda each: each.full.value or 0.0)


def carried(sites: Sequence[CircuitSite]) -> str:
    """Return how few channels give half of the blindness, at the deepest site where all give nearly all of it."""
    if not sites:
        return "No site of the trunk with few enough channels was asked for."
    if all(site.full.value is None for site in sites):
        return "Sets of channels are found in some mazes and measured in others: it takes two or more."
    known = with_half(sites)
    if not known:
        return "Subtraction blinds at no site behind the picture, so there is no part of it to look for."
    site = blindest(known)
    ranked, random = site.half.ranked, site.half.random
    fewer = site.half.greedy.value is not None and site.half.greedy.value < (ranked.value or 0.0)
    best = site.half.greedy if fewer else ranked
    said = f"At {short_site_name(site.name)}, {best.value:.0f} of {site.channels} channels"
    said += " found greedily give half of the blindness" if fewer else " give half of the blindness"
    if fewer:
        said += f", {ranked.value:.0f} ranked by what each does alone"
    if random.value is None:
        return f"{said}."
    if best.high is not None and best.high < random.value:
        return f"{said}; of channels drawn at random it takes {random.value:.0f}."
    return f"{said}, no clearly smaller part than the {random.value:.0f} of channels drawn at random."


def removable(sites: Sequence[CircuitSite]) -> str:
    """Return whether some channels can be removed for good so that the cheese matters half as much and no goal is lost.

    Of sets that take at least half on the mazes on which they are checked, too.
    """
    if all(site.full.value is None for site in sites):
        return ""  # nothing was checked
    inner = [site for site in sites if not site.affine and site.removed[-1].region.value is not None]
    if not inner:
        return "No channel was removed."
    fit = [site for site in inner if site.removed[-1].holds and (site.removed[-1].left.value or 0.0) <= 1.0 - FALL]
    if fit:
        site = min(fit, key=lambda each: len(each.removed[-1].channels) / each.channels)
        part = site.removed[-1]
        return (
            f"At {short_site_name(site.name)}, {len(part.channels)} of {site.channels} channels can be removed for all "
            f"mazes: {part.left.value:.0%} of what the cheese changes is left, P(top-right) changes by "
            f"{part.region.value:+.3f}."
        )
    said = f"No set found takes half of what the cheese changes and keeps P(top-right) within {HELD}"
    held = [
        (part.left.value, len(part.channels), short_site_name(site.name))
        for site in inner
        for part in site.removed
        if part.holds and part.left.value is not None
    ]
    left, count, name = min(held, default=(1.0, 0, ""))
    most = f"; the most is {1.0 - left:.0%}, with {counted(count, 'channel')} at {name}"
    return f"{said}." if left >= 1.0 else f"{said}{most}."
