"""The number of levels that an interval of a given width needs: from a pilot run, or as the sweep goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.errors import InputError, nearest
from envs.stored.ranges import AtMostOne, Count, Line, Name, Number
from steering.analysis.summary import maze_weights, trunk_curves
from steering.experiments.conditions import MAIN
from steering.statistics import bootstrap, boundary
from steering.statistics.boundary import Curves, ThresholdPair
from steering.statistics.sample_size import levels_needed
from steering.statistics.sequential import LookPlan, SequentialStop, SiteInterval
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store


@dataclass(frozen=True)
class SitePower:
    """Number of levels that an interval of blindness of some width takes at one site, judging by a pilot run."""

    site: Name
    """Name of the site."""
    blindness: AtMostOne
    """Blindness of subtraction there in the pilot, at most 1."""
    blindness_low: Number
    """Low end of its interval."""
    blindness_high: AtMostOne
    """High end of its interval, at most 1."""
    width: Number
    """Width of the interval asked for, above 0 and up to 2."""
    pilot: Count
    """Number of levels of the pilot."""
    levels: Count
    """Number of levels needed."""
    curve: tuple[tuple[int, float], ...]
    """(levels, mean width of the interval) of the sizes simulated."""
    suffices: bool
    """Whether the pilot has as many levels as are needed."""
    warning: Line
    """Reason not to trust the number; empty if nothing speaks against it."""


def power_of_run(directory: Path, width: float, site: str | None = None) -> list[SitePower]:
    """Return the number of levels that a run needs, at one site, or at its boundary and the next site.

    The boundary is that of the thresholds of the run's last sweep command.

    Args:
        directory: the run, taken for a pilot.
        width: of the 95% interval of blindness wanted, .001 to 2.
        site: name of the site; None: the boundary's and the next.

    Returns:
        One record per site, in depth order.

    Raises:
        InputError: for a run without subtraction, or a site that was not swept.
    """
    table = OutcomeTable.open(directory)
    if MAIN not in table.spec.conditions:
        raise InputError(f"{directory}: `{MAIN}` was not swept, so blindness is not known; sweep it")
    sites = [site] if site is not None else _edge(table, directory)
    return [_power_at(table, directory, name, width) for name in sites]


def _power_at(table: OutcomeTable, directory: Path, site: str, width: float) -> SitePower:
    if site not in table.spec.sites:
        raise InputError(f"--site {site!r} was not swept in {directory}; {nearest(site, table.spec.sites, most=3)}")
    edited, clean = table.condition(MAIN, site).tv_no_cheese, table.reference("clean").tv_no_cheese
    low, high = bootstrap.blindness_interval(edited, clean, maze_weights(table))
    found = levels_needed(edited, clean, width, np.random.default_rng(table.spec.seed))
    return SitePower(
        site=site,
        blindness=float(bootstrap.blindness(edited, clean)),
        blindness_low=low,
        blindness_high=high,
        width=found.width,
        pilot=found.pilot,
        levels=found.levels,
        curve=found.curve,
        suffices=found.suffices,
        warning=found.warning,
    )


def _edge(table: OutcomeTable, directory: Path) -> list[str]:
    """Return the boundary's site and the next, by the run's own thresholds."""
    curves = trunk_curves(table, maze_weights(table))
    if curves is None:
        raise InputError(f"{directory}: no trunk site was swept; name one with --site")
    with Store.open(directory) as store:
        rule = store.thresholds()
    return edge_sites(curves, rule)


def edge_sites(curves: Curves, rule: ThresholdPair) -> list[str]:
    """Return the boundary's site and the next; the first or the last alone where there is no other."""
    last = boundary.reach(curves, rule.blindness, rule.competence).site
    reached = 0 if last is None else curves.sites.index(last) + 1
    return list(curves.sites[max(reached - 1, 0) : reached + 1])


def end_at_look(store: Store, spec: SweepSpec, plan: LookPlan, rule: ThresholdPair) -> SequentialStop:
    """Return what a look finds: whether the intervals at the boundary and behind it are narrow enough.

    Args:
        store: the run's results; all levels of ``spec`` must be finished.
        spec: the sweep up to this look: its first levels.
        plan: the looks.
        rule: least blindness and competence up to the boundary.

    Returns:
        The record of a sweep that ends here.

    Raises:
        InputError: no trunk site was swept.
    """
    table = OutcomeTable.read_trunk(store, spec, MAIN, spec.coefficients[0])
    weights = maze_weights(table)
    curves = trunk_curves(table, weights)
    assert curves is not None and tuple(table.levels) == spec.levels
    found = []
    for site in edge_sites(curves, rule):
        low, high = plan.interval(*table.distances(MAIN, site), weights)
        found.append((SiteInterval(site, bootstrap.defined(low), bootstrap.defined(high)), plan.narrow(low, high)))
    narrow = all(is_narrow for _, is_narrow in found)
    return SequentialStop(plan, len(spec.levels), plan.confidence, tuple(each for each, _ in found), narrow)
