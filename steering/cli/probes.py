"""The ``probe`` command: linear readouts of each site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    AsJson,
    Checkpoint,
    Device,
    Mode,
    Quiet,
    ScalePixels,
    Seed,
    number,
    path,
    print_json,
)
from steering.statistics.formatting import short_site_name

if TYPE_CHECKING:
    from steering.records.boundary import BoundarySummary
    from steering.records.probes import Estimate, ProbeSummary
    from steering.records.readouts import ReadoutSummary, ToldShares

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
    mode: Mode = None,
    frames: Annotated[
        int, number("frames", "Frames of other mazes that readouts at the mouse learn from at most; 0: no readouts.")
    ] = 20_480,
    pairs: Annotated[int, number("pairs", "Detour pairs of each goal and level.")] = 8,
    distance: Annotated[int, number("distance", "Cells between the mouse and every changed cell of a pair.")] = 5,
    out: Annotated[Path, path("A sweep's run directory, or a new one.")] = Path("runs/probes"),
    device: Device = "cpu",
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Probe every layer for the cheese's cell and for next moves; compare cheese vectors between positions."""
    from steering.probes.run import ProbeOptions, run_probes
    from steering.readouts.run import ReadoutOptions, check_frames, run_readouts
    from steering.sweep.artifacts import PROBES, READOUTS, swept_boundary
    from steering.sweep.spec import stated_of
    from steering.workflows.progress import bar

    if frames:
        check_frames(frames)  # before the probes, which take long
    stated = stated_of(checkpoint, activation, scale_pixels, out)
    with bar("probing") as progress:
        shared = (checkpoint, out, levels, n_levels, sites, states)
        found = run_probes(ProbeOptions(*shared, seed, mode, stated, device), progress)
    read: ReadoutSummary | None = None
    if frames:
        with bar("reading at the mouse") as progress:
            read = run_readouts(ReadoutOptions(*shared, frames, pairs, distance, seed, mode, stated, device), progress)
    if as_json:
        print_json(found)
        return
    _show(found)
    if read is not None:
        show_readouts(read)
    _side_by_side(found, swept_boundary(out), read)
    print(f"\nnumbers: {out / PROBES.file}" + (f" and {out / READOUTS.file}" if read is not None else ""))


def _show(found: ProbeSummary) -> None:
    """Print one line per site, then what is right without any network, and by chance."""
    from steering.probes.summary import APART

    moves_of = {"cheese": "cheese", APART: "(apart)", "corner": "corner", "policy": "policy"}  # whose next move
    columns = (*moves_of.values(), "cell R2", "hits", "cosine", "ratio")
    inside = {row.name: row.inside for row in found.representation}
    size = f"{len(found.levels)} levels of mode {found.mode}, {found.frames} frames"
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


def show_readouts(found: ReadoutSummary) -> None:
    """Print what readouts tell at the mouse's place, then what readers without a network do."""
    largest, views = max(found.settings.frames), ("1x1", "3x3", "5x5", "whole")
    pairs = " and ".join(f"{count} to the {goal}" for goal, count in found.pairs.items()) or "none"
    print(f"\nreadouts of the units around the mouse, learned from up to {largest} frames of other mazes:")
    print("next move to the cheese told rightly, and right in both mazes of a detour pair")
    print(f"({pairs}; all numbers are in the file);")
    print("*: fewer frames, or more of them would tell more\n")
    print(f"{'':<26}{'next move told rightly':^36}{'detours followed':^36}")
    print(f"{'site':<26}" + "".join(f"{view:>9}" for view in views * 2))
    for site in found.sites:
        last = {view.view: (view.curve[-1], view.saturated) for view in site.views if view.curve}
        told = [_told(last.get(view), "accuracy", largest) for view in views]
        followed = [_told(last.get(view), "follows", largest) for view in views]
        print(f"{short_site_name(site.name) + (' (free)' if site.affine else ''):<26}" + "".join(told + followed))
    for reader in found.readers:
        share = reader.curve[-1]
        name = f"reader of {reader.name} steps" if reader.name.isdigit() or reader.name == "all" else reader.name
        print(f"{name:<26}" + _pair(share.accuracy.get("cheese")) + " " * 27 + _pair(share.follows.get("cheese")))
    print(f"{'the policy itself':<26}" + " " * 36 + _pair(found.agent.follows.get("cheese")))


def _told(last: tuple[ToldShares, bool | None] | None, part: str, largest: int) -> str:
    """Return what one readout gets right of the way to the cheese, in a column."""
    value = getattr(last[0], part).get("cheese") if last else None
    if last is None or value is None or value.value is None:
        return f"{'-':>9}"
    few = last[0].frames < largest
    mark = "" if part == "follows" else "*" if last[1] is False or few else " "
    return f"{f'{value.value:.3f}{mark}':>9}"


def _pair(share: Estimate | None) -> str:
    return f"{'-' if share is None or share.value is None else f'{share.value:.3f}':>8} "


def _side_by_side(found: ProbeSummary, swept: BoundarySummary | None, read: ReadoutSummary | None) -> None:
    """Print the readings of the boundary with their intervals: the probes', beside those of a sweep in ``--out``."""
    from steering.analysis.readings import readings

    rows = [(row.kind, row.what, row.place, row.interval) for row in readings(swept, found, readouts=read)]
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
