"""What the session answers: updates, each a kind, facts for JSON and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from envs.errors import InputError, as_line

LONGEST = 300  # characters of a line: a message may quote what it was sent
DTYPES = ("f4", "i4", "u1")  # of the arrays


@dataclass(frozen=True, eq=False)
class Update:
    """One answer, or part of one."""

    type: str
    """Its kind: ``maze``, ``field``, ``outcome``, ``problem``, ``done`` and so on."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Plain values for JSON; no NaN."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Arrays of :data:`DTYPES` by name."""


def problem(error: InputError, what: str) -> Update:
    """Return the update that tells of bad input in one line.

    Args:
        error: the error.
        what: the part of the message that is wrong: ``maze``, ``edit``, ``state``, ``ask`` or ``message``.
    """
    line = as_line(str(error).removeprefix("--"))
    return Update("problem", {"line": line if len(line) <= LONGEST else f"{line[:LONGEST]} ...", "what": what})


def floats(values: object) -> np.ndarray:
    """Return an array for an update: float32."""
    return np.ascontiguousarray(values, dtype="<f4")


def integers(values: object) -> np.ndarray:
    """Return an array for an update: int32."""
    return np.ascontiguousarray(values, dtype="<i4")


def octets(data: bytes) -> np.ndarray:
    """Return bytes as an array for an update: ``uint8[k]``."""
    return np.frombuffer(data, dtype=np.uint8)
