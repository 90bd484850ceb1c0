"""Units of a sweep: controls and the levels they draw from, equivalent sites, profiles, all computed once more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.networks.policy import MazePolicy, to_input
from envs import chain
from envs.errors import InputError
from envs.maze import Maze
from envs.training.levels import EVAL_LEVELS
from steering.analysis.distances import position_curve, receptive_field_split
from steering.experiments.conditions import ALL_SITES, OTHER_LEVEL, SAME_CELL, Key
from steering.experiments.exact import LevelEvaluator
from steering.experiments.level_conditions import level_intervention, own_vectors, trunk_experiments
from steering.experiments.levels import VectorSource, donor, donors, skip_reason
from steering.experiments.outcome import CELLS, DISTANCES, Nearness, Profile
from steering.experiments.profiles import outside_field
from steering.interventions.edits import Intervention, subtract
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import enumerate_sites
from steering.interventions.vectors import cheese_vector, cheese_vectors, mean_cheese_vectors, mean_vector
from steering.records.sweep import PooledProfile
from steering.statistics.bootstrap import blindness_interval, counts, ratio_interval, resamples
from steering.statistics.seeding import generator
from steering.sweep.run import remaining, run_sweep
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from steering.sweep.units import Batch, Result, Unit, batched, level_rows, run_batch, run_unit, split

SITE = "embedder.block2.res1.resadd"
LEVEL = 26  # a small maze that qualifies


@pytest.fixture(scope="module")
def level() -> Maze:
    return Maze.from_level(LEVEL)


def spec_of(policy: MazePolicy, **changes: object) -> SweepSpec:
    options: dict[str, object] = {"levels": (LEVEL,), "sites": (SITE,), "draws": 2, **changes}
    return SweepSpec("region5", policy.sha256, **options)  # type: ignore[arg-type]


def outer_cheese(maze: Maze) -> tuple[int, int]:
    assert maze.cheese is not None
    return (maze.cheese[0] + maze.state.margin, maze.cheese[1] + maze.state.margin)


@pytest.mark.parametrize("number", [2, 26, 54])
def test_levels_drawn_are_what_their_control_says(number: int) -> None:
    maze = Maze.from_level(number)
    for draw in range(6):
        other, same = (donor(maze, condition, 3, draw) for condition in (OTHER_LEVEL, SAME_CELL))
        for found in (other, same):
            assert found.level != maze.level and EVAL_LEVELS[0] <= (found.level or 0) < EVAL_LEVELS[1]
        assert skip_reason(other) is None and outer_cheese(other) != outer_cheese(maze)
        assert outer_cheese(same) == outer_cheese(maze) and same.mouse != same.cheese
        assert same.walls == Maze.from_level(same.level or 0).walls
    drawn = [donor(maze, SAME_CELL, 3, draw).level for draw in range(6)]
    assert len(set(drawn)) > 3 and drawn == [donor(maze, SAME_CELL, 3, draw).level for draw in range(6)]
    assert drawn != [donor(maze, SAME_CELL, 4, draw).level for draw in range(6)]


def test_several_levels_drawn_are_different_ones(level: Maze) -> None:
    found = donors(level, OTHER_LEVEL, 0, 0, 20)
    assert len({maze.level for maze in found}) == 20 and LEVEL not in {maze.level for maze in found}
    with pytest.raises(InputError, match="no cheese"):
        donor(level.without_cheese(), OTHER_LEVEL, 0, 0)


def test_generators_belong_to_what_they_are_for() -> None:
    purposes = [(0, 1, "a", 0), (1, 1, "a", 0), (0, 2, "a", 0), (0, 1, "b", 0), (0, 1, "a", 1)]
    draws = [generator(*purpose).random() for purpose in purposes]
    assert len(set(draws)) == 5 and generator(*purposes[0]).random() == draws[0]


def test_conditions_are_what_they_are_called(policy: MazePolicy, level: Maze) -> None:
    spec = spec_of(policy)
    for condition in (OTHER_LEVEL, SAME_CELL):
        found = level_intervention(policy, level, Key(LEVEL, condition, SITE, 0.5, 1), spec.source, spec.seed)
        by_hand = subtract(cheese_vector(policy, donor(level, condition, spec.seed, 1), SITE), 0.5)
        assert found == by_hand
    assert level_intervention(policy, level, Key(LEVEL, "clean"), spec.source, spec.seed) == Intervention()
    other = donor(level, OTHER_LEVEL, spec.seed, 0)
    found = level_intervention(policy, level, Key(LEVEL, OTHER_LEVEL, SITE, 1.0), VectorSource("mean"), spec.seed)
    assert found == subtract(mean_cheese_vectors(policy, other, [SITE])[SITE])  # the control is of the same kind
    with pytest.raises(InputError, match="'subtract'"):
        level_intervention(policy, level, Key(LEVEL, "substract", SITE, 1.0), spec.source, spec.seed)


def test_all_sites_share_the_coefficient_among_the_distinct_trunk_sites(policy: MazePolicy, level: Maze) -> None:
    names = trunk_experiments(enumerate_sites(policy.net))
    assert len(names) == 12
    found = level_intervention(policy, level, Key(LEVEL, ALL_SITES, "", 3.0), VectorSource("start"), 0)
    vectors = cheese_vectors(policy, level, names)
    assert found.edits == tuple(subtract(vectors[name], 0.25).edits[0] for name in names)


def test_vector_sources(policy: MazePolicy, level: Maze) -> None:
    cell = level.path(level.mouse, level.corner)[2]
    parse = VectorSource.parse
    taken = {text: own_vectors(policy, level, [SITE], parse(text), 7)[SITE] for text in ("start", "mean", "levels:3")}
    assert taken["start"] == cheese_vector(policy, level, SITE)
    assert taken["mean"] == mean_cheese_vectors(policy, level, [SITE])[SITE]
    at_cell = own_vectors(policy, level, [SITE], parse(f"{cell[0]},{cell[1]}"), 7)[SITE]
    assert at_cell == cheese_vector(policy, level, SITE, cell)
    others = donors(level, OTHER_LEVEL, 7, 2**32 - 1, 3)
    assert taken["levels:3"] == mean_vector([cheese_vector(policy, other, SITE) for other in others])


def test_rows_equal_one_evaluation_each_and_name_their_source(policy: MazePolicy, level: Maze) -> None:
    """The batch of a unit against an evaluator of its own for every key; equivalent sites share one result."""
    twins = ("embedder.block2.res2.resadd", "embedder.block3.conv")
    spec = spec_of(policy, sites=twins, conditions=("subtract", "random", OTHER_LEVEL, SAME_CELL, ALL_SITES), draws=1)
    rows, _ = level_rows(policy, level, spec.keys(LEVEL), spec)
    assert [row.key for row in rows] == spec.keys(LEVEL)
    evaluator = LevelEvaluator(policy, level, spec.horizon, hooks_only=True)
    for row in rows:
        if row.key.condition == "no_cheese":
            expected = evaluator.no_cheese_outcome()
        else:
            expected = evaluator.outcomes([level_intervention(policy, level, row.key, spec.source, spec.seed)])[0]
        for name in ("p_cheese", "p_region", "tv_no_cheese", "p_cheese_decision", "value_start"):
            assert getattr(row.outcome, name) == pytest.approx(getattr(expected, name), abs=2e-4, nan_ok=True), row.key
        drawn = row.key.condition in (OTHER_LEVEL, SAME_CELL)
        assert row.source == (donor(level, row.key.condition, 0, 0).level if drawn else None)
        shared = row.key.condition in ("subtract", OTHER_LEVEL, SAME_CELL)
        assert row.computed_at == (twins[0] if shared else row.key.site)


def test_sums_by_distance_add_up_to_the_blindness_of_the_level(policy: MazePolicy, level: Maze) -> None:
    sites = ("input", SITE, "fc_policy")
    spec = spec_of(policy, sites=sites, conditions=("subtract",), coefficients=(1.0, 2.0))
    rows, sums = level_rows(policy, level, spec.keys(LEVEL), spec)
    outcomes = {row.key: row.outcome for row in rows}
    off = 2 * (len(level.cells) - 1)
    for kind, site, coefficient in itertools.product((Profile, Nearness), sites, (1.0, 2.0)):
        mine = [p for p in sums if isinstance(p, kind) and (p.site, p.coefficient) == (site, coefficient)]
        firsts = {p.distance if isinstance(p, Profile) else p.cells for p in mine}
        assert sum(p.states for p in mine) == off and firsts <= set(DISTANCES if kind is Profile else CELLS)
        assert sum(p.tv_subtract for p in mine) / off == pytest.approx(
            outcomes[Key(LEVEL, "subtract", site, coefficient)].tv_no_cheese, abs=1e-6
        )
        assert sum(p.tv_clean for p in mine) / off == pytest.approx(
            outcomes[Key(LEVEL, "clean")].tv_no_cheese, abs=1e-6
        )


def test_profiles_sort_states_by_the_length_of_the_path_from_the_start(policy: MazePolicy, level: Maze) -> None:
    """Distances by a search of the free cells written here; each state's own distance to the no-cheese policy."""
    spec = spec_of(policy, conditions=("subtract",))
    _, sums = level_rows(policy, level, spec.keys(LEVEL), spec)
    profiles = [part for part in sums if isinstance(part, Profile)]
    steps, ring = {level.mouse: 0}, [level.mouse]
    while ring:
        x, y = ring.pop(0)
        for cell in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if cell in level.cells and cell not in steps:
                steps[cell] = steps[x, y] + 1
                ring.append(cell)
    evaluator = LevelEvaluator(policy, level)
    tv = chain.total_variation(evaluator.clean.probabilities, evaluator.no_cheese.probabilities)
    expected: dict[int, list[float]] = {}
    for state, distance in zip(level.states, tv, strict=True):
        if state.cell != level.cheese:
            first = max(d for d in DISTANCES if d <= steps[state.cell])
            expected.setdefault(first, []).append(float(distance))
    assert len(expected) > 3  # a path long enough to tell the order of the states
    for first, parts in expected.items():
        mine = [p for p in profiles if p.distance == first]
        assert sum(p.states for p in mine) == len(parts)
        assert sum(p.tv_clean for p in mine) == pytest.approx(sum(parts), abs=1e-5)
    assert {p.distance for p in profiles} == set(expected)


