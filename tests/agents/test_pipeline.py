"""A training run's own files: its options, its history, and the exported layout."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.checkpoints import export_checkpoint, load_card, load_policy, zoo_names
from agents.evaluation import evaluation_maze
from agents.hardware import check_device
from agents.history import SNAPSHOTS, Watcher, learning_curves, read_history, snapshot_due
from agents.impala import ImpalaPolicyNet
from agents.pipeline import SPEC, TrainSpec, read_run, start_run
from agents.train import PPOConfig
from envs.chain import statistics
from envs.errors import InputError
from envs.maze import Maze


def network(seed: int = 0) -> ImpalaPolicyNet:
    return ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(seed))


def test_a_run_is_taken_up_with_the_options_it_was_begun_with(tmp_path: Path) -> None:
    spec = start_run(tmp_path / "run", TrainSpec(region=None, seed=3, samples=512, dagger_samples=(), ppo_steps=64))
    assert read_run(tmp_path / "run") == spec and spec.region is None and spec.total == 576
    with pytest.raises(InputError, match="--resume"):
        start_run(tmp_path / "run", TrainSpec())


def test_each_round_of_walks_is_a_stage_with_levels_of_its_own() -> None:
    spec = TrainSpec(seed=2, samples=512, dagger_samples=(1_000, 0, 2_000), ppo_steps=64)
    stages = spec.stages()
    assert list(stages) == ["imitation", "dagger", "dagger_2", "ppo"] and spec.total == 3_576
    assert [stages[name].samples for name in ("dagger", "dagger_2")] == [1_000, 2_000]
    assert len({stages[name].seed for name in ("dagger", "dagger_2")}) == 2
    assert spec.command.startswith("mazesteer train --region 5 --scale 1 --seed 2 --samples 512 --dagger-samples 1000,")
    # Under Muon the walks go on with what is left of the rate.
    assert [(s.matrix_rate, s.block, s.decay_to) for s in list(stages.values())[:3]] == [(0.0, 4, 0.0)] * 3
    muon = replace(spec, optimizer="muon").stages()
    assert [(s.matrix_rate, s.block, s.decay_to) for s in list(muon.values())[:3]] == [
        (0.02, 32, 0.5), (0.01, 32, 0.0), (0.01, 32, 0.0)]  # fmt: skip
    assert " --optimizer muon " in replace(spec, optimizer="muon").command and "--optimizer" not in spec.command
    with pytest.raises(InputError, match="optimizer 'adan': did you mean 'adam'"):
        TrainSpec(optimizer="adan")
    assert (
        PPOConfig(total_steps=64, seed=2, bf16=False)
        == TrainSpec(seed=2, samples=0, dagger_samples=(), ppo_steps=64).stages()["ppo"]
    )


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"region": "5"}',
        '{"unknown": 1}',
        '{"samples": 1.5, "dagger_samples": []}',
        '{"dagger_samples": 5}',
        '{"dagger_samples": [true]}',
    ],
)
def test_damaged_options_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / SPEC).write_text(text)
    with pytest.raises(InputError, match="damaged"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"scale": 0}, "scale is 0"), ({"scale": 33}, "1 to 32"), ({"optimizer": "sgd"}, "optimizer 'sgd'"),
     ({"samples": -1}, "none may be negative")],
)  # fmt: skip
def test_options_that_no_training_can_have(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TrainSpec(**options)


def test_without_options_it_is_the_training_of_the_shipped_agent() -> None:
    stages = {name: asdict(stage) for name, stage in TrainSpec().stages().items() if stage is not None}
    card = load_card("region5")["training"]
    for name, options in stages.items():
        later = ("patience", "bf16", "levels")  # giving walks up came after that training
        kept = {key: card[name][key] for key in options if key in card[name] and key not in later}
        assert {key: options[key] for key in kept} == kept and len(kept) > 10


def test_a_run_that_is_none_and_a_device_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training run"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="no such|does not exist"):
        check_device("abacus")
    with pytest.raises(InputError):
        start_run(tmp_path / "run", TrainSpec(samples=0, dagger_samples=(), ppo_steps=0))
    assert not (tmp_path / "run").exists()


def test_snapshots_are_due_at_zero_and_at_powers_of_two() -> None:
    counts = range(0, 300_000, 256)
    due = [now for before, now in zip([-1, *counts[:-1]], counts, strict=True) if snapshot_due(before, now)]
    assert due == [0] + [4_096 * 2**k for k in range(7)]


def test_the_history_drops_what_a_lost_end_wrote(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, "imitation", 0, 5, levels=(90_000, 90_002))
    watcher.begin(0)
    for done in (0, 4_096, 5_000, 8_192):
        watcher.look(done, network(), {"loss": 1.0}, float(done))
    assert [row["count"] for row in read_history(tmp_path)] == [0, 4_096, 8_192]
    assert len(list((tmp_path / SNAPSHOTS).iterdir())) == 3
    again = Watcher(tmp_path, "imitation", 0, 5, levels=(90_000, 90_002))
    again.begin(5_000)  # the state file was older than the last look
    assert [row["count"] for row in read_history(tmp_path)] == [0, 4_096]
    # A stage that had ended, looked at again on the way to the next, leaves the rows of the next alone.
    later = Watcher(tmp_path, "dagger", 8_192, 5, levels=(90_000, 90_002))
    later.begin(0)
    later.look(4_096, network(), {"loss": 0.5}, 1.0, last=True)
    rows = read_history(tmp_path)
    assert [row["stage"] for row in rows] == ["imitation", "imitation", "dagger"]
    Watcher(tmp_path, "imitation", 0, 5, levels=(90_000, 90_002)).begin(8_192)
    assert read_history(tmp_path) == rows
    learning_curves(rows, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_exported_policy_loads_as_a_published_file(tmp_path: Path) -> None:
    net = network(4)
    export_checkpoint(net, tmp_path / "x.pth")
    stored = torch.load(tmp_path / "x.pth", weights_only=True)["model_state_dict"]
    loaded = load_policy(str(tmp_path / "x.pth")).net.state_dict()
    assert stored.keys() == net.state_dict().keys()
    assert all(torch.equal(value, loaded[key]) for key, value in net.state_dict().items())


def test_the_shipped_card_meets_the_bar_and_belongs_to_the_file() -> None:
    policy = load_policy("region5")
    card = json.loads(json.dumps(policy.card))
    assert card["sha256"] == policy.sha256
    assert card["figures"]["levels"] == [0, 256] and card["figures"]["p_cheese_in_distribution"] >= 0.95


@pytest.mark.parametrize("name", zoo_names())
def test_cards_say_what_the_policies_do(name: str) -> None:
    """Recomputed for all levels of the smallest mazes, which are quick."""
    policy = load_policy(name)
    figures = policy.card["figures"]
    found: dict[str, list[float]] = {"3": [], "5": [], "7": [], "9": []}
    for maze in Maze.from_levels(range(*figures["levels"])):
        if str(maze.dim) in found:
            placed = evaluation_maze(maze, figures["region"], figures["seed"])
            p = policy.move_probabilities(placed.observations())
            found[str(maze.dim)].append(statistics(placed, p, figures["horizon"]).p_cheese)
    for dim, values in found.items():
        assert len(values) == figures["levels_by_maze_size"][dim]
        assert round(float(np.mean(values)), 4) == pytest.approx(figures["p_cheese_by_maze_size"][dim], abs=1e-4)
