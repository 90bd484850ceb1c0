"""The causal map of this maze: what each block of the picture, at each site, knows of the cheese for the next move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from envs.chain import total_variation
from envs.errors import InputError
from envs.maze import Maze, State
from steering.app.inside.gradual import gradual
from steering.app.session.context import Context
from steering.app.session.updates import Update, floats, problem
from steering.interventions.partial import PartialNetwork
from steering.interventions.places import BLOCKS, blocks_around
from steering.interventions.sites import Site
from steering.planning.located import Frames, PairRuns
from steering.planning.measure import map_sites

PLACES = ("cheese", "mouse", "route", "elsewhere", "all but the cheese")
LEAST = 0.05  # total variation at the start that is enough to show
ROUNDING = 1e-6  # total variation: up to it two moves are the same


def causal_updates(context: Context) -> Iterator[Update]:
    """Yield the map of each site, in depth order, if they are asked for; a ``problem`` for a network without maps.

    The maze without its cheese (A) runs with the activations that it has with the cheese (B) in one block at a time.
    The effect is the part of the way to B's next move that comes with the block: ``1 - TV(patched, B) / TV(A, B)``; 0
    everywhere where the cheese changes nothing. The same of whole :func:`places`. The mouse stands where
    :func:`shown_state` says.
    """
    if "causal" not in context.asked.asked:
        return
    try:
        sites = map_sites(context.policy)
        network = PartialNetwork(context.policy.net) if context.network is None else context.network
    except InputError as error:
        yield problem(error, "causal")
        return
    yield from gradual(context, ("causal", context.maze), lambda context: _steps(context, network, sites), whole=False)


def _steps(context: Context, network: PartialNetwork, sites: Sequence[Site]) -> Iterator[Update]:
    state = shown_state(context)
    runs = PairRuns(network, [Frames((context.bare, context.maze), state)])
    blocks = np.eye(BLOCKS**2, dtype=bool).reshape(BLOCKS**2, BLOCKS, BLOCKS)
    patches = np.concatenate([blocks, places(context.maze, state)])[:, None]
    facts = {"names": PLACES, "apart": float(runs.apart[0]), "cell": list(state.cell), "facing": state.facing.label}
    for site in sites:
        rest = runs.rest(site, patches)[:, 0]
        effect = 1 - rest / runs.apart[0] if runs.apart[0] > ROUNDING else np.zeros_like(rest)
        each, whole = effect[: BLOCKS**2].reshape(BLOCKS, BLOCKS), effect[BLOCKS**2 :]
        yield Update("causal", {"site": site.name, **facts}, {"effect": floats(each), "places": floats(whole)})


def places(maze: Maze, state: State) -> np.ndarray:
    """Return the blocks of each of :data:`PLACES`: ``bool[5, 8, 8]``.

    Those of ``planning``: cheese and mouse with a tile around, the ways from the mouse to the cheese and to the
    top-right cell, and the rest. Where cheese and mouse are close, blocks of both are the cheese's.
    """
    assert maze.cheese is not None
    cheese, mouse = (blocks_around(maze, [cell], 1) for cell in (maze.cheese, state.cell))
    mouse &= ~cheese
    goals = [goal for goal in (maze.cheese, maze.corner) if maze.connected(state.cell, goal)]
    route = blocks_around(maze, [cell for goal in goals for cell in maze.path(state.cell, goal)]) & ~cheese & ~mouse
    return np.stack([cheese, mouse, route, ~(cheese | mouse | route), ~cheese])


def shown_state(context: Context) -> State:
    """Return where the mouse stands in causal maps: at its start, if the cheese changes its move there.

    In most mazes there is but one way to go at the start. Then it is the decision square, and where the cheese changes
    nothing there either, the state where it changes most.
    """
    maze = context.maze
    apart = total_variation(context.clean.probabilities, context.no_cheese.probabilities)
    apart[[state.cell == maze.cheese for state in maze.states]] = 0.0
    square = maze.decision_square
    for state in (State(maze.mouse, maze.facing), *([] if square is None else [maze.arrival(square)])):
        if apart[maze.state_index(*state)] >= LEAST:
            return state
    return maze.states[int(apart.argmax())]
