"""What is taken away gives the numbers that were seen: the snippet and the command are run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.checkpoints.stated import Stated
from agents.checkpoints.zoo import load_stated
from agents.networks.policy import MazePolicy
from envs.actions import Move
from envs.maze import Maze
from steering.app.session.session import Session
from steering.app.session.state import read_state
from steering.app.session.updates import Update
from steering.experiments.exact import evaluate
from steering.interventions.vectors import SteeringVector, cheese_vector
from tests.helpers.command import mazesteer
from tests.helpers.sb3_zips import sb3_policy
from tests.helpers.workbench import SITE, STACK, fields_of, state_of

ROOM = "...\n.C.\nM..\n"
NAMELESS = "subtract,vector=cheese,coefficient=0.5"  # at the site chosen in the diagram


def views() -> list[dict[str, Any]]:
    """A level as it is, a maze of one's own with a level's look, and the level left alone."""
    maze = Maze.from_level(26)
    opened = Maze.from_ascii("look: 26\n" + maze.to_ascii().replace("#", ".", 1))
    own = state_of(opened, (*STACK, NAMELESS), look=26, horizon=60)
    own["maze"]["facing"] = "right"
    return [state_of(maze, STACK[:1]), own, state_of(maze)]


def answered(session: Session, what: str, state: dict[str, Any]) -> Update:
    """The one update that answers a question."""
    (found,) = session.ask({"type": "ask", "seq": 1, "what": what, "state": state})
    assert found.type == what, found.facts
    return found


@pytest.mark.parametrize("number", [0, 1, 2])
def test_snippet_and_command_give_what_is_shown(
    policy: MazePolicy, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leak_check: None
) -> None:
    monkeypatch.chdir(tmp_path)
    session, state = Session(policy), views()[number]
    seen = list(session.work(state))
    texts = answered(session, "taken", state).facts
    names: dict[str, Any] = {}
    exec(compile(texts["python"], "taken.py", "exec"), names)
    for panel, found in fields_of(seen, len(names["maze"].states)).items():
        np.testing.assert_allclose(found.probabilities, names[panel].probabilities, atol=1e-5)
        np.testing.assert_allclose(found.values, names[panel].values, atol=1e-4)
    drawing = re.match(r"cat > (\S+) <<'END'\n(.*?)END\n(.*)", texts["command"], re.DOTALL)
    if drawing is not None:
        Path(drawing[1]).write_text(drawing[2])
    assert (drawing is None) == (number != 1)
    outcome, field = (texts["command"] if drawing is None else drawing[3]).splitlines()
    printed = json.loads(mazesteer(*shlex.split(outcome)[1:], "--json", "--field").stdout)
    table = np.array([[row["probabilities"][move.label] for move in Move] for row in printed["field"]])
    steered = fields_of(seen, len(table))["steered"]
    np.testing.assert_allclose(steered.probabilities, table, atol=1e-5)
    told = next(u.facts["outcome"] for u in seen if u.type == "outcome" and u.facts["panel"] == "steered")
    assert told == {name: pytest.approx(printed["outcome"][name], abs=1e-4) for name in told}
    assert mazesteer(*shlex.split(field)[1:]).returncode == 0
    assert "cheese removed" in Path("field.svg").read_text()


def test_the_record_reads_back_as_the_same_view(policy: MazePolicy) -> None:
    state = views()[1]
    session = Session(policy, checkpoint="mine.safetensors")
    found = json.loads(answered(session, "taken", state).facts["json"])
    assert found["agent"] == {"checkpoint": "mine.safetensors", "name": "region5", "sha256": policy.sha256}
    assert read_state(found["state"]) == read_state(state)
    vector = SteeringVector(SITE, cheese_vector(policy, read_state(state).maze.made(), SITE).tensor)
    entry = found["intervention"]["edits"][0]
    assert (entry["vector"], entry["coefficient"]) == (vector.digest, -1.5)
    assert len(found["intervention"]["edits"]) == 4


def test_the_vector_file_is_that_of_the_first_edit_that_has_one(policy: MazePolicy, tmp_path: Path) -> None:
    maze, session = Maze.from_level(26), Session(policy, start=tmp_path)
    (tmp_path / "other.txt").write_text("no vector")
    found = answered(session, "vector", state_of(maze, STACK))
    (tmp_path / found.facts["name"]).write_bytes(found.arrays["bytes"].tobytes())
    assert SteeringVector.load(tmp_path / found.facts["name"]) == cheese_vector(policy, maze, SITE)
    assert session.hello().facts["vectors"] == [found.facts["name"]]
    again = f"subtract,vector={found.facts['name']},coefficient=1.5"
    one, other = (fields_of(session.work(state_of(maze, [text])), len(maze.states)) for text in (STACK[0], again))
    np.testing.assert_allclose(one["steered"].probabilities, other["steered"].probabilities, atol=1e-6)
    (refused,) = session.ask({"what": "vector", "state": state_of(maze, STACK[1:])})
    assert (refused.type, refused.facts["what"]) == ("problem", "ask")


@pytest.mark.parametrize("name", ["../v.safetensors", "/etc/v.safetensors", "link.safetensors", "x" * 400])
def test_a_vector_file_is_read_from_the_start_directory_alone(policy: MazePolicy, tmp_path: Path, name: str) -> None:
    start = tmp_path / "start"
    start.mkdir()
    maze = Maze.from_level(26)
    cheese_vector(policy, maze, SITE).save(tmp_path / "v.safetensors")
    (start / "link.safetensors").symlink_to(tmp_path / "v.safetensors")
    (found,) = Session(policy, start=start).work(state_of(maze, [f"subtract,vector={name}"]))
    assert (found.type, found.facts["what"]) == ("problem", "edit")


def test_what_was_stated_of_a_file_that_does_not_say_it_is_taken_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(sb3_policy(net_arch=[8], activation_fn=torch.nn.ReLU).state_dict(), "my agent.pth")
    stated = Stated("relu", 1)
    agent, state = load_stated("my agent.pth", stated), state_of(Maze.from_ascii(ROOM)) | {"site": "input"}
    texts = answered(Session(agent, checkpoint="my agent.pth", stated=stated), "taken", state).facts
    names: dict[str, Any] = {}
    exec(compile(texts["python"], "taken.py", "exec"), names)
    assert names["policy"].sha256 == agent.sha256
    name, drawing, outcome = re.findall(r"cat > (\S+) <<'END'\n(.*?)END\n(.*?)\n", texts["command"], re.DOTALL)[0]
    Path(name).write_text(drawing)
    printed = json.loads(mazesteer(*shlex.split(outcome)[1:], "--json").stdout)
    assert printed["outcome"]["value_start"] == pytest.approx(evaluate(agent, names["maze"]).value_start, rel=1e-5)
    assert json.loads(texts["json"])["agent"]["activation"] == "relu"
