"""The cheese moved in place of removed: what is drawn, what it is compared with, and a network where it is exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks.policy import MazePolicy, as_policy
from envs.errors import InputError
from envs.maze import Maze
from steering.analysis.summary import summarize_run
from steering.experiments.conditions import MAIN, MOVE, Key
from steering.experiments.exact import LevelEvaluator
from steering.experiments.level_conditions import intervention_named, level_intervention
from steering.experiments.levels import VectorSource, moved_cheese
from steering.experiments.outcome import Moved
from steering.interventions.edits import Intervention, add, subtract
from steering.interventions.vectors import cheese_vector
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row, Store
from steering.sweep.units import level_rows
from tests.helpers.runs import LEVELS, SITES, SPEC, make_run, outcome

LEVEL = 26  # a small maze that qualifies
DEEP = "embedder.block3.res2.resadd"


@pytest.fixture(scope="module")
def level() -> Maze:
    return Maze.from_level(LEVEL)


def spec_of(policy: MazePolicy, sites: tuple[str, ...], **other: object) -> SweepSpec:
    options: dict[str, object] = {"conditions": (MOVE,), "draws": 1, **other}
    return SweepSpec("agent", policy.sha256, (LEVEL,), sites, **options)  # type: ignore[arg-type]


def moved_in(policy: MazePolicy, level: Maze, spec: SweepSpec) -> list[Moved]:
    keys = [key for key in spec.keys(LEVEL) if key.condition == MOVE]
    return [part for part in level_rows(policy, level, keys, spec)[1] if isinstance(part, Moved)]


def test_the_cell_is_free_outside_the_top_right_and_a_function_of_seed_level_and_draw(level: Maze) -> None:
    worlds = [moved_cheese(level, 3, draw) for draw in range(40)]
    cells = {world.cheese for world in worlds}
    barred = {level.cheese, level.mouse, *level.region(5)}
    assert all(world.walls == level.walls and world.mouse == level.mouse for world in worlds)
    assert cells <= set(level.cells) - barred and len(cells) > 10
    assert worlds == [moved_cheese(level, 3, draw) for draw in range(40)]
    assert worlds[:8] != [moved_cheese(level, 4, draw) for draw in range(8)]
    taken = worlds[0].cheese
    assert taken not in {moved_cheese(level, 3, draw, taken).cheese for draw in range(40)}
    with pytest.raises(InputError, match="no cheese to move"):
        moved_cheese(level.without_cheese(), 3, 0)


def test_the_edit_takes_the_level_s_vector_away_and_adds_that_of_the_other_cell(
    policy: MazePolicy, level: Maze
) -> None:
    world = moved_cheese(level, 5, 1)
    found = level_intervention(policy, level, Key(LEVEL, MOVE, DEEP, 0.5, 1), VectorSource("start"), 5)
    assert found == subtract(cheese_vector(policy, level, DEEP), 0.5) + add(cheese_vector(policy, world, DEEP), 0.5)
    named = intervention_named(policy, level, MOVE, DEEP, 1.0, 5)  # as films and `outcome` ask for it
    assert named == level_intervention(policy, level, Key(LEVEL, MOVE, DEEP, 1.0), VectorSource("start"), 5)
    assert isinstance(named, Intervention) and len(named.edits) == 2
    with pytest.raises(InputError, match="'move' takes its vectors in the level itself; leave out --vector levels:3"):
        spec_of(policy, (DEEP,), vector="levels:3")


def test_moving_is_exact_where_the_network_is_linear(level: Maze) -> None:
    """Logits linear in the pixels: at every site the edited policy is that with the cheese really there."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 15))
    net[1].weight.data *= 6.0  # type: ignore[operator, union-attr]
    linear = as_policy(net, "linear")
    spec = spec_of(linear, ("input", "0", "1"), draws=2, coefficients=(1.0, 0.0))
    found = moved_in(linear, level, spec)
    assert len(found) == 12
    for part in found:
        assert part.tv_clean > 1e-4 * part.states
        if part.coefficient:
            assert part.tv_edited < 1e-3 * part.tv_clean
        else:
            assert part.tv_edited == pytest.approx(part.tv_clean, rel=1e-6)


def test_what_is_stored_is_the_distance_to_the_policy_with_the_cheese_there(policy: MazePolicy, level: Maze) -> None:
    """State by state, by an evaluator of the moved maze itself; the mouse on neither cheese's cell."""
    spec = spec_of(policy, (DEEP, "embedder.relu3"), seed=2)
    part = next(part for part in moved_in(policy, level, spec) if part.site == DEEP)
    world = moved_cheese(level, 2, 0)
    assert world.cheese == (part.column, part.row) and world.states == level.states
    here, there = LevelEvaluator(policy, level), LevelEvaluator(policy, world, hooks_only=True)
    edited = here.fields([level_intervention(policy, level, Key(LEVEL, MOVE, DEEP, 1.0), spec.source, 2)])[0]
    keep = [i for i, state in enumerate(level.states) if state.cell not in (level.cheese, world.cheese)]
    expected = [
        sum(0.5 * np.abs(field.probabilities[i] - there.clean.probabilities[i]).sum() for i in keep)
        for field in (edited, here.clean)
    ]
    assert (part.tv_edited, part.tv_clean) == pytest.approx(tuple(expected), abs=1e-4)
    assert part.states == len(keep) == len(level.states) - 4
    start = level.state_index(level.mouse, level.facing)
    apart = np.abs(edited.probabilities[start] - there.clean.probabilities[start]).max()
    assert apart < 1e-4, "where the vectors were taken moving is exact at a trunk site"


def test_blindness_of_moving_is_towards_the_cheese_moved(tmp_path: Path) -> None:
    """By its own sums, mean over draws; weighed by visits there is none. Other conditions keep their numbers."""
    spec = replace(SPEC, conditions=(MAIN, MOVE), draws=2)
    run = make_run(tmp_path / "run", SPEC, {SITES[0]: 0.0, SITES[1]: 0.6})
    before = summarize_run(run)
    spec.save(run)
    with Store.open(run) as store:
        for level in LEVELS:
            for site, lefts in ((SITES[0], (0.0, 0.0)), (SITES[1], (0.1, 0.5))):
                c = 0.01 * (1 + level)
                keys = [Key(level, MOVE, site, 1.0, draw) for draw in (0, 1)]
                parts = [Moved(level, site, 1.0, d, 3, 4, 50, 50 * c * left, 50 * c) for d, left in enumerate(lefts)]
                store.add([Row(key, site, outcome(0.9)) for key in keys], parts)
    after = summarize_run(run)
    deep = after.sites[1].conditions
    assert deep[MAIN] == before.sites[1].conditions[MAIN]
    assert deep[MOVE].blindness == pytest.approx(1 - 0.3) and deep[MOVE].blindness_low == pytest.approx(0.7)
    assert deep[MOVE].blindness_occupancy is None and before.boundary.moved is None
    assert after.boundary.moved is not None and after.boundary.moved.site == SITES[1]
    assert after.boundary.site == before.boundary.site == SITES[0]
