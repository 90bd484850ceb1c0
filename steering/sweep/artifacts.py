"""The files that commands leave in a run directory, and which of them belong to a sweep.

Probes, vector fields and the published findings are files of their own; one that was made with another checkpoint or
mode is left out of a report, which says so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.errors import InputError
from steering.records.codec import from_plain, parse_json
from steering.records.examples import ExampleFields
from steering.records.probes import ProbeSummary
from steering.records.replication import ReplicateSummary
from steering.records.runs import RunIndex
from steering.records.sweep import CheckpointId

DATABASE = "results.sqlite"
RUN_FORMAT = "mazesteer-run-1"
EVIDENCE = ("probe", ".probe", "replicate", ".replicate")  # what other commands leave beside a sweep, or before it


@dataclass(frozen=True)
class Artifact:
    """A JSON file of a run directory."""

    file: str
    """Its name."""
    format: str
    """Value of its field ``format``."""
    command: str
    """The command that makes it."""


PROBES = Artifact("probes.json", "mazesteer-probes-5", "mazesteer probe")
FIELDS = Artifact("fields.json", "mazesteer-fields-1", "mazesteer layer-sweep")
REPLICATE = Artifact("replicate.json", "mazesteer-replicate-1", "mazesteer replicate")
INDEX = Artifact("index.json", "mazesteer-runs-1", "mazesteer layer-sweep")
REMEDY = "remove it, or make it anew"


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if there is no file, ``{"format": None}`` if it holds anything else."""
    try:
        found = parse_json(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {"format": None}
    return found if isinstance(found, dict) else {"format": None}


def read_index(directory: Path, remedy: str) -> RunIndex:
    """Return the index of a folder of several runs.

    Raises:
        InputError: with ``remedy``, if it is none.
    """
    path = directory / INDEX.file
    found = read_json(path)
    if found.get("format") != INDEX.format:
        raise InputError(f"{path}: not an index of runs; {remedy}")
    return from_plain(found, RunIndex, path, remedy)


@dataclass(frozen=True)
class RunArtifacts:
    """The files of other commands in a run directory, as far as they belong to the sweep there."""

    probes: ProbeSummary | None = None
    """Readings of the probes; None: not probed, or not of this sweep."""
    fields: ExampleFields | None = None
    """The vector fields of examples; None: none, or not of this sweep."""
    replicate: ReplicateSummary | None = None
    """The published findings, run again; None: not run, or not of this sweep."""


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
        notes.append(f"the probes are of {len(probes.levels)} levels, not those of the sweep")
    drawn, note = _read_artifact(directory, sha256, mode, FIELDS)
    fields = None if drawn is None else from_plain(drawn, ExampleFields, directory / FIELDS.file, REMEDY)
    notes.append(note)
    findings, note = _read_artifact(directory, sha256, mode, REPLICATE)
    notes.append(note)
    replicate = None
    if findings is not None:
        replicate = from_plain(findings, ReplicateSummary, directory / REPLICATE.file, REMEDY)
        where = f"{replicate.settings.site}, horizon {replicate.settings.horizon}"
        notes.append(f"the published findings were measured at {where}, on levels of their own")
    return RunArtifacts(probes, fields, replicate), [note for note in notes if note]


def read_probes(directory: Path, sha256: str, mode: str) -> tuple[ProbeSummary | None, str]:
    """Return the readings of probes in a run directory and "", or None and why they are not shown; None, "" for none.

    ``sha256`` and ``mode`` are the sweep's.

    Raises:
        InputError: for a file that cannot be read.
    """
    found, note = _read_artifact(directory, sha256, mode, PROBES)
    if found is None:
        return None, note
    return from_plain(found, ProbeSummary, directory / PROBES.file, REMEDY), note


def _read_artifact(directory: Path, sha256: str, mode: str, artifact: Artifact) -> tuple[dict[str, Any] | None, str]:
    """Return the content of a file and "", or None and why it is not shown; None, "" without the file."""
    path = directory / artifact.file
    if not path.exists():
        return None, ""
    try:
        data = parse_json(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {REMEDY}") from None
    if not (isinstance(data, dict) and data.get("format") == artifact.format):
        return None, f"{artifact.file} was not made by this version and is not shown; type `{artifact.command}` again"
    made = from_plain(data, _Header, path, REMEDY, partial=True)
    if made.checkpoint.sha256 != sha256:
        return None, f"{artifact.file} is of another checkpoint than the sweep and is not shown"
    if made.of_mode != mode:
        return None, f"{artifact.file} is of mode {made.of_mode}, the sweep of mode {mode}; it is not shown"
    return data, ""


@dataclass(frozen=True)
class _Settings:
    """The settings in ``replicate.json``, as far as they tell what it is of."""

    mode: str
    """Procgen's mode of its levels."""


@dataclass(frozen=True)
class _Header:
    """The fields of an artifact that tell whether it belongs to a sweep."""

    checkpoint: CheckpointId
    """The checkpoint it was made with."""
    mode: str = ""
    """Procgen's mode of its levels; empty where ``settings`` has it."""
    settings: _Settings | None = None
    """Settings of published findings; null for another artifact."""

    @property
    def of_mode(self) -> str:
        """Return procgen's mode of its levels."""
        return self.mode or (self.settings.mode if self.settings is not None else "")
