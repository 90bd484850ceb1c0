"""``fields.json``: fields of moves in a few mazes of a sweep, kept so that a report needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from envs.stored.ranges import AtMostOne, Horizon, LevelSeed, Mode, Name, Number, Probability
from steering.records.sweep import CheckpointId

# Probabilities of the five moves in each state of a maze: float[n_states, 5], rounded to 5 digits.
Moves = tuple[Probability, Probability, Probability, Probability, Probability]
Probabilities = tuple[Moves, ...]


class ChosenMaze(NamedTuple):
    """A maze that is shown."""

    level: LevelSeed
    """Its seed, 0 or more."""
    blindness: AtMostOne
    """Blindness of subtraction in it, at most 1."""


@dataclass(frozen=True)
class MazeFields:
    """The policy in each state of one maze."""

    clean: Probabilities
    """Left alone."""
    subtract: Probabilities
    """With the cheese vector subtracted."""
    no_cheese: Probabilities
    """Left alone, with the cheese removed."""
    state: str = ""
    """The maze as :func:`envs.recording.pack_state` writes it; empty in a file that an earlier version made."""


@dataclass(frozen=True)
class ExampleFields:
    """All of ``fields.json``."""

    checkpoint: CheckpointId
    """The agent."""
    site: Name
    """Name of the site of subtraction."""
    mode: Mode
    """Procgen's distribution mode of the mazes."""
    horizon: Horizon
    """Most moves of an episode, 1 or more."""
    format: Name
    """Name of this format."""
    coefficient: Number
    """Multiple of the vector that is subtracted."""
    vector: Name
    """Place where the cheese vectors were taken: see :class:`steering.experiments.levels.VectorSource`."""
    chosen: dict[Name, ChosenMaze]
    """The mazes: ``typical``, ``best`` and ``worst``."""
    levels: dict[Name, MazeFields]
    """The fields of each of them, by its seed."""
