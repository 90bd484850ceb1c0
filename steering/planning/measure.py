"""Measurements of one level: answers to its pairs and on its cells, and its patched pairs, as rows to be stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.networks.policy import Policy
from envs.errors import InputError
from envs.maze import Maze, State
from steering.interventions.sites import Site, enumerate_sites
from steering.planning.behaviour import CellAnswers, PairAnswers, cell_answers, pair_answers
from steering.planning.located import Patched, Shown, patched, shown_cheese, shown_detour
from steering.planning.pairs import Goal, Kind, drawn_pairs
from steering.statistics.seeding import generator

CHEESE, DETOUR = "cheese", "detour"
KINDS = (CHEESE, DETOUR)  # of pairs that are patched


@dataclass(frozen=True)
class LevelRow:
    """Everything measured of one level to one goal."""

    answers: tuple[PairAnswers, ...]
    """Answers to its pairs, detours first."""
    cells: CellAnswers
    """Answers on all its cells."""


@dataclass(frozen=True)
class PatchRow:
    """The patched pairs of one level, of one kind to one goal."""

    left_out: int
    """Number of pairs whose places of source and mouse overlap."""
    distance: tuple[int, ...]
    """Path length of each pair, in steps."""
    apart: tuple[float, ...]
    """Total variation between the two next moves of each pair."""
    carried: tuple[tuple[tuple[float, ...], ...], ...]
    """Total variation left, by site, patch and pair."""
    needed: tuple[tuple[tuple[float, ...], ...], ...]
    """The same of the reverse."""

    def patched(self) -> Patched | None:
        """Return the arrays; None where no pair is left."""
        if not self.apart:
            return None
        return Patched(np.array(self.apart), np.array(self.carried), np.array(self.needed))


def map_sites(policy: Policy) -> list[Site]:
    """Return the trunk sites that are maps, one of each class of sites at which patching is the same.

    Raises:
        InputError: for a network without such sites.
    """
    trunk = [site for site in enumerate_sites(policy.net) if site.trunk and site.units is not None]
    if not trunk:
        raise InputError(f"{policy.name}: no trunk site is a map with known places; located patching cannot be done")
    return trunk


def behaviour_row(policy: Policy, maze: Maze, goal: Goal, pairs: int, distance: int, seed: int) -> LevelRow:
    """Return the answers of a policy on one level."""
    drawn = [pair for kind in Kind for pair in drawn_pairs(maze, kind, goal, pairs, seed, distance)]
    return LevelRow(tuple(pair_answers(policy, drawn)), cell_answers(policy, maze, goal))


def patch_row(
    policy: Policy, maze: Maze, kind: str, goal: Goal, sites: Sequence[Site], pairs: int, distance: int, seed: int
) -> PatchRow:
    """Return the patched pairs of one level: detours, or states with and without the cheese."""
    rng = generator(seed, maze.level or 0, f"{kind} places to the {goal.value}", 0)
    found: list[Shown | None]
    if kind == DETOUR:
        found = [shown_detour(pair, rng) for pair in drawn_pairs(maze, Kind.DETOUR, goal, pairs, seed, distance)]
    else:
        found = [shown_cheese(maze, state, rng) for state in _states(maze, pairs, rng)]
    shown = [each for each in found if each is not None]
    if not shown:
        return PatchRow(len(found), (), (), (), ())
    result = patched(policy, shown, sites)
    return PatchRow(
        left_out=len(found) - len(shown),
        distance=tuple(each.distance for each in shown),
        apart=tuple(_rounded(result.apart)),
        carried=_nested(result.carried),
        needed=_nested(result.needed),
    )


def _states(maze: Maze, count: int, rng: np.random.Generator) -> list[State]:
    states = [state for state in maze.states if state.cell not in (maze.cheese, maze.corner)]
    return [states[k] for k in rng.permutation(len(states))[:count]]


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 9) for value in values]


def _nested(values: np.ndarray) -> tuple[tuple[tuple[float, ...], ...], ...]:
    return tuple(tuple(tuple(_rounded(row)) for row in site) for site in values)
