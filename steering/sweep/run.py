"""The layer sweep: plan minus store = remaining work, handed to an executor; the driver alone writes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from envs.files import write_atomic
from steering.experiments.conditions import MAIN
from steering.sweep.recordings import rollout_keys, rollout_name, rollout_site
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from steering.sweep.units import Result, Unit, split

Executor = Callable[[Sequence[Unit]], Iterator[Result]]


def remaining(spec: SweepSpec, store: Store, folder: Path) -> list[Unit]:
    """Return the units that the store and the folder of rollouts lack, level by level.

    Subtraction in a run of an earlier version, which has no nearness to the cheese beside it, is computed once more.
    """
    near = {(part.level, part.site, part.coefficient) for part in store.nearness()}
    present = {key for key in store.keys() if key.condition != MAIN or (key.level, key.site, key.coefficient) in near}
    site = rollout_site(spec.sites)
    units = []
    for level in spec.levels:
        keys = [key for key in spec.keys(level) if key not in present]
        recordings = [
            key
            for key in rollout_keys(spec, level, site)
            if not all((folder / rollout_name(key, e)).exists() for e in range(spec.episodes))
        ]
        units += split(level, keys, recordings)
    return units


def run_sweep(
    spec: SweepSpec,
    directory: Path,
    store: Store,
    execute: Executor,
    *,
    progress: Callable[[int, int], None] | None = None,
    seen: Callable[[Result], None] | None = None,
) -> int:
    """Compute and store the results that the store lacks.

    Nothing finished is lost: each unit is stored as soon as it is done.

    Args:
        spec: the sweep's settings.
        directory: the run's; rollouts go to its ``rollouts/``.
        store: the run's results, open.
        execute: computes units, and gives results as they come (:mod:`steering.sweep.executors`).
        progress: told ``(done, total)`` in units, at the beginning and after each.
        seen: given each result when it is stored, before ``progress`` is told of it.

    Returns:
        The number of units that were computed.

    Raises:
        InputError: in one line, if a unit cannot be computed or stored.
    """
    folder = directory / "rollouts"
    units = remaining(spec, store, folder)
    if progress is not None:
        progress(0, len(units))
    if not units:
        return 0
    with contextlib.closing(execute(units)) as results:  # type: ignore[type-var]
        for done, result in enumerate(results, 1):
            for name, data in result.files:
                write_atomic(folder / name, data)
            store.add(result.rows, result.sums)
            if seen is not None:
                seen(result)
            if progress is not None:
                progress(done, len(units))
    return len(units)
