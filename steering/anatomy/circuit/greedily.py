"""Channels found greedily: what ranking misses where channels do the same, or only do something together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.maze import Maze
from steering.anatomy.circuit.choices import blind_with_all
from steering.anatomy.circuit.level import CircuitLevel
from steering.anatomy.circuit.measure import PASSES, circuit_sites
from steering.anatomy.circuit.orders import Distance, among, checking_half, finding_half, greedy, sizes
from steering.anatomy.circuit.rows import BASIS, GreedyRow, GreedySetsRow, SinglesRow
from steering.anatomy.part import Asked, EachSite, Pass, Rows
from steering.interventions.sites import Site

MOST = 8  # channels taken: each takes half as long as ranking does
TRIED = 4  # every such level of the finding half is one that all channels are tried on for each place


def greedy_sites(sites: Sequence[Site]) -> list[Site]:
    """Return the sites that channels are taken at: those with a circuit, but the free ones."""
    return [site for site in circuit_sites(sites) if not site.affine]


def greedy_sizes(channels: int) -> list[int]:
    """Return the numbers of channels that are measured."""
    return [size for size in sizes(channels) if size <= MOST]


def take(asked: Asked, site: Site, before: Sequence[Rows]) -> GreedyRow:
    """Return channels of a site by what each leaves beside those taken before it, pooled over the finding half.

    None where subtraction in all channels gives next to no blindness.
    """
    if not blind_with_all(before[3], before[0], site.name):
        return GreedyRow(())
    mazes = dict(zip(asked.settings.levels, asked.mazes, strict=True))
    finding = finding_half(asked.settings.levels)
    levels = [narrowed(asked, mazes[number], before[0][number], site) for number in finding]

    def pooled(some: Sequence[CircuitLevel]) -> Distance:
        return lambda sets: np.sum([level.subtracted(site, sets) for level in some], axis=0)

    alone = np.sum([before[0][number].sites[site.name].alone for number in finding], axis=0)
    trial = levels[::TRIED]
    rest = [level for k, level in enumerate(levels) if k % TRIED]
    order = greedy(alone, pooled(trial), pooled(rest), MOST)
    return GreedyRow(tuple(int(channel) for channel in order))


def narrowed(asked: Asked, maze: Maze, row: SinglesRow, site: Site) -> CircuitLevel:
    """Return a level with what subtraction at one site needs in memory."""
    return CircuitLevel(asked.policy, maze, row.states, [site], asked.network).narrowed(site)


def greedy_sets(asked: Asked, maze: Maze, before: Sequence[Rows]) -> GreedySetsRow:
    """Return what is left on a level of the checking half with the vector subtracted in the channels taken."""
    taken: Rows = before[len(PASSES)]
    sites = [site for site in greedy_sites(asked.sites) if taken[site.depth].order]
    if not sites:
        return GreedySetsRow({})
    row: SinglesRow = before[0][maze.level or 0]
    level = CircuitLevel(asked.policy, maze, row.states, sites, asked.network)
    found = {}
    for site in sites:
        order, channels = np.array(taken[site.depth].order), site.shape[0]
        subsets = [among(channels, order[:size]) for size in greedy_sizes(channels)]
        found[site.name] = tuple(level.subtracted(site, np.array(subsets)).tolist())
    return GreedySetsRow(found)


_BASIS = {**BASIS, "most": MOST}
GREEDY_PASSES = (
    EachSite(GreedyRow, take, _BASIS, "greedy", greedy_sites),
    Pass(GreedySetsRow, greedy_sets, _BASIS, "greedy sets", checking_half, of_all=True),
)
"""Behind those of :data:`steering.anatomy.circuit.measure.PASSES`."""
