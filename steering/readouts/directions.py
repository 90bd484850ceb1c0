"""Directions in which a readout of the next move would have a site's activations moved, and controls of equal length.

Two directions for a move, both in the units of the raw activations. ``readout``: the gradient of the readout's score of
that move, along which the score rises fastest (a ridge regression on standardised activations, so its weights are
divided by the spreads). ``means``: the mean activation where that is the next move less the mean where it is another
one. A readout weighs down what varies for other reasons; what then comes with a move in the activations themselves is
the difference of means (filter and pattern: Haufe et al. 2014, doi 10.1016/j.neuroimage.2013.10.067).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.networks.policy import Policy
from envs.actions import STEP_OF_MOVE, Move
from envs.maze import Cell, Maze
from steering.interventions.places import units_around
from steering.interventions.sites import Site
from steering.interventions.vectors import SteeringVector, cheese_vectors, provenance
from steering.probes.data import ProbeData, activations
from steering.probes.ridge import linear_directions
from steering.statistics.seeding import generator

MOUSE, MAP = "mouse", "map"  # where is read and written: units around the mouse, the whole site
SIDE = 3  # units along a side of the mouse's place
READOUT, MEANS = "readout", "means"
DIRECTIONS = (READOUT, MEANS)
RANDOM, SHUFFLED, SHUFFLED_MEANS, CHEESE = "random", "shuffled", "shuffled means", "cheese"
CONTROLS = (RANDOM, SHUFFLED, SHUFFLED_MEANS, CHEESE)
DRAWS = 2  # of each control drawn at random
WAYS = (Move.LEFT, Move.RIGHT, Move.UP, Move.DOWN)


@dataclass(frozen=True)
class Directions:
    """Directions at one site."""

    site: Site
    """The site."""
    norm: float
    """Norm of the cheese vector there, mean over the levels learned from."""
    tensors: Mapping[str, Mapping[str, Tensor]]
    """``float32[draws, 4, *shape]`` by place and name, for the moves left, right, up, down; ``shape`` is that of the
    place: ``[channels, 3, 3]`` of the mouse's, else the site's. The random ones are of each level."""
    right: Mapping[str, np.ndarray]
    """Next moves that the readout gets right in each maze when learned from others, ``float[n_mazes]``, by place."""
    chance: Mapping[str, np.ndarray]
    """The same with shuffled moves, mean over the draws."""
    frames: np.ndarray
    """Frames of each maze, ``int[n_mazes]``."""


def cheese_norms(policy: Policy, mazes: Sequence[Maze], sites: Sequence[Site]) -> dict[str, float]:
    """Return the norm of the cheese vector at each site, mouse at its start, mean over ``mazes``; by name."""
    names = [site.name for site in sites]
    vectors = [cheese_vectors(policy, maze, names) for maze in mazes]
    return {name: float(np.mean([each[name].norm for each in vectors])) for name in names}


def learn_directions(policy: Policy, data: ProbeData, site: Site, norm: float, target: str, seed: int) -> Directions:
    """Return the directions at one site.

    Args:
        policy: whose activations are read.
        data: frames to learn from, with their next moves.
        site: where.
        norm: length of what is added at strength 1: that of :func:`cheese_norms`.
        target: whose next move: one of :data:`steering.probes.score_records.MOVES`.
        seed: of the shuffling.

    Raises:
        InputError: for a site that the network does not have.
    """
    features = activations(policy, data.frames, site.name)
    labels = data.moves[target]
    sets = [labels, *(shuffled_moves(labels, data.fold, seed, draw) for draw in range(DRAWS))]
    tensors, right, chance = {}, {}, {}
    for place in places_of(site):
        read = features
        if place == MOUSE:
            read = units_around(site, data.mouse, data.world, SIDE).read(features)
        tensors[place], told = _directions(read, data, sets)
        right[place], *others = [data.per_maze(row.astype(float)) for row in told]
        chance[place] = np.mean(others, axis=0)
    return Directions(site, norm, tensors, right, chance, np.bincount(data.maze))


def places_of(site: Site) -> tuple[str, ...]:
    """Return where can be read and written at a site."""
    return (MAP,) if site.units is None else (MOUSE, MAP)


def shuffled_moves(labels: np.ndarray, fold: np.ndarray, seed: int, draw: int) -> np.ndarray:
    """Return moves ``int[n]`` dealt out anew among the frames of each fold."""
    rng = generator(seed, 0, "shuffled moves to write", draw)
    found = labels.copy()
    for each in np.unique(fold):
        found[fold == each] = rng.permutation(labels[fold == each])
    return found


def _directions(
    features: Tensor, data: ProbeData, sets: Sequence[np.ndarray]
) -> tuple[dict[str, Tensor], list[np.ndarray]]:
    """Return unit directions of ``float32[n, *shape]`` by name, and which moves are right: ``bool[n]`` a set."""
    flat, shape = features.flatten(1), features.shape[1:]
    targets = {str(k): (labels[:, None] == np.array(WAYS)).astype(float) for k, labels in enumerate(sets)}
    found = linear_directions(flat, {**targets, CHEESE: data.cheese.astype(float)}, data.fold)
    told = [found[name].guesses.argmax(1) == labels for name, labels in zip(targets, sets, strict=True)]
    readouts = [found[name].gradient for name in targets]
    means = [_mean_differences(flat, labels) for labels in sets]
    away = torch.tensor([STEP_OF_MOVE[move] for move in WAYS], dtype=torch.float32)  # the cheese lies that way
    tensors = {
        READOUT: readouts[:1],
        MEANS: means[:1],
        SHUFFLED: readouts[1:],
        SHUFFLED_MEANS: means[1:],
        CHEESE: [away @ found[CHEESE].gradient],
    }
    return {name: unit_length(torch.stack(each).unflatten(2, shape), 2) for name, each in tensors.items()}, told


def _mean_differences(features: Tensor, labels: np.ndarray) -> Tensor:
    """Return for each move the mean of its rows less that of the others: ``float32[4, d]``; 0 for a move of no row."""
    found = torch.zeros(len(WAYS), features.shape[1])
    for k, move in enumerate(WAYS):
        own = torch.from_numpy(labels == move)
        if own.any() and not own.all():
            found[k] = features[own].mean(0) - features[~own].mean(0)
    return found


def unit_length(vectors: Tensor, axis: int) -> Tensor:
    """Return vectors of length 1 over the axes from ``axis`` on; what is 0 stays 0."""
    size = vectors.flatten(axis).norm(dim=axis).reshape(*vectors.shape[:axis], *[1] * (vectors.ndim - axis))
    return vectors / size.clamp(min=torch.finfo(torch.float32).tiny)


def with_random(found: Directions, seed: int, level: int) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of directions with those drawn at random for a level, the same for all moves."""
    tensors = {}
    for place, named in found.tensors.items():
        shape = named[READOUT].shape[2:]
        rngs = [generator(seed, level, f"random direction {place} {found.site.name}", draw) for draw in range(DRAWS)]
        drawn = torch.from_numpy(np.stack([rng.standard_normal(tuple(shape)) for rng in rngs]).astype(np.float32))
        tensors[place] = {**named, RANDOM: drawn[:, None].expand(-1, len(WAYS), *shape)}
    return tensors


