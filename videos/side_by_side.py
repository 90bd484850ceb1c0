"""Films of recorded trajectories of one level side by side, frame by frame.

Every mouse and every maze is drawn by procgen itself; only the marks and captions are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from envs.errors import InputError
from envs.maze import Maze, State
from videos.frames import ACCENTS, RGB, cell_rect, compose_panels, mark_cell, mark_region, mark_trail

BATCH = 16


@dataclass(frozen=True)
class Panel:
    """One recorded trajectory to show.

    ``states`` are the T + 1 states of a rollout of T steps. ``result`` is the caption once it
    has ended (default: :func:`result_text`); ``maze`` replaces the film's maze, for example by
    the same level without its cheese.
    """

    title: str
    states: Sequence[State]
    result: str | None = None
    maze: Maze | None = None

    def __post_init__(self) -> None:
        if not self.states:
            raise InputError(f"film: the trajectory {self.title!r} has no states; it needs at least its start")


def result_text(maze: Maze, states: Sequence[State], region: int = 5) -> str:
    """How a trajectory ended, in words: at the cheese, in the top right, or not finished."""
    cell, steps = states[-1].cell, len(states) - 1
    counted = f"{steps} step" if steps == 1 else f"{steps} steps"
    if cell == maze.cheese:
        return f"reached the cheese at step {steps}"
    if cell == maze.corner:
        return f"in the top-right corner after {counted}"
    if cell in maze.region(region):
        return f"in the top-right {region}x{region} after {counted}"
    return f"not finished after {counted}"


def film_frames(
    maze: Maze,
    panels: Sequence[Panel],
    *,
    header: str | Sequence[str],
    footer: str | None = None,
    fps: float = 12,
    lead_seconds: float = 0.75,
    hold_seconds: float = 1.5,
    region: int | None = 5,
    marks: bool = True,
) -> Iterator[np.ndarray]:
    """Yield the film of ``panels`` side by side: ``uint8[H, W, 3]``, even H and W, 512 px a maze.

    One frame a step, ``round(lead_seconds * fps)`` more of the start and
    ``round(hold_seconds * fps)`` more of the end; a trajectory that ends early stays on its last
    frame with its result. ``marks`` brackets the decision square, dashes the top-right
    ``region`` and draws the path so far; ``footer`` defaults to the key to them. Memory does not
    grow with the number of steps. Raises :class:`InputError` at once for no panels or a state
    inside a wall.
    """
    if not panels:
        raise InputError("film: no trajectories to show; give at least one panel")
    mazes = [panel.maze or maze for panel in panels]
    for panel, shown in zip(panels, mazes, strict=True):
        for number, state in enumerate(panel.states):
            if not shown.is_free(state.cell):
                raise InputError(f"film: state {number} of {panel.title!r} is at {state.cell}, not a free cell "
                                 f"of this {shown.dim}x{shown.dim} maze")  # fmt: skip
    decision = maze.decision_square
    if footer is None and marks:
        keys = ["brackets: decision square"] if decision is not None else []
        keys += [f"dashes: top-right {region}x{region}"] if region else []
        footer = "   |   ".join([*keys, "line: path so far"])
    scenes = []
    for i, (panel, shown) in enumerate(zip(panels, mazes, strict=True)):
        scene = _Scene(shown, panel.states)
        if marks:
            scene.decorate(ACCENTS[i % len(ACCENTS)], decision, region)
        scenes.append(scene)
    last = max(len(panel.states) for panel in panels) - 1
    results = [
        panel.result if panel.result is not None else result_text(shown, panel.states, region or 5)
        for panel, shown in zip(panels, mazes, strict=True)
    ]
    repeats = {0: round(lead_seconds * fps)}
    repeats[last] = repeats.get(last, 0) + round(hold_seconds * fps)

    def frames() -> Iterator[np.ndarray]:
        for step in range(last + 1):
            done = [step >= len(panel.states) - 1 for panel in panels]
            frame = compose_panels(
                [scene.frame(step) for scene in scenes],
                [panel.title for panel in panels],
                header,
                footer or "",
                statuses=[text if over else f"step {step}" for over, text in zip(done, results, strict=True)],
                done=done,
            )
            for _ in range(1 + repeats.get(step, 0)):
                yield frame.copy()

    return frames()


class _Scene:
    """Procgen's pictures of one trajectory, kept as one picture without the mouse plus sprites.

    The sprite never leaves its own tile except for its feet, which stand up to a pixel below
    it; so a whole picture per state (0.8 MB) need not be kept, and marks can lie under the mouse.
    """

    def __init__(self, maze: Maze, states: Sequence[State]) -> None:
        self.maze = maze
        self.states = tuple(states)
        self._accent: RGB | None = None
        self._base = self._background()
        self._sprites: dict[State, tuple[np.ndarray, np.ndarray]] = {}
        unique = list(dict.fromkeys(self.states))
        for start in range(0, len(unique), BATCH):
            chunk = unique[start : start + BATCH]
            for state, picture in zip(chunk, self.maze.observations(chunk, human=True), strict=True):
                where = np.nonzero((picture != self._base).any(axis=2))
                self._sprites[state] = (np.stack(where), picture[where])

    def _background(self) -> np.ndarray:
        """The level without the mouse: two pictures with it far apart, each hiding the other's."""
        first = self.maze.cells[0]
        other = max(self.maze.cells, key=lambda c: abs(c[0] - first[0]) + abs(c[1] - first[1]))
        facing = self.states[0].facing
        base, clear = self.maze.observations([State(first, facing), State(other, facing)], human=True)
        left, top, right, bottom = cell_rect(self.maze, first, base.shape[0])
        shift = (bottom - top) / 10  # below its tile for the feet, and clear of a mouse one tile above
        tile = (slice(int(top + shift), int(bottom + shift) + 1), slice(int(left), int(right) + 1))
        base = base.copy()
        base[tile] = clear[tile]
        return base

    def decorate(self, accent: RGB, decision: tuple[int, int] | None, region: int | None) -> None:
        """Mark region and decision square, and have the path drawn in ``accent``."""
        self._accent = accent
        if region:
            self._base = mark_region(self._base, self.maze, region)
        if decision is not None:
            self._base = mark_cell(self._base, self.maze, decision)

    def frame(self, step: int) -> np.ndarray:
        """The picture at ``step``; after the end, the last one."""
        step = min(step, len(self.states) - 1)
        picture = self._base
        if self._accent is not None:
            picture = mark_trail(picture, self.maze, [s.cell for s in self.states[: step + 1]], self._accent)
        picture = picture.copy()
        where, pixels = self._sprites[self.states[step]]
        picture[where[0], where[1]] = pixels
        return picture
