"""The task of a sweep: its spec, the levels that qualify, the keys of its results."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from agents.checkpoints.stated import EARLIER_RULE, Stated
from envs.chain import check_horizon
from envs.errors import InputError
from envs.files import write_atomic
from envs.simulator.procgen_env import check_mode
from envs.stored.json_records import check_record, from_plain, read_json, to_json, to_plain
from envs.stored.ranges import (
    Coefficient,
    Device,
    Digest,
    Draws,
    Episodes,
    FileName,
    Horizon,
    LevelSeed,
    Line,
    Mode,
    Name,
    RandomSeed,
)
from steering.experiments.conditions import (
    BY_NAME,
    CONDITIONS,
    DEFAULT_CONDITIONS,
    DRAWN,
    EDIT,
    MOST_EDITS,
    MOVE,
    REFERENCES,
    Key,
    find_condition,
)
from steering.experiments.levels import VectorSource
from steering.experiments.outcome import HORIZON
from steering.sweep.artifacts import RUN_FORMAT

SPEC = "spec.json"
MOST_RESULTS = 10_000_000  # of a run; the driver holds the key of each
Levels = Annotated[tuple[LevelSeed, ...], Meta(max_length=1_000_000)]
Names = Annotated[tuple[FileName, ...], Meta(min_length=1, max_length=10_000)]


def labelled(spec: SweepSpec, condition: str, coefficient: float) -> str:
    """Return a condition's label in a summary: ``subtract``, and ``subtract x2`` for a further coefficient."""
    return condition if coefficient == spec.coefficients[0] else f"{condition} x{coefficient:g}"


