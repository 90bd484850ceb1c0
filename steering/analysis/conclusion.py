"""The finding of a run in words, from its sweep, its probes and its planning; and what speaks against drawing one."""

from __future__ import annotations

from steering.analysis.paired_effects import cheese_tells
from steering.analysis.readings import control_readings, of_control, readings
from steering.experiments.conditions import MAIN, MUST_NOT_BLIND
from steering.probes.summary import APART
from steering.records.boundary import BoundarySummary, ControlReading
from steering.records.planning import PlanningSummary, Share
from steering.records.probes import ProbeBoundaries
from steering.records.readings import DECODING, REPRESENTATIONAL, Reading, span
from steering.records.sweep import ConditionSummary, SiteSummary, SweepSummary
from steering.statistics import bootstrap
from steering.statistics.formatting import format_number, format_range, short_site_name

NO_USE = "the cheese hardly draws the agent"  # by the rule of cheese_tells
WIDE = 2 / 3  # of the distinct experiments: an interval over so many says nothing


def conclude_sweep(
    summary: SweepSummary, probes: ProbeBoundaries | None = None, planning: PlanningSummary | None = None
) -> str:
    """Return the finding in a few sentences: how far the trick works, what else was read, and whether the agent plans.

    The rule of the text: what the shipped control has too, an agent that was taught to plan nothing, is called no
    evidence of planning.

    Args:
        summary: the numbers of the run.
        probes: the boundaries that the probes of the same run found; None: not probed.
        planning: the readings of planning of the same run; None: not measured.

    Returns:
        Plain text in one line.
    """
    if summary.boundary.rule is None:
        return "No trunk site was swept under `subtract`, so these results say nothing about the boundary."
    first = next(iter(_trunk(summary))).conditions[MAIN]
    if first.blindness is None or first.competence is None:
        return (
            f"For {summary.checkpoint.name} the question has no answer: the cheese changes nothing, or the top right "
            "is never reached."
        )
    reasons = caveats(summary)
    parts = [_works_up_to(summary, with_change_point=not reasons)]
    if reasons:
        parts.append("These numbers do not settle where subtraction stops.")
        parts += [f"{reason[0].upper()}{reason[1:]}." for reason in reasons]
    parts += [_beside_the_control(summary), _other_readings(summary, probes), _planned(summary, planning)]
    return " ".join(part for part in parts if part)


def headline(summary: SweepSummary) -> str:
    """Return the finding of a sweep in one sentence of at most 30 words."""
    found, name, rows = summary.boundary, summary.checkpoint.name, _trunk(summary)
    if found.rule is None:
        return "No site was swept under subtraction, so nothing is said of where it stops."
    if rows[0].conditions[MAIN].blindness is None or rows[0].conditions[MAIN].competence is None:
        return f"For {name} the question has no answer: the cheese changes nothing, or the top right is never reached."
    settled = not caveats(summary)
    verb = "blinds" if settled else "seems to blind"
    start = f"Subtracting the cheese vector {verb} {name}"
    if found.site is None:
        text = f"{start} nowhere, not even at {short_site_name(rows[0].name)}"
    elif found.next_site is None:
        text = f"{start} at every site swept, up to {short_site_name(found.site)}"
    else:
        text = f"{start} up to {short_site_name(found.site)}; at {short_site_name(found.next_site)} it no longer does"
    return f"{text}." if settled else f"{text}; this is not settled (In full says why)."


def _works_up_to(summary: SweepSummary, with_change_point: bool) -> str:
    """Return up to which site subtraction works, on what evidence, and why no longer after it."""
    found, name, count = summary.boundary, summary.checkpoint.name, len(summary.levels.used)
    rows = {site.name: site.conditions[MAIN] for site in _trunk(summary)}
    if found.site is None:
        first = next(iter(rows))
        return (
            f"For {name}, on {count} mazes, subtracting the cheese vector works nowhere, not even at {first} "
            f"({_failing(found, rows[first])})."
        )
    least = f"{found.thresholds.blindness:g}"
    undoes = f"takes away {least} or more of the cheese's effect on the moves up to {found.site}"
    over = f"(95% interval {span(found.low, found.high)}; {count} mazes)"
    lines = [f"For {name}, subtracting the cheese vector {undoes} {over}."]
    if found.next_site is None:
        lines.append("That is every site swept.")
    else:
        why = _failing(found, rows[found.next_site], rows[found.site])
        lines.append(f"At {found.next_site} it no longer does ({why}).")
    if found.change_site is not None and with_change_point:
        interval = span(found.change_low, found.change_high)
        lines.append(f"The change-point of the curve is {found.change_site} (95% interval {interval}).")
    there = [f"{name} {_blindness(part.there)}" for name, part in found.controls.items() if part.there is not None]
    if there:
        lines.append(f"Blindness of the controls there: {', '.join(there)}.")
    return " ".join(lines)


