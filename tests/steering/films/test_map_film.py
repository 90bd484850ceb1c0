"""Causal maps over the picture: the film's numbers are those of patching, and a field's colours those of its blocks."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.chain import total_variation
from envs.errors import InputError
from envs.maze import Maze
from steering.films.map_film import MappedRun, PairMap, field_map, film_map, pair_map
from steering.interventions.places import block_of
from steering.planning.located import PLACES
from steering.planning.measure import map_sites
from steering.planning.run import PlanningOptions, run_planning
from steering.sweep.spec import SweepSpec
from tests.helpers.command import mazesteer
from videos.scene import HeatOverlay
from videos.side_by_side import Look

LEVEL = 2


@pytest.fixture(scope="module")
def found(policy: MazePolicy) -> PairMap:
    return pair_map(policy, Maze.from_level(LEVEL), [map_sites(policy)[k] for k in (0, 7, 12)])


def test_a_pair_is_shown_that_the_agent_heeds_and_its_maps_add_to_its_places(found: PairMap) -> None:
    assert found.apart > 0.5 and found.blocks.shape == (3, 8, 8) and found.places.shape == (3, len(PLACES))
    source = found.shown.places[0]
    assert found.places[0] == pytest.approx([1, 0, 0, 0], abs=1e-5)  # at the input
    np.testing.assert_allclose(found.blocks[0][~source], 0, atol=1e-5)
    assert found.blocks[0][source].max() > 0
    most, whole = found.captions(0)
    assert most.endswith("(source)") and whole == "source 1.00 | mouse 0.00 | route 0.00 | elsewhere 0.00"


def test_the_film_shows_every_site(policy: MazePolicy, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = film_map(
        policy,
        Maze.from_level(LEVEL),
        tmp_path / "map.mp4",
        seconds=0.1,
        look=Look(side=256, fps=10),
        progress=lambda done, total: told.append((done, total)),
    )
    sites = len(map_sites(policy))
    assert told[0] == (0, sites) and told[-1] == (sites, sites)
    with av.open(path) as film:
        assert sum(1 for _ in film.decode(video=0)) == 2 * sites


def test_a_run_of_planning_is_mapped(tmp_path: Path) -> None:
    run_planning(PlanningOptions("region5", tmp_path / "run", "26,2", kinds=(), goals=("corner",), pairs=1, distance=7))
    planned = MappedRun.load(tmp_path / "run")
    assert (planned.levels, planned.distance, planned.seed) == ((26, 2), 7, 0)
    assert planned.maze(None).level == 2  # 26 has no detour to the cheese so far away
    with pytest.raises(InputError, match="--level 3 is not in this run; choose one of 26, 2"):
        planned.maze(3)
    done = mazesteer("film-sweep", tmp_path / "run", "--map", "--checkpoint", "anywhere")
    assert done.returncode == 2 and "was made with region5" in done.stderr
    done = mazesteer("film-sweep", tmp_path, "--map")
    assert done.returncode == 2 and "planning.json" in done.stderr


def test_a_sweep_is_mapped_with_its_own_levels_and_seed(sweep: Path) -> None:
    found, spec = MappedRun.load(sweep), SweepSpec.load(sweep)
    assert (found.levels, found.mode, found.seed, found.sha256) == (spec.levels, spec.mode, spec.seed, spec.sha256)


def test_levels_without_a_pair_are_refused(policy: MazePolicy, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="level 26: no detour 24 cells away"):
        film_map(policy, Maze.from_level(26), tmp_path / "map.mp4", distance=24)
    assert list(tmp_path.iterdir()) == []


def test_a_field_is_coloured_by_the_blocks_of_its_cells(policy: MazePolicy) -> None:
    maze = Maze.from_level(LEVEL)
    heat, mouse = field_map(policy, maze, "block1.conv")
    assert heat.label.startswith("carried at block1.conv to the mouse (disc), TV ") and heat.signed
    with_cheese, without = (policy.move_probabilities(each.observations()) for each in (maze, maze.without_cheese()))
    apart = total_variation(with_cheese, without)
    here = [f"{tv:.2f}" for state, tv in zip(maze.states, apart, strict=True) if state.cell == mouse]
    assert heat.label.split()[-1] in here and float(heat.label.split()[-1]) > np.median(apart)
    by_block: dict[tuple[int, int], set[float]] = {}
    for cell, value in zip(maze.cells, heat.values, strict=True):
        by_block.setdefault(block_of(maze, cell), set()).add(float(value))
    assert all(len(values) == 1 for values in by_block.values())
    assert maze.cheese is not None
    there = block_of(maze, maze.cheese)  # the first layer has the cheese where it is drawn, and nowhere else
    lit = [block for block, values in by_block.items() if abs(values.copy().pop()) > 1e-5]
    assert lit and all(max(abs(row - there[0]), abs(column - there[1])) <= 1 for row, column in lit)
    assert heat.values.max() > 0.3
    with pytest.raises(InputError, match="embedder.fc is no map"):
        field_map(policy, maze, "fc")
    with pytest.raises(InputError, match="no cheese"):
        field_map(policy, maze.without_cheese(), "block1.conv")


def test_colours_of_maps_with_a_peak_can_be_compared() -> None:
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    weak, strong = (np.full((1, 8, 8), value) for value in (0.1, 0.5))
    faint, full = (HeatOverlay(maps, 0.5 / 8, 1 / 8, 0.5).over(picture, 0) for maps in (weak, strong))
    assert 0 < faint.max() < full.max()
    alone = HeatOverlay(weak, 0.5 / 8, 1 / 8).over(picture, 0)
    np.testing.assert_array_equal(alone, full)
    np.testing.assert_array_equal(HeatOverlay(strong * 4, 0.5 / 8, 1 / 8, 0.5).over(picture, 0), full)
