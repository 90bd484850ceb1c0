"""Frames: a line of JSON and the arrays behind it, as bytes."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from envs.errors import InputError
from steering.app.session.updates import DTYPES, Update

MOST_BYTES = 64 * 1024  # of a message of the page
MOST_SEQ = 2**53 - 1  # numbers that JavaScript counts exactly
KINDS = {"f4": "<f4", "i4": "<i4", "u1": "|u1"}  # of arrays, by their names in a frame
_ALIGN = 8
_HEAD = struct.Struct("<I")


def encode(update: Update, seq: int) -> bytes:
    """Return an update as a frame.

    A frame is ``uint32 n`` (little-endian), ``n`` bytes of UTF-8 JSON, then the arrays. JSON and arrays are each padded
    to a multiple of 8 bytes, so that arrays can be read where they lie.

    Args:
        update: the update.
        seq: number of the message that it answers; 0: of none.
    """
    arrays, blocks = [], []
    for name, array in update.arrays.items():
        kind = f"{array.dtype.kind}{array.dtype.itemsize}"
        if kind not in DTYPES:
            raise TypeError(f"array {name!r} of update {update.type!r} is {array.dtype}; make it one of {DTYPES}")
        block = np.ascontiguousarray(array, dtype=KINDS[kind]).tobytes()
        arrays.append({"name": name, "dtype": kind, "shape": array.shape})
        blocks += [block, bytes(-len(block) % _ALIGN)]
    return b"".join([_head({"type": update.type, "answers": seq, **update.facts, "arrays": arrays}), *blocks])


def encode_message(message: dict[str, Any]) -> bytes:
    """Return a message of a page as a frame, which carries no arrays."""
    return _head(message)


def _head(header: dict[str, Any]) -> bytes:
    text = msgspec.json.encode(header, enc_hook=_plain)
    text += b" " * (-(_HEAD.size + len(text)) % _ALIGN)
    return _HEAD.pack(len(text)) + text


def _plain(value: object) -> object:
    """Return what JSON has for a number of NumPy's or a path."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that a frame holds")


def decode(frame: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a frame's header and its arrays.

    Raises:
        InputError: for bytes that are no frame.
    """
    header, at = _header_of(frame)
    arrays: dict[str, np.ndarray] = {}
    try:
        for each in header.get("arrays", []):
            kind, shape = np.dtype(KINDS[each["dtype"]]), [int(n) for n in each["shape"]]
            if min(shape, default=0) < 0:
                raise ValueError("negative size")
            count = math.prod(shape)
            arrays[each["name"]] = np.frombuffer(frame, kind, count, at).reshape(shape)
            at += count * kind.itemsize
            at += -at % _ALIGN
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError("message: its arrays are not as its header says") from None
    if at != len(frame):
        raise InputError("message: its length is not as its header says")
    return header, arrays


def decode_message(frame: bytes) -> dict[str, Any]:
    """Return a message of a page: an object with ``type``, ``seq`` and ``state``, what these hold unchecked.

    Raises:
        InputError: for what is no such message, in one line.
    """
    if len(frame) > MOST_BYTES:
        raise InputError(f"message of {len(frame)} bytes: at most {MOST_BYTES} are read")
    header, arrays = decode(frame)
    if arrays or header.get("arrays"):
        raise InputError("message: a page sends no arrays")
    kind, seq = header.get("type"), header.get("seq")
    if kind not in ("state", "ask"):
        raise InputError(f"message of type {str(kind)[:40]!r}: there are state and ask")
    if type(seq) is not int or not 0 < seq <= MOST_SEQ:
        raise InputError(f"message with seq {str(seq)[:40]!r}: number messages 1, 2, ...")
    if not isinstance(header.get("state"), dict):
        raise InputError("message without a state: it is an object")
    if kind == "ask" and not isinstance(header.get("what"), str):
        raise InputError("message that asks for nothing: `what` is a word")
    return header


def _header_of(frame: bytes) -> tuple[dict[str, Any], int]:
    """Return the JSON at a frame's head and the number of bytes up to its arrays."""
    if len(frame) < _HEAD.size:
        raise InputError("message: too short for a frame")
    (size,) = _HEAD.unpack_from(frame)
    end = _HEAD.size + size
    if end > len(frame):
        raise InputError("message: its length is not as its header says")
    if end % _ALIGN:
        raise InputError(f"message: its JSON does not end at a multiple of {_ALIGN} bytes")
    try:
        header = msgspec.json.decode(frame[_HEAD.size : end])
    except (msgspec.DecodeError, RecursionError):  # of bytes that are no UTF-8, too
        raise InputError("message: its header is no JSON") from None
    if not isinstance(header, dict):
        raise InputError("message: its header is no JSON object")
    return header, end
