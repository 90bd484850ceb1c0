"""The finding of a run in words, from ``summary.json`` and ``probes.json``; and what speaks against drawing one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steering.analysis.paired_effects import cheese_tells
from steering.analysis.readings import readings
from steering.experiments.conditions import MAIN, MUST_NOT_BLIND
from steering.probes.summary import APART
from steering.records.probes import ProbeBoundaries
from steering.records.readings import DECODING, REPRESENTATIONAL, Reading, span
from steering.statistics import bootstrap
from steering.statistics.formatting import format_interval, format_number

NO_USE = "the cheese hardly draws the agent: it raises neither P(cheese) nor P(cheese | decision square) by a sure 0.01"
WIDE = 2 / 3  # of the distinct experiments: an interval over so many says nothing


def conclude_sweep(summary: dict[str, Any], probes: ProbeBoundaries | None = None) -> str:
    """The finding in two sentences: how far the trick works, with its interval; then what that supports.

    ``probes``: the boundaries that the probes of the same run give.
    """
    found = summary["boundary"]
    count = len(summary["levels"]["used"])
    name = summary["checkpoint"]["name"]
    if found["rule"] is None:
        return "No trunk site was swept under `subtract`, so these results say nothing about the boundary."
    rows = {s["name"]: s["conditions"][MAIN] for s in summary["sites"] if s["trunk"] and MAIN in s["conditions"]}
    first = next(iter(rows))
    if rows[first]["blindness"] is None or rows[first]["competence"] is None:
        return f"For {name} the question has no answer: the cheese changes nothing or the top right is never reached."
    reasons = caveats(summary, probes)
    evidence = [f"95% interval {span(found['low'], found['high'])}, {count} mazes"]
    if found["change_site"] is not None and not reasons:
        evidence.append(
            f"change-point of the curve {found['change_site']}, {span(found['change_low'], found['change_high'])}"
        )
    there = {control: part["there"] for control, part in found["controls"].items() if part["there"] is not None}
    if there:
        said = ", ".join(f"{control} {format_interval(part, 'blindness')}" for control, part in there.items())
        evidence.append(f"blindness of the controls there: {said}")
    undoes = f"takes away {found['thresholds']['blindness']:g} or more of the cheese's effect on the moves"
    where = f"up to {found['site']} ({'; '.join(evidence)})"
    if found["site"] is None:
        text = (
            f"For {name} on {count} mazes subtracting the cheese vector works nowhere, not even at {first} "
            f"({_failing(found, rows[first])})."
        )
    elif found["next_site"] is None:
        text = f"For {name} subtracting the cheese vector {undoes} at every site swept: {where}."
    else:
        why = _failing(found, rows[found["next_site"]], rows[found["site"]])
        text = f"For {name} subtracting the cheese vector {undoes} {where}; no longer at {found['next_site']} ({why})."
    if reasons:
        return f"{text} These numbers do not support a conclusion about where planning begins: {'; '.join(reasons)}."
    return f"{text} {_other_readings(summary, probes)}"


def caveats(summary: dict[str, Any], probes: ProbeBoundaries | None = None) -> list[str]:
    """Why the numbers do not support a conclusion about where planning begins; empty if they do."""
    found, count = summary["boundary"], len(summary["levels"]["used"])
    reasons = []
    if count < bootstrap.FEW:
        reasons.append(f"{count} {'maze is' if count == 1 else 'mazes are'} too few (at least {bootstrap.FEW})")
    if not cheese_tells(e for e in summary["effects"] if e["condition"] == "clean"):
        reasons.append(NO_USE)
    if found["affine"]:
        reasons.append(f"up to {found['site']} the network is affine in the pixels, so success there is free")
    trunk = {s["name"]: s["equivalence_class"] for s in summary["sites"] if s["trunk"] and MAIN in s["conditions"]}
    order = list(dict.fromkeys(trunk.values()))
    depth: dict[str | None, int] = {None: 0}
    depth |= {name: order.index(kind) + 1 for name, kind in trunk.items()}
    covered = depth[found["high"]] - depth[found["low"]]
    if covered >= WIDE * len(order):
        reasons.append(f"the interval covers {covered} of {len(order)} distinct experiments")
    if found["site"] is not None:
        reasons += _controls(found)
    alone, deepest = found["blindness_alone"], len(order)
    if depth[alone["site"]] > depth[found["site"]]:
        reasons.append(
            f"competence sets the boundary, not blindness, which holds up to {alone['site']}: damage cannot be told "
            "from an agent that sees again"
        )
    if (
        found["change_site"] is not None
        and 0 < depth[alone["site"]] < deepest
        and (depth[found["change_low"]] > depth[alone["high"]] or depth[found["change_high"]] < depth[alone["low"]])
    ):
        reasons.append(f"the curve's change-point lies elsewhere ({span(found['change_low'], found['change_high'])})")
    return reasons + _decoding(summary, probes)


def _decoding(summary: Mapping[str, Any], probes: ProbeBoundaries | None) -> list[str]:
    """What the next move that probes read says against the boundary: that there is none, or that it comes elsewhere."""
    move = _readings(probes).get("cheese")
    if move is None:
        return []
    if move.site is None:
        return ["the next move towards the cheese can be read beyond pixels and surroundings at no site"]
    if _meet(summary, move) is False:
        return [f"the next move towards the cheese comes in elsewhere (from {move.site} on, {_interval(move)})"]
    return []


def _other_readings(summary: Mapping[str, Any], probes: ProbeBoundaries | None) -> str:
    """What probes say of next moves, where subtraction has no part, and of the vectors that are subtracted."""
    found = _readings(probes)
    parts = []
    if "cheese" in found:
        text = "Asked independently, the next move towards the cheese can be read beyond pixels and surroundings from "
        text += f"{found['cheese'].site} on ({_interval(found['cheese'])}"
        if APART in found:
            site = found[APART].site
            text += "; where the corner asks for another move, "
            text += f"from {site} on" if site else "nowhere, so it may be the way to the corner that is read"
        parts.append(f"{text})")
    if REPRESENTATIONAL in found:
        held = found[REPRESENTATIONAL]
        apart = ", which does not meet the boundary" if _meet(summary, held) is False else ""
        place = "nowhere" if held.site is None else f"up to {held.site}"
        what = "at least half of the cheese's effect on the activations is what it is at the start"
        parts.append(f"{'' if parts else 'By the vectors themselves, '}{what} {place} ({_interval(held)}{apart})")
    if not parts:
        return "Whether next moves come in there, as planning would have it, was not asked (`mazesteer probe` does)."
    return f"{'; '.join(parts)}."


def _readings(probes: ProbeBoundaries | None) -> dict[str, Reading]:
    """The probes' readings that a conclusion rests on: next moves (``cheese`` and :data:`APART`), and the vectors'."""
    if probes is None:
        return {}
    found = {
        name: Reading(DECODING, name, "from", part.site, part.low, part.high)
        for name, part in probes.decoding_boundary.next_move.items()
        if name in ("cheese", APART) and part.rule
    }
    held = probes.representational_boundary
    if held.rule:
        found[REPRESENTATIONAL] = Reading(REPRESENTATIONAL, "vectors", "up to", held.site, held.low, held.high)
    return found


def _meet(summary: Mapping[str, Any], other: Reading) -> bool | None:
    """Whether the interval of a reading and that of the boundary have a place in common; None if that is not known."""
    names = [site["name"] for site in summary["sites"] if site["trunk"]]
    ends = [reading.edges(names) for reading in (readings(summary["boundary"], None)[0], other)]
    if None in ends:
        return None
    (_, low, high), (_, other_low, other_high) = (end for end in ends if end is not None)
    return low <= other_high and other_low <= high


def _interval(reading: Reading) -> str:
    return f"95% interval {span(reading.low, reading.high)}"


def _controls(found: Mapping[str, Any]) -> list[str]:
    """What the controls say against a boundary: that they blind there too, or that there are none."""
    swept = {c: found["controls"][c]["there"] for c in MUST_NOT_BLIND if c in found["controls"]}
    if not swept:
        return [f"no control was swept ({', '.join(MUST_NOT_BLIND)})"]
    threshold = found["thresholds"]["blindness"]
    reasons = []
    for control, part in swept.items():
        if part is not None and part["high"] >= threshold:
            verb = "blinds" if part["blindness"] >= threshold else "may blind"
            reasons.append(f"the control {control} {verb} there too ({format_interval(part, 'blindness')})")
    return reasons


def _failing(found: Mapping[str, Any], row: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> str:
    """Which of the two thresholds a site misses, with the numbers, and those of the site before it."""
    missed = []
    for name, least in found["thresholds"].items():
        if row[name] is None or row[name] < least:
            fell = f"{format_number(before[name], 2)} -> " if before is not None else ""
            missed.append(f"{name} {fell}{format_number(row[name], 2)}, below {least:g}")
    return " and ".join(missed)
