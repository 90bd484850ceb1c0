"""Interference: how far from orthogonal the cheese vectors of a level's cells are, and how many a sum still tells."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, to_input
from envs.maze import Cell, Maze, State
from envs.stored.ranges import Count, Name, NonNegative, Positive, Probability
from steering.anatomy import gram
from steering.anatomy.part import Asked, Pass, Rows
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import Site
from steering.statistics import bootstrap
from steering.statistics.seeding import generator

CELLS = 64  # of a level
STATES = 64  # of the mouse in it, for the effective dimension
SETS = 200  # of each size, of each level and site
SIZES = (1, 2, 4, 8)  # vectors in a sum
REVISION = 1  # of how a level is measured: rows of another one are measured again
DISTANCES = (1, 2, 3, 5, 9)  # cells, Chebyshev: where bins begin


@dataclass(frozen=True)
class Angles:
    """Cosines between the directions of one level."""

    pairs: Count
    """Number of pairs of directions."""
    squares: NonNegative
    """Sum of the squared cosines."""
    median: Probability
    """Median of their sizes; 0 for no pair."""
    largest: Probability
    """Largest of their sizes; 0 for no pair."""


@dataclass(frozen=True)
class DistancePart:
    """The squared cosines of the pairs of cells of one bin of distances."""

    pairs: Count
    """Number of pairs."""
    squares: NonNegative
    """Sum of the squared cosines."""


@dataclass(frozen=True)
class SetPart:
    """Sets of vectors that were read from their sum."""

    size: Positive
    """Vectors in a set."""
    sets: Count
    """Number of sets drawn; 0: there are too few vectors."""
    right: Count
    """Number of them that were read."""
    random: Count
    """Number that were read of as many sets of random directions, as long as the vectors."""


@dataclass(frozen=True)
class SiteRow:
    """What was measured at one site of one level."""

    cells: Count
    """Number of cells whose vector has a direction."""
    raw: Angles
    """Of the vectors."""
    centred: Angles
    """Of the vectors less their mean."""
    distances: tuple[DistancePart, ...]
    """Of the vectors, by the distance between their cells."""
    sets: tuple[SetPart, ...]
    """Of the vectors, by the size of the set."""
    effective: NonNegative | None
    """Effective dimension of the activations, over states of the mouse without the cheese; null: not defined."""


@dataclass(frozen=True)
class InterferenceRow:
    """What was measured of one level, as the run's database keeps it."""

    sites: dict[Name, SiteRow]
    """By name of the site."""


def drawn_cells(maze: Maze, seed: int, most: int = CELLS) -> list[Cell]:
    """Return free cells for the cheese, all but the mouse's or so many drawn by (seed, level), in the maze's order."""
    free = [cell for cell in maze.cells if cell != maze.mouse]
    rng = generator(seed, maze.level or 0, "cells for the cheese", 0)
    return [free[i] for i in sorted(rng.permutation(len(free))[:most])]


def activations_of(policy: Policy, frames: np.ndarray, sites: Sequence[Site]) -> dict[str, Tensor]:
    """Return the activations of frames ``uint8[n, 64, 64, 3]`` by site, flat: ``float32[n, size]``."""
    _, _, seen = HookedPolicy(policy.net).run(to_input(frames), capture=[site.name for site in sites])
    return {site.name: seen[site.name].flatten(1) for site in sites}


def inner_products(rows: Tensor) -> np.ndarray:
    """Return the Gram matrix ``float64[n, n]`` of rows ``float[n, size]``."""
    wide = rows.to(torch.float64)
    return np.asarray((wide @ wide.T).numpy())


def with_cheese_on(maze: Maze, cells: Sequence[Cell]) -> np.ndarray:
    """Return frames, mouse at its start: without cheese, then with it on each cell, ``uint8[1 + m, 64, 64, 3]``."""
    start = [State(maze.mouse, maze.facing)]
    shown = [maze.without_cheese(), *(maze.with_cheese(cell) for cell in cells)]
    return np.concatenate([each.observations(start) for each in shown])


def effective_of(policy: Policy, maze: Maze, *, sites: Sequence[Site], seed: int) -> dict[str, float | None]:
    """Return the effective dimension of the activations by site, over states of the mouse without the cheese.

    Args:
        policy: whose activations are read.
        maze: the level.
        sites: where.
        seed: of the states, at most :data:`STATES` of them.

    Returns:
        1 or more; None where it is not defined.
    """
    blank = maze.without_cheese()
    rng = generator(seed, maze.level or 0, "states without the cheese", 0)
    states = [blank.states[i] for i in sorted(rng.permutation(len(blank.states))[:STATES])]
    seen = activations_of(policy, blank.observations(states), sites)
    return {name: bootstrap.defined(gram.effective_dimension(inner_products(values))) for name, values in seen.items()}


