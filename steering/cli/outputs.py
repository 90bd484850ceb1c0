"""What a finished sweep leaves: summary, tables, film, report, and the answer on the console."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from envs.errors import InputError
from envs.files import write_atomic
from steering.analysis.conclusion import conclude_sweep
from steering.analysis.decision_square import decision_squares
from steering.analysis.summary import summarize, write_summary
from steering.experiments.conditions import MAIN, REFERENCES
from steering.experiments.outcome import shown_on
from steering.films.sweep_film import film_sweep
from steering.records.codec import from_plain
from steering.records.probes import ProbeSummary
from steering.records.sweep import DecisionSquares, SweepSummary
from steering.reports.static_figures import sweep_picture
from steering.reports.sweep_report import write_report
from steering.statistics import boundary
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import DATABASE, read_artifacts
from steering.sweep.recordings import rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store, export_tables, run_directory, thresholds


def rewrite_outputs(directory: Path, blindness: float | None = None, competence: float | None = None) -> dict[str, Any]:
    """All outputs again from a run's store; thresholds not given are those of its last sweep command."""
    spec = SweepSpec.load(directory)
    if not (directory / DATABASE).is_file():
        raise InputError(f"{directory}: no {DATABASE}; it is not a finished run")
    with run_directory(directory), Store.open(directory) as store:
        used = thresholds(store)
        given = {"blindness": blindness, "competence": competence}
        used |= {name: value for name, value in given.items() if value is not None}
        boundary.check_thresholds(**used)
        return write_outputs(store, spec, directory, **used)


def write_outputs(
    store: Store, spec: SweepSpec, directory: Path, blindness: float, competence: float
) -> dict[str, Any]:
    """Summary, CSV, film and report from the store; prints answer, table and paths."""
    summary = summarize(store, spec, blindness=blindness, competence=competence)
    write_summary(summary, directory / "summary.json")
    tables = export_tables(store, directory)
    film = film_sweep(store, spec, directory, rollout_site(spec.sites))
    link = film.relative_to(directory).as_posix() if film is not None else None
    extra, notes = read_artifacts(directory, spec.sha256, spec.mode, spec.levels)
    record = from_plain(summary, SweepSummary, directory / "summary.json", "make it anew")
    decisions = decision_squares(store, spec)
    write_report(
        record,
        directory / "report.html",
        command=store.meta("command"),
        again=_with_thresholds(store, directory, blindness, competence),
        video=link,
        versions=store.meta("versions", [{"of": "not recorded"}]),
        decisions=None if decisions is None else from_plain(decisions, DecisionSquares, directory, "sweep again"),
        others=extra,
        notes=notes,
    )
    write_atomic(directory / "report.png", sweep_picture(record))
    print_summary(summary, extra.probes)
    print(f"report: {directory / 'report.html'}, {directory / 'report.md'}")
    print(f"picture: {directory / 'report.png'}")
    print(f"numbers: {directory / 'summary.json'}, {', '.join(map(str, tables))}")
    if film is not None:
        print(f"video: {film}")
    return summary


def _with_thresholds(store: Store, directory: Path, blindness: float, competence: float) -> str:
    """The command that makes a report with these thresholds; empty if they are those of the run's sweep command."""
    if thresholds(store) == {"blindness": blindness, "competence": competence}:
        return ""
    given = f"--blindness-threshold {blindness:g} --competence-threshold {competence:g}"
    return f"mazesteer report {shlex.quote(str(directory))} {given}"


def print_summary(summary: dict[str, Any], probes: ProbeSummary | None = None) -> None:
    """The answer and a table per site, on standard output; ``probes``: of the same run."""
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print("\n" + conclude_sweep(summary, probes) + "\n")
    table = Table(box=None, pad_edge=False)
    outcomes = shown_on("console")
    headings = [column.label.replace(" | ", "|") for column in outcomes]
    for name in ("site", "blindness", "95% interval", "competence", *headings, "random"):
        table.add_column(name, justify="left" if name == "site" else "right")
    for site in summary["sites"]:
        row = site["conditions"].get(MAIN)
        noise = site["conditions"].get("random", {}).get("blindness")
        if row is None:
            continue
        mark = " (free)" if site["affine"] else {True: "", False: " (branch)", None: " (?)"}[site["trunk"]]
        edge = "  <- boundary" if site["name"] == summary["boundary"]["site"] else ""
        table.add_row(
            short_site_name(site["name"]) + mark + edge,
            _number(row["blindness"]),
            f"{_number(row['blindness_low'])} to {_number(row['blindness_high'])}",
            _number(row["competence"]),
            *(_number(row[column.name], column.digits) for column in outcomes),
            _number(noise),
        )
    console.print(table)
    clean, removed = (summary["reference"][world] for world in REFERENCES)
    told = [f"{name} {_number(clean[column.name])}" for name, column in zip(headings, outcomes, strict=True)]
    # Those that compare across worlds by another field say nothing of a level without cheese.
    kept = [f"{name} {_number(removed[column.name])}" for name, column in zip(headings, outcomes, strict=True)
            if not column.across_worlds]  # fmt: skip
    console.print(
        f"\nclean: {', '.join(told)}; cheese removed: {', '.join(kept)}; "
        f"{len(summary['levels']['used'])} levels used, {len(summary['levels']['skipped'])} skipped\n"
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
