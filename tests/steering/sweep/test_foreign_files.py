"""What lies in a run directory is input: a file with one thing wrong is refused in one line, whatever is wrong."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agents.checkpoints.cards import ZOO, CardHead, load_card
from agents.checkpoints.zoo import load_policy
from agents.sessions.history import FILE, RowHead, read_history
from agents.training.pipeline import SPEC as TRAIN
from agents.training.pipeline import TrainSpec, read_run
from envs.errors import InputError
from envs.stored.json_records import kinds_of, read_record, to_plain
from envs.stored.ranges import Text
from envs.trajectory import RecordedFacts, Trajectory
from steering.experiments.outcome import Profile
from steering.probes.run import SCORES, SCORES_FORMAT, _known
from steering.probes.score_records import MOVES, CellScores, MoveScores, ProbeSpec, SiteScores, StoredScores
from steering.records.boundary import BoundarySummary, IndexedRun, RunIndex
from steering.records.examples import ExampleFields
from steering.records.probes import ProbeSummary
from steering.records.replication import ReplicateSummary
from steering.records.sweep import CheckpointId, SweepSummary
from steering.sweep.artifacts import (
    DATABASE,
    FIELDS,
    INDEX,
    PROBES,
    REPLICATE,
    SUMMARY,
    read_artifacts,
    read_index,
    read_probes,
    swept_boundary,
)
from steering.sweep.spec import SPEC, SweepSpec
from steering.sweep.store import _LEVEL, _ROW, Store
from tests.helpers.faults import Fault, faults, kind_admits, text_of
from tests.helpers.findings import STORED
from tests.helpers.probe_sets import made_up_site, made_up_summary, made_up_tallies

EXAMPLES = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Stored:
    """A valid file of a directory."""

    kind: Any = field(repr=False)
    """Type of the record in it."""
    data: Any = field(repr=False)
    """The record, as ``json.loads`` gives it."""
    read: Callable[[Path], object] = field(repr=False)
    """Reads it from a directory."""
    at: tuple[str, ...] = ()
    """Place of the record in the file, where it is a part of it."""
    partial: bool = False
    """Whether it is a part of what is there, and further fields are no fault."""

    @functools.cached_property
    def faults(self) -> list[Fault]:
        """Everything that can be wrong with the record, but for its format: then it is another version's."""
        part = self.data
        for step in self.at:
            part = part[step]
        found = [fault for fault in faults(self.kind, part, partial=self.partial) if fault.path]
        found = [fault for fault in found if fault.path[-1] != "format"]
        return [Fault((*self.at, *fault.path), fault.value) for fault in found]


@pytest.fixture(scope="module")
def files(sweep: Path) -> dict[str, Stored]:
    """Every kind of JSON file that a command reads back, by name."""
    spec = SweepSpec.load(sweep)
    checkpoint = CheckpointId(spec.checkpoint, spec.sha256)
    sites, levels = [made_up_site(name, depth) for depth, name in enumerate(("input", "a", "b"))], tuple(range(12))
    probes = made_up_summary(sites, made_up_tallies(3, 1, len(levels)), levels, checkpoint)
    summary = read_record(sweep / SUMMARY, SweepSummary)
    run = IndexedRun(name="a", sha256="0" * 64, directory="a", boundary=summary.boundary, blindness={"input": None})
    probing = ProbeSpec("a", "0" * 64, (1, 2), 2, 0, "hard")
    site = SiteScores(dict.fromkeys(MOVES, MoveScores((0, 1), (0.5, 0.25))), CellScores(*[(1.0, 2.0)] * 3), None)
    scores = StoredScores(SCORES_FORMAT, to_plain(probing), {"input": to_plain(site)})
    of = spec.sha256, spec.mode
    return {
        SPEC: Stored(SweepSpec, json.loads((sweep / SPEC).read_text()), SweepSpec.load),
        SUMMARY: Stored(
            BoundarySummary, json.loads((sweep / SUMMARY).read_text()), swept_boundary, ("boundary",), True
        ),
        "whole " + SUMMARY: Stored(SweepSummary, to_plain(summary), lambda f: read_record(f / SUMMARY, SweepSummary)),
        FIELDS.file: Stored(
            ExampleFields,
            json.loads((sweep / FIELDS.file).read_text()),
            lambda f: read_artifacts(f, *of, spec.levels),
        ),
        PROBES.file: Stored(ProbeSummary, to_plain(probes), lambda f: read_probes(f, *of)),
        REPLICATE.file: Stored(
            ReplicateSummary,
            {**STORED, "checkpoint": to_plain(checkpoint)},
            lambda f: read_artifacts(f, *of, spec.levels),
        ),
        INDEX.file: Stored(
            RunIndex, to_plain(RunIndex(INDEX.format, ("a",), (run,))), lambda f: read_index(f, "sweep again")
        ),
        SCORES: Stored(StoredScores, to_plain(scores), lambda f: _known(f, probing)),
        "site in " + SCORES: Stored(SiteScores, to_plain(scores), lambda f: _known(f, probing), ("scores", "input")),
        FILE: Stored(RowHead, {"stage": "ppo", "count": 8, "seconds": 0.5}, read_history, partial=True),
        TRAIN: Stored(TrainSpec, to_plain(TrainSpec()), read_run),
    }


