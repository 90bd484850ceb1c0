"""The readings of the boundary side by side: causal (the sweep), representational and decoding (the probes), planning.

They say either up to which site something holds or from which on; on an axis of sites both are edges between two sites,
so they can be compared. Beside them stands what the shipped control has, an agent that was taught to plan nothing: a
reading that it shares is no evidence of planning.
"""

from __future__ import annotations

import functools
from pathlib import Path

from envs.stored.json_records import from_plain, read_json
from steering.probes.summary import APART
from steering.records.boundary import BoundarySummary
from steering.records.comparison import ComparedBoundary
from steering.records.planning import Located, PlanningSummary
from steering.records.probes import ProbeBoundaries, RepresentationalBoundary
from steering.records.readings import (
    CAUSAL,
    DECODING,
    PLANNING,
    REPRESENTATIONAL,
    ControlDetours,
    ControlReadings,
    Reading,
)
from steering.records.readouts import READ, ReadoutSummary
from steering.records.sweep import SweepSummary
from steering.statistics.boundary import Boundary

MOVES = {
    "cheese": "towards the cheese",
    APART: "towards the cheese, where it is not the one to the corner",
    "corner": "towards the corner",
    "policy": "the policy's own",
}


def readings(
    boundary: Boundary | BoundarySummary | ComparedBoundary | None,
    probes: ProbeBoundaries | None,
    planning: PlanningSummary | None = None,
    readouts: ReadoutSummary | None = None,
) -> list[Reading]:
    """Return the readings of a sweep's boundary, of probes, readouts and patching, as far as there are any."""
    found: list[Reading] = []
    if boundary is not None and boundary.rule:
        what = "blindness (the part of the cheese's effect that subtraction takes away) reaches its threshold"
        found += _rule_and_change(CAUSAL, what, "blindness", boundary)
    planned = [reading for row in _traced(planning) for reading in _located(row)] if planning is not None else []
    planned = (_followed(readouts) if readouts is not None else []) + planned
    if probes is None:
        return found + planned
    if probes.representational_boundary.rule:
        what = "at least half of the cheese's effect on activations is that of the start"
        found += _rule_and_change(REPRESENTATIONAL, what, "interaction", probes.representational_boundary)
    return found + _decoded(probes) + planned


CONTROL = Path(__file__).with_name("control.json")
CONTROL_FORMAT = "mazesteer-control-1"


@functools.cache
def control_readings() -> ControlReadings:
    """Return the readings of the shipped agent that was taught to plan nothing."""
    return from_plain(read_json(CONTROL), ControlReadings, CONTROL)


def as_control(
    summary: SweepSummary,
    probes: ProbeBoundaries | None,
    planning: PlanningSummary | None,
    readouts: ReadoutSummary | None,
) -> ControlReadings:
    """Return what is kept of a run's readings where its agent is the control."""
    detours = [
        ControlDetours(row.goal, row.detour[-1].follows, row.idle[-1].follows)
        for row in (planning.behaviour if planning is not None else ())
    ]
    found = tuple(readings(summary.boundary, probes, planning, readouts))
    return ControlReadings(
        CONTROL_FORMAT, summary.checkpoint, len(summary.levels.used), summary.mode, found, tuple(detours)
    )


def of_control(reading: Reading, control: ControlReadings) -> Reading | None:
    """Return the control's reading of the same statement; None if it was not asked, or has nothing to ask about."""
    return next((row for row in control.readings if (row.kind, row.what) == (reading.kind, reading.what)), None)


def control_cell(reading: Reading, control: ControlReadings) -> str:
    """Return the control's reading of the same statement in words."""
    twin = of_control(reading, control)
    return "nothing to ask" if twin is None else f"{twin.place} ({twin.interval})"


def _traced(planning: PlanningSummary) -> list[Located]:
    """Return what was patched but detours that the agent does not follow: there is nothing to trace."""
    ahead = {row.goal for row in planning.behaviour if row.look_ahead is not None}
    return [row for row in planning.located if row.kind == "cheese" or row.goal in ahead]


def _located(row: Located) -> list[Reading]:
    """Return where an effect leaves its source, and where it is at the mouse."""
    effect = "the cheese's effect" if row.kind == "cheese" else f"the effect of a detour to the {row.goal}"
    said = {
        "departure": ("up to", f"{effect}: its source alone carries half"),
        "handoff": ("from", f"{effect}: the mouse's place carries more than the source"),
        "arrival": ("from", f"{effect}: the mouse's place carries half of the most it ever does"),
        "spread": ("from", f"{effect}: spread over places (the source alone carries less than half, and no handoff)"),
    }
    return [
        Reading(PLANNING, said[reading.name][1], said[reading.name][0], reading.site, reading.low, reading.high)
        for reading in row.readings
        if reading.name != "spread" or reading.site is not None
    ]


def _followed(readouts: ReadoutSummary) -> list[Reading]:
    """Return from which site on a readout at the mouse follows detours."""
    found = []
    for row in readouts.detours:
        if row.view == READ:
            what = f"next move ({MOVES[row.what]}) read at the mouse ({row.view} units) follows detours"
            found.append(Reading(DECODING, what, "from", row.site, row.low, row.high))
            if row.site is not None:
                half = f"{what}: half of the gain over the readers"
                found.append(Reading(DECODING, half, "from", row.half_site, row.half_low, row.half_high))
    return found


def _decoded(probes: ProbeBoundaries) -> list[Reading]:
    """Return the sites where next moves appear, and where the cheese's cell is lost."""
    found = []
    for name, part in probes.decoding_boundary.next_move.items():
        if not part.rule:
            continue
        what = f"next move ({MOVES.get(name, name)}) can be read beyond pixels and surroundings"
        found.append(Reading(DECODING, what, "from", part.site, part.low, part.high))
        if part.site is not None:
            what = f"next move ({MOVES.get(name, name)}): half of the gain over pixels and surroundings"
            found.append(Reading(DECODING, what, "from", part.half_site, part.half_low, part.half_high))
    cell = probes.decoding_boundary.cell
    if cell.first is not None:
        what = "the cheese's cell can no longer be read linearly"
        found.append(Reading(DECODING, what, "from", cell.lost, cell.lost_low, cell.lost_high))
    return found


def _rule_and_change(
    kind: str, what: str, curve: str, found: Boundary | BoundarySummary | ComparedBoundary | RepresentationalBoundary
) -> list[Reading]:
    made = [Reading(kind, what, "up to", found.site, found.low, found.high)]
    if found.change_site is not None:
        before = f"{curve} before its change-point"
        made.append(Reading(kind, before, "up to", found.change_site, found.change_low, found.change_high))
    return made
