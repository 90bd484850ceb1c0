"""Paired effects from the table of outcomes: each site and condition against ``clean`` and ``no_cheese``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from steering.experiments.conditions import ALL_SITES, BY_NAME, REFERENCES
from steering.experiments.outcome import ATTRACTION, OUTCOMES, WORDS
from steering.records.sweep import EffectRecord
from steering.statistics import paired
from steering.sweep.outcome_table import Columns, OutcomeTable
from steering.sweep.spec import labelled

LEAST = 0.01  # of a probability: less is no pull, however sure
DIGITS = 6


def effects(table: OutcomeTable) -> list[EffectRecord]:
    """Return one record per distinct experiment, condition, coefficient, reference and outcome.

    ``condition`` has the label of the summary: ``subtract``, and ``subtract x2`` for a further coefficient.
    ``all_sites`` is one experiment, with that name for a site; branch sites are not compared. Holm's adjustment runs
    over the experiments within one (condition, reference, outcome). First come ``clean`` against ``no_cheese``: what
    the cheese does at all. All effects are made with the same seed, so with the same mazes.

    Args:
        table: the results of the run.

    Returns:
        Mean differences with 95% intervals over mazes, p-values and Holm's adjustment of them.
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


class EffectOnOutcome(Protocol):
    """A paired effect, as far as it says whether the cheese draws the agent."""

    @property
    def outcome(self) -> str:
        """Return the name of the outcome."""

    @property
    def low(self) -> float | None:
        """Return the low end of its interval; None: too few mazes."""


def cheese_tells(found: Iterable[EffectOnOutcome]) -> bool:
    """Return whether the cheese draws the agent: raises one of :data:`ATTRACTION` by :data:`LEAST` or more, surely.

    ``found``: paired effects of ``clean`` against ``no_cheese``. Significance alone will not do: outcomes are exact,
    so that of an untrained agent effects of 0.0001 have an interval without 0. Of too few mazes for intervals nothing
    is known, and it is supposed.
    """
    known = [effect.low for effect in found if effect.outcome in ATTRACTION and effect.low is not None]
    return not known or any(low >= LEAST for low in known)


def effect_title(condition: str, site: str, against: str, outcome: str) -> str:
    """Return the outcome that an effect is on, in words."""
    where = f" at {site}" if site not in ("", ALL_SITES) else ""
    return f"{WORDS[outcome]}, {condition}{where} against {against}"


def _family(
    table: OutcomeTable, condition: str, against: str, columns: dict[str, Columns], reference: Columns
) -> list[EffectRecord]:
    """Return the effects of one condition at the sites of ``columns``, one family of tests per outcome."""
    records, samples = [], paired.same_resamples(table.spec.seed)
    for outcome in (column.name for column in OUTCOMES if against in column.tested_against):
        rows = [values[outcome] for values in columns.values()]
        found = paired.paired_effects(rows, reference[outcome], samples)
        adjusted = paired.holm([effect.p for effect in found])
        for site, effect, p_holm in zip(columns, found, adjusted, strict=True):
            record = EffectRecord(
                site=site,
                condition=condition,
                against=against,
                outcome=outcome,
                n=effect.n,
                undefined=effect.undefined,
                zeros=effect.zeros,
                mean=_short(effect.mean),
                median=_short(effect.median),
                low=_short(effect.low),
                high=_short(effect.high),
                p=_short(effect.p),
                improvement=_short(effect.improvement),
                words=paired.in_words(effect, effect_title(condition, site, against, outcome), p_holm),
                p_holm=_short(p_holm),
            )
            records.append(record)
    return records


def _short(value: float | None) -> float | None:
    """Return a number with :data:`DIGITS` digits; None for one that is not defined."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")
