"""The files that commands leave in a run directory, the tables of its database, and what belongs to a sweep.

Probes, vector fields and the published findings are files of their own; one that was made with another checkpoint or
mode is left out of a report, which says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from envs.errors import InputError, counted
from envs.stored.json_records import from_plain, read_json
from envs.stored.ranges import Mode
from steering.experiments.outcome import OUTCOME_FIELDS, PROFILE_SUMS
from steering.records.anatomy.summary import AnatomySummary, check_anatomy
from steering.records.boundary import BoundarySummary, RunIndex
from steering.records.examples import ExampleFields
from steering.records.planning import PlanningMaps, PlanningSummary
from steering.records.probes import ProbeSummary, check_probes
from steering.records.readings import check_maps, check_planning
from steering.records.readouts import ReadoutSummary, WrittenSummary, check_readouts, check_written
from steering.records.replication import ReplicateSummary
from steering.records.sweep import CheckpointId

T = TypeVar("T")
DATABASE = "results.sqlite"
SUMMARY = "summary.json"
RUN_FORMAT = "mazesteer-run-1"
SCHEMA = 3
READABLE = (2, SCHEMA)  # what 2 has is the same; it lacks the tables of the published findings, which are then added
_SUMS = ", ".join(f"{name} REAL NOT NULL" for name in PROFILE_SUMS)
_REALS = ", ".join(f"{name} REAL" for name in OUTCOME_FIELDS)
TABLES = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT OR IGNORE INTO meta SELECT 'device', '"cpu"' WHERE EXISTS (SELECT 1 FROM meta);  -- runs of earlier versions
CREATE TABLE IF NOT EXISTS levels (
    level INTEGER PRIMARY KEY, used INTEGER NOT NULL, reason TEXT NOT NULL, features TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outcomes (
    level INTEGER NOT NULL REFERENCES levels(level),
    condition TEXT NOT NULL, site TEXT NOT NULL, coefficient REAL NOT NULL, draw INTEGER NOT NULL,
    computed_at TEXT NOT NULL, source INTEGER, {_REALS},
    PRIMARY KEY (level, condition, site, coefficient, draw)
);
CREATE TABLE IF NOT EXISTS profiles (
    level INTEGER NOT NULL REFERENCES levels(level), site TEXT NOT NULL, coefficient REAL NOT NULL,
    distance INTEGER NOT NULL, outside INTEGER NOT NULL, states INTEGER NOT NULL, {_SUMS},
    PRIMARY KEY (level, site, coefficient, distance, outside)
);
CREATE TABLE IF NOT EXISTS nearness (
    level INTEGER NOT NULL REFERENCES levels(level), site TEXT NOT NULL, coefficient REAL NOT NULL,
    cells INTEGER NOT NULL, states INTEGER NOT NULL, tv_subtract REAL NOT NULL, tv_clean REAL NOT NULL,
    PRIMARY KEY (level, site, coefficient, cells)
);
CREATE TABLE IF NOT EXISTS moved (
    level INTEGER NOT NULL REFERENCES levels(level), site TEXT NOT NULL, coefficient REAL NOT NULL,
    draw INTEGER NOT NULL, "column" INTEGER NOT NULL, "row" INTEGER NOT NULL, states INTEGER NOT NULL,
    tv_edited REAL NOT NULL, tv_clean REAL NOT NULL, PRIMARY KEY (level, site, coefficient, draw)
);
CREATE TABLE IF NOT EXISTS measurements (
    finding TEXT NOT NULL, level INTEGER NOT NULL, basis TEXT NOT NULL, measured TEXT NOT NULL,
    PRIMARY KEY (finding, level)
);
CREATE TABLE IF NOT EXISTS planning (
    part TEXT NOT NULL, level INTEGER NOT NULL, basis TEXT NOT NULL, measured TEXT NOT NULL, PRIMARY KEY (part, level));
CREATE TABLE IF NOT EXISTS findings (finding TEXT PRIMARY KEY, basis TEXT NOT NULL, result TEXT NOT NULL);
"""
# What could compute rows without end where a table is expected.
FOREIGN = "SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
# What other commands leave beside a sweep, or before it.
EVIDENCE = tuple(
    dot + name
    for name in ("probe", "readouts", "replicate", "planning", "written_moves", "anatomy")
    for dot in ("", ".")
)


