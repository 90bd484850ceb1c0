"""The plan and the store: what is asked, what is kept, what is refused."""

from __future__ import annotations

import contextlib
import csv
import math
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from envs.errors import InputError
from envs.files import part_beside
from envs.maze import Maze
from steering.experiments.conditions import ALL_SITES, Key
from steering.experiments.levels import (
    Skip,
    SkipReason,
    VectorSource,
    parse_levels,
    qualifying_levels,
    skip_reason,
)
from steering.experiments.outcome import OUTCOME_FIELDS, Outcome, Profile
from steering.sweep.outcome_table import export_tables, write_table
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row, Store, run_directory

SPEC = SweepSpec("region5", "f" * 64, (3, 5), ("input", "fc_policy"), ("subtract", "random"), (1.0, 2.0), draws=2)


def _outcome(value: float) -> Outcome:
    return Outcome(**dict.fromkeys(OUTCOME_FIELDS, value))


def test_spec_round_trip(tmp_path: Path) -> None:
    SPEC.save(tmp_path)
    assert SweepSpec.load(tmp_path) == SPEC and hash(SweepSpec.load(tmp_path)) == hash(SPEC)
    with pytest.raises(InputError, match=r"spec\.json"):
        SweepSpec.load(tmp_path / "elsewhere")


def test_keys_are_the_whole_grid_once() -> None:
    keys = SPEC.keys(3)
    assert len(keys) == len(set(keys)) == 2 + 2 * (2 * 1 + 2 * 2)


def test_what_is_drawn_has_draws_and_what_has_no_one_site_comes_once() -> None:
    spec = replace(SPEC, conditions=("subtract", "other_level", "same_cell", ALL_SITES))
    keys = spec.keys(3)
    assert len(keys) == len(set(keys)) == 2 + 2 * (2 * 1 + 2 * 2 + 2 * 2) + 2
    assert [key for key in keys if key.condition == ALL_SITES] == [Key(3, ALL_SITES, "", c) for c in (1.0, 2.0)]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("start", VectorSource("start")),
        ("mean", VectorSource("mean")),
        ("levels:32", VectorSource("levels", count=32)),
        ("3,12", VectorSource("cell", (3, 12))),
    ],
)
def test_where_vectors_are_taken(text: str, source: VectorSource) -> None:
    assert VectorSource.parse(text) == source and replace(SPEC, vector=text).shared()["vector"] == text


@pytest.mark.parametrize(
    "text", ["", "end", "levels:", "levels:0", "levels:-1", "levels:257", "3", "3,", "-1,2", "3,4,5", "1e3,2"]
)
def test_vectors_taken_nowhere_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="write start, mean|vector-levels .*: give 1 to 256"):
        replace(SPEC, vector=text)


def test_levels_where_the_mouse_cannot_stand_are_left_out() -> None:
    used, skipped = qualifying_levels(range(40), vector="5,2")
    assert used and all(maze.is_free((5, 2)) and maze.cheese != (5, 2) for maze in used)
    reasons = {each.level: each.words for each in skipped}
    usual = {maze.level for maze in qualifying_levels(range(40))[0]}
    for level in usual - {maze.level for maze in used}:
        assert reasons[level or 0] == "the mouse cannot stand on 5,2 to take the vector"


@pytest.mark.parametrize(
    "change",
    [
        {"conditions": ("substract",)},
        {"conditions": ()},
        {"coefficients": ()},
        {"coefficients": (float("nan"),)},
        {"horizon": 0},
        {"horizon": 501},
        {"draws": 0},
        {"seed": -1},
        {"levels": ()},
    ],
)
def test_bad_specs_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(SPEC, **change)  # type: ignore[arg-type]


def test_unknown_condition_names_the_nearest() -> None:
    with pytest.raises(InputError, match="'subtract'"):
        replace(SPEC, conditions=("substract",))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 20)), min_size=1, max_size=4))
def test_level_ranges_mean_what_they_say(parts: list[tuple[int, int]]) -> None:
    text = ",".join(f"{low}:{low + size}" if size > 1 else str(low) for low, size in parts)
    expected = {seed for low, size in parts for seed in range(low, low + size)}
    found = parse_levels(text)
    assert set(found) == expected and len(found) == len(set(found))


@pytest.mark.parametrize("text", ["", "a", "3:", "5:5", "9:3", "-4", "0:999999999", "1;2", "2147483647"])
def test_bad_ranges_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_levels(text)


def test_levels_qualify_by_their_definition() -> None:
    used, skipped = qualifying_levels(range(40))
    assert sorted([m.level or 0 for m in used] + [each.level for each in skipped]) == list(range(40))
    for maze in used:
        assert maze.cheese is not None and maze.decision_square is not None
        assert not (maze.cheese[0] >= maze.dim - 5 and maze.cheese[1] >= maze.dim - 5)
    for each in skipped:
        assert each.reason is skip_reason(Maze.from_level(each.level)) is SkipReason.read(each.words)
    first, _ = qualifying_levels(range(1000), 5)
    assert [m.level for m in first] == [m.level for m in used[:5]]


