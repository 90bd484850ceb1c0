"""Located patching: what must hold of any network, and a network whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks.policy import MazePolicy, as_policy, move_probabilities, to_input
from envs.maze import Maze
from steering.interventions.hooks import HookedPolicy
from steering.interventions.places import block_of, place_patch, units_in
from steering.interventions.sites import Site, find_site, select_sites
from steering.planning.located import PATCHES, PLACES, Patched, Shown, chunks, patched, shown_cheese, shown_detour
from steering.planning.maps import block_effects
from steering.planning.measure import map_sites
from steering.planning.pairs import Goal, Kind, drawn_pairs, frames_of

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


def test_the_random_place_is_as_far_from_both_as_they_are_apart_or_as_there_is_room(shown: list[Shown]) -> None:
    held = 0
    for pair in shown:
        source, mouse = (np.argwhere(place) for place in pair.places[:2])
        apart = min(np.abs(mouse - block).max(axis=1).min() for block in source)
        far = {  # of every other block, from source and mouse, as the king walks
            (row, column): min(np.abs(np.concatenate([source, mouse]) - (row, column)).max(axis=1).min(), apart)
            for row, column in np.argwhere(~pair.places[:2].any(axis=0))
        }
        chosen = {(row, column) for row, column in np.argwhere(pair.random)}
        assert min(far[block] for block in chosen) >= max(far[block] for block in far.keys() - chosen)
        held += min(far[block] for block in chosen) == apart
    assert held  # in some there is room for all of it


def test_at_the_input_only_the_source_carries_and_all_of_it(found: Patched) -> None:
    assert (found.apart > 0).all()
    np.testing.assert_allclose(found.carried[0, PLACES.index("source")], 0, atol=1e-6)
    np.testing.assert_allclose(found.needed[0, PLACES.index("source")], 0, atol=1e-6)
    for name in (*PLACES[1:], "random"):
        np.testing.assert_allclose(found.carried[0, PATCHES.index(name)], found.apart, atol=1e-6)
        np.testing.assert_allclose(found.needed[0, PATCHES.index(name)], found.apart, atol=1e-6)


def test_all_places_together_carry_all_and_none_carries_nothing(random_policy: MazePolicy, shown: list[Shown]) -> None:
    whole, none = np.ones((8, 8), dtype=bool), np.zeros((8, 8), dtype=bool)
    pairs = [Shown(p.mazes, p.state, p.distance, np.stack([whole, none, none, none]), none, p.nearest) for p in shown]
    result = patched(random_policy, pairs, sites_of(random_policy))
    np.testing.assert_allclose(result.carried[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(result.needed[:, 0], 0, atol=1e-6)
    for k in (1, 2, 3, 4):
        for site in result.carried[:, k]:
            np.testing.assert_allclose(site, result.apart, atol=1e-6)


def test_patches_are_those_of_whole_runs_with_hooks(
    random_policy: MazePolicy, shown: list[Shown], found: Patched
) -> None:
    """Nothing that a patch leaves as it is is run again; the results are those of running everything."""
    hooked = HookedPolicy(random_policy.net)
    pairs = shown[:3]
    frames = [to_input(frames_of((pair.mazes[side], pair.state) for pair in pairs)) for side in (0, 1)]
    aims = [move_probabilities(hooked.run(x)[0]).numpy() for x in frames]
    np.testing.assert_allclose(found.apart[:3], np.abs(aims[0] - aims[1]).sum(1) / 2, atol=1e-6)
    for s, site in enumerate(sites_of(random_policy)):
        inside = [hooked.run(x, capture=[site.name])[2][site.name] for x in frames]
        for k in range(len(PLACES)):
            places = np.stack([pair.places[k] for pair in pairs])
            for side, result in enumerate((found.carried, found.needed)):
                edit = place_patch(site, places, inside[1 - side])
                moves = move_probabilities(hooked.run(frames[side], {site.name: edit})[0]).numpy()
                np.testing.assert_allclose(result[s, k, :3], np.abs(moves - aims[1 - side]).sum(1) / 2, atol=1e-6)


def test_more_pairs_than_one_pass_holds_are_split_evenly(shown: list[Shown]) -> None:
    parts = list(chunks([shown[0]] * 33))
    assert [len(part) for part in parts] == [17, 16] and [len(part) for part in chunks(shown[:1])] == [1]


def test_the_reverse_is_the_reverse(random_policy: MazePolicy, shown: list[Shown]) -> None:
    """Carried of (A, B) is needed of (B, A)."""
    turned = [Shown((p.mazes[1], p.mazes[0]), p.state, p.distance, p.places, p.random, p.nearest) for p in shown]
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


def fetcher(pair: Shown) -> MazePolicy:
    """A network that reads at the mouse, and there what a layer fetches from the first changed cell."""
    changed = np.argwhere(pair.mazes[0].state.grid != pair.mazes[1].state.grid)[0]  # row from the bottom, column
    tile = 64 / 25
    here = pair.mazes[0].outer([pair.state.cell])[0]
    shift = (-round((changed[0] - here[1]) * tile), round((changed[1] - here[0]) * tile))
    return as_policy(Looker(pair.places[1], shift))


def test_a_network_that_fetches_a_far_pixel_hands_over_where_it_does(shown: list[Shown]) -> None:
    pair = shown[0]
    policy = fetcher(pair)
    sites = [site for site in select_sites("trunk", policy.net) if site.units is not None]
    assert [site.name for site in sites] == ["input", "local", "carry", "after"]
    result = patched(policy, [pair], sites)
    carried = 1 - result.carried[:, :2, 0] / result.apart
    np.testing.assert_allclose(carried, [[1, 0], [1, 0], [0, 1], [0, 1]], atol=1e-5)
    near = as_policy(Looker(pair.places[1], (0, 0)))  # sees its own block only: the pair is all the same to it
    assert patched(near, [pair], sites[:1]).apart == pytest.approx(0, abs=1e-6)


def test_maps_show_the_far_pixel_where_it_is_until_it_is_fetched(shown: list[Shown]) -> None:
    """Block by block: all that is carried lies in the source before the layer that fetches it, then at the mouse."""
    pair = shown[0]
    policy = fetcher(pair)
    sites = [site for site in select_sites("trunk", policy.net) if site.units is not None]
    found = block_effects(policy, [pair], sites)
    assert tuple(found.mouse[0]) == block_of(pair.mazes[0], pair.state.cell)
    assert tuple(found.source[0]) == block_of(pair.mazes[0], pair.nearest)
    carried = 1 - found.rest[:, 0] / found.apart[0]
    for s, place in enumerate((0, 0, 1, 1)):  # places of the source and of the mouse
        assert carried[s][pair.places[place]].max() > 0.1
        np.testing.assert_allclose(found.rest[s, 0][~pair.places[place]], found.apart[0], atol=1e-5)


def test_a_block_of_a_map_is_the_place_of_that_block(random_policy: MazePolicy, shown: list[Shown]) -> None:
    sites, pairs = sites_of(random_policy), shown[:3]
    maps = block_effects(random_policy, pairs, sites)
    np.testing.assert_array_equal(maps.apart, patched(random_policy, pairs, sites).apart)
    for k, pair in enumerate(pairs):
        for row, column in (tuple(maps.source[k]), tuple(maps.mouse[k]), (3, 3)):
            place = np.zeros((4, 8, 8), dtype=bool)
            place[0, row, column] = True
            one = Shown(pair.mazes, pair.state, pair.distance, place, place[1], pair.nearest)
            alone = patched(random_policy, [one], sites).carried[:, 0, 0]
            np.testing.assert_allclose(maps.rest[:, k, row, column], alone, atol=1e-6)


class Pointwise(nn.Module):
    """Every unit sees one pixel; the whole picture is read at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(4, 4, 1)
        self.flatten = nn.Flatten()
        self.read = nn.Linear(4 * 64 * 64, 15)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.read(self.flatten(self.second(self.relu(self.first(x)))))
        return logits


