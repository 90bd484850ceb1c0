"""The page of results says what the runs that come with it hold, and these are of the agents that are shipped."""

from __future__ import annotations

import functools
import lzma
import re
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from agents.checkpoints.cards import load_card, zoo_snapshots
from envs.stored.json_records import from_json
from steering.analysis.compared_runs import find_runs, read_compared_runs
from steering.analysis.comparison import compare
from steering.analysis.paired_effects import cheese_tells
from steering.analysis.readings import control_readings, readings
from steering.analysis.summary import summarize
from steering.experiments.conditions import MAIN
from steering.planning.readers import HORIZONS
from steering.probes.summary import APART
from steering.records.comparison import ComparedRunSummary
from steering.records.probes import ProbeSummary
from steering.records.sweep import SweepSummary
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import PLANNING, READOUTS, WRITTEN, read_probes
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from steering.workflows.control import control_of_run
from tests.helpers.result_tables import AGENTS, CHEESE, PAIR, WIDTHS, evidence, pair_tables, tables, width_tables
from tests.helpers.result_tables import SERIES as SNAPSHOTS

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = {path.name.removesuffix(".tar.xz"): path for path in (ROOT / "docs" / "evidence").glob("*.tar.xz")}
PAIRED = {name: EVIDENCE.pop(name) for name in (*PAIR, CHEESE[1])}  # easy levels
SERIES = EVIDENCE.pop("region5-series")  # snapshots of a training: their outcomes alone
CONTROL = "reflex"
STRANGER = "e82e620ee1c47d82684bb3bc84e140ffd7bbb4ca8bd5f0cc517370abab9e3f00"  # model_160022528: not shipped
PAGE = (ROOT / "docs" / "result.md").read_text()


def table(heading: str) -> list[list[str]]:
    """Cells of the first table behind a piece of text, header first."""
    lines = PAGE[PAGE.index(heading) :].splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("|"))
    last = next(k for k, line in enumerate(lines[first:], first) if not line.startswith("|"))
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[first:last]]
    return [rows[0], *rows[2:]]


def column(rows: list[list[str]], name: str) -> int:
    """The column of an agent: the first whose title ends with its name."""
    return next(k for k, title in enumerate(rows[0]) if title.endswith(f"`{name}`"))


def printed(value: float, digits: int = 3) -> str:
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def ranged(part: dict[str, Any], name: str, digits: int) -> str:
    """A number with its interval, which is left out where it is of one point."""
    value, low, high = (printed(part[end], digits) for end in (name, f"{name}_low", f"{name}_high"))
    return value if low == high == value else f"{value} ({low} to {high})"


@functools.cache
def measured(name: str) -> tuple[SweepSummary, ProbeSummary]:
    """Summary and probes of a run that comes with the page."""
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open({**EVIDENCE, **PAIRED}[name]) as archive:
            archive.extractall(scratch, filter="data")
        directory = Path(scratch) / name
        spec = SweepSpec.load(directory)
        assert spec.sha256 == digest(name), "another agent has this name now"
        with Store.open(directory) as store:
            summary = summarize(store, spec, **vars(store.thresholds()))
        probes, note = read_probes(directory, spec.sha256, spec.mode)
    assert note == "" and probes is not None
    return summary, probes


def digest(name: str) -> str:
    """The digest of an agent's weights, as they are shipped."""
    return STRANGER if name == PAIR[1] else str(load_card(name)["sha256"])


@pytest.fixture(params=sorted(EVIDENCE))
def run(request: pytest.FixtureRequest) -> tuple[str, SweepSummary, ProbeSummary]:
    """Name, summary and probes of a run that comes with the page."""
    return (request.param, *measured(request.param))


def test_the_page_has_the_numbers_of_the_sweep(run: tuple[str, SweepSummary, ProbeSummary]) -> None:
    name, summary, _ = run
    assert len(summary.levels.used) == (100 if name == CONTROL else 200)
    trunk = {short_site_name(s.name): vars(s.conditions[MAIN]) for s in summary.sites if s.trunk}
    for heading, quantity, digits in (("### Blindness", "blindness", 3), ("### Competence", "competence", 2)):
        header, *rows = table(heading)
        shown = []
        for row in rows:
            for site in row[0].partition(" (")[0].split(", "):
                cell = ranged(trunk[site], quantity, digits)
                cell = cell if quantity == "blindness" else cell.partition(" ")[0]
                assert row[column([header], name)] == cell, site
                shown.append(site)
        assert shown == list(trunk)
    header, *rows = table("### Controls")
    controls = summary.boundary.controls
    assert [row[0].strip("`") for row in rows] == list(controls)
    for row, part in zip(rows, controls.values(), strict=True):
        expected = {
            f"blindness{end}": getattr(part.there, key)
            for end, key in (("", "blindness"), ("_low", "low"), ("_high", "high"))
        }
        assert row[column([header], name)] == ranged(expected, "blindness", 2)


