"""From frames to moves: probabilities, sampling, refused input."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from agents.networks.policy import MazePolicy, move_log_probabilities, move_probabilities, sample_rows, to_input
from envs.actions import ACTIONS_OF_MOVE, Move
from envs.errors import InputError
from envs.maze import Maze


@pytest.fixture(scope="module")
def logits() -> torch.Tensor:
    return 5 * torch.randn(64, 15, generator=torch.Generator().manual_seed(0))


def test_move_probabilities_are_sums_over_actions(logits: torch.Tensor) -> None:
    p = np.exp(logits.double().numpy())
    p /= p.sum(axis=1, keepdims=True)
    found = move_probabilities(logits).numpy()
    for move in Move:
        np.testing.assert_allclose(found[:, move], p[:, list(ACTIONS_OF_MOVE[move])].sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


def test_log_version_agrees_also_where_probabilities_underflow(logits: torch.Tensor) -> None:
    torch.testing.assert_close(move_log_probabilities(logits.double()).exp(), move_probabilities(logits))
    extreme = torch.zeros(1, 15)
    extreme[0, 5] = 2000.0  # up
    found = move_log_probabilities(extreme)[0]
    assert torch.isfinite(found).all() and found[Move.UP] == 0
    assert math.isclose(found[Move.LEFT].item(), math.log(3) - 2000, rel_tol=1e-6)


def test_input_is_rgb_over_255_channels_first() -> None:
    frames = np.random.default_rng(0).integers(256, size=(2, 64, 64, 3), dtype=np.uint8)
    x = to_input(frames)
    assert x.shape == (2, 3, 64, 64) and x.dtype == torch.float32
    for n, row, column, channel in [(0, 0, 0, 0), (1, 5, 60, 2), (0, 63, 1, 1)]:
        assert x[n, channel, row, column] == np.float32(frames[n, row, column, channel]) / np.float32(255)
    torch.testing.assert_close(to_input(frames[:, ::-1]), x.flip(2))


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 3, 64, 64), np.uint8),
        np.zeros((1, 32, 64, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(policy: MazePolicy, frames: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"^observations are .*, expected uint8\[n, 64, 64, 3\]$"):
        policy.move_probabilities(frames)


def test_probabilities_do_not_depend_on_the_batch(policy: MazePolicy) -> None:
    frames = Maze.from_level(4).observations()
    assert len(frames) > 256
    together = policy.move_probabilities(frames)
    assert together.shape == (len(frames), 5) and together.dtype == np.float64
    np.testing.assert_allclose(policy.move_probabilities(frames[::-1])[::-1], together, atol=1e-5)
    np.testing.assert_allclose(policy.move_probabilities(frames[7:8]), together[7:8], atol=1e-5)
    np.testing.assert_array_equal(policy.move_probabilities(frames), together)


def test_predict_samples_the_policy(policy: MazePolicy, small_maze: Maze) -> None:
    frames = small_maze.observations()
    p = torch.softmax(policy.logits_and_values(frames)[0].double(), -1).numpy()
    widest = int(np.argmin(p.max(axis=1)))
    n = 1500
    actions, state = policy.predict(np.broadcast_to(frames[widest], (n, 64, 64, 3)), rng=np.random.default_rng(3))
    assert state is None
    expected = p[widest]
    share = np.bincount(actions, minlength=15) / n
    assert (np.abs(share - expected) <= 5 * np.sqrt(expected * (1 - expected) / n) + 1 / n).all()
    greedy, _ = policy.predict(frames, deterministic=True)
    np.testing.assert_array_equal(greedy, p.argmax(axis=1))


def test_sampling_is_the_inverse_of_the_cumulative_distribution() -> None:
    p = np.array([[0.25, 0.0, 0.5, 0.25]])
    uniform = np.linspace(0, 1, 1000, endpoint=False)
    found = sample_rows(np.repeat(p, 1000, axis=0), uniform)
    np.testing.assert_array_equal(np.bincount(found, minlength=4), [250, 0, 500, 250])
    # Rounding in the cumulative sum never yields an index out of range.
    thirds = np.full((1, 3), 1 / 3 - 1e-12)
    assert sample_rows(thirds, np.array([1 - 1e-16]))[0] == 2


def test_sampling_needs_a_generator_and_repeats_with_it(policy: MazePolicy, small_maze: Maze) -> None:
    frames = small_maze.observations()
    with pytest.raises(InputError, match="explicit rng"):
        policy.predict(frames)
    torch.manual_seed(0)
    first, _ = policy.predict(frames, rng=np.random.default_rng(1))
    torch.manual_seed(1)
    np.random.default_rng(5).random()
    second, _ = policy.predict(frames, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(first, second)


def test_networks_are_frozen(policy: MazePolicy) -> None:
    assert not policy.net.training and not any(p.requires_grad for p in policy.net.parameters())


FORKED = """
import os, signal, torch
from agents.checkpoints.zoo import load_policy
import numpy as np
torch.set_num_threads(2)
policy, frames = load_policy("region5"), np.zeros((64, 64, 64, 3), np.uint8)
expected = policy.move_probabilities(frames)
child = os.fork()
if child == 0:
    signal.alarm(120)
    os._exit(0 if np.allclose(policy.move_probabilities(frames), expected) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_computes_though_the_threads_of_torch_stayed_with_its_parent() -> None:
    """It would wait for them for ever; the alarm ends it then."""
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
