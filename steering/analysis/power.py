"""How many levels an interval of a given width needs, from a pilot run: what ``mazesteer power`` says."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from envs.errors import InputError, nearest
from steering.analysis.summary import maze_weights, trunk_curves
from steering.experiments.conditions import MAIN
from steering.statistics import bootstrap, boundary
from steering.statistics.sample_size import levels_needed
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.store import Store, thresholds


@dataclass(frozen=True)
class SitePower:
    """How many levels one site needs for an interval of a given width, judging by a run."""

    site: str
    """Name of the site."""
    blindness: float
    """Blindness of subtraction there, 1 or less; NaN where the cheese changes nothing."""
    blindness_low: float
    """Low end of its 95% bootstrap interval over the run's mazes."""
    blindness_high: float
    """High end of its interval, at most 1."""
    width: float
    """Width wanted of the interval, above 0."""
    pilot: int
    """Number of the run's levels."""
    levels: int
    """Number of levels needed."""
    curve: tuple[tuple[int, float], ...]
    """Numbers of levels tried, and the mean width of the interval from so many."""
    suffices: bool
    """Whether the run has as many levels as are needed."""
    warning: str
    """Why not to trust the number; empty if nothing speaks against it."""


def power_of_run(directory: Path, width: float, site: str | None = None) -> list[SitePower]:
    """Return :func:`levels_needed` for one site of a run, or for its boundary and the next site.

    The boundary is that of the thresholds of the run's last sweep command.
    Raises :class:`InputError` for a run without subtraction, or a site that was not swept.
    """
    table = OutcomeTable.open(directory)
    if MAIN not in table.spec.conditions:
        raise InputError(f"{directory}: `{MAIN}` was not swept; blindness is that of `{MAIN}`")
    sites = [site] if site is not None else _edge(table, directory)
    records = []
    for name in sites:
        if name not in table.spec.sites:
            raise InputError(f"--site {name!r} was not swept in {directory}; {nearest(name, table.spec.sites)}")
        edited, clean = table.condition(MAIN, name)["tv_no_cheese"], table.reference("clean")["tv_no_cheese"]
        low, high = bootstrap.blindness_interval(edited, clean, maze_weights(table))
        found = levels_needed(edited, clean, width, np.random.default_rng(table.spec.seed))
        records.append(
            SitePower(
                site=name,
                blindness=float(bootstrap.blindness(edited, clean)),
                blindness_low=low,
                blindness_high=high,
                **{field.name: getattr(found, field.name) for field in fields(found)},
                suffices=found.suffices,
                warning=found.warning,
            )
        )
    return records


def _edge(table: OutcomeTable, directory: Path) -> list[str]:
    """Return the boundary's site and the next, by the run's own thresholds."""
    curves = trunk_curves(table, maze_weights(table))
    if curves is None:
        raise InputError(f"{directory}: no trunk site was swept; name one with --site")
    with Store.open(directory) as store:
        found = boundary.find_boundary(curves, **thresholds(store))
    return [name for name in (found.site, found.next_site) if name is not None]
