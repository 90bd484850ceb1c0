"""The ``vector`` command: a vector of activations, taken from levels and written to a file."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from envs.errors import InputError
from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    AsJson,
    Checkpoint,
    Mode,
    Quiet,
    ScalePixels,
    SiteName,
    check_one_of,
    path,
    print_json,
    site_named,
)
from steering.workflows.progress import after_loading, doing

commands = typer.Typer()


@commands.command()
@after_loading("steering.experiments.vector_kinds")
def vector(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    kind: Annotated[
        str, typer.Option(help="cheese, top-right, wall, mean, difference, or activation (to patch with).")
    ] = "cheese",
    site: SiteName = None,
    level: Annotated[
        str | None,
        typer.Option(
            help="Procgen level seeds: 3; for difference two, 3,7; for mean any number, 3,7,12 or 0:32 (default: 0)."
        ),
    ] = None,
    maze: Annotated[
        list[Path] | None,
        path("A text file with a maze of your own, in place of --level; give it again for more.", "--maze"),
    ] = None,
    mouse: Annotated[
        str, typer.Option(help="Where the mouse stands: start, a cell X,Y, or mean (over all states).")
    ] = "start",
    wall: Annotated[str | None, typer.Option(help="Cell X,Y of a wall vector: with a wall there, minus free.")] = None,
    out: Annotated[Path, path("The file: .safetensors.")] = Path("vector.safetensors"),
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    mode: Mode = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Take a vector at a site and write it with its origin, for `--vector` and `--edit`."""
    from agents.checkpoints.cards import mode_for
    from agents.checkpoints.zoo import load_policy
    from envs.files import check_folder
    from envs.maze import Maze
    from steering.experiments.levels import VectorSource, parse_levels
    from steering.experiments.vector_kinds import check_asked, take_vector

    if out.suffix != ".safetensors":
        raise InputError(f"{out}: end the name in .safetensors")
    check_one_of(level, maze)
    cell = None
    if wall is not None:
        found = re.fullmatch(r"([0-9]{1,2}),([0-9]{1,2})", wall)
        if found is None:
            raise InputError(f"--wall {wall!r}: write a cell X,Y, e.g. 4,7; cells count from 0, bottom left")
        cell = int(found[1]), int(found[2])
    try:
        standing = VectorSource.parse(mouse)
    except InputError:
        raise InputError(f"--mouse {mouse!r}: write start, mean or a cell X,Y") from None
    seeds = [] if maze else parse_levels("0" if level is None else level)
    check_asked(kind, len(maze or seeds), standing, cell)
    check_folder(out.parent)
    _check_replaced(out)
    policy = load_policy(checkpoint, activation=activation, scale_pixels=scale_pixels)
    name, mode = site_named(policy, site), mode_for(mode, policy.name, policy.card)
    own = [Maze.from_file(file, mode) for file in maze or ()]
    with doing("taking the vector"):
        mazes = own or Maze.from_levels(seeds, mode)
        taken = take_vector(policy, mazes, name, kind, mouse=standing, wall=cell)
    taken.save(out)
    if as_json:
        facts = json.loads(taken.provenance)
        numbers = {"shape": tuple(taken.tensor.shape), "norm": taken.norm, "digest": taken.digest}
        print_json({"file": str(out), "policy": policy.name, "site": name, **numbers, "origin": facts})
        return
    shape = "x".join(map(str, taken.tensor.shape))
    print(f"{taken.kind} vector of {policy.name} at {name}: {shape}, norm {taken.norm:.4g}, mode {mode}")
    print(f"vector: {out}")


def _check_replaced(out: Path) -> None:
    """Raise :class:`InputError` where ``out`` holds something else than a vector: weights have its suffix, too."""
    from steering.interventions.vectors import SteeringVector

    if os.path.lexists(out):
        try:
            SteeringVector.load(out)
        except InputError:
            raise InputError(f"{out}: is there already, and no file of `vector`; choose another --out") from None
