"""Vectors by the name of their kind, taken from mazes, and vectors read from files for an agent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.networks.policy import MazePolicy, Policy, to_input
from envs.errors import InputError, nearest
from envs.maze import Cell, Maze
from envs.simulator.state_layout import SPACE, WALL
from steering.experiments.levels import VectorSource
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import find_site
from steering.interventions.vectors import (
    SteeringVector,
    activation,
    cheese_vector,
    mean_activation,
    mean_cheese_vectors,
    mean_vector,
    origin,
    provenance,
    standing,
    top_right_vectors,
)

START = VectorSource("start")


@dataclass(frozen=True)
class VectorKind:
    """A kind of vector that is taken from mazes."""

    what: str
    """What it is, in words."""
    mazes: tuple[int, int]
    """Fewest and most mazes that it is taken from."""
    mouse: tuple[str, ...]
    """Kinds of :class:`VectorSource` that say where the mouse stands."""
    make: Callable[[Policy, Sequence[Maze], str, VectorSource, Cell | None], SteeringVector]
    """Function (policy, mazes, site, mouse, cell of the wall) that takes it."""


def _cheese(policy: Policy, mazes: Sequence[Maze], site: str, mouse: VectorSource, _: Cell | None) -> SteeringVector:
    if mouse.kind == "mean":
        return mean_cheese_vectors(policy, mazes[0], [site])[site]
    return cheese_vector(policy, mazes[0], site, mouse.cell)


def _mean(policy: Policy, mazes: Sequence[Maze], site: str, mouse: VectorSource, _: Cell | None) -> SteeringVector:
    return mean_vector([_cheese(policy, [maze], site, mouse, None) for maze in mazes])


def _corner(policy: Policy, mazes: Sequence[Maze], site: str, mouse: VectorSource, _: Cell | None) -> SteeringVector:
    return top_right_vectors(policy, mazes[0], [site])[site]


def _active(policy: Policy, mazes: Sequence[Maze], site: str, mouse: VectorSource, _: Cell | None) -> SteeringVector:
    if mouse.kind == "mean":
        return mean_activation(policy, mazes[0], site)
    return activation(policy, mazes[0], site, mouse.cell)


def _apart(policy: Policy, mazes: Sequence[Maze], site: str, mouse: VectorSource, _: Cell | None) -> SteeringVector:
    one, other = (activation(policy, maze, site, mouse.cell) for maze in mazes)
    of = [json.loads(each.provenance) for each in (one, other)]
    return SteeringVector(one.site, (one - other).tensor, provenance(kind="difference", of=of))


def _wall(policy: Policy, mazes: Sequence[Maze], site: str, mouse: VectorSource, wall: Cell | None) -> SteeringVector:
    if wall is None:
        raise InputError("a wall vector needs the cell of the wall: add --wall X,Y")
    maze, state = mazes[0], standing(mazes[0], mouse.cell)
    if state.cell == wall:
        raise InputError(f"wall on {wall[0]},{wall[1]}: the mouse stands there; choose another cell")
    frames = np.concatenate([world.observations([state]) for world in _with_and_without(maze, wall)])
    name = find_site(policy.net, site).name
    _, _, seen = HookedPolicy(policy.net).run(to_input(frames), capture=[name])
    facts = origin(policy, maze, "wall", wall=list(wall), cell=list(state.cell), facing=state.facing.label)
    return SteeringVector(name, seen[name][0] - seen[name][1], facts)


def _with_and_without(maze: Maze, cell: Cell) -> tuple[Maze, Maze]:
    """Return the maze with a wall on a cell, and with that cell free; one of the two is the maze itself."""
    x, y = cell
    if not (0 <= x < maze.dim and 0 <= y < maze.dim):
        raise InputError(f"wall on {x},{y}: not in this {maze.dim}x{maze.dim} maze; cells count from 0, bottom left")
    if cell in (maze.mouse, maze.cheese):
        what = "mouse" if cell == maze.mouse else "cheese"
        raise InputError(f"wall on {x},{y}: the {what} is there; choose another cell")
    grid, margin = maze.state.grid.copy(), maze.state.margin
    grid[y + margin, x + margin] = WALL if maze.is_free(cell) else SPACE
    other = Maze.from_state(maze.state.with_grid(grid, maze.dim), level=maze.level)
    return (other, maze) if maze.is_free(cell) else (maze, other)


VECTOR_KINDS: dict[str, VectorKind] = {
    "cheese": VectorKind("with the cheese minus without it", (1, 1), ("start", "cell", "mean"), _cheese),
    "top-right": VectorKind("with a corridor to the world's corner minus without it", (1, 1), ("start",), _corner),
    "wall": VectorKind("with a wall on a cell minus with the cell free", (1, 1), ("start", "cell"), _wall),
    "mean": VectorKind("mean of the cheese vectors of several mazes", (1, 10_000), ("start", "mean"), _mean),
    "difference": VectorKind("one maze minus another", (2, 2), ("start", "cell"), _apart),
    "activation": VectorKind("the activation itself, to patch with", (1, 1), ("start", "cell", "mean"), _active),
}


def check_asked(kind: str, count: int, mouse: VectorSource = START, wall: Cell | None = None) -> None:
    """Raise :class:`InputError` for a kind that there is none of, or what does not fit it, before a maze is made.

    Args:
        kind: one of :data:`VECTOR_KINDS`.
        count: number of mazes.
        mouse: where the mouse stands.
        wall: cell that is wall or free; for ``wall`` alone.
    """
    if kind not in VECTOR_KINDS:
        raise InputError(f"unknown kind of vector {kind!r}; {nearest(kind, VECTOR_KINDS)}")
    chosen = VECTOR_KINDS[kind]
    low, high = chosen.mazes
    if not low <= count <= high:
        wanted = f"{low}" if low == high else f"{low} to {high:,}"
        raise InputError(f"a {kind} vector is taken from {wanted} maze(s), not from {count}; change --level or --maze")
    if mouse.kind not in chosen.mouse:
        known = {"start": "start", "cell": "a cell X,Y", "mean": "mean"}
        raise InputError(f"a {kind} vector is taken with --mouse {' or '.join(known[each] for each in chosen.mouse)}")
    if wall is not None and kind != "wall":
        raise InputError(f"--wall belongs to --kind wall; leave it out of a {kind} vector")


def take_vector(
    policy: Policy,
    mazes: Sequence[Maze],
    site: str,
    kind: str = "cheese",
    *,
    mouse: VectorSource = START,
    wall: Cell | None = None,
) -> SteeringVector:
    """Return a vector of activations taken from mazes.

    Args:
        policy: its network is read by hooks and left as it was.
        mazes: one; two for ``difference``, the first minus the second; any number for ``mean``.
        site: name of the site.
        kind: one of :data:`VECTOR_KINDS`.
        mouse: where the mouse stands: at its start, on a cell, or averaged over all states.
        wall: cell that is wall or free; for ``wall`` alone.

    Returns:
        ``float32[*site]``, with agent, levels, mode and the mouse's cell in its provenance.

    Raises:
        InputError: for an unknown kind or site, or mazes, a mouse or a wall that do not fit the kind.

    Example:
        >>> mazes = Maze.from_levels([26, 54])
        >>> take_vector(load_policy("region5"), mazes, "relu3", "mean").kind
        'mean'
    """
    check_asked(kind, len(mazes), mouse, wall)
    return VECTOR_KINDS[kind].make(policy, mazes, site, mouse, wall)


def read_vector(path: Path, policy: MazePolicy, *, foreign: bool = False) -> SteeringVector:
    """Return the vector in a file, to be used with an agent.

    Args:
        path: file of :meth:`SteeringVector.save`.
        policy: the agent.
        foreign: take a vector of another agent too, and one that does not say of which it is.

    Raises:
        InputError: for another file, a site that the agent lacks or has in another shape, or, without ``foreign``, for
            a vector of another agent.
    """
    vector = SteeringVector.load(path)
    try:
        site = find_site(policy.net, vector.site)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if tuple(vector.tensor.shape) != site.shape:
        found, expected = ("x".join(map(str, shape)) for shape in (vector.tensor.shape, site.shape))
        raise InputError(
            f"{path}: {found} numbers at {site.name}, where {policy.name} has {expected}; take it with this agent"
        )
    if vector.agents != {policy.sha256} and not foreign:
        said = ", ".join(sorted(agent[:12] for agent in vector.agents)) or "not said"
        raise InputError(
            f"{path}: a vector of another agent (sha256 {said}) than {policy.name} ({policy.sha256[:12]}); take it "
            "with this agent, or add --foreign-vectors"
        )
    return SteeringVector(site.name, vector.tensor, vector.provenance)