@dataclass(frozen=True)
class SweepSpec:
    """The settings that determine a sweep's numbers; ``spec.json`` of its directory.

    Example:
        >>> spec = SweepSpec("mine", "0" * 64, levels=(26, 54), sites=("input", "fc_policy"), conditions=("add",))
        >>> spec.results_per_level
        4
    """

    checkpoint: Name
    """Name of the checkpoint."""
    sha256: Digest
    """Digest of the checkpoint's bytes, 64 hexadecimal digits."""
    levels: Annotated[Levels, Meta(min_length=1)]
    """Seeds of the levels to use, at least one."""
    sites: Names
    """Names of the sites, in depth order."""
    conditions: Names = DEFAULT_CONDITIONS
    """Names of the conditions, at least one of ``CONDITIONS``."""
    coefficients: Annotated[tuple[Coefficient, ...], Meta(min_length=1, max_length=100_000)] = (1.0,)
    """Multiples of the vector, at least one, from -1e6 to 1e6; the boundary is that of the first."""
    draws: Draws = 1
    """Results per site and coefficient of what is drawn at random, 1 to 10,000."""
    horizon: Horizon = HORIZON
    """Most moves of an episode, 1 to 500."""
    seed: RandomSeed = 0
    """Seed of everything drawn at random, 0 or more."""
    mode: Mode = "hard"
    """Procgen's mode of the levels: ``hard`` or ``easy``."""
    episodes: Episodes = 2
    """Rollouts recorded per level and condition, 0 to 1,000."""
    skipped: Levels = ()
    """Seeds of the levels looked at and left out."""
    vector: Name = "start"
    """Place where cheese vectors are taken: see :class:`VectorSource`."""
    activation: Name | None = None
    """Activation that the user stated of the checkpoint (see :class:`Stated`); null: none."""
    scale_pixels: Annotated[int, Meta(ge=1, le=255)] | None = None
    """Divisor of the frames that the user stated of the checkpoint, 255 or 1; null: none."""
    device: Device = "cpu"
    """Kind of device that the network computes on: ``cpu`` or ``cuda``."""
    edits: Annotated[tuple[Line, ...], Meta(max_length=MOST_EDITS)] = ()
    """Edits of the condition ``edit`` as text, in their order; a vector from a file is named by its digest."""

    def __post_init__(self) -> None:
        for condition in self.conditions:
            find_condition(condition, CONDITIONS)
        if (EDIT in self.conditions) != bool(self.edits):
            raise InputError(f"condition {EDIT!r} and its edits go together; give --edit")
        if not self.conditions or not self.coefficients or not self.levels or not self.sites:
            raise InputError("a sweep needs at least one level, one site, one condition and one coefficient")
        check_horizon(self.horizon)
        check_mode(self.mode)
        if VectorSource.parse(self.vector).kind == "levels" and MOVE in self.conditions:
            raise InputError(
                f"condition {MOVE!r} takes its vectors in the level itself; leave out --vector {self.vector}"
            )
        _ = self.stated
        check_record(self, "sweep")
        for name in ("levels", "sites", "conditions", "coefficients"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise InputError(f"sweep: {name} holds something twice; name each once")

    @property
    def source(self) -> VectorSource:
        """Return the place where cheese vectors are taken."""
        return VectorSource.parse(self.vector)

    @property
    def stated(self) -> Stated:
        """Return what was stated of the checkpoint; of a run of an earlier version, what was taken for granted."""
        if self.activation is None and self.scale_pixels is None:
            return EARLIER_RULE
        return Stated(self.activation, self.scale_pixels)

    def keys(self, level: int) -> list[Key]:
        """Return the keys of everything to be known about one level, in a fixed order."""
        keys = [Key(level, name) for name in REFERENCES]
        at_one_site = [condition for condition in self.conditions if BY_NAME[condition].at_one_site]
        for site, condition, coefficient in itertools.product(self.sites, at_one_site, self.coefficients):
            keys += [Key(level, condition, site, coefficient, draw) for draw in range(self.draws_of(condition))]
        for condition, coefficient in itertools.product(self.conditions, self.coefficients):
            if condition not in at_one_site:
                keys += [Key(level, condition, "", coefficient, draw) for draw in range(self.draws_of(condition))]
        return keys

    @property
    def results_per_level(self) -> int:
        """Return the number of :meth:`keys` of a level, without making them."""
        return len(REFERENCES) + len(self.coefficients) * sum(
            self.draws_of(name) * (len(self.sites) if BY_NAME[name].at_one_site else 1) for name in self.conditions
        )

    def first(self, count: int) -> SweepSpec:
        """Return the sweep of the first ``count`` levels, as a sweep of so many would have been from the start."""
        levels = self.levels[:count]
        if levels == self.levels:
            return self
        return replace(self, levels=levels, skipped=tuple(level for level in self.skipped if level < max(levels)))

    def draws_of(self, condition: str) -> int:
        """Return the number of results per site and coefficient: several for what is drawn at random."""
        return self.draws if condition in DRAWN else 1

    def shared(self) -> dict[str, object]:
        """Return the settings that all runs into one directory must share; edits only where there are some."""
        edits: dict[str, object] = {"edits": self.edits} if self.edits else {}
        return edits | {
            "device": self.device,
            "checkpoint sha256": self.sha256,
            "horizon": self.horizon,
            "seed": self.seed,
            "mode": self.mode,
            "vector": self.vector,
        }

    def save(self, directory: Path) -> None:
        """Write ``spec.json``."""
        write_atomic(directory / SPEC, to_json({"format": RUN_FORMAT, **to_plain(self)}, indent=2))

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> SweepSpec:
        """Read ``spec.json`` of a run directory.

        Raises:
            InputError: if there is none, or it is not one of this version.
        """
        path, remedy = Path(directory) / SPEC, "give a run directory of this version"
        if path.parent.is_dir() and not os.path.lexists(path):
            raise InputError(f"{path}: no such file, so no sweep was run there; type mazesteer layer-sweep with --out "
                             f"{directory}, or give a run directory")  # fmt: skip
        data = read_json(path, remedy)
        if not isinstance(data, dict) or data.pop("format", None) != RUN_FORMAT:
            raise InputError(f"{path}: not a mazesteer run; {remedy}")
        spec = from_plain(data, cls, path, remedy)
        if (count := spec.results_per_level * len(spec.levels)) > MOST_RESULTS:
            raise InputError(f"{path}: asks for {count:,} results, expected at most {MOST_RESULTS:,}; {remedy}")
        return spec


def stated_of(checkpoint: str, activation: str | None, scale_pixels: int | None, run: Path) -> Stated:
    """Return what a user states of a checkpoint: as typed, else as stated for the sweep of this very agent in ``run``.

    What was stated of one network says nothing of another: a sweep of another agent counts for nothing.
    """
    from agents.checkpoints.zoo import load_stated  # torch, which a spec does without

    if (activation, scale_pixels) == (None, None) and os.path.lexists(run / SPEC):
        spec = SweepSpec.load(run)
        if load_stated(checkpoint, spec.stated).sha256 == spec.sha256:
            return spec.stated
    return Stated(activation, scale_pixels)
