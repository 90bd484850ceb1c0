"""Channels that two agents have in common, of those that carry the cheese in each: by number, and matched."""

from __future__ import annotations

from dataclasses import dataclass

from envs.stored.ranges import Count, Name, Number, Positive, Probability
from steering.records.anatomy.circuit_site import Overlap
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts


@dataclass(frozen=True)
class Common:
    """What the channels for half of the blindness of two agents have in common."""

    overlap: Overlap | None
    """The two sets; null: one of the agents has none, or needs all channels."""
    jaccard: Estimate
    """Its ``jaccard``; in each resample of the mazes, the same for both, as many channels are ranked anew."""


@dataclass(frozen=True)
class SharedChannels:
    """Channels of one agent and of the first at one site."""

    site: Name
    """Name of the site."""
    channels: Positive
    """Number of its channels."""
    numbered: Common
    """Channels with the same number are the same."""
    matched: Common
    """Channels whose activations go together are the same."""
    in_place: Probability | None
    """Share of channels matched with that of their own number, of pairs that both vary; by chance one in ``channels``;
    null: none do."""
    correlation: Number | None
    """Between matched channels that both vary, mean, on the levels that they were not matched on; null: none do."""


@dataclass(frozen=True)
class MeanShared:
    """Mean over the sites, but for the picture, where both agents have channels for half."""

    sites: Count
    """Number of these sites."""
    numbered: Estimate
    """Jaccard of channels by number."""
    matched: Estimate
    """Jaccard of matched channels."""
    chance: Probability | None
    """Jaccard of random sets of the same sizes; null without a site."""
    halves: Probability | None
    """Jaccard of the agent with itself, as two halves of the mazes rank its channels; null: as at no such site."""


@dataclass(frozen=True)
class ComparedCircuit:
    """One agent against the first."""

    of: Name
    """Name of its run."""
    mean: MeanShared
    """Over the sites."""
    sites: tuple[SharedChannels, ...]
    """Site by site, in depth order."""


@dataclass(frozen=True)
class ComparedCircuits:
    """Sub-circuits side by side: every run against the first that measured them."""

    against: Name | None
    """Name of the first run; null: none can be compared."""
    levels: Count
    """Number of levels on which channels are ranked, in each run the same ones."""
    facts: tuple[SiteFacts, ...]
    """Facts about the sites, from the first run."""
    halves: Probability | None
    """Jaccard of the first agent with itself: mean over the sites as in ``mean`` of the others."""
    arms: tuple[ComparedCircuit, ...]
    """The other runs."""
    missing: str
    """Runs that are not compared, and why; empty: none."""
