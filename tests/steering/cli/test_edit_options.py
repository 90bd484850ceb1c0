"""Vectors and edits from the command line: what is typed is what Python computes, and what is of no use is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from agents.checkpoints.cards import checkpoint_file
from agents.networks.policy import MazePolicy
from envs.maze import Maze
from envs.trajectory import Trajectory
from steering.experiments.exact import evaluate
from steering.interventions.edits import ablate, add, subtract
from steering.interventions.vectors import SteeringVector, cheese_vector, provenance, top_right_vectors
from tests.helpers.command import mazesteer
from videos.rollout_film import title_of

SITE = "embedder.block2.res1.resadd"
LEVEL = ("--level", "26")


@pytest.fixture(scope="module")
def level() -> Maze:
    """A small level."""
    return Maze.from_level(26)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cheese vector of the level, as `mazesteer vector` writes it."""
    path = tmp_path_factory.mktemp("vectors") / "cheese.safetensors"
    done = mazesteer("vector", *LEVEL, "--site", "block2.res1.resadd", "--out", path, "--json")
    assert done.returncode == 0, done.stderr
    vector, said = SteeringVector.load(path), json.loads(done.stdout)
    assert (said["digest"], said["norm"], said["shape"]) == (vector.digest, vector.norm, [32, 16, 16])
    assert said["origin"] == json.loads(vector.provenance)
    return path


