"""The task of a sweep: its spec, the levels that qualify, the keys of its results."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

from agents.checkpoints.stated import EARLIER_RULE, Stated
from envs.chain import check_horizon
from envs.errors import InputError
from envs.files import write_atomic
from steering.experiments.conditions import (
    BY_NAME,
    CONDITIONS,
    DEFAULT_CONDITIONS,
    DRAWN,
    REFERENCES,
    Key,
    find_condition,
)
from steering.experiments.levels import VectorSource
from steering.experiments.outcome import HORIZON
from steering.records.codec import from_plain, parse_json, to_json, to_plain
from steering.sweep.artifacts import RUN_FORMAT


def labelled(spec: SweepSpec, condition: str, coefficient: float) -> str:
    """Return a condition's label in a summary: ``subtract``, and ``subtract x2`` for a further coefficient."""
    return condition if coefficient == spec.coefficients[0] else f"{condition} x{coefficient:g}"


@dataclass(frozen=True)
class SweepSpec:
    """The settings that determine a sweep's numbers; ``spec.json`` of its directory."""

    checkpoint: str
    """Name of the checkpoint."""
    sha256: str
    """Digest of the checkpoint's bytes, 64 hexadecimal digits."""
    levels: tuple[int, ...]
    """Seeds of the levels to use, at least one."""
    sites: tuple[str, ...]
    """Names of the sites, in depth order."""
    conditions: tuple[str, ...] = DEFAULT_CONDITIONS
    """Names of the conditions, at least one of ``CONDITIONS``."""
    coefficients: tuple[float, ...] = (1.0,)
    """Multiples of the vector, at least one, from -1e6 to 1e6; the boundary is that of the first."""
    draws: int = 1
    """Results per site and coefficient of what is drawn at random, 1 or more."""
    horizon: int = HORIZON
    """Most moves of an episode, 1 or more."""
    seed: int = 0
    """Seed of everything drawn at random, 0 or more."""
    mode: str = "hard"
    """Procgen's mode of the levels: ``hard`` or ``easy``."""
    episodes: int = 2
    """Rollouts recorded per level and condition, 0 or more."""
    skipped: tuple[int, ...] = ()
    """Seeds of the levels looked at and left out."""
    vector: str = "start"
    """Place where cheese vectors are taken: see :class:`VectorSource`."""
    activation: str | None = None
    """Activation that the user stated of the checkpoint (see :class:`Stated`); null: none."""
    scale_pixels: int | None = None
    """Divisor of the frames that the user stated of the checkpoint, 255 or 1; null: none."""

    def __post_init__(self) -> None:
        for condition in self.conditions:
            find_condition(condition, CONDITIONS)
        if not self.conditions or not self.coefficients or not self.levels:
            raise InputError("a sweep needs at least one level, one condition and one coefficient")
        if not all(abs(c) <= 1e6 for c in self.coefficients) or self.draws < 1 or self.episodes < 0:
            raise InputError(
                "coefficients must be numbers up to a million, random draws at least 1, rollouts at least 0"
            )
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is negative; use 0 or more")
        check_horizon(self.horizon)
        VectorSource.parse(self.vector)
        _ = self.stated

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

    def draws_of(self, condition: str) -> int:
        """Return the number of results per site and coefficient: several for what is drawn at random."""
        return self.draws if condition in DRAWN else 1

    def shared(self) -> dict[str, object]:
        """Return the settings that all runs into one directory must share."""
        return {
            "checkpoint sha256": self.sha256,
            "horizon": self.horizon,
            "seed": self.seed,
            "mode": self.mode,
            "vector": self.vector,
        }

    def save(self, directory: Path) -> None:
        """Write ``spec.json``."""
        write_atomic(directory / "spec.json", to_json({"format": RUN_FORMAT, **to_plain(self)}, indent=2))

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> SweepSpec:
        """Read ``spec.json`` of a run directory.

        Raises:
            InputError: if there is none, or it is not one of this version.
        """
        directory = Path(directory)
        try:
            data = parse_json((directory / "spec.json").read_text())
            if not isinstance(data, dict) or data.pop("format", None) != RUN_FORMAT:
                raise ValueError("not a mazesteer run")
        except (OSError, ValueError) as error:
            raise InputError(f"{directory}: no readable spec.json ({error}); give a run directory") from None
        return from_plain(data, cls, directory / "spec.json", "give a run directory of this version")


def stated_of(activation: str | None, scale_pixels: int | None, run: Path) -> Stated:
    """Return what a user states of a checkpoint: as typed, else as stated for the sweep in ``run``, if there is one."""
    if (activation, scale_pixels) == (None, None) and (run / "spec.json").is_file():
        return SweepSpec.load(run).stated
    return Stated(activation, scale_pixels)
