"""What is measured of one level, pass by pass: single channels, then sets that the passes before have ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from envs.chain import statistics_of_all, total_variation
from envs.maze import Maze
from steering.anatomy.circuit import choices
from steering.anatomy.circuit.level import CircuitLevel
from steering.anatomy.circuit.orders import MOST_CHANNELS, among, checking_half, finding_half, first, sizes
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
from steering.records.anatomy.circuit_site import FALLS, SHARES
from steering.statistics.seeding import generator

SUBTRACTED, REMOVED = "circuit random", "circuit random removed"


def circuit_sites(sites: Sequence[Site]) -> list[Site]:
    """Return the sites that have a circuit: those of the trunk, or not known to be off it, with few enough channels."""
    return [site for site in sites if site.trunk is not False and site.shape[0] <= MOST_CHANNELS]


def outcome_levels(levels: Sequence[int]) -> Sequence[int]:
    """Return the levels whose exact outcomes are measured: every other one of the checking half."""
    return checking_half(levels)[0::2]


def _of(rows: Rows, levels: Sequence[int]) -> list[Any]:
    return [rows[level] for level in levels]


def _measured(asked: Asked, maze: Maze, row: SinglesRow) -> CircuitLevel:
    return CircuitLevel(asked.policy, maze, row.states, circuit_sites(asked.sites))


def singles(asked: Asked, maze: Maze, before: Sequence[Rows]) -> SinglesRow:
    """Return a level's states, drawn by (seed, level), and what each channel does alone."""
    evaluator = LevelEvaluator(asked.policy, maze)
    fields = evaluator.clean.probabilities, evaluator.no_cheese.probabilities
    off = np.array([state.cell != maze.cheese for state in maze.states])
    rng = generator(asked.settings.seed, maze.level or 0, "circuit states", 0)
    states = drawn_states(total_variation(*fields), off, rng)
    level = CircuitLevel(asked.policy, maze, states, circuit_sites(asked.sites))
    found = {}
    for site in circuit_sites(asked.sites):
        vector = level.vectors[site.name].double().reshape(site.shape[0], -1)
        found[site.name] = SinglesSite(
            alone=tuple(level.subtracted(site, one) for one in np.eye(site.shape[0], dtype=bool)),
            squares=tuple(vector.square().sum(1).tolist()),
            means=tuple(level.means(site).tolist()),
        )
    return SinglesRow(states, level.left_alone(), found)


def _removed(level: CircuitLevel, site: Site, subsets: Sequence[np.ndarray], means: np.ndarray) -> RemovedSite:
    once = {subset.tobytes(): subset for subset in subsets}
    done = {key: level.removed(site, subset, means) for key, subset in once.items()}
    found = [done[subset.tobytes()] for subset in subsets]
    return RemovedSite(*(tuple(column) for column in zip(*found, strict=True)))


def removed(asked: Asked, maze: Maze, before: Sequence[Rows]) -> RemovedRow:
    """Return what is left of the cheese's effect on a level when one channel is set to a constant, and the damage."""
    ranked = _of(before[0], finding_half(asked.settings.levels))
    level = _measured(asked, maze, before[0][maze.level or 0])
    found = {}
    for site in circuit_sites(asked.sites):
        one_by_one = list(np.eye(site.shape[0], dtype=bool))
        found[site.name] = _removed(level, site, one_by_one, choices.shared_means(ranked, site.name))
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
            return tuple(level.subtracted(site, first(by, size)) for size in sizes(site.shape[0]))

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
    """Return exact outcomes of a level with the sets that were found."""
    finding, checking = (half(asked.settings.levels) for half in (finding_half, checking_half))
    ranked, alone, searched = (_of(rows, finding) for rows in before[:3])
    measured, clean = _of(before[3], checking), np.array([row.clean for row in _of(before[0], checking)])
    found = circuit_sites(asked.sites)
    vectors = cheese_vectors(asked.policy, maze, [site.name for site in found])
    subtracted: list[Intervention] = []
    taken: list[Intervention] = []
    for site in found:
        name, channels = site.name, site.shape[0]
        order = choices.ranked(ranked, name)
        for size in choices.subtraction_sizes(measured, clean, name, channels):
            tensor = vectors[name].tensor.clone()
            tensor[order[size:].tolist()] = 0.0
            subtracted.append(subtract(SteeringVector(name, tensor)))
        means = np.broadcast_to(
            choices.shared_means(ranked, name).reshape(-1, *(1,) * (len(site.shape) - 1)), site.shape
        )
        constant = SteeringVector(name, torch.from_numpy(means.astype(np.float32)))
        chosen = choices.removal_sets(ranked, alone, searched, name)
        drawn = choices.random_order(asked.settings.seed, maze.level or 0, name, channels, REMOVED)
        chosen.append(drawn[: len(chosen[-1])])
        taken += [patch(constant, tuple(int(channel) for channel in which)) for which in chosen]
    evaluator, blank = LevelEvaluator(asked.policy, maze), maze.without_cheese()

    def regions(world: Maze, fields: Sequence[StatePolicy]) -> list[float]:
        tables = [field.probabilities for field in fields]
        return [each.p_region for each in statistics_of_all(world, tables, HORIZON)]

    bare = evaluator.without_cheese
    left = bare.fields(taken)
    (no_cheese,) = regions(blank, [bare.clean])
    (no_cheese_first,) = regions(maze, [bare.clean])
    competent = iter(regions(maze, evaluator.fields(subtracted)))
    competent_free = iter(regions(blank, left))
    n, m = len(SHARES), len(FALLS)
    rows = {}
    for site in found:
        competence = tuple(next(competent) for _ in range(n))
        region = tuple(next(competent_free) for _ in range(m))
        rows[site.name] = OutcomesSite(competence, region, next(competent_free))
    return OutcomesRow(no_cheese_first, no_cheese, rows)


PASSES = (
    Pass(SinglesRow, singles, BASIS, SINGLES),
    Pass(RemovedRow, removed, BASIS, "removed", finding_half, of_all=True),
    Pass(SearchRow, search, BASIS, "search", finding_half, of_all=True),
    Pass(SetsRow, sets, BASIS, "sets", checking_half, of_all=True),
    Pass(OutcomesRow, outcomes, BASIS, "outcomes", outcome_levels, of_all=True),
)
"""In their order."""
