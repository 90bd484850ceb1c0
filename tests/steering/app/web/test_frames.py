"""Frames: what goes in comes out, where it lies suits a browser, and what is no frame is one line."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from envs.errors import InputError
from steering.app.session.updates import DTYPES, Update
from steering.app.web.frames import MOST_BYTES, MOST_SEQ, decode, decode_message, encode, encode_message

NAMES = st.text(min_size=1, max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda kind: arrays_of.arrays(
        np.dtype(kind), arrays_of.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)
    )
)
RESERVED = {"type", "answers", "arrays"}


@settings(max_examples=200, deadline=None)
@given(
    kind=NAMES,
    seq=st.integers(0, MOST_SEQ),
    facts=st.dictionaries(NAMES.filter(lambda name: name not in RESERVED), PLAIN, max_size=4),
    arrays=st.dictionaries(NAMES, ARRAYS, max_size=4),
)
def test_an_update_comes_out_as_it_went_in(
    kind: str, seq: int, facts: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    frame = encode(Update(kind, facts, arrays), seq)
    header, found = decode(frame)
    assert (header["type"], header["answers"]) == (kind, seq)
    assert {name: value for name, value in header.items() if name not in RESERVED} == facts
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@settings(max_examples=50, deadline=None)
@given(name=NAMES, arrays=st.lists(ARRAYS, min_size=1, max_size=3))
def test_every_array_begins_at_a_multiple_of_eight(name: str, arrays: list[np.ndarray]) -> None:
    """A browser reads an array of floats only where its place is a multiple of their size."""
    frame = encode(Update(name, {}, {str(i): array for i, array in enumerate(arrays)}), 1)
    (size,) = struct.unpack_from("<I", frame)
    assert (4 + size) % 8 == 0 and len(frame) % 8 == 0
    assert json.loads(frame[4 : 4 + size])["type"] == name


def test_numbers_of_numpy_are_numbers_and_nan_is_null() -> None:
    header, _ = decode(encode(Update("done", {"ms": np.float32(1.5), "n": np.int64(3), "none": float("nan")}), 1))
    assert (header["ms"], header["n"], header["none"]) == (1.5, 3, None)


def test_an_array_of_another_kind_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError, match="float64"):
        encode(Update("field", {}, {"values": np.zeros(2)}), 1)


GOOD = {"type": "state", "seq": 1, "state": {}}


def test_a_message_of_a_page_is_read() -> None:
    assert decode_message(encode_message(GOOD)) == GOOD
    asked = {"type": "ask", "seq": MOST_SEQ, "state": {"site": "é"}, "what": "level"}
    assert decode_message(encode_message(asked)) == asked


def padded(text: bytes) -> bytes:
    text += b" " * (-(4 + len(text)) % 8)
    return struct.pack("<I", len(text)) + text


BAD: list[tuple[str, bytes, str]] = [
    ("empty", b"", "too short"),
    ("a length beyond its end", struct.pack("<I", 2**32 - 1) + b"{}", "length is not"),
    ("more than it says", encode_message(GOOD) + bytes(8), "length is not"),
    ("an odd end", struct.pack("<I", 2) + b"{}", "multiple of 8"),
    ("no text", padded(b'{"a":"\xff"}'), "no JSON"),
    ("no JSON", padded(b"{"), "no JSON"),
    ("a number that JSON has not", padded(b'{"a":NaN}'), "no JSON"),
    ("brackets without end", padded(b"[" * 60_000), "no JSON"),
    ("a list", padded(b"[]"), "no JSON object"),
    ("too long", padded(b" " * (MOST_BYTES + 1)), "at most 65536"),
    ("arrays", encode(Update("state", {"seq": 1, "state": {}}, {"a": np.zeros(1, "f4")}), 1), "no arrays"),
    ("arrays that are none", encode_message({**GOOD, "arrays": 7}), "arrays are not"),
    (
        "arrays too large",
        encode_message({**GOOD, "arrays": [{"name": "a", "dtype": "f4", "shape": [2**62]}]}),
        "arrays",
    ),
    ("negative arrays", encode_message({**GOOD, "arrays": [{"name": "a", "dtype": "f4", "shape": [-1]}]}), "arrays"),
    ("no type", encode_message({"seq": 1, "state": {}}), "type 'None'"),
    ("another type", encode_message({**GOOD, "type": "hello"}), "type 'hello'"),
    ("no number", encode_message({**GOOD, "seq": None}), "seq 'None'"),
    ("a bool for a number", encode_message({**GOOD, "seq": True}), "seq 'True'"),
    ("a number that a browser cannot count", encode_message({**GOOD, "seq": 2**53}), "number messages"),
    ("no state", encode_message({"type": "state", "seq": 1}), "without a state"),
    ("a state that is a list", encode_message({**GOOD, "state": []}), "without a state"),
    ("nothing asked", encode_message({**GOOD, "type": "ask"}), "asks for nothing"),
]


@pytest.mark.parametrize(("frame", "said"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_no_message_is_one_line(frame: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        decode_message(frame)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 150


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_one_line(frame: bytes) -> None:
    try:
        decode_message(frame)
    except InputError as error:
        assert "\n" not in str(error)
