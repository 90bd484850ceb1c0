"""Numbers in the columns that the command ``anatomy`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steering.statistics.formatting import short_site_name

if TYPE_CHECKING:
    from steering.records.probes import Estimate


def ranged(value: Estimate, digits: int = 1) -> str:
    """Return a value with its interval in brackets, if it has one."""
    if value.low is None or value.high is None:
        return number(value.value, digits)
    return f"{number(value.value, digits)} ({number(value.low, digits)} to {number(value.high, digits)})"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with so many digits, never minus zero; a dash for none."""
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def site_cell(name: str, width: int) -> str:
    """Return a site's short name, so wide with a space behind it; of a longer one its end."""
    short = short_site_name(name)
    return f"{short if len(short) < width else '…' + short[2 - width :]:<{width}}"
