"""Films of recorded trajectories of one level or several, side by side, frame by frame.

Every mouse and every maze is drawn by procgen itself; only the marks and captions are ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from envs.actions import Move
from envs.errors import InputError
from envs.maze import Maze, State
from videos.frames import ACCENTS
from videos.plots import draw_arrows
from videos.scene import PICTURE, HeatOverlay, Scene, crop_box, fitted
from videos.stage import SEPARATOR, Stage, result_card

LEAD, HOLD, CARD = 0.75, 1.5, 2.0  # seconds of the first picture, of the last, and of the result card


@dataclass(frozen=True)
class Panel:
    """One recorded trajectory to show.

    ``states`` are the T + 1 states of a rollout of T steps, ``moves`` its moves and ``probabilities``
    ``float[T, 5]`` those they were drawn from. ``result`` is the caption once it has ended (default:
    :func:`result_text`), ``facts`` more for the result card. ``maze`` replaces the film's maze, for
    example by the same level without its cheese. ``heat`` is laid over the maze; ``vectors``
    ``float[n_cells, 2]`` are drawn as arrows.
    """

    title: str
    states: Sequence[State]
    result: str | None = None
    maze: Maze | None = None
    moves: Sequence[Move] = ()
    probabilities: np.ndarray | None = None
    facts: str = ""
    heat: HeatOverlay | None = None
    vectors: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.states:
            raise InputError(f"film: the trajectory {self.title!r} has no states; it needs at least its start")
        steps = len(self.states) - 1
        if self.moves and len(self.moves) != steps:
            raise InputError(f"film: the trajectory {self.title!r} has {len(self.moves)} moves for {steps} steps")
        if self.probabilities is not None and self.probabilities.shape != (steps, len(Move)):
            raise InputError(f"film: probabilities {self.probabilities.shape} of {self.title!r} for {steps} steps")
        if self.heat is not None and len(self.heat.maps) not in (1, steps + 1):
            raise InputError(f"film: {len(self.heat.maps)} heat maps of {self.title!r} for {steps + 1} states")


@dataclass(frozen=True)
class Look:
    """Look of a film: ``side`` pixels a maze, ``crop``: without the world's padding, marks and timing.

    ``region``: the top-right square that is dashed (None: none). ``marks``: region, decision square and
    the trail. ``stride`` n: only every nth step is shown. ``card``: end with the result card.
    """

    side: int = PICTURE
    crop: bool = False
    region: int | None = 5
    marks: bool = True
    fps: float = 12
    lead: float = LEAD
    hold: float = HOLD
    card: float = CARD
    stride: int = 1

    def __post_init__(self) -> None:
        if self.stride < 1 or min(self.lead, self.hold, self.card) < 0:
            raise InputError("film: strides count from 1, seconds from 0")


STANDARD = Look()


def result_text(maze: Maze, states: Sequence[State], region: int = 5) -> str:
    """Return how a trajectory ended, in words: at the cheese, in the top right, or not finished."""
    cell, steps = states[-1].cell, len(states) - 1
    counted = f"{steps} step" if steps == 1 else f"{steps} steps"
    if cell == maze.cheese:
        return f"reached the cheese at step {steps}"
    if cell == maze.corner:
        return f"in the top-right corner after {counted}"
    if cell in maze.region(region):
        return f"in the top-right {region}x{region} after {counted}"
    return f"not finished after {counted}"


def event_text(maze: Maze, panel: Panel, step: int) -> str:
    """Return what happened at a step, in words: the move, a wall, the decision square."""
    if step == 0 or not panel.moves:
        text = f"step {step}"
    else:
        move, moved = panel.moves[step - 1], panel.states[step].cell != panel.states[step - 1].cell
        text = f"step {step}: " + ("stays" if move == Move.NOOP else move.label if moved else f"{move.label}, a wall")
    return text + (" | decision square" if panel.states[step].cell == maze.decision_square else "")


def decision_text(maze: Maze, states: Sequence[State]) -> str:
    """Return which way was taken when the decision square was last left, in words; empty if it never was."""
    square = maze.decision_square
    if square is None or maze.cheese is None:
        return ""
    ways = {
        maze.path(square, maze.cheese)[1]: "took the way to the cheese",
        maze.path(square, maze.corner)[1]: "took the way to the top right",
    }
    left = [b.cell for a, b in itertools.pairwise(states) if a.cell == square and b.cell != square]
    return ways.get(left[-1], "turned back at the decision square") if left else ""


def film_frames(
    maze: Maze,
    panels: Sequence[Panel],
    *,
    header: str | Sequence[str],
    footer: Sequence[str] | None = None,
    look: Look = STANDARD,
) -> Iterator[np.ndarray]:
    """Return the film of ``panels`` side by side: :func:`grid_frames` with one row."""
    return grid_frames([(maze, panels)], header=header, footer=footer, look=look)


def grid_frames(
    rows: Sequence[tuple[Maze, Sequence[Panel]]],
    *,
    header: str | Sequence[str],
    footer: Sequence[str] | None = None,
    look: Look = STANDARD,
    chart: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Yield a film with a row of panels for each maze: ``uint8[H, W, 3]``, even H and W.

    One frame a step, more of the first and the last, then the result card; a trajectory that ends
    early stays on its last frame with its result. ``footer`` defaults to the key to the marks,
    ``chart`` is a picture ``uint8[h, W - 16, 3]`` below all. Memory does not grow with the number of
    steps. Raises :class:`InputError` at once for no panels, a state inside a wall or a text that does not fit.
    """
    for maze, panels in rows:
        _check(maze, panels)
    everyone = [panel for _, panels in rows for panel in panels]
    if footer is None:
        footer = _footer(rows, look) if look.marks else []
    stage = Stage(
        [[panel.title for panel in panels] for _, panels in rows],
        look.side,
        header=header,
        footer=footer,
        moves=any(panel.probabilities is not None for panel in everyone),
        chart=0 if chart is None else len(chart),
    )
    if chart is not None:
        stage.show_chart(chart)
    shown = [
        _Shown(stage, (i, k), panel, maze, look)
        for i, (maze, panels) in enumerate(rows)
        for k, panel in enumerate(panels)
    ]
    last = max(len(panel.states) for panel in everyone) - 1
    repeats = {0: round(look.lead * look.fps)}
    repeats[last] = repeats.get(last, 0) + round(look.hold * look.fps)
    lines = [(each.panel.title, each.summary, each.at[1]) for each in shown if len(each.panel.states) > 1]
    card = result_card(stage.canvas.shape[:2], header, lines) if look.card else None

    def frames() -> Iterator[np.ndarray]:
        for step in [*range(0, last, look.stride), last]:
            for each in shown:
                each.show(step)
            for _ in range(1 + repeats.get(step, 0)):
                yield stage.canvas.copy()
        if card is not None:
            for _ in range(round(look.card * look.fps)):
                yield card.copy()

    return frames()


