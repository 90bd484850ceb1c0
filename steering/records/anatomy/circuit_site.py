"""How few channels of a site carry the cheese, and how few can be removed for all levels at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envs.stored.ranges import Count, Name, Positive, Probability
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts

HALF, NINE_TENTHS = 0.5, 0.9
SHARES = (HALF, NINE_TENTHS)
"""Shares of the full blindness that sets of channels are looked for."""
FALLS = (0.1, 0.25, 0.5)
"""Shares of what the cheese changes that removed channels are to take."""
SIZES = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Numbers of channels for which blindness is measured, beside all of a site."""
COMPETENCE_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Those of them at which competence is measured, too, beside the numbers for :data:`SHARES`."""
HELD = 0.02
"""Most that P(top-right) without the cheese may change for competence to hold."""


@dataclass(frozen=True)
class SizedSet:
    """Blindness when the vector is subtracted in so many channels."""

    size: Positive
    """Number of channels."""
    ranked: Estimate
    """Of the channels that gain most blindness alone, by the other half of the mazes."""
    norm: Estimate
    """Of the channels in which the vector is largest, by the other half of the mazes."""
    random: Estimate
    """Of channels drawn at random for each maze."""
    greedy: Estimate
    """Of channels each taken because it leaves least beside those before, on the other half; null: not so many are."""
    competence: Estimate | None = None
    """Competence with the vector subtracted in so many ranked channels; null: not measured at this number."""


@dataclass(frozen=True)
class Needed:
    """Number of channels that a share of the full blindness takes."""

    share: Probability
    """The share."""
    ranked: Estimate
    """Channels, ranked by the blindness that each gains alone; null: all of them give next to none."""
    norm: Estimate
    """Channels, ranked by norm."""
    random: Estimate
    """Channels, drawn at random."""
    greedy: Estimate
    """Channels, found greedily; null: the number is larger than the channels taken, or nothing is looked for."""
    competence: Estimate
    """Competence with the vector subtracted in so many ranked channels."""


@dataclass(frozen=True)
class Removed:
    """A set of channels that are set to constants for all levels at once."""

    fall: Probability
    """Share of what the cheese changes that it was to take, on the half of the mazes on which it was found."""
    channels: tuple[Count, ...]
    """The channels, the most useful first."""
    left: Estimate
    """What is left of the change on the other half, 1: all."""
    random: Estimate
    """The same with as many channels drawn at random."""
    region: Estimate
    """P(top-right) without the cheese, with the channels removed less without, -1 to 1."""

    @property
    def holds(self) -> bool:
        """Return whether competence holds: P(top-right) changes by no more than :data:`HELD`."""
        return self.region.value is not None and abs(self.region.value) <= HELD


@dataclass(frozen=True)
class Overlap:
    """Channels that two sets have in common."""

    sizes: tuple[Positive, Positive]
    """Channels in each."""
    shared: Count
    """Channels in both."""
    jaccard: Probability
    """``shared`` over channels in either."""
    chance: Probability
    """Mean of ``jaccard`` for sets of these sizes drawn at random."""
    p: Probability
    """Chance that so drawn sets have as many channels in common, or more."""


@dataclass(frozen=True)
class CircuitSite(SiteFacts):
    """A site, and how few of its channels do what all of them do."""

    channels: Positive
    """Number of channels: feature maps, or units of a layer without any."""
    space: Name
    """First site whose channels are these: pooling, ReLU and residual sums do not mix them."""
    full: Estimate
    """Blindness with the vector subtracted in all channels."""
    ranking: tuple[Count, ...]
    """Channels by the blindness that each gains alone, on the half of the mazes on which they are ranked."""
    sets: tuple[SizedSet, ...]
    """Blindness by the number of channels."""
    needed: tuple[Needed, ...]
    """Channels for half and nine tenths of the full blindness."""
    halves: Overlap | None
    """Channels for half, as each half of the mazes ranks them; null: there are none, or all are needed."""
    before: Overlap | None
    """Channels for half here and at the site before in the same space; null: there are none, or all are needed."""
    removed: tuple[Removed, ...]
    """Sets removed for all levels, the least fall first."""
    region_random: Estimate
    """``region`` of the last set with as many channels drawn at random."""

    @property
    def half(self) -> Needed:
        """Return the site's one number: how many channels give half of the full blindness."""
        return self.needed[0]


def circuit_parts(found: tuple[CircuitSite, ...], names: tuple[str, ...]) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of these sites, what they are, and what they must be; ``names`` are those of the sites."""
    own = tuple(site.name for site in found)
    yield "circuit: sites", own, tuple(name for name in names if name in own)
    for site in found:
        yield f"{site.name}: ranking", sorted(site.ranking), list(range(site.channels))
        measured = [each.size for each in site.sets]
        yield f"{site.name}: sets", measured, [*(size for size in SIZES if size < site.channels), site.channels]
        yield f"{site.name}: needed", [each.share for each in site.needed], list(SHARES)
        yield f"{site.name}: removed", [each.fall for each in site.removed], list(FALLS)
