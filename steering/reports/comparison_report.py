"""The files of ``mazesteer compare``: ``compare.html``, ``compare.md``, ``compare.png`` and ``compare.json``."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import UNSET, UnsetType

from agents.sessions.history import FILE as HISTORY
from envs.errors import InputError
from envs.files import check_folder, write_atomic
from envs.stored.json_records import to_json
from steering.analysis.anatomy.circuits import compared_circuits
from steering.analysis.compared_runs import find_runs, read_compared_runs, unfinished
from steering.analysis.comparison import compare
from steering.analysis.comparison_readings import (
    planning_side_by_side,
    planning_table,
    readings_table,
    side_by_side,
)
from steering.analysis.development import (
    RULE,
    Look,
    Series,
    in_order_of_training,
    loss_caption,
    loss_curves,
    training_history,
    without_loss,
)
from steering.figures import comparison_figures
from steering.figures.anatomy.shared_figures import means_table, shared_figure, sites_table
from steering.figures.planning_figures import compared_planning
from steering.figures.probe_figures import compared_probes
from steering.figures.readout_figures import compared_readouts
from steering.figures.static_figures import compare_picture
from steering.figures.weighting_figures import compared_weightings
from steering.marks.site_axis import labels, place
from steering.records.comparison import (
    ComparedBoundary,
    ComparedRunSummary,
    Comparison,
    CurvePoint,
    Development,
)
from steering.reports import captions
from steering.reports.first_screen import (
    FEW_RUNS,
    boundary_caveats,
    compared_headline,
    conclude_comparison,
    reach,
    run_caveats,
)
from steering.reports.page import Figure, write_page
from steering.statistics.formatting import format_number, short_site_name
from steering.sweep.provenance import format_versions, versions

_SECTION_OF = {
    "compare-curves": "hero",
    "compare-probes": "read",
    "compare-readouts": "read",
    "development": "training",
}
_SECTION_OF |= {"compare-detours": "planning", "compare-carried": "planning", "compare-channels": "channels"}


@dataclass(frozen=True)
class ReadingsTable:
    """The readings of the boundary side by side, as the page shows them."""

    header: list[str]
    """Titles of the columns."""
    rows: list[list[str]]
    """A row for each reading."""
    caption: str
    """Caption below it."""


def run_compare(
    directories: Sequence[Path],
    out: Path,
    *,
    seed: int,
    blindness: float | None = None,
    competence: float | None = None,
    history: Path | None = None,
) -> Comparison:
    """Compare runs and write the four files into ``out``.

    Args:
        directories: of runs, or of folders of several.
        out: made if it is not there.
        seed: of the bootstrap.
        blindness: threshold of the boundary; None: the runs' own.
        competence: threshold of the boundary; None: the runs' own.
        history: directory of a training whose loss is shown beside its snapshots; None: the card of a shipped agent.

    Returns:
        What ``compare.json`` holds.

    Raises:
        InputError: for what cannot be compared, read or written.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; choose another --out")
    check_folder(out)
    if history is not None and not (history / HISTORY).is_file():
        raise InputError(f"--history {history}: no {HISTORY} there; give the --out of a training")
    runs, series = in_order_of_training(read_compared_runs(find_runs(directories)))
    looked = training_history(history, runs, series)
    found = compare(runs, seed=seed, blindness=blindness, competence=competence)
    readings, no_readings = side_by_side(runs, found)
    found = dataclasses.replace(
        found,
        command="mazesteer " + shlex.join(sys.argv[1:]),
        versions=versions(),
        readings=readings,
        no_readings=no_readings,
        unfinished=tuple(unfinished(directories)),
        planning=planning_side_by_side(runs, seed),
        circuits=compared_circuits(runs, seed),
        development=_development(series, looked),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror}); choose another --out") from None
    write_atomic(out / "compare.json", to_json(found, indent=2))
    write_atomic(out / "compare.png", compare_picture(found))
    _write_page(out / "compare.html", found, series)
    return found


def _development(series: Series | None, history: Sequence[Look]) -> Development | UnsetType:
    if series is None:
        return UNSET
    return Development(
        of=series.name,
        counts=series.counts,
        stages=series.stages,
        loss=loss_curves(history),
        without_loss=without_loss(history) if history else None,
        rule=RULE,
    )


def _write_page(path: Path, found: Comparison, series: Series | None) -> None:
    few = len(found.arms) <= FEW_RUNS
    write_page(
        "compare",
        path,
        _figures(found, series),
        data=found,
        marks=captions.fill(captions.MARKS),
        headline=compared_headline(found),
        answer=conclude_comparison(found),
        table_rows=_table(found),
        sites=_by_site(found),
        sites_caption=captions.BY_SITE if few else captions.BY_SITE_MANY,
        weightings=compared_weightings(found) if few else [],
        weightings_caption=captions.fill(captions.COMPARED_WEIGHTINGS),
        readings=_readings(found),
        planning=planning_table(found.planning) if found.planning else [],
        planning_caption=captions.fill(captions.COMPARED_PLANNING),
        **_channels(found, few),
        effects=_effects(found) if few else [captions.fill(captions.MANY)],
        methods=_methods(found),
        runs=[captions.fill(captions.ARM, run=run) for run in found.arms],
        commands={"this comparison": found.command} | _by_runs(found, lambda run: run.command),
        versions={"this comparison": format_versions(found.versions)}
        | _by_runs(found, lambda run: "; also ".join(map(format_versions, run.versions))),
    )


