"""The numbers shown by the figures of positions and probes, as tables of the Markdown twin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from steering.analysis.readings import MOVES
from steering.experiments.conditions import BY_NAME, CONTROLS, MAIN, MOVE
from steering.experiments.outcome import OutcomeColumn, shown_on
from steering.marks.site_axis import distance_labels, is_duplicate, labels, locality_mark
from steering.records.probes import Estimate, ProbeSummary
from steering.records.replication import FindingFigure, FindingResult, ReplicateSummary
from steering.records.sites import SiteFacts
from steering.records.sweep import (
    ConditionSummary,
    MeanOutcome,
    PositionBin,
    References,
    SiteSummary,
    SweepSummary,
)
from steering.statistics.bootstrap import FEW
from steering.statistics.formatting import format_estimate, format_number, published_inside, short_site_name
from steering.sweep.outcome_table import DecisionMoves, DecisionSquares


@dataclass(frozen=True)
class FigureRow:
    """A number of a published finding as it is shown."""

    figure: str
    """The quantity measured."""
    published: str
    """The published number."""
    measured: str
    """The number measured."""
    interval: str
    """Its 95% interval; empty without one."""
    inside: str
    """Whether the published number lies in it (:func:`published_inside`)."""


@dataclass(frozen=True)
class FindingTable:
    """A published finding as it is shown: measured beside published."""

    name: str
    """Its name, as typed."""
    found: FindingResult
    """Its stored result."""
    rows: tuple[FigureRow, ...]
    """Its numbers."""


def replicate_table(data: ReplicateSummary) -> list[FindingTable]:
    """Return the findings of a ``replicate.json`` as they are shown, in its order."""
    return [FindingTable(name, found, tuple(map(_row, found.figures))) for name, found in data.findings.items()]


def _row(figure: FindingFigure) -> FigureRow:
    low, high = figure.low, figure.high
    return FigureRow(
        figure=figure.label,
        published=_text(figure.published),
        measured=_text(figure.value),
        interval="" if low is None or high is None else f"{_text(low)} to {_text(high)}",
        inside=published_inside(figure.published, low, high),
    )


def _text(value: float | str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"
    return str(value)


Table = list[list[str]]  # header first
DECISION_MOVES = ("to the cheese", "to the top right", "other")  # the moves of :class:`DecisionMoves`


@dataclass(frozen=True)
class World:
    """The moves at the decision square of each maze in one world."""

    label: str
    """The world, in words."""
    colour: str
    """Colour of its boxes, ``#rrggbb``."""
    moves: tuple[tuple[str, tuple[float, ...]], ...]
    """Each of :data:`DECISION_MOVES` with its probabilities, from 0 to 1, one per maze."""


def worlds(decisions: DecisionSquares) -> tuple[World, ...]:
    """Return the moves at the decision square before subtraction, after it, and without cheese."""
    parts = (("clean", decisions.clean), (MAIN, decisions.subtract), ("no_cheese", decisions.no_cheese))
    return tuple(
        World(BY_NAME[name].label, BY_NAME[name].colour, tuple(zip(DECISION_MOVES, _values(part), strict=True)))
        for name, part in parts
    )


def _values(part: DecisionMoves) -> tuple[tuple[float, ...], ...]:
    return part.cheese, part.corner, part.other


def decision_table(decisions: DecisionSquares) -> Table:
    """Return the moves at the decision square, before and after: mean and quartiles over mazes."""
    rows = []
    for world in worlds(decisions):
        cells = []
        for _, values in world.moves:
            low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
            cells.append(f"{np.mean(values):.3f}; {middle:.3f} ({low:.3f} to {high:.3f})")
        rows.append([world.label, *cells])
    return [["mean; median (quartiles)", *DECISION_MOVES], *rows]


@dataclass(frozen=True)
class PositionGrid:
    """Blindness by depth and by path length from where the vector was taken."""

    sites: tuple[SiteSummary, ...]
    """The rows: distinct trunk sites with profiles, the first swept of each class."""
    distances: tuple[int, ...]
    """The columns: first path length of each bin, in moves."""
    bins: tuple[tuple[PositionBin | None, ...], ...]
    """Rows of bins; None where a site has no such states."""


