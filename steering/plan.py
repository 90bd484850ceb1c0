"""What a sweep is to compute: the spec, the levels that qualify, the keys of its results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from envs.chain import REGION, check_horizon
from envs.errors import InputError, nearest
from envs.files import write_atomic
from envs.maze import Cell, Maze
from envs.simulator.procgen_env import check_seed
from steering.evaluate import HORIZON
from steering.store import RUN_FORMAT, TWIN, Key

REFERENCES = ("clean", "no_cheese")
OTHER_LEVEL, SAME_CELL, ALL_SITES = "other_level", "same_cell", "all_sites"
CONDITIONS = ("subtract", "add", "random", OTHER_LEVEL, SAME_CELL, ALL_SITES)
DEFAULT_CONDITIONS = CONDITIONS[:-1]
DRAWN = ("random", OTHER_LEVEL, SAME_CELL)  # with `draws` results each
# What is computed and stored together; a lost process loses one group of one level at most.
GROUPS = ((*REFERENCES, "subtract", "add", ALL_SITES), ("random",), (OTHER_LEVEL, SAME_CELL))
SEARCH_LIMIT = 100_000


@dataclass(frozen=True)
class SweepSpec:
    """What determines a sweep's numbers.

    ``sites`` are names; ``levels`` the seeds to use, ``skipped`` those looked at and left out.
    ``vector`` says where cheese vectors are taken: see :class:`VectorSource`.
    """

    checkpoint: str
    sha256: str
    levels: tuple[int, ...]
    sites: tuple[str, ...]
    conditions: tuple[str, ...] = DEFAULT_CONDITIONS
    coefficients: tuple[float, ...] = (1.0,)
    draws: int = 1
    horizon: int = HORIZON
    seed: int = 0
    mode: str = "hard"
    episodes: int = 2
    skipped: tuple[int, ...] = ()
    vector: str = "start"

    def __post_init__(self) -> None:
        for condition in self.conditions:
            if condition not in CONDITIONS:
                raise InputError(f"unknown condition {condition!r}; {nearest(condition, CONDITIONS)}")
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

    def keys(self, level: int) -> list[Key]:
        """Everything to be known about one level, in a fixed order."""
        keys = [Key(level, name) for name in REFERENCES]
        for site in self.sites:
            for condition in self.conditions:
                if condition != ALL_SITES:
                    for coefficient in self.coefficients:
                        for draw in range(self.draws_of(condition)):
                            keys.append(Key(level, condition, site, coefficient, draw))
        if ALL_SITES in self.conditions:
            keys += [Key(level, ALL_SITES, "", coefficient) for coefficient in self.coefficients]
        return keys

    def draws_of(self, condition: str) -> int:
        """Results per site and coefficient: several for what is drawn at random."""
        return self.draws if condition in DRAWN else 1

    def shared(self) -> dict[str, object]:
        """What all runs into one directory must agree on."""
        return {"checkpoint sha256": self.sha256, "horizon": self.horizon, "seed": self.seed, "mode": self.mode,
                "vector": self.vector}  # fmt: skip

    def save(self, directory: Path) -> None:
        """Write ``spec.json``."""
        write_atomic(
            directory / "spec.json", (json.dumps({"format": RUN_FORMAT, **asdict(self)}, indent=2) + "\n").encode()
        )

    @classmethod
    def load(cls, directory: Path) -> SweepSpec:
        """Read ``spec.json``; raises :class:`InputError` if it is not one."""
        try:
            data = json.loads((directory / "spec.json").read_text())
            if not isinstance(data, dict) or data.pop("format", None) != RUN_FORMAT:
                raise ValueError("not a mazesteer run")
            fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
            return cls(**fields)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{directory}: no readable spec.json ({error}); give a run directory") from None


@dataclass(frozen=True)
class VectorSource:
    """Where the cheese vectors of a sweep come from.

    ``start``: the level itself, mouse at its start. ``X,Y``: mouse on that cell. ``mean``: averaged over all states of
    the level. ``levels:N``: averaged over N other levels (mouse at the start), so nothing of the level itself.
    """

    kind: str
    cell: Cell | None = None
    count: int = 0

    @classmethod
    def parse(cls, text: str) -> VectorSource:
        """From what a user types; raises :class:`InputError` for anything else."""
        if text in ("start", "mean"):
            return cls(text)
        if found := re.fullmatch(r"levels:([0-9]{1,4})", text):
            count = int(found[1])
            if 1 <= count <= 256:
                return cls("levels", count=count)
        if found := re.fullmatch(r"([0-9]{1,2}),([0-9]{1,2})", text):
            return cls("cell", (int(found[1]), int(found[2])))
        raise InputError(
            f"vector {text!r}: write start, mean, levels:32 (a mean over 1 to 256 other levels) or a cell X,Y"
        )

    def misfit(self, maze: Maze) -> str:
        """Why no such vector can be taken in ``maze``, or an empty string."""
        if self.cell is None or (maze.is_free(self.cell) and self.cell != maze.cheese):
            return ""
        return f"the mouse cannot stand on {self.cell[0]},{self.cell[1]} to take the vector"


def skip_reason(maze: Maze) -> str:
    """Why a level cannot answer the question, or an empty string."""
    if maze.cheese is None:
        return "no cheese"
    if maze.cheese in maze.region(REGION):
        return f"cheese in the top-right {REGION}x{REGION}"
    if maze.decision_square is None:
        return "no decision square"
    return ""


def qualifying_levels(
    candidates: Iterable[int], wanted: int | None = None, mode: str = "hard", vector: str = "start"
) -> tuple[list[Maze], list[tuple[int, str]]]:
    """(mazes to use, [(level, reason)] skipped); stops once ``wanted`` mazes are found.

    A maze met before (same walls and cheese under another seed) is skipped: it would count twice.
    """
    used: list[Maze] = []
    skipped: list[tuple[int, str]] = []
    seen: dict[Any, int | None] = {}
    pending: list[int] = []
    source = VectorSource.parse(vector)

    def consider() -> None:
        for maze in Maze.from_levels(pending, mode):
            if wanted is not None and len(used) >= wanted:
                break
            reason = skip_reason(maze) or source.misfit(maze)
            twin = seen.setdefault((maze.walls, maze.cheese), maze.level)
            if not reason and twin != maze.level:
                reason = f"{TWIN} {twin}"
            if reason:
                assert maze.level is not None
                skipped.append((maze.level, reason))
            else:
                used.append(maze)
        pending.clear()

    for seed in candidates:
        pending.append(check_seed(seed))
        if len(pending) == 64:
            consider()
            if wanted is not None and len(used) >= wanted:
                break
    if pending:
        consider()
    return used, skipped


def parse_levels(text: str) -> list[int]:
    """``0:64`` (end excluded), ``7`` or ``0:8,12`` to seeds; raises :class:`InputError`."""
    seeds: list[int] = []
    for part in text.split(","):
        try:
            first, _, last = part.strip().partition(":")
            low = int(first)
            high = int(last) if last else low + 1
        except ValueError:
            raise InputError(f"levels {text!r}: write a range like 0:64, seeds like 3,7, or both") from None
        if ":" in part and not last:
            raise InputError(f"levels {text!r}: the range {part!r} has no end; write {low}:{low + 64}")
        if high <= low or high - low > SEARCH_LIMIT:
            raise InputError(f"levels {text!r}: {part.strip()!r} is empty or longer than {SEARCH_LIMIT}")
        check_seed(low)
        check_seed(high - 1)
        seeds += range(low, high)
    return list(dict.fromkeys(seeds))