def caveats(summary: SweepSummary) -> list[str]:
    """Return the reasons why the numbers of a run do not settle where subtraction stops.

    One sentence per reason; none if they do settle it.
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
            f"competence sets the boundary, not blindness, which holds up to {alone.site} (the agent may be damaged, "
            "or see again)"
        )
    if _changes_elsewhere(found, depth):
        reasons.append(f"the curve's change-point lies elsewhere ({span(found.change_low, found.change_high)})")
    return reasons


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


def _beside_the_control(summary: SweepSummary) -> str:
    """Return what the control that plans nothing says of the place where subtraction stops."""
    control = control_readings()
    name = control.named(summary.mode)
    if summary.checkpoint.sha256 == control.checkpoint.sha256:
        return "This agent was taught to plan nothing: whatever is read of it is no evidence of planning."
    own = readings(summary.boundary, None)[0]
    twin = of_control(own, control)
    meet = None if twin is None else _meet(summary, own, twin)
    if twin is None or meet is None:
        return f"That is no evidence of planning: {name}, which was taught to plan nothing, has such a place too."
    alone, too = ("", " too") if meet else (" alone", "")
    place = "nowhere" if twin.site is None else f"{twin.word} {twin.site}"
    who = f"{name}, which was taught to plan nothing, is blinded {place}{too}"
    return f"That{alone} is no evidence of planning: {who} ({_interval(twin)})."


def _interval_of(reading: Reading) -> str:
    place = "nowhere" if reading.site is None else f"{reading.word} {reading.site}"
    return f"{place} ({_interval(reading)})"


def _other_readings(summary: SweepSummary, probes: ProbeBoundaries | None) -> str:
    """Return what probes of next moves say, where subtraction has no part, and the vectors subtracted."""
    found = _readings(probes)
    lines = []
    if "cheese" in found:
        lines.append(
            "Probes of whole maps, which are short of frames, read the next move towards the cheese beyond pixels and "
            f"surroundings {_interval_of(found['cheese'])}."
        )
        if APART in found:
            site = found[APART].site
            far = f"from {site} on" if site else "nowhere, so they may read the way to the corner"
            lines.append(f"Where the corner asks for another move, they do so {far}.")
    if REPRESENTATIONAL in found:
        held = found[REPRESENTATIONAL]
        what = "At least half of the cheese's effect on the activations is as at the start"
        lines.append(f"{what} {_interval_of(held)}.")
        if _meet(summary, readings(summary.boundary, None)[0], held) is False:
            lines.append("This interval and that of the boundary do not meet.")
    return " ".join(lines)


def _planned(summary: SweepSummary, planning: PlanningSummary | None) -> str:
    """Return whether the agent follows detours that no look around shows, and where what far walls mean is known."""
    if planning is None:
        return "Planning was not measured (`mazesteer planning` does)."
    control = control_readings()
    by_goal = {row.goal: row.follows for row in control.detours}
    own = summary.checkpoint.sha256 == control.checkpoint.sha256
    lines = ["A look around shows nothing of the detours asked about."]
    for row in planning.behaviour:
        text = f"Of detours to the {row.goal}, {summary.checkpoint.name} follows {_share(row.detour[-1].follows)}"
        if not own and row.goal in by_goal:
            text += f" and {control.named(summary.mode)} {_share(by_goal[row.goal])}"
        lines.append(f"{text}; of idle changes it is right in {_share(row.idle[-1].follows)}.")
        far = "At no distance" if row.look_ahead is None else f"Up to {row.look_ahead} steps ahead"
        lines.append(f"{far} it follows more detours than a reader that does not look ahead.")
    ahead = {row.goal for row in planning.behaviour if row.look_ahead is not None}
    for part in planning.located:
        if part.kind != "detour" or part.goal not in ahead:
            continue
        found = {reading.name: reading for reading in part.readings}
        leaves, hands = found["departure"], found["handoff"]
        where = "nowhere" if leaves.site is None else f"up to {leaves.site}"
        interval = f"95% interval {span(leaves.low, leaves.high)}"
        lines.append(f"On the way to the {part.goal}, far walls carry half of their effect {where} ({interval}).")
        more = "nowhere" if hands.site is None else f"from {hands.site} on"
        lines.append(f"The mouse's place carries more than they do {more}.")
    return " ".join(lines)


def _share(part: Share) -> str:
    return format_range(part.value, part.low, part.high)


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


def _meet(summary: SweepSummary, one: Reading, other: Reading) -> bool | None:
    """Return whether the intervals of two readings have a place in common; None if that is not known."""
    names = [site.name for site in summary.sites if site.trunk]
    ends = [reading.edges(names) for reading in (one, other)]
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
