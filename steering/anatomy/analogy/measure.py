"""Analogies of one maze: where the target stands at every site, and what the policy makes of A's vector."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.networks.policy import Policy
from envs.maze import Cell, Maze
from envs.stored.ranges import Count, Name, NonNegative
from steering.anatomy.analogy.behaviour import STATES, Behaviour, MovesPart
from steering.anatomy.analogy.pairs import CELLS, PARTNERS, Analogy, analogies_of, for_cheese
from steering.anatomy.analogy.ranks import INPUTS, RankPart, by_cosine, by_distance, nearest_of, ranked
from steering.anatomy.interference import DISTANCES, activations_of, effective_of, with_cheese_on
from steering.anatomy.part import Asked, Pass, Rows
from steering.interventions.sites import Site
from steering.records.anatomy.analogy_site import (
    ALONE,
    CENTRED,
    COSINE,
    EUCLIDEAN,
    GUESS,
    GUESSES,
    MEASURES,
    RANDOM,
)
from steering.statistics.seeding import generator

REVISION = 1  # of how a level is measured: rows of another one are measured again


@dataclass(frozen=True)
class GroupPart:
    """The analogies of one group of cells, by Euclidean distance."""

    analogies: Count
    """Number of them."""
    first: Count
    """Number of targets nearest of all."""
    first_excluding: Count
    """The same without the inputs."""


@dataclass(frozen=True)
class AnalogySiteRow:
    """What was measured at one site of one maze, over its partners and cells."""

    analogies: Count
    """Number of analogies: pairs of a partner and a cell."""
    candidates: NonNegative
    """Number of candidates, the inputs among them, mean over analogies."""
    ranks: tuple[RankPart, ...]
    """By guess, and within a guess by measure of nearness."""
    nearest: tuple[Count, ...]
    """Candidate nearest to the analogy's guess, Euclidean: target, another cell, B, A with cheese, A."""
    left: NonNegative
    """Sum of squared distances from guess to target."""
    whole: NonNegative
    """Sum of squared distances from B without cheese to the target."""
    distances: tuple[GroupPart, ...]
    """By the distance of the cell from B's mouse."""
    same_start: GroupPart
    """Of partners whose mouse starts on the same pixels."""
    effective: NonNegative | None
    """Effective dimension of the activations of B; null: not defined."""
    moves: MovesPart | None = None
    """What the policy makes of A's vectors."""


@dataclass(frozen=True)
class AnalogyRow:
    """What was measured of one maze, as the run's database keeps it."""

    sites: dict[Name, AnalogySiteRow]
    """By name of the site."""


@dataclass(frozen=True)
class Partner:
    """The activations of one partner A at one site, as numbers of ``d`` units each."""

    there: np.ndarray
    """Cheese vectors of A's cells, ``float[m, d]``."""
    apart: np.ndarray
    """Of A without cheese, less those of B, ``float[d]``."""
    target: np.ndarray
    """Index among B's cells of each of A's, ``int[m]``."""
    distances: np.ndarray
    """Distance of each of A's cells from B's mouse, in cells, Chebyshev: ``int[m]``."""
    same_start: bool
    """Whether the mice of A and B start on the same pixels."""


def analogy_row(
    policy: Policy, maze: Maze, analogies: Sequence[Analogy], *, sites: Sequence[Site], seed: int
) -> AnalogyRow:
    """Return what comes of the analogies of one maze, site by site.

    Args:
        policy: whose activations are read.
        maze: the maze B; all mice stand at their start.
        analogies: its partners and cells, from :func:`steering.anatomy.analogy.pairs.analogies_of`.
        sites: where.
        seed: of the random vectors, and of the states for the effective dimension.
    """
    cells = for_cheese(maze)
    frames = with_cheese_on(maze, cells)
    activations = activations_of(policy, frames, sites)
    others = [activations_of(policy, with_cheese_on(each.partner, each.there), sites) for each in analogies]
    effective = effective_of(policy, maze, sites=sites, seed=seed)
    behaviour = Behaviour(policy, maze, analogies, seed)
    index = {cell: k for k, cell in enumerate(cells)}
    targets = [np.array([index[cell] for cell in each.here]) for each in analogies]
    found = {}
    for site in sites:
        own, seen = activations[site.name], [each[site.name] for each in others]
        here = (own[1:] - own[:1]).numpy()
        vectors = [each[1:] - each[:1] for each in seen]
        shown = [
            Partner(
                there=vectors[k].numpy(),
                apart=(seen[k][0] - own[0]).numpy(),
                target=targets[k],
                distances=_from_mouse(maze, each.here),
                same_start=bool((maze.outer([maze.mouse]) == each.partner.outer([each.partner.mouse])).all()),
            )
            for k, each in enumerate(analogies)
        ]
        rng = generator(seed, maze.level or 0, f"random differences at {site.name}", 0)
        moves = behaviour.part(site, vectors)
        found[site.name] = site_row(own[0].numpy(), here, shown, rng, effective[site.name], moves)
    return AnalogyRow(found)


def _from_mouse(maze: Maze, cells: Sequence[Cell]) -> np.ndarray:
    return np.asarray(np.abs(np.array(cells) - np.array(maze.mouse)).max(axis=1))


