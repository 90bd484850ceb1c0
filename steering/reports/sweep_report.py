"""``report.html`` and ``report.md`` of a sweep, made from what the run directory holds: nothing is computed anew."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from steering.analysis.conclusion import conclude_sweep, headline
from steering.analysis.readings import control_cell, control_readings, readings
from steering.experiments.conditions import MAIN
from steering.experiments.levels import SkipReason
from steering.experiments.outcome import LABELS
from steering.figures import sweep_figures
from steering.figures.anatomy.parts import anatomy_captions, anatomy_figures, anatomy_tables
from steering.figures.hero_figure import hero_figure
from steering.figures.planning_figures import NARROW_ROW, map_figure, planning_figures, planning_tables
from steering.figures.probe_figures import probe_figure, representation_figure
from steering.figures.readout_figures import learning_figure, readout_caption, readout_figure, readout_table
from steering.figures.sweep_figures import example_figures
from steering.figures.tables import (
    decision_table,
    position_table,
    probe_table,
    replicate_table,
    site_table,
)
from steering.figures.weighting_figures import weighted_boundaries, weighting_figure, weighting_table
from steering.figures.written_figures import written_caption, written_figure, written_table
from steering.marks.site_axis import labels
from steering.records.boundary import BoundarySummary, ControlReading, ControlSummary
from steering.records.examples import ExampleFields
from steering.records.probes import ProbeSummary
from steering.records.readings import Reading
from steering.records.sweep import EffectRecord, SkippedLevel, SweepSummary
from steering.reports import captions
from steering.reports.first_screen import cards
from steering.reports.network_diagram import network_diagram
from steering.reports.page import PAGE_BYTES, Figure, write_page
from steering.statistics import formatting
from steering.statistics.boundary import DROP
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import RunArtifacts
from steering.sweep.outcome_table import DecisionSquares
from steering.sweep.provenance import format_versions, version_sets


@dataclass(frozen=True)
class EffectRow:
    """A row of the tables of paired effects."""

    site: str
    """The site, as shown."""
    outcome: str
    """The outcome, as shown."""
    effect: EffectRecord
    """The numbers."""


def write_report(
    summary: SweepSummary,
    path: Path,
    *,
    command: str = "",
    again: str = "",
    video: str | None = None,
    versions: list[dict[str, str]] | dict[str, str] | None = None,
    decisions: DecisionSquares | None = None,
    others: RunArtifacts | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write ``path`` (``.html``; opens without a network) and its Markdown twin, each whole or not at all.

    Args:
        summary: the numbers of the sweep.
        path: of the HTML page; the other lies beside it.
        command: made the sweep.
        again: makes this page from it, if not empty.
        video: a film's path from the directory of ``path``; it is put into the page if it is small.
        versions: what the sweep was computed with, a set for each time that others were used.
        decisions: what the agent does at the decision squares.
        others: what :func:`steering.sweep.artifacts.read_artifacts` found.
        notes: what it left out.

    Raises:
        InputError: for evidence of a damaged file.
    """
    others = others or RunArtifacts()
    found = readings(summary.boundary, others.probes, others.planning, others.readouts)
    control = control_readings()
    shown = _figures(summary, decisions, others, found)
    tables = {
        "before-after": decision_table(decisions) if decisions is not None else [],
        "positions": position_table(summary),
        "weightings": weighting_table(summary),
        "probes": probe_table(others.probes) if others.probes else [],
        "readouts": readout_table(others.readouts) if others.readouts else [],
        "written": written_table(others.written) if others.written else [],
        **anatomy_tables(others.anatomy),
        **planning_tables(others.planning, others.maps),
    }
    sites = site_table(summary)
    sentences = " ".join(column.note for column in sites.columns if column.note)
    write_page(
        "report",
        path,
        shown,
        twins=[
            {"title": figure.title, "caption": figure.caption, "rows": tables[figure.name]}
            for figure in shown
            if tables.get(figure.name)
        ],
        summary=summary,
        diagram=network_diagram(summary, others.planning, others.readouts),
        marks=captions.fill(captions.MARKS),
        headline=headline(summary),
        cards=cards(summary, others.probes, others.planning, others.readouts),
        sections=captions.sections({figure.section for figure in shown}),
        answer=conclude_sweep(summary, others.probes, others.planning),
        notes=list(notes),
        sites=sites,
        table_caption=captions.fill(captions.TABLE, horizon=summary.horizon, columns=sentences),
        effects=_effects(summary),
        effects_caption=captions.fill(captions.EFFECTS),
        replicated=replicate_table(others.replicate) if others.replicate else [],
        readings=[(row, control_cell(row, control)) for row in found],
        control=control.named(summary.mode),
        readings_caption=captions.fill(captions.READINGS, control=control.named(summary.mode)),
        boundary_lines=_boundary(summary.boundary) + _probed(others.probes),
        methods=_methods(summary, others.probes),
        versions=[format_versions(part) for part in version_sets(versions or [])],
        left_out=_left_out(summary.levels.skipped),
        command=command,
        again=again,
        video=video,
        film=_film(path.parent / video) if video else "",
        picture=path.with_suffix(".png").name,
    )