def outcome(*args: str | Path) -> dict[str, object]:
    """What `outcome --json` prints."""
    done = mazesteer("outcome", *LEVEL, *args, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_vector_of_a_file_is_the_levels_own(policy: MazePolicy, level: Maze, file: Path) -> None:
    assert SteeringVector.load(file) == cheese_vector(policy, level, SITE)
    for condition in ("subtract", "random"):
        typed = outcome("--condition", condition, "--site", SITE, "--coefficient", "0.5")
        assert outcome("--condition", condition, "--vector", file, "--coefficient", "0.5") == typed


def test_edits_are_what_python_computes_in_their_order(policy: MazePolicy, level: Maze) -> None:
    found = outcome("--edit", "subtract,coefficient=2", "--edit", "ablate,site=fc,channels=1", "--site", SITE)
    made = subtract(cheese_vector(policy, level, SITE), 2) + ablate("embedder.fc", (1,))
    assert found["condition"] == "edit" and found["edits"] == made.to_json()["edits"]
    assert found["outcome"] == evaluate(policy, level, made).to_json()
    corner = add(top_right_vectors(policy, level, [SITE])[SITE], 3)
    twice = outcome("--edit", f"add,vector=top-right,site={SITE},coefficient=1.5", "--coefficient", "2")
    assert twice["edits"] == corner.to_json()["edits"]


def test_a_vector_is_taken_from_mazes_of_ones_own(tmp_path: Path) -> None:
    for name, wall in (("a", "#"), ("b", ".")):
        (tmp_path / name).write_text(f"..C\n.{wall}.\nM..\n")
    one = ["vector", "--site", "input", "--kind"]
    for args in (["difference", "--maze", "a", "--maze", "b"], ["wall", "--wall", "1,1", "--maze", "b"]):
        done = mazesteer(*one, *args, "--out", f"{args[0]}.safetensors", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    apart, wall = (SteeringVector.load(tmp_path / f"{kind}.safetensors") for kind in ("difference", "wall"))
    assert apart.digest == wall.digest and apart.norm > 0
    done = mazesteer("outcome", "--maze", "a", "--vector", "wall.safetensors", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["edits"][0]["vector"] == wall.digest


def test_a_film_and_a_field_are_made_with_edits(file: Path, tmp_path: Path) -> None:
    film = ["--edit", f"add,vector={file}", "--edit", "ablate,site=fc,channels=3", "--horizon", "2", "--size", "64"]
    done = mazesteer("video", *LEVEL, *film, "--record", tmp_path, "--out", tmp_path / "x.gif")
    assert done.returncode == 0, done.stderr
    track = Trajectory.load(tmp_path / "level00026_edit.npz")
    assert title_of(track) == "edit: add x1 at block2.res1.resadd, ablate at fc"
    assert (tmp_path / "level00026_clean.npz").exists() and (tmp_path / "x.gif").exists()
    done = mazesteer("field", *LEVEL, "--vector", file, "--coefficient", "2", "--out", tmp_path / "x.html")
    assert done.returncode == 0 and "-2 x cheese @ embedder.block2.res1.resadd" in (tmp_path / "x.html").read_text()


def test_what_no_condition_makes_use_of_is_refused_in_one_line(file: Path, tmp_path: Path) -> None:
    out = ["--out", tmp_path / "x.png"]
    vector = ["vector", *LEVEL, "--out", tmp_path / "v.safetensors"]
    for args, says in [
        (
            ["outcome", "--condition", "clean", "--vector", file],
            "of no use to clean; it goes with subtract, add, random",
        ),
        (["outcome", "--condition", "subtract", "--edit", "ablate,site=fc"], "--edit is the condition 'edit'"),
        (["outcome", "--condition", "edit"], "add --edit"),
        (["outcome", "--vector", file, "--site", "fc"], "leave out --site"),
        (["outcome", "--vector", tmp_path / "gone"], "cannot be read"),
        (["outcome", "corner", "--vector", file], "or add --foreign-vectors"),
        (["outcome", "--edit", "subtract,site=block9"], "no site 'block9'"),
        ([*vector, "--maze", file], "give --level or --maze, not both"),
        (["video", "--conditions", "clean,other_level", "--vector", file], "of no use to clean, other_level"),
        (["video", "--conditions", "clean", "--edit", "ablate"], "add it to the conditions"),
        (["video", "--conditions", ","], "no condition is named"),
        (["field", "--condition", "move", "--vector", file, *out], "of no use to move"),
        ([*vector, "--kind", "wall", "--wall", "3;4"], "write a cell X,Y"),
        ([*vector, "--kind", "wool"], "did you mean 'wall'"),
        ([*vector, "--level", "0:100000"], "taken from 1 maze(s), not from 100000"),
        ([*vector, "--level", ""], "write a range like 0:64"),
        ([*vector, "--mouse", "here"], "--mouse 'here': write start, mean or a cell X,Y"),
        ([*vector, "--out", tmp_path / "v.npz"], "end the name in .safetensors"),
    ]:
        done = mazesteer(*args, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and says in done.stderr, (args, done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_vector_is_not_replaced_by_one(file: Path, tmp_path: Path) -> None:
    """A checkpoint has the suffix of a vector."""
    weights = tmp_path / "agent.safetensors"
    weights.write_bytes(checkpoint_file("region5").read_bytes())
    before = weights.read_bytes()
    done = mazesteer("vector", weights, *LEVEL, "--mode", "hard", "--out", weights)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "is there already" in done.stderr
    assert weights.read_bytes() == before
    again = tmp_path / "cheese.safetensors"
    again.write_bytes(file.read_bytes())
    assert mazesteer("vector", *LEVEL, "--site", "fc", "--out", again).returncode == 0
    assert SteeringVector.load(again).site == "embedder.fc"


def test_an_edit_that_overflows_is_refused_in_one_line(policy: MazePolicy, tmp_path: Path) -> None:
    facts = provenance(kind="given", checkpoint=policy.sha256)
    SteeringVector(SITE, torch.full((32, 16, 16), 3e38), facts).save(tmp_path / "huge.safetensors")
    given = ["--vector", tmp_path / "huge.safetensors", "--coefficient", "1000000"]
    for args in (["outcome"], ["field", "--out", tmp_path / "x.png"], ["video", "--out", tmp_path / "x.gif"]):
        done = mazesteer(*args, *LEVEL, *given, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert "an activation overflowed; take a smaller vector or coefficient" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["huge.safetensors"]


def test_what_a_file_says_of_itself_cannot_write_to_the_terminal(policy: MazePolicy, tmp_path: Path) -> None:
    zeros = torch.zeros(32, 16, 16)
    for site, agent in (("\x1b[31m" + "x" * 9_000, policy.sha256), (SITE, "\x1b]0;mine\x07")):
        SteeringVector(site, zeros, provenance(kind="given", checkpoint=agent)).save(tmp_path / "v.safetensors")
        done = mazesteer("outcome", *LEVEL, "--vector", tmp_path / "v.safetensors")
        line, _, rest = done.stderr.partition("\n")
        assert done.returncode == 2 and not rest and line.isprintable() and len(line) < 1_000
        assert "\\x1b" in line
