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
    """One recorded trajectory to show, a rollout of T steps.

    Raises:
        InputError: no states, or moves, probabilities or heat maps of another number than the states need.

    Example:
        >>> panel = Panel("clean", [State((0, 0), Facing.RIGHT), State((1, 0), Facing.RIGHT)], moves=[Move.RIGHT])
        >>> len(panel.states), panel.moves[0].label
        (2, 'right')
    """

    title: str
    """Caption above the maze."""
    states: Sequence[State]
    """The T + 1 states, the start first."""
    result: str | None = None
    """Caption once the rollout has ended; None: :func:`result_text`."""
    maze: Maze | None = None
    """Maze in place of the film's, for example the same level without its cheese; None: the film's."""
    moves: Sequence[Move] = ()
    """The T moves; empty: they are not told."""
    probabilities: np.ndarray | None = None
    """Distributions that the moves were drawn from, ``float[T, 5]``; None: no bars."""
    facts: str = ""
    """Further text for the result card."""
    heat: HeatOverlay | None = None
    """Maps laid over the maze, one for each state or a single one; None: none."""
    vectors: np.ndarray | None = None
    """Arrows on the cells, ``float[n_cells, 2]`` (right, up); None: none."""

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
    """Size, marks and timing of a film.

    Raises:
        InputError: a stride below 1 or a time below 0.

    Example:
        >>> Look(side=256, crop=True).side, Look().side
        (256, 512)
    """

    side: int = PICTURE
    """Side of a maze's picture in pixels, 64 to 2048."""
    crop: bool = False
    """Show the maze and one tile of wall around it, without the rest of the world."""
    region: int | None = 5
    """Side, in cells, of the dashed top-right square; None: none."""
    marks: bool = True
    """Mark region, decision square and trail."""
    fps: float = 12
    """Frames per second, .01 to 60."""
    lead: float = LEAD
    """Seconds that the first picture stands."""
    hold: float = HOLD
    """Seconds that the last picture stands."""
    card: float = CARD
    """Seconds of the result card at the end; 0: none."""
    stride: int = 1
    """Show every nth step, and the last; 1 or more, 1: all."""

    def __post_init__(self) -> None:
        if self.stride < 1 or min(self.lead, self.hold, self.card) < 0:
            raise InputError("film: give a stride of 1 or more, and seconds of 0 or more")


STANDARD = Look()


def result_text(maze: Maze, states: Sequence[State], region: int = 5) -> str:
    """Tell the end of a trajectory: at the cheese, in the top right, or not finished.

    Args:
        maze: the maze, with or without its cheese.
        states: the states of the trajectory, one or more.
        region: side, in cells, of the top-right square.

    Returns:
        The end in words, with the number of steps.

    Example:
        >>> states = [State((0, 0), Facing.RIGHT), State((1, 0), Facing.RIGHT)]
        >>> result_text(Maze.from_level(26), states)
        'not finished after 1 step'
    """
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
    """Return the events of a step in words: the move, a wall, the decision square."""
    if step == 0 or not panel.moves:
        text = f"step {step}"
    else:
        move, moved = panel.moves[step - 1], panel.states[step].cell != panel.states[step - 1].cell
        text = f"step {step}: " + ("stays" if move == Move.NOOP else move.label if moved else f"{move.label}, a wall")
    return text + (" | decision square" if panel.states[step].cell == maze.decision_square else "")


def decision_text(maze: Maze, states: Sequence[State]) -> str:
    """Return the way taken when the decision square was last left, in words; empty if it never was."""
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
    """Return the film of panels side by side: :func:`grid_frames` with one row.

    Args:
        maze: the maze of all panels that have none of their own.
        panels: one or more trajectories.
        header: caption of the film, or its lines.
        footer: texts below; None: the key to the marks.
        look: size, marks and timing.

    Returns:
        Frames ``uint8[H, W, 3]``, H and W even, made as they are taken.

    Raises:
        InputError: as :func:`grid_frames`.

    Example:
        >>> maze = Maze.from_level(26)
        >>> panel = Panel("start", [State(maze.mouse, maze.facing)])
        >>> frames = film_frames(maze, [panel], header="level 26", look=Look(side=256, card=0))
        >>> next(frames).shape
        (426, 272, 3)
    """
    return grid_frames([(maze, panels)], header=header, footer=footer, look=look)


def grid_frames(
    rows: Sequence[tuple[Maze, Sequence[Panel]]],
    *,
    header: str | Sequence[str],
    footer: Sequence[str] | None = None,
    look: Look = STANDARD,
    chart: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Return a film with a row of panels for each maze.

    One frame a step, more of the first and the last, then the result card. A trajectory that ends early stays on its
    last frame with its result.

    Args:
        rows: a maze and one or more trajectories for each row.
        header: caption of the film, or its lines.
        footer: texts below; None: the key to the marks.
        look: size, marks and timing.
        chart: picture ``uint8[h, W - 16, 3]`` below all; None: none.

    Returns:
        Frames ``uint8[H, W, 3]``, H and W even, made as they are taken: memory does not grow with their number.

    Raises:
        InputError: at once, for no panels, a state inside a wall or a text that does not fit.

    Example:
        >>> rows = []
        >>> for maze in Maze.from_levels([26, 54]):
        ...     rows.append((maze, [Panel(f"level {maze.level}", [State(maze.mouse, maze.facing)])]))
        >>> next(grid_frames(rows, header="two levels", look=Look(side=256, card=0))).shape
        (758, 272, 3)
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
                raise InputError(
                    f"film: state {number} of {panel.title!r} is at {state.cell}, not a free cell "
                    f"of this {world.dim}x{world.dim} maze"
                )


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
