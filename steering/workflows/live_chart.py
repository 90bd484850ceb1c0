"""Blindness by site while a sweep goes on: a chart for the terminal; its first line has the boundary so far.

It reads what has been stored, draws nothing from any generator of the sweep and stores nothing. Renewing it takes at
most a fiftieth of the time: the dearer a chart is, the later the next one comes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from envs.errors import counted
from steering.analysis.summary import maze_weights, trunk_curves
from steering.experiments.conditions import MAIN, Key
from steering.experiments.outcome import Outcome
from steering.statistics import bootstrap, boundary
from steering.statistics.boundary import ThresholdPair
from steering.statistics.formatting import format_number, short_site_name
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row, Store

EVERY = 5.0  # seconds between two charts, at least
SHARE = 50  # a chart that took a second is the last for so many
WIDTH = 31  # characters from blindness 0 to 1


class LiveChart:
    """The chart of a sweep, renewed as results come in."""

    def __init__(
        self,
        store: Store,
        spec: SweepSpec,
        thresholds: ThresholdPair,
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.process_time,
    ) -> None:
        self._facts = store.sites()
        trunk = tuple(site for site in spec.sites if self._facts[site].trunk)
        self._spec: SweepSpec | None = None
        if trunk and MAIN in spec.conditions:
            self._spec = replace(spec, sites=trunk, conditions=(MAIN,), coefficients=spec.coefficients[:1], edits=())
        self._thresholds, self._clock, self._work = thresholds, clock, work
        self._due = clock()
        self._outcomes: dict[Key, Outcome] = {}
        self._results: Counter[int] = Counter()
        self._charted = 0
        self._text = ""
        if self._spec is not None:
            self._keep(store.rows())

    def add(self, rows: Iterable[Row]) -> str:
        """Take in results that were just stored.

        Returns:
            The boundary so far in a line, then blindness by site, up to 80 characters wide; empty until a few levels
            are finished, and where no trunk site is swept under subtraction.
        """
        spec = self._spec
        if spec is None:
            return ""
        self._keep(rows)
        if self._clock() < self._due:  # asked first: looking through the levels takes longer the more there are
            return self._text
        finished = [level for level in spec.levels if self._results[level] == spec.results_per_level]
        few = min(bootstrap.FEWEST, len(spec.levels))
        if len(finished) < few or len(finished) == self._charted:
            return self._text
        begun = self._work()
        self._text = self._draw(OutcomeTable(spec, finished, self._outcomes, self._facts))
        self._charted = len(finished)
        self._due = self._clock() + max(EVERY, SHARE * (self._work() - begun))
        return self._text

    def _keep(self, rows: Iterable[Row]) -> None:
        """Keep the outcomes that the chart is made of, and count them by level."""
        assert self._spec is not None
        wanted = {*self._spec.sites, ""}, {MAIN, "clean", "no_cheese"}, {self._spec.coefficients[0], 0.0}
        for row in rows:
            key = row.key
            fits = key.site in wanted[0] and key.condition in wanted[1] and key.coefficient in wanted[2]
            if fits and key not in self._outcomes:
                self._outcomes[key] = row.outcome
                self._results[key.level] += 1

    def _draw(self, table: OutcomeTable) -> str:
        weights = maze_weights(table)
        curves = trunk_curves(table, weights)
        assert curves is not None
        found = boundary.reach(curves, self._thresholds.blindness, self._thresholds.competence)
        site, low, high = (short_site_name(name or "nowhere") for name in (found.site, found.low, found.high))
        head = f"boundary: {site} (95%: {low} to {high})"
        count = f"after {len(table.levels)} of {counted(len(table.spec.levels), 'level')}"
        axis = "0" + "0.5".center(WIDTH - 2) + "1"
        rows = [f"{count:<28}  {axis}  95% interval"]
        for group in curves.groups:
            name = curves.sites[group[0]]
            mark = " <" if found.site in [curves.sites[i] for i in group] else ""
            ends = bootstrap.blindness_interval(*table.distances(MAIN, name), weights)
            rows.append(_row(short_site_name(name), float(curves.blind[group[0]]), *ends) + mark)
        return "\n".join([head, *rows])


def _row(name: str, value: float, low: float, high: float) -> str:
    """Return a site's line: ``block1.conv    0.98   |     --o-|  0.91 to 1.00``."""
    if not np.isfinite([value, low, high]).all():
        return f"{name:<21.21} {'–':>6}  {'':{WIDTH}}"
    first, at, last = (round(min(max(each, 0.0), 1.0) * (WIDTH - 1)) for each in (low, value, high))
    line = ["-" if first <= k <= last else " " for k in range(WIDTH)]
    line[at] = "o"
    return f"{name:<21.21} {format_number(value, 2):>6}  {''.join(line)}  {low:.2f} to {high:.2f}"
