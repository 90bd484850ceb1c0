"""Which mazes and cells an analogy is made of: a maze, partners drawn for it, and cells that are free in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envs.maze import Cell, Maze
from steering.statistics.seeding import generator

PARTNERS = 2  # of a maze
CELLS = 12  # of a partner


@dataclass(frozen=True)
class Analogy:
    """A partner of a maze, and the cells that the cheese is put on in both; the same pixels of the picture."""

    partner: Maze
    """The other maze, A."""
    there: tuple[Cell, ...]
    """The cells, as A counts them."""
    here: tuple[Cell, ...]
    """The same cells, as the maze itself counts them, B."""


def for_cheese(maze: Maze) -> list[Cell]:
    """Return the cells that the cheese can lie on: the free ones, without the mouse's."""
    return [cell for cell in maze.cells if cell != maze.mouse]


def analogies_of(maze: Maze, mazes: Sequence[Maze], seed: int) -> list[Analogy]:
    """Return the partners of a maze and the cells shared with each, drawn by (seed, level).

    Args:
        maze: the maze B.
        mazes: all that partners are drawn from; ``maze`` itself, and those without a cell in common, are none.
        seed: of the draw.

    Returns:
        At most :data:`PARTNERS`, with at most :data:`CELLS` cells each, in the order of B's cells.
    """
    rng = generator(seed, maze.level or 0, "partners of a maze", 0)
    others = [other for other in mazes if other.level != maze.level]
    found: list[Analogy] = []
    for k in rng.permutation(len(others)):
        partner = others[k]
        shift = partner.state.margin - maze.state.margin
        there = {(x + shift, y + shift): (x, y) for x, y in for_cheese(partner)}
        here = [cell for cell in for_cheese(maze) if cell in there]
        if not here:
            continue
        drawn = [here[i] for i in sorted(rng.permutation(len(here))[:CELLS])]
        found.append(Analogy(partner, tuple(there[cell] for cell in drawn), tuple(drawn)))
        if len(found) == PARTNERS:
            break
    return found