def test_the_page_has_the_numbers_of_the_probes(run: tuple[str, SweepSummary, ProbeSummary]) -> None:
    name, _, probes = run
    probed = {short_site_name(site.name): site for site in probes.sites}
    vectors = {short_site_name(site.name): site.inside for site in probes.representation}
    moves = {"### Next move": "cheese", "### Apart": APART, "### Corner": "corner"}
    for heading in (*moves, "### Cell", "### Interaction"):
        header, *rows = table(heading)
        for row in rows:
            site = row[0].partition(" (")[0].split(", ")[0]
            if site == "surroundings alone":
                value = probes.surroundings[moves[heading]].value
            elif heading in moves:
                value = probed[site].moves[moves[heading]].accuracy.value
            elif heading == "### Cell":
                value = probed[site].cell.r2.value
            else:
                value = vectors[site].interaction.value
            assert row[column([header], name)] == printed(value, 2), (heading, site)
        assert len(rows) == (13 if heading in moves else 12)


def test_the_page_has_all_readings(run: tuple[str, SweepSummary, ProbeSummary]) -> None:
    name, summary, probes = run
    found = {(row.kind, row.what): f"{row.place} ({row.interval})" for row in readings(summary.boundary, probes)}
    header, *rows = table("### Readings")
    cells = {(row[0], row[1]): row[column([header], name)] for row in rows}
    assert {key: cell for key, cell in cells.items() if cell} == found


def test_the_first_point_has_the_numbers_of_far_detours(tmp_path: Path) -> None:
    said = " ".join(PAGE[PAGE.index("1. **The agents plan.**") :].split("2. **")[0].split())
    far = {
        name: [
            next(part for part in row.detour if (part.low, part.high) == (15, 25))
            for goal in ("corner", "cheese")
            for row in evidence(PLANNING, name, tmp_path).behaviour
            if row.goal == goal
        ]
        for name in ("region5", "reflex")
    }
    own = [printed(part.follows.value, 2) for part in far["region5"]]
    assert f"`region5` follows {own[0]} of those to the corner and {own[1]} of those to the cheese" in said
    assert {printed(part.follows.value, 2) for part in far["reflex"]} == {".00"} and "`reflex` none" in said
    (reader,) = {printed(part.readers[HORIZONS.index(16)], 2) for part in far["region5"]}
    assert f"that sees 16 steps of path follows {reader} of either" in said


def test_the_page_has_the_numbers_of_planning_readouts_and_written_moves(tmp_path: Path) -> None:
    """Every table, cell by cell; of the agents that are shipped."""
    for heading, rows in tables(tmp_path, {name: measured(name)[0] for name in AGENTS}).items():
        titles = [f"`{title}`" if title in AGENTS else title for title in rows[0]]
        assert table(heading) == [titles, *rows[1:]], heading
    for name in AGENTS:
        for artifact in (PLANNING, READOUTS, WRITTEN):
            assert evidence(artifact, name, tmp_path).checkpoint.sha256 == load_card(name)["sha256"]
    shipped = zoo_snapshots("region5")
    for count in SNAPSHOTS:
        assert evidence(PLANNING, f"region5-{count}", tmp_path).checkpoint.sha256 == shipped[count]["sha256"]


def test_the_page_has_the_numbers_of_the_pair_on_the_same_easy_levels(tmp_path: Path) -> None:
    """Imitation against reward alone: the same network, the same levels."""
    found = {name: measured(name)[0] for name in PAIR}
    first, second = found.values()
    assert first.levels.used == second.levels.used and len(first.levels.used) == 200
    assert first.mode == second.mode == "easy"
    held: dict[str, list[str]] = {}
    for heading, rows in pair_tables(tmp_path, found).items():
        titles = [f"`{title}`" if title in PAIR else title for title in rows[0]]
        assert table(heading) == [titles, *rows[1:]], heading
        held |= {row[0]: row[1:] for row in rows if heading != "### Pair: handoff"}
    short = {row[0]: row[1:] for row in table("## Reward alone against imitation")}
    cards = [load_card(PAIR[0])["figures"][key] for key in ("p_cheese_in_distribution", "p_cheese_anywhere")]
    assert [short[key][0] for key in list(short)[2:4]] == [printed(value) for value in cards]
    assert short["boundary"] == [f"{place_of(summary)}" for summary in found.values()]
    assert short["detours to the corner followed"] == held["detours to the corner"]
    effect = "the effect of a detour to the corner: "
    for row, what, word in (
        ("their source carries half up to", "its source alone carries half", "up to "),
        ("the mouse's place takes over at", "the mouse's place carries more than the source", "from "),
    ):
        cells = [cell.removeprefix(word) for cell in held[effect + what]]
        assert [re.sub(r"\(\S+ only\)", "(that site only)", cell) for cell in cells] == short[row]
    for name in PAIR:
        for artifact in (PLANNING, READOUTS, WRITTEN):
            assert evidence(artifact, name, tmp_path).checkpoint.sha256 == digest(name)
            assert evidence(artifact, name, tmp_path).settings.mode == "easy"


