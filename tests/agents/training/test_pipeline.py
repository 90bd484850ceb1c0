"""A training run's own files: its options, its history, and the exported layout."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.checkpoints.cards import load_card
from agents.checkpoints.files import export_checkpoint
from agents.checkpoints.zoo import load_policy
from agents.hardware import check_device
from agents.networks.impala import ImpalaPolicyNet
from agents.sessions.history import EXACT, SNAPSHOTS, Watcher, learning_curves, read_history, snapshot_due
from agents.training.dagger import DaggerConfig
from agents.training.imitation import ImitationConfig
from agents.training.pipeline import SPEC, TrainSpec, read_run, start_run
from agents.training.ppo import PPOConfig
from envs.errors import InputError


def network(seed: int = 0) -> ImpalaPolicyNet:
    return ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(seed))


def test_a_run_is_taken_up_with_the_options_it_was_begun_with(tmp_path: Path) -> None:
    spec = start_run(tmp_path / "run", TrainSpec(region=None, seed=3, samples=512, dagger_samples=(), ppo_steps=64))
    assert read_run(tmp_path / "run") == spec and spec.region is None and spec.total == 512 + 8_192
    with pytest.raises(InputError, match="--resume"):
        start_run(tmp_path / "run", TrainSpec())


def test_a_run_of_any_seed_that_can_begin_can_go_on(tmp_path: Path) -> None:
    spec = start_run(tmp_path / "run", TrainSpec(seed=2**63 - 1))
    assert read_run(tmp_path / "run") == spec


def test_each_round_of_walks_is_a_stage_with_levels_of_its_own() -> None:
    spec = TrainSpec(seed=2, samples=512, dagger_samples=(1_000, 0, 2_000), ppo_steps=64)
    stages = spec.stages()
    assert list(stages) == ["imitation", "dagger", "dagger_2", "ppo"] and spec.total == 512 + 1_024 + 2_048 + 8_192, (
        "whole batches, a whole rollout"
    )
    assert [stages[name].samples for name in ("dagger", "dagger_2")] == [1_000, 2_000]
    assert len({stages[name].seed for name in ("dagger", "dagger_2")}) == 2
    assert spec.command.startswith("mazesteer train --region 5 --scale 1 --seed 2 --samples 512 --dagger-samples 1000,")
    # Under Muon the walks go on with what is left of the rate.
    assert [(s.matrix_rate, s.block, s.decay_to) for s in list(stages.values())[:3]] == [(0.0, 4, 0.0)] * 3
    muon = replace(spec, optimizer="muon").stages()
    assert [(s.matrix_rate, s.block, s.decay_to) for s in list(muon.values())[:3]] == [
        (0.02, 32, 0.5),
        (0.01, 32, 0.0),
        (0.01, 32, 0.0),
    ]
    assert " --optimizer muon " in replace(spec, optimizer="muon").command and "--optimizer" not in spec.command
    with pytest.raises(InputError, match="optimizer 'adan': did you mean 'adam'"):
        TrainSpec(optimizer="adan")
    assert (
        PPOConfig(total_steps=64, seed=2, bf16=False)
        == TrainSpec(seed=2, samples=0, dagger_samples=(), ppo_steps=64).stages()["ppo"]
    )


@pytest.mark.parametrize(("given", "shown"), [(0.5, "0.5"), (2, "2"), (2.0, "2")])
def test_a_width_is_a_runs_and_its_stages(tmp_path: Path, given: float, shown: str) -> None:
    spec = start_run(tmp_path / "run", TrainSpec(scale=given, samples=512, dagger_samples=(512,), ppo_steps=64))
    assert read_run(tmp_path / "run") == spec and json.loads((tmp_path / "run" / SPEC).read_text())["scale"] == given
    assert f" --scale {shown} " in spec.command and f" --scale {shown} " in read_run(tmp_path / "run").command
    assert {stage.scale for stage in spec.stages().values() if stage} == {given}
    assert spec.agrees("scale", given) and not spec.agrees("scale", 0.53)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"region": "5"}',
        '{"region": 0}',
        '{"seed": -5}',
        '{"scale": 0.3}',
        '{"scale": "1"}',
        '{"unknown": 1}',
        '{"samples": 1.5, "dagger_samples": []}',
        '{"dagger_samples": 5}',
        '{"dagger_samples": [true]}',
        '{"dagger_samples": [5], "patience": 5}',
    ],
)
def test_damaged_options_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / SPEC).write_text(text)
    with pytest.raises(InputError, match="damaged"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 0}, "scale 0: give 0.0625 to 32"),
        ({"scale": 33}, "0.0625 to 32"),
        ({"scale": float("nan")}, "scale nan: give 0.0625 to 32"),
        ({"scale": 0.3}, "scale is 0.3, must be a multiple of 0.0625"),
        ({"optimizer": "sgd"}, "optimizer 'sgd'"),
        ({"samples": -1}, "samples -1: give 0 to"),
        ({"mode": "memory"}, "mode 'memory'"),
        ({"mode": "esy"}, "mode 'esy': did you mean 'easy'"),
    ],
)
def test_options_that_no_training_can_have(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TrainSpec(**options)


def test_without_options_it_is_the_training_of_the_shipped_agent() -> None:
    stages = {name: asdict(stage) for name, stage in TrainSpec().stages().items() if stage is not None}
    card = load_card("region5")["training"]
    for name, options in stages.items():
        later = ("patience", "bf16", "levels")  # that training gave no walk up; see the card's command
        kept = {key: card[name][key] for key in options if key in card[name] and key not in later}
        assert {key: options[key] for key in kept} == kept and len(kept) > 10


@pytest.mark.parametrize("asked", [None, True, False])
def test_the_precision_is_the_machines_unless_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool | None
) -> None:
    for k, native in enumerate((True, False)):
        monkeypatch.setattr("agents.training.pipeline.bf16_pays", lambda device, native=native: native)
        spec = start_run(tmp_path / str(k), TrainSpec(samples=512, dagger_samples=(512,), ppo_steps=1), bf16=asked)
        expected = native if asked is None else asked
        assert {stage.bf16 for stage in spec.stages().values() if stage} == {expected}
        assert read_run(tmp_path / str(k)) == spec and spec.agrees("bf16", expected)
        assert f" {'--bf16' if expected else '--no-bf16'} --out" in spec.command


def test_patience_is_one_number_or_one_for_each_round(tmp_path: Path) -> None:
    spec = TrainSpec(samples=512, dagger_samples=(1_000, 2_000), ppo_steps=0, patience=(0, 12))
    assert [stage.patience for stage in spec.stages().values() if isinstance(stage, DaggerConfig)] == [0, 12]
    assert [s.patience for s in replace(spec, patience=(7,)).stages().values() if isinstance(s, DaggerConfig)] == [7, 7]
    assert " --patience 0,12 " in spec.command and "--patience" not in replace(spec, patience=(12,)).command
    begun = start_run(tmp_path / "run", spec)
    assert begun == read_run(tmp_path / "run") and begun.patience == (0, 12)
    with pytest.raises(InputError, match="3 numbers for 2 rounds of walks; give one number, or one for each round"):
        replace(spec, patience=(1, 2, 3))
    for rounds in (spec.dagger_samples, ()):
        with pytest.raises(InputError, match="patience -1: give 0 to 500"):
            start_run(tmp_path / "other", replace(spec, dagger_samples=rounds, patience=(-1,)))
    assert not (tmp_path / "other").exists()
    options = json.loads((tmp_path / "run" / SPEC).read_text())
    del options["patience"]  # as in the runs of before
    (tmp_path / "run" / SPEC).write_text(json.dumps(options))
    assert read_run(tmp_path / "run") == replace(begun, patience=(12,))


def test_the_mode_is_every_stages_and_that_of_a_run_of_before_is_hard(tmp_path: Path) -> None:
    spec = TrainSpec(samples=512, dagger_samples=(512, 512), ppo_steps=64)
    for mode in ("hard", "easy"):
        asked = replace(spec, mode=mode)
        assert {stage.mode for stage in asked.stages().values() if stage} == {mode}
        assert (" --mode easy " in asked.command) is (mode == "easy") and asked.total == spec.total
    begun = start_run(tmp_path / "run", spec)
    options = json.loads((tmp_path / "run" / SPEC).read_text())
    assert options.pop("mode") == "hard"
    (tmp_path / "run" / SPEC).write_text(json.dumps(options))
    assert read_run(tmp_path / "run") == begun
    (tmp_path / "run" / SPEC).write_text(json.dumps({**options, "mode": "memory"}))
    with pytest.raises(InputError, match="train.json: .*mode"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("option", "value", "same"),
    [
        ("patience", (12, 12), True),
        ("patience", (12,), True),
        ("patience", (0, 12), False),
        ("patience", (1, 2, 3), False),
        ("dagger_samples", (1_000, 0, 2_000), True),
        ("dagger_samples", (1_000,), False),
        ("device", "cuda", False),
        ("seed", 0, True),
        ("optimizer", "adan", False),
        ("mode", "hard", True),
        ("mode", "easy", False),
        ("mode", "memory", False),
        ("ppo_steps", 7, False),
    ],
)
def test_options_typed_again_are_taken_if_they_ask_for_the_same_training(option: str, value: Any, same: bool) -> None:
    spec = TrainSpec(samples=512, dagger_samples=(1_000, 2_000), ppo_steps=64)
    assert spec.agrees(option, value) is same
    by_round = replace(spec, patience=(0, 12))
    assert not by_round.agrees("dagger_samples", (5,)), "and not a word of patience"


def test_on_a_gpu_batches_are_larger_and_rates_with_their_root() -> None:
    """Made here without one: what the options are, not how fast they go."""
    small, wide = (TrainSpec(ppo_steps=300_000, device=device).stages() for device in ("cpu", "cuda"))
    first, wider = small["imitation"], wide["imitation"]
    assert isinstance(first, ImitationConfig) and isinstance(wider, ImitationConfig)
    assert wider.batch_size == 8 * first.batch_size and first.learning_rate < wider.learning_rate < 0.0029
    walk, walks = small["dagger"], wide["dagger"]
    assert isinstance(walk, DaggerConfig) and isinstance(walks, DaggerConfig)
    assert (
        walks.batch_size == 4 * walk.batch_size and walk.learning_rate < walks.learning_rate <= 2 * walk.learning_rate
    )
    ppo, large = small["ppo"], wide["ppo"]
    assert isinstance(ppo, PPOConfig) and isinstance(large, PPOConfig)
    assert ppo.critic_warmup_steps and large.critic_warmup_steps, "rounded up to whole rollouts"
    assert large.rollout == 4 * ppo.rollout and large.learning_rate == 2 * (ppo.learning_rate or 0.0)
    scratch = TrainSpec(samples=0, dagger_samples=(), device="cuda").stages()["ppo"]
    assert scratch == PPOConfig(total_steps=1_000_000, bf16=False), "the published options, wherever it runs"


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


ROW = {"stage": "imitation", "count": 0, "seconds": 0.5, **dict.fromkeys(EXACT, 0.5)}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({**ROW, "count": "x"}),
        json.dumps({**ROW, "count": 0.5}),
        json.dumps({**ROW, "stage": 3}),
        json.dumps({**ROW, "loss": None}),
        json.dumps({key: value for key, value in ROW.items() if key != "count"}),
        json.dumps(ROW) + "\n3",
        json.dumps(ROW) + "\n{",
        "[" * 200_000,
        None,
    ],
)
def test_a_history_that_is_none_gets_one_line(tmp_path: Path, text: str | None) -> None:
    if text is None:
        (tmp_path / "history.jsonl").mkdir()
    else:
        (tmp_path / "history.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"^[^\n]+history.jsonl[^\n]+; not a training history: remove it"):
        Watcher(tmp_path, "imitation", 0, 5).begin(0)
    if text is not None:
        rows = [{**ROW, "loss": 1}, {"stage": "dagger", "count": 5}]
        (tmp_path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        Watcher(tmp_path, "imitation", 10, 5).begin(0)
        assert read_history(tmp_path) == rows
        learning_curves(rows, tmp_path / "curves.png")


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