def at_site(found: Directions, place: str, rows: Tensor, tiles: np.ndarray, world: int) -> Tensor:
    """Return directions as what is added at strength 1: ``float32[n, *site]``, each of the cheese vector's norm.

    Args:
        found: the directions' site and norm.
        place: where they are written.
        rows: one for each state, ``float32[n, *shape]``.
        tiles: the mouse's cell in procgen's whole grid, ``int[n, 2]``.
        world: side of that grid, in cells.
    """
    if place == MOUSE:
        rows = units_around(found.site, tiles, world, SIDE).write(rows, found.site.shape)
    return unit_length(rows, 1) * found.norm


def move_vector(
    found: Directions, maze: Maze, cell: Cell, move: Move, name: str = READOUT, place: str = MOUSE
) -> SteeringVector:
    """Return what writes a move when added in the states of one cell, at strength 1.

    Args:
        found: of :func:`learn_directions`.
        maze: the level.
        cell: where the mouse stands.
        move: the move to write.
        name: one of the directions learned; of those drawn several times the first.
        place: ``mouse`` or ``map``.
    """
    rows = found.tensors[place][name][:1, WAYS.index(move)]
    tensor = at_site(found, place, rows, maze.outer([cell]), maze.state.world_dim)[0]
    facts = provenance(
        kind="next move", move=move.label, direction=name, place=place, cell=list(cell), level=maze.level
    )
    return SteeringVector(found.site.name, tensor, facts)