def _left_out(skipped: Sequence[SkippedLevel]) -> dict[str, list[int]]:
    """Return the levels left out, by reason."""
    levels: dict[str, list[int]] = {}
    for entry in skipped:
        twin = entry.kind is SkipReason.SAME_MAZE
        reason = "same maze as a level used" if twin else entry.reason
        levels.setdefault(reason, []).append(entry.level)
    return levels


def _figures(
    summary: SweepSummary,
    decisions: DecisionSquares | None,
    others: RunArtifacts,
    found: Sequence[Reading],
) -> list[Figure]:
    """Return the figures of the report that there is something to show in, with title and caption."""
    start = summary.vector == "start" and summary.coefficients[0] == 1
    exact = "It is exact there by construction (one of the two facings). Look for" if start else "Look for"
    named = {site.name: label for site, label in zip(summary.sites, labels(summary.sites), strict=True)}
    parts = (summary, others.probes, others.planning, others.readouts)
    made = {
        "hero": hero_figure(*parts),
        "readings": sweep_figures.readings_figure([site for site in summary.sites if site.trunk], found),
        "blindness": sweep_figures.blindness_figure(summary),
        "weightings": weighting_figure(summary),
        "thresholds": sweep_figures.threshold_figure(summary),
        "before-after": sweep_figures.before_after_figure(decisions) if decisions is not None else None,
        "decision": sweep_figures.decision_figure(summary),
        "positions": sweep_figures.position_figure(summary),
    }
    if others.probes:
        made |= {"probes": probe_figure(others.probes), "representation": representation_figure(others.probes)}
    if others.readouts:
        made |= {"readouts": readout_figure(others.readouts), "learning": learning_figure(others.readouts)}
    if others.written:
        made["written"] = written_figure(others.written)
    made |= anatomy_figures(others.anatomy)
    made |= planning_figures(others.planning, others.maps)
    values = {
        "mazes": len(summary.levels.used),
        **(readout_caption(others.readouts) if others.readouts else {}),
        **(written_caption(others.written) if others.written else {}),
        **anatomy_captions(others.anatomy),
        "site": named[decisions.site] if decisions is not None else "",
        "exact": exact,
        "competence": formatting.format_number(summary.reference.clean.competence, 2),
        "spread": _spread(summary),
        "origin": "where the vector was taken" if start or "," in summary.vector else "the start",
    }
    narrow = {
        "hero": hero_figure(*parts, narrow=True),
        "positions": sweep_figures.position_figure(summary, narrow=True),
        "readings": sweep_figures.readings_figure([site for site in summary.sites if site.trunk], found, narrow=True),
    }
    if others.readouts:
        narrow["learning"] = learning_figure(others.readouts, narrow=True)
    for part in others.maps.maps if others.maps else ():
        narrow[f"maps-{part.kind}-{part.goal}"] = map_figure(part, NARROW_ROW)
    shown = [captioned(name, figure, narrow.get(name), **values) for name, figure in made.items() if figure is not None]
    return shown + (_examples(others.fields, named) if others.fields else [])


def _spread(summary: SweepSummary) -> str:
    """Return the sentence about the mazes that blindness is about, and that the distances are missing if they are."""
    spread, known = summary.spread, any(site.nearness_curve for site in summary.sites)
    text = "" if known else captions.NO_NEARNESS
    if spread.effective_mazes is not None and spread.largest is not None:
        told = captions.fill(captions.SPREAD, effective=spread.effective_mazes, of=spread.of, largest=spread.largest)
        text = f"{told} {text}"
    return text.strip()


def _examples(fields: ExampleFields, named: Mapping[str, str]) -> list[Figure]:
    """Return the figures of the example mazes; ``named`` are the labels of sites."""
    site = named.get(fields.site, "")
    return [
        captioned(f"fields-{name}", made.figure, None, level=made.level, blindness=f"{made.blindness:.2f}", site=site)
        for name, made in example_figures(fields).items()
    ]


def captioned(name: str, figure: go.Figure, narrow: go.Figure | None, **values: Any) -> Figure:
    """Return a figure with its title and caption of :mod:`steering.reports.captions`."""
    title, caption = (captions.fill(text, **values) for text in captions.FIGURES[name])
    return Figure(name, title, caption, figure, captions.SECTION_OF.get(name.split("-")[0], "trick"), narrow)


