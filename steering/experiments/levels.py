"""Levels that qualify, where vectors are taken, and other levels to take them from.

Levels drawn are a function of (seed, level, what for, draw), so order and resume cannot matter.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from envs.chain import REGION
from envs.errors import RANGES, InputError, counted
from envs.maze import Cell, Maze
from envs.simulator.procgen_env import check_seed
from envs.training.levels import EVAL_LEVELS
from steering.experiments.conditions import BY_NAME, MOVE, Draw
from steering.statistics.seeding import generator

SEARCH_LIMIT = 100_000
BLOCK = 64  # levels made at once
MOST_TOLD = 8  # levels left out that an error lists for each reason
LOOK = 1024  # levels looked at before a number of them is called out of reach


class SkipReason(enum.Enum):
    """A reason for which a level is left out of a sweep; its value is the pattern of its words."""

    NO_CHEESE = "no cheese"
    CHEESE_IN_REGION = f"cheese in the top-right {REGION}x{REGION}"
    NO_DECISION_SQUARE = "no decision square"
    MOUSE_CANNOT_STAND = "the mouse cannot stand on {x},{y} to take the vector"
    SAME_MAZE = "same maze as level {twin}"

    @classmethod
    def read(cls, words: str) -> SkipReason | None:
        """Return the reason that was stored in ``words``; None for the words of none."""
        for reason in cls:
            if re.fullmatch(re.sub(r"{\w+}", "-?[0-9]+", reason.value), words):
                return reason
        return None


@dataclass(frozen=True)
class Skip:
    """A level left out of a sweep."""

    level: int
    """Procgen's level seed."""
    reason: SkipReason
    """Reason for leaving it out."""
    cell: Cell | None = None
    """Cell where the mouse cannot stand; null for other reasons."""
    twin: int | None = None
    """The level met before that has the same maze; null for other reasons."""

    @property
    def words(self) -> str:
        """Return the reason as it is stored and shown."""
        x, y = self.cell or (None, None)
        return self.reason.value.format(x=x, y=y, twin=self.twin)


@dataclass(frozen=True)
class VectorSource:
    """Source of the cheese vectors of a sweep.

    Written ``start``, ``mean``, ``levels:N`` or as a cell ``X,Y``.
    """

    kind: str
    """``start``: the level itself, mouse at its start. ``cell``: mouse on ``cell``. ``mean``: averaged over all states
    of the level. ``levels``: averaged over ``count`` other levels, mouse at the start: nothing of the level itself."""
    cell: Cell | None = None
    """Cell where the mouse stands; null unless ``kind`` is ``cell``."""
    count: int = 0
    """Number of other levels, 1 to 256; 0 unless ``kind`` is ``levels``."""

    @classmethod
    def parse(cls, text: str) -> VectorSource:
        """Return the source that a user typed; raises :class:`InputError` for anything else."""
        if text in ("start", "mean"):
            return cls(text)
        if found := re.fullmatch(r"levels:([0-9]{1,4})", text):
            count = int(found[1])
            return cls("levels", count=RANGES["vector-levels"].check(count))
        if found := re.fullmatch(r"([0-9]{1,2}),([0-9]{1,2})", text):
            return cls("cell", (int(found[1]), int(found[2])))
        raise InputError(
            f"vector {text!r}: write start, mean, levels:32 (a mean over 1 to 256 other levels) or a cell X,Y"
        )

    def fits(self, maze: Maze) -> bool:
        """Return whether such a vector can be taken in ``maze``: the mouse can stand on the cell, if there is one."""
        return self.cell is None or (maze.is_free(self.cell) and self.cell != maze.cheese)


def told_by_reason(skipped: Sequence[Skip]) -> str:
    """Return the levels left out in words, reason by reason: ``no decision square: 4, 20``."""
    by_reason: dict[str, list[str]] = {}
    for each in skipped:
        by_reason.setdefault(each.words, []).append(str(each.level))
    return "; ".join(f"{reason}: {first_of(levels, MOST_TOLD)}" for reason, levels in by_reason.items())