def position_grid(summary: SweepSummary) -> PositionGrid:
    """Return the position curves of a sweep as a grid; empty without profiles."""
    first: dict[str, SiteSummary] = {}
    for site in summary.sites:
        if site.trunk and site.position_curve:
            first.setdefault(site.equivalence_class, site)
    curves = [{part.distance: part for part in site.position_curve} for site in first.values()]
    distances = sorted(set().union(*curves))
    bins = tuple(tuple(curve.get(distance) for distance in distances) for curve in curves)
    return PositionGrid(tuple(first.values()), tuple(distances), bins)


def starred(part: PositionBin | None, between: str = " ") -> str:
    """Return the blindness of a bin of states, with its interval where there are mazes enough for one.

    It is starred where most of the states are outside the receptive field.
    """
    if part is None or part.blindness is None:
        return ""
    star = "*" if part.outside.states > part.inside.states else ""
    if part.mazes < FEW:
        return f"{part.blindness:.2f}{star}"
    return f"{part.blindness:.2f}{star}{between}({part.blindness_low:.2f} to {part.blindness_high:.2f})"


def position_table(summary: SweepSummary) -> Table:
    """Return blindness by depth (rows) and path length from where the vector was taken; empty without profiles."""
    found = position_grid(summary)
    if not found.sites:
        return []
    rows = [[label, *map(starred, line)] for label, line in zip(labels(found.sites), found.bins, strict=True)]
    return [["site", *counted_labels(found)], *rows]


def counted_labels(found: PositionGrid) -> list[str]:
    """Return the names of bins of path length, with how many mazes have such states."""
    mazes = [max(part.mazes for part in column if part) for column in zip(*found.bins, strict=True)]
    return [f"{label} ({count} mazes)" for label, count in zip(distance_labels(found.distances), mazes, strict=True)]


@dataclass(frozen=True)
class SiteColumn:
    """A column of the table per site."""

    heading: str
    """Name of the statistic."""
    cell: Callable[[SiteSummary, ConditionSummary], str]
    """Its text for a site under subtraction."""
    references: Callable[[References], tuple[str, str]] = lambda _: ("", "")
    """Its texts for the policy left alone and for the cheese removed."""
    note: str = ""
    """A sentence of the caption, where the heading does not say enough."""


@dataclass(frozen=True)
class SiteRow:
    """A row of the table per site."""

    cells: tuple[str, ...]
    """One text per column."""
    style: str = ""
    """Its classes on the page: ``free``, and ``edge`` at the boundary."""


@dataclass(frozen=True)
class SiteTable:
    """The table per site."""

    columns: tuple[SiteColumn, ...]
    """From left to right."""
    rows: tuple[SiteRow, ...]
    """The policy left alone, the cheese removed, then every site swept under subtraction, in depth order."""


def site_table(summary: SweepSummary) -> SiteTable:
    """Return the table per site of a sweep, with a column for each control swept and for the cheese moved."""
    swept = [site for site in summary.sites if MAIN in site.conditions]
    controls = [name for name in (MOVE, *CONTROLS) if any(name in site.conditions for site in swept)]
    columns = (*_COLUMNS, *map(_control, controls), _SAME)
    texts = zip(*(column.references(summary.reference) for column in columns), strict=True)
    rows = [SiteRow(cells) for cells in texts]
    for site in swept:
        edge = "edge" if site.name == summary.boundary.site else ""
        style = f"{'free' if site.affine else ''} {edge}".strip()
        rows.append(SiteRow(tuple(column.cell(site, site.conditions[MAIN]) for column in columns), style))
    return SiteTable(columns, tuple(rows))


def trunk_mark(site: SiteFacts) -> str:
    """Return the words on its place behind a site's name: none on the trunk."""
    return {True: "", False: " (branch)", None: " (?)"}[site.trunk]


def _label(site: SiteFacts) -> str:
    mark = locality_mark(site)
    return short_site_name(site.name) + trunk_mark(site) + (f" ({mark})" if mark else "")


