"""Whole trainings, small: they learn, they end in a card, and what they leave goes into the zoo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.checkpoints.cards import zoo_snapshots
from agents.checkpoints.zoo import load_policy
from agents.evaluation import policy_figures
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy
from agents.sessions.history import EXACT, SNAPSHOTS, read_history
from agents.training import card, imitation
from agents.training.imitation import ImitationConfig, make_block, train_imitation
from agents.training.pipeline import TrainSpec, read_run, start_run, train_pipeline
from agents.training.ppo import PPOConfig, train_ppo
from agents.training.publish import SNAPSHOTS_KEPT, publish
from agents.training.supervised import batch_loss
from envs.chain import statistics
from envs.errors import InputError
from envs.files import locked
from envs.maze import Maze
from tests.helpers.command import started
from tests.helpers.small_training import TOLD, small_stages

ROOT = Path(__file__).resolve().parents[3]
EASY_LEVEL, HARD_LEVEL = 1_000_000, 1_000_006  # a 3x3 maze, five steps to the cheese; a 7x7 maze


def test_imitation_learns_a_maze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imitation, "TRAIN_LEVELS", (HARD_LEVEL, HARD_LEVEL + 1))
    config = ImitationConfig(
        region=1, samples=8_192, batch_size=32, levels_per_batch=2, block=4, warmup_samples=500, bf16=False, seed=0
    )
    net = train_imitation(config, tmp_path).eval()
    # Other states of the same level than a batch of training shows: 128 drawn by another seed.
    test = make_block(ImitationConfig(region=1, batch_size=32, levels_per_batch=2, block=4, seed=9), 0)
    found = np.mean([batch_loss(net, batch, config.update)[1]["accuracy"] for batch in test])
    moves = np.concatenate([batch.moves for batch in test])
    commonest = np.bincount(moves).max() / len(moves)
    assert found > commonest + 4 * np.sqrt(0.25 / len(moves))


def test_ppo_learns_a_maze(tmp_path: Path) -> None:
    maze = Maze.from_level(EASY_LEVEL, "easy")

    def success(net: ImpalaPolicyNet) -> float:
        return statistics(maze, MazePolicy(net.eval()).move_probabilities(maze.observations()), 16).p_cheese

    before = success(ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0)))
    config = PPOConfig(
        mode="easy",
        levels=(EASY_LEVEL, EASY_LEVEL + 1),
        total_steps=2_048,
        n_envs=8,
        n_steps=32,
        minibatches=4,
        learning_rate=1e-3,
        gamma=0.9,
        bf16=False,
    )
    after = success(train_ppo(config, tmp_path))
    assert before < 0.03 and after > 0.1


class Stop(Exception):
    """The error that interrupts a run here."""


@pytest.fixture(scope="module", autouse=True)
def _small_stages() -> Iterator[None]:
    """Pipelines of this file have the published options but for smaller batches and rollouts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainSpec, "stages", small_stages)
        yield


