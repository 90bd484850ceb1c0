"""Rows of what was measured, in a run's database: by part and level, each with a digest of all that it depends on."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from envs.errors import InputError, one_line
from envs.stored.json_records import Kinds, from_json, to_json
from envs.stored.ranges import LevelSeed, Text
from steering.sweep.store import Store

T = TypeVar("T")
ANOTHER = "choose another --out"
_MEASURED: Kinds = {"level": LevelSeed, "measured": Text}


def digest_of(shared: Mapping[str, Any]) -> str:
    """Return a digest of plain settings, whatever their order: what rows of other settings are told apart by."""
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


def stored_rows(store: Store, part: str, basis: str, kind: type[T]) -> dict[int, T]:
    """Return the rows of a part measured so far on a basis, by level.

    Args:
        store: the run's database.
        part: name of what was measured.
        basis: digest of all that a row depends on, besides the level and the agent.
        kind: record of a row.

    Raises:
        InputError: in one line, for a row that is no such record.
    """
    query = "SELECT level, measured FROM planning WHERE part = ? AND basis = ? ORDER BY level"
    where = f"{store.path}, planning, {part}"
    return {
        level: from_json(text, kind, f"{where}, level {level}", ANOTHER)
        for level, text in store.select(query, "planning", _MEASURED, part, basis)
    }


@contextlib.contextmanager
def fitting(store: Store, part: str, stored: bool) -> Iterator[None]:
    """Make one line of what fails inside, where stored rows are put together.

    Rows that are read have the right kinds. But where somebody changed the database, one may lack a site, or have lists
    of another length.

    Args:
        store: the run's database.
        part: what is put together.
        stored: whether any row was there before; if none was, an error is the program's own and goes on.

    Raises:
        InputError: for a row that does not fit the others.
    """
    try:
        yield
    except InputError:
        raise
    except (LookupError, ValueError) as error:
        if not stored:
            raise
        where = f"{store.path}, planning, {part}"
        raise InputError(f"{where}: rows that do not fit together ({one_line(error)}); {ANOTHER}") from error


def keep_rows(store: Store, basis: str, found: Mapping[str, Mapping[int, object]]) -> None:
    """Store rows by part and level, all or none; rows of these parts on another basis go."""
    with store.transaction() as db:
        for part, rows in found.items():
            db.execute("DELETE FROM planning WHERE part = ? AND basis != ?", (part, basis))
            stored = [(part, level, basis, to_json(row).decode()) for level, row in rows.items()]
            db.executemany("INSERT OR REPLACE INTO planning VALUES (?, ?, ?, ?)", stored)
