"""The ``compare`` command: thin; heavy modules are imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from steering.cli_agents import Threshold

commands = typer.Typer()


@commands.command("compare")
def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or folders of several runs.")],
    out: Annotated[Path, typer.Option(help="Where compare.html, .md, .png and .json go.")] = Path("runs/compare"),
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    blindness_threshold: Threshold = None,
    competence_threshold: Threshold = None,
    history: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Training (its --out) whose loss is shown beside its snapshots; of shipped ones: the card's."
        ),
    ] = None,
) -> None:
    """Compare runs maze by maze: agents, coefficients of one run, or snapshots of one training."""
    from steering.reports.comparison_report import answer, run_compare

    data = run_compare(
        runs, out, seed=seed, blindness=blindness_threshold, competence=competence_threshold, history=history
    )
    print(answer(data))
    print(f"report: {out / 'compare.html'}, {out / 'compare.md'}")
    print(f"picture: {out / 'compare.png'}")
    print(f"numbers: {out / 'compare.json'}")
