"""Channels that two agents share, against known answers: the same agent, one renumbered, and strangers."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks.policy import Policy, as_policy
from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import from_json
from steering.analysis.anatomy.circuits import CircuitRows, shared_channels
from steering.anatomy.circuit.summary import PART
from steering.anatomy.part import Asked
from steering.experiments.levels import first_levels
from steering.figures.anatomy.shared_figures import above_chance, shared_figure, sites_table
from steering.interventions.sites import select_sites
from steering.records.anatomy.shared_channels import SharedChannels
from steering.records.anatomy.summary import AnatomySettings
from steering.records.comparison import Comparison
from steering.reports.comparison_report import run_compare
from steering.statistics.formatting import format_number
from steering.sweep.artifacts import ANATOMY
from steering.sweep.store import Store
from tests.helpers.circuits import SITE, circuit_rows, store_circuit
from tests.helpers.faults import hollowed
from tests.helpers.runs import LEVELS, SPEC, make_run
from tests.steering.anatomy.test_circuit import small_network

CHANNELS, HALF, TRIALS = 16, 5, 60
SHARE = {"input": 0.0, "embedder.relu3": 0.4}


def agent(name: str, seed: int, order: Sequence[int] | None = None, half: int | None = HALF) -> CircuitRows:
    """An agent with channels of its own, whose effects differ from maze to maze; ``order`` renumbers them."""
    rng = np.random.default_rng(seed)
    alone = rng.uniform(0.1, 0.5, size=CHANNELS) + rng.uniform(0, 0.05, size=(len(LEVELS), CHANNELS))
    points = rng.normal(size=(len(LEVELS), CHANNELS, 8))
    order = range(CHANNELS) if order is None else order
    return circuit_rows(name, alone[:, order], points[:, order], half)


def at_one(first: CircuitRows, other: CircuitRows) -> SharedChannels:
    (site,) = shared_channels(first, other, 0).sites
    return site


def test_the_same_agent_twice_shares_everything() -> None:
    found = at_one(agent("one", 1), agent("again", 1))
    for part in (found.numbered, found.matched):
        assert (part.jaccard.value, part.jaccard.low, part.jaccard.high) == (1.0, 1.0, 1.0)
        assert part.overlap is not None and part.overlap.p < 0.001 and above_chance(part).value == 1.0
    assert found.in_place == 1.0 and found.correlation == pytest.approx(1.0)


def test_a_renumbered_agent_shares_all_when_matched_and_by_number_as_much_as_chance() -> None:
    """Over random orders the overlap by number is hypergeometric: its mean, and four standard errors of that."""
    rng, one = np.random.default_rng(0), agent("one", 1)
    by_number = []
    for _ in range(TRIALS):
        found = at_one(one, agent("renumbered", 1, rng.permutation(CHANNELS)))
        assert found.matched.jaccard.value == found.matched.jaccard.low == 1.0
        assert found.correlation == pytest.approx(1.0)
        assert found.numbered.overlap is not None
        by_number.append(found.numbered.overlap.shared)
    mean = HALF * HALF / CHANNELS
    variance = mean * (1 - HALF / CHANNELS) * (CHANNELS - HALF) / (CHANNELS - 1)
    assert abs(np.mean(by_number) - mean) < 4 * np.sqrt(variance / TRIALS)


@pytest.mark.parametrize("kind", ["numbered", "matched"])
def test_strangers_share_as_much_as_chance(kind: str) -> None:
    """A Jaccard of two sets is 0 to 1, so its standard deviation is at most one half."""
    pairs = [at_one(agent("one", 2 * k), agent("other", 2 * k + 1)) for k in range(TRIALS)]
    found = [getattr(pair, kind) for pair in pairs]
    chance = found[0].overlap.chance
    assert abs(np.mean([part.jaccard.value for part in found]) - chance) < 4 * 0.5 / np.sqrt(TRIALS)
    error = 1 / np.sqrt(len(LEVELS) // 2 * 8 * CHANNELS)  # of a mean over channels, of points that were not matched on
    assert np.mean([abs(pair.correlation or 0.0) < 4 * error for pair in pairs]) > 0.9


def test_the_interval_is_that_of_ranking_resampled_mazes_anew() -> None:
    """Where mazes agree on the channels it has no width, and where they do not, it has."""
    sure, unsure = agent("one", 1), agent("other", 3)
    noise = np.random.default_rng(4).uniform(0, 1, size=(len(LEVELS), CHANNELS))
    noisy = circuit_rows("noisy", noise, np.random.default_rng(5).normal(size=(len(LEVELS), CHANNELS, 8)), HALF)
    for other, wide in ((unsure, False), (noisy, True)):
        part = at_one(sure, other).numbered.jaccard
        assert part.low is not None and part.high is not None and part.value is not None
        assert (part.high - part.low > 0.2) == wide


def renumbered(policy: Policy, order: Sequence[int]) -> Policy:
    """The small network with the channels of its only convolution in another order: the same function."""
    net = copy.deepcopy(policy.net)
    kernels, last = net[0], net[3]  # type: ignore[index]
    assert isinstance(kernels, nn.Conv2d) and isinstance(last, nn.Linear)
    with torch.no_grad():
        kernels.weight[:], kernels.bias[:] = kernels.weight[order].clone(), kernels.bias[order].clone()
        last.weight[:] = last.weight.reshape(15, len(order), -1)[:, order].reshape(15, -1).clone()
    return as_policy(net, "renumbered")


def measured(policy: Policy, mazes: Sequence[Maze]) -> CircuitRows:
    """The part ``circuit`` of a network, measured behind its ReLU."""
    sites = select_sites("1", policy.net)
    levels = tuple(int(maze.level or 0) for maze in mazes)
    settings = AnatomySettings(("circuit",), tuple(site.name for site in sites), levels, 64, 64, 0, "easy")
    asked = Asked(policy, mazes, sites, settings)
    rows: list[dict[int, object]] = []
    for step in PART.passes:
        rows.append({level: measure() for level, measure in step.work(asked, rows).items()})
    return CircuitRows(policy.name, settings, PART.summarize(asked, rows), rows[0], rows[-1])  # type: ignore[arg-type]


def test_a_network_whose_channels_change_places_uses_the_same_when_matched() -> None:
    mazes, _ = first_levels(8, "easy")
    policy = small_network(2)
    order = [1, 2, 3, 4, 5, 6, 7, 0]
    one, other = measured(policy, mazes), measured(renumbered(policy, order), mazes)
    found = at_one(one, other)
    assert found.matched.overlap is not None, "half takes some channels and not all"
    assert found.matched.jaccard.value == 1.0 and found.in_place == 0.0
    assert found.correlation == pytest.approx(1.0, abs=1e-4)
    half = int(one.sites[0].half.ranked.value or 0)
    moved = {order.index(channel) for channel in one.sites[0].ranking[:half]}
    assert moved == set(other.sites[0].ranking[:half])
    assert found.numbered.overlap is not None
    assert found.numbered.overlap.shared == len(moved & set(one.sites[0].ranking[:half]))


def test_agents_that_cannot_be_compared_are_refused_in_one_line() -> None:
    one, other = agent("one", 1), agent("other", 2)
    rng = np.random.default_rng(0)
    wide = circuit_rows("wide", rng.uniform(size=(len(LEVELS), 32)), rng.normal(size=(len(LEVELS), 32, 8)), HALF)
    elsewhere = circuit_rows(
        "elsewhere", rng.uniform(size=(len(LEVELS), CHANNELS)), rng.normal(size=(len(LEVELS), CHANNELS, 8)), HALF, "x"
    )
    other_seed = replace(other, settings=replace(other.settings, seed=1))
    for rows, words in (
        (wide, rf"^wide: {SITE} has 32 channels here and 16 in one; compare agents of one architecture$"),
        (elsewhere, rf"^elsewhere: {SITE} has no channels here and 16 in one; .*"),
        (other_seed, "^other: measured with another seed than one; measure both alike$"),
    ):
        with pytest.raises(InputError, match=words):
            shared_channels(one, rows, 0)


def test_an_agent_without_half_has_no_sets_but_its_channels_are_matched() -> None:
    found = shared_channels(agent("one", 1), agent("none", 1, half=None), 0)
    (site,) = found.sites
    assert site.numbered.overlap is None and site.matched.overlap is None and site.numbered.jaccard.value is None
    assert site.in_place == 1.0 and found.mean.sites == 0 and found.mean.chance is None


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three agents: the second is the first renumbered, the third a stranger."""
    found = []
    order = np.random.default_rng(0).permutation(CHANNELS)
    for k, rows in enumerate((agent("a", 1), agent("b", 1, order), agent("c", 2))):
        spec = replace(SPEC, checkpoint=rows.name, sha256=str(k) * 64)
        found.append(make_run(tmp_path / rows.name, spec, SHARE, seed=k))
        store_circuit(found[-1], spec.sha256, rows)
    return found


