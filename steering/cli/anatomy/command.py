"""The command ``anatomy``: what the cheese vector is made of, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envs.errors import counted
from steering.cli.anatomy.shown_analogy import show_analogy
from steering.cli.anatomy.shown_circuit import show_circuit
from steering.cli.anatomy.shown_interference import show_interference
from steering.cli.anatomy.shown_modules import show_modules
from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    AsJson,
    Checkpoint,
    Device,
    Levels,
    Mode,
    Quiet,
    ScalePixels,
    Seed,
    levels_wanted,
    number,
    path,
    print_json,
)
from steering.workflows.progress import after_loading

if TYPE_CHECKING:
    from steering.experiments.levels import Skip
    from steering.records.anatomy.summary import AnatomySummary

commands = typer.Typer()
SHOWN: Mapping[str, Callable[[AnatomySummary], None]] = {
    "interference": show_interference,
    "analogy": show_analogy,
    "circuit": show_circuit,
    "modules": show_modules,
}
"""Of each part what prints its numbers, at most 80 columns wide."""


@commands.command()
@after_loading("steering.anatomy.run")
def anatomy(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    levels: Levels = None,
    n_levels: Annotated[int | None, levels_wanted("the sweep's in --out, else 100")] = None,
    parts: Annotated[
        str,
        typer.Option(
            help="all, or names separated by commas: interference (angles between vectors), analogy (another maze's "
            "cheese added), circuit (how few channels carry it), modules (whose channels)."
        ),
    ] = "all",
    sites: Annotated[str, typer.Option(help="all, trunk, or names separated by commas.")] = "all",
    seed: Seed = 0,
    mode: Mode = None,
    out: Annotated[Path, path("A sweep's run directory, or a new one; resumes there.")] = Path("runs/anatomy"),
    device: Device = "cpu",
    workers: Annotated[int | None, number("workers", "Processes (default: one per core; on a GPU at most 8).")] = None,
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What the cheese vector is made of: angles, analogies, channels and modules, site by site."""
    from steering.anatomy.run import AnatomyOptions, run_anatomy
    from steering.records.anatomy.summary import PARTS
    from steering.sweep.artifacts import ANATOMY
    from steering.sweep.spec import stated_of
    from steering.workflows.outputs import print_skipped
    from steering.workflows.progress import bar

    options = AnatomyOptions(
        checkpoint=checkpoint,
        out=out,
        levels=levels,
        n_levels=n_levels,
        parts=PARTS if parts.strip() == "all" else tuple(name.strip() for name in parts.split(",") if name.strip()),
        sites=sites,
        seed=seed,
        mode=mode,
        stated=stated_of(checkpoint, activation, scale_pixels, out),
        device=device,
        workers=workers,
    )
    skipped: list[Skip] = []
    with bar("anatomy", "levels") as progress:
        found = run_anatomy(options, progress, skipped.extend)
    if as_json:
        print_json(found)
        return
    print(f"{found.checkpoint.name}: {counted(len(found.settings.levels), 'level')} of mode {found.settings.mode}")
    for name in found.settings.parts:
        SHOWN[name](found)
    print()
    print_skipped(skipped)
    print(f"numbers: {out / ANATOMY.file}")
