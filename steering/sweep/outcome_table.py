"""The outcomes of a run as arrays over its mazes, ready for statistics."""

from __future__ import annotations

import csv
import functools
import io
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from envs.errors import InputError, shown
from envs.files import write_atomic
from envs.stored.ranges import LevelSeed, Name
from steering.experiments.conditions import BY_NAME, MAIN, Key
from steering.experiments.outcome import CELLS, OUTCOME_FIELDS, Outcome
from steering.records.sites import SiteFacts
from steering.statistics.bootstrap import without_rounding
from steering.sweep.recordings import rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store, stored_numbers

_NUMBERS = operator.attrgetter(*OUTCOME_FIELDS)
# Distances of a condition and of the policy left alone to one policy, maze by maze.
Distances = tuple[np.ndarray, np.ndarray]
DISTANCE_FIELDS = tuple(field for field in OUTCOME_FIELDS if field.startswith("tv_"))


class Columns(dict[str, np.ndarray]):
    """Outcomes of one condition by name, ``float64[n_levels]`` each."""

    @property
    def tv_no_cheese(self) -> np.ndarray:
        """Return the distances to the policy without cheese, from which blindness is made."""
        return self["tv_no_cheese"]

    @property
    def tv_no_cheese_occupancy(self) -> np.ndarray:
        """Return the same distances, weighted by where the mouse goes without cheese."""
        return self["tv_no_cheese_occupancy"]

    @property
    def p_region_first(self) -> np.ndarray:
        """Return P(top-right 5x5 first), from which competence is made."""
        return self["p_region_first"]


