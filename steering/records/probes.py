"""``probes.json``: what probes read at each site, and where next moves appear and the cheese's cell is lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from envs.errors import InputError, shown
from envs.stored.ranges import Count, Device, LevelSeed, Line, Mode, Name, Number, Positive, RandomSeed
from steering.records.sites import SiteFacts
from steering.records.sweep import CheckpointId

# Names of what is asked about next moves, and of the curves in ``tallies``.
QUESTIONS = ("cheese", "cheese apart", "corner", "policy")
SHUFFLED, SURROUNDINGS = " shuffled", " surroundings"
CELL, CELL_SHUFFLED, INTERACTION = "cell", "cell shuffled", "interaction"
KERNELS = ("1x1", "3x3")

# Of one site for each maze, or (sites outermost) of every site for each maze.
Sums = tuple[Number | tuple[Number, ...], ...]


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95% bootstrap interval over mazes."""

    value: Number | None
    """The statistic of the mazes as they are; null where not defined (nothing to ask)."""
    low: Number | None
    """Lower end of the interval; null where no resample defines the statistic."""
    high: Number | None
    """Upper end of the interval; null where no resample defines the statistic."""


@dataclass(frozen=True)
class MoveReadings:
    """Readings of one site's linear probe for one kind of next move, on mazes that it did not learn from."""

    accuracy: Estimate
    """Share of the frames asked about whose move is right, 0 to 1."""
    balanced: Estimate
    """Mean over the moves of the share that is right where this move is the true one, 0 to 1."""
    control: Estimate
    """``accuracy`` of probes learned on shuffled labels, mean over the draws, 0 to 1."""
    above_pixels: Estimate
    """``accuracy`` less that of the same probe on the pixels, -1 to 1."""
    above_control: Estimate
    """``accuracy`` less ``control``, -1 to 1."""
    above_surroundings: Estimate
    """``accuracy`` less what a look around the mouse tells without any network, -1 to 1."""


@dataclass(frozen=True)
class CellReadings:
    """Readings of one site's linear probe for the cheese's cell, on mazes that it did not learn from."""

    r2: Estimate
    """Variance of the cell explained, against the mean cell of the frames learned from; at most 1."""
    control_r2: Estimate
    """``r2`` of probes learned on shuffled labels; at most 1."""
    median_error: Estimate
    """Median distance between cheese and guess, in cells."""
    control_error: Estimate
    """``median_error`` of probes learned on shuffled labels (root mean square over the draws), in cells."""
    mean_cell_error: Estimate
    """Median distance between the cheese and the mean cell of the frames learned from, in cells."""


@dataclass(frozen=True)
class MapReadings:
    """Readings of a linear unit, shared over all positions of a feature map, that should light up on the cheese."""

    hits: Estimate
    """Share of the frames whose largest answer is where the cheese is, 0 to 1."""
    distance: Estimate
    """Mean distance between the cheese and the largest answer, in cells."""
    control_hits: Estimate
    """``hits`` of units learned on shuffled labels, 0 to 1."""
    control_distance: Estimate
    """``distance`` of units learned on shuffled labels, in cells."""


@dataclass(frozen=True)
class ProbedSite(SiteFacts):
    """A site, and what the probes of its activations tell."""

    moves: dict[Name, MoveReadings]
    """By name of the question (:func:`steering.probes.summary.probe_questions`)."""
    cell: CellReadings
    """Readings of the linear probe for the cheese's cell."""
    map: dict[Name, MapReadings] | None
    """By side of the neighbourhood that the unit sees (``1x1``, ``3x3`` positions); null where the site is no map."""


@dataclass(frozen=True)
class VectorReadings:
    """Cheese vectors at other positions of the mouse against the one at the start, pooled over states."""

    states: Count
    """Number of states."""
    mazes: Count
    """Number of mazes that have such states."""
    cosine: Estimate
    """Mean cosine between both vectors, where both have a length; -1 to 1."""
    norm_ratio: Estimate
    """Summed norms of the vectors here over those at the start; 1: as long as there."""
    interaction: Estimate
    """Summed norms of the difference of both over those of the vectors here; 0: the same vector everywhere."""


