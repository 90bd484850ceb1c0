"""A small library of telling mazes: each with one sentence on what to see in it."""

from __future__ import annotations

from dataclasses import dataclass

from envs.maze import Maze
from steering.app.session.state import MazeText


@dataclass(frozen=True)
class Example:
    """A maze of the library."""

    name: str
    """Its name in the list."""
    words: str
    """One sentence: what to see there."""
    level: int
    """Procgen's level seed."""
    mode: str = "hard"
    """Procgen's distribution mode."""

    def maze(self) -> MazeText:
        """Return the maze as a state has it."""
        return MazeText.of(Maze.from_level(self.level, self.mode))


LIBRARY = (
    Example("Turned back", "Without the vector the mouse turns to the cheese; with it subtracted it walks past.", 8),
    Example("Close to the start", "The paths to the cheese and to the top right part after a few steps.", 26),
)
