"""Figures of the readings of probes and of cheese vectors at each site.

What is no finding is marked as in every figure over depth (:mod:`steering.marks.site_axis`), and so are states where
a vector cannot depend on the mouse (outside the receptive field: diamonds).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.analysis.readings import MOVES
from steering.experiments.outcome import DISTANCES
from steering.marks.colours import (
    CHEESE,
    CORNER,
    GREY,
    INK,
    RUN_COLOURS,
    TOLD,
    UNSIGNED,
    VECTOR,
    named_runs,
    run_lines,
    shades,
)
from steering.marks.site_axis import (
    DODGED,
    LEGEND,
    distance_labels,
    draw_boundary,
    interval_bars,
    labels,
    names,
    shade_sites,
    symbols,
)
from steering.probes.curves import DEPENDENT
from steering.probes.summary import APART
from steering.records.probes import Estimate, ProbedSite, ProbeSummary, SiteVectors, VectorReadings
from steering.records.readings import DECODING, REPRESENTATIONAL, ComparedReadings, Reading
from steering.statistics.bootstrap import FEW

_COLOURS = {"cheese": CHEESE, APART: CHEESE, "corner": CORNER, "policy": INK}
_NOTHING = Estimate(None, None, None)
_KERNELS = dict(zip(("1x1", "3x3"), shades(TOLD, 2), strict=True))
# Of the vectors: label, colour, and which reading.
_VECTORS: tuple[tuple[str, str, Callable[[VectorReadings], Estimate]], ...] = (
    ("cosine", shades(VECTOR, 2)[0], lambda part: part.cosine),
    ("norm ratio", VECTOR, lambda part: part.norm_ratio),
    ("interaction", INK, lambda part: part.interaction),
)


def probe_figure(summary: ProbeSummary) -> go.Figure:
    """Draw over depth next moves told rightly, those where the corner asks for another, and the cheese's cell.

    A panel each, with lines where planning appears.
    """
    sites, asked = summary.sites, summary.asked[APART]
    figure = _panels(
        "next move named correctly, mazes held out",
        f"next move to the cheese where the corner asks for another ({asked} frames)",
        "where the cheese is",
    )
    for name in MOVES:
        _move_lines(figure, summary, name)
    _cell_lines(figure, sites)
    shade_sites(figure, sites, panels=(1, 2, 3))
    found = summary.decoding_boundary
    for name, panel in (("cheese", 1), (APART, 2)):
        move = found.next_move[name]
        what = "next move to the cheese appears"
        _edge(figure, sites, Reading(DECODING, what, "from", move.site, move.low, move.high), panel)
    cell = found.cell
    _edge(figure, sites, Reading(DECODING, "cell lost", "from", cell.lost, cell.lost_low, cell.lost_high), 3)
    for panel in (1, 2):
        figure.update_yaxes(range=[0, 1.25], tickvals=[0, 0.5, 1], title="accuracy", row=panel)
    figure.update_yaxes(range=[-0.25, 1.25], tickvals=[0, 0.5, 1], title="share", row=3)
    _finish(figure, sites, 900)
    return figure


def _move_lines(figure: go.Figure, summary: ProbeSummary, name: str) -> None:
    """Draw what is told of one kind of next move: from the sites, by shuffled labels, and from the surroundings."""
    colour, panel, said = _COLOURS[name], 2 if name == APART else 1, MOVES[name]
    moves = [site.moves[name] for site in summary.sites]
    _line(figure, summary.sites, [move.accuracy for move in moves], f"next move: {said}", colour, panel)
    shuffled = [move.control for move in moves]
    _line(figure, summary.sites, shuffled, f"{said}, shuffled labels", colour, panel, dash="dot")
    around = summary.surroundings[name].value
    if around is not None:
        figure.add_hline(y=around, line={"color": colour, "dash": "dash", "width": 2}, row=panel, col=1)


def _cell_lines(figure: go.Figure, sites: Sequence[ProbedSite]) -> None:
    """Draw what is told of the cheese's cell, linearly and by units shared over all positions."""
    _line(figure, sites, [site.cell.r2 for site in sites], "cell, linear probe: variance explained", TOLD, 3)
    _line(figure, sites, [site.cell.control_r2 for site in sites], "the same, shuffled labels", TOLD, 3, dash="dot")
    for kernel, colour in _KERNELS.items():
        maps = [site.map[kernel] if site.map else None for site in sites]
        _line(figure, sites, [part.hits if part else None for part in maps], f"cell, {kernel} unit: hits", colour, 3)
        shuffled = [part.control_hits if part else None for part in maps]
        _line(figure, sites, shuffled, f"{kernel}, shuffled labels", colour, 3, dash="dot")


def representation_figure(summary: ProbeSummary) -> go.Figure:
    """Draw cheese vectors at other positions against the one at the start: over depth, and by distance (inside)."""
    sites, vectors = summary.sites, {row.name: row for row in summary.representation}
    figure = _panels(
        "against the vector at the start", "cosine by path length from the start, inside the receptive field"
    )
    for label, colour, reading in _VECTORS:
        inside, outside = [vectors[site.name].inside for site in sites], [vectors[site.name].outside for site in sites]
        for side, parts, dash, symbol in (
            ("inside", inside, "solid", "circle"),
            ("outside", outside, "dot", "diamond"),
        ):
            values = [reading(part) if part else None for part in parts]
            if any(values):
                _line(figure, sites, values, f"{label}, {side} the receptive field", colour, 1, dash, symbol)
    _distance_map(figure, sites, summary.representation)
    shade_sites(figure, sites, panels=(1,))
    # The map has colours of its own, so its marks are words.
    figure.update_xaxes(tickvals=names(sites), ticktext=labels(sites), row=2)
    held = summary.representational_boundary
    what = f"interaction above {DEPENDENT:g}"
    _edge(figure, sites, Reading(REPRESENTATIONAL, what, "up to", held.site, held.low, held.high), 1)
    figure.update_yaxes(title="1, 1, 0: the same everywhere", rangemode="tozero", row=1)
    figure.update_yaxes(type="category", title="path length", row=2)
    _finish(figure, sites, 760)
    return figure