def first_of(levels: Sequence[str], most: int, others: str = "") -> str:
    """Return a list of levels in words, of a long one the first ``most``: ``4, 20 and 7 more``, then ``others``."""
    more = len(levels) - most
    return ", ".join(levels[:most]) + (f" and {more} more{others}" if more > 0 else "")


def skip_reason(maze: Maze) -> SkipReason | None:
    """Return why a level cannot answer the question; None if it can."""
    if maze.cheese is None:
        return SkipReason.NO_CHEESE
    if maze.cheese in maze.region(REGION):
        return SkipReason.CHEESE_IN_REGION
    if maze.decision_square is None:
        return SkipReason.NO_DECISION_SQUARE
    return None


def first_levels(
    wanted: int,
    mode: str = "hard",
    vector: str = "start",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Maze], list[Skip]]:
    """Return the first ``wanted`` levels of :data:`EVAL_LEVELS` that qualify, and those left out before the last.

    Raises:
        InputError: if fewer qualify; otherwise as :func:`qualifying_levels` does.
    """
    used, skipped = qualifying_levels(range(*EVAL_LEVELS), wanted, mode, vector, progress)
    if len(used) < wanted:
        looked_at = len(used) + len(skipped)
        about = len(used) * EVAL_LEVELS[1] // max(looked_at, 1)
        raise InputError(
            f"n-levels {wanted}: only about {about} of {EVAL_LEVELS[1]} levels qualify ({len(used)} of the first "
            f"{looked_at} do); take fewer"
        )
    return used, skipped


def look_for_levels(
    levels: str | None,
    wanted: int,
    mode: str,
    vector: str = "start",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Maze], list[Skip]]:
    """Return the mazes of those of ``levels`` that qualify, as typed, or the first ``wanted``; and those left out.

    Raises:
        InputError: where none of ``levels`` qualifies, with the reasons, or too few levels do.
    """
    if levels is None:
        return first_levels(wanted, mode, vector, progress)
    used, skipped = qualifying_levels(parse_levels(levels), None, mode, vector, progress)
    if not used:
        raise InputError(
            f"--levels {levels}: none of {counted(len(skipped), 'level')} qualifies "
            f"({told_by_reason(skipped)}); take a wider range"
        )
    return used, skipped


def qualifying_levels(
    candidates: Sequence[int],
    wanted: int | None = None,
    mode: str = "hard",
    vector: str = "start",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Maze], list[Skip]]:
    """Return the mazes to use and the levels left out, in the order of ``candidates``.

    A maze met before (same walls and cheese under another seed) is left out: it would count twice.

    Args:
        candidates: level seeds to look at.
        wanted: number of mazes at which to stop, or as soon as so many cannot be found; None to look at all candidates.
        mode: procgen's distribution mode, ``easy`` or ``hard``.
        vector: where cheese vectors are taken, as :meth:`VectorSource.parse` reads it.
        progress: told ``(done, total)``, in mazes found where ``wanted`` is given, else in candidates.

    Raises:
        InputError: for a seed or a vector that is none.

    Example:
        >>> used, skipped = qualifying_levels([26, 54])
        >>> [maze.level for maze in used], skipped
        ([26, 54], [])
    """
    used: list[Maze] = []
    skipped: list[Skip] = []
    seen: dict[Any, int | None] = {}
    source = VectorSource.parse(vector)

    def consider(maze: Maze) -> None:
        assert maze.level is not None
        twin = seen.setdefault((maze.walls, maze.cheese), maze.level)
        if (reason := skip_reason(maze)) is not None:
            skipped.append(Skip(maze.level, reason))
        elif not source.fits(maze):
            skipped.append(Skip(maze.level, SkipReason.MOUSE_CANNOT_STAND, cell=source.cell))
        elif twin != maze.level:
            skipped.append(Skip(maze.level, SkipReason.SAME_MAZE, twin=twin))
        else:
            used.append(maze)

    for start in range(0, len(candidates), BLOCK):
        for maze in Maze.from_levels([check_seed(seed) for seed in candidates[start : start + BLOCK]], mode):
            if wanted is not None and len(used) >= wanted:
                return used, skipped
            consider(maze)
        looked_at = len(used) + len(skipped)
        if wanted is not None and looked_at >= LOOK and len(candidates) - len(skipped) < wanted:
            return used, skipped
        progress(*((looked_at, len(candidates)) if wanted is None else (len(used), wanted)))
    return used, skipped


