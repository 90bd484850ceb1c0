"""Readings of the boundary, of any kind: the site up to which, or from which on, a statement holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steering.statistics.formatting import short_site_name

CAUSAL, REPRESENTATIONAL, DECODING = "causal", "representational", "decoding"


@dataclass(frozen=True)
class Reading:
    """One reading; null is nowhere: before the first site for "up to", behind the last for "from"."""

    kind: str
    """Kind of evidence: ``causal`` (the sweep), ``representational`` or ``decoding`` (the probes)."""
    what: str
    """The statement that holds there, in words."""
    word: str
    """Side of the site that it holds on: ``up to`` or ``from``."""
    site: str | None
    """The last site where it holds ("up to"), or the first ("from"); null: nowhere."""
    low: str | None
    """Low end of the 95% bootstrap interval over mazes; null: nowhere."""
    high: str | None
    """High end of the 95% bootstrap interval over mazes; null: nowhere."""

    @property
    def place(self) -> str:
        """Return the reading in words."""
        return "nowhere" if self.site is None else f"{self.word} {short_site_name(self.site)}"

    @property
    def interval(self) -> str:
        """Return its interval in words."""
        return span(*(None if end is None else short_site_name(end) for end in (self.low, self.high)))

    def edges(self, names: Sequence[str]) -> tuple[float, float, float] | None:
        """Return reading, low and high on an axis where site k of ``names`` stands at k; None if one is not there."""
        ends = (self.site, self.low, self.high)
        if any(end is not None and end not in names for end in ends):
            return None
        up_to = self.word == "up to"
        nowhere = -0.5 if up_to else len(names) - 0.5
        at, low, high = (nowhere if end is None else names.index(end) + (0.5 if up_to else -0.5) for end in ends)
        return at, low, high


def span(low: str | None, high: str | None) -> str:
    """Return an interval of sites in words; None is nowhere."""
    if low == high:
        return "nowhere" if low is None else f"{low} only"
    return f"{low or 'nowhere'} to {high or 'nowhere'}"
