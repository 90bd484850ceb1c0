"""The shipped files: checkpoints, their cards and their developmental series (no torch)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from envs.simulator.procgen_env import check_mode
from envs.stored.ranges import Count, Digest, Horizon, LevelSeed, Mode, Name, NonNegative, Probability, RandomSeed

ZOO = Path(__file__).parents[1] / "zoo"
SERIES = "-series"  # what the folder of a checkpoint's snapshots adds to its name


@dataclass(frozen=True)
class FiguresOf:
    """The levels and the rule that a card's figures are of."""

    levels: tuple[LevelSeed, LevelSeed]
    """Seeds ``low <= s < high``."""
    horizon: Horizon
    """Most moves of an episode."""
    seed: RandomSeed
    """Seed of where the cheese lies."""
    region: Annotated[int, Meta(ge=1, le=25)] | None
    """Side, in cells, of the top-right square where it lies; null: where procgen put it."""
    mode: Mode = field(default="hard", kw_only=True)
    """Procgen's distribution mode; cards of earlier versions do not say it: they knew hard alone."""


@dataclass(frozen=True)
class DecisionFigures:
    """Moves at the decision square."""

    levels: Count
    """Number of levels that have one."""
    p_cheese_move: Probability | None
    """Probability of the move towards the cheese; null where no level has a decision square."""
    p_corner_move: Probability | None
    """Probability of the move towards the top-right cell."""
    p_other_move: Probability | None
    """Probability of any other."""


@dataclass(frozen=True)
class Figures(FiguresOf):
    """The exact figures of a card, rounded: :func:`agents.evaluation.policy_figures`."""

    p_cheese_in_distribution: Probability
    """Probability that the cheese is eaten, where it lies as in training."""
    p_cheese_by_maze_size: dict[Name, Probability]
    """The same by side of the maze."""
    levels_by_maze_size: dict[Name, Count]
    """Number of levels by side of the maze."""
    expected_steps_in_distribution: NonNegative
    """Moves until then."""
    p_cheese_anywhere: Probability
    """Probability that the cheese is eaten where procgen put it."""
    p_region_anywhere: Probability
    """Probability that the top-right 5x5 is visited there."""
    decision_square: DecisionFigures
    """Moves at the decision square."""


@dataclass(frozen=True)
class CardHead:
    """The part of a card that tells what it is of, and lets its figures be computed again."""

    sha256: Digest
    """Digest of the weights."""
    figures: FiguresOf
    """The figures."""


def zoo_names() -> list[str]:
    """Return the names of the shipped checkpoints, in alphabetical order.

    Example:
        >>> "region5" in zoo_names()
        True
    """
    return sorted(path.stem for path in ZOO.glob("*.safetensors"))


def load_card(name: str) -> dict[str, Any]:
    """Return the model card shipped beside a zoo checkpoint.

    Args:
        name: one of :func:`zoo_names`.

    Returns:
        The card's JSON, as :func:`agents.training.card.make_card` makes it: ``training``, ``figures``, ``history``, ...

    Raises:
        FileNotFoundError: there is no such checkpoint.

    Example:
        >>> load_card("region5")["sha256"] == load_policy("region5").sha256
        True
    """
    card: dict[str, Any] = json.loads((ZOO / f"{name}.json").read_text())
    return card


def trained_figures(name: str, card: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the figures of an agent's card, for a snapshot of a shipped one those of its agent; empty: there is none.

    Args:
        name: the policy's, ``NAME@COUNT`` for a snapshot.
        card: the policy's: a card, the row of a snapshot in its series, or empty.
    """
    parent = name.partition("@")[0]
    if card and "figures" not in card and parent in zoo_names():
        card = load_card(parent)
    figures: Mapping[str, Any] = card.get("figures", {})
    return figures


def mode_for(mode: str | None, name: str, card: Mapping[str, Any]) -> str:
    """Return procgen's distribution mode that an agent is asked in: as given, else that of its training, else hard.

    Args:
        mode: ``hard`` or ``easy``; None: not given.
        name: the policy's name.
        card: its card; of an agent without one nothing says the mode.

    Raises:
        InputError: procgen has no mazes of this mode.
    """
    if mode is None:
        mode = trained_figures(name, card).get("mode", "hard")  # cards of earlier versions know hard alone
    return check_mode(mode)


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
