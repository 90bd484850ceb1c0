"""From the energies of each level and the weights' communities to numbers with intervals, beside chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from agents.networks.policy import Policy
from steering.anatomy.modules import energy
from steering.anatomy.modules.alignment import ALIGNMENT, CHANGES, AlignmentRow, KindRow, SiteRow, channels_of
from steering.anatomy.modules.channels import channel_graph
from steering.anatomy.modules.network import NETWORK, SNAPSHOTS, NetworkRow, SnapshotsRow
from steering.anatomy.part import ONCE, Asked, Part, Rows
from steering.interventions.sites import INPUT, LOGITS, Site, find_site
from steering.records.anatomy.modules import (
    KINDS,
    PAIRS,
    KindEnergy,
    Modules,
    ModulesSite,
    NetworkModules,
    Overlap,
    Separation,
)
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts, site_facts
from steering.statistics import bootstrap
from steering.statistics.seeding import generator

ORDERS = 1000  # of the channels, for p
RARE = 0.05  # share of rotations: a maze whose vectors lie in as few channels as so many is counted as aligned


def _mean(values: Sequence[float] | np.ndarray, samples: np.ndarray) -> Estimate:
    """Return the mean over the mazes in which it is defined."""
    found = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(found)
    sums = samples @ np.where(known, found, 0.0)
    means = bootstrap.quotient(sums, samples @ known.astype(float))
    return Estimate(*bootstrap.with_ends(means, int(known.sum())))


def _ratio(top: np.ndarray, bottom: np.ndarray, samples: np.ndarray) -> Estimate:
    """Return the ratio of the sums over the mazes in which both are defined."""
    known = ~np.isnan(top + bottom)
    ratios = bootstrap.quotient(samples @ np.where(known, top, 0.0), samples @ np.where(known, bottom, 0.0))
    return Estimate(*bootstrap.with_ends(ratios, int(known.sum())))


def _profile(row: KindRow) -> np.ndarray | None:
    """Return the energies by channel, mean over both halves' vectors; None for no vector."""
    halves = [np.array(half) for half in row.halves if half]
    return np.mean(halves, axis=0) if halves else None


def kind_energy(kind: str, rows: Sequence[KindRow], samples: np.ndarray) -> KindEnergy:
    """Return how the vectors of one kind lie over the channels of one site."""

    def values(read: Callable[[KindRow], float]) -> np.ndarray:
        return np.array([read(row) if row.vectors else math.nan for row in rows])

    def column(name: str) -> tuple[np.ndarray, np.ndarray]:
        return values(lambda row: getattr(row.own, name)), values(lambda row: getattr(row.turned, name))

    def chance(values: np.ndarray) -> float | None:
        return _mean(values, samples[:1]).value

    channels, top, gini = (column(name) for name in ("participation", "top", "gini"))
    rare = values(lambda row: float(row.beyond <= RARE * energy.ROTATIONS))
    return KindEnergy(
        kind=kind,
        vectors=float(np.mean([row.vectors for row in rows])),
        channels=_mean(channels[0], samples),
        turned=chance(channels[1]),
        ratio=_ratio(*channels, samples),
        top=_mean(top[0], samples),
        top_turned=chance(top[1]),
        gini=_mean(gini[0], samples),
        gini_turned=chance(gini[1]),
        aligned=_mean(rare, samples),
    )


def overlap(one: str, other: str, rows: Sequence[SiteRow], samples: np.ndarray, rng: np.random.Generator) -> Overlap:
    """Return whether the vectors of two kinds lie in the same channels of one site."""
    cosines, chances, alikes, tops = (np.full(len(rows), np.nan) for _ in range(4))
    profiles: list[tuple[np.ndarray, np.ndarray]] = []
    for k, row in enumerate(rows):
        a, b = row.kinds[one], row.kinds[other]
        whole_a, whole_b = _profile(a), _profile(b)
        if whole_a is None or whole_b is None:
            continue
        profiles.append((whole_a, whole_b))
        tops[k] = energy.jaccard(whole_a, whole_b)
        if all(half for kind in (a, b) for half in kind.halves):
            (a0, a1), (b0, b1) = ([np.array(half) for half in kind.halves] for kind in (a, b))
            crossed = ((a0, b1), (a1, b0))  # as far apart as two halves of one kind
            cosines[k] = np.mean([energy.cosine(*pair) for pair in crossed])
            chances[k] = np.mean([energy.chance_cosine(*pair) for pair in crossed])
            alikes[k] = math.sqrt(energy.cosine(a0, a1) * energy.cosine(b0, b1))
    channels = len(profiles[0][0]) if profiles else 1
    return Overlap(
        one=one,
        other=other,
        cosine=_mean(cosines, samples),
        chance=_mean(chances, samples[:1]).value,
        alike=_mean(alikes, samples[:1]).value,
        above_chance=_ratio(cosines - chances, alikes - chances, samples),
        top=_mean(tops, samples),
        top_chance=energy.chance_jaccard(channels),
        p=_p_of_order(np.mean(profiles, axis=0), rng) if profiles else None,
    )


