"""The tables of docs/result.md about planning, as rows of text, made of the evidence that comes with the page."""

from __future__ import annotations

import itertools
import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from steering.analysis.compared_runs import ComparedRun
from steering.analysis.comparison import compare
from steering.analysis.readings import readings
from steering.experiments.conditions import MAIN
from steering.records.planning import GoalBehaviour, Located, PlanningSummary, Share
from steering.records.readings import Reading
from steering.records.readouts import ReadoutSummary, WrittenEffect, WrittenSite, WrittenSummary
from steering.records.sweep import SweepSummary
from steering.statistics.formatting import short_site_name
from steering.statistics.paired import paired_effect, same_resamples
from steering.sweep.artifacts import PLANNING, PROBES, READOUTS, WRITTEN, Artifact

T = TypeVar("T")
AGENTS = ("region5", "region5-seed1", "region5-seed2", "anywhere", "corner", "reflex")
EVIDENCE = Path(__file__).resolve().parents[2] / "docs" / "evidence"
STRENGTH = 1.0  # of written moves, in norms of the cheese vector
Table = list[list[str]]


SERIES = (0, 131_072, 262_144, 524_288, 1_048_576, 2_097_152, 4_194_304, 12_007_936)  # snapshots of region5, in samples
NEAR_AGENTS = ("region5", "anywhere", "reflex")  # whose sweeps have distances to the cheese
PAIR = ("region5-easy", "model_160022528")  # imitation and reward alone, on the same easy levels
WIDTHS = ("region5-easy", "region5-easy-x0.5")  # the same recipe
CHEESE = ("region5-easy", "anywhere-easy")  # the same recipe, where the cheese lies in training apart
NEAR_SITES = ("embedder.block2.res1.resadd", "embedder.block3.conv", "embedder.block3.maxpool")


def tables(scratch: Path, sweeps: Mapping[str, SweepSummary]) -> dict[str, Table]:
    """Return the tables by the text that they stand behind.

    Args:
        scratch: folder to unpack into.
        sweeps: summaries of the runs by agent.
    """
    plans = {name: evidence(PLANNING, name, scratch) for name in AGENTS}
    told = {name: evidence(READOUTS, name, scratch) for name in AGENTS}
    wrote = {name: evidence(WRITTEN, name, scratch) for name in AGENTS}
    series = {count: evidence(PLANNING, f"region5-{count}", scratch) for count in SERIES}
    return {
        "**Do they plan?**": in_short(plans),
        "The **handoff**": handoffs({name: plan for name, plan in plans.items() if name != "reflex"}),
        "Subtraction fails first where the cheese is close:": nearness(
            {name: sweeps[name] for name in ("region5", "reflex")}, NEAR_SITES
        ),
        "### Planning over training": over_training(series),
        "### Detours to the corner": detours(plans, "corner"),
        "### Detours to the cheese": detours(plans, "cheese"),
        "### Readers": ladder(plans["region5"]),
        "### Carried, detours to the corner": carried(plans, "corner"),
        "### Carried, detours to the cheese": carried(plans, "cheese"),
        "### Where a change is known": located_readings(plans),
        "### Later if farther": delays(plans),
        "### At the mouse, to the corner": read(told, "corner"),
        "### At the mouse, to the cheese": read(told, "cheese"),
        "### Written moves": written(wrote, "means"),
        "### Written moves, by the readout": written(wrote, "readout"),
        "### Written moves, by strength": by_strength(
            wrote | {name: evidence(WRITTEN, name, scratch) for name in (*PAIR, CHEESE[1])}
        ),
        "### By distance to the cheese": nearness({name: sweeps[name] for name in NEAR_AGENTS}, NEAR_SITES),
    }


