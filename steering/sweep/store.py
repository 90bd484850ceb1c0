"""The results of a run: one SQLite file, one transaction per finished group of a level.

Rows are keyed by what determines them. What a whole run shares (checkpoint, horizon, seed,
mode) is in ``meta`` and must agree when a run is taken up again. No times are stored, so an
interrupted and resumed run ends with the content of an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import json
import operator
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from envs.errors import InputError, shown
from envs.files import locked, remove_stale
from envs.stored.json_records import Kinds, from_json, from_rows, kinds_of, to_plain
from envs.stored.ranges import Count, Flag, LevelSeed, Line, Name, Number, Text
from envs.stored.sources import MOST_JSON
from steering.experiments.conditions import Key
from steering.experiments.levels import SkipReason
from steering.experiments.outcome import (
    MOVED_FIELDS,
    NEARNESS_FIELDS,
    OUTCOME_FIELDS,
    PROFILE_FIELDS,
    Moved,
    Nearness,
    Outcome,
    Profile,
    Sums,
)
from steering.records.sites import SiteFacts
from steering.statistics.boundary import ThresholdPair
from steering.sweep.artifacts import DATABASE, EVIDENCE, FOREIGN, READABLE, SCHEMA, TABLES
from steering.sweep.provenance import version_sets
from steering.sweep.spec import SPEC, SweepSpec

T = TypeVar("T")
_FIELDS = operator.attrgetter(*OUTCOME_FIELDS)


@dataclass(frozen=True)
class Row:
    """One result."""

    key: Key
    """Level, condition, site, coefficient and draw."""
    computed_at: str
    """Name of the site of the equivalence class that was run; empty for the references and ``all_sites``."""
    outcome: Outcome
    """The exact outcome."""
    source: int | None = None
    """Level that the vector was taken from; null: the level itself."""


# The types of a row's columns, with their ranges.
_KEY: Kinds = {"level": LevelSeed, "condition": Name, "site": Name, "coefficient": Number, "draw": Count}
_ROW: Kinds = {
    **_KEY,
    "computed_at": Name,
    "source": LevelSeed | None,
    **{name: kind | None for name, kind in kinds_of(Outcome).items()},
}
_LEVEL: Kinds = {"level": LevelSeed, "used": Flag, "reason": Line}
_ONE: Kinds = {"1": Flag}
# The table of each kind of sums by distance, and its columns.
_SUMS_OF: dict[type, tuple[str, tuple[str, ...]]] = {
    Profile: ("profiles", PROFILE_FIELDS),
    Nearness: ("nearness", NEARNESS_FIELDS),
    Moved: ("moved", MOVED_FIELDS),
}
_ANOTHER = "choose another --out"


class Store:
    """An open results file, a SQLite database; use :meth:`open` as a context manager.

    Example:
        >>> with Store.read("runs/mine") as store:  # of a finished sweep
        ...     print(sum(row.key.condition == "clean" for row in store.rows()))
        3
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self._rows: tuple[Row, ...] | None = None
        self.path = path

    @classmethod
    @contextlib.contextmanager
    def read(cls, directory: str | os.PathLike[str]) -> Iterator[Store]:
        """Open the results of a run; raises :class:`InputError` where there are none."""
        if not (Path(directory) / DATABASE).is_file():
            raise InputError(f"{Path(directory)}: no {DATABASE} there; give the --out of a finished run")
        with cls.open(directory) as store:
            yield store

    @classmethod
    @contextlib.contextmanager
    def open(cls, directory: str | os.PathLike[str]) -> Iterator[Store]:
        """Open or create the ``results.sqlite`` of a run directory.

        Raises:
            InputError: for a file of something else, of another schema, or that cannot be read or written.
        """
        path = Path(directory) / DATABASE
        try:
            connection = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise InputError(f"{path}: cannot be opened ({error}); choose another --out") from None
        try:
            if sys.version_info >= (3, 11):
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_JSON)
            connection.execute("PRAGMA foreign_keys = ON")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, *READABLE):
                raise InputError(
                    f"{path}: schema {version}, this mazesteer reads {SCHEMA}; use the version that wrote it"
                )
            if version == 0 and connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                raise InputError(f"{path}: a database of something else; choose another --out")
            if connection.execute(FOREIGN).fetchone():
                raise InputError(f"{path}: holds a view, a trigger or a virtual table: not ours; choose another --out")
            connection.execute("PRAGMA journal_mode = WAL")  # writes: only once the file is known to be ours
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript("BEGIN;" + TABLES + f"PRAGMA user_version = {SCHEMA}; COMMIT;")
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                remedy = "free the disk" if "full" in str(error) else "choose another --out"
                raise InputError(f"{path}: not a usable results database ({error}); {remedy}") from None
            raise
        try:
            yield cls(connection, path)
        except sqlite3.Error as error:
            raise InputError(f"{path}: damaged or not usable ({error}); free the disk, or {_ANOTHER}") from None
        finally:
            connection.close()

    def claim(self, facts: dict[str, object]) -> None:
        """Record facts that all results of the run share, or check that they agree with those recorded.

        Raises:
            InputError: for a fact that differs.
        """
        for key, value in facts.items():
            text = json.dumps(to_plain(value))
            found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            if found is None:
                self._db.execute("INSERT INTO meta VALUES (?, ?)", (key, text))
            elif found[0] != text:
                raise InputError(
                    f"{self.path.parent} holds results with {key} {shown(found[0])}, now asked: {text}; "
                    "choose another --out"
                )

    def describe(self, key: str, value: object) -> None:
        """Record a fact that may change from one command to the next."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(to_plain(value))))

    def meta(self, key: str, kind: Any, default: T | None = None) -> T:
        """Return a recorded fact of type ``kind``.

        Raises:
            InputError: for one that is not, and if there is neither that nor a default.
        """
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if found is None and default is not None:
            return default
        if found is None:
            raise InputError(f"{self.path}: holds no {key}; it is not a whole run")
        fact: T = from_json(found[0], kind, f"{self.path}: {key}", _ANOTHER)
        return fact

    def sites(self) -> dict[str, SiteFacts]:
        """Return the facts of all sites of the run's network, by name."""
        facts: list[SiteFacts] = self.meta("sites", list[SiteFacts])
        return {fact.name: fact for fact in facts}

    def thresholds(self) -> ThresholdPair:
        """Return the thresholds of the run's last sweep command; the defaults where none are recorded."""
        return self.meta("thresholds", ThresholdPair, ThresholdPair())

    def versions(self) -> list[dict[str, str]]:
        """Return the versions that the run was computed with, early runs' one set too; none where not recorded."""
        return version_sets(self.meta("versions", list[dict[Name, Name]] | dict[Name, Name], []))

    def add_levels(self, rows: Iterable[tuple[int, bool, str, dict[str, float]]]) -> None:
        """Record levels: (level, used, reason for skipping, features); the latest plan's row stays.

        A level is a function of its seed and the run's mode, so only ``SkipReason.SAME_MAZE``, which depends on the
        other levels looked at, may come or go.

        Raises:
            InputError: for another difference: then procgen or the rules are not those of the stored results.
        """
        with self.transaction():
            for level, used, reason, features in rows:
                new = (int(used), reason, json.dumps(features))
                query = "SELECT used, reason, features FROM levels WHERE level = ?"
                old = self.select(query, "levels", {"used": Flag, "reason": Line, "features": Text}, level)
                if old not in ([], [new]) and SkipReason.SAME_MAZE not in map(SkipReason.read, (old[0][1], reason)):
                    raise InputError(
                        f"{self.path.parent}: level {level} is not what it was when this run began (another version "
                        "of procgen or mazesteer?); choose another --out"
                    )
                self._db.execute(
                    "INSERT INTO levels VALUES (?, ?, ?, ?) ON CONFLICT(level) DO UPDATE "
                    "SET used = excluded.used, reason = excluded.reason, features = excluded.features",
                    (level, *new),
                )

    def add(self, rows: Iterable[Row], sums: Iterable[Sums] = ()) -> None:
        """Record the results of one group of one level in one transaction."""
        self._rows = None
        values: dict[str, list[tuple[object, ...]]] = {
            "outcomes": [(*row.key, row.computed_at, row.source, *stored_numbers(row.outcome)) for row in rows]
        }
        for part in sums:
            table, fields = _SUMS_OF[type(part)]
            values.setdefault(table, []).append(tuple(getattr(part, name) for name in fields))
        with self.transaction():
            for table, found in values.items():
                for row in found:
                    marks = ", ".join("?" * len(row))
                    self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)

    def keys(self) -> set[Key]:
        """Return the keys of all results present."""
        query = "SELECT level, condition, site, coefficient, draw FROM outcomes"
        return {Key(*row) for row in self.select(query, "outcomes", _KEY)}

    def rows(self) -> list[Row]:
        """Return all results, in key order."""
        if self._rows is None:
            columns = "level, condition, site, coefficient, draw, computed_at, source, " + ", ".join(OUTCOME_FIELDS)
            query = f"SELECT {columns} FROM outcomes ORDER BY level, condition, site, coefficient, draw"
            self._rows = tuple(
                Row(Key(*row[:5]), row[5], Outcome(*(float("nan") if v is None else v for v in row[7:])), row[6])
                for row in self.select(query, "outcomes", _ROW)
            )
        return list(self._rows)

    def profiles(self) -> list[Profile]:
        """Return all profiles, in order."""
        query = f"SELECT {', '.join(PROFILE_FIELDS)} FROM profiles ORDER BY level, site, coefficient, distance, outside"
        return [Profile(*row) for row in self.select(query, "profiles", kinds_of(Profile))]

    def nearness(self) -> list[Nearness]:
        """Return all sums by the cells between mouse and cheese, in order."""
        query = f"SELECT {', '.join(NEARNESS_FIELDS)} FROM nearness ORDER BY level, site, coefficient, cells"
        return [Nearness(*row) for row in self.select(query, "nearness", kinds_of(Nearness))]

    def moved(self) -> list[Moved]:
        """Return how near each edit that moves the cheese comes to the cheese moved, in order."""
        columns = ", ".join(f'"{name}"' for name in MOVED_FIELDS)
        query = f"SELECT {columns} FROM moved ORDER BY level, site, coefficient, draw"
        return [Moved(*row) for row in self.select(query, "moved", kinds_of(Moved))]

    def levels(self) -> list[tuple[int, bool, str]]:
        """Return (level, used, reason) of all levels looked at, in level order."""
        query = "SELECT level, used, reason FROM levels ORDER BY level"
        return [(level, bool(used), reason) for level, used, reason in self.select(query, "levels", _LEVEL)]

    def select(self, query: str, table: str, kinds: Kinds, *values: object) -> list[Any]:
        """Return the rows that a query of a table gives, their columns checked by ``kinds``."""
        return from_rows(self._db.execute(query, values).fetchall(), kinds, f"{self.path}: {table}", _ANOTHER)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Store all that is written inside together or not at all; raises :class:`InputError` if it cannot be."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise InputError(
                    f"{self.path}: cannot store results ({error}); what was finished is stored: free the disk and type "
                    "the same command"
                ) from None
            raise


