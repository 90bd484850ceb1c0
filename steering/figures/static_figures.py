"""Pictures for a paper or a talk: ``report.png`` of a sweep, ``compare.png`` of several.

Grey: the network is affine in the pixels there, so free. Dotted frame: a unit sees only part of the picture, so local.
Open markers: the same experiment as a site before. The line below the picture says so of what is there. Pale: 95%
intervals over mazes; those of several runs stand side by side. Trunk sites only.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from steering.experiments.conditions import BY_NAME, CONDITIONS, CONTROLS, MAIN
from steering.marks.colours import GREY, RUN_COLOURS, TRICK, named_runs, run_colours
from steering.marks.site_axis import (
    Site,
    beside,
    is_duplicate,
    locality_mark,
    names,
)
from steering.records.comparison import ComparedSite, Comparison
from steering.records.planning import Located, Share
from steering.records.probes import Estimate
from steering.records.readings import (
    CAUSAL,
    ComparedPlanning,
    ComparedProbedSite,
    ComparedReadings,
    FollowedCurve,
    Reading,
)
from steering.records.sweep import SweepSummary

_MARKERS = "osD^vP*"
_PALE = 0.4  # opacity of intervals
_ABOVE: dict[str, Any] = {
    "frameon": False,
    "loc": "lower center",
    "bbox_to_anchor": (0.5, 1.0),
}  # of the data: a legend
_GOAL = "corner"  # of the detours shown
_LOCATED = ((0, f"{_GOAL} detour's effect\nthat its place carries"), (1, "... that the mouse's\nplace carries"))
_FOLLOWED = f"{_GOAL} detours that a 3x3\nreadout at the mouse follows"
_PANELS = {  # each with what the surroundings tell, if there is one
    "next_move": ("next move to the cheese\n(share named correctly)", "surroundings"),
    "apart": ("where the corner asks\nfor another move", "apart_surroundings"),
    "cell": ("cheese's cell\n(variance explained)", None),
}
_MARKS = {
    "free": ("grey, free: affine in the pixels", {"color": "0.92", "lw": 0}),
    "local": (
        "dotted frame, local: a unit sees only part of the picture",
        {"facecolor": "none", "edgecolor": GREY, "lw": 1.2, "ls": ":"},
    ),
}
_TWIN = "open markers: the same experiment as a site before"


@dataclass(frozen=True)
class _Style:
    """How one line is drawn."""

    colour: str
    """Of the line, its markers and its intervals."""
    marker: str
    """Of matplotlib's."""
    width: float = 1.6
    """Of the line, in points."""
    aside: float = 0.0
    """How far its points stand from their sites, to the right."""


# The main condition, then the controls, then what else was swept at one site.
_SHOWN = tuple(dict.fromkeys((MAIN, *CONTROLS, *(name for name in CONDITIONS if BY_NAME[name].at_one_site))))


def sweep_picture(summary: SweepSummary) -> bytes:
    """Return the bytes of a PNG: blindness over depth, and the boundary with its interval.

    At the first coefficient swept. Controls are drawn without intervals; the report has them.

    Args:
        summary: the numbers of the sweep.
    """
    sites = [site for site in summary.sites if site.trunk] or summary.sites
    figure, (axes, *_) = _panels(sites, [4.6])
    shown = {label for site in sites for label in site.conditions}
    for label in (name for name in _SHOWN if name in shown):
        condition, main = BY_NAME[label], label == MAIN
        rows = [site.conditions[label] for site in sites]
        columns = [[row.blindness for row in rows]]
        columns += [[row.blindness_low for row in rows], [row.blindness_high for row in rows]] if main else []
        style = _Style(condition.colour, condition.marker, 2.4 if main else 1.2)
        twins = [condition.shared_in_class and is_duplicate(site) for site in sites]
        _draw(axes, range(len(sites)), columns, style, twins, condition.label)
    found = summary.boundary
    reading = Reading(CAUSAL, "boundary", "up to", found.site, found.low, found.high)
    depths = reading.edges([site.name for site in sites])
    if found.site is not None and depths is not None:
        axes.axvline(depths[0], color=TRICK, ls="--", lw=1.6)
        axes.axvspan(depths[1] - 0.08, depths[2] + 0.08, color=TRICK, alpha=0.15, lw=0)
    axes.set_ylabel(f"blindness ({len(summary.levels.used)} mazes)")
    known = [row.blindness for site in sites for label, row in site.conditions.items() if label in _SHOWN]
    axes.set_ylim(_lowest(value for value in known if value is not None), 1.08)
    axes.axhline(found.thresholds.blindness, color="0.5", lw=0.8, ls=":")
    if shown & set(_SHOWN):
        axes.legend(**_ABOVE, fontsize=8, ncols=2)
    return _png(figure)


