"""Options that several commands share."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envs.errors import RANGES, InputError

if TYPE_CHECKING:
    from agents.networks.policy import Policy
    from envs.maze import Maze


def number(name: str, help: str, *flags: str) -> Any:
    """Return the option of a number in the range ``name`` of :data:`envs.errors.RANGES`."""
    bounds = RANGES[name]
    return typer.Option(*flags, help=help, min=bounds.low, max=bounds.high)


def numbers(text: str, option: str, name: str) -> tuple[float, ...]:
    """Return the numbers of an option that takes several, each once and in the range ``name``."""
    try:
        found = tuple(dict.fromkeys(float(part) for part in text.split(",") if part.strip()))
    except ValueError:
        raise InputError(f"{option} {text!r}: write numbers separated by commas, e.g. 0.5,1,2") from None
    return tuple(RANGES[name].check(value) for value in found)


def levels_wanted(default: str) -> Any:
    """Return the option ``--n-levels`` of a command that takes so many where nothing is said."""
    return number("n-levels", f"Take the first N levels that qualify (default: {default}).")


def path(help: str, *flags: str) -> Any:
    """Return the option of a file or a directory, which has a name."""
    return typer.Option(*flags, help=help, parser=_named, metavar="<path>")


def argument(help: str, metavar: str | None = None) -> Any:
    """Return the argument of a file or a directory, which has a name."""
    return typer.Argument(help=help, parser=_named, metavar=metavar)


def _named(text: str) -> Path:
    """Return the path; an empty one would be the folder that the user stands in."""
    if not str(text).strip():
        raise typer.BadParameter("it is empty; name a file or a directory")
    try:
        os.lstat(text)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise typer.BadParameter("it is too long for the name of a file") from None
    return Path(text)


def one_maze(level: int | None, maze: Path | None, mode: str) -> Maze:
    """Return the maze of ``--level`` (0 where neither is given) or of ``--maze``; :class:`InputError` for both."""
    from envs.maze import Maze

    check_one_of(level, maze)
    return Maze.from_level(level or 0, mode) if maze is None else Maze.from_file(maze, mode)


def several_mazes(levels: str | None, maze: Path | None, mode: str) -> list[Maze]:
    """Return the mazes of a list of levels, or the one of ``--maze``, as :func:`one_maze` does."""
    from envs.maze import Maze
    from steering.experiments.levels import parse_levels

    check_one_of(levels, maze)
    if maze is not None:
        return [Maze.from_file(maze, mode)]
    return Maze.from_levels(parse_levels("0" if levels is None else levels), mode)


def check_one_of(level: int | str | None, maze: Path | list[Path] | None) -> None:
    """Raise :class:`InputError` where both ``--level`` and ``--maze`` are typed."""
    if level is not None and maze:
        raise InputError("give --level or --maze, not both")


def site_named(policy: Policy, name: str | None) -> str:
    """Return the full name of a site; by default the published one, or the middle one of another network's trunk."""
    from steering.interventions.sites import find_site, select_sites
    from steering.sweep.recordings import rollout_site

    trunk = [site.name for site in select_sites("trunk", policy.net)]
    return find_site(policy.net, name or rollout_site(trunk)).name


def print_json(record: Any) -> None:
    """Print a record, or several, as the one JSON document on standard output."""
    from envs.stored.json_records import to_json

    sys.stdout.write(to_json(record).decode())


def _silence(context: typer.Context, quiet: bool) -> bool:
    """Show no progress while the command runs, if ``quiet``."""
    if quiet:
        from steering.workflows.progress import silenced

        context.with_resource(silenced())
    return quiet


AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else there.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.", callback=_silence)]
Level = Annotated[int | None, number("level", "Procgen level seed (default: 0).")]
MazeFile = Annotated[
    Path | None,
    path("A text file with a maze of your own, in place of --level: # wall, . free, M mouse, C cheese.", "--maze"),
]
Levels = Annotated[str | None, typer.Option(help="Level seeds to look at: 0:64, or 3,7,12.")]
Horizon = Annotated[int, number("horizon", "Count outcomes within this many moves.")]
Seed = Annotated[int, number("seed", "Seed of every random draw.")]
Mode = Annotated[
    str | None,
    typer.Option(help="Procgen's distribution mode: hard or easy (default: the run's, else as trained, else hard)."),
]
SiteName = Annotated[str | None, typer.Option("--site", help="Site name (see `sites`; default: the published one).")]
Coefficient = Annotated[float, number("coefficient", "Multiple of the vector.")]
Activation = Annotated[
    str | None,
    typer.Option(help="Activation function after the extractor, if the file does not say it: tanh, relu, ..."),
]
ScalePixels = Annotated[
    int | None,
    number("scale-pixels", "Number that frames were divided by, if the file does not say it: 255, or 1."),
]
Device = Annotated[str, typer.Option(help="Where the network computes: cpu, cuda (cuda:1, ...), or auto.")]
DEFAULT_CHECKPOINT = "region5"
BlindnessThreshold = Annotated[
    float | None, number("threshold", "Least blindness of the sites up to the boundary (default: the run's).")
]
CompetenceThreshold = Annotated[
    float | None, number("threshold", "Least competence of the sites up to the boundary (default: the run's).")
]


def shipped_names(incomplete: str) -> list[str]:
    """Return the shipped policies whose names begin so, for the shell's completion."""
    from agents.checkpoints.cards import zoo_names

    return [name for name in zoo_names() if name.startswith(incomplete)]


Checkpoint = Annotated[
    str, typer.Argument(help="A shipped policy (see `checkpoints`) or a file.", autocompletion=shipped_names)
]
