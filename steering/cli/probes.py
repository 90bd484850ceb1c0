"""The ``probe`` command: linear readouts of each site."""

from __future__ import annotations

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
    number,
    path,
    print_json,
)
from steering.statistics.formatting import short_site_name
from steering.workflows.progress import after_loading

if TYPE_CHECKING:
    from steering.experiments.levels import Skip
    from steering.records.boundary import BoundarySummary
    from steering.records.probes import Estimate, ProbeSummary
    from steering.records.readouts import ReadoutSummary, ToldShares
    from steering.records.sites import SiteFacts

_NAME, _CELL = 24, 7  # characters of a site's name and of a number: a line of 80
WIDEST = "3x3"  # the unit whose hits are printed, of those in ``map``
commands = typer.Typer()


@commands.command()
@after_loading("steering.probes.run", "steering.readouts.run")
def probe(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    levels: Levels = None,
    n_levels: Annotated[int | None, levels_wanted("the sweep's in --out, else 200")] = None,
    sites: Annotated[str, typer.Option(help="Sites to probe: trunk, all, or names separated by commas.")] = "trunk",
    states: Annotated[int, number("states", "Frames drawn from each level.")] = 8,
    seed: Seed = 0,
    mode: Mode = None,
    frames: Annotated[
        int, number("frames", "Most frames of other mazes that readouts at the mouse learn from; 0: no readouts.")
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
    from envs.stored.json_records import to_plain
    from steering.probes.run import ProbeOptions, run_probes
    from steering.readouts.run import ReadoutOptions, check_frames, run_readouts
    from steering.sweep.artifacts import PROBES, READOUTS, swept_boundary
    from steering.sweep.spec import stated_of
    from steering.workflows.outputs import print_skipped
    from steering.workflows.progress import bar

    if frames:
        check_frames(frames)  # before the probes, which take long
    stated = stated_of(checkpoint, activation, scale_pixels, out)
    skipped: list[Skip] = []
    with bar("probing", "sites") as progress:
        shared = (checkpoint, out, levels, n_levels, seed, mode, stated, device, sites, states)
        found = run_probes(ProbeOptions(*shared), progress, skipped.extend)
    read: ReadoutSummary | None = None
    if frames:
        with bar("reading at the mouse", "chunks of frames") as progress:
            read = run_readouts(ReadoutOptions(*shared, frames, pairs, distance), progress)
    if as_json:
        print_json({**to_plain(found), "readouts": read})
        return
    _show(found)
    if read is not None:
        show_readouts(read)
    _side_by_side(found, swept_boundary(out), read)
    print()
    print_skipped(skipped)
    print(f"numbers: {out / PROBES.file}" + (f" and {out / READOUTS.file}" if read is not None else ""))


def _show(found: ProbeSummary) -> None:
    """Print one line per site, then what is right without any network, and by chance."""
    from steering.probes.summary import APART

    moves_of = {"cheese": "cheese", APART: "differ", "corner": "corner", "policy": "policy"}  # whose next move
    columns = (*moves_of.values(), "R2", "hits", "cosine", "ratio")
    inside = {row.name: row.inside for row in found.representation}
    size = f"{counted(len(found.levels), 'level')} of mode {found.mode}, {counted(found.frames, 'frame')}"
    print(f"{found.checkpoint.name}: {size}; mazes asked about are not learned from.")
    print("Next move: to the cheese; to the cheese in the frames where the corner asks")
    print(f"for a different one ({found.asked[APART]}); to the corner; the policy's own.")
    print("95% intervals over mazes are in the file.\n")
    groups = f"{'share of next moves right':^{4 * _CELL}}{'the cheese':>{2 * _CELL}}{'its vector':>{2 * _CELL}}"
    print(f"{'':<{_NAME}}{groups}")
    print(f"{'site':<{_NAME}}" + "".join(f"{name:>{_CELL}}" for name in columns))
    for site in found.sites:
        moves = [site.moves[name].accuracy for name in moves_of]
        hits = site.map[WIDEST].hits if site.map else None
        vectors = inside[site.name]
        same = [vectors.cosine, vectors.norm_ratio] if vectors else [None, None]
        print(f"{_named(site):<{_NAME}}" + _line([*moves, site.cell.r2, hits, *same]))
    pixels = found.sites[0].moves
    print(f"{'most frequent move':<{_NAME}}" + _line([found.majority[name] for name in moves_of]))
    print(f"{'a look around':<{_NAME}}" + _line([found.surroundings[name] for name in moves_of]))
    print(f"{'input, labels shuffled':<{_NAME}}" + _line([pixels[name].control for name in moves_of]))
    print("\nthe cheese: its cell read linearly (R2) and by 3x3 units (share of hits);")
    print("its vector: alike (cosine) and as long (ratio) wherever the mouse stands")


def _named(site: SiteFacts) -> str:
    """Return the name of a site, with a mark where subtraction is free."""
    return short_site_name(site.name) + (" (free)" if site.affine else "")


def show_readouts(found: ReadoutSummary) -> None:
    """Print what readouts tell at the mouse's place, then what readers without a network do."""
    largest, views = max(found.settings.frames), ("1x1", "3x3", "5x5", "whole")
    pairs = " and ".join(f"{count} to the {goal}" for goal, count in found.pairs.items()) or "none"
    print(f"\nReadouts of the units around the mouse, learned from {counted(largest, 'frame')} of other mazes.")
    print("Share of next moves to the cheese that are right; share of detour pairs with")
    print(f"both right ({pairs}). All numbers are in the file.")
    print("*: learned from fewer frames, or more frames would tell more\n")
    print(f"{'':<{_NAME}}{'next moves right':^{4 * _CELL}}{'detours followed':^{4 * _CELL}}")
    print(f"{'site':<{_NAME}}" + "".join(f"{view:>{_CELL}}" for view in views * 2))
    for site in found.sites:
        last = {view.view: (view.curve[-1], view.saturated) for view in site.views if view.curve}
        told = [_told(last.get(view), "accuracy", largest) for view in views]
        followed = [_told(last.get(view), "follows", largest) for view in views]
        print(f"{_named(site):<{_NAME}}" + "".join(told + followed))
    gap = " " * (3 * _CELL)
    for reader in found.readers:
        share = reader.curve[-1]
        name = f"reader of {reader.name} steps" if reader.name.isdigit() or reader.name == "all" else reader.name
        cheese = [_pair(part.get("cheese")) for part in (share.accuracy, share.follows)]
        print(f"{name:<{_NAME}}" + gap.join(cheese))
    print(f"{'the policy itself':<{_NAME}}" + gap + " " * _CELL + _pair(found.agent.follows.get("cheese")))


def _told(last: tuple[ToldShares, bool | None] | None, part: str, largest: int) -> str:
    """Return what one readout gets right of the way to the cheese, in a column."""
    value = getattr(last[0], part).get("cheese") if last else None
    if last is None or value is None or value.value is None:
        return f"{'-':>{_CELL}}"
    few = last[0].frames < largest
    mark = "" if part == "follows" else "*" if last[1] is False or few else " "
    return f"{f'{value.value:.3f}{mark}':>{_CELL}}"


def _pair(share: Estimate | None) -> str:
    return f"{'-' if share is None or share.value is None else f'{share.value:.3f}':>{_CELL - 1}} "


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
    return "".join(f"{'-' if value is None else f'{value:.3f}':>{_CELL}}" for value in values)
