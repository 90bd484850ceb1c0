"""Readings of the boundary, of any kind: the site up to which, or from which on, a statement holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from envs.stored.json_records import check_parts
from envs.stored.ranges import Count, Mode, Name
from steering.records.planning import GOALS, KINDS, MAP_SIDE, READINGS, Located, PlanningMaps, PlanningSummary, Share
from steering.records.probes import Estimate
from steering.records.sweep import CheckpointId
from steering.statistics.formatting import short_site_name

CAUSAL, REPRESENTATIONAL, DECODING, PLANNING = "causal", "representational", "decoding", "planning"


@dataclass(frozen=True)
class Reading:
    """One reading; null is nowhere: before the first site for "up to", behind the last for "from"."""

    kind: str
    """Kind of evidence: ``causal`` (the sweep), ``representational`` or ``decoding`` (the probes), ``planning``."""
    what: str
    """The statement that holds there, in words."""
    word: str
    """Side of the site that it holds on: ``up to`` or ``from``."""
    site: str | None
    """The last site where it holds ("up to"), or the first ("from"); null: nowhere."""
    low: str | None
    """Low end of the 95% bootstrap interval over mazes; null: nowhere."""
    high: str | None
    """High end of the 95% bootstrap interval over mazes; null: nowhere."""

    @property
    def place(self) -> str:
        """Return the reading in words."""
        return "nowhere" if self.site is None else f"{self.word} {short_site_name(self.site)}"

    @property
    def interval(self) -> str:
        """Return its interval in words."""
        return span(*(None if end is None else short_site_name(end) for end in (self.low, self.high)))

    def edges(self, names: Sequence[str]) -> tuple[float, float, float] | None:
        """Return reading, low and high on an axis where site k of ``names`` stands at k; None if one is not there."""
        ends = (self.site, self.low, self.high)
        if any(end is not None and end not in names for end in ends):
            return None
        up_to = self.word == "up to"
        nowhere = -0.5 if up_to else len(names) - 0.5
        at, low, high = (nowhere if end is None else names.index(end) + (0.5 if up_to else -0.5) for end in ends)
        return at, low, high


@dataclass(frozen=True)
class ControlDetours:
    """Answers of the control to pairs of one goal, at any distance."""

    goal: Name
    """``cheese`` or ``corner``."""
    follows: Share
    """Share of detour pairs whose most likely move is right in both mazes."""
    idle: Share
    """The same of idle pairs."""


@dataclass(frozen=True)
class ControlReadings:
    """Readings of the shipped agent that was taught to plan nothing: what it has is no evidence of planning."""

    format: Name
    """Name of this format."""
    checkpoint: CheckpointId
    """The agent."""
    levels: Count
    """Number of mazes that the readings are of."""
    mode: Mode
    """Procgen's mode of these mazes."""
    readings: tuple[Reading, ...]
    """The readings of its sweep, its probes and its planning."""
    detours: tuple[ControlDetours, ...]
    """Its answers to detours, by goal."""

    def named(self, mode: str) -> str:
        """Return its agent's name, with its mode where that is not ``mode``: mazes of another kind were asked."""
        name = self.checkpoint.name
        return name if mode == self.mode else f"{name} (on levels of mode {self.mode})"


def span(low: str | None, high: str | None) -> str:
    """Return an interval of sites in words; None is nowhere."""
    if low == high:
        return "nowhere" if low is None else f"{low} only"
    return f"{low or 'nowhere'} to {high or 'nowhere'}"


@dataclass(frozen=True)
class ComparedProbedSite:
    """Facts about one of the sites that all runs were probed at."""

    name: str
    """As in :class:`ComparedSite`."""
    depth: int
    """As in :class:`ComparedSite`."""
    trunk: bool | None
    """Whether every path from the input to the logits passes through it; null: not known."""
    affine: bool | None
    """As in :class:`ComparedSite`."""
    equivalence_class: str
    """As in :class:`ComparedSite`."""
    receptive_field: int | None
    """As in :class:`ComparedSite`."""


@dataclass(frozen=True)
class ProbedCurves:
    """Readings of one run's probes at each of the probed sites; one entry where it is the same at all."""

    next_move: tuple[Estimate, ...]
    """Share of the next moves to the cheese that are right, 0 to 1."""
    surroundings: tuple[Estimate, ...]
    """The same told from a look around the mouse alone, 0 to 1; one entry."""
    apart: tuple[Estimate, ...]
    """As ``next_move``, in the frames where the move to the cheese is not the one to the corner, 0 to 1."""
    apart_surroundings: tuple[Estimate, ...]
    """As ``surroundings``, in these frames, 0 to 1; one entry."""
    cell: tuple[Estimate, ...]
    """Variance of the cheese's cell explained, at most 1."""
    interaction: tuple[Estimate, ...]
    """Part of the cheese's effect that the vector taken at the start does not account for, 0 or more."""


@dataclass(frozen=True)
class FollowedCurve:
    """Detours to one goal that a readout at the mouse of one run follows."""

    goal: str
    """``cheese`` or ``corner``."""
    view: str
    """Units around the mouse that are read: ``3x3``."""
    sites: tuple[str, ...]
    """Names of the sites with a map, in depth order."""
    follows: tuple[Estimate, ...]
    """Share of the pairs whose move is right in level and twin, at each of these sites, 0 to 1."""


