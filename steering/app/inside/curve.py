"""Blindness of this very maze at every site: the cheese vector of the mouse's start subtracted there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envs.chain import total_variation
from steering.app.inside.gradual import Pass, gradual, shuffled
from steering.app.session.context import Context
from steering.app.session.updates import Update, floats
from steering.interventions.edits import subtract
from steering.interventions.sites import enumerate_sites
from steering.interventions.vectors import cheese_vectors
from steering.statistics.bootstrap import blindness, without_rounding

STATES = 8  # in one pass
SITES = 4  # in one step


def curve_updates(context: Context) -> Iterator[Update]:
    """Yield blindness at every site, in depth order, ever better known, if it is asked for.

    Ratios of sums over the states done so far, in an order drawn at random. At the end they are those of a sweep of
    this maze: ``subtract``, coefficient 1; affine-equivalent sites share one number.
    """
    if "curve" in context.asked.asked:
        yield from gradual(context, ("curve", context.maze), _steps)


def _steps(context: Context) -> Iterator[Update]:
    sites = enumerate_sites(context.policy.net)
    names = list(dict.fromkeys(site.equivalence_class for site in sites))
    place = np.array([names.index(site.equivalence_class) for site in sites])
    edits = {
        name: subtract(vector).by_site()[vector.site]
        for name, vector in cheese_vectors(context.policy, context.maze, names).items()
    }
    states = shuffled(context)
    clean, no_cheese = context.clean.probabilities, context.no_cheese.probabilities
    edited, alone, count = np.zeros((3, len(names)))
    for first in range(0, len(states), STATES):
        some = states[first : first + STATES]
        run = Pass(context, some)
        size = total_variation(clean[some], no_cheese[some]).sum()
        for step in range(0, len(names), SITES):
            for k, name in enumerate(names[step : step + SITES], step):
                edited[k] += total_variation(run.moves(name, edits[name]), no_cheese[some]).sum()
                alone[k] += size
                count[k] += len(some)
            told = blindness(*without_rounding(np.stack([edited, alone])[..., None], count[:, None]))
            yield Update("curve", {"share": float(count.mean() / len(states))}, {"blindness": floats(told[place])})
