"""Pictures of the workbench for the docs, and the film: ``python -m tests.helpers.workbench_film docs/images``."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from agents.checkpoints.zoo import load_policy
from envs.maze import Maze
from tests.helpers.browser import chromium
from tests.helpers.workbench_browser import Bench
from tests.helpers.workbench_page import workbench
from videos.encode import write_gif

LEVEL = 26
SPREADS, SPREADING = 8, 6  # a level in which the effect leaves the cheese's place, and the last site before
HOLD = 6  # pictures that a reader has time to look at
FPS, WIDTH = 6, 760


def shot(bench: Bench) -> np.ndarray:
    """The page as it is seen: ``uint8[h, w, 3]``."""
    return np.array(Image.open(io.BytesIO(bench.page.screenshot())).convert("RGB"))


def story(bench: Bench) -> Iterator[np.ndarray]:
    """The cheese is dragged, the coefficient is moved, the causal map is stepped through the network."""
    page = bench.page
    yield from [shot(bench)] * HOLD
    way = [(5, 0), (4, 0), (3, 0), (2, 0), (2, 1), (2, 2), (3, 2), (4, 2)]
    page.mouse.move(*bench.spot(bench.maze.cheese or way[0]))
    page.mouse.down()
    for cell in way[1:]:
        with bench.change():
            page.mouse.move(*bench.spot(cell), steps=2)
        yield shot(bench)
    page.mouse.up()
    page.mouse.move(640, 790)
    yield from [shot(bench)] * HOLD
    slider = page.get_by_label("edit 1: coefficient", exact=True)
    for value in (0.7, 0.4, 0.2, 0, -0.3, -0.6, -1.0):
        with bench.change():
            slider.fill(str(value))
        yield shot(bench)
    yield from [shot(bench)] * HOLD
    with bench.change():  # back to the level as it was
        while page.get_by_role("button", name="Undo").is_enabled():
            page.get_by_role("button", name="Undo").click()
    with bench.change():
        page.get_by_role("tab", name="Causal map").click()
    site = page.get_by_label("site of the causal map")
    for place in range(int(site.get_attribute("max")) + 1):
        site.fill(str(place))
        page.wait_for_timeout(100)
        yield shot(bench)
    yield from [shot(bench)] * HOLD


def write_small(path: Path, picture: np.ndarray) -> None:
    """Write a PNG of 256 colours."""
    Image.fromarray(picture).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main(folder: Path) -> None:
    """Write ``workbench.gif``, ``workbench.png`` and pictures of two of its readings."""
    policy = load_policy("region5")
    with chromium() as browser, tempfile.TemporaryDirectory() as start, workbench(policy, Path(start)) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        bench = Bench(page, address)
        bench.open(Maze.from_level(LEVEL), asked=["curve"])
        write_small(folder / "workbench.png", shot(bench))
        for tab, name in (("Activations", "activations"), ("Causal map", "causal")):
            if tab == "Activations":
                with bench.change():
                    page.get_by_role("tab", name=tab).click()
                with bench.change():
                    page.locator(".mz-channelrow").nth(0).get_by_role("button").first.click()
            else:
                bench.open(Maze.from_level(SPREADS), asked=["causal", "curve"])
                page.get_by_label("site of the causal map").fill(str(SPREADING))
                page.wait_for_timeout(200)
            box = page.locator(".mz-right").bounding_box()
            write_small(folder / f"workbench-{name}.png", shot(bench)[:, int(box["x"]) - 8 :])
        page.get_by_role("tab", name="Panels").click()
        bench.open(Maze.from_level(LEVEL), asked=["curve"])
        pictures = list(story(bench))
        some = np.concatenate(pictures[::HOLD])
        write_gif(folder / "workbench.gif", pictures, FPS, max_width=WIDTH, colours_of=some)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
