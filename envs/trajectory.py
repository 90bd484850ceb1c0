"""The record of one rollout: T+1 states, T moves, the probabilities they were drawn from."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from envs.actions import N_MOVES, STEP_OF_MOVE, Facing, Move, facing_after
from envs.errors import InputError
from envs.maze import State


@dataclass(frozen=True)
class Trajectory:
    """One episode of T moves, checked when built.

    Raises:
        InputError: a length or shape does not fit, a row of probabilities is none, or a move cannot lead from its
            state to the next (walls aside).
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
        if not isinstance(self.info, dict):
            raise InputError(f"trajectory: info is a {type(self.info).__name__}, expected a dictionary")

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
        """Read a recorded file; raises :class:`InputError` if it is not one."""
        try:
            with np.load(path, allow_pickle=False) as data:
                cells, facings = data["cells"], data["facings"]
                return cls(
                    tuple(State((int(x), int(y)), Facing(int(f))) for (x, y), f in zip(cells, facings, strict=True)),
                    tuple(Move(int(m)) for m in data["moves"]),
                    data["probabilities"],
                    bool(data["reached_cheese"]),
                    json.loads(bytes(data["info"])),
                )
        except InputError:
            raise
        except Exception as error:  # numpy and zipfile raise many kinds for a damaged file; none may escape
            reason = " ".join(str(error).split())[:160]
            raise InputError(f"{path}: not a recorded trajectory ({type(error).__name__}: {reason})") from None
