"""Figure, table and sentence of mean vectors: whether a cell has one vector over levels, and how close those lie."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from steering.figures.anatomy.interference_figures import cut
from steering.figures.anatomy.lines import draw_line, two_panels
from steering.figures.tables import Table
from steering.marks.colours import GREY, TOLD, VECTOR, shades
from steering.marks.site_axis import LEGEND, names, shade_sites
from steering.records.anatomy.interference_site import InterferenceSite, MeanVectors
from steering.records.anatomy.summary import AnatomySummary
from steering.records.probes import Estimate
from steering.statistics.formatting import format_estimate, format_number, short_site_name

HALF = 0.5  # of the cells: where most are recognised
_DARK, _LIGHT = VECTOR, shades(VECTOR, 3)[0]


def mean_sites(found: AnatomySummary) -> list[tuple[InterferenceSite, MeanVectors]]:
    """Return the sites of the trunk, and those of which it is not known, that have means, with these."""
    sites = [site for site in found.interference or () if site.trunk is not False]
    return [(site, site.means) for site in sites if site.means is not None and site.means.recognised.value is not None]


def mean_figure(found: AnatomySummary) -> go.Figure | None:
    """Draw over depth how far a cell's vector is the same over levels, and the cosines between the means of cells."""
    both = mean_sites(found)
    if not both:
        return None
    sites, means = [site for site, _ in both], [mean for _, mean in both]
    figure = two_panels(
        "means over two halves of the levels: cosine, and share of cells recognised",
        "cosine between the means of two cells, root mean square",
    )
    draw_line(figure, sites, [mean.recognised for mean in means], "cells recognised", TOLD, 1, symbol="square")
    draw_line(figure, sites, [mean.same for mean in means], "cosine, the same cell", _DARK, 1, legend=False)
    draw_line(figure, sites, [mean.other for mean in means], "cosine, another cell", GREY, 1, "dot", legend=False)
    draw_line(figure, sites, [cut(mean.raw[0].measured) for mean in means], "two cells", _DARK, 2)
    draw_line(figure, sites, [cut(mean.centred[0].measured) for mean in means], "less their mean", _LIGHT, 2)
    for label, dash, values in (
        ("random directions", "dot", [mean.raw[0].random for mean in means]),
        ("random, effective dimension", "dash", [mean.raw[0].random_effective for mean in means]),
    ):
        draw_line(figure, sites, [cut(Estimate(value, None, None)) for value in values], label, GREY, 2, dash)
    shade_sites(figure, sites, panels=(1, 2))
    figure.update_yaxes(range=[-0.1, 1.25], tickvals=[0, 0.5, 1], row=1)  # room for the marks of sites
    figure.update_yaxes(type="log", dtick=1, range=[-3, 0.3], row=2)
    figure.update_xaxes(categoryorder="array", categoryarray=names(sites), tickangle=-50)
    figure.update_layout(template="simple_white", height=680, legend=LEGEND, margin={"t": 110, "b": 150})
    return figure


def mean_table(found: AnatomySummary) -> Table:
    """Return the numbers of every site that has means."""
    both = [(site, site.means) for site in found.interference or () if site.means is not None]
    if not both:
        return []
    header = [
        "site",
        "cells",
        "levels of a cell",
        "cells recognised",
        "two halves: the same cell",
        "another cell",
        "cosine, root mean square",
        "over random",
    ]
    header += ["over random, effective dimension", "less the mean", "largest cosine"]
    header += [f"sums of {part.size} read" for part in both[0][1].sets]
    rows = []
    for site, mean in both:
        own = mean.raw[0]
        rows.append(
            [
                short_site_name(site.name),
                str(mean.cells),
                format_number(mean.levels, 0),
                format_estimate(mean.recognised),
                format_estimate(mean.same),
                format_number(mean.other.value, 2),
                format_number(own.measured.value),
                format_estimate(own.ratio),
                format_estimate(own.ratio_effective),
                format_number(mean.centred[0].measured.value),
                format_number(mean.raw[2].measured.value),
                *(format_number(part.right.value, 2) for part in mean.sets),
            ]
        )
    return [header, *rows]


def mean_sentence(both: Sequence[tuple[InterferenceSite, MeanVectors]]) -> str:
    """Return the sentences about how far a cell has one vector over levels, and how close the means of cells lie.

    Args:
        both: distinct sites of the trunk, in depth order, with their means.
    """
    if not both:
        return "No two cells are free in enough levels to have means."
    last = next((k for k, (_, mean) in enumerate(both) if (mean.recognised.value or 0.0) < HALF), len(both)) - 1
    if last < 0:
        return "No site has a vector for most cells that is the same over levels."
    site, mean = both[last]
    where = "at every site" if last == len(both) - 1 else f"up to {short_site_name(site.name)}"
    said = (
        f"Most cells are recognised by their mean vector over other levels {where} ({mean.recognised.value:.2f} there)."
    )
    ratio, effective = mean.raw[0].ratio.value, mean.raw[0].ratio_effective.value
    if ratio is None or effective is None:
        return said
    near = f"{ratio:.1f} times random directions, {effective:.1f} times those in the effective dimension"
    return f"{said} There the cosine of two cells is {near}."


def mean_caption(found: AnatomySummary) -> dict[str, object]:
    """Return the sentences and numbers in the caption."""
    both = mean_sites(found)
    distinct = [(site, mean) for site, mean in both if site.equivalence_class == site.name]
    return {"averaged": mean_sentence(distinct), "averaged_cells": max((mean.cells for _, mean in both), default=0)}