NAMES = [SPEC, SUMMARY, "whole " + SUMMARY, FIELDS.file, PROBES.file, REPLICATE.file, INDEX.file, SCORES]
NAMES += ["site in " + SCORES, FILE, TRAIN]


def said(read: Callable[[], object]) -> str:
    """Return the line that ``read`` is refused with."""
    with pytest.raises(InputError) as caught:
        read()
    line = str(caught.value)
    assert line.isprintable() and len(line) < 2_000, line
    return line


@pytest.mark.parametrize("name", NAMES)
def test_valid_files_are_read(files: dict[str, Stored], tmp_path: Path, name: str) -> None:
    stored, file = files[name], name.rpartition(" ")[2]
    (tmp_path / file).write_text(text_of(stored.data))
    assert stored.read(tmp_path) is not None


@pytest.mark.parametrize("name", NAMES)
@EXAMPLES
@given(draw=st.data())
def test_a_file_with_one_thing_wrong_is_one_line(
    files: dict[str, Stored], tmp_path: Path, name: str, draw: st.DataObject
) -> None:
    stored, file = files[name], name.rpartition(" ")[2]
    fault = draw.draw(st.sampled_from(stored.faults), label="fault")
    (tmp_path / file).write_text(text_of(fault.within(stored.data)))
    assert str(tmp_path / file) in said(lambda: stored.read(tmp_path))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def deep(path: Path) -> None:
    path.write_text("[" * 10_000)


def deep_behind_a_valid_beginning(path: Path, data: Any = None) -> None:
    """Whoever looks at the first field alone takes it for a run."""
    path.write_text('{"format": "mazesteer-run-1", "checkpoint": ' + "[" * 10_000)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [pipe, deep, deep_behind_a_valid_beginning])
