"""``planning.json`` and its maps: whether an agent plans, how far ahead, and where in the network its plan is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

from envs.stored.json_records import to_plain
from envs.stored.ranges import (
    AtMostOne,
    Count,
    Device,
    LevelSeed,
    Mode,
    Name,
    NonNegative,
    Number,
    Positive,
    Probability,
    RandomSeed,
)
from steering.records.sweep import CheckpointId

REVISION = 3  # of how a level is measured: rows of another one are measured again
GOALS, KINDS = ("cheese", "corner"), ("cheese", "detour")
READINGS = ("departure", "handoff", "arrival", "spread")
MAP_SIDE = 15  # blocks of a causal map


@dataclass(frozen=True)
class Share:
    """A mean over pairs or cells, pooled over mazes."""

    value: AtMostOne | None
    """The mean; null where there is nothing to take it of."""
    low: AtMostOne | None
    """Low end of its 95% bootstrap interval over mazes; null for too few mazes."""
    high: AtMostOne | None
    """High end of its interval; null for too few mazes."""


@dataclass(frozen=True)
class PairBin:
    """Answers to the pairs of one kind whose change is a certain path length away."""

    low: Count
    """Least path length, in steps, from the mouse to the nearer changed cell."""
    high: Count | None
    """Path length that is too long for this bin; null: none is."""
    pairs: Count
    """Number of pairs, 0 or more."""
    mazes: Count
    """Number of mazes that they are of."""
    right_level: Share
    """Probability of the right move in the level."""
    right_twin: Share
    """Probability of the right move in the twin."""
    other_level: Share
    """Probability, in the level, of the move that is right in the twin."""
    other_twin: Share
    """Probability, in the twin, of the move that is right in the level."""
    follows: Share
    """Share of pairs whose most likely move is right in both."""
    change: Share
    """Total variation between the moves in level and twin, 0 to 1."""
    readers: tuple[Probability | None, ...]
    """Probability that each reader of the ladder is right in both; null where there is no pair."""

    @property
    def steps(self) -> str:
        """Return its path lengths in words."""
        return steps_of(self.low, self.high)


def steps_of(low: int, high: int | None) -> str:
    """Return a bin of path lengths in words."""
    return f"{low} and more" if high is None else f"{low} to {high - 1}"


@dataclass(frozen=True)
class GoalBehaviour:
    """Next moves to one goal."""

    goal: Name
    """``cheese``, or ``corner``: the top-right cell, the cheese removed."""
    detour: tuple[PairBin, ...]
    """Detour pairs by path length, all of them last."""
    idle: tuple[PairBin, ...]
    """Idle pairs by path length, all of them last."""
    cells: Count
    """Number of cells asked about, of all mazes."""
    right: Share
    """Probability of the right move, over all cells."""
    likely: Share
    """Share of states whose most likely move is right."""
    readers: tuple[Probability, ...]
    """Probability of the right move of each reader of the ladder, over the same cells."""
    equivalent_depth: Name | None
    """Horizon of the first reader that does as well on all cells; null: none does."""
    detour_depth: Name | None
    """Horizon of the first reader that follows as many detours; null: none does, or there is no pair."""
    look_ahead: Count | None
    """Greatest path length of a pair within which detours are followed beyond idle pairs and the reader without
    look-ahead, in every bin up to there; null: in none."""


@dataclass(frozen=True)
class PatchedSite:
    """Effects of patching at one site."""

    name: Name
    """Name of the site."""
    depth: Count
    """Number of sites before it in topological order."""
    carried: tuple[Share, ...]
    """Part of the effect that each patch carries, in the order of ``patches``."""
    needed: tuple[Share, ...]
    """Part of the effect that is lost with each patch, in the order of ``patches``."""


@dataclass(frozen=True)
class PlanReading:
    """One reading of located patching."""

    name: Name
    """``departure``, ``handoff``, ``arrival`` or ``spread``."""
    site: Name | None
    """The site; null: there is none."""
    low: Name | None
    """Low end of the 95% bootstrap interval over mazes; null: no site."""
    high: Name | None
    """High end of the interval; null: no site."""
    nowhere: Probability
    """Share of the bootstrap samples in which there is no such site."""


@dataclass(frozen=True)
class LocatedBin:
    """Located patching of the pairs whose source is a certain path length away."""

    low: Count
    """Least path length, in steps, from the mouse to the source."""
    high: Count | None
    """Path length that is too long for this bin; null: none is."""
    pairs: Count
    """Number of pairs, 0 or more."""
    mazes: Count
    """Number of mazes that they are of."""
    source: tuple[Share, ...]
    """Part of the effect that the source carries, by site."""
    mouse: tuple[Share, ...]
    """Part of the effect that the mouse's place carries, by site."""
    readings: tuple[PlanReading, ...]
    """The readings of these pairs alone."""

    @property
    def steps(self) -> str:
        """Return its path lengths in words."""
        return steps_of(self.low, self.high)


@dataclass(frozen=True)
class Delay:
    """Number of sites by which a reading is later for the farthest bin than for the nearest."""

    name: Name
    """The reading."""
    near: Count
    """Least path length of the nearest bin with enough mazes."""
    far: Count
    """Least path length of the farthest."""
    sites: Number
    """Sites later, of those patched; a reading that is nowhere counts as beyond the last (departure: before the
    first)."""
    low: Number
    """Low end of its 95% bootstrap interval over mazes."""
    high: Number
    """High end of its interval."""


