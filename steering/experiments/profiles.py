"""Subtraction in a level against the distance of the mouse: from where the vector was taken, and from the cheese.

For one level and site, the states are sorted by path length from where the vector was taken and by whether adding up
is guaranteed there (profiles), and by the cells between mouse and cheese (nearness). Sums are kept, not ratios, so that
mazes can be pooled and resampled.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from agents.networks.impala import OBS_SHAPE
from agents.networks.policy import batches, to_input
from envs import chain
from envs.maze import Cell, Maze
from steering.experiments.exact import CHUNK, LevelEvaluator, StatePolicy
from steering.experiments.outcome import CELLS, DISTANCES, Moved, Nearness, Profile
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import Site


def level_profiles(
    evaluator: LevelEvaluator,
    sites: Mapping[str, Site],
    vectors: Mapping[str, Tensor],
    subtracted: Mapping[tuple[str, float], StatePolicy],
    origin: Cell | None,
) -> list[Profile]:
    """Return profiles of one level for each (site, coefficient) of ``subtracted``; ``sites`` and ``vectors`` by name.

    ``origin``: the cell the vectors were taken on; None for vectors of several places, of which distances count from
    the start and additivity is guaranteed nowhere. States on the cheese's cell are left out.
    """
    maze, clean, no_cheese = evaluator.maze, evaluator.clean, evaluator.no_cheese
    assert maze.cheese is not None
    keep = np.array([state.cell != maze.cheese for state in maze.states])
    steps = np.repeat(maze.distances(maze.mouse if origin is None else origin), 2)
    bins = np.array([bisect.bisect_right(DISTANCES, int(step)) - 1 for step in steps])
    rest, difference = _interactions(evaluator, vectors)
    tv_clean = chain.total_variation(clean.probabilities, no_cheese.probabilities)
    found = []
    for (name, coefficient), field in subtracted.items():
        tv = chain.total_variation(field.probabilities, no_cheese.probabilities)
        outside = outside_field(maze, None if origin is None else sites[name].receptive_field, origin or maze.mouse)
        for k, first in enumerate(DISTANCES):
            for flag in (0, 1):
                chosen = keep & (bins == k) & (outside == bool(flag))
                if chosen.any():
                    sums = [float(part[chosen].sum()) for part in (tv, tv_clean, rest[name], difference[name])]
                    where = (maze.level or 0, name, coefficient, first, flag, int(chosen.sum()))
                    found.append(Profile(*where, *sums))
    return found


def level_nearness(evaluator: LevelEvaluator, subtracted: Mapping[tuple[str, float], StatePolicy]) -> list[Nearness]:
    """Return the sums of one level by the cells between mouse and cheese, for each (site, coefficient).

    States on the cheese's cell are left out.
    """
    maze = evaluator.maze
    assert maze.cheese is not None
    away = np.abs(np.array([state.cell for state in maze.states]) - np.array(maze.cheese)).max(axis=1)
    bins = np.searchsorted(CELLS, away, side="right") - 1
    chosen = [(first, (bins == k) & (away > 0)) for k, first in enumerate(CELLS)]
    tv_clean = chain.total_variation(evaluator.clean.probabilities, evaluator.no_cheese.probabilities)
    found = []
    for (name, coefficient), field in subtracted.items():
        tv = chain.total_variation(field.probabilities, evaluator.no_cheese.probabilities)
        for first, here in chosen:
            if here.any():
                sums = int(here.sum()), float(tv[here].sum()), float(tv_clean[here].sum())
                found.append(Nearness(maze.level or 0, name, coefficient, first, *sums))
    return found


def level_moved(
    evaluator: LevelEvaluator, edited: Mapping[tuple[str, float, int], StatePolicy], worlds: Mapping[int, Maze]
) -> list[Moved]:
    """Return how near each edit comes to the policy on the level with its cheese moved.

    Args:
        evaluator: of the level as it is.
        edited: the policy under the edit, by site, coefficient and draw.
        worlds: the level with its cheese on the cell drawn, by draw.

    Returns:
        Sums over the states on neither cell: where the mouse eats the cheese there is no policy to compare with.
    """
    maze, found = evaluator.maze, []
    there = {draw: evaluator.world(world).clean.probabilities for draw, world in worlds.items()}
    for (name, coefficient, draw), field in edited.items():
        cell = worlds[draw].cheese
        assert cell is not None
        keep = np.array([state.cell not in (maze.cheese, cell) for state in maze.states])
        away = [chain.total_variation(part.probabilities, there[draw])[keep] for part in (field, evaluator.clean)]
        tv, tv_clean = (float(part.sum()) for part in away)
        found.append(Moved(maze.level or 0, name, coefficient, draw, *cell, int(keep.sum()), tv, tv_clean))
    return found


def outside_field(maze: Maze, receptive_field: int | None, origin: Cell) -> np.ndarray:
    """Return ``bool[n_states]``: no unit of the site can see mouse and cheese at once, here or from ``origin``.

    Sprites are one tile large and may touch a pixel more on each side. ``receptive_field`` in pixels; None: all.
    """
    assert maze.cheese is not None
    tile = OBS_SHAPE[1] / maze.state.world_dim
    cells = np.array([state.cell for state in maze.states] + [origin])
    gaps = (np.abs(cells - np.array(maze.cheese)).max(axis=1) - 1) * tile - 2
    far = gaps >= receptive_field if receptive_field is not None else np.zeros(len(cells), dtype=bool)
    return np.asarray(far[:-1] & far[-1])


def _interactions(
    evaluator: LevelEvaluator, vectors: Mapping[str, Tensor]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return norms ``float64[n_states]`` by site: of what the vector leaves over, and of the cheese's difference."""
    hooked, names = HookedPolicy(evaluator.policy.net), list(vectors)
    rest: dict[str, list[Tensor]] = {name: [] for name in names}
    difference: dict[str, list[Tensor]] = {name: [] for name in names}
    worlds = (evaluator, evaluator.without_cheese)
    pairs = zip(*(batches(world.frames, CHUNK) for world in worlds), strict=True)
    for with_cheese, without in pairs:
        here = hooked.run(to_input(with_cheese), capture=names)[2]
        gone = hooked.run(to_input(without), capture=names)[2]
        for name in names:
            change = (here[name] - gone[name]).flatten(1)
            difference[name].append(torch.linalg.vector_norm(change, dim=1))
            rest[name].append(torch.linalg.vector_norm(change - vectors[name].flatten(), dim=1))
    joined = [{name: torch.cat(part[name]).double().numpy() for name in names} for part in (rest, difference)]
    return joined[0], joined[1]
