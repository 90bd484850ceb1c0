"""Whether 'A with cheese, less A, plus B' is B with cheese, at one site and over depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envs.stored.ranges import Count, Name, NonNegative, Positive
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts

EUCLIDEAN, COSINE, CENTRED = "euclidean", "cosine", "cosine, centred"
MEASURES = (EUCLIDEAN, COSINE, CENTRED)
"""What nearest means; centred: less the mean of B's activations over the cells that its cheese is put on."""
GUESS, ALONE, RANDOM = "guess", "alone", "random"
GUESSES = (GUESS, ALONE, RANDOM)
"""Guesses of the target: the analogy's; ``a(B)`` alone; ``a(B)`` and a random vector as long as A's."""
DEPTH, DIMENSIONS, EFFECTIVE = "depth", "dimensions", "effective dimension"
TRENDS = (DEPTH, DIMENSIONS, EFFECTIVE)
"""What the rate of analogies that hold is compared with, over the distinct sites of the trunk."""


@dataclass(frozen=True)
class Ranked:
    """Where the targets of one kind of guess stand among their candidates, by one measure of nearness."""

    guess: Name
    """One of :data:`GUESSES`."""
    measure: Name
    """One of :data:`MEASURES`."""
    top: Estimate
    """Share of targets that are nearest, the three inputs among the candidates, 0 to 1."""
    top_excluding: Estimate
    """The same without the inputs."""
    rank: Estimate
    """Mean rank, the inputs among the candidates; 1: the nearest."""
    rank_excluding: Estimate
    """The same without the inputs."""
    nearer: Estimate
    """Share of the other cells of B that are nearer than the target, 0 to 1; 0.5 by chance."""


@dataclass(frozen=True)
class Group:
    """The analogies of some cells, by Euclidean distance."""

    low: Count
    """Least distance of the cell from B's mouse, in cells, Chebyshev."""
    high: Positive | None
    """Distance that is too large; null: none is."""
    analogies: Count
    """Number of them."""
    top: Estimate
    """Share of targets that are nearest, the inputs among the candidates, 0 to 1."""
    top_excluding: Estimate
    """The same without the inputs."""


@dataclass(frozen=True)
class Nearest:
    """Which candidate is nearest to the guess, by Euclidean distance, the inputs among them: shares that sum to 1."""

    target: Estimate
    """B with cheese on the cell."""
    other_cell: Estimate
    """B with cheese on another cell."""
    here: Estimate
    """B without cheese."""
    there: Estimate
    """A with cheese on the cell, or A without."""


@dataclass(frozen=True)
class AnalogySite(SiteFacts):
    """A site, and what comes of analogies there."""

    dimension: Positive
    """Numbers in a vector."""
    effective: Estimate
    """Participation ratio of the activations over states of the mouse, mean over mazes, 1 or more."""
    analogies: Count
    """Number of analogies: a maze B, a partner A, a cell free in both."""
    candidates: NonNegative
    """Candidates of an analogy, the inputs among them, mean over mazes."""
    ranks: tuple[Ranked, ...]
    """By guess, and within a guess by measure."""
    nearest: Nearest
    """What is nearest to the guess."""
    left: Estimate
    """Squared distance from guess to target, relative to that from B without cheese: 0 exact, 1 no nearer."""
    distances: tuple[Group, ...]
    """By the distance of the cell from B's mouse."""
    same_start: Group
    """Of partners whose mouse starts on the same pixels as B's."""
    behaviour: Estimate
    """Share of the cheese's effect on the policy that A's vector has, at most 1: 1 all, 0 none, less: it misleads."""
    behaviour_other: Estimate
    """The same with A's vector of another cell."""

    @property
    def holds(self) -> Estimate:
        """Return the site's one number: the share of targets that are nearest of all, the inputs among them."""
        return self.ranks[0].top


@dataclass(frozen=True)
class Trend:
    """How the rate of analogies that hold goes with one thing, over the distinct sites of the trunk."""

    what: Name
    """One of :data:`TRENDS`."""
    correlation: Estimate
    """Rank correlation, -1 to 1."""
    alone: Estimate
    """Partial rank correlation: of dimensions at equal depth, of depth at equal effective dimension."""


@dataclass(frozen=True)
class AnalogySummary:
    """The part ``analogy``."""

    sites: tuple[AnalogySite, ...]
    """In depth order."""
    partners: Positive
    """Most partners of a maze."""
    cells: Positive
    """Most cells of a partner."""
    states: Positive
    """States of the mouse that behaviour is compared in."""
    trends: tuple[Trend, ...]
    """By what: depth, dimensions, effective dimension."""


def analogy_parts(found: AnalogySummary, names: tuple[str, ...]) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of these sites, what they are, and what they must be; ``names`` are those of the sites."""
    yield "analogy: sites", tuple(site.name for site in found.sites), names
    yield "analogy: trends", [each.what for each in found.trends], list(TRENDS)
    kinds = [(guess, measure) for guess in GUESSES for measure in MEASURES]
    for site in found.sites:
        yield f"analogy, {site.name}: ranks", [(each.guess, each.measure) for each in site.ranks], kinds
        bins = [(each.low, each.high) for each in found.sites[0].distances]
        yield f"analogy, {site.name}: distances", [(each.low, each.high) for each in site.distances], bins
