"""The history of a training: its schedule of looks, the rows kept, and the learning curves.

Counts are samples plus environment steps since the first weights, over all stages of a run. The
training directory gets ``snapshots/*.safetensors`` on a logarithmic schedule and one line of
``history.jsonl`` for each look. Looking draws nothing from any generator of the training, so a
run that is watched has the weights of one that is not.
"""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envs.errors import InputError
from envs.files import write_atomic
from envs.stored.json_records import from_json, from_plain
from envs.stored.ranges import Count, FileName, Name, NonNegative, Number
from envs.stored.sources import read_file

if TYPE_CHECKING:
    from torch import nn

FILE = "history.jsonl"
SNAPSHOTS = "snapshots"
EXACT = {
    "p_cheese_in_distribution": "P(cheese), as in training",
    "p_cheese_anywhere": "P(cheese), cheese anywhere",
    "p_region_anywhere": "P(top-right 5x5), cheese anywhere",
}
FIRST_SNAPSHOT = 4_096
# Kept apart from training, and not among the levels of the model card: looking at these while
# choosing options leaves the card's figures free of selection.
WATCH_LEVELS = (90_000, 90_016)
Numbers = dict[Name, int | Number]  # of a look, by name


@dataclass(frozen=True)
class RowHead:
    """The fields that every row of a history has."""

    stage: FileName
    """Name of the stage."""
    count: Count
    """Samples and environment steps since the first weights."""
    seconds: NonNegative = 0.0
    """Wall time since the run began."""


