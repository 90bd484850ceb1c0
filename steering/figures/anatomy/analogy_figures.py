"""Figure, table and sentences of analogies: whether the cheese of one maze, added to another, is the cheese there."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.figures.anatomy.lines import draw_line
from steering.figures.tables import Table
from steering.marks.colours import GREY, TRICK, VECTOR, shades
from steering.marks.site_axis import LEGEND, names, shade_sites, symbols
from steering.records.anatomy.analogy_site import (
    ALONE,
    CENTRED,
    DEPTH,
    EFFECTIVE,
    EUCLIDEAN,
    GUESS,
    RANDOM,
    AnalogySite,
    Ranked,
    Trend,
)
from steering.records.anatomy.summary import AnatomySummary
from steering.records.probes import Estimate
from steering.statistics.formatting import format_estimate, format_number, short_site_name

HALF = 0.5  # of the analogies: where most hold
PANELS = ((0.69, 1.0), (0.4, 0.62), (0.0, 0.2))  # of the height; names of sites stand below the second
_DARK, _LIGHT, _FAINT = VECTOR, shades(VECTOR, 3)[0], shades(TRICK, 3)[0]


def ranked(site: AnalogySite, guess: str, measure: str = EUCLIDEAN) -> Ranked:
    """Return where the targets of one kind of guess stand at a site, by one measure of nearness."""
    return next(part for part in site.ranks if (part.guess, part.measure) == (guess, measure))


def analogy_sites(found: AnatomySummary) -> list[AnalogySite]:
    """Return the sites of the trunk, and those of which it is not known, at which there are analogies."""
    sites = found.analogy.sites if found.analogy else ()
    return [site for site in sites if site.trunk is not False and site.analogies]


def analogy_figure(found: AnatomySummary) -> go.Figure | None:
    """Draw over depth how often the target is nearest and what the policy makes of it; and the rate by dimensions."""
    sites = analogy_sites(found)
    if not sites:
        return None
    titles = ["share of targets that are nearest", "share of the cheese's effect on the policy"]
    figure = make_subplots(
        rows=3,
        cols=1,
        subplot_titles=[*titles, "nearest, by the effective dimension of the site"],
    )
    own, alone, random = ([ranked(site, guess) for site in sites] for guess in (GUESS, ALONE, RANDOM))
    draw_line(figure, sites, [part.top for part in own], "inputs among the candidates", _DARK, 1)
    draw_line(figure, sites, [part.top_excluding for part in own], "inputs left out", _LIGHT, 1)
    draw_line(figure, sites, [part.top_excluding for part in alone], "maze B alone, inputs left out", GREY, 1, "dot")
    draw_line(figure, sites, [part.top_excluding for part in random], "random vector, inputs left out", GREY, 1, "dash")
    draw_line(figure, sites, [site.behaviour for site in sites], "vector of the same cell", TRICK, 2)
    draw_line(figure, sites, [site.behaviour_other for site in sites], "vector of another cell", _FAINT, 2)
    figure.add_hline(y=0, line={"color": GREY, "width": 1}, row=2, col=1)
    figure.add_scatter(
        x=[site.effective.value for site in sites],
        y=[site.holds.value for site in sites],
        text=_some_names(sites),
        customdata=names(sites),
        mode="lines+markers+text",
        textposition="top center",
        textfont={"size": 9},
        line={"color": _LIGHT, "width": 1},
        marker={"size": 8, "color": _DARK, "symbol": symbols(sites)},
        showlegend=False,
        hovertemplate="%{customdata}: %{y:.2f} at dimension %{x:.0f}<extra></extra>",
        row=3,
        col=1,
    )
    shade_sites(figure, sites, panels=(1, 2))
    figure.update_yaxes(range=[-0.05, 1.25], tickvals=[0, 0.5, 1], row=1)  # room for the marks of sites
    figure.update_yaxes(range=[-1.1, 1.25], tickvals=[-1, 0, 1], row=2)
    figure.update_yaxes(range=[-0.05, 1.25], tickvals=[0, 0.5, 1], row=3)
    axis = {"categoryorder": "array", "categoryarray": names(sites), "tickangle": -50}
    figure.update_xaxes(**axis, showticklabels=False, row=1)
    figure.update_xaxes(**axis, row=2)
    figure.update_xaxes(title="effective dimension", type="log", dtick=1, row=3)
    for row, (low, high) in enumerate(PANELS, 1):
        figure.update_yaxes(domain=[low, high], row=row)
        figure.layout.annotations[row - 1].y = high  # its title
    figure.update_layout(template="simple_white", height=980, legend=LEGEND, margin={"t": 130, "b": 60})
    return figure


def _some_names(sites: Sequence[AnalogySite]) -> list[str]:
    """Return the names of the sites that begin something: the picture, a pooled map, the last; empty for others."""
    last = len(sites) - 1
    return [name if k in (0, last) or "maxpool" in name else "" for k, name in enumerate(names(sites))]


def analogy_table(found: AnatomySummary) -> Table:
    """Return the numbers of every site."""
    sites = found.analogy.sites if found.analogy else ()
    if not sites:
        return []
    header = ["site", "dimensions", "effective dimension", "nearest", "inputs left out", "centred cosine"]
    header += ["centred cosine, inputs left out", "B alone, inputs left out", "random, inputs left out"]
    header += ["mean rank", "nearest: another cell", "nearest: B without cheese", "distance left"]
    header += [_cells(group.low, group.high) for group in sites[0].distances]
    header += ["mice on the same cell", "effect on the policy", "vector of another cell"]
    rows = []
    for site in sites:
        own, centred = ranked(site, GUESS), ranked(site, GUESS, CENTRED)
        rows.append(
            [
                short_site_name(site.name),
                str(site.dimension),
                format_number(site.effective.value, 0),
                format_estimate(own.top),
                format_estimate(own.top_excluding),
                format_number(centred.top.value, 2),
                format_number(centred.top_excluding.value, 2),
                format_number(ranked(site, ALONE).top_excluding.value, 2),
                format_number(ranked(site, RANDOM).top_excluding.value, 2),
                format_number(own.rank.value, 1),
                format_number(site.nearest.other_cell.value, 2),
                format_number(site.nearest.here.value, 2),
                format_number(site.left.value, 2),
                *(format_number(group.top.value, 2) for group in site.distances),
                format_number(site.same_start.top.value, 2),
                format_estimate(site.behaviour),
                format_estimate(site.behaviour_other),
            ]
        )
    return [header, *rows]


def _cells(low: int, high: int | None) -> str:
    if high is None:
        return f"nearest: {low} or more cells"
    if high == low + 1:
        return "nearest: 1 cell" if low == 1 else f"nearest: {low} cells"
    return f"nearest: {low}-{high - 1} cells"


def where_it_holds(sites: Sequence[AnalogySite]) -> tuple[str, AnalogySite | None]:
    """Return the sentence about where most analogies hold, and the last site up to which they do; None for none.

    Args:
        sites: of the trunk, in depth order.
    """
    last = _last(sites, excluding=False)
    if last == len(sites) - 1:
        return "Most analogies hold at every site, the inputs among the candidates.", sites[last]
    if last >= 0:
        here, behind = sites[last], sites[last + 1]
        said = f"Most analogies hold up to {short_site_name(here.name)}, the inputs among the candidates"
        return f"{said} ({_share(here.holds)} there, {_share(behind.holds)} behind it).", here
    without = _last(sites, excluding=True)
    if without < 0:
        return "Most analogies fail from the first site on, even with the inputs left out.", None
    here = sites[without]
    said = f"Most analogies hold up to {short_site_name(here.name)} only if the inputs are left out"
    share = _share(ranked(here, GUESS).top_excluding)
    return f"{said} ({share} there, {_share(here.holds)} with them).", here


def _last(sites: Sequence[AnalogySite], *, excluding: bool) -> int:
    """Return the index of the last site up to which at least half of the targets are nearest; -1 for none."""
    for k, site in enumerate(sites):
        part = ranked(site, GUESS)
        if ((part.top_excluding if excluding else part.top).value or 0.0) < HALF:
            return k - 1
    return len(sites) - 1


def _share(value: Estimate) -> str:
    return f"{value.value or 0.0:.2f}"


def depth_or_dimension(trends: Sequence[Trend]) -> str:
    """Return the sentence about what analogies fail with, each at equal values of the other."""
    depth, effective = (next(trend.alone for trend in trends if trend.what == what) for what in (DEPTH, EFFECTIVE))
    if None in (depth.high, effective.high):
        return "There are too few sites or mazes to tell depth from dimensions."
    with_depth = (depth.high or 0.0) < 0
    with_many, with_few = (effective.high or 0.0) < 0, (effective.low or 0.0) > 0
    if with_depth and with_many:
        return "They fail with depth, and also where more dimensions are in use."
    if with_depth and with_few:
        return "They fail with depth, and more so where fewer dimensions are in use: many do not spoil them."
    if with_depth:
        return "They fail with depth; more dimensions in use do not spoil them."
    if with_many:
        return "They fail where more dimensions are in use, not with depth."
    if with_few:
        return "They fail where fewer dimensions are in use; at equal dimensions depth makes no clear difference."
    return "Whether they fail with depth or with dimensions cannot be told from these sites."


def what_the_policy_makes(site: AnalogySite | None) -> str:
    """Return the sentence about the policy under another maze's vector, at the last site where most analogies hold."""
    if site is None or site.behaviour.value is None:
        return ""
    value, low, high = site.behaviour.value, site.behaviour.low, site.behaviour.high
    if low is not None and low > 0:
        return f"There another maze's vector has {value:.0%} of the effect of the cheese on the policy."
    if high is not None and high < 0:
        return "There another maze's vector takes the policy further from the one with cheese than no vector does."
    return "There another maze's vector takes the policy no clear step towards the one with cheese."


def analogy_caption(found: AnatomySummary) -> dict[str, object]:
    """Return the sentences in the caption: where analogies hold, what they fail with, what the policy makes of them."""
    distinct = [site for site in analogy_sites(found) if site.equivalence_class == site.name]
    if not distinct or found.analogy is None:
        shared = "No two mazes have a free cell in common."
        return {"analogies": shared if len(found.settings.levels) > 1 else "Analogies take two mazes or more."}
    said, last = where_it_holds(distinct)
    sentences = (said, depth_or_dimension(found.analogy.trends), what_the_policy_makes(last))
    return {"analogies": " ".join(filter(None, sentences))}
