"""The outputs of a finished sweep: summary, tables, film, report, and the answer on the console."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from envs.errors import InputError, counted
from envs.files import write_atomic
from envs.stored.ranges import Text
from steering.analysis.conclusion import conclude_sweep
from steering.analysis.summary import summarize, write_summary
from steering.experiments.conditions import MAIN
from steering.experiments.levels import Skip, SkipReason, first_of
from steering.experiments.outcome import OutcomeColumn, shown_on
from steering.figures.static_figures import sweep_picture
from steering.films.example_mazes import keep_mazes
from steering.films.sweep_film import film_sweep
from steering.records.sweep import SkippedLevel, SweepSummary
from steering.reports.sweep_report import write_report
from steering.statistics import boundary
from steering.statistics.boundary import ThresholdPair
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import DATABASE, FIELDS, SUMMARY, read_artifacts
from steering.sweep.outcome_table import decision_squares, export_tables
from steering.sweep.recordings import rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store, run_directory

MOST_SKIPPED = 20  # levels that a line lists
OUTCOMES_SHOWN = shown_on("console")


@dataclass(frozen=True)
class Outputs:
    """All that was written of a run."""

    summary: SweepSummary
    """The numbers."""
    answer: str
    """The finding in words."""
    files: tuple[str, ...]
    """A line for each kind of file, with its paths."""


def rewrite_outputs(directory: Path, blindness: float | None = None, competence: float | None = None) -> Outputs:
    """Write all outputs again from a run's store; thresholds not given are those of its last sweep command."""
    spec = SweepSpec.load(directory)
    if not (directory / DATABASE).is_file():
        raise InputError(f"{directory}: no {DATABASE} there; give the --out of a finished run")
    with run_directory(directory), Store.open(directory) as store:
        rule = boundary.agreed_thresholds([store.thresholds()], blindness=blindness, competence=competence)
        return write_outputs(store, spec, directory, rule)


def write_outputs(store: Store, spec: SweepSpec, directory: Path, thresholds: ThresholdPair) -> Outputs:
    """Write summary, CSV, film and report from the store."""
    summary = summarize(store, spec, blindness=thresholds.blindness, competence=thresholds.competence)
    write_summary(summary, directory / SUMMARY)
    tables = export_tables(store, directory)
    film = film_sweep(store, spec, directory, rollout_site(spec.sites))
    link = film.relative_to(directory).as_posix() if film is not None else None
    extra, notes = read_artifacts(directory, spec.sha256, spec.mode, spec.levels)
    if extra.fields is not None:
        extra = dataclasses.replace(extra, fields=keep_mazes(extra.fields, directory / FIELDS.file))
    write_report(
        summary,
        directory / "report.html",
        command=store.meta("command", Text),
        again=_with_thresholds(store, directory, thresholds),
        video=link,
        versions=store.versions() or [{"of": "not recorded"}],
        decisions=decision_squares(store, spec),
        others=extra,
        notes=notes + ([f"condition edit: {' then '.join(spec.edits)}"] if spec.edits else []),
    )
    write_atomic(directory / "report.png", sweep_picture(summary))
    files = [
        f"report: {directory / 'report.html'}, {directory / 'report.md'}",
        f"picture: {directory / 'report.png'}",
        f"numbers: {directory / 'summary.json'}, {', '.join(map(str, tables))}",
    ]
    files += [f"video: {film}"] if film is not None else []
    return Outputs(summary, conclude_sweep(summary, extra.probes, extra.planning), tuple(files))


def print_outputs(written: Outputs) -> None:
    """Print answer, table and paths on standard output."""
    print_summary(written.summary, written.answer, console())
    for line in written.files:
        print(line)


def _with_thresholds(store: Store, directory: Path, thresholds: ThresholdPair) -> str:
    """Return the command that makes a report with these thresholds; empty if the run's sweep command had them."""
    if store.thresholds() == thresholds:
        return ""
    given = f"--blindness-threshold {thresholds.blindness:g} --competence-threshold {thresholds.competence:g}"
    return f"mazesteer report {shlex.quote(str(directory))} {given}"


