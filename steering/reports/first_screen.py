"""What a page says first: one sentence, the cards of a report, and the conclusion of a comparison in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steering.analysis.conclusion import NO_USE
from steering.analysis.paired_effects import cheese_tells
from steering.experiments.conditions import MAIN
from steering.figures.hero_figure import GOAL, cheese_located
from steering.marks.site_axis import place
from steering.records.comparison import (
    BlindnessDifference,
    ComparedBoundary,
    ComparedRunSummary,
    Comparison,
    RunDifference,
)
from steering.records.planning import PlanningSummary, Share
from steering.records.probes import Estimate, ProbeSummary
from steering.records.readings import CAUSAL, Reading
from steering.records.readouts import READ, ReadoutSummary
from steering.records.sweep import SweepSummary
from steering.reports import captions
from steering.statistics import bootstrap
from steering.statistics.formatting import format_number, short_site_name

FEW_RUNS = 5  # with more, differences to the first are a table only
_WORDS = 30  # of the sentence that a page begins with
_ASK_PLANNING = "Not measured: `mazesteer planning CHECKPOINT --out` this directory does."
_ASK_PROBE = "Not measured: `mazesteer probe CHECKPOINT --out` this directory does."


@dataclass(frozen=True)
class Card:
    """One question of the page, answered in a glance."""

    question: str
    """The question."""
    section: str
    """Anchor of the section that answers it at length."""
    number: str
    """The number; empty where nothing was measured."""
    interval: str
    """Its 95% interval over mazes; empty without one."""
    line: str
    """What the number is, or how to get it."""


def cards(
    summary: SweepSummary,
    probes: ProbeSummary | None,
    planning: PlanningSummary | None,
    readouts: ReadoutSummary | None,
) -> list[Card]:
    """Return the three cards of a report; arguments are None where nothing was measured."""
    return [_trick(summary), _effect(planning), _read(probes, readouts)]


def compared_headline(found: Comparison) -> str:
    """Return what a comparison of runs finds in one sentence of at most 30 words: where the trick ends in each."""
    ends: dict[str | None, list[str]] = {}
    for run in found.arms:
        ends.setdefault(run.boundary.site, []).append(run.name)
    told = [f"{_listed(names)} up to {place(site)}" for site, names in ends.items() if site is not None]
    told += [f"{_listed(names)} nowhere" for site, names in ends.items() if site is None]
    start = f"On {len(found.levels)} shared mazes, subtracting the cheese vector blinds"
    text = f"{start} {', '.join(told)}."
    if len(text.split()) <= _WORDS:
        return text
    order = [None, *found.sites]
    depths = sorted(order.index(site) for site in ends)
    first, last = (place(order[depth]) for depth in (depths[0], depths[-1]))
    if first == last:
        return f"{start} all {len(found.arms)} agents up to {first}." if depths[0] else f"{start} none of them."
    return f"{start} {len(found.arms)} agents; the first boundary is {first}, the last {last}."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def conclude_comparison(found: Comparison) -> str:
    """Return the conclusion of the comparison, in words."""
    first, mazes = found.arms[0], len(found.levels)
    lines = [f"On {mazes} mazes that all runs share, the boundary of {first.name} is {_reached(first)}"]
    lines += [f"That of {run.name} is {_reached(run)}" for run in found.arms[1:]]
    text = " ".join(f"{line}." for line in lines)
    if mazes < bootstrap.FEW:
        text += f" So few mazes give no reliable intervals of boundaries (at least {bootstrap.FEW} do)."
    if len(found.arms) <= FEW_RUNS:
        text += "".join(f" {_differs(row, found.classes)}" for row in found.differences)
    return text


def _differs(row: RunDifference, classes: Sequence[str]) -> str:
    """Return the sites where two runs differ: the distinct ones whose simultaneous bands leave out 0."""
    distinct = {name: point for point, name in reversed(list(zip(row.blindness, classes, strict=True)))}
    points = [point for point in distinct.values() if point.difference is not None]
    clear = [point for point in points if _is_clear(point)]
    pair = f"{row.of} and {row.against}"
    if not points:
        return f"Blindness of {pair} cannot be compared: the cheese changes nothing."
    band = "simultaneous 95% band over the sites"
    if not clear:
        return f"Blindness of {pair} differs clearly at none of {len(points)} distinct sites ({band})."
    most = max(clear, key=lambda point: abs(point.difference or 0.0))
    more = "more" if (most.difference or 0.0) > 0 else "less"
    much = f"{abs(most.difference or 0.0):.2g} {more} blindness in {row.of}"
    return (
        f"Blindness of {pair} differs clearly at {len(clear)} of {len(points)} distinct sites ({band}). "
        f"Most at {short_site_name(most.site)}: {much} (band {most.band_low:.2g} to {most.band_high:.2g})."
    )


def _is_clear(point: BlindnessDifference) -> bool:
    """Return whether the simultaneous band leaves out 0."""
    low, high = point.band_low, point.band_high
    return low is not None and high is not None and (low > 0 or high < 0)


def reach(found: ComparedBoundary) -> Reading:
    """Return a boundary as a reading."""
    return Reading(CAUSAL, "boundary", "up to", found.site, found.low, found.high)


def _reached(run: ComparedRunSummary) -> str:
    if run.curve[0].blindness is None:
        return "not defined, since the cheese changes nothing"
    caveats = "; ".join(run_caveats(run))
    text = f"{place(run.boundary.site)} (95% interval {reach(run.boundary).interval})"
    return f"{text}. Caveat: {caveats}" if caveats else text


def run_caveats(run: ComparedRunSummary) -> list[str]:
    """Return the reasons against a conclusion from the boundary of one run, in short."""
    return ([] if cheese_tells(run.cheese) else [NO_USE]) + boundary_caveats(run.boundary)


def boundary_caveats(found: ComparedBoundary) -> list[str]:
    """Return the reasons against reading a boundary as the place in the network where blindness ends."""
    alone = found.blindness_alone.site
    free = [captions.FREE] if found.affine else []
    if alone is None or alone == found.site:
        return free
    return [*free, captions.fill(captions.BY_COMPETENCE, site=short_site_name(alone))]


def _card(question: str, section: str, found: Share | Estimate, line: str) -> Card:
    low, high = found.low, found.high
    interval = "" if low is None or high is None else f"{format_number(low, 2)} to {format_number(high, 2)}"
    return Card(question, section, format_number(found.value, 2), interval, line)


def _trick(summary: SweepSummary) -> Card:
    question, found = "Does the trick work?", summary.boundary
    swept = {site.name: site.conditions[MAIN] for site in summary.sites if site.trunk and MAIN in site.conditions}
    if not swept:
        return Card(question, "trick", "", "", "No trunk site was swept under subtraction.")
    at = found.site or next(iter(swept))
    row = swept[at]
    line = f"blindness at {short_site_name(at)}, "
    line += "where it works last" if found.site else "the first site: it works nowhere"
    if found.site and found.next_site:
        after = format_number(swept[found.next_site].blindness, 2)
        line += f"; {after} at {short_site_name(found.next_site)}"
    return _card(question, "trick", Estimate(row.blindness, row.blindness_low, row.blindness_high), line)


def _effect(planning: PlanningSummary | None) -> Card:
    question, found = "Where is the cheese's effect?", cheese_located(planning)
    if found is None:
        return Card(question, "place", "", "", _ASK_PLANNING)
    named = {reading.name: reading for reading in found.readings}
    leaves, hands = named["departure"].site, named["handoff"].site
    at = next((site for site in found.sites if site.name == leaves), found.sites[0])
    line = f"of it at the cheese itself at {short_site_name(at.name)}"
    line += ", the last site with half" if leaves else ", the first site"
    line += f"; the mouse's place has more from {short_site_name(hands)} on" if hands else "; nowhere more at the mouse"
    return _card(question, "place", at.carried[0], line)


def _read(probes: ProbeSummary | None, readouts: ReadoutSummary | None) -> Card:
    question = "Can the next move be read?"
    if readouts is not None:
        sites = [(site.name, view.curve[-1]) for site in readouts.sites for view in site.views if view.view == READ]
        first = next((row.site for row in readouts.detours if (row.what, row.view) == (GOAL, READ)), None)
        if sites and GOAL in sites[-1][1].follows:
            name, last = sites[-1]
            line = f"of far detours are read at the mouse at {short_site_name(name)}; "
            since = (
                f"more than surroundings tell from {short_site_name(first)} on"
                if first
                else "nowhere more than surroundings tell"
            )
            return _card(question, "read", last.follows[GOAL], line + since)
    if probes is None:
        return Card(question, "read", "", "", _ASK_PROBE)
    appears = probes.decoding_boundary.next_move[GOAL].site
    told = {site.name: site.moves[GOAL].accuracy for site in probes.sites}
    at = appears or max(told, key=lambda name: told[name].value or 0.0)
    around = format_number(probes.surroundings[GOAL].value, 2)
    line = f"of next moves told from the whole map at {short_site_name(at)}; a look around tells {around}"
    return _card(question, "read", told[at], line)
