"""``python -m steering.bench_films``: frames of film a second on this machine, two mazes of 512 pixels side by side.

Composed alone, and written as each format (a GIF scaled down, as it always is).
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from envs.actions import N_MOVES, Move
from envs.maze import Maze, State
from videos.encode import CODECS, write_film
from videos.side_by_side import Look, Panel, film_frames

LEVEL, STEPS = 0, 300


def frames(steps: int = STEPS) -> Iterator[np.ndarray]:
    """Return the frames of a film of two mice that walk to the cheese, the corner and back, ``steps`` moves."""
    maze = Maze.from_level(LEVEL)
    rng = np.random.default_rng(0)
    panels = []
    for goal in (maze.cheese or maze.corner, maze.corner):
        there = [state for state, _ in maze.walk(maze.path(maze.mouse, goal))]
        states: list[State] = list(itertools.islice(itertools.cycle([*there, *reversed(there)]), steps + 1))
        p = rng.dirichlet(np.ones(N_MOVES), size=steps)
        panels.append(Panel("subtract x1 at block2.res1.resadd", states, moves=[Move.UP] * steps, probabilities=p))
    return film_frames(maze, panels, header=f"level {LEVEL}", look=Look())


def rates() -> dict[str, float]:
    """Return the frames a second by what is done with them."""
    begun = time.perf_counter()
    count = sum(1 for _ in frames())
    found = {"composed": count / (time.perf_counter() - begun)}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in CODECS:
            begun = time.perf_counter()
            write_film(Path(folder) / f"film{suffix}", frames())
            found[f"written as {suffix}"] = count / (time.perf_counter() - begun)
    return found


if __name__ == "__main__":
    for what, rate in rates().items():
        print(f"{rate:8.1f} frames/s {what}")
