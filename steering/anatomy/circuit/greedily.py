"""Channels found greedily: what ranking misses where channels do the same, or only do something together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.maze import Maze
from steering.anatomy.circuit.level import CircuitLevel
from steering.anatomy.circuit.measure import PASSES, circuit_sites
from steering.anatomy.circuit.orders import among, checking_half, finding_half, greedy, sizes
from steering.anatomy.circuit.rows import BASIS, GreedyRow, GreedySetsRow, SinglesRow
from steering.anatomy.part import Asked, EachSite, Pass, Rows
from steering.interventions.sites import Site

MOST = 8  # channels taken: each takes as long as ranking does


def greedy_sites(sites: Sequence[Site]) -> list[Site]:
    """Return the sites that channels are taken at: those with a circuit, but the free ones."""
    return [site for site in circuit_sites(sites) if not site.affine]


def greedy_sizes(channels: int) -> list[int]:
    """Return the numbers of channels that are measured."""
    return [size for size in sizes(channels) if size <= MOST]


def take(asked: Asked, site: Site, before: Sequence[Rows]) -> GreedyRow:
    """Return channels of a site by what each leaves beside those taken before it, pooled over the finding half."""
    mazes = dict(zip(asked.settings.levels, asked.mazes, strict=True))
    levels: list[CircuitLevel] = []
    for number in finding_half(asked.settings.levels):
        row: SinglesRow = before[0][number]
        levels.append(CircuitLevel(asked.policy, mazes[number], row.states, [site]).narrowed(site))

    def left(channels: np.ndarray) -> float:
        return sum(level.subtracted(site, channels) for level in levels)

    order = greedy(site.shape[0], left, MOST)
    return GreedyRow(tuple(int(channel) for channel in order))


def greedy_sets(asked: Asked, maze: Maze, before: Sequence[Rows]) -> GreedySetsRow:
    """Return what is left on a level of the checking half with the vector subtracted in the channels taken."""
    sites = greedy_sites(asked.sites)
    row: SinglesRow = before[0][maze.level or 0]
    level = CircuitLevel(asked.policy, maze, row.states, sites)
    taken: Rows = before[len(PASSES)]
    found = {}
    for site in sites:
        order, channels = np.array(taken[site.depth].order), site.shape[0]
        subsets = [among(channels, order[:size]) for size in greedy_sizes(channels)]
        found[site.name] = tuple(level.subtracted(site, subset) for subset in subsets)
    return GreedySetsRow(found)


_BASIS = {**BASIS, "most": MOST}
GREEDY_PASSES = (
    EachSite(GreedyRow, take, _BASIS, "greedy", greedy_sites),
    Pass(GreedySetsRow, greedy_sets, _BASIS, "greedy sets", checking_half, of_all=True),
)
"""Behind those of :data:`steering.anatomy.circuit.measure.PASSES`."""