def test_nearness_sorts_states_by_the_cells_between_mouse_and_cheese(policy: MazePolicy, level: Maze) -> None:
    """By the definition, state by state; walls do not count, and the cheese's own cell is left out."""
    spec = spec_of(policy, conditions=("subtract",))
    _, sums = level_rows(policy, level, spec.keys(LEVEL), spec)
    evaluator, field = (
        LevelEvaluator(policy, level),
        level_intervention(policy, level, Key(LEVEL, "subtract", SITE, 1.0), spec.source, spec.seed),
    )
    edited = evaluator.fields([field])[0]
    assert level.cheese is not None
    expected: dict[int, np.ndarray] = {}
    for i, state in enumerate(level.states):
        away = max(abs(state.cell[0] - level.cheese[0]), abs(state.cell[1] - level.cheese[1]))
        if away:
            both = [
                0.5 * np.abs(part.probabilities[i] - evaluator.no_cheese.probabilities[i]).sum()
                for part in (edited, evaluator.clean)
            ]
            first = max(cells for cells in CELLS if cells <= away)
            expected[first] = expected.get(first, np.zeros(3)) + np.array([1, *both])
    found = {part.cells: part for part in sums if isinstance(part, Nearness)}
    assert set(found) == set(expected) and len(expected) > 2
    for first, values in expected.items():
        part = found[first]
        assert (part.states, part.tv_subtract, part.tv_clean) == pytest.approx(tuple(values), abs=1e-5)


