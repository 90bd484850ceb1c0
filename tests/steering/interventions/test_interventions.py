"""Every kind of edit against a known answer, alone and composed, and its round trip through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agents.networks.policy import MazePolicy, to_input
from envs.errors import InputError
from envs.maze import Maze, State
from steering.experiments.exact import LevelEvaluator
from steering.interventions.edit_kinds import AtMouse
from steering.interventions.edits import (
    Ablate,
    AnyEdit,
    Clamp,
    Intervention,
    Patch,
    ablate,
    add,
    clamp,
    patch,
    subtract,
)
from steering.interventions.hooks import HookedPolicy
from steering.interventions.places import PatchPlace
from steering.interventions.vectors import (
    SteeringVector,
    activation,
    cheese_vector,
    cheese_vectors,
    mean_activation,
    mean_cheese_vectors,
    mean_vector,
    provenance,
    top_right_vectors,
)

SITE = "embedder.block2.res1.resadd"
NUMBERS = torch.arange(24.0).reshape(2, 3, 2, 2)  # two states of a site [3, 2, 2]


def vector(value: float, *shape: int, site: str = SITE) -> SteeringVector:
    return SteeringVector(site, torch.full(shape, value), provenance(kind="test"))


def seen(policy: MazePolicy, maze: Maze, states: list[State], site: str) -> Tensor:
    """Activations ``[n, *site]``, by hooks."""
    return HookedPolicy(policy.net).run(to_input(maze.observations(states)), capture=[site])[2][site]


def test_edits_do_what_they_say_and_leave_the_activation_alone() -> None:
    before = NUMBERS.clone()
    patched = Patch(vector(-1.0, 3, 2, 2), (0, 2))(NUMBERS)
    assert (patched[:, [0, 2]] == -1.0).all() and torch.equal(patched[:, 1], NUMBERS[:, 1])
    assert (Patch(vector(-1.0, 3, 2, 2))(NUMBERS) == -1.0).all()
    zeroed = Ablate(SITE, (1,))(NUMBERS)
    assert (zeroed[:, 1] == 0).all() and torch.equal(zeroed[:, [0, 2]], NUMBERS[:, [0, 2]])
    assert not Ablate(SITE)(NUMBERS).any()
    clamped = Clamp(SITE, (2, 1, 0), 5.5)(NUMBERS)
    assert (clamped[:, 2, 1, 0] == 5.5).all() and (clamped != NUMBERS).sum() == 2
    assert torch.equal(before, NUMBERS)
    flat = Clamp("fc", (3,), 9.0)(torch.zeros(2, 5))  # a site without rows and columns
    assert (flat[:, 3] == 9.0).all() and flat.sum() == 18.0


def test_composed_edits_apply_in_order() -> None:
    both = (clamp(SITE, (0, 0, 0), 5.0) + add(vector(1.0, 3, 2, 2))).by_site()[SITE](NUMBERS)
    other = (add(vector(1.0, 3, 2, 2)) + clamp(SITE, (0, 0, 0), 5.0)).by_site()[SITE](NUMBERS)
    assert (both[:, 0, 0, 0] == 6.0).all() and (other[:, 0, 0, 0] == 5.0).all()
    assert torch.equal(both[:, 1:], other[:, 1:])


def test_edits_of_one_site_under_two_names_are_both_made(policy: MazePolicy, small_maze: Maze) -> None:
    """A vector knows the full name of its site, a typed one may be short; both engines."""
    steer, short = cheese_vector(policy, small_maze, SITE), SITE.removeprefix("embedder.")
    for hooks_only in (False, True):
        evaluator = LevelEvaluator(policy, small_maze, hooks_only=hooks_only)
        edits = [subtract(steer, 5.0) + ablate(name, (3,)) for name in (short, SITE)]
        one, other, alone = evaluator.fields([*edits, ablate(short, (3,))])
        assert np.array_equal(one.probabilities, other.probabilities)
        assert not np.allclose(one.probabilities, alone.probabilities, atol=1e-3)


def test_edits_that_do_not_fit_are_refused(policy: MazePolicy, small_maze: Maze) -> None:
    evaluator = LevelEvaluator(policy, small_maze)
    with pytest.raises(InputError, match="has 32, 0 to 31"):
        evaluator.fields([ablate(SITE, (32,))])
    with pytest.raises(InputError, match="not inside the site's shape"):
        evaluator.fields([clamp(SITE, (0, 0), 1.0)])
    with pytest.raises(InputError, match="the vector has 3, 0 to 2"):
        patch(vector(0.0, 3, 2, 2), (3,))
    for bad in ((), (1, 1), (-1,)):
        with pytest.raises(InputError, match="each once, from 0 up"):
            ablate(SITE, bad)
    for index, value in (((), 1.0), ((-1,), 1.0), ((1,), float("nan"))):
        with pytest.raises(InputError, match="clamp at"):
            clamp(SITE, index, value)


@pytest.mark.parametrize("shape", [(1,), (8,), (8, 8), (1, 1, 1), (32, 1, 1), (1, 32, 8, 8)])
def test_vectors_of_another_shape_are_not_broadcast(policy: MazePolicy, small_maze: Maze, shape: tuple[int]) -> None:
    vector = SteeringVector("embedder.block3.res1.resadd", torch.ones(shape), "{}")
    evaluator = LevelEvaluator(policy, small_maze)
    for intervention in (subtract(vector), patch(vector)):
        with pytest.raises(InputError, match="the vector has shape .*, the site"):
            evaluator.fields([intervention])


def test_patching_a_trunk_site_with_its_own_activation_makes_the_policy_blind_to_position(
    policy: MazePolicy, small_maze: Maze
) -> None:
    """Every state then moves as the start does: the trunk carries everything the policy knows."""
    evaluator = LevelEvaluator(policy, small_maze)
    p = evaluator.fields([patch(activation(policy, small_maze, SITE))])[0].probabilities
    start = evaluator.clean.probabilities[small_maze.state_index(small_maze.mouse, small_maze.facing)]
    np.testing.assert_allclose(p, np.tile(start, (len(p), 1)), atol=1e-5)


def test_patching_all_channels_is_patching_the_site_and_zeroing_is_patching_with_zero(
    policy: MazePolicy, small_maze: Maze, maze: Maze
) -> None:
    donor = activation(policy, maze, SITE)
    zero = SteeringVector(SITE, torch.zeros_like(donor.tensor), provenance(kind="zero"))
    pairs = [(patch(donor), patch(donor, tuple(range(32)))), (ablate(SITE), patch(zero))]
    pairs += [(ablate(SITE, (3, 5)), patch(zero, (3, 5)))]
    fields = LevelEvaluator(policy, small_maze).fields([edit for pair in pairs for edit in pair])
    for one, other in zip(fields[::2], fields[1::2], strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)


def test_means_are_means(policy: MazePolicy, small_maze: Maze) -> None:
    states = list(small_maze.states)
    whole = seen(policy, small_maze, states, SITE)
    torch.testing.assert_close(mean_activation(policy, small_maze, SITE).tensor, whole.mean(0), rtol=1e-4, atol=1e-5)
    off = [s for s in states if s.cell != small_maze.cheese]
    difference = seen(policy, small_maze, off, SITE) - seen(policy, small_maze.without_cheese(), off, SITE)
    found = mean_cheese_vectors(policy, small_maze, [SITE])[SITE]
    torch.testing.assert_close(found.tensor, difference.mean(0), rtol=1e-4, atol=1e-5)
    assert "mean over all states" in found.provenance
    two = mean_vector([vector(1.0, 2), vector(4.0, 2)])
    assert two.tensor.tolist() == [2.5, 2.5]
    with pytest.raises(InputError, match="all at one site"):
        mean_vector([vector(1.0, 2), vector(1.0, 2, site="input")])
    with pytest.raises(InputError, match="no cheese"):
        mean_cheese_vectors(policy, small_maze.without_cheese(), [SITE])


def test_the_top_right_vector_is_the_picture_of_a_corridor(policy: MazePolicy, maze: Maze) -> None:
    """At the input it lies on the padding's tiles above and right of the maze's corner, and nowhere else."""
    carved = maze.with_corner_path()
    assert carved.connected(carved.mouse, carved.corner) and carved.dim == maze.state.world_dim
    found = top_right_vectors(policy, maze, ["input", SITE])
    rows, columns = np.nonzero(found["input"].tensor.abs().sum(0).numpy())
    tile = 64 / maze.state.world_dim
    corner = maze.state.margin + maze.dim - 1
    assert columns.min() >= np.floor(corner * tile) - 1 and columns.max() == 63
    assert rows.max() <= np.ceil(64 - (corner + 1) * tile) and rows.min() == 0
    start = State(maze.mouse, maze.facing)
    there = seen(policy, carved, [State(carved.mouse, carved.facing)], SITE)[0]
    torch.testing.assert_close(found[SITE].tensor, there - seen(policy, maze, [start], SITE)[0], rtol=1e-4, atol=1e-5)
    full = next(m for m in Maze.from_levels(range(60)) if m.dim == 25)
    with pytest.raises(InputError, match="fills the world"):
        full.with_corner_path()


def test_vectors_of_two_kinds_compose(policy: MazePolicy, maze: Maze) -> None:
    """Subtracting and adding at one site is adding the difference."""
    cheese, corner = (make(policy, maze, [SITE])[SITE] for make in (cheese_vectors, top_right_vectors))
    sum_of_both = SteeringVector(SITE, corner.tensor - cheese.tensor, provenance(kind="both"))
    one, other = LevelEvaluator(policy, maze).fields([subtract(cheese) + add(corner), add(sum_of_both)])
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    assert cheese == cheese_vector(policy, maze, SITE)


channels = st.none() | st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True).map(tuple)
sites = st.sampled_from(["input", SITE, "fc_policy"])
edits: st.SearchStrategy[AnyEdit] = st.one_of(
    st.builds(lambda c: Patch(vector(1.0, 3, 2, 2), c), channels),
    st.builds(Ablate, sites, channels),
    st.builds(Clamp, sites, st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple), st.floats(-9, 9, width=32)),
    st.builds(
        lambda blocks, start: PatchPlace(vector(1.0, 3, 2, 2), tuple(sorted(blocks)), (start, 4)),
        st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=4),
        st.floats(-4, 4),
    ),
    st.builds(lambda c: add(vector(2.0, 3, 2, 2), c).edits[0], st.floats(-9, 9)),
    st.builds(
        lambda c, edit: AtMouse(Patch(vector(1.0, 3, 2, 2), c) if edit else Ablate(SITE, c), (0, 7), (3, 4), 25, 4),
        channels,
        st.booleans(),
    ),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(edits, max_size=4).map(tuple))
def test_json_round_trip_of_every_kind(parts: tuple[AnyEdit, ...]) -> None:
    spec = Intervention(parts)
    assert Intervention.from_json(json.loads(json.dumps(spec.to_json())), spec.vectors) == spec
    assert hash(spec) == hash(Intervention(parts)) and spec.describe().count(";") == max(len(parts) - 1, 0)


def test_json_that_lacks_something_is_refused() -> None:
    known = vector(1.0, 3, 2, 2)
    whole = Intervention((PatchPlace(known, ((1, 2),), (0.0, 4)),)).to_json()["edits"][0]
    for name, wrong in (("blocks", [[1]]), ("units", []), ("units", None)):
        with pytest.raises(InputError, match="^intervention: patch_place has no usable"):
            Intervention.from_json({"edits": [{**whole, name: wrong}]}, {known.digest: known})
    for entry in ({"kind": "clamp", "site": "input"}, {"kind": "ablate", "site": "input"}, {"kind": "patch"}):
        with pytest.raises(InputError, match=f"^intervention: {entry['kind']} has no usable"):
            Intervention.from_json({"edits": [entry]}, {})
