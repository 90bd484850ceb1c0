"""Which channels of a site move when the cheese, a wall or the mouse does, level by level."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agents.networks.policy import Policy, to_input
from envs.maze import Cell, Maze, State
from envs.simulator.state_layout import SPACE
from envs.stored.ranges import Count, Name, NonNegative, Probability
from steering.anatomy.modules.channels import channel_graph
from steering.anatomy.modules.energy import ROTATIONS, gini, participation, spectrum, top_share, turned
from steering.anatomy.part import Asked, Pass, Rows
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import Site
from steering.records.anatomy.modules import KINDS
from steering.statistics.seeding import generator

CHANGES = 8  # of a kind, of a level
ROUNDING = 1e-12  # of the squared length of the activations: less is no vector, but rounding
REVISION = 1  # of how a level is measured: rows of another one are measured again
DIGITS = 5  # of shares kept
_CHANNELS: weakref.WeakKeyDictionary[nn.Module, dict[str, int]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Concentration:
    """How unevenly energy lies over channels; mean over rotations where it is of these."""

    participation: NonNegative
    """Number of channels of equal energy that are as concentrated."""
    gini: Probability
    """Gini coefficient."""
    top: Probability
    """Share of the energy in the quarter of the channels that has the most."""


@dataclass(frozen=True)
class KindRow:
    """What the vectors of one kind do at one site of one level."""

    vectors: Count
    """Number of vectors, those that are rounding left out; 0: the rest is empty."""
    halves: tuple[tuple[NonNegative, ...], ...]
    """Shares of the energy by channel, mean over every other vector, from the first and from the second; a half
    without vectors is empty."""
    own: Concentration | None
    """Of the mean over all vectors."""
    turned: Concentration | None
    """Of the same along random axes."""
    beyond: Count
    """Number of rotations whose energy lies in as few channels, or fewer (by ``participation``)."""


@dataclass(frozen=True)
class SiteRow:
    """What was measured at one site of one level."""

    kinds: dict[Name, KindRow]
    """By name of what changes."""


@dataclass(frozen=True)
class AlignmentRow:
    """What was measured of one level, as the run's database keeps it."""

    sites: dict[Name, SiteRow]
    """By name of the site."""


def closed_walls(maze: Maze) -> list[Cell]:
    """Return the walls between two free cells that are opposite sides of them, row by row.

    To open one joins two places that are joined already, so every way that there was stays.
    """
    found = []
    for y, x in itertools.product(range(maze.dim), repeat=2):
        sides = ((x - 1, y), (x + 1, y)), ((x, y - 1), (x, y + 1))
        if not maze.is_free((x, y)) and any(maze.is_free(a) and maze.is_free(b) for a, b in sides):
            found.append((x, y))
    return found


def with_opened(maze: Maze, wall: Cell) -> Maze:
    """Return the maze with one wall opened."""
    grid, margin = maze.state.grid.copy(), maze.state.margin
    grid[wall[1] + margin, wall[0] + margin] = SPACE
    return Maze.from_state(maze.state.with_grid(grid, maze.dim), level=maze.level)


def changes(maze: Maze, seed: int) -> dict[str, list[tuple[Maze, State]]]:
    """Return what is shown beside the maze without cheese and with the mouse at its start, by kind of change.

    The cheese on its own cell and on free ones drawn; closed walls drawn, each opened; the mouse on other free cells
    drawn, facing as it did. So many as there are, at most :data:`CHANGES`, drawn by (seed, level).
    """
    blank, start = maze.without_cheese(), State(maze.mouse, maze.facing)
    free = [cell for cell in maze.cells if cell != maze.mouse]

    def drawn(cells: Sequence[Cell], what: str, first: Sequence[Cell] = ()) -> list[Cell]:
        rng = generator(seed, maze.level or 0, f"modules: {what}", 0)
        others = [cell for cell in cells if cell not in first]
        return [*first, *(others[i] for i in rng.permutation(len(others)))][:CHANGES]

    own = [maze.cheese] if maze.cheese is not None else []
    shown = {
        "cheese": [(maze.with_cheese(cell), start) for cell in drawn(free, "cheese", own)],
        "walls": [(with_opened(blank, wall), start) for wall in drawn(closed_walls(blank), "walls")],
        "mouse": [(blank, State(cell, maze.facing)) for cell in drawn(free, "mouse")],
    }
    assert tuple(shown) == KINDS
    return shown


