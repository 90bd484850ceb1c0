"""The network as a diagram to click on: where each site stands, and its facts and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from steering.experiments.conditions import MAIN
from steering.figures.hero_figure import GOAL, cheese_located
from steering.marks.site_axis import is_duplicate, locality_mark
from steering.records.planning import PlanningSummary
from steering.records.readouts import READ, ReadoutSummary
from steering.records.sweep import SiteSummary, SweepSummary
from steering.statistics.formatting import format_estimate, format_range, short_site_name

STEP, TALLEST = 24, 64  # pixels between sites, and of the tallest box
_BRANCH = 96  # pixels from the trunk down to the branches


@dataclass(frozen=True)
class DiagramSite:
    """A box of the diagram."""

    name: str
    """Name of the site, as shown."""
    x: float
    """Left edge, in pixels."""
    y: float
    """Upper edge, in pixels."""
    height: float
    """Height, in pixels: by the side of its map, on a scale of logarithms."""
    blindness: float
    """How strongly it is filled, 0 to 1."""
    mark: str
    """``free``, ``local`` or nothing."""
    boundary: bool
    """Whether the boundary is this site."""
    facts: tuple[tuple[str, str], ...]
    """Its facts and numbers: what, and how much."""


def network_diagram(
    summary: SweepSummary, planning: PlanningSummary | None, readouts: ReadoutSummary | None
) -> list[DiagramSite]:
    """Return the boxes of the sites swept, in depth order; arguments are None where nothing was measured."""
    made = []
    for k, site in enumerate(summary.sites):
        side = site.shape[-1] if len(site.shape) == 3 else 1
        height = 12 + (TALLEST - 12) * math.log2(max(side, 1)) / 6
        row = site.conditions.get(MAIN)
        made.append(
            DiagramSite(
                name=short_site_name(site.name),
                x=k * STEP + 4,
                y=(0 if site.trunk is not False else _BRANCH) + (TALLEST - height) / 2 + 4,
                height=height,
                blindness=min(max(row.blindness or 0.0, 0.0), 1.0) if row is not None else 0.0,
                mark=locality_mark(site),
                boundary=site.name == summary.boundary.site,
                facts=(*_facts(site), *_numbers(site), *_elsewhere(site.name, planning, readouts)),
            )
        )
    return made


def _facts(site: SiteSummary) -> Iterator[tuple[str, str]]:
    yield "activations", " x ".join(map(str, site.shape))
    yield "a unit sees", "the whole picture" if site.receptive_field is None else f"{site.receptive_field} pixels"
    if site.trunk is not None:
        yield "stands on", "the trunk" if site.trunk else "a branch"
    if locality_mark(site):
        yield "mark", locality_mark(site)
    if is_duplicate(site):
        yield "same experiment as", short_site_name(site.equivalence_class)


def _numbers(site: SiteSummary) -> Iterator[tuple[str, str]]:
    for name, row in site.conditions.items():
        yield f"blindness, {name}", format_range(row.blindness, row.blindness_low, row.blindness_high)
        if name == MAIN:
            yield "competence", format_range(row.competence, row.competence_low, row.competence_high)


def _elsewhere(
    name: str, planning: PlanningSummary | None, readouts: ReadoutSummary | None
) -> Iterator[tuple[str, str]]:
    located = cheese_located(planning)
    for patched in located.sites if located is not None else ():
        if patched.name == name:
            yield "the cheese's effect, at the cheese", format_estimate(patched.carried[0])
            yield "the cheese's effect, at the mouse", format_estimate(patched.carried[1])
    for site in readouts.sites if readouts is not None else ():
        for view in site.views:
            if site.name == name and view.view == READ and view.curve:
                yield "next move read at the mouse", format_estimate(view.curve[-1].accuracy.get(GOAL))
                yield "far detours read at the mouse", format_estimate(view.curve[-1].follows.get(GOAL))
