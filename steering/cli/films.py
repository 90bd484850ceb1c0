"""The commands that make pictures: films of rollouts, vector fields, the walk through the sites, replays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from envs.errors import InputError, counted, told_if_stopped
from steering.cli.given.edit_options import Edits, Foreign, VectorFile, conditions_asked, read_given
from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    AsJson,
    Checkpoint,
    Coefficient,
    Level,
    MazeFile,
    Mode,
    Quiet,
    ScalePixels,
    Seed,
    SiteName,
    argument,
    number,
    one_maze,
    path,
    print_json,
    several_mazes,
    site_named,
)
from steering.workflows.progress import after_loading, doing

commands = typer.Typer()

Horizon = Annotated[int, number("horizon", "Stop after this many moves.")]
Size = Annotated[int, number("size", "Side of a maze in pixels.")]
Fps = Annotated[float, number("fps", "Frames, and moves, per second.")]
Grid = Annotated[
    bool, typer.Option("--grid", help="Show all levels at once, a row each (default: one after the other).")
]
Crop = Annotated[bool, typer.Option("--crop", help="Leave out the walls around the maze.")]


@dataclass(frozen=True)
class Filmed:
    """One rollout of a film."""

    level: int | None
    """Procgen's seed of its level; null: a maze of one's own."""
    mode: str
    """Procgen's distribution mode of the level."""
    condition: str
    """Name of its condition."""
    reached_cheese: bool
    """Whether it ended on the cheese."""
    moves: int
    """Number of moves made."""
    file: str | None
    """The file of its record; null: it was not asked for."""


def _stopped() -> str:
    """Say what an interruption leaves: a picture is whole or not there."""
    return "mazesteer: stopped; the picture was not written; type the same command to start again"


