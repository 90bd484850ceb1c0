"""``report.html`` and ``report.md`` of a sweep, made from what the run directory holds: nothing is computed anew."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from steering.analysis.conclusion import conclude_sweep
from steering.analysis.readings import readings
from steering.experiments.conditions import CONTROLS, MAIN
from steering.experiments.outcome import LABELS
from steering.records.probes import ProbeSummary
from steering.reports import captions, sweep_figures
from steering.reports.page import PAGE_BYTES, Figure, write_page
from steering.reports.probe_figures import probe_figure, representation_figure
from steering.reports.site_axis import labels, locality_mark
from steering.reports.sweep_figures import example_figures
from steering.reports.tables import decision_table, position_table, probe_table, replicate_table
from steering.statistics import formatting
from steering.statistics.boundary import DROP
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import RunArtifacts
from steering.sweep.provenance import format_versions, version_sets


def write_report(
    summary: dict[str, Any],
    path: Path,
    *,
    command: str = "",
    again: str = "",
    video: str | None = None,
    versions: list[dict[str, str]] | dict[str, str] | None = None,
    decisions: Mapping[str, Any] | None = None,
    others: RunArtifacts | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write ``path`` (``.html``; opens without a network) and its Markdown twin, each whole or not at all.

    ``decisions`` is :func:`steering.analysis.decision_square.decision_squares`, ``others`` and ``notes`` are what
    :func:`steering.sweep.artifacts.read_artifacts` found. ``command`` made the sweep, ``again`` (if not empty) this
    page from it; ``video`` is a film's path from there: it is put into the page if it is small.
    """
    others = others or RunArtifacts()
    swept = [site for site in summary["sites"] if MAIN in site["conditions"]]
    controls = [name for name in CONTROLS if any(name in site["conditions"] for site in swept)]
    left_out: dict[str, list[int]] = {}
    for entry in summary["levels"]["skipped"]:
        reason = "same maze as a level used" if entry["reason"].startswith("same maze") else entry["reason"]
        left_out.setdefault(reason, []).append(entry["level"])
    shown = _figures(summary, decisions, others)
    tables = {
        "before-after": decision_table(decisions) if decisions is not None else [],
        "positions": position_table(summary),
        "probes": probe_table(others.probes) if others.probes else [],
    }
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
        answer=conclude_sweep(summary, others.probes),
        notes=list(notes),
        rows=[{**site, "label": _label(site), "same": _twin(site)} for site in swept],
        controls=controls,
        table_caption=captions.fill(captions.TABLE, horizon=summary["horizon"]),
        effects=_effects(summary),
        effects_caption=captions.fill(captions.EFFECTS),
        replicated=replicate_table(others.replicate) if others.replicate else [],
        readings=readings(summary["boundary"], others.probes),
        readings_caption=captions.fill(captions.READINGS),
        boundary_lines=_boundary(summary) + _probed(others.probes),
        methods=_methods(summary, others.probes),
        versions=[format_versions(part) for part in version_sets(versions or [])],
        left_out=left_out,
        command=command,
        again=again,
        video=video,
        film=_film(path.parent / video) if video else "",
        picture=path.with_suffix(".png").name,
        main=MAIN,
    )


def _figures(summary: dict[str, Any], decisions: Mapping[str, Any] | None, others: RunArtifacts) -> list[Figure]:
    start = summary["vector"] == "start" and summary["coefficients"][0] == 1
    exact = "There it is exact by construction at every trunk site (one of the two facings); what" if start else "What"
    named = {site["name"]: label for site, label in zip(summary["sites"], labels(summary["sites"]), strict=True)}
    site = named[decisions["site"]] if decisions is not None else ""
    trunk = [site for site in summary["sites"] if site["trunk"]]
    made = {
        "readings": sweep_figures.readings_figure(trunk, readings(summary["boundary"], others.probes)),
        "blindness": sweep_figures.blindness_figure(summary),
        "thresholds": sweep_figures.threshold_figure(summary),
        "before-after": sweep_figures.before_after_figure(decisions) if decisions is not None else None,
        "decision": sweep_figures.decision_figure(summary),
        "positions": sweep_figures.position_figure(summary),
    }
    examples = example_figures(others.fields) if others.fields else {}
    if others.probes:
        made |= {"probes": probe_figure(others.probes), "representation": representation_figure(others.probes)}
    able = formatting.format_number(summary["reference"]["clean"]["competence"], 2)
    values = {"mazes": len(summary["levels"]["used"]), "site": site, "exact": exact, "competence": able}
    values["origin"] = "where the vector was taken" if start or "," in summary["vector"] else "the start"
    found = [captioned(name, figure, **values) for name, figure in made.items() if figure is not None]
    fields_site = named.get(others.fields["site"], "") if others.fields else ""
    for name, (figure, level, blindness) in examples.items():
        shown = {"level": level, "blindness": f"{blindness:.2f}", "site": fields_site}
        found.append(captioned(f"fields-{name}", figure, **shown))
    return found


