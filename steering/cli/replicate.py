"""The command that runs the published findings again."""

from __future__ import annotations

import dataclasses
import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envs.errors import counted, told_if_stopped
from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    AsJson,
    Device,
    Horizon,
    Mode,
    Quiet,
    ScalePixels,
    Seed,
    number,
    path,
    print_json,
    shipped_names,
)

if TYPE_CHECKING:
    from steering.records.replication import PublishedFinding, ReplicateSummary

commands = typer.Typer()


@commands.command("replicate")
def replicate_command(
    names: Annotated[list[str] | None, typer.Argument(help="Findings to run (see --list; default: all).")] = None,
    checkpoint: Annotated[
        str, typer.Option(help="A shipped policy (see `checkpoints`) or a file.", autocompletion=shipped_names)
    ] = DEFAULT_CHECKPOINT,
    levels: Annotated[str, typer.Option(help="Level seeds to look at: 0:64, or 3,7,12.")] = "0:100",
    behaviour_levels: Annotated[
        int, number("behaviour-levels", "Levels 0 to N-1 for the findings behaviour and decision-square.")
    ] = 1000,
    site: Annotated[
        str | None,
        typer.Option(help="Site of the interventions (default: the published embedder.block2.res1.resadd)."),
    ] = None,
    horizon: Horizon = 256,
    seed: Seed = 0,
    mode: Mode = None,
    out: Annotated[Path, path("A sweep's run directory, or a new one; resumes there.")] = Path("runs/replicate"),
    device: Device = "cpu",
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    show_list: Annotated[bool, typer.Option("--list", help="List the findings and what was published.")] = False,
) -> None:
    """Run the published findings again and print measured beside published."""
    if show_list:
        from steering.records.replication import published_findings

        _list(published_findings(names or ()), as_json)
        return
    from steering.workflows.progress import bar, doing

    with doing("loading"):
        from steering.replication.run import chosen, replicate
    from agents.checkpoints.zoo import load_stated
    from agents.hardware import on_device
    from agents.networks.policy import device_of
    from steering.experiments.levels import parse_levels
    from steering.replication.protocol import Settings, published_site
    from steering.sweep.artifacts import DATABASE, REPLICATE
    from steering.sweep.planning import mode_in
    from steering.sweep.spec import stated_of

    policy = on_device(load_stated(checkpoint, stated_of(checkpoint, activation, scale_pixels, out)), device)
    mode = mode_in(out, policy, mode)
    findings = chosen(names or (), mode)
    settings = Settings(
        checkpoint=policy.name,
        sha256=policy.sha256,
        site=published_site(policy, site),
        levels=tuple(parse_levels(levels)),
        behaviour_levels=behaviour_levels,
        horizon=horizon,
        seed=seed,
        mode=mode,
        device=device_of(policy.net).type,
    )
    stored = f"what was measured is stored in {shlex.quote(str(out))}"
    with told_if_stopped(lambda: f"\nmazesteer: stopped; {stored}: type the same command to go on"):
        with bar("replicating", "mazes") as progress:
            data = replicate(policy, settings, out, names or (), progress)
    if as_json:
        print_json(dataclasses.replace(data, rows={}))
        return
    _show(dataclasses.replace(data, findings={f.name: data.findings[f.name] for f in findings}))
    print(f"results: {out / DATABASE}, {out / REPLICATE.file}, {(out / REPLICATE.file).with_suffix('.csv')}")


def _list(findings: Sequence[PublishedFinding], as_json: bool) -> None:
    """Print what was published."""
    if as_json:
        print_json(findings)
        return
    for finding in findings:
        print(textwrap.fill(finding.what, 80, initial_indent=f"{finding.name:<16}", subsequent_indent=16 * " "))
        print(textwrap.indent(textwrap.fill(f"published: {finding.published}.", 64), 16 * " "))


def _show(data: ReplicateSummary) -> None:
    """Print a table for each finding: what was published, the figures, the verdict."""
    from rich.table import Table

    from steering.figures.tables import replicate_table
    from steering.workflows.outputs import console

    to = console()
    to.print(
        f"\n{data.checkpoint.name} at {data.settings.site}, mode {data.settings.mode}, exact within "
        f"{counted(data.settings.horizon, 'move')}; intervals: 95%, bootstrap over mazes; inside: whether the "
        "published number lies in it"
    )
    for shown in replicate_table(data):
        found = shown.found
        to.print(f"\n[bold]{shown.name}[/bold]: {found.what} ({counted(found.mazes, 'maze')})")
        to.print(f"published: {found.published}.", markup=False)
        table = Table(box=None, pad_edge=False)
        for column in ("figure", "published", "measured", "interval", "inside"):
            table.add_column(column, justify="left" if column == "figure" else "right")
        for row in shown.rows:
            table.add_row(row.figure, row.published, row.measured, row.interval, row.inside)
        to.print(table)
        to.print(f"-> {found.verdict}.", markup=False)
        for note in found.notes:
            to.print(note, markup=False)
    to.print()
