"""What a sweep is to compute: the spec, the levels that qualify, the keys of its results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.checkpoints import write_atomic
from envs.chain import REGION, check_horizon
from envs.errors import InputError, nearest
from envs.maze import Maze
from envs.procgen_env import check_seed
from steering.evaluate import HORIZON
from steering.store import RUN_FORMAT, TWIN, Key

REFERENCES = ("clean", "no_cheese")
CONDITIONS = ("subtract", "add", "random")
SEARCH_LIMIT = 100_000


@dataclass(frozen=True)
class SweepSpec:
    """What determines a sweep's numbers.

    ``sites`` are names; ``levels`` the seeds to use, ``skipped`` those looked at and left out.
    """

    checkpoint: str
    sha256: str
    levels: tuple[int, ...]
    sites: tuple[str, ...]
    conditions: tuple[str, ...] = CONDITIONS
    coefficients: tuple[float, ...] = (1.0,)
    draws: int = 1
    horizon: int = HORIZON
    seed: int = 0
    mode: str = "hard"
    episodes: int = 2
    skipped: tuple[int, ...] = ()

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

    def keys(self, level: int) -> list[Key]:
        """Everything to be known about one level, in a fixed order."""
        keys = [Key(level, name) for name in REFERENCES]
        for site in self.sites:
            for condition in self.conditions:
                for coefficient in self.coefficients:
                    for draw in range(self.draws if condition == "random" else 1):
                        keys.append(Key(level, condition, site, coefficient, draw))
        return keys

    def shared(self) -> dict[str, object]:
        """What all runs into one directory must agree on."""
        return {"checkpoint sha256": self.sha256, "horizon": self.horizon, "seed": self.seed, "mode": self.mode}

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
    candidates: Iterable[int], wanted: int | None = None, mode: str = "hard"
) -> tuple[list[Maze], list[tuple[int, str]]]:
    """(mazes to use, [(level, reason)] skipped); stops once ``wanted`` mazes are found.

    A maze met before (same walls and cheese under another seed) is skipped: it would count twice.
    """
    used: list[Maze] = []
    skipped: list[tuple[int, str]] = []
    seen: dict[Any, int | None] = {}
    pending: list[int] = []

    def consider() -> None:
        for maze in Maze.from_levels(pending, mode):
            if wanted is not None and len(used) >= wanted:
                break
            reason = skip_reason(maze)
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
