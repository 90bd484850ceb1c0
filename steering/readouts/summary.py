"""From moves told level by level to shares with intervals, and to the first site that follows detours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from steering.interventions.sites import Site
from steering.planning.readers import HORIZONS, reader_name
from steering.probes.curves import next_move_appears
from steering.probes.summary import APART, Statistic, with_interval
from steering.readouts.measure import reach, readings_of
from steering.readouts.windows import LOOK, RADII, window_name
from steering.records.readouts import READ, VIEWS, WHOLE, Appearance, Reader, ReadoutSite, Told, ToldShares, View
from steering.records.sites import SiteFacts, site_facts
from steering.statistics import bootstrap

SATURATED = 0.01  # accuracy: a fourfold number of frames that gains less gains next to nothing
SURROUNDINGS = "surroundings"
RULE = (
    "detours: first site not affine in the pixels whose readout at the mouse is right in both mazes of a pair more "
    "often than the same readout of the pixels, than every reader that cannot see the change, and than it tells the "
    "other maze's move in both (margins: one-sided 95% bands over mazes, all sites at once); half: the first with half "
    "of the largest gain; moves: the same with what one reader tells of ordinary frames"
)
# Level by level, what was told from so many frames.
Levels = Sequence[Told]


class Shares:
    """Shares of frames and pairs with their bootstrap samples.

    Args:
        counts: frames and pairs asked about, level by level.
        samples: ``int[draws, n_mazes]``, from :func:`steering.statistics.bootstrap.resamples`.
    """

    def __init__(self, counts: Levels, samples: np.ndarray) -> None:
        self._counts = counts
        self._weights = np.vstack([np.ones(samples.shape[1]), bootstrap.counts(samples)])

    def share(self, told: Levels, part: str, name: str) -> Statistic:
        """Return one share, ``float64[1 + draws]``: NaN where there is nothing to ask.

        Args:
            told: level by level.
            part: field of :class:`Told`.
            name: question or goal.
        """
        top, bottom = (
            np.array([getattr(level, part).get(name, 0.0) for level in levels]) for levels in (told, self._counts)
        )
        return bootstrap.quotient(self._weights @ top, self._weights @ bottom)

    def record(self, told: Levels, frames: int) -> ToldShares:
        """Return all shares of one reader, with intervals."""

        def of(part: str) -> dict[str, Statistic]:
            return {name: self.share(told, part, name) for name in getattr(told[0], part)}

        parts = (of(part) for part in ("right", "follows", "swapped"))
        return ToldShares(frames, *({name: with_interval(values) for name, values in part.items()} for part in parts))


def strongest(site: Site, view: str, world: int) -> str:
    """Return the name of the strongest reader that sees as far as a readout at least."""
    cells = reach(site, view, world)
    enough = [radius for radius in RADII if cells is not None and radius >= cells]
    return window_name(enough[0]) if enough else reader_name(None)


def blind_readers(distance: int) -> list[str]:
    """Return the readers that cannot see a change so many cells away."""
    ladder = [reader_name(horizon) for horizon in HORIZONS if horizon is not None and horizon < distance]
    return [*ladder, *(window_name(radius) for radius in RADII if radius < distance), LOOK]


def readout_sites(
    sites: Sequence[Site],
    told: Callable[[str, str, int], Levels | None],
    sizes: Sequence[int],
    world: int,
    shares: Shares,
) -> list[ReadoutSite]:
    """Return what the readouts of each site tell.

    Args:
        sites: in depth order.
        told: level by level, by site, view and number of frames; None: not learned.
        sizes: numbers of frames, rising.
        world: side of procgen's grid, in cells.
        shares: of the run.
    """
    found = []
    for site, facts in zip(sites, site_facts(sites), strict=True):
        views = []
        for reading in readings_of([site]):
            curve = {size: levels for size in sizes if (levels := told(site.name, reading.view, size)) is not None}
            gain = _gain(curve, shares)
            views.append(
                View(
                    view=reading.view,
                    numbers=reading.size,
                    reach=reach(site, reading.view, world),
                    reader=strongest(site, reading.view, world),
                    curve=tuple(shares.record(levels, size) for size, levels in curve.items()),
                    gain={name: with_interval(values) for name, values in gain.items()},
                    saturated=all(v[0] <= SATURATED for k, v in gain.items() if k != APART) if gain else None,
                )
            )
        found.append(ReadoutSite(**vars(facts), views=tuple(views)))
    return found


def _gain(curve: Mapping[int, Levels], shares: Shares) -> dict[str, Statistic]:
    """Return by question what the last step of a curve gains; empty for a curve of one point."""
    if len(curve) < 2:
        return {}
    before, after = list(curve.values())[-2:]
    return {name: shares.share(after, "right", name) - shares.share(before, "right", name) for name in after[0].right}


def readers_record(readers: Mapping[str, Mapping[int, Levels]], shares: Shares) -> tuple[Reader, ...]:
    """Return the readers' curves; ``readers``: by name, then by number of frames."""
    return tuple(
        Reader(name, tuple(shares.record(levels, size) for size, levels in curve.items()))
        for name, curve in readers.items()
    )


def appearances(
    sites: Sequence[Site],
    told: Callable[[str, str], Levels | None],
    readers: Mapping[str, Levels],
    distance: int,
    shares: Shares,
) -> tuple[tuple[Appearance, ...], tuple[Appearance, ...]]:
    """Return from which site on readouts at the mouse follow detours, and tell next moves better than each reader.

    Args:
        sites: in depth order, the input first.
        told: level by level, from all frames, by site and view.
        readers: level by level, by name.
        distance: cells between the mouse and every change.
        shares: of the run.
    """
    maps = [site for site in sites if site.units is not None]
    detours, moves = [], []
    facts = site_facts(maps)
    if not maps:
        return (), ()
    goals = list(next(iter(readers.values()))[0].follows)
    for goal in goals:
        around = max(
            (shares.share(readers[name], "follows", goal) for name in blind_readers(distance)), key=lambda v: v[0]
        )
        for view in (view for view in VIEWS if view != WHOLE):
            follows, swapped = (_rows(maps, told, view, shares, part, goal) for part in ("follows", "swapped"))
            gaps = np.stack([follows - follows[:1], follows - swapped, follows - around], axis=1)
            detours.append(_appearance(facts, gaps, goal, view, SURROUNDINGS))
    for question in ("cheese", APART, "corner"):
        accuracy = _rows(maps, told, READ, shares, "right", question)
        for name, levels in readers.items():
            gaps = (accuracy - shares.share(levels, "right", question))[:, None]
            moves.append(_appearance(facts, gaps, question, READ, name))
    return tuple(detours), tuple(moves)


def _rows(
    maps: Sequence[Site], told: Callable[[str, str], Levels | None], view: str, shares: Shares, part: str, name: str
) -> np.ndarray:
    """Return a share at each site: ``float64[s, 1 + draws]``."""
    levels = [told(site.name, view) for site in maps]
    return np.array([shares.share(each, part, name) for each in levels if each is not None])


def _appearance(facts: Sequence[SiteFacts], gaps: np.ndarray, what: str, view: str, beyond: str) -> Appearance:
    found = next_move_appears(facts, gaps)
    return Appearance(
        what=what,
        view=view,
        beyond=beyond,
        site=found.site,
        low=found.low,
        high=found.high,
        half_site=found.half_site,
        half_low=found.half_low,
        half_high=found.half_high,
    )
