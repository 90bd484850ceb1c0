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
from scipy.ndimage import distance_transform_cdt

from agents.networks.policy import Policy, move_probabilities, to_input
from envs.chain import total_variation
from envs.maze import Cell, Maze, State
from steering.interventions.partial import CleanValues, PartialNetwork
from steering.interventions.places import PlacePatch, blocks_around, units_in
from steering.interventions.sites import Site
from steering.planning.pairs import Pair, frames_of

PLACES = ("source", "mouse", "route", "elsewhere")
RANDOM, OTHER = "random", "other"  # controls: a place as large as the source and as far; the source of another pair's B
PATCHES = (*PLACES, RANDOM, OTHER)
CHUNK = 32  # pairs in one pass
STATES = 64  # states in one pass behind a site


@dataclass(frozen=True)
class Frames:
    """Two frames, A and B."""

    mazes: tuple[Maze, Maze]
    """The mazes of A and B."""
    state: State
    """Cell and facing of the mouse, in both."""


@dataclass(frozen=True)
class Shown(Frames):
    """Two frames that differ in the source, and the places of the picture."""

    distance: int
    """Path length, in steps, from the mouse to the source."""
    places: np.ndarray
    """``bool[4, 8, 8]``: the blocks of each of :data:`PLACES`; every block is in one of them."""
    random: np.ndarray
    """``bool[8, 8]``: as many blocks as the source has, of :func:`far_from_both`."""
    nearest: Cell
    """Changed cell that is ``distance`` steps away."""


def shown_detour(pair: Pair, rng: np.random.Generator) -> Shown | None:
    """Return a detour pair for patching; None where the places of source and mouse overlap."""
    ways = [maze.path(pair.state.cell, pair.goal) for maze in (pair.level, pair.twin)]
    changed = [pair.closed, pair.opened]
    if ways[0].index(pair.closed) != pair.distance:
        changed.reverse()
    return _shown((pair.level, pair.twin), pair.state, changed, ways, pair.distance, rng)


def shown_cheese(maze: Maze, state: State, rng: np.random.Generator) -> Shown | None:
    """Return the level without (A) and with (B) its cheese; None where the places of cheese and mouse overlap."""
    assert maze.cheese is not None
    ways = [maze.path(state.cell, goal) for goal in (maze.cheese, maze.corner) if maze.connected(state.cell, goal)]
    return _shown((maze.without_cheese(), maze), state, [maze.cheese], ways, len(ways[0]) - 1, rng)


def _shown(
    mazes: tuple[Maze, Maze],
    state: State,
    changed: Sequence[Cell],  # the nearest first
    ways: Sequence[Sequence[Cell]],
    distance: int,
    rng: np.random.Generator,
) -> Shown | None:
    source = blocks_around(mazes[0], changed, 1)
    mouse = blocks_around(mazes[0], [state.cell], 1)
    if (source & mouse).any():
        return None
    route = blocks_around(mazes[0], [cell for way in ways for cell in way]) & ~source & ~mouse
    random = far_from_both(source, mouse, rng)
    places = np.stack([source, mouse, route, ~(source | mouse | route)])
    return Shown(mazes, state, distance, places, random, changed[0])


