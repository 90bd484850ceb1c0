"""The command ``anatomy``: what the cheese vector is made of, part by part."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envs.errors import counted
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
    path,
    print_json,
)
from steering.statistics.formatting import short_site_name
from steering.workflows.progress import after_loading

if TYPE_CHECKING:
    from steering.experiments.levels import Skip
    from steering.records.anatomy.summary import AnatomySummary
    from steering.records.probes import Estimate

commands = typer.Typer()


@commands.command()
@after_loading("steering.anatomy.run")
def anatomy(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    levels: Levels = None,
    n_levels: Annotated[int | None, levels_wanted("the sweep's in --out, else 100")] = None,
    parts: Annotated[
        str, typer.Option(help="Parts to measure, by commas: interference (angles between the vectors of cells).")
    ] = "interference",
    sites: Annotated[str, typer.Option(help="all, trunk, or names separated by commas.")] = "all",
    seed: Seed = 0,
    mode: Mode = None,
    out: Annotated[Path, path("A sweep's run directory, or a new one; resumes there.")] = Path("runs/anatomy"),
    device: Device = "cpu",
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What the cheese vector is made of: the angles between the vectors of a maze's cells, site by site."""
    from steering.anatomy.run import AnatomyOptions, run_anatomy
    from steering.sweep.artifacts import ANATOMY
    from steering.sweep.spec import stated_of
    from steering.workflows.outputs import print_skipped
    from steering.workflows.progress import bar

    options = AnatomyOptions(
        checkpoint=checkpoint,
        out=out,
        levels=levels,
        n_levels=n_levels,
        parts=tuple(dict.fromkeys(name.strip() for name in parts.split(",") if name.strip())),
        sites=sites,
        seed=seed,
        mode=mode,
        stated=stated_of(checkpoint, activation, scale_pixels, out),
        device=device,
    )
    skipped: list[Skip] = []
    with bar("anatomy", "levels") as progress:
        found = run_anatomy(options, progress, skipped.extend)
    if as_json:
        print_json(found)
        return
    print(f"{found.checkpoint.name}: {counted(len(found.settings.levels), 'level')} of mode {found.settings.mode}")
    if found.interference is not None:
        _show_interference(found)
    print()
    print_skipped(skipped)
    print(f"numbers: {out / ANATOMY.file}")


def _show_interference(found: AnatomySummary) -> None:
    """Print the angles between vectors at the sites of the trunk, beside what chance predicts."""
    from steering.figures.anatomy.interference_figures import interference_caption, path_sites

    print("\nangles between the cheese vectors of two cells of a maze, at the trunk's sites")
    print("(cosine: root mean square; over random: 1 for random directions, 0: orthogonal;")
    print("effect., eff.: effective dimension; sums of 4: share that tell their vectors)")
    print(f"{'':<22}{'dimensions':>17}{'':>8}{'over random':>21}{'over':>6}{'sums':>6}")
    print(f"{'site':<22}{'all':>9}{'effect.':>8}{'cosine':>8}{'(95% interval)':>21}{'eff.':>6}{'of 4':>6}")
    for site in path_sites(found):
        own = site.interference
        four = next((part.right.value for part in site.sets if part.size == 4), None)
        print(
            f"{short_site_name(site.name):<22}{site.dimension:>9}{_number(site.effective.value, 0):>8}"
            f"{_number(own.measured.value, 3):>8}{_ranged(own.ratio):>21}"
            f"{_number(own.ratio_effective.value):>6}{_number(four):>6}"
        )
    print(textwrap.fill(str(interference_caption(found)["interferes"]), 80))


def _ranged(value: Estimate) -> str:
    if value.low is None or value.high is None:
        return _number(value.value, 1)
    return f"{_number(value.value, 1)} ({_number(value.low, 1)} to {_number(value.high, 1)})"


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
