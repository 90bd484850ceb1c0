"""``replicate.json``: the published findings, measured again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envs.errors import InputError, nearest
from envs.stored.ranges import Device, Digest, Horizon, LevelSeed, Line, Mode, Name, Number, Positive, RandomSeed
from steering.records.sweep import CheckpointId

# What was measured in one maze, by name: numbers, or rows of numbers; null where undefined.
StoredMeasurement = dict[Name, int | Number | bool | tuple[int | Number | tuple[Number | None, ...] | None, ...] | None]


POST = "Turner et al. 2023, 'Understanding and controlling a maze-solving policy network'"
BEHAVIOUR_POST = "'Behavioural statistics for a maze-solving agent', 2023"
TOP_RIGHT_POST = "'Maze-solving agents: Add a top-right vector', 2023"


@dataclass(frozen=True)
class PublishedFinding:
    """A finding as it was published."""

    name: Name
    """Its name on the command line."""
    what: Line
    """The quantity measured, in words."""
    published: Line
    """Source and figures, in words."""


_PUBLISHED = (
    PublishedFinding(
        "effect",
        "the cheese vector subtracted at every state: moves at the decision square",
        f"{POST}, seeds 0 to 99, 52 distinct mazes: median P(cheese) .806 to .032, top-right .034 to .750, "
        "other .102 to .187 (re-computed from the stored plot, in which each maze counts twice)",
    ),
    PublishedFinding(
        "adding",
        "the cheese vector added",
        f"{POST}: almost no effect",
    ),
    PublishedFinding(
        "noise",
        "Gaussian noise of the vector's norm",
        f"{POST}: destroys the policy",
    ),
    PublishedFinding(
        "transfer",
        "the cheese vector of another level, by how far its cheese lies from this level's",
        f"{POST}: works with the cheese on the same cell (level 0's vector in 795), often within 2 cells; else"
        " it fails (0 to 3)",
    ),
    PublishedFinding(
        "named-transfer",
        "level 0's cheese vector in level 795 (cheese on the same cell) and in level 3 (on another)",
        f"{POST}: it works in 795 and fails in 3",
    ),
    PublishedFinding(
        "removal",
        "the cheese vector subtracted, against the cheese truly removed, over all states",
        f"{POST}: the same on some levels (0, 12), not on others (7, 19)",
    ),
    PublishedFinding(
        "decision-square",
        "levels where the ways to the cheese and to the top-right cell part",
        f"{BEHAVIOUR_POST}: 5,239 of 10,000 levels; the others have none, as one way contains the other",
    ),
    PublishedFinding(
        "behaviour",
        "L1 logistic regression of taking the cheese on z-scored distances",
        f"{BEHAVIOUR_POST}, 10,000 levels of which 5,239 have a decision square: accuracy .83 to .84 against a"
        " base rate of .69 to .71; the distance from cheese to top-right cell (euclid_cheese_corner) is the "
        "strongest, negative",
    ),
    PublishedFinding(
        "resampling",
        "channels that track the cheese taken from another maze, against as many random ones",
        f"{POST}: from a maze with the cheese on the same cell a mean change of .88%, on another 1.26% (random"
        " channels .60% and .54%); the statistic was flawed",
    ),
    PublishedFinding(
        "retargeting",
        "one activation of the channel that tracks the cheese best, clamped at a cell",
        f"{POST}: works in the upper right, weaker elsewhere; worse the farther from the path start to top right",
    ),
    PublishedFinding(
        "paths",
        "normalized path probability to the cheese and to the top-right cell, left alone",
        f"{POST}: figures only, no number",
    ),
    PublishedFinding(
        "top-right",
        "the top-right vector added, alone and together with the cheese vector subtracted",
        f"{TOP_RIGHT_POST}: attracts to the top right; composes with subtracting the cheese vector roughly additively",
    ),
    PublishedFinding(
        "probe",
        "the cheese's place read from two channels by a unit shared over all positions, and linearly",
        f"{POST} and its code: near-perfect in blocks 1 and 2 with a shared (convolutional) unit on 2 "
        "channels, weaker in block 3; no number",
    ),
)
PUBLISHED = {finding.name: finding for finding in _PUBLISHED}


def published_findings(names: Sequence[str] = ()) -> list[PublishedFinding]:
    """Return the published findings called ``names`` in the order of the documentation; none: all.

    Raises:
        InputError: for an unknown name, and names the nearest.
    """
    for name in names:
        if name not in PUBLISHED:
            raise InputError(f"no finding {name!r}; {nearest(name, PUBLISHED)} (see `mazesteer replicate --list`)")
    return [finding for name, finding in PUBLISHED.items() if not names or name in names]


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