def captioned(name: str, figure: go.Figure, **values: Any) -> Figure:
    """A figure with its title and caption of :mod:`steering.reports.captions`."""
    title, caption = captions.FIGURES[name]
    return Figure(name, captions.fill(title, **values), captions.fill(caption, **values), figure)


def _label(site: Mapping[str, Any]) -> str:
    where = {True: "", False: " (branch)", None: " (?)"}[site["trunk"]]
    return short_site_name(site["name"]) + where + (f" ({locality_mark(site)})" if locality_mark(site) else "")


def _twin(site: Mapping[str, Any]) -> str:
    return short_site_name(site["equivalence_class"]) if site["equivalence_class"] != site["name"] else ""


def _effects(summary: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables of effects by condition: what the cheese does at all comes first, then subtraction."""
    tables: dict[str, list[dict[str, Any]]] = {"clean": [], MAIN: []}
    for record in summary["effects"]:
        row = {
            **record,
            "site": short_site_name(record["site"]) or "(left alone)",
            "outcome": LABELS[record["outcome"]],
        }
        tables.setdefault(record["condition"], []).append(row)
    return {condition: rows for condition, rows in tables.items() if rows}


def _boundary(summary: Mapping[str, Any]) -> list[str]:
    found = {key: value or "none" for key, value in summary["boundary"].items()}
    if not summary["boundary"]["rule"]:
        return [captions.NOTHING]
    lines = [captions.fill(captions.RULE, **found)]
    alone = summary["boundary"]["blindness_alone"]
    if alone["high"] is not None:
        lines.append(captions.fill(captions.ALONE, **{key: value or "nowhere" for key, value in alone.items()}))
    if summary["boundary"]["change_site"]:
        lines.append(captions.fill(captions.CHANGE, drop=DROP, **found))
    for condition, part in summary["boundary"]["controls"].items():
        there, most = (formatting.format_interval(part[key], "blindness") for key in ("there", "most"))
        where = part["most"]["site"] if part["most"] else "no site"
        change = part["change"]["site"] or "none"
        lines.append(
            captions.fill(captions.CONTROL, condition=condition, there=there, most=most, where=where, change=change)
        )
    return lines


def _probed(probes: ProbeSummary | None) -> list[str]:
    """Return the rules of the readings that probes give, or how to get them."""
    if probes is None:
        return [captions.fill(captions.NO_PROBES)]
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
    lines += [captions.fill(captions.REPRESENTED, rule=held)] if held else []
    rule = next(iter(next_move.values())).rule or captions.NO_MOVES
    return [*lines, captions.fill(captions.PROBE_RULES, move=rule, cell=cell.rule)]


def _film(path: Path) -> str:
    """A film as what a page can hold; empty if it is not there or larger than any page, which then only names it."""
    if not path.is_file() or path.stat().st_size > PAGE_BYTES:
        return ""
    return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


def _methods(summary: Mapping[str, Any], probes: ProbeSummary | None) -> list[str]:
    settings = {
        **summary,
        **summary["checkpoint"],
        "coefficients": ", ".join(f"{c:g}" for c in summary["coefficients"]),
        "first": f"{summary['coefficients'][0]:g}",
    }
    lines = [captions.fill(captions.SETTINGS, **settings), captions.fill(captions.EXACT)]
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
    known = [row for row in summary["all_sites"] if None not in (row["blindness"], row["competence"])]
    return lines + [captions.fill(captions.ALL_SITES, **row) for row in known]
