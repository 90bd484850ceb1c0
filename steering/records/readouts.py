"""``readouts.json`` and ``written_moves.json``: what is read of the next move at the mouse, and whether it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envs.stored.json_records import check_parts
from envs.stored.ranges import Count, Device, LevelSeed, Line, Mode, Name, NonNegative, Positive, RandomSeed
from steering.records.planning import GOALS, Share
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts
from steering.records.sweep import CheckpointId

WHOLE = "whole"
VIEWS = ("1x1", "3x3", "5x5", WHOLE)
"""Units around the mouse that are read, and the whole site."""
READ = "3x3"
"""Units around the mouse of the reading that is put beside the others."""
POLICY = "policy"


@dataclass(frozen=True)
class Told:
    """What one reader got right in one level, as the run's database keeps it."""

    right: dict[Name, NonNegative]
    """Frames whose move is right, by question."""
    follows: dict[Name, NonNegative]
    """Detour pairs whose move is right in both mazes, by goal."""
    swapped: dict[Name, NonNegative]
    """Pairs of which in both mazes the move is told that is right in the other one, by goal."""


@dataclass(frozen=True)
class ToldShares:
    """What one readout or reader gets right after learning from so many frames."""

    frames: Count
    """Number of frames learned from; 0: nothing is learned."""
    accuracy: dict[Name, Estimate]
    """Share of the frames asked about whose move is right, by question, 0 to 1."""
    follows: dict[Name, Estimate]
    """Share of the detour pairs whose move is right in both mazes, by goal, 0 to 1."""
    swapped: dict[Name, Estimate]
    """Share of the pairs of which in both mazes the other maze's move is told: what mere wavering gets, 0 to 1."""


@dataclass(frozen=True)
class Reader:
    """A reader without a network."""

    name: Name
    """Steps of path that it sees (``0`` to ``16``, ``all``), ``window R`` (trees on R cells around the mouse), or
    ``look around`` (the ridge regression on three cells)."""
    curve: tuple[ToldShares, ...]
    """By number of frames learned from; one entry where nothing is learned."""


@dataclass(frozen=True)
class View:
    """A readout of one site."""

    view: Name
    """Units around the mouse (``1x1``, ``3x3``, ``5x5``), or ``whole``."""
    numbers: Positive
    """Numbers of a frame that it is learned from."""
    reach: Count | None
    """Cells from the mouse up to which it can see walls; null: the whole picture, or not known."""
    reader: Name
    """The strongest reader that sees as far at least."""
    curve: tuple[ToldShares, ...]
    """By number of frames learned from, as far as it was learned."""
    gain: dict[Name, Estimate]
    """Accuracy from all frames less that from a quarter of them, by question; empty where that was not measured."""
    saturated: bool | None
    """Whether a fourfold number of frames gained next to nothing for the last time; null: not measured."""


@dataclass(frozen=True)
class ReadoutSite(SiteFacts):
    """A site, and what readouts of it tell."""

    views: tuple[View, ...]
    """Its readouts."""


@dataclass(frozen=True)
class Appearance:
    """The first site from which on something can be read. Null: nowhere."""

    what: Name
    """Goal of detours that are followed, or question whose reader is beaten."""
    view: Name
    """Units around the mouse that are read."""
    beyond: Name
    """What is exceeded: ``surroundings`` (all readers that cannot see the change), or a reader's name."""
    site: Name | None
    """First site, not affine in the pixels, that exceeds it."""
    low: Name | None
    """Shallow end of its 95% bootstrap interval over mazes."""
    high: Name | None
    """Deep end of the interval; null comes behind the last site."""
    half_site: Name | None
    """First site with at least half of the largest gain; null where ``site`` is."""
    half_low: Name | None
    """Shallow end of its interval."""
    half_high: Name | None
    """Deep end of its interval."""


@dataclass(frozen=True)
class ReadoutSettings:
    """The settings that determine the numbers."""

    levels: tuple[LevelSeed, ...]
    """Seeds of the levels asked about."""
    states: Positive
    """Frames asked about of each level."""
    pairs: Positive
    """Detour pairs wanted of each goal and level."""
    distance: Positive
    """Cells, Chebyshev, between the mouse and every changed cell."""
    frames: tuple[Positive, ...]
    """Numbers of frames learned from, rising."""
    seed: RandomSeed
    """Seed of everything drawn at random."""
    mode: Mode
    """Procgen's distribution mode of the levels."""
    device: Device = "cpu"
    """Kind of device that the network computed on."""


