"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Horizon = Annotated[int, typer.Option(help="Moves within which outcomes are counted (1 to 500).")]
Seed = Annotated[int, typer.Option(help="Seed of every random draw.")]
Mode = Annotated[str, typer.Option(help="Procgen's distribution mode: hard or easy.")]
SiteName = Annotated[str | None, typer.Option("--site", help="Site name (see `sites`).")]
Coefficient = Annotated[float, typer.Option(help="Multiple of the vector.")]
DEFAULT_CHECKPOINT = "region5"
Threshold = Annotated[float | None, typer.Option(help="Of the boundary's rule (default: the run's).")]
Checkpoint = Annotated[str, typer.Argument(help="A shipped policy (see `checkpoints`) or a file.")]
