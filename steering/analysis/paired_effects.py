"""Paired effects from the table of outcomes: each site and condition against ``clean`` and ``no_cheese``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from steering.experiments.conditions import ALL_SITES, BY_NAME, REFERENCES
from steering.experiments.outcome import ATTRACTION, OUTCOMES, WORDS
from steering.statistics import paired
from steering.sweep.outcome_table import Columns, OutcomeTable
from steering.sweep.spec import labelled

LEAST = 0.01  # of a probability: less is no pull, however sure
DIGITS = 6


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
            sites = table.experiments(condition) if BY_NAME[condition].at_one_site else [""]
            columns = {site or condition: table.condition(condition, site, coefficient) for site in sites}
            for against in REFERENCES:
                records += _family(table, label, against, columns, references[against])
    return records


def cheese_tells(found: Iterable[Any]) -> bool:
    """Whether the cheese draws the agent: raises one of :data:`ATTRACTION` by :data:`LEAST` or more, surely.

    ``found``: the paired effects of ``clean`` against ``no_cheese``, by ``outcome``. Significance alone will not do:
    outcomes are exact, so that of an untrained agent effects of 0.0001 have an interval without 0. Of too few mazes
    for intervals nothing is known, and it is supposed.
    """
    known = [_low(effect) for effect in found]
    low = [end for end in known if end is not None]
    return not low or any(end >= LEAST for end in low)


def _low(effect: Any) -> float | None:
    """Return the low end of an effect on one of :data:`ATTRACTION`; of a mapping until all are records."""
    if isinstance(effect, Mapping):
        effect = SimpleNamespace(**effect)
    return effect.low if effect.outcome in ATTRACTION else None


def what(condition: str, site: str, against: str, outcome: str) -> str:
    """What an effect is an effect on, in words."""
    where = f" at {site}" if site not in ("", ALL_SITES) else ""
    return f"{WORDS[outcome]}, {condition}{where} against {against}"


def _family(
    table: OutcomeTable, condition: str, against: str, columns: dict[str, Columns], reference: Columns
) -> list[dict[str, Any]]:
    records, samples = [], paired.same_resamples(table.spec.seed)
    for outcome in (column.name for column in OUTCOMES if against in column.tested_against):
        found = [paired.paired_effect(values[outcome], reference[outcome], samples) for values in columns.values()]
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
