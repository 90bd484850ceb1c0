"""The commands about the agents themselves: the zoo, evaluation, training, export."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envs.errors import InputError, check_random_seed, counted, told_if_stopped
from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    AsJson,
    Checkpoint,
    Mode,
    Quiet,
    ScalePixels,
    argument,
    number,
    path,
    print_json,
)
from steering.workflows.progress import after_loading

if TYPE_CHECKING:
    from agents.training.pipeline import TrainSpec

commands = typer.Typer()
TOLD = ("loss", "reward", "success")  # running figures of a training: the first that there is
PUBLISHED_STEPS = 80_000_000  # of PPO alone, as the published agent was trained
EXACT_SAMPLES = 10_000_000  # of exact gradients alone
# Minutes of work at most: enough to see every part of a training run, not to learn mazes.
SMOKE: dict[str, Any] = {
    "mode": "easy",
    "samples": 20_480,
    "dagger_samples": (4_096,),
    "ppo_steps": 0,
    "eval_levels": 8,
}


@commands.command("checkpoints")
def checkpoints_command(
    as_json: AsJson = False,
) -> None:
    """List the shipped policies."""
    from agents.checkpoints.cards import load_card, zoo_names, zoo_snapshots

    names = zoo_names()
    if as_json:
        print_json({name: {**load_card(name), "snapshots": list(zoo_snapshots(name))} for name in names})
        return
    print(f"{'':<42}{'P(cheese)':^20}{'P(top-right':>14}")
    head = f"{'name':<15}{'scale':>5}  {'mode':<6}{'trained on':<14}{'as trained':>10}{'anywhere':>10}"
    print(head + f"{'5x5)':>14}")
    for name in names:
        card = load_card(name)
        figures = card["figures"]
        print(
            f"{name:<15}{card['scale']:>5}  {card['training']['mode']:<6}{card['training']['cheese']:<14}"
            f"{figures['p_cheese_in_distribution']:>10.4f}{figures['p_cheese_anywhere']:>10.4f}"
            f"{figures['p_region_anywhere']:>14.4f}"
        )
    for name in names:
        if series := zoo_snapshots(name):
            counts = ", ".join(map(str, sorted(series)))
            print("\n" + textwrap.fill(f"{name}, in training (write {name}@COUNT): {counts}", 80))


@commands.command("evaluate")
@after_loading("agents.checkpoints.zoo")
def evaluate_command(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    region: Annotated[int | None, number("region", "Put the cheese in the top-right r x r; 0: anywhere.")] = None,
    n_levels: Annotated[int, number("n-levels", "Evaluate levels 0 to N-1.")] = 256,
    mode: Mode = None,
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Recompute the success figures of a policy's card, exactly.

    The exit code is 1 if the figures differ from those of the card.
    """
    from agents.checkpoints.cards import mode_for, trained_figures
    from agents.checkpoints.zoo import load_policy
    from agents.evaluation import policy_figures
    from agents.hardware import keep_freed_memory
    from envs.training.levels import check_region
    from steering.workflows.progress import bar

    policy = load_policy(checkpoint, activation=activation, scale_pixels=scale_pixels)
    known = {"mode": "hard", **figures} if (figures := policy.card.get("figures", {})) else {}
    trained, mode = trained_figures(policy.name, policy.card), mode_for(mode, policy.name, policy.card)
    rule = trained.get("region", 5) if region is None else check_region(region)
    keep_freed_memory()
    with bar("evaluating", "mazes") as progress:
        figures = policy_figures(policy, rule, levels=(0, n_levels), mode=mode, progress=progress)
    alike = bool(known) and all(
        figures[name] == known[name] for name in ("levels", "mode", "region", "horizon", "seed")
    )
    wrong = alike and figures != known
    if as_json:
        print_json(figures)
        raise typer.Exit(int(wrong))
    print(f"{policy.name}  sha256 {policy.sha256}")
    print(f"levels 0 to {n_levels - 1} of mode {mode}, exact, within {figures['horizon']} moves")
    print(
        f"  P(cheese), cheese {f'in the top-right {rule}x{rule}' if rule else 'where procgen put it'}   "
        f"{figures['p_cheese_in_distribution']:.4f}"
    )
    for dim, p in figures["p_cheese_by_maze_size"].items():
        print(f"    {dim:>2}x{dim:<2} ({figures['levels_by_maze_size'][dim]:>3} levels)                 {p:.4f}")
    print(f"  P(cheese), cheese anywhere                 {figures['p_cheese_anywhere']:.4f}")
    print(f"  P(top-right 5x5), cheese anywhere          {figures['p_region_anywhere']:.4f}")
    square = figures["decision_square"]
    if square["levels"]:
        print(
            f"  at the decision square ({counted(square['levels'], 'level')}):\n"
            f"    to the cheese {square['p_cheese_move']:.4f}, to the top right {square['p_corner_move']:.4f}, "
            f"another move {square['p_other_move']:.4f}"
        )
    if alike:
        print("NOT equal to the card" if wrong else "equal to the card")
    else:
        print(
            "(its card has other levels, another mode or another region)"
            if known
            else "(there is no card to compare with)"
        )
    raise typer.Exit(int(wrong))


