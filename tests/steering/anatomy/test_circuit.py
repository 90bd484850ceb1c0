"""Sub-circuits, against known answers: networks whose useful channels are known, and the best of all subsets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks.policy import Policy, as_policy
from envs.chain import statistics
from envs.maze import Maze
from steering.anatomy.circuit.level import CircuitLevel
from steering.anatomy.circuit.orders import (
    among,
    checking_half,
    finding_half,
    first,
    greedy,
    reached,
    rising,
    singly,
    sizes,
)
from steering.anatomy.circuit.overlap import overlap
from steering.anatomy.circuit.states import UNITS, DrawnStates, drawn_states, inclusion_chances
from steering.anatomy.circuit.summary import PART
from steering.anatomy.part import Asked
from steering.experiments.exact import LevelEvaluator, evaluate, traced
from steering.experiments.levels import first_levels
from steering.figures.anatomy.circuit_figures import carried, removable
from steering.interventions.edits import subtract
from steering.interventions.sites import find_site, select_sites
from steering.interventions.vectors import cheese_vector
from steering.records.anatomy.circuit_site import CircuitSite
from steering.records.anatomy.summary import AnatomySettings
from steering.records.probes import Estimate

CHANNELS, USEFUL = 8, (1, 4)
SITE = "1"


def small_network(seed: int, useful: Sequence[int] = ()) -> Policy:
    """Patches of the picture, ReLU, logits; of the channels behind the ReLU all are read, or equals at these alone."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, CHANNELS, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(64 * CHANNELS, 15))
    with torch.no_grad():
        kernels, last = net[0], net[3]
        assert isinstance(kernels, nn.Conv2d) and isinstance(last, nn.Linear)
        last.weight *= 40.0
        if useful:
            one, *others = useful
            read = last.weight[:, 64 * one : 64 * (one + 1)].clone()
            last.weight.zero_()
            for channel in useful:
                last.weight[:, 64 * channel : 64 * (channel + 1)] = read / len(useful)
            for channel in others:
                kernels.weight[channel], kernels.bias[channel] = kernels.weight[one], kernels.bias[one]
    return as_policy(net, "small")


@pytest.fixture(scope="module")
def mazes() -> list[Maze]:
    return first_levels(8, "easy")[0]


def measured(policy: Policy, mazes: Sequence[Maze], sites: str = SITE) -> tuple[CircuitSite, ...]:
    found = select_sites(sites, policy.net)
    levels = tuple(int(maze.level or 0) for maze in mazes)
    settings = AnatomySettings(("circuit",), tuple(site.name for site in found), levels, 64, 64, 0, "easy")
    asked = Asked(policy, mazes, found, settings)
    rows: list[dict[int, object]] = []
    for step in PART.passes:
        rows.append({level: measure() for level, measure in step.work(asked, rows).items()})
    circuit: tuple[CircuitSite, ...] = PART.summarize(asked, rows)
    return circuit


def all_states(maze: Maze) -> DrawnStates:
    kept = [i for i, state in enumerate(maze.states) if state.cell != maze.cheese]
    return DrawnStates(tuple(kept), (1 / len(kept),) * len(kept))


def test_channels_that_alone_are_read_are_found_and_removing_them_removes_the_cheese(mazes: list[Maze]) -> None:
    (site,) = measured(small_network(5, USEFUL), mazes)
    assert site.channels == CHANNELS and set(site.ranking[:2]) == set(USEFUL)
    assert (site.full.value or 0) > 0.9
    half, most = site.needed
    assert half.ranked.value in (1, 2) and most.ranked.value == 2  # each does about half of it
    by_size = {each.size: each for each in site.sets}
    assert by_size[2].ranked.value == pytest.approx(site.full.value)
    assert (half.random.value or 0) > 2 and (by_size[2].random.value or 0) < 0.5
    assert half.greedy.value == half.ranked.value and by_size[2].greedy.value == by_size[2].ranked.value
    last = site.removed[-1]
    assert set(last.channels) <= set(USEFUL) and (last.left.value or 0) < 0.6
    assert site.halves is not None and site.halves.p <= 1


def test_removing_what_is_not_read_changes_nothing_and_removing_all_leaves_one_policy(mazes: list[Maze]) -> None:
    policy = small_network(5, USEFUL)
    site = find_site(policy.net, SITE)
    level = CircuitLevel(policy, mazes[0], all_states(mazes[0]), [site], traced(policy.net))
    means = level.means(site)
    unread = np.array([channel not in USEFUL for channel in range(CHANNELS)])
    left, damage = level.removed(site, np.array([unread, np.ones(CHANNELS, dtype=bool)]), means)
    assert left.tolist() == pytest.approx([level.left_alone(), 0], abs=1e-12)
    assert damage[0] == pytest.approx(0, abs=1e-12) and damage[1] > 0.01


