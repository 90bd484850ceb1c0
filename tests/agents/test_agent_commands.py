"""The commands about agents through the real entry point, called or started: evaluate, train, export."""

from __future__ import annotations

import functools
import inspect
import json
from pathlib import Path

import pytest

from agents.checkpoints.cards import ZOO
from agents.checkpoints.zoo import load_policy
from agents.evaluation import LEVELS, policy_figures
from agents.networks.policy import MazePolicy
from agents.training import pipeline
from envs.maze import Maze
from steering.experiments.exact import LevelEvaluator
from tests.helpers.command import mazesteer, started


def test_evaluate_recomputes(policy: MazePolicy) -> None:
    done = started("evaluate", "region5", "--n-levels", "6", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == policy_figures(policy, 5, levels=(0, 6))


def test_evaluate_says_whether_the_card_is_right() -> None:
    """All 256 levels of the card, both ways of placing the cheese, by the command a reader would type."""
    done = mazesteer("evaluate", "region5")
    assert done.returncode == 0 and "equal to the card\n" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("json_too", [False, True])
def test_a_card_that_is_wrong_is_found_out(json_too: bool, policy: MazePolicy, tmp_path: Path) -> None:
    figures = policy_figures(policy, 5, levels=(0, 3))
    file = tmp_path / "mine.safetensors"
    file.write_bytes((ZOO / "region5.safetensors").read_bytes())
    command = ["evaluate", file, "--n-levels", "3", *(["--json"] if json_too else [])]
    for right in (True, False):
        figures["p_cheese_anywhere"] += 0.0 if right else 0.0001
        file.with_suffix(".json").write_text(json.dumps({"sha256": policy.sha256, "figures": figures}))
        done = mazesteer(*command)
        assert done.returncode == (0 if right else 1), done.stdout + done.stderr
        assert json_too or ("NOT equal to the card" in done.stdout) is not right


def test_a_training_by_command_ends_in_a_policy_that_can_be_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its card is of fewer levels here; the command names none, so it takes those that are set."""
    train, out = pipeline.train_pipeline, tmp_path / "run"
    assert inspect.signature(train).parameters["card_levels"].default == LEVELS == (0, 256)
    few = functools.partial(train, card_levels=(0, 4), watch_levels=(90_000, 90_001))
    monkeypatch.setattr(pipeline, "train_pipeline", few)
    options = ["--region", "0", "--samples", "512", "--dagger-samples", "0", "--ppo-steps", "0"]
    done = mazesteer("train", "--out", out, *options)
    assert done.returncode == 0 and str(out / "policy.safetensors") in done.stdout, done.stderr
    again = mazesteer("train", "--out", out, *options)
    assert again.returncode == 2 and "add --resume" in again.stderr
    other = mazesteer("train", "--out", out, "--resume", "--seed", "7")
    assert other.returncode == 2 and "--seed: the run in" in other.stderr and "begun with 0" in other.stderr
    scratch = mazesteer("train", "--out", out, "--resume", "--from-scratch")
    assert scratch.returncode == 2 and "--from-scratch: the run in" in scratch.stderr
    assert "begun with imitation; leave it out" in scratch.stderr
    exact = mazesteer("train", "--out", out, "--resume", "--exact")
    assert exact.returncode == 2 and "--exact: the run in" in exact.stderr and "begun without it" in exact.stderr
    card = json.loads((out / "policy.json").read_text())
    found = mazesteer("evaluate", out / "policy.safetensors", "--json", "--n-levels", "4")
    assert found.returncode == 0 and json.loads(found.stdout)["region"] is card["figures"]["region"] is None
    exported = mazesteer("export", out / "policy.safetensors", tmp_path / "mine.pth")
    assert exported.returncode == 0, exported.stderr
    same = mazesteer("evaluate", tmp_path / "mine.pth", "--region", "0", "--json", "--n-levels", "4")
    assert json.loads(same.stdout) == json.loads(found.stdout)


def test_an_agent_trained_in_easy_mode_is_asked_in_easy_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    few = functools.partial(pipeline.train_pipeline, card_levels=(0, 4), watch_levels=(90_000, 90_001))
    monkeypatch.setattr(pipeline, "train_pipeline", few)
    options = ["--samples", "512", "--dagger-samples", "256", "--ppo-steps", "0"]
    done = mazesteer("train", "--mode", "easy", "--out", out, *options)
    assert done.returncode == 0, done.stderr
    other = mazesteer("train", "--mode", "hard", "--out", out, "--resume")
    assert other.returncode == 2 and "--mode: the run in" in other.stderr and "begun with easy" in other.stderr
    weights, card = out / "policy.safetensors", json.loads((out / "policy.json").read_text())
    training, policy = card["training"], load_policy(weights)
    assert "easy mode" in card["summary"] and " --mode easy " in training["command"]
    assert {training["mode"], training["imitation"]["mode"], training["dagger"]["mode"]} == {"easy"}
    assert card["figures"] == policy_figures(policy, 5, levels=(0, 4), mode="easy")
    watched = policy_figures(policy, 5, levels=(90_000, 90_001), mode="easy")
    assert card["history"][-1]["p_cheese_anywhere"] == watched["p_cheese_anywhere"]
    for mode in ("easy", "hard"):
        said = () if mode == "easy" else ("--mode", mode)
        found = mazesteer("evaluate", weights, "--n-levels", "4", *said)
        alike = "equal to the card\n" if mode == "easy" else "(its card has other levels, another mode"
        assert found.returncode == 0 and f"levels 0 to 3 of mode {mode}, " in found.stdout and alike in found.stdout
        asked = mazesteer("outcome", weights, "--level", "3", "--json", *said)
        report = json.loads(asked.stdout)
        expected = LevelEvaluator(policy, Maze.from_level(3, mode)).clean_outcome().to_json()
        assert (report["mode"], report["outcome"]) == (mode, expected)


def test_a_training_that_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    wrong = (("--patience", "1,2,3"), ("--mode", "memory"), ("--mode", "esy"))
    for args in (("--out", tmp_path / ("n" * 300)), *(("--out", tmp_path / "run", *each) for each in wrong)):
        done = mazesteer("train", "--samples", "64", *args)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout
    assert not list(tmp_path.iterdir())