def compare_picture(found: Comparison) -> bytes:
    """Return the bytes of a PNG: :func:`compare_figure`."""
    return _png(compare_figure(found))


def compare_figure(found: Comparison) -> Figure:
    """Draw blindness over depth, below it what was measured of planning and what probes read, on one axis of sites.

    Where runs have readouts at the mouse, these stand in place of the next moves that probes read from whole maps.
    A line a run. With more runs than the palette has colours they are along one scale, some are named, and none has
    intervals. Dotted: the threshold of the boundary's rule, and half of a detour's effect. Dashed: what walls within
    three cells and the cheese's direction tell.
    """
    readings = found.readings
    few = len(found.arms) <= len(RUN_COLOURS)
    both: dict[str, ComparedSite | ComparedProbedSite] = {}
    if readings is not None:
        both |= {fact.name: fact for fact in readings.facts}
    both |= {fact.name: fact for fact in found.facts}
    sites = sorted(both.values(), key=lambda fact: fact.depth)
    place = {fact.name: i for i, fact in enumerate(sites)}
    located = _detours_located(found.planning)
    followed = {} if readings is None else _detours_followed(readings)
    shown = [name for name in _PANELS if not followed or name == "cell"] if readings is not None else []
    heights = [4.6, *[2.1] * (len(_LOCATED) * bool(located) + bool(followed) + len(shown))]
    figure, (upper, *lower) = _panels(sites, heights)
    styles = [
        _Style(colour, _MARKERS[i % len(_MARKERS)], aside=beside(i, len(found.arms))) if few else _Style(colour, "o")
        for i, colour in enumerate(run_colours(len(found.arms)))
    ]
    swept, twins = [place[fact.name] for fact in found.facts], [is_duplicate(fact) for fact in found.facts]
    for run, style, named in zip(found.arms, styles, named_runs(len(found.arms)), strict=True):
        columns = [
            [point.blindness for point in run.curve],
            [point.low for point in run.curve],
            [point.high for point in run.curve],
        ]
        _draw(upper, swept, columns if few else columns[:1], style, twins, run.name if named else "_")
    upper.axhline(found.thresholds.blindness, color="0.5", lw=0.8, ls=":")
    upper.set_ylabel(f"blindness ({len(found.levels)} mazes)")
    known = [point.blindness for run in found.arms for point in run.curve if point.blindness is not None]
    upper.set_ylim(_lowest(known), 1.08)
    upper.legend(**_ABOVE, fontsize=8 if few else 6, ncols=4)
    twin = {fact.name: is_duplicate(fact) for fact in sites}
    if located:
        carried, lower = lower[: len(_LOCATED)], lower[len(_LOCATED) :]
        _draw_located(carried, [(styles[k], part) for k, part in located.items()], place, twin, few)
    if followed:
        axes, *lower = lower
        for k, curve in followed.items():
            _draw_shares(axes, dict(zip(curve.sites, curve.follows, strict=True)), styles[k], place, twin, few)
        axes.set_ylabel(_FOLLOWED, fontsize=9)
        axes.set_ylim(-0.06, 1.06)
    if readings is not None:
        _draw_probed(lower, shown, readings, place, styles, few)
    return figure


def _detours_followed(found: ComparedReadings) -> dict[int, FollowedCurve]:
    """Return by a run's place the detours to the corner that its readouts at the mouse follow."""
    return {k: curve for k, curves in enumerate(found.readouts) for curve in curves if curve.goal == _GOAL}


def _detours_located(found: ComparedPlanning | None) -> dict[int, Located]:
    """Return by a run's place where its detours to the corner are known, if that was measured and it follows any."""
    plans = [(k, plan) for k, arm in enumerate(() if found is None else found.arms) for plan in arm]
    followed = [(k, plan) for k, plan in plans if plan.goal == _GOAL and plan.look_ahead is not None]
    return {k: plan.located for k, plan in followed if plan.located is not None}


def _lowest(values: Iterable[float]) -> float:
    """Return where an axis of blindness ends below: far below 0 a number says only that there is damage."""
    return max(min([0.0, *values]) - 0.15, -1.05)


