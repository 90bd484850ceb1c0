"""The state that a client owns and sends whole: frozen, checked records, and the maze and the edits that they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import from_plain, to_plain
from envs.stored.ranges import Count, Horizon, LevelSeed, Mode, Name, RandomSeed

MOST_EDITS = 16
_REMEDY = "load the page again"

Panel = Literal["clean", "steered", "no_cheese", "difference"]
Asked = Literal["curve", "channels", "causal"]


@dataclass(frozen=True)
class MazeText:
    """The maze: its drawing and what the drawing does not say."""

    ascii: Annotated[str, Meta(max_length=1_000)]
    """Top row first: ``#`` wall, ``.`` free, ``M`` mouse, ``C`` cheese."""
    mode: Mode = "hard"
    """Procgen's distribution mode."""
    facing: Literal["left", "right"] = "left"
    """Where the mouse looks at the start."""
    level: LevelSeed | None = None
    """The level whose look it has, and whose name while the walls are that level's; null: level 0's look, no name."""

    @property
    def text(self) -> str:
        """Return it as :meth:`envs.maze.Maze.from_ascii` and the files of ``--maze`` have it."""
        look = "" if self.level is None else f"look: {self.level}\n"
        facing = "" if self.facing == "left" else f"facing: {self.facing}\n"
        return f"{look}{facing}{self.ascii.strip()}\n"

    def made(self) -> Maze:
        """Return the maze; raises :class:`InputError` as :meth:`envs.maze.Maze.from_ascii` does."""
        if ":" in self.ascii:
            raise InputError("ASCII maze: use # . M C only; look and facing have fields of their own")
        return Maze.from_ascii(self.text, self.mode)

    @classmethod
    def of(cls, maze: Maze) -> MazeText:
        """Return the text of a level."""
        return cls(maze.to_ascii(), maze.mode, maze.facing.label, maze.level)  # type: ignore[arg-type]


@dataclass(frozen=True)
class TypedEdit:
    """One edit of the stack."""

    text: Annotated[str, Meta(max_length=1_000)]
    """The edit in the notation of ``--edit``."""
    on: bool = True
    """Whether it acts."""


@dataclass(frozen=True)
class HeatAsked:
    """The heat map that is wanted."""

    kind: Literal["none", "visits", "norm", "channel"] = "visits"
    """``visits`` the client draws from the outcomes; ``norm`` and ``channel`` are of the activations at the site."""
    channel: Count = 0
    """Index of the channel, of ``channel`` alone."""
    run: Literal["clean", "steered", "difference"] = "clean"
    """Whose activations."""


@dataclass(frozen=True)
class WorkbenchState:
    """Everything that the page shows is a function of this (and of the agent)."""

    maze: MazeText
    """The maze."""
    edits: Annotated[tuple[TypedEdit, ...], Meta(max_length=MOST_EDITS)] = ()
    """The edits, in the order in which they act."""
    site: Name = "input"
    """Name of the site chosen; edits that name none act there."""
    panels: Annotated[tuple[Panel, ...], Meta(max_length=4)] = ("clean", "steered", "no_cheese", "difference")
    """The panels shown, in order."""
    facing: Literal["visited", "left", "right"] = "visited"
    """The facing whose moves the arrows show; of no effect on what is computed."""
    heat: HeatAsked = field(default_factory=HeatAsked)
    """The heat map wanted."""
    asked: Annotated[tuple[Asked, ...], Meta(max_length=3)] = ()
    """Slow things wanted."""
    horizon: Horizon = 256
    """Most moves of an episode."""

    def shows(self, panel: Panel) -> bool:
        """Return whether the field of a panel is seen, by itself or in the difference."""
        return panel in self.panels or ("difference" in self.panels and panel in ("clean", "steered"))

    def plain(self) -> dict[str, object]:
        """Return plain data; :func:`read_state` reads it back."""
        found: dict[str, object] = to_plain(self)
        return found


@dataclass(frozen=True)
class Question:
    """What a client asks beside the state, of an ``ask`` message."""

    what: Literal["level", "first", "rollouts", "film", "taken", "vector"]
    """The thing asked for."""
    level: LevelSeed | None = None
    """Seed of the level; null: one drawn at random."""
    mode: Mode | None = None
    """Procgen's distribution mode of the level; null: the agent's."""
    seed: RandomSeed = 0
    """Seed of rollouts."""


def read_question(data: object) -> Question:
    """Return the question in an ``ask`` message; raise :class:`InputError` in one line for anything else."""
    return from_plain(data, Question, "ask", _REMEDY, partial=True)


def read_state(data: object) -> WorkbenchState:
    """Return the state that a client sent; raise :class:`InputError` in one line for anything else."""
    return from_plain(data, WorkbenchState, "state", _REMEDY)
