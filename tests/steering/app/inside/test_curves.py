"""Blindness by site and effects of channels: at the end the sweep's numbers, on the way those of fewer states."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.networks.policy import MazePolicy
from envs.chain import total_variation
from envs.maze import Maze
from steering.app.inside.channels import AblateEach, channel_updates
from steering.app.inside.curve import curve_updates
from steering.app.inside.gradual import shuffled
from steering.experiments.conditions import MAIN, Key
from steering.experiments.exact import LevelEvaluator
from steering.interventions.edits import ablate, subtract
from steering.interventions.sites import enumerate_sites
from steering.interventions.vectors import cheese_vectors
from steering.sweep.spec import SweepSpec
from steering.sweep.units import Unit, run_unit
from tests.helpers.workbench import SITE, Understood

LEVEL = 26


@pytest.fixture(scope="module")
def level() -> Maze:
    return Maze.from_level(LEVEL)


def test_the_curve_is_the_blindness_of_a_sweep_of_this_maze(
    policy: MazePolicy, level: Maze, understood: Understood
) -> None:
    names = [site.name for site in enumerate_sites(policy.net)]
    keys = [Key(LEVEL, "clean"), *(Key(LEVEL, MAIN, name, 1.0) for name in names)]
    spec = SweepSpec("region5", policy.sha256, levels=(LEVEL,), sites=tuple(names))
    clean, *rows = run_unit(policy, Unit(LEVEL, tuple(keys)), spec).rows
    expected = [1 - row.outcome.tv_no_cheese / clean.outcome.tv_no_cheese for row in rows]
    found = list(curve_updates(understood(level, "ablate,channels=0", asked=("curve",))))
    np.testing.assert_allclose(found[-1].arrays["blindness"], expected, atol=1e-5)
    shares = [update.facts["share"] for update in found]
    assert shares == sorted(shares) and shares[-1] == 1 and len(found) > 20
    assert min(expected) < 0.5 < max(expected), "the numbers are apart, so that they can be told from one another"


def test_on_the_way_it_is_the_curve_of_the_states_done(policy: MazePolicy, level: Maze, understood: Understood) -> None:
    context = understood(level, asked=("curve",))
    some = shuffled(context)[:16]
    found = next(update for update in curve_updates(context) if update.facts["share"] >= 16 / len(shuffled(context)))
    sites = ["input", SITE, "embedder.fc"]
    evaluator, vectors = LevelEvaluator(policy, level), cheese_vectors(policy, level, sites)
    fields = evaluator.fields([subtract(vectors[site]) for site in sites])
    alone = total_variation(evaluator.clean.probabilities[some], evaluator.no_cheese.probabilities[some]).sum()
    names = [site.name for site in enumerate_sites(policy.net)]
    for site, field in zip(sites, fields, strict=True):
        left = total_variation(field.probabilities[some], evaluator.no_cheese.probabilities[some]).sum()
        assert found.arrays["blindness"][names.index(site)] == pytest.approx(1 - left / alone, abs=1e-4)


@pytest.mark.parametrize("site", [SITE, "embedder.fc", "input"])
def test_effects_of_channels_are_those_of_ablating_each(
    policy: MazePolicy, level: Maze, understood: Understood, site: str
) -> None:
    *_, last = channel_updates(understood(level, site=site, asked=("channels",)))
    order, effect = last.arrays["channel"], last.arrays["effect"]
    assert last.facts == {"site": site, "share": 1.0} and (np.diff(effect) <= 0).all()
    assert sorted(order) == list(range(len(order)))
    outcomes = LevelEvaluator(policy, level).outcomes([ablate(site, (int(channel),)) for channel in order])
    np.testing.assert_allclose(effect, [outcome.tv_clean for outcome in outcomes], atol=1e-6)


def test_work_that_was_left_goes_on_where_it_stopped(level: Maze, understood: Understood) -> None:
    for function, name in ((curve_updates, "curve"), (channel_updates, "channels")):
        begun = function(understood(level, asked=(name,)))
        shares = [next(begun).facts["share"] for _ in range(5)]
        begun.close()
        again = list(function(understood(level, "clamp,index=0+0+0,value=9", asked=(name,))))
        assert again[0].facts["share"] == shares[-1] < again[1].facts["share"] and again[-1].facts["share"] == 1
        ((name_of, array),) = list(again[-1].arrays.items())[-1:]
        (whole,) = function(understood(level, asked=(name,)))
        np.testing.assert_array_equal(whole.arrays[name_of], array)
        assert list(function(understood(level))) == []


def test_each_row_loses_its_own_channel() -> None:
    activation = torch.arange(1.0, 13.0).reshape(2, 3, 2)
    edited = AblateEach(np.array([2, 0]))(activation)
    assert edited.tolist() == [[[1, 2], [3, 4], [0, 0]], [[0, 0], [9, 10], [11, 12]]]
