"""Located patching: where in the picture, site by site, is what a pair of mazes differs in known?

Of a pair (A, B) of frames, A runs with B's activations put into one place at one site. ``carried`` is how far this
takes the next move from A's to B's: 1 - sum TV(patched, B) / sum TV(A, B), pooled over pairs as blindness is. The
reverse, B with A's activations put in, tells what is ``needed``. (Patching by place and layer: Jenner et al. 2024.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from agents.networks.policy import Policy, move_probabilities, to_input
from envs.chain import total_variation
from envs.maze import Cell, Maze, State
from steering.interventions.partial import PartialNetwork
from steering.interventions.places import blocks_around, place_patch
from steering.interventions.sites import Site
from steering.planning.pairs import Pair, frames_of

PLACES = ("source", "mouse", "route", "elsewhere")
RANDOM, OTHER = "random", "other"  # controls: a place elsewhere as large as the source; the source of another pair's B
PATCHES = (*PLACES, RANDOM, OTHER)
CHUNK = 32  # pairs in one pass


@dataclass(frozen=True)
class Shown:
    """Two frames, A and B, that differ in the source, and the places of the picture."""

    mazes: tuple[Maze, Maze]
    """The mazes of A and B."""
    state: State
    """Cell and facing of the mouse, in both."""
    distance: int
    """Path length, in steps, from the mouse to the source."""
    places: np.ndarray
    """``bool[4, 8, 8]``: the blocks of each of :data:`PLACES`; every block is in one of them."""
    random: np.ndarray
    """``bool[8, 8]``: as many blocks as the source has, none of them the source's or the mouse's."""


def shown_detour(pair: Pair, rng: np.random.Generator) -> Shown | None:
    """Return a detour pair for patching; None where the places of source and mouse overlap."""
    ways = [maze.path(pair.state.cell, pair.goal) for maze in (pair.level, pair.twin)]
    return _shown((pair.level, pair.twin), pair.state, [pair.closed, pair.opened], ways, pair.distance, rng)


def shown_cheese(maze: Maze, state: State, rng: np.random.Generator) -> Shown | None:
    """Return the level without (A) and with (B) its cheese; None where the places of cheese and mouse overlap."""
    assert maze.cheese is not None
    ways = [maze.path(state.cell, goal) for goal in (maze.cheese, maze.corner) if maze.connected(state.cell, goal)]
    return _shown((maze.without_cheese(), maze), state, [maze.cheese], ways, len(ways[0]) - 1, rng)


def _shown(
    mazes: tuple[Maze, Maze],
    state: State,
    changed: Sequence[Cell],
    ways: Sequence[Sequence[Cell]],
    distance: int,
    rng: np.random.Generator,
) -> Shown | None:
    source = blocks_around(mazes[0], changed, 1)
    mouse = blocks_around(mazes[0], [state.cell], 1)
    if (source & mouse).any():
        return None
    route = blocks_around(mazes[0], [cell for way in ways for cell in way]) & ~source & ~mouse
    free = np.argwhere(~source & ~mouse)
    random = np.zeros_like(source)
    rows, columns = rng.permutation(free)[: source.sum()].T
    random[rows, columns] = True
    return Shown(mazes, state, distance, np.stack([source, mouse, route, ~(source | mouse | route)]), random)


@dataclass(frozen=True)
class Patched:
    """Effects of patching on ``n`` pairs at ``s`` sites; patches in the order of :data:`PATCHES`."""

    apart: np.ndarray
    """TV(A, B), ``float64[n]``."""
    carried: np.ndarray
    """TV(A with B's in the place, B), ``float64[s, patches, n]``."""
    needed: np.ndarray
    """TV(B with A's in the place, A), ``float64[s, patches, n]``."""


def patched(policy: Policy, pairs: Sequence[Shown], sites: Sequence[Site]) -> Patched:
    """Return the effects of patching every place at every site, both ways; only what lies behind a site runs again.

    Args:
        policy: of a network that can be traced.
        pairs: of one mode.
        sites: maps.

    Raises:
        InputError: for a network that cannot be traced, or a site without places.
    """
    net = PartialNetwork(policy.net)
    parts = [_patched(net, part, sites) for part in _chunks(pairs)]
    return Patched(
        np.concatenate([part.apart for part in parts]),
        np.concatenate([part.carried for part in parts], axis=2),
        np.concatenate([part.needed for part in parts], axis=2),
    )


def _chunks(pairs: Sequence[Shown]) -> Iterator[Sequence[Shown]]:
    for start in range(0, len(pairs), CHUNK):
        yield pairs[start : start + CHUNK]


def _patched(net: PartialNetwork, pairs: Sequence[Shown], sites: Sequence[Site]) -> Patched:
    masks = np.stack([[*pair.places, pair.random, pair.places[0]] for pair in pairs], axis=1)  # [patches, n, 8, 8]
    a, b = (net.clean(to_input(frames_of((p.mazes[side], p.state) for p in pairs))) for side in (0, 1))
    moves = {side: _moves(net.outputs(values)[0]) for side, values in (("a", a), ("b", b))}
    carried = np.zeros((len(sites), len(PATCHES), len(pairs)))
    needed = np.zeros_like(carried)
    for s, site in enumerate(sites):
        in_a, in_b = net.activation(a, site.name), net.activation(b, site.name)
        for k, name in enumerate(PATCHES):
            into_a, into_b = (torch.roll(each, 1, 0) if name == OTHER else each for each in (in_b, in_a))
            for run, other, aim, found in ((a, into_a, "b", carried), (b, into_b, "a", needed)):
                logits, _ = net.rerun(run, {site.name: place_patch(site, masks[k], other)})
                found[s, k] = total_variation(_moves(logits), moves[aim])
    return Patched(total_variation(moves["a"], moves["b"]), carried, needed)


def _moves(logits: torch.Tensor) -> np.ndarray:
    return np.asarray(move_probabilities(logits).numpy())
