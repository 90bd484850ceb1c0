"""How far from orthogonal the cheese vectors of different cells are at one site, and what chance predicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envs.stored.ranges import Count, Name, NonNegative, Positive, Probability
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts

RMS, MEDIAN, LARGEST = "rms", "median", "largest"
COSINES = (RMS, MEDIAN, LARGEST)
"""What is said of the sizes of cosines: root mean square, median and largest."""


@dataclass(frozen=True)
class Compared:
    """One number about the sizes of cosines between the vectors of a level's cells, beside what chance predicts."""

    what: Name
    """``rms``, pooled over pairs; ``median`` or ``largest``, mean over mazes."""
    measured: Estimate
    """The number measured, 0 to 1."""
    random: Probability | None
    """The same of random directions in as many dimensions as the site has; null: no formula, or nothing measured."""
    ratio: Estimate
    """``measured`` over ``random``: 1 for random directions, 0 for orthogonal ones."""
    random_effective: Probability | None
    """The same of random directions in the effective dimension; null: also where that is not defined."""
    ratio_effective: Estimate
    """``measured`` over ``random_effective``."""


@dataclass(frozen=True)
class ByDistance:
    """Cosines of the vectors of cells that lie so far from each other."""

    low: Positive
    """Least distance, in cells, Chebyshev."""
    high: Positive | None
    """Distance that is too large for this bin; null: none is."""
    pairs: Count
    """Number of pairs of cells."""
    rms: Estimate
    """Root mean square of the cosines, 0 to 1."""


@dataclass(frozen=True)
class SetsRead:
    """Sets of vectors that are read from their sum."""

    size: Positive
    """Vectors in a set."""
    sets: Count
    """Number of sets; 0: no maze has enough vectors."""
    right: Estimate
    """Share of the sets that are read, 0 to 1."""
    random: Estimate
    """Share that is read of sets of random directions, as long as the vectors, 0 to 1."""


@dataclass(frozen=True)
class MeanVectors:
    """The means over levels of the cheese vectors of cells of the picture. Intervals: groups of levels left out."""

    cells: Positive
    """Number of cells."""
    levels: NonNegative
    """Levels in which a cell is free, mean over cells."""
    same: Estimate
    """Cosine of a cell's means over two halves of the levels, mean over cells; 1: all levels have the same vector."""
    other: Estimate
    """The same of two different cells: what all cells share."""
    recognised: Estimate
    """Share of cells whose mean over one half is nearest to their own over the other, by cosine, among all cells."""
    raw: tuple[Compared, ...]
    """Of the means: root mean square, median, largest."""
    centred: tuple[Compared, ...]
    """Of the means less their mean over cells."""
    distances: tuple[ByDistance, ...]
    """Of the means, by the distance between cells."""
    sets: tuple[SetsRead, ...]
    """What is read of sums, by the size of the set."""


@dataclass(frozen=True)
class InterferenceSite(SiteFacts):
    """A site, and the angles between the cheese vectors of a level's cells there."""

    dimension: Positive
    """Numbers in a vector."""
    effective: Estimate
    """Participation ratio of the activations over states of the mouse, mean over mazes, 1 or more."""
    cells: NonNegative
    """Vectors of a maze that have a direction, mean over mazes."""
    could_be_orthogonal: bool
    """Whether no maze has more vectors than the site has dimensions."""
    bound: Probability | None
    """Interference that so many directions never need, by the Johnson-Lindenstrauss bound; null: no vectors."""
    bound_effective: Probability | None
    """The same in the effective dimension; null: that is not defined."""
    raw: tuple[Compared, ...]
    """Of the vectors: root mean square, median, largest."""
    centred: tuple[Compared, ...]
    """Of the vectors less their mean over the maze's cells."""
    distances: tuple[ByDistance, ...]
    """Of the vectors, by the distance between cells."""
    sets: tuple[SetsRead, ...]
    """What is read of sums, by the size of the set."""
    means: MeanVectors | None = None
    """The same of means over levels; null: no two cells are free in enough levels, or an earlier version."""

    @property
    def interference(self) -> Compared:
        """Return the site's one number: the root mean square of its cosines beside that of random directions."""
        return self.raw[0]


def interference_parts(
    found: tuple[InterferenceSite, ...], names: tuple[str, ...]
) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of these sites, what they are, and what they must be; ``names`` are those of the sites."""
    yield "interference: sites", tuple(site.name for site in found), names
    for site in found:
        for name, compared in (("raw", site.raw), ("centred", site.centred)):
            yield f"{site.name}: {name}", [each.what for each in compared], list(COSINES)
        first = found[0]
        bins = [(each.low, each.high) for each in first.distances]
        yield f"{site.name}: distances", [(each.low, each.high) for each in site.distances], bins
        yield f"{site.name}: sets", [each.size for each in site.sets], [each.size for each in first.sets]
