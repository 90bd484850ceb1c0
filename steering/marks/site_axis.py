"""Parts shared by all figures over depth: names of sites, intervals, and marks of what is no finding at a site.

Shaded ("free"): the network is affine in the pixels there. Framed ("local"): a unit sees only part of the picture.
Open marker or hatched bar: the same experiment as a site before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Protocol

import plotly.graph_objects as go

from steering.experiments.conditions import TABLE
from steering.experiments.outcome import DISTANCES
from steering.marks.colours import GREY, TRICK, faded
from steering.statistics.formatting import short_site_name


class Site(Protocol):
    """Facts of a site that a figure over depth needs; see :class:`steering.records.sites.SiteFacts`."""

    @property
    def name(self) -> str:
        """Return the name of its module."""

    @property
    def affine(self) -> bool | None:
        """Return whether the network is affine in the pixels up to it; None: not known."""

    @property
    def equivalence_class(self) -> str:
        """Return the name of the first site that is the same experiment."""

    @property
    def receptive_field(self) -> int | None:
        """Return the side of the square that one unit sees; None: the whole picture, or not known."""


COLOURS = {condition.name: condition.colour for condition in TABLE}
LEGEND = {"orientation": "h", "x": 0, "y": 1.04, "yanchor": "bottom"}
DODGED = {"scattermode": "group", "scattergap": 0.5}  # layout of lines whose intervals would hide one another
# Opacities are said because the template has its own for shapes; all lie below what they mark.
_SHADE = {"fillcolor": "#999999", "opacity": 0.15, "line_width": 0, "layer": "below"}
_FRAME = {
    "fillcolor": "rgba(0,0,0,0)",
    "opacity": 0.7,
    "line": {"color": GREY, "width": 1.5, "dash": "dot"},
    "layer": "below",
}


def place(name: str | None) -> str:
    """Return the place of a boundary or of an end of its interval: the short name of a site, or nowhere."""
    return "nowhere" if name is None else short_site_name(name)


def names(sites: Sequence[Site]) -> list[str]:
    """Return the sites' names as shown on an axis."""
    return [short_site_name(site.name) for site in sites]


def labels(sites: Sequence[Site]) -> list[str]:
    """Return names with the marks in words, for axes that cannot be shaded."""
    kinds = {"free": " (free)", "local": " (local)", "": ""}
    return [short_site_name(site.name) + kinds[locality_mark(site)] for site in sites]


def locality_mark(site: Site) -> str:
    """Return ``free``, ``local`` or nothing."""
    if site.affine:
        return "free"
    return "local" if site.receptive_field is not None else ""


def is_duplicate(site: Site) -> bool:
    """Return True if the site is the same experiment as one before it."""
    return site.equivalence_class != site.name


def symbols(sites: Sequence[Site], symbol: str = "circle") -> list[str]:
    """Return a marker for each site, open where it is a twin."""
    return [f"{symbol}-open" if is_duplicate(site) else symbol for site in sites]


def shade_sites(figure: go.Figure, sites: Sequence[Site], panels: Sequence[int] = (), first: int = 0) -> None:
    """Shade the free and frame the local of ``sites``, which stand on the x axis from position ``first`` on.

    ``panels``: rows of a figure with subplots; none for a plain figure.
    """
    styles: tuple[tuple[str, dict[str, Any]], ...] = (("free", _SHADE), ("local", _FRAME))
    for (text, style), panel in itertools.product(styles, panels or (None,)):
        where = {} if panel is None else {"row": panel, "col": 1}
        for start, end in _runs([locality_mark(site) == text for site in sites]):
            figure.add_vrect(
                x0=first + start - 0.4,
                x1=first + end + 0.4,
                annotation_text=text,
                annotation_position="top left",
                annotation_font_size=11,
                **style,
                **where,
            )


