"""The report's figures (plotly), from the summary of a sweep and the other evidence of its run."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from steering.experiments.conditions import BY_NAME, MAIN
from steering.figures.tables import DECISION_MOVES, counted_labels, position_grid, starred, worlds
from steering.films.example_mazes import damaged, example_maze
from steering.films.move_fields import MoveField, panels
from steering.marks.colours import ABLE, CHEESE, CORNER, MOUSE, PALE, TOLD, TRICK, UNSIGNED, VECTOR, faded
from steering.marks.site_axis import (
    COLOURS,
    DODGED,
    LEGEND,
    distance_labels,
    draw_boundary,
    interval_bars,
    is_duplicate,
    labels,
    names,
    shade_sites,
    symbols,
)
from steering.records.examples import ChosenMaze, ExampleFields
from steering.records.readings import CAUSAL, DECODING, PLANNING, REPRESENTATIONAL, Reading
from steering.records.sites import SiteFacts
from steering.records.sweep import ConditionSummary, SiteSummary, SweepSummary
from steering.statistics.bootstrap import FEW
from steering.sweep.outcome_table import DecisionSquares
from videos.fields import field_drawing
from videos.plots import field_figure

_KINDS = {CAUSAL: TRICK, REPRESENTATIONAL: VECTOR, DECODING: TOLD, PLANNING: MOUSE}
_BELOW = {"l": 60, "r": 20, "t": 30, "b": 130}  # margins where sites stand on the x axis
_LEFT = {"l": 150, "r": 20, "t": 20, "b": 60}  # margins where sites stand on the y axis


def blindness_figure(summary: SweepSummary) -> go.Figure:
    """Return blindness of every condition over depth, competence, and the boundary."""
    trunk = [site for site in summary.sites if site.trunk]
    branch = [site for site in summary.sites if not site.trunk]
    figure = go.Figure()
    conditions = list(dict.fromkeys(label for site in trunk for label in site.conditions))
    for label in conditions:
        _blindness_line(figure, trunk, label)
    if MAIN in conditions:
        _competence_line(figure, trunk, MAIN)
    if branch and MAIN in branch[0].conditions:
        figure.add_scatter(
            x=names(branch),
            y=[site.conditions[MAIN].blindness for site in branch],
            name=f"blindness, {MAIN}, branch sites",
            mode="markers",
            marker={"color": COLOURS[MAIN], "symbol": "x-thin-open", "size": 7},
        )
    shade_sites(figure, summary.sites)
    alone = summary.reference.clean.competence
    if alone is not None:
        figure.add_hline(y=alone, line={"color": ABLE, "dash": "longdashdot", "width": 1.5})
    found = summary.boundary
    for least, colour in ((found.thresholds.blindness, TRICK), (found.thresholds.competence, ABLE)):
        figure.add_hline(y=least, line={"color": colour, "dash": "dot", "width": 1.5})
    if found.site is not None:
        reading = Reading(CAUSAL, "boundary", "up to", found.site, found.low, found.high)
        depths = reading.edges([site.name for site in summary.sites])
        assert depths is not None  # the boundary is one of the sites
        draw_boundary(figure, depths, reading.what)
    shown = [row.blindness for site in summary.sites for row in site.conditions.values()]
    lowest = min([value for value in shown if value is not None], default=0.0)
    # Room above 1 for the marks of sites.
    figure.update_yaxes(range=[max(min(lowest, 0.0) - 0.1, -1.0), 1.25], title="1 = as without cheese, 0 = no effect")
    figure.update_xaxes(categoryorder="array", categoryarray=names(summary.sites), tickangle=-50, title=None)
    layout = {"height": 500, "margin": _BELOW, "legend": LEGEND, "hovermode": "x unified", **DODGED}
    figure.update_layout(layout, template="simple_white")
    return figure


def _blindness_line(figure: go.Figure, trunk: Sequence[SiteSummary], label: str) -> None:
    """Draw blindness under one condition, with its intervals."""
    rows = [site.conditions[label] for site in trunk]
    main, shape = label == MAIN, "square" if label.startswith(MAIN) else "diamond"
    # Random vectors have no twins: each site is an experiment of its own.
    shared = BY_NAME[label.split(" ")[0]].shared_in_class
    markers = symbols(trunk, "circle" if main else shape) if shared else "diamond"
    figure.add_scatter(
        x=names(trunk),
        y=[row.blindness for row in rows],
        error_y=_bars(rows, "blindness"),
        name=f"blindness, {label}",
        mode="lines+markers",
        line={
            "color": _colour(label),
            "width": 3 if main else 1.5,
            "dash": "solid" if main else "dash" if label.startswith(MAIN) else "dot",
        },
        marker={"size": 9 if main else 6, "symbol": markers},
    )


def _competence_line(figure: go.Figure, trunk: Sequence[SiteSummary], label: str) -> None:
    """Draw competence under one condition, with its intervals."""
    rows = [site.conditions[label] for site in trunk]
    figure.add_scatter(
        x=names(trunk),
        y=[row.competence for row in rows],
        error_y=_bars(rows, "competence"),
        name=f"competence, {label}",
        mode="lines+markers",
        line={"color": ABLE, "dash": "dash", "width": 2},
        marker={"size": 6, "symbol": symbols(trunk, "triangle-up")},
    )


def _bars(rows: Sequence[ConditionSummary], name: str) -> dict[str, Any]:
    """Return the error bars of one score."""
    value, low, high = ([getattr(row, name + end) for row in rows] for end in ("", "_low", "_high"))
    return interval_bars(value, low, high)


def _colour(label: str) -> str:
    """Return the colour of a condition, whatever its coefficient."""
    return COLOURS.get(label.split(" ")[0], "#999999")


def readings_figure(sites: Sequence[SiteFacts], found: Sequence[Reading], *, narrow: bool = False) -> go.Figure | None:
    """Return all readings of the boundary over the trunk ``sites``, each as an edge between two, with its interval.

    None if there are none; one that names a site which is not among ``sites`` is left out. ``narrow``: for a phone.
    """
    order = [site.name for site in sites]
    shown = [(reading, depths) for reading in found if (depths := reading.edges(order)) is not None]
    if not shown:
        return None
    figure = go.Figure()
    said = {
        id(reading): textwrap.wrap(f"{reading.what} ({reading.word})", 28 if narrow else 44) for reading, _ in shown
    }
    for kind, colour in _KINDS.items():
        rows = [(reading, depths) for reading, depths in shown if reading.kind == kind]
        if rows:
            figure.add_scatter(
                x=[at for _, (at, _, _) in rows],
                y=["<br>".join(said[id(reading)]) for reading, _ in rows],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [max(high - at, 0) for _, (at, _, high) in rows],
                    "arrayminus": [max(at - low, 0) for _, (at, low, _) in rows],
                    "thickness": 3,
                },
                mode="markers",
                name=kind,
                marker={"color": colour, "size": 11},
                text=[f"{reading.place} (95% interval {reading.interval})" for reading, _ in rows],
                hovertemplate="%{text}",
            )
    shade_sites(figure, sites)
    nowhere = sorted({depth for _, depths in shown for depth in depths} & {-0.5, len(sites) - 0.5})
    figure.update_xaxes(tickvals=[*range(len(sites)), *nowhere], ticktext=[*names(sites), *["nowhere"] * len(nowhere)])
    figure.update_xaxes(tickangle=-90 if narrow else -50, range=[-0.7, len(sites)], tickfont_size=8 if narrow else 12)
    figure.update_yaxes(autorange="reversed", automargin=True, type="category", tickfont_size=8 if narrow else 12)
    height = 220 + (10 + (9 if narrow else 16) * max(map(len, said.values()))) * len(shown)
    figure.update_layout(template="simple_white", height=height, legend=LEGEND, margin=_BELOW)
    return figure


def decision_figure(summary: SweepSummary) -> go.Figure:
    """Return the move probabilities at the decision square: towards the cheese, the corner, elsewhere."""
    trunk = [site for site in summary.sites if site.trunk and MAIN in site.conditions]
    reference = summary.reference
    rows = [reference.clean, *(site.conditions[MAIN] for site in trunk), reference.no_cheese]
    hatched = ["", *("/" if is_duplicate(site) else "" for site in trunk), ""]
    figure = go.Figure()
    to_cheese, to_corner, elsewhere = DECISION_MOVES
    parts = (
        (to_cheese, CHEESE, [row.p_cheese_decision for row in rows]),
        (to_corner, CORNER, [row.p_corner_decision for row in rows]),
        (elsewhere, PALE, [row.p_other_decision for row in rows]),
    )
    for label, colour, values in parts:
        figure.add_bar(
            x=["clean", *names(trunk), "no cheese"],
            y=values,
            name=label,
            marker={"color": colour, "pattern": {"shape": hatched, "solidity": 0.2}},
        )
    shade_sites(figure, trunk, first=1)
    figure.update_layout(barmode="stack", template="simple_white", height=440, legend=LEGEND, margin=_BELOW)
    figure.update_yaxes(range=[0, 1.12], title="mean probability of the move")
    figure.update_xaxes(tickangle=-50)
    return figure


def position_figure(summary: SweepSummary, *, narrow: bool = False) -> go.Figure | None:
    """Return blindness by depth and distance from where the vector was taken, with intervals; None without profiles.

    Starred: more than half of these states are outside the receptive field, where the network cannot but add up. Cells
    of few mazes are greyed. ``narrow``: for a phone, without intervals.
    """
    found = position_grid(summary)
    if not found.sites:
        return None
    figure = go.Figure()
    figure.add_heatmap(
        x=counted_labels(found),
        y=labels(found.sites),
        z=[[part and part.blindness for part in line] for line in found.bins],
        text=[[starred(part, "<br>").partition("<br>" if narrow else "\n")[0] for part in line] for line in found.bins],
        texttemplate="%{text}",
        zmin=-1,
        zmax=1,
        colorscale=UNSIGNED,
        colorbar={"title": "blindness"},
    )
    for y, line in enumerate(found.bins):
        for x, part in enumerate(line):
            if part is not None and part.mazes < FEW:
                cell = {"x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5}
                figure.add_shape(**cell, fillcolor="#dddddd", opacity=0.75, line_width=0)
    figure.update_traces(textfont={"size": 10})
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="path length from where the vector was taken", type="category")
    figure.update_layout(template="simple_white", height=120 + 38 * len(found.sites), margin=_LEFT)
    if narrow:
        figure.update_xaxes(tickvals=counted_labels(found), ticktext=distance_labels(found.distances), tickangle=-90)
        figure.update_traces(showscale=False, textfont={"size": 8})
        margin = {"l": 112, "r": 6, "t": 10, "b": 70}
        figure.update_layout(height=110 + 24 * len(found.sites), margin=margin, font_size=9)
    return figure


def threshold_figure(summary: SweepSummary) -> go.Figure | None:
    """Return the boundary for every threshold of each kind, with its interval; None if no trunk site was swept."""
    found = summary.boundary
    if not found.threshold_curve:
        return None
    swept = [site for site in summary.sites if site.trunk and MAIN in site.conditions]
    order = [None, *(site.name for site in swept)]
    depth = order.index
    kept = found.thresholds
    kinds = (
        (found.threshold_curve, f"of blindness (competence at least {kept.competence:g})", TRICK, "circle"),
        (
            found.competence_curve,
            f"of competence (blindness at least {kept.blindness:g})",
            ABLE,
            "square",
        ),
    )
    figure = go.Figure()
    for (curve, label, colour, symbol), used in zip(kinds, (kept.blindness, kept.competence), strict=True):
        x = [row.threshold for row in curve]
        figure.add_vline(x=used, line={"color": colour, "dash": "dot", "width": 1.5})
        figure.add_scatter(
            x=[*x, *reversed(x)],
            y=[*(depth(row.high) for row in curve), *(depth(row.low) for row in reversed(curve))],
            fill="toself",
            fillcolor=faded(colour, 0.18),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=x,
            y=[depth(row.site) for row in curve],
            mode="lines+markers",
            name=label,
            line={"color": colour, "width": 3, "shape": "hv"},
            marker={"symbol": symbol},
        )
    figure.update_yaxes(tickvals=list(range(len(order))), ticktext=["nowhere", *labels(swept)], autorange="reversed")
    figure.update_xaxes(title="threshold", range=[0, 1])
    figure.update_layout(template="simple_white", height=480, margin=_LEFT, legend=LEGEND)
    return figure


def before_after_figure(decisions: DecisionSquares) -> go.Figure:
    """Return the moves at the decision square per maze: the policy left alone, steered, and without the cheese.

    The published figure (Turner et al. 2023) for this agent.
    """
    figure = go.Figure()
    for world in worlds(decisions):
        x = [text for text, values in world.moves for _ in values]
        y = [value for _, values in world.moves for value in values]
        figure.add_box(
            x=x,
            y=y,
            name=world.label,
            marker={"color": world.colour, "size": 4},
            line={"width": 1.5},
            **{"boxpoints": "all", "jitter": 0.5, "pointpos": 0},
        )
    figure.update_layout(
        boxmode="group", template="simple_white", height=440, legend=LEGEND, margin={"l": 60, "r": 20, "t": 30, "b": 40}
    )
    figure.update_yaxes(range=[-0.02, 1.02], title="probability of the move")
    return figure


_SIDE = 230  # pixels of a panel: four fit the width of a page


@dataclass(frozen=True)
class ExampleFigure:
    """The fields of moves of one maze."""

    figure: go.Figure
    """Panels: left alone, steered, the difference, cheese removed."""
    level: int
    """The maze's seed."""
    blindness: float
    """Blindness of subtraction in it, at most 1."""


