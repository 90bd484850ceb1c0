"""The pictures of a sweep and of a comparison: what is no finding is marked in every panel and said below."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from steering.figures.static_figures import compare_figure
from steering.records.comparison import ComparedSite, Comparison, CurvePoint
from steering.records.planning import Located, PatchedSite, Share
from steering.records.probes import Estimate
from steering.records.readings import (
    ComparedPlan,
    ComparedPlanning,
    ComparedProbedSite,
    ComparedReadings,
    ProbedCurves,
)
from tests.helpers.comparisons import comparison, run_summary


def compared(kinds: str, twins: str = "") -> Comparison:
    """Two runs with probes; ``kinds``: of each site f (free), l (local) or - (neither); ``twins``: 1 for a twin."""
    known = [
        (str(k), k, kind == "f", "0" if twins[k : k + 1] == "1" else str(k), 7 if kind in "fl" else None)
        for k, kind in enumerate(kinds)
    ]
    facts = tuple(ComparedSite(*row) for row in known)
    probed = tuple(ComparedProbedSite(name, depth, True, *rest) for name, depth, *rest in known)
    points = tuple(CurvePoint(fact.name, 0.5, 0.4, 0.6, 1.0) for fact in facts)
    curves = ProbedCurves(*[(Estimate(0.5, 0.4, 0.6),) * len(kinds)] * 6)
    return comparison(
        arms=tuple(run_summary(name, curve=points) for name in "ab"),
        facts=facts,
        readings=ComparedReadings(3, tuple(fact.name for fact in facts), probed, (curves, curves), ((), ()), None),
    )


def marks(figure: Figure, panel: int) -> list[tuple[bool, float, float]]:
    """(whether it is a dotted frame, first, last position) of each mark in a panel."""
    return [
        (
            patch.get_linestyle() in (":", "dotted") and patch.get_facecolor()[3] == 0,
            patch.get_x(),
            patch.get_x() + patch.get_width(),
        )
        for patch in figure.axes[panel].patches
    ]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kinds", "spans", "words"),
    [
        ("ffll-", [(False, 0, 1), (True, 2, 3)], ["free", "local"]),
        ("fl-l", [(False, 0, 0), (True, 1, 1), (True, 3, 3)], ["free", "local", "local"]),
        ("---", [], []),
    ],
)
def test_free_and_local_sites_are_told_apart_in_every_panel(
    kinds: str, spans: list[tuple[bool, int, int]], words: list[str]
) -> None:
    figure = compare_figure(compared(kinds))
    assert len(figure.axes) == 4
    for panel in range(4):
        found = marks(figure, panel)
        assert [(framed, round(low + 0.45), round(high - 0.45)) for framed, low, high in found] == spans
        assert all(low % 1 and high % 1 for _, low, high in found), "between sites"
    assert [text.get_text() for text in figure.axes[0].texts] == words


def test_the_line_below_explains_the_marks_that_are_there() -> None:
    def below(kinds: str, twins: str = "") -> str:
        return compare_figure(compared(kinds, twins)).get_supxlabel()

    assert "free: affine in the pixels" in below("f-") and "local" not in below("f-")
    assert "local: a unit sees only part of the picture" in below("l-") and "free" not in below("l-")
    assert "pen markers" in below("--", "01") and below("--") == ""


def test_planning_stands_on_the_same_axis_as_blindness() -> None:
    """One run was measured at two of four maps, the other not at all."""
    share = Share(0.7, 0.6, 0.8)
    carried = {"1": (0.9, 0.1), "3": (0.2, 0.4)}
    sites = tuple(
        PatchedSite(name, int(name), tuple(Share(v, v, v) for v in values), ()) for name, values in carried.items()
    )
    located = Located("detour", "corner", 9, 9, 0, share, sites, (), (), ())
    plan = ComparedPlan("corner", 9, share, share, None, 0, None, None, 12, located)
    found = replace(compared("ff-l"), planning=ComparedPlanning(("a", "b"), ((), (plan,)), "a: not measured"))
    figure = compare_figure(found)
    assert len(figure.axes) == 1 + 2 + 3
    for axes, place in zip(figure.axes[1:3], (0, 1), strict=True):
        line = axes.lines[0]
        assert list(line.get_xdata().round()) == [1, 3] and list(line.get_ydata()) == [
            carried[n][place] for n in ("1", "3")
        ]
        assert line.get_color() == figure.axes[0].get_legend_handles_labels()[0][1].get_color(), "that of its run"


def test_intervals_of_runs_stand_side_by_side() -> None:
    """Each stands at its own marker, nearest to its own site, and reaches from its lower to its upper end."""
    axes = compare_figure(compared("ff-l")).axes[0]
    lines = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata())]
    for line, intervals in zip(lines, axes.collections, strict=True):
        drawn = np.array(intervals.get_segments())
        assert (drawn[:, :, 0] == line.get_xdata()[:, None]).all() and (drawn[:, :, 1] == [0.4, 0.6]).all()
        assert list(line.get_xdata().round()) == [0, 1, 2, 3]
    assert len({line.get_xdata()[0] for line in lines}) == 2
