"""Measurements of one level: answers to its pairs and on its cells, and its patched pairs, as rows to be stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from agents.networks.policy import Policy
from envs.errors import InputError
from envs.maze import Maze, State
from steering.interventions.places import BLOCKS
from steering.interventions.sites import Site, enumerate_sites
from steering.planning.behaviour import CellAnswers, PairAnswers, cell_answers, pair_answers
from steering.planning.located import PATCHES, Patched, Shown, patched, shown_cheese, shown_detour
from steering.planning.maps import BlockEffects, block_effects
from steering.planning.pairs import Goal, Kind, drawn_pairs
from steering.statistics.seeding import generator

CHEESE, DETOUR = "cheese", "detour"
KINDS = (CHEESE, DETOUR)  # of pairs that are patched
Block = Annotated[int, Meta(ge=0, le=BLOCKS - 1)]  # a row or a column of blocks


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

    def __post_init__(self) -> None:
        n = len(self.apart)
        whole = all(len(site) == len(PATCHES) and all(len(row) == n for row in site) for site in self._sites())
        if not whole or len(self.distance) != n or len(self.carried) != len(self.needed):
            raise ValueError("numbers are missing")

    def _sites(self) -> Iterator[Sequence[Sequence[float]]]:
        yield from self.carried
        yield from self.needed

    def patched(self) -> Patched | None:
        """Return the arrays; None where no pair is left."""
        if not self.apart:
            return None
        return Patched(np.array(self.distance), np.array(self.apart), np.array(self.carried), np.array(self.needed))


@dataclass(frozen=True)
class MapRow:
    """Causal maps of some patched pairs of one level, of one kind to one goal."""

    source: tuple[tuple[Block, Block], ...]
    """Row and column of the block of each pair's nearest changed tile."""
    mouse: tuple[tuple[Block, Block], ...]
    """Row and column of the mouse's block."""
    apart: tuple[float, ...]
    """Total variation between the two next moves of each pair."""
    rest: tuple[tuple[tuple[float, ...], ...], ...]
    """Total variation left, by site, pair and block (row by row)."""

    def __post_init__(self) -> None:
        n = len(self.apart)
        whole = all(len(site) == n and all(len(row) == BLOCKS**2 for row in site) for site in self.rest)
        if not whole or not len(self.source) == len(self.mouse) == n:
            raise ValueError("numbers are missing")

    def effects(self) -> BlockEffects | None:
        """Return the arrays; None where no pair is left."""
        if not self.apart:
            return None
        rest = np.array(self.rest).reshape(len(self.rest), len(self.apart), BLOCKS, BLOCKS)
        return BlockEffects(np.array(self.source), np.array(self.mouse), np.array(self.apart), rest)


def map_sites(policy: Policy) -> list[Site]:
    """Return the trunk sites that are maps, in depth order.

    Raises:
        InputError: for a network without such sites.
    """
    trunk = [site for site in enumerate_sites(policy.net) if site.trunk and site.units is not None]
    if not trunk:
        raise InputError(
            f"{policy.name}: no trunk site is a map with known places, which located patching needs; take another agent"
        )
    return trunk


def behaviour_row(policy: Policy, maze: Maze, goal: Goal, pairs: int, distance: int, seed: int) -> LevelRow:
    """Return the answers of a policy on one level."""
    drawn = [pair for kind in Kind for pair in drawn_pairs(maze, kind, goal, pairs, seed, distance)]
    return LevelRow(tuple(pair_answers(policy, drawn)), cell_answers(policy, maze, goal))


def patch_row(
    policy: Policy, maze: Maze, kind: str, goal: Goal, sites: Sequence[Site], pairs: int, distance: int, seed: int
) -> PatchRow:
    """Return the patched pairs of one level: detours, or states with and without the cheese."""
    shown, left_out = shown_pairs(maze, kind, goal, pairs, distance, seed)
    if not shown:
        return PatchRow(left_out, (), (), (), ())
    result = patched(policy, shown, sites)
    return PatchRow(
        left_out=left_out,
        distance=tuple(map(int, result.distance)),
        apart=_rounded(result.apart),
        carried=_nested(result.carried),
        needed=_nested(result.needed),
    )


def map_row(
    policy: Policy,
    maze: Maze,
    kind: str,
    goal: Goal,
    sites: Sequence[Site],
    pairs: int,
    distance: int,
    seed: int,
    maps: int,
) -> MapRow:
    """Return the causal maps of ``maps`` of the patched pairs of one level, drawn from all that are."""
    shown, _ = shown_pairs(maze, kind, goal, pairs, distance, seed)
    if not shown:
        return MapRow((), (), (), ())
    drawn = generator(seed, maze.level or 0, f"{kind} maps to the {goal.value}", 0).permutation(len(shown))[:maps]
    result = block_effects(policy, [shown[k] for k in sorted(drawn)], sites)
    source, mouse = (tuple((int(row), int(column)) for row, column in each) for each in (result.source, result.mouse))
    rest = result.rest.reshape(len(sites), len(drawn), -1)
    return MapRow(source, mouse, _rounded(result.apart), _nested(rest))


def shown_pairs(maze: Maze, kind: str, goal: Goal, pairs: int, distance: int, seed: int) -> tuple[list[Shown], int]:
    """Return the pairs of one level that can be patched, and the number of those whose places overlap."""
    rng = generator(seed, maze.level or 0, f"{kind} places to the {goal.value}", 0)
    found: list[Shown | None]
    if kind == DETOUR:
        found = [shown_detour(pair, rng) for pair in drawn_pairs(maze, Kind.DETOUR, goal, pairs, seed, distance)]
    else:
        found = [shown_cheese(maze, state, rng) for state in _states(maze, pairs, rng)]
    shown = [each for each in found if each is not None]
    return shown, len(found) - len(shown)


def _states(maze: Maze, count: int, rng: np.random.Generator) -> list[State]:
    states = [state for state in maze.states if state.cell not in (maze.cheese, maze.corner)]
    return [states[k] for k in rng.permutation(len(states))[:count]]


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 9) for value in values)


def _nested(values: np.ndarray) -> tuple[tuple[tuple[float, ...], ...], ...]:
    return tuple(tuple(_rounded(row) for row in site) for site in values)
