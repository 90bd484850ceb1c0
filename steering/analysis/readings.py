"""The readings of the boundary side by side: causal (the sweep), representational and decoding (the probes).

All say either up to which site something holds or from
which on; on an axis of sites both are edges between two sites, so they can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steering.probes.summary import APART
from steering.records.probes import ProbeBoundaries
from steering.records.readings import CAUSAL, DECODING, REPRESENTATIONAL, Reading

MOVES = {
    "cheese": "towards the cheese",
    APART: "towards the cheese, where it is not the one to the corner",
    "corner": "towards the corner",
    "policy": "the policy's own",
}


def readings(boundary: Mapping[str, Any] | None, probes: ProbeBoundaries | None) -> list[Reading]:
    """Return the readings of a sweep's boundary and of the probes' boundaries, as far as there are any."""
    found: list[Reading] = []
    if boundary is not None and boundary["rule"]:
        what = "blindness (the part of the cheese's effect that subtraction takes away) reaches its threshold"
        found += _rule_and_change(CAUSAL, what, "blindness", boundary)
    if probes is None:
        return found
    held = probes.representational_boundary
    if held.rule:
        what = "at least half of the cheese's effect on activations is that of the start"
        found.append(Reading(REPRESENTATIONAL, what, "up to", held.site, held.low, held.high))
    if held.rule and held.change_site is not None:
        what = "interaction before its change-point"
        found.append(Reading(REPRESENTATIONAL, what, "up to", held.change_site, held.change_low, held.change_high))
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


def _rule_and_change(kind: str, what: str, curve: str, found: Mapping[str, Any]) -> list[Reading]:
    made = [Reading(kind, what, "up to", found["site"], found["low"], found["high"])]
    if found["change_site"] is not None:
        ends = (found[f"change_{end}"] for end in ("site", "low", "high"))
        made.append(Reading(kind, f"{curve} before its change-point", "up to", *ends))
    return made
