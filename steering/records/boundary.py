"""Boundaries, as the files of a run and ``index.json`` of several keep them: the site up to which a rule holds.

An end of an interval (``low``, ``high``) is that of a 95% bootstrap interval over mazes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from envs.stored.ranges import AtMostOne, Digest, FileName, Line, Name, Number
from steering.statistics.boundary import Reach, ThresholdPair


@dataclass(frozen=True)
class ThresholdUsed:
    """A threshold of blindness or of competence."""

    threshold: Number
    """Least value asked of every site up to the boundary."""


@dataclass(frozen=True)
class ThresholdReach(Reach, ThresholdUsed):
    """The boundary under one threshold."""

    affine: bool | None
    """Whether its site is free (see :class:`SiteFacts`); null: nowhere, or not known."""


@dataclass(frozen=True)
class Weighting:
    """A way to weigh the states of a maze in blindness."""

    weighting: Name
    """Its name: ``visits``, or the cells between mouse and cheese, such as ``3-5 cells``."""


@dataclass(frozen=True)
class WeightedReach(Reach, Weighting):
    """The boundary by the blindness of some states, with the competence of the whole policy."""


@dataclass(frozen=True)
class ControlReading:
    """Blindness of a control at one site."""

    site: Name
    """The site's name."""
    blindness: AtMostOne
    """Blindness of the control there, at most 1."""
    low: Number
    """Low end of its interval."""
    high: AtMostOne
    """High end of its interval, at most 1."""


@dataclass(frozen=True)
class ControlSummary:
    """Blindness under one control."""

    there: ControlReading | None
    """At the boundary; null: no boundary, or blindness is not defined."""
    most: ControlReading | None
    """Reading at the site where it blinds most, of the trunk sites that are not free; null: no such site."""
    reach: Reach
    """Depth up to which its blindness reaches the threshold of the boundary."""
    change: Reach
    """Change-point of its curve of blindness."""


@dataclass(frozen=True)
class BoundarySummary:
    """Up to which site subtraction works; all null, and the curves empty, without a trunk site swept."""

    site: Name | None
    """Last trunk site where subtraction works; null: nowhere."""
    next_site: Name | None
    """First trunk site where it does not; null: it works at every site swept."""
    low: Name | None
    """Low end of the interval of ``site``; null: nowhere."""
    high: Name | None
    """High end of the interval of ``site``; null: nowhere."""
    change_site: Name | None
    """Last site before the change-point of the blindness curve; null: the curve does not surely fall."""
    change_low: Name | None
    """Low end of its interval."""
    change_high: Name | None
    """High end of its interval."""
    blindness_alone: Reach
    """The same rule with competence not asked for."""
    rule: Line | None
    """The rule in words; null: no trunk site was swept under subtraction, so there is no boundary."""
    thresholds: ThresholdPair
    """Those of the rule."""
    affine: bool | None
    """Whether ``site`` is free (see :class:`SiteFacts`); null: nowhere, or not known."""
    by_threshold: dict[Name, Name | None]
    """The boundary (null: nowhere) under other blindness thresholds, by threshold (``0.05`` to ``0.95``)."""
    threshold_curve: tuple[ThresholdReach, ...]
    """The same with intervals, by blindness threshold."""
    competence_curve: tuple[ThresholdReach, ...]
    """The boundary by competence threshold."""
    controls: dict[Name, ControlSummary]
    """Controls by condition, as far as swept."""
    moved: Reach | None = None
    """Depth up to which moving the cheese reaches the threshold of blindness; null: not swept."""
    weightings: tuple[WeightedReach, ...] = ()
    """The boundary with states weighed by visits, and of those at each distance from the cheese alone, where known."""


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
    """All of ``index.json``: the runs of a folder of several, one for each checkpoint."""

    format: Name
    """Name of this format."""
    checkpoints: tuple[Name, ...]
    """Names of all checkpoints asked for, finished or not."""
    runs: tuple[IndexedRun, ...]
    """The runs that are finished."""
