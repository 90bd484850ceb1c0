"""The finding of a run in words, from its summary and its probes; and what speaks against drawing one."""

from __future__ import annotations

from steering.analysis.paired_effects import cheese_tells
from steering.analysis.readings import readings
from steering.experiments.conditions import MAIN, MUST_NOT_BLIND
from steering.probes.summary import APART
from steering.records.boundary import BoundarySummary, ControlReading
from steering.records.probes import ProbeBoundaries
from steering.records.readings import DECODING, REPRESENTATIONAL, Reading, span
from steering.records.sweep import ConditionSummary, SiteSummary, SweepSummary
from steering.statistics import bootstrap
from steering.statistics.formatting import format_number, format_range

NO_USE = "the cheese hardly draws the agent: it raises neither P(cheese) nor P(cheese | decision square) by a sure 0.01"
WIDE = 2 / 3  # of the distinct experiments: an interval over so many says nothing


def conclude_sweep(summary: SweepSummary, probes: ProbeBoundaries | None = None) -> str:
    """Return the finding in two sentences: how far the trick works, with its interval; then what that supports.

    Args:
        summary: the numbers of the run.
        probes: the boundaries that the probes of the same run found; None: not probed.

    Returns:
        Plain text in one line.
    """
    if summary.boundary.rule is None:
        return "No trunk site was swept under `subtract`, so these results say nothing about the boundary."
    first = next(iter(_trunk(summary))).conditions[MAIN]
    if first.blindness is None or first.competence is None:
        return (
            f"For {summary.checkpoint.name} the question has no answer: the cheese changes nothing or the top right is "
            "never reached."
        )
    reasons = caveats(summary, probes)
    text = _works_up_to(summary, with_change_point=not reasons)
    if reasons:
        return f"{text} These numbers do not support a conclusion about where planning begins: {'; '.join(reasons)}."
    return f"{text} {_other_readings(summary, probes)}"


def _works_up_to(summary: SweepSummary, with_change_point: bool) -> str:
    """Return the first sentence: up to which site subtraction works, on what evidence, and why no longer after it."""
    found, name, count = summary.boundary, summary.checkpoint.name, len(summary.levels.used)
    rows = {site.name: site.conditions[MAIN] for site in _trunk(summary)}
    if found.site is None:
        first = next(iter(rows))
        return (
            f"For {name} on {count} mazes subtracting the cheese vector works nowhere, not even at {first} "
            f"({_failing(found, rows[first])})."
        )
    evidence = [f"95% interval {span(found.low, found.high)}, {count} mazes"]
    if found.change_site is not None and with_change_point:
        evidence.append(f"change-point of the curve {found.change_site}, {span(found.change_low, found.change_high)}")
    there = [f"{name} {_blindness(part.there)}" for name, part in found.controls.items() if part.there is not None]
    if there:
        evidence.append(f"blindness of the controls there: {', '.join(there)}")
    undoes = f"takes away {found.thresholds.blindness:g} or more of the cheese's effect on the moves"
    where = f"up to {found.site} ({'; '.join(evidence)})"
    if found.next_site is None:
        return f"For {name} subtracting the cheese vector {undoes} at every site swept: {where}."
    why = _failing(found, rows[found.next_site], rows[found.site])
    return f"For {name} subtracting the cheese vector {undoes} {where}; no longer at {found.next_site} ({why})."


def caveats(summary: SweepSummary, probes: ProbeBoundaries | None = None) -> list[str]:
    """Return the reasons why the numbers do not support a conclusion about where planning begins.

    Args:
        summary: the numbers of the run.
        probes: the boundaries that the probes of the same run found; None: not probed.

    Returns:
        One sentence per reason; empty if the numbers do support one.
    """
    found, count = summary.boundary, len(summary.levels.used)
    reasons = []
    if count < bootstrap.FEW:
        reasons.append(f"{count} {'maze is' if count == 1 else 'mazes are'} too few (at least {bootstrap.FEW})")
    if not cheese_tells(effect for effect in summary.effects if effect.condition == "clean"):
        reasons.append(NO_USE)
    if found.affine:
        reasons.append(f"up to {found.site} the network is affine in the pixels, so success there is free")
    depth = _experiments(summary)
    deepest = max(depth.values())
    covered = depth[found.high] - depth[found.low]
    if covered >= WIDE * deepest:
        reasons.append(f"the interval covers {covered} of {deepest} distinct experiments")
    if found.site is not None:
        reasons += _controls(found)
    alone = found.blindness_alone
    if depth[alone.site] > depth[found.site]:
        reasons.append(
            f"competence sets the boundary, not blindness, which holds up to {alone.site}: damage cannot be told "
            "from an agent that sees again"
        )
    if _changes_elsewhere(found, depth):
        reasons.append(f"the curve's change-point lies elsewhere ({span(found.change_low, found.change_high)})")
    return reasons + _decoding(summary, probes)


