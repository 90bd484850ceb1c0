"""How many levels an interval of a given width needs, from a pilot run: what ``mazesteer power`` says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from envs.errors import InputError, nearest
from steering.analysis.summary import maze_weights, trunk_curves
from steering.experiments.conditions import MAIN
from steering.statistics import bootstrap, boundary
from steering.statistics.sample_size import levels_needed
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.store import Store, thresholds


def power_of_run(directory: Path, width: float, site: str | None = None) -> list[dict[str, Any]]:
    """:func:`levels_needed` for one site of a run, or for its boundary and the next site, as plain data.

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
            {
                "site": name,
                "blindness": float(bootstrap.blindness(edited, clean)),
                "blindness_low": low,
                "blindness_high": high,
                **asdict(found),
                "suffices": found.suffices,
                "warning": found.warning,
            }
        )
    return records


def _edge(table: OutcomeTable, directory: Path) -> list[str]:
    """The boundary's site and the next, by the run's own thresholds."""
    curves = trunk_curves(table, maze_weights(table))
    if curves is None:
        raise InputError(f"{directory}: no trunk site was swept; name one with --site")
    with Store.open(directory) as store:
        found = boundary.find_boundary(curves, **thresholds(store))
    return [name for name in (found.site, found.next_site) if name is not None]