def _channels(found: Comparison, few: bool) -> dict[str, Any]:
    """Return what the page shows of sub-circuits; of many runs the means over the sites alone."""
    circuits = found.circuits
    return {
        "channels": means_table(circuits) if circuits else [],
        "channels_by_site": sites_table(circuits) if circuits and few else [],
        "channels_caption": captions.fill(captions.COMPARED_CHANNELS, levels=circuits.levels if circuits else 0),
    }


def _effects(found: Comparison) -> list[str]:
    return [
        f"{row.of} against {row.against}: {effect.words}"
        for row in found.differences
        for effect in row.effects.values()
    ]


def _figures(found: Comparison, series: Series | None) -> list[Figure]:
    bottom = ""
    made = {"compare-curves": comparison_figures.curves_figure(found)}
    if len(found.arms) <= FEW_RUNS:
        made["compare-differences"] = comparison_figures.differences_figure(found)
    if found.readings is not None:
        names = [run.name for run in found.arms]
        made["compare-probes"] = compared_probes(found.readings, names)
        made |= compared_readouts(found.readings, names)
    if found.planning is not None:
        counts = None if series is None else series.positions()
        made |= compared_planning(found.planning, counts)
    if found.circuits is not None and (channels := shared_figure(found.circuits, [run.name for run in found.arms])):
        made["compare-channels"] = channels
    if series is not None and isinstance(found.development, Development):
        development = found.development
        made["development"] = comparison_figures.development_figure(
            found.arms, found.facts, series.positions(), development.loss
        )
        bottom = loss_caption(development.loss, development.without_loss)
    values = {
        "mazes": len(found.levels),
        "bottom": bottom,
        "first": short_site_name(found.sites[0]),
        "probed": None if found.readings is None else found.readings.levels,
    }
    figures = []
    for name, figure in made.items():
        title, caption = (captions.fill(text, **values) for text in captions.FIGURES[name])
        narrow = comparison_figures.curves_figure(found, narrow=True) if name == "compare-curves" else None
        figures.append(Figure(name, title, caption, figure, _SECTION_OF.get(name, "curves"), narrow))
    return figures


def _table(found: Comparison) -> list[list[str]]:
    return [
        [
            run.name,
            place(run.boundary.site),
            reach(run.boundary).interval,
            "; ".join(run_caveats(run)),
            format_number(run.reference.clean.p_cheese),
            short_site_name(run.boundary.change_site) if run.boundary.change_site else "none",
            format_number(run.reference.no_cheese.p_region),
        ]
        for run in found.arms
    ]


def _by_site(found: Comparison) -> list[list[str]]:
    """Return a header and a row for each site: blindness of every run; of a few runs interval and competence too."""
    few = len(found.arms) <= FEW_RUNS
    rows = [["site", *(run.name for run in found.arms)]]
    for site, *points in zip(labels(found.facts), *(run.curve for run in found.arms), strict=True):
        rows.append([site, *(_cell(point) if few else format_number(point.blindness) for point in points)])
    return rows


def _cell(point: CurvePoint) -> str:
    blind, low, high, able = map(format_number, (point.blindness, point.low, point.high, point.competence))
    return f"{blind} ({low} to {high}); {able}"


def _readings(found: Comparison) -> ReadingsTable | None:
    """Return the table of readings, if there is one; of many runs that of their mean alone."""
    readings = found.readings
    if readings is None:
        return None
    many = len(found.arms) > FEW_RUNS
    columns = {} if many else {run.name: part for run, part in zip(found.arms, readings.arms, strict=True)}
    if readings.over_agents is not None:
        columns["mean of the agents"] = readings.over_agents
    if not columns:
        return None
    header, *rows = readings_table(columns)
    text = f"{captions.COMPARED_READINGS} {captions.MANY_READINGS}" if many else captions.COMPARED_READINGS
    return ReadingsTable(header, rows, captions.fill(text, mazes=readings.levels, sites=len(readings.sites)))


def _methods(found: Comparison) -> list[str]:
    rule = found.thresholds
    lines = [captions.fill(captions.COMPARED, blindness=rule.blindness, competence=rule.competence, seed=found.seed)]
    if found.no_readings:
        lines.append(f"Readings of the probes are not shown side by side: {found.no_readings}.")
    if found.readings is not None and found.readings.no_readouts:
        lines.append(f"Readouts at the mouse are missing for {found.readings.no_readouts}.")
    if found.planning is not None and found.planning.missing:
        lines.append(f"Planning is missing for {found.planning.missing}.")
    if found.circuits is not None and found.circuits.missing:
        lines.append(f"Channels are not compared for {found.circuits.missing}.")
    if found.unfinished:
        lines.append(f"Not compared, since their sweeps are not finished: {', '.join(found.unfinished)}.")
    if found.over_agents is not None:
        lines.append(_over_agents(found.over_agents))
    if found.no_over_agents:
        lines.append(f"No boundary over agents: {found.no_over_agents}.")
    return [*lines, captions.fill(captions.COMPARED_SETTINGS, horizon=found.horizon, mode=found.mode)]


def _over_agents(found: ComparedBoundary) -> str:
    site, low, high = (end or "none" for end in (found.site, found.low, found.high))
    caveats = "; ".join(boundary_caveats(found))
    text = captions.fill(captions.RULE, rule=found.rule, site=site, low=low, high=high)
    return f"Over agents. {text}" + (f" Caveat: {caveats}." if caveats else "")


def _by_runs(found: Comparison, text: Callable[[ComparedRunSummary], str]) -> dict[str, str]:
    """Return ``{runs: text}``, those with the same text together."""
    runs: dict[str, list[str]] = {}
    for run in found.arms:
        runs.setdefault(text(run) or "not recorded", []).append(run.name)
    return {"all runs" if len(runs) == 1 else ", ".join(names): known for known, names in runs.items()}