@dataclass(frozen=True)
class OutcomeTable:
    """All results of a run on the levels that are finished.

    This is the one reader of stored outcomes for statistics, of one run and of several. Total-variation distances up to
    :data:`steering.statistics.bootstrap.TIE` are rounding and count as zero: of an untrained agent all distances are
    so small that what rounding leaves of them would be a share of the cheese's effect.

    Example:
        >>> from pathlib import Path
        >>> OutcomeTable.open(Path("runs/mine")).levels  # of a finished sweep
        [26, 54, 193]
    """

    spec: SweepSpec
    """The settings of the run."""
    levels: list[int]
    """Seeds of the levels that have all their results, in the order of the spec."""
    outcomes: dict[Key, Outcome]
    """Results by key, those of unfinished levels too."""
    facts: dict[str, SiteFacts]
    """Facts about the sites of the network, by name."""
    sums: dict[tuple[int, str, float], np.ndarray] = field(default_factory=dict)
    """By (level, site, coefficient) and bin of cells between mouse and cheese: states, distances to the policy without
    cheese summed over them, under subtraction and left alone: ``float64[len(CELLS), 3]``."""
    moved: dict[tuple[int, str, float], list[tuple[float, float]]] = field(default_factory=dict)
    """By (level, site, coefficient), for each draw of the cell: mean distance to the policy on the level with its
    cheese there, under the edit that moves the cheese and left alone, 0 to 1."""

    @classmethod
    def read(cls, store: Store, spec: SweepSpec) -> OutcomeTable:
        """Return the results in a run's store.

        Raises:
            InputError: if no level is finished, or the network has no such sites.
        """
        outcomes = {row.key: row.outcome for row in store.rows()}
        levels = []
        if len(outcomes) >= spec.results_per_level:  # else not even the keys of one level need be made
            levels = [level for level in spec.levels if all(key in outcomes for key in spec.keys(level))]
        if not levels:
            raise InputError(f"{store.path.parent}: no level is finished yet; type the sweep's command again")
        facts = store.sites()
        for site in spec.sites:
            if site not in facts:
                raise InputError(f"{store.path}: sites: {shown(site)} of the spec is not among them; sweep anew")
        sums: dict[tuple[int, str, float], np.ndarray] = {}
        for part in store.nearness():
            bins = sums.setdefault((part.level, part.site, part.coefficient), np.zeros((len(CELLS), 3)))
            bins[CELLS.index(part.cells)] = part.states, part.tv_subtract, part.tv_clean
        moved: dict[tuple[int, str, float], list[tuple[float, float]]] = {}
        for each in store.moved():
            pair = each.tv_edited / each.states, each.tv_clean / each.states
            moved.setdefault((each.level, each.site, each.coefficient), []).append(pair)
        return cls(spec, levels, outcomes, facts, sums, moved)

    @classmethod
    def read_trunk(cls, store: Store, spec: SweepSpec, condition: str, coefficient: float) -> OutcomeTable:
        """Read one condition at one coefficient at the trunk sites, on the levels that have all of that.

        Raises:
            InputError: if no level has, or no trunk site was swept.
        """
        trunk = {site.name for site in store.sites().values() if site.trunk}
        sites = tuple(name for name in spec.sites if name in trunk)
        if not sites:
            raise InputError(f"{store.path.parent}: no trunk site was swept; nothing to compare")
        part = replace(spec, sites=sites, conditions=(condition,), coefficients=(coefficient,))
        return cls.read(store, part)

    @classmethod
    def open(cls, directory: Path) -> OutcomeTable:
        """Return the results in a run directory.

        Raises:
            InputError: if it holds no results, or no level is finished.
        """
        spec = SweepSpec.load(directory)
        with Store.read(directory) as store:
            return cls.read(store, spec)

    def reference(self, name: str) -> Columns:
        """Return the outcomes of ``clean`` or ``no_cheese``."""
        return self._columns([Key(level, name) for level in self.levels])

    def condition(self, condition: str, site: str = "", coefficient: float | None = None) -> Columns:
        """Return the outcomes of a condition, mean over draws.

        Args:
            condition: name of a condition that was swept.
            site: name of the site; empty for ``all_sites``.
            coefficient: multiple of the vector; None: the first one swept.

        Returns:
            ``float64[n_levels]`` by name of the outcome, NaN where undefined.
        """
        c = self.spec.coefficients[0] if coefficient is None else coefficient
        known = self._conditions.get((condition, site, c))
        if known is not None:
            return known
        draws = range(self.spec.draws_of(condition))
        parts = [self._columns([Key(level, condition, site, c, draw) for level in self.levels]) for draw in draws]
        columns = Columns({field: np.mean([part[field] for part in parts], axis=0) for field in OUTCOME_FIELDS})
        return self._conditions.setdefault((condition, site, c), columns)

    def nearness(self, site: str, coefficient: float | None = None) -> np.ndarray | None:
        """Return subtraction at a site by the cells between mouse and cheese; None if a level has no such sums.

        Args:
            site: name of the site.
            coefficient: multiple of the vector; None: the first one swept.

        Returns:
            For each bin of ``CELLS`` and each level the number of states, and the distances to the policy without
            cheese under subtraction and left alone, summed over the bin and divided by the number of the level's
            states: ``float64[len(CELLS), n_levels, 3]``. So over all bins they are ``tv_no_cheese``.
        """
        c = self.spec.coefficients[0] if coefficient is None else coefficient
        found = [self.sums.get((level, site, c)) for level in self.levels]
        if any(part is None for part in found):
            return None
        bins = np.array(found).swapaxes(0, 1)
        states = bins[..., :1]
        distances = without_rounding(bins[..., 1:], states) / states.sum(axis=0)
        return np.concatenate([states, distances], axis=-1)

    @functools.cached_property
    def _conditions(self) -> dict[tuple[str, str, float], Columns]:
        """Keep the conditions asked for so far: a summary asks for each several times."""
        return {}

    def distances(self, condition: str, site: str = "", coefficient: float | None = None) -> Distances:
        """Return the distances that blindness of a condition is made of, mean over draws.

        To the policy without cheese, or to that with its cheese on the cell drawn (``Condition.to_moved``).

        Returns:
            Under the condition, and of the policy left alone: ``float64[n_levels]`` each, NaN where not stored.
        """
        if not BY_NAME[condition].to_moved:
            edited = self.condition(condition, site, coefficient)
            return edited.tv_no_cheese, self.reference("clean").tv_no_cheese
        c = self.spec.coefficients[0] if coefficient is None else coefficient
        blank = [(np.nan, np.nan)]
        means = [np.mean(self.moved.get((level, site, c), blank), axis=0) for level in self.levels]
        edited_moved, clean = without_rounding(np.array(means).T)
        return edited_moved, clean

    def trunk(self) -> list[str]:
        """Return the trunk sites swept, in the order swept."""
        return [name for name in self.spec.sites if self.facts[name].trunk]

    def classes(self, condition: str) -> list[str]:
        """Return the class of experiments of each trunk site swept; random vectors have no equivalent sites."""
        shared = BY_NAME[condition].shared_in_class
        return [self.facts[name].equivalence_class if shared else name for name in self.trunk()]

    def experiments(self, condition: str) -> list[str]:
        """Return the trunk sites that are experiments of their own: the first of each class."""
        first: dict[str, str] = {}
        for name, kind in zip(self.trunk(), self.classes(condition), strict=True):
            first.setdefault(kind, name)
        return list(first.values())

    def _columns(self, keys: Sequence[Key]) -> Columns:
        numbers = zip(*(_NUMBERS(self.outcomes[key]) for key in keys), strict=True)
        columns = {field: np.array(column) for field, column in zip(OUTCOME_FIELDS, numbers, strict=True)}
        distances = {field: without_rounding(columns[field]) for field in DISTANCE_FIELDS}
        return Columns(columns | distances)


