"""Faults in stored records, made from their types: a field missing, unknown, of another type, out of its range."""

from __future__ import annotations

import copy
import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

DEEP = "nested ten thousand deep"  # stands for such a list, which json cannot write
TEXTS = ("", "x", "\x1b]0;x\x07", "a\nb", "x" * 10_000)
NUMBERS = (-1, 0, 5, 1.5, -1e301, 10**30, 2**63, float("nan"), float("inf"))
VALUES = (None, True, [], {}, [[]], {"x": 1}, DEEP, *TEXTS, *NUMBERS)


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a record."""

    path: tuple[str | int, ...]
    """Place of the value: names of fields and numbers of elements."""
    value: Any
    """The value put there; :data:`MISSING`: the field is taken away."""

    def within(self, data: Any) -> Any:
        """Return ``data`` with the fault."""
        data = copy.deepcopy(data)
        if not self.path:
            return self.value
        part = data
        for step in self.path[:-1]:
            part = part[step]
        if self.value is MISSING:
            del part[self.path[-1]]
        else:
            part[self.path[-1]] = self.value
        return data


MISSING = object()
UNKNOWN = "no_such_field"


def text_of(data: Any) -> str:
    """Return JSON text, also of what is no JSON: NaN, and :data:`DEEP`."""
    return json.dumps(data).replace(json.dumps(DEEP), "[" * 10_000 + "]" * 10_000)


def faults(kind: Any, data: Any, *, partial: bool = False) -> list[Fault]:
    """Return the faults of a record of type ``kind`` in the plain ``data`` of a valid one.

    With ``partial`` further fields are no fault: ``kind`` is a part of what is stored.
    """
    found = list(_faults(inspect.type_info(kind), data, ()))
    return [fault for fault in found if fault.path[-1:] != (UNKNOWN,) and fault.value != {"x": 1}] if partial else found


def _faults(kind: inspect.Type, data: Any, path: tuple[str | int, ...]) -> Iterator[Fault]:
    yield from (Fault(path, value) for value in VALUES if not admits(kind, value))
    if isinstance(kind, inspect.UnionType):
        kind = next(part for part in kind.types if admits(part, data))
    if isinstance(kind, inspect.DataclassType):
        yield Fault((*path, UNKNOWN), 1)
        for field in kind.fields:
            if field.encode_name in data:
                at = (*path, field.encode_name)
                if field.required:
                    yield Fault(at, MISSING)
                yield from _faults(field.type, data[field.encode_name], at)
    elif isinstance(kind, inspect.DictType):
        for name in list(data)[:2]:
            yield from _faults(kind.value_type, data[name], (*path, name))
    elif isinstance(kind, inspect.VarTupleType | inspect.ListType):
        for number in range(min(len(data), 2)):
            yield from _faults(kind.item_type, data[number], (*path, number))
    elif isinstance(kind, inspect.TupleType | inspect.NamedTupleType):
        if data:
            yield Fault((*path, len(data) - 1), MISSING)
        for number, part in enumerate(_items(kind)):
            yield from _faults(part, data[number], (*path, number))


def _items(kind: inspect.TupleType | inspect.NamedTupleType) -> list[inspect.Type]:
    if isinstance(kind, inspect.TupleType):
        return list(kind.item_types)
    return [field.type for field in kind.fields]


def admits(kind: inspect.Type, value: Any) -> bool:
    """Return whether a value is of a type, and within its range: what the readers should say, worked out anew."""
    if isinstance(kind, inspect.AnyType):
        return value is not DEEP and value == value and value not in (float("inf"),)
    if isinstance(kind, inspect.UnionType):
        return any(admits(part, value) for part in kind.types)
    if isinstance(kind, inspect.NoneType):
        return value is None
    if isinstance(kind, inspect.BoolType):
        return isinstance(value, bool)
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        whole = isinstance(value, int) and not isinstance(value, bool)
        typed = whole or (isinstance(kind, inspect.FloatType) and isinstance(value, float))
        low, high = -1e308 if kind.ge is None else kind.ge, 1e308 if kind.le is None else kind.le
        return typed and (low <= value <= high or (whole and kind.ge is None and kind.le is None))
    if isinstance(kind, inspect.StrType):
        longest = float("inf") if kind.max_length is None else kind.max_length
        fits = isinstance(value, str) and value is not DEEP and len(value) <= longest
        return fits and (kind.pattern is None or re.search(kind.pattern, value) is not None)
    if isinstance(kind, inspect.DictType):
        return isinstance(value, dict) and all(admits(kind.value_type, part) for part in value.values())
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        least, most = kind.min_length or 0, float("inf") if kind.max_length is None else kind.max_length
        items = isinstance(value, list | tuple) and all(admits(kind.item_type, part) for part in value)
        return items and least <= len(value) <= most
    if isinstance(kind, inspect.TupleType | inspect.NamedTupleType):
        parts = _items(kind)
        same = isinstance(value, list | tuple) and len(value) == len(parts)
        return same and all(admits(part, each) for part, each in zip(parts, value, strict=True))
    assert isinstance(kind, inspect.DataclassType), kind
    return (
        isinstance(value, dict)
        and set(value) <= {field.encode_name for field in kind.fields}
        and all(not field.required or field.encode_name in value for field in kind.fields)
        and all(admits(field.type, value[field.encode_name]) for field in kind.fields if field.encode_name in value)
    )


def kind_admits(kind: Any, value: Any) -> bool:
    """Return whether a value is of a Python type with ranges."""
    return admits(msgspec.inspect.type_info(kind), value)


def changed(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return ``data`` with the list at ``path`` one short (``value`` is :data:`MISSING`), or ``value`` put there."""
    part = data
    for step in path:
        part = part[step]
    return Fault(path, part[:-1] if value is MISSING else value).within(data)


def hollowed(run: Path, part: str, *fields: str) -> str:
    """Empty fields of the first row of a part in a run's database, lists or objects by name; return the row."""
    with sqlite3.connect(run / "results.sqlite") as db:
        query = "SELECT level, measured FROM planning WHERE part = ? ORDER BY level LIMIT 1"
        level, text = db.execute(query, (part,)).fetchone()
        row = json.loads(text)
        hollow = json.dumps({**row, **{name: type(row[name])() for name in fields}})
        db.execute("UPDATE planning SET measured = ? WHERE part = ? AND level = ?", (hollow, part, level))
    return hollow
