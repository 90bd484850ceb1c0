"""``python -m steering.bench_workbench``: how soon the workbench answers, in milliseconds and against the bare network.

A bot drags the cheese through mazes of two sizes, then draws a coefficient's slider at a site of block 3. Measured from
the state that comes in: until the first chunk of the field, and until the fields of all panels are whole. The ratios of
processor time are those to a bare pass of the network over all states of the maze, measured between the drags, and to
as many such passes as there are fields to compute (of a drag two: left alone and steered).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from agents.checkpoints.zoo import load_policy
from agents.networks.policy import MazePolicy, batches, to_input
from envs.maze import Maze
from steering.app.session.session import Session
from steering.app.session.state import MazeText, TypedEdit, WorkbenchState
from steering.experiments.exact import CHUNK

SMALL, LARGE = 120, 43  # levels of 15x15 and 25x25
SITE, DEEP = "embedder.block2.res1.resadd", "embedder.block3.res1.resadd"
DRAGS = 100


@dataclass(frozen=True)
class Times:
    """What one state took."""

    first: float
    """Wall time until the first states of the steered field, in seconds."""
    whole: float
    """Wall time until all fields were whole."""
    done: float
    """Wall time until outcomes were there too."""
    used: float
    """Processor time until all fields were whole, over all threads."""
    bare: float
    """Processor time of a bare pass over the same states."""


def answered(session: Session, state: WorkbenchState, bare: Callable[[], object]) -> Times:
    """Return what a state takes."""
    plain = state.plain()
    begun, used = time.perf_counter(), time.process_time()
    first = whole = spent = 0.0
    for update in session.work(plain):
        if update.type == "problem":
            raise RuntimeError(update.facts["line"])
        if update.type == "field" and update.facts["panel"] == "steered":  # in each chunk it comes after clean
            whole, spent = time.perf_counter() - begun, time.process_time() - used
            first = first or whole
    done, start = time.perf_counter() - begun, time.process_time()
    bare()
    return Times(first, whole, done, spent, time.process_time() - start)


def bare_pass(policy: MazePolicy, maze: Maze) -> Callable[[], object]:
    """Return a function that runs the network once over all states, from frames that are there already."""
    frames = maze.observations()

    @torch.no_grad()
    def run() -> None:
        for chunk in batches(frames, CHUNK):
            policy.net(to_input(chunk))

    return run


def drags(maze: Maze, count: int, rng: np.random.Generator) -> Iterator[Maze]:
    """Yield the maze with its cheese on other cells, none twice: a cell where it was before costs nothing."""
    cells = [cell for cell in maze.cells if cell not in (maze.mouse, maze.cheese)]
    for number in rng.permutation(len(cells))[:count]:
        yield maze.with_cheese(cells[int(number)])


def measure(policy: MazePolicy, level: int, count: int) -> tuple[list[Times], list[Times]]:
    """Return what drags of the cheese take in a level, and moves of a slider."""
    session, maze, rng = Session(policy), Maze.from_level(level), np.random.default_rng(0)
    bare = bare_pass(policy, maze)
    edit = f"subtract,vector=cheese,site={SITE},coefficient=1.0"
    state = WorkbenchState(MazeText.of(maze), (TypedEdit(edit),), SITE)
    answered(session, state, bare)
    moved = [
        answered(session, replace(state, maze=replace(state.maze, ascii=world.to_ascii())), bare)
        for world in drags(maze, count, rng)
    ]
    slid = []
    for number in range(count):
        text = f"subtract,vector=cheese,site={DEEP},coefficient={3 * np.sin(number + 1):.3f}"
        slid.append(answered(session, replace(state, edits=(TypedEdit(text),), site=DEEP), bare))
    return moved, slid[1:]


def told(what: str, times: list[Times], goals: tuple[int, int], fields: int) -> None:
    """Print one line; ``fields`` are as many as each state makes the session compute over all states of the maze."""
    names = ("first", "whole", "done", "used")
    first, whole, done, used = (1_000 * float(np.quantile([getattr(each, n) for each in times], 0.95)) for n in names)
    ratio = sum(each.used for each in times) / sum(each.bare for each in times)
    print(
        f"{first:6.0f} ms first ({goals[0]}) {whole:6.0f} ms all fields ({goals[1]}) {done:6.0f} ms outcomes, "
        f"{used:5.0f} ms of processor: {ratio:.2f} of a bare pass, {ratio / fields:.2f} a field  {what}",
        flush=True,
    )


def main() -> None:
    """Print the 95th percentiles."""
    asked = argparse.ArgumentParser(description="Speed of the workbench's session; goals in parentheses.")
    asked.add_argument("--drags", type=int, default=DRAGS, help="drags, and moves of the slider, of each maze")
    count = asked.parse_args().drags
    policy = load_policy("region5")
    for level, name, goals in ((SMALL, "15x15", (60, 200)), (LARGE, "25x25", (80, 600))):
        moved, slid = measure(policy, level, count)
        told(f"workbench: cheese dragged, {name}", moved, goals, 2)
        told(f"workbench: coefficient in block 3, {name}", slid, (goals[0], 250), 1)


if __name__ == "__main__":
    main()