def test_the_page_has_the_numbers_of_half_the_width(tmp_path: Path) -> None:
    packed = ROOT / "docs" / "evidence" / f"{WIDTHS[1]}-summary.json.xz"
    narrow = from_json(lzma.decompress(packed.read_bytes()), SweepSummary)
    wide = measured(WIDTHS[0])[0]
    assert narrow.levels.used == wide.levels.used and narrow.mode == wide.mode == "easy"
    for name, found in zip(WIDTHS, (wide, narrow), strict=True):
        assert found.checkpoint.sha256 == digest(name) == evidence(PLANNING, name, tmp_path).checkpoint.sha256
    for heading, rows in width_tables(tmp_path, dict(zip(WIDTHS, (wide, narrow), strict=True))).items():
        titles = [f"`{title}`" if title in WIDTHS else title for title in rows[0]]
        assert table(heading) == [titles, *rows[1:]], heading


def place_of(summary: SweepSummary) -> str:
    """The boundary of a run, which is that of all resamples."""
    found = summary.boundary
    assert found.low == found.site == found.high and found.site is not None
    return f"{short_site_name(found.site)} (that site only)"


def test_the_page_has_the_numbers_of_the_cheese_moved() -> None:
    found = from_json(
        lzma.decompress((ROOT / "docs" / "evidence" / "region5-move-summary.json.xz").read_bytes()), SweepSummary
    )
    assert found.checkpoint.sha256 == load_card("region5")["sha256"] and len(found.levels.used) == 64
    said = " ".join(PAGE[PAGE.index("Moving the cheese instead") :].split())
    rows = {short_site_name(site.name): site.conditions["move"] for site in found.sites}
    for site in ("block2.res1.resadd", "block3.conv", "block3.maxpool"):
        assert f"{ranged(vars(rows[site]), 'blindness', 2)} at `{site}`" in said


def test_the_page_says_among_how_many_mazes_the_effect_lies() -> None:
    header, visits, effective, largest = table("How widely the effect is spread over the 200 mazes:")
    for name in header[1:]:
        summary, _ = measured(name.strip("`"))
        site = next(site for site in summary.sites if short_site_name(site.name) == "block3.conv")
        cells = [row[column([header], name.strip("`"))] for row in (visits, effective, largest)]
        assert summary.spread is not None and summary.spread.of == 20
        assert cells == [
            printed(site.conditions[MAIN].blindness_occupancy, 2),
            f"{summary.spread.effective_mazes:.0f}",
            f"{summary.spread.largest:.0%}",
        ]


def test_what_stands_beside_every_agent_is_the_control_as_it_was_measured(tmp_path: Path) -> None:
    with tarfile.open(EVIDENCE[CONTROL]) as archive:
        archive.extractall(tmp_path, filter="data")
    for artifact in (PLANNING, READOUTS):
        evidence(artifact, CONTROL, tmp_path)
    assert control_of_run(tmp_path / CONTROL) == control_readings()
    assert control_readings().checkpoint.sha256 == load_card(CONTROL)["sha256"]


@pytest.mark.parametrize("archive", sorted((ROOT / "docs" / "evidence").glob("*.tar.xz")), ids=lambda path: path.name)
def test_no_run_names_a_folder_of_the_machine_that_it_was_made_on(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    for directory in (path.parent for path in tmp_path.rglob("results.sqlite")):
        with Store.open(directory) as store:
            command = store.meta("command", str).split()
        assert "--out" in command and not [word for word in command if word.startswith("/")], directory.name


def test_a_run_comes_with_the_page() -> None:
    assert "region5" in EVIDENCE


def test_the_page_has_the_numbers_of_the_snapshots(tmp_path: Path) -> None:
    with tarfile.open(SERIES) as archive:
        archive.extractall(tmp_path, filter="data")
    arms = read_compared_runs(find_runs([tmp_path / "region5-series"]))
    shipped = zoo_snapshots("region5")
    known = {f"region5@{count}": part["sha256"] for count, part in shipped.items()}
    assert {arm.spec.checkpoint: arm.spec.sha256 for arm in arms} == known, "other snapshots are shipped now"
    data = compare(arms)
    assert len(data.levels) == 200
    header, *rows = table("### Snapshots")
    assert [row[0] for row in rows] == [f"{count:,}" for count in shipped]
    found = {arm.checkpoint: arm for arm in data.arms}
    for row in rows:
        arm = found[f"region5@{row[0].replace(',', '')}"]
        points = {short_site_name(point.site): point for point in arm.curve}
        cells = [printed(value, 2) for value in (arm.reference.clean.p_cheese, arm.reference.clean.p_region)]
        cells += [printed(points[site].blindness, 2) for site in header[3:-1]]
        assert row[1:] == [*cells, place(arm)]


def place(arm: ComparedRunSummary) -> str:
    """Return the boundary that the page names for an arm; nothing where the cheese makes no difference."""
    if not cheese_tells(arm.cheese):
        return ""
    found = arm.boundary
    ends = [short_site_name(end) if end else "nowhere" for end in (found.site, found.low, found.high)]
    return f"{ends[0]} ({ends[1]} to {ends[2]})"