def console_table(columns: Sequence[str], rows: Iterable[Sequence[str]], gap: int = 2) -> Table:
    """Return a table for the console: the first column to the left, numbers to the right, ``gap`` between them."""
    table = Table(box=None, pad_edge=False, padding=(0, gap - 1, 0, 1))
    for name in columns:
        first = name == columns[0]
        table.add_column(name, justify="left" if first else "right", no_wrap=first)
    for row in rows:
        table.add_row(*row)
    return table


def console() -> Console:
    """Return standard output as rich writes to it: as wide as the terminal or COLUMNS, else 120 characters."""
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120, highlight=False)


def print_summary(summary: SweepSummary, answer: str, to: Console) -> None:
    """Print the ``answer`` and a table with a row for each site."""
    headings, rows = summary_rows(summary)
    clean, removed = summary.reference.clean, summary.reference.no_cheese
    told = [f"{_heading(column)} {_number(getattr(clean, column.name))}" for column in OUTCOMES_SHOWN]
    # Those that compare across worlds by another field say nothing of a level without cheese.
    kept = [
        f"{_heading(column)} {_number(getattr(removed, column.name))}"
        for column in OUTCOMES_SHOWN
        if not column.across_worlds
    ]
    to.print("\n" + answer + "\n")
    if summary.stop is not None:
        to.print(summary.stop.words + "\n")
    if to.width >= WIDE:
        to.print(console_table(headings, rows))
    else:
        headings = [_NARROW.get(name, name) for name in headings]
        to.print(console_table(headings, [[_narrow(row[0]), *row[1:]] for row in rows], gap=1))
        to.print("\n(f): free; (b): branch; <-: boundary")
    used = f"{counted(len(summary.levels.used), 'level')} of mode {summary.mode} used"
    to.print(f"\nclean: {', '.join(told)}; cheese removed: {', '.join(kept)}; {used}", soft_wrap=False)
    for line in skipped_lines(summary.levels.skipped, f" (all are in {SUMMARY})"):
        to.print(line)
    to.print()


WIDE = 100  # columns of a terminal that takes the table as it is
_NARROW = {
    "blindness": "blind-\nness",
    "competence": "compe-\ntence",
    "P(cheese|decision)": "P(cheese|\ndecision)",
}


def _narrow(site: str) -> str:
    """Return a site's name with its marks in one letter each."""
    for mark, short in ((" (free)", " (f)"), (" (branch)", " (b)"), ("  <- boundary", " <-")):
        site = site.replace(mark, short)
    return site


def skipped_lines(skipped: Sequence[SkippedLevel], all_in: str = "") -> list[str]:
    """Return the levels left out, a line for each reason; of a long list the first :data:`MOST_SKIPPED`.

    ``all_in``: where the others are listed, added behind their number.
    """
    reasons: dict[str, list[str]] = {}
    for each in skipped:
        reason = "same maze as an earlier level" if each.kind is SkipReason.SAME_MAZE else each.reason
        reasons.setdefault(reason, []).append(str(each.level))
    return [f"skipped, {reason}: {first_of(levels, MOST_SKIPPED, all_in)}" for reason, levels in reasons.items()]


def print_skipped(skipped: Sequence[Skip]) -> None:
    """Print the levels left out by a command that is no sweep."""
    for line in skipped_lines([SkippedLevel(each.level, each.words) for each in skipped]):
        print(textwrap.fill(line, 80, subsequent_indent="  "))


def summary_rows(summary: SweepSummary) -> tuple[list[str], list[list[str]]]:
    """Return the headings of a sweep's table, and a row for each site that was subtracted at."""
    rows = []
    for site in summary.sites:
        found = site.conditions.get(MAIN)
        if found is None:
            continue
        noise = site.conditions.get("random")
        mark = " (free)" if site.affine else {True: "", False: " (branch)", None: " (?)"}[site.trunk]
        edge = "  <- boundary" if site.name == summary.boundary.site else ""
        rows.append(
            [
                short_site_name(site.name) + mark + edge,
                _number(found.blindness),
                f"{_number(found.blindness_low)} to {_number(found.blindness_high)}",
                _number(found.competence),
                *(_number(getattr(found, column.name), column.digits) for column in OUTCOMES_SHOWN),
                _number(None if noise is None else noise.blindness),
            ]
        )
    return ["site", "blindness", "95% interval", "competence", *map(_heading, OUTCOMES_SHOWN), "random"], rows


def _heading(column: OutcomeColumn) -> str:
    return column.label.replace(" | ", "|")


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
