"""The page of results says of sub-circuits what the evidence that comes with it holds."""

from __future__ import annotations

import sqlite3
import tarfile
from pathlib import Path

import pytest

from agents.checkpoints.cards import load_card
from steering.anatomy.circuit.orders import checking_half
from steering.figures.anatomy.circuit_figures import counted_channels
from steering.records.anatomy.circuit_site import CircuitSite, Overlap
from steering.records.anatomy.summary import AnatomySummary
from steering.statistics.formatting import short_site_name
from tests.helpers.circuit_tables import LEVELS, circuit_tables, measured, ranged, rounded, with_half
from tests.helpers.result_tables import EVIDENCE
from tests.test_result import PAGE, printed, table

ONE, POOL, PUBLISHED, BOUNDARY = "block1.res1.resadd", "block2.maxpool", "block2.res1.resadd", "block3.conv"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AnatomySummary]:
    return measured(tmp_path_factory.mktemp("circuit"))


@pytest.fixture(scope="module")
def sites(found: dict[str, AnatomySummary]) -> dict[str, CircuitSite]:
    return {short_site_name(site.name): site for site in found["region5"].circuit or ()}


def test_the_evidence_is_of_the_agents_on_their_levels(found: dict[str, AnatomySummary]) -> None:
    for name, each in found.items():
        assert each.checkpoint.sha256 == load_card(name)["sha256"]
        assert len(each.settings.levels) == LEVELS[name]


def shared(found: Overlap | None) -> str:
    assert found is not None
    return f"{rounded(found.jaccard)}, by chance {rounded(found.chance)}"


def test_the_page_has_the_tables_of_channels(found: dict[str, AnatomySummary]) -> None:
    for heading, rows in circuit_tables(found).items():
        assert table(heading) == rows, heading


def test_the_page_says_of_channels_what_was_measured(sites: dict[str, CircuitSite]) -> None:
    said = " ".join(PAGE[PAGE.index("### Channels for the cheese") :].split("### ")[1].split())
    one = sites[ONE]
    assert one.ranking[0] == 11 and one.removed[-1].channels == (11,) and f"channel 11 of {one.channels}" in said
    assert one.half.ranked.value == 1 and one.needed[1].ranked.value == 2
    assert one.halves is not None and one.halves.shared == 1
    assert f"drawn at random half takes {one.half.random.value:.0f}." in said
    last = one.removed[-1]
    assert f"leaves {ranged(last.left)} of what the cheese changes" in said
    assert f"changes by {ranged(last.region)}" in said and f"leaves {rounded(last.random.value)}" in said
    assert last.holds
    for name in (PUBLISHED, BOUNDARY, POOL):
        assert shared(sites[name].halves) in said, name
    for name in (POOL, "block3.maxpool", PUBLISHED, "block2.res2.resadd"):
        assert shared(sites[name].before) in said, name
    named = [sites[name] for name in (POOL, PUBLISHED, BOUNDARY)]
    for site in named:
        assert counted_channels(site.half.ranked) in said and counted_channels(site.needed[1].ranked) in said
    random, norm = ([f"{getattr(site.half, by).value:.0f}" for site in named] for by in ("random", "norm"))
    assert f"need {random[0]}, {random[1]} and {random[2]} for half" in said
    assert f"norm needs {norm[0]}, {norm[1]} and {norm[2]}" in said
    for site, words in zip(named, ("at `block2.maxpool`", "at the published", "at the boundary"), strict=True):
        greedily = counted_channels(site.half.greedy)
        assert f"{greedily} channels do {words}" in said or f"{greedily} {words}" in said