def pair_tables(scratch: Path, sweeps: Mapping[str, SweepSummary]) -> dict[str, Table]:
    """Return the tables of the matched pair in easy mode, by the text that they stand behind.

    Args:
        scratch: folder to unpack into.
        sweeps: summaries of both runs by agent.
    """
    plans = {name: evidence(PLANNING, name, scratch) for name in PAIR}
    told = {name: evidence(READOUTS, name, scratch) for name in PAIR}
    wrote = {name: evidence(WRITTEN, name, scratch) for name in PAIR}
    return {
        "### Pair: blindness and competence": subtraction(sweeps),
        "### Pair: detours": in_short(plans),
        "### Pair: where a change is known": located_readings(plans),
        "### Pair: handoff": handoffs(plans),
        "### Pair: carried, detours to the corner": carried(plans, "corner"),
        "### Pair: carried, detours to the cheese": carried(plans, "cheese"),
        "### Pair: at the mouse, to the corner": read(told, "corner"),
        "### Pair: at the mouse, to the cheese": read(told, "cheese"),
        "### Pair: written moves": written(wrote, "means"),
        "### Pair: by distance to the cheese": nearness(sweeps, NEAR_SITES),
    }


def width_tables(scratch: Path, sweeps: Mapping[str, SweepSummary]) -> dict[str, Table]:
    """Return the tables of an easy agent beside the same at half the width, by the text that they stand behind.

    Args:
        scratch: folder to unpack into.
        sweeps: summaries of both runs by agent.
    """
    plans = {name: evidence(PLANNING, name, scratch) for name in WIDTHS}
    return {
        "### Width: blindness and competence": subtraction(sweeps),
        "### Width: detours": in_short(plans),
        "### Width: where a change is known": located_readings(plans),
    }


def control_tables(scratch: Path, sweeps: Mapping[str, SweepSummary], runs: Sequence[ComparedRun]) -> dict[str, Table]:
    """Return the tables of two agents that differ in where the cheese lay, by the text that they stand behind.

    Args:
        scratch: folder to unpack into.
        sweeps: summaries of both runs by agent.
        runs: the same runs, in the same order.
    """
    plans = {name: evidence(PLANNING, name, scratch) for name in sweeps}
    wrote = {name: evidence(WRITTEN, name, scratch) for name in sweeps}
    told = {name: evidence(READOUTS, name, scratch) for name in sweeps}
    return {
        "### Control: left alone": left_alone(runs),
        "### Control: blindness and competence": subtraction(sweeps),
        "### Control: difference in blindness": bands(runs),
        "### Control: by distance to the cheese": nearness(sweeps, NEAR_SITES),
        "### Control: readings": probed(scratch, sweeps),
        "### Control: detours": in_short(plans),
        "### Control: where a change is known": located_readings(plans),
        "### Control: handoff": handoffs(plans),
        "### Control: carried, detours to the corner": carried(plans, "corner"),
        "### Control: carried, detours to the cheese": carried(plans, "cheese"),
        "### Control: at the mouse, to the corner": read(told, "corner"),
        "### Control: at the mouse, to the cheese": read(told, "cheese"),
        "### Control: written moves": written(wrote, "means"),
    }


def probed(scratch: Path, sweeps: Mapping[str, SweepSummary]) -> Table:
    """Return the readings that probes give; their files lie in the runs, unpacked in ``scratch``."""
    return _side_by_side({name: readings(None, PROBES.read(scratch / name, "make it anew")) for name in sweeps})


def _side_by_side(found: Mapping[str, Sequence[Reading]]) -> Table:
    """Return the readings of several agents, a row each; empty where an agent lacks one."""
    told = {name: {row.what: f"{row.place} ({row.interval})" for row in rows} for name, rows in found.items()}
    whats = dict.fromkeys(what for cells in told.values() for what in cells)
    return [["what holds", *told], *([what, *(cells.get(what, "") for cells in told.values())] for what in whats)]


def evidence(artifact: Artifact[T], name: str, scratch: Path) -> T:
    """Return a file of a run that lies packed beside the page."""
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    packed = EVIDENCE / f"{name}-{artifact.file}.xz"
    (folder / artifact.file).write_bytes(lzma.decompress(packed.read_bytes()))
    return artifact.read(folder, "make it anew")


