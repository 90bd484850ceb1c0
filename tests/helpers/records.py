"""Made-up records for what reads them: the fields that a test is about, all others null."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

T = TypeVar("T")


def made(kind: type[T], **given: Any) -> T:
    """Return a record with the fields ``given``; null where a test does not say."""
    assert dataclasses.is_dataclass(kind)
    return kind(**{**{field.name: None for field in dataclasses.fields(kind)}, **given})
