"""Numbers, intervals and site names as text, the same wherever they are shown."""

from __future__ import annotations

import re
from typing import Protocol


def format_range(value: float | None, low: float | None, high: float | None) -> str:
    """Return a number with its interval; a dash for one that is not defined."""
    if value is None:
        return "–"
    return f"{format_number(value, 2)} ({format_number(low, 2)} to {format_number(high, 2)})"


class Interval(Protocol):
    """A number with its interval, such as :class:`steering.records.probes.Estimate`."""

    @property
    def value(self) -> float | None:
        """Return the number; None where it is not defined."""

    @property
    def low(self) -> float | None:
        """Return the low end of its interval."""

    @property
    def high(self) -> float | None:
        """Return the high end of its interval."""


def format_estimate(part: Interval | None) -> str:
    """Return a number with its interval; a dash for none."""
    return "–" if part is None else format_range(part.value, part.low, part.high)


def format_number(value: float | None, digits: int = 3) -> str:
    """Return a number as tables show it; one that is not defined is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def short_site_name(name: str) -> str:
    """Return a site's name as shown on an axis."""
    return name.removeprefix("embedder.")


def published_inside(published: float | str | None, low: float | None, high: float | None) -> str:
    """Return whether a published number lies inside the measured 95% interval, ``low`` to ``high``: ``yes`` or ``no``.

    Of a published range also ``in part``. Empty without an interval, and where no number was published that could be
    compared: none, words, or one that its source got wrong (``0.0088 (flawed)``).
    """
    found = re.fullmatch(r"(-?[\d.]+)(?: to (-?[\d.]+))?", str(published))
    if found is None or low is None or high is None:
        return ""
    first, last = float(found[1]), float(found[2] or found[1])
    if low <= first and last <= high:
        return "yes"
    return "no" if last < low or high < first else "in part"
