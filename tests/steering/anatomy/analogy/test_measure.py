"""Analogies of real mazes: partners, what a row is of, and what the policy makes of another maze's vector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.networks.policy import MazePolicy
from envs.chain import total_variation
from envs.errors import InputError
from envs.maze import Maze
from steering.anatomy.analogy import behaviour
from steering.anatomy.analogy.behaviour import Behaviour
from steering.anatomy.analogy.measure import analogy_row
from steering.anatomy.analogy.pairs import CELLS, PARTNERS, Analogy, analogies_of, for_cheese
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import Site, find_site
from steering.interventions.vectors import cheese_vector
from steering.records.anatomy.analogy_site import GUESSES, MEASURES

SITES = ("input", "block2.res1.resadd", "relufc")


@pytest.fixture(scope="module")
def mazes() -> list[Maze]:
    return Maze.from_levels([2, 5, 8, 12])


def sites_of(policy: MazePolicy) -> list[Site]:
    return [find_site(policy.net, name) for name in SITES]


def test_partners_are_other_mazes_and_cells_lie_on_the_same_pixels(mazes: list[Maze]) -> None:
    found = analogies_of(mazes[0], mazes, 0)
    assert len(found) == PARTNERS and len({each.partner.level for each in found} | {mazes[0].level}) == PARTNERS + 1
    for each in found:
        assert 0 < len(each.here) <= CELLS and len(set(each.here)) == len(each.here)
        np.testing.assert_array_equal(mazes[0].outer(each.here), each.partner.outer(each.there))
        assert set(each.here) <= set(for_cheese(mazes[0])) and set(each.there) <= set(for_cheese(each.partner))
    assert found == analogies_of(mazes[0], mazes, 0) and found != analogies_of(mazes[0], mazes, 1)
    assert analogies_of(mazes[0], mazes[:1], 0) == []


def test_a_maze_with_itself_is_an_exact_analogy(policy: MazePolicy, mazes: list[Maze]) -> None:
    """Its own vectors lead to its own pictures and to the policy with cheese, at every site of the trunk."""
    own = mazes[0]
    cells = tuple(for_cheese(own)[:4])
    row = analogy_row(policy, own, [Analogy(own, cells, cells)], sites=sites_of(policy), seed=0)
    for site in row.sites.values():
        assert site.analogies == site.same_start.analogies == 4 and site.ranks[0].first_excluding == 4
        assert site.left == pytest.approx(0, abs=1e-6)
        assert site.moves is not None and site.moves.nothing > 0


def test_a_row_is_of_the_projects_own_vectors(policy: MazePolicy, mazes: list[Maze]) -> None:
    maze = mazes[0]
    (one, *_) = analogies_of(maze, mazes, 0)
    one = replace(one, there=one.there[:3], here=one.here[:3])
    site = find_site(policy.net, "block2.res1.resadd")
    row = analogy_row(policy, maze, [one], sites=[site], seed=0).sites[site.name]
    here, there = (
        np.stack([cheese_vector(policy, m.with_cheese(c), site.name).tensor.flatten().double().numpy() for c in cells])
        for m, cells in ((maze, one.here), (one.partner, one.there))
    )
    assert row.left == pytest.approx(float(np.sum((here - there) ** 2)), rel=1e-4)
    assert row.whole == pytest.approx(float(np.sum(here**2)), rel=1e-4)
    assert row.candidates == len(for_cheese(maze)) + 3 and len(row.ranks) == len(GUESSES) * len(MEASURES)


def test_behaviour_compares_with_the_policy_that_sees_the_cheese(
    policy: MazePolicy, mazes: list[Maze], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In all states drawn: nothing added, and the other maze's vector added, by hooks and by partial re-execution."""
    maze = mazes[1]
    monkeypatch.setattr(behaviour, "STATES", 2)
    (one, *_) = analogies_of(maze, mazes, 0)
    one = replace(one, there=one.there[:3], here=one.here[:3])
    site = find_site(policy.net, "block2.res1.resadd")
    vectors = torch.stack(
        [cheese_vector(policy, one.partner.with_cheese(c), site.name).tensor.flatten() for c in one.there]
    )
    found = Behaviour(policy, maze, [one], 0).part(site, [vectors])
    states = behaviour._drawn_states(maze, set(one.here), 0)
    assert len(states) == 2 and not {state.cell for state in states} & set(one.here)
    blank = policy.move_probabilities(maze.without_cheese().observations(states))
    aims = [policy.move_probabilities(maze.with_cheese(cell).observations(states)) for cell in one.here]
    nothing = sum(float(total_variation(blank, aim).sum()) for aim in aims)
    assert found is not None and found.nothing == pytest.approx(nothing, rel=1e-5)

    def untraceable(net: torch.nn.Module) -> PartialNetwork:
        raise InputError("cannot be traced")

    monkeypatch.setattr(behaviour, "PartialNetwork", untraceable)
    assert Behaviour(policy, maze, [one], 0).part(site, [vectors]) == found
    assert Behaviour(policy, maze, [], 0).part(site, []) is None
