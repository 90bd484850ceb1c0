"""From the answers of each maze to shares with intervals, readings, and how far ahead an agent looks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from steering.planning.behaviour import LADDER, CellAnswers, PairAnswers
from steering.planning.located import PATCHES, Patched
from steering.planning.pairs import BINS, Kind, length_bin
from steering.records.planning import GoalBehaviour, Located, PairBin, PatchedSite, PlanReading, Share
from steering.statistics import bootstrap
from steering.statistics.seeding import generator

HALF = 0.5  # of the effect, for departure and arrival
SOURCE, MOUSE = 0, 1  # in PATCHES


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
) -> GoalBehaviour:
    """Return what the answers of all mazes come to.

    Args:
        goal: ``cheese`` or ``corner``.
        answers: of each maze, those to its pairs of this goal.
        cells: of each maze.
        weights: of :func:`weights_of`.
    """
    bins = {kind: _bins([[a for a in of if a.kind == kind.value] for of in answers], weights) for kind in Kind}
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
        look_ahead=_look_ahead(answers, detours, bins[Kind.IDLE], weights),
    )


def _as_good(readers: Sequence[float | None], agent: float | None) -> str | None:
    """Return the horizon of the first reader that reaches the agent's share."""
    if agent is None:
        return None
    good = (name for name, value in zip(LADDER, readers, strict=True) if value is not None and value >= agent)
    return next(good, None)


def _bins(answers: Sequence[Sequence[PairAnswers]], weights: np.ndarray) -> tuple[PairBin, ...]:
    """Return the bins of path length, then all pairs."""
    ends = [*((low, high) for low, high in zip(BINS, (*BINS[1:], None), strict=True)), (BINS[0], None)]
    found = []
    for k, (low, high) in enumerate(ends):
        inside = [[a for a in of if k == len(BINS) or length_bin(a.distance) == k] for of in answers]
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
    idle: Sequence[PairBin],
    weights: np.ndarray,
) -> int | None:
    """Return the greatest path length in the last bin, of those from the nearest on, where detours are followed."""
    reached = None
    for k in range(len(BINS)):
        rows = [[a for a in of if length_bin(a.distance) == k] for of in answers]
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


def located(
    kind: str,
    goal: str,
    sites: Sequence[tuple[str, int]],
    results: Sequence[Patched | None],
    left_out: int,
    weights: np.ndarray,
) -> Located:
    """Return what the patching of all mazes comes to.

    Args:
        kind: ``cheese`` or ``detour``.
        goal: ``cheese`` or ``corner``.
        sites: names and depths, in depth order.
        results: of each maze; None where it has no pair.
        left_out: number of pairs whose places overlap.
        weights: of :func:`weights_of`.
    """
    counts = np.array([0 if r is None else len(r.apart) for r in results], dtype=float)
    apart = np.array([0.0 if r is None else r.apart.sum() for r in results])
    shape = (len(sites), len(PATCHES))
    carried, needed = (
        np.stack([np.zeros(shape) if r is None else getattr(r, name).sum(axis=2) for r in results], axis=2)
        for name in ("carried", "needed")
    )
    found = tuple(
        PatchedSite(
            name=name,
            depth=depth,
            carried=tuple(_part(carried[s, k], apart, weights) for k in range(len(PATCHES))),
            needed=tuple(_part(needed[s, k], apart, weights) for k in range(len(PATCHES))),
        )
        for s, (name, depth) in enumerate(sites)
    )
    return Located(
        kind=kind,
        goal=goal,
        pairs=int(counts.sum()),
        mazes=int((counts > 0).sum()),
        left_out=left_out,
        apart=share(apart, counts, weights),
        sites=found,
        readings=plan_readings([name for name, _ in sites], carried, apart, weights),
    )


def _part(rest: np.ndarray, apart: np.ndarray, weights: np.ndarray) -> Share:
    """Return ``1 - sum(rest) / sum(apart)`` with its interval."""
    if not apart.sum() > 0:
        return Share(None, None, None)
    value = float(bootstrap.blindness(rest, apart))
    if (apart > 0).sum() < bootstrap.FEWEST:
        return Share(value, None, None)
    low, high = bootstrap.blindness_interval(rest, apart, weights)
    return Share(value, bootstrap.defined(low), bootstrap.defined(high))


def plan_readings(
    names: Sequence[str], carried: np.ndarray, apart: np.ndarray, weights: np.ndarray
) -> tuple[PlanReading, ...]:
    """Return departure, handoff and arrival, each with its interval.

    ``departure``: the last site at which the source alone carries half. ``handoff``: the first at which the mouse's
    place carries more than the source. ``arrival``: the first at which the mouse's place carries half of the most that
    it ever does. Any of them may be nowhere: a plan need not be gathered at the mouse.

    Args:
        names: of the sites, in depth order.
        carried: TV left under each patch, summed by maze, ``float[sites, patches, mazes]``.
        apart: TV of the pair, summed by maze, ``float[mazes]``.
        weights: of :func:`weights_of`.
    """
    samples = np.vstack([np.ones(len(apart)), weights])  # the mazes as they are, then each resample
    source, mouse = (bootstrap.blindness(carried[:, k], apart, samples) for k in (SOURCE, MOUSE))  # [sites, samples]
    most = mouse.max(axis=0)
    rules = {
        "departure": _last(source >= HALF),
        "handoff": _first(mouse > source),
        "arrival": _first((mouse >= HALF * most) & (most > bootstrap.TIE)),
    }
    found = []
    for name, places in rules.items():
        ends = np.quantile(np.where(places < 0, len(names), places)[1:], [bootstrap.TAIL, 1 - bootstrap.TAIL])
        site, low, high = (_named(names, int(k)) for k in (places[0], np.floor(ends[0]), np.ceil(ends[1])))
        found.append(PlanReading(name, site, low, high, float((places[1:] < 0).mean())))
    return tuple(found)


def _named(names: Sequence[str], place: int) -> str | None:
    return names[place] if 0 <= place < len(names) else None


def _first(holds: np.ndarray) -> np.ndarray:
    """Return the index of the first true row of each column, -1 for none: ``int[samples]``."""
    return np.where(holds.any(axis=0), holds.argmax(axis=0), -1)


def _last(holds: np.ndarray) -> np.ndarray:
    """Return the index of the last true row of each column, -1 for none: ``int[samples]``."""
    return np.where(holds.any(axis=0), len(holds) - 1 - holds[::-1].argmax(axis=0), -1)
