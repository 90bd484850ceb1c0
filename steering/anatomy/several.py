"""The measurements of a pass, by this process or by several: the numbers are the same."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.workers import Workers
from envs.maze import Maze
from steering.anatomy.part import Asked, Rows, stored_as
from steering.anatomy.parts import MEASURED
from steering.interventions.sites import select_sites
from steering.records.anatomy.summary import AnatomySettings
from steering.sweep.executors import CODE, check_code, results
from steering.sweep.units import Checkpoint, policy_of


@dataclass(frozen=True)
class PassAsked:
    """One pass of a part, as it travels to workers."""

    checkpoint: Checkpoint
    """The agent."""
    mazes: tuple[Maze, ...]
    """The levels."""
    settings: AnatomySettings
    """The settings of the command."""
    part: str
    """Name of the part."""
    number: int
    """Number of the pass in it, from 0."""
    before: tuple[Rows, ...]
    """Rows of the passes before."""


def measured(
    asked: Asked,
    part: str,
    number: int,
    before: Sequence[Rows],
    missing: Sequence[int],
    workers: int,
    checkpoint: Checkpoint | None,
) -> Iterator[tuple[int, Any]]:
    """Yield rows of a pass as they come, each with the level that it is kept under.

    Args:
        asked: what the part is asked about.
        part: its name.
        number: number of the pass in it, from 0.
        before: rows of the passes before.
        missing: levels to measure.
        workers: most processes, 1 or more.
        checkpoint: the agent for them; None: this process measures.

    Raises:
        InputError: if processes die again and again.
    """
    if checkpoint is None or min(workers, len(missing)) < 2:
        work = MEASURED[part].passes[number].work(asked, before)
        yield from ((level, work[level]()) for level in missing)
        return
    name = stored_as(part, MEASURED[part].passes[number])
    items = {f"{name}, {level}": level for level in missing}
    sent = PassAsked(checkpoint, tuple(asked.mazes), asked.settings, part, number, tuple(before))
    with Workers(functools.partial(_begin, sent, CODE), min(workers, len(missing)), __name__) as pool:
        yield from ((items[item], row) for item, row in results(pool, list(items)))


def _begin(sent: PassAsked, file: str) -> Callable[[str], Any]:
    """Return what a worker process does with an item; ``file``: :data:`CODE` of its parent."""
    check_code(file)
    policy = policy_of(sent.checkpoint)
    sites = select_sites(",".join(sent.settings.sites), policy.net)
    work = MEASURED[sent.part].passes[sent.number].work(Asked(policy, sent.mazes, sites, sent.settings), sent.before)
    return lambda item: work[int(item.rsplit(", ", 1)[1])]()
