"""``index.json``: the runs of a folder of several, one for each checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from envs.stored.ranges import AtMostOne, Digest, FileName, Name
from steering.records.boundary import BoundarySummary


@dataclass(frozen=True, kw_only=True)
class IndexedRun:
    """One finished run of the folder."""

    name: Name
    """Name of its checkpoint."""
    sha256: Digest | None = None
    """Digest of the checkpoint's bytes, 64 hexadecimal digits; null: not recorded."""
    directory: FileName
    """Its directory, from the folder."""
    boundary: BoundarySummary | None = None
    """Up to which site subtraction works; null: not recorded."""
    blindness: dict[Name, AtMostOne | None] = field(default_factory=dict)
    """Blindness of subtraction by site, 1 or less; null where the cheese changes nothing."""


@dataclass(frozen=True)
class RunIndex:
    """All of ``index.json``."""

    format: Name
    """Name of this format."""
    checkpoints: tuple[Name, ...]
    """Names of all checkpoints asked for, finished or not."""
    runs: tuple[IndexedRun, ...]
    """The runs that are finished."""