def _trunk(summary: SweepSummary) -> list[SiteSummary]:
    """Return the trunk sites that were swept under subtraction, in depth order."""
    return [site for site in summary.sites if site.trunk and MAIN in site.conditions]


def _experiments(summary: SweepSummary) -> dict[str | None, int]:
    """Return for each trunk site the number of its experiment, the first being 1; 0 for nowhere."""
    trunk = _trunk(summary)
    order = list(dict.fromkeys(site.equivalence_class for site in trunk))
    depth: dict[str | None, int] = {None: 0}
    return depth | {site.name: order.index(site.equivalence_class) + 1 for site in trunk}


def _changes_elsewhere(found: BoundarySummary, depth: dict[str | None, int]) -> bool:
    """Return whether the interval of the change-point and that of blindness alone have no place in common."""
    alone = found.blindness_alone
    if found.change_site is None or not 0 < depth[alone.site] < max(depth.values()):
        return False
    return depth[found.change_low] > depth[alone.high] or depth[found.change_high] < depth[alone.low]


def _decoding(summary: SweepSummary, probes: ProbeBoundaries | None) -> list[str]:
    """Return the caveats from the next move that probes read: none, or elsewhere than the boundary."""
    move = _readings(probes).get("cheese")
    if move is None:
        return []
    if move.site is None:
        return ["the next move towards the cheese can be read beyond pixels and surroundings at no site"]
    if _meet(summary, move) is False:
        return [f"the next move towards the cheese comes in elsewhere (from {move.site} on, {_interval(move)})"]
    return []


def _other_readings(summary: SweepSummary, probes: ProbeBoundaries | None) -> str:
    """Return the caveats from probes of next moves, where subtraction has no part, and of the vectors subtracted."""
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
    """Return the probes' readings that a conclusion rests on: next moves (cheese, :data:`APART`), and the vectors'."""
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


def _meet(summary: SweepSummary, other: Reading) -> bool | None:
    """Return whether a reading's interval and the boundary's have a place in common; None if that is not known."""
    names = [site.name for site in summary.sites if site.trunk]
    ends = [reading.edges(names) for reading in (readings(summary.boundary, None)[0], other)]
    if None in ends:
        return None
    (_, low, high), (_, other_low, other_high) = (end for end in ends if end is not None)
    return low <= other_high and other_low <= high


def _interval(reading: Reading) -> str:
    return f"95% interval {span(reading.low, reading.high)}"


def _blindness(part: ControlReading) -> str:
    return format_range(part.blindness, part.low, part.high)


def _controls(found: BoundarySummary) -> list[str]:
    """Return the caveats from the controls: that they blind there too, or that there are none."""
    swept = {name: found.controls[name].there for name in MUST_NOT_BLIND if name in found.controls}
    if not swept:
        return [f"no control was swept ({', '.join(MUST_NOT_BLIND)})"]
    threshold = found.thresholds.blindness
    reasons = []
    for control, part in swept.items():
        if part is not None and part.high >= threshold:
            verb = "blinds" if part.blindness >= threshold else "may blind"
            reasons.append(f"the control {control} {verb} there too ({_blindness(part)})")
    return reasons


def _failing(found: BoundarySummary, row: ConditionSummary, before: ConditionSummary | None = None) -> str:
    """Return the thresholds that a site misses, with the numbers, and those of the site before it, in words."""
    least = found.thresholds
    asked = (
        ("blindness", row.blindness, None if before is None else before.blindness, least.blindness),
        ("competence", row.competence, None if before is None else before.competence, least.competence),
    )
    missed = []
    for name, value, value_before, threshold in asked:
        if value is None or value < threshold:
            fell = "" if before is None else f"{format_number(value_before, 2)} -> "
            missed.append(f"{name} {fell}{format_number(value, 2)}, below {threshold:g}")
    return " and ".join(missed)