def test_all_states_and_all_channels_give_the_sweeps_blindness(policy: Policy, maze: Maze) -> None:
    """And the drawn ones estimate it: weights are those of a mean over all states."""
    name = "embedder.block3.maxpool"
    site = find_site(policy.net, name)
    exact = evaluate(policy, maze, subtract(cheese_vector(policy, maze, name)))
    level = CircuitLevel(policy, maze, all_states(maze), [site], traced(policy.net))
    assert level.left_alone() == pytest.approx(exact.clean.tv_no_cheese, abs=1e-9)
    everything, nothing = level.subtracted(site, np.array([np.ones(32), np.zeros(32)], dtype=bool))
    assert everything == pytest.approx(exact.tv_no_cheese, abs=1e-6)
    assert nothing == pytest.approx(level.left_alone(), abs=1e-6)


def orders_and_best(seed: int, mazes: Sequence[Maze]) -> dict[str, int]:
    """Channels that halve what the cheese changes in a small network: ranked, greedy, and the best of all subsets."""
    policy = small_network(seed)
    site = find_site(policy.net, SITE)
    levels = [CircuitLevel(policy, maze, all_states(maze), [site], traced(policy.net)) for maze in mazes]

    one, other = ((lambda sets, level=level: level.subtracted(site, sets)) for level in levels)
    subsets = np.array(list(itertools.product((False, True), repeat=CHANNELS)))
    left = one(subsets) + other(subsets)
    target = left[0] - 0.5 * (left[0] - left[-1])
    alone = one(singly(CHANNELS)) + other(singly(CHANNELS))
    orders = {"ranked": rising(alone), "greedy": greedy(alone, one, other, CHANNELS)}
    found = {"best": int(subsets[left <= target].sum(axis=1).min())}
    for name, order in orders.items():
        growing = np.array([first(order, size) for size in range(CHANNELS + 1)])
        found[name] = int(np.argmax(one(growing) + other(growing) <= target))
    return found


class Untraceable(nn.Sequential):
    """The same modules, run by a flow that depends on data."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``float[n, 3, 64, 64] -> logits[n, 15]``."""
        found: torch.Tensor = super().forward(x if float(x.sum()) >= 0 else -x)
        return found


def test_a_network_without_a_graph_gives_the_same_numbers(mazes: list[Maze]) -> None:
    policy = small_network(5, USEFUL)
    assert isinstance(policy.net, nn.Sequential)
    found = []
    for each in (policy, as_policy(Untraceable(*policy.net), "untraceable")):
        site = find_site(each.net, SITE)
        network = traced(each.net)
        level = CircuitLevel(each, mazes[0], all_states(mazes[0]), [site], network)
        sets, means = np.array([np.arange(CHANNELS) == 1, np.arange(CHANNELS) > 3]), level.means(site)
        edited = [level.subtracted(site, sets), *level.removed(site, sets, means)]
        found.append([level.left_alone(), *means, *np.ravel(edited), *level.narrowed(site).subtracted(site, sets)])
    assert network is None and found[0] == pytest.approx(found[1])


def test_greedy_is_the_best_of_all_subsets_and_ranking_need_not_be(mazes: list[Maze]) -> None:
    found = [orders_and_best(seed, mazes[:2]) for seed in range(4)]
    for each in found:
        assert each["greedy"] == each["best"]
    assert sorted(each["ranked"] - each["best"] for each in found) == [0, 0, 1, 6]  # docs/anatomy.md says so


def test_greedy_finds_what_ranking_misses_where_channels_do_the_same() -> None:
    """Channels 0 and 1 do the same thing; with 2 it makes 9 of 10."""

    def left(sets: np.ndarray) -> np.ndarray:
        return np.asarray(10.0 - 5.0 * (sets[:, 0] | sets[:, 1]) - 4.0 * sets[:, 2] - sets[:, 3])

    alone = left(singly(4))
    ranked, taken = rising(alone), greedy(alone, left, left, 3)
    assert list(ranked) == [0, 1, 2, 3] and list(taken) == [0, 2, 3]
    assert left(np.array([first(ranked, 2), among(4, taken[:2])])).tolist() == [5.0, 1.0]