def test_reasons_are_stored_in_the_words_of_older_runs_and_read_back() -> None:
    words = {
        Skip(1, SkipReason.NO_CHEESE): "no cheese",
        Skip(1, SkipReason.CHEESE_IN_REGION): "cheese in the top-right 5x5",
        Skip(1, SkipReason.NO_DECISION_SQUARE): "no decision square",
        Skip(1, SkipReason.MOUSE_CANNOT_STAND, cell=(5, 2)): "the mouse cannot stand on 5,2 to take the vector",
        Skip(1, SkipReason.SAME_MAZE, twin=2): "same maze as level 2",
    }
    assert {skipped.reason for skipped in words} == set(SkipReason)
    for skipped, text in words.items():
        assert skipped.words == text and SkipReason.read(text) is skipped.reason
    assert SkipReason.read("") is None and SkipReason.read("same maze as level 2 or so") is None


def test_a_maze_met_twice_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Maze.from_levels([2, 5])
    twin = replace(real[0], level=99)
    monkeypatch.setattr(Maze, "from_levels", lambda seeds, mode="hard": [*real, twin])
    used, skipped = qualifying_levels([2, 5, 99])
    assert [m.level for m in used] == [2, 5]
    assert (99, "same maze as level 2") in [(each.level, each.words) for each in skipped]


def test_store_round_trip_with_undefined_numbers(tmp_path: Path) -> None:
    rows = [Row(Key(3, "clean"), "", replace(_outcome(0.25), p_cheese_decision=float("nan")))]
    rows.append(Row(Key(3, "subtract", "input", 1.0), "input", _outcome(0.5)))
    rows.append(Row(Key(3, "same_cell", "input", 1.0, 1), "input", _outcome(0.5), source=77))
    profiles = [Profile(3, "input", 1.0, 6, outside, 4, 0.5, 1.0, 0.25, 2.0) for outside in (0, 1)]
    with Store.open(tmp_path) as store:
        store.add_levels([(3, True, "", {"a": 1.0}), (4, False, "no decision square", {})])
        store.add(rows, profiles)
        assert store.keys() == {row.key for row in rows} and store.profiles() == profiles
        back = {row.key: row for row in store.rows()}
        assert list(back) == sorted(row.key for row in rows)
        assert back[rows[1].key] == rows[1] and back[rows[2].key] == rows[2]
        undefined = back[rows[0].key].outcome
        assert math.isnan(undefined.p_cheese_decision) and undefined.p_cheese == 0.25
        export_tables(store, tmp_path)
    lines = (tmp_path / "outcomes.csv").read_text().splitlines()
    assert len(lines) == 4 and lines[0].startswith("level,condition,site")
    table = parquet.read_table(tmp_path / "outcomes.parquet")
    assert ",".join(table.column_names) == lines[0] and table.num_rows == 3
    as_text = [["" if v is None else str(v) for v in row.values()] for row in table.to_pylist()]
    assert [",".join(row) for row in as_text] == lines[1:]


