"""On-policy imitation: whose word the labels are, which walks are given up, the same again, taken up again."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.networks.impala import ImpalaPolicyNet
from agents.training.dagger import DaggerConfig, Walkers, train_dagger
from envs.actions import ACTION_FOR_MOVE, STEP_OF_MOVE, Move
from envs.errors import InputError
from envs.maze import Cell, Maze

TINY = DaggerConfig(samples=16 * 6, n_envs=8, random_states=8, levels_per_batch=2, block=4, warmup_samples=16)


def _start() -> ImpalaPolicyNet:
    return ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(5))


def _distances(maze: Maze) -> dict[Cell, int]:
    """Breadth-first search written out, independent of scipy."""
    assert maze.cheese is not None
    found, queue = {maze.cheese: 0}, deque([maze.cheese])
    while queue:
        cell = queue.popleft()
        for near in maze.neighbours(cell):
            if near not in found:
                found[near] = found[cell] + 1
                queue.append(near)
    return found


@pytest.mark.parametrize("mode", ["hard", "easy"])
def test_labels_lead_to_the_cheese_wherever_the_mice_are(mode: str) -> None:
    walkers = Walkers(replace(TINY, mode=mode), seed=1)
    rng = np.random.default_rng(0)
    try:
        for _ in range(30):
            moves, steps = walkers.labels()
            env = walkers._env
            for maze, state, move, left in zip(env.mazes, env.states, moves, steps, strict=True):
                assert maze.level is not None and maze.level >= 1_000_000 and maze.mode == mode
                assert maze.cheese in maze.region(5)
                distances = _distances(maze)
                dx, dy = STEP_OF_MOVE[Move(int(move))]
                assert distances[state.cell] == left
                assert distances[(state.cell[0] + dx, state.cell[1] + dy)] == left - 1
            shown = np.concatenate([m.observations([s]) for m, s in zip(env.mazes, env.states, strict=True)])
            assert np.array_equal(shown, walkers.frames)
            walkers.act(rng.integers(15, size=TINY.n_envs))
    finally:
        walkers.close()


def test_a_walk_that_meets_nothing_new_is_given_up_and_no_other() -> None:
    walkers = Walkers(replace(TINY, patience=3), seed=2)
    env = walkers._env
    given_up = 0
    try:
        for _ in range(30):
            mazes, (moves, steps) = env.mazes, walkers.labels()
            actions = np.array([ACTION_FOR_MOVE[Move(int(move))] for move in moves])
            actions[0] = ACTION_FOR_MOVE[Move.NOOP]
            walkers.act(actions)
            changed = [before is not after for before, after in zip(mazes, env.mazes, strict=True)]
            assert changed[1:] == (steps[1:] == 1).tolist()  # those at the cheese
            given_up += changed[0]
            shown = np.concatenate([m.observations([s]) for m, s in zip(env.mazes, env.states, strict=True)])
            assert np.array_equal(shown, walkers.frames)
        assert given_up == 30 // 3
    finally:
        walkers.close()


def test_same_options_same_weights(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    nets = [train_dagger(TINY, tmp_path / name, _start()) for name in "ab"]
    states = [net.state_dict() for net in nets]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["fc_policy.weight"], _start().state_dict()["fc_policy.weight"])


def test_taken_up_again_it_goes_on(tmp_path: Path) -> None:
    seen: list[int] = []

    class Stop(Exception):
        pass

    def stop(done: int, figures: dict[str, float]) -> None:
        seen.append(done)
        if len(seen) == 2:
            raise Stop

    longer = DaggerConfig(samples=16 * 60, n_envs=8, random_states=8, levels_per_batch=2, block=4, warmup_samples=16)
    with pytest.raises(Stop):
        train_dagger(longer, tmp_path, _start(), save_every_seconds=0.0, progress=stop)
    assert seen == [16 * 20, 16 * 40]
    saved = torch.load(tmp_path / "dagger.pt", weights_only=True)
    assert 16 * 20 < saved["samples"] <= 16 * 40
    counts: list[int] = []
    train_dagger(longer, tmp_path, _start(), progress=lambda done, _: counts.append(done))
    assert counts == [16 * 40, 16 * 60], "from the beginning it would tell of 16 * 20 again"
    assert torch.load(tmp_path / "dagger.pt", weights_only=True)["samples"] == longer.samples
    with pytest.raises(InputError, match="learning_rate"):
        train_dagger(DaggerConfig(**{**longer.__dict__, "learning_rate": 1.0}), tmp_path, _start())


def test_bad_options_are_refused() -> None:
    with pytest.raises(InputError, match="n_envs"):
        DaggerConfig(n_envs=0)
