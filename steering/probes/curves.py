"""The curves over depth behind the probes' readings of the boundary, and these readings: of one agent, or of several.

Each curve is a ratio of sums over mazes. The sums of each maze are kept in ``probes.json`` as ``tallies``, so that
mazes and agents can be drawn anew without a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from steering.probes.score_records import ProbeScores
from steering.probes.summary import (
    ProbeCurves,
    Statistic,
    pooled_ratio,
    probe_questions,
)
from steering.records.probes import (
    CELL,
    CELL_SHUFFLED,
    INTERACTION,
    SHUFFLED,
    SURROUNDINGS,
    CellBoundary,
    DecodingBoundary,
    NextMoveBoundary,
    ProbeBoundaries,
    RepresentationalBoundary,
    Sums,
    TallySums,
)
from steering.records.sites import SiteFacts
from steering.statistics import bootstrap
from steering.statistics.boundary import Curves, Reach, depth_interval, draw_agents, find_boundary

DEPENDENT = 0.5  # interaction: half of the cheese's effect is not what it was at the start
NEXT_MOVE_RULE = (
    "first site not affine in the pixels whose probe beats the same probe on the pixels, the same on shuffled "
    "labels, and what walls within three cells of the mouse and the direction of the goal tell (margins: "
    "one-sided 95% bands over mazes, all sites at once); half: the first with half of the largest gain over the "
    "best of the three"
)
CELL_RULE = (
    "held: variance explained is above 0 and above that with shuffled labels (margins: one-sided 95% bands over "
    "mazes, all sites at once); best: the most of it; lost: the site behind the last that holds it"
)
NOWHERE = Reach(None, None, None)


class Tally(NamedTuple):
    """Numerator and denominator of one curve, maze by maze."""

    top: np.ndarray
    """``float[n_sites, n_mazes]``, or ``float[n_mazes]`` where it is the same at all sites."""
    bottom: np.ndarray
    """``float[n_sites, n_mazes]``, or ``float[n_mazes]`` where it is the same at all sites."""


# By name of the curve. Of each question about next moves (:func:`steering.probes.summary.probe_questions`): moves told
# rightly over frames, also with SHUFFLED labels and from the SURROUNDINGS alone. CELL, CELL_SHUFFLED: squared distance
# of the probe's guess over that of the mean cell (1 - R2). INTERACTION: as by
# :func:`steering.probes.position_dependence.interaction_tally`.
Tallies = Mapping[str, Tally]


def decoding_tallies(names: Sequence[str], scores: ProbeScores) -> dict[str, Tally]:
    """Return the sums of each maze that the curves of decoding are ratios of.

    Args:
        names: the sites, in depth order.
        scores: what the probes said of every frame at these sites.
    """
    sites, found = [scores.sites[name] for name in names], {}
    for name, (whose, frames) in probe_questions(scores.moves).items():
        told = np.array([site.moves[whose].told for site in sites]) == scores.moves[whose]
        control = np.array([site.moves[whose].control for site in sites])
        around = scores.surroundings[name] == scores.moves[whose]
        total = _by_maze(frames, frames, scores.maze)
        for suffix, right in (("", told), (SHUFFLED, control), (SURROUNDINGS, around)):
            found[name + suffix] = Tally(_by_maze(right, frames, scores.maze), total)
    every = np.ones(len(scores.maze), dtype=bool)
    cells = [site.cell for site in sites]
    columns = ([cell.distance for cell in cells], [cell.control for cell in cells], [cell.mean for cell in cells[:1]])
    distance, control, usual = (_by_maze(np.square(column), every, scores.maze) for column in columns)
    mean = usual[0]  # of the labels alone
    return {**found, CELL: Tally(distance, mean), CELL_SHUFFLED: Tally(control, mean)}


def _by_maze(values: np.ndarray, frames: np.ndarray, maze: np.ndarray) -> np.ndarray:
    """Return ``float[..., n_mazes]``: ``values`` ``[..., n]`` summed over the ``frames`` (``bool[n]``) of each maze."""
    counts = [np.bincount(maze[frames], row[frames], minlength=maze.max() + 1) for row in np.atleast_2d(values)]
    return np.reshape(counts, (*values.shape[:-1], -1))


def probe_curves(tallies: Tallies, samples: np.ndarray) -> ProbeCurves:
    """Return the curves, ``float[n_sites, 1 + draws]`` each: of all mazes, then of each resample.

    Args:
        tallies: the sums of each maze, by curve.
        samples: ``int[draws, n_mazes]``, from :func:`steering.statistics.bootstrap.resamples`.
    """
    drawn = np.vstack([np.arange(samples.shape[1]), samples])
    found = {}
    for name, sums in tallies.items():
        top, bottom = np.broadcast_arrays(*(np.atleast_2d(part) for part in sums))
        found[name] = np.array([pooled_ratio(*pair, drawn) for pair in zip(top, bottom, strict=True)])
    return found


def boundaries(sites: Sequence[SiteFacts], curves: ProbeCurves) -> ProbeBoundaries:
    """Return the readings of the boundary that the curves over ``sites`` (in depth order, input first) give."""

    def gaps(name: str) -> np.ndarray:
        accuracy = curves[name]
        baselines = (accuracy[:1], curves[name + SHUFFLED], curves[name + SURROUNDINGS])
        return np.stack([accuracy - baseline for baseline in baselines], axis=1)

    r2, control = 1.0 - curves[CELL], 1.0 - curves[CELL_SHUFFLED]
    questions = [name for name in curves if name + SURROUNDINGS in curves]
    return ProbeBoundaries(
        DecodingBoundary(
            next_move={name: next_move_appears(sites, gaps(name)) for name in questions},
            cell=cell_lost(sites, list(zip(r2, r2 - control, strict=True))),
        ),
        position_dependence(sites, curves[INTERACTION]),
    )


def next_move_appears(sites: Sequence[SiteFacts], gaps: np.ndarray) -> NextMoveBoundary:
    """Return the sites where the next move can first be read off, and half as well as anywhere, with intervals.

    ``site`` is the first site not affine in the pixels where the gaps to all baselines exceed their margin
    (:func:`_margins`, over all these sites at once: with seventeen sites, one in two would otherwise beat the pixels
    somewhere by chance). The bootstrap applies the same margins to every draw; draws without any frame that is asked
    about say nothing. A larger study has smaller margins and may find an earlier site; ``half``, the first site with at
    least half of the largest gap, has a target that does not depend on the study's size.

    Args:
        sites: in depth order.
        gaps: ``float[s, k, 1 + draws]``, what the accuracy at each site exceeds each of k baselines by.
    """
    open_ = [i for i, site in enumerate(sites) if site.affine is False]
    kinds = np.asarray(gaps)[open_].swapaxes(0, 1)
    known = np.isfinite(kinds).all(axis=(0, 1))
    if not open_ or not known[0]:
        return NextMoveBoundary(None, None, None, None, None, None, None)
    names, kinds = [sites[i].name for i in open_], kinds[:, :, known]
    gap = kinds.min(axis=0)
    found = _located(_first(np.min([part - _margins(part) for part in kinds], axis=0) > 0), names)
    half = NOWHERE
    if found.site is not None:
        half = _located(_first((gap > 0) & (gap >= gap.max(axis=0) / 2)), names)
    return NextMoveBoundary(
        site=found.site,
        low=found.low,
        high=found.high,
        half_site=half.site,
        half_low=half.low,
        half_high=half.high,
        rule=NEXT_MOVE_RULE,
    )


def cell_lost(sites: Sequence[SiteFacts], r2: Sequence[tuple[Statistic, Statistic]]) -> CellBoundary:
    """Return the sites where the linear probe of the cheese's cell is best and behind which it is lost, with intervals.

    A site holds the cell if both statistics exceed their margin (:func:`_margins`), in the bootstrap the same in every
    draw. Of draws without any site that holds it, ``best`` is not defined.

    Args:
        sites: in depth order.
        r2: for each site variance explained, and what it exceeds that with shuffled labels by.
    """
    names = [site.name for site in sites]
    explained, above_control = np.array(r2).swapaxes(0, 1)
    held = np.minimum(explained - _margins(explained), above_control - _margins(above_control)) > 0
    first = best = lost = NOWHERE
    if held[:, 0].any():
        most = np.where(held, explained, -np.inf).argmax(axis=0)
        behind = np.where(held.any(axis=0), len(held) - held[::-1].argmax(axis=0), 0)
        first, best, lost = (_located(depths, names) for depths in (_first(held), most[held.any(axis=0)], behind))
    return CellBoundary(
        first=first.site,
        first_low=first.low,
        first_high=first.high,
        best=best.site,
        best_low=best.low,
        best_high=best.high,
        lost=lost.site,
        lost_low=lost.low,
        lost_high=lost.high,
        rule=CELL_RULE,
    )


def position_dependence(sites: Sequence[SiteFacts], interaction: np.ndarray) -> RepresentationalBoundary:
    """Return up to which trunk site the cheese vector of the start holds elsewhere.

    The two rules of :mod:`steering.statistics.boundary`, with 1 - interaction for blindness: threshold and
    change-point, each redone in every draw.

    Args:
        sites: in depth order.
        interaction: ``float[n_sites, 1 + draws]`` inside the receptive field, of the mazes as they are and of each
            bootstrap sample; NaN (no such states) counts as 0, as outside the field.
    """
    trunk = [i for i, site in enumerate(sites) if site.trunk]
    if not trunk:
        return RepresentationalBoundary(None, None, None, None, None, None, None, None)
    kept = 1.0 - np.nan_to_num(interaction[trunk]).T
    names = tuple(sites[i].name for i in trunk)
    classes = tuple(sites[i].equivalence_class for i in trunk)
    able = np.ones_like(kept)
    found = find_boundary(Curves(names, classes, kept[0], able[0], kept[1:], able[1:]), blindness=1.0 - DEPENDENT)
    return RepresentationalBoundary(
        site=found.site,
        next_site=found.next_site,
        low=found.low,
        high=found.high,
        change_site=found.change_site,
        change_low=found.change_low,
        change_high=found.change_high,
        rule=(
            f"deepest trunk site up to which the interaction inside the receptive field is at most {DEPENDENT:g} at "
            f"every trunk site asked ({len(trunk)}, from {names[0]} on); interval: 95% bootstrap over mazes"
        ),
    )


def _margins(values: np.ndarray) -> np.ndarray:
    """Return the margins that statistics ``float[s, 1 + draws]`` must exceed to be above 0: ``float[s, 1]``.

    The half widths of a one-sided 95% band for all at once: the same multiple of each one's bootstrap standard
    deviation, the 95% quantile of the largest standardised deviation.
    """
    point, draws = values[:, :1], values[:, 1:]
    spread = draws.std(axis=1, keepdims=True)
    deviations = np.divide(draws - point, spread, out=np.zeros_like(draws), where=spread > 0)
    return np.asarray(np.quantile(deviations.max(axis=0), bootstrap.LEVEL) * spread)


def _first(passes: np.ndarray) -> np.ndarray:
    """Return for each column of ``bool[s, n]`` the first row that passes; ``s`` if none does."""
    return np.where(passes.any(axis=0), passes.argmax(axis=0), len(passes))


def _located(depths: np.ndarray, names: Sequence[str]) -> Reach:
    """Return the site and its 95% bootstrap interval for ``int[1 + draws]`` depths, the mazes as they are first."""
    ends = (int(depths[0]), *depth_interval(depths[1:]))
    return Reach(*(names[depth] if depth < len(names) else None for depth in ends))


def mean_curves(agents: Sequence[ProbeCurves], rng: np.random.Generator) -> ProbeCurves:
    """Return the agents' mean curves: of all mazes, then with agents drawn anew in every draw.

    Args:
        agents: the curves ``float[s, 1 + draws]`` of each, asked at the same sites about the same mazes with the same
            resamples; a draw takes the same mazes for all agents.
        rng: draws the agents.

    Raises:
        InputError: for fewer than two agents.
    """
    draws = next(iter(agents[0].values())).shape[1] - 1
    chosen, rows = draw_agents(len(agents), draws, rng, same_mazes=True)
    found = {}
    for name in agents[0]:
        each = np.stack([agent[name] for agent in agents])  # [agents, s, 1 + draws]
        if name == INTERACTION:  # no state inside the receptive field is no interaction there
            each = np.nan_to_num(each)
        drawn = each[chosen, :, 1 + rows].mean(axis=1)  # [draws, s]
        found[name] = np.concatenate([each[:, :, :1].mean(axis=0), drawn.T], axis=1)
    return found


def cut(tallies: Tallies, sites: Sequence[int], mazes: Sequence[int]) -> dict[str, Tally]:
    """Return the tallies at some of the sites and of some of the mazes, both given by index."""

    def part(sums: np.ndarray) -> np.ndarray:
        return sums[mazes] if sums.ndim == 1 else sums[np.ix_(sites, mazes)]

    return {name: Tally(part(top), part(bottom)) for name, (top, bottom) in tallies.items()}


def tallies_to_json(tallies: Tallies) -> dict[str, TallySums]:
    """Return the tallies as plain numbers for ``probes.json``."""
    return {name: TallySums(_plain(tally.top), _plain(tally.bottom)) for name, tally in tallies.items()}


def _plain(sums: np.ndarray) -> Sums:
    return tuple(tuple(row) if isinstance(row, list) else row for row in sums.tolist())


def tallies_from_json(stored: Mapping[str, TallySums]) -> dict[str, Tally]:
    """Return the reverse of :func:`tallies_to_json`, exactly."""
    return {name: Tally(*(np.array(sums, dtype=float) for sums in pair)) for name, pair in stored.items()}
