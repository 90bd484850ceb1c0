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
        f"{POST}. Seeds 0 to 99, 52 distinct mazes. Medians, left alone and steered: P(cheese) .806 and .032, "
        "top-right .034 and .750, other .102 and .187. They are recomputed from the stored plot, in which each maze "
        "counts twice",
    ),
    PublishedFinding(
        "adding",
        "the cheese vector added",
        f"{POST}. Adding has almost no effect",
    ),
    PublishedFinding(
        "noise",
        "Gaussian noise of the vector's norm",
        f"{POST}. Noise destroys the policy",
    ),
    PublishedFinding(
        "transfer",
        "the cheese vector of another level, by how far its cheese lies from this level's",
        f"{POST}. It works with the cheese on the same cell (level 0's vector in 795) and often within 2 cells. "
        "Elsewhere it fails (level 0's vector in 3)",
    ),
    PublishedFinding(
        "named-transfer",
        "level 0's cheese vector in level 795 (cheese on the same cell) and in level 3 (on another)",
        f"{POST}. It works in level 795 and fails in level 3",
    ),
    PublishedFinding(
        "removal",
        "the cheese vector subtracted, against the cheese truly removed, over all states",
        f"{POST}. Both act the same on some levels (0, 12) and differently on others (7, 19)",
    ),
    PublishedFinding(
        "decision-square",
        "levels where the ways to the cheese and to the top-right cell part",
        f"{BEHAVIOUR_POST}. Of 10,000 levels 5,239 have a decision square. In the others one way contains the other",
    ),
    PublishedFinding(
        "behaviour",
        "L1 logistic regression of taking the cheese on z-scored distances",
        f"{BEHAVIOUR_POST}. Of 10,000 levels 5,239 have a decision square. Accuracy is .83 to .84, the base rate "
        ".69 to .71. The strongest coefficient is that of the distance from cheese to top-right cell "
        "(euclid_cheese_corner). It is negative",
    ),
    PublishedFinding(
        "resampling",
        "channels that track the cheese, taken from another maze, against as many random channels",
        f"{POST}. With the other maze's cheese on the same cell the mean change is .88% (random channels .60%). "
        "With it on another cell the change is 1.26% (.54%). The statistic was flawed",
    ),
    PublishedFinding(
        "retargeting",
        "one activation of the channel that tracks the cheese best, clamped at a cell",
        f"{POST}. It works in the upper right and less elsewhere. It works less, the farther the cell lies from the "
        "path from the start to the top right",
    ),
    PublishedFinding(
        "paths",
        "normalized path probability to the cheese and to the top-right cell, left alone",
        f"{POST}. It shows figures and gives no number",
    ),
    PublishedFinding(
        "top-right",
        "the top-right vector added, alone and together with the cheese vector subtracted",
        f"{TOP_RIGHT_POST}. Adding attracts to the top right. Its effect and that of subtracting the cheese vector "
        "roughly add up",
    ),
    PublishedFinding(
        "probe",
        "the cheese's place read from two channels by a unit shared over all positions, and linearly",
        f"{POST} and its code. A shared (convolutional) unit on 2 channels reads the place near-perfectly in blocks 1 "
        "and 2. In block 3 it reads less well. No number is given",
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