def _p_of_order(profiles: np.ndarray, rng: np.random.Generator) -> float:
    """Return the share of orders of the channels with as large a cosine of ``float[2, c]``; the one there is counts."""
    one, other = profiles
    drawn = rng.permuted(np.tile(other, (ORDERS, 1)), axis=1) @ one
    return float((1 + (drawn >= one @ other * (1 - 1e-12)).sum()) / (1 + ORDERS))


def modules_site(facts: SiteFacts, channels: int, rows: Sequence[SiteRow], asked: Asked) -> ModulesSite:
    """Return what the energies of all levels at one site come to."""
    rng = generator(asked.settings.seed, 0, f"modules: orders {facts.name}", 0)
    return ModulesSite(
        **vars(facts),
        channels=channels,
        kinds=tuple(kind_energy(kind, [row.kinds[kind] for row in rows], asked.samples) for kind in KINDS),
        overlaps=tuple(overlap(one, other, rows, asked.samples, rng) for one, other in PAIRS),
    )


def mutual_information(labels: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return how many bits communities ``int[n]`` tell about marks ``bool[..., n]``: ``float64[...]``."""
    member = np.eye(labels.max() + 1)[labels]
    inside = marks @ member / len(labels)  # share of all that is marked and in each community
    found = np.zeros(inside.shape[:-1])
    for joint, share in ((inside, marks.mean(axis=-1)), (member.mean(axis=0) - inside, 1 - marks.mean(axis=-1))):
        alone = np.multiply.outer(share, member.mean(axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            found += np.where(joint > 1e-12, joint * np.log2(joint / alone), 0.0).sum(axis=-1)
    return np.maximum(found, 0.0)


def separation(
    kind: str, labels: np.ndarray, marks: Sequence[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
) -> Separation:
    """Return whether the communities tell the marked channels.

    Args:
        kind: what the marked channels answer to.
        labels: community of every channel, ``int[n]``.
        marks: of each layer the numbers of its channels, and which of them are marked.
        rng: draws the orders.
    """
    if not marks:
        return Separation(kind, 0, 0.0, 0.0, 1.0)
    asked = labels[np.concatenate([numbers for numbers, _ in marks])]
    own = float(mutual_information(asked, np.concatenate([marked for _, marked in marks])))
    orders = [rng.permuted(np.tile(marked, (ORDERS, 1)), axis=1) for _, marked in marks]
    drawn = mutual_information(asked, np.concatenate(orders, axis=1))
    p = (1 + (drawn >= own - 1e-12).sum()) / (1 + ORDERS)
    return Separation(kind, len(asked), own, float(drawn.mean()), float(p))


def _marks(
    asked: Asked, rows: Sequence[AlignmentRow], kind: str, ends: Sequence[str]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return of each group of channels their numbers and which are the quarter that moves most.

    At the group's last site that was measured; without the groups of the picture and of the logits.
    """
    graph, wanted = channel_graph(asked.policy.net), {site.name for site in asked.sites}
    found = []
    for first, group in zip(graph.starts, graph.groups, strict=False):
        places = [place for place in group.places if place in wanted]
        if not places or any(end in group.places for end in ends):
            continue
        profiles = [_profile(row.sites[places[-1]].kinds[kind]) for row in rows]
        known = [profile for profile in profiles if profile is not None]
        if known:
            found.append((np.arange(first, first + group.channels), energy.top_quarter(np.mean(known, axis=0))))
    return found


def summarize(asked: Asked, rows: Sequence[Rows]) -> Modules:
    """Return the record of the part."""
    by_level: Sequence[AlignmentRow] = [rows[0][level] for level in asked.settings.levels]
    network: NetworkRow = rows[1][ONCE]
    snapshots: SnapshotsRow = rows[2][ONCE]
    labels, ends = np.array(network.communities), (INPUT, find_site(asked.policy.net, LOGITS).name)
    channels = channels_of(asked.policy.net)
    return Modules(
        sites=tuple(
            modules_site(facts, channels[facts.name], [row.sites[facts.name] for row in by_level], asked)
            for facts in site_facts(asked.sites)
        ),
        network=NetworkModules(
            channels=len(labels),
            layers=network.layers,
            modularity=network.modularity,
            untrained=network.untrained,
            newman=network.newman,
            newman_shuffled=network.newman_shuffled,
            whole_layers=network.whole_layers,
            separations=tuple(
                separation(
                    kind,
                    labels,
                    _marks(asked, by_level, kind, ends),
                    generator(asked.settings.seed, 0, f"modules: marks {kind}", 0),
                )
                for kind in KINDS
            ),
            snapshots=snapshots.snapshots,
        ),
    )


def _check(policy: Policy, sites: Sequence[Site]) -> None:
    channel_graph(policy.net)


PART = Part(
    passes=(ALIGNMENT, NETWORK, SNAPSHOTS),
    summarize=summarize,
    frames=1 + len(KINDS) * CHANGES,
    check=_check,
)
"""The part ``modules``."""
