"""From the patched pairs of each maze to what each place carries at each site, and readings: of all, by path length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steering.planning.located import OTHER, PATCHES, Patched
from steering.planning.pairs import bins_from, length_bin
from steering.planning.summary import share
from steering.records.planning import Delay, Located, LocatedBin, PatchedSite, PlanReading, Share
from steering.statistics import bootstrap

HALF = 0.5  # of the effect, for departure and arrival
SOURCE, MOUSE = PATCHES.index("source"), PATCHES.index("mouse")


@dataclass(frozen=True)
class _Sums:
    """Sums over the pairs of each maze."""

    counts: np.ndarray
    """Number of pairs, ``float[mazes]``."""
    apart: np.ndarray
    """TV(A, B), ``float[mazes]``."""
    carried: np.ndarray
    """TV left, ``float[sites, patches, mazes]``."""
    needed: np.ndarray
    """The same of the reverse."""

    def part(self, rest: np.ndarray, patch: int, weights: np.ndarray) -> Share:
        """Return ``1 - sum(rest) / sum(apart)`` with its interval; ``rest`` is ``float[mazes]``, under one patch."""
        has = self.counts > (PATCHES[patch] == OTHER)  # the only pair of a maze has no other
        rest, apart = np.where(has, rest, 0.0), np.where(has, self.apart, 0.0)
        if not apart.sum() > 0:
            return Share(None, None, None)
        value = float(bootstrap.blindness(rest, apart))
        if (apart > 0).sum() < bootstrap.FEWEST:
            return Share(value, None, None)
        low, high = bootstrap.blindness_interval(rest, apart, weights)
        return Share(value, bootstrap.defined(low), bootstrap.defined(high))


def _sums(results: Sequence[Patched | None], sites: int, lows: Sequence[int], inside: int | None = None) -> _Sums:
    """Return the sums of all pairs, or of those in one bin of path length."""
    counts, apart = (np.zeros(len(results)) for _ in range(2))
    carried, needed = (np.zeros((sites, len(PATCHES), len(results))) for _ in range(2))
    for m, found in enumerate(results):
        if found is None:
            continue
        taken = [k for k, steps in enumerate(found.distance) if inside in (None, length_bin(int(steps), lows))]
        counts[m], apart[m] = len(taken), found.apart[taken].sum()
        carried[..., m] = found.carried[..., taken].sum(axis=2)
        needed[..., m] = found.needed[..., taken].sum(axis=2)
    return _Sums(counts, apart, carried, needed)


def located(
    kind: str,
    goal: str,
    sites: Sequence[tuple[str, int]],
    results: Sequence[Patched | None],
    left_out: int,
    weights: np.ndarray,
    least: int,
) -> Located:
    """Return what the patching of all mazes comes to.

    Args:
        kind: ``cheese`` or ``detour``.
        goal: ``cheese`` or ``corner``.
        sites: names and depths, in depth order.
        results: of each maze; None where it has no pair.
        left_out: number of pairs whose places overlap.
        weights: of :func:`steering.planning.summary.weights_of`.
        least: path length, in steps, that no pair falls below: where the bins begin.
    """
    names, lows = [name for name, _ in sites], bins_from(least)
    whole = _sums(results, len(sites), lows)
    patches = range(len(PATCHES))
    found = tuple(
        PatchedSite(
            name=name,
            depth=depth,
            carried=tuple(whole.part(whole.carried[s, k], k, weights) for k in patches),
            needed=tuple(whole.part(whole.needed[s, k], k, weights) for k in patches),
        )
        for s, (name, depth) in enumerate(sites)
    )
    parts = [_sums(results, len(sites), lows, k) for k in range(len(lows))]
    return Located(
        kind=kind,
        goal=goal,
        pairs=int(whole.counts.sum()),
        mazes=int((whole.counts > 0).sum()),
        left_out=left_out,
        apart=share(whole.apart, whole.counts, weights),
        sites=found,
        readings=plan_readings(names, whole.carried, whole.apart, weights),
        bins=tuple(
            LocatedBin(
                low=low,
                high=high,
                pairs=int(part.counts.sum()),
                mazes=int((part.counts > 0).sum()),
                source=tuple(part.part(rest, SOURCE, weights) for rest in part.carried[:, SOURCE]),
                mouse=tuple(part.part(rest, MOUSE, weights) for rest in part.carried[:, MOUSE]),
                readings=plan_readings(names, part.carried, part.apart, weights) if _enough(part) else (),
            )
            for low, high, part in zip(lows, (*lows[1:], None), parts, strict=True)
        ),
        delays=_delays(lows, parts, len(sites), weights),
    )


def plan_readings(
    names: Sequence[str], carried: np.ndarray, apart: np.ndarray, weights: np.ndarray
) -> tuple[PlanReading, ...]:
    """Return departure, handoff, arrival and spread, each with its interval.

    ``departure``: the last site at which the source alone carries half. ``handoff``: the first at which the mouse's
    place carries more than the source. ``arrival``: the first at which the mouse's place carries half of the most that
    it ever does. ``spread``: there is no handoff, so what is behind the maps gathers the effect; the first site from
    which on the source alone carries less than half. Any of them may be nowhere: a plan need not be gathered at the
    mouse, and one that is is not spread.

    Args:
        names: of the sites, in depth order.
        carried: TV left under each patch, summed by maze, ``float[sites, patches, mazes]``.
        apart: TV of the pair, summed by maze, ``float[mazes]``.
        weights: of :func:`steering.planning.summary.weights_of`.
    """
    if not (apart > 0).any():
        return ()
    found = []
    for name, places in _places(carried, apart, weights).items():
        nowhere = _nowhere(name, len(names))
        ends = np.quantile(places[1:], [bootstrap.TAIL, 1 - bootstrap.TAIL])
        site, low, high = (_named(names, int(k)) for k in (places[0], np.floor(ends[0]), np.ceil(ends[1])))
        found.append(PlanReading(name, site, low, high, float((places[1:] == nowhere).mean())))
    return tuple(found)


def _places(carried: np.ndarray, apart: np.ndarray, weights: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the index of the site of each reading, of the mazes as they are and then of each resample."""
    samples = np.vstack([np.ones(len(apart)), weights])
    source, mouse = (bootstrap.blindness(carried[:, k], apart, samples) for k in (SOURCE, MOUSE))  # [sites, samples]
    most, count = mouse.max(axis=0), len(carried)
    half = source >= HALF
    departure = np.where(half.any(axis=0), count - 1 - half[::-1].argmax(axis=0), _nowhere("departure", count))
    handoff = _first(mouse > source)
    return {
        "departure": departure,
        "handoff": handoff,
        "arrival": _first((mouse >= HALF * most) & (most > bootstrap.TIE)),
        "spread": np.where(handoff < count, count, departure + 1),
    }


