"""The boundary and the loss over training: curves over snapshots of one training."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.checkpoints.cards import load_card, zoo_names
from agents.sessions.history import SNAPSHOTS, read_history
from envs.errors import InputError
from envs.stored.sources import MOST_WEIGHTS, read_file
from steering.analysis.compared_runs import ComparedRun
from steering.records.comparison import LossCurve

TOLERANCE = 0.05
RULE = (
    "A bump is a stretch of one stage where the loss lies above its lower convex envelope, over the logarithm of the "
    f"samples. It is marked where it lies above by more than {TOLERANCE:.0%} of the fall of the loss in that stage."
)
_LOSS = f"the loss; shaded stretches are bumps. {RULE}"
_NO_HISTORY = "empty, since no loss is known; --history RUN adds that of a training, RUN being its --out."
_NO_LOSS = "empty, since the history of this training has no loss curve (two looks at one stage)."
_BESIDE = 1.25  # how far beside another snapshot of the same count one is drawn at most, as a ratio of counts


@dataclass(frozen=True)
class Look:
    """One look at a training, as its history keeps it."""

    stage: str
    """Name of the stage of training."""
    count: int
    """Samples and steps of training up to then, 0 or more."""
    loss: float | None
    """Loss in the units of the stage's own loss; None where none is known."""


def looks(history: Sequence[Mapping[str, Any]]) -> tuple[Look, ...]:
    """Return the looks in the rows of a history: of ``history.jsonl``, or of a card."""
    found = []
    for row in history:
        loss = row.get("loss")
        value = None if loss is None or not math.isfinite(loss) else float(loss)
        found.append(Look(row["stage"], int(row["count"]), value))
    return tuple(found)


def loss_curves(history: Sequence[Look]) -> tuple[LossCurve, ...]:
    """Return the loss of each stage that has two looks with one, behind its start."""
    found = []
    for stage in _stages(history):
        rows = [(look.count, look.loss) for look in history if look.stage == stage and look.count > 0]
        known = [(count, loss) for count, loss in rows if loss is not None]
        if len(known) > 1:
            counts, losses = zip(*known, strict=True)
            found.append(LossCurve(stage, counts, losses, bumps(np.array(counts), np.array(losses))))
    return tuple(found)


def without_loss(history: Sequence[Look]) -> tuple[str, ...]:
    """Return the stages of a training that :func:`loss_curves` has no curve for."""
    known = {curve.stage for curve in loss_curves(history)}
    return tuple(stage for stage in _stages(history) if stage not in known)


def _stages(history: Sequence[Look]) -> list[str]:
    return list(dict.fromkeys(look.stage for look in history))


def loss_caption(losses: Sequence[LossCurve], without: Sequence[str] | None) -> str:
    """Return the caption of the panel of the loss; ``without``: stages that have none, None if no history is known."""
    if not losses:
        return _NO_HISTORY if without is None else _NO_LOSS
    return _LOSS + (f" The history has no loss curve for: {', '.join(without)}." if without else "")


