"""The readings of the boundary side by side: causal (the sweep), representational and decoding (the probes).

All are made of plain data (``summary.json``, ``probes.json``), and say either up to which site something holds or from
which on; on an axis of sites both are edges between two sites, so they can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steering.probes.summary import APART
from steering.records.readings import CAUSAL, DECODING, REPRESENTATIONAL, Reading

MOVES = {
    "cheese": "towards the cheese",
    APART: "towards the cheese, where it is not the one to the corner",
    "corner": "towards the corner",
    "policy": "the policy's own",
}


def readings(boundary: Mapping[str, Any] | None, probes: Mapping[str, Any] | None) -> list[Reading]:
    """Of ``summary["boundary"]`` and of ``probes.json``, as far as there are any."""
    found: list[Reading] = []
    if boundary is not None and boundary["rule"]:
        what = "blindness (the part of the cheese's effect that subtraction takes away) reaches its threshold"
        found += _rule_and_change(CAUSAL, what, "blindness", boundary)
    if probes is None:
        return found
    if probes["representational_boundary"]["rule"]:
        what = "at least half of the cheese's effect on activations is that of the start"
        found += _rule_and_change(REPRESENTATIONAL, what, "interaction", probes["representational_boundary"])
    decoded = probes["decoding_boundary"]
    for name, part in decoded["next_move"].items():
        if not part["rule"]:
            continue
        what = f"next move ({MOVES.get(name, name)}) can be read beyond pixels and surroundings"
        found.append(Reading(DECODING, what, "from", part["site"], part["low"], part["high"]))
        if part["site"] is not None:
            what = f"next move ({MOVES.get(name, name)}): half of the gain over pixels and surroundings"
            found.append(Reading(DECODING, what, "from", *(part[f"half_{end}"] for end in ("site", "low", "high"))))
    cell = decoded["cell"]
    if cell["first"] is not None:
        ends = (cell[name] for name in ("lost", "lost_low", "lost_high"))
        found.append(Reading(DECODING, "the cheese's cell can no longer be read linearly", "from", *ends))
    return found


def _rule_and_change(kind: str, what: str, curve: str, found: Mapping[str, Any]) -> list[Reading]:
    made = [Reading(kind, what, "up to", found["site"], found["low"], found["high"])]
    if found["change_site"] is not None:
        ends = (found[f"change_{end}"] for end in ("site", "low", "high"))
        made.append(Reading(kind, f"{curve} before its change-point", "up to", *ends))
    return made
