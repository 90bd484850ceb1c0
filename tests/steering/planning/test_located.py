"""Located patching: what must hold of any network, and a network whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks.policy import MazePolicy, as_policy
from envs.maze import Maze
from steering.interventions.sites import Site, find_site, select_sites
from steering.planning.located import PATCHES, PLACES, Patched, Shown, patched, shown_cheese, shown_detour
from steering.planning.pairs import Goal, Kind, drawn_pairs

SITES = ("input", "embedder.block1.maxpool", "embedder.block2.res1.resadd", "embedder.block3.maxpool", "embedder.relu3")


@pytest.fixture(scope="module")
def shown() -> list[Shown]:
    rng = np.random.default_rng(0)
    pairs = [p for seed in (2, 100) for p in drawn_pairs(Maze.from_level(seed), Kind.DETOUR, Goal.CORNER, 6, 0)]
    found = [shown_detour(pair, rng) for pair in pairs]
    return [each for each in found if each is not None]


def sites_of(policy: MazePolicy) -> list[Site]:
    return [find_site(policy.net, name) for name in SITES]


@pytest.fixture(scope="module")
def found(random_policy: MazePolicy, shown: list[Shown]) -> Patched:
    return patched(random_policy, shown, sites_of(random_policy))


def test_places_cover_the_picture_once_and_source_and_mouse_do_not_touch(shown: list[Shown]) -> None:
    assert len(shown) > 5
    for pair in shown:
        assert (pair.places.sum(axis=0) == 1).all()
        source, mouse = pair.places[:2]
        assert pair.random.sum() == source.sum() and not (pair.random & (source | mouse)).any()
    maze = Maze.from_level(2)
    rng = np.random.default_rng(0)
    together = [shown_cheese(maze, state, rng) for state in maze.states if state.cell != maze.cheese]
    assert None in together and any(each is not None for each in together)


def test_at_the_input_only_the_source_carries_and_all_of_it(found: Patched) -> None:
    assert (found.apart > 0).all()
    np.testing.assert_allclose(found.carried[0, PLACES.index("source")], 0, atol=1e-6)
    np.testing.assert_allclose(found.needed[0, PLACES.index("source")], 0, atol=1e-6)
    for name in (*PLACES[1:], "random"):
        np.testing.assert_allclose(found.carried[0, PATCHES.index(name)], found.apart, atol=1e-6)
        np.testing.assert_allclose(found.needed[0, PATCHES.index(name)], found.apart, atol=1e-6)


def test_all_places_together_carry_all_and_none_carries_nothing(random_policy: MazePolicy, shown: list[Shown]) -> None:
    whole, none = np.ones((8, 8), dtype=bool), np.zeros((8, 8), dtype=bool)
    pairs = [Shown(p.mazes, p.state, p.distance, np.stack([whole, none, none, none]), none) for p in shown]
    result = patched(random_policy, pairs, sites_of(random_policy))
    np.testing.assert_allclose(result.carried[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(result.needed[:, 0], 0, atol=1e-6)
    for k in (1, 2, 3, 4):
        for site in result.carried[:, k]:
            np.testing.assert_allclose(site, result.apart, atol=1e-6)


def test_the_reverse_is_the_reverse(random_policy: MazePolicy, shown: list[Shown]) -> None:
    """Carried of (A, B) is needed of (B, A)."""
    turned = [Shown((p.mazes[1], p.mazes[0]), p.state, p.distance, p.places, p.random) for p in shown]
    one, two = (patched(random_policy, pairs, sites_of(random_policy)) for pairs in (shown, turned))
    np.testing.assert_array_equal(one.carried, two.needed)
    np.testing.assert_array_equal(one.needed, two.carried)


def test_pairs_do_not_depend_on_others(random_policy: MazePolicy, shown: list[Shown], found: Patched) -> None:
    own = [k for k, name in enumerate(PATCHES) if name != "other"]
    alone = patched(random_policy, shown[3:4], sites_of(random_policy))
    np.testing.assert_allclose(alone.carried[:, own, 0], found.carried[:, own, 3], atol=1e-6)


class Looker(nn.Module):
    """Reads the mouse's block only; what is known there comes from ``shift`` pixels away, at layer ``carry``."""

    def __init__(self, mouse: np.ndarray, shift: tuple[int, int]) -> None:
        super().__init__()
        self.local = nn.Conv2d(3, 3, 1, bias=False)
        far = max(map(abs, shift))
        self.carry = nn.Conv2d(3, 3, 2 * far + 1, padding=far, groups=3, bias=False)
        self.after = nn.Conv2d(3, 3, 1, bias=False)
        self.flatten = nn.Flatten()
        self.read = nn.Linear(3 * 64 * 64, 15, bias=False)
        rng = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for conv in (self.local, self.after):
                conv.weight.copy_(torch.eye(3)[:, :, None, None])
            self.carry.weight.zero_()
            self.carry.weight[:, 0, far + shift[0], far + shift[1]] = 1.0
            where = torch.from_numpy(np.kron(mouse, np.ones((8, 8), dtype=bool))).expand(3, 64, 64).reshape(-1)
            self.read.weight.copy_(torch.rand(self.read.weight.shape, generator=rng) * where)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.read(self.flatten(self.after(self.carry(self.local(x)))))
        return logits


def test_a_network_that_fetches_a_far_pixel_hands_over_where_it_does(shown: list[Shown]) -> None:
    pair = shown[0]
    changed = np.argwhere(pair.mazes[0].state.grid != pair.mazes[1].state.grid)[0]  # row from the bottom, column
    tile = 64 / 25
    here = pair.mazes[0].outer([pair.state.cell])[0]
    shift = (-round((changed[0] - here[1]) * tile), round((changed[1] - here[0]) * tile))
    policy = as_policy(Looker(pair.places[1], shift))
    sites = [site for site in select_sites("trunk", policy.net) if site.units is not None]
    assert [site.name for site in sites] == ["input", "local", "carry", "after"]
    result = patched(policy, [pair], sites)
    carried = 1 - result.carried[:, :2, 0] / result.apart
    np.testing.assert_allclose(carried, [[1, 0], [1, 0], [0, 1], [0, 1]], atol=1e-5)
    near = as_policy(Looker(pair.places[1], (0, 0)))  # sees its own block only: the pair is all the same to it
    assert patched(near, [pair], sites[:1]).apart == pytest.approx(0, abs=1e-6)
