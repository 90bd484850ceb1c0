"""Films of what an intervention does: recorded rollouts, clean and steered, side by side."""

from __future__ import annotations

from pathlib import Path

from agents.policy import Policy
from envs.errors import InputError, check_random_seed, nearest
from envs.maze import Maze
from envs.trajectory import Trajectory
from steering.interventions import Intervention
from steering.plan import ALL_SITES, CONDITIONS, REFERENCES, SweepSpec
from steering.rollouts import rollouts
from steering.sites import find_site
from steering.store import Key, Store
from steering.units import level_intervention, rollout_name
from videos.encode import write_film
from videos.side_by_side import Panel, film_frames


def intervention_named(
    policy: Policy, maze: Maze, condition: str, site: str | None, coefficient: float, seed: int
) -> Intervention:
    """The intervention of a condition on one level; references change nothing.

    Raises :class:`InputError` for an unknown condition, a missing site or a level without cheese.
    """
    known = (*REFERENCES, *CONDITIONS)
    if condition not in known:
        raise InputError(f"unknown condition {condition!r}; {nearest(condition, known)}")
    check_random_seed(seed)
    if condition in REFERENCES:
        return Intervention()
    if condition == ALL_SITES:
        name = ""
    elif site is None:
        raise InputError(f"condition {condition!r} needs a site: add --site (see `mazesteer sites`)")
    else:
        name = find_site(policy.net, site).name
    if maze.cheese is None:
        raise InputError(f"condition {condition!r}: level {maze.level} has no cheese to take a vector of")
    spec = SweepSpec(policy.name, policy.sha256, (0,), (name,), seed=seed, mode=maze.mode)
    return level_intervention(policy, maze, Key(maze.level or 0, condition, name, coefficient), spec)


def write_video(
    path: Path,
    maze: Maze,
    clean: Trajectory,
    steered: Trajectory,
    *,
    condition: str,
    site: str | None,
    coefficient: float,
    checkpoint: str,
) -> Path:
    """Two recorded rollouts of one level side by side, as mp4 or gif by suffix."""
    shown = maze.without_cheese() if condition == "no_cheese" else maze
    site = None if condition == ALL_SITES else site
    where = f" at {site}" if site and condition not in REFERENCES else ""
    times = f"{coefficient:g} x " if condition not in REFERENCES and coefficient != 1 else ""
    panels = [Panel("clean", clean.states), Panel(f"{times}{condition}{where}", steered.states, maze=shown)]
    header = [f"level {maze.level}, policy {checkpoint}", f"{condition}{where}"]
    return write_film(path, film_frames(maze, panels, header=header))


def film_level(
    policy: Policy,
    maze: Maze,
    path: Path,
    *,
    condition: str,
    site: str | None,
    coefficient: float = 1.0,
    seed: int = 0,
    horizon: int = 256,
) -> tuple[Trajectory, Trajectory]:
    """Roll out clean and steered with common random numbers and film them."""
    edit = intervention_named(policy, maze, condition, site, coefficient, seed)
    world = maze.without_cheese() if condition == "no_cheese" else maze
    (clean,) = rollouts(policy, maze, episodes=1, seed=seed, horizon=horizon, condition="clean")
    (steered,) = rollouts(policy, world, edit, episodes=1, seed=seed, horizon=horizon, condition=condition)
    write_video(
        path, maze, clean, steered, condition=condition, site=site, coefficient=coefficient, checkpoint=policy.name
    )
    return clean, steered


def film_sweep(store: Store, spec: SweepSpec, directory: Path, site: str) -> Path | None:
    """Film of the level where subtraction at ``site`` changes P(cheese) most, from its recordings.

    Made once; returns None if the sweep has no ``subtract`` condition or recorded nothing.
    """
    if "subtract" not in spec.conditions or spec.episodes < 1:
        return None
    table = {row.key: row.outcome for row in store.rows()}
    coefficient = spec.coefficients[0]
    steered_key = {level: Key(level, "subtract", site, coefficient) for level in spec.levels}
    finished = [level for level, key in steered_key.items() if key in table]

    def change(level: int) -> float:
        return abs(table[Key(level, "clean")].p_cheese - table[steered_key[level]].p_cheese)

    level = max(finished, key=change)
    folder = directory / "rollouts"
    path = folder / f"level{level:05d}_clean_vs_subtract_{site}_x{coefficient:g}.mp4"
    records = [folder / rollout_name(key, 0) for key in (Key(level, "clean"), steered_key[level])]
    if not path.exists():
        if not all(record.exists() for record in records):
            return None
        clean, steered = (Trajectory.load(record) for record in records)
        maze = Maze.from_level(level, spec.mode)
        write_video(
            path,
            maze,
            clean,
            steered,
            condition="subtract",
            site=site,
            coefficient=coefficient,
            checkpoint=spec.checkpoint,
        )
    return path
