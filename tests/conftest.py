"""Shared fixtures: the shipped policy, small networks with known answers, the leak check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from agents.checkpoints.zoo import load_policy
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

# Minutes each: begun first, so that no worker is left alone with one of them while the others have nothing to do.
LONG = (
    "stopping",
    "agent_commands",
    "end_to_end",
    "cli",
    "executors",
    "effects",
    "imitation",
    "sweep_report",
    "store",
    "run",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = [f"test_{name}" for name in LONG]
    items.sort(key=lambda item: names.index(item.path.stem) if item.path.stem in names else len(names))


@pytest.fixture(scope="session")
def policy() -> MazePolicy:
    """The shipped policy."""
    torch.set_num_threads(2)
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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


def fingerprint(net: nn.Module) -> tuple[int, str, bool]:
    """Hooks registered anywhere, weights, training flag."""
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules())
    digest = hashlib.sha256()
    for value in net.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return hooks, digest.hexdigest(), net.training


@pytest.fixture
def leak_check(policy: MazePolicy, random_policy: MazePolicy) -> Iterator[None]:
    """Hooks and weights of both networks are as before, also after an exception."""
    before = [fingerprint(p.net) for p in (policy, random_policy)]
    yield
    assert [fingerprint(p.net) for p in (policy, random_policy)] == before