def interference_row(policy: Policy, maze: Maze, *, sites: Sequence[Site], seed: int) -> InterferenceRow:
    """Return what the cheese vectors of the cells of one level have to do with one another, site by site.

    Args:
        policy: whose activations are read.
        maze: the level; the mouse stands at its start.
        sites: where.
        seed: of the cells, the states and the sets drawn.
    """
    cells = drawn_cells(maze, seed)
    with_cheese = activations_of(policy, with_cheese_on(maze, cells), sites)
    effective = effective_of(policy, maze, sites=sites, seed=seed)
    found = {}
    for site in sites:
        seen = with_cheese[site.name].to(torch.float64)
        drawn = generator(seed, maze.level or 0, "sets of vectors", 0)  # the same sets at every site
        found[site.name] = site_row(
            inner_products(seen[1:] - seen[:1]),
            cells,
            site.size,
            drawn,
            scale=float(seen[0] @ seen[0]),
            effective=effective[site.name],
        )
    return InterferenceRow(found)


def _measure(asked: Asked, maze: Maze, _: Sequence[Rows]) -> InterferenceRow:
    return interference_row(asked.policy, maze, sites=asked.sites, seed=asked.settings.seed)


WITHIN = Pass(InterferenceRow, _measure, {"sets": SETS, "revision": REVISION})
"""The pass over levels."""


def site_row(
    products: np.ndarray,
    cells: Sequence[Cell],
    dimension: int,
    rng: np.random.Generator,
    *,
    scale: float = 0.0,
    effective: float | None = None,
) -> SiteRow:
    """Return the angles between vectors, and how many of them their sum tells.

    Args:
        products: Gram matrix of the vectors, ``float64[m, m]``.
        cells: the cell of each.
        dimension: numbers in a vector.
        rng: draws the sets, and random directions to compare with.
        scale: squared length to which theirs are compared: far below is rounding.
        effective: effective dimension of the site, None for none.
    """
    kept = gram.with_direction(products, scale)
    products, places = products[np.ix_(kept, kept)], np.array(cells)[kept].reshape(-1, 2)
    cosines = gram.cosines(products)
    apart = np.abs(places[:, None] - places[None, :]).max(axis=2, initial=0)
    return SiteRow(
        cells=len(products),
        raw=_angles(cosines),
        centred=_angles(_centred_cosines(products)),
        distances=_by_distance(cosines, apart),
        sets=_sets(products, dimension, rng),
        effective=effective,
    )


def _upper(values: np.ndarray) -> np.ndarray:
    """Return what stands above the diagonal, flat."""
    return np.asarray(values[np.triu_indices(len(values), 1)])


def _centred_cosines(products: np.ndarray) -> np.ndarray:
    if not len(products):
        return products
    inner = gram.centred(products)
    kept = gram.with_direction(inner, float(np.diag(products).max()))
    return gram.cosines(inner[np.ix_(kept, kept)])


def _angles(cosines: np.ndarray) -> Angles:
    sizes = np.abs(_upper(cosines))
    if not len(sizes):
        return Angles(0, 0.0, 0.0, 0.0)
    return Angles(len(sizes), float(np.sum(sizes**2)), float(np.median(sizes)), float(sizes.max()))


def _by_distance(cosines: np.ndarray, apart: np.ndarray) -> tuple[DistancePart, ...]:
    squares, distances = _upper(cosines) ** 2, _upper(apart)
    parts = []
    for low, end in itertools.zip_longest(DISTANCES, DISTANCES[1:], fillvalue=10**6):
        inside = (low <= distances) & (distances < end)
        parts.append(DistancePart(int(inside.sum()), float(squares[inside].sum())))
    return tuple(parts)


def _sets(products: np.ndarray, dimension: int, rng: np.random.Generator) -> tuple[SetPart, ...]:
    count = len(products)
    if count > 1:
        lengths = np.sqrt(np.diag(products))
        chance = gram.random_cosines(count, dimension, rng) * np.outer(lengths, lengths)
    parts = []
    for size in SIZES:
        if count <= size:
            parts.append(SetPart(size, 0, 0, 0))
            continue
        right, random = (gram.sets_read(each, size, SETS, rng) for each in (products, chance))
        parts.append(SetPart(size, SETS, right, random))
    return tuple(parts)
