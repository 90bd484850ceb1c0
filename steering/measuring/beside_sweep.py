"""The first options of such a command, its levels, and the run that it holds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.checkpoints.stated import NOTHING, Stated
from agents.hardware import one_thread
from agents.networks.policy import MazePolicy, Policy, device_of
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.levels import Skip, look_for_levels
from steering.sweep.planning import mode_in
from steering.sweep.spec import SPEC, SweepSpec
from steering.sweep.store import Store, run_directory


@dataclass(frozen=True)
class MeasureOptions:
    """The first options of a command that measures an agent level by level, as typed."""

    checkpoint: str
    """The agent: a name of the zoo, or a file's path."""
    out: Path
    """The run directory, that of a sweep or a new one."""
    levels: str | None = None
    """Seeds to consider, ``0:64`` or ``3,7,12``; None: by ``n_levels``."""
    n_levels: int | None = None
    """Take the first so many that qualify; None (and no ``levels``): the sweep's in ``out``, else the command's."""
    seed: int = 0
    """Seed of every random draw."""
    mode: str | None = None
    """Procgen's distribution mode, ``hard`` or ``easy``; None: that of the run in ``out``, else of its training,
    else hard."""
    stated: Stated = NOTHING
    """What the user states of the checkpoint, where its file does not say it."""
    device: str = "cpu"
    """Device of the network: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``."""


def mazes_beside_sweep(
    options: MeasureOptions,
    policy: MazePolicy,
    progress: Callable[[int, int], None],
    *,
    default: int,
    left_out: Callable[[Sequence[Skip]], None] = lambda skipped: None,
) -> tuple[list[Maze], str]:
    """Return the mazes that another command measures, and their mode: by default those of a sweep in ``options.out``.

    Args:
        options: the command's options.
        policy: must be the agent of the sweep, if there is one, on a device of the same kind.
        progress: told while levels are looked for.
        default: number of them where nothing is asked for and there is no sweep.
        left_out: told the levels that were looked at and do not qualify; those of a sweep are told by the sweep.

    Raises:
        InputError: for a sweep of another agent or on another kind of device, or fewer levels that qualify than are
            asked for.
    """
    out = options.out
    sweep = SweepSpec.load(out) if os.path.lexists(out / SPEC) else None
    if sweep is not None and sweep.sha256 != policy.sha256:
        swept, asked_for = f"{sweep.checkpoint} ({sweep.sha256[:12]})", f"{policy.name} ({policy.sha256[:12]})"
        raise InputError(f"{out} is a sweep of {swept}, not of {asked_for}; choose another --out")
    if sweep is not None and sweep.device != (kind := device_of(policy.net).type):
        raise InputError(f"{out} is a sweep on --device {sweep.device}, not {kind}; choose another --out")
    mode = mode_in(out, policy, options.mode)
    if options.levels is None and options.n_levels is None and sweep is not None and sweep.mode == mode:
        return Maze.from_levels(sweep.levels, mode), mode
    used, skipped = look_for_levels(options.levels, options.n_levels or default, mode, progress=progress)
    left_out(skipped)
    return used, mode


@contextlib.contextmanager
def measurements(out: Path, policy: Policy, mode: str) -> Iterator[Store]:
    """Hold a run directory alone, on one thread, for measurements of an agent.

    Args:
        out: the directory, made if it is not there.
        policy: the agent, on the device that it is measured on.
        mode: procgen's mode of the levels.

    Yields:
        The run's database.

    Raises:
        InputError: in one line, for a directory in use, of another agent, mode or kind of device, or no run.
    """
    with run_directory(out) as directory, one_thread(), Store.open(directory) as store:
        kind = device_of(policy.net).type
        store.claim({"device": kind, "checkpoint sha256": policy.sha256, "mode": mode})
        yield store
