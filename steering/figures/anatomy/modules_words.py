"""What the numbers of modules come to, in plain sentences: the same on every page."""

from __future__ import annotations

from collections.abc import Sequence

from envs.errors import counted
from steering.records.anatomy.modules import KINDS, Modularity, ModulesSite, NetworkModules, Separation, Snapshot
from steering.records.anatomy.summary import AnatomySummary
from steering.statistics.formatting import format_number, short_site_name

MOVED = {"cheese": "the cheese", "walls": "walls", "mouse": "the mouse"}
RARE = 0.05
FEW = 0.75  # of the channels in use along random axes, at most: along few channels


def path_sites(found: AnatomySummary) -> list[ModulesSite]:
    """Return the sites of the trunk, and those of which it is not known, at which there are cheese vectors."""
    sites = found.modules.sites if found.modules is not None else ()
    return [site for site in sites if site.trunk is not False and site.cheese.ratio.value is not None]


def asked_sites(found: AnatomySummary) -> list[ModulesSite]:
    """Return the trunk's sites that sentences count: behind the picture, each experiment once."""
    sites = path_sites(found)
    return [site for site in sites if site.depth > 0 and site.equivalence_class == site.name]


def aligned_sentence(sites: Sequence[ModulesSite]) -> str:
    """Return where the cheese vectors lie along few channels: in :data:`FEW` of those along random axes, or less."""
    if not sites:
        return "No site behind the picture has cheese vectors."
    if all(site.cheese.ratio.high is None for site in sites):
        return "Too few mazes to say whether the cheese vectors lie along few channels."
    found = [site for site in sites if site.cheese.ratio.high is not None and site.cheese.ratio.high <= FEW]
    if not found:
        return f"At none of {counted(len(sites), 'site')} of the trunk do the cheese vectors lie along few channels."
    most = min(found, key=lambda site: site.cheese.ratio.value or 0.0)
    where = f"most at {short_site_name(most.name)}" if len(found) > 1 else f"at {short_site_name(most.name)}"
    own, turned = (format_number(value, 1) for value in (most.cheese.channels.value, most.cheese.turned))
    return (
        f"At {len(found)} of {counted(len(sites), 'site')} of the trunk the cheese vectors lie along few channels, "
        f"{where}: as if in {own} of {most.channels}, along random axes in {turned}."
    )


def shared_sentence(sites: Sequence[ModulesSite], other: str) -> str:
    """Return where the cheese vectors lie in the same channels as those of another kind, and where in others.

    Beyond chance over mazes (the interval) and over channels (``p``) alike.
    """
    found = [each for site in sites for each in site.overlaps if (each.one, each.other) == (KINDS[0], other)]
    known = [each for each in found if each.above_chance.low is not None and each.p is not None]
    if not known:
        return f"Too few mazes to say whether the cheese and {MOVED[other]} move the same channels."
    same = sum((each.above_chance.low or 0.0) > 0 and (each.p or 0.0) <= RARE for each in known)
    apart = sum((each.above_chance.high or 0.0) < 0 and (each.p or 0.0) >= 1 - RARE for each in known)
    return (
        f"The cheese and {MOVED[other]} move the same channels more than by chance at {same} of {len(known)}, "
        f"less than by chance at {apart}."
    )


def modular_sentence(found: NetworkModules) -> str:
    """Return whether the channels form communities beyond chance."""
    own = found.modularity
    value, kept, shuffled = (format_number(each) for each in (own.value, own.kept.mean, own.shuffled.mean))
    numbers = f"modularity {value}; with shuffled weights {kept} if channels keep their strengths, else {shuffled}"
    if found.untrained is not None:
        numbers += f"; untrained {format_number(found.untrained.mean)}"
    said = {
        (True, True): "The channels form communities beyond chance",
        (True, False): "The channels form communities beyond what their strengths explain, not beyond all shuffles",
        (False, True): "The channels form communities beyond free shuffles, but their strengths explain them",
        (False, False): "The channels form no communities beyond chance",
    }
    return f"{said[own.kept.exceeded, own.shuffled.exceeded]} ({numbers})."


def first_modular(snapshots: Sequence[Snapshot], kept: bool) -> int | None:
    """Return the samples from which on every snapshot is beyond shuffled weights; None: the last is not."""
    first = None
    for snapshot in snapshots:
        found: Modularity = snapshot.modularity
        exceeded = (found.kept if kept else found.shuffled).exceeded
        first = (snapshot.samples if first is None else first) if exceeded else None
    return first


def training_sentence(snapshots: Sequence[Snapshot]) -> str:
    """Return from when on in training the channels form communities beyond chance; empty without snapshots."""
    if not snapshots:
        return ""
    found = [first_modular(snapshots, kept) for kept in (True, False)]
    said = ["at no time to the end" if each is None else f"from {each:,} samples on" for each in found]
    return f"In training they do beyond what strengths explain {said[0]}, beyond free shuffles {said[1]}."


def told_sentence(found: Separation) -> str:
    """Return whether the communities tell the channels that a change moves most."""
    if not found.channels:
        return f"No channel was asked for {MOVED[found.kind]}."
    moves = "move" if found.kind == "walls" else "moves"
    verb = "tell" if found.p <= RARE else "do not tell"
    numbers = f"{format_number(found.bits)} bits, by chance {format_number(found.chance)}, p {format_number(found.p)}"
    return f"The communities {verb} which channels {MOVED[found.kind]} {moves} most ({numbers})."


def modules_caption(found: AnatomySummary) -> dict[str, object]:
    """Return the sentences in the captions: about the sites, and about the network."""
    if found.modules is None:
        return {}
    sites, network = asked_sites(found), found.modules.network
    told = told_sentence(network.separations[0])
    said = [aligned_sentence(sites), *(shared_sentence(sites, other) for other in KINDS[1:])]
    return {
        "aligned": " ".join(said),
        "modular": " ".join(filter(None, [modular_sentence(network), training_sentence(network.snapshots), told])),
    }
