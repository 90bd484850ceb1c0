"""Stop a sweep when an interval is narrow enough, at looks planned before: what it costs, and why it covers.

A rule that stops as soon as a 95% interval is narrow covers less often than 95%: it stops where the spread happens to
look small, and it looks often. So the number of looks is fixed before, and each look's interval leaves out an equal
share of the 5%. By Bonferroni's inequality all of them together then hold the true value in 95% of the studies, and so
does the one that the rule stops at, whatever the rule (repeated confidence intervals, Jennison and Turnbull 1989; the
shares are an alpha spending, Lan and DeMets 1983; stopping at a fixed width, Chow and Robbins 1965).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from envs.errors import RANGES, InputError
from envs.stored.ranges import AtMostOne, Count, Name, Number, Probability
from steering.statistics import bootstrap
from steering.statistics.formatting import short_site_name

FIRST = 32  # mazes at the first look: with fewer, intervals fall short of what they say
MOST = 256  # mazes where no number of them is asked for


@dataclass(frozen=True)
class LookPlan:
    """The looks of a sweep that stops when its intervals are narrow: fixed before it begins.

    Raises:
        InputError: for a width out of range, or fewer levels than one look takes.
    """

    width: Number
    """Width of the interval of blindness asked for, .001 to 2."""
    most: Count
    """Number of levels at which the sweep ends in any case, :data:`FIRST` or more."""

    def __post_init__(self) -> None:
        RANGES["width"].check(self.width)
        if self.most < FIRST:
            raise InputError(
                f"until-width: the first look is at {FIRST} levels, {self.most} asked for; take more levels"
            )

    @classmethod
    def of(cls, width: float | None, most: int) -> LookPlan | None:
        """Return the plan of a sweep of at most so many levels; None where no width is asked for."""
        return None if width is None else cls(width, most)

    @property
    def looks(self) -> tuple[int, ...]:
        """Return the numbers of levels looked at: :data:`FIRST`, doubled again and again, and the most."""
        sizes = []
        size = FIRST
        while size < self.most:
            sizes.append(size)
            size *= 2
        return (*sizes, self.most)

    @property
    def confidence(self) -> float:
        """Return the confidence of the interval at each look: 95% in all of them together."""
        return 1.0 - (1.0 - bootstrap.LEVEL) / len(self.looks)

    def interval(self, tv_edited: np.ndarray, tv_clean: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
        """Return the interval of blindness at a look.

        Args:
            tv_edited: total variation to the policy without cheese under the edit, ``float[n]``.
            tv_clean: the same of the policy left alone, ``float[n]``.
            weights: ``float[draws, n]`` from :func:`steering.statistics.bootstrap.counts`.

        Returns:
            Low and high end; NaN where the cheese changes nothing in any maze.
        """
        return bootstrap.blindness_interval(tv_edited, tv_clean, weights, self.confidence)

    def narrow(self, low: float, high: float) -> bool:
        """Return whether an interval is as narrow as asked for; one that is not defined is not."""
        return high - low <= self.width


@dataclass(frozen=True)
class SiteInterval:
    """Blindness at one site at the look that a sweep ended with."""

    site: Name
    """Name of the site."""
    low: Number | None
    """Low end of its interval, which allows for all looks; null: not defined."""
    high: AtMostOne | None
    """High end, at most 1; null: not defined."""


@dataclass(frozen=True)
class SequentialStop:
    """The end of a sweep that was to stop when its intervals are narrow."""

    plan: LookPlan
    """The width asked for and the looks."""
    levels: Annotated[int, Meta(ge=1)]
    """Number of levels at the look that it ended with."""
    confidence: Probability
    """Confidence of the interval at each look, so that all of them together have 95%."""
    sites: tuple[SiteInterval, ...]
    """The sites judged by, the boundary's and the next, in depth order."""
    narrow: bool
    """True if all of their intervals were narrow enough; false: all levels asked for were done."""

    @property
    def words(self) -> str:
        """Return the end in a line."""
        plan = self.plan
        found = "; ".join(f"{short_site_name(each.site)} {_ends(each)}" for each in self.sites)
        done, end = f"{self.levels} of {plan.most} levels", f"intervals of blindness up to {plan.width:g} wide"
        told = f"Stopped at {done}, with {end}" if self.narrow else f"Ended at {done}, without {end}"
        return f"{told}. They allow for {len(plan.looks)} looks ({self.confidence:.2%} each): {found}."


def _ends(each: SiteInterval) -> str:
    return "not defined" if each.low is None or each.high is None else f"{each.low:.2f} to {each.high:.2f}"