def test_where_units_see_one_pixel_nothing_leaves_the_source(shown: list[Shown]) -> None:
    policy = as_policy(Pointwise())
    sites = [site for site in select_sites("trunk", policy.net) if site.units is not None]
    assert [site.name for site in sites] == ["input", "first", "relu", "second"]
    result = patched(policy, shown, sites)
    assert (result.apart > 1e-4).all()
    for rest in (result.carried, result.needed):
        np.testing.assert_allclose(rest[:, PLACES.index("source")], 0, atol=1e-5)
        for name in (*PLACES[1:], "random"):
            np.testing.assert_array_equal(rest[:, PATCHES.index(name)], np.tile(result.apart, (len(sites), 1)))


def test_the_four_places_are_all_there_is(random_policy: MazePolicy, shown: list[Shown]) -> None:
    """At every trunk site with a map: each unit is in one of the four; all four at once carry everything."""
    pair, sites = shown[0], map_sites(random_policy)
    union = np.tile(pair.places.any(axis=0), (4, 1, 1))
    together = Shown(pair.mazes, pair.state, pair.distance, union, pair.random, pair.nearest)
    np.testing.assert_allclose(patched(random_policy, [together], sites).carried[:, :4], 0, atol=1e-6)
    assert len(sites) == 14
    for site in sites:
        assert (units_in(site, pair.places).sum(axis=0) == 1).all()
