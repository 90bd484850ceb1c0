"""How far a cheese vector depends on where the mouse stands: its direction and length against the one at the start.

At a site that only decodes the picture the cheese adds the same to the activations wherever the mouse is. Where mouse
and cheese are further apart than the site's receptive field this must be so ("outside"), whatever the network does;
what counts is "inside".
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, to_input
from envs.maze import Maze, State
from steering.experiments.outcome import DISTANCES
from steering.experiments.profiles import outside_field
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import Site
from steering.probes.data import drawn_states
from steering.probes.summary import SUMS


def position_sums(policy: Policy, mazes: Sequence[Maze], sites: Sequence[Site], states: int, seed: int) -> np.ndarray:
    """:func:`maze_sums` of ``states`` states of each maze (those of the probes): the mazes come first."""
    return np.stack([maze_sums(policy, maze, sites, drawn_states(maze, states, seed)) for maze in mazes])


def maze_sums(policy: Policy, maze: Maze, sites: Sequence[Site], states: Sequence[State]) -> np.ndarray:
    """Sums ``float64[n_sites, n_distances, 2, len(SUMS)]`` over ``states``, outside the receptive field last."""
    assert maze.cheese is not None
    asked = [State(maze.mouse, maze.facing), *states]
    frames = [part.observations(asked) for part in (maze, maze.without_cheese())]
    seen = HookedPolicy(policy.net).run(to_input(np.concatenate(frames)), capture=[site.name for site in sites])[2]
    steps = maze.distances(maze.mouse)
    bins = np.array([bisect.bisect_right(DISTANCES, int(steps[maze.index[state.cell]])) - 1 for state in states])
    index = [maze.state_index(*state) for state in states]
    found = np.zeros((len(sites), len(DISTANCES), 2, len(SUMS)))
    for number, site in enumerate(sites):
        here, gone = seen[site.name].flatten(1).double().chunk(2)
        outside = outside_field(maze, site.receptive_field, maze.mouse)[index].astype(int)
        np.add.at(found[number], (bins, outside), _compare(here - gone))
    return found


def _compare(vectors: Tensor) -> np.ndarray:
    """:data:`SUMS` of each vector against the first: ``float64[n - 1, len(SUMS)]`` for ``[n, d]``."""
    start, others = vectors[0], vectors[1:]
    here, there = torch.linalg.vector_norm(others, dim=1), torch.linalg.vector_norm(start)
    both = here * there
    cosine = torch.where(both > 0, others @ start / both, 0.0)
    difference = torch.linalg.vector_norm(others - start, dim=1)
    columns = [torch.ones_like(here), (both > 0).double(), cosine, here, there.expand_as(here), difference]
    return torch.stack(columns, dim=1).numpy()
