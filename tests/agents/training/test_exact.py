"""Exact gradients: the step that is made is the gradient of the return; whole levels by number; exact resumption."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import move_log_probabilities
from agents.sessions.history import EXACT, SNAPSHOTS, read_history
from agents.training.exact import ExactConfig, Goal, make_batch, mirror_loss, train_exact
from agents.training.pipeline import SPEC, TrainSpec, read_run, start_run, train_pipeline
from envs.errors import InputError
from envs.maze import Maze
from envs.training.returns import Chains, exact_returns
from tests.helpers.small_training import small_stages

LEVEL = 1_000_000  # in easy mode a 3x3 maze
TINY = ExactConfig(
    mode="easy",
    levels=(LEVEL, LEVEL + 1),
    samples=240,
    levels_per_batch=1,
    passes=2,
    learning_rate=1e-3,
    warmup_samples=1,
    bf16=False,
    seed=3,
)


@pytest.mark.parametrize("step", [0.5, 4.0])
def test_the_step_that_is_made_is_the_gradient_of_the_return(step: float) -> None:
    """Through a small network in float64, by finite differences, up to the one positive number that Adam takes out."""
    chains = Chains.of([Maze.from_level(LEVEL, "easy"), Maze.from_level(LEVEL + 1, "easy")], 0.2)
    live = np.flatnonzero(~chains.over)
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(len(live), 4, generator=generator, dtype=torch.float64)
    weights = torch.randn(4, 15, generator=generator, dtype=torch.float64).requires_grad_()

    def expected(given: torch.Tensor) -> Any:
        p = np.zeros((len(chains.over), 5))
        p[live] = move_log_probabilities(seen @ given).exp().detach().numpy()
        return exact_returns(chains, p, 0.95)

    before = move_log_probabilities(seen @ weights).detach()
    goal = Goal.of(before, expected(weights), live)
    parts = [slice(0, 7), slice(7, None)]  # as they go through a network
    for rows in parts:
        mirror_loss(move_log_probabilities(seen[rows] @ weights), goal, rows, step=step, entropy=0.0).backward()
    assert weights.grad is not None
    found = -weights.grad.flatten()
    differences = torch.zeros_like(found)
    for k in range(len(found)):
        moved = torch.zeros(len(found), dtype=torch.float64)
        moved[k] = 1e-5
        up, down = (expected(weights.detach() + sign * moved.view_as(weights)).expected for sign in (1, -1))
        differences[k] = (up - down) / 2e-5
    ratio = float(found @ differences / (differences @ differences))
    assert ratio > 0 and torch.allclose(found, ratio * differences, rtol=1e-4, atol=1e-7 * float(found.abs().max()))
    assert float(goal.weights.sum()) == pytest.approx(1.0)
    assert float((goal.weights[:, None] * before.exp() * goal.gains**2).sum()) == pytest.approx(1.0)


def test_at_its_best_the_objective_is_the_mirror_step() -> None:
    """In each state: old probabilities times the exponential of step times gain (Tomar et al. 2021)."""
    generator = torch.Generator().manual_seed(1)
    before = torch.log_softmax(torch.randn(3, 5, generator=generator, dtype=torch.float64), -1)
    gains = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    goal = Goal(before, gains, torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64))
    best = torch.log_softmax(before + 0.7 * gains, -1).requires_grad_()
    mirror_loss(torch.log_softmax(best, -1), goal, slice(None), step=0.7, entropy=0.0).backward()
    assert best.grad is not None and float(best.grad.abs().max()) < 1e-12


def test_a_batch_is_whole_training_levels_and_a_function_of_its_number() -> None:
    config = ExactConfig(levels_per_batch=2, mode="easy", seed=4, uniform_starts=0.5)
    first, again, other = make_batch(config, 5), make_batch(config, 5), make_batch(config, 6)
    assert np.array_equal(first.frames, again.frames) and np.array_equal(first.chains.after, again.chains.after)
    assert first.frames.shape != other.frames.shape or not np.array_equal(first.frames, other.frames)
    assert first.frames.shape == (len(first.live), 64, 64, 3) and (~first.chains.over).sum() == len(first.live)
    assert first.chains.over.sum() == 4, "two facings on the cheese of each maze"
    one = make_batch(TINY, 0)
    maze = Maze.from_level(LEVEL, "easy")
    cheeses = [cell for cell in maze.cells if np.array_equal(one.frames, _shown(maze.with_cheese(cell)))]
    assert len(cheeses) == 1 and cheeses[0] in maze.region(5) - {maze.mouse}


def _shown(maze: Maze) -> np.ndarray:
    return maze.observations([state for state in maze.states if state.cell != maze.cheese])


class Stop(Exception):
    """An interruption from outside."""


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path, one_thread: None) -> None:
    whole = train_exact(TINY, tmp_path / "whole")

    def interrupt(samples: int, _figures: dict[str, float]) -> None:
        raise Stop

    with pytest.raises(Stop):
        train_exact(TINY, tmp_path / "parts", save_every_seconds=0.0, progress=interrupt)
    stored = torch.load(tmp_path / "parts" / "exact.pt", weights_only=True)
    assert 0 < stored["samples"] < TINY.samples and stored["batches"] == 3
    resumed = train_exact(TINY, tmp_path / "parts")
    first = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(TINY.seed)).state_dict()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
        assert torch.equal(value, first[name]) is name.startswith("fc_value"), "no critic"
    with pytest.raises(InputError, match=r"other options \(gamma\)"):
        train_exact(replace(TINY, gamma=0.5), tmp_path / "parts")


def test_the_size_of_a_chunk_changes_rounding_alone(tmp_path: Path, one_thread: None) -> None:
    short = replace(TINY, samples=1)
    nets = [train_exact(replace(short, chunk=chunk), tmp_path / str(chunk)).state_dict() for chunk in (3, 512)]
    assert all(torch.allclose(value, nets[1][name], atol=1e-4) for name, value in nets[0].items())


def test_a_run_ends_in_a_card_that_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainSpec, "stages", small_stages)
    spec = TrainSpec(mode="easy", samples=0, dagger_samples=(), ppo_steps=0, exact_samples=600, uniform_starts=0.25)
    spec = start_run(tmp_path / "run", spec)
    counts: list[tuple[int, int]] = []
    weights = train_pipeline(
        tmp_path / "run",
        read_run(tmp_path / "run"),
        progress=lambda done, total, _: counts.append((done, total)),
        card_levels=(0, 4),
        watch_levels=(90_000, 90_001),
    )
    found = load_policy(weights).card
    assert found["training"]["exact"]["uniform_starts"] == 0.25 and found["training"]["imitation"] is None
    assert "exact gradients of the reward" in found["summary"] and any("value head" in w for w in found["weaknesses"])
    assert "--ppo-steps 0 --exact-samples 600 --uniform-starts 0.25 --mode easy " in found["training"]["command"]
    rows = read_history(tmp_path / "run")
    assert [row["stage"] for row in rows] == ["exact"] * len(rows) and rows[-1]["count"] >= 600
    assert 0 < rows[-1]["reward"] < 1 and set(counts) <= {(min(n, 600), 600) for n, _ in counts}
    logged = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload().Tags()["scalars"]
    assert {f"exact/{name}" for name in EXACT} <= set(logged)
    assert len(list((tmp_path / "run" / SNAPSHOTS).iterdir())) == len(rows)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"exact_samples": -1}, "exact-samples -1: give 0 to"),
        ({"exact_samples": 5, "uniform_starts": 1.5}, "uniform-starts 1.5: give 0 to 1"),
        ({"exact_samples": 5, "ppo_steps": 5}, "take the place of PPO; add --exact, or leave out --ppo-steps"),
        ({"exact_samples": 5, "teacher": "reflex"}, "leave out --exact-samples"),
        ({"samples": 5, "uniform_starts": 0.5}, "add --exact, or leave them out"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"^[^\n]*{says}"):
        TrainSpec(**{"samples": 0, "dagger_samples": (), "ppo_steps": 0, **options})


@pytest.mark.parametrize(
    "options",
    [{"passes": 0}, {"samples": 0}, {"mirror_step": 0.0}, {"entropy": -1.0}, {"uniform_starts": 2.0}, {"gamma": 1.0}],
)
def test_numbers_that_no_training_can_have(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"^exact: {next(iter(options))} is [^\n]*must be"):
        ExactConfig(**options)


def test_a_run_of_before_is_read_without_these_options(tmp_path: Path) -> None:
    spec = start_run(tmp_path / "run", TrainSpec(samples=512, dagger_samples=(), ppo_steps=0))
    options = json.loads((tmp_path / "run" / SPEC).read_text())
    for name in ("exact_samples", "uniform_starts"):
        del options[name]
    (tmp_path / "run" / SPEC).write_text(json.dumps(options))
    assert read_run(tmp_path / "run") == spec
