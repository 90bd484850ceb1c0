"""The page of results has the matched control: the cheese in the top right in training, against the cheese anywhere."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from agents.checkpoints.cards import load_card
from steering.analysis.compared_runs import read_compared_runs
from steering.analysis.summary import summarize_run
from steering.records.sweep import SweepSummary
from steering.statistics.boundary import Reach
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import PLANNING
from tests.helpers.result_tables import CHEESE, Table, control_tables, evidence
from tests.test_result import PAGE, PAIRED, printed, table

SECTION = "## The cheese anywhere: a matched control"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with both sweeps."""
    folder = tmp_path_factory.mktemp("control")
    for name in CHEESE:
        with tarfile.open(PAIRED[name]) as archive:
            archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def sweeps(scratch: Path) -> dict[str, SweepSummary]:
    """Summaries of both, by agent."""
    return {name: summarize_run(scratch / name) for name in CHEESE}


@pytest.fixture(scope="module")
def tables(scratch: Path, sweeps: dict[str, SweepSummary]) -> dict[str, Table]:
    """The tables that the evidence makes, by their headings."""
    return control_tables(scratch, sweeps, read_compared_runs([scratch / name for name in CHEESE]))


def test_the_recipes_differ_in_where_the_cheese_lies_alone() -> None:
    first, second = (load_card(name)["training"] for name in CHEESE)
    stages = [stage for stage, options in first.items() if isinstance(options, dict)]
    assert stages == [stage for stage, options in second.items() if isinstance(options, dict)]
    assert {"imitation", "dagger", "dagger_2", "ppo"} == set(stages)
    for stage in stages:
        options = first[stage] | second[stage]
        assert {key for key in options if first[stage].get(key) != second[stage].get(key)} == {"region"}, stage
        assert (first[stage]["region"], second[stage]["region"]) == (5, None)


def test_both_were_asked_alike(scratch: Path, sweeps: dict[str, SweepSummary]) -> None:
    first, second = sweeps.values()
    assert first.levels.used == second.levels.used and len(first.levels.used) == 200
    assert first.mode == second.mode == "easy"
    here, there = (evidence(PLANNING, name, scratch) for name in CHEESE)
    asked = ("levels", "pairs", "distance", "seed", "mode")
    assert [getattr(here.settings, key) for key in asked] == [getattr(there.settings, key) for key in asked]
    digests = [load_card(name)["sha256"] for name in CHEESE]
    assert digests == [found.checkpoint.sha256 for found in (first, second)]
    assert digests == [found.checkpoint.sha256 for found in (here, there)]


def test_the_page_has_the_tables_of_the_control(tables: dict[str, Table]) -> None:
    for heading, rows in tables.items():
        titles = [f"`{title}`" if title in CHEESE else title for title in rows[0]]
        assert table(heading) == [titles, *rows[1:]], heading


def test_the_section_has_the_numbers_of_its_tables(tables: dict[str, Table], sweeps: dict[str, SweepSummary]) -> None:
    short = {row[0]: row[1:] for row in table(SECTION)}
    cards = [load_card(name)["figures"] for name in CHEESE]
    assert short["P(cheese) as in training, levels 0 to 255"] == [
        printed(figures["p_cheese_in_distribution"]) for figures in cards
    ]
    assert short["P(cheese), cheese anywhere"] == [printed(figures["p_cheese_anywhere"]) for figures in cards]
    squares = [figures["decision_square"] for figures in cards]
    assert short["move to the cheese at decision squares"] == [printed(part["p_cheese_move"]) for part in squares]
    assert short["move to the corner there"] == [printed(part["p_corner_move"]) for part in squares]
    alone = {row[0]: row[1:3] for row in tables["### Control: left alone"]}
    assert short["P(top-right 5x5) without the cheese"] == alone["P(top-right 5x5) without the cheese"]
    boundaries = [sweeps[name].boundary for name in CHEESE]
    assert short["boundary"] == [place(Reach(found.site, found.low, found.high)) for found in boundaries]
    assert short["by blindness alone"] == [place(found.blindness_alone) for found in boundaries]
    followed = {row[0]: row[1:] for row in tables["### Control: detours"]}
    known = {row[0]: row[1:] for row in tables["### Control: where a change is known"]}
    for goal in ("corner", "cheese"):
        assert short[f"detours to the {goal} followed"] == followed[f"detours to the {goal}"]
        for title, what in (
            ("their source carries half", "its source alone carries half"),
            ("the mouse's place takes over", "the mouse's place carries more than the source"),
        ):
            cells = known[f"the effect of a detour to the {goal}: {what}"]
            assert short[f"{title}, {goal}"] == [re.sub(r"\(\S+ only\)", "(that site only)", cell) for cell in cells]


def test_the_section_says_what_is_read_of_the_control(tables: dict[str, Table]) -> None:
    words = " ".join(PAGE[PAGE.index("**The cheese's own way can be read") :].split("\n\n")[0].split())
    rows = tables["### Control: readings"]
    own, other = next(row[1:] for row in rows if "where it is not the one to the corner) can be read" in row[0])
    site, interval = other.removeprefix("from ").split(" ", 1)
    assert own == "nowhere (nowhere)" and f"from `{site}` on {interval}; in `region5-easy` they do so nowhere" in words
    last = {
        goal: [cell.split(" / ")[1] for cell in row[1:]]
        for goal in ("corner", "cheese")
        for row in tables[f"### Control: at the mouse, to the {goal}"]
        if row[0] == "block3.res2.resadd"
    }
    assert f"follow {last['cheese'][1]} of the detours to the cheese in the control, {last['cheese'][0]} in" in words
    assert f"it is {last['corner'][1]} and {last['corner'][0]} (" in words


def place(found: Reach) -> str:
    """A site with its interval."""
    site, low, high = (short_site_name(end) if end else "nowhere" for end in (found.site, found.low, found.high))
    return f"{site} (that site only)" if low == site == high else f"{site} ({low} to {high})"
