"""Films of what an intervention does: recorded rollouts of any number of conditions, side by side."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.networks.policy import Policy, batches, to_input
from envs.errors import InputError, nearest
from envs.maze import Maze
from envs.recording import recorded_maze
from envs.trajectory import Trajectory
from steering.experiments.conditions import CONDITIONS, REFERENCES, Key
from steering.experiments.exact import CHUNK, LevelEvaluator
from steering.experiments.level_conditions import intervention_named
from steering.experiments.rollouts import rollouts
from steering.fields import alignment, heat_map
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import find_site
from steering.interventions.vectors import cheese_vector
from steering.sweep.recordings import rollout_name
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from videos.encode import write_film
from videos.scene import HeatOverlay
from videos.side_by_side import STANDARD, Look, Panel, grid_frames

HEATS = ("none", "vector", "activation")


@dataclass(frozen=True)
class Cast:
    """Who is filmed: conditions from left to right, at one site. ``heat``: ``none``, the cheese ``vector`` of the
    site or each picture's ``activation`` there, of one ``channel`` (None: the norm over channels)."""

    conditions: tuple[str, ...] = ("clean", "subtract")
    site: str | None = None
    coefficient: float = 1.0
    seed: int = 0
    horizon: int = 256
    heat: str = "none"
    channel: int | None = None

    def __post_init__(self) -> None:
        known = (*REFERENCES, *CONDITIONS)
        for condition in self.conditions:
            if condition not in known:
                raise InputError(f"unknown condition {condition!r}; {nearest(condition, known)}")
        if not self.conditions or len(set(self.conditions)) < len(self.conditions):
            raise InputError(f"conditions {', '.join(self.conditions)!r}: give one or more, each once")
        if self.heat not in HEATS:
            raise InputError(f"unknown heat map {self.heat!r} of a film; {nearest(self.heat, HEATS)}")
        if self.heat != "none" and self.site is None:
            raise InputError("a heat map needs a site: add --site (see `mazesteer sites`)")


def roll(policy: Policy, maze: Maze, cast: Cast) -> list[Trajectory]:
    """One rollout a condition on one level, with common random numbers.

    Each record also holds the exact P(cheese) and P(top-right 5x5) of its condition, for the result card.
    """
    evaluator = LevelEvaluator(policy, maze, cast.horizon)
    tracks = []
    for condition in cast.conditions:
        edit = intervention_named(policy, maze, condition, cast.site, cast.coefficient, cast.seed)
        gone = condition == "no_cheese"
        world = maze.without_cheese() if gone else maze
        (track,) = rollouts(policy, world, edit, episodes=1, seed=cast.seed, horizon=cast.horizon, condition=condition)
        outcome = evaluator.no_cheese_outcome() if gone else evaluator.outcomes([edit])[0]
        exact = {"p_cheese": outcome.p_cheese, "p_region": outcome.p_region}
        tracks.append(dataclasses.replace(track, info={**track.info, "exact": exact}))
    return tracks


def heat_overlays(policy: Policy, maze: Maze, tracks: Sequence[Trajectory], cast: Cast) -> list[HeatOverlay | None]:
    """The heat map of each rollout of :func:`roll`, aligned to the picture; each on its own scale."""
    if cast.heat == "none":
        return [None] * len(tracks)
    assert cast.site is not None
    where = alignment(policy.net, cast.site)
    if cast.heat == "vector":
        maps = heat_map(cheese_vector(policy, maze, cast.site).tensor, cast.channel)[None]
        return [HeatOverlay(maps, where.share(0), where.share(1) - where.share(0))] * len(tracks)
    found: list[HeatOverlay | None] = []
    name = find_site(policy.net, cast.site).name
    for track, condition in zip(tracks, cast.conditions, strict=True):
        edit = intervention_named(policy, maze, condition, cast.site, cast.coefficient, cast.seed)
        world = maze.without_cheese() if condition == "no_cheese" else maze
        unique = list(dict.fromkeys(track.states))
        seen: list[np.ndarray] = []
        for frames in batches(world.observations(unique), CHUNK):
            activations = HookedPolicy(policy.net).run(to_input(frames), edit.by_site(), [name])[2][name]
            seen += [heat_map(each, cast.channel) for each in activations]
        maps = np.stack([seen[unique.index(state)] for state in track.states])
        found.append(HeatOverlay(maps, where.share(0), where.share(1) - where.share(0)))
    return found


def title_of(track: Trajectory) -> str:
    """A panel's caption from the record alone: condition, coefficient and site; of several sites their number.

    A coefficient that several sites share equally is the sum of theirs.
    """
    condition = str(track.info.get("condition") or "rollout").replace("_", " ")
    edits = track.info.get("intervention", {}).get("edits", [])
    sites = list(dict.fromkeys(edit["site"] for edit in edits))
    times = {edit.get("coefficient") for edit in edits}
    if None not in times and len(times) == 1 and len(sites) == len(edits):
        condition += f" x{abs(times.pop()) * len(sites):g}"
    if len(sites) == 1:
        condition += f" at {sites[0].removeprefix('embedder.')}"
    elif sites:
        condition += f" shared by {len(sites)} sites"
    return condition


def header_of(track: Trajectory) -> str:
    """A film's caption from a record alone: level, mode, policy, seed, and the episode if it is not the first."""
    return ", ".join(_told(track))


def _told(track: Trajectory) -> list[str]:
    info = track.info
    level = "own maze" if info.get("level") is None else f"level {info['level']}"
    mode = "" if info.get("mode", "hard") == "hard" else f" ({info['mode']})"
    policy = info.get("policy") or str(info.get("checkpoint", ""))[:12] or "unknown"
    episode = [f"episode {info['episode']}"] if info.get("episode") else []
    return [f"{level}{mode}", f"policy {policy}", f"seed {info.get('seed', '-')}", *episode]


