"""The tables of docs/result.md about modules, as rows of text, made of the evidence that comes with the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from steering.records.anatomy.modules import Modularity, Modules, ModulesSite, Null
from steering.statistics.formatting import short_site_name
from tests.helpers.circuit_tables import ranged
from tests.helpers.result_tables import Table, number

SHARED_AT = (
    "block1.res1.resadd",
    "block2.maxpool",
    "block2.res1.resadd",
    "block3.conv",
    "block3.res2.resadd",
    "relufc",
)


def communities(found: Mapping[str, Modules]) -> Table:
    """Return the modularity of each agent beside shuffled and untrained weights, and what the communities tell."""
    header = ["agent", "modularity", "strengths kept", "shuffled freely", "untrained", "Newman's"]
    rows = [header + [f"{kind}, bits (p)" for kind in ("cheese", "walls", "mouse")]]
    for name, part in found.items():
        network = part.network
        told = [f"{number(each.bits, 3)} ({number(each.p, 3)})" for each in network.separations]
        fresh = spread(network.untrained) if network.untrained is not None else "-"
        rows.append([f"`{name}`", *_beside(network.modularity), fresh, number(network.newman, 3), *told])
    return rows


def over_training(found: Modules) -> Table:
    """Return the modularity of the snapshots of a training beside shuffled weights."""
    rows = [["samples", "modularity", "strengths kept", "shuffled freely"]]
    return rows + [[f"{each.samples:,}", *_beside(each.modularity)] for each in found.network.snapshots]


def in_use(found: Mapping[str, Modules], sites: Sequence[str] = SHARED_AT) -> Table:
    """Return by site the channels that the cheese vectors are in, over those along random axes."""
    rows = [["site", *(f"`{name}`" for name in found)]]
    for name in sites:
        ratios = [site_of(part, name).cheese.ratio for part in found.values()]
        rows.append([name, *(f"{number(r.value)} ({number(r.low)} to {number(r.high)})" for r in ratios)])
    return rows


def site_of(found: Modules, name: str) -> ModulesSite:
    """Return a site by its short name."""
    return next(each for each in found.sites if short_site_name(each.name) == name)


def shared(found: Mapping[str, Modules], kinds: tuple[str, str], sites: Sequence[str] = SHARED_AT) -> Table:
    """Return by site how far two kinds share channels, with the interval over mazes and p over channels."""
    rows = [["site", *(f"`{name}`" for name in found)]]
    for name in sites:
        cells = []
        for part in found.values():
            pair = next(each for each in site_of(part, name).overlaps if (each.one, each.other) == kinds)
            value = pair.above_chance
            cells.append(f"{ranged(value)}, {number(pair.p, 3)}")
        rows.append([name, *cells])
    return rows


def spread(null: Null) -> str:
    """Return the mean of a null with its middle 95%."""
    return f"{number(null.mean, 3)} ({number(null.low, 3)} to {number(null.high, 3)})"


def _beside(found: Modularity) -> list[str]:
    return [number(found.value, 3), *(spread(null) for null in (found.kept, found.shuffled))]
