"""``fields.json`` as records: every file that comes with the page, to the byte; one line for a damaged file."""

from __future__ import annotations

import dataclasses
import json
import tarfile
from pathlib import Path

import pytest

from envs.errors import InputError
from steering.records.codec import from_json, from_plain, to_json, to_plain
from steering.records.examples import ExampleFields
from steering.reports.sweep_figures import example_figures

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


def test_a_damaged_file_is_refused_in_one_line() -> None:
    found = from_json(stored("region5"), ExampleFields, "fields.json", "remove it")
    lacking = dataclasses.replace(found, levels={})
    with pytest.raises(InputError, match=r"^fields.json: damaged [^\n]+ again$"):
        example_figures(lacking)
    level = next(iter(found.levels))
    cut = dataclasses.replace(found.levels[level], clean=((1.0, 0.0, 0.0, 0.0, 0.0),))
    with pytest.raises(InputError, match=r"^fields.json: damaged [^\n]+ again$"):
        example_figures(dataclasses.replace(found, levels={**found.levels, level: cut}))
    plain = json.loads(json.dumps(to_plain(found)))
    del plain["levels"][level]["subtract"]
    with pytest.raises(InputError, match=r"^fields.json: [^\n]*`subtract`[^\n]*; remove it$"):
        from_plain(plain, ExampleFields, "fields.json", "remove it")
