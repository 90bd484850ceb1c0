"""The commands about agents through the real entry point, called or started: evaluate, train, export."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agents.checkpoints.cards import ZOO
from agents.checkpoints.zoo import load_policy
from agents.evaluation import policy_figures
from agents.networks.policy import MazePolicy
from agents.training.pipeline import TrainSpec, read_run
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


def test_a_training_by_command_ends_in_a_policy_that_can_be_evaluated(tmp_path: Path) -> None:
    """It ends with its success rate, of as many levels as were asked for; the first loss is told at once."""
    out = tmp_path / "run"
    options = ["--region", "0", "--samples", "512", "--dagger-samples", "0", "--ppo-steps", "0", "--eval-levels", "4"]
    done = mazesteer("train", "--out", out, *options)
    assert done.returncode == 0 and str(out / "policy.safetensors") in done.stdout, done.stderr
    assert re.search(r"training.*: 256 of 512, elapsed [\d:]+, loss \d\.\d+\n", done.stderr)
    figures = json.loads((out / "policy.json").read_text())["figures"]
    last = f"success: P(cheese), anywhere: {figures['p_cheese_anywhere']:.4f} (4 levels, exact)"
    assert done.stdout.splitlines()[-1] == last and figures["levels"] == [0, 4]
    many = mazesteer("train", "--out", out, "--resume", "--eval-levels", "256")
    assert many.returncode == 2 and "--eval-levels: the run in" in many.stderr and "begun with 4" in many.stderr
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


def test_an_agent_trained_in_easy_mode_is_asked_in_easy_mode(tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--samples", "512", "--dagger-samples", "256", "--ppo-steps", "0", "--eval-levels", "4"]
    done = mazesteer("train", "--mode", "easy", "--out", out, *options)
    assert done.returncode == 0, done.stderr
    other = mazesteer("train", "--mode", "hard", "--out", out, "--resume")
    assert other.returncode == 2 and "--mode: the run in" in other.stderr and "begun with easy" in other.stderr
    weights, card = out / "policy.safetensors", json.loads((out / "policy.json").read_text())
    training, policy = card["training"], load_policy(weights)
    assert "easy mode" in card["summary"] and " --mode easy " in training["command"]
    assert {training["mode"], training["imitation"]["mode"], training["dagger"]["mode"]} == {"easy"}
    assert card["figures"] == policy_figures(policy, 5, levels=(0, 4), mode="easy")
    watched = policy_figures(policy, 5, levels=(90_000, 90_004), mode="easy")
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


def test_a_smoke_training_is_a_small_one_whose_options_can_still_be_given(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = mazesteer(
        "train", "--smoke", "--out", out, "--samples", "512", "--dagger-samples", "0", "--eval-levels", "2"
    )
    assert done.returncode == 0, done.stderr
    begun = read_run(out)
    assert begun == TrainSpec(mode="easy", samples=512, dagger_samples=(), ppo_steps=0, eval_levels=2, bf16=begun.bf16)
    card = json.loads((out / "policy.json").read_text())
    assert card["figures"]["levels"] == [0, 2] and card["summary"].endswith("anywhere (2 levels)")
    assert " --eval-levels 2 --mode easy " in card["training"]["command"]
    found = card["figures"]
    p = f"{found['p_cheese_in_distribution']:.4f}; anywhere: {found['p_cheese_anywhere']:.4f} (2 levels, exact)"
    assert done.stdout.endswith(f"success: P(cheese), the cheese in the top-right 5x5: {p}\n")
    both = mazesteer("train", "--smoke", "--exact", "--out", tmp_path / "other")
    assert both.returncode == 2 and "--smoke and --exact are two trainings" in both.stderr
    assert not (tmp_path / "other").exists()


def test_a_training_that_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    wrong = (("--patience", "1,2,3"), ("--mode", "memory"), ("--mode", "esy"))
    for args in (("--out", tmp_path / ("n" * 300)), *(("--out", tmp_path / "run", *each) for each in wrong)):
        done = mazesteer("train", "--samples", "64", *args)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout
    assert not list(tmp_path.iterdir())
