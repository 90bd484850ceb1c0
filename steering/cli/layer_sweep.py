"""The ``layer-sweep`` command: its options; heavy modules are imported when it runs."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from envs.errors import InputError
from steering.cli.given.edit_options import Edits, Foreign
from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    AsJson,
    Device,
    Horizon,
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
    shipped_names,
)
from steering.experiments.conditions import CONDITIONS, DEFAULT_CONDITIONS
from steering.workflows.progress import after_loading


@after_loading("steering.workflows.sweep_runs")
def layer_sweep(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            help="A shipped policy (see `checkpoints`) or a file.",
            show_default=DEFAULT_CHECKPOINT,
            autocompletion=shipped_names,
        ),
    ] = None,
    checkpoints: Annotated[
        list[str] | None,
        typer.Option("--checkpoint", help="Sweep several agents: repeat the option, or give a directory, or NAME@all."),
    ] = None,
    levels: Levels = None,
    n_levels: Annotated[int | None, levels_wanted("32")] = None,
    until_width: Annotated[
        float | None,
        number("width", "Stop at a look where the intervals of blindness are so narrow (at most 256 levels)."),
    ] = None,
    sites: Annotated[str, typer.Option(help="Sites to sweep: trunk, all, or names separated by commas.")] = "trunk",
    conditions: Annotated[str, typer.Option(help=f"Any of {', '.join(CONDITIONS)}, by commas.")] = ",".join(
        DEFAULT_CONDITIONS
    ),
    coefficients: Annotated[str, typer.Option(help="Multiples of the vector, e.g. 1 or 0.5,1,2.")] = "1",
    horizon: Horizon = 256,
    seed: Seed = 0,
    out: Annotated[Path, path("Run directory; an interrupted run resumes there.")] = Path("runs/sweep"),
    mode: Mode = None,
    vector: Annotated[
        str,
        typer.Option(help="Where cheese vectors are taken: start, mean (over all states), levels:32, or a cell X,Y."),
    ] = "start",
    edit: Edits = None,
    foreign: Foreign = False,
    random_draws: Annotated[
        int, number("random-draws", "Random vectors, and levels drawn, for each site and level.")
    ] = 1,
    episodes: Annotated[int, number("episodes", "Rollouts recorded for each level and condition.")] = 2,
    save_vectors: Annotated[
        bool, typer.Option("--save-vectors", help="Also write the cheese vectors of each level and site.")
    ] = False,
    workers: Annotated[int | None, number("workers", "Processes (default: one per core; on a GPU at most 8).")] = None,
    executor: Annotated[
        str, typer.Option(help="Where the work is done: local (processes) or dask (a cluster).")
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler, e.g. tcp://10.0.0.5:8786."),
    ] = None,
    scheduler_file: Annotated[Path | None, path("The file that a Dask scheduler writes.")] = None,
    device: Device = "cpu",
    gpus_per_unit: Annotated[
        float, number("gpus-per-unit", "Amount of the Dask resource GPU that each part of the work asks for.")
    ] = 0.0,
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    blindness_threshold: Annotated[
        float, number("threshold", "Least blindness of the sites up to the boundary.")
    ] = 0.5,
    competence_threshold: Annotated[
        float, number("threshold", "Least competence of the sites up to the boundary.")
    ] = 0.8,
    as_json: AsJson = False,
    quiet: Quiet = False,
    chart: Annotated[
        bool, typer.Option("--chart/--no-chart", help="Show blindness so far while the sweep runs.")
    ] = True,
) -> None:
    """Subtract the cheese vector at every layer and report where that stops blinding the agent."""
    from agents.checkpoints.stated import Stated
    from steering.sweep.executors import Cluster
    from steering.sweep.planning import SweepOptions, expand_checkpoints
    from steering.workflows.outputs import print_outputs
    from steering.workflows.sweep_runs import run_layer_sweep, run_layer_sweeps

    if checkpoint is not None and checkpoints:
        raise InputError(f"give {checkpoint} as one more --checkpoint, or alone")
    asked, several = expand_checkpoints(checkpoints or [DEFAULT_CHECKPOINT if checkpoint is None else checkpoint])
    options = SweepOptions(
        checkpoint=asked[0],
        levels=levels,
        n_levels=n_levels,
        until_width=until_width,
        sites=sites,
        conditions=tuple(name.strip() for name in conditions.split(",") if name.strip()),
        coefficients=numbers(coefficients, "--coefficients", "coefficient"),
        horizon=horizon,
        seed=seed,
        out=out,
        mode=mode,
        random_draws=random_draws,
        episodes=episodes,
        workers=workers,
        vector=vector,
        executor=executor,
        cluster=Cluster(scheduler, scheduler_file, gpus_per_unit),
        blindness=blindness_threshold,
        competence=competence_threshold,
        stated=Stated(activation, scale_pixels),
        device=device,
        edits=tuple(edit or ()),
        foreign_vectors=foreign,
        save_vectors=save_vectors,
        chart=chart,
    )
    if as_json:
        with contextlib.redirect_stdout(sys.stderr):  # what is told of each run on the way
            found = run_layer_sweeps(options, asked) if several else run_layer_sweep(options).summary
        print_json(found)
    elif several:
        run_layer_sweeps(options, asked)
    else:
        print_outputs(run_layer_sweep(options))
