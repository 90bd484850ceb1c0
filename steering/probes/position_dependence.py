"""Dependence of a cheese vector on the mouse's cell: its direction and length against the one at the start.

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
from steering.probes.curves import Tally
from steering.probes.data import drawn_states
from steering.probes.summary import with_interval
from steering.records.probes import SiteVectors, VectorBin, VectorReadings
from steering.statistics import bootstrap

# Per state: 1, 1 where both vectors have a length, cosine; norms of the vector here, at the start, of the difference.
SUMS = ("states", "angles", "cosine", "here", "start", "difference")


def position_sums(policy: Policy, mazes: Sequence[Maze], sites: Sequence[Site], states: int, seed: int) -> np.ndarray:
    """Return :func:`maze_sums` of each maze: ``float64[n_mazes, n_sites, n_distances, 2, len(SUMS)]``.

    Args:
        policy: the agent.
        mazes: each with a cheese.
        sites: where vectors are taken.
        states: how many states of each maze, those of the probes.
        seed: of the drawing of states.
    """
    return np.stack([maze_sums(policy, maze, sites, drawn_states(maze, states, seed)) for maze in mazes])


def maze_sums(policy: Policy, maze: Maze, sites: Sequence[Site], states: Sequence[State]) -> np.ndarray:
    """Return sums ``float64[n_sites, n_distances, 2, len(SUMS)]`` over ``states``, outside the receptive field last."""
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
    """Return :data:`SUMS` of each vector against the first: ``float64[n - 1, len(SUMS)]`` for ``[n, d]``."""
    start, others = vectors[0], vectors[1:]
    here, there = torch.linalg.vector_norm(others, dim=1), torch.linalg.vector_norm(start)
    both = here * there
    cosine = torch.where(both > 0, others @ start / both, 0.0)
    difference = torch.linalg.vector_norm(others - start, dim=1)
    columns = [torch.ones_like(here), (both > 0).double(), cosine, here, there.expand_as(here), difference]
    return torch.stack(columns, dim=1).numpy()


def representation(sums: np.ndarray, names: Sequence[str], samples: np.ndarray) -> tuple[SiteVectors, ...]:
    """Return the dependence of each site's cheese vectors on the mouse's position, pooled over mazes.

    Args:
        sums: ``float64[n_mazes, n_sites, n_distances, 2, len(SUMS)]``, from
            :func:`position_sums`.
        names: the sites, in the order of ``sums``.
        samples: ``int[draws, n_mazes]``, the resamples of the intervals.
    """
    drawn = np.vstack([np.arange(len(sums)), samples])
    return tuple(_site_vectors(sums[:, number], name, drawn) for number, name in enumerate(names))


def _site_vectors(table: np.ndarray, name: str, drawn: np.ndarray) -> SiteVectors:
    """Return the readings of one site's sums ``float64[n_mazes, n_distances, 2, len(SUMS)]``."""
    inside, outside = (_pooled(table[:, :, side].sum(1), drawn) for side in (0, 1))
    bins = []
    for k, first in enumerate(DISTANCES):
        for side in (0, 1):
            part = _pooled(table[:, k, side], drawn)
            if part is not None:
                bins.append(
                    VectorBin(
                        distance=first,
                        outside=bool(side),
                        states=part.states,
                        mazes=part.mazes,
                        cosine=part.cosine,
                        norm_ratio=part.norm_ratio,
                        interaction=part.interaction,
                    )
                )
    return SiteVectors(name, inside, outside, tuple(bins))


def interaction_tally(sums: np.ndarray) -> Tally:
    """Return the two sums that the interaction inside the receptive field is the ratio of, by maze.

    ``float[n_sites, n_mazes]`` each: summed norms of the difference between the cheese vector at a state and that at
    the start, and of the vector at the state. ``sums``: as for :func:`representation`.
    """
    inside = sums[:, :, :, 0].sum(axis=2)
    return Tally(inside[..., SUMS.index("difference")].T, inside[..., SUMS.index("here")].T)


def _pooled(sums: np.ndarray, drawn: np.ndarray) -> VectorReadings | None:
    """Return the readings of sums ``float64[n_mazes, len(SUMS)]``; None where they are of no state."""
    states = sums[:, SUMS.index("states")]
    if not states.any():
        return None
    _, angles, cosine, here, start, difference = sums[drawn].sum(axis=1).T
    return VectorReadings(
        states=int(states.sum()),
        mazes=int(np.count_nonzero(states)),
        cosine=with_interval(bootstrap.quotient(cosine, angles)),
        norm_ratio=with_interval(bootstrap.quotient(here, start)),
        interaction=with_interval(bootstrap.quotient(difference, here)),
    )
