"""Figure and tables of the channels that agents have in common, of those that carry the cheese in each."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from steering.figures.anatomy.lines import draw_line, two_panels
from steering.figures.tables import Table
from steering.marks.colours import GREY, named_runs, run_colours
from steering.marks.site_axis import DODGED, LEGEND, names, shade_sites
from steering.records.anatomy.shared_channels import Common, ComparedCircuits, SharedChannels
from steering.records.probes import Estimate
from steering.statistics.formatting import format_estimate, format_number, short_site_name

BY_NUMBER, MATCHED = "numbered", "matched"


def shared_figure(found: ComparedCircuits, runs: Sequence[str]) -> go.Figure | None:
    """Draw over depth how far channels are shared beyond chance, by number and matched, a line a run.

    Args:
        found: the runs' channels.
        runs: names of all runs compared, whose colours these have.
    """
    if not found.arms:
        return None
    scale = "(0: as random sets, 1: the same)"
    figure = two_panels(f"channels shared, by number {scale}", f"channels shared, matched by activations {scale}")
    colours = dict(zip(runs, run_colours(len(runs)), strict=True))
    for arm, named in zip(found.arms, named_runs(len(found.arms)), strict=True):
        for panel, kind in enumerate((BY_NUMBER, MATCHED), 1):
            values = [above_chance(getattr(site, kind)) for site in arm.sites]
            draw_line(figure, found.facts, values, arm.of, colours[arm.of], panel, legend=named and panel == 1)
    shade_sites(figure, found.facts, panels=(1, 2))
    figure.add_hline(y=0, line={"color": GREY, "dash": "dot", "width": 1})
    figure.update_yaxes(range=[-0.6, 1.25])
    figure.update_xaxes(categoryorder="array", categoryarray=names(found.facts), tickangle=-50)
    layout = {"height": 760, "legend": LEGEND, "margin": {"t": 110, "b": 150}, **DODGED}
    figure.update_layout(template="simple_white", **layout)
    return figure


def above_chance(part: Common) -> Estimate:
    """Return a Jaccard on a scale where that of random sets is 0 and 1 stays 1; nothing where there are no sets."""
    if part.overlap is None or part.overlap.chance >= 1.0:
        return Estimate(None, None, None)
    chance = part.overlap.chance
    ends = (part.jaccard.value, part.jaccard.low, part.jaccard.high)
    return Estimate(*(None if end is None else (end - chance) / (1.0 - chance) for end in ends))


def means_table(found: ComparedCircuits) -> Table:
    """Return a header and a row for each run: what it shares with the first, mean over the sites."""
    if not found.arms:
        return []
    header = ["run", "sites", "by number", "matched", "random sets", "itself, other mazes"]
    first = [f"{found.against} (the first)", "–", "–", "–", "–", format_number(found.halves, 2)]
    rows = [
        [
            arm.of,
            str(arm.mean.sites),
            format_estimate(arm.mean.numbered),
            format_estimate(arm.mean.matched),
            format_number(arm.mean.chance, 2),
            format_number(arm.mean.halves, 2),
        ]
        for arm in found.arms
    ]
    return [header, first, *rows]


def sites_table(found: ComparedCircuits) -> Table:
    """Return a header and a row for each run and each site where both agents have channels for half."""
    header = ["run", "site", "channels", "for half", "by number", "p", "matched", "p", "random sets", "own number"]
    rows = [
        [arm.of, short_site_name(site.site), str(site.channels), *_cells(site)]
        for arm in found.arms
        for site in arm.sites
        if site.numbered.overlap is not None
    ]
    return [[*header, "correlation"], *rows] if rows else []


def _cells(site: SharedChannels) -> list[str]:
    numbered, matched = site.numbered.overlap, site.matched.overlap
    assert numbered is not None and matched is not None
    return [
        "{} and {}".format(*numbered.sizes),
        format_estimate(site.numbered.jaccard),
        format_number(numbered.p),
        format_estimate(site.matched.jaccard),
        format_number(matched.p),
        format_number(numbered.chance, 2),
        format_number(site.in_place, 2),
        format_number(site.correlation, 2),
    ]