@dataclass(frozen=True)
class ReadoutSummary:
    """All of ``readouts.json``."""

    format: Name
    """Name of this format."""
    checkpoint: CheckpointId
    """The agent."""
    settings: ReadoutSettings
    """The settings."""
    versions: dict[Name, Name]
    """Versions of the packages that the numbers depend on."""
    asked: dict[Name, Count]
    """Frames that each question is asked about."""
    pairs: dict[Name, Count]
    """Detour pairs, by goal."""
    agent: ToldShares
    """What the policy's own most likely move gets right."""
    readers: tuple[Reader, ...]
    """Readers without a network: the ladder, the windows, the look around."""
    sites: tuple[ReadoutSite, ...]
    """In depth order, the input first."""
    detours: tuple[Appearance, ...]
    """From which site on a readout at the mouse follows detours, by goal and view."""
    moves: tuple[Appearance, ...]
    """From which site on a readout at the mouse (3x3) tells next moves better than each reader."""
    rule: Line
    """The rule in words."""


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
    """Share of next moves that the readout gets right, of mazes that it did not learn from."""
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
    device: Device = "cpu"
    """Kind of device that the network computed on."""


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


WRITTEN_PLACES, WRITTEN_DIRECTIONS = ("mouse", "map"), ("readout", "means")


def check_readouts(found: ReadoutSummary, where: object, remedy: str) -> None:
    """Raise :class:`InputError` in one line if the parts of ``found`` do not belong together."""
    check_parts(_readout_parts(found), where, remedy)


def _readout_parts(found: ReadoutSummary) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of ``readouts.json``, what they are, and what they must be."""
    sizes = found.settings.frames
    yield "settings: frames", (bool(sizes), list(sizes)), (True, sorted(set(sizes)))
    yield "asked: cheese", "cheese" in found.asked, True
    yield "pairs: goals", [goal for goal in found.pairs if goal not in GOALS], []
    yield "goals of detours", [row.what for row in found.detours if row.what not in GOALS], []
    yield "any site with all views", any(len(site.views) == len(VIEWS) for site in found.sites), True
    for reader in found.readers:
        yield f"reader {reader.name!r}: name and curve", (bool(reader.name), bool(reader.curve)), (True, True)
    for site in found.sites:
        views = [view.view for view in site.views]
        yield f"{site.name}: views", views, [view for view in VIEWS if view in views]
        for view in site.views:
            learned = [share.frames for share in view.curve]
            yield f"{site.name}, {view.view}: frames", learned, [size for size in sizes if size in learned]


def check_written(found: WrittenSummary, where: object, remedy: str) -> None:
    """Raise :class:`InputError` in one line if the parts of ``found`` do not belong together."""
    check_parts(_written_parts(found), where, remedy)


def _written_parts(found: WrittenSummary) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of ``written_moves.json``, what they are, and what they must be."""
    strengths = list(found.settings.strengths)
    yield "settings: any strength", bool(strengths), True
    yield "settings: any site", bool(found.settings.sites), True
    yield "sites", tuple(site.name for site in found.sites), found.settings.sites
    for site in found.sites:
        places = [part.place for part in site.places]
        yield f"{site.name}: the whole site", "map" in places, True
        yield f"{site.name}: places", places, [place for place in WRITTEN_PLACES if place in places]
        for part in site.places:
            name = f"{site.name}, {part.place}"
            own = [each.name for each in part.directions if each.name in WRITTEN_DIRECTIONS]
            yield f"{name}: directions", own, list(WRITTEN_DIRECTIONS)
            for each in part.directions:
                given = [effect.strength for effect in each.effects]
                yield f"{name}, {each.name}: strengths", given, strengths
                beyond = {effect.beyond is not None for effect in each.effects}
                yield f"{name}, {each.name}: beyond controls", beyond, {each.name in WRITTEN_DIRECTIONS}