@dataclass(frozen=True)
class Located:
    """Located patching of one kind of pairs to one goal."""

    kind: Name
    """``cheese`` (the level without and with its cheese) or ``detour`` (the level and its twin)."""
    goal: Name
    """``cheese`` or ``corner``."""
    pairs: Count
    """Number of pairs patched."""
    mazes: Count
    """Number of mazes that they are of."""
    left_out: Count
    """Number of pairs left out because the places of source and mouse overlap."""
    apart: Share
    """Total variation between the two next moves, 0 to 1: the effect that is traced."""
    sites: tuple[PatchedSite, ...]
    """The sites, in depth order."""
    readings: tuple[PlanReading, ...]
    """The readings."""
    bins: tuple[LocatedBin, ...] = ()
    """The same by path length; none in files of earlier versions."""
    delays: tuple[Delay, ...] = ()
    """Whether what is farther away is known later; none where fewer than two bins have enough mazes."""


@dataclass(frozen=True)
class PlanningSettings:
    """The settings that determine the numbers."""

    sites: tuple[Name, ...]
    """Names of the sites patched, in depth order."""
    levels: tuple[LevelSeed, ...]
    """Seeds of the levels."""
    pairs: Count
    """Pairs wanted of each kind, goal and level, 1 or more."""
    distance: Positive
    """Cells, Chebyshev, between the mouse and every changed cell, 1 or more."""
    seed: RandomSeed
    """Seed of everything drawn at random, 0 or more."""
    mode: Mode
    """Procgen's distribution mode of the levels."""
    maps: Count = 0
    """Pairs of each kind, goal and level of which causal maps are made; 0: none."""
    device: Device = "cpu"
    """Kind of device that the network computed on."""


@dataclass(frozen=True)
class PlanningSummary:
    """All of ``planning.json``."""

    format: Name
    """Name of this format."""
    checkpoint: CheckpointId
    """The agent."""
    settings: PlanningSettings
    """The settings."""
    ladder: tuple[Name, ...]
    """Horizons of the readers, in steps; ``all`` for no limit."""
    patches: tuple[Name, ...]
    """Places that are patched, then the controls."""
    behaviour: tuple[GoalBehaviour, ...]
    """Next moves, by goal."""
    located: tuple[Located, ...]
    """Located patching, by kind and goal."""


@dataclass(frozen=True)
class MapDistance:
    """Mean distance of what blocks carry from a centre, in blocks (the larger of rows and columns)."""

    value: NonNegative | None
    """The mean, over blocks and pairs, weighted by what each block carries; null: none carries anything."""
    low: NonNegative | None
    """Low end of its 95% bootstrap interval over mazes; null for too few mazes."""
    high: NonNegative | None
    """High end of its interval; null for too few mazes."""


@dataclass(frozen=True)
class SiteMap:
    """Part of an effect that single blocks carry at one site.

    The maps have 15x15 blocks, the centre in the middle, the topmost row first. Each pair is mirrored so that the mouse
    does not lie below the source or to its left.
    """

    name: Name
    """Name of the site."""
    depth: Count
    """Number of sites before it in topological order."""
    source: tuple[tuple[AtMostOne | None, ...], ...]
    """Around the block of the source; null where no picture reaches."""
    mouse: tuple[tuple[AtMostOne | None, ...], ...]
    """Around the mouse's block."""
    together: Number | None
    """Sum over blocks of what each carries by itself; 1 where blocks add up."""
    from_source: MapDistance
    """Distance of what is carried from the source."""
    from_mouse: MapDistance
    """Distance of what is carried from the mouse."""


@dataclass(frozen=True)
class CausalMap:
    """Causal maps of one kind of pairs to one goal, averaged over pairs."""

    kind: Name
    """``cheese`` or ``detour``."""
    goal: Name
    """``cheese`` or ``corner``."""
    pairs: Count
    """Number of pairs mapped."""
    mazes: Count
    """Number of mazes that they are of."""
    around_source: tuple[tuple[Count, ...], ...]
    """Number of pairs that each block around the source is the mean of."""
    around_mouse: tuple[tuple[Count, ...], ...]
    """Number of pairs that each block around the mouse is the mean of."""
    sites: tuple[SiteMap, ...]
    """The sites, in depth order."""


@dataclass(frozen=True)
class PlanningMaps:
    """All of ``planning_maps.json``."""

    format: Name
    """Name of this format."""
    checkpoint: CheckpointId
    """The agent."""
    mode: Mode
    """Procgen's distribution mode of the levels."""
    maps: tuple[CausalMap, ...]
    """Causal maps, by kind and goal."""


def basis_of(settings: PlanningSettings, part: str, unused: Collection[str]) -> str:
    """Return a digest of all that a level's row depends on, besides the level, the agent and the device.

    Args:
        settings: of the command that measured it.
        part: name of what was measured.
        unused: names of the settings that the row does not depend on.
    """
    shared = {**to_plain(settings), "part": part, "revision": REVISION}
    shared.pop("device", None)  # a file of an earlier version names none
    for name in unused:
        del shared[name]
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


def behaviour_rows(settings: PlanningSettings, goal: str) -> tuple[str, str]:
    """Return (part, basis) of the rows in a run's database that hold the answers to the pairs of a goal."""
    part = f"behaviour {goal}"
    return part, basis_of(settings, part, ("levels", "maps", "sites"))
