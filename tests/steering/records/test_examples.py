"""``fields.json`` as records: every file that comes with the page, to the byte; one line for a damaged file."""

from __future__ import annotations

import dataclasses
import json
import tarfile
from pathlib import Path

import pytest

from envs.errors import InputError
from envs.maze import Maze
from envs.recording import pack_state
from envs.simulator import procgen_env
from envs.stored.json_records import from_json, from_plain, to_json, to_plain
from steering.figures.sweep_figures import example_figures
from steering.films.example_mazes import keep_mazes
from steering.records.examples import ExampleFields

EVIDENCE = Path(__file__).parents[3] / "docs" / "evidence"


def stored(name: str) -> bytes:
    with tarfile.open(EVIDENCE / f"{name}.tar.xz") as archive:
        file = archive.extractfile(f"{name}/fields.json")
        assert file is not None
        return file.read()


@pytest.mark.parametrize("name", ["anywhere", "corner", "region5", "region5-seed1", "region5-seed2"])
def test_a_stored_file_is_read_whole_and_written_as_it_was(name: str) -> None:
    found = from_json(stored(name), ExampleFields, "fields.json", "remove it")
    assert to_json(found) == stored(name)
    assert list(found.chosen) == ["typical", "best", "worst"]
    assert {str(maze.level) for maze in found.chosen.values()} == set(found.levels)


def test_a_file_without_its_mazes_gets_them_once_and_is_drawn_the_same_without_procgen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fields.json"
    path.write_bytes(stored("region5"))
    found = from_json(stored("region5"), ExampleFields, path, "remove it")
    before = {name: made.figure.to_json() for name, made in example_figures(found).items()}
    kept = keep_mazes(found, path)
    assert from_json(path.read_bytes(), ExampleFields, path, "remove it") == kept != found

    def started(*_: object) -> None:
        raise AssertionError("procgen was started")

    monkeypatch.setattr(procgen_env, "gym3_env", started)
    monkeypatch.setattr(procgen_env, "level_states", started)
    assert {name: made.figure.to_json() for name, made in example_figures(kept).items()} == before
    written = path.stat()
    assert keep_mazes(kept, path) == kept and path.stat() == written


def test_a_damaged_file_is_refused_in_one_line() -> None:
    found = from_json(stored("region5"), ExampleFields, "fields.json", "remove it")
    lacking = dataclasses.replace(found, levels={})
    with pytest.raises(InputError, match=r"^fields.json: damaged [^\n]+ again$"):
        example_figures(lacking)
    level = next(iter(found.levels))
    cut = dataclasses.replace(found.levels[level], clean=((1.0, 0.0, 0.0, 0.0, 0.0),))
    with pytest.raises(InputError, match=r"^fields.json: damaged [^\n]+ again$"):
        example_figures(dataclasses.replace(found, levels={**found.levels, level: cut}))
    other = dataclasses.replace(found.levels[level], state=pack_state(Maze.from_level(1)))
    for state in (other, dataclasses.replace(other, state="no state")):
        with pytest.raises(InputError, match=r"^fields.json: damaged [^\n]+ again$"):
            example_figures(dataclasses.replace(found, levels={**found.levels, level: state}))
    plain = json.loads(json.dumps(to_plain(found)))
    del plain["levels"][level]["subtract"]
    with pytest.raises(InputError, match=r"^fields.json: [^\n]*`subtract`[^\n]*; remove it$"):
        from_plain(plain, ExampleFields, "fields.json", "remove it")
