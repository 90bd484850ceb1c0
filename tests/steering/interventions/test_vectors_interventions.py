"""Vectors and specs: definitions, controls, round trips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.networks.policy import MazePolicy, to_input
from envs.errors import InputError
from envs.maze import Maze, State
from steering.interventions.edit_kinds import AddVector
from steering.interventions.edits import Intervention, add, subtract
from steering.interventions.hooks import HookedPolicy
from steering.interventions.vectors import SteeringVector, cheese_vector, cheese_vectors, provenance, random_vector

SITE = "embedder.block2.res1.resadd"


def test_cheese_vector_is_the_difference_of_two_frames(policy: MazePolicy, maze: Maze) -> None:
    start = State(maze.mouse, maze.facing)
    seen = [
        HookedPolicy(policy.net).run(to_input(world.observations([start])), capture=[SITE])[2][SITE][0]
        for world in (maze, maze.without_cheese())
    ]
    vector = cheese_vector(policy, maze, SITE)
    assert torch.allclose(vector.tensor, seen[0] - seen[1], atol=1e-5)
    assert vector.norm > 0 and json.loads(vector.provenance)["level"] == maze.level


def test_at_the_input_it_is_the_picture_of_the_cheese(policy: MazePolicy, maze: Maze) -> None:
    vector = cheese_vector(policy, maze, "input").tensor.abs().sum(0).numpy()
    rows, columns = np.nonzero(vector)
    tile = 64 / maze.state.world_dim
    assert maze.cheese is not None
    x, y = (c + maze.state.margin for c in maze.cheese)
    assert columns.min() >= np.floor(x * tile) - 1 and columns.max() <= np.ceil((x + 1) * tile)
    assert rows.min() >= np.floor(64 - (y + 1) * tile) - 1 and rows.max() <= np.ceil(64 - y * tile)


def test_taken_elsewhere_it_says_where(policy: MazePolicy, maze: Maze) -> None:
    cell = maze.path(maze.mouse, maze.corner)[3]
    facts = json.loads(cheese_vector(policy, maze, SITE, cell).provenance)
    assert facts["cell"] == list(cell)


def test_a_level_without_cheese_has_no_cheese_vector(policy: MazePolicy, maze: Maze) -> None:
    with pytest.raises(InputError, match="no cheese"):
        cheese_vector(policy, maze.without_cheese(), SITE)


def test_random_vector_matches_the_norm_and_only_the_norm(policy: MazePolicy, maze: Maze) -> None:
    vector = cheese_vector(policy, maze, SITE)
    one, same, other = (random_vector(vector, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one.norm == pytest.approx(vector.norm, rel=1e-5)
    assert one == same and one.digest != other.digest
    size = vector.tensor.numel()
    cosine = float((one.tensor * vector.tensor).sum()) / vector.norm**2
    assert abs(cosine) < 5 / np.sqrt(size)  # five standard deviations of a random direction


def test_safetensors_round_trip(policy: MazePolicy, maze: Maze, tmp_path: Path) -> None:
    vector = cheese_vector(policy, maze, SITE)
    vector.save(tmp_path / "v.safetensors")
    loaded = SteeringVector.load(tmp_path / "v.safetensors")
    assert loaded == vector and hash(loaded) == hash(vector) and torch.equal(loaded.tensor, vector.tensor)


def test_foreign_vector_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    for content in (b"", b"garbage" * 10):
        path.write_bytes(content)
        with pytest.raises(InputError, match="steering vector"):
            SteeringVector.load(path)
    with pytest.raises(InputError):
        SteeringVector.load(tmp_path / "missing.safetensors")


VALUES = st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=3)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(VALUES, VALUES, st.floats(-10, 10))
def test_vectors_are_added_and_multiplied_as_their_numbers_are(a: list[float], b: list[float], times: float) -> None:
    v, w = SteeringVector(SITE, a), SteeringVector(SITE, np.array(b))
    for found, expected in (
        (v + w, np.add(a, b)),
        (v - w, np.subtract(a, b)),
        (-v, np.negative(a)),
        (times * v, np.multiply(times, a)),
        (np.float64(times) * v, np.multiply(times, a)),
    ):
        np.testing.assert_allclose(found.tensor.numpy(), expected, rtol=1e-6, atol=1e-6)
        assert found.site == SITE and {part["kind"] for part in json.loads(found.provenance)["of"]} == {"given"}
    assert (v * times).digest == (times * v).digest and v.norm == pytest.approx(np.linalg.norm(a), rel=1e-6)


def test_a_multiple_of_a_vector_is_that_multiple_subtracted(random_policy: MazePolicy, small_maze: Maze) -> None:
    vector = cheese_vector(random_policy, small_maze, SITE)
    x = to_input(small_maze.observations()[:4])
    runs = [
        HookedPolicy(random_policy.net).run(x, edit.by_site())[0]
        for edit in (subtract(2 * vector), subtract(vector, 2), add(-vector) + add(vector - 2 * vector))
    ]
    assert all(torch.allclose(run, runs[0], atol=1e-5) for run in runs)


def test_vectors_of_two_sites_are_not_added() -> None:
    with pytest.raises(InputError, match="one is of input, one of fc_policy; take both at one site"):
        SteeringVector("input", [1.0]) + SteeringVector("fc_policy", [1.0])


def test_a_vector_keeps_its_own_numbers_and_a_path_may_be_text(tmp_path: Path) -> None:
    numbers = np.ones(3, dtype=np.float32)
    vector = SteeringVector(SITE, numbers)
    numbers[0] = 5.0
    vector.save(str(tmp_path / "v.safetensors"))
    again = SteeringVector.load(str(tmp_path / "v.safetensors"))
    assert again == vector and again.tensor.tolist() == [1.0, 1.0, 1.0]


def test_non_finite_vectors_and_coefficients_are_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        SteeringVector("input", torch.tensor([float("nan")]), provenance(kind="test"))
    vector = SteeringVector("input", torch.ones(1), provenance(kind="test"))
    with pytest.raises(InputError, match="finite"):
        AddVector(vector, float("inf"))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["input", SITE, "fc_policy"]),
            st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=4),
            st.floats(-10, 10),
        ),
        max_size=4,
    )
)
def test_json_round_trip(parts: list[tuple[str, list[float], float]]) -> None:
    edits = tuple(
        AddVector(SteeringVector(site, torch.tensor(values), provenance(kind="test", n=len(values))), c)
        for site, values, c in parts
    )
    spec = Intervention(edits)
    vectors = {edit.vector.digest: edit.vector for edit in edits}
    same_digest_elsewhere = len(vectors) < len({(e.vector.site, e.vector.digest) for e in edits})
    if same_digest_elsewhere:
        return  # one file of vectors cannot hold equal tensors of two sites under one digest
    assert Intervention.from_json(json.loads(json.dumps(spec.to_json())), vectors) == spec
    assert hash(spec) == hash(Intervention(edits))


def test_from_json_says_what_is_missing() -> None:
    vector = SteeringVector("input", torch.ones(2), provenance(kind="test"))
    data = add(vector).to_json()
    with pytest.raises(InputError, match="no vector"):
        Intervention.from_json(data, {})
    data["edits"][0]["kind"] = "polish"
    with pytest.raises(InputError, match="polish"):
        Intervention.from_json(data, {vector.digest: vector})


def test_several_sites_share_one_pass(policy: MazePolicy, maze: Maze) -> None:
    together = cheese_vectors(policy, maze, ["input", SITE])
    assert together[SITE] == cheese_vector(policy, maze, SITE)
    assert subtract(together["input"]).sites == ("input",)
