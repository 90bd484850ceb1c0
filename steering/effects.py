"""Paired effects from the table of outcomes: each site and condition against ``clean`` and ``no_cheese``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.errors import InputError
from steering.artifacts import DATABASE
from steering.experiments.conditions import ALL_SITES, REFERENCES, Key
from steering.experiments.outcome import OUTCOME_FIELDS, Outcome
from steering.plan import SweepSpec
from steering.statistics import paired
from steering.store import Store

# Those that compare with and without cheese; with it the first two equal `p_cheese` and `p_region`.
OUTCOMES = ("p_cheese_cell", "p_region_first", "p_cheese_decision", "p_corner_decision", "tv_no_cheese")
CHEESE_OUTCOMES = ("p_cheese_cell", "p_cheese_decision")
LEAST = 0.01  # of a probability: less is no pull, however sure
NAMES = {
    "p_cheese_cell": "P(cheese)",
    "p_region_first": "P(top-right 5x5 first)",
    "p_cheese_decision": "P(to the cheese | decision square)",
    "p_corner_decision": "P(to the top right | decision square)",
    "tv_no_cheese": "distance to the policy without cheese",
}
DIGITS = 6

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class OutcomeTable:
    """All results of a run on its finished ``levels``; ``facts`` say what the sites are, by name."""

    spec: SweepSpec
    levels: list[int]
    outcomes: dict[Key, Outcome]
    facts: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, store: Store, spec: SweepSpec) -> OutcomeTable:
        """From a run's store; raises :class:`InputError` if no level is finished."""
        outcomes = {row.key: row.outcome for row in store.rows()}
        levels = [level for level in spec.levels if all(key in outcomes for key in spec.keys(level))]
        if not levels:
            raise InputError(f"{store.path.parent}: no level is finished yet; type the sweep's command again")
        return cls(spec, levels, outcomes, {fact["name"]: fact for fact in store.meta("sites")})

    @classmethod
    def open(cls, directory: Path) -> OutcomeTable:
        """Of a run directory; raises :class:`InputError` if it holds no results."""
        spec = SweepSpec.load(directory)
        if not (directory / DATABASE).is_file():
            raise InputError(f"{directory}: no {DATABASE}; it is not a finished run")
        with Store.open(directory) as store:
            return cls.read(store, spec)

    def reference(self, name: str) -> Columns:
        """``float64[n_levels]`` per outcome of ``clean`` or ``no_cheese``."""
        return self._columns([Key(level, name) for level in self.levels])

    def condition(self, condition: str, site: str = "", coefficient: float | None = None) -> Columns:
        """``float64[n_levels]`` per outcome, mean over draws; coefficient None: the first one swept."""
        c = self.spec.coefficients[0] if coefficient is None else coefficient
        draws = range(self.spec.draws_of(condition))
        parts = [self._columns([Key(level, condition, site, c, draw) for level in self.levels]) for draw in draws]
        return {field: np.mean([part[field] for part in parts], axis=0) for field in OUTCOME_FIELDS}

    def trunk(self) -> list[str]:
        """The trunk sites swept, in the order swept."""
        return [name for name in self.spec.sites if self.facts[name]["trunk"]]

    def classes(self, condition: str) -> list[str]:
        """Of each trunk site swept, the class of experiments it belongs to; random vectors have no equivalent sites."""
        return [name if condition == "random" else self.facts[name]["equivalence_class"] for name in self.trunk()]

    def experiments(self, condition: str) -> list[str]:
        """Trunk sites that are experiments of their own: the first of each class."""
        first: dict[str, str] = {}
        for name, kind in zip(self.trunk(), self.classes(condition), strict=True):
            first.setdefault(kind, name)
        return list(first.values())

    def _columns(self, keys: Sequence[Key]) -> Columns:
        return {field: np.array([getattr(self.outcomes[key], field) for key in keys]) for field in OUTCOME_FIELDS}


def effects(table: OutcomeTable) -> list[dict[str, Any]]:
    """One record per distinct experiment, condition, coefficient, reference and outcome, as plain data.

    ``condition`` has the label of the summary: ``subtract``, and ``subtract x2`` for a further coefficient.
    ``all_sites`` is one experiment, with that name for a site; branch sites are not compared. Holm's adjustment runs
    over the experiments within one (condition, reference, outcome). First come ``clean`` against ``no_cheese``: what
    the cheese does at all. All effects are made with the same seed, so with the same mazes.
    """
    references = {name: table.reference(name) for name in REFERENCES}
    records = _family(table, "clean", "no_cheese", {"": references["clean"]}, references["no_cheese"])
    for coefficient in table.spec.coefficients:
        for condition in table.spec.conditions:
            label = labelled(table.spec, condition, coefficient)
            sites = [""] if condition == ALL_SITES else table.experiments(condition)
            columns = {site or ALL_SITES: table.condition(condition, site, coefficient) for site in sites}
            for against in REFERENCES:
                records += _family(table, label, against, columns, references[against])
    return records


def cheese_tells(found: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the cheese draws the agent: raises one of :data:`CHEESE_OUTCOMES` by :data:`LEAST` or more, surely.

    ``found``: the paired effects of ``clean`` against ``no_cheese``, by ``outcome``. Significance alone will not do:
    outcomes are exact, so that of an untrained agent effects of 0.0001 have an interval without 0. Of too few mazes
    for intervals nothing is known, and it is supposed.
    """
    known = [e for e in found if e["outcome"] in CHEESE_OUTCOMES and e["low"] is not None]
    return not known or any(e["low"] >= LEAST for e in known)


def labelled(spec: SweepSpec, condition: str, coefficient: float) -> str:
    """What a condition is called in a summary: ``subtract``, and ``subtract x2`` for a further coefficient."""
    return condition if coefficient == spec.coefficients[0] else f"{condition} x{coefficient:g}"


def what(condition: str, site: str, against: str, outcome: str) -> str:
    """What an effect is an effect on, in words."""
    where = f" at {site}" if site not in ("", ALL_SITES) else ""
    return f"{NAMES[outcome]}, {condition}{where} against {against}"


def _family(
    table: OutcomeTable, condition: str, against: str, columns: dict[str, Columns], reference: Columns
) -> list[dict[str, Any]]:
    records = []
    for outcome in OUTCOMES:
        if outcome == "tv_no_cheese" and against == "no_cheese":
            continue  # a distance to itself: never negative, so no test of a difference
        found = [
            paired.paired_effect(values[outcome], reference[outcome], np.random.default_rng(table.spec.seed))
            for values in columns.values()
        ]
        adjusted = paired.holm([effect.p for effect in found])
        for site, effect, p_holm in zip(columns, found, adjusted, strict=True):
            record = {"site": site, "condition": condition, "against": against, "outcome": outcome, **asdict(effect)}
            record["words"] = paired.in_words(effect, what(condition, site, against, outcome), p_holm)
            record["p_holm"] = p_holm
            del record["note"]  # the words have it
            records.append({key: _short(value) for key, value in record.items()})
    return records


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
