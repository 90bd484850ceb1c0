"""Selection of the channels of a site that track the cheese, by a rule, on levels kept apart from those measured.

The published 11 of 128 channels were picked by eye. Here a channel's score is how much more the cheese changes its map
at the cheese than elsewhere, in units of the channel's own spread; the same share of channels is taken, best first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.networks.policy import Policy, to_input
from envs.errors import InputError
from envs.maze import Cell, Maze, State
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import Site
from steering.statistics.seeding import generator

SHARE = 11 / 128
LEVELS = 64
POOL = (90_000, 100_000)  # evaluation levels that the selection is drawn from


@dataclass(frozen=True)
class Tracking:
    """The channels of a site that track the cheese, and the readings they were selected by."""

    channels: tuple[int, ...]
    """Indices of the channels selected, best first."""
    scores: np.ndarray
    """Change of each channel's map at the cheese beyond elsewhere, in units of its spread: ``float64[channels]``."""
    peaks: np.ndarray
    """Largest activation within one map cell of the cheese, over all levels of the selection: ``float64[channels]``."""
    signs: np.ndarray
    """Mean signed change there, in activations: ``float64[channels]``."""
    shifts: np.ndarray
    """(rows, columns) from the cheese's map cell to the one of these nine where it raises the channel most on average:
    ``int[channels, 2]``."""

    def best(self, count: int) -> tuple[int, ...]:
        """Return the ``count`` channels with the highest scores, best first."""
        return _best(self.scores, count)

    @property
    def leader(self) -> int | None:
        """Return the channel to clamp; None if the cheese raises none of those selected."""
        return next((channel for channel in self.channels if self.signs[channel] > 0), None)

    def place(self, channel: int, maze: Maze, cell: Cell, side: tuple[int, int]) -> tuple[int, int]:
        """Return (row, column) of a map of ``side`` where ``channel`` shows a cheese on ``cell``, shifted."""
        row, column = map_cell(maze, cell, side) + self.shifts[channel]
        return min(max(int(row), 0), side[0] - 1), min(max(int(column), 0), side[1] - 1)


def selection_levels(seed: int) -> tuple[int, ...]:
    """Return the levels that channels are selected on: a function of the seed alone."""
    drawn = generator(seed, 0, "replicate channels", 0).choice(np.arange(*POOL), size=LEVELS, replace=False)
    return tuple(sorted(map(int, drawn)))


def map_cell(maze: Maze, cell: Cell, side: tuple[int, int]) -> tuple[int, int]:
    """Return (row, column) of a map of ``side`` (height, width) that shows the middle of a cell; rows run down."""
    world = maze.state.world_dim
    x, y = (float(v) + 0.5 for v in maze.outer([cell])[0])
    return int((world - y) / world * side[0]), int(x / world * side[1])


def check_maps(site: Site) -> None:
    """Raise :class:`InputError` where a site has no channels with maps."""
    if len(site.shape) != 3:
        raise InputError(
            f"site {site.name} has shape {site.shape}, no channels with maps; give --site a convolutional one, or "
            "name findings that need none"
        )


def track(policy: Policy, site: Site, seed: int, mode: str = "hard") -> Tracking:
    """Score and select the channels of ``site`` on :func:`selection_levels`, mouse at the start.

    A channel's score is the mean over levels of (mean of \\|with cheese - without\\| over the 3x3 map cells around the
    cheese, minus its mean elsewhere), divided by the standard deviation of the channel's activations, with cheese and
    without, over map cells and levels. Channels that never change score 0. Selected is the published share (11 of 128),
    at least one.

    Raises:
        InputError: for a site without maps.
    """
    return track_all(policy, [site], seed, mode)[site.name]


def track_all(policy: Policy, sites: Sequence[Site], seed: int, mode: str = "hard") -> dict[str, Tracking]:
    """Return :func:`track` at several sites, by name; the network is run once for all of them."""
    for site in sites:
        check_maps(site)
    mazes = [maze for maze in Maze.from_levels(selection_levels(seed), mode) if maze.cheese is not None]
    names = [site.name for site in sites]
    maps = [_maps(policy, maze, names) for maze in mazes]
    return {site.name: _tracking(site, mazes, np.stack([each[site.name] for each in maps])) for site in sites}


def _tracking(site: Site, mazes: Sequence[Maze], maps: np.ndarray) -> Tracking:
    """Score maps ``float64[levels, 2, channels, height, width]``, with the cheese and without."""
    near = np.stack([_around(maze, (site.shape[1], site.shape[2])) for maze in mazes])  # bool[levels, height, width]
    change = maps[:, 0] - maps[:, 1]
    inside = near.sum(axis=(1, 2))[:, None]
    outside = near[0].size - inside
    here = np.einsum("lchw,lhw->lc", np.abs(change), near) / inside
    there = np.einsum("lchw,lhw->lc", np.abs(change), ~near) / np.maximum(outside, 1)
    spread = maps.std(axis=(0, 1, 3, 4))
    contrast = (here - there).mean(axis=0)
    scores = np.divide(contrast, spread, out=np.zeros_like(contrast), where=spread > 0)
    count = max(1, round(SHARE * site.shape[0]))
    peaks = np.where(near[:, None], maps[:, 0], -np.inf).max(axis=(0, 2, 3))
    signs = (np.einsum("lchw,lhw->lc", change, near) / inside).mean(axis=0)
    return Tracking(_best(scores, count), scores, peaks, signs, _shifts(mazes, change))


def _shifts(mazes: Sequence[Maze], change: np.ndarray) -> np.ndarray:
    """Return ``int[channels, 2]``, the largest mean of ``change[levels, channels, height, width]`` near the cheese."""
    framed = np.pad(change, ((0, 0), (0, 0), (1, 1), (1, 1)))
    around = []
    for maze, maps in zip(mazes, framed, strict=True):
        assert maze.cheese is not None
        row, column = map_cell(maze, maze.cheese, (change.shape[2], change.shape[3]))
        around.append(maps[:, row : row + 3, column : column + 3])
    largest = np.mean(around, axis=0).reshape(change.shape[1], 9).argmax(axis=1)
    return np.stack(np.divmod(largest, 3), axis=1) - 1


def _best(scores: np.ndarray, count: int) -> tuple[int, ...]:
    return tuple(map(int, np.argsort(-scores, kind="stable")[:count]))


def _maps(policy: Policy, maze: Maze, sites: Sequence[str]) -> dict[str, np.ndarray]:
    """Return ``float64[2, channels, height, width]`` of each site: with the cheese and without, mouse at the start."""
    start = [State(maze.mouse, maze.facing)]
    frames = np.concatenate([maze.observations(start), maze.without_cheese().observations(start)])
    _, _, seen = HookedPolicy(policy.net).run(to_input(frames), capture=list(sites))
    return {name: seen[name].double().numpy() for name in sites}


def _around(maze: Maze, side: tuple[int, int]) -> np.ndarray:
    """Return ``bool[height, width]``, the map cells within one of the cheese's."""
    assert maze.cheese is not None
    row, column = map_cell(maze, maze.cheese, side)
    near = np.zeros(side, dtype=bool)
    near[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
    return near
