"""Made-up comparisons for pages and figures: records whose parts are the same wherever nothing else is asked for."""

from __future__ import annotations

from typing import Any

from steering.records.comparison import (
    CheeseEffect,
    ComparedBoundary,
    ComparedOutcomes,
    ComparedReferences,
    ComparedRunSummary,
    Comparison,
)
from steering.statistics.boundary import Reach, ThresholdPair


def boundary_of(site: str | None, low: str | None = None, high: str | None = None) -> ComparedBoundary:
    return ComparedBoundary(
        site=site,
        next_site=None,
        low=low,
        high=high,
        change_site=None,
        change_low=None,
        change_high=None,
        blindness_alone=Reach(site, low, high),
        rule="a rule",
        affine=False,
    )


def cheese_effect(low: float, high: float) -> CheeseEffect:
    mean = (low + high) / 2
    return CheeseEffect("p_cheese_cell", 20, 0, 0, mean, mean, low, high, 0.5, 0.5, "")


def run_summary(name: str = "agent", **other: Any) -> ComparedRunSummary:
    outcomes = ComparedOutcomes(0.5, 0.5, 0.5)
    usual: dict[str, Any] = {
        "name": name,
        "checkpoint": name,
        "sha256": "a" * 64,
        "coefficient": 1.0,
        "vector": "start",
        "seed": 0,
        "command": "mazesteer layer-sweep",
        "versions": (),
        "boundary": boundary_of(None),
        "curve": (),
        "reference": ComparedReferences(outcomes, outcomes),
        "tv_no_cheese": 0.1,
        "cheese": (),
    }
    return ComparedRunSummary(**usual | other)


def comparison(**other: Any) -> Comparison:
    usual: dict[str, Any] = {
        "format": "mazesteer-compare-1",
        "levels": (1, 2, 3),
        "sites": (),
        "classes": (),
        "facts": (),
        "thresholds": ThresholdPair(0.5, 0.8),
        "horizon": 256,
        "mode": "hard",
        "seed": 0,
        "arms": (),
        "differences": (),
        "over_agents": None,
        "no_over_agents": None,
        "command": "mazesteer compare",
        "versions": {},
        "readings": None,
        "no_readings": "",
        "unfinished": (),
    }
    return Comparison(**usual | other)