def _ends(low: float | None, high: float | None, digits: int = 3) -> str:
    return f"{format_number(low, digits)} to {format_number(high, digits)}"


def _with_ends(value: float | None, low: float | None, high: float | None) -> str:
    return format_number(value) if value is None else f"{format_number(value)} ({_ends(low, high, 2)})"


def _interaction(site: SiteSummary, _: ConditionSummary) -> str:
    inside = site.receptive_field_split.inside
    return _with_ends(inside.interaction, inside.interaction_low, inside.interaction_high)


def _outcome(column: OutcomeColumn) -> SiteColumn:
    """Return the column of an outcome; the rows of the references have the outcome that compares across worlds."""

    def text(row: MeanOutcome, name: str) -> str:
        return format_number(getattr(row, name), column.digits)

    def both(reference: References) -> tuple[str, str]:
        name = column.across_worlds or column.name
        return text(reference.clean, name), text(reference.no_cheese, name)

    return SiteColumn(column.label, lambda _, row: text(row, column.name), both)


def _control(condition: str) -> SiteColumn:
    def cell(site: SiteSummary, _: ConditionSummary) -> str:
        found = site.conditions.get(condition)
        return format_number(found.blindness if found is not None else None)

    return SiteColumn(f"blindness, {condition}", cell)


# The columns before those of the controls: to show one more statistic of a site, add a line.
_COLUMNS = (
    SiteColumn("site", lambda site, _: _label(site), lambda _: ("clean", "cheese removed")),
    SiteColumn("blindness", lambda _, row: format_number(row.blindness), lambda _: ("0", "1")),
    SiteColumn("95% interval", lambda _, row: _ends(row.blindness_low, row.blindness_high)),
    SiteColumn(
        "competence",
        lambda _, row: format_number(row.competence),
        lambda reference: (format_number(reference.clean.competence), "1"),
    ),
    SiteColumn("95% interval", lambda _, row: _ends(row.competence_low, row.competence_high)),
    *map(_outcome, shown_on("site table")),
    SiteColumn("interaction", _interaction),
    SiteColumn(
        "blindness, weighted by visits",
        lambda _, row: _with_ends(row.blindness_occupancy, row.blindness_occupancy_low, row.blindness_occupancy_high),
        note="Weighted by visits: states count by how often the policy without cheese visits them.",
    ),
)
_SAME = SiteColumn(
    "same experiment as", lambda site, _: short_site_name(site.equivalence_class) if is_duplicate(site) else ""
)


def probe_table(probes: ProbeSummary) -> Table:
    """Return the readings of probes, surroundings and shuffled labels at each site; those of the vectors behind."""
    header = ["site", *(f"next move: {said}" for said in MOVES.values())]
    header += ["cheese's cell, R2", "cell, 1x1 unit", "cell, 3x3 unit"]
    header += ["cosine with the vector at the start", "norm ratio", "interaction"]
    empty = [""] * (len(header) - 1 - len(MOVES))
    rows = [["surroundings alone", *(format_estimate(probes.surroundings[name]) for name in MOVES), *empty]]
    vectors = {row.name: row.inside for row in probes.representation}
    for label, site in zip(labels(probes.sites), probes.sites, strict=True):
        moves = [_beside(site.moves[name].accuracy, site.moves[name].control) for name in MOVES]
        maps = [site.map[kernel] if site.map else None for kernel in ("1x1", "3x3")]
        inside = vectors[site.name]
        held = (inside.cosine, inside.norm_ratio, inside.interaction) if inside else (None, None, None)
        rows.append(
            [
                label,
                *moves,
                _beside(site.cell.r2, site.cell.control_r2),
                *(_beside(part.hits, part.control_hits) if part else "–" for part in maps),
                *map(format_estimate, held),
            ]
        )
    return [header, *rows]


def _beside(part: Estimate, control: Estimate) -> str:
    """Return a reading with its interval, and that of the shuffled labels."""
    return f"{format_estimate(part)}; shuffled {format_number(control.value, 2)}"
