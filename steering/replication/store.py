"""The published findings in a run's database: the measurements of each maze, and their summaries.

They share file, lock and transactions with a sweep (:mod:`steering.sweep.store`), and with it the checkpoint and the
mode. A row or a result is kept with its basis, a digest of all it depends on: what has another basis is as good as
absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from envs.stored.json_records import Kinds, from_json, to_plain
from envs.stored.ranges import LevelSeed, Name, Text
from steering.records.replication import FindingResult, StoredMeasurement
from steering.replication.protocol import Measurement, Settings
from steering.sweep.store import Store

ANOTHER = "it is of another version: choose another --out"
_MEASURED: Kinds = {"level": LevelSeed, "measured": Text}
_RESULT: Kinds = {"finding": Name, "result": Text}


class FindingStore:
    """The tables of the findings in an open :class:`Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, settings: Settings) -> None:
        """Record what all rows share; raises :class:`InputError` if it is not what is recorded."""
        shared = settings.shared()
        self._store.claim({"device": settings.device})
        self._store.claim({"checkpoint sha256": shared.pop("sha256"), "mode": shared.pop("mode")})
        self._store.claim({f"findings {name}": value for name, value in shared.items()})

    def rows(self, finding: str, basis: str) -> dict[int, Measurement]:
        """Return the rows measured so far, by level, in its order."""
        query = "SELECT level, measured FROM measurements WHERE finding = ? AND basis = ? ORDER BY level"
        return {
            level: self._measured(finding, text)
            for level, text in self._store.select(query, "measurements", _MEASURED, finding, basis)
        }

    def add(self, finding: str, basis: str, rows: Mapping[int, Measurement]) -> None:
        """Record rows in one transaction; those of another basis go."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM measurements WHERE finding = ? AND basis != ?", (finding, basis))
            db.executemany(
                "INSERT OR REPLACE INTO measurements VALUES (?, ?, ?, ?)",
                [(finding, level, basis, json.dumps(row, allow_nan=False)) for level, row in rows.items()],
            )

    def result(self, finding: str, basis: str) -> FindingResult | None:
        """Return the rows that :meth:`record` kept for this basis."""
        query = "SELECT finding, result FROM findings WHERE finding = ? AND basis = ?"
        found = self._store.select(query, "findings", _RESULT, finding, basis)
        return self._read(*found[0]) if found else None

    def record(self, finding: str, basis: str, result: FindingResult) -> None:
        """Keep what a finding's rows come to, in the place of what they came to before."""
        with self._store.transaction() as db:
            text = json.dumps(to_plain(result), allow_nan=False)
            db.execute("INSERT OR REPLACE INTO findings VALUES (?, ?, ?)", (finding, basis, text))

    def results(self) -> dict[str, FindingResult]:
        """Return the results of all findings, by name."""
        found = self._store.select("SELECT finding, result FROM findings", "findings", _RESULT)
        return {name: self._read(name, text) for name, text in found}

    def _read(self, finding: str, text: str) -> FindingResult:
        return from_json(text, FindingResult, f"{self._store.path}, finding {finding}", ANOTHER)

    def _measured(self, finding: str, text: str) -> Measurement:
        where = f"{self._store.path}, measurement of {finding}"
        return from_json(text, StoredMeasurement, where, ANOTHER)  # type: ignore[arg-type]  # a dictionary is a record too

    def all_rows(self) -> dict[str, dict[str, Measurement]]:
        """Return every row, by finding and level; levels as text, as in JSON."""
        found: dict[str, dict[str, Measurement]] = {}
        query = "SELECT finding, level, measured FROM measurements ORDER BY finding, level"
        for finding, level, measured in self._store.select(query, "measurements", {"finding": Name, **_MEASURED}):
            found.setdefault(finding, {})[str(level)] = self._measured(finding, measured)
        return found
