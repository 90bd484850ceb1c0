"""The parts of a re-run of a published finding: a measurement per maze, figures, claims, a verdict.

A finding measures each maze by itself (a function of policy, maze and settings alone) or all mazes jointly (a function
of their levels as well), and is summed up over mazes afterwards. Figures carry a percentile bootstrap interval over
mazes. A claim holds, or does not, only where that interval lies wholly on one side of its bound.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.networks.policy import Policy
from envs.chain import check_horizon
from envs.errors import RANGES, InputError, check_random_seed, shown
from envs.maze import Maze
from steering.experiments.conditions import PUBLISHED_SITE
from steering.experiments.exact import LevelEvaluator
from steering.experiments.outcome import HORIZON
from steering.interventions.sites import Site, find_site
from steering.records.replication import PublishedFinding
from steering.replication.tracking import Tracking, track
from steering.statistics.bootstrap import interval, resamples
from steering.statistics.seeding import generator

Measurement = dict[str, Any]  # one maze's measurement: numbers, or lists of numbers; NaN where undefined
Statistic = Callable[..., np.ndarray]  # arrays whose last axis runs over mazes -> that axis reduced
FEWEST = 5  # mazes below which no interval is given and no claim decided


@dataclass(frozen=True)
class Settings:
    """The settings that determine the numbers of a re-run."""

    checkpoint: str
    """Name of the checkpoint."""
    sha256: str
    """Digest of the checkpoint's bytes, 64 hexadecimal digits."""
    site: str
    """Full name of the site where the findings intervene."""
    levels: tuple[int, ...]
    """Seeds of the levels to consider."""
    behaviour_levels: int = 1000
    """Number of levels, from seed 0 on, of the findings about behaviour and the decision square: 1 to 100000."""
    horizon: int = HORIZON
    """Most moves of an episode, 1 to 500."""
    seed: int = 0
    """Seed of everything drawn at random, 0 or more."""
    mode: str = "hard"
    """Procgen's mode of the levels: ``hard`` or ``easy``."""
    device: str = "cpu"
    """Kind of device that the network computes on: ``cpu`` or ``cuda``."""

    def __post_init__(self) -> None:
        check_horizon(self.horizon)
        check_random_seed(self.seed)
        RANGES["behaviour-levels"].check(self.behaviour_levels)

    def shared(self) -> dict[str, Any]:
        """Return the settings that all results in a directory must share: a maze's measurement depends on no other."""
        return {
            key: value
            for key, value in dataclasses.asdict(self).items()
            if key not in ("checkpoint", "levels", "behaviour_levels", "device")
        }


@dataclass(frozen=True)
class Setup:
    """A policy and the settings it is measured under."""

    policy: Policy
    """The policy measured."""
    settings: Settings
    """The settings of the re-run."""

    @functools.cached_property
    def site(self) -> Site:
        """Return the site where the findings intervene."""
        return find_site(self.policy.net, self.settings.site)

    @functools.cached_property
    def tracking(self) -> Tracking:
        """Return the channels that track the cheese there."""
        return track(self.policy, self.site, self.settings.seed, self.settings.mode)

    @functools.cached_property
    def _kept(self) -> dict[Maze, LevelEvaluator]:
        return {}

    def evaluator(self, maze: Maze) -> LevelEvaluator:
        """Return the exact evaluation of ``maze``. The last maze's is kept: findings share its clean passes."""
        if maze not in self._kept:
            self._kept.clear()
            self._kept[maze] = LevelEvaluator(self.policy, maze, self.settings.horizon)
        return self._kept[maze]

    def rng(self, maze: Maze, what: str, draw: int = 0) -> np.random.Generator:
        """Return the generator of one draw on one maze."""
        return generator(self.settings.seed, maze.level or 0, f"replicate {what}", draw)


def published_site(policy: Policy, site: str | None) -> str:
    """Return the site asked for, else the published one; raise :class:`InputError` if there is none."""
    if site is not None:
        return find_site(policy.net, site).name
    try:
        return find_site(policy.net, PUBLISHED_SITE).name
    except InputError:
        raise InputError(
            f"{policy.name}: this network has no site {PUBLISHED_SITE}, where the findings were published; "
            "give one of its own by --site (see `mazesteer sites`)"
        ) from None


