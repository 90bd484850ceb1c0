"""The ``mazesteer`` command: thin; heavy modules are imported by the command that needs them."""

from __future__ import annotations

import io
import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from envs.errors import InputError
from steering import cli_compare, cli_film, cli_probes, cli_replicate, cli_stats
from steering.cli_agents import DEFAULT_CHECKPOINT, Checkpoint, Threshold, commands

app = typer.Typer(
    help="How far into a maze agent's network does subtracting the cheese vector still just blind it?",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(commands)
for part in (cli_film, cli_stats, cli_probes, cli_replicate, cli_compare):
    app.add_typer(part.commands)
STOPPED_BY = (signal.SIGINT, signal.SIGTERM)
GRACE = 10  # seconds from a signal until whatever still hangs is ended by the system
_USAGE: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

Horizon = Annotated[int, typer.Option(help="Moves within which outcomes are counted (1 to 500).")]
Seed = Annotated[int, typer.Option(help="Seed of every random draw.")]
Mode = Annotated[str, typer.Option(help="Procgen's distribution mode: hard or easy.")]
SiteName = Annotated[Optional[str], typer.Option("--site", help="Site name (see `sites`).")]  # noqa: UP045
Coefficient = Annotated[float, typer.Option(help="Multiple of the vector.")]


def _stop(number: int, _: object) -> None:
    """Unwind on the first signal with exit code 128 + number; more of them (`timeout` sends two) change nothing."""
    for each in STOPPED_BY:
        signal.signal(each, signal.SIG_IGN)
    signal.alarm(GRACE)
    raise SystemExit(128 + number)  # typer would turn a KeyboardInterrupt into something else


def main() -> None:
    """Entry point: one line and exit code 2 for bad input; 130 for Ctrl-C, 143 for SIGTERM."""
    for each in STOPPED_BY:
        if signal.getsignal(each) is not signal.SIG_IGN:  # a script's background job is to ignore Ctrl-C
            signal.signal(each, _stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path need not be valid text, a terminal not UTF-8
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except _USAGE as error:  # an option that does not exist, a number that is none
        print(f"mazesteer: {' '.join(error.format_message().split())}; see `mazesteer --help`", file=sys.stderr)
        sys.exit(2)
    except InputError as error:
        print(f"mazesteer: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


@app.command("layer-sweep")
def layer_sweep(
    checkpoint: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help="A shipped policy (see `checkpoints`) or a file.", show_default=DEFAULT_CHECKPOINT),
    ] = None,
    checkpoints: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--checkpoint", help="Several in one go: give it again, or a directory, or NAME@all."),
    ] = None,
    levels: Annotated[Optional[str], typer.Option(help="Seeds to consider: 0:64, or 3,7,12.")] = None,  # noqa: UP045
    n_levels: Annotated[Optional[int], typer.Option(help="Take the first N levels that qualify (default: 32).")] = None,  # noqa: UP045
    sites: Annotated[str, typer.Option(help="trunk, all, or names separated by commas.")] = "trunk",
    conditions: Annotated[
        str, typer.Option(help="Any of subtract, add, random, other_level, same_cell, all_sites, by commas.")
    ] = "subtract,add,random,other_level,same_cell",
    coefficients: Annotated[str, typer.Option(help="Multiples of the vector, e.g. 1 or 0.5,1,2.")] = "1",
    horizon: Horizon = 256,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Run directory; an interrupted run resumes there.")] = Path("runs/sweep"),
    mode: Mode = "hard",
    vector: Annotated[
        str, typer.Option(help="Where cheese vectors are taken: start, mean (all states), levels:32, or a cell X,Y.")
    ] = "start",
    random_draws: Annotated[int, typer.Option(help="Random vectors, and levels drawn, per site and level.")] = 1,
    episodes: Annotated[int, typer.Option(help="Rollouts recorded per level and condition.")] = 2,
    workers: Annotated[Optional[int], typer.Option(help="Processes (default: one per core).")] = None,  # noqa: UP045
    executor: Annotated[str, typer.Option(help="local (processes) or dask (a cluster).")] = "local",
    scheduler: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Address of a Dask scheduler, e.g. tcp://10.0.0.5:8786."),
    ] = None,
    scheduler_file: Annotated[Optional[Path], typer.Option(help="The file a Dask scheduler writes.")] = None,  # noqa: UP045
    gpus_per_unit: Annotated[float, typer.Option(help="Dask resource GPU asked for each unit.")] = 0.0,
    blindness_threshold: Annotated[float, typer.Option(help="Of the boundary's rule.")] = 0.5,
    competence_threshold: Annotated[float, typer.Option(help="Of the boundary's rule.")] = 0.8,
) -> None:
    """Subtract the cheese vector at every layer and report where that stops blinding the agent."""
    from steering.run import run_layer_sweep
    from steering.several import run_layer_sweeps
    from steering.sweep.executors import Cluster
    from steering.sweep.planning import SweepOptions, expand

    if checkpoint is not None and checkpoints:
        raise InputError(f"give {checkpoint} as one more --checkpoint, or alone")
    asked, several = expand(checkpoints or [checkpoint or DEFAULT_CHECKPOINT])
    options = SweepOptions(
        checkpoint=asked[0],
        levels=levels,
        n_levels=n_levels,
        sites=sites,
        conditions=tuple(name.strip() for name in conditions.split(",") if name.strip()),
        coefficients=_numbers(coefficients),
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
    )
    if several:
        run_layer_sweeps(options, asked)
    else:
        run_layer_sweep(options)