@commands.command()
@told_if_stopped(_stopped)
@after_loading("steering.films.condition_film", "videos.rollout_film")
def video(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    level: Annotated[str | None, typer.Option(help="Procgen level seeds: 3, or 3,7,12, or 0:4 (default: 0).")] = None,
    maze: MazeFile = None,
    site: SiteName = None,
    conditions: Annotated[
        str | None,
        typer.Option(
            "--conditions",
            "--condition",
            help="From left to right: clean, no_cheese, or conditions of layer-sweep (default: clean,subtract; with "
            "--edit clean,edit).",
        ),
    ] = None,
    vector: VectorFile = None,
    edit: Edits = None,
    foreign: Foreign = False,
    coefficient: Coefficient = 1.0,
    out: Annotated[Path, path("The film: .mp4, .webm or .gif.")] = Path("video.mp4"),
    grid: Grid = False,
    size: Size = 512,
    crop: Crop = False,
    heat: Annotated[
        str, typer.Option(help="Heat map over the maze: none, vector (the cheese vector) or activation.")
    ] = "none",
    channel: Annotated[int | None, number("channel", "Channel of the heat map (default: the norm).")] = None,
    record: Annotated[Path | None, path("Also write the rollouts to this folder, for `replay`.")] = None,
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    fps: Fps = 12,
    horizon: Horizon = 256,
    seed: Seed = 0,
    mode: Mode = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Film conditions side by side: same level, same random numbers, real procgen frames."""
    from agents.checkpoints.cards import mode_for
    from agents.checkpoints.zoo import load_policy
    from envs.files import check_folder, write_atomic
    from steering.films.condition_film import Cast, heat_overlays, roll
    from steering.workflows.progress import bar
    from videos.encode import check_film_path
    from videos.rollout_film import film_of
    from videos.side_by_side import Look

    look = Look(side=size, crop=crop, fps=fps)
    asked = None if conditions is None else [part.strip() for part in conditions.split(",") if part.strip()]
    named = conditions_asked(asked, ("clean", "subtract"), vector, edit)
    policy = load_policy(checkpoint, activation=activation, scale_pixels=scale_pixels)
    given = read_given(policy, vector, edit, foreign)
    cast = Cast(named, site_named(policy, site or given.site), coefficient, seed, horizon, heat, channel, given)
    check_film_path(out)
    if record is not None:
        check_folder(record)
    mode = mode_for(mode, policy.name, policy.card)
    mazes = several_mazes(level, maze, mode)
    rows, heats = [], []
    with bar("filming") as progress:
        for done, world in enumerate(mazes):
            progress(done, len(mazes) + 1)
            rows.append(roll(policy, world, cast))
            heats.append(heat_overlays(policy, world, rows[-1], cast))
        progress(len(mazes), len(mazes) + 1)
        film_of(rows, out, look=look, grid=grid, heats=heats)
    labels = {world.level: world.label for world in mazes}
    filmed = []
    for track in (track for row in rows for track in row):
        facts, file = track.facts, None
        if record is not None:
            stem = f"level{facts.level:05d}" if facts.level is not None else "maze"
            file = str(record / f"{stem}_{facts.condition}.npz")
            write_atomic(Path(file), track.to_bytes())
        filmed.append(Filmed(facts.level, mode, facts.condition or "", track.reached_cheese, len(track), file))
    if as_json:
        print_json({"film": str(out), "rollouts": filmed})
        return
    for each in filmed:
        end = "reached the cheese" if each.reached_cheese else "did not reach the cheese"
        print(f"{labels[each.level]}, mode {mode}, {each.condition}: {end} in {counted(each.moves, 'move')}")
        if each.file is not None:
            print(f"  rollout: {each.file}")
    print(f"film: {out}")


@commands.command()
@told_if_stopped(_stopped)
@after_loading("steering.films.map_film")
def field(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    level: Level = None,
    maze: MazeFile = None,
    site: SiteName = None,
    condition: Annotated[
        str | None,
        typer.Option(help="What clean is compared with; clean: that alone (default: subtract; with --edit edit)."),
    ] = None,
    vector: VectorFile = None,
    edit: Edits = None,
    foreign: Foreign = False,
    coefficient: Coefficient = 1.0,
    facing: Annotated[
        str, typer.Option(help="Facing of the mouse: left, right, or visited (the mean by expected visits).")
    ] = "visited",
    heat: Annotated[
        str,
        typer.Option(
            help="Colours: visits (expected), path (normalized path probability), map (causal, at --site) or none."
        ),
    ] = "visits",
    cheese_removed: Annotated[
        bool, typer.Option("--cheese-removed", help="Add a panel of the policy on the maze without its cheese.")
    ] = False,
    out: Annotated[Path, path("The picture: .png, .svg or .html.")] = Path("field.png"),
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    horizon: Horizon = 256,
    seed: Seed = 0,
    mode: Mode = None,
    quiet: Quiet = False,
) -> None:
    """Draw vector fields over exact expected visits: clean, steered and their difference."""
    from agents.checkpoints.cards import mode_for
    from agents.checkpoints.zoo import load_policy
    from envs.files import check_folder, write_atomic
    from steering.experiments.conditions import REFERENCES
    from steering.experiments.exact import LevelEvaluator
    from steering.experiments.level_conditions import intervention_named
    from steering.films.map_film import field_map
    from steering.films.move_fields import level_fields, no_cheese_field, panels
    from videos.fields import field_drawing
    from videos.plots import check_format, field_file

    check_format(out)
    check_folder(out.parent)
    (condition,) = conditions_asked(None if condition is None else [condition], ["subtract"], vector, edit)
    policy = load_policy(checkpoint, activation=activation, scale_pixels=scale_pixels)
    given = read_given(policy, vector, edit, foreign)
    name, mode = site_named(policy, site or given.site), mode_for(mode, policy.name, policy.card)
    evaluator = LevelEvaluator(policy, one_maze(level, maze, mode), horizon)
    made = intervention_named(policy, evaluator.maze, condition, name, coefficient, seed, given)
    caption = f"{evaluator.maze.label}{'' if mode == 'hard' else f' ({mode})'}, policy {policy.name}"
    with doing("drawing"):
        blocks = field_map(policy, evaluator.maze, name) if heat == "map" else None
        removed = no_cheese_field(evaluator) if cheese_removed or condition == "no_cheese" else None
        other = None
        if condition in REFERENCES:
            (clean,) = level_fields(evaluator, {})
            other, removed = (removed, None) if condition == "no_cheese" else (None, removed)
        else:
            clean, other = level_fields(evaluator, {condition: made})
            if edit or vector is not None:
                caption += f": {made.describe()}"
            else:
                caption += f": {condition} x {coefficient:g}" + (f" at {name}" if condition != "all_sites" else "")
        heat = "none" if blocks is not None else heat
        shown = panels(clean, other, beside=removed, facing=facing, heat=heat)
        if blocks is not None:
            shown[0] = dataclasses.replace(shown[0], heat=blocks[0], mouse=blocks[1])
        write_atomic(out, field_file(field_drawing(shown, caption, legend=True), out))
    print(f"field: {out} (mode {mode})")


@commands.command("film-sweep")
@told_if_stopped(_stopped)
@after_loading("steering.films.site_film", "steering.films.map_film")
def film_sweep_command(
    run: Annotated[Path, argument("A run directory of layer-sweep (--map: or of planning).")],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="The policy that was swept (default: as the run names it)."),
    ] = None,
    level: Annotated[
        int | None,
        number("level", "A level of the run (default: where subtraction changes most; --map: the first with a pair)."),
    ] = None,
    out: Annotated[Path | None, path("The film (default: RUN/film-sweep.mp4, or film-map.mp4).")] = None,
    map_: Annotated[
        bool, typer.Option("--map", help="Show what each block of the picture knows of a detour, in place of rollouts.")
    ] = False,
    episodes: Annotated[int, number("rollouts-shown", "Rollouts shown at each site.")] = 2,
    seconds: Annotated[float, number("seconds", "Seconds of film for each site, about.")] = 4.0,
    size: Size = 400,
    crop: Crop = False,
    fps: Fps = 12,
    quiet: Quiet = False,
) -> None:
    """Film a sweep site by site in depth order: steered field, rollouts and the growing blindness curve."""
    from agents.checkpoints.zoo import load_stated
    from steering.films.map_film import MappedRun, film_map
    from steering.films.site_film import film_sites
    from steering.sweep.spec import SweepSpec
    from steering.workflows.progress import bar
    from videos.side_by_side import Look

    mapped = MappedRun.load(run) if map_ else None
    spec = mapped or SweepSpec.load(run)
    policy = load_stated(checkpoint or spec.checkpoint, spec.stated)
    if policy.sha256 != spec.sha256:
        raise InputError(
            f"{run} was made with {spec.checkpoint} (sha256 {spec.sha256[:12]}), not {policy.name} "
            f"({policy.sha256[:12]}); give --checkpoint"
        )
    look = Look(side=size, crop=crop, fps=fps, lead=0.0, hold=0.5)
    with bar("filming") as progress:
        if isinstance(spec, SweepSpec):
            path = film_sites(
                run, spec, policy, out, level=level, episodes=episodes, seconds=seconds, look=look, progress=progress
            )
        else:
            drawn: dict[str, int] = {"seed": spec.seed, "distance": spec.distance}
            film = out or run / "film-map.mp4"
            path = film_map(policy, spec.maze(level), film, **drawn, seconds=seconds, look=look, progress=progress)
    print(f"film: {path}")


@commands.command()
@told_if_stopped(_stopped)
@after_loading("videos.rollout_film")
def replay(
    files: Annotated[list[Path], argument("Recorded rollouts (.npz).", "FILE...")],
    out: Annotated[
        Path | None,
        path("Also film the rollouts, those of one level side by side: .mp4, .webm or .gif."),
    ] = None,
    grid: Grid = False,
    size: Size = 512,
    crop: Crop = False,
    fps: Fps = 12,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make recorded moves again in real procgen and check every state."""
    from envs.recording import replay as replay_track
    from envs.trajectory import Trajectory
    from videos.encode import check_film_path
    from videos.rollout_film import film_of, rows_of
    from videos.side_by_side import Look

    look = Look(side=size, crop=crop, fps=fps)
    if out is not None:
        check_film_path(out)
    tracks: list[Trajectory] = []
    for file in files:
        tracks.append(Trajectory.load(file))
        try:
            replay_track(tracks[-1])
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
        if not as_json:
            print(f"{file}: {counted(len(tracks[-1]), 'move')} made again, every state as recorded")
    if out is not None:
        film_of(rows_of(tracks), out, look=look, grid=grid)
        if not as_json:
            print(f"film: {out}")
    if as_json:
        made = [{"file": str(file), "moves": len(track)} for file, track in zip(files, tracks, strict=True)]
        print_json({"film": None if out is None else str(out), "replayed": made})
