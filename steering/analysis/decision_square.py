"""The agent's move at the decision square of each maze, before and after."""

from __future__ import annotations

from collections.abc import Sequence

from steering.experiments.conditions import MAIN, Key
from steering.experiments.outcome import Outcome
from steering.records.sweep import DecisionMoves, DecisionSquares
from steering.sweep.recordings import rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store


def decision_squares(store: Store, spec: SweepSpec) -> DecisionSquares | None:
    """Return per maze the move probabilities at the decision square: clean, subtracted at one site, cheese removed.

    The site is the published one if it was swept. Mazes that lack one of the three are left out; None if subtraction
    was not swept, or no maze is left.
    """
    if MAIN not in spec.conditions:
        return None
    site = rollout_site(spec.sites)
    outcomes = {row.key: row.outcome for row in store.rows()}
    found = {
        level: (
            outcomes.get(Key(level, "clean")),
            outcomes.get(Key(level, MAIN, site, spec.coefficients[0])),
            outcomes.get(Key(level, "no_cheese")),
        )
        for level in spec.levels
    }
    whole = {
        level: (clean, edited, removed)
        for level, (clean, edited, removed) in found.items()
        if clean is not None and edited is not None and removed is not None
    }
    if not whole:
        return None
    clean, subtracted, no_cheese = (_moves(column) for column in zip(*whole.values(), strict=True))
    return DecisionSquares(site, tuple(whole), clean=clean, subtract=subtracted, no_cheese=no_cheese)


def _moves(outcomes: Sequence[Outcome]) -> DecisionMoves:
    return DecisionMoves(
        cheese=tuple(outcome.p_cheese_decision for outcome in outcomes),
        corner=tuple(outcome.p_corner_decision for outcome in outcomes),
        other=tuple(outcome.p_other_decision for outcome in outcomes),
    )