def draw_boundary(
    figure: go.Figure,
    depths: tuple[float, float, float],
    text: str,
    panel: int | None = None,
    colour: str = TRICK,
    **style: Any,
) -> None:
    """Draw a line between two sites at ``depths[0]``, named ``text``, and shade its interval ``depths[1:]``.

    ``style``: of its name, as ``add_vline`` takes it.
    """
    where = {} if panel is None else {"row": panel, "col": 1}
    at, low, high = depths
    line = {"color": colour, "dash": "dash", "width": 2}
    shade = {"fillcolor": colour, "opacity": 0.12, "line_width": 0, "layer": "below"}
    figure.add_vrect(x0=low - 0.08, x1=high + 0.08, **shade, **where)
    figure.add_vline(x=at, line=line, opacity=1, annotation_text=text, annotation_font_color=colour, **style, **where)


def draw_band(
    figure: go.Figure,
    x: Sequence[Any],
    lows: Sequence[float | None],
    highs: Sequence[float | None],
    colour: str,
    panel: int | None = None,
    *,
    opacity: float = 0.2,
) -> None:
    """Shade the places between ``lows`` and ``highs`` over ``x``; those that are not known are left out."""
    where = {} if panel is None else {"row": panel, "col": 1}
    ends = zip(x, lows, highs, strict=True)
    known = [(at, low, high) for at, low, high in ends if low is not None and high is not None]
    figure.add_scatter(
        x=[*(at for at, _, _ in known), *(at for at, _, _ in reversed(known))],
        y=[*(low for _, low, _ in known), *(high for _, _, high in reversed(known))],
        fill="toself",
        fillcolor=faded(colour, opacity),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        **where,
    )


def draw_levels(
    figure: go.Figure,
    levels: Sequence[tuple[str, float | None]],
    row: int,
    col: int = 1,
    *,
    apart: float = 0.05,
    lines: bool = True,
) -> None:
    """Name values that are the same at every site at the right edge of a panel of shares.

    Names that would overlap stand on one line.

    Args:
        figure: has subplots.
        levels: names and values, None: not known.
        row: of the panel.
        col: of the panel.
        apart: values that differ by less share a line of print.
        lines: whether a dotted line is drawn at each value too.
    """
    known = sorted(((value, name) for name, value in levels if value is not None), reverse=True)
    groups: list[list[tuple[float, str]]] = []
    for value, name in known:
        if lines:
            figure.add_hline(y=value, line={"color": GREY, "dash": "dot", "width": 1}, row=row, col=col)
        if groups and groups[-1][-1][0] - value < apart:
            groups[-1].append((value, name))
        else:
            groups.append([(value, name)])
    for group in groups:
        figure.add_annotation(
            text=", ".join(name for _, name in group),
            x=1,
            xref="x domain",
            y=sum(value for value, _ in group) / len(group),
            xanchor="left",
            showarrow=False,
            font={"size": 10},
            row=row,
            col=col,
        )


def beside(run: int, runs: int) -> float:
    """Return how far from its site a run's points stand, of several runs whose intervals would hide one another."""
    return 0.5 * ((run + 0.5) / runs - 0.5)


def interval_bars(
    values: Sequence[float | None], lows: Sequence[float | None], highs: Sequence[float | None]
) -> dict[str, Any]:
    """Return error bars (plotly's ``error_y``) from ``lows`` to ``highs``."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [_gap(high, value) for high, value in zip(highs, values, strict=True)],
        "arrayminus": [_gap(value, low) for value, low in zip(values, lows, strict=True)],
        "thickness": 1.2,
    }


def distance_labels(distances: Sequence[int] = DISTANCES) -> list[str]:
    """Return the names of bins of path length, given by their first lengths."""
    last = {first: following - 1 for first, following in itertools.pairwise(DISTANCES)}
    return [f"{a} or more" if a not in last else str(a) if last[a] == a else f"{a}-{last[a]}" for a in distances]


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the first and last position of each stretch of true ``flags``."""
    places = [list(group) for true, group in itertools.groupby(range(len(flags)), key=lambda i: flags[i]) if true]
    return [(group[0], group[-1]) for group in places]


def _gap(a: float | None, b: float | None) -> float | None:
    """Return ``a - b``, not below 0; None if either is."""
    return None if a is None or b is None else max(a - b, 0.0)