@commands.command()
@after_loading("agents.training.pipeline")
def train(
    out: Annotated[Path, path("Training directory.")],
    region: Annotated[
        int | None,
        number("region", "Put the cheese in the top-right r x r (default 5), in smaller mazes anywhere; 0: anywhere."),
    ] = None,
    scale: Annotated[
        float | None,
        number("scale", "Width of the network: 1 (default), 0.5 is half, 4 is that of the published agent."),
    ] = None,
    seed: Annotated[int | None, number("seed", "Seed of every random draw (default 0).")] = None,
    samples: Annotated[int | None, number("samples", "Imitation samples (0: none).")] = None,
    dagger_samples: Annotated[
        str | None,
        typer.Option(help="Samples of the policy's own walks, one number for each round: 5000000,3000000 (0: none)."),
    ] = None,
    ppo_steps: Annotated[int | None, number("ppo-steps", "Environment steps of PPO (0: none).")] = None,
    optimizer: Annotated[str | None, typer.Option(help="Optimizer of imitation: adam (default) or muon.")] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Teacher to imitate: path (default), or reflex, which plans nothing.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="Procgen's distribution mode of the levels: hard (default) or easy.")
    ] = None,
    patience: Annotated[
        str | None,
        typer.Option(
            help="End a walk after so many steps without a new cell (default 12; 0: never); one number, or one a round."
        ),
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Train by PPO alone, with the published options.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Train on reward alone, by exact gradients: no labels, no critic, no walks.")
    ] = False,
    exact_samples: Annotated[
        int | None,
        number("exact-samples", f"States of exact gradients, each pass counted (with --exact: {EXACT_SAMPLES:,})."),
    ] = None,
    uniform_starts: Annotated[
        float | None, number("uniform-starts", "With --exact: share of the episodes that begin anywhere (default 0.1).")
    ] = None,
    eval_levels: Annotated[
        int | None, number("eval-levels", "Levels 0 to N-1 of the card's exact figures (default 256).")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A trial of two minutes: easy mode, 24,576 samples, 8 levels on the card.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="Where to train: cpu (default), cuda (cuda:1, ...), or auto.")
    ] = None,
    bf16: Annotated[
        bool | None,
        typer.Option(
            "--bf16/--no-bf16",
            help="Compute in bfloat16 (default: on devices made for it; on others it is 12 times slower).",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a policy: imitation, imitation on its own walks, then PPO; or exact gradients (--exact)."""
    from agents.hardware import device_named
    from agents.training.pipeline import TrainSpec, start_run, train_pipeline
    from envs.files import locked
    from envs.stored.json_records import read_json
    from steering.workflows.progress import bar

    typed = {
        "region": region,
        "scale": scale,
        "seed": seed,
        "samples": samples,
        "dagger_samples": _numbers(dagger_samples, "dagger-samples"),
        "ppo_steps": ppo_steps,
        "optimizer": optimizer,
        "device": None if device is None else str(device_named(device)),
        "teacher": teacher,
        "mode": mode,
        "patience": _numbers(patience, "patience"),
        "exact_samples": exact_samples,
        "uniform_starts": uniform_starts,
        "eval_levels": eval_levels,
        "bf16": bf16,
    }
    given = _training_options(typed, from_scratch=from_scratch, exact=exact, smoke=smoke, resume=resume)
    if resume:
        spec = _begun_with(out, given, from_scratch, exact)
    given.pop("bf16", None)
    command = f"mazesteer train --out {shlex.quote(str(out))} --resume"
    with told_if_stopped(lambda: f"\nstopped; `{command}` goes on"):
        with locked(out, make=not resume):
            if not resume:
                spec = start_run(out, TrainSpec(**given), bf16=bf16)
            with bar("training, then evaluating") as update:

                def progress(done: int, total: int, running: Mapping[str, float]) -> None:
                    update(done, total, next((f"{name} {running[name]:.3f}" for name in TOLD if name in running), ""))

                result = train_pipeline(out, spec, progress=progress, evaluating=update)
    print(f"weights: {result}\ncard:    {result.with_suffix('.json')}\ncurves:  {result.with_suffix('.png')}")
    print(_success(read_json(result.with_suffix(".json"))["figures"]))


def _success(figures: Mapping[str, Any]) -> str:
    """Return the success rate of a card's figures in a line, with the number of levels that it is of."""
    low, high = figures["levels"]
    as_trained = f"the cheese in the top-right {figures['region']}x{figures['region']}: "
    both = f"{as_trained}{figures['p_cheese_in_distribution']:.4f}; " if figures["region"] else ""
    levels = counted(high - low, "level")
    return f"success: P(cheese), {both}anywhere: {figures['p_cheese_anywhere']:.4f} ({levels}, exact)"


def _training_options(
    typed: Mapping[str, Any], *, from_scratch: bool, exact: bool, smoke: bool, resume: bool
) -> dict[str, Any]:
    """Return the options of a :class:`TrainSpec` by name: those that were given, and what the flags imply.

    Raises:
        InputError: for options that do not go together, a region or a seed that there is none of.
    """
    from envs.training.levels import check_region

    given = {name: value for name, value in typed.items() if value is not None}
    asked = [
        f"--{name}" for name, is_on in (("smoke", smoke), ("exact", exact), ("from-scratch", from_scratch)) if is_on
    ]
    if len(asked) > 1:
        raise InputError(f"{' and '.join(asked)} are two trainings; leave one out")
    if smoke and not resume:
        given = {**SMOKE, **given}
    if exact and not resume:
        given = {"samples": 0, "dagger_samples": (), "ppo_steps": 0, "exact_samples": EXACT_SAMPLES, **given}
    if from_scratch:
        if given.get("samples") or any(given.get("dagger_samples", ())):
            raise InputError("--from-scratch has no imitation; leave out --samples and --dagger-samples")
        steps = {} if resume else {"ppo_steps": PUBLISHED_STEPS}
        given = {**steps, **given, "samples": 0, "dagger_samples": ()}
    if "region" in given:
        given |= {"region": check_region(given.pop("region"))}
    check_random_seed(given.get("seed", 0))
    return given


def _begun_with(out: Path, given: Mapping[str, Any], from_scratch: bool, exact: bool) -> TrainSpec:
    """Return the options of the run in ``out``; raise :class:`InputError` if one of those ``given`` is another."""
    from agents.training.pipeline import read_run

    spec = read_run(out)
    if exact and not spec.exact_samples:
        raise InputError(f"--exact: the run in {out} was begun without it; leave it out")
    for name, value in given.items():
        if not spec.agrees(name, value):
            begun, option = getattr(spec, name), name.replace("_", "-")
            if from_scratch and name in ("samples", "dagger_samples"):
                begun, option = "imitation", "from-scratch"
            raise InputError(f"--{option}: the run in {out} was begun with {begun}; leave it out")
    return spec


@commands.command()
@after_loading("agents.checkpoints.zoo")
def export(
    checkpoint: Checkpoint,
    out: Annotated[Path, argument("The file to write: NAME.pth.")],
) -> None:
    """Write a policy in the layout of the published checkpoints, for other tools to load."""
    from agents.checkpoints.files import export_checkpoint
    from agents.checkpoints.registry import published_net
    from agents.checkpoints.zoo import load_policy

    export_checkpoint(published_net(load_policy(checkpoint)), out)
    print(f"{out}: model_state_dict of the published layout")


def _numbers(text: str | None, option: str) -> tuple[int, ...] | None:
    try:
        return None if text is None else tuple(map(int, text.split(",")))
    except ValueError:
        raise InputError(f"--{option} {text!r}: write whole numbers separated by commas") from None
