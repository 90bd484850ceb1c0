"""The number of mazes that an interval of a given width needs, by simulation from a pilot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.errors import RANGES, InputError, counted
from steering.statistics import bootstrap

# Mazes simulated: from the fewest that a conclusion is drawn from; beyond the last the width falls as 1 / sqrt(n).
SIZES = (bootstrap.FEW, 32, 64, 128, 256, 512, 1024)
STUDIES = 64  # simulated for each size
DRAWS = 400  # resamples of each study's interval
FARTHER = 10  # times the pilot: as far as its mazes can be trusted to stand for others


@dataclass(frozen=True)
class Power:
    """Number of levels that a 95% interval of blindness of a given width takes."""

    width: float
    """Width asked for, .001 to 2."""
    pilot: int
    """Number of levels judged by."""
    levels: int
    """Number of levels that give an interval no wider than ``width`` on average, :data:`bootstrap.FEW` at least."""
    curve: tuple[tuple[int, float], ...]
    """(levels, mean width) of the sizes simulated; the width never rises."""

    @property
    def suffices(self) -> bool:
        """Return whether the pilot has as many levels as are needed."""
        return self.levels <= self.pilot

    @property
    def warning(self) -> str:
        """Return why not to trust the number; empty if nothing speaks against it."""
        if self.pilot < bootstrap.FEW:
            pilot = counted(self.pilot, "level")
            return f"a pilot of {pilot} is small (at least {bootstrap.FEW}): the number may be far off"
        if self.levels > FARTHER * self.pilot:
            pilot = counted(self.pilot, "level")
            return f"more than {FARTHER} times the pilot's {pilot}: a guess; ask again after a larger run"
        return ""


def levels_needed(tv_edited: np.ndarray, tv_clean: np.ndarray, width: float, rng: np.random.Generator) -> Power:
    """Return the least ``n``, from :data:`bootstrap.FEW` on, whose interval is on average no wider than ``width``.

    For each of :data:`SIZES`, :data:`STUDIES` studies of that size are drawn from the pilot's mazes with replacement,
    and the interval that a sweep reports (:func:`steering.statistics.bootstrap.blindness_interval`) is computed for
    each. The mean widths are made to fall with ``n`` and joined by straight lines in log(width) over log(n).

    Args:
        tv_edited: total variation to the policy without cheese under the edit, ``float[n_pilot]``.
        tv_clean: the same of the policy left alone, ``float[n_pilot]``.
        width: of the interval of blindness wanted, .001 to 2.
        rng: draws the studies and their resamples.

    Returns:
        The number of levels, and the curve of widths that it was read from.

    Raises:
        InputError: for another width, or a pilot where the cheese changes nothing.
    """
    RANGES["width"].check(width)
    pilot = len(tv_clean)
    if not tv_clean.sum() > 0:
        raise InputError(
            "the cheese changes nothing in the pilot's mazes, so blindness is not defined; take more mazes"
        )
    widths = []
    for size in SIZES:
        found = []
        for study in rng.integers(pilot, size=(STUDIES, size)):
            weights = bootstrap.counts(bootstrap.resamples(size, rng, DRAWS))
            low, high = bootstrap.blindness_interval(tv_edited[study], tv_clean[study], weights)
            found.append(high - low)
        widths.append(float(np.nanmean(found)))
    falling = np.minimum.accumulate(widths)
    curve = tuple((size, float(w)) for size, w in zip(SIZES, falling, strict=True))
    return Power(width, pilot, _solve(falling, width), curve)


def _solve(widths: Sequence[float] | np.ndarray, width: float) -> int:
    """Return the least number of mazes on the curve through (:data:`SIZES`, ``widths``) with at most ``width``."""
    if widths[0] <= width:
        return SIZES[0]
    if widths[-1] > width:
        return int(np.ceil(SIZES[-1] * (widths[-1] / width) ** 2))
    k = int(np.argmax(np.asarray(widths) <= width))
    log = np.interp(np.log(width), np.log([widths[k], widths[k - 1]]), np.log([SIZES[k], SIZES[k - 1]]))
    return int(np.ceil(np.exp(log) - 1e-9))
