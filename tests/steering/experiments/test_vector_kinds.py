"""Vectors by kind: what each is, what its file says of its origin, and whom it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.levels import VectorSource
from steering.experiments.vector_kinds import VECTOR_KINDS, read_vector, take_vector
from steering.interventions.vectors import SteeringVector, activation, cheese_vector, mean_vector, top_right_vectors

SITE = "embedder.block2.res1.resadd"
MEAN = VectorSource("mean")


@pytest.fixture(scope="module")
def mazes() -> list[Maze]:
    """Two small levels."""
    return Maze.from_levels([26, 54])


def test_each_kind_is_what_python_gives_by_its_own_name(policy: MazePolicy, mazes: list[Maze]) -> None:
    one, other = mazes
    cheese = [cheese_vector(policy, maze, SITE) for maze in mazes]
    expected = {
        "cheese": cheese[0],
        "top-right": top_right_vectors(policy, one, [SITE])[SITE],
        "mean": mean_vector(cheese),
        "difference": activation(policy, one, SITE) - activation(policy, other, SITE),
        "activation": activation(policy, one, SITE),
    }
    assert set(expected) == set(VECTOR_KINDS) - {"wall"}
    for kind, vector in expected.items():
        found = take_vector(policy, mazes if kind in ("mean", "difference") else [one], SITE, kind)
        assert torch.equal(found.tensor, vector.tensor), kind
        assert found.agents == {policy.sha256} and found.kind == kind


def test_a_wall_vector_is_the_same_whether_the_wall_is_there_or_not(random_policy: MazePolicy) -> None:
    """At the input it is the picture of one cell; taken in the maze with the wall and in that without."""
    walled, free = (Maze.from_ascii(f"...\n.{cell}.\nM.C") for cell in "#.")
    one, other = (take_vector(random_policy, [maze], "input", "wall", wall=(1, 1)) for maze in (walled, free))
    assert torch.equal(one.tensor, other.tensor) and one.norm > 0
    rows, columns = np.nonzero(one.tensor.abs().sum(0).numpy())
    tile = 64 / walled.state.world_dim
    x, y = walled.outer([(1, 1)])[0]
    assert columns.min() >= np.floor(x * tile) - 1 and columns.max() <= np.ceil((x + 1) * tile)
    assert rows.min() >= np.floor(64 - (y + 1) * tile) - 1 and rows.max() <= np.ceil(64 - y * tile)
    assert json.loads(one.provenance)["wall"] == [1, 1]


def test_the_mouse_may_stand_elsewhere(policy: MazePolicy, mazes: list[Maze]) -> None:
    maze = mazes[0]
    cell = maze.path(maze.mouse, maze.corner)[3]
    there = take_vector(policy, [maze], SITE, mouse=VectorSource("cell", cell))
    assert torch.equal(there.tensor, cheese_vector(policy, maze, SITE, cell).tensor)
    assert json.loads(there.provenance)["cell"] == list(cell)
    assert json.loads(take_vector(policy, [maze], SITE, mouse=MEAN).provenance)["cell"] == "mean over all states"


def test_what_does_not_fit_a_kind_is_one_line(policy: MazePolicy, mazes: list[Maze]) -> None:
    one = mazes[:1]
    mouse = one[0].mouse
    for asked, says in [
        ({"mazes": one, "kind": "chese"}, "did you mean 'cheese'"),
        ({"mazes": mazes, "kind": "cheese"}, "taken from 1 maze.* not from 2; change --level"),
        ({"mazes": one, "kind": "difference"}, "taken from 2 maze"),
        ({"mazes": one, "kind": "top-right", "mouse": MEAN}, "taken with --mouse start$"),
        ({"mazes": one, "mouse": VectorSource("levels", count=2)}, "--mouse start or a cell X,Y or mean"),
        ({"mazes": one, "wall": (1, 1)}, "belongs to --kind wall"),
        ({"mazes": one, "kind": "wall"}, "add --wall X,Y"),
        ({"mazes": one, "kind": "wall", "wall": (24, 24)}, "not in this .* maze"),
        ({"mazes": one, "kind": "wall", "wall": mouse}, "the mouse"),
        ({"mazes": one, "kind": "wall", "wall": one[0].cheese}, "the cheese is there"),
        ({"mazes": one, "kind": "cheese", "site": "relu9"}, "no site 'relu9'"),
    ]:
        found = {"site": SITE, **asked}
        with pytest.raises(InputError, match=says) as caught:
            take_vector(policy, found.pop("mazes"), found.pop("site"), **found)
        assert "\n" not in str(caught.value)


def test_a_file_is_for_its_own_agent_unless_the_user_says_otherwise(
    policy: MazePolicy, random_policy: MazePolicy, mazes: list[Maze], tmp_path: Path
) -> None:
    path = tmp_path / "v.safetensors"
    for kind in ("cheese", "mean", "difference"):  # those made of others say the agent of their parts
        vector = take_vector(policy, mazes if kind != "cheese" else mazes[:1], SITE, kind)
        vector.save(path)
        assert read_vector(path, policy) == vector
        with pytest.raises(InputError, match="another agent .*or add --foreign-vectors"):
            read_vector(path, random_policy)
        assert read_vector(path, random_policy, foreign=True) == vector
    SteeringVector("relu3", np.ones((32, 8, 8))).save(path)  # of no agent: it is not taken for ours
    with pytest.raises(InputError, match="another agent .sha256 not said. than region5"):
        read_vector(path, policy)
    assert read_vector(path, policy, foreign=True).site == "embedder.relu3"


def test_a_vector_that_does_not_fit_is_refused_even_when_foreign_ones_are_taken(
    policy: MazePolicy, tmp_path: Path
) -> None:
    path = tmp_path / "v.safetensors"
    for site, says in ((SITE, "4 numbers at .* where region5 has 32x16x16"), ("conv9", "v.safetensors: no site")):
        SteeringVector(site, np.ones(4)).save(path)
        with pytest.raises(InputError, match=says):
            read_vector(path, policy, foreign=True)


def test_the_same_vector_gives_the_same_file_and_a_bad_origin_is_refused(
    policy: MazePolicy, mazes: list[Maze], tmp_path: Path
) -> None:
    for name in "ab":
        take_vector(policy, mazes[:1], SITE).save(tmp_path / name)
    whole = (tmp_path / "a").read_bytes()
    assert whole == (tmp_path / "b").read_bytes()
    for origin in ("[1]", "{", "[" * 5000, '{"kind": NaN'):
        (tmp_path / "c").write_bytes(_with_origin(whole, origin))
        with pytest.raises(InputError, match="c: not a steering vector file"):
            SteeringVector.load(tmp_path / "c")
    (tmp_path / "c").write_bytes(_with_origin(whole, '{"kind": "a\\nb", "of": [{"checkpoint": [1]}, 5], "like": 3}'))
    odd = SteeringVector.load(tmp_path / "c")
    assert "\n" not in odd.kind and odd.agents == frozenset()


def _with_origin(data: bytes, origin: str) -> bytes:
    """Return a file of a vector with another provenance."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["provenance"] = origin
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]