def _check(maze: Maze, panels: Sequence[Panel]) -> None:
    for panel in panels:
        world = panel.maze or maze
        for number, state in enumerate(panel.states):
            if not world.is_free(state.cell):
                raise InputError(f"film: state {number} of {panel.title!r} is at {state.cell}, not a free cell "
                                 f"of this {world.dim}x{world.dim} maze")  # fmt: skip


def _footer(rows: Sequence[tuple[Maze, Sequence[Panel]]], look: Look) -> list[str]:
    keys = ["brackets: decision square"] if any(maze.decision_square for maze, _ in rows) else []
    keys += [f"dashes: top-right {look.region}x{look.region}"] if look.region else []
    keys += ["line: path so far"]
    if any(panel.vectors is not None for _, panels in rows for panel in panels):
        keys.append("arrows: mean move")
    if any(panel.heat is not None for _, panels in rows for panel in panels):
        keys.append("colour: heat map")
    return keys


class _Shown:
    """A panel on the stage."""

    def __init__(self, stage: Stage, at: tuple[int, int], panel: Panel, maze: Maze, look: Look) -> None:
        self.stage, self.at, self.panel, self.look = stage, at, panel, look
        self.maze = panel.maze or maze
        self.level = maze
        self.scene = Scene(self.maze, panel.states)
        if look.marks:
            self.scene.decorate(ACCENTS[at[1] % len(ACCENTS)], maze.decision_square, look.region)
        if panel.vectors is not None:
            self.scene.layer = draw_arrows(self.scene.layer, self.maze, panel.vectors)
        self.box = crop_box(maze) if look.crop else None
        self.result = panel.result
        if self.result is None:
            self.result = result_text(self.maze, panel.states, look.region or 5)
        self._over = False
        stage.check_statuses([self.result, *(event_text(maze, panel, step) for step in range(len(panel.states)))])

    @property
    def summary(self) -> str:
        """Return the result for the card."""
        decision = decision_text(self.level, self.panel.states)
        return SEPARATOR.join(part for part in (self.result, decision, self.panel.facts) if part)

    def show(self, step: int) -> None:
        """Put the step on the stage; once the trajectory is over, nothing changes any more."""
        if self._over:
            return
        end = len(self.panel.states) - 1
        step = min(step, end)
        self._over = step == end
        picture = self.scene.picture(step, self.panel.heat)
        self.stage.show_maze(*self.at, fitted(picture, self.box, self.look.side))
        assert self.result is not None
        text = self.result if self._over else event_text(self.level, self.panel, step)
        self.stage.show_status(*self.at, text, lit=self._over and end > 0)
        if self.panel.probabilities is not None:
            chosen = self.panel.moves[step] if self.panel.moves and not self._over else None
            self.stage.show_moves(*self.at, None if self._over else self.panel.probabilities[step], chosen)
