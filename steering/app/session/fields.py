"""Move distributions of all states, some states at a time, each kept by what determines it.

A field depends on the maze without its mouse, and on the edits; the values that an edit's suffix reads depend on the
maze and the edited sites. So moving the mouse computes nothing anew, moving the cheese nothing without it, and another
coefficient only suffixes. What is kept is bounded in bytes; what was let go is computed again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
import weakref

import numpy as np
import torch
from torch import Tensor, fx, nn

from agents.networks.policy import Policy, move_probabilities, to_input
from envs.actions import N_MOVES
from envs.errors import InputError
from envs.maze import Maze
from steering.app.session.frames import Frames, Kept, world_of
from steering.experiments.exact import StatePolicy
from steering.interventions.edits import Intervention
from steering.interventions.hooks import HookedPolicy
from steering.interventions.partial import CleanValues, PartialNetwork

MOST_FIELDS = 2**24  # bytes kept of a session's fields: some 500 of the largest maze
KEY = 4_000  # bytes of what a field is kept by
MOST_VALUES = 3 * 2**26  # of activations that suffixes read

_LOCKS: weakref.WeakKeyDictionary[nn.Module, threading.Lock] = weakref.WeakKeyDictionary()


def lock_of(net: nn.Module) -> threading.Lock:
    """Return the lock that sessions of one network hold while they use it: hooks are seen by all."""
    return _LOCKS.setdefault(net, threading.Lock())


@functools.lru_cache(maxsize=16)
def _digest(edits: Intervention) -> str:
    """Return what tells edits apart, without their vectors: a field must not hold the tensors that it was made with."""
    return hashlib.sha256(json.dumps(edits.to_json(), sort_keys=True).encode()).hexdigest()


class Field:
    """Moves and values in the states of a maze, as far as they are known; rows are NaN before."""

    def __init__(self, states: int) -> None:
        self.known = np.zeros(states, dtype=bool)
        self.probabilities = np.full((states, N_MOVES), np.nan)
        self.values = np.full(states, np.nan)

    @property
    def whole(self) -> bool:
        """Return whether every state is known."""
        return bool(self.known.all())

    def put(self, which: np.ndarray, logits: Tensor, values: Tensor) -> None:
        """Fill the rows ``int[m]`` from logits ``[m, 15]`` and values ``[m]``."""
        self.probabilities[which] = move_probabilities(logits).numpy()
        self.values[which] = values.double().numpy()
        self.known[which] = True

    @property
    def policy(self) -> StatePolicy:
        """Return it as the rest of the package has it."""
        return StatePolicy(self.probabilities, self.values)


class _Rows:
    """Rows of several tensors, one for each state, as far as they were put there."""

    def __init__(self, states: int) -> None:
        self.known = np.zeros(states, dtype=bool)
        self.tensors: dict[fx.Node, Tensor] = {}

    def put(self, which: np.ndarray, values: CleanValues) -> None:
        """Keep the rows of a batch."""
        for node, value in values.items():
            if node not in self.tensors:
                layout = torch.channels_last if _is_channels_last(value) else torch.contiguous_format
                shape = len(self.known), *value.shape[1:]
                self.tensors[node] = torch.empty(shape, dtype=value.dtype, device=value.device, memory_format=layout)
            self.tensors[node][torch.from_numpy(which)] = value
        self.known[which] = True

    def take(self, which: np.ndarray) -> CleanValues:
        """Return the rows ``int[m]`` as a batch."""
        return _taken(self.tensors, which)


class Fields:
    """The fields of one policy.

    Args:
        policy: its network is read by hooks and left as it was.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        try:
            self.network: PartialNetwork | None = PartialNetwork(policy.net)
        except InputError:
            self.network = None
        self._fields: Kept[Field] = Kept(MOST_FIELDS)
        self.frames = Frames()
        self._rows: Kept[_Rows] = Kept(MOST_VALUES)

    def field(self, maze: Maze, edits: Intervention | None = None) -> Field:
        """Return the field of a maze as far as it is known; it is filled by :meth:`compute`."""
        key = world_of(maze), _digest(edits or Intervention())
        states = len(maze.states)
        found = self._fields.get(key)
        return self._fields.put(key, Field(states), KEY + states * (8 * (N_MOVES + 1) + 1)) if found is None else found

    def compute(self, maze: Maze, edits: Intervention, which: np.ndarray) -> None:
        """Fill the rows ``int[m]`` of the field without edits, and of that with them.

        Raises:
            InputError: for an edit that does not fit the network, or one that makes numbers overflow.
        """
        clean, edited = self.field(maze), self.field(maze, edits)
        asked = which[~edited.known[which]] if edits.edits else which[:0]
        if self.network is None:
            self._by_hooks(maze, Intervention(), which[~clean.known[which]], clean)
            self._by_hooks(maze, edits, asked, edited)
            return
        rows = self._rows.get((world_of(maze), frozenset(edits.sites)))
        kept = np.zeros(len(clean.known), dtype=bool) if rows is None else rows.known
        missing = which[~clean.known[which] | (~edited.known[which] & ~kept[which] & bool(edits.edits))]
        part: CleanValues | None = None
        if len(missing):
            x = to_input(self.frames.of(maze, missing))
            logits, values, part = self.network.passed(x, edits.sites)
            clean.put(missing, logits, values)
            if part is not None:
                rows = self._keep(maze, edits, missing, part, rows)
        if not len(asked):
            return
        if rows is not None and rows.known[asked].all():
            read = rows.take(asked)
        elif part is not None:  # too much to be kept, so that all that is asked was missing
            read = _taken(part, np.flatnonzero(np.isin(missing, asked)))
        else:
            read = self.network.clean(to_input(self.frames.of(maze, asked)))
        edited.put(asked, *self.network.rerun(read, edits.by_site([maze.states[k] for k in asked])))

    def _by_hooks(self, maze: Maze, edits: Intervention, which: np.ndarray, field: Field) -> None:
        if len(which):
            x = to_input(self.frames.of(maze, which))
            logits, values, _ = HookedPolicy(self.policy.net).run(x, edits.by_site([maze.states[k] for k in which]))
            field.put(which, logits, values)

    def _keep(
        self, maze: Maze, edits: Intervention, which: np.ndarray, part: CleanValues, rows: _Rows | None
    ) -> _Rows | None:
        """Keep what the suffix of some edits reads, if all states' have room."""
        if rows is None:
            states = len(maze.states)
            size = sum(value[:1].numel() * value.element_size() for value in part.values()) * states
            if size > self._rows.most:
                return None
            rows = self._rows.put((world_of(maze), frozenset(edits.sites)), _Rows(states), size)
        rows.put(which, part)
        return rows


def _taken(values: CleanValues, which: np.ndarray) -> CleanValues:
    index = torch.from_numpy(which)
    return {node: value[index.to(value.device)] for node, value in values.items()}


def _is_channels_last(value: Tensor) -> bool:
    last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    return last and not value.is_contiguous()