@contextlib.contextmanager
def run_directory(directory: Path) -> Iterator[Path]:
    """Create or re-enter a run directory and hold it alone.

    Args:
        directory: made if it is not there; an empty one, or a run.

    Yields:
        The same path, with unfinished files of a killed process removed.

    Raises:
        InputError: if it cannot be written, holds something else, or is held by another process, whose id is named.
    """
    try:
        if directory.is_dir() and not _ours(directory):
            raise InputError(f"{directory} is not empty and not a mazesteer run; choose another --out")
    except OSError as error:
        raise InputError(f"{str(directory)[:80]}: cannot be read ({error.strerror}); choose another --out") from None
    begun = directory.is_dir() and any(path.name != ".lock" for path in directory.iterdir())
    with locked(directory, make=True):
        remove_stale(directory, directory / "rollouts")
        try:
            yield directory
        except InputError:
            if not begun:
                _remove_unused(directory)
            raise


def _remove_unused(directory: Path) -> None:
    """Remove the files of a run in which nothing is stored: what could not begin leaves no directory."""
    files = [path for path in directory.iterdir() if path.name != ".lock"]
    if all(path.name == SPEC or path.name.startswith(DATABASE) for path in files):
        if (directory / DATABASE).exists():
            with Store.read(directory) as store:
                tables = ("measurements", "planning")
                if store.keys() or any(store.select(f"SELECT 1 FROM {name} LIMIT 1", name, _ONE) for name in tables):
                    return
        for path in files:
            path.unlink(missing_ok=True)


def _ours(directory: Path) -> bool:
    """Return whether a directory is empty, a run (perhaps killed at its very start), or holds other evidence.

    Raises:
        InputError: for a run that cannot be read.
    """
    if os.path.lexists(directory / SPEC):
        return bool(SweepSpec.load(directory))
    names = {path.name for path in directory.iterdir()}
    return all(name == ".lock" or name.startswith((DATABASE, ".spec.", *EVIDENCE)) for name in names)


def stored_numbers(outcome: Outcome) -> list[float | None]:
    """Return the fields of an outcome, NaN as None."""
    return [None if value != value else value for value in _FIELDS(outcome)]