@dataclass(frozen=True)
class StateBin:
    """States of one distance on one side of the receptive field."""

    distance: Count
    """Least path length from the start in this bin, in moves (0 or more)."""
    outside: bool
    """Whether mouse and cheese are further apart than the receptive field of a unit reaches."""


@dataclass(frozen=True)
class VectorBin(VectorReadings, StateBin):
    """:class:`VectorReadings` of the states of one bin."""


@dataclass(frozen=True)
class SiteVectors:
    """Dependence of one site's cheese vector on the mouse's cell."""

    name: Name
    """The site."""
    inside: VectorReadings | None
    """Readings of the states where a unit sees mouse and cheese together; null where there are none."""
    outside: VectorReadings | None
    """Readings of all other states, where a vector cannot depend on the mouse; null where there are none."""
    by_distance: tuple[VectorBin, ...]
    """By path length from the start, and inside before outside; only bins that have states."""


@dataclass(frozen=True)
class NextMoveBoundary:
    """From which site on one kind of next move can be read beyond all baselines. Null: nowhere."""

    site: Name | None
    """First site, not affine in the pixels, that beats pixels, shuffled labels and surroundings."""
    low: Name | None
    """Shallow end of its 95% bootstrap interval over mazes."""
    high: Name | None
    """Deep end of the interval; null comes behind the last site."""
    half_site: Name | None
    """First site with at least half of the largest gain over the best baseline; null where ``site`` is."""
    half_low: Name | None
    """Shallow end of its interval."""
    half_high: Name | None
    """Deep end of its interval."""
    rule: Line | None
    """The rule in words; null where there is nothing to ask: no frame, or no site known not to be affine."""


@dataclass(frozen=True)
class CellBoundary:
    """Sites where the cheese's cell can be read linearly, and the site behind which it is lost."""

    first: Name | None
    """First site that holds the cell; null: no site does, and then all places below are null."""
    first_low: Name | None
    """Shallow end of its 95% bootstrap interval over mazes."""
    first_high: Name | None
    """Deep end of its interval; null comes behind the last site."""
    best: Name | None
    """Site with the most variance explained of those that hold the cell."""
    best_low: Name | None
    """Shallow end of its interval, over resamples with a site that holds the cell."""
    best_high: Name | None
    """Deep end of its interval, over resamples with a site that holds the cell."""
    lost: Name | None
    """Site behind the last that holds the cell; null where the last site asked still does."""
    lost_low: Name | None
    """Shallow end of its interval."""
    lost_high: Name | None
    """Deep end of its interval; null: the last site asked still holds it."""
    rule: Line
    """The rule in words."""


@dataclass(frozen=True)
class DecodingBoundary:
    """The boundary as decoding has it: where next moves appear, and where the cheese's cell is lost."""

    next_move: dict[Name, NextMoveBoundary]
    """By name of the question (:func:`steering.probes.summary.probe_questions`)."""
    cell: CellBoundary
    """Boundary of the cheese's cell."""


@dataclass(frozen=True)
class RepresentationalBoundary:
    """Up to which trunk site the cheese vector of the start holds at other positions. Null: nowhere."""

    site: Name | None
    """Deepest trunk site up to which the interaction inside the receptive field is small enough everywhere."""
    next_site: Name | None
    """The trunk site behind it; null where ``site`` is the last one asked."""
    low: Name | None
    """Shallow end of the 95% bootstrap interval of ``site`` over mazes."""
    high: Name | None
    """Deep end of its interval."""
    change_site: Name | None
    """Last site before the change-point of 1 - interaction; null where the curve does not surely fall."""
    change_low: Name | None
    """Shallow end of its interval."""
    change_high: Name | None
    """Deep end of its interval."""
    rule: Line | None
    """The rule in words; null where no trunk site was asked, and then all of these are."""


