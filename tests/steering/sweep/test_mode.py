"""Procgen's mode where none is typed: the run's, else that of the agent's training, else hard."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agents.checkpoints.cards import ZOO, load_card, mode_for
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from steering.sweep.planning import mode_in
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store


def agent(**card: object) -> MazePolicy:
    """An agent with a card of these fields."""
    return MazePolicy(ImpalaPolicyNet(), "mine", "a" * 64, card)


EASY, SILENT = {"figures": {"mode": "easy"}}, {"figures": {"region": 5}}


def test_an_agent_is_asked_as_it_was_trained_if_nothing_else_is_typed(tmp_path: Path) -> None:
    for card, mode in ((EASY, "easy"), (SILENT, "hard"), ({}, "hard")):
        policy = agent(**card)
        assert mode_in(tmp_path / "none", policy, None) == mode
        for typed in ("hard", "easy"):
            assert mode_in(tmp_path / "none", policy, typed) == typed
        with pytest.raises(InputError, match="^maze mode 'memory' is not supported"):
            mode_in(tmp_path / "none", policy, "memory")
    assert not (tmp_path / "none").exists()


def test_the_mode_of_the_run_there_comes_before_the_agents(tmp_path: Path) -> None:
    spec = SweepSpec("mine", "a" * 64, (3,), ("input",), mode="hard")
    for mode, other in (("hard", agent(**EASY)), ("easy", agent(**SILENT))):
        swept, measured = tmp_path / f"swept-{mode}", tmp_path / f"measured-{mode}"
        swept.mkdir()
        replace(spec, mode=mode).save(swept)
        measured.mkdir()
        with Store.open(measured) as store:
            store.claim({"checkpoint sha256": "a" * 64, "mode": mode})
        for directory in (swept, measured):
            before = sorted(path.name for path in directory.iterdir())
            assert mode_in(directory, other, None) == mode
            assert sorted(path.name for path in directory.iterdir()) == before
    empty = tmp_path / "empty"
    empty.mkdir()
    with Store.open(empty):
        pass
    assert mode_in(empty, agent(**EASY), None) == "easy", "a run that was killed before it began says nothing"


def test_a_snapshot_has_the_mode_of_its_agents_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ZOO / "region5-series", tmp_path / "region5-series")
    shutil.copy(ZOO / "region5.safetensors", tmp_path)
    card = load_card("region5")
    monkeypatch.setattr("agents.checkpoints.cards.ZOO", tmp_path)
    for mode in ("hard", "easy"):
        (tmp_path / "region5.json").write_text(json.dumps({**card, "figures": {**card["figures"], "mode": mode}}))
        for name in ("region5", "region5@4096"):
            policy = load_policy(name)
            assert mode_for(None, policy.name, policy.card) == mode
    copied = tmp_path / "elsewhere" / "region5@4096.safetensors"
    copied.parent.mkdir()
    shutil.copy(tmp_path / "region5.safetensors", copied)
    policy = load_policy(copied)
    assert mode_for(None, policy.name, policy.card) == "hard", "a file is not an agent by its name alone"