@dataclass(frozen=True)
class Measure:
    """A number measured, beside the one published."""

    label: str
    """Its name in tables, with its unit."""
    value: float
    """The number; NaN where undefined."""
    low: float
    """Low end of the 95% interval over mazes; NaN with fewer than :data:`FEWEST`."""
    high: float
    """High end of the 95% interval over mazes; NaN with fewer than :data:`FEWEST`."""
    published: float | str | None = None
    """The published number, or a range as text; null: none was published."""

    def above(self, bound: float) -> bool | None:
        """Return whether it exceeds ``bound``; None where the interval does not tell."""
        return True if self.low > bound else False if self.high < bound else None

    def below(self, bound: float) -> bool | None:
        """Return whether it is less than ``bound``; None where the interval does not tell."""
        above = self.above(bound)
        return None if above is None else not above

    def within(self, low: float, high: float) -> bool | None:
        """Return whether it lies between the bounds; None where the interval does not tell."""
        inside, outside = self.low > low and self.high < high, self.high < low or self.low > high
        return True if inside else False if outside else None


@dataclass(frozen=True)
class Claim:
    """A published statement with its bound, and whether it holds here."""

    text: str
    """The statement in words, with its bound."""
    holds: bool | None
    """Whether it holds here; null: these mazes do not tell."""


@dataclass(frozen=True)
class FindingSummary:
    """A finding summed up over mazes."""

    figures: tuple[Measure, ...]
    """The numbers measured."""
    claims: tuple[Claim, ...] = ()
    """The published statements, each with its verdict."""
    notes: tuple[str, ...] = ()
    """Sentences on what the numbers leave out."""


@dataclass(frozen=True)
class Finding:
    """A published finding and the functions that run it again."""

    source: PublishedFinding
    """Its name, and what was published."""
    measure: Callable[[Setup, Maze], Measurement] | None
    """Gives one maze's row; null: ``jointly`` does."""
    summarize: Callable[[Setup, Sample], FindingSummary]
    """Gives figures and claims from all rows."""
    levels: Callable[[Settings], Sequence[int]] = lambda settings: settings.levels
    """Gives the seeds of the levels to consider."""
    keeps: Callable[[Settings, Maze], bool] = lambda _, maze: maze.decision_square is not None
    """Tells whether a maze is used."""
    maps: bool = False
    """Whether it needs a site whose channels have maps."""
    jointly: Callable[[Setup, Sequence[Maze]], list[Measurement]] | None = None
    """Gives the rows of all mazes, where each depends on the others; null: ``measure`` does."""
    mode: str | None = None
    """Procgen's mode of levels that it is about; null: any."""
    distinct: bool = True
    """Whether each maze is used once, whatever levels it is in."""
    revision: int = 1
    """Raised with any change of what it measures or sums up; results of an earlier one are then computed anew."""

    @property
    def name(self) -> str:
        """Return its name on the command line."""
        return self.source.name

    def mazes(self, settings: Settings, known: dict[int, Maze] | None = None) -> list[Maze]:
        """Return the mazes to measure, in the order of their levels; if ``distinct``, each once.

        Levels in ``known`` are not made again; it takes the others.
        """
        known = {} if known is None else known
        seeds = list(self.levels(settings))
        missing = [seed for seed in seeds if seed not in known]
        for start in range(0, len(missing), 64):
            part = missing[start : start + 64]
            known.update(zip(part, Maze.from_levels(part, settings.mode), strict=True))
        found: dict[Any, Maze] = {}
        for maze in map(known.__getitem__, seeds):
            if self.keeps(settings, maze):
                found.setdefault((maze.walls, maze.cheese) if self.distinct else maze.level, maze)
        return list(found.values())

    def basis(self, mazes: Sequence[Maze]) -> str:
        """Return the basis of a row beside the settings of its directory: the revision and, if joint, the levels."""
        return digest(self.revision, [maze.level for maze in mazes] if self.jointly else None)

    def parts(self, mazes: Sequence[Maze], present: Container[int | None]) -> list[list[Maze]]:
        """Return the mazes left to measure, in the smallest parts, given the levels ``present``."""
        missing = [maze for maze in mazes if maze.level not in present]
        return ([list(mazes)] if missing else []) if self.jointly else [[maze] for maze in missing]

    def rows(self, bench: Setup, part: Sequence[Maze]) -> list[Measurement]:
        """Return the rows of one of :meth:`parts`, as plain data."""
        if self.jointly is not None:
            rows = self.jointly(bench, part)
        else:
            assert self.measure is not None
            rows = [self.measure(bench, maze) for maze in part]
        return [{name: plain(value) for name, value in row.items()} for row in rows]