def test_a_comparison_shows_what_agents_share(runs: list[Path], tmp_path: Path) -> None:
    data = run_compare(runs, tmp_path / "out", seed=0)
    assert from_json((tmp_path / "out" / "compare.json").read_text(), Comparison, "compare.json", "") == data
    found = data.circuits
    assert found is not None and (found.against, found.levels, found.missing) == ("a", len(LEVELS) // 2, "")
    assert [arm.of for arm in found.arms] == ["b", "c"]
    same, stranger = found.arms
    assert same.mean.sites == 1 and same.mean.matched.value == 1.0
    assert (
        same.sites
        == shared_channels(agent("a", 1), agent("b", 1, np.random.default_rng(0).permutation(CHANNELS)), 0).sites
    )
    figure = shared_figure(found, ["a", "b", "c"])
    assert figure is not None
    drawn = {(line.name, line.yaxis): line.y[0] for line in figure.data}
    assert drawn["b", "y2"] == 1.0 and drawn["c", "y"] == above_chance(stranger.sites[0].numbered).value
    page = (tmp_path / "out" / "compare.md").read_text()
    assert "## Channels, run by run" in page and "Do the agents use the same channels?" in page
    (row,) = [line for line in page.splitlines() if line.startswith("| b | block1.maxpool")]
    assert same.sites[0].numbered.overlap is not None
    assert format_number(same.sites[0].numbered.overlap.p) in row and "1.00 (1.00 to 1.00)" in row
    assert len(sites_table(found)) == 3
    assert 'id="channels"' in (tmp_path / "out" / "compare.html").read_text()


def test_runs_that_lack_rows_or_are_unlike_are_named(runs: list[Path], tmp_path: Path) -> None:
    with Store.open(runs[1]) as store, store.transaction() as db:
        db.execute("DELETE FROM planning WHERE level = ? AND part LIKE '%points'", (LEVELS[3],))
    (runs[2] / ANATOMY.file).unlink()
    data = run_compare(runs, tmp_path / "out", seed=0)
    assert data.circuits is not None and data.circuits.arms == ()
    lacking = "b: the run lacks rows of its sub-circuits; type `mazesteer anatomy` again"
    assert data.circuits.missing == f"{lacking}; c: not measured"
    assert f"Channels are not compared for {lacking}; c: not measured." in (tmp_path / "out" / "compare.md").read_text()
    for run in runs[:2]:
        (run / ANATOMY.file).unlink()
    assert run_compare(runs, tmp_path / "out", seed=0).circuits is None


@pytest.mark.parametrize("like", ["%singles", "%points"])
def test_rows_that_lack_a_site_are_no_rows(runs: list[Path], like: str, tmp_path: Path) -> None:
    with sqlite3.connect(runs[1] / "results.sqlite") as db:
        (part,) = db.execute("SELECT min(part) FROM planning WHERE part LIKE ?", (like,)).fetchone()
    hollowed(runs[1], part, "sites")
    data = run_compare(runs[:2], tmp_path / "out", seed=0)
    assert data.circuits is not None and data.circuits.missing.startswith("b: the run lacks rows of its sub-circuits")