def _distance_map(figure: go.Figure, sites: Sequence[ProbedSite], vectors: Sequence[SiteVectors]) -> None:
    """Draw the cosine by path length and site, where enough mazes have such states; nothing where none has."""
    cosines = {
        (row.name, part.distance): part.cosine.value
        for row in vectors
        for part in row.by_distance
        if not part.outside and part.mazes >= FEW
    }
    if not cosines:  # plotly draws no map of nothing
        return
    table = [[cosines.get((site.name, distance)) for site in sites] for distance in DISTANCES]
    figure.add_heatmap(
        x=names(sites),
        y=distance_labels(),
        z=table,
        zmin=-1,
        zmax=1,
        colorscale=UNSIGNED,
        texttemplate="%{z:.2f}",
        colorbar={"title": "cosine", "len": 0.4, "y": 0.2},
        row=2,
        col=1,
    )


_COMPARED = {  # by curve of ProbedCurves; each with what the surroundings tell, if there is one
    "next_move": ("next move to the cheese named correctly", "surroundings"),
    "apart": ("the same, where it is not the move to the corner", "apart_surroundings"),
    "cell": ("the cheese's cell: variance explained", None),
    "interaction": ("interaction", None),
}


def compared_probes(readings: ComparedReadings, runs: Sequence[str]) -> go.Figure:
    """Draw what the probes of each run read at each site, a panel for each curve; ``runs``: their names."""
    figure, few = _panels(*(title for title, _ in _COMPARED.values())), len(runs) <= len(RUN_COLOURS)
    drawn = zip(runs, readings.curves, run_lines(len(runs)), named_runs(len(runs)), strict=True)
    for run, curves, line, named in drawn:
        for row, name in enumerate(_COMPARED, start=1):
            points: tuple[Estimate, ...] = getattr(curves, name)
            values, ends = [point.value for point in points], ([p.low for p in points], [p.high for p in points])
            figure.add_scatter(
                x=names(readings.facts),
                y=values,
                error_y=interval_bars(values, *ends) if few else None,
                mode="lines+markers",
                line=line,
                marker={"size": 7, "symbol": symbols(readings.facts)},
                legendgroup=run,
                name=run,
                showlegend=named and row == 1,
                row=row,
                col=1,
            )
    for row, (_, alone) in enumerate(_COMPARED.values(), start=1):
        # By the mazes alone: the same for all that were probed on the same.
        told = None if alone is None else getattr(readings.curves[0], alone)[0].value
        if told is not None:
            figure.add_hline(y=told, line={"color": GREY, "dash": "dash", "width": 2}, row=row, col=1)
    shade_sites(figure, readings.facts, panels=(1, 2, 3, 4))
    figure.update_yaxes(range=[-0.1, 1.1], title="share")
    figure.update_yaxes(range=None, rangemode="tozero", row=4)
    figure.update_xaxes(tickangle=-50)
    margin, legend = {"l": 60, "r": 20, "t": 60, "b": 130}, {**LEGEND, "y": 1.06}
    figure.update_layout(template="simple_white", height=900, margin=margin, legend=legend, **(DODGED if few else {}))
    return figure


def _panels(*titles: str) -> go.Figure:
    return make_subplots(
        rows=len(titles), cols=1, shared_xaxes=True, vertical_spacing=0.18 / len(titles), subplot_titles=titles
    )


def _line(
    figure: go.Figure,
    sites: Sequence[ProbedSite],
    readings: Sequence[Estimate | None],
    label: str,
    colour: str,
    panel: int,
    dash: str = "solid",
    symbol: str = "circle",
) -> None:
    """Draw one curve over the sites with its intervals; a control (not solid) is thin and without."""
    ends = [reading or _NOTHING for reading in readings]
    main = dash == "solid"
    bars = interval_bars([end.value for end in ends], [end.low for end in ends], [end.high for end in ends])
    figure.add_scatter(
        x=names(sites),
        y=[end.value for end in ends],
        error_y={**bars, "visible": main},
        name=label,
        showlegend=main and panel != 2,
        mode="lines+markers",
        line={"color": colour, "width": 2.5 if main else 1.2, "dash": dash},
        marker={"size": 7 if main else 5, "symbol": symbols(sites, symbol)},
        customdata=[f"sees {site.receptive_field} px" if site.receptive_field else "sees all" for site in sites],
        hovertemplate="%{y:.3f} (%{customdata})",
        row=panel,
        col=1,
    )


def _edge(figure: go.Figure, sites: Sequence[ProbedSite], reading: Reading, panel: int) -> None:
    depths = reading.edges([site.name for site in sites])
    if reading.site is not None and depths is not None:
        draw_boundary(figure, depths, reading.what, panel, TOLD if reading.kind == DECODING else VECTOR)


def _finish(figure: go.Figure, sites: Sequence[ProbedSite], height: int) -> None:
    shown = {"categoryorder": "array", "categoryarray": names(sites), "range": [-0.7, len(sites) - 0.3]}
    figure.update_xaxes(tickangle=-50, **shown)
    # The legend stands below the names, whatever the height.
    margin, legend = {"l": 70, "r": 20, "t": 40, "b": 230}, {"orientation": "h", "y": -165 / (height - 270)}
    figure.update_layout(template="simple_white", height=height, margin=margin, legend=legend)
