"""The shipped files: checkpoints, their cards and their developmental series (no torch)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ZOO = Path(__file__).parents[1] / "zoo"
SERIES = "-series"  # what the folder of a checkpoint's snapshots adds to its name


def zoo_names() -> list[str]:
    """Return the names of the shipped checkpoints, in alphabetical order."""
    return sorted(path.stem for path in ZOO.glob("*.safetensors"))


def load_card(name: str) -> dict[str, Any]:
    """Return the model card shipped beside a zoo checkpoint.

    Args:
        name: one of :func:`zoo_names`.

    Returns:
        The card's JSON, as :func:`agents.training.card.make_card` makes it: ``training``, ``figures``, ``history``, ...

    Raises:
        FileNotFoundError: there is no such checkpoint.
    """
    card: dict[str, Any] = json.loads((ZOO / f"{name}.json").read_text())
    return card


def zoo_snapshots(name: str) -> dict[int, dict[str, Any]]:
    """Return the developmental series of a shipped checkpoint; ``load_policy("NAME@COUNT")`` loads one of it.

    Args:
        name: one of :func:`zoo_names`.

    Returns:
        Rows of the training history (``stage``, ``count``, ``seconds``, exact figures, ``file``, ``sha256``) by count
        of samples and environment steps since the first weights; empty if no series of ``name`` is shipped.
    """
    path = ZOO / f"{name}{SERIES}" / "series.json"
    if not path.is_file():
        return {}
    return {int(row["count"]): row for row in json.loads(path.read_text())["snapshots"]}


def checkpoint_file(checkpoint: str | os.PathLike[str]) -> Path:
    """Return the file of a name, a snapshot of one, or a file; it need not exist.

    It is what :func:`agents.checkpoints.zoo.load_policy` reads.
    """
    text = os.fspath(checkpoint)
    name, at, count = text.partition("@")
    if text in zoo_names():
        return ZOO / f"{text}.safetensors"
    row = zoo_snapshots(name).get(int(count)) if at and count.isdecimal() else None
    return ZOO / f"{name}{SERIES}" / row["file"] if row is not None else Path(text)