def _effects(summary: SweepSummary) -> dict[str, list[EffectRow]]:
    """Return the rows of the tables of effects by condition: what the cheese does at all first, then subtraction."""
    tables: dict[str, list[EffectRow]] = {"clean": [], MAIN: []}
    for record in summary.effects:
        row = EffectRow(short_site_name(record.site) or "(left alone)", LABELS[record.outcome], record)
        tables.setdefault(record.condition, []).append(row)
    return {condition: rows for condition, rows in tables.items() if rows}


def _boundary(found: BoundarySummary) -> list[str]:
    """Return the sentences about the boundary of the sweep."""
    if not found.rule:
        return [captions.NOTHING]
    site, low, high = (end or "none" for end in (found.site, found.low, found.high))
    lines = [captions.fill(captions.RULE, rule=captions.as_sentences(found.rule), site=site, low=low, high=high)]
    alone = found.blindness_alone
    if alone.high is not None:
        site, low, high = (end or "nowhere" for end in (alone.site, alone.low, alone.high))
        lines.append(captions.fill(captions.ALONE, site=site, low=low, high=high))
    if found.change_site:
        low, high = (end or "none" for end in (found.change_low, found.change_high))
        lines.append(captions.fill(captions.CHANGE, drop=DROP, site=found.change_site, low=low, high=high))
    if found.moved is not None:
        site, low, high = (end or "nowhere" for end in (found.moved.site, found.moved.low, found.moved.high))
        lines.append(captions.fill(captions.MOVED, site=site, low=low, high=high))
    if found.weightings:
        ends = ". ".join(f"By {name}: {where}" for name, where in weighted_boundaries(found).items())
        lines.append(captions.fill(captions.WEIGHTINGS, ends=ends))
    return lines + [_control(condition, part) for condition, part in found.controls.items()]


def _control(condition: str, part: ControlSummary) -> str:
    """Return the sentence about one control."""
    return captions.fill(
        captions.CONTROL,
        condition=condition,
        there=_blindness(part.there),
        most=_blindness(part.most),
        where=part.most.site if part.most else "no site",
        change=part.change.site or "none",
    )


def _blindness(found: ControlReading | None) -> str:
    return "–" if found is None else formatting.format_range(found.blindness, found.low, found.high)


def _probed(probes: ProbeSummary | None) -> list[str]:
    """Return the rules of the readings that probes give, none without probes."""
    if probes is None:
        return []
    cell, next_move = probes.decoding_boundary.cell, probes.decoding_boundary.next_move
    lines = [captions.fill(captions.NO_CELL)]
    if cell.first is not None:
        lines = [
            captions.fill(
                captions.CELL,
                first=cell.first,
                first_low=cell.first_low or "nowhere",
                first_high=cell.first_high or "nowhere",
                best=cell.best or "nowhere",
                best_low=cell.best_low or "nowhere",
                best_high=cell.best_high or "nowhere",
            )
        ]
    held = probes.representational_boundary.rule
    lines += [captions.fill(captions.REPRESENTED, rule=captions.as_sentences(held))] if held else []
    rules = next(iter(next_move.values())).rule or captions.NO_MOVES, cell.rule
    move, of_cell = map(captions.as_sentences, rules)
    return [*lines, captions.fill(captions.PROBE_RULES, move=move, cell=of_cell)]


def _film(path: Path) -> str:
    """Return a film as a data URI; empty if it is not there or larger than any page, which then only names it."""
    if not path.is_file() or path.stat().st_size > PAGE_BYTES:
        return ""
    return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


def _methods(summary: SweepSummary, probes: ProbeSummary | None) -> list[str]:
    """Return the sentences about settings and methods."""
    settings = captions.fill(
        captions.SETTINGS,
        name=summary.checkpoint.name,
        sha256=summary.checkpoint.sha256,
        mode=summary.mode,
        horizon=summary.horizon,
        coefficients=", ".join(f"{c:g}" for c in summary.coefficients),
        first=f"{summary.coefficients[0]:g}",
        seed=summary.seed,
        vector=summary.vector,
    )
    lines = [settings, captions.fill(captions.EXACT)]
    if probes is not None:
        lines.append(
            captions.fill(
                captions.PROBED,
                mazes=len(probes.levels),
                states=probes.states,
                frames=probes.frames,
                shuffles=probes.shuffles,
                seed=probes.seed,
                versions=format_versions(probes.versions),
            )
        )
    known = [row for row in summary.all_sites if None not in (row.blindness, row.competence)]
    return lines + [captions.fill(captions.ALL_SITES, row=row) for row in known]
