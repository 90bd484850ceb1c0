"""When in training does the boundary appear, and what did the loss do then: curves over snapshots of one training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TOLERANCE = 0.05
RULE = (
    "A bump is a stretch of one stage of training where the loss, over the logarithm of the samples, lies above its "
    f"lower convex envelope by more than {TOLERANCE:.0%} of what the loss fell in that stage."
)


def loss_curves(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per stage with a loss: ``{"stage", "count": [int], "loss": [float], "bumps": [[first, last]]}``, counts > 0."""
    found = []
    for stage in dict.fromkeys(row["stage"] for row in history):
        rows = [row for row in history if row["stage"] == stage and row.get("loss") is not None and row["count"] > 0]
        if len(rows) < 2:
            continue
        count, loss = [int(row["count"]) for row in rows], [float(row["loss"]) for row in rows]
        found.append({"stage": stage, "count": count, "loss": loss, "bumps": bumps(np.array(count), np.array(loss))})
    return found


def bumps(count: np.ndarray, loss: np.ndarray, tolerance: float = TOLERANCE) -> list[list[int]]:
    """Non-convex stretches ``[first count, last count]`` by :data:`RULE`; ``count`` rises and is positive."""
    x = np.log10(count.astype(np.float64))
    fell = max(float(loss[0] - loss.min()), np.finfo(np.float64).eps)
    above = loss - lower_envelope(x, loss) > tolerance * fell
    edges = np.flatnonzero(np.diff(np.r_[False, above, False].astype(int)))
    return [[int(count[a]), int(count[b - 1])] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def lower_envelope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The greatest convex function below the points, at ``x`` (rising): ``float64[n]`` (Andrew's monotone chain)."""
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1:
            a, b = hull[-2:]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(i)
    return np.interp(x, x[hull], y[hull])


def snapshots(checkpoints: Sequence[str]) -> tuple[str, list[int]] | None:
    """(agent, counts) if ``checkpoints`` are different snapshots ``AGENT@COUNT`` of one training; else None."""
    parts = [checkpoint.partition("@") for checkpoint in checkpoints]
    if len({name for name, _, _ in parts}) != 1 or not all(at and count.isdecimal() for _, at, count in parts):
        return None
    counts = [int(count) for _, _, count in parts]
    return (parts[0][0], counts) if len(set(counts)) == len(counts) > 1 else None
