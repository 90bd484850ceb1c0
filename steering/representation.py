"""How far a cheese vector depends on where the mouse stands: its direction and length against the one at the start.

At a site that only decodes the picture the cheese adds the same to the activations wherever the mouse is. Where mouse
and cheese are further apart than the site's receptive field this must be so ("outside"), whatever the network does;
what counts is "inside".
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.policy import Policy, to_input
from envs.maze import Maze, State
from steering.boundary import Boundary, Curves, find_boundary
from steering.decoding import Statistic, reading
from steering.hooks import HookedPolicy
from steering.probes import drawn_states
from steering.profiles import DISTANCES, outside_field
from steering.sites import Site

DEPENDENT = 0.5  # interaction: half of the cheese's effect is not what it was at the start
# Per state: 1, 1 where both vectors have a length, cosine; norms of the vector here, at the start, of the difference.
SUMS = ("states", "angles", "cosine", "here", "start", "difference")


def representation(
    policy: Policy, mazes: Sequence[Maze], sites: Sequence[Site], states: int, seed: int, samples: np.ndarray
) -> dict[str, Any]:
    """``representation`` and ``representational_boundary`` (:func:`position_dependence`) of ``probes.json``.

    For each site ``cosine``, ``norm_ratio`` and ``interaction`` by distance and side of the receptive field.
    ``by_distance``: a list of bins of path length from the start; ``inside``, ``outside``: over all distances, None
    where there are no such states. Taken at ``states`` states of each maze (those of the probes), pooled over mazes,
    intervals by ``samples`` (``int[draws, n_mazes]``).
    """
    sums = np.stack([maze_sums(policy, maze, sites, drawn_states(maze, states, seed)) for maze in mazes])
    drawn = np.vstack([np.arange(len(mazes)), samples])
    rows, inside = [], []
    for number, site in enumerate(sites):
        table = sums[:, number]
        inside.append(_ratios(table[:, :, 0].sum(1), drawn)["interaction"])
        bins = [{"distance": first, "outside": bool(side), **_pooled(table[:, k, side], drawn)}
                for k, first in enumerate(DISTANCES) for side in (0, 1) if table[:, k, side, 0].any()]  # fmt: skip
        sides = {name: _pooled(table[:, :, side].sum(1), drawn) if table[:, :, side, 0].any() else None
                 for name, side in (("inside", 0), ("outside", 1))}  # fmt: skip
        rows.append({"name": site.name, **sides, "by_distance": bins})
    return {"representation": rows, "representational_boundary": position_dependence(sites, np.array(inside))}


def position_dependence(sites: Sequence[Site], interaction: np.ndarray) -> dict[str, Any]:
    """The representational reading of the boundary: up to which trunk site the cheese vector holds elsewhere.

    ``interaction``: ``float[n_sites, 1 + draws]`` inside the receptive field, of the mazes as they are and of each
    bootstrap sample; NaN (no such states) counts as 0, as outside the field. The two rules of
    :mod:`steering.boundary`, with 1 - interaction for blindness: threshold and change-point, each redone in every draw.
    """
    trunk = [i for i, site in enumerate(sites) if site.trunk]
    if not trunk:
        return {field.name: None for field in dataclasses.fields(Boundary)}
    kept = 1.0 - np.nan_to_num(interaction[trunk]).T
    found = find_boundary(
        Curves(
            tuple(sites[i].name for i in trunk),
            tuple(sites[i].equivalence_class for i in trunk),
            *(kept[0], np.ones_like(kept[0]), kept[1:], np.ones_like(kept[1:])),
        ),
        blindness=1.0 - DEPENDENT,
    )
    rule = (
        f"deepest trunk site up to which the interaction inside the receptive field is at most {DEPENDENT:g} at every "
        f"trunk site asked ({len(trunk)}, from {sites[trunk[0]].name} on); interval: 95% bootstrap over mazes"
    )
    return {**dataclasses.asdict(found), "rule": rule}


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


def _pooled(sums: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    """Readings of sums ``float64[n_mazes, len(SUMS)]``."""
    return {
        "states": int(sums[drawn[0], 0].sum()),
        **{name: reading(values) for name, values in _ratios(sums, drawn).items()},
    }


def _ratios(sums: np.ndarray, drawn: np.ndarray) -> dict[str, Statistic]:
    """The mean cosine, and ratios of summed norms, for each row of ``drawn`` mazes."""
    _, angles, cosine, here, start, difference = sums[drawn].sum(axis=1).T
    pairs = {"cosine": (cosine, angles), "norm_ratio": (here, start), "interaction": (difference, here)}
    return {name: np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
            for name, (top, bottom) in pairs.items()}  # fmt: skip