def _draw_located(
    panels: Sequence[Axes],
    runs: Sequence[tuple[_Style, Located]],
    place: Mapping[str, int],
    twin: Mapping[str, bool],
    few: bool,
) -> None:
    """Draw what places of the picture carry of a detour's effect, a panel for each of :data:`_LOCATED`."""
    for axes, (patch, text) in zip(panels, _LOCATED, strict=True):
        for style, part in runs:
            _draw_shares(axes, {site.name: site.carried[patch] for site in part.sites}, style, place, twin, few)
        axes.axhline(0.5, color="0.5", lw=0.8, ls=":")
        axes.set_ylabel(text, fontsize=9)
        axes.set_ylim(-0.06, 1.06)


def _draw_shares(
    axes: Axes,
    shares: Mapping[str, Share | Estimate],
    style: _Style,
    place: Mapping[str, int],
    twin: Mapping[str, bool],
    few: bool,
) -> None:
    """Draw one run's shares by site, as far as its sites are on the axis."""
    there = [name for name in shares if name in place]
    known = [shares[name] for name in there]
    columns = [[each.value for each in known], [each.low for each in known], [each.high for each in known]]
    where, twins = [place[name] for name in there], [twin[name] for name in there]
    _draw(axes, where, columns if few else columns[:1], style, twins, "")


def _draw_probed(
    panels: Sequence[Axes],
    shown: Sequence[str],
    readings: ComparedReadings,
    place: Mapping[str, int],
    styles: Sequence[_Style],
    few: bool,
) -> None:
    """Draw what the probes read, a panel for each curve ``shown``; ``place``: of each site on the axis."""
    where, twins = [place[fact.name] for fact in readings.facts], [is_duplicate(fact) for fact in readings.facts]
    for axes, name in zip(panels, shown, strict=True):
        text, alone = _PANELS[name]
        for curves, style in zip(readings.curves, styles, strict=True):
            rows: tuple[Estimate, ...] = getattr(curves, name)
            columns = [[row.value for row in rows], [row.low for row in rows], [row.high for row in rows]]
            _draw(axes, where, columns if few else columns[:1], style, twins, "")
        axes.set_ylabel(text, fontsize=9)
        told = getattr(readings.curves[0], alone)[0].value if alone is not None else None
        if told is not None:
            axes.axhline(told, color="0.3", lw=1, ls="--")


def _panels(sites: Sequence[Site], heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Make a figure with a panel for each of ``heights`` (inches), ``sites`` on the x axis of all of them, marked."""
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    panels: list[Axes] = list(
        figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights))[:, 0]
    )
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    up = panels[0].get_xaxis_transform()
    for mark, stretch in itertools.groupby(range(len(sites)), key=lambda i: locality_mark(sites[i])):
        if mark:
            first, *rest = stretch
            last = rest[-1] if rest else first
            for axes in panels:
                axes.axvspan(first - 0.45, last + 0.45, 0.005, 0.995, zorder=0, **_MARKS[mark][1])
            panels[0].text((first + last) / 2, 0.02, mark, transform=up, ha="center", color="0.4")
    notes = [text for mark, (text, _) in _MARKS.items() if mark in map(locality_mark, sites)]
    notes += [_TWIN] if any(map(is_duplicate, sites)) else []
    if notes:
        figure.supxlabel("; ".join(notes).capitalize() + ".", fontsize=7.5, color="0.3")
    panels[-1].set_xticks(range(len(sites)), names(sites), rotation=50, ha="right", rotation_mode="anchor", fontsize=8)
    return figure, panels


def _draw(
    axes: Axes,
    where: Sequence[int],
    columns: Sequence[Sequence[float | None]],
    style: _Style,
    twins: Sequence[bool],
    label: str,
) -> None:
    """Draw a line through the first of ``columns``, the others its interval, if any; open markers at ``twins``."""
    x, seen = np.array(where) + style.aside, ~np.array(twins)
    y, *ends = (np.array(column, dtype=float) for column in columns)
    if ends:
        axes.vlines(x, np.minimum(ends[0], y), np.maximum(ends[1], y), style.colour, lw=3, alpha=_PALE)
    axes.plot(x, y, color=style.colour, lw=style.width)
    axes.plot([], [], color=style.colour, marker=style.marker, lw=style.width, ms=5, label=label)  # the legend's
    for chosen, face in ((seen, style.colour), (~seen, "white")):
        axes.plot(x[chosen], y[chosen], ls="none", marker=style.marker, ms=5, mfc=face, mec=style.colour)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
