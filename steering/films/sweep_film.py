"""The film of a sweep: the level that subtraction changes most, from its recordings."""

from __future__ import annotations

from pathlib import Path

from envs.errors import InputError
from envs.trajectory import Trajectory
from steering.experiments.conditions import Key
from steering.sweep.recordings import rollout_name
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store


def film_sweep(store: Store, spec: SweepSpec, directory: Path, site: str) -> Path | None:
    """Film the level where subtraction at ``site`` changes P(cheese) most, from its recordings.

    Args:
        store: the run's results.
        spec: the run's settings.
        directory: the run's; recordings and film lie in its ``rollouts/``.
        site: name of the site where the rollouts were recorded.

    Returns:
        The film's path, also of one that is there already; None if the sweep has no ``subtract`` condition or recorded
        nothing.

    Raises:
        InputError: if no level is finished, or the film cannot be written.
    """
    if "subtract" not in spec.conditions or spec.episodes < 1:
        return None
    key = Key(most_changed(store, spec, site), "subtract", site, spec.coefficients[0])
    folder = directory / "rollouts"
    path = folder / f"level{key.level:05d}_clean_vs_subtract_{site}_x{key.coefficient:g}.mp4"
    records = [folder / rollout_name(each, 0) for each in (Key(key.level, "clean"), key)]
    if not path.exists():
        if not all(record.exists() for record in records):
            return None
        from videos.rollout_film import film_of  # what encodes films is slow to import, and most films are there

        film_of([[Trajectory.load(record) for record in records]], path)
    return path


def most_changed(store: Store, spec: SweepSpec, site: str) -> int:
    """Return the finished level where subtraction at ``site`` changes P(cheese) most (the first of equals)."""
    table = {row.key: row.outcome for row in store.rows()}
    keys = {level: Key(level, "subtract", site, spec.coefficients[0]) for level in spec.levels}
    finished = [level for level, key in keys.items() if key in table]
    if not finished:
        raise InputError(f"{store.path.parent}: no level is finished yet; type the sweep's command again")
    return max(finished, key=lambda level: abs(table[Key(level, "clean")].p_cheese - table[keys[level]].p_cheese))
