"""The record of one rollout: T+1 states, T moves, the probabilities they were drawn from."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import UNSET, Meta, UnsetType

from envs.actions import N_MOVES, STEP_OF_MOVE, Facing, Move, facing_after
from envs.chain import MAX_HORIZON
from envs.errors import InputError
from envs.maze import State
from envs.stored.arrays import ArrayKind, read_arrays
from envs.stored.json_records import from_plain, parse_json
from envs.stored.ranges import Cell, Count, Horizon, LevelSeed, Mode, Name, Number, Probability, RandomSeed

MOST_BYTES = 2**24  # of a recorded file, and of what it unpacks to
_ARRAYS = {
    "cells": ArrayKind("iu", (None, 2)),
    "facings": ArrayKind("iu", (None,)),
    "moves": ArrayKind("iu", (None,)),
    "probabilities": ArrayKind("f", (None, N_MOVES)),
    "reached_cheese": ArrayKind("b", ()),
    "info": ArrayKind("u", (None,)),
}


@dataclass(frozen=True)
class RecordedEdit:
    """An edit of activations under which a rollout was made, as far as captions tell it."""

    site: Name
    """Name of the site."""
    coefficient: Number | None = None
    """Multiple of the vector; null for an edit without one."""
    kind: Name | None = None
    """Kind of edit; null: not recorded."""


@dataclass(frozen=True)
class RecordedIntervention:
    """The edits under which a rollout was made."""

    edits: Annotated[tuple[RecordedEdit, ...], Meta(max_length=10_000)] = ()
    """The edits in the order in which they act."""


@dataclass(frozen=True)
class ExactNumbers:
    """The exact numbers of the level under the condition of a rollout."""

    p_cheese: Probability | None = None
    """Probability that the cheese is eaten; null: not recorded."""
    p_region: Probability | None = None
    """Probability that the top-right 5x5 is visited; null: not recorded."""


@dataclass(frozen=True)
class RecordedFacts:
    """The facts about a rollout that replays and films read in its ``info``; null, or empty: not recorded."""

    level: LevelSeed | None = None
    """Seed of its level; null also for a maze of one's own."""
    mode: Mode = "hard"
    """Procgen's mode of the level."""
    cheese: Cell | UnsetType | None = UNSET
    """Cell of the cheese; null: it was removed; unset, as in early records: where the level has it."""
    state: Annotated[str, Meta(max_length=300_000)] = ""
    """The serialized state, compressed, in base 85, of a maze that is not what procgen makes of its level."""
    condition: Name | None = None
    """Name of its condition."""
    policy: Name | None = None
    """Name of the policy."""
    checkpoint: Name | None = None
    """Digest of the policy's file."""
    seed: RandomSeed | None = None
    """Seed of the moves drawn."""
    episode: Count | None = None
    """Number of the rollout among those of one seed."""
    horizon: Horizon | None = None
    """Most moves of an episode."""
    intervention: RecordedIntervention = RecordedIntervention()
    """The edits."""
    exact: ExactNumbers = ExactNumbers()
    """The exact numbers."""


@dataclass(frozen=True)
class Trajectory:
    """One episode of T moves, checked when built.

    Raises:
        InputError: a length or shape does not fit, a row of probabilities is none, or a move cannot lead from its
            state to the next (walls aside).

    Example:
        >>> states = State((0, 0), Facing.RIGHT), State((0, 1), Facing.RIGHT)
        >>> track = Trajectory(states, (Move.UP,), np.full((1, 5), 0.2), reached_cheese=False)
        >>> len(track), track.moves[0].label
        (1, 'up')
    """

    states: tuple[State, ...]
    """The T + 1 states, the start first."""
    moves: tuple[Move, ...]
    """The T moves; move t leads from state t to state t + 1."""
    probabilities: np.ndarray = field(repr=False)
    """Distribution that each move was drawn from, ``float64[T, 5]`` in the order of :class:`Move`; rows sum to 1."""
    reached_cheese: bool
    """True if the last move ended the episode on the cheese."""
    info: dict[str, Any] = field(default_factory=dict)
    """Level, condition, seed and the like: JSON values by name."""

    def __post_init__(self) -> None:
        steps = len(self.moves)
        if steps > MAX_HORIZON:
            raise InputError(f"trajectory: {steps} moves; procgen ends an episode after {MAX_HORIZON}")
        if len(self.states) != steps + 1:
            raise InputError(f"trajectory: {len(self.states)} states for {steps} moves; there must be one more")
        if self.probabilities.shape != (steps, N_MOVES):
            raise InputError(f"trajectory: probabilities {self.probabilities.shape}, expected ({steps}, {N_MOVES})")
        if steps and not np.allclose(self.probabilities.sum(axis=1), 1.0, atol=1e-6):
            raise InputError("trajectory: probabilities do not sum to 1 at every step")
        if (self.probabilities < 0).any():
            raise InputError("trajectory: negative probabilities")
        for t, (before, move, after) in enumerate(zip(self.states, self.moves, self.states[1:], strict=False)):
            (x, y), (dx, dy) = before.cell, STEP_OF_MOVE[move]
            if after.cell not in ((x, y), (x + dx, y + dy)) or after.facing != facing_after(before.facing, move):
                raise InputError(f"trajectory: step {t} by {move.label} cannot lead from {before} to {after}")
        _ = self.facts

    @functools.cached_property
    def facts(self) -> RecordedFacts:
        """Return the facts in ``info`` that replays and films read."""
        return from_plain(self.info, RecordedFacts, "trajectory: info", "no facts about a rollout", partial=True)

    def __len__(self) -> int:
        return len(self.moves)

    def to_bytes(self) -> bytes:
        """Return the record as an ``.npz`` file (plain arrays, no pickle), the same bytes every time."""
        arrays: dict[str, np.ndarray] = {
            "cells": np.array([s.cell for s in self.states], dtype=np.int16),
            "facings": np.array([int(s.facing) for s in self.states], dtype=np.int8),
            "moves": np.array([int(m) for m in self.moves], dtype=np.int8),
            "probabilities": self.probabilities.astype(np.float64),
            "reached_cheese": np.array(self.reached_cheese),
            "info": np.frombuffer(json.dumps(self.info, sort_keys=True).encode(), dtype=np.uint8),
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                part = io.BytesIO()
                np.lib.format.write_array(part, array, allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), part.getvalue())
        return buffer.getvalue()

    @classmethod
    def load(cls, path: Path) -> Trajectory:
        """Read a recorded file; raise :class:`InputError`, in one line that names it, if it is not one."""
        found = read_arrays(path, _ARRAYS, MOST_BYTES, "not a recorded trajectory")
        cells, facings, moves = found["cells"], found["facings"], found["moves"]
        if not len(cells) == len(facings) == len(moves) + 1 <= MAX_HORIZON + 1:
            raise InputError(
                f"{path}: not a recorded trajectory: {len(cells)} cells and {len(facings)} facings for {len(moves)} "
                f"moves, expected one more of each than moves, and at most {MAX_HORIZON} moves"
            )
        try:
            return cls(
                tuple(State((int(x), int(y)), Facing(int(f))) for (x, y), f in zip(cells, facings, strict=True)),
                tuple(Move(int(m)) for m in moves),
                found["probabilities"].astype(np.float64),
                bool(found["reached_cheese"]),
                parse_json(bytes(found["info"])),
            )
        except ValueError as error:
            raise InputError(f"{path}: not a recorded trajectory: {str(error)[:400]}") from None
