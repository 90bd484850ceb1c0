"""``written_moves.json``: whether the network uses what a readout of the next move reads."""

from __future__ import annotations

from dataclasses import dataclass

from envs.stored.ranges import Count, LevelSeed, Mode, Name, NonNegative, Positive, RandomSeed
from steering.records.planning import Share
from steering.records.sweep import CheckpointId


@dataclass(frozen=True)
class WrittenEffect:
    """What comes of one direction, added at one strength, pooled over branches; without ``beyond`` for a control."""

    strength: NonNegative
    """Length of what is added, as a multiple of ``norm``."""
    taken: Share
    """Probability of the written move, 0 to 1."""
    rise: Share
    """The same less that of the policy left alone, -1 to 1."""
    beyond: Share | None
    """``rise`` less that of the control that raises it most, -1 to 1; null: this is a control."""
    entered: Share
    """Probability that the next cell visited is the branch, within the moves of ``settings``."""
    goes_on: Share
    """Probability that it is, and that the mouse is not back at the junction in as many moves."""


@dataclass(frozen=True)
class WrittenDirection:
    """One kind of direction at one site."""

    name: Name
    """``readout`` or ``means``; of the controls ``random``, ``shuffled``, ``shuffled means``, ``cheese``."""
    effects: tuple[WrittenEffect, ...]
    """What comes of it, by strength."""
    half: NonNegative | None
    """Least strength at which ``beyond`` is at least half; null: at none, or a control."""


@dataclass(frozen=True)
class WrittenPlace:
    """One way to read and to write at a site."""

    place: Name
    """``mouse``: the units around the mouse. ``map``: the whole site."""
    accuracy: Share
    """Share of next moves that the readout tells rightly, of mazes that it did not learn from."""
    chance: Share
    """The same of readouts that learned from shuffled moves, mean over the draws."""
    above: Share
    """``accuracy`` less ``chance``."""
    directions: tuple[WrittenDirection, ...]
    """The directions, controls last."""

    @property
    def read(self) -> bool:
        """Return whether the next move can be read here."""
        return self.above.low is not None and self.above.low > 0

    def half(self, name: str) -> float | None:
        """Return the least strength at which a direction raises the move by half beyond the controls; None: at none."""
        return next(each.half for each in self.directions if each.name == name)


@dataclass(frozen=True)
class WrittenSite:
    """Writing at one site."""

    name: Name
    """Name of the site."""
    depth: Count
    """Number of sites before it in topological order."""
    norm: NonNegative
    """Norm of the cheese vector there, mean over the levels learned from: the unit of strengths."""
    places: tuple[WrittenPlace, ...]
    """The mouse's place, where the site is a map; the whole site."""


@dataclass(frozen=True)
class WrittenSettings:
    """The settings that determine the numbers."""

    sites: tuple[Name, ...]
    """Names of the sites, in depth order."""
    levels: tuple[LevelSeed, ...]
    """Seeds of the levels written in."""
    learned: tuple[LevelSeed, ...]
    """Seeds of the levels that readouts learn from; none of ``levels``."""
    states: Positive
    """Frames of each level learned from."""
    target: Name
    """Whose next move is read and written: ``cheese``, ``corner`` or ``policy``."""
    branches: Positive
    """Most branches of a level."""
    strengths: tuple[NonNegative, ...]
    """Lengths of what is added, as multiples of the norm of the cheese vector."""
    draws: Positive
    """Draws of each control that is drawn at random."""
    moves: Positive
    """Moves within which a branch is entered, and within which the mouse turns back or does not."""
    seed: RandomSeed
    """Seed of everything drawn at random, 0 or more."""
    mode: Mode
    """Procgen's distribution mode of the levels."""


@dataclass(frozen=True)
class WrittenSummary:
    """All of ``written_moves.json``."""

    format: Name
    """Name of this format."""
    checkpoint: CheckpointId
    """The agent."""
    settings: WrittenSettings
    """The settings."""
    branches: Count
    """Number of branches: moves at junctions that are free and not the policy's."""
    mazes: Count
    """Number of mazes that they are of."""
    clean: Share
    """Probability of such a move, the policy left alone."""
    clean_entered: Share
    """Probability that the next cell visited is the branch, the policy left alone."""
    sites: tuple[WrittenSite, ...]
    """The sites, in depth order."""

    def unused(self, place: str, direction: str) -> list[str]:
        """Return the sites where the next move can be read, but the direction raises it by half at no strength."""
        parts = [(site.name, part) for site in self.sites for part in site.places if part.place == place]
        return [name for name, part in parts if part.read and part.half(direction) is None]
