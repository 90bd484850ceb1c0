"""One layer sweep from options to report: what the ``layer-sweep`` command does."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.checkpoints.cards import checkpoint_file
from agents.checkpoints.zoo import load_policy, policy_from_bytes
from envs.errors import InputError, nearest, told_if_stopped
from envs.files import write_atomic
from steering.answer import answer
from steering.artifacts import DATABASE, read_artifacts
from steering.evidence import decision_squares, used_versions
from steering.examples import keep_examples
from steering.executors import Checkpoint, Cluster, dask, local
from steering.experiments.conditions import MAIN
from steering.experiments.levels import SEARCH_LIMIT, parse_levels, qualifying_levels
from steering.film import film_sweep
from steering.interventions.sites import enumerate_sites, select_sites, site_facts
from steering.picture import sweep_picture
from steering.plan import SweepSpec
from steering.progress import bar
from steering.report import write_report
from steering.statistics import boundary
from steering.statistics.formatting import short
from steering.store import Store, export_tables, run_directory
from steering.summary import summarize, thresholds, write_summary
from steering.sweep import Executor, run_sweep
from steering.units import rollout_site

DEFAULT_LEVELS = 32
EXECUTORS = ("local", "dask")


@dataclass(frozen=True)
class SweepOptions:
    """The options of ``layer-sweep``, as typed."""

    checkpoint: str
    levels: str | None
    n_levels: int | None
    sites: str
    conditions: tuple[str, ...]
    coefficients: tuple[float, ...]
    horizon: int
    seed: int
    out: Path
    mode: str
    random_draws: int
    episodes: int
    workers: int | None
    vector: str = "start"
    executor: str = "local"
    cluster: Cluster = Cluster()  # noqa: RUF009  (frozen)
    blindness: float = boundary.BLINDNESS
    competence: float = boundary.COMPETENCE


def plan(
    options: SweepOptions,
) -> tuple[SweepSpec, list[tuple[int, bool, str, dict[str, float]]], list[dict[str, Any]]]:
    """(spec, level rows for the store, facts of all sites); validates everything first."""
    if options.levels is not None and options.n_levels is not None:
        raise InputError("give --levels or --n-levels, not both")
    if options.n_levels is not None and options.n_levels < 1:
        raise InputError(f"--n-levels {options.n_levels}: at least 1 level is needed")
    if options.workers is not None and options.workers < 1:
        raise InputError(f"--workers {options.workers}: at least 1 process is needed")
    most = max(64, 4 * (os.cpu_count() or 1))
    if (options.workers or 1) > most:
        raise InputError(f"--workers {options.workers}: at most {most} processes on this machine")
    if options.executor not in EXECUTORS:
        raise InputError(f"--executor {options.executor!r}: {nearest(options.executor, EXECUTORS)}")
    if options.executor == "local" and options.cluster != Cluster():
        raise InputError("--scheduler, --scheduler-file and --gpus-per-unit belong to --executor dask; add it")
    if not 0 <= options.cluster.gpus_per_unit <= 1024:
        raise InputError(f"--gpus-per-unit {options.cluster.gpus_per_unit}: give a number from 0 to 1024")
    if options.cluster.address and options.cluster.scheduler_file:
        raise InputError("give --scheduler or --scheduler-file, not both")
    if options.cluster.scheduler_file is not None and not options.cluster.scheduler_file.is_file():
        raise InputError(f"--scheduler-file {options.cluster.scheduler_file}: no such file; start the scheduler first")
    boundary.check_thresholds(options.blindness, options.competence)
    policy = load_policy(options.checkpoint)
    sites = select_sites(options.sites, policy.net)
    given: dict[str, Any] = {
        "checkpoint": policy.name,
        "sha256": policy.sha256,
        "sites": tuple(site.name for site in sites),
        "conditions": tuple(dict.fromkeys(options.conditions)),
        "coefficients": options.coefficients,
        "draws": options.random_draws,
        "horizon": options.horizon,
        "seed": options.seed,
        "mode": options.mode,
        "episodes": options.episodes,
        "vector": options.vector,
    }
    SweepSpec(levels=(0,), **given)  # complain about options before levels are looked for
    if options.levels is not None:
        used, skipped = qualifying_levels(parse_levels(options.levels), mode=options.mode, vector=options.vector)
    else:
        wanted = options.n_levels or DEFAULT_LEVELS
        used, skipped = qualifying_levels(range(SEARCH_LIMIT), wanted, options.mode, options.vector)
        if len(used) < wanted:
            raise InputError(f"--n-levels {wanted}: only {len(used)} of {SEARCH_LIMIT} levels qualify")
    if not used:
        raise InputError(
            f"--levels {options.levels}: none of {len(skipped)} levels qualifies "
            "(a decision square, and cheese outside the top-right 5x5); take a wider range"
        )
    spec = SweepSpec(
        levels=tuple(int(maze.level or 0) for maze in used), skipped=tuple(level for level, _ in skipped), **given
    )
    rows = [(int(maze.level or 0), True, "", maze.features()) for maze in used]
    rows += [(level, False, reason, {}) for level, reason in skipped]
    return spec, rows, site_facts(enumerate_sites(policy.net))


def run_layer_sweep(options: SweepOptions) -> dict[str, Any]:
    """Plan, compute what is missing, write all outputs, print the answer; returns the summary."""
    with told_if_stopped(
        lambda: f"mazesteer: stopped before anything was computed for {options.out}: type the same command to go on"
    ):
        spec, rows, facts = plan(options)
        checkpoint = packed(options, spec)
    with run_directory(options.out) as directory, Store.open(directory) as store:

        def stored() -> str:
            present = store.keys()
            done = sum(all(key in present for key in spec.keys(level)) for level in spec.levels)
            count = f"{done} of {len(spec.levels)} levels are stored in {directory}"
            return f"mazesteer: stopped; {count}: type the same command to go on"

        with told_if_stopped(stored):
            store.claim(spec.shared())
            store.claim({"sites": facts})
            store.describe("command", "mazesteer " + shlex.join(sys.argv[1:]))
            store.describe("versions", used_versions(store.meta("versions", [{}])))
            store.describe("thresholds", {"blindness": options.blindness, "competence": options.competence})
            store.add_levels(rows)
            spec.save(directory)
            with bar("sweeping") as progress:
                run_sweep(spec, directory, store, executor(options, spec, checkpoint), progress=progress)
            policy = policy_from_bytes(checkpoint.data, checkpoint.suffix, checkpoint.name)
            keep_examples(policy, store, spec, directory)
            return finish(store, spec, directory, options.blindness, options.competence)


def packed(options: SweepOptions, spec: SweepSpec) -> Checkpoint:
    """The checkpoint's bytes, read once: what happens to the file later is of no matter."""
    file = checkpoint_file(options.checkpoint)
    checkpoint = Checkpoint(file.read_bytes(), file.suffix, spec.checkpoint)
    if hashlib.sha256(checkpoint.data).hexdigest() != spec.sha256:
        raise InputError(f"checkpoint {options.checkpoint} changed while the sweep was planned; start again")
    return checkpoint