@dataclass(frozen=True)
class Artifact(Generic[T]):
    """A JSON file of a run directory."""

    file: str
    """Its name."""
    format: str
    """Value of its field ``format``."""
    command: str
    """The command that makes it."""
    what: str
    """Its content in words."""
    kind: type[T]
    """The record in it."""
    check: Callable[[Any, object, str], None] = lambda found, where, remedy: None
    """Function (record, where, remedy) that raises :class:`InputError` if parts of a record do not belong together."""

    def read(self, directory: Path, remedy: str) -> T:
        """Return the record in a directory's file; raise :class:`InputError` with ``remedy`` for anything else."""
        path = directory / self.file
        found = read_json(path, remedy)
        if not self._made(found):
            raise InputError(f"{path}: not {self.what}; {remedy}")
        return self._whole(found, path, remedy)

    def of_sweep(self, directory: Path, sha256: str, mode: str) -> tuple[T | None, str]:
        """Return the record and "", or None and why it is not shown with a sweep; None, "" without the file.

        Raises:
            InputError: in one line, for a file that cannot be read.
        """
        path = directory / self.file
        if not os.path.lexists(path):
            return None, ""
        found = read_json(path, REMEDY)
        if not self._made(found):
            return None, f"{self.file} was not made by this version and is not shown; type `{self.command}` again"
        made = from_plain(found, _Header, path, REMEDY, partial=True)
        if made.checkpoint.sha256 != sha256:
            return None, f"{self.file} is of another checkpoint than the sweep and is not shown"
        if made.of_mode not in ("", mode):  # none is a fault, which the whole record names
            return None, f"{self.file} is of mode {made.of_mode}, the sweep of mode {mode}; it is not shown"
        return self._whole(found, path, REMEDY), ""

    def _whole(self, found: object, path: Path, remedy: str) -> T:
        """Return the record, its fields and what they have to do with one another checked."""
        record = from_plain(found, self.kind, path, remedy)
        self.check(record, path, remedy)
        return record

    def _made(self, found: object) -> bool:
        return isinstance(found, dict) and found.get("format") == self.format


PROBES = Artifact(
    "probes.json", "mazesteer-probes-5", "mazesteer probe", "readings of probes", ProbeSummary, check_probes
)
FIELDS = Artifact("fields.json", "mazesteer-fields-1", "mazesteer layer-sweep", "fields of moves", ExampleFields)
REPLICATE = Artifact(
    "replicate.json", "mazesteer-replicate-1", "mazesteer replicate", "published findings", ReplicateSummary
)
PLANNING = Artifact(
    "planning.json",
    "mazesteer-planning-1",
    "mazesteer planning",
    "readings of planning",
    PlanningSummary,
    check_planning,
)
PLANNING_MAPS = Artifact(
    "planning_maps.json", "mazesteer-planning-maps-1", "mazesteer planning", "causal maps", PlanningMaps, check_maps
)
WRITTEN = Artifact(
    "written_moves.json",
    "mazesteer-written-moves-1",
    "mazesteer write-moves",
    "written moves",
    WrittenSummary,
    check_written,
)
READOUTS = Artifact(
    "readouts.json", "mazesteer-readouts-1", "mazesteer probe", "readouts at the mouse", ReadoutSummary, check_readouts
)
ANATOMY = Artifact(
    "anatomy.json",
    "mazesteer-anatomy-1",
    "mazesteer anatomy",
    "the anatomy of cheese vectors",
    AnatomySummary,
    check_anatomy,
)
INDEX = Artifact("index.json", "mazesteer-runs-1", "mazesteer layer-sweep", "an index of runs", RunIndex)
REMEDY = "remove it, or make it anew"


def read_index(directory: Path, remedy: str) -> RunIndex:
    """Return the index of a folder of several runs; raise :class:`InputError` with ``remedy`` if it is none."""
    return INDEX.read(directory, remedy)


@dataclass(frozen=True)
class RunArtifacts:
    """The files of other commands in a run directory, as far as they belong to the sweep there."""

    probes: ProbeSummary | None = None
    """Readings of the probes; None: not probed, or not of this sweep."""
    fields: ExampleFields | None = None
    """The vector fields of examples; None: none, or not of this sweep."""
    replicate: ReplicateSummary | None = None
    """The published findings, run again; None: not run, or not of this sweep."""
    planning: PlanningSummary | None = None
    """Readings of planning; None: not measured, or not of this sweep."""
    maps: PlanningMaps | None = None
    """Causal maps; None: not made, or not of this sweep."""
    written: WrittenSummary | None = None
    """Written moves; None: none, or not of this sweep."""
    readouts: ReadoutSummary | None = None
    """Readouts at the mouse; None: not read, or not of this sweep."""
    anatomy: AnatomySummary | None = None
    """What the cheese vector is made of; None: not measured, or not of this sweep."""