def bumps(count: np.ndarray, loss: np.ndarray, tolerance: float = TOLERANCE) -> tuple[tuple[int, int], ...]:
    """Return the non-convex stretches, first and last count, by :data:`RULE`; ``count`` rises and is positive."""
    x = np.log10(count.astype(np.float64))
    fell = float(loss[0] - loss[-1])
    if fell <= 0:
        return ()
    above = loss - lower_envelope(x, loss) > tolerance * fell
    edges = np.flatnonzero(np.diff(np.r_[False, above, False].astype(int)))
    return tuple((int(count[a]), int(count[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True))


def lower_envelope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the greatest convex function below the points, at ``x`` (rising): ``float64[n]``.

    By Andrew's monotone chain.
    """
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1:
            a, b = hull[-2:]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(i)
    return np.asarray(np.interp(x, x[hull], y[hull]))


@dataclass(frozen=True)
class Series:
    """Snapshots of one training, in the order given."""

    name: str | None
    """The shipped agent that was trained; None: one's own training."""
    counts: tuple[int, ...]
    """Samples and steps of training at each, 0 or more."""
    stages: tuple[str, ...]
    """Stage of each: the last of a stage and the first of the next may have the same count. Empty texts of a shipped
    agent."""

    def positions(self) -> list[int]:
        """Return the place of each on an axis of counts: its own, or beside it if an earlier stage's stands there."""
        begin = {s: min(c for c, own in zip(self.counts, self.stages, strict=True) if own == s) for s in self.stages}
        order = sorted(range(len(self.counts)), key=lambda i: (self.counts[i], begin[self.stages[i]]))
        found, last = [0] * len(order), -1
        for i in order:
            count = self.counts[i]
            same = [j for j in order if self.counts[j] == count]
            room = min([_BESIDE, *(later / max(count, 1) for later in self.counts if later > count)])
            found[i] = last = max(last + 1, round(count * room ** (same.index(i) / len(same))))
        return found


def snapshots(checkpoints: Sequence[str]) -> Series | None:
    """Return the series that ``checkpoints`` are, if all are different snapshots of one training; else None.

    Either ``AGENT@COUNT`` of one shipped agent, or ``COUNT-STAGE`` as :class:`agents.sessions.history.Watcher` names
    its files; such names do not say of which training they are.
    """
    for pattern in (r"(?P<name>[^@]+)@(?P<count>[0-9]+)(?P<stage>)", r"(?P<name>)(?P<count>[0-9]{9,})-(?P<stage>.+)"):
        parts = [re.fullmatch(pattern, checkpoint) for checkpoint in checkpoints]
        found = [(part["name"], int(part["count"]), part["stage"]) for part in parts if part]
        if len(set(found)) == len(checkpoints) > 1 and len({name for name, _, _ in found}) == 1:
            (name, *_), counts, stages = zip(*found, strict=True)
            return Series(name or None, counts, stages)
    return None


def in_order_of_training(runs: Sequence[ComparedRun]) -> tuple[list[ComparedRun], Series | None]:
    """Return snapshots of one training by count, whatever the order they were swept in, and the series they are.

    Other runs stay as they are and are no series: None.
    """
    series = snapshots([run.spec.checkpoint for run in runs])
    if series is None:
        return list(runs), None
    where = series.positions()
    ordered = [runs[i] for i in sorted(range(len(runs)), key=where.__getitem__)]
    return ordered, snapshots([run.spec.checkpoint for run in ordered])


def training_history(training: Path | None, runs: Sequence[ComparedRun], series: Series | None) -> tuple[Look, ...]:
    """Return the history of the training of ``series``: on a card, or in the directory ``training``; () if of none.

    Raises:
        InputError: if ``training`` is given and is not theirs.
    """
    if training is None:
        return _card_history(series.name) if series is not None else ()
    if series is None:
        raise InputError(
            "--history: these runs are not snapshots of one training (NAME@COUNT, or COUNT-STAGE as a training "
            "names its files); leave it out"
        )
    if series.name is not None:
        raise InputError(f"--history: the loss of {series.name} is on its card; leave the option out")
    return _own_history(training, runs, series)


def _card_history(name: str | None) -> tuple[Look, ...]:
    return looks(load_card(name).get("history", [])) if name in zoo_names() else ()


def _own_history(training: Path, runs: Sequence[ComparedRun], series: Series) -> tuple[Look, ...]:
    """Return the history in ``training``; raises :class:`InputError` if the runs are seen to be another training's."""
    found = looks(read_history(training))
    known = {(look.count, look.stage) for look in found}
    for run, snapshot in zip(runs, zip(series.counts, series.stages, strict=True), strict=True):
        file = training / SNAPSHOTS / f"{run.spec.checkpoint}.safetensors"
        other = file.is_file() and hashlib.sha256(read_file(file, MOST_WEIGHTS)).hexdigest() != run.spec.sha256
        if other or snapshot not in known:
            raise InputError(
                f"--history {training}: {run.name} is no snapshot of that training; give the --out of its own"
            )
    return found
