"""Activations of an agent's channels at points that are the same for all agents: what channels are matched by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.networks.policy import to_input
from envs.maze import Maze
from steering.anatomy.circuit.measure import circuit_sites
from steering.anatomy.circuit.rows import PLACES, POINTS, POINTS_BASIS, STATES, PointsRow
from steering.anatomy.part import Asked, Pass, Rows
from steering.interventions.hooks import HookedPolicy
from steering.statistics.seeding import generator


def points(asked: Asked, maze: Maze, before: Sequence[Rows]) -> PointsRow:
    """Return activations of a level with its cheese, in states of the mouse and places of the map drawn at random.

    A layer without places gives one number a state.
    """
    seed, level, sites = asked.settings.seed, maze.level or 0, circuit_sites(asked.sites)
    drawn = generator(seed, level, "states of points", 0).permutation(len(maze.states))[:STATES]
    frames = to_input(maze.observations([maze.states[i] for i in sorted(drawn)]))
    _, _, seen = HookedPolicy(asked.policy.net).run(frames, capture=[site.name for site in sites])
    found = {}
    for site in sites:
        values = seen[site.name].reshape(len(frames), site.shape[0], -1).numpy()  # [states, channels, places]
        rng = generator(seed, level, f"places of points {site.name}", 0)
        places = np.array([rng.permutation(values.shape[2])[:PLACES] for _ in frames])
        here = np.take_along_axis(values, places[:, None, :], axis=2)
        by_channel = here.transpose(1, 0, 2).reshape(site.shape[0], -1).tolist()
        found[site.name] = tuple(tuple(float(f"{value:.4g}") for value in channel) for channel in by_channel)
    return PointsRow(found)


POINTS_PASS = Pass(PointsRow, points, POINTS_BASIS, POINTS)
"""Behind all others: none of them reads it."""
