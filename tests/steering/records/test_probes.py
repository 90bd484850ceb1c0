"""``probes.json`` as records: every file that comes with the page, to the byte; one line for a file of other fields."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from envs.errors import InputError
from envs.stored.json_records import from_json, from_plain, to_json, to_plain
from steering.records.probes import ProbeSummary

EVIDENCE = sorted(Path(__file__).parents[3].joinpath("docs", "evidence").glob("*.tar.xz"))
RUNS = [path for path in EVIDENCE if not path.name.startswith("region5-series")]  # snapshots were not probed


@pytest.fixture(scope="module", params=RUNS, ids=lambda path: str(path.name).removesuffix(".tar.xz"))
def stored(request: pytest.FixtureRequest) -> bytes:
    path: Path = request.param
    with tarfile.open(path) as archive:
        file = archive.extractfile(f"{path.name.removesuffix('.tar.xz')}/probes.json")
        assert file is not None
        return file.read()


def test_a_stored_file_is_read_whole_and_written_as_it_was(stored: bytes) -> None:
    found = from_json(stored, ProbeSummary, "probes.json", "remove it")
    assert to_json(found, indent=1) == stored
    assert from_json(to_json(found), ProbeSummary, "probes.json", "remove it") == found
    assert [site.name for site in found.sites] == [row.name for row in found.representation]
    assert found.sites[0].name == "input" and found.frames <= found.states * len(found.levels)


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    with tarfile.open(RUNS[0]) as archive:
        file = archive.extractfile(f"{RUNS[0].name.removesuffix('.tar.xz')}/probes.json")
        assert file is not None
        found: dict[str, Any] = json.load(file)
        return found


def changed(plain: dict[str, Any], path: tuple[Any, ...], **fields: Any) -> dict[str, Any]:
    """A copy whose part at ``path`` lacks the ``fields`` given as None and has the others."""
    copy: dict[str, Any] = json.loads(json.dumps(plain))
    part = copy
    for step in path:
        part = part[step]
    for name, value in fields.items():
        if value is None:
            del part[name]
        else:
            part[name] = value
    return copy


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ((), {"shuffles": None}, "missing required field `shuffles`"),
        (("sites", 2, "moves", "policy"), {"balanced": None}, "missing required field `balanced`"),
        (("sites", 1), {"correct": [1, 2]}, r"unknown field `\$\.sites\[1\]\.correct`"),
        (("decoding_boundary", "cell"), {"rank": 3}, r"unknown field `\$\.decoding_boundary\.cell\.rank`"),
        (("tallies",), {"cell": [[1.0]]}, r"at `\$\.tallies"),
        (("representation", 0, "by_distance", 0), {"outside": "no"}, r"`\$\.representation\[0\]\.by_distance"),
    ],
)
def test_a_file_of_other_fields_is_one_line_that_names_the_field(
    plain: dict[str, Any], path: tuple[Any, ...], fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        from_plain(changed(plain, path, **fields), ProbeSummary, "probes.json", "remove it")
    assert str(caught.value).startswith("probes.json: ") and str(caught.value).endswith("; remove it")
    assert "\n" not in str(caught.value)


def test_the_records_hold_plain_numbers_only(plain: dict[str, Any]) -> None:
    assert to_plain(from_plain(plain, ProbeSummary, "probes.json", "remove it")) == plain