def check_levels_asked(levels: str | None, n_levels: int | None) -> None:
    """Raise :class:`InputError` for both ways to ask for levels at once, or a number of them that there is not."""
    if levels is not None and n_levels is not None:
        raise InputError("give --levels or --n-levels, not both")
    if n_levels is not None:
        RANGES["n-levels"].check(n_levels)


def parse_levels(text: str) -> list[int]:
    """Read ``0:64`` (end excluded), ``7`` or ``0:8,12`` as seeds; raise :class:`InputError`."""
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


def moved_cheese(maze: Maze, seed: int, draw: int, apart_from: Cell | None = None) -> Maze:
    """Return the level with its cheese on another cell, drawn by (seed, level, draw) from all that qualify.

    Such a cell is free, not the mouse's nor the cheese's, and outside the top-right 5x5, as the cheese of a level that
    qualifies is.

    Args:
        maze: the level, with its cheese.
        seed: of what is drawn.
        draw: number of the draw, from 0.
        apart_from: a cell that the cheese is not moved to: the one where vectors are taken.

    Raises:
        InputError: if there is no such cell, or the level has no cheese.
    """
    if maze.cheese is None:
        raise InputError(f"{MOVE}: {maze.label} has no cheese to move")
    barred = {maze.cheese, maze.mouse, apart_from, *maze.region(REGION)}
    cells = [cell for cell in maze.cells if cell not in barred]
    if not cells:
        raise InputError(f"{MOVE}: {maze.label} has no other cell for the cheese; leave the level out")
    return maze.with_cheese(cells[int(generator(seed, maze.level or 0, MOVE, draw).integers(len(cells)))])


_BLOCK = 16
_LIMIT = 4096


def donor(maze: Maze, condition: str, seed: int, draw: int) -> Maze:
    """Return a level to take a control's vector from, drawn at random from the evaluation levels.

    ``other_level``: one that qualifies for a sweep itself, with its cheese on another cell of the picture.
    ``same_cell``: any in which that cell is free, with the cheese moved there. Cells are compared in procgen's whole
    grid, so that equal cells are equal pixels.

    Raises:
        InputError: if none is found.
    """
    return donors(maze, condition, seed, draw, 1)[0]


def donors(maze: Maze, condition: str, seed: int, draw: int, count: int) -> list[Maze]:
    """Return ``count`` different levels as :func:`donor` draws them."""
    if maze.cheese is None:
        raise InputError(f"{condition}: this maze has no cheese to compare with")
    rng, draws = generator(seed, maze.level or 0, condition, draw), BY_NAME[condition].draws
    found: dict[int | None, Maze] = {}
    for _ in range(_LIMIT // _BLOCK):
        for candidate in Maze.from_levels(rng.integers(*EVAL_LEVELS, size=_BLOCK).tolist(), maze.mode):
            fit = None if candidate.level in (maze.level, *found) else _fitting(candidate, maze, draws)
            if fit is not None:
                found[fit.level] = fit
                if len(found) == count:
                    return list(found.values())
    raise InputError(f"{maze.label}: {condition} needs {count} levels to take vectors from, found {len(found)}")


def _fitting(candidate: Maze, maze: Maze, draws: Draw) -> Maze | None:
    here = _outer_cheese(maze)
    if draws is Draw.LEVEL:
        return candidate if skip_reason(candidate) is None and _outer_cheese(candidate) != here else None
    assert draws is Draw.LEVEL_WITH_CHEESE_THERE, draws
    cell = (here[0] - candidate.state.margin, here[1] - candidate.state.margin)
    return candidate.with_cheese(cell) if candidate.is_free(cell) and cell != candidate.mouse else None


def _outer_cheese(maze: Maze) -> Cell:
    assert maze.cheese is not None
    return (maze.cheese[0] + maze.state.margin, maze.cheese[1] + maze.state.margin)
