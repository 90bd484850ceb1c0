"""Figure, table and numbers of interference: the angles between the cheese vectors of a maze's cells, over depth."""

from __future__ import annotations

import plotly.graph_objects as go

from steering.figures.anatomy.lines import draw_line, two_panels
from steering.figures.tables import Table
from steering.marks.colours import GREY, VECTOR, shades
from steering.marks.site_axis import LEGEND, names, shade_sites
from steering.records.anatomy.interference_site import InterferenceSite
from steering.records.anatomy.summary import AnatomySummary
from steering.records.probes import Estimate
from steering.statistics.formatting import format_estimate, format_number, short_site_name

LEAST = 1e-3  # cosine below which points are cut off: nearer to orthogonal makes no difference
SUMS = (2, 8)  # vectors in the sums that are drawn
_DARK, _LIGHT = VECTOR, shades(VECTOR, 3)[0]


def interference_figure(found: AnatomySummary) -> go.Figure | None:
    """Draw over depth the cosines between vectors beside those of random directions, and what is read of sums."""
    sites = path_sites(found)
    if not sites:
        return None
    figure = two_panels("cosine between two cells' vectors, root mean square", "share of sums read")
    for label, colour, rows in (
        ("cheese vectors", _DARK, [site.raw[0] for site in sites]),
        ("less their mean", _LIGHT, [site.centred[0] for site in sites]),
    ):
        draw_line(figure, sites, [cut(row.measured) for row in rows], label, colour, 1)
    for label, dash, values in (
        ("random directions", "dot", [site.interference.random for site in sites]),
        ("random, effective dimension", "dash", [site.interference.random_effective for site in sites]),
    ):
        ends = [Estimate(value, None, None) for value in values]
        draw_line(figure, sites, [cut(end) for end in ends], label, GREY, 1, dash)
    for size, colour in zip(SUMS, (_LIGHT, _DARK), strict=True):
        parts = [next(part for part in site.sets if part.size == size) for site in sites]
        draw_line(figure, sites, [part.right for part in parts], f"sums of {size}", colour, 2, symbol="square")
        draw_line(figure, sites, [part.random for part in parts], f"{size} random", GREY, 2, "dot", legend=False)
    shade_sites(figure, sites, panels=(1, 2))
    figure.update_yaxes(type="log", dtick=1, range=[-3, 0.3], row=1)
    figure.update_yaxes(range=[-0.05, 1.25], tickvals=[0, 0.5, 1], row=2)  # room for the marks of sites
    figure.update_xaxes(categoryorder="array", categoryarray=names(sites), tickangle=-50)
    figure.update_layout(template="simple_white", height=760, legend=LEGEND, margin={"t": 110, "b": 150})
    return figure


def path_sites(found: AnatomySummary) -> list[InterferenceSite]:
    """Return the sites of the trunk, and those of which it is not known, at which something was measured."""
    return [site for site in found.interference or () if site.trunk is not False and site.interference.random]


def cut(value: Estimate) -> Estimate:
    """Return a value with its interval cut at the lower edge of the logarithmic axis; below it there is no point."""
    if value.value is None or value.value < LEAST:
        return Estimate(None, None, None)
    return Estimate(value.value, None if value.low is None else max(value.low, LEAST), value.high)


def interference_table(found: AnatomySummary) -> Table:
    """Return the numbers of every site."""
    sites = found.interference or ()
    if not sites:
        return []
    header = ["site", "dimensions", "effective dimension", "vectors", "could be orthogonal"]
    header += ["cosine, root mean square", "over random", "over random, effective dimension"]
    header += ["less the mean", "less the mean, over random", "largest cosine", "never needed"]
    header += [f"sums of {part.size} read" for part in sites[0].sets]
    rows = []
    for site in sites:
        own, less, largest = site.raw[0], site.centred[0], site.raw[2]
        rows.append(
            [
                short_site_name(site.name),
                str(site.dimension),
                format_number(site.effective.value, 0),
                format_number(site.cells, 0),
                "yes" if site.could_be_orthogonal else "no",
                format_number(own.measured.value),
                format_estimate(own.ratio),
                format_estimate(own.ratio_effective),
                format_number(less.measured.value),
                format_estimate(less.ratio),
                format_number(largest.measured.value),
                format_number(site.bound),
                *(format_estimate(part.right) for part in site.sets),
            ]
        )
    return [header, *rows]


def interference_caption(found: AnatomySummary) -> dict[str, object]:
    """Return the numbers and names in the caption: where the vectors interfere most, beside random directions."""
    sites = [site for site in path_sites(found) if not site.affine and site.interference.ratio.value is not None]
    most = max(sites, key=lambda site: site.interference.ratio.value or 0.0, default=None)
    if most is None:
        return {"interferes": "No site behind the picture has vectors to compare."}
    ratio, effective = most.interference.ratio.value, most.interference.ratio_effective.value
    where = short_site_name(most.name)
    said = f"They interfere most at {where}: cosines are {ratio:.1f} times those of random directions"
    said += "" if effective is None else f", and {effective:.1f} times those in the effective dimension"
    room = "There is room for all of them" if most.could_be_orthogonal else "There is no room for all of them"
    return {"interferes": f"{said}. {room} to be orthogonal."}
