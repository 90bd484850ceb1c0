"""The tables of docs/result.md about channels of two agents, as rows of text, made of the evidence of the page."""

from __future__ import annotations

import lzma
from collections.abc import Mapping

from envs.stored.json_records import from_json
from steering.records.anatomy.shared_channels import ComparedCircuits
from steering.records.comparison import Comparison
from steering.records.probes import Estimate
from steering.statistics.formatting import short_site_name
from tests.helpers.result_tables import EVIDENCE, Table, number


def compared() -> Comparison:
    """Return the comparison that lies packed beside the page."""
    packed = EVIDENCE / "circuits-compare.json.xz"
    return from_json(lzma.decompress(packed.read_bytes()), Comparison, packed.name, "make it anew")


def ranged(value: Estimate) -> str:
    """Return a number with its interval."""
    return f"{number(value.value)} ({number(value.low)} to {number(value.high)})"


def means(found: ComparedCircuits, began: Mapping[str, str]) -> Table:
    """Return what each agent shares with the first, mean over the sites; ``began``: with which weights, by agent."""
    rows = [["agent", "began with", "by number", "matched", "random sets", "itself, other mazes"]]
    rows.append([f"`{found.against}`", began[found.against or ""], "-", "-", "-", number(found.halves)])
    for arm in found.arms:
        mean = arm.mean
        cells = [ranged(mean.numbered), ranged(mean.matched), number(mean.chance), number(mean.halves)]
        rows.append([f"`{arm.of}`", began[arm.of], *cells])
    return rows


def by_site(found: ComparedCircuits) -> Table:
    """Return the same site by site, with the channels that keep their number and how well matched ones go together."""
    header = ["agent", "site", "for half", "by number", "p", "matched", "p", "random sets", "own number", "correlation"]
    rows = [header]
    for arm in found.arms:
        for site in arm.sites:
            numbered, matched = site.numbered.overlap, site.matched.overlap
            kept = [number(site.in_place), number(site.correlation)]
            if numbered is None or matched is None:
                rows.append([f"`{arm.of}`", short_site_name(site.site), *"-" * 6, *kept])
                continue
            shares = [ranged(site.numbered.jaccard), number(numbered.p, 3)]
            shares += [ranged(site.matched.jaccard), number(matched.p, 3), number(numbered.chance)]
            sizes = "{} and {} of {}".format(*numbered.sizes, site.channels)
            rows.append([f"`{arm.of}`", short_site_name(site.site), sizes, *shares, *kept])
    return rows