def far_from_both(source: np.ndarray, mouse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw as many blocks as the source has, as far from source and mouse as these are from one another.

    Where too few are so far from both, the farthest of the others join them. Distances are in blocks, Chebyshev.

    Args:
        source: ``bool[8, 8]``.
        mouse: ``bool[8, 8]``, without a block of the source.
        rng: of the draw.

    Returns:
        ``bool[8, 8]``, none of the blocks the source's or the mouse's.
    """
    from_source, from_mouse = (distance_transform_cdt(~place, "chessboard") for place in (source, mouse))
    far = np.minimum(np.minimum(from_source, from_mouse), from_source[mouse].min())
    drawn = rng.permutation(np.argwhere(~source & ~mouse))
    farthest = drawn[np.argsort(-far[tuple(drawn.T)], kind="stable")]
    found = np.zeros_like(source)
    found[tuple(farthest[: source.sum()].T)] = True
    return found


@dataclass(frozen=True)
class Patched:
    """Effects of patching on ``n`` pairs at ``s`` sites; patches in the order of :data:`PATCHES`."""

    distance: np.ndarray
    """Path length of each pair, in steps, ``int[n]``."""
    apart: np.ndarray
    """TV(A, B), ``float64[n]``."""
    carried: np.ndarray
    """TV(A with B's in the place, B), ``float64[s, patches, n]``."""
    needed: np.ndarray
    """TV(B with A's in the place, A), ``float64[s, patches, n]``."""


class PairRuns:
    """Runs of the two frames of some pairs, and what patches of one with the other leave of their difference.

    Only what lies behind a site runs again, and only for pairs that differ in the place: others give what they gave.

    Args:
        net: the network.
        pairs: of one mode.
    """

    def __init__(self, net: PartialNetwork, pairs: Sequence[Frames]) -> None:
        self._net = net
        self._runs = [net.clean(to_input(frames_of((p.mazes[side], p.state) for p in pairs))) for side in (0, 1)]
        self._moves = [_moves(net.outputs(values)[0]) for values in self._runs]
        self.apart = total_variation(*self._moves)

    def rest(self, site: Site, places: np.ndarray, *, side: int = 0, turned: bool = False) -> np.ndarray:
        """Return how far the moves of A, with B's activations put into a place, are from those of B.

        Args:
            site: a map.
            places: blocks of each of ``k`` places for each pair, ``bool[k, n, 8, 8]``.
            side: 1 for the reverse: B's moves, with A's activations, from those of A.
            turned: put in the activations of the next pair.

        Returns:
            Total variation, ``float64[k, n]``.

        Raises:
            InputError: for a site without places.
        """
        run, aim = self._runs[side], self._moves[1 - side]
        here, there = (self._net.activation(values, site.name) for values in (run, self._runs[1 - side]))
        there = torch.roll(there, 1, 0) if turned else there
        units = torch.from_numpy(units_in(site, places)).to(here.device)  # [k, n, h, w]
        found = np.tile(self.apart, (len(places), 1))
        changed = (units & (here != there).any(dim=1)).flatten(2).any(dim=2)
        for part in changed.nonzero().cpu().split(STATES):
            place, pair = part.T
            edit = PlacePatch(units[place, pair][:, None], there[pair])
            moves = _moves(self._behind(run, site, pair, edit))
            found[place.numpy(), pair.numpy()] = total_variation(moves, aim[pair.numpy()])
        return found

    def _behind(self, run: CleanValues, site: Site, states: torch.Tensor, edit: PlacePatch) -> torch.Tensor:
        return self._net.rerun(self._net.states(run, site.name, states), {site.name: edit})[0]


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
    parts = [_patched(net, part, sites) for part in chunks(pairs)]
    return Patched(
        np.array([pair.distance for pair in pairs]),
        np.concatenate([apart for apart, _, _ in parts]),
        np.concatenate([carried for _, carried, _ in parts], axis=2),
        np.concatenate([needed for _, _, needed in parts], axis=2),
    )


def chunks(pairs: Sequence[Shown]) -> Iterator[Sequence[Shown]]:
    """Yield the pairs in parts of at most :data:`CHUNK`, as even as can be: no pair is alone that need not be."""
    for part in np.array_split(np.arange(len(pairs)), -(-len(pairs) // CHUNK)):
        yield [pairs[k] for k in part]


def _patched(
    net: PartialNetwork, pairs: Sequence[Shown], sites: Sequence[Site]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    runs = PairRuns(net, pairs)
    own = np.stack([[*pair.places, pair.random] for pair in pairs], axis=1)  # [places, n, 8, 8]
    carried, needed = (
        np.stack(
            [
                np.concatenate([runs.rest(site, own, side=side), runs.rest(site, own[:1], side=side, turned=True)])
                for site in sites
            ]
        )
        for side in (0, 1)
    )
    return runs.apart, carried, needed


def _moves(logits: torch.Tensor) -> np.ndarray:
    return np.asarray(move_probabilities(logits).numpy())
