"""Hooks and partial re-execution: two computations that must agree, and leave nothing behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks.policy import MazePolicy, to_input
from envs.errors import InputError
from envs.maze import Maze
from steering.interventions.edits import Intervention, add, subtract
from steering.interventions.hooks import HookedPolicy
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import enumerate_sites
from steering.interventions.vectors import SteeringVector, provenance


class Doubler(nn.Module):
    """Known answers: the first 15 pixels times two, cut off at zero; the value is their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Flatten()
        self.second = nn.Linear(3 * 64 * 64, 15, bias=False)
        self.relu = nn.ReLU()
        self.value = nn.Linear(15, 1, bias=False)
        with torch.no_grad():
            self.second.weight.zero_()
            for i in range(15):
                self.second.weight[i, i] = 2.0
            self.value.weight.fill_(1.0)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.relu(self.second(self.first(x)))
        return hidden, self.value(hidden)


@pytest.fixture
def frames(small_maze: Maze) -> torch.Tensor:
    return to_input(small_maze.observations()[:6])


def _noise(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Bypassed(nn.Module):
    """The value is read beside the site, and shapes are asked for: what a rerun of some states must not mix up."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 2, 3)
        self.second = nn.Conv2d(2, 2, 3)
        self.read = nn.Linear(2 * 60 * 60, 15)
        self.value = nn.Linear(3 * 64 * 64, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count = x.shape[0]
        hidden = self.second(torch.relu(self.first(x)))
        return self.read(hidden.reshape(count, -1)), self.value(x.reshape(count, -1))


@pytest.mark.parametrize("site", ["input", "first", "second"])
def test_some_states_run_again_as_in_a_batch_of_their_own(site: str, frames: torch.Tensor) -> None:
    net = Bypassed()
    partial = PartialNetwork(net)
    which = torch.tensor([4, 0, 4, 2, 1, 1, 3, 5])
    some = partial.states(partial.clean(frames), site, which)
    for edits in ({site: lambda a: a}, {site: lambda a: a * 1.5 + 0.1}):
        for found, own in zip(partial.rerun(some, edits), HookedPolicy(net).run(frames[which], edits)[:2], strict=True):
            torch.testing.assert_close(found, own)


def test_known_answer_network() -> None:
    net = Doubler()
    x = torch.zeros(1, 3, 64, 64)
    x[0, 0, 0, :15] = torch.arange(15.0)
    partial = PartialNetwork(net)
    clean = partial.clean(x)
    for run in (lambda edits: HookedPolicy(net).run(x, edits)[:2], lambda edits: partial.rerun(clean, edits)):
        logits, value = run({})
        assert torch.equal(logits[0], 2.0 * torch.arange(15.0)) and float(value) == 210.0
        logits, value = run({"second": lambda a: a - 4.0})
        assert torch.equal(logits[0], (2.0 * torch.arange(15.0) - 4.0).clamp(min=0))
        logits, _ = run({"input": lambda a: a + 1.0, "relu": lambda a: a * 10.0})
        assert torch.equal(logits[0], 20.0 * (torch.arange(15.0) + 1.0))


def test_every_site_hooked_equals_partial_bit_for_bit(policy: MazePolicy, frames: torch.Tensor) -> None:
    partial = PartialNetwork(policy.net)
    clean = partial.clean(frames)
    assert all(torch.equal(a, b) for a, b in zip(partial.outputs(clean), policy.net(frames), strict=True))
    for seed, site in enumerate(enumerate_sites(policy.net)):
        noise = _noise(site.shape, seed)
        edits = {site.name: lambda a, noise=noise: a + noise}
        hooked = HookedPolicy(policy.net).run(frames, edits)[:2]
        rerun = partial.rerun(clean, edits)
        assert torch.equal(hooked[0], rerun[0]) and torch.equal(hooked[1], rerun[1]), site.name
        assert not torch.equal(hooked[0], partial.outputs(clean)[0]), f"{site.name}: the edit had no effect"


def test_edits_at_several_sites_compose(policy: MazePolicy, frames: torch.Tensor) -> None:
    partial = PartialNetwork(policy.net)
    clean = partial.clean(frames)
    sites = {s.name: s for s in enumerate_sites(policy.net)}
    chosen = ["embedder.block3.res1.conv2", "embedder.block1.maxpool", "embedder.fc"]
    noise = {name: _noise(sites[name].shape, i) for i, name in enumerate(chosen)}
    edits = {name: lambda a, name=name: a - noise[name] for name in chosen}
    hooked = HookedPolicy(policy.net).run(frames, edits)[0]
    assert torch.equal(hooked, partial.rerun(clean, edits)[0])
    assert not torch.equal(hooked, partial.rerun(clean, {"embedder.fc": edits["embedder.fc"]})[0])


def test_clean_values_survive_a_rerun(policy: MazePolicy, frames: torch.Tensor) -> None:
    partial = PartialNetwork(policy.net)
    clean = partial.clean(frames)
    before = {node: value.clone() for node, value in clean.items() if isinstance(value, torch.Tensor)}
    partial.rerun(clean, {"embedder.block2.maxpool": lambda a: a * 0.0})
    assert all(torch.equal(clean[node], value) for node, value in before.items())


def test_captured_activation_is_the_edited_one(policy: MazePolicy, frames: torch.Tensor) -> None:
    site = "embedder.block2.res1.resadd"
    _, _, seen = HookedPolicy(policy.net).run(frames, {site: torch.zeros_like}, capture=[site])
    assert float(seen[site].abs().max()) == 0.0


def test_unknown_site_and_misfit_are_one_line_errors(policy: MazePolicy, frames: torch.Tensor) -> None:
    with pytest.raises(InputError, match="no site"):
        HookedPolicy(policy.net).run(frames, {"embedder.block9.conv": lambda a: a})
    partial = PartialNetwork(policy.net)
    clean = partial.clean(frames)
    for runner in (
        lambda edits: HookedPolicy(policy.net).run(frames, edits),
        lambda edits: partial.rerun(clean, edits),
    ):
        with pytest.raises(InputError, match=r"embedder\.fc"):
            runner({"embedder.fc": lambda a: a[:, :3]})


def test_hooks_are_gone_after_an_exception(policy: MazePolicy, frames: torch.Tensor) -> None:
    def broken(_: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        HookedPolicy(policy.net).run(frames, {"embedder.fc": broken, "embedder.relu3": lambda a: a})
    # the autouse fixture compares hook counts and weights


def test_interventions_compose_and_cancel(policy: MazePolicy, frames: torch.Tensor) -> None:
    site = "embedder.block2.res1.resadd"
    shape = {s.name: s.shape for s in enumerate_sites(policy.net)}[site]
    vector = SteeringVector(site, _noise(shape, 3), provenance(kind="test"))
    both = (subtract(vector) + add(vector)).by_site()
    clean = policy.net(frames)[0]
    assert torch.allclose(HookedPolicy(policy.net).run(frames, both)[0], clean, atol=1e-4)
    assert torch.equal(HookedPolicy(policy.net).run(frames, Intervention().by_site())[0], clean)
    nothing = HookedPolicy(policy.net).run(frames, subtract(vector, 0.0).by_site())[0]
    assert np.array_equal(nothing.numpy(), clean.numpy())


def test_what_a_pass_keeps_is_enough_for_a_rerun_of_any_of_its_rows(
    random_policy: MazePolicy, frames: torch.Tensor
) -> None:
    """Of two sites, wherever they stand; bit for bit what a rerun from all values gives."""
    network = PartialNetwork(random_policy.net)
    clean, rows = network.clean(frames), torch.tensor([4, 1, 5])
    some = network.clean(frames[rows])
    sites = enumerate_sites(random_policy.net)
    for first, second in zip(sites, sites[7:] + sites[:7], strict=True):
        edits = {
            site.name: add(SteeringVector(site.name, _noise(site.shape, site.depth), provenance())).by_site()[site.name]
            for site in (first, second)
        }
        logits, values, kept = network.passed(frames, edits)
        assert all(map(torch.equal, (logits, values), network.outputs(clean)))
        assert kept is not None and len(kept) < len(clean)
        again = network.rerun({node: value[rows] for node, value in kept.items()}, edits)
        for found, expected in zip(again, network.rerun(some, edits), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        assert all(map(torch.equal, network.rerun(kept, edits), network.rerun(clean, edits)))
    assert network.passed(frames)[2] is None
    with pytest.raises(InputError, match="no site"):
        network.passed(frames, ["nowhere"])
