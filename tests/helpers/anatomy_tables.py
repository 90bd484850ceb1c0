"""The tables of docs/result.md about angles, mean vectors and analogies, as rows of text, made of its evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from steering.figures.anatomy.analogy_figures import ranked
from steering.records.anatomy.analogy_site import GUESS, TRENDS, AnalogySite, AnalogySummary
from steering.records.anatomy.interference_site import InterferenceSite
from steering.records.anatomy.summary import AnatomySummary
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import ANATOMY
from tests.helpers.result_tables import EVIDENCE, Table, evidence, number

P = TypeVar("P")
S = TypeVar("S", bound=SiteFacts)
AGENTS = ("region5", "region5-seed1", "region5-seed2", "anywhere", "corner", "reflex", "region5-easy")
"""The agents asked, in the order of the columns."""
FILES = {"{}": 100, "{}-trunk": 40, "{}-circuit": 100}
"""Names of an agent's evidence, of all sites and of the trunk's alone, with the number of levels in it."""
WHAT = {"depth": "depth, at equal effective dimension"}  # the others are at equal depth


def measured(part: Callable[[AnatomySummary], P | None], scratch: Path) -> dict[str, tuple[AnatomySummary, P]]:
    """Return a part of each agent that was asked for it, with the file that holds it.

    Args:
        part: function that returns the part of a file; None where the file lacks it.
        scratch: folder to unpack into.
    """
    read: dict[str, tuple[AnatomySummary, P]] = {}
    for name in AGENTS:
        files = {file.format(name): levels for file, levels in FILES.items()}
        for file in (each for each in files if (EVIDENCE / f"{each}-{ANATOMY.file}.xz").exists()):
            summary = evidence(ANATOMY, file, scratch)
            assert len(summary.settings.levels) == files[file]
            found = part(summary)
            if found is not None:
                read[name] = (summary, found)
    return read


def angle_tables(found: Mapping[str, Sequence[InterferenceSite]]) -> dict[str, Table]:
    """Return the tables about angles between vectors, by their headings."""
    return {
        "### Angles between vectors": by_site(found, _angle),
        "### Cells recognised": [*by_site(found, _recognised), ["levels of a cell", *map(_levels, found.values())]],
    }


def analogy_tables(found: Mapping[str, AnalogySummary]) -> dict[str, Table]:
    """Return the tables about analogies, by their headings."""
    sites = {name: each.sites for name, each in found.items()}
    return {
        "### Analogies": by_site(sites, _nearest),
        "### Analogies, effect on the policy": by_site(sites, lambda site: spread(site.behaviour)),
        "### Analogies, depth or dimensions": trends(found),
    }


def by_site(found: Mapping[str, Sequence[S]], cell: Callable[[S], str]) -> Table:
    """Return a cell of each agent at every site of the trunk; all agents have the same sites."""
    rows = [["site", *(f"`{name}`" for name in found)]]
    for sites in zip(*([site for site in each if site.trunk] for each in found.values()), strict=True):
        rows.append([short_site_name(sites[0].name), *map(cell, sites)])
    return rows


def trends(found: Mapping[str, AnalogySummary]) -> Table:
    """Return what the rate of analogies that hold goes with, as partial rank correlations."""
    rows = [["", *(f"`{name}`" for name in found)]]
    for k, what in enumerate(TRENDS):
        label = WHAT.get(what, f"{what}, at equal depth")
        rows.append([label, *(spread(each.trends[k].alone) for each in found.values())])
    return rows


def spread(found: Estimate, digits: int = 2) -> str:
    """Return a number and its interval in brackets, as the page says them."""
    return f"{number(found.value, digits)} ({number(found.low, digits)} to {number(found.high, digits)})"


def _angle(site: InterferenceSite) -> str:
    own = site.interference
    ends = (number(value, 1) for value in (own.ratio.value, own.ratio.low, own.ratio.high))
    return "{} ({} to {})".format(*ends) + f" / {number(own.ratio_effective.value, 1)}"


def _recognised(site: InterferenceSite) -> str:
    return "-" if site.means is None else spread(site.means.recognised)


def _levels(sites: Sequence[InterferenceSite]) -> str:
    """Return in how many levels a cell is free, mean over cells."""
    return number(next(site.means.levels for site in sites if site.means is not None), 0)


def _nearest(site: AnalogySite) -> str:
    own = ranked(site, GUESS)
    return f"{spread(own.top)} / {number(own.top_excluding.value)}"
