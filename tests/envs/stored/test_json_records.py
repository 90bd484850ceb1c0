"""Records to JSON and back: NaN, tuples, defaults, and one line for what is no such record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.errors import InputError
from envs.stored.json_records import from_json, from_plain, to_json, to_plain


@dataclass(frozen=True)
class Part:
    name: str
    size: float | None


@dataclass(frozen=True)
class Base:
    first: int


@dataclass(frozen=True)
class Whole(Base):
    parts: tuple[Part, ...]
    by_name: dict[str, Part]
    later: str = "start"


@dataclass(frozen=True)
class Anything:
    value: Any


parts = st.builds(Part, st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False))
wholes = st.builds(
    Whole, st.integers(-(2**53), 2**53), st.lists(parts).map(tuple), st.dictionaries(st.text(), parts), st.text()
)


@given(wholes)
def test_what_is_written_is_read_back(record: Whole) -> None:
    assert from_json(to_json(record), Whole, "file", "remedy") == record
    assert from_plain(to_plain(record), Whole, "file", "remedy") == record
    assert list(to_plain(record)) == ["first", "parts", "by_name", "later"], "a base's fields come first"


def test_json_is_what_the_standard_library_writes() -> None:
    record = Whole(1, (Part("a", 0.1 + 0.2),), {"b": Part("c", None)})
    plain = {
        "first": 1,
        "parts": [{"name": "a", "size": 0.1 + 0.2}],
        "by_name": {"b": {"name": "c", "size": None}},
        "later": "start",
    }
    assert to_plain(record) == plain
    assert to_json(record, indent=2) == (json.dumps(plain, indent=2) + "\n").encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_null(value: float) -> None:
    assert to_plain([Part("a", value)]) == [{"name": "a", "size": None}]


def test_a_later_field_may_be_missing() -> None:
    assert from_plain({"first": 1, "parts": [], "by_name": {}}, Whole, "file", "remedy").later == "start"


def plain(**changes: Any) -> dict[str, Any]:
    return {"first": 1, "parts": [{"name": "a", "size": 1}, {"name": "b", "size": 2}], "by_name": {}, **changes}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"parts": [], "by_name": {}}, "missing required field `first`"),
        (plain(by_name={"x": {"name": "y"}}), "missing required field `size` - at `$.by_name[...]`"),
        (plain(more=1), "unknown field `$.more`"),
        (plain(parts=[{"name": "a", "size": 1}, {"name": "b", "size": 2, "age": 3}]), "unknown field `$.parts[1].age`"),
        (plain(by_name={"x": {"name": "y", "size": 1, "age": 3}}), "unknown field `$.by_name.x.age`"),
        (plain(first="one"), "got `str` - at `$.first`"),
        (plain(parts=[{"name": "a", "size": "1"}]), "got `str` - at `$.parts[0].size`"),
        ([], "got `array`"),
    ],
)
def test_another_record_is_one_line_that_names_the_field(data: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        from_json(json.dumps(data), Whole, "dir/file.json", "sweep again")
    text = str(caught.value)
    assert text.startswith("dir/file.json: ") and said in text and text.endswith("; sweep again") and "\n" not in text


@pytest.mark.parametrize(
    "data", [b"{", b"", b"\xff", "[" * 100_000, '{"first": NaN}', "[-Infinity]", "1e999", "[-1e999]", "9" * 5000]
)
def test_what_is_no_json_is_one_line(data: bytes | str) -> None:
    with pytest.raises(InputError, match=r"^file: not readable as JSON \(.*\); remedy$") as caught:
        from_json(data, Whole, "file", "remedy")
    assert "\n" not in str(caught.value)


def test_a_part_of_a_record_can_be_read() -> None:
    assert from_plain(plain(), Base, "file", "remedy", partial=True) == Base(1)
    with pytest.raises(InputError, match="unknown field `\\$.parts`"):
        from_plain(plain(), Base, "file", "remedy")


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float64("nan"), None),
        (np.float32("inf"), None),
    ],
)
def test_a_scalar_of_numpy_is_the_number_it_holds(value: Any, held: float | None) -> None:
    assert to_plain([Part("a", value)]) == [{"name": "a", "size": held}]
    assert to_json(Part("a", value)) == to_json(Part("a", held))


def test_an_array_is_no_number() -> None:
    with pytest.raises(TypeError, match="ndarray has no place in a record"):
        to_plain({"sizes": np.ones(2)})


@pytest.mark.parametrize("kind", [Anything, Whole])
@pytest.mark.parametrize("depth", [900, 5_000])
def test_a_record_nested_too_deeply_is_one_line(kind: type, depth: int) -> None:
    nested: Any = 1
    for _ in range(depth):
        nested = {"in": nested}
    with pytest.raises(InputError) as caught:
        from_plain({"first": 1, "value": nested, "parts": [], "by_name": {}, "later": nested}, kind, "file", "remedy")
    assert str(caught.value).startswith("file: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["a\nb", "a\r\nb", "a\u2028b"])
def test_a_key_with_a_line_feed_makes_no_second_line(key: str) -> None:
    for data in (plain(**{key: 1}), plain(by_name={key: {"name": "x", "size": "y"}})):
        with pytest.raises(InputError) as caught:
            from_json(json.dumps(data), Whole, "file", "remedy")
        assert len(str(caught.value).splitlines()) == 1


def test_a_key_that_is_no_text_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^file: .*surrogates not allowed; remedy$"):
        from_json(r'{"\ud800": 1}', Whole, "file", "remedy")
