"""The ``probe`` command: linear readouts of each site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steering.cli.options import DEFAULT_CHECKPOINT, Activation, Checkpoint, ScalePixels, Seed, number, path
from steering.statistics.formatting import short_site_name

if TYPE_CHECKING:
    from steering.records.boundary import BoundarySummary
    from steering.records.probes import Estimate, ProbeSummary

WIDEST = "3x3"  # the unit whose hits are printed, of those in ``map``
commands = typer.Typer()


@commands.command()
def probe(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    levels: Annotated[str | None, typer.Option(help="Seeds to consider: 0:64, or 3,7,12.")] = None,
    n_levels: Annotated[
        int | None,
        number("n-levels", "Take the first N levels that qualify (default: the sweep's in --out, else 200)."),
    ] = None,
    sites: Annotated[str, typer.Option(help="trunk, all, or names separated by commas.")] = "trunk",
    states: Annotated[int, number("states", "Frames of each level.")] = 8,
    seed: Seed = 0,
    mode: Annotated[
        str | None,
        typer.Option(help="Procgen's distribution mode: hard or easy (default: the sweep's in --out, else hard)."),
    ] = None,
    out: Annotated[Path, path("A sweep's run directory, or a new one.")] = Path("runs/probes"),
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Probe every layer for the cheese's cell and for next moves; compare cheese vectors between positions."""
    from envs.stored.json_records import to_json
    from steering.probes.run import ProbeOptions, run_probes
    from steering.sweep.artifacts import PROBES, swept_boundary
    from steering.sweep.spec import stated_of
    from steering.workflows.progress import bar

    stated = stated_of(checkpoint, activation, scale_pixels, out)
    with bar("probing") as progress:
        found = run_probes(ProbeOptions(checkpoint, out, levels, n_levels, sites, states, seed, mode, stated), progress)
    if as_json:
        print(to_json(found).decode(), end="")
        return
    _show(found)
    _side_by_side(found, swept_boundary(out))
    print(f"\nnumbers: {out / PROBES.file}")


def _show(found: ProbeSummary) -> None:
    """Print one line per site, then what is right without any network, and by chance."""
    from steering.probes.summary import APART

    moves_of = {"cheese": "cheese", APART: "(apart)", "corner": "corner", "policy": "policy"}  # whose next move
    columns = (*moves_of.values(), "cell R2", "hits", "cosine", "ratio")
    inside = {row.name: row.inside for row in found.representation}
    size = f"{len(found.levels)} levels, {found.frames} frames"
    print(f"{found.checkpoint.name}: {size}, told about mazes not learned from;")
    print(f"(apart): to the cheese, in the {found.asked[APART]} frames where it is not the move to the corner;")
    print("95% intervals over mazes are in the file\n")
    print(f"{'':<32}{'next move told rightly':^40}{'cheese: linear,':>19}{'3x3':>6}{'its vector by position':>25}")
    print(f"{'site':<32}" + "".join(f"{name:>10}" for name in columns))
    for site in found.sites:
        moves = [site.moves[name].accuracy for name in moves_of]
        hits = site.map[WIDEST].hits if site.map else None
        vectors = inside[site.name]
        same = [vectors.cosine, vectors.norm_ratio] if vectors else [None, None]
        mark = " (free)" if site.affine else ""
        print(f"{short_site_name(site.name) + mark:<32}" + _line([*moves, site.cell.r2, hits, *same]))
    pixels = found.sites[0].moves
    print(f"{'most frequent move':<32}" + _line([found.majority[name] for name in moves_of]))
    print(f"{'told from a look around':<32}" + _line([found.surroundings[name] for name in moves_of]))
    print(f"{'shuffled labels, at the input':<32}" + _line([pixels[name].control for name in moves_of]))


def _side_by_side(found: ProbeSummary, swept: BoundarySummary | None) -> None:
    """Print the readings of the boundary with their intervals: the probes', beside those of a sweep in ``--out``."""
    from steering.analysis.readings import readings

    rows = [(row.kind, row.what, row.place, row.interval) for row in readings(swept, found)]
    widths = [max(len(row[k]) for row in rows) + 2 for k in range(3)]
    print("\nthe boundary, reading by reading (95% bootstrap intervals over mazes)")
    for row in rows:
        print("".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=False)) + row[3])
    if swept is None:
        print("(causal: `mazesteer layer-sweep` with the same --out)")
    print(f"cheese's cell, linearly: best at {found.decoding_boundary.cell.best or 'no site'}")


def _line(readings: list[Estimate | None]) -> str:
    """Return the values of readings in columns, a dash for none."""
    values = [reading.value if reading else None for reading in readings]
    return "".join(f"{'-' if value is None else f'{value:.3f}':>10}" for value in values)