def test_position_curves_pool_sums_and_split_them_by_the_receptive_field() -> None:
    """Two bins at distance 1 (inside, outside), one at 3: sums of states, TV, clean TV, interaction, difference."""
    bins = {(1, 0): [10, 1.0, 4.0, 2.0, 4.0], (1, 1): [30, 0.0, 4.0, 0.0, 12.0], (3, 0): [5, 3.0, 2.0, 8.0, 4.0]}
    halves = np.array([[0.25], [0.75], [0.0]])  # of each sum in the first maze, in the second; the third has none
    parts = {where: halves * sums for where, sums in bins.items()}
    weights = counts(resamples(3, np.random.default_rng(0)))
    near, far = position_curve(parts, weights)
    split = receptive_field_split(parts, weights)
    assert (near.distance, near.states, near.blindness, near.interaction) == (1, 40, 1 - 1 / 8, 2 / 16)
    assert near.mazes == 2 and near.blindness_low == near.blindness_high == near.blindness  # as in each

    def values(part: PooledProfile) -> tuple[Any, ...]:
        return part.states, part.blindness, part.interaction

    assert values(near.inside) == (10, 0.75, 0.5) and values(near.outside) == (30, 1.0, 0.0)
    assert (far.distance, far.blindness, far.outside.states) == (3, -0.5, 0)
    inside, outside = split.inside, split.outside
    assert values(inside) == (15, 1 - 4 / 6, 10 / 8) and outside == near.outside