def read_artifacts(directory: Path, sha256: str, mode: str, levels: Collection[int]) -> tuple[RunArtifacts, list[str]]:
    """Return the files of other commands in a run directory, and notes on those left out and why.

    Args:
        directory: the run's.
        sha256: the digest of the sweep's checkpoint.
        mode: the sweep's.
        levels: seeds of the sweep's levels.

    Raises:
        InputError: in one line, for a file that cannot be read.
    """
    probes, note = read_probes(directory, sha256, mode)
    notes = [note]
    if probes is not None and set(probes.levels) != set(levels):
        notes.append(f"the probes are of {counted(len(probes.levels), 'level')}, not those of the sweep")
    fields, note = FIELDS.of_sweep(directory, sha256, mode)
    notes.append(note)
    replicate, note = REPLICATE.of_sweep(directory, sha256, mode)
    notes.append(note)
    if replicate is not None:
        where = f"{replicate.settings.site}, horizon {replicate.settings.horizon}"
        notes.append(f"the published findings were measured at {where}, on levels of their own")
    planning, note = PLANNING.of_sweep(directory, sha256, mode)
    notes.append(note)
    if planning is not None and set(planning.settings.levels) != set(levels):
        notes.append(
            f"planning was measured on {counted(len(planning.settings.levels), 'level')}, not those of the sweep"
        )
    maps, note = PLANNING_MAPS.of_sweep(directory, sha256, mode)
    notes.append(note)
    written, note = WRITTEN.of_sweep(directory, sha256, mode)
    notes.append(note)
    readouts, note = READOUTS.of_sweep(directory, sha256, mode)
    notes.append(note)
    if readouts is not None and set(readouts.settings.levels) != set(levels):
        notes.append(
            f"readouts were asked about {counted(len(readouts.settings.levels), 'level')}, not those of the sweep"
        )
    anatomy, note = ANATOMY.of_sweep(directory, sha256, mode)
    notes.append(note)
    if anatomy is not None and set(anatomy.settings.levels) != set(levels):
        notes.append(
            f"the anatomy was measured on {counted(len(anatomy.settings.levels), 'level')}, not those of the sweep"
        )
    found = RunArtifacts(probes, fields, replicate, planning, maps, written, readouts, anatomy)
    return found, [note for note in notes if note]


def read_probes(directory: Path, sha256: str, mode: str) -> tuple[ProbeSummary | None, str]:
    """Return the readings of probes in a run directory and "", or None and why they are not shown; None, "" for none.

    ``sha256`` and ``mode`` are the sweep's.

    Raises:
        InputError: for a file that cannot be read.
    """
    return PROBES.of_sweep(directory, sha256, mode)


def swept_boundary(directory: Path) -> BoundarySummary | None:
    """Return the boundary in a sweep's ``summary.json``; None without the file.

    Raises:
        InputError: for a file that cannot be read.
    """
    path, remedy = directory / SUMMARY, "type `mazesteer report` again"
    if not os.path.lexists(path):
        return None
    return from_plain(read_json(path, remedy), _Swept, path, remedy, partial=True).boundary


@dataclass(frozen=True)
class _Swept:
    """The part of ``summary.json`` that other commands read."""

    boundary: BoundarySummary
    """Up to which site subtraction works."""


@dataclass(frozen=True)
class _Settings:
    """The settings in ``replicate.json``, as far as they tell what it is of."""

    mode: Mode
    """Procgen's mode of its levels."""


@dataclass(frozen=True)
class _Header:
    """The fields of an artifact that tell whether it belongs to a sweep."""

    checkpoint: CheckpointId
    """The checkpoint it was made with."""
    mode: Mode | None = None
    """Procgen's mode of its levels; null where ``settings`` has it."""
    settings: _Settings | None = None
    """Settings of published findings; null for another artifact."""

    @property
    def of_mode(self) -> str:
        """Return procgen's mode of its levels."""
        return self.mode or (self.settings.mode if self.settings is not None else "")