@dataclass(frozen=True)
class ProbeBoundaries:
    """The two readings of the boundary that probes give."""

    decoding_boundary: DecodingBoundary
    """Sites where next moves appear, and where the cheese's cell is lost."""
    representational_boundary: RepresentationalBoundary
    """Up to which site the cheese vector of the start holds at other positions."""


class TallySums(NamedTuple):
    """The sums of each maze behind one curve over depth, which is the ratio of both; in JSON a list of two."""

    top: Sums
    """``[sites][mazes]``, or ``[mazes]`` where it is the same at all sites."""
    bottom: Sums
    """``[sites][mazes]``, or ``[mazes]`` where it is the same at all sites."""


@dataclass(frozen=True)
class ProbeReadings:
    """Frames and settings of a probing, and the readings at each site."""

    format: Name
    """Name and version of this file's format: ``mazesteer-probes-5``."""
    checkpoint: CheckpointId
    """The agent whose activations were read."""
    levels: tuple[LevelSeed, ...]
    """Level seeds of the mazes, in the order of ``tallies``."""
    states: Positive
    """Frames asked for of each maze, at least 1."""
    frames: Count
    """Frames in all; fewer than ``states`` a maze where a maze has not as many."""
    seed: RandomSeed
    """Seed of every random draw."""
    mode: Mode
    """Procgen's distribution mode: ``hard`` or ``easy``."""
    shuffles: Count
    """Draws of shuffled labels."""
    versions: dict[Name, Name]
    """Versions of the packages that the numbers depend on."""
    asked: dict[Name, Count]
    """Frames that each question is asked about, by its name."""
    majority: dict[Name, Estimate]
    """Share that the most frequent move of the frames learned from gets right, by question; 0 to 1."""
    surroundings: dict[Name, Estimate]
    """Share that a look around the mouse gets right, without any network, by question; 0 to 1."""
    sites: tuple[ProbedSite, ...]
    """In depth order, the input first."""
    representation: tuple[SiteVectors, ...]
    """Cheese vectors by position, for each of ``sites`` in the same order."""


@dataclass(frozen=True)
class ProbeSummary(ProbeBoundaries, ProbeReadings):
    """Everything in ``probes.json``."""

    tallies: dict[Name, TallySums]
    """By name of a curve (:mod:`steering.probes.curves`): with these, mazes and agents can be drawn anew."""
    device: Device = "cpu"
    """Kind of device that the network computed on."""


def check_probes(found: ProbeSummary, where: object, remedy: str) -> None:
    """Raise :class:`InputError` in one line if the parts of ``found`` do not belong together."""
    curves = [name + end for name in QUESTIONS for end in ("", SHUFFLED, SURROUNDINGS)]
    named: dict[str, tuple[Iterable[str], Iterable[str]]] = {
        name: (getattr(found, name), QUESTIONS) for name in ("asked", "majority", "surroundings")
    }
    named["decoding_boundary.next_move"] = (found.decoding_boundary.next_move, QUESTIONS)
    named["representation"] = ([site.name for site in found.representation], [site.name for site in found.sites])
    named["tallies"] = (found.tallies, [*curves, CELL, CELL_SHUFFLED, INTERACTION])
    for site in found.sites:
        named[f"sites: {site.name}: moves"] = (site.moves, QUESTIONS)
        named[f"sites: {site.name}: map"] = (KERNELS if site.map is None else site.map, KERNELS)
    for name, (own, expected) in named.items():
        if sorted(own) != sorted(expected):
            raise InputError(f"{where}: {name}: expected {shown(list(expected))}, got {shown(list(own))}; {remedy}")
    mazes, sites = len(found.levels), len(found.sites)
    for name, sums in found.tallies.items():
        for part in sums:
            rows = [row for row in part if isinstance(row, tuple)]
            if [len(row) for row in rows] != [mazes] * (sites if rows else 0) or len(part) != (len(rows) or mazes):
                raise InputError(
                    f"{where}: tallies: {name}: expected {mazes} numbers, or so many at each of {sites} sites; {remedy}"
                )