def test_position_curves_have_the_intervals_of_the_mazes_they_pool() -> None:
    """Those of :func:`steering.statistics.bootstrap.blindness_interval` and ``ratio_interval`` on the mazes' sums."""
    rng = np.random.default_rng(3)
    parts = {at: rng.gamma(1.0, size=(24, 5)) for at in ((1, 0), (1, 1), (6, 0))}
    weights = counts(resamples(24, rng))
    near = position_curve(parts, weights)[0]
    _, tv, tv_clean, rest, difference = (parts[1, 0] + parts[1, 1]).T
    assert (near.blindness_low, near.blindness_high) == blindness_interval(tv, tv_clean, weights)
    assert (near.interaction_low, near.interaction_high) == ratio_interval(rest, difference, weights)
    assert near.blindness_low < near.blindness < near.blindness_high


def test_interaction_is_the_definition(policy: MazePolicy, level: Maze) -> None:
    """|f(m,c) - f(m,0) - f(m0,c) + f(m0,0)| / |f(m,c) - f(m,0)|, state by state, without batches or chunks."""
    spec = spec_of(policy, conditions=("subtract",))
    _, sums = level_rows(policy, level, spec.keys(LEVEL), spec)
    profiles = [part for part in sums if isinstance(part, Profile)]

    def f(world: Maze, index: int) -> torch.Tensor:
        frame = to_input(world.observations([world.states[index]]))
        return HookedPolicy(policy.net).run(frame, capture=[SITE])[2][SITE][0].double()

    start, empty = level.state_index(level.mouse, level.facing), level.without_cheese()
    top = bottom = 0.0
    for i, state in enumerate(level.states):
        if state.cell != level.cheese:
            change = f(level, i) - f(empty, i)
            top += float((change - f(level, start) + f(empty, start)).norm())
            bottom += float(change.norm())
    assert sum(p.interaction for p in profiles) == pytest.approx(top, rel=1e-3)
    assert sum(p.difference for p in profiles) == pytest.approx(bottom, rel=1e-3)


def test_outside_the_receptive_field_nothing_is_left_over(policy: MazePolicy) -> None:
    """The interaction is rounding error at additive sites; a field that sees all has no outside."""
    maze = Maze.from_level(2)
    for site in ("embedder.block1.conv", "embedder.block1.maxpool"):
        spec = spec_of(policy, levels=(2,), sites=(site,), conditions=("subtract",))
        _, sums = level_rows(policy, maze, spec.keys(2), spec)
        far = [p for p in sums if isinstance(p, Profile) and p.outside]
        assert sum(p.states for p in far) > 20
        assert sum(p.interaction for p in far) < 1e-4 * sum(p.difference for p in far)
        assert all(p.tv_subtract < 1e-4 for p in far)
    spec = spec_of(policy, levels=(2,), sites=("embedder.block1.conv",), conditions=("subtract",), vector="mean")
    _, sums = level_rows(policy, maze, spec.keys(2), spec)
    assert not any(p.outside for p in sums if isinstance(p, Profile))  # a mean is of all places
    assert not outside_field(maze, None, maze.mouse).any() and not outside_field(maze, 77, maze.mouse).any()
    wide, narrow = (outside_field(maze, field, maze.mouse) for field in (21, 5))
    assert narrow.sum() > wide.sum() and (narrow | ~wide).all()


