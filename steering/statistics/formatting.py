"""How numbers, intervals and site names are written wherever they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def ranged(part: Mapping[str, Any] | None, name: str = "value") -> str:
    """The number ``name`` of ``part`` with its interval ``low`` to ``high``; a dash for none."""
    if part is None or part[name] is None:
        return "–"
    return f"{number(part[name], 2)} ({number(part['low'], 2)} to {number(part['high'], 2)})"


def number(value: float | None, digits: int = 3) -> str:
    """A number as tables show it; one that is not defined is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def short(name: str) -> str:
    """A site's name as shown on an axis."""
    return name.removeprefix("embedder.")
