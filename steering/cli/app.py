"""The ``mazesteer`` command: thin; heavy modules are imported by the command that needs them."""

from __future__ import annotations

import gc
import importlib.metadata
import io
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from envs.errors import InputError, as_line, counted
from steering.cli import agents, compare, films, planning, probes, replicate
from steering.cli.anatomy import command as anatomy
from steering.cli.given import vector
from steering.cli.given.edit_options import Edits, Foreign, VectorFile, conditions_asked, read_given
from steering.cli.layer_sweep import layer_sweep
from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    AsJson,
    BlindnessThreshold,
    Checkpoint,
    Coefficient,
    CompetenceThreshold,
    Horizon,
    Level,
    MazeFile,
    Mode,
    Quiet,
    ScalePixels,
    Seed,
    SiteName,
    argument,
    one_maze,
    print_json,
    site_named,
)
from steering.cli.workbench import command as workbench
from steering.workflows.progress import after_loading, doing

app = typer.Typer(
    help="How far into a maze agent's network does subtracting the cheese vector still just blind it?",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    quiet: Quiet = False,
) -> None:
    """Show the help where no command is typed."""
    if version:
        print(f"mazesteer {importlib.metadata.version('mazesteer')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        if text := context.get_help():  # empty where it is printed at once
            print(text)


app.command("layer-sweep")(layer_sweep)
for part in (agents, vector, films, probes, planning, anatomy, replicate, compare, workbench):
    app.add_typer(part.commands)
STOPPED_BY = (signal.SIGINT, signal.SIGTERM)
GRACE = 10  # seconds from a signal until whatever still hangs is ended by the system
_USAGE: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


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
        code = app(prog_name="mazesteer", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except _USAGE as error:  # an option that does not exist, a number that is none
        print(f"mazesteer: {as_line(error.format_message())}; see `mazesteer --help`", file=sys.stderr)
        sys.exit(2)
    except InputError as error:
        print(f"mazesteer: {as_line(str(error))}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        print(f"mazesteer: {str(error.filename)[:200]!r}: cannot be used ({error.strerror})", file=sys.stderr)
        sys.exit(2)


@app.command()
@after_loading("steering.experiments.level_conditions")
def outcome(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    level: Level = None,
    maze: MazeFile = None,
    site: SiteName = None,
    condition: Annotated[
        str | None,
        typer.Option(
            help="clean, no_cheese, or a condition of layer-sweep (default: clean; with --vector subtract; with --edit "
            "edit)."
        ),
    ] = None,
    vector: VectorFile = None,
    edit: Edits = None,
    foreign: Foreign = False,
    coefficient: Coefficient = 1.0,
    horizon: Horizon = 256,
    seed: Seed = 0,
    mode: Mode = None,
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    field: Annotated[bool, typer.Option("--field", help="Add the move probabilities of every state.")] = False,
) -> None:
    """Compute the exact outcome of one level under one condition, beside clean and cheese removed."""
    from agents.checkpoints.cards import mode_for
    from agents.checkpoints.zoo import load_policy
    from envs.shown.displays import text_table
    from steering.experiments.conditions import find_condition
    from steering.experiments.exact import LevelEvaluator, field_to_json
    from steering.experiments.level_conditions import intervention_named
    from steering.experiments.outcome import outcome_texts

    (condition,) = conditions_asked(None if condition is None else [condition], ["clean"], vector, edit)
    chosen = find_condition(condition)
    policy = load_policy(checkpoint, activation=activation, scale_pixels=scale_pixels)
    given = read_given(policy, vector, edit, foreign)
    mode = mode_for(mode, policy.name, policy.card)
    world = one_maze(level, maze, mode)
    if not chosen.at_one_site or chosen.reference or given.names_sites:
        site = None
    else:
        site = site_named(policy, site or given.site)
    evaluator = LevelEvaluator(policy, world, horizon)
    made = intervention_named(policy, world, condition, site, coefficient, seed, given)
    blind = condition == "no_cheese"
    with doing("computing"):
        found = evaluator.no_cheese if blind else evaluator.fields([made])[0]
        clean, removed = evaluator.clean_outcome(), evaluator.no_cheese_outcome()
        result = removed if blind else evaluator.outcome_of(found)
    report: dict[str, Any] = {
        "policy": policy.name,
        "level": world.level,
        "maze": world.to_ascii(),
        "mode": mode,
        "site": site,
        "condition": condition,
        "coefficient": coefficient,
        "horizon": horizon,
        **made.to_json(),
        "outcome": result.to_json(),
        "clean": clean.to_json(),
        "no_cheese": removed.to_json(),
    }
    if field:
        report["field"] = field_to_json(world, found)
    if as_json:
        print_json(report)
        return
    beside = {"clean": clean, "cheese removed": removed}
    times = f" x {coefficient:g}" if not chosen.reference else ""
    print(f"{policy.name}, {world.label}, mode {mode}, within {counted(horizon, 'move')}, exact")
    if edit or vector is not None:
        print(f"{condition}: {made.describe()}\n")
    else:
        print(f"{condition}{times}" + (f" at {site}" if site else "") + "\n")
    shown = beside if chosen.reference else {condition.replace("_", " "): result, **beside}
    print(text_table(["", *shown], outcome_texts(list(shown.values()))))
    for row in report.get("field", []):
        moves = "  ".join(f"{move} {p:.3f}" for move, p in row["probabilities"].items())
        print(f"  {tuple(row['cell'])} {row['facing']:<5}  {moves}")


@app.command("sites")
@after_loading("agents.checkpoints.zoo")
def sites_command(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
) -> None:
    """List the sites of a network: trunk or branch, free or not, receptive field, same experiment."""
    from agents.checkpoints.zoo import load_policy
    from steering.interventions.sites import enumerate_sites
    from steering.records.sites import site_facts

    sites = enumerate_sites(load_policy(checkpoint, activation=activation, scale_pixels=scale_pixels).net)
    if as_json:
        print_json(site_facts(sites))
        return
    print(sites)


@app.command()
@after_loading("steering.workflows.outputs")
def report(
    run: Annotated[Path, argument("A run directory.")],
    blindness_threshold: BlindnessThreshold = None,
    competence_threshold: CompetenceThreshold = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write summary.json, outcomes.csv and report.html again from a run's stored results."""
    gc.disable()  # what a report is made of lives to its end: going through it again and again frees nothing
    try:
        from steering.workflows.outputs import print_outputs, rewrite_outputs

        with doing("writing the report"):
            written = rewrite_outputs(run, blindness_threshold, competence_threshold)
        if as_json:
            print_json(written.summary)
        else:
            print_outputs(written)
    finally:
        gc.enable()


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check this installation part by part and say how to mend what is missing."""
    from steering.doctor import checks
    from steering.doctor import report as doctor_report

    with doing("checking"):
        found = checks()
    if as_json:
        print_json(found)
    else:
        print(doctor_report(found))
    if not all(check.ok for check in found):
        sys.exit(2)


if __name__ == "__main__":
    main()
