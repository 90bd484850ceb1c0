"""The page of results says of sub-circuits what the evidence that comes with it holds."""

from __future__ import annotations

import pytest

from agents.checkpoints.cards import load_card
from steering.figures.anatomy.circuit_figures import counted_channels
from steering.records.anatomy.circuit_site import CircuitSite, Overlap
from steering.records.probes import Estimate
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import ANATOMY
from tests.helpers.result_tables import evidence
from tests.test_result import PAGE, printed, table

RUN = "region5-circuit"
HEADER = ["site", "channels", "full blindness", "half", "nine tenths", "half, greedily", "half, by norm"]
HEADER += ["half, at random", "competence", "removed", "left", "P(top-right)"]
ONE, PUBLISHED, BOUNDARY = "block1.res1.resadd", "block2.res1.resadd", "block3.conv"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CircuitSite]:
    found = evidence(ANATOMY, RUN, tmp_path_factory.mktemp("circuit"))
    assert found.checkpoint.sha256 == load_card("region5")["sha256"]
    assert found.circuit is not None and len(found.settings.levels) == 48
    return {short_site_name(site.name): site for site in found.circuit}


def rounded(value: float | None) -> str:
    assert value is not None
    return printed(round(value, 2) + 0.0, 2)


def ranged(value: Estimate) -> str:
    return f"{rounded(value.value)} ({rounded(value.low)} to {rounded(value.high)})"


def row(site: CircuitSite) -> list[str]:
    half, most = site.needed
    last = site.removed[-1]
    return [
        f"`{short_site_name(site.name)}`",
        str(site.channels),
        ranged(site.full),
        *(counted_channels(count) for count in (half.ranked, most.ranked, half.greedy, half.norm, half.random)),
        rounded(half.competence.value),
        str(len(last.channels)),
        rounded(last.left.value),
        ranged(last.region),
    ]


def shared(found: Overlap | None) -> str:
    assert found is not None
    return f"{rounded(found.jaccard)}, by chance {rounded(found.chance)}"


def test_the_page_has_the_table_of_channels(sites: dict[str, CircuitSite]) -> None:
    found = table("### Channels that carry the cheese")
    assert found[0] == HEADER
    assert found[1:] == [row(site) for site in sites.values() if site.half.ranked.value is not None]


def test_the_page_says_of_channels_what_was_measured(sites: dict[str, CircuitSite]) -> None:
    said = " ".join(PAGE[PAGE.index("### Channels for the cheese") :].split("### ")[1].split())
    one = sites[ONE]
    assert one.ranking[0] == 11 and one.removed[-1].channels == (11,) and f"channel 11 of {one.channels}" in said
    assert one.half.ranked.value == 1 and one.needed[1].ranked.value == 2
    assert one.halves is not None and one.halves.shared == 1
    last = one.removed[-1]
    assert f"leaves {ranged(last.left)} of what the cheese changes" in said
    assert f"changes by {ranged(last.region)}" in said and f"leaves {rounded(last.random.value)}" in said
    assert last.holds
    later = [site for name, site in sites.items() if site.depth > one.depth]
    assert all(len(site.removed[-1].channels) == site.channels for site in later)
    changes = [round(site.removed[-1].region.value or 0.0, 2) for site in later]
    assert f"({printed(max(changes), 2)} to {printed(min(changes), 2)})" in said
    for name in (PUBLISHED, BOUNDARY, "block2.maxpool"):
        assert shared(sites[name].halves) in said, name
    for name in ("block2.maxpool", "block3.maxpool", PUBLISHED, "block2.res2.resadd"):
        assert shared(sites[name].before) in said, name
    named = [sites[name] for name in ("block2.maxpool", PUBLISHED, BOUNDARY)]
    for site in named:
        assert counted_channels(site.half.ranked) in said and counted_channels(site.needed[1].ranked) in said
    random, norm = ([f"{getattr(site.half, by).value:.0f}" for site in named] for by in ("random", "norm"))
    assert f"need {random[0]}, {random[1]} and {random[2]} for half" in said
    assert f"norm needs {norm[0]}, {norm[1]} and {norm[2]}" in said
    first, second, none = (site.half.greedy for site in named)
    assert f"{counted_channels(first)} channels do at `block2.maxpool` and {counted_channels(second)} at the" in said
    assert none.value is None and "At the boundary 8 channels found so do not" in said
