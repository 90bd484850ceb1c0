"""The tables of docs/result.md about channels that carry the cheese, as rows of text, made of its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from steering.figures.anatomy.circuit_figures import counted_channels
from steering.records.anatomy.circuit_site import CircuitSite
from steering.records.anatomy.summary import AnatomySummary
from steering.records.probes import Estimate
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import ANATOMY
from tests.helpers.result_tables import Table, evidence, number

LEVELS = dict.fromkeys(
    ("region5", "region5-seed1", "region5-seed2", "anywhere", "corner", "reflex", "region5-easy"), 100
)
"""Number of levels in the evidence of each agent asked, in the order of the columns."""
COUNTS = (1, 2, 4, 8, 16)
"""Numbers of channels in the table of competence, beside all."""


def measured(scratch: Path) -> dict[str, AnatomySummary]:
    """Return the evidence by agent; ``scratch``: folder to unpack into."""
    return {name: evidence(ANATOMY, f"{name}-circuit", scratch) for name in LEVELS}


def rounded(value: float | None) -> str:
    """Return a number with two digits, never minus zero; a dash for none."""
    return number(None if value is None else round(value, 2) + 0.0)


def ranged(value: Estimate) -> str:
    """Return an estimate with its interval."""
    return f"{rounded(value.value)} ({rounded(value.low)} to {rounded(value.high)})"


def with_half(sites: Sequence[CircuitSite]) -> list[CircuitSite]:
    """Return the sites where subtraction in all channels gives blindness to speak of."""
    return [site for site in sites if site.half.ranked.value is not None]


def circuit_tables(found: Mapping[str, AnatomySummary]) -> dict[str, Table]:
    """Return the tables by their headings; the first two are of ``region5``."""
    sites = found["region5"].circuit or ()
    return {
        "### Channels that carry the cheese": channels(sites),
        "### Competence by channels": competence(sites),
        "### Channels by agent": by_agent({name: each.circuit or () for name, each in found.items()}),
    }


def channels(sites: Sequence[CircuitSite]) -> Table:
    """Return how few channels of each site do, and what removing channels costs."""
    header = ["site", "channels", "full blindness", "half", "nine tenths", "half, greedily", "half, by norm"]
    rows = [[*header, "half, at random", "competence", "removed", "left", "P(top-right)"]]
    for site in with_half(sites):
        (half, most), last = site.needed, site.removed[-1]
        counts = (half.ranked, most.ranked, half.greedy, half.norm, half.random)
        cells = [f"`{short_site_name(site.name)}`", str(site.channels), ranged(site.full)]
        cells += [counted_channels(count) for count in counts]
        cells += [rounded(half.competence.value), str(len(last.channels)), rounded(last.left.value)]
        rows.append([*cells, ranged(last.region)])
    return rows


def competence(sites: Sequence[CircuitSite]) -> Table:
    """Return blindness and competence with growing sets of ranked channels."""
    rows = [["site", *map(str, COUNTS), "all"]]
    for site in with_half(sites):
        shown = [part for part in site.sets if part.size in COUNTS and part.size < site.channels]
        cells = [f"{rounded(part.ranked.value)} / {_known(part.competence)}" for part in shown]
        last = site.sets[-1]
        gap = ["-"] * (len(COUNTS) - len(cells))
        rows.append([f"`{short_site_name(site.name)}`", *cells, *gap, f"{rounded(last.ranked.value)} / "
                     f"{_known(last.competence)}"])  # fmt: skip
    return rows


def _known(value: Estimate | None) -> str:
    return rounded(value.value if value is not None else None)


def by_agent(found: Mapping[str, Sequence[CircuitSite]]) -> Table:
    """Return for each agent how many channels of a site give half and nine tenths of its full blindness."""
    parts = {name: {site.name: site for site in sites} for name, sites in found.items()}
    rows = [["site", *(f"`{name}`" for name in found)]]
    for name in next(iter(parts.values())):
        known = [sites[name] for sites in parts.values()]
        if any(site.half.ranked.value is not None for site in known):
            cells = [
                f"{counted_channels(site.half.ranked)} / {counted_channels(site.needed[1].ranked)}" for site in known
            ]
            rows.append([f"`{short_site_name(name)}`", *(cell if cell != "– / –" else "-" for cell in cells)])
    return rows
