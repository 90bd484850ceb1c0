"""Results that come bit by bit and go on where they stopped when they are wanted again; passes over a few states."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from agents.networks.policy import move_probabilities, to_input
from steering.app.session.context import Context
from steering.app.session.updates import Update
from steering.interventions.hooks import Edit, HookedPolicy
from steering.statistics.seeding import generator

WORKING, FINISHED = 2**24, 2**16  # bytes that one of them holds, about: a pass over a few states, then its updates


@dataclass
class Gradual:
    """A result in the making."""

    steps: Iterator[Update]
    """What is still to be done: each step a short piece of work that gives an update."""
    whole: bool
    """Whether an update replaces the one before it; else each is a part of the result."""
    told: list[Update] = field(default_factory=list)
    """The updates that say what is known."""
    finished: bool = False
    """Whether nothing is left to be done."""

    def updates(self) -> Iterator[Update]:
        """Yield what is known, then go on; who drops the iterator loses nothing."""
        yield from tuple(self.told)
        for update in self.steps:
            self.told = [update] if self.whole else [*self.told, update]
            yield update
        self.finished = True


def gradual(
    context: Context, key: Hashable, steps: Callable[[Context], Iterator[Update]], *, whole: bool = True
) -> Iterator[Update]:
    """Yield the updates of a result; what was known of it before comes first.

    Args:
        context: the state.
        key: all that the result depends on, beside the agent.
        steps: function that begins it.
        whole: whether an update replaces the one before it.
    """
    found = context.kept.get(key)
    if found is None:
        found = Gradual(steps(context), whole)
    assert isinstance(found, Gradual)
    context.kept.put(key, found, FINISHED if found.finished else WORKING)
    return found.updates()


class Pass:
    """The network's values in a few states of the maze; an edit runs only what follows its site.

    Args:
        context: the state of the workbench.
        states: indices of states of the maze, ``int[m]``.
    """

    def __init__(self, context: Context, states: np.ndarray) -> None:
        self._hooked, self._network = HookedPolicy(context.policy.net), context.network
        self._x = to_input(context.fields.frames.of(context.maze, states))
        self._values = None if self._network is None else self._network.clean(self._x)

    def moves(self, site: str, edit: Edit, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the move probabilities under an edit of one site: ``float64[n, 5]``.

        Args:
            site: its full name.
            edit: function ``[n, *site] -> [n, *site]``.
            rows: positions in the states of the pass, ``int[n]``, each any number of times; None: each once.
        """
        which = None if rows is None else torch.from_numpy(rows)
        if self._network is None or self._values is None:
            logits = self._hooked.run(self._x if which is None else self._x[which], {site: edit})[0]
        else:
            values = self._values if which is None else self._network.states(self._values, site, which)
            logits = self._network.rerun(values, {site: edit})[0]
        return np.asarray(move_probabilities(logits).numpy())


def shuffled(context: Context) -> np.ndarray:
    """Return the states off the cheese, ``int[n]``, in an order drawn at random: its beginnings stand for them all."""
    off = [k for k, state in enumerate(context.maze.states) if state.cell != context.maze.cheese]
    return np.asarray(generator(context.seed, 0, "order of states", 0).permutation(off))
