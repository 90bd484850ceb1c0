"""What the page of results says of modules is what the evidence holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.checkpoints.cards import load_card
from steering.figures.anatomy.modules_words import first_modular
from steering.records.anatomy.modules import KINDS, Modules, ModulesSite
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import ANATOMY
from tests.helpers.circuit_tables import ranged
from tests.helpers.module_tables import communities, in_use, over_training, shared, site_of
from tests.helpers.result_tables import Table, evidence, number

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "result.md").read_text()
AGENTS = ("region5", "region5-seed1", "region5-seed2", "anywhere", "corner", "reflex", "region5-easy")
SERIES = ("region5", "region5-easy")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Modules]:
    """The part of each agent."""
    scratch = tmp_path_factory.mktemp("evidence")
    read = {name: evidence(ANATOMY, name, scratch) for name in AGENTS}
    for name, summary in read.items():
        assert summary.checkpoint.sha256 == load_card(name)["sha256"] and len(summary.settings.levels) == 100
    return {name: summary.modules for name, summary in read.items() if summary.modules is not None}


def table(heading: str) -> Table:
    """Cells of the first table behind a heading, header first."""
    lines = PAGE[PAGE.index(f"\n{heading}\n") :].splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("|"))
    last = next((k for k, line in enumerate(lines[first:], first) if not line.startswith("|")), len(lines))
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[first:last]]
    return [rows[0], *rows[2:]]


def test_the_page_has_the_tables_of_modules(found: dict[str, Modules]) -> None:
    assert list(found) == list(AGENTS)
    assert table("### Communities") == communities(found)
    for name in SERIES:
        assert table(f"### Communities over training, {name}") == over_training(found[name])
    assert table("### Channels in use") == in_use(found)
    assert table("### Same channels, cheese and walls") == shared(found, ("cheese", "walls"))
    assert table("### Same channels, cheese and mouse") == shared(found, ("cheese", "mouse"))


def test_the_page_says_which_channels_move(found: dict[str, Modules]) -> None:
    said = " ".join(PAGE[PAGE.index("\n### Modules\n") :].split())
    sites = {short_site_name(site.name): site for site in found["region5"].sites if site.trunk}
    order = list(sites)
    most = min((site for name, site in sites.items() if "block" in name), key=lambda site: site.cheese.ratio.value or 9)
    assert short_site_name(most.name) == "block2.maxpool"

    def used(site: ModulesSite, digits: int, between: str) -> str:
        return f"{number(site.cheese.channels.value, digits)}{between}{number(site.cheese.turned, digits)}"

    assert f"as if in {used(most, 1, ' of 32, along random axes in ')}" in said
    assert (
        f"({used(sites['relu3'], 1, ' against ')})" in said
        and f"({used(sites['relufc'], 0, ' of 256 against ')})" in said
    )
    for name in ("relu3", "relufc"):  # walls and mouse do the same
        assert all((each.ratio.high or 9) < 0.6 for each in sites[name].kinds)
    late = order[order.index("block2.res1.resadd") : order.index("relu3")]
    ratios = [sites[name].cheese.ratio.value or 0.0 for name in late]
    assert f"the ratio is {number(min(ratios))} to {number(max(ratios))}" in said

    def above(name: str, other: str) -> float:
        pair = sites[name].overlaps[KINDS.index(other) - 1]
        assert (pair.one, pair.other) == ("cheese", other)
        return pair.above_chance.value or 0.0

    early = [above(name, "walls") for name in order[order.index("block1.maxpool") : order.index("block2.conv")]]
    assert f"{number(min(early))} to {number(max(early))} behind the first convolution" in said
    assert f"{number(above('block2.conv', 'walls'))} at `block2.conv`" in said
    for name, words in (
        ("block2.maxpool", "at `block2.maxpool`"),
        ("block2.res1.resadd", ""),
        ("block3.res2.resadd", ""),
    ):
        value = sites[name].overlaps[0].above_chance
        assert f"{number(value.value)} ({number(value.low)} to {number(value.high)}) {words}".strip() in said
    later = [sites[name].overlaps[0] for name in order[order.index("block2.res1.resadd") :]]
    assert all((pair.above_chance.low or 0) > 0.7 and (pair.p or 1) < 0.01 for pair in later)
    maps = [above(name, "mouse") for name in order[1 : order.index("flatten")]]
    assert f"{number(min(maps))} to {number(max(maps))} at the maps behind the picture" in said
    assert f"At `fc` it is {number(above('fc', 'mouse'))}" in said


def test_the_page_says_how_modular_the_network_is(found: dict[str, Modules]) -> None:
    said = " ".join(PAGE[PAGE.index("\n### Modules\n") :].split())
    network = found["region5"].network
    own, fresh = network.modularity, network.untrained
    assert own.kept.exceeded and own.shuffled.exceeded and fresh is not None and network.whole_layers
    numbers = [number(value, 3) for value in (own.value, own.kept.mean, own.shuffled.mean, fresh.mean)]
    words = (
        "The modularity is {}. The same weights shuffled have {} if each channel keeps its strength, and {} otherwise."
    )
    assert f"{words} Untrained networks have {{}}.".format(*numbers) in said
    assert f"Newman's modularity is {number(network.newman)}, with shuffled weights as well" in said
    assert network.newman == pytest.approx(network.newman_shuffled.mean, abs=1e-9)
    cheese, walls, mouse = network.separations
    told = f"{number(cheese.bits, 3)} bits, by chance {number(cheese.chance, 3)} (p {number(cheese.p, 3)})"
    assert told in said and f"walls ({number(walls.bits, 3)}) and mouse ({number(mouse.bits, 3)})" in said
    series = [each for each in network.snapshots if each.samples <= 131_072]
    assert not any(each.modularity.kept.exceeded for each in series)
    assert first_modular(network.snapshots, kept=True) == 262_144
    assert first_modular(network.snapshots, kept=False) == 4_194_304
    values = [each.modularity.value for each in network.snapshots if each.samples >= 131_072]
    assert values == sorted(values)


def test_the_page_says_what_other_agents_say(found: dict[str, Modules]) -> None:
    said = " ".join(PAGE[PAGE.index("\n### Modules\n") :].split())

    def walls(agent: str, name: str) -> float:
        site = site_of(found[agent], name)
        assert (site.overlaps[0].p or 1) <= 0.05 or agent == "region5-easy"
        return site.overlaps[0].above_chance.value or 0.0

    seeds = [number(walls(f"region5-seed{k}", "block2.res1.resadd")) for k in (1, 2)]
    assert f"({seeds[0]} and {seeds[1]} at `block2.res1.resadd`)" in said
    pair = site_of(found["corner"], "block2.res1.resadd").overlaps
    assert f"({number(pair[0].above_chance.value)} and {number(pair[1].above_chance.value)})" in said
    ratios = {name: number(site_of(part, "block2.maxpool").cheese.ratio.value) for name, part in found.items()}
    assert f"the ratio is {ratios['corner']} there against {ratios['region5']}." in said
    assert f"The further seeds have {ratios['region5-seed1']} and {ratios['region5-seed2']} " in said
    easy = [number(walls("region5-easy", name)) for name in ("block2.res1.resadd", "block3.conv")]
    assert f"at `block3.conv`, in `region5-easy` {easy[0]} and {easy[1]}." in said
    kept, free = (first_modular(found["region5-easy"].network.snapshots, kept=each) for each in (True, False))
    assert f"from {kept:,} samples on, and beyond free shuffles from {free:,} on" in said
    assert all(part.network.modularity.kept.exceeded for part in found.values())
    within = {
        name: part.network.modularity for name, part in found.items() if not part.network.modularity.shuffled.exceeded
    }
    assert list(within) == ["anywhere"]
    alone = within["anywhere"]
    assert f"all but `anywhere` ({number(alone.value, 3)} against {number(alone.shuffled.mean, 3)})" in said
    control = [
        site_of(found["reflex"], name).overlaps[0].above_chance for name in ("block2.res1.resadd", "block3.conv")
    ]
    at_both = f"it is {ranged(control[0])} and {ranged(control[1])}. At these two sites that is less"
    assert f"plans nothing, {at_both}" in said
    for name, part in found.items():
        for site, least in zip(("block2.res1.resadd", "block3.conv"), control, strict=True):
            assert name == "reflex" or (site_of(part, site).overlaps[0].above_chance.low or 0) > (least.high or 1)
    late = [number(walls("anywhere", name)) for name in ("block2.res1.resadd", "block3.conv")]
    assert f"in `anywhere` it is {late[0]} at `block2.res1.resadd` and {late[1]} at `block3.conv`" in said
    told = {name: [each.p <= 0.05 for each in part.network.separations] for name, part in found.items()}
    assert all(mouse for _, _, mouse in told.values())
    assert {name for name, (cheese, _, _) in told.items() if not cheese} == {"region5-seed1", "reflex", "region5-easy"}
    assert {name for name, (_, walls, _) in told.items() if not walls} == {"region5-seed1", "reflex", "region5-easy"}
    values = [number(found[name].network.separations[0].p, 3) for name in ("region5-seed1", "reflex", "region5-easy")]
    assert f"(p {values[0]}, {values[1]} and {values[2]}) nor of walls" in said
