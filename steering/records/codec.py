"""Records to JSON and back, checked: one line for a file that holds anything else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import msgspec

from envs.errors import InputError

T = TypeVar("T")
REMEDY = "it is not of this version of mazesteer"
TOO_DEEP = "nested too deeply"


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
        raise InputError(f"{where}: {_said(str(error))}; {remedy}") from None
    if unknown:
        raise InputError(f"{where}: {_said(f'unknown field `{unknown}`')}; {remedy}")
    return record


def from_json(data: bytes | str, kind: type[T], where: object = "JSON", remedy: str = REMEDY) -> T:
    """Return the record of type ``kind`` in JSON text; raises as :func:`from_plain` does, and for text that is none."""
    try:
        found = parse_json(data)
    except ValueError as error:
        raise InputError(f"{where}: not readable as JSON ({error}); {remedy}") from None
    return from_plain(found, kind, where, remedy)


def parse_json(data: bytes | str) -> Any:
    """Return the dictionaries, lists, strings and numbers in JSON text.

    Raises:
        ValueError: for text that is no JSON, is nested too deeply, or has a number that is not finite (``NaN``,
            ``Infinity``, ``1e999``): those are ``null``.
    """
    try:
        return json.loads(data, parse_constant=_refuse_number, parse_float=_finite)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


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


def _said(message: str) -> str:
    """Return a message with a small first letter and without line feeds, such as a key's, as the middle of a line."""
    return " ".join((message[:1].lower() + message[1:]).split())


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and value - value != 0 else value