def test_units_hold_every_key_once_and_run_to_rows(policy: MazePolicy) -> None:
    spec = spec_of(policy, conditions=("subtract", "random", SAME_CELL), episodes=1)
    keys = spec.keys(LEVEL)
    units = split(LEVEL, keys, [Key(LEVEL, "clean")])
    together = [key for unit in units for key in unit.keys]
    assert len(units) == 3 and sorted(together) == sorted(keys)
    assert [len(unit.recordings) for unit in units] == [1, 0, 0]
    assert split(LEVEL, []) == [] and [u.keys for u in split(LEVEL, [], [Key(LEVEL, "clean")])] == [()]
    results = [run_unit(policy, unit, spec) for unit in units]
    assert {row.key for result in results for row in result.rows} == set(keys)
    assert [len(result.files) for result in results] == [1, 0, 0]
    assert [bool(result.sums) for result in results] == [True, False, False]


def test_vectors_of_no_size_change_nothing(policy: MazePolicy, level: Maze) -> None:
    """Coefficient 0 is the clean policy under every condition."""
    spec = spec_of(policy, conditions=("subtract", "random", OTHER_LEVEL, SAME_CELL, ALL_SITES), coefficients=(0.0,))
    evaluator = LevelEvaluator(policy, level)
    for key in spec.keys(LEVEL)[2:]:
        field = evaluator.fields([level_intervention(policy, level, key, spec.source, spec.seed)])[0]
        assert chain.total_variation(field.probabilities, evaluator.clean.probabilities).max() < 1e-6
    assert np.isfinite(evaluator.clean.probabilities).all()


def test_batches_hold_every_unit_once_and_what_is_the_same_of_levels_that_stand_together(policy: MazePolicy) -> None:
    spec = spec_of(policy, levels=(54, 26, 208, 2, 100), conditions=("subtract", "random"))
    units = [unit for level in spec.levels for unit in split(level, spec.keys(level))]
    batches = batched(units, spec.levels, 2)
    assert sorted(map(str, itertools.chain(*batches))) == sorted(map(str, units))
    assert [[unit.level for unit in batch] for batch in batches] == [[54, 26]] * 2 + [[208, 2]] * 2 + [[100]] * 2
    for batch in batches:
        assert len({tuple(key[1:] for key in unit.keys) for unit in batch}) == 1
    assert str(batches[1]) == f"level 54 (random at {SITE}) and 1 level beside it"
    assert batched(units, spec.levels, 1) == [Batch([unit]) for unit in units]
    later = batched(units[3:], spec.levels, 2)  # a sweep that is gone on with: the levels stay together that were
    assert later == [Batch(batches[1][1:]), *batches[2:]]


def test_a_sweep_ended_within_a_batch_goes_on_to_the_numbers_of_units_alone(policy: MazePolicy, tmp_path: Path) -> None:
    spec = spec_of(policy, levels=(26, 54, 208), conditions=("subtract", "random"), draws=1, episodes=1)
    seen: list[Result] = []

    def execute(units: Sequence[Unit]) -> Iterator[Result]:
        for batch in batched(units, spec.levels, 3):
            yield from run_batch(policy, batch, spec)

    def note(result: Result) -> None:
        seen.append(result)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with Store.open(tmp_path) as store:
        store.add_levels([(level, True, "", {}) for level in spec.levels])
        with pytest.raises(KeyboardInterrupt):
            run_sweep(spec, tmp_path, store, execute, seen=note)
        left = remaining(spec, store, tmp_path / "rollouts")
        assert len(left) == 4 and run_sweep(spec, tmp_path, store, execute, seen=note) == 4
        assert remaining(spec, store, tmp_path / "rollouts") == []
    assert len({result.unit for result in seen}) == len(seen) == 6
    for result in seen:
        alone = run_unit(policy, result.unit, spec)
        told, expected = ([(row.key, row.computed_at, row.source) for row in each.rows] for each in (result, alone))
        assert told == expected
        assert [name for name, _ in result.files] == [name for name, _ in alone.files]
        found, expected = (
            [vars(each) for each in (*(row.outcome for row in unit.rows), *unit.sums)] for unit in (result, alone)
        )
        assert found == [pytest.approx(each, abs=1e-3, nan_ok=True) for each in expected]
