"""Films of recorded rollouts: a row for each level, side by side or in a grid."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from envs.errors import InputError
from envs.maze import Maze
from envs.recording import recorded_maze
from envs.trajectory import RecordedEdit, Trajectory
from videos.encode import write_film
from videos.scene import HeatOverlay
from videos.side_by_side import STANDARD, Look, Panel, grid_frames

_TYPED = "edit"  # the condition of edits typed one by one
_TOLD_EDITS = 3  # of a caption; of more their number of sites is told


def title_of(track: Trajectory) -> str:
    """Return a panel's caption from the record alone: condition, coefficient and site; of several sites their number.

    A coefficient that several sites share equally is the sum of theirs. Of edits that the user typed each is told.
    """
    condition = (track.facts.condition or "rollout").replace("_", " ")
    edits = track.facts.intervention.edits
    if condition == _TYPED and 0 < len(edits) <= _TOLD_EDITS:
        return f"{condition}: " + ", ".join(_edit_words(edit) for edit in edits)
    sites = list(dict.fromkeys(edit.site for edit in edits))
    times = {edit.coefficient for edit in edits}
    shared = times.pop() if len(times) == 1 and len(sites) == len(edits) else None
    if shared is not None:
        condition += f" x{abs(shared) * len(sites):g}"
    if len(sites) == 1:
        condition += f" at {sites[0].removeprefix('embedder.')}"
    elif sites:
        condition += f" shared by {len(sites)} sites"
    return condition


def _edit_words(edit: RecordedEdit) -> str:
    """Return an edit in a few words, such as ``subtract x1.5 at relu3``."""
    kind = (edit.kind or "edit").split("_")[0]
    if edit.coefficient is not None:
        kind = f"{'subtract' if edit.coefficient < 0 else 'add'} x{abs(edit.coefficient):g}"
    return f"{kind} at {edit.site.removeprefix('embedder.')}"


def header_of(track: Trajectory) -> str:
    """Return a film's caption from a record alone: level, mode, policy, seed, and the episode if not the first."""
    return ", ".join(_told(track))


def _told(track: Trajectory) -> list[str]:
    facts = track.facts
    level = "own maze" if facts.level is None else f"level {facts.level}"
    mode = "" if facts.mode == "hard" else f" ({facts.mode})"
    policy = facts.policy or (facts.checkpoint or "")[:12] or "unknown"
    episode = [f"episode {facts.episode}"] if facts.episode else []
    seed = "-" if facts.seed is None else facts.seed
    return [f"{level}{mode}", f"policy {policy}", f"seed {seed}", *episode]


def _row_captions(rows: Sequence[Sequence[Trajectory]]) -> list[list[str]]:
    """Return the words about each row; its checkpoint and horizon only where rows would else look alike."""
    told = [_told(tracks[0]) for tracks in rows]
    for name, words in (("checkpoint", "checkpoint {:.8}"), ("horizon", "at most {} moves")):
        found = [getattr(tracks[0].facts, name) for tracks in rows]
        values = ["unknown" if value is None else str(value) for value in found]
        if len(set(map(tuple, told))) < len(told) and len(set(values)) > 1:
            told = [[*said, words.format(value)] for said, value in zip(told, values, strict=True)]
    return told


def rows_of(tracks: Iterable[Trajectory]) -> list[list[Trajectory]]:
    """Return recordings in rows that may be compared side by side, in the order in which they come.

    One row has one maze (with its cheese or without), policy, seed, episode and horizon.
    """
    rows: dict[tuple[Any, ...], list[Trajectory]] = {}
    for track in tracks:
        shared = [getattr(track.facts, name) for name in ("policy", "checkpoint", "seed", "episode", "horizon")]
        rows.setdefault((recorded_maze(track).without_cheese(), *map(str, shared)), []).append(track)
    return list(rows.values())


def panel_of(track: Trajectory, *, heat: HeatOverlay | None = None, title: str | None = None) -> Panel:
    """Return a recorded rollout as a panel; raise :class:`InputError` for one without moves."""
    if not track.moves:
        raise InputError(
            f"{header_of(track)}: the rollout {title_of(track)!r} has no moves, so there is nothing to film"
        )
    exact = {"P(cheese)": track.facts.exact.p_cheese, "P(top-right 5x5)": track.facts.exact.p_region}
    facts = ", ".join(f"{label} {value:.2f}" for label, value in exact.items() if value is not None)
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
            (
                maze,
                [
                    dataclasses.replace(panel, title=f"{name}: {panel.title}" if name else panel.title)
                    for panel in panels
                ],
            )
            for name, (maze, panels) in zip(own, shown, strict=True)
        ]
        frames = grid_frames(titled, header=", ".join(common), look=look)
    else:
        frames = _one_by_one(shown, [", ".join(said) for said in told], look)
    return write_film(path, frames, look.fps)


def _one_by_one(rows: Sequence[tuple[Maze, list[Panel]]], headers: Sequence[str], look: Look) -> Iterator[np.ndarray]:
    """Yield each level's film in turn; a level's pictures are made when its turn comes."""
    return itertools.chain.from_iterable(
        grid_frames([row], header=header, look=look) for row, header in zip(rows, headers, strict=True)
    )


def _check_titles(panels: Sequence[Panel]) -> None:
    titles = [panel.title for panel in panels]
    for title in titles:
        if titles.count(title) > 1:
            raise InputError(f"film: two rollouts side by side are both {title!r}; film each in a film of its own")


def _level_of(tracks: Sequence[Trajectory]) -> Maze:
    """Return the maze of a row with its cheese, if any of the rollouts had it."""
    mazes = [recorded_maze(track) for track in tracks]
    cheeses = {maze.cheese for maze in mazes if maze.cheese is not None}
    if any(maze.walls != mazes[0].walls for maze in mazes) or len(cheeses) > 1:
        raise InputError("film: rollouts of different levels side by side; give each level a row of its own")
    return next((maze for maze in mazes if maze.cheese is not None), mazes[0])