def test_a_greedy_place_goes_to_the_best_on_all_levels_of_those_that_lead_on_a_part() -> None:
    """Channel 10 would be best, but not among the eight that lead on the part; of these, 7 is best on the rest."""
    gains = np.r_[5.0, np.linspace(1.0, 0.5, 9), 0.0], np.r_[5.0, np.zeros(6), 3.0, np.zeros(2), 9.0]
    trial, rest = ((lambda sets, gain=gain: -(sets @ gain)) for gain in gains)
    assert greedy(-(gains[0] + gains[1]), trial, rest, 3).tolist() == [0, 7, 1]


def test_the_number_of_channels_is_where_the_curve_first_reaches_its_target() -> None:
    at = [1, 2, 4, 8]
    curve = np.array([[0.1, 0.2, 0.6, 0.8], [0.5, 0.1, 0.6, 1.0], [0.0, 0.0, 0.0, 0.1]])
    assert reached(curve, at, np.array([0.4, 0.5, 0.5])).tolist()[:2] == [3, 1]
    assert np.isnan(reached(curve, at, np.array([0.4, 0.5, 0.5]))[2])
    assert reached(curve[0], at, np.array(0.2)) == 2 and reached(curve[0], at, np.array(0.7)) == 6
    assert np.isnan(reached(curve[0], at, np.array(np.nan)))
    assert sizes(3) == [1, 2, 3] and sizes(32)[-2:] == [24, 32] and sizes(1) == [1]


def test_the_halves_of_the_levels_are_apart_and_whole() -> None:
    levels = [3, 5, 8, 13, 21]
    assert sorted([*finding_half(levels), *checking_half(levels)]) == levels


def test_weighted_sums_over_drawn_states_are_means_over_all_on_average() -> None:
    rng = np.random.default_rng(0)
    distances = rng.random(200) ** 6
    off = np.arange(200) != 17
    values = distances + 0.1 * rng.random(200)
    found = []
    for seed in range(3000):
        drawn = drawn_states(distances, off, np.random.default_rng(seed))
        assert len(set(drawn.indices)) == len(drawn.indices) and 17 not in drawn.indices
        found.append(float(np.array(drawn.weights) @ values[list(drawn.indices)]))
    error = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found) - values[off].mean()) < 4 * error
    assert len(drawn.indices) == round(distances[off].sum() / UNITS)


def test_no_state_is_more_than_certain_and_few_states_are_all_drawn() -> None:
    chances = inclusion_chances(np.array([0.9, 0.05, 0.05, 0.0]), 2)
    assert chances.tolist() == pytest.approx([1.0, 0.5, 0.5, 0.0])
    drawn = drawn_states(np.zeros(3), np.array([True, False, True]), np.random.default_rng(0))
    assert drawn == DrawnStates((0, 2), (0.5, 0.5))


def test_chance_of_an_overlap_is_that_of_all_pairs_of_sets() -> None:
    found = overlap({0, 1, 2}, {2, 3}, 6)
    pairs = list(itertools.product(itertools.combinations(range(6), 3), itertools.combinations(range(6), 2)))
    jaccards = [len({*a} & {*b}) / len({*a} | {*b}) for a, b in pairs]
    assert (found.shared, found.jaccard, found.sizes) == (1, 0.25, (3, 2))
    assert found.chance == pytest.approx(np.mean(jaccards))
    assert found.p == pytest.approx(np.mean([bool({*a} & {*b}) for a, b in pairs]))


def test_exact_outcomes_are_those_of_the_chain(mazes: list[Maze]) -> None:
    """P(top-right) with all channels removed is that of one policy everywhere, in every second maze of the half."""
    policy = small_network(5, USEFUL)
    (site,) = measured(policy, mazes)
    few = checking_half(mazes)[0::2]
    bare = [LevelEvaluator(policy, maze).no_cheese.probabilities for maze in few]
    plain = [statistics(maze.without_cheese(), p).p_region for maze, p in zip(few, bare, strict=True)]
    assert site.removed[-1].region.value is not None
    assert -np.mean(plain) <= site.removed[-1].region.value <= 1 - np.mean(plain)


def test_channel_spaces_and_the_sites_before(policy: Policy) -> None:
    from steering.anatomy.circuit.measure import circuit_sites
    from steering.anatomy.circuit.summary import channel_spaces

    sites = circuit_sites(select_sites("all", policy.net))
    spaces = dict(zip([site.name for site in sites], channel_spaces(policy, sites), strict=True))
    assert "embedder.flatten" not in spaces and len(spaces) == 17  # the trunk's 18 without it
    assert spaces["embedder.block1.res2.resadd"] == "embedder.block1.conv"
    assert spaces["embedder.relu3"] == "embedder.block3.conv"
    assert spaces["embedder.relufc"] == "embedder.fc" and spaces["fc_policy"] == "fc_policy"