@dataclass(frozen=True)
class DecisionMoves:
    """Probabilities of the moves at the decision square, one number per maze; NaN where a maze has none."""

    cheese: tuple[float, ...]
    """Towards the cheese, from 0 to 1."""
    corner: tuple[float, ...]
    """Towards the top-right cell, from 0 to 1."""
    other: tuple[float, ...]
    """Anywhere else, from 0 to 1."""


@dataclass(frozen=True)
class DecisionSquares:
    """The agent's moves at the decision square of each maze, before and after."""

    site: Name
    """Name of the site of subtraction."""
    levels: tuple[LevelSeed, ...]
    """Seeds of the mazes, in the order of the numbers."""
    clean: DecisionMoves
    """Left alone."""
    subtract: DecisionMoves
    """With the cheese vector subtracted at ``site``."""
    no_cheese: DecisionMoves
    """With the cheese removed."""


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


def outcome_rows(store: Store) -> tuple[list[str], list[tuple[object, ...]]]:
    """Return the names of the columns of ``outcomes.csv``, and its rows; None where a number is undefined."""
    names = [*Key._fields, "computed_at", "source", *OUTCOME_FIELDS]
    return names, [(*row.key, row.computed_at, row.source, *stored_numbers(row.outcome)) for row in store.rows()]


def export_tables(store: Store, directory: Path) -> tuple[Path, Path]:
    """Write all results as one table, ``outcomes.csv`` and ``outcomes.parquet`` (each whole or not at all)."""
    names, rows = outcome_rows(store)
    kinds = dict.fromkeys(("level", "draw", "source"), "int64")
    kinds |= dict.fromkeys(("condition", "site", "computed_at"), "string")
    return write_table(directory / "outcomes", names, rows, kinds)


def write_table(
    stem: Path, names: Sequence[str], rows: Sequence[Sequence[object]], kinds: Mapping[str, str]
) -> tuple[Path, Path]:
    """Write a table as ``stem.csv`` and ``stem.parquet``; ``kinds``: types of the columns that are not ``float64``.

    The second is read from text as the first is: pyarrow's conversion from Python's lists would import pandas, if it is
    there, to ask whether they are of its types.
    """
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema([(name, kinds.get(name, "float64")) for name in names])
    text, null = _csv(names, rows), ""
    marked = text
    strings = [i for i, name in enumerate(names) if kinds.get(name) == "string"]
    if any(row[i] is None for row in rows for i in strings):  # in a CSV file as an empty string is
        null = _NULL
        marked = _csv(names, [[_NULL if value is None else value for value in row] for row in rows])
    binary = io.BytesIO()
    parquet.write_table(_table(marked, schema, null), binary)
    paths = stem.with_suffix(".csv"), stem.with_suffix(".parquet")
    for path, data in zip(paths, (text, binary.getvalue()), strict=True):
        write_atomic(path, data)
    return paths


_NULL = "\\N"  # marks null where an empty string is another value


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a table as the bytes of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()


def _table(text: bytes, schema: Any, null: str) -> Any:
    """Return the pyarrow table in CSV ``text``; ``null`` is null, an empty one not among strings."""
    from pyarrow import csv as reader
    from pyarrow import py_buffer

    return reader.read_csv(
        py_buffer(text),
        reader.ReadOptions(use_threads=False, block_size=len(text) + 1),  # one chunk, so one row group
        reader.ParseOptions(newlines_in_values=True),
        reader.ConvertOptions(column_types=schema, null_values=[null], strings_can_be_null=null != ""),
    )
