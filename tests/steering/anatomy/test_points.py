"""Activations at points: the same states and places for every agent, and the network's own numbers."""

from __future__ import annotations

import numpy as np
import pytest

from agents.networks.policy import MazePolicy, Policy, to_input
from envs.maze import Maze
from steering.anatomy.circuit.points import points
from steering.anatomy.circuit.rows import PLACES, STATES, PointsRow
from steering.anatomy.part import Asked
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import select_sites
from steering.records.anatomy.summary import AnatomySettings

SITES = "input,block3.res1.resadd,fc"


def pointed(policy: Policy, maze: Maze) -> PointsRow:
    sites = select_sites(SITES, policy.net)
    settings = AnatomySettings(("circuit",), tuple(site.name for site in sites), (2,), 64, 64, 0, "hard")
    return points(Asked(policy, [maze], sites, settings), maze, ())


def test_points_are_the_same_for_every_agent_and_hold_its_own_activations(
    policy: MazePolicy, random_policy: MazePolicy, maze: Maze
) -> None:
    one, other = pointed(policy, maze), pointed(random_policy, maze)
    assert one.sites["input"] == other.sites["input"], "the picture is that of the level, whoever looks"
    units, maps = (np.array(one.sites[f"embedder.{name}"]) for name in ("fc", "block3.res1.resadd"))
    assert units.shape == (256, STATES) and maps.shape == (32, STATES * PLACES)
    assert not np.allclose(units, other.sites["embedder.fc"])
    x = to_input(maze.observations(maze.states))
    _, _, seen = HookedPolicy(policy.net).run(x, capture=["embedder.fc", "embedder.block3.res1.resadd"])
    everywhere = seen["embedder.block3.res1.resadd"].permute(1, 0, 2, 3).flatten(1)
    for found, known in ((units, seen["embedder.fc"].T), (maps, everywhere)):
        gaps = [np.abs(known.numpy() - point[:, None]).max(axis=0).min() for point in found.T]
        assert max(gaps) == pytest.approx(0, abs=1e-3 * np.abs(found).max()), "all channels of one state and place"
