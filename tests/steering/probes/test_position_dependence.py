"""Cheese vectors by position: against vectors taken one by one, against profiles, and where they cannot differ."""

from __future__ import annotations

import bisect

import numpy as np
import pytest
import torch

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.experiments.exact import LevelEvaluator
from steering.experiments.outcome import DISTANCES
from steering.experiments.profiles import level_profiles
from steering.interventions.edits import Intervention
from steering.interventions.sites import find_site, select_sites
from steering.interventions.vectors import cheese_vector, cheese_vectors
from steering.probes.curves import position_dependence, probe_curves
from steering.probes.position_dependence import SUMS, interaction_tally, maze_sums, position_sums, representation
from steering.statistics.bootstrap import resamples

SITES = (
    "input",
    "embedder.block1.conv",
    "embedder.block2.res1.resadd",
    "embedder.block3.res2.resadd",
    "embedder.relufc",
)


@pytest.fixture(scope="module")
def level() -> Maze:
    return Maze.from_level(26)


def column(sums: np.ndarray, name: str) -> np.ndarray:
    found: np.ndarray = sums[..., SUMS.index(name)]
    return found


def test_sums_are_those_of_vectors_taken_one_by_one(policy: MazePolicy, level: Maze) -> None:
    cells = [cell for cell in level.cells if cell != level.cheese][3:20:4]
    states = [level.arrival(cell) for cell in cells]
    for name in SITES[2:]:
        sums = maze_sums(policy, level, [find_site(policy.net, name)], states)[0]
        start = cheese_vector(policy, level, name)
        steps = level.distances(level.mouse)
        expected = np.zeros((len(DISTANCES), 2))
        for cell in cells:
            vector = cheese_vector(policy, level, name, cell)
            bin_ = bisect.bisect_right(DISTANCES, int(steps[level.index[cell]])) - 1
            cosine = torch.cosine_similarity(vector.tensor.flatten(), start.tensor.flatten(), dim=0)
            expected[bin_] += [float(cosine), vector.norm]
        for number, part in enumerate(("cosine", "here")):
            assert column(sums, part).sum(1) == pytest.approx(expected[:, number], abs=1e-3)
        assert column(sums, "states").sum() == len(cells)
        assert column(sums, "start").sum() == pytest.approx(len(cells) * start.norm, rel=1e-4)


def test_interaction_is_that_of_the_profiles(policy: MazePolicy, level: Maze) -> None:
    """Two independent computations over all states of a level."""
    sites = {name: find_site(policy.net, name) for name in SITES}
    evaluator = LevelEvaluator(policy, level, 16)
    clean = evaluator.fields([Intervention()])[0]
    vectors = {name: vector.tensor for name, vector in cheese_vectors(policy, level, SITES).items()}
    subtracted = {(name, 1.0): clean for name in SITES}
    profiles = level_profiles(evaluator, sites, vectors, subtracted, level.mouse)
    states = [state for state in level.states if state.cell != level.cheese]
    sums = maze_sums(policy, level, list(sites.values()), states)
    for profile in profiles:
        where = sums[SITES.index(profile.site), DISTANCES.index(profile.distance), profile.outside]
        assert column(where, "states") == profile.states
        assert column(where, "difference") == pytest.approx(profile.interaction, rel=1e-4, abs=1e-3)
        assert column(where, "here") == pytest.approx(profile.difference, rel=1e-4, abs=1e-3)
    assert column(sums, "states").sum() == len(SITES) * len(states) == sum(p.states for p in profiles)


def test_an_affine_site_has_one_vector_wherever_sprites_do_not_meet(policy: MazePolicy) -> None:
    """And so has every site outside its receptive field; deep inside the network the vector turns."""
    mazes = Maze.from_levels([2, 26, 54])
    sites = select_sites("trunk", policy.net)
    sums, samples = position_sums(policy, mazes, sites, 40, 0), resamples(len(mazes), np.random.default_rng(0), 100)
    rows = representation(sums, [site.name for site in sites], samples)
    curve = probe_curves({"interaction": interaction_tally(sums)}, samples)["interaction"]
    assert curve[:, 0] == pytest.approx([row.inside.interaction.value for row in rows])
    held = position_dependence(sites, curve)
    assert [row.name for row in rows] == [site.name for site in sites]
    for row, site in zip(rows, sites, strict=True):
        if site.receptive_field is None:
            assert row.outside is None
        for part in [row.outside, *(each for each in row.by_distance if each.outside)]:
            if part is not None:
                assert part.cosine.value == pytest.approx(1.0, abs=1e-4)
                assert part.norm_ratio.value == pytest.approx(1.0, abs=1e-4)
                assert part.interaction.value == pytest.approx(0.0, abs=1e-2)
    by_name = {row.name: row.inside for row in rows}
    assert rows[0].outside and rows[1].outside
    assert by_name["embedder.relufc"].cosine.high < by_name["embedder.block2.res1.resadd"].cosine.low
    values = [row.inside.interaction.value for row in rows]
    deep = next(k for k, value in enumerate(values) if value > 0.5)
    assert (held.site, held.next_site) == (rows[deep - 1].name, rows[deep].name)
    for row in rows:
        assert sum(part.states for part in row.by_distance) == sum(
            side.states for side in (row.inside, row.outside) if side
        )


def test_position_draws_do_not_depend_on_the_other_levels(policy: MazePolicy) -> None:
    mazes = Maze.from_levels([26, 54])
    site = [find_site(policy.net, SITES[2])]
    alone, again = (position_sums(policy, mazes[1:], site, 6, 3) for _ in range(2))
    assert np.array_equal(alone, again)
    assert not np.array_equal(alone, position_sums(policy, mazes[1:], site, 6, 4))
    both = position_sums(policy, mazes, site, 6, 3)
    assert np.array_equal(both[1:], alone)
    (drawn,) = representation(both, SITES[2:3], np.ones((5, 2), dtype=int))
    (single,) = representation(alone, SITES[2:3], np.zeros((5, 1), dtype=int))
    assert drawn.inside.cosine.low == pytest.approx(single.inside.cosine.value)
