"""The published probe and the named levels: known answers, and what they say with too little to go by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.networks.policy import MazePolicy, as_policy
from envs.maze import Maze, State
from steering.experiments.conditions import PUBLISHED_SITE
from steering.experiments.exact import evaluate
from steering.interventions.edits import subtract
from steering.interventions.sites import INPUT
from steering.interventions.vectors import cheese_vector
from steering.probes.convolutional import holding
from steering.probes.data import activations, probe_data
from steering.replication.cheese_probe import ENDS, FEWEST, STATES, measure_probe, places, summarize_probe
from steering.replication.levels import GIVER, TAKERS, measure_named, summarize_named
from steering.replication.protocol import Sample, Settings, Setup, verdict
from steering.replication.tracking import map_cell

pytestmark = pytest.mark.usefixtures("one_thread")

LEVELS = (26, 52, 54, 92, 95, 152, 163, 193, 208, 223)  # small mazes that qualify for a sweep
SHOWS = 5  # the channel that shows the cheese


class Shown(nn.Module):
    """Channel :data:`SHOWS` of ``maps`` shows where pixels have the cheese's colours; ``lost`` shows no place.

    ``moved``: rows and columns by which that channel shows it too far down and right.
    """

    colours: Tensor

    def __init__(self, moved: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        self.moved = moved
        colours = torch.tensor([[254.0, 231.0, 98.0], [253.0, 155.0, 37.0]]) / 255.0
        self.register_buffer("colours", colours.reshape(1, 2, 3, 1, 1))
        self.mixed = nn.Conv2d(3, 8, 4, stride=4)
        with torch.no_grad():
            self.mixed.weight.copy_(torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0)))
        self.maps, self.lost = nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        distance = (x.unsqueeze(1) - self.colours).abs().sum(2)
        cheese = functional.relu(1.0 - 40.0 * distance).sum(1, keepdim=True)
        near = torch.tensor(
            [1.0, 2.0, 3.0, 2.0, 1.0]
        )  # a position is centred on pixel 4 i, as in the published network
        cheese = functional.conv2d(cheese, torch.outer(near, near)[None, None], stride=4, padding=2)
        cheese = torch.roll(cheese, self.moved, (2, 3))
        maps = self.maps(torch.cat([self.mixed(x)[:, :SHOWS], cheese], dim=1))
        lost = self.lost(maps.mean(dim=(2, 3), keepdim=True).expand(-1, -1, 16, 16))
        return functional.pad(lost.mean(dim=(2, 3)), (0, 15 - SHOWS - 1))


def bench_at(policy: MazePolicy, site: str, levels: tuple[int, ...] = LEVELS) -> Setup:
    return Setup(policy, Settings(policy.name, policy.sha256, site, levels))


@pytest.fixture(scope="module")
def shown() -> MazePolicy:
    return as_policy(Shown(), "shown")


def test_a_channel_that_shows_the_cheese_is_read_and_a_map_without_places_is_not(shown: MazePolicy) -> None:
    mazes = Maze.from_levels(LEVELS)
    bench = bench_at(shown, "maps")
    rows = measure_probe(bench, mazes)
    assert [row["frames"] for row in rows] == [float(min(STATES, len(maze.states))) for maze in mazes]
    # The unit on the planted channel can do no better and no worse than the brightest place of that channel.
    data = probe_data(shown, mazes, STATES, 0)
    seen = activations(shown, data.frames, "maps")[:, SHOWS].flatten(1).argmax(1).numpy()
    right = holding(data.cheese, (16, 16), data.world).reshape(len(seen), -1)[np.arange(len(seen)), seen]
    direct = data.per_maze(right.astype(float))
    assert direct.sum() > 0.8 * len(seen)  # not all: a cheese half way between two positions
    assert sum(row["maps hits"] for row in rows) == pytest.approx(direct.sum(), abs=0.05 * len(seen))
    summary = summarize_probe(bench, Sample("probe", rows, 0))
    assert summary.figures[4].label == "maps, 2 channels: cheeses found" and summary.figures[4].low > 0.7
    assert summary.claims[0].text.startswith("near-perfect at maps") and summary.claims[0].holds is not False

    flat = measure_probe(bench_at(shown, "lost"), mazes)
    # One frame's answer is the same at every place, so the first counts: right for hardly any cheese.
    assert sum(row["lost hits"] for row in flat) < 0.1 * len(seen)
    assert summarize_probe(bench_at(shown, "lost"), Sample("probe", flat, 0)).claims[0].holds is False


@pytest.mark.parametrize("moved", [(0, 0), (-1, -1)])
def test_a_channel_that_shows_the_cheese_elsewhere_is_clamped_there(moved: tuple[int, int]) -> None:
    policy = as_policy(Shown(moved), "moved")
    found, side = bench_at(policy, "maps").tracking, (16, 16)
    assert found.leader == SHOWS and tuple(found.shifts[SHOWS]) == moved
    clamped, unmoved = [], []
    for maze in Maze.from_levels(LEVELS[:5]):
        cells, start = maze.cells[1:], [State(maze.mouse, maze.facing)]
        frames = np.concatenate([maze.with_cheese(cell).observations(start) for cell in cells])
        brightest = activations(policy, frames, "maps")[:, SHOWS].flatten(1).argmax(1).numpy()
        for cell, shown in zip(cells, np.transpose(np.unravel_index(brightest, side)), strict=True):
            clamped.append(np.abs(shown - found.place(SHOWS, maze, cell, side)).max())
            unmoved.append(np.abs(shown - map_cell(maze, cell, side)).max())
    assert np.mean(clamped) < 0.6  # a cheese half way between two positions shows at either
    assert np.mean(unmoved) - np.mean(clamped) >= 0.25 * max(map(abs, moved))
    assert found.place(SHOWS, maze, (0, 0), (1, 1)) == (0, 0), "never off the map"


def test_the_published_network_is_probed_at_the_ends_of_its_blocks(random_policy: MazePolicy) -> None:
    bench = bench_at(random_policy, PUBLISHED_SITE)
    assert places(bench) == [INPUT, ENDS[0], PUBLISHED_SITE, *ENDS[1:]]
    rows = measure_probe(bench, Maze.from_levels(LEVELS[: FEWEST - 1]))
    summary = summarize_probe(bench, Sample("probe", rows, 0))
    assert all(np.isnan(figure.value) for figure in summary.figures) and len(summary.figures) == 5
    assert verdict(summary.claims).startswith("undecided") and "nothing is learned below 10" in summary.notes[0]


def named_rows(**left: float) -> list[dict[str, Any]]:
    columns = {"clean_tv": 1.0, "own_tv": 0.1, "clean_cheese": 0.9, "given_cheese": 0.2, "own_cheese": 0.1}
    return [{"level": int(name[1:]), "given_tv": value, **columns} for name, value in left.items()]


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({"L795": 0.1, "L3": 0.9}, "agrees in direction"),
        ({"L795": 0.6, "L3": 0.9}, "does not agree"),
        ({"L795": 0.1, "L3": 0.4}, "does not agree"),
    ],
)
def test_named_levels_decide_by_their_exact_numbers(
    random_policy: MazePolicy, left: dict[str, float], said: str
) -> None:
    bench = bench_at(random_policy, PUBLISHED_SITE)
    rows = named_rows(**left)
    assert verdict(summarize_named(bench, Sample("n", rows, 0)).claims).startswith(said)
    blank = [row | {"clean_tv": 0.001} for row in rows]  # the cheese changes nothing there
    assert verdict(summarize_named(bench, Sample("n", blank, 0)).claims).startswith("undecided")


def test_the_named_levels_are_those_that_were_published(random_policy: MazePolicy) -> None:
    mazes = {level: Maze.from_level(level) for level in (GIVER, *TAKERS)}
    cheeses = {level: maze.outer([maze.cheese or (0, 0)])[0].tolist() for level, maze in mazes.items()}
    assert cheeses[795] == cheeses[GIVER] != cheeses[3]
    row = measure_named(bench_at(random_policy, PUBLISHED_SITE), Maze.from_level(3))
    vector = cheese_vector(random_policy, Maze.from_level(GIVER), PUBLISHED_SITE)
    direct = evaluate(random_policy, Maze.from_level(3), subtract(vector))
    assert (row["given_tv"], row["given_cheese"]) == (direct.tv_no_cheese, direct.p_cheese_decision)
    assert row["given_tv"] != row["own_tv"] and row["level"] == 3