def number(value: float | None, digits: int = 2) -> str:
    """Return a number without its leading zero; a dash for none."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def share(part: Share) -> str:
    """Return a share with its interval, as far as it has one."""
    if part.value is None or part.low is None or part.high is None:
        return number(part.value)
    return f"{number(part.value)} ({number(part.low)} to {number(part.high)})"


def detours(plans: Mapping[str, PlanningSummary], goal: str) -> Table:
    """Return the detours to a goal that are followed, by path length, then what reader that is as good as."""
    by_agent = {name: _behaviour(plan, goal) for name, plan in plans.items()}
    first = next(iter(by_agent.values()))
    rows = [["steps to the change", *plans]]
    for k, row in enumerate(first.detour):
        rows.append([row.steps, *(share(found.detour[k].follows) for found in by_agent.values())])
    rows.append(["idle changes", *(share(found.idle[-1].follows) for found in by_agent.values())])
    rows.append(["right on all cells", *(share(found.right) for found in by_agent.values())])
    rows.append(["as good as the reader of", *(f"{found.equivalent_depth} steps" for found in by_agent.values())])
    depths = [found.detour_depth for found in by_agent.values()]
    rows.append(["on detours, of", *(f"{depth} steps" if depth is not None else "-" for depth in depths)])
    ahead = [found.look_ahead for found in by_agent.values()]
    rows.append(["looks ahead", *(f"{far} steps" if far is not None else "not at all" for far in ahead)])
    return rows


def ladder(plan: PlanningSummary) -> Table:
    """Return what each reader of the ladder does on all cells and on detours, by goal."""
    rows = [["reader", *plan.ladder]]
    for found in plan.behaviour:
        rows.append([f"to the {found.goal}, all cells", *(number(value) for value in found.readers)])
        rows.append([f"to the {found.goal}, detours", *(number(value) for value in found.detour[-1].readers)])
    return rows


def carried(plans: Mapping[str, PlanningSummary], goal: str) -> Table:
    """Return what the source and the mouse's place carry of the effect of detours to a goal, site by site."""
    parts = {name: located_of(plan, "detour", goal) for name, plan in plans.items()}
    rows = [["site", *plans]]
    for k, site in enumerate(next(iter(parts.values())).sites):
        cells = [part.sites[k].carried for part in parts.values()]
        rows.append([short_site_name(site.name), *(f"{number(c[0].value)} / {number(c[1].value)}" for c in cells)])
    return rows


def located_readings(plans: Mapping[str, PlanningSummary]) -> Table:
    """Return departure, handoff, arrival and spread of every kind of pairs, with their intervals."""
    return _side_by_side({name: readings(None, None, plan) for name, plan in plans.items()})


def handoffs(plans: Mapping[str, PlanningSummary]) -> Table:
    """Return where the mouse's place takes over from the source, and in how many resamples it never does."""
    rows = [["handoff", *plans]]
    for goal in ("corner", "cheese"):
        found = [located_of(plan, "detour", goal) for plan in plans.values()]
        parts = [next(part for part in located.readings if part.name == "handoff") for located in found]
        rows.append([f"detours to the {goal}", *(_place(part.site, part.low, part.high) for part in parts)])
        rows.append(["nowhere in, of the resamples", *(f"{part.nowhere:.0%}" for part in parts)])
    return rows


def _place(*sites: str | None) -> str:
    """Return a site with its interval; one word where there is none."""
    site, low, high = (short_site_name(end) if end else "nowhere" for end in sites)
    return site if site == "nowhere" else f"{site} ({low} to {high})"


