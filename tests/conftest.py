"""Shared fixtures: the shipped policy, small networks with known answers, the leak check."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from agents import hardware
from agents.checkpoints.zoo import load_policy
from agents.hardware import keep_freed_memory
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy
from envs.maze import Maze

SMALL_MAZE = """
.......
.#.####
.#.#...
.#.#.#.
.#...#.
.C##.#.
M#...#.
"""

keep_freed_memory()
torch.set_num_threads(1)  # sums in the same order everywhere; and two workers on two cores need no more


@pytest.fixture(scope="session")
def policy() -> MazePolicy:
    """The shipped policy."""
    return load_policy("region5")


@pytest.fixture(scope="session")
def maze() -> Maze:
    """Level 2: a decision square, cheese outside the top-right region."""
    return Maze.from_level(2)


@pytest.fixture(scope="session")
def small_maze() -> Maze:
    """A 7x7 maze of our own, shown by procgen, cheap to evaluate."""
    return Maze.from_ascii(SMALL_MAZE)


@pytest.fixture(scope="session")
def random_policy() -> MazePolicy:
    """A seeded random network: its moves depend on everything in the picture."""
    return MazePolicy(ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(1)), "random", "0" * 64)


@pytest.fixture
def one_thread(policy: MazePolicy) -> Iterator[None]:
    """Sums in the same order everywhere; and so little work is slower on more threads, far slower on a busy machine."""
    with hardware.one_thread():
        yield


@pytest.fixture(scope="session")
def one_pixel_net() -> ImpalaPolicyNet:
    """A known answer: each block's first convolution passes channel 0 on unmoved, residual branches give 0."""
    made = ImpalaPolicyNet(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
        for name, module in made.named_modules():
            if isinstance(module, nn.Conv2d) and name.count(".") == 2:
                module.weight[0, 0, 1, 1] = 1.0
    return made.eval()


def state_of(net: nn.Module) -> tuple[int, bool, list[tuple[int, int, int]]]:
    """Return the number of hooks, the training flag, and of each tensor its place, count of writes and checksum."""
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules())
    return (
        hooks,
        net.training,
        [
            (value.data_ptr(), value._version, zlib.adler32(value.detach().contiguous().numpy()))
            for value in net.state_dict(keep_vars=True).values()
        ],
    )


def digest_of(net: nn.Module) -> str:
    """Return a hash of the weights."""
    digest = hashlib.sha256()
    for value in net.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def same_weights(policy: MazePolicy, random_policy: MazePolicy) -> Iterator[None]:
    """Compare the weights of both networks by a strong hash, what fixtures between two tests wrote among them."""
    before = [digest_of(p.net) for p in (policy, random_policy)]
    yield
    assert [digest_of(p.net) for p in (policy, random_policy)] == before


@pytest.fixture
def leak_check(policy: MazePolicy, random_policy: MazePolicy, same_weights: None) -> Iterator[None]:
    """Hold that hooks and weights of both networks are as before, also after an exception.

    Torch counts the writes to a tensor; those that it does not count (``.data``, numpy) a checksum shows, which takes a
    millisecond, so that the test that wrote is the one that fails.
    """
    before = [state_of(p.net) for p in (policy, random_policy)]
    yield
    assert [state_of(p.net) for p in (policy, random_policy)] == before
