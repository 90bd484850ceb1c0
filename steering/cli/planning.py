"""The commands ``planning`` and ``write-moves``: does an agent plan, where, and is what can be read of it used?"""

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
    number,
    numbers,
    path,
    print_json,
)
from steering.statistics.formatting import short_site_name
from steering.workflows.progress import after_loading

if TYPE_CHECKING:
    from steering.experiments.levels import Skip
    from steering.records.planning import GoalBehaviour, Located, PairBin, PlanningSummary, Share
    from steering.records.readouts import WrittenSummary

commands = typer.Typer()


@commands.command()
@after_loading("steering.planning.run")
def planning(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    levels: Levels = None,
    n_levels: Annotated[int | None, levels_wanted("the sweep's in --out, else 100")] = None,
    kinds: Annotated[
        str,
        typer.Option(help="Kinds of pairs to patch, separated by commas: cheese (without, with), detour; '' for none."),
    ] = "cheese,detour",
    goal: Annotated[
        str, typer.Option(help="Goals of detours, separated by commas: cheese, corner (the top right).")
    ] = ("cheese,corner"),
    pairs: Annotated[int, number("pairs", "Pairs of each kind, goal and level.")] = 8,
    distance: Annotated[int, number("distance", "Cells between the mouse and every changed cell.")] = 5,
    maps: Annotated[int, number("maps", "Pairs that get causal maps, block by block (0: none).")] = 1,
    seed: Seed = 0,
    mode: Mode = None,
    out: Annotated[Path, path("A sweep's run directory, or a new one; resumes there.")] = Path("runs/planning"),
    device: Device = "cpu",
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure whether an agent takes detours that only a planner takes, and where each site knows of them."""
    from steering.planning.run import PlanningOptions, run_planning
    from steering.sweep.artifacts import PLANNING, PLANNING_MAPS
    from steering.sweep.spec import stated_of
    from steering.workflows.outputs import print_skipped
    from steering.workflows.progress import bar

    options = PlanningOptions(
        checkpoint=checkpoint,
        out=out,
        levels=levels,
        n_levels=n_levels,
        kinds=_names(kinds),
        goals=_names(goal),
        pairs=pairs,
        distance=distance,
        maps=maps,
        seed=seed,
        mode=mode,
        stated=stated_of(checkpoint, activation, scale_pixels, out),
        device=device,
    )
    skipped: list[Skip] = []
    with bar("planning", "parts of levels") as progress:
        found = run_planning(options, progress, skipped.extend)
    if as_json:
        print_json(found)
        return
    print(
        f"{found.checkpoint.name}: {counted(len(found.settings.levels), 'level')} of mode {found.settings.mode}; "
        "95% intervals over mazes are in the file"
    )
    for goal_found in found.behaviour:
        _show_behaviour(found, goal_found)
    for patched in found.located:
        _show_located(found, patched)
    print()
    print_skipped(skipped)
    print(f"numbers: {out / PLANNING.file}" + (f", {out / PLANNING_MAPS.file}" if found.settings.maps else ""))


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _show_behaviour(found: PlanningSummary, row: GoalBehaviour) -> None:
    """Print the answers to pairs by path length, and the ladder of readers."""
    print(f"\nto the {row.goal}: does the next move follow a far change of the walls?")
    print(f"{'':<18}{'pairs':>6}{'right move':>17}{'right in both':>15}{'move changes':>14}")
    print(f"{'steps to change':<18}{'':>6}{'level':>9}{'twin':>8}{'':>15}{'':>14}")
    for name, bins in (("detour", row.detour), ("idle", row.idle)):
        for part in bins:
            print(f"{name + ' ' + part.steps:<18}{part.pairs:>6}{_cells(part)}")
    print(f"{'reader sees (steps)':<22}" + "".join(f"{name:>7}" for name in found.ladder) + f"{'agent':>8}")
    agents = (row.right.value, row.detour[-1].follows.value)
    ladders = (("right on all cells", row.readers), ("detours right in both", row.detour[-1].readers))
    for (name, values), agent in zip(ladders, agents, strict=True):
        print(f"{name:<22}" + "".join(f"{_number(value):>7}" for value in values) + f"{_number(agent):>8}")
    depths = f"on all cells {row.equivalent_depth or 'none'}, on detours {row.detour_depth or 'none'}"
    print(f"as good as the reader that sees: {depths}\nlooks ahead: {_or_none(row.look_ahead)}")


def _or_none(steps: int | None) -> str:
    return "nowhere" if steps is None else f"{counted(steps, 'step')}"


def _cells(part: PairBin) -> str:
    shares = (part.right_level, part.right_twin, part.follows, part.change)
    return "".join(f"{_of(each):>{width}}" for each, width in zip(shares, (9, 8, 15, 14), strict=True))


def _show_located(found: PlanningSummary, row: Located) -> None:
    """Print the part of the effect that each place carries, site by site, and the readings."""
    what = "the cheese itself" if row.kind == "cheese" else f"a detour to the {row.goal}"
    print(f"\nwhere {what} is known: part of its effect that a place carries")
    print(
        f"({counted(row.pairs, 'pair')} of {counted(row.mazes, 'maze')}; {row.left_out} left out, their places overlap)"
    )
    print(f"{'site':<24}" + "".join(f"{name:>11}" for name in found.patches[:4]) + f"{'random':>9}")
    for site in row.sites:
        values = "".join(f"{_of(each):>11}" for each in site.carried[:4])
        print(f"{short_site_name(site.name):<24}{values}{_of(site.carried[4]):>9}")
    for reading in row.readings:
        if reading.name != "spread":
            print(f"{reading.name:<12}{_place(reading.site):<25} {_place(reading.low)} to {_place(reading.high)}")
        elif reading.site is not None:
            print(f"{'spread':<12}from {_place(reading.site)} on, gathered behind the maps")
    _show_by_length(row)


def _show_by_length(row: Located) -> None:
    """Print the readings by path length, and whether what is farther away is known later."""
    names = ("departure", "handoff", "arrival")
    print(f"{'steps to source':<15}{'pairs':>6}  " + "".join(f"{name:<19}" for name in names))
    for part in row.bins:
        found = {reading.name: reading.site for reading in part.readings}
        places = [_place(found[name]) if name in found else "-" for name in names]
        print(f"{part.steps:<15}{part.pairs:>6}  " + "".join(f"{place:<19}" for place in places).rstrip())
    steps = {part.low: part.steps for part in row.bins}
    for delay in row.delays:
        print(
            f"{delay.name:<12}at {steps[delay.far]} steps against {steps[delay.near]}: "
            f"{delay.sites:+.0f} sites ({delay.low:+.0f} to {delay.high:+.0f})"
        )


def _place(site: str | None) -> str:
    return "nowhere" if site is None else short_site_name(site)


def _of(value: Share) -> str:
    return _number(value.value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 2) + 0.0:.2f}"  # no -0


@commands.command("write-moves")
@after_loading("steering.readouts.written_run")
def write_moves(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    levels: Levels = None,
    n_levels: Annotated[int | None, levels_wanted("the sweep's in --out, else 50")] = None,
    sites: Annotated[
        str,
        typer.Option(help="Sites: distinct (one trunk site of each class), trunk, all, or names separated by commas."),
    ] = "distinct",
    target: Annotated[
        str, typer.Option(help="Next move that is read and written: cheese, corner, or policy (its own).")
    ] = "cheese",
    branches: Annotated[int, number("branches", "Junction moves of each level that the policy leaves out.")] = 8,
    learn_levels: Annotated[int, number("learn-levels", "Number of other levels that readouts learn from.")] = 160,
    strengths: Annotated[
        str, typer.Option(help="Lengths of the vector added, as multiples of the cheese vector's norm.")
    ] = "0.25,0.5,1,2,4",
    seed: Seed = 0,
    mode: Mode = None,
    out: Annotated[Path, path("A sweep's run directory, or a new one; resumes there.")] = Path("runs/planning"),
    device: Device = "cpu",
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write the direction that a readout of the next move reads, at junctions, and measure whether moves follow."""
    from steering.readouts.written_run import WriteOptions, run_write_moves
    from steering.sweep.artifacts import WRITTEN
    from steering.sweep.spec import stated_of
    from steering.workflows.outputs import print_skipped
    from steering.workflows.progress import bar

    options = WriteOptions(
        checkpoint=checkpoint,
        out=out,
        levels=levels,
        n_levels=n_levels,
        sites=sites,
        target=target,
        branches=branches,
        learn_levels=learn_levels,
        strengths=numbers(strengths, "--strengths", "strength"),
        seed=seed,
        mode=mode,
        stated=stated_of(checkpoint, activation, scale_pixels, out),
        device=device,
    )
    skipped: list[Skip] = []
    with bar("writing moves", "sites and levels") as progress:
        found = run_write_moves(options, progress, skipped.extend)
    if as_json:
        print_json(found)
        return
    _show_written(found)
    print()
    print_skipped(skipped)
    print(f"numbers: {out / WRITTEN.file}")


def _show_written(found: WrittenSummary) -> None:
    """Print what writing the readout's direction comes to, by site, place and strength."""
    settings = found.settings
    print(
        f"{found.checkpoint.name}: {found.branches} branches of {counted(found.mazes, 'maze')}, "
        f"mode {settings.mode}; next move to the {settings.target}"
    )
    print(f"left alone it makes such a move with probability {_of(found.clean)}")
    for place in ("mouse", "map"):
        rows = [(site, part) for site in found.sites for part in site.places if part.place == place]
        if not rows:
            continue
        what = {"mouse": "at the mouse's place", "map": "over the whole map"}[place]
        print(f"\nwritten {what}: rise of P(move) beyond controls, by strength")
        print(f"{'':<22}{'read':>6}{'chance':>7}  {'':<8}" + "".join(f"{each:>7g}" for each in settings.strengths))
        for site, part in rows:
            for number_, direction in enumerate(each for each in part.directions if each.name in ("readout", "means")):
                head = f"{short_site_name(site.name):<22}{_of(part.accuracy):>6}{_of(part.chance):>7}"
                values = "".join(f"{_of(effect.beyond):>7}" for effect in direction.effects if effect.beyond)
                print(f"{head if not number_ else '':<35}  {direction.name:<8}{values}")
        for name in ("readout", "means"):
            silent = [short_site_name(site) for site in found.unused(place, name)]
            text = f"read, but {name} writes half at no strength: {', '.join(silent) or 'nowhere'}"
            print(textwrap.fill(text, 80, subsequent_indent="  "))
