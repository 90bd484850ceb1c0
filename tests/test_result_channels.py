"""The page of results says of channels of two agents what the evidence that comes with it holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from agents.checkpoints.cards import load_card
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from steering.figures.anatomy.circuit_figures import counted_channels
from steering.records.anatomy.shared_channels import ComparedCircuits, SharedChannels
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import ANATOMY
from tests.helpers.channel_tables import by_site, compared, means, ranged
from tests.helpers.result_tables import evidence, number
from tests.test_result import PAGE, table

AGENTS = ("region5", "corner", "anywhere", "region5-seed1")


def seed_of(agent: str) -> int:
    """Seed of an agent's first weights, by the command of its card."""
    card = load_card(agent)
    assert card["scale"] == 1
    return int(re.search(r"--seed (\d+)", card["training"]["command"])[1])  # type: ignore[index]


@pytest.fixture(scope="module")
def found() -> ComparedCircuits:
    comparison = compared()
    assert {arm.name: arm.sha256 for arm in comparison.arms} == {name: load_card(name)["sha256"] for name in AGENTS}
    assert comparison.circuits is not None and comparison.circuits.missing == "" and comparison.circuits.levels == 24
    return comparison.circuits


def test_agents_of_one_seed_began_with_the_same_weights() -> None:
    """Those that the seed of the card draws; the snapshot before training has them, to the digits it is kept in."""
    assert [seed_of(agent) for agent in AGENTS] == [0, 0, 0, 1]
    drawn = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0)).state_dict()
    kept = load_policy("region5@0").net.state_dict()
    assert all(torch.equal(kept[name], value.half().float()) for name, value in drawn.items())


def test_the_page_has_the_tables_of_channels_in_other_agents(found: ComparedCircuits) -> None:
    began = {name: f"seed {seed_of(name)}" for name in AGENTS}
    assert table("### Channels in other agents") == means(found, began)
    assert table("### Channels in other agents, site by site") == by_site(found)


def sites_of(found: ComparedCircuits, agent: str, block: str = "") -> list[SharedChannels]:
    (arm,) = [arm for arm in found.arms if arm.of == agent]
    return [site for site in arm.sites if short_site_name(site.site).startswith(block)]


def in_place(found: ComparedCircuits, agent: str, block: str = "") -> list[str]:
    """Shares of channels that keep their number, the least first."""
    return [number(value) for value in sorted(site.in_place or 0.0 for site in sites_of(found, agent, block))]


def test_the_page_says_of_channels_in_other_agents_what_was_measured(found: ComparedCircuits) -> None:
    said = " ".join(PAGE[PAGE.index("### The same channels in other agents?") :].split("\n### ")[0].split())
    assert in_place(found, "corner", "block1") == ["1.00", "1.00"]
    high, low = in_place(found, "anywhere", "block1")[::-1]
    assert f"it is {high} and {low} of them, by chance {number(1 / 16)}" in said
    (low, *_, high), (least, *_, most) = (in_place(found, agent, "block2") for agent in ("corner", "anywhere"))
    assert f"it is {low} to {high} in `corner` and {least} to {most} in `anywhere`, by chance {number(1 / 32)}" in said
    last = max(in_place(found, agent, "block3")[-1] for agent in ("corner", "anywhere"))
    assert f"In block 3 it is at most {last}." in said
    assert f"In `region5-seed1` it is at most {in_place(found, 'region5-seed1')[-1]} at every site" in said
    corner, anywhere, seed1 = (arm.mean for arm in found.arms)
    assert f"`corner` shares {ranged(corner.numbered)} of the channels for half" in said
    assert f"`anywhere` {ranged(anywhere.numbered)}, `region5-seed1` {ranged(seed1.numbered)}" in said
    assert "share {}, {} and {}".format(*(number(mean.chance) for mean in (corner, anywhere, seed1))) in said
    first = sites_of(found, "corner", "block1")
    shared = [site.numbered.overlap for site in first if site.numbered.overlap is not None]
    assert [part.shared for part in shared] == [0, 0] and [part.sizes for part in shared] == [(2, 8), (1, 7)]
    assert "needs 8 and 7 of 16 where `region5` needs 2 and 1" in said
    matched = f"It is {ranged(corner.matched)} in `corner`, {ranged(anywhere.matched)} in `anywhere` and "
    assert matched + f"{ranged(seed1.matched)} in `region5-seed1`" in said
    itself = sorted(value or 0.0 for value in (found.halves, corner.halves, anywhere.halves, seed1.halves))
    assert f"an agent shares {number(itself[0])} to {number(itself[-1])}" in said


def test_the_page_says_where_matched_channels_are_shared(found: ComparedCircuits) -> None:
    said = " ".join(PAGE[PAGE.index("### The same channels in other agents?") :].split("\n### ")[0].split())
    parts = {short_site_name(site.site): site.matched.overlap for site in sites_of(found, "region5-seed1")}
    one = parts.pop("block1.res1.resadd")
    rest = [part for part in parts.values() if part is not None]
    assert one is not None and (one.sizes, one.shared, len(rest)) == ((1, 1), 1, 6)
    mean, chance = (sum(getattr(part, what) for part in rest) / 6 for what in ("jaccard", "chance"))
    assert f"other six sites it shares {number(mean)}, as random sets do ({number(chance)})" in said
    every = [site for arm in found.arms for site in arm.sites]
    sure = {
        kind: [part.p < 0.05 for site in every if (part := getattr(site, kind).overlap) is not None]
        for kind in ("numbered", "matched")
    }
    assert f"Of {len(sure['matched'])} comparisons at one site {sum(sure['matched'])} have a p below .05" in said
    assert sum(sure["numbered"]) == 0
    seen = sorted(site.correlation or 0.0 for site in every)
    assert f"a mean correlation of {number(seen[0])} to {number(seen[-1])}" in said


def test_the_page_says_how_many_channels_other_mazes_find(found: ComparedCircuits, tmp_path: Path) -> None:
    said = " ".join(PAGE[PAGE.index("### The same channels in other agents?") :].split("\n### ")[0].split())
    (few,) = {
        site.numbered.overlap.sizes[0]
        for arm in found.arms
        for site in arm.sites
        if short_site_name(site.site) == "block2.res1.resadd" and site.numbered.overlap is not None
    }
    every = evidence(ANATOMY, "region5-circuit", tmp_path)
    (many,) = (site for site in every.circuit or () if short_site_name(site.name) == "block2.res1.resadd")
    assert len(every.settings.levels) == 100
    assert f"`region5` needs {few} of {many.channels} channels for half" in said
    assert f"{counted_channels(many.half.ranked)} on all 100" in said
