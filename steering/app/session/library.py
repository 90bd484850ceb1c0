"""A small library of telling mazes: each with one sentence on what to see in it."""

from __future__ import annotations

from dataclasses import dataclass

from envs.maze import Maze
from steering.app.session.state import MazeText

ROOM = """
...........
...........
...........
...........
...........
....C......
...........
...........
...........
...........
M..........
"""


@dataclass(frozen=True)
class Example:
    """A maze of the library."""

    name: str
    """Its name in the list."""
    words: str
    """One sentence: what to see there, and of which agent."""
    level: int | None
    """Procgen's level seed; null: a maze of one's own."""
    mode: str = "hard"
    """Procgen's distribution mode."""
    drawn: str = ""
    """The drawing of a maze of one's own."""

    def maze(self) -> MazeText:
        """Return the maze as a state has it."""
        return (
            MazeText(self.drawn.strip()) if self.level is None else MazeText.of(Maze.from_level(self.level, self.mode))
        )


# What is said of ``region5`` and ``region5-easy`` is with the cheese vector subtracted once at block2.res1.resadd, the
# published site, or without any edit; tests/steering/app/session/test_library.py holds it.
LIBRARY = (
    Example(
        "Close to the start",
        "The ways to the cheese and to the top right part after two steps: region5 eats the cheese, and with "
        "its vector subtracted walks to the top right.",
        26,
    ),
    Example(
        "Blinded",
        "A larger maze of the same kind: region5 turns to the cheese at the decision square, and with the "
        "vector subtracted it walks past.",
        8,
    ),
    Example(
        "Too deep",
        "Subtract the vector at block3.res2.resadd: region5 then finds neither cheese nor top right, while at "
        "block2.res1.resadd it only loses sight of the cheese.",
        95,
    ),
    Example(
        "In two minds",
        "The cheese lies three steps away, and region5 eats it in one run of four: look at the arrows around "
        "the start.",
        120,
    ),
    Example(
        "An open room",
        "There are no walls: region5 always finds the cheese, and with the vector subtracted it comes across "
        "it in about one run of four.",
        None,
        drawn=ROOM,
    ),
    Example(
        "Behind the wall",
        "The cheese lies two cells away and 38 steps to walk: region5 goes to the top right, with the vector "
        "and without.",
        283,
    ),
    Example(
        "The largest maze",
        "674 states: the cheese lies 40 steps from the start, and region5 passes its branch; drag the cheese "
        "nearer until it turns.",
        43,
    ),
    Example(
        "Lost",
        "In this maze of the largest size region5 reaches neither the cheese nor the top right within 256 moves.",
        65,
    ),
    Example(
        "In the small world",
        "Procgen's easy mode: region5-easy eats the cheese, and with its vector subtracted walks to the top right.",
        15,
        "easy",
    ),
)