def delays(plans: Mapping[str, PlanningSummary]) -> Table:
    """Return by how many sites what is far away is known later than what is near."""
    rows = [["reading", *plans]]
    for goal in ("corner", "cheese"):
        parts = [located_of(plan, "detour", goal) for plan in plans.values()]
        for name in ("departure", "arrival"):
            cells = []
            for part in parts:
                found = next((delay for delay in part.delays if delay.name == name), None)
                cells.append("-" if found is None else f"{found.sites:+.0f} ({found.low:+.0f} to {found.high:+.0f})")
            rows.append([f"{name}, detours to the {goal}", *cells])
    return rows


def read(found: Mapping[str, ReadoutSummary], move: str, view: str = "3x3") -> Table:
    """Return what readouts of the units around the mouse tell: next moves rightly, and detours followed."""
    rows = [["site", *found]]
    first = next(iter(found.values()))
    for k, site in enumerate(first.sites):
        cells = []
        for name in found:
            for told in (part.curve[-1] for part in found[name].sites[k].views if part.view == view):
                cells.append(f"{number(told.accuracy[move].value)} / {number(told.follows[move].value)}")
        if cells:
            rows.append([short_site_name(site.name), *cells])
    for reader in first.readers:
        told = reader.curve[-1]
        cell = f"{number(told.accuracy[move].value)} / {number(told.follows[move].value)}"
        rows.append([f"reader: {reader.name}", *[cell] * len(found)])
    return rows


def written(found: Mapping[str, WrittenSummary], direction: str, place: str = "mouse") -> Table:
    """Return how much more often a written move is made than under the best control, site by site."""
    rows = [["site", *found]]
    for first in next(iter(found.values())).sites:
        cells = []
        for summary in found.values():
            site = next((site for site in summary.sites if site.name == first.name), None)
            effects = _effects(site, direction, place) if site is not None else ()
            if not effects:
                continue
            beyond = next(effect for effect in effects if effect.strength == STRENGTH).beyond
            cells.append("-" if beyond is None else share(beyond))
        if cells:
            rows.append([short_site_name(first.name), *cells])
    return rows


def by_strength(found: Mapping[str, WrittenSummary], last: str = "embedder.block3.res2.resadd") -> Table:
    """Return where a move written at the mouse by the difference of means does most, and what it does at the last map.

    By the length of what is added, in lengths of the cheese vector.
    """
    strengths = next(iter(found.values())).settings.strengths
    rows = [["agent", *(f"{strength:g}" for strength in strengths)]]
    for name, summary in found.items():
        told = {
            site.name: {effect.strength: effect.beyond for effect in _effects(site, "means", "mouse")}
            for site in summary.sites
        }
        cells = []
        for strength in strengths:
            values = {site: effects[strength] for site, effects in told.items() if effects.get(strength) is not None}
            best = max(values, key=lambda site: values[site].value or 0.0)
            cells.append(f"{short_site_name(best)} {number(values[best].value)} / {number(values[last].value)}")
        rows.append([f"`{name}`", *cells])
    return rows


def _effects(site: WrittenSite, direction: str, place: str) -> Sequence[WrittenEffect]:
    """Return what comes of a direction, by strength; nothing where the site has no such place."""
    part = next((part for part in site.places if part.place == place), None)
    return () if part is None else next(each for each in part.directions if each.name == direction).effects


def subtraction(sweeps: Mapping[str, SweepSummary]) -> Table:
    """Return blindness and competence of subtracting the cheese vector, by trunk site."""
    rows = [["site", *sweeps]]
    by_site = {
        name: {site.name: site.conditions[MAIN] for site in found.sites if site.trunk} for name, found in sweeps.items()
    }
    for site in next(iter(by_site.values())):
        if not all(site in found for found in by_site.values()):
            continue
        parts = [found[site] for found in by_site.values()]
        cells = [
            f"{number(p.blindness)} ({number(p.blindness_low)} to {number(p.blindness_high)}) / {number(p.competence)}"
            for p in parts
        ]
        rows.append([short_site_name(site), *cells])
    return rows


