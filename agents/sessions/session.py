"""A resumable session: network, optimiser, schedule, state on disk and log of one stage of a training."""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from agents.hardware import bf16_pays, keep_freed_memory
from agents.sessions.history import Watcher
from agents.sessions.muon import Muon, hidden_weights
from agents.untrusted.weights import check_finite
from envs.errors import InputError
from envs.files import write_atomic
from envs.stored.sources import read_file

Progress = Callable[[int, dict[str, float]], None]


LATER = {"teacher": "path", "mode": "hard"}  # options that states of earlier versions do not have
MOST_STATE = 2**32  # bytes of a state file: the widest network that is trained, three times


def check_counts(options: object, stage: str, *names: str) -> None:
    """Raise :class:`InputError` for an option of a stage, one of ``names``, that is below 1."""
    for name in names:
        if (count := getattr(options, name)) < 1:
            raise InputError(f"{stage}: {name} is {count}, must be at least 1")


@dataclass(frozen=True)
class UpdateConfig:
    """Options of an update from a batch: linear warm-up, then linear decay of the rates."""

    samples: int
    """Samples shown in all, rounded up to whole batches."""
    batch_size: int
    """Samples per update."""
    learning_rate: float
    """Full learning rate of Adam."""
    warmup_samples: int
    """Samples over which the rates rise linearly to the full ones."""
    matrix_rate: float = 0.0
    """Full rate of :class:`agents.sessions.muon.Muon` for the hidden weights; 0: Adam has them all."""
    decay_to: float = 0.0
    """Share of the full rates left after ``samples``, 0..1."""
    value_weight: float = 0.25
    """Weight of the value's squared error beside the cross-entropy, 0 or more."""
    grad_norm: float = 1.0
    """Bound of the gradient's norm, over the weights that Adam has."""
    bf16: bool = field(default_factory=bf16_pays)
    """Compute in bfloat16 where autocast can; by default where the device does so by itself."""

    @classmethod
    def of(cls, options: Any) -> UpdateConfig:
        """Return the update part of a stage's options, taken by field name."""
        return cls(**{part.name: getattr(options, part.name) for part in dataclasses.fields(cls)})

    @property
    def total(self) -> int:
        """Return the samples shown in all: whole batches."""
        return -(-self.samples // self.batch_size) * self.batch_size

    def schedule(self, done: int) -> float:
        """Return the share of the full rates after ``done`` samples."""
        rise = min(1.0, (done + self.batch_size) / max(self.warmup_samples, 1))
        return rise * (1.0 - (1.0 - self.decay_to) * min(done / self.samples, 1.0))

    def optimizers(self, net: nn.Module) -> list[torch.optim.Optimizer]:
        """Return Adam, and Muon if it has a rate, both at their full rates."""
        hidden, others = hidden_weights(net) if self.matrix_rate else ([], list(net.parameters()))
        found: list[torch.optim.Optimizer] = [torch.optim.Adam(others, lr=self.learning_rate, eps=1e-5)]
        if hidden:
            found.append(Muon(hidden, lr=self.matrix_rate, bf16=self.bf16))
        return found


class Session:
    """Network, optimiser, schedule, log and snapshots of one run in one directory.

    The state file is written whole or not at all, at most ``save_every_seconds`` apart; a run
    begun with other options is refused by :class:`InputError`. ``watcher`` looks at the network now
    and then; ``device`` is where it is trained; every ``log_every`` batches running means over some two
    or three times as many go into the log. ``progress`` is told them then, and with a
    watcher after the first batch too.
    """

    done: int
    """Samples shown."""
    number: int
    """Batches shown."""

    def __init__(
        self,
        net: nn.Module,
        update: UpdateConfig,
        options: dict[str, Any],
        path: Path,
        *,
        save_every_seconds: float,
        progress: Progress | None,
        watcher: Watcher | None = None,
        device: str = "cpu",
        log_every: int = 20,
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        keep_freed_memory()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.net = net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config = update
        self._options = options
        self._path = path
        self._optimizers = update.optimizers(self.net)
        self._clipped = [p for group in self._optimizers[0].param_groups for p in group["params"]]
        self._running: dict[str, float] = {}
        self._progress = progress
        self._every = save_every_seconds
        self._log_every = log_every
        self._earlier = 0.0
        self.done, self.number = self._resume()
        self._first = self.number + 1 if watcher is not None else None
        self._begun = self._saved = time.monotonic()
        self._watcher = watcher
        # What an interrupted run logged after its last save, or without any, is dropped: it comes again. A stage that
        # is over, opened on the way to the next, drops nothing: what lies behind it is the next one's.
        lost = None if self.over else self.count + 1
        self._writer = SummaryWriter(str(path.parent / "tensorboard"), purge_step=lost)
        if watcher is not None:
            watcher.begin(self.done)
            self._look()

    @property
    def seconds(self) -> float:
        """Return the wall time so far in seconds, interruptions left out."""
        return self._earlier + time.monotonic() - self._begun

    @property
    def count(self) -> int:
        """Return the samples shown; with a watcher, since the first weights of the run."""
        return self.done + (self._watcher.offset if self._watcher is not None else 0)

    @property
    def over(self) -> bool:
        """Return whether all samples have been shown."""
        return self.done >= self.config.samples

    def descend(self, losses: Iterable[Tensor]) -> None:
        """Make one step of the optimisers down the sum of ``losses``, at the rates of the samples shown so far.

        They are asked for one by one, each only when the gradient of the one before is found and its memory free.
        """
        self.net.zero_grad(set_to_none=True)
        for loss in losses:
            loss.backward()
        nn.utils.clip_grad_norm_(self._clipped, self.config.grad_norm)
        for optimizer, rate in zip(
            self._optimizers, (self.config.learning_rate, self.config.matrix_rate), strict=False
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * self.config.schedule(self.done)
            optimizer.step()

    def advance(self, samples: int, figures: dict[str, float]) -> None:
        """Count a batch of so many samples as shown; log its figures, save and look where that is due."""
        self.done += samples
        self.number += 1
        share = 0.4 / self._log_every
        for key, value in figures.items():
            self._running[key] = (1 - share) * self._running.get(key, value) + share * value
        if self.number % self._log_every == 0:
            for key, value in self._running.items():
                self._writer.add_scalar(f"{self._path.stem}/{key}", value, self.count)
        if self._progress is not None and (self.number % self._log_every == 0 or self.number == self._first):
            self._progress(self.done, dict(self._running))
        if self.over or time.monotonic() - self._saved > self._every:
            self.save()
        self._look()

    def _look(self) -> None:
        if self._watcher is not None:
            seen = self._watcher.look(self.done, self.net, self._running, self.seconds, last=self.over)
            for key, value in seen.items():
                self._writer.add_scalar(f"exact/{key}", value, self.count)

    def save(self) -> None:
        """Write the state file now; that of a stage that is over keeps no optimiser, and is a third as large."""
        state: dict[str, Any] = {
            "net": self.net.state_dict(),
            "optimizers": [] if self.over else [optimizer.state_dict() for optimizer in self._optimizers],
            "samples": self.done,
            "batches": self.number,
            "config": self._options,
            "running": self._running,
            "seconds": self.seconds,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(self._path, buffer.getvalue())
        self._saved = time.monotonic()

    def close(self) -> None:
        """End the log."""
        self._writer.close()

    def _resume(self) -> tuple[int, int]:
        """Return the samples and batches of the state on disk, if there is one, and take it up."""
        if not os.path.lexists(self._path):
            return 0, 0
        data = read_file(self._path, MOST_STATE, "not the state of a training stage: remove it or choose another --out")
        try:
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            later = {name: value for name, value in LATER.items() if name in self._options}
            then, samples = {**later, **state["config"]}, int(state["samples"])
            number = int(state.get("batches", samples // self.config.batch_size))  # earlier versions kept no number
            running = {str(key): float(value) for key, value in state["running"].items()}
            seconds = float(state["seconds"])
            if "optimizers" not in state and "optimizer" in state:
                raise ValueError("begun by an earlier version")
            if then == self._options:
                for key, value in state["net"].items():
                    check_finite(key, value, str(self._path))
                self.net.load_state_dict(state["net"])
                if samples < self.config.samples:
                    for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
                        optimizer.load_state_dict(kept)
        except Exception as error:  # torch raises many kinds for a damaged or foreign file
            # What torch says of a pickle is advice for whoever wrote it.
            damaged = isinstance(error, pickle.UnpicklingError)
            reason = "damaged" if damaged else " ".join(str(error).split())[:160] or type(error).__name__
            raise InputError(
                f"{self._path}: not the state of a training stage ({reason}); remove it or choose another --out"
            ) from None
        if then != self._options:
            changed = sorted(k for k, v in self._options.items() if then.get(k) != v)
            raise InputError(
                f"{self._path}: was started with other options ({', '.join(changed)}); choose another --out"
            )
        self._running, self._earlier = running, seconds
        return samples, number