def executor(options: SweepOptions, spec: SweepSpec, checkpoint: Checkpoint) -> Executor:
    """The executor that the options name."""
    if options.executor == "dask":
        return lambda units: dask(checkpoint, units, spec, options.cluster, options.workers)
    return lambda units: local(checkpoint, units, spec, options.workers)


def rewrite(directory: Path, blindness: float | None = None, competence: float | None = None) -> dict[str, Any]:
    """All outputs again from a run's store; thresholds not given are those of its last sweep command."""
    spec = SweepSpec.load(directory)
    if not (directory / DATABASE).is_file():
        raise InputError(f"{directory}: no {DATABASE}; it is not a finished run")
    with run_directory(directory), Store.open(directory) as store:
        used = thresholds(store)
        given = {"blindness": blindness, "competence": competence}
        used |= {name: value for name, value in given.items() if value is not None}
        boundary.check_thresholds(**used)
        return finish(store, spec, directory, **used)


def finish(store: Store, spec: SweepSpec, directory: Path, blindness: float, competence: float) -> dict[str, Any]:
    """Summary, CSV, film and report from the store; prints answer, table and paths."""
    summary = summarize(store, spec, blindness=blindness, competence=competence)
    write_summary(summary, directory / "summary.json")
    tables = export_tables(store, directory)
    film = film_sweep(store, spec, directory, rollout_site(spec.sites))
    link = film.relative_to(directory).as_posix() if film is not None else None
    extra, notes = read_artifacts(directory, spec.sha256, spec.mode, spec.levels)
    write_report(
        summary,
        directory / "report.html",
        command=store.meta("command"),
        again=_with_thresholds(store, directory, blindness, competence),
        video=link,
        versions=store.meta("versions", [{"of": "not recorded"}]),
        decisions=decision_squares(store, spec),
        others=extra,
        notes=notes,
    )
    write_atomic(directory / "report.png", sweep_picture(summary))
    show(summary, extra.get("probes"))
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


def show(summary: dict[str, Any], probes: dict[str, Any] | None = None) -> None:
    """The answer and a table per site, on standard output; ``probes`` is the run's ``probes.json``."""
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print("\n" + answer(summary, probes) + "\n")
    table = Table(box=None, pad_edge=False)
    for name in ("site", "blindness", "95% interval", "competence", "P(cheese)", "P(cheese|decision)", "random"):
        table.add_column(name, justify="left" if name == "site" else "right")
    for site in summary["sites"]:
        row = site["conditions"].get(MAIN)
        noise = site["conditions"].get("random", {}).get("blindness")
        if row is None:
            continue
        mark = " (free)" if site["affine"] else {True: "", False: " (branch)", None: " (?)"}[site["trunk"]]
        edge = "  <- boundary" if site["name"] == summary["boundary"]["site"] else ""
        table.add_row(
            short(site["name"]) + mark + edge,
            _number(row["blindness"]),
            f"{_number(row['blindness_low'])} to {_number(row['blindness_high'])}",
            _number(row["competence"]),
            _number(row["p_cheese"]),
            _number(row["p_cheese_decision"]),
            _number(noise),
        )
    console.print(table)
    reference = summary["reference"]
    console.print(
        f"\nclean: P(cheese) {_number(reference['clean']['p_cheese'])}, "
        f"P(cheese|decision) {_number(reference['clean']['p_cheese_decision'])}; cheese removed: "
        f"P(cheese|decision) {_number(reference['no_cheese']['p_cheese_decision'])}; "
        f"{len(summary['levels']['used'])} levels used, {len(summary['levels']['skipped'])} skipped\n"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