def left_alone(runs: Sequence[ComparedRun]) -> Table:
    """Return what two agents do left alone, and the difference of the second over the same mazes."""
    rows = [["", *(run.name for run in runs), "difference"]]
    for title, condition, outcome in (
        ("P(cheese)", "clean", "p_cheese"),
        ("P(cheese \\| decision square)", "clean", "p_cheese_decision"),
        ("the same without the cheese", "no_cheese", "p_cheese_decision"),
        ("P(top-right 5x5 before the cheese)", "clean", "p_region_first"),
        ("P(top-right 5x5) without the cheese", "no_cheese", "p_region"),
    ):
        first, second = (run.table.reference(condition)[outcome] for run in runs)
        found = paired_effect(second, first, same_resamples(0))
        means = (number(float(np.nanmean(values))) for values in (first, second))
        rows.append([title, *means, f"{number(found.mean)} ({number(found.low)} to {number(found.high)})"])
    return rows


def bands(runs: Sequence[ComparedRun]) -> Table:
    """Return by how much the second of two runs is blinded more, at each distinct site."""
    rows = [["site", "difference in blindness", "simultaneous 95% band"]]
    compared = compare(runs)
    for part, site, origin in zip(compared.differences[0].blindness, compared.sites, compared.classes, strict=True):
        if site == origin:
            band = f"{number(part.band_low)} to {number(part.band_high)}"
            rows.append([short_site_name(site), number(part.difference), band])
    return rows


def in_short(plans: Mapping[str, PlanningSummary]) -> Table:
    """Return what each agent follows, in a few rows."""
    rows = [["", *plans]]
    for goal in ("corner", "cheese"):
        found = [_behaviour(plan, goal) for plan in plans.values()]
        rows.append([f"detours to the {goal}", *(share(each.detour[-1].follows) for each in found)])
        rows.append([f"idle changes, {goal}", *(number(each.idle[-1].follows.value) for each in found)])
        far = ["not at all" if each.look_ahead is None else f"{each.look_ahead} steps" for each in found]
        rows.append([f"looks ahead, {goal}", *far])
    return rows


def over_training(series: Mapping[int, PlanningSummary]) -> Table:
    """Return detours followed by snapshots of a training."""
    rows = [["samples", "detours to the corner", "idle", "looks ahead", "detours to the cheese", "idle", "looks ahead"]]
    for count, plan in series.items():
        cells = []
        for goal in ("corner", "cheese"):
            found = _behaviour(plan, goal)
            far = "not at all" if found.look_ahead is None else f"{found.look_ahead} steps"
            cells += [share(found.detour[-1].follows), number(found.idle[-1].follows.value), far]
        rows.append([f"{count:,}", *cells])
    return rows


def nearness(found: Mapping[str, SweepSummary], sites: Sequence[str]) -> Table:
    """Return blindness by the cells between mouse and cheese, and the part of the effect that lies there."""
    first = next(iter(found.values())).sites[0].nearness_curve
    bins = [f"{part.cells} to {later.cells - 1}" for part, later in itertools.pairwise(first)]
    rows = [["cells between mouse and cheese", *bins, f"{first[-1].cells} and more"]]
    for name, summary in found.items():
        curves = {site.name: site.nearness_curve for site in summary.sites}
        for site in sites:
            cells = [
                f"{number(c.blindness)} ({number(c.blindness_low)} to {number(c.blindness_high)})" for c in curves[site]
            ]
            rows.append([f"{name}, {short_site_name(site)}", *cells])
        rows.append([f"{name}, part of the effect", *(number(part.effect) for part in curves[sites[0]])])
    return rows


def located_of(plan: PlanningSummary, kind: str, goal: str) -> Located:
    """Return the located patching of one kind of pairs."""
    return next(row for row in plan.located if (row.kind, row.goal) == (kind, goal))


def _behaviour(plan: PlanningSummary, goal: str) -> GoalBehaviour:
    return next(row for row in plan.behaviour if row.goal == goal)
