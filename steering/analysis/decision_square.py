"""What the agent does at the decision square, before and after, maze by maze."""

from __future__ import annotations

from typing import Any

from steering.experiments.conditions import MAIN, Key
from steering.sweep.recordings import rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store

_PARTS = {"cheese": "p_cheese_decision", "corner": "p_corner_decision", "other": "p_other_decision"}


def decision_squares(store: Store, spec: SweepSpec) -> dict[str, Any] | None:
    """Per maze, the move probabilities at the decision square: clean, subtracted at one site, cheese removed.

    ``{"site": name, "levels": [...], "clean" | "subtract" | "no_cheese": {"cheese" | "corner" | "other": [float]}}``.
    The site is the published one if it was swept. None if subtraction was not.
    """
    if MAIN not in spec.conditions:
        return None
    site = rollout_site(spec.sites)
    table = {row.key: row.outcome for row in store.rows()}
    keys = {
        "clean": [Key(level, "clean") for level in spec.levels],
        MAIN: [Key(level, MAIN, site, spec.coefficients[0]) for level in spec.levels],
        "no_cheese": [Key(level, "no_cheese") for level in spec.levels],
    }
    whole = [i for i in range(len(spec.levels)) if all(column[i] in table for column in keys.values())]
    if not whole:
        return None
    found: dict[str, Any] = {"site": site, "levels": [spec.levels[i] for i in whole]}
    for world, column in keys.items():
        found[world] = {part: [getattr(table[column[i]], name) for i in whole] for part, name in _PARTS.items()}
    return found
