"""Whether the network has modules: how vectors lie over its channels, and how its channels hang together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envs.stored.ranges import Count, Name, NonNegative, Number, Positive, Probability
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts

KINDS = ("cheese", "walls", "mouse")
"""What changes: the cheese appears, a wall is opened, the mouse stands elsewhere."""
PAIRS = (("cheese", "walls"), ("cheese", "mouse"), ("walls", "mouse"))
"""Kinds whose channels are compared."""


@dataclass(frozen=True)
class KindEnergy:
    """How the vectors of one kind lie over the channels of one site, beside random axes."""

    kind: Name
    """What changes, one of :data:`KINDS`."""
    vectors: NonNegative
    """Vectors of a maze, mean over mazes."""
    channels: Estimate
    """Number of channels of equal energy that are as concentrated (participation ratio), mean over mazes."""
    turned: NonNegative | None
    """The same along random axes; null: no vectors."""
    ratio: Estimate
    """``channels`` over ``turned``: 1 if the channels are axes like any others, less if the vectors lie along a few."""
    top: Estimate
    """Share of the energy in the quarter of the channels that has the most, 0 to 1."""
    top_turned: Probability | None
    """The same along random axes."""
    gini: Estimate
    """Gini coefficient of the channels' energies, 0 to 1."""
    gini_turned: Probability | None
    """The same along random axes."""
    aligned: Estimate
    """Share of the mazes in which at most 5% of the rotations lie in as few axes."""


@dataclass(frozen=True)
class Overlap:
    """Whether the vectors of two kinds lie in the same channels of one site."""

    one: Name
    """What changes, one of :data:`KINDS`."""
    other: Name
    """Another of them."""
    cosine: Estimate
    """Cosine of their energies by channel, between halves of the vectors, mean over mazes: 0 to 1."""
    chance: Probability | None
    """The same in a random order of the channels, exactly; null: no vectors."""
    alike: Probability | None
    """The same of two halves of one kind, root of the product over both kinds; null: too few vectors."""
    above_chance: Estimate
    """``(cosine - chance) / (alike - chance)``: 0 as by chance, 1 as halves of one kind, below 0: other channels."""
    top: Estimate
    """Share, of the channels in the top quarter of either, that are in both (Jaccard), mean over mazes: 0 to 1."""
    top_chance: Probability
    """The same of random quarters."""
    p: Probability | None
    """Share of random orders of the channels with as large a cosine of the mean energies."""


@dataclass(frozen=True)
class ModulesSite(SiteFacts):
    """A site, and how the vectors of each kind lie over its channels."""

    channels: Positive
    """Number of its channels; a unit of a fully connected layer is a channel."""
    kinds: tuple[KindEnergy, ...]
    """Of cheese, walls and mouse."""
    overlaps: tuple[Overlap, ...]
    """Of each two of them."""

    @property
    def cheese(self) -> KindEnergy:
        """Return the site's first number: how the cheese vectors lie over channels."""
        return self.kinds[0]


@dataclass(frozen=True)
class Null:
    """The modularity of comparable networks."""

    mean: Number
    """Mean."""
    low: Number
    """Low end of the middle 95%."""
    high: Number
    """High end."""
    z: Number | None
    """Standard deviations by which the network's is above the mean; null: they are all alike."""
    reached: Probability
    """Share of them with as much as the network, or more."""

    @property
    def exceeded(self) -> bool:
        """Return whether at most 5% of them have as much as the network."""
        return self.reached <= 0.05


@dataclass(frozen=True)
class Modularity:
    """The modularity of a network beside its own weights shuffled within each layer."""

    value: Number
    """Share of the weight within communities, less what the channels' strengths in each layer predict."""
    communities: Positive
    """Number of communities."""
    kept: Null
    """Of weights that are shuffled so that each channel keeps its strength in each layer."""
    shuffled: Null
    """Of weights shuffled freely within each layer."""


@dataclass(frozen=True)
class Snapshot:
    """The modularity at one point of a training."""

    samples: Count
    """Training samples until then."""
    modularity: Modularity
    """Of the network."""


@dataclass(frozen=True)
class Separation:
    """Whether the communities tell which channels a change moves most."""

    kind: Name
    """What changes, one of :data:`KINDS`."""
    channels: Count
    """Number of channels asked; in each layer a quarter of them is labelled."""
    bits: NonNegative
    """Mutual information of community and label."""
    chance: NonNegative
    """The same with the labels of each layer in a random order, mean."""
    p: Probability
    """Share of random orders with as much."""


@dataclass(frozen=True)
class NetworkModules:
    """How the channels of the network hang together by its weights."""

    channels: Positive
    """Number of channels, from the picture's three to the logits."""
    layers: Positive
    """Number of layers of weights that join them."""
    modularity: Modularity
    """Of the network."""
    untrained: Null | None
    """Of fresh networks of the same architecture; null: it is not known how its training began."""
    newman: Number
    """Newman's modularity, of the communities that Louvain's method finds."""
    newman_shuffled: Null
    """Of weights shuffled freely within each layer."""
    whole_layers: bool
    """Whether these communities are of whole layers."""
    separations: tuple[Separation, ...]
    """By kind of change."""
    snapshots: tuple[Snapshot, ...]
    """Of the agent's training, in order; empty: none are shipped."""


@dataclass(frozen=True)
class Modules:
    """The part ``modules``."""

    sites: tuple[ModulesSite, ...]
    """In depth order."""
    network: NetworkModules
    """Of the network as a whole."""


def modules_parts(found: Modules, names: tuple[str, ...]) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of the part, what they are, and what they must be; ``names`` are those of the sites."""
    yield "modules: sites", tuple(site.name for site in found.sites), names
    for site in found.sites:
        yield f"{site.name}: kinds", tuple(each.kind for each in site.kinds), KINDS
        yield f"{site.name}: overlaps", tuple((each.one, each.other) for each in site.overlaps), PAIRS
    yield "modules: separations", tuple(each.kind for each in found.network.separations), KINDS
    counts = [each.samples for each in found.network.snapshots]
    yield "modules: snapshots", counts, sorted(set(counts))
