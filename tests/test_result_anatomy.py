"""What the page of results says of angles, mean vectors and analogies is what the evidence holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from agents.checkpoints.cards import load_card
from steering.figures.anatomy.analogy_figures import ranked
from steering.records.anatomy.analogy_site import (
    ALONE,
    CENTRED,
    DEPTH,
    EFFECTIVE,
    GUESS,
    RANDOM,
    TRENDS,
    AnalogySite,
    AnalogySummary,
)
from steering.records.anatomy.interference_site import InterferenceSite, MeanVectors
from steering.records.anatomy.summary import AnatomySummary
from steering.records.probes import Estimate
from steering.statistics.formatting import short_site_name
from tests.helpers.anatomy_tables import AGENTS, analogy_tables, angle_tables, measured, spread
from tests.helpers.result_tables import number
from tests.test_result import PAGE, table

P = TypeVar("P")
Angles = dict[str, tuple[InterferenceSite, ...]]
Analogies = dict[str, AnalogySummary]
END, PUBLISHED, BEHIND, BOUNDARY, LAST = (
    "block1.res2.resadd",
    "block2.res1.resadd",
    "block2.res2.resadd",
    "block3.conv",
    "relu3",
)


@pytest.fixture(scope="module")
def angles(tmp_path_factory: pytest.TempPathFactory) -> Angles:
    """The part ``interference`` of each agent that was asked for it."""
    return checked(lambda found: found.interference, tmp_path_factory)


@pytest.fixture(scope="module")
def analogies(tmp_path_factory: pytest.TempPathFactory) -> Analogies:
    """The part ``analogy`` of each agent that was asked for it."""
    return checked(lambda found: found.analogy, tmp_path_factory)


def checked(part: Callable[[AnatomySummary], P | None], scratch: pytest.TempPathFactory) -> dict[str, P]:
    """Return the part of each agent, of those that are shipped."""
    found = measured(part, scratch.mktemp("evidence"))
    for name, (summary, _) in found.items():
        assert summary.checkpoint.sha256 == load_card(name)["sha256"]
        assert summary.settings.mode == ("easy" if name == "region5-easy" else "hard")
    return {name: each for name, (_, each) in found.items()}


def said(heading: str) -> str:
    """Return the text of a section, up to the next heading."""
    return " ".join(PAGE[PAGE.index(f"{heading}\n") :].split("\n#")[0].split())


def sites_of(found: AnalogySummary) -> dict[str, AnalogySite]:
    return {short_site_name(site.name): site for site in found.sites}


def means_of(found: tuple[InterferenceSite, ...]) -> dict[str, MeanVectors]:
    """Return the mean vectors by site of the trunk."""
    return {short_site_name(site.name): site.means for site in found if site.trunk and site.means is not None}


def fours(parts: dict[str, MeanVectors] | dict[str, InterferenceSite], *names: str) -> list[str]:
    """Return the share of sums of four vectors that are read, at some sites."""
    return [number(next(part for part in parts[name].sets if part.size == 4).right.value) for name in names]


def test_the_page_has_the_tables_of_angles_and_analogies(angles: Angles, analogies: Analogies) -> None:
    assert list(angles) == list(analogies) == list(AGENTS)
    for heading, rows in {**angle_tables(angles), **analogy_tables(analogies)}.items():
        assert table(f"{heading}\n") == rows, heading


def test_the_page_has_the_numbers_of_the_angles(angles: Angles) -> None:
    words = said("## What the cheese vector is made of")
    sites = {short_site_name(site.name): site for site in angles["region5"]}
    boundary, ratio = sites[BOUNDARY], sites[BOUNDARY].interference.ratio
    assert f"{number(ratio.value, 0)} times ({number(ratio.low, 0)} to {number(ratio.high, 0)})" in words
    assert f"{number(boundary.effective.value, 0)} of {boundary.dimension:,} at that site" in words
    assert all(site.could_be_orthogonal for site in sites.values() if site.trunk and site.dimension > 256)
    trunk = [name for name, site in sites.items() if site.trunk]
    by_chance = [
        sites[name].interference.ratio_effective.value or 0.0 for name in trunk[trunk.index(END) : trunk.index(LAST)]
    ]
    told = f"is {number(min(by_chance))} to {number(max(by_chance), 1)} from the end of block 1 to the last map"
    assert f"{told}, and {number(sites[LAST].interference.ratio_effective.value, 1)} at" in words
    assert fours(sites, "block1.res1.resadd", PUBLISHED, BOUNDARY) == [".99", ".15", ".01"]


def test_the_page_has_the_numbers_of_the_mean_vectors(angles: Angles) -> None:
    words, means = said("### One vector for a cell"), means_of(angles["region5"])
    boundary, names = means[BOUNDARY], list(means)
    assert f"{boundary.cells} cells are asked, each free in {boundary.levels:.0f} of the levels" in words
    assert {means[name].recognised.value for name in names[: names.index("block2.maxpool") + 1]} == {1.0}
    maps, last = (number(means[name].recognised.value) for name in (names[names.index(LAST) - 1], LAST))
    assert f"At the boundary {spread(boundary.recognised)} are, at the last map before" in words
    assert f"`relu3` {maps}, and at `relu3` {last}." in words
    assert f"cosine is {number(boundary.raw[0].ratio.value, 0)} times that of random directions, and" in words
    assert f"and {number(boundary.raw[0].ratio_effective.value, 1)} times that in the effective dimension" in words
    read = fours(means, PUBLISHED, BOUNDARY)
    assert f"read in {read[0]} of the draws at `block2.res1.resadd`, and in {read[1]} at" in words


def test_the_page_says_how_vectors_crowd_in_other_agents(angles: Angles) -> None:
    words = said("## What the cheese vector is made of")
    sites = {name: {short_site_name(site.name): site.interference for site in found if site.trunk}
             for name, found in angles.items()}  # fmt: skip
    four = [
        sites[name][BOUNDARY].ratio.value for name in ("region5-seed1", "region5-seed2", "anywhere", "region5-easy")
    ]
    assert f"the ratio is {number(min(four), 1)} to {number(max(four), 1)} in the further seeds" in words
    for name, told in (("corner", "in `corner`"), ("reflex", "in `reflex`")):
        ratio = sites[name][BOUNDARY].ratio
        assert f"{spread(ratio, 1)} {told}" in words
    names = list(sites["region5"])
    maps = names[names.index(END) : names.index(LAST)]
    near = [
        sites[name][at].ratio_effective.value for name in AGENTS if name not in ("region5", "anywhere") for at in maps
    ]
    assert f"up to the last map: it is {number(min(near), 1)} to {number(max(near), 1)} from the end" in words
    last = [number(sites["anywhere"][at].ratio_effective.value, 1) for at in (*maps[-2:], LAST)]
    assert f"with {last[0]} and {last[1]} at the last two maps and {last[2]} at `relu3`" in words


def test_the_page_says_which_agents_lose_the_cell(angles: Angles) -> None:
    words, means = said("### One vector for a cell"), {name: means_of(found) for name, found in angles.items()}
    told = {name: found[LAST].recognised for name, found in means.items()}
    four = [told[name].value for name in ("region5-seed1", "region5-seed2", "anywhere", "corner")]
    assert f"At `relu3` {number(min(four))} to {number(max(four))} of the cells" in words
    assert f"{spread(told['region5-easy'])} in `region5-easy`" in words
    control = means["reflex"]
    assert f"it is {spread(told['reflex'])} there and {spread(control['relufc'].recognised)} at" in words
    assert all((told[name].high or 1) < (told["reflex"].low or 0) for name in AGENTS if name != "reflex")


def test_the_points_have_the_numbers_of_the_last_map(angles: Angles, analogies: Analogies) -> None:
    words = said("## In six points")
    holds = {name: sites_of(found)[LAST].holds.value or 0.0 for name, found in analogies.items()}
    cells = {name: means_of(found)[LAST].recognised.value or 0.0 for name, found in angles.items()}
    control, alone = holds.pop("reflex"), cells.pop("reflex")
    assert (
        f"cell in {number(max(holds.values()))} of the analogies at most. In `reflex` it does in {number(control)}."
        in words
    )
    hard = [value for name, value in cells.items() if name != "region5-easy"]
    assert f"for {number(min(hard))} to {number(max(hard))} of the cells of hard mazes" in words
    assert f"in `reflex` for nearly all ({number(alone)})" in words


def test_the_page_has_the_numbers_of_the_analogies(analogies: Analogies) -> None:
    found, words = analogies["region5"], said("### Another maze's cheese")
    sites = sites_of(found)
    early, published, behind, boundary, last = (sites[name] for name in (END, PUBLISHED, BEHIND, BOUNDARY, LAST))
    ((count,),) = ({site.analogies for site in found.sites},)
    assert f"in {spread(early.holds)} of {count:,} analogies" in words
    assert f"At the published site it is nearest in {spread(published.holds)}, one residual block" in words
    assert f"one residual block later in {number(behind.holds.value)}, at the boundary in" in words
    assert f"boundary in {number(boundary.holds.value)}, and at `relu3` in {number(last.holds.value)}" in words
    baselines = [ranked(site, guess).top_excluding.value for site in found.sites for guess in (ALONE, RANDOM)]
    assert {number(value) for value in baselines} <= {".00", ".01"}
    assert f"helps little: {number(ranked(published, GUESS).top_excluding.value)} at the published" in words
    assert f"start on the same pixels: {spread(published.same_start.top)}." in words
    far, middle = (next(group for group in published.distances if group.low == low) for low in (9, 3))
    assert (far.high, middle.high) == (None, 5)
    assert f"mouse: {spread(far.top)} of the cells 9 or more away, {spread(middle.top)} of those 3" in words
    assert f"less their mean find more: {number(ranked(published, GUESS, CENTRED).top.value)}." in words
    nearest = published.nearest
    other, here = number(nearest.other_cell.value), number(nearest.here.value)
    assert f"another cell of B ({other}) or B without cheese ({here}), and A never." in words
    assert nearest.there.value == 0 and f"is {number(published.left.value)} of that from B" in words
    trends = {trend.what: trend for trend in found.trends}
    assert (trends[DEPTH].alone.high or 0) < 0 and (trends[EFFECTIVE].alone.low or 0) > 0
    distinct = [site for site in found.sites if site.trunk and site.equivalence_class == site.name]
    assert f"(rank correlation {listed(trends[EFFECTIVE].alone)}, over {len(distinct)} sites)" in words
    assert f"has {spread(early.behaviour)} of the effect" in words
    assert f"has {spread(published.behaviour)} at the published site and {spread(boundary.behaviour)}" in words
    assert all((sites[name].behaviour_other.high or 0) < 0 for name in (END, PUBLISHED))
    assert f"does ({listed(sites['input'].behaviour)})" in words


def listed(found: Estimate) -> str:
    """Return a number and its interval as they stand inside brackets."""
    return f"{number(found.value)}, {number(found.low)} to {number(found.high)}"


def test_the_page_says_how_analogies_fare_in_other_agents(analogies: Analogies) -> None:
    words = said("### Another maze's cheese")
    assert all((found.trends[0].alone.high or 0) < 0 for found in analogies.values())
    assert TRENDS[0] == DEPTH and TRENDS[2] == EFFECTIVE
    sites = {name: sites_of(found) for name, found in analogies.items()}
    seed, anywhere, corner, easy = (sites[name] for name in ("region5-seed1", "anywhere", "corner", "region5-easy"))
    second = sites["region5-seed2"]
    nearest = [spread(found[PUBLISHED].holds) for found in (seed, second)]
    assert f"`region5-seed1` has {nearest[0]} nearest, `region5-seed2` {nearest[1]}." in words
    before, behind = anywhere["block2.maxpool"].holds, anywhere[PUBLISHED].holds
    assert f"{spread(before)} before, {spread(behind)} behind it." in words
    assert f"{spread(easy[PUBLISHED].holds)} at the published site, {spread(easy[BOUNDARY].holds)} at" in words
    first = f"{spread(corner[END].holds)} are nearest at the end of block 1, {spread(corner[PUBLISHED].holds)} at the"
    assert (
        f"{first} published site. There B without cheese is nearest in {number(corner[PUBLISHED].nearest.here.value)}."
        in words
    )
    order = [
        (found[PUBLISHED].holds.value or 0.0) for found in (corner, anywhere, seed, sites["region5"], second, easy)
    ]
    assert order == sorted(order)


def test_the_page_says_that_analogies_hold_without_planning(analogies: Analogies) -> None:
    words = said("### Another maze's cheese")
    control = sites_of(analogies["reflex"])
    nearest = [spread(control[name].holds) for name in (PUBLISHED, BOUNDARY, LAST)]
    assert f"last map: {nearest[0]} at the published site, {nearest[1]} at `block3.conv` and {nearest[2]} at" in words
    assert f"vector has {spread(control[BOUNDARY].behaviour)} of the effect at `block3.conv`." in words
    others = [sites_of(found) for name, found in analogies.items() if name != "reflex"]
    for name in (BOUNDARY, LAST):
        assert all((found[name].holds.high or 1) < (control[name].holds.low or 0) for found in others)


def test_the_page_says_what_the_policy_of_other_agents_makes_of_them(analogies: Analogies) -> None:
    words = said("### Another maze's cheese")
    sites = {name: sites_of(found) for name, found in analogies.items()}
    four = [sites[name] for name in ("region5-seed1", "region5-seed2", "anywhere", "region5-easy")]
    early, late = (sorted(found[name].behaviour.value or 0.0 for found in four) for name in (END, BOUNDARY))
    assert f"has {number(early[0])} to {number(early[-1])} of the effect in the further seeds, `anywhere` and" in words
    assert f"At `block3.conv` it has {number(late[0])} to {number(late[-1])}." in words
    assert all((site.behaviour.high or 0) < 0 for site in sites["corner"].values())
    effective = {name: found.trends[2].alone for name, found in analogies.items()}
    assert {name for name, found in effective.items() if (found.low or 0) > 0} == {"region5", "region5-seed2", "reflex"}
    assert {name for name, found in effective.items() if (found.high or 0) < 0} == {"corner", "region5-easy"}
    assert (
        f"do worse in `corner` ({listed(effective['corner'])}) and `region5-easy` ({listed(effective['region5-easy'])})"
        in words
    )
