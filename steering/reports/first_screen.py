"""The first screen of a page: one sentence, and the cards of a report with one number, interval and line each."""

from __future__ import annotations

from dataclasses import dataclass

from steering.experiments.conditions import MAIN
from steering.figures.hero_figure import GOAL, cheese_located
from steering.marks.site_axis import place
from steering.records.comparison import Comparison
from steering.records.planning import PlanningSummary, Share
from steering.records.probes import Estimate, ProbeSummary
from steering.records.readouts import READ, ReadoutSummary
from steering.records.sweep import SweepSummary
from steering.statistics.formatting import format_number, short_site_name

_NAMED = 4  # runs that a sentence of 30 words has room for
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
    """Return what a comparison of runs finds in one sentence: up to which site the trick works in each."""
    runs, mazes = found.arms, len(found.levels)
    if len(runs) <= _NAMED:
        told = [f"{run.name} up to {place(run.boundary.site)}" for run in runs if run.boundary.site is not None]
        told += [f"{run.name} nowhere" for run in runs if run.boundary.site is None]
        return f"On {mazes} shared mazes, subtracting the cheese vector blinds {', '.join(told)}."
    order = [None, *found.sites]
    depths = sorted(order.index(run.boundary.site) for run in runs)
    first, last = (place(order[depth]) for depth in (depths[0], depths[-1]))
    reach = f"up to {first} in all" if first == last else f"up to between {first} and {last}"
    return f"On {mazes} shared mazes, subtracting the cheese vector blinds these {len(runs)} agents {reach}."


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