def example_figures(data: ExampleFields) -> dict[str, ExampleFigure]:
    """Return a figure for each maze in ``fields.json``, by what it is an example of: ``typical``, ``best``, ``worst``.

    Raises:
        InputError: for a file whose fields are not of its mazes.
    """
    try:
        return {name: _example_figure(data, chosen) for name, chosen in data.chosen.items()}
    except (KeyError, ValueError) as error:
        raise damaged(error) from None


def _example_figure(data: ExampleFields, chosen: ChosenMaze) -> ExampleFigure:
    maze, fields = example_maze(data, chosen.level), data.levels[str(chosen.level)]
    clean = MoveField("left alone", maze, _normal(fields.clean), data.horizon)
    steered = MoveField("steered", maze, _normal(fields.subtract), data.horizon)
    gone = MoveField("cheese removed", maze.without_cheese(), _normal(fields.no_cheese), data.horizon)
    shown = [*panels(clean, steered, heat="none"), *panels(gone, heat="none")]
    return ExampleFigure(field_figure(field_drawing(shown), side=_SIDE), chosen.level, chosen.blindness)


def _normal(rows: Sequence[Sequence[float]]) -> np.ndarray:
    """Return ``float64[n, 5]`` rows that sum to 1 again after rounding."""
    p = np.array(rows, dtype=np.float64)
    return p / p.sum(axis=1, keepdims=True)