def test_no_file_is_waited_for_or_recurses(
    files: dict[str, Stored], tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    path = tmp_path / name.rpartition(" ")[2]
    make(path)
    assert path.name in said(lambda: files[name].read(tmp_path))


def test_a_damaged_card_is_none(tmp_path: Path) -> None:
    """Weights are read whatever lies beside them; a card is there if it is theirs and whole."""
    name = "region5"
    weights = shutil.copyfile(ZOO / f"{name}.safetensors", tmp_path / "mine.safetensors")
    card, beside = load_card(name), tmp_path / "mine.json"
    figures = {"figures": card["figures"], "sha256": card["sha256"]}
    found = faults(CardHead, figures, partial=True)
    for fault in found[::7]:
        beside.write_text(text_of(fault.within(figures)))
        assert load_policy(weights).card == {}, fault
    for make in (pipe, deep):
        beside.unlink()
        make(beside)
        assert load_policy(weights).card == {}
    beside.unlink()
    beside.write_text(json.dumps(card))
    assert load_policy(weights).card == card


@pytest.fixture(scope="module")
def recording(sweep: Path) -> Trajectory:
    """A recorded rollout under an edit."""
    return Trajectory.load(next((sweep / "rollouts").glob("level00026_subtract_*_e0.npz")))


def recorded(track: Trajectory, path: Path, text: str) -> Path:
    """Write a rollout with other text as its ``info``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy:
        with zipfile.ZipFile(io.BytesIO(track.to_bytes())) as archive:
            for name in archive.namelist():
                data = archive.read(name)
                if name == "info.npy":
                    part = io.BytesIO()
                    np.save(part, np.frombuffer(text.encode(), np.uint8))
                    data = part.getvalue()
                copy.writestr(name, data)
    return path


@EXAMPLES
@given(draw=st.data())
def test_a_recording_with_one_thing_wrong_is_one_line(
    recording: Trajectory, tmp_path: Path, draw: st.DataObject
) -> None:
    info = {**recording.info, "exact": {"p_cheese": 0.5, "p_region": 1.0}, "state": ""}
    fault = draw.draw(st.sampled_from(faults(RecordedFacts, info, partial=True)), label="fault")
    path = recorded(recording, tmp_path / "x.npz", text_of(fault.within(info)))
    assert str(path) in said(lambda: Trajectory.load(path))


TABLES = {"outcomes": _ROW, "levels": _LEVEL, "profiles": kinds_of(Profile)}
CELLS = (-1, 7, 1.5, 10**18, float("inf"), -float("inf"), "x", "", "x" * 10_000, "a\nb", b"\xff", "[" * 10_000, "NaN")


@pytest.fixture(scope="module")
def database(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run's database, whole in one file."""
    folder = tmp_path_factory.mktemp("database")
    shutil.copyfile(sweep / DATABASE, folder / DATABASE)
    return folder


def read_all(folder: Path) -> None:
    with Store.read(folder) as store:
        store.keys()
        for read in (store.rows, store.levels, store.profiles, store.sites, store.thresholds, store.versions):
            read()
        store.meta("command", Text)


@EXAMPLES
@given(table=st.sampled_from(sorted(TABLES)), value=st.sampled_from(CELLS), draw=st.data())
def test_a_row_with_one_thing_wrong_is_one_line(
    database: Path, tmp_path: Path, table: str, value: Any, draw: st.DataObject
) -> None:
    column = draw.draw(st.sampled_from(sorted(TABLES[table])), label="column")
    shutil.copyfile(database / DATABASE, tmp_path / DATABASE)
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        (row,) = connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()
        try:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", [value, row])
        except sqlite3.IntegrityError:  # the database itself refuses it
            return
        connection.commit()
        found = connection.execute(f"SELECT {column} FROM {table}").fetchall()
    if all(kind_admits(TABLES[table][column], stored) for (stored,) in found):
        read_all(tmp_path)
    else:
        line = said(lambda: read_all(tmp_path))
        assert f"{DATABASE}: {table}: row " in line and f", {column}: " in line


@pytest.mark.parametrize("key", ["sites", "thresholds", "versions", "command"])
@pytest.mark.parametrize("value", ["5", "[5]", "[" * 10_000, "", "{", '{"blindness": 11}', "NaN", b"\xff"])
def test_a_fact_that_is_none_is_one_line(database: Path, tmp_path: Path, key: str, value: object) -> None:
    shutil.copyfile(database / DATABASE, tmp_path / DATABASE)
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = ?", [value, key])
        connection.commit()
    assert DATABASE in said(lambda: read_all(tmp_path))


def test_a_table_that_computes_its_rows_is_not_asked_for_them(database: Path, tmp_path: Path) -> None:
    """A view may count for ever."""
    shutil.copyfile(database / DATABASE, tmp_path / DATABASE)
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.executescript(
            "DROP TABLE profiles; CREATE VIEW profiles AS WITH RECURSIVE n(level) AS (SELECT 1 UNION ALL SELECT level "
            "+ 1 FROM n) SELECT level, '' AS site, 1.0 AS coefficient, 0 AS distance, 0 AS outside, 1 AS states, "
            "0.0 AS tv_subtract, 0.0 AS tv_clean, 0.0 AS interaction, 0.0 AS difference FROM n"
        )
    assert "a view, a trigger or a virtual table" in said(lambda: read_all(tmp_path))
