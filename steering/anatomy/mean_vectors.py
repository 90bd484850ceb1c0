"""The same cell over mazes: the mean of its cheese vector, and how far from orthogonal the means of cells are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from agents.networks.policy import Policy
from envs.maze import Cell, Maze
from envs.stored.ranges import Count, Name, NonNegative, Number
from steering.anatomy.interference import SETS, InterferenceRow, SiteRow, activations_of, site_row, with_cheese_on
from steering.anatomy.part import Asked, Once, Rows
from steering.interventions.sites import Site
from steering.statistics.seeding import generator

CELLS = 128  # most, of the picture
FEWEST = 10  # levels in which a cell is free
GROUPS = 10  # of levels, each left out once for the interval
MOST_VALUES = 250_000_000  # sums kept at once, of 4 bytes each: of more sites the network runs again
REVISION = 2  # of how they are measured: a row of another one is measured again


@dataclass(frozen=True)
class HalvesPart:
    """What the means over one half of the levels have to do with those over the other; null: no cell is in both."""

    same: Number | None
    """Cosine of the two means of a cell, mean over cells."""
    other: Number | None
    """Cosine of the means of two cells, one of each half, mean over pairs."""
    found: Number | None
    """Share of cells whose mean in the other half is nearest to their own, by cosine, among all cells."""


@dataclass(frozen=True)
class MeanSiteRow:
    """What was measured of the means at one site: of all levels, then with each group of levels left out."""

    angles: tuple[SiteRow, ...]
    """Angles between the means of cells."""
    halves: tuple[HalvesPart, ...]
    """The two halves of the levels compared."""


@dataclass(frozen=True)
class MeanRow:
    """What was measured of the mean vectors, as the run's database keeps it."""

    cells: Count
    """Number of cells; 0: too few levels share one."""
    levels: NonNegative
    """Levels in which a cell is free, mean over cells."""
    sites: dict[Name, MeanSiteRow]
    """By name of the site; none without cells."""


def shared_cells(mazes: Sequence[Maze], seed: int) -> list[Cell]:
    """Return cells of the whole picture on which the cheese can lie in at least :data:`FEWEST` mazes.

    All of them, or :data:`CELLS` drawn by the seed, in the order of columns and rows.
    """
    free: dict[Cell, int] = {}
    for maze in mazes:
        for cell in _free(maze):
            free[cell] = free.get(cell, 0) + 1
    shared = sorted(cell for cell, count in free.items() if count >= FEWEST)
    drawn = generator(seed, 0, "cells of all levels", 0).permutation(len(shared))[:CELLS]
    return [shared[k] for k in sorted(drawn)]


def _free(maze: Maze) -> dict[Cell, Cell]:
    """Return the cells that the cheese can lie on, as the whole picture counts them, with the maze's own count."""
    inner = [cell for cell in maze.cells if cell != maze.mouse]
    return {(int(x), int(y)): cell for (x, y), cell in zip(maze.outer(inner), inner, strict=True)}


def mean_row(
    policy: Policy, mazes: Sequence[Maze], *, sites: Sequence[Site], seed: int, effective: Mapping[str, float | None]
) -> MeanRow:
    """Return what the mean cheese vectors of cells have to do with one another, site by site.

    Args:
        policy: whose activations are read.
        mazes: the levels; every mouse stands at its start.
        sites: where.
        seed: of the cells, the groups of levels and the sets drawn.
        effective: effective dimension of the activations, by site.
    """
    cells = shared_cells(mazes, seed)
    if len(cells) < 2:
        return MeanRow(0, 0.0, {})
    group = generator(seed, 0, "groups of levels", 0).permutation(len(mazes)) % GROUPS
    free = [_free(maze) for maze in mazes]
    count = np.zeros((GROUPS, len(cells)))
    for own, number in zip(free, group, strict=True):
        count[number] += [cell in own for cell in cells]
    found: dict[str, MeanSiteRow] = {}
    for some in _in_parts(sites, GROUPS * len(cells)):
        sums = {site.name: torch.zeros(GROUPS, len(cells), site.size) for site in some}
        scale = dict.fromkeys(sums, 0.0)
        for maze, own, number in zip(mazes, free, group, strict=True):
            inside = [k for k, cell in enumerate(cells) if cell in own]
            if not inside:
                continue
            seen = activations_of(policy, with_cheese_on(maze, [own[cells[k]] for k in inside]), some)
            for name, values in seen.items():
                sums[name][int(number), inside] += values[1:] - values[:1]
                scale[name] = max(scale[name], float(values[0] @ values[0]))
        for site in some:
            flat = sums.pop(site.name).flatten(0, 1)
            products = (flat @ flat.T).to(torch.float64).numpy().reshape(GROUPS, len(cells), GROUPS, len(cells))
            found[site.name] = mean_site_row(
                products, count, cells, site.size, seed, scale=scale[site.name], effective=effective[site.name]
            )
    return MeanRow(len(cells), float(count.sum(axis=0).mean()), found)


