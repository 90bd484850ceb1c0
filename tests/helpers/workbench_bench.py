"""``make bench``: how soon the page shows what was done, in a real browser, from the event to what is drawn.

A bot drags the cheese through mazes of two sizes and draws the slider of a coefficient in block 3, one step after the
other. Measured in the page: from the event until the first arrows of the new state are drawn, and until all are.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.checkpoints.zoo import load_policy
from agents.hardware import keep_freed_memory
from envs.maze import Maze
from tests.helpers.browser import chromium
from tests.helpers.workbench_browser import Bench
from tests.helpers.workbench_page import workbench

SMALL, LARGE = 120, 43  # levels of 15x15 and 25x25
EDIT = "subtract,vector=cheese,site={},coefficient=1.0"
SITE, DEEP = "embedder.block2.res1.resadd", "embedder.block3.res1.resadd"
STEPS = 100
TIME = """() => {
  const own = document.querySelector('#workbench').workbench, time = own.times[own.sent];
  return time?.whole ? [time.first - time.event, time.whole - time.event] : null;
}"""


def times_of(bench: Bench) -> list[float]:
    """Milliseconds of the newest state: to the first arrows, to all of them."""
    found: list[float] = bench.page.wait_for_function(TIME).json_value()
    return found


def dragged(bench: Bench, maze: Maze, count: int, rng: np.random.Generator) -> np.ndarray:
    """Drag the cheese over so many cells, no cell twice; times ``float[count, 2]``."""
    cells = [cell for cell in maze.cells if cell not in (maze.mouse, maze.cheese)]
    assert maze.cheese is not None
    bench.page.mouse.move(*bench.spot(maze.cheese))
    bench.page.mouse.down()
    times = []
    for number in rng.permutation(len(cells))[:count]:
        with bench.change():
            bench.page.mouse.move(*bench.spot(cells[int(number)]))
        times.append(times_of(bench))
    bench.page.mouse.up()
    return np.array(times)


def slid(bench: Bench, count: int) -> np.ndarray:
    """Draw the slider of the first edit to so many places; times as above."""
    slider = bench.page.get_by_label("edit 1: coefficient", exact=True)
    times = []
    places = (f"{round(3 * float(np.sin(number + 1)) / 0.05) * 0.05:.2f}" for number in range(count))
    for place, _ in itertools.groupby(places):  # the same place twice is no step
        with bench.change():
            slider.fill(place)
        times.append(times_of(bench))
    return np.array(times)


def told(what: str, times: np.ndarray, goals: tuple[int, int]) -> None:
    """Print one line."""
    first, whole = np.quantile(times, 0.95, axis=0)
    print(f"{first:8.0f} ms first ({goals[0]}) {whole:8.0f} ms all ({goals[1]})  in the browser: {what}", flush=True)


def main() -> None:
    """Print 95th percentiles, with the goals on two idle cores."""
    asked = argparse.ArgumentParser(description="Speed of the workbench in a browser; goals in parentheses.")
    asked.add_argument("--steps", type=int, default=STEPS, help="steps of each drag")
    count = asked.parse_args().steps
    try:
        measure(count)
    except pytest.skip.Exception as missing:
        print(f"in the browser: {missing}")


def measure(count: int) -> None:
    """Print a line for each kind of change and size of maze."""
    keep_freed_memory()
    policy, rng = load_policy("region5"), np.random.default_rng(0)
    with chromium() as browser, tempfile.TemporaryDirectory() as start, workbench(policy, Path(start)) as address:
        bench = Bench(browser.new_page(viewport={"width": 1280, "height": 800}), address)
        for level, name, goals in ((SMALL, "15x15", (60, 200)), (LARGE, "25x25", (80, 600))):
            maze, plain = Maze.from_level(level), {"asked": [], "panels": ["clean", "steered"]}
            for what, site, due in (("cheese dragged", SITE, goals), ("coefficient, block 3", DEEP, (goals[0], 250))):
                edits: list[dict[str, Any]] = [{"on": True, "text": EDIT.format(site)}]
                bench.open(maze, **plain, site=site, edits=edits)
                times = dragged(bench, maze, count, rng) if what == "cheese dragged" else slid(bench, count)
                told(f"{what}, {name}", times, due)


if __name__ == "__main__":
    main()