class Sample:
    """The rows of several mazes as columns, and figures computed from them."""

    def __init__(self, name: str, rows: Iterable[Measurement], seed: int) -> None:
        self.name = name
        self.rows = list(rows)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, key: str) -> np.ndarray:
        """Return ``float64[n]``, one number of each maze."""
        values = self.values(key)
        if not all(value is None or isinstance(value, int | float) for value in values):
            raise InputError(f"{self.name}: the stored {key} of a maze is no number; choose another --out")
        return np.array(values, dtype=np.float64)

    def tables(self, key: str, width: int) -> list[list[Sequence[float]]]:
        """Return the rows of ``width`` numbers that were measured in each maze, 0 or more."""
        found = self.values(key)
        for rows in found:
            if not isinstance(rows, list | tuple) or any(np.shape(row) != (width,) for row in rows):
                raise InputError(
                    f"{self.name}: the stored {key} of a maze is no table {width} wide; choose another --out"
                )
        return found

    def values(self, key: str) -> list[Any]:
        """Return what was measured in each maze; raise :class:`InputError` for a stored row that lacks it."""
        if not all(key in row for row in self.rows):
            raise InputError(f"{self.name}: the stored measurement of a maze lacks {shown(key)}; choose another --out")
        return [row[key] for row in self.rows]

    def figure(
        self, label: str, statistic: Statistic, *columns: str | np.ndarray, published: float | str | None = None
    ) -> Measure:
        """Return ``statistic`` of columns over the mazes where all are defined, with its bootstrap interval.

        Without an interval below :data:`FEWEST` mazes.
        """
        arrays = [self.column(c) if isinstance(c, str) else np.asarray(c, dtype=np.float64) for c in columns]
        defined = ~np.any([np.isnan(array) for array in arrays], axis=0)
        kept = [array[defined] for array in arrays]
        n = int(defined.sum())
        if n == 0:
            return Measure(label, math.nan, math.nan, math.nan, published)
        low = high = math.nan
        if n >= FEWEST:
            draws = resamples(n, generator(self.seed, 0, f"bootstrap {self.name} {label}", 0))
            low, high = map(float, interval(statistic(*(array[draws] for array in kept))))
        return Measure(label, float(statistic(*kept)), low, high, published)


def median(values: np.ndarray) -> np.ndarray:
    """Return the median over mazes."""
    return np.median(values, axis=-1)


def mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over mazes."""
    return np.mean(values, axis=-1)


def median_change(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the median over mazes of the paired change."""
    return np.median(after - before, axis=-1)


def mean_change(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the mean over mazes of the paired change."""
    return np.mean(after - before, axis=-1)


def pooled_ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Sum over mazes divided by sum over mazes; NaN where the divisor is 0."""
    above, below = np.sum(top, axis=-1), np.sum(bottom, axis=-1)
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below != 0)


def verdict(claims: Sequence[Claim]) -> str:
    """Return the verdict of the claims, in words: a sentence for all, one for each; without the last stop."""
    if not claims:
        return "nothing to compare: no number was published"
    held = [claim.holds for claim in claims]
    head = "agrees in direction" if all(held) else "does not agree" if False in held else "undecided on these mazes"
    word = {True: "yes", False: "no", None: "undecided"}
    return ". ".join([head, *(f"{claim.text[:1].upper()}{claim.text[1:]}: {word[claim.holds]}" for claim in claims)])


def digest(*parts: Any) -> str:
    """Return a sha256 of plain data: equal for what is equal as JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return numbers for JSON: NaN and infinities become null, also within lists."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