def test_tables_of_a_run_without_results_have_columns(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        export_tables(store, tmp_path)
    table = parquet.read_table(tmp_path / "outcomes.parquet")
    assert table.num_rows == 0 and table.column_names[:3] == ["level", "condition", "site"]
    assert (tmp_path / "outcomes.csv").read_text().count("\n") == 1


def test_levels_stay_what_they_were_but_for_twins(tmp_path: Path) -> None:
    """A level's repetition of an earlier maze depends on the levels asked for; all else on its seed."""
    used, twin = (5, True, "", {"a": 1.0}), (5, False, "same maze as level 2", {})
    with Store.open(tmp_path) as store:
        store.add_levels([used, (7, False, "no decision square", {})])
        store.add([Row(Key(5, "clean"), "", _outcome(0.5))])
        for row in (used, twin, twin, used):
            store.add_levels([row])
            assert store.levels() == [row[:3], (7, False, "no decision square")]
        for changed in ((5, False, "no cheese", {}), (5, True, "", {"a": 2.0}), (7, True, "", {"a": 1.0})):
            with pytest.raises(InputError, match=f"level {changed[0]} is not what it was"):
                store.add_levels([(9, True, "", {}), changed])
        assert store.levels() == [used[:3], (7, False, "no decision square")]
        assert store.keys() == {Key(5, "clean")}


def test_an_extended_run_says_why_a_level_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = {maze.level: maze for maze in Maze.from_levels([2, 5])}
    real[99] = replace(real[2], level=99)
    monkeypatch.setattr(Maze, "from_levels", lambda seeds, mode="hard": [real[seed] for seed in seeds])
    with Store.open(tmp_path) as store:
        for seeds, reason in (([99], ""), ([2, 5, 99], "same maze as level 2")):
            used, skipped = qualifying_levels(seeds)
            store.add_levels([(maze.level or 0, True, "", maze.features()) for maze in used])
            store.add_levels([(each.level, False, each.words, {}) for each in skipped])
            assert store.levels()[-1] == (99, not reason, reason)


def test_a_row_for_an_unknown_level_is_rolled_back(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.add_levels([(3, True, "", {})])
        with pytest.raises(InputError, match="cannot store"):
            store.add([Row(Key(3, "clean"), "", _outcome(0.1)), Row(Key(77, "clean"), "", _outcome(0.1))])
        assert store.keys() == set()


def test_a_full_disk_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    """SQLite's own limit on the size of a database gives the error that a full disk gives."""
    groups = [[Row(Key(3, "subtract", "input", c, d), "input", _outcome(0.5)) for d in range(40)] for c in range(40)]
    kept = 0
    with pytest.raises(InputError, match="disk is full.*same command"), Store.open(tmp_path) as store:
        store.add_levels([(3, True, "", {})])
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 24}")
        for group in groups:
            store.add(group)
            kept += 1
    assert 0 < kept < len(groups)
    with Store.open(tmp_path) as store:
        assert store.keys() == {row.key for group in groups[:kept] for row in group}
        for group in groups[kept:]:
            store.add(group)
        assert len(store.keys()) == 1600


def test_another_checkpoint_or_horizon_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.claim(SPEC.shared())
        store.claim(SPEC.shared())
        with pytest.raises(InputError, match="another --out"):
            store.claim(replace(SPEC, sha256="0" * 64).shared())
        with pytest.raises(InputError, match="horizon"):
            store.claim(replace(SPEC, horizon=100).shared())


def test_a_newer_schema_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    """They are left as they were, to the byte, and nothing is put beside them."""
    for version, says in ((99, "schema 99"), (0, "a database of something else")):
        file = tmp_path / str(version) / "results.sqlite"
        file.parent.mkdir()
        with contextlib.closing(sqlite3.connect(file)) as db:
            db.executescript(f"CREATE TABLE photos (name TEXT); PRAGMA user_version = {version};")
        before = file.read_bytes()
        with pytest.raises(InputError, match=says), Store.open(file.parent):
            pass
        assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "results.sqlite").write_bytes(b"not a database at all, but long enough to look" * 50)
    with pytest.raises(InputError, match="not a usable"), Store.open(tmp_path / "b"):
        pass


def test_a_run_killed_while_its_settings_were_written_is_gone_on_with(tmp_path: Path) -> None:
    with part_beside(tmp_path / "spec.json") as (part, _):
        left = part.name
    (tmp_path / left).write_text('{"form')
    with run_directory(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_run_directories(tmp_path: Path) -> None:
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_bytes(b"meow")
    with pytest.raises(InputError, match="not a mazesteer run"), run_directory(foreign):
        pass
    assert [p.name for p in foreign.iterdir()] == ["cat.jpg"]
    file = tmp_path / "file"
    file.write_text("x")
    for bad in (file, file / "below", tmp_path / ("a" * 300), tmp_path / "new" / "b" / ("a" * 300)):
        with pytest.raises(InputError), run_directory(bad):
            pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "photos"]


def test_two_processes_cannot_share_a_run(
    tmp_path: Path, held: Callable[[Path], contextlib.AbstractContextManager[int]]
) -> None:
    with held(tmp_path / "run") as pid, pytest.raises(InputError, match=str(pid)), run_directory(tmp_path / "run"):
        pass
    with run_directory(tmp_path / "run"):
        pass


def test_a_table_tells_null_from_an_empty_string(tmp_path: Path) -> None:
    """In ``.parquet``; in ``.csv`` both are nothing. What csv quotes comes back whole."""
    rows = [('a "b",\nc', None, 1), (None, 0.1 + 0.2, None), ("", float("1e-300"), 3)]
    csv_file, parquet_file = write_table(tmp_path / "t", ["text", "x", "n"], rows, {"text": "string", "n": "int64"})
    read = parquet.read_table(parquet_file)
    assert [tuple(row.values()) for row in read.to_pylist()] == rows
    with csv_file.open(newline="") as file:
        found = list(csv.reader(file))
    assert found[1:] == [["" if value is None else str(value) for value in row] for row in rows]
    whole = [("x", 1.0, 2), ("", None, 4)]
    again = write_table(tmp_path / "u", ["text", "x", "n"], whole, {"text": "string", "n": "int64"})[1]
    assert [tuple(row.values()) for row in parquet.read_table(again).to_pylist()] == whole
    nothing = write_table(tmp_path / "v", ["text", "x"], [], {"text": "string"})[1]
    assert parquet.read_table(nothing).schema.names == ["text", "x"]
