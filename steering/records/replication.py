"""``replicate.json``: the published findings, measured again."""

from __future__ import annotations

from dataclasses import dataclass

from envs.stored.ranges import Device, Digest, Horizon, LevelSeed, Line, Mode, Name, Number, Positive, RandomSeed
from steering.records.sweep import CheckpointId

# What was measured in one maze, by name: numbers, or rows of numbers; null where undefined.
StoredMeasurement = dict[Name, int | Number | bool | tuple[int | Number | tuple[Number | None, ...] | None, ...] | None]


@dataclass(frozen=True)
class FindingFigure:
    """A number measured beside the one published."""

    label: Line
    """The quantity measured, in words."""
    value: Number | None
    """The number, over mazes; null where it is defined for none."""
    low: Number | None
    """Low end of its 95% bootstrap interval over mazes; null for too few mazes."""
    high: Number | None
    """High end of its interval; null for too few mazes."""
    published: int | Number | Line | None
    """The published number, or a range as text; null: none was published."""


@dataclass(frozen=True)
class FindingClaim:
    """A published claim."""

    text: Line
    """The claim, in words with its bound."""
    holds: bool | None
    """Whether it holds here; null: these mazes do not tell."""


@dataclass(frozen=True)
class FindingResult:
    """One finding, summed up over mazes."""

    what: Line
    """The quantity measured, in words."""
    published: Line
    """Source and figures, in words."""
    figures: tuple[FindingFigure, ...]
    """The numbers."""
    claims: tuple[FindingClaim, ...]
    """The claims."""
    verdict: Line
    """Verdict of the claims, in words."""
    mazes: Positive
    """Number of mazes measured, 1 or more."""
    notes: tuple[Line, ...]
    """Sentences about what was measured."""
    levels: tuple[LevelSeed, ...]
    """Seeds of the mazes."""


@dataclass(frozen=True)
class ReplicateSettings:
    """Settings that all results of a directory share."""

    sha256: Digest
    """Digest of the checkpoint's bytes, 64 hexadecimal digits."""
    site: Name
    """Name of the site of the edits."""
    horizon: Horizon
    """Most moves of an episode, 1 or more."""
    seed: RandomSeed
    """Seed of everything drawn at random, 0 or more."""
    mode: Mode
    """Procgen's distribution mode of the mazes."""
    device: Device = "cpu"
    """Kind of device that the network computed on."""


@dataclass(frozen=True)
class ReplicateSummary:
    """All of ``replicate.json``."""

    format: Name
    """Name of this format."""
    checkpoint: CheckpointId
    """The agent."""
    settings: ReplicateSettings
    """Settings that all results share."""
    findings: dict[Name, FindingResult]
    """The findings by name, in the order of the documentation, as far as run."""
    rows: dict[Name, dict[Name, StoredMeasurement]]
    """Measurements by finding and seed of the maze."""
