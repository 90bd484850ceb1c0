"""Mean vectors of cells over levels: known answers, and the project's own vectors one by one."""

from __future__ import annotations

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.anatomy import mean_vectors
from steering.anatomy.interference_summary import means_of
from steering.anatomy.mean_vectors import MeanRow, mean_row, mean_site_row, shared_cells
from steering.interventions.sites import find_site
from steering.interventions.vectors import cheese_vector
from steering.records.anatomy.interference_site import MeanVectors
from steering.records.sites import SiteFacts, site_facts
from steering.statistics import bootstrap

GROUPS, CELLS, WIDE = 10, 40, 300


def summed(vectors: np.ndarray, count: np.ndarray) -> MeanVectors:
    """The means of cells whose sums over groups are ``vectors``, ``float[groups, cells, d]``."""
    flat = vectors.reshape(GROUPS * CELLS, WIDE)
    products = (flat @ flat.T).reshape(GROUPS, CELLS, GROUPS, CELLS)
    places = [(k % 8, k // 8) for k in range(CELLS)]
    row = mean_site_row(products, count, places, WIDE, 0, effective=float(WIDE))
    facts = SiteFacts("site", 1, (WIDE,), True, False, "site", None)
    found = means_of(facts, WIDE, MeanRow(CELLS, 20.0, {"site": row}))
    assert found is not None
    return found


def test_vectors_that_every_level_shares_are_random_directions_and_repeat() -> None:
    own = np.random.default_rng(0).standard_normal((CELLS, WIDE))
    count = np.random.default_rng(1).integers(0, 4, (GROUPS, CELLS)) * 1.0
    found = summed(own[None] * count[:, :, None], count)
    assert found.same.value == found.recognised.value == pytest.approx(1.0)
    assert found.other.value == pytest.approx(0.0, abs=0.02)
    rms = found.raw[0]
    assert rms.ratio.value == pytest.approx(1.0, abs=0.12) and rms.ratio_effective.value == rms.ratio.value
    assert rms.ratio.low == pytest.approx(rms.ratio.value) and rms.ratio.high == pytest.approx(rms.ratio.value)


def test_vectors_of_each_level_alone_do_not_repeat_and_their_interval_is_wide() -> None:
    rng = np.random.default_rng(2)
    found = summed(rng.standard_normal((GROUPS, CELLS, WIDE)), np.ones((GROUPS, CELLS)))
    assert found.same.value == pytest.approx(0.0, abs=0.1) and (found.recognised.value or 0) < 0.15
    assert found.same.low is not None and found.same.high is not None
    assert found.same.low < 0.05 and found.same.high > -0.05


def test_what_all_cells_share_repeats_and_tells_no_cell() -> None:
    rng = np.random.default_rng(4)
    shared = np.zeros(WIDE)
    shared[0] = 20.0
    found = summed(shared + rng.standard_normal((GROUPS, CELLS, WIDE)), np.ones((GROUPS, CELLS)))
    assert (found.same.value or 0) > 0.8 and found.other.value == pytest.approx(found.same.value, abs=0.02)
    assert (found.recognised.value or 0) < 0.15


def test_means_are_of_cells_not_of_levels() -> None:
    """A cell that is free in more levels weighs no more: its mean is that of its levels."""
    own = np.eye(CELLS, WIDE)
    own[1] = own[0] + own[1]
    count = np.ones((GROUPS, CELLS))
    count[0, 0] = 7.0
    found = summed(own[None] * count[:, :, None], count)
    assert found.raw[2].measured.value == pytest.approx(1 / np.sqrt(2))


def test_the_means_are_those_of_the_projects_own_vectors(policy: MazePolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    mazes = Maze.from_levels(range(12))
    monkeypatch.setattr(mean_vectors, "CELLS", 5)
    monkeypatch.setattr(mean_vectors, "FEWEST", 4)
    site = find_site(policy.net, "block2.res1.resadd")
    cells = shared_cells(mazes, 0)
    assert len(cells) == 5 and cells == sorted(cells)
    monkeypatch.setattr(mean_vectors, "MOST_VALUES", 1)  # each site in a run of its own
    sites = [find_site(policy.net, "relufc"), site]
    row = mean_row(policy, mazes, sites=sites, seed=0, effective={each.name: 3.0 for each in sites})
    means = []
    for cell in cells:
        own = []
        for maze in mazes:
            x, y = (k - maze.state.margin for k in cell)
            if maze.is_free((x, y)) and (x, y) != maze.mouse:
                own.append(cheese_vector(policy, maze.with_cheese((x, y)), site.name).tensor.flatten().double().numpy())
        assert len(own) >= mean_vectors.FEWEST
        means.append(np.mean(own, axis=0))
    units = np.stack(means) / np.linalg.norm(means, axis=1)[:, None]
    cosines = (units @ units.T)[np.triu_indices(5, 1)]
    found = row.sites[site.name].angles
    assert found[0].raw.squares == pytest.approx(float(np.sum(cosines**2)), rel=1e-3)
    assert len(found) == 1 + mean_vectors.GROUPS and row.cells == 5
    facts = {each.name: each for each in site_facts(sites)}
    assert means_of(facts[site.name], site.size, row) is not None


def test_too_few_levels_have_no_means(policy: MazePolicy) -> None:
    mazes = Maze.from_levels(range(3))
    site = find_site(policy.net, "relufc")
    row = mean_row(policy, mazes, sites=[site], seed=0, effective={site.name: None})
    assert row == MeanRow(0, 0.0, {}) and means_of(site_facts([site])[0], site.size, row) is None


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(3).standard_normal(10)
    left = np.array([np.delete(values, k).mean() for k in range(10)])
    mean, low, high = bootstrap.jackknifed(np.r_[values.mean(), left])
    error = values.std(ddof=1) / np.sqrt(10)
    assert mean == pytest.approx(values.mean())
    assert (high or 0) - (low or 0) == pytest.approx(2 * 2.2622 * error, rel=1e-4)