def test_the_states_drawn_stand_for_all(found: dict[str, AnatomySummary], tmp_path: Path) -> None:
    """The sweep's evidence has the same blindness of all states of the same mazes."""
    with tarfile.open(EVIDENCE / "region5.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    levels = checking_half(found["region5"].settings.levels)
    with sqlite3.connect(tmp_path / "region5" / "results.sqlite") as db:
        where = f"level IN ({','.join(map(str, levels))}) AND draw = 0 AND condition"
        clean = dict(db.execute(f"SELECT level, tv_no_cheese FROM outcomes WHERE {where} = 'clean'"))
        query = f"SELECT site, count(*), sum(tv_no_cheese) FROM outcomes WHERE {where} = 'subtract' AND coefficient = 1"
        exact = {
            site: (count, 1 - left / sum(clean.values())) for site, count, left in db.execute(f"{query} GROUP BY 1")
        }
    assert len(clean) == len(levels)
    apart = []
    for site in found["region5"].circuit or ():
        count, blindness = exact[site.name]
        assert count == len(levels) and site.full.value is not None
        apart.append(abs(site.full.value - blindness))
    said = " ".join(PAGE[PAGE.index("### Channels for the cheese") :].split("### ")[1].split())
    assert f"within {rounded(max(apart))} of that of the sweep on the same mazes" in said


def test_the_page_says_of_competence_what_was_measured(sites: dict[str, CircuitSite]) -> None:
    said = " ".join(PAGE[PAGE.index("### Channels for the cheese") :].split("### ")[1].split())
    pool, published = sites[POOL], sites[PUBLISHED]
    halves = [rounded(site.half.competence.value) for site in (pool, published)]
    assert f"give {halves[0]} at `block2.maxpool` and {halves[1]} at the published site" in said
    for site in (pool, published):
        assert site.sets[-1].competence is not None and rounded(site.sets[-1].competence.value) == "1.00"
    without = [each for each in sites.values() if each.full.value is not None and abs(each.full.value) < 0.05]
    assert without and all(rounded(each.half.competence.value) == ".56" for each in without)  # it does next to nothing


def test_the_page_says_of_another_seed_what_was_measured(found: dict[str, AnatomySummary]) -> None:
    said = " ".join(PAGE[PAGE.index("**`region5-seed1` is like it**") :].split("**The same channels?**")[0].split())
    sites = {short_site_name(site.name): site for site in found["region5-seed1"].circuit or ()}
    one, last = sites[ONE], sites[ONE].removed[-1]
    assert one.half.ranked.value == 1 and f"channel {one.ranking[0]} alone" in said
    assert last.channels == one.ranking[:1] and f"leaves {ranged(last.left)}" in said
    assert f"changes by {ranged(last.region)}" in said
    for name in (POOL, PUBLISHED):
        half, most = (counted_channels(part.ranked) for part in sites[name].needed)
        assert f"{half} of 32 channels give half and {most} nine tenths" in said or f"{half} and {most}" in said
    first = {short_site_name(site.name): site for site in found["region5"].circuit or ()}[POOL]
    for part, ours in zip(sites[POOL].needed, first.needed, strict=True):  # fewer, and the intervals overlap
        assert part.ranked.value < ours.ranked.value and ours.ranked.low <= part.ranked.high


def test_the_page_says_of_the_third_seed_what_was_measured(found: dict[str, AnatomySummary]) -> None:
    said = " ".join(PAGE[PAGE.index("**In `region5-seed2`**") :].split("**The same channels?**")[0].split())
    sites = {short_site_name(site.name): site for site in found["region5-seed2"].circuit or ()}
    half, most = (counted_channels(part.ranked) for part in sites[ONE].needed)
    assert f"{half} of 16 channels give half and {most} nine tenths" in said
    for name in (POOL, PUBLISHED):
        half, most = (counted_channels(part.ranked) for part in sites[name].needed)
        assert f"{half} and {most}" in said
    last = sites[ONE].removed[-1]
    assert f"channel {last.channels[0]} removed for good leaves {ranged(last.left)}" in said and len(last.channels) == 1
    assert f"changes by {ranged(last.region)}" in said


def test_the_page_says_of_other_agents_what_was_measured(found: dict[str, AnatomySummary]) -> None:
    said = " ".join(
        PAGE[PAGE.index("**In other agents.** `corner` has no small part in block 1") :].split("**The same")[0].split()
    )
    sites = {name: {short_site_name(site.name): site for site in each.circuit or ()} for name, each in found.items()}

    def counts(agent: str, name: str) -> tuple[str, str]:
        half, most = (counted_channels(part.ranked) for part in sites[agent][name].needed)
        return half, most

    half, most = counts("corner", ONE)
    assert f"{half} of 16 channels give half and {most} nine tenths" in said
    assert f"at random need {sites['corner'][ONE].half.random.value:.0f} for half" in said
    anywhere = sites["anywhere"]
    for name in ("block2.conv", POOL, PUBLISHED):
        assert anywhere[name].ranking[0] == 2 and anywhere[name].half.ranked.value == 1
    half, most = counts("anywhere", PUBLISHED)
    assert f"still ({half} of 32). For nine tenths it takes {most} there" in said
    pair, eight = anywhere["block2.conv"].removed[-1], sites["region5-easy"][POOL].removed[-1]
    assert pair.channels == (2, 22) and f"leaves {ranged(pair.left)} at `block2.conv`" in said
    assert f"changes by {ranged(pair.region)}" in said
    assert f"needs {counts('region5-easy', POOL)[0]} for half at `block2.maxpool`" in said
    assert f"and {counts('region5-easy', PUBLISHED)[0]} at the published site" in said
    assert len(eight.channels) == 8 and f"leave {ranged(eight.left)} there" in said
    assert f"changes by {ranged(eight.region)}" in said and eight.holds


def test_the_page_says_of_the_control_what_was_measured(found: dict[str, AnatomySummary]) -> None:
    said = " ".join(
        PAGE[PAGE.index("**In `reflex`** few channels give half to the end") :].split("**The same")[0].split()
    )
    sites = {short_site_name(site.name): site for site in found["reflex"].circuit or ()}
    assert f"{counted_channels(sites['block3.maxpool'].half.ranked)} of 32 give half at `block3.maxpool`" in said
    assert f"{counted_channels(sites['relu3'].half.ranked)} at `relu3`" in said
    known = with_half(list(sites.values()))
    assert f"At {sum(site.removed[-1].holds for site in known)} of {len(known)} sites" in said
    end = sites["block1.res2.resadd"].removed[-1]
    assert len(end.channels) == 16 and f"changes by {ranged(end.region)}" in said


def test_the_page_says_what_removing_channels_costs(sites: dict[str, CircuitSite]) -> None:
    said = " ".join(PAGE[PAGE.index("### Channels for the cheese") :].split("### ")[1].split())
    few = [sites["block2.conv"].removed[-1], sites[POOL].removed[-1]]
    assert all(len(part.channels) == 12 for part in few)
    left, fall = ([rounded(value) for value in values] for values in zip(*((part.left.value, -(part.region.value or 0))
                                                                           for part in few), strict=True))  # fmt: skip
    assert f"leave {left[0]} of it at `block2.conv` and {left[1]} at `block2.maxpool`" in said
    assert f"falls by {fall[0]} and {fall[1]}" in said
    later = [site for site in with_half(list(sites.values())) if site.depth >= sites[PUBLISHED].depth]
    assert all(len(site.removed[-1].channels) == site.channels for site in later)
    changes = [round(site.removed[-1].region.value or 0.0, 2) for site in later]
    assert f"({printed(max(changes), 2)} to {printed(min(changes), 2)})" in said