def alignment_row(policy: Policy, maze: Maze, *, sites: Sequence[Site], seed: int) -> AlignmentRow:
    """Return how the energy of the vectors of one level lies over channels, site by site.

    Args:
        policy: whose activations are read.
        maze: the level; the mouse stands at its start.
        sites: where.
        seed: of the changes drawn.
    """
    shown = changes(maze, seed)
    pairs = [(maze.without_cheese(), State(maze.mouse, maze.facing)), *itertools.chain.from_iterable(shown.values())]
    frames = np.concatenate([each.observations([state]) for each, state in pairs])
    _, _, seen = HookedPolicy(policy.net).run(to_input(frames), capture=[site.name for site in sites])
    channels, counts = channels_of(policy.net), [len(each) for each in shown.values()]
    found = {}
    for site in sites:
        by_channel = seen[site.name].reshape(len(frames), channels[site.name], -1)  # a flattened map's are the map's
        found[site.name] = site_row(by_channel, counts)
    return AlignmentRow(found)


def channels_of(net: nn.Module) -> dict[str, int]:
    """Return the number of channels at each site of a network, by name; raise as :func:`channel_graph` does."""
    if net not in _CHANNELS:
        _CHANNELS[net] = {name: group.channels for group in channel_graph(net).groups for name in group.places}
    return _CHANNELS[net]


def site_row(seen: Tensor, counts: Sequence[int]) -> SiteRow:
    """Return how energy lies over channels.

    Args:
        seen: activations of the maze left alone, then of the changes of each kind in turn, ``float[1 + n, c, m]``.
        counts: number of changes of each kind.
    """
    wide = seen.to(torch.float64)
    vectors, least = (wide[1:] - wide[:1]).numpy(), ROUNDING * float((wide[0] ** 2).sum())
    ends = np.r_[0, np.cumsum(counts)]
    return SiteRow({kind: _kind(vectors[ends[k] : ends[k + 1]], least) for k, kind in enumerate(KINDS)})


def _kind(vectors: np.ndarray, least: float) -> KindRow:
    """Return the row of vectors ``float64[n, c, m]``, each scaled to length 1 so that all count alike."""
    lengths = np.square(vectors).sum(axis=(1, 2))
    kept = lengths > max(least, 0.0)
    units = vectors[kept] / np.sqrt(lengths[kept])[:, None, None]
    if not len(units):
        return KindRow(0, ((), ()), None, None, 0)
    energies = np.square(units).sum(axis=2)
    channels, own = energies.shape[1], energies.mean(axis=0)
    rows = np.moveaxis(units, 0, 1).reshape(channels, -1) / np.sqrt(len(units))
    along = turned(spectrum(rows), channels)
    as_few = participation(along) <= participation(own) * (1 + 1e-9)
    halves = [energies[first::2].mean(axis=0) if len(energies) > first else np.empty(0) for first in (0, 1)]
    return KindRow(
        vectors=len(units),
        halves=tuple(tuple(round(float(share), DIGITS) for share in half) for half in halves),
        own=_concentration(own),
        turned=_concentration(along),
        beyond=int(as_few.sum()),
    )


def _concentration(energies: np.ndarray) -> Concentration:
    return Concentration(*(float(np.mean(of(energies))) for of in (participation, gini, top_share)))


def _measure(asked: Asked, maze: Maze, _: Sequence[Rows]) -> AlignmentRow:
    return alignment_row(asked.policy, maze, sites=asked.sites, seed=asked.settings.seed)


ALIGNMENT = Pass(AlignmentRow, _measure, {"changes": CHANGES, "rotations": ROTATIONS, "revision": REVISION})
"""The pass over levels."""