@app.command()
def outcome(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    level: Annotated[int, typer.Option(help="Procgen level seed.")] = 0,
    site: SiteName = None,
    condition: Annotated[str, typer.Option(help="clean, no_cheese, or a condition of layer-sweep.")] = "clean",
    coefficient: Coefficient = 1.0,
    horizon: Horizon = 256,
    seed: Seed = 0,
    mode: Mode = "hard",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    field: Annotated[bool, typer.Option("--field", help="Add the move probabilities of every state.")] = False,
) -> None:
    """The exact outcome of one level under one condition."""
    from agents.checkpoints.zoo import load_policy
    from envs.maze import Maze
    from steering.experiments.exact import LevelEvaluator, field_to_json
    from steering.experiments.level_conditions import intervention_named
    from steering.interventions.sites import find_site

    policy = load_policy(checkpoint)
    site = find_site(policy.net, site).name if site is not None else None
    evaluator = LevelEvaluator(policy, Maze.from_level(level, mode), horizon)
    edit = intervention_named(policy, evaluator.maze, condition, site, coefficient, seed)
    blind = condition == "no_cheese"
    found = evaluator.no_cheese if blind else evaluator.fields([edit])[0]
    result = evaluator.no_cheese_outcome() if blind else evaluator.outcome_of(found)
    report: dict[str, Any] = {
        "level": level,
        "site": site,
        "condition": condition,
        "coefficient": coefficient,
        "horizon": horizon,
        "outcome": result.to_json(),
    }
    if field:
        report["field"] = field_to_json(evaluator.maze, found)
    if as_json:
        print(json.dumps(report, allow_nan=False))
        return
    print(f"level {level}, {condition}" + (f" at {site}" if site else "") + f", within {horizon} moves")
    for name, value in result.to_json().items():
        print(f"  {name:<26}{'-' if value is None else f'{value:.4f}'}")
    for row in report.get("field", []):
        moves = "  ".join(f"{move} {p:.3f}" for move, p in row["probabilities"].items())
        print(f"  {tuple(row['cell'])} {row['facing']:<5}  {moves}")


@app.command("sites")
def sites_command(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """All sites of a network: trunk or branch, affine, equivalence class, receptive field."""
    from agents.checkpoints.zoo import load_policy
    from steering.interventions.sites import enumerate_sites, site_facts

    sites = enumerate_sites(load_policy(checkpoint).net)
    if as_json:
        print(json.dumps(site_facts(sites)))
        return
    print(f"{'depth':>5}  {'site':<30}{'shape':<14}{'where':<8}{'affine':<8}{'sees':<9}same experiment as")
    for site in sites:
        shape = "x".join(map(str, site.shape))
        sees = f"{site.receptive_field} px" if site.receptive_field else "all"
        same = site.equivalence_class if site.equivalence_class != site.name else ""
        where = {True: "trunk", False: "branch", None: "?"}[site.trunk]
        affine = {True: "free", False: "", None: "?"}[site.affine]
        print(f"{site.depth:>5}  {site.name:<30}{shape:<14}{where:<8}{affine:<8}{sees:<9}{same}".rstrip())


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    blindness_threshold: Threshold = None,
    competence_threshold: Threshold = None,
) -> None:
    """Write summary.json, outcomes.csv and report.html again from what a run has stored."""
    from steering.run import rewrite

    rewrite(run, blindness_threshold, competence_threshold)


@app.command()
def doctor() -> None:
    """Check this installation part by part and say how to mend what is missing."""
    from steering.doctor import checks
    from steering.doctor import report as doctor_report

    found = checks()
    print(doctor_report(found))
    if not all(check.ok for check in found):
        sys.exit(2)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(dict.fromkeys(float(part) for part in text.split(",") if part.strip()))
    except ValueError:
        raise InputError(f"--coefficients {text!r}: write numbers separated by commas, e.g. 0.5,1,2") from None


if __name__ == "__main__":
    main()
