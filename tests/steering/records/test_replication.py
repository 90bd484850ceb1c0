"""``replicate.json`` and ``index.json`` as records: written as they were read; one line for a file of other fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envs.errors import InputError
from envs.stored.json_records import from_json, from_plain, to_json, to_plain
from steering.records.boundary import IndexedRun, RunIndex
from steering.records.replication import ReplicateSummary
from steering.sweep.artifacts import INDEX, read_index
from tests.helpers.findings import STORED


def test_a_stored_file_is_read_whole_and_written_as_it_was() -> None:
    text = (json.dumps(STORED) + "\n").encode()
    found = from_json(text, ReplicateSummary, "replicate.json", "remove it")
    assert to_json(found) == text and to_plain(found) == STORED
    assert [figure.published for figure in found.findings["effect"].figures] == [0.524, 3, "0.1 to 0.2", None]
    assert isinstance(found.findings["effect"].figures[1].published, int)


@pytest.mark.parametrize(
    ("path", "field", "value", "said"),
    [
        ((), "settings", None, "settings"),
        (("settings",), "horizon", "long", "settings.horizon"),
        (("findings", "effect"), "verdict", None, "verdict"),
        (("findings", "effect"), "levels", 3, "levels"),
        (("findings", "effect", "claims", 0), "holds", "yes", "holds"),
        (("findings", "effect", "figures", 1), "spread", 1.0, "unknown field `.*spread"),
        (("checkpoint",), "card", {}, "unknown field `.*card"),
    ],
)
def test_another_file_is_one_line(path: tuple[Any, ...], field: str, value: Any, said: str) -> None:
    data = json.loads(json.dumps(STORED))
    part = data
    for step in path:
        part = part[step]
    part[field] = value
    if value is None:
        del part[field]
    with pytest.raises(InputError, match=said) as caught:
        from_plain(data, ReplicateSummary, "replicate.json", "remove it")
    assert str(caught.value).endswith("remove it") and "\n" not in str(caught.value)


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    runs = (IndexedRun(name="a", sha256="0" * 64, directory="a", blindness={"relu3": 0.5, "fc": None}),)
    index = RunIndex(INDEX.format, ("a", "b"), runs)
    (tmp_path / INDEX.file).write_bytes(to_json(index, indent=2))
    assert read_index(tmp_path, "sweep again") == index


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other"}', '{"runs": []}'])
def test_what_is_no_index_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX.file).write_text(text)
    with pytest.raises(InputError, match=r"index.json: not (an index of runs|readable as JSON .*); sweep again"):
        read_index(tmp_path, "sweep again")


def test_a_damaged_index_says_where(tmp_path: Path) -> None:
    (tmp_path / INDEX.file).write_text(json.dumps({"format": INDEX.format, "checkpoints": ["a"], "runs": [{}]}))
    with pytest.raises(InputError, match="index.json: .*name.*; sweep again"):
        read_index(tmp_path, "sweep again")
