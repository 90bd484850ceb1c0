"""What is measured of one level, pass by pass: single channels, then sets that the passes before have ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from envs.chain import statistics_of_all, total_variation
from envs.maze import Maze
from steering.anatomy.circuit import choices
from steering.anatomy.circuit.level import CircuitLevel, site_over
from steering.anatomy.circuit.orders import MOST_CHANNELS, among, checking_half, finding_half, first, singly, sizes
from steering.anatomy.circuit.rows import (
    BASIS,
    SINGLES,
    OutcomesRow,
    OutcomesSite,
    RemovedRow,
    RemovedSite,
    SearchRow,
    SearchSite,
    SetsRow,
    SetsSite,
    SinglesRow,
    SinglesSite,
)
from steering.anatomy.circuit.states import drawn_states
from steering.anatomy.part import Asked, Pass, Rows
from steering.experiments.exact import LevelEvaluator, StatePolicy
from steering.experiments.outcome import HORIZON
from steering.interventions.edits import Intervention, patch, subtract
from steering.interventions.sites import Site
from steering.interventions.vectors import SteeringVector, cheese_vectors
from steering.statistics.seeding import generator

MOST_OUTCOMES = 12  # levels whose exact outcomes are measured: one takes as long as all else of ten
SUBTRACTED, REMOVED = "circuit random", "circuit random removed"


def circuit_sites(sites: Sequence[Site]) -> list[Site]:
    """Return the sites that have a circuit: those of the trunk, or not known to be off it, with few enough channels."""
    return [site for site in sites if site.trunk is not False and site.shape[0] <= MOST_CHANNELS]


def outcome_levels(levels: Sequence[int]) -> Sequence[int]:
    """Return the levels whose exact outcomes are measured: every other one of the checking half, at most 12."""
    return checking_half(levels)[0::2][:MOST_OUTCOMES]


def _of(rows: Rows, levels: Sequence[int]) -> list[Any]:
    return [rows[level] for level in levels]


def _measured(asked: Asked, maze: Maze, row: SinglesRow) -> CircuitLevel:
    return CircuitLevel(asked.policy, maze, row.states, circuit_sites(asked.sites), asked.network)


def singles(asked: Asked, maze: Maze, before: Sequence[Rows]) -> SinglesRow:
    """Return a level's states, drawn by (seed, level), and what each channel does alone."""
    evaluator = LevelEvaluator(asked.policy, maze)
    fields = evaluator.clean.probabilities, evaluator.no_cheese.probabilities
    off = np.array([state.cell != maze.cheese for state in maze.states])
    rng = generator(asked.settings.seed, maze.level or 0, "circuit states", 0)
    states = drawn_states(total_variation(*fields), off, rng)
    level = CircuitLevel(asked.policy, maze, states, circuit_sites(asked.sites), asked.network)
    found = {}
    for site in circuit_sites(asked.sites):
        vector = level.vectors[site.name].double().reshape(site.shape[0], -1)
        found[site.name] = SinglesSite(
            alone=tuple(level.subtracted(site, singly(site.shape[0])).tolist()),
            squares=tuple(vector.square().sum(1).tolist()),
            means=tuple(level.means(site).tolist()),
        )
    return SinglesRow(states, level.left_alone(), found)


def _removed(level: CircuitLevel, site: Site, subsets: Sequence[np.ndarray], means: np.ndarray) -> RemovedSite:
    once, places = np.unique(np.array(subsets), axis=0, return_inverse=True)
    left, damage = level.removed(site, once, means)
    which = places.reshape(-1)
    return RemovedSite(tuple(left[which].tolist()), tuple(damage[which].tolist()))


def removed(asked: Asked, maze: Maze, before: Sequence[Rows]) -> RemovedRow:
    """Return what is left of the cheese's effect on a level when one channel is set to a constant, and the damage."""
    ranked = _of(before[0], finding_half(asked.settings.levels))
    level = _measured(asked, maze, before[0][maze.level or 0])
    found = {}
    for site in circuit_sites(asked.sites):
        means = choices.shared_means(ranked, site.name)
        found[site.name] = _removed(level, site, list(singly(site.shape[0])), means)
    return RemovedRow(found)


def search(asked: Asked, maze: Maze, before: Sequence[Rows]) -> SearchRow:
    """Return the same of sets of growing size, in the two orders that the pass before gives."""
    levels = finding_half(asked.settings.levels)
    ranked, alone = _of(before[0], levels), _of(before[1], levels)
    level = _measured(asked, maze, before[0][maze.level or 0])
    found = {}
    for site in circuit_sites(asked.sites):
        means, (taking, sparing) = choices.shared_means(ranked, site.name), choices.removal_orders(alone, site.name)
        subsets = [first(order, size) for order in (taking, sparing) for size in sizes(site.shape[0])]
        both, half = _removed(level, site, subsets, means), len(subsets) // 2
        parts = (slice(half), slice(half, None))
        one, other = (RemovedSite(both.left[part], both.damage[part]) for part in parts)
        found[site.name] = SearchSite((one, other))
    return SearchRow(found)