SMALL: dict[str, tuple[int, int]] = {"card_levels": (0, 4), "watch_levels": (90_000, 90_001)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of all stages, interrupted in the middle and taken up again."""
    out = tmp_path_factory.mktemp("pipeline") / "run"
    spec = start_run(out, TrainSpec(samples=2 * TOLD, dagger_samples=(256, 256), ppo_steps=1))

    def interrupt(done: int, total: int, figures: Mapping[str, float]) -> None:
        assert total == spec.total
        if done >= TOLD:
            raise Stop

    with pytest.raises(Stop):
        train_pipeline(out, spec, progress=interrupt, save_every_seconds=0.0, **SMALL)
    assert not (out / "policy.json").exists()
    stored = torch.load(out / "imitation.pt", weights_only=True)["samples"]
    assert 0 < stored <= TOLD
    counts: list[int] = []
    totals: list[int] = []

    def note(done: int, total: int, figures: Mapping[str, float]) -> None:
        counts.append(done)
        totals.append(total)

    weights = train_pipeline(out, read_run(out), progress=note, **SMALL)
    assert weights == out / "policy.safetensors"
    assert counts[0] > stored and counts == sorted(counts)
    assert set(totals) == {counts[-1]}, "the end that was promised is the end"
    return out


def test_a_pipeline_ends_in_a_card_of_its_weights(run: Path) -> None:
    found, policy = json.loads((run / "policy.json").read_text()), load_policy(str(run / "policy.safetensors"))
    assert found["sha256"] == policy.sha256 and found["scale"] == 1
    assert found["figures"] == policy_figures(policy, 5, levels=(0, 4))
    training = found["training"]
    assert training["imitation"]["samples"] == 2 * TOLD and training["dagger_2"]["samples"] == 256
    assert f"--samples {2 * TOLD} --dagger-samples 256,256 --ppo-steps 1 " in training["command"]
    assert training["seconds"] > 0 and training["hardware"]
    assert set(found["ppo_changed"]["p_cheese_in_distribution"]) == {"before", "after"}
    assert any("mazes with the cheese as in training" in line for line in found["weaknesses"])
    assert [row["stage"] for row in found["history"]] == sorted(
        (row["stage"] for row in found["history"]), key=["imitation", "dagger", "dagger_2", "ppo"].index
    )
    assert found["history"] == read_history(run)
    assert (run / "policy.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_run_goes_into_the_zoo_with_its_series(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = tmp_path / "zoo"
    publish(run, "mine", series=True, notes="a trial", zoo=zoo)
    monkeypatch.setattr("agents.checkpoints.cards.ZOO", zoo)
    policy = load_policy("mine")
    assert policy.sha256 == json.loads((run / "policy.json").read_text())["sha256"]
    assert policy.card["notes"] == "a trial" and (zoo / "mine.png").is_file()
    series = zoo_snapshots("mine")
    assert 0 in series and 4_096 in series and len(series) <= SNAPSHOTS_KEPT
    for count in series:
        kept = load_policy(f"mine@{count}").net.state_dict()
        (file, *_) = sorted((run / SNAPSHOTS).glob(f"{count:09d}-*"))
        whole = load_policy(str(file)).net.state_dict()
        assert all(torch.equal(value, whole[key].half().float()) for key, value in kept.items())
    with pytest.raises(InputError, match="^checkpoint mine@5: no such snapshot of mine; its counts: 0, 4096"):
        load_policy("mine@5")
    with pytest.raises(InputError, match="no such snapshot"):
        load_policy("mine@../../x")
    file = zoo / "mine-series" / series[0]["file"]
    file.write_bytes(file.read_bytes()[:-2] + b"\x00\x01")
    with pytest.raises(InputError, match="sha256 is not the one on its card"):
        load_policy("mine@0")


def scalars(folder: Path) -> dict[str, list[int]]:
    """Steps of each scalar in a folder of TensorBoard events."""
    found = EventAccumulator(str(folder)).Reload()
    return {tag: [event.step for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_tensorboard_has_all_stages_on_one_axis(run: Path) -> None:
    logged, of_ppo = scalars(run / "tensorboard"), scalars(run / "ppo" / "tensorboard")
    assert {"imitation/loss", "imitation/accuracy", *(f"exact/{name}" for name in EXACT)} <= set(logged)
    for steps in (*logged.values(), *of_ppo.values()):
        assert len(set(steps)) == len(steps), "nothing twice, though the run was interrupted"
    history = read_history(run)
    first = max(row["count"] for row in history if row["stage"] != "ppo")
    assert max(logged["exact/p_cheese_anywhere"]) == first == 2 * TOLD + 512
    assert of_ppo["exact/p_cheese_anywhere"] == [row["count"] for row in history if row["stage"] == "ppo"]
    assert len(of_ppo) > 3 and min(min(steps) for steps in of_ppo.values()) >= first


def test_a_finished_run_taken_up_again_keeps_its_log_and_its_figures(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its stages are opened on the way, and the card's figures are there already."""
    before = scalars(run / "tensorboard"), scalars(run / "ppo" / "tensorboard"), (run / "policy.json").read_text()
    assert max(before[0]["exact/p_cheese_anywhere"]) > 2 * TOLD, "there is something behind the first stage to lose"
    monkeypatch.setattr(card, "policy_figures", None)
    train_pipeline(run, read_run(run), **SMALL)
    assert before == (
        scalars(run / "tensorboard"),
        scalars(run / "ppo" / "tensorboard"),
        (run / "policy.json").read_text(),
    )


def test_ppo_from_scratch_ends_in_a_card_and_goes_into_the_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another kind of run, without a warm start to compare with."""
    out = tmp_path / "run"
    spec = start_run(out, TrainSpec(samples=0, dagger_samples=(), ppo_steps=512))
    weights = train_pipeline(out, spec, **SMALL)
    found = load_policy(weights).card
    assert found["training"]["imitation"] is None and "ppo_changed" not in found
    assert found["training"]["ppo"]["entropy"] == 0.01 and "--samples 0 " in found["training"]["command"]
    assert [row["count"] for row in found["history"]][-1] == 512
    publish(out, "scratch", zoo=tmp_path / "zoo")
    monkeypatch.setattr("agents.checkpoints.cards.ZOO", tmp_path / "zoo")
    assert load_policy("scratch").sha256 == found["sha256"]


def test_a_run_that_another_process_trains_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    start_run(out, TrainSpec(samples=512, dagger_samples=(), ppo_steps=0))
    with locked(out):
        before = sorted(path.name for path in out.iterdir())
        done = started("train", "--out", out, "--resume")
        assert done.returncode == 2 and f"{out} is in use by process {os.getpid()}; wait for it" in done.stderr
        assert sorted(path.name for path in out.iterdir()) == before


# A training that is killed after some of its samples were saved.
KILLED = """
import os, signal, sys
from pathlib import Path
from agents.training.pipeline import TrainSpec, read_run, train_pipeline
from tests.helpers.small_training import TOLD, small_stages

TrainSpec.stages = small_stages

def kill(done, total, figures):
    if done >= TOLD:
        os.kill(os.getpid(), signal.SIGKILL)

out = Path(sys.argv[1])
train_pipeline(out, read_run(out), progress=kill, save_every_seconds=0.0, watch_levels=(90_000, 90_001))
"""


def test_a_training_that_was_killed_goes_on_with_what_was_saved(tmp_path: Path) -> None:
    out = tmp_path / "run"
    spec = start_run(out, TrainSpec(samples=TOLD + 512, dagger_samples=(), ppo_steps=0))
    done = subprocess.run([sys.executable, "-c", KILLED, str(out)], capture_output=True, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr
    stored = torch.load(out / "imitation.pt", weights_only=True)["samples"]
    assert 0 < stored <= TOLD
    counts: list[int] = []
    weights = train_pipeline(out, spec, progress=lambda done, *_: counts.append(done), **SMALL)
    assert counts[0] > stored and load_policy(weights).card["sha256"]
    assert not [*out.rglob("*.tmp"), *out.rglob(".*.part*")]


def test_an_unfinished_run_is_not_published(tmp_path: Path) -> None:
    start_run(tmp_path / "run", TrainSpec())
    with pytest.raises(InputError, match="no finished training"):
        publish(tmp_path / "run", "mine", zoo=tmp_path / "zoo")
    assert not (tmp_path / "zoo").exists()
