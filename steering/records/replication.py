"""``replicate.json``: the published findings, measured again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from steering.records.sweep import CheckpointId


@dataclass(frozen=True)
class FindingFigure:
    """A number measured beside the one published."""

    label: str
    """The quantity measured, in words."""
    value: float | None
    """The number, over mazes; null where it is defined for none."""
    low: float | None
    """Low end of its 95% bootstrap interval over mazes; null for too few mazes."""
    high: float | None
    """High end of its interval; null for too few mazes."""
    published: int | float | str | None
    """The published number, or a range as text; null: none was published."""


@dataclass(frozen=True)
class FindingClaim:
    """A published claim."""

    text: str
    """The claim, in words with its bound."""
    holds: bool | None
    """Whether it holds here; null: these mazes do not tell."""


@dataclass(frozen=True)
class FindingResult:
    """One finding, summed up over mazes."""

    what: str
    """The quantity measured, in words."""
    published: str
    """Source and figures, in words."""
    figures: tuple[FindingFigure, ...]
    """The numbers."""
    claims: tuple[FindingClaim, ...]
    """The claims."""
    verdict: str
    """Verdict of the claims, in words."""
    mazes: int
    """Number of mazes measured, 1 or more."""
    notes: tuple[str, ...]
    """Sentences about what was measured."""
    levels: tuple[int, ...]
    """Seeds of the mazes."""


@dataclass(frozen=True)
class ReplicateSettings:
    """Settings that all results of a directory share."""

    sha256: str
    """Digest of the checkpoint's bytes, 64 hexadecimal digits."""
    site: str
    """Name of the site of the edits."""
    horizon: int
    """Most moves of an episode, 1 or more."""
    seed: int
    """Seed of everything drawn at random, 0 or more."""
    mode: str
    """Procgen's distribution mode of the mazes."""


@dataclass(frozen=True)
class ReplicateSummary:
    """All of ``replicate.json``."""

    format: str
    """Name of this format."""
    checkpoint: CheckpointId
    """The agent."""
    settings: ReplicateSettings
    """Settings that all results share."""
    findings: dict[str, FindingResult]
    """The findings by name, in the order of the documentation, as far as run."""
    rows: dict[str, dict[str, dict[str, Any]]]
    """Measurements by finding and seed of the maze: numbers, or lists of numbers, by name."""