def _nowhere(name: str, sites: int) -> int:
    """Return the index that stands for no site: before the first ("up to"), or behind the last ("from")."""
    return -1 if name == "departure" else sites


def _named(names: Sequence[str], place: int) -> str | None:
    return names[place] if 0 <= place < len(names) else None


def _first(holds: np.ndarray) -> np.ndarray:
    """Return the index of the first true row of each column, that behind the last for none: ``int[samples]``."""
    return np.where(holds.any(axis=0), holds.argmax(axis=0), len(holds))


def _enough(part: _Sums) -> bool:
    """Return whether a bin has enough mazes for an interval."""
    return bool((part.apart > 0).sum() >= bootstrap.FEWEST)


def _delays(lows: Sequence[int], parts: Sequence[_Sums], sites: int, weights: np.ndarray) -> tuple[Delay, ...]:
    """Return how many sites later each reading is for the farthest bin with enough mazes than for the nearest."""
    enough = [k for k, part in enumerate(parts) if _enough(part)]
    if len(enough) < 2:
        return ()
    near, far = (_places(parts[k].carried, parts[k].apart, weights) for k in (enough[0], enough[-1]))
    found = []
    for name in ("departure", "handoff", "arrival"):
        later = far[name].astype(float) - near[name]
        low, high = bootstrap.interval(later[1:])
        ends = lows[enough[0]], lows[enough[-1]]
        found.append(Delay(name, *ends, sites=float(later[0]), low=float(low), high=float(high)))
    return tuple(found)