def _row_captions(rows: Sequence[Sequence[Trajectory]]) -> list[list[str]]:
    """What is said of each row; its checkpoint and horizon only where rows would else look alike."""
    told = [_told(tracks[0]) for tracks in rows]
    for name, words in (("checkpoint", "checkpoint {:.8}"), ("horizon", "at most {} moves")):
        values = [str(tracks[0].info.get(name, "unknown")) for tracks in rows]
        if len(set(map(tuple, told))) < len(told) and len(set(values)) > 1:
            told = [[*said, words.format(value)] for said, value in zip(told, values, strict=True)]
    return told


def rows_of(tracks: Iterable[Trajectory]) -> list[list[Trajectory]]:
    """Recordings in rows that may be compared side by side, in the order in which they come.

    One row has one maze (with its cheese or without), policy, seed, episode and horizon.
    """
    rows: dict[tuple[Any, ...], list[Trajectory]] = {}
    for track in tracks:
        shared = [track.info.get(name) for name in ("policy", "checkpoint", "seed", "episode", "horizon")]
        rows.setdefault((recorded_maze(track).without_cheese(), *map(str, shared)), []).append(track)
    return list(rows.values())


def panel_of(track: Trajectory, *, heat: HeatOverlay | None = None, title: str | None = None) -> Panel:
    """A recorded rollout as a panel; raises :class:`InputError` for one without moves."""
    if not track.moves:
        raise InputError(
            f"{header_of(track)}: the rollout {title_of(track)!r} has no moves, so there is nothing to film"
        )
    exact = track.info.get("exact", {})
    names = {"p_cheese": "P(cheese)", "p_region": "P(top-right 5x5)"}
    facts = ", ".join(f"{label} {exact[key]:.2f}" for key, label in names.items() if key in exact)
    return Panel(
        title_of(track) if title is None else title,
        track.states,
        maze=recorded_maze(track),
        moves=track.moves,
        probabilities=track.probabilities,
        facts=f"exactly: {facts}" if facts else "",
        heat=heat,
    )


def film_of(
    rows: Sequence[Sequence[Trajectory]],
    path: Path,
    *,
    look: Look = STANDARD,
    grid: bool = False,
    heats: Sequence[Sequence[HeatOverlay | None]] | None = None,
) -> Path:
    """Film recorded rollouts, a row of them for each level: the film is a function of the records and the look.

    Levels come one after the other, or (``grid``) all at once, one below the other. Raises
    :class:`InputError` for a rollout without moves, rollouts of one row with one caption or of two mazes,
    and as :func:`videos.encode.write_film` does.
    """
    shown = [
        (_level_of(tracks), [panel_of(t, heat=h) for t, h in zip(tracks, row, strict=True)])
        for tracks, row in zip(rows, heats or [[None] * len(tracks) for tracks in rows], strict=True)
    ]
    for _, panels in shown:
        _check_titles(panels)
    told = _row_captions(rows)
    if grid:
        common = [part for part in told[0] if all(part in said for said in told)]
        own = [", ".join(part for part in said if part not in common) for said in told]
        titled = [
            (maze, [dataclasses.replace(panel, title=f"{name}: {panel.title}" if name else panel.title)
                    for panel in panels])
            for name, (maze, panels) in zip(own, shown, strict=True)
        ]  # fmt: skip
        frames = grid_frames(titled, header=", ".join(common), look=look)
    else:
        frames = _one_by_one(shown, [", ".join(said) for said in told], look)
    return write_film(path, frames, look.fps)


def _one_by_one(rows: Sequence[tuple[Maze, list[Panel]]], headers: Sequence[str], look: Look) -> Iterator[np.ndarray]:
    """Each level's film in turn; a level's pictures are made when its turn comes."""
    return itertools.chain.from_iterable(
        grid_frames([row], header=header, look=look) for row, header in zip(rows, headers, strict=True)
    )


def _check_titles(panels: Sequence[Panel]) -> None:
    titles = [panel.title for panel in panels]
    for title in titles:
        if titles.count(title) > 1:
            raise InputError(f"film: two rollouts side by side are both {title!r}; film each in a film of its own")


def _level_of(tracks: Sequence[Trajectory]) -> Maze:
    """The maze of a row with its cheese, if any of the rollouts had it."""
    mazes = [recorded_maze(track) for track in tracks]
    cheeses = {maze.cheese for maze in mazes if maze.cheese is not None}
    if any(maze.walls != mazes[0].walls for maze in mazes) or len(cheeses) > 1:
        raise InputError("film: rollouts of different levels side by side; give each level a row of its own")
    return next((maze for maze in mazes if maze.cheese is not None), mazes[0])


def film_sweep(store: Store, spec: SweepSpec, directory: Path, site: str) -> Path | None:
    """Film of the level where subtraction at ``site`` changes P(cheese) most, from its recordings.

    Made once; returns None if the sweep has no ``subtract`` condition or recorded nothing.
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
        film_of([[Trajectory.load(record) for record in records]], path)
    return path


def most_changed(store: Store, spec: SweepSpec, site: str) -> int:
    """The finished level where subtraction at ``site`` changes P(cheese) most (the first of equals)."""
    table = {row.key: row.outcome for row in store.rows()}
    keys = {level: Key(level, "subtract", site, spec.coefficients[0]) for level in spec.levels}
    finished = [level for level, key in keys.items() if key in table]
    if not finished:
        raise InputError(f"{store.path.parent}: no level is finished yet; type the sweep's command again")
    return max(finished, key=lambda level: abs(table[Key(level, "clean")].p_cheese - table[keys[level]].p_cheese))