def site_row(
    blank: np.ndarray,
    here: np.ndarray,
    partners: Sequence[Partner],
    rng: np.random.Generator,
    effective: float | None = None,
    moves: MovesPart | None = None,
) -> AnalogySiteRow:
    """Return what was measured at one site, over the partners of a maze.

    Args:
        blank: activations of B without cheese, ``float[d]``.
        here: cheese vectors of B's cells, ``float[n, d]``.
        partners: activations of its partners.
        rng: draws the random vectors.
        effective: effective dimension of the site, None for none.
        moves: what the policy makes of A's vectors.
    """
    parts: dict[tuple[str, str], list[RankPart]] = {key: [] for key in itertools.product(GUESSES, MEASURES)}
    nearest, first, excluding = (np.zeros(0, dtype=int) for _ in range(3))
    left = whole = 0.0
    of_b = _OfMaze(blank, here)
    for each in partners:
        scores = of_b.nearness(each, rng)
        for key, (cells, inputs) in scores.items():
            part, won, won_excluding = ranked(cells, inputs, each.target)
            parts[key].append(part)
            if key == (GUESS, EUCLIDEAN):
                nearest = np.r_[nearest, nearest_of(cells, inputs, each.target)]
                first, excluding = np.r_[first, won], np.r_[excluding, won_excluding]
        left += float(_squares(each.there - here[each.target]).sum())
        whole += float(of_b.squares[each.target].sum())
    distances = np.concatenate([each.distances for each in partners]) if partners else np.zeros(0)
    same = np.concatenate([np.full(len(each.there), each.same_start) for each in partners]) if partners else first > 0

    def group(inside: np.ndarray) -> GroupPart:
        return GroupPart(int(inside.sum()), int(first[inside].sum()), int(excluding[inside].sum()))

    return AnalogySiteRow(
        analogies=len(nearest),
        candidates=float(len(here) + INPUTS),
        ranks=tuple(_sum(found) for found in parts.values()),
        nearest=tuple(int(np.sum(nearest == k)) for k in range(2 + INPUTS)),
        left=left,
        whole=whole,
        distances=tuple(
            group((low <= distances) & (distances < high))
            for low, high in itertools.zip_longest(DISTANCES, DISTANCES[1:], fillvalue=10**6)
        ),
        same_start=group(same),
        effective=effective,
        moves=moves,
    )


def _squares(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", vectors, vectors).astype(np.float64)


class _OfMaze:
    """B's pictures at one site, and how near they and the three inputs are to guesses."""

    def __init__(self, blank: np.ndarray, here: np.ndarray) -> None:
        self.blank, self.here, self.mean = blank, here, here.mean(axis=0)
        self.squares = _squares(here)

    def nearness(
        self, partner: Partner, rng: np.random.Generator
    ) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
        """Return by guess and measure how near B's cells and the inputs are: ``float64[m, n]`` and ``[m, 3]``."""
        there, apart, count = partner.there, partner.apart, len(partner.there)
        random = rng.standard_normal(there.shape, dtype=np.float32)
        lengths = np.sqrt(_squares(random))
        random *= np.divide(np.sqrt(_squares(there)), lengths, out=np.zeros_like(lengths), where=lengths > 0)[:, None]
        left = np.concatenate([there, random, [apart, -self.blank, self.mean]])
        cells, own = (np.asarray(left @ each.T, dtype=np.float64) for each in (self.here, left))
        rows = {GUESS: np.arange(count), RANDOM: count + np.arange(count)}
        a, origins = 2 * count, {COSINE: 2 * count + 1, CENTRED: 2 * count + 2}
        inputs = [np.zeros(count), _of_sum(own, rows[GUESS], a), np.full(count, own[a, a])]  # squared lengths
        found = {}
        for guess in GUESSES:
            if guess == ALONE:
                to_cells, to_inputs, square = (
                    np.zeros((count, len(self.here))),
                    np.zeros((count, INPUTS)),
                    np.zeros(count),
                )
            else:
                k = rows[guess]
                to_apart = own[k, a]
                to_inputs = np.stack([np.zeros(count), own[k, rows[GUESS]] + to_apart, to_apart], axis=1)
                to_cells, square = cells[k], own[k, k]
            squares = np.stack(inputs, axis=1)
            found[guess, EUCLIDEAN] = by_distance(to_cells, self.squares), by_distance(to_inputs, squares)
            for measure, o in origins.items():
                along = np.zeros(count) if guess == ALONE else own[rows[guess], o]
                of_inputs = [np.zeros(count), own[rows[GUESS], o] + own[a, o], np.full(count, own[a, o])]
                found[guess, measure] = (
                    by_cosine(to_cells, (square, self.squares), (along, cells[o]), own[o, o]),
                    by_cosine(to_inputs, (square, squares), (along, np.stack(of_inputs, axis=1)), own[o, o]),
                )
        return found


def _of_sum(products: np.ndarray, rows: np.ndarray, other: int) -> np.ndarray:
    """Return the squared lengths of the sums of some vectors and another one, from inner products."""
    return np.asarray(products[rows, rows] + 2.0 * products[rows, other] + products[other, other])


def _sum(parts: Sequence[RankPart]) -> RankPart:
    return RankPart(
        first=sum(part.first for part in parts),
        first_excluding=sum(part.first_excluding for part in parts),
        ranks=sum((part.ranks for part in parts), 0.0),
        ranks_excluding=sum((part.ranks_excluding for part in parts), 0.0),
        shares=sum((part.shares for part in parts), 0.0),
    )


def _measure(asked: Asked, maze: Maze, _: Sequence[Rows]) -> AnalogyRow:
    seed = asked.settings.seed
    return analogy_row(asked.policy, maze, analogies_of(maze, asked.mazes, seed), sites=asked.sites, seed=seed)


BASIS = {"partners": PARTNERS, "shared cells": CELLS, "states with a vector": STATES, "revision": REVISION}
PAIRED = Pass(AnalogyRow, _measure, BASIS, of_all=True)  # partners are drawn from all levels
"""The pass over levels."""
