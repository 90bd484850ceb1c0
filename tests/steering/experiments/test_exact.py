"""The invariants of exact evaluation, on the shipped policy and on a random network."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy, move_probabilities
from envs import chain
from envs.maze import Maze, State
from steering.experiments.exact import LevelEvaluator, evaluate, fields_together
from steering.experiments.outcome import Outcome
from steering.interventions.edit_kinds import Ablate, AtMouse
from steering.interventions.edits import Intervention, add, subtract
from steering.interventions.sites import enumerate_sites, find_site
from steering.interventions.vectors import cheese_vector, cheese_vectors

TRUNK = tuple(site.name for site in enumerate_sites(ImpalaPolicyNet(1)) if site.trunk)


@pytest.fixture(scope="module")
def levels(policy: MazePolicy, maze: Maze, small_maze: Maze) -> list[LevelEvaluator]:
    return [LevelEvaluator(policy, each) for each in (maze, small_maze, Maze.from_level(54, "easy"))]


@pytest.fixture(scope="module")
def steered(policy: MazePolicy, levels: list[LevelEvaluator]) -> list[dict[str, np.ndarray]]:
    """Move probabilities under subtraction at every trunk site, each site run for itself."""
    out = []
    for level in levels:
        vectors = cheese_vectors(policy, level.maze, TRUNK)
        fields = level.fields([subtract(vectors[name]) for name in TRUNK])
        out.append({name: field.probabilities for name, field in zip(TRUNK, fields, strict=True)})
    return out


def test_at_the_start_subtraction_is_removal_at_every_trunk_site(
    levels: list[LevelEvaluator], steered: list[dict[str, np.ndarray]]
) -> None:
    for level, fields in zip(levels, steered, strict=True):
        start = level.maze.state_index(level.maze.mouse, level.maze.facing)
        for name, p in fields.items():
            np.testing.assert_allclose(p[start], level.no_cheese.probabilities[start], atol=2e-4, err_msg=name)


def test_at_the_input_blindness_is_one_off_the_sprites(
    levels: list[LevelEvaluator], steered: list[dict[str, np.ndarray]]
) -> None:
    for level, fields in zip(levels, steered, strict=True):
        assert level.maze.cheese is not None
        cx, cy = level.maze.cheese
        far = np.array([abs(s.cell[0] - cx) > 1 or abs(s.cell[1] - cy) > 1 for s in level.maze.states])
        np.testing.assert_allclose(fields["input"][far], level.no_cheese.probabilities[far], atol=1e-4)


def test_affine_sites_equal_the_input(steered: list[dict[str, np.ndarray]]) -> None:
    for fields in steered:
        np.testing.assert_allclose(fields["embedder.block1.conv"], fields["input"], atol=1e-4)


def test_equivalent_sites_give_equal_policies_and_others_do_not(
    policy: MazePolicy, steered: list[dict[str, np.ndarray]]
) -> None:
    """Equal up to rounding; different by ten times that, and more than float32 could make of it, on some level."""
    classes = {site.name: site.equivalence_class for site in enumerate_sites(policy.net)}

    def furthest(one: str, other: str) -> float:
        return max(float(np.abs(fields[one] - fields[other]).max()) for fields in steered)

    rounding = max(furthest(name, classes[name]) for name in TRUNK)
    assert rounding < 1e-4
    # Logits are of order 10 and sums of hundreds of float32 terms: some hundred units in the last place of 1.
    floor = max(10 * rounding, 100 * float(np.finfo(np.float32).eps))
    firsts = [name for name in TRUNK if classes[name] == name]
    for one, other in itertools.combinations(firsts, 2):
        assert furthest(one, other) > floor, (one, other)


def test_coefficient_zero_is_clean(policy: MazePolicy, levels: list[LevelEvaluator]) -> None:
    level = levels[1]
    for name in ("input", "embedder.block2.res1.resadd", "fc_policy"):
        vector = cheese_vector(policy, level.maze, name)
        (field,) = level.fields([subtract(vector, 0.0)])
        assert np.array_equal(field.probabilities, level.clean.probabilities)
        assert level.outcome_of(field) == level.clean_outcome()


def test_hooks_and_partial_re_execution_agree(random_policy: MazePolicy, small_maze: Maze) -> None:
    fast = LevelEvaluator(random_policy, small_maze)
    slow = LevelEvaluator(random_policy, small_maze, hooks_only=True)
    edits = [Intervention(), *(add(cheese_vector(random_policy, small_maze, name), 3.0) for name in TRUNK[::3])]
    for a, b in zip(fast.fields(edits), slow.fields(edits), strict=True):
        assert np.array_equal(a.probabilities, b.probabilities) and np.array_equal(a.values, b.values)


def test_field_rows_are_what_the_network_says_of_single_frames(policy: MazePolicy, small_maze: Maze) -> None:
    level = LevelEvaluator(policy, small_maze)
    for index in (0, 7, len(small_maze.states) - 1):
        p = policy.move_probabilities(small_maze.observations([small_maze.states[index]]))
        np.testing.assert_allclose(level.clean.probabilities[index], p[0], atol=1e-5)


def test_outcome_of_the_no_cheese_level(levels: list[LevelEvaluator]) -> None:
    for level in levels:
        outcome = level.no_cheese_outcome()
        assert outcome.p_cheese == 0.0 and outcome.tv_no_cheese == 0.0
        assert outcome.expected_steps == pytest.approx(256)
        bare = evaluate(level.policy, level.maze.without_cheese())
        assert (bare.p_corner, bare.p_region, bare.p_cheese) == (outcome.p_corner, outcome.p_region, 0.0)
        assert np.isnan(bare.p_cheese_decision) and bare.to_json()["p_cheese_decision"] is None


def test_outcome_agrees_with_the_chain_by_hand(levels: list[LevelEvaluator]) -> None:
    level = levels[0]
    outcome = level.clean_outcome()
    p, maze = level.clean.probabilities, level.maze
    stats = chain.statistics(maze, p, 256)
    assert outcome.p_cheese == stats.p_cheese == outcome.p_cheese_cell
    assert outcome.tv_clean == 0.0 and outcome.tv_clean_occupancy == 0.0
    off = [i for i, s in enumerate(maze.states) if s.cell != maze.cheese]
    tv = 0.5 * np.abs(p - level.no_cheese.probabilities).sum(1)
    assert outcome.tv_no_cheese == pytest.approx(tv[off].mean())
    parts = (outcome.p_cheese_decision, outcome.p_corner_decision, outcome.p_other_decision)
    assert sum(parts) == pytest.approx(1.0) and min(parts) >= 0.0
    square = maze.decision_square
    assert square is not None and maze.cheese is not None
    state = maze.arrival(square)
    first = maze.walk(maze.path(square, maze.cheese))[0][1]
    assert parts[0] == p[maze.state_index(*state), first]


def test_a_network_that_ignores_the_picture(small_maze: Maze) -> None:
    """Known answer: constant logits, so every edit before the last layer changes nothing."""
    net = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        net.fc_policy.weight.zero_()
        net.fc_policy.bias.copy_(torch.arange(15.0) / 5)
    policy = MazePolicy(net, "constant", "1" * 64)
    expected = move_probabilities(net.fc_policy.bias[None])[0].numpy()
    level = LevelEvaluator(policy, small_maze)
    vector = cheese_vector(policy, small_maze, "embedder.relufc")
    clean, edited = level.fields([Intervention(), subtract(vector, 100.0)])
    for field in (clean, edited, level.no_cheese):
        np.testing.assert_allclose(field.probabilities, np.tile(expected, (len(small_maze.states), 1)), atol=1e-6)
    assert level.outcome_of(edited).tv_no_cheese < 1e-6


def test_horizon_is_respected_and_checked(policy: MazePolicy, small_maze: Maze) -> None:
    short, long = (evaluate(policy, small_maze, horizon=h) for h in (3, 256))
    assert short.p_cheese <= long.p_cheese and short.expected_steps <= 3
    with pytest.raises(ValueError, match="horizon 0"):
        evaluate(policy, small_maze, horizon=0)


def test_value_at_the_start_is_the_value_head(policy: MazePolicy, small_maze: Maze) -> None:
    frame = small_maze.observations([State(small_maze.mouse, small_maze.facing)])
    value = float(policy.logits_and_values(frame)[1])
    assert evaluate(policy, small_maze).value_start == pytest.approx(value, abs=1e-4)


def test_outcome_is_plain_numbers(levels: list[LevelEvaluator]) -> None:
    values = levels[1].clean_outcome().to_json()
    assert set(values) == set(Outcome.__dataclass_fields__)
    assert all(value is None or isinstance(value, float) for value in values.values())


@pytest.mark.parametrize("hooks_only", [False, True])
def test_levels_in_shared_passes_have_the_policies_that_they_have_alone(
    policy: MazePolicy, hooks_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 62 and 14 states in passes of 50: the second holds states of both levels, each with an edit of its own."""
    monkeypatch.setattr("steering.experiments.exact.CHUNK", 50)
    mazes = [Maze.from_level(26), Maze.from_ascii("C..\n.##\nM..")]
    edits = [
        [subtract(cheese_vector(policy, maze, name), size) for name, size in (("input", 1.0), (TRUNK[-3], 1.5))]
        + [Intervention((AtMouse.of(Ablate(TRUNK[5]), find_site(policy.net, TRUNK[5]), maze),))]
        for maze in mazes
    ]
    one = LevelEvaluator(policy, mazes[0], hooks_only=hooks_only)
    shared = [one, one.world(mazes[1])]
    found = fields_together(shared, edits)
    for level, maze, own, fields in zip(shared, mazes, edits, found, strict=True):
        alone = LevelEvaluator(policy, maze, hooks_only=hooks_only)
        for field, expected in zip([*fields, level.clean], [*alone.fields(own), alone.clean], strict=True):
            assert len(field.probabilities) == len(maze.states)
            np.testing.assert_allclose(field.probabilities, expected.probabilities, atol=1e-5)
            np.testing.assert_allclose(field.values, expected.values, atol=1e-4)
        for field in fields[1:]:
            assert chain.total_variation(field.probabilities, level.clean.probabilities).max() > 0.01
    assert fields_together(shared, [[], []]) == [[], []]
