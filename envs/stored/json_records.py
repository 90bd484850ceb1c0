"""Records to JSON and back, checked: one line for a file that holds anything else."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from envs.errors import InputError, shown
from envs.stored.sources import MOST_JSON, read_file

T = TypeVar("T")
Kinds = dict[str, Any]  # types by name of a field or a column
REMEDY = "it is not of this version of mazesteer"
MOST_DEPTH = 64  # of arrays and objects in one another; records have some ten
MOST_PARTS = 2_000_000  # arrays and objects, each of which takes some hundred bytes when read
MOST_VALUES = 12_000_000
TOO_DEEP = "nested too deeply"
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_PLACE = re.compile(r" - at `(?:key` in `)?\$([^`]*)`$")
_STEP = re.compile(r"\.(\w+)|\[([0-9]+)\]")


def to_plain(record: Any) -> Any:
    """Return a record as dictionaries, lists, strings and numbers; NaN is not a number and becomes None.

    NumPy's scalars become the numbers they hold.

    Raises:
        TypeError: for a value of another kind, such as an array.
    """
    return _without_nan(msgspec.to_builtins(record, enc_hook=_scalar))


def to_json(record: Any, *, indent: int | None = None) -> bytes:
    """Return a record as JSON with a line feed at its end; numbers that are not finite are ``null``."""
    return (json.dumps(to_plain(record), indent=indent, allow_nan=False) + "\n").encode()


def from_plain(
    data: object, kind: type[T], where: object = "JSON", remedy: str = REMEDY, *, partial: bool = False
) -> T:
    """Return the record of type ``kind`` that ``data`` describes.

    Args:
        data: what ``json.loads`` gives.
        kind: a dataclass.
        where: named in the error, such as the file's path.
        remedy: what the user can do about it.
        partial: ``kind`` is only a part of what is there: other fields are left out.

    Raises:
        InputError: in one line, for a field that is missing, unknown or of another type; says where it stands.
    """
    try:
        record = msgspec.convert(data, kind)
        unknown = "" if partial else _unknown(data, msgspec.to_builtins(record), "$")
    except RecursionError:
        raise InputError(f"{where}: {TOO_DEEP}; {remedy}") from None
    except (msgspec.ValidationError, UnicodeError) as error:  # the second for half a surrogate pair
        raise InputError(f"{where}: {_said(_with_found(str(error), data))}; {remedy}") from None
    if unknown:
        raise InputError(f"{where}: {_said(f'unknown field `{unknown}`')}; {remedy}")
    return record


def from_json(
    data: bytes | str, kind: type[T], where: object = "JSON", remedy: str = REMEDY, *, partial: bool = False
) -> T:
    """Return the record of type ``kind`` in JSON text; raises as :func:`from_plain` does, and for text that is none."""
    return from_plain(_parsed(data, where, remedy), kind, where, remedy, partial=partial)


def read_json(path: Path, remedy: str = REMEDY, most: int = MOST_JSON) -> Any:
    """Return the dictionaries, lists, strings and numbers in a JSON file.

    Args:
        path: the file.
        remedy: what the user can do about another.
        most: bytes that it may have.

    Raises:
        InputError: in one line, for what is no regular file, too large, or no JSON.
    """
    return _parsed(read_file(path, most, remedy), path, remedy)


def read_record(path: Path, kind: type[T], remedy: str = REMEDY, most: int = MOST_JSON, *, partial: bool = False) -> T:
    """Return the record of type ``kind`` in a JSON file; raises as :func:`read_json` and :func:`from_plain` do."""
    return from_plain(read_json(path, remedy, most), kind, path, remedy, partial=partial)


def check_parts(parts: Iterable[tuple[str, object, object]], where: object, remedy: str) -> None:
    """Raise :class:`InputError` in one line for the first part (name, found, expected) that is not as expected."""
    for name, found, expected in parts:
        if found != expected:
            raise InputError(f"{where}: {name}: expected {shown(expected)}, got {shown(found)}; {remedy}")


def check_record(record: Any, where: object) -> None:
    """Raise :class:`InputError` in one line if a field of ``record`` is not what :func:`from_plain` would take."""
    own: Any = type(record)
    for name, kind in kinds_of(own).items():
        value = getattr(record, name)
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise InputError(f"{where}: {name}: {_said(_with_found(str(error), value))}") from None


def from_rows(rows: list[Any], kinds: Kinds, where: object, remedy: str) -> list[tuple[Any, ...]]:
    """Return the rows of a database's table, their columns checked.

    Args:
        rows: tuples, a value for each column.
        kinds: type of each column, by its name.
        where: the table, named in the error.
        remedy: what the user can do about another.

    Raises:
        InputError: in one line, that names row and column.
    """
    try:
        checked: list[tuple[Any, ...]] = msgspec.convert(rows, list[tuple[tuple(kinds.values())]])  # type: ignore[misc]
    except (msgspec.ValidationError, UnicodeError) as error:
        said, place = _with_found(str(error), rows), _PLACE.search(str(error))
        steps = re.findall("[0-9]+", place[1]) if place else []
        column = f"row {int(steps[0]) + 1}, {list(kinds)[int(steps[1])]}: " if len(steps) == 2 else ""
        raise InputError(f"{where}: {column}{_said(_PLACE.sub('', said))}; {remedy}") from None
    return checked


@functools.lru_cache(maxsize=64)
def kinds_of(record: Any) -> Kinds:
    """Return the types of the fields of a dataclass, with their ranges, by name."""
    kinds = typing.get_type_hints(record, include_extras=True)
    return {field.name: kinds[field.name] for field in dataclasses.fields(record)}


def _parsed(data: bytes | str, where: object, remedy: str) -> Any:
    try:
        return parse_json(data)
    except ValueError as error:
        raise InputError(f"{where}: not readable as JSON ({_said(str(error))}); {remedy}") from None


def parse_json(data: bytes | str) -> Any:
    """Return the dictionaries, lists, strings and numbers in JSON text.

    Raises:
        ValueError: for text that is no JSON, is nested too deeply, has too many values to be kept in memory, or has a
            number that is not finite (``NaN``, ``Infinity``, ``1e999``): those are ``null``.
    """
    text = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    _check_size(text)
    try:
        return json.loads(data, parse_constant=_refuse_number, parse_float=_finite)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def _check_size(text: bytes) -> None:
    """Raise ValueError for text that takes more memory, or a deeper stack, than any record."""
    parts = text.count(b"[") + text.count(b"{")
    if parts > MOST_PARTS or text.count(b",") > MOST_VALUES:
        raise ValueError("too many values")
    if parts <= MOST_DEPTH:
        return
    depth = 0
    for mark in re.sub(rb"[^\[{\]}]+", b"", _STRING.sub(b"", text)):
        depth += 1 if mark in b"[{" else -1
        if depth > MOST_DEPTH:
            raise ValueError(TOO_DEEP)


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no finite number")


def _finite(text: str) -> float:
    """Return the number in ``text``; raise ValueError for one that is too large for a float."""
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


def _scalar(value: object) -> object:
    """Return the Python number in a scalar of NumPy, which msgspec does not know."""
    import numpy as np  # at hand already wherever there is such a value

    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a record")


def _unknown(data: Any, known: Any, at: str) -> str:
    """Return the path of a field of ``data`` that the record made of it lacks; empty if there is none."""
    if isinstance(data, Mapping) and isinstance(known, Mapping):
        for key, value in data.items():
            if key not in known:
                return f"{at}.{key}"
            if found := _unknown(value, known[key], f"{at}.{key}"):
                return found
    elif isinstance(data, list) and isinstance(known, (list, tuple)):
        for number, (value, other) in enumerate(zip(data, known, strict=False)):
            if found := _unknown(value, other, f"{at}[{number}]"):
                return found
    return ""


def _with_found(message: str, data: Any) -> str:
    """Return a message of msgspec with the value that was found, where it says only what was expected."""
    place = _PLACE.search(message)
    if not message.startswith("Expected ") or ", got " in message or "key` in" in message:
        return message
    path = "" if place is None else place[1]
    if "[...]" in path:  # some value of a dictionary: which one is not said
        return message
    value = data
    for step in _STEP.finditer(path):
        value = value[step[1] or int(step[2])]
    found = f"{len(value)}" if "of length" in message and isinstance(value, (str, list, tuple, dict)) else shown(value)
    at = len(message) if place is None else place.start()
    return f"{message[:at]}, got {found}{message[at:]}"


def _said(message: str) -> str:
    """Return a message as the middle of a line: a small first letter, no line feeds (such as a key's), not long."""
    line = " ".join((message[:1].lower() + message[1:]).split())
    line = line if len(line) <= 400 else f"{line[:200]} ... {line[-200:]}"
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and value - value != 0 else value