@dataclass(frozen=True)
class ComparedReadings:
    """The three kinds of evidence side by side, on the mazes and sites that all runs' probes share."""

    levels: int
    """Number of the shared mazes."""
    sites: tuple[str, ...]
    """Names of the shared sites, in depth order."""
    facts: tuple[ComparedProbedSite, ...]
    """Facts about these sites, in the same order."""
    curves: tuple[ProbedCurves, ...]
    """Readings of the probes, run by run."""
    arms: tuple[tuple[Reading, ...], ...]
    """Readings of the boundary, run by run."""
    over_agents: tuple[Reading, ...] | None
    """Readings of the runs' mean curves, agents and mazes drawn anew; null where there is no boundary over agents."""
    readouts: tuple[tuple[FollowedCurve, ...], ...] = ()
    """Readouts at the mouse, run by run and by goal; empty for a run without, and where no run has any."""
    no_readouts: str = ""
    """Runs without readouts, and why; empty: none, or no run has any."""


@dataclass(frozen=True)
class ComparedPlan:
    """What one run measured of planning to one goal."""

    goal: str
    """``cheese`` or ``corner``."""
    pairs: int
    """Number of its detour pairs."""
    follows: Share
    """Share of them whose most likely move is right in level and twin."""
    idle: Share
    """The same of its idle pairs."""
    difference: Share | None
    """``follows`` less that of the first run, over the same pairs of the mazes that both have, paired by maze; null for
    the first run, and where they have no such pairs."""
    mazes: int
    """Number of mazes of ``difference``, 0 where it is null."""
    equivalent_depth: str | None
    """Horizon of the first reader that does as well on all cells; null: none does."""
    detour_depth: str | None
    """Horizon of the first reader that follows as many detours; null: none does."""
    look_ahead: int | None
    """Path length up to which detours are followed; null: nowhere."""
    located: Located | None
    """Where in the picture a detour to this goal is known; null: not patched."""


@dataclass(frozen=True)
class ComparedPlanning:
    """Planning side by side, run by run."""

    runs: tuple[str, ...]
    """Names of the runs."""
    arms: tuple[tuple[ComparedPlan, ...], ...]
    """What each run measured, by goal; empty for a run without planning."""
    missing: str
    """Runs without planning, and why; empty: none."""


def check_planning(found: PlanningSummary, where: object, remedy: str) -> None:
    """Raise :class:`InputError` in one line if the parts of ``found`` do not belong together."""
    check_parts(_planning_parts(found), where, remedy)


def _planning_parts(found: PlanningSummary) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of ``planning.json``, what they are, and what they must be."""
    ladder, patches, sites = len(found.ladder), len(found.patches), len(found.settings.sites)
    goals, located = [row.goal for row in found.behaviour], [(row.kind, row.goal) for row in found.located]
    yield "patches", found.patches[:2], ("source", "mouse")
    yield "goals of behaviour", sorted(goals), sorted(set(goals) & set(GOALS))
    yield "kinds and goals of located", sorted(located), sorted(set(located) & _KINDS_AND_GOALS)
    for row in found.behaviour:
        yield f"{row.goal}: bins of detours and idle pairs", (bool(row.detour), bool(row.idle)), (True, True)
        for part in (*row.detour, *row.idle):
            yield f"{row.goal}: readers at {part.steps} steps", len(part.readers), ladder
        yield f"{row.goal}: readers", len(row.readers), ladder
    for each in found.located:
        name = f"{each.kind} {each.goal}"
        yield f"{name}: sites", tuple(site.name for site in each.sites), found.settings.sites
        for site in each.sites:
            yield f"{name}: places at {site.name}", (len(site.carried), len(site.needed)), (patches, patches)
        for readings in (each.readings, *(part.readings for part in each.bins)):
            named = [reading.name for reading in readings]
            yield f"{name}: readings", named, [reading for reading in READINGS if reading in named]
        for bin_ in each.bins:
            yield f"{name}: sites at {bin_.steps} steps", (len(bin_.source), len(bin_.mouse)), (sites, sites)


_KINDS_AND_GOALS = {(kind, goal) for kind in KINDS for goal in GOALS}


def check_maps(found: PlanningMaps, where: object, remedy: str) -> None:
    """Raise :class:`InputError` in one line if the parts of ``found`` do not belong together."""
    check_parts(_map_parts(found), where, remedy)


def _map_parts(found: PlanningMaps) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of ``planning_maps.json``, what they are, and what they must be."""
    square, of = [MAP_SIDE] * MAP_SIDE, [(part.kind, part.goal) for part in found.maps]
    yield "kinds and goals", sorted(of), sorted(set(of) & _KINDS_AND_GOALS)
    for part in found.maps:
        name = f"{part.kind} {part.goal}"
        yield f"{name}: any site", bool(part.sites), True
        for centre, counts in (("source", part.around_source), ("mouse", part.around_mouse)):
            yield f"{name}: blocks around the {centre}, by row", list(map(len, counts)), square
        for site in part.sites:
            for centre, blocks in (("source", site.source), ("mouse", site.mouse)):
                yield f"{name}: blocks around the {centre} at {site.name}, by row", list(map(len, blocks)), square