def snapshot_due(before: int, now: int) -> bool:
    """Return whether one of 0, 4096, 8192, 16384, ... lies in ``before < mark <= now``."""
    if before < 0 <= now:
        return True
    if now < FIRST_SNAPSHOT:
        return False
    mark = FIRST_SNAPSHOT * 2 ** int(math.log2(now // FIRST_SNAPSHOT))
    return before < mark


def read_history(directory: Path) -> list[dict[str, Any]]:
    """Return the rows of ``history.jsonl`` in order of count (none if there is no such file)."""
    path, remedy = directory / FILE, "not a training history: remove it to begin a new one"
    if not os.path.lexists(path):
        return []
    rows = []
    for number, line in enumerate(read_file(path, remedy=remedy).splitlines(), 1):
        where = f"{path}, line {number}"
        row = from_json(line, dict[Name, Any], where, remedy)
        from_plain(row, RowHead, where, remedy, partial=True)
        from_plain({name: value for name, value in row.items() if name != "stage"}, Numbers, where, remedy)
        rows.append(row)
    return rows


@dataclass
class Watcher:
    """Looks at the network of one stage of a run: exact figures into the history, weights into snapshots."""

    directory: Path
    """Folder of the run; it gets ``history.jsonl`` and ``snapshots/``."""
    stage: str
    """Name of the stage: ``imitation``, ``dagger``, ``dagger_2``, ..., ``ppo``."""
    offset: int
    """Count of samples and environment steps at which the stage begins."""
    region: int | None
    """Cheese rule of the training: side, in cells, of the top-right square; None: anywhere."""
    every: int = 262_144
    """Samples or steps between two looks, beside those of the snapshots."""
    levels: tuple[int, int] = WATCH_LEVELS
    """Level seeds ``low <= s < high`` that the figures are of."""
    mode: str = "hard"
    """Procgen's distribution mode of these levels."""

    def __post_init__(self) -> None:
        self._last = -1
        self._rows: list[dict[str, Any]] = []
        self._earlier = 0.0

    def begin(self, done: int) -> None:
        """Start, or take up again, at ``done`` of the stage: rows of it beyond that, of a lost end, are dropped."""
        count = self.offset + done
        rows = read_history(self.directory)
        self._rows = [row for row in rows if row["count"] <= count or row["stage"] != self.stage]
        if len(self._rows) < len(rows):
            self._write()
        self._last = count if self._rows else -1
        earlier = [
            row.get("seconds", 0.0) for row in self._rows if row["stage"] != self.stage and row["count"] <= self.offset
        ]
        self._earlier = max(earlier, default=0.0)

    def look(
        self, done: int, net: nn.Module, figures: Mapping[str, float], seconds: float, *, last: bool = False
    ) -> dict[str, float]:
        """Return the exact figures if a look is due at ``done`` of the stage (or it is the ``last``), else none.

        ``figures`` are noted along with them; ``seconds`` is the stage's wall time so far.
        """
        # Who only reads a history needs no torch.
        from agents.checkpoints.files import save_checkpoint
        from agents.evaluation import policy_figures
        from agents.networks.impala import ImpalaPolicyNet
        from agents.networks.policy import MazePolicy

        count = self.offset + done
        snapshot = last or snapshot_due(self._last, count)
        due = snapshot or count // self.every > self._last // self.every
        self._last = max(count, self._last)
        if not due or any((row["count"], row["stage"]) == (count, self.stage) for row in self._rows):
            return {}
        twin = copy.deepcopy(net).to("cpu")
        assert isinstance(twin, ImpalaPolicyNet)
        if snapshot:
            name = f"{count:09d}-{self.stage}.safetensors"
            save_checkpoint(twin, self.directory / SNAPSHOTS / name, {"count": str(count), "stage": self.stage})
        seen = policy_figures(MazePolicy(twin), self.region, levels=self.levels, mode=self.mode)
        exact = {key: float(seen[key]) for key in EXACT}
        rounded = {key: round(float(value), 5) for key, value in figures.items() if math.isfinite(value)}
        time = {"seconds": round(self._earlier + seconds, 1)}
        self._rows.append({"stage": self.stage, "count": count, **time, **exact, **rounded})
        self._write()
        return exact

    def _write(self) -> None:
        text = "".join(json.dumps(row) + "\n" for row in self._rows)
        write_atomic(self.directory / FILE, text.encode())


def learning_curves(rows: list[dict[str, Any]], path: Path, title: str = "") -> None:
    """Draw the history as a PNG: exact P(cheese) above, loss and accuracy below, over the count."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    if not rows:
        raise InputError(f"{path}: no history to draw")
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(7, 6), sharex=True, layout="constrained")
    try:
        styles = ("o-", "s--", "^:")
        for (key, label), style in zip(EXACT.items(), styles, strict=True):
            seen = [r for r in rows if key in r]
            upper.plot([r["count"] for r in seen], [r[key] for r in seen], style, ms=3, label=label)
        upper.set(ylim=(0, 1), ylabel="exact, within 256 moves", title=title)
        upper.legend(loc="upper left", fontsize=8)
        for key, label, style in (
            ("accuracy", "accuracy of imitation", "o-"),
            ("loss", "loss of imitation", "s--"),
            ("reward", "exact return, share of the reward", "d-"),
            ("success", "share of PPO episodes won", "^:"),
        ):
            # PPO's loss, of another kind, is not drawn.
            points = [(r["count"], r[key]) for r in rows if key in r and (key != "loss" or r["stage"] != "ppo")]
            if points:
                lower.plot(*zip(*points, strict=True), style, ms=3, label=label)
        lower.set(xlabel="samples + environment steps", ylim=(0, 1.7))
        lower.set_xscale("symlog", linthresh=FIRST_SNAPSHOT)
        lower.set_xlim(left=-100)
        if lower.lines:
            lower.legend(loc="upper left", fontsize=8)
        for stage in dict.fromkeys(row["stage"] for row in rows):
            first = next(row["count"] for row in rows if row["stage"] == stage)
            for axes in (upper, lower):
                axes.axvline(first, color="0.8", lw=0.8, zorder=0)
            upper.annotate(stage, (first, 0.02), rotation=90, fontsize=7, color="0.4")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120, metadata={"Software": None})
    finally:
        pyplot.close(figure)
