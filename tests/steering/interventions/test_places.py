"""Places: the same pixels at every site, each unit where the centre of what it sees lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks.impala import ImpalaPolicyNet
from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from envs.simulator.state_layout import WORLD_DIM
from steering.interventions.edits import ablate, patch_place
from steering.interventions.hooks import HookedPolicy
from steering.interventions.partial import PartialNetwork
from steering.interventions.places import (
    BLOCKS,
    block_of_units,
    blocks_around,
    place_patch,
    units_around,
    units_in,
)
from steering.interventions.sites import Site, enumerate_sites, find_site
from steering.interventions.vectors import SteeringVector, provenance


def maps(net: nn.Module) -> list[Site]:
    return [site for site in enumerate_sites(net) if site.units is not None]


def seen_by(net: nn.Module, site: Site, row: int, column: int) -> tuple[float, float]:
    """The middle of the pixels on which one unit depends, by its gradient; all weights are positive."""
    x = torch.ones(1, 3, 64, 64, requires_grad=True)
    seen: dict[str, torch.Tensor] = {}
    if site.name == "input":
        return float(row), float(column)
    module = net.get_submodule(site.name)
    handle = module.register_forward_hook(lambda _m, _i, out: seen.update(out=out))
    try:
        net(x)
    finally:
        handle.remove()
    seen["out"][0, :, row, column].sum().backward()
    assert x.grad is not None
    rows, columns = np.nonzero(x.grad[0].abs().sum(0).numpy())
    return (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2


@pytest.mark.parametrize("build", [lambda: ImpalaPolicyNet(1), lambda: NaturePolicyNet()])
def test_centres_are_those_of_the_pixels_that_a_unit_depends_on(build: type[nn.Module]) -> None:
    net = build()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.fill_(0.01 if name.endswith("weight") else 0.0)
    for module in net.modules():  # max pooling hands the gradient to one pixel only; the mean sees the same square
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    found = maps(net.eval())
    assert len(found) >= 4
    checked = 0
    for site in found:
        assert site.units is not None
        start, jump = site.units
        side = site.receptive_field
        row, column = site.shape[1] // 2, site.shape[2] // 2 - 1
        centres = [start + index * jump for index in (row, column)]
        if side is None or min(centres) < side / 2 or max(centres) + side / 2 > 64:
            continue  # it sees the edge of the picture
        assert seen_by(net, site, row, column) == (start + row * jump, start + column * jump), site.name
        checked += 1
    assert checked >= 4


def test_every_unit_is_in_one_block_and_a_place_is_the_same_pixels_everywhere(policy: MazePolicy) -> None:
    found = maps(policy.net)
    assert {site.name for site in found} == {s.name for s in enumerate_sites(policy.net) if len(s.shape) == 3}
    for site in found:
        rows, columns = block_of_units(site)
        np.testing.assert_array_equal(rows, np.arange(site.shape[1]) * BLOCKS // site.shape[1])
        np.testing.assert_array_equal(columns, rows)
        each = np.eye(BLOCKS * BLOCKS, dtype=bool).reshape(-1, BLOCKS, BLOCKS)
        assert (units_in(site, each).sum(axis=0) == 1).all()


@pytest.mark.parametrize(("level", "mode"), [(2, "hard"), (6, "easy")])
def test_blocks_around_cells_are_those_that_their_tiles_touch(level: int, mode: str) -> None:
    maze = Maze.from_level(level, mode)
    tile = 64 / WORLD_DIM[mode]
    for cell in maze.cells[::9]:
        for margin in (0, 1):
            x, y = (int(v) for v in maze.outer([cell])[0])
            touched = np.zeros((BLOCKS, BLOCKS), dtype=bool)
            for column in np.arange(max((x - margin) * tile, 0), min((x + 1 + margin) * tile, 64), 0.01):
                for row in (64 - (y + 1 + margin) * tile + 0.005, 64 - (y - margin) * tile - 0.005):
                    touched[int(min(max(row, 0), 63) // 8), int(column // 8)] = True
            rows = touched.any(axis=1).nonzero()[0]
            touched[rows.min() : rows.max() + 1, touched.any(axis=0)] = True
            np.testing.assert_array_equal(blocks_around(maze, [cell], margin), touched)
    both = blocks_around(maze, maze.cells[:2])
    np.testing.assert_array_equal(both, blocks_around(maze, maze.cells[:1]) | blocks_around(maze, maze.cells[1:2]))


def test_a_patch_replaces_the_units_of_its_place_and_no_other(random_policy: MazePolicy) -> None:
    site = find_site(random_policy.net, "embedder.block2.maxpool")
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(2, *site.shape, generator=generator) for _ in range(2))
    places = np.zeros((2, BLOCKS, BLOCKS), dtype=bool)
    places[0, 1, 2] = places[1, 7] = True
    out = place_patch(site, places, b)(a)
    expected = a.clone()
    expected[0, :, 2:4, 4:6] = b[0, :, 2:4, 4:6]
    expected[1, :, 14:16] = b[1, :, 14:16]
    assert torch.equal(out, expected)
    x = torch.rand(2, 3, 64, 64, generator=generator)
    _, _, seen = HookedPolicy(random_policy.net).run(x, {site.name: place_patch(site, places, b)}, capture=[site.name])
    assert torch.equal(seen[site.name][1, :, 14:16], b[1, :, 14:16])


def test_one_case_of_located_patching_can_be_done_again_as_an_intervention(random_policy: MazePolicy) -> None:
    """The first-class intervention gives what patching state by state gives, composes, and says what it does."""
    site = find_site(random_policy.net, "embedder.block2.maxpool")
    a, b = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)).split(1)
    hooked, partial = HookedPolicy(random_policy.net), PartialNetwork(random_policy.net)
    inside = hooked.run(b, capture=[site.name])[2][site.name]
    other = SteeringVector(site.name, inside[0], provenance(kind="activation"))
    place = np.zeros((1, BLOCKS, BLOCKS), dtype=bool)
    place[0, 2:4, 5] = place[0, 7, 0] = True
    spec = patch_place(site, other, [(2, 5), (3, 5), (7, 0)])
    assert spec.describe() == "put activation into 3 of 64 blocks @ embedder.block2.maxpool"
    expected = hooked.run(a, {site.name: place_patch(site, place, inside)})[0]
    assert torch.equal(hooked.run(a, spec.by_site())[0], expected)
    torch.testing.assert_close(partial.rerun(partial.clean(a), spec.by_site())[0], expected)
    both = (spec + ablate(site.name)).by_site(), (ablate(site.name) + spec).by_site()
    first, second = (hooked.run(a, edits, capture=[site.name])[2][site.name] for edits in both)
    assert not first.any() and torch.equal(second[0, :, 14:, :2], inside[0, :, 14:, :2]) and not second[0, :, :4].any()
    everything = patch_place(site, other, [(row, column) for row in range(BLOCKS) for column in range(BLOCKS)])
    torch.testing.assert_close(hooked.run(a, everything.by_site())[0], hooked.run(b)[0])
    assert torch.equal(hooked.run(a, patch_place(site, other, []).by_site())[0], hooked.run(a)[0])


def test_places_that_are_none_are_refused(random_policy: MazePolicy) -> None:
    site = find_site(random_policy.net, "embedder.block2.maxpool")
    other = SteeringVector(site.name, torch.zeros(site.shape), provenance(kind="activation"))
    for blocks in ([(0, 8)], [(-1, 0)], [(1, 1), (1, 1)]):
        with pytest.raises(InputError, match="give rows and columns of blocks, each once, 0 to 7"):
            patch_place(site, other, blocks)
    with pytest.raises(InputError, match="the vector is of embedder.block2.maxpool"):
        patch_place(find_site(random_policy.net, "embedder.relu3"), other, [(0, 0)])
    with pytest.raises(InputError, match="is no map"):
        patch_place(find_site(random_policy.net, "embedder.fc"), other, [(0, 0)])
    with pytest.raises(InputError, match="the vector has shape"):
        patch_place(site, other, [(0, 0)]).by_site()[site.name](torch.zeros(1, 3, 4, 4))


def test_sites_without_places_are_refused(policy: MazePolicy) -> None:
    flat = find_site(policy.net, "embedder.fc")
    assert flat.units is None
    with pytest.raises(InputError, match="embedder.fc is no map"):
        units_in(flat, np.ones((1, BLOCKS, BLOCKS), dtype=bool))
    site = find_site(policy.net, "embedder.relu3")
    with pytest.raises(InputError, match=r"activations \(1, 5\), expected \(2, 32, 8, 8\)"):
        place_patch(site, np.ones((2, BLOCKS, BLOCKS), dtype=bool), torch.zeros(1, 5))


def at_mouse(site: Site, tiles: np.ndarray, size: int, world: int) -> torch.Tensor:
    """What lies in the squares of a map whose units say where they are: row and column of each."""
    _, height, width = site.shape
    where = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).astype(np.float32) + 1
    maps = torch.from_numpy(where).expand(len(tiles), -1, -1, -1)
    return units_around(site, tiles, world, size).read(maps)


@pytest.mark.parametrize("world", WORLD_DIM.values(), ids=WORLD_DIM)
def test_the_unit_in_the_middle_sees_the_tile(world: int) -> None:
    """Its square of the picture is centred within half a unit's distance of the tile's middle."""
    tiles, side = np.array([(x, y) for x in range(world) for y in range(world)]), 64 / world
    for site in maps(ImpalaPolicyNet(1)):
        assert site.units is not None
        start, jump = site.units
        row, column = (at_mouse(site, tiles, 1, world)[:, k, 0, 0].numpy() - 1 for k in (0, 1))
        middle = np.stack([63.5 - (tiles[:, 1] + 0.5) * side, (tiles[:, 0] + 0.5) * side - 0.5])
        last = start + (np.array(site.shape[1:]) - 1) * jump
        centres = np.clip(middle, start, last[:, None])  # the map ends before the picture does
        assert np.abs(start + np.stack([row, column]) * jump - centres).max() <= jump / 2 + 1e-6, site.name


@pytest.mark.parametrize("world", WORLD_DIM.values(), ids=WORLD_DIM)
@pytest.mark.parametrize("size", [3, 5])
def test_a_square_holds_the_units_around_and_nothing_beyond_the_edge(size: int, world: int) -> None:
    site = find_site(ImpalaPolicyNet(1), "block3.maxpool")
    tiles = np.array([(world // 2, world // 2), (0, 0), (world - 1, world - 1)])
    middle, square = at_mouse(site, tiles, 1, world), at_mouse(site, tiles, size, world)
    assert torch.equal(square[:, :, size // 2, size // 2], middle[:, :, 0, 0])
    inner = square[0, 0, :, 0], square[0, 1, 0, :]  # rows and columns count up from the top left
    assert all(torch.equal(each.diff(), torch.ones(size - 1)) for each in inner)
    beyond = square[1] == 0, square[2] == 0  # the mouse in the lower left, in the upper right
    assert torch.equal(beyond[0][0], beyond[0][1])
    assert beyond[0][0, -1].all() and beyond[0][0, :, 0].all() and not beyond[0][0, 0, -1]
    assert not beyond[1][0, -1, 0] and square[2, 0, size // 2, size // 2] <= 2


def test_what_is_written_into_squares_is_what_is_read_there() -> None:
    """Writing is the transpose of reading, at the edge too: a direction read at the mouse can be added to the map."""
    rng = torch.Generator().manual_seed(0)
    site = find_site(ImpalaPolicyNet(1), "block2.res1.resadd")
    squares = units_around(site, np.array([(3, 20), (0, 0), (24, 11)]), 25, 5)
    values = torch.randn(3, site.shape[0], 5, 5, generator=rng, dtype=torch.float64)
    maps_ = torch.randn(3, *site.shape, generator=rng, dtype=torch.float64)
    written = squares.write(values, site.shape)
    torch.testing.assert_close((written * maps_).sum((1, 2, 3)), (values * squares.read(maps_)).sum((1, 2, 3)))
    assert torch.equal(squares.read(written)[0], values[0]) and int((written[0] != 0).sum()) == values[0].numel()


def test_a_site_that_is_no_map_has_no_unit_at_the_mouse() -> None:
    with pytest.raises(InputError, match="no map whose units have a known place"):
        units_around(find_site(ImpalaPolicyNet(1), "fc"), np.array([(1, 1)]), 25, 1)