@pytest.fixture(scope="module")
def site(mazes: list[Maze]) -> CircuitSite:
    (found,) = measured(small_network(5, USEFUL), mazes)
    return replace(found, affine=False)


def told(site: CircuitSite, ranked: float | None, high: float | None, random: float | None, full: float) -> CircuitSite:
    none = Estimate(None, None, None)
    half = replace(site.half, ranked=Estimate(ranked, ranked, high), random=Estimate(random, None, None), greedy=none)
    return replace(site, full=Estimate(full, None, None), needed=(half, site.needed[1]))


def test_the_sentence_about_the_part_that_carries_the_cheese(site: CircuitSite) -> None:
    none = "Subtraction blinds at no site behind the picture"
    assert carried([]) == "No site of the trunk with few enough channels was asked for."
    unknown = replace(site, full=Estimate(None, None, None))
    assert carried([unknown]).startswith("Sets of channels are found in some mazes and measured in others")
    assert carried([replace(site, affine=True)]).startswith(none)
    assert carried([told(site, None, None, None, 0.0)]).startswith(none)
    few, many = told(site, 2, 3, 5, 0.95), told(site, 4, 6, 5, 0.95)
    assert carried([few]) == (
        "At 1, 2 of 8 channels give half of the blindness; of channels drawn at random it takes 5."
    )
    assert carried([many]).endswith("4 of 8 channels give half of the blindness, no clearly smaller part than the 5 "
                                    "of channels drawn at random.")  # fmt: skip
    assert carried([told(site, 2, 3, None, 0.95)]) == "At 1, 2 of 8 channels give half of the blindness."
    taken = replace(few, needed=(replace(few.half, greedy=Estimate(1, 1, 2)), few.needed[1]))
    assert carried([taken]) == (
        "At 1, 1 of 8 channels found greedily give half of the blindness, 2 ranked by what each does alone; of "
        "channels drawn at random it takes 5."
    )
    open_end = replace(few, needed=(replace(few.half, greedy=Estimate(1, 1, None)), few.needed[1]))
    assert carried([open_end]).endswith("no clearly smaller part than the 5 of channels drawn at random.")
    weak = replace(told(site, 1, 1, 5, 0.5), name="late")
    assert carried([few, weak]) == carried([few])  # the deepest where all give nearly all
    assert carried([replace(few, full=Estimate(0.4, None, None)), weak]).startswith("At late")  # else the blindest


def removing(site: CircuitSite, *ends: tuple[float | None, float | None]) -> CircuitSite:
    parts = [
        replace(part, left=Estimate(left, None, None), region=Estimate(change, None, None))
        for part, (left, change) in zip(site.removed, ends, strict=True)
    ]
    return replace(site, removed=tuple(parts))


def test_the_sentence_about_channels_that_can_be_removed(site: CircuitSite) -> None:
    assert removable([]) == "" and removable([replace(site, affine=True)]) == "No channel was removed."
    assert removable([replace(site, full=Estimate(None, None, None))]) == ""  # one maze: none to check on
    count = len(site.removed[-1].channels)
    fit = removable([removing(site, (0.9, 0.0), (0.7, 0.0), (0.4, -0.01))])
    assert fit == (
        f"At 1, {count} of 8 channels can be removed for all mazes: 40% of what the cheese changes is left, "
        "P(top-right) changes by -0.010."
    )
    some = removable([removing(site, (0.9, 0.0), (0.7, 0.02), (0.4, -0.3))])
    assert (
        some.startswith("No set found takes half") and f"the most is 30%, with {len(site.removed[1].channels)}" in some
    )
    single = removing(site, (0.9, 0.0), (0.95, 0.1), (1.0, 0.1))
    one = replace(single, removed=tuple(replace(part, channels=(3,)) for part in single.removed))
    assert removable([one]).endswith("; the most is 10%, with 1 channel at 1.")
    none = "No set found takes half of what the cheese changes and keeps P(top-right) within 0.02."
    assert removable([removing(site, (0.9, 0.1), (0.7, 0.1), (0.4, -0.3))]) == none
    assert removable([removing(site, (1.1, 0.0), (1.2, 0.0), (1.4, 0.0))]) == none