def _in_parts(sites: Sequence[Site], vectors: int) -> Iterator[list[Site]]:
    """Yield the sites in parts whose sums fit into memory, at least one each."""
    part: list[Site] = []
    for site in sites:
        if part and vectors * (sum(each.size for each in part) + site.size) > MOST_VALUES:
            yield part
            part = []
        part.append(site)
    yield part


def mean_site_row(
    products: np.ndarray,
    count: np.ndarray,
    cells: Sequence[Cell],
    dimension: int,
    seed: int,
    *,
    scale: float = 0.0,
    effective: float | None = None,
) -> MeanSiteRow:
    """Return the angles between the means of cells, from inner products of their sums over groups of levels.

    Args:
        products: of the sums of group and cell, ``float64[groups, m, groups, m]``.
        count: number of levels in each sum, ``float64[groups, m]``.
        cells: of the picture.
        dimension: numbers in a vector.
        seed: of the sets drawn.
        scale: squared length to which theirs are compared: far below is rounding.
        effective: effective dimension of the site, None for none.
    """
    groups = len(count)
    angles, halves = [], []
    for left_out in (None, *range(groups)):
        kept = np.arange(groups) != (-1 if left_out is None else left_out)
        levels = count[kept].sum(axis=0)
        known = np.flatnonzero(levels)
        total = products[kept][:, :, kept].sum(axis=(0, 2))
        gram = (total / np.outer(np.maximum(levels, 1), np.maximum(levels, 1)))[np.ix_(known, known)]
        rng = generator(seed, 0, "sets of mean vectors", 0)
        own = [cells[int(k)] for k in known]
        angles.append(site_row(gram, own, dimension, rng, scale=scale, effective=effective))
        halves.append(_between_halves(products, count, kept))
    return MeanSiteRow(tuple(angles), tuple(halves))


def _between_halves(products: np.ndarray, count: np.ndarray, kept: np.ndarray) -> HalvesPart:
    """Return what the means over the even groups have to do with those over the odd ones."""
    even = np.arange(len(count)) % 2 == 0
    halves = [np.flatnonzero(kept & even), np.flatnonzero(kept & ~even)]
    sums = [[products[one][:, :, two].sum(axis=(0, 2)) for two in halves] for one in halves]
    lengths = [np.sqrt(np.maximum(np.diag(sums[k][k]), 0.0)) for k in (0, 1)]
    known = np.all([count[half].sum(axis=0) > 0 for half in halves], axis=0) & (lengths[0] > 0) & (lengths[1] > 0)
    if known.sum() < 2:
        return HalvesPart(None, None, None)
    cosines = (sums[0][1] / np.outer(*(np.where(known, each, 1.0) for each in lengths)))[np.ix_(known, known)]
    own, size = np.diag(cosines), len(cosines)
    found = np.mean([np.argmax(cosines, axis=axis) == np.arange(size) for axis in (0, 1)])
    return HalvesPart(float(own.mean()), float((cosines.sum() - own.sum()) / (size * (size - 1))), float(found))


def _measure(asked: Asked, before: Sequence[Rows]) -> MeanRow:
    within: Sequence[InterferenceRow] = [before[0][level] for level in asked.settings.levels]
    seen = {site.name: [row.sites[site.name].effective for row in within] for site in asked.sites}
    known = {name: [value for value in values if value is not None] for name, values in seen.items()}
    effective = {name: float(np.mean(values)) if values else None for name, values in known.items()}
    return mean_row(asked.policy, asked.mazes, sites=asked.sites, seed=asked.settings.seed, effective=effective)


OVER_LEVELS = Once(
    MeanRow,
    _measure,
    {"sets": SETS, "cells of all": CELLS, "fewest": FEWEST, "groups": GROUPS, "revision": REVISION},
    name="means",
)
"""The pass over all levels together, behind the one within each."""
