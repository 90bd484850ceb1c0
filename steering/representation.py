"""How far a cheese vector depends on where the mouse stands: its direction and length against the one at the start.

At a site that only decodes the picture the cheese adds the same to the activations wherever the mouse is. Where mouse
and cheese are further apart than the site's receptive field this must be so ("outside"), whatever the network does;
what counts is "inside".
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy, to_input
from envs.maze import Maze, State
from steering.decoding import Statistic, reading
from steering.experiments.outcome import DISTANCES
from steering.experiments.profiles import outside_field
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import Site
from steering.probes import drawn_states
from steering.statistics import bootstrap
from steering.statistics.boundary import Boundary, Curves, find_boundary

DEPENDENT = 0.5  # interaction: half of the cheese's effect is not what it was at the start
# Per state: 1, 1 where both vectors have a length, cosine; norms of the vector here, at the start, of the difference.
SUMS = ("states", "angles", "cosine", "here", "start", "difference")


def position_sums(policy: Policy, mazes: Sequence[Maze], sites: Sequence[Site], states: int, seed: int) -> np.ndarray:
    """:func:`maze_sums` of ``states`` states of each maze (those of the probes): the mazes come first."""
    return np.stack([maze_sums(policy, maze, sites, drawn_states(maze, states, seed)) for maze in mazes])


def representation(sums: np.ndarray, names: Sequence[str], samples: np.ndarray) -> list[dict[str, Any]]:
    """``representation`` of ``probes.json``, from :func:`position_sums` at the sites ``names``.

    For each site ``cosine``, ``norm_ratio`` and ``interaction`` by distance and side of the receptive field.
    ``by_distance``: a list of bins of path length from the start; ``inside``, ``outside``: over all distances, None
    where there are no such states. Pooled over mazes, intervals by ``samples`` (``int[draws, n_mazes]``).
    """
    drawn = np.vstack([np.arange(len(sums)), samples])
    rows = []
    for number, name in enumerate(names):
        table = sums[:, number]
        bins = [{"distance": first, "outside": bool(side), **_pooled(table[:, k, side], drawn)}
                for k, first in enumerate(DISTANCES) for side in (0, 1) if table[:, k, side, 0].any()]  # fmt: skip
        sides = {where: _pooled(table[:, :, side].sum(1), drawn) if table[:, :, side, 0].any() else None
                 for where, side in (("inside", 0), ("outside", 1))}  # fmt: skip
        rows.append({"name": name, **sides, "by_distance": bins})
    return rows


def interaction_tally(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``float[n_sites, n_mazes]`` each, inside the receptive field: summed norms of the difference between the cheese
    vector at a state and that at the start, and of the vector at the state."""
    inside = sums[:, :, :, 0].sum(axis=2)
    return inside[..., SUMS.index("difference")].T, inside[..., SUMS.index("here")].T


def position_dependence(facts: Sequence[Mapping[str, Any]], interaction: np.ndarray) -> dict[str, Any]:
    """The representational reading of the boundary: up to which trunk site the cheese vector holds elsewhere.

    ``facts``: of the sites (:func:`steering.interventions.sites.site_facts`); ``interaction``: ``float[n_sites, 1 +
    draws]`` inside the receptive field, of the mazes as they are and of each bootstrap sample; NaN (no such states)
    counts as 0, as outside the field. The two rules of :mod:`steering.statistics.boundary`, with 1 - interaction for
    blindness: threshold and change-point, each redone in every draw.
    """
    trunk = [i for i, fact in enumerate(facts) if fact["trunk"]]
    if not trunk:
        return {field.name: None for field in dataclasses.fields(Boundary) if field.name != "blindness_alone"}
    kept = 1.0 - np.nan_to_num(interaction[trunk]).T
    names, classes = (tuple(facts[i][key] for i in trunk) for key in ("name", "equivalence_class"))
    able = np.ones_like(kept)
    found = find_boundary(Curves(names, classes, kept[0], able[0], kept[1:], able[1:]), blindness=1.0 - DEPENDENT)
    rule = (
        f"deepest trunk site up to which the interaction inside the receptive field is at most {DEPENDENT:g} at every "
        f"trunk site asked ({len(trunk)}, from {names[0]} on); interval: 95% bootstrap over mazes"
    )
    known = dataclasses.asdict(found)
    del known["blindness_alone"]  # nothing competes with the interaction here
    return {**known, "rule": rule}


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
        "mazes": int(np.count_nonzero(sums[drawn[0], 0])),
        **{name: reading(values) for name, values in _ratios(sums, drawn).items()},
    }


def _ratios(sums: np.ndarray, drawn: np.ndarray) -> dict[str, Statistic]:
    """The mean cosine, and ratios of summed norms, for each row of ``drawn`` mazes."""
    _, angles, cosine, here, start, difference = sums[drawn].sum(axis=1).T
    pairs = {"cosine": (cosine, angles), "norm_ratio": (here, start), "interaction": (difference, here)}
    return {name: bootstrap.quotient(*pair) for name, pair in pairs.items()}
