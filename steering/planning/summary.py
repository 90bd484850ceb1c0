"""From the answers of each maze to shares with intervals, and how far ahead an agent looks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from steering.planning.behaviour import LADDER, CellAnswers, PairAnswers
from steering.planning.pairs import Kind, bins_from, length_bin
from steering.records.planning import GoalBehaviour, PairBin, Share
from steering.statistics import bootstrap
from steering.statistics.seeding import generator


def weights_of(mazes: int, seed: int) -> np.ndarray:
    """Return the bootstrap's weights of mazes, ``float64[draws, mazes]``; the same for all that is summed up."""
    return bootstrap.counts(bootstrap.resamples(mazes, generator(seed, 0, "planning bootstrap", 0)))


def share(top: np.ndarray, count: np.ndarray, weights: np.ndarray) -> Share:
    """Return a pooled mean of things from 0 to 1, with its interval.

    Args:
        top: sum of each maze, ``float[n_mazes]``, not negative.
        count: number of things summed in each, ``float[n_mazes]``.
        weights: of :func:`weights_of`.
    """
    if not count.sum() > 0:
        return Share(None, None, None)
    few = (count > 0).sum() < bootstrap.FEWEST
    low, high = (math.nan, math.nan) if few else bootstrap.ratio_interval(top, count, weights)
    return Share(float(top.sum() / count.sum()), bootstrap.defined(low), bootstrap.defined(min(high, 1.0)))


def goal_behaviour(
    goal: str,
    answers: Sequence[Sequence[PairAnswers]],
    cells: Sequence[CellAnswers],
    weights: np.ndarray,
    distance: int,
) -> GoalBehaviour:
    """Return what the answers of all mazes come to.

    Args:
        goal: ``cheese`` or ``corner``.
        answers: of each maze, those to its pairs of this goal.
        cells: of each maze.
        weights: of :func:`weights_of`.
        distance: cells, Chebyshev, from the mouse to every changed cell: no path is shorter.
    """
    lows = bins_from(distance)
    bins = {kind: _bins([[a for a in of if a.kind == kind.value] for of in answers], lows, weights) for kind in Kind}
    counts = np.array([each.cells for each in cells], dtype=float)

    def over_cells(value: Callable[[CellAnswers], float]) -> Share:
        return share(counts * np.array([value(each) for each in cells]), counts, weights)

    right = over_cells(lambda each: each.right)
    readers = tuple(
        float((counts * np.array([each.readers[k] for each in cells])).sum() / counts.sum()) for k in range(len(LADDER))
    )
    detours = bins[Kind.DETOUR]
    return GoalBehaviour(
        goal=goal,
        detour=detours,
        idle=bins[Kind.IDLE],
        cells=int(counts.sum()),
        right=right,
        likely=over_cells(lambda each: each.likely),
        readers=readers,
        equivalent_depth=_as_good(readers, right.value),
        detour_depth=_as_good(detours[-1].readers, detours[-1].follows.value),
        look_ahead=_look_ahead(answers, detours, lows, weights),
    )


def _as_good(readers: Sequence[float | None], agent: float | None) -> str | None:
    """Return the horizon of the first reader that reaches the agent's share."""
    if agent is None:
        return None
    good = (name for name, value in zip(LADDER, readers, strict=True) if value is not None and value >= agent)
    return next(good, None)


def _bins(answers: Sequence[Sequence[PairAnswers]], lows: Sequence[int], weights: np.ndarray) -> tuple[PairBin, ...]:
    """Return the bins of path length, then all pairs."""
    ends = [*zip(lows, (*lows[1:], None), strict=True), (lows[0], None)]
    found = []
    for k, (low, high) in enumerate(ends):
        inside = [[a for a in of if k == len(lows) or length_bin(a.distance, lows) == k] for of in answers]
        counts = np.array([len(of) for of in inside], dtype=float)

        def pooled(
            value: Callable[[PairAnswers], float], inside: Sequence[Sequence[PairAnswers]] = inside
        ) -> np.ndarray:
            return np.array([sum(value(a) for a in of) for of in inside], dtype=float)

        def mean(value: Callable[[PairAnswers], float], counts: np.ndarray = counts) -> Share:
            return share(pooled(value), counts, weights)

        found.append(
            PairBin(
                low=low,
                high=high,
                pairs=int(counts.sum()),
                mazes=int((counts > 0).sum()),
                right_level=mean(lambda a: a.right[0]),
                right_twin=mean(lambda a: a.right[1]),
                other_level=mean(lambda a: a.other[0]),
                other_twin=mean(lambda a: a.other[1]),
                follows=mean(lambda a: a.follows),
                change=mean(lambda a: a.change),
                readers=_readers(inside),
            )
        )
    return tuple(found)


def _readers(answers: Sequence[Sequence[PairAnswers]]) -> tuple[float | None, ...]:
    """Return the mean over pairs that each reader is right in both mazes; None where there is no pair."""
    rows = [a.readers for of in answers for a in of]
    return tuple(map(float, np.mean(rows, axis=0))) if rows else (None,) * len(LADDER)


def _look_ahead(
    answers: Sequence[Sequence[PairAnswers]],
    detours: Sequence[PairBin],
    lows: Sequence[int],
    weights: np.ndarray,
) -> int | None:
    """Return the greatest path length in the last bin, of those from the nearest on, where detours are followed."""
    reached = None
    for k in range(len(lows)):
        rows = [[a for a in of if length_bin(a.distance, lows) == k] for of in answers]
        moved = _difference(rows, weights)
        beyond = detours[k].follows.low, detours[k].readers[0]
        if moved is None or beyond[0] is None or beyond[1] is None or not (moved > 0 and beyond[0] > beyond[1]):
            break
        reached = max(a.distance for of in rows for a in of if a.kind == Kind.DETOUR.value)
    return reached


def _difference(rows: Sequence[Sequence[PairAnswers]], weights: np.ndarray) -> float | None:
    """Return the low end of how much farther detours move the agent to the twin's move than idle changes move it."""

    def sums(kind: Kind, value: Callable[[PairAnswers], float]) -> tuple[np.ndarray, np.ndarray]:
        own = [[a for a in of if a.kind == kind.value] for of in rows]
        totals, counts = [sum(map(value, of)) for of in own], [len(of) for of in own]
        return np.array(totals, dtype=float), np.array(counts, dtype=float)

    shifted, detours = sums(Kind.DETOUR, lambda a: a.right[1] - a.other[0])
    changed, idle = sums(Kind.IDLE, lambda a: a.change)
    if min((detours > 0).sum(), (idle > 0).sum()) < bootstrap.FEWEST:
        return None
    samples = bootstrap.quotient(weights @ shifted, weights @ detours) - bootstrap.quotient(
        weights @ changed, weights @ idle
    )
    return float(bootstrap.interval(samples)[0])
