"""What was measured of one level, as the run's database keeps it; distances are means over the maze's states."""

from __future__ import annotations

from dataclasses import dataclass

from envs.stored.ranges import Count, Name, NonNegative, Number, Positive, Probability
from steering.anatomy.circuit.states import DrawnStates

BASIS = {"revision": 2}  # of how a level is measured: rows of another one are measured again
SINGLES, POINTS = "singles", "points"  # names of passes that comparisons of agents read
STATES, PLACES = 8, 2  # of a level, and of a state: where all channels of a site are looked at
POINTS_BASIS = {"revision": 1, "states of points": STATES, "places of points": PLACES}


@dataclass(frozen=True)
class SinglesSite:
    """The channels of one site, one by one."""

    alone: tuple[NonNegative, ...]
    """Distance to the policy without cheese when the vector is subtracted in the channel alone."""
    squares: tuple[NonNegative, ...]
    """Squared norm of the vector in the channel."""
    means: tuple[Number, ...]
    """Activation of the channel without the cheese, mean over its places and the maze's states."""


@dataclass(frozen=True)
class SinglesRow:
    """One level's states, and its channels one by one."""

    states: DrawnStates
    """The states that stand for the maze in all passes."""
    clean: NonNegative
    """Distance between the policies with and without the cheese, left alone."""
    sites: dict[Name, SinglesSite]
    """By name of the site."""


@dataclass(frozen=True)
class PointsRow:
    """Activations of one level at points drawn by (seed, level), the same for all agents."""

    sites: dict[Name, tuple[tuple[Number, ...], ...]]
    """By name of the site and by channel: one number a point, to four digits."""


@dataclass(frozen=True)
class RemovedSite:
    """Channels of one site set to constants, one by one or in sets."""

    left: tuple[NonNegative, ...]
    """Distance between the policies with and without the cheese, both edited."""
    damage: tuple[NonNegative, ...]
    """Distance between the policies without the cheese, edited and left alone."""


@dataclass(frozen=True)
class RemovedRow:
    """One level with channels set to constants."""

    sites: dict[Name, RemovedSite]
    """By name of the site."""


@dataclass(frozen=True)
class SearchSite:
    """Channels of one site set to constants in sets of growing size."""

    orders: tuple[RemovedSite, RemovedSite]
    """In the order of what each takes of the cheese's effect, and of that less its damage."""


@dataclass(frozen=True)
class SearchRow:
    """One level with growing sets of channels set to constants."""

    sites: dict[Name, SearchSite]
    """By name of the site."""


@dataclass(frozen=True)
class SetsSite:
    """Sets of growing size at one site; the distance to the policy without cheese for each."""

    ranked: tuple[NonNegative, ...]
    """Subtracted in the first channels, ranked by what each does alone."""
    norm: tuple[NonNegative, ...]
    """Subtracted in the first channels, ranked by the norm of the vector in them."""
    random: tuple[NonNegative, ...]
    """Subtracted in channels drawn at random for this level."""
    removed: RemovedSite
    """The sets found set to constants: those that take a tenth, a quarter and half of the difference."""
    removed_random: RemovedSite
    """As many channels, drawn at random."""


@dataclass(frozen=True)
class SetsRow:
    """One level under sets of channels."""

    sites: dict[Name, SetsSite]
    """By name of the site."""


@dataclass(frozen=True)
class GreedyRow:
    """Channels of one site, each taken because it leaves least beside those taken before it."""

    order: tuple[Count, ...]
    """The channels, the first taken first."""


@dataclass(frozen=True)
class GreedySetsRow:
    """One level under the sets that were found greedily."""

    sites: dict[Name, tuple[NonNegative, ...]]
    """Distance to the policy without cheese with the vector subtracted in the first channels, by site and size."""


@dataclass(frozen=True)
class OutcomesSite:
    """Exact outcomes of one site's sets."""

    sizes: tuple[Positive, ...]
    """Numbers of ranked channels that the vector is subtracted in, rising."""
    competence: tuple[Probability, ...]
    """P(top-right first) with the vector subtracted in each of them."""
    region: tuple[Probability, ...]
    """P(top-right) without the cheese, the sets removed that take a tenth, a quarter and half of the difference."""
    region_random: Probability
    """The same with as many channels removed as in the last of them, drawn at random."""


@dataclass(frozen=True)
class OutcomesRow:
    """One level's exact outcomes."""

    no_cheese_first: Probability
    """P(top-right first) without the cheese, the network left alone."""
    no_cheese: Probability
    """P(top-right) without the cheese, the network left alone."""
    sites: dict[Name, OutcomesSite]
    """By name of the site."""