def sets(asked: Asked, maze: Maze, before: Sequence[Rows]) -> SetsRow:
    """Return what is left on a level of the checking half: subtraction in sets, and channels removed in sets."""
    levels, number = finding_half(asked.settings.levels), maze.level or 0
    ranked, alone, searched = (_of(rows, levels) for rows in before)
    level = _measured(asked, maze, before[0][number])
    found = {}
    for site in circuit_sites(asked.sites):
        channels, name = site.shape[0], site.name
        means = choices.shared_means(ranked, name)

        drawn, drawn_removed = (
            choices.random_order(asked.settings.seed, number, name, channels, what) for what in (SUBTRACTED, REMOVED)
        )

        def curve(by: np.ndarray, site: Site = site) -> tuple[float, ...]:
            subsets = np.array([first(by, size) for size in sizes(site.shape[0])])
            return tuple(level.subtracted(site, subsets).tolist())

        chosen = choices.removal_sets(ranked, alone, searched, name)
        found[name] = SetsSite(
            ranked=curve(choices.ranked(ranked, name)),
            norm=curve(choices.by_norm(ranked, name)),
            random=curve(drawn),
            removed=_removed(level, site, [among(channels, order) for order in chosen], means),
            removed_random=_removed(level, site, [first(drawn_removed, len(order)) for order in chosen], means),
        )
    return SetsRow(found)


def outcomes(asked: Asked, maze: Maze, before: Sequence[Rows]) -> OutcomesRow:
    """Return exact outcomes of a level with the sets that were found; each set is run once."""
    finding, checking = (half(asked.settings.levels) for half in (finding_half, checking_half))
    ranked, alone, searched = (_of(rows, finding) for rows in before[:3])
    measured, clean = _of(before[3], checking), np.array([row.clean for row in _of(before[0], checking)])
    found = circuit_sites(asked.sites)
    vectors = cheese_vectors(asked.policy, maze, [site.name for site in found])
    counts: dict[str, list[int]] = {}
    sets: dict[str, list[frozenset[int]]] = {}
    subtracted: dict[tuple[str, int], Intervention] = {}
    taken: dict[tuple[str, frozenset[int]], Intervention] = {}
    for site in found:
        name, channels = site.name, site.shape[0]
        counts[name] = choices.competence_sizes(measured, clean, name, channels)
        for size in counts[name]:
            tensor = vectors[name].tensor.clone()
            tensor[choices.ranked(ranked, name)[size:].tolist()] = 0.0
            subtracted[name, size] = subtract(SteeringVector(name, tensor))
        means = np.broadcast_to(choices.shared_means(ranked, name).reshape(site_over(site)), site.shape)
        constant = SteeringVector(name, torch.from_numpy(means.astype(np.float32)))
        chosen = choices.removal_sets(ranked, alone, searched, name)
        drawn = choices.random_order(asked.settings.seed, maze.level or 0, name, channels, REMOVED)
        sets[name] = [frozenset(which.tolist()) for which in (*chosen, drawn[: len(chosen[-1])])]
        taken.update({(name, which): patch(constant, tuple(sorted(which))) for which in sets[name]})
    evaluator, blank = LevelEvaluator(asked.policy, maze), maze.without_cheese()
    bare = evaluator.without_cheese

    def regions(world: Maze, fields: Sequence[StatePolicy]) -> list[float]:
        tables = [field.probabilities for field in fields]
        return [each.p_region for each in statistics_of_all(world, tables, HORIZON)]

    free = dict(zip(taken, regions(blank, bare.fields(list(taken.values()))), strict=True))
    first_there = dict(zip(subtracted, regions(maze, evaluator.fields(list(subtracted.values()))), strict=True))
    (no_cheese,), (no_cheese_first,) = (regions(world, [bare.clean]) for world in (blank, maze))
    rows = {}
    for name, at in counts.items():
        *region, region_random = (free[name, which] for which in sets[name])
        competence = tuple(first_there[name, size] for size in at)
        rows[name] = OutcomesSite(tuple(at), competence, tuple(region), region_random)
    return OutcomesRow(no_cheese_first, no_cheese, rows)


PASSES = (
    Pass(SinglesRow, singles, BASIS, SINGLES),
    Pass(RemovedRow, removed, BASIS, "removed", finding_half, of_all=True),
    Pass(SearchRow, search, BASIS, "search", finding_half, of_all=True),
    Pass(SetsRow, sets, BASIS, "sets", checking_half, of_all=True),
    Pass(OutcomesRow, outcomes, BASIS, "outcomes", outcome_levels, of_all=True),
)
"""In their order."""
