"""The commands ``compare`` (runs side by side) and ``power`` (the number of levels that an interval needs)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envs.errors import counted
from steering.cli.options import (
    AsJson,
    BlindnessThreshold,
    CompetenceThreshold,
    Quiet,
    argument,
    number,
    path,
    print_json,
)
from steering.workflows.progress import after_loading, doing

commands = typer.Typer()


@commands.command("compare")
@after_loading("steering.reports.comparison_report")
def compare_command(
    runs: Annotated[list[Path], argument("Run directories, or folders of several runs.")],
    out: Annotated[Path, path("Folder for compare.html, .md, .png and .json.")] = Path("runs/compare"),
    seed: Annotated[int, number("seed", "Seed of the bootstrap.")] = 0,
    blindness_threshold: BlindnessThreshold = None,
    competence_threshold: CompetenceThreshold = None,
    history: Annotated[
        Path | None,
        path("Training directory whose loss is shown beside its snapshots (default: the card's, if shipped)."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare runs maze by maze: agents, coefficients of one run, or snapshots of one training."""
    from steering.reports.comparison_report import run_compare
    from steering.reports.first_screen import conclude_comparison

    with doing("comparing, then writing the report"):
        data = run_compare(
            runs, out, seed=seed, blindness=blindness_threshold, competence=competence_threshold, history=history
        )
    if as_json:
        print_json(data)
        return
    print(conclude_comparison(data))
    print(f"report: {out / 'compare.html'}, {out / 'compare.md'}")
    print(f"picture: {out / 'compare.png'}")
    print(f"numbers: {out / 'compare.json'}")


@commands.command("power")
@after_loading("steering.analysis.power")
def power_command(
    run: Annotated[Path, argument("A run directory: the pilot.")],
    width: Annotated[float, number("width", "Width that the 95% interval of blindness is to have.")] = 0.1,
    site: Annotated[
        str | None,
        typer.Option(help="Site name (default: the boundary's site and the next, by the run's own thresholds)."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say how many levels an interval of a given width needs, judging by a run."""
    from steering.analysis.power import power_of_run
    from steering.statistics import bootstrap

    with doing("counting the levels needed"):
        records = power_of_run(run, width, site)
    if as_json:
        print_json(records)
        return
    print(f"levels for a 95% interval of blindness {width:g} wide,")
    print(f"judging by {counted(records[0].pilot, 'level')} of {run}:\n")
    print(f"{'site':<32}{'blindness':>9}  {'interval now':<18}{'levels needed':>13}")
    for record in records:
        now = f"{record.blindness_low:.3f} to {record.blindness_high:.3f}"
        print(f"{record.site:<32}{record.blindness:>9.3f}  {now:<18}{record.levels:>13}")
    for record in records:
        if record.warning:
            print(f"\n{record.site}: {record.warning}")
    most = max(record.levels for record in records)
    if any(record.levels == bootstrap.FEW for record in records):
        print(
            f"\n{bootstrap.FEW} is the least recommended: from fewer levels the report draws no conclusion, "
            "however narrow the interval"
        )
    if all(record.suffices for record in records):
        print(f"\nthe pilot already suffices: it has {counted(records[0].pilot, 'level')}, {most} are needed")
    else:
        print(f"\nto get them, type the run's own command again with --n-levels {most} in place of its levels")
