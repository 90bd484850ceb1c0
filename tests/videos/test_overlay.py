"""Heat maps over mazes: what a unit of any block is shown on is the cell it looks at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from agents.networks.impala import ImpalaPolicyNet
from envs.maze import Cell, Maze
from steering.films.heat_maps import Alignment, alignment, heat_map
from steering.interventions.hooks import HookedPolicy
from videos.frames import cell_rect
from videos.scene import PICTURE, HeatOverlay

SITES = {
    "input": 64,
    "embedder.block1.conv": 64,
    "embedder.block1.maxpool": 32,
    "embedder.block1.res2.resadd": 32,
    "embedder.block2.conv": 32,
    "embedder.block2.maxpool": 16,
    "embedder.block2.res1.resadd": 16,
    "embedder.block3.conv": 16,
    "embedder.block3.maxpool": 8,
    "embedder.block3.res1.resadd": 8,
    "embedder.relu3": 8,
}
GREY = np.full((PICTURE, PICTURE, 3), 128, dtype=np.uint8)


def lit(net: ImpalaPolicyNet, pixels: list[tuple[int, int]], site: str) -> np.ndarray:
    """The map ``float[n, rows, columns]`` of each frame that is white at one pixel (x, y) and else black."""
    frames = torch.zeros(len(pixels), 3, 64, 64)
    for number, (x, y) in enumerate(pixels):
        frames[number, 0, y, x] = 1.0
    return np.stack([heat_map(each) for each in HookedPolicy(net).run(frames, capture=[site])[2][site]])


@pytest.mark.parametrize("site", SITES)
def test_a_unit_looks_at_the_middle_of_the_pixels_that_reach_it(one_pixel_net: ImpalaPolicyNet, site: str) -> None:
    """Measured: the pixels of the diagonal that light a unit; at the frame's edge they are cut off."""
    reached = lit(one_pixel_net, [(n, n) for n in range(64)], site) > 0
    assert reached.shape[1:] == (SITES[site], SITES[site])
    where = alignment(one_pixel_net, site)
    for unit in range(1, SITES[site] - 1):
        assert np.flatnonzero(reached[:, unit, unit]).mean() == where.start + where.step * unit


def looked_at(maze: Maze, where: Alignment) -> Iterator[tuple[Cell, tuple[int, int]]]:
    """(cell, pixel) for each free cell whose tile holds a pixel that is the middle of a unit's view."""
    for cell in maze.cells:
        left, top, right, bottom = cell_rect(maze, cell, 64)
        xs, ys = (
            [n for n in range(64) if low <= n + 0.5 <= high and (n - where.start) % where.step == 0]
            for low, high in ((left, right), (top, bottom))
        )
        if xs and ys:
            yield cell, (xs[0], ys[0])


def shown_at(values: np.ndarray, start: float, step: float) -> tuple[float, float]:
    """Middle (x, y), in procgen's 512 pixels, of what an overlay colours: measured from its far edges, which
    the picture's own edge never cuts off."""
    red, green, blue = np.moveaxis(HeatOverlay(values[None], start, step).over(GREY, 0) != GREY, 2, 0)
    coloured = red | green | blue
    x, y = (np.flatnonzero(coloured.any(axis=axis))[-1] + 1 for axis in (0, 1))
    half = step * PICTURE / 2
    return x - half, y - half


@pytest.mark.parametrize("site", SITES)
def test_the_peak_of_a_synthetic_activation_lies_on_its_cell(one_pixel_net: ImpalaPolicyNet, site: str) -> None:
    """A white pixel in a cell lights one unit there, and what is coloured has its middle in that cell."""
    where, found, stretched = alignment(one_pixel_net, site), 0, 0
    start, step = where.share(0), where.share(1) - where.share(0)
    for maze in (Maze.from_level(0), Maze.from_level(4)):
        cells = list(looked_at(maze, where))
        found += len(cells)
        for (cell, _), values in zip(cells, lit(one_pixel_net, [pixel for _, pixel in cells], site), strict=True):
            assert np.count_nonzero(values) == 1
            left, top, right, bottom = cell_rect(maze, cell, PICTURE)
            x, y = shown_at(values, start, step)
            assert left - 1 <= x <= right + 1 and top - 1 <= y <= bottom + 1, cell
            if SITES[site] <= 16:
                x, y = shown_at(values, 0.5 / len(values), 1 / len(values))
                stretched += left - 1 <= x <= right + 1 and top - 1 <= y <= bottom + 1
    assert found >= 5
    if SITES[site] <= 16:
        assert stretched < found / 2, "maps stretched over the frame would be seen"
