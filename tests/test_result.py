"""The page of results says what the runs that come with it hold, and these are of the agents that are shipped."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from agents.checkpoints import load_card
from steering.decoding import APART
from steering.depth_axis import short
from steering.plan import SweepSpec
from steering.readings import readings
from steering.store import Store
from steering.summary import MAIN, summarize, thresholds

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = {path.name.removesuffix(".tar.xz"): path for path in (ROOT / "docs" / "evidence").glob("*.tar.xz")}
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


@pytest.mark.parametrize("name", sorted(EVIDENCE))
def test_the_page_has_the_numbers_of_the_run(name: str, tmp_path: Path) -> None:
    with tarfile.open(EVIDENCE[name]) as archive:
        archive.extractall(tmp_path, filter="data")
    run = tmp_path / name
    spec = SweepSpec.load(run)
    with Store.open(run) as store:
        summary = summarize(store, spec, **thresholds(store))
    assert spec.sha256 == load_card(name)["sha256"], "another agent is shipped under this name now"
    assert len(summary["levels"]["used"]) == 200
    trunk = {short(s["name"]): s["conditions"][MAIN] for s in summary["sites"] if s["trunk"]}
    header, *rows = table("## The numbers")
    shown = []
    for row in rows:
        for site in row[0].partition(" (")[0].split(", "):
            value, low, high = (printed(trunk[site][f"blindness{end}"]) for end in ("", "_low", "_high"))
            interval = "" if low == high == value else f" ({low} to {high})"
            assert row[column([header], name)] == value + interval, site
            shown.append(site)
    assert shown == list(trunk)
    probes = json.loads((run / "probes.json").read_text())
    paired = re.findall(r"`([^`]+)`", re.search(r"Pairs are ([^.]+)\.", PAGE)[1])  # type: ignore[index]
    probed = {short(site["name"]): site for site in probes["sites"]}
    vectors = {short(site["name"]): site["inside"] for site in probes["representation"]}
    for row in rows if name in paired else ():
        site = row[0].partition(" (")[0].split(", ")[0]
        expected = {
            "competence": trunk[site]["competence"],
            "interaction": vectors[site]["interaction"]["value"],
            "next move": probed[site]["moves"]["cheese"]["accuracy"]["value"],
            "where not the corner's": probed[site]["moves"][APART]["accuracy"]["value"],
            "cheese's cell, R2": probed[site]["cell"]["r2"]["value"],
        }
        for title, value in expected.items():
            assert row[header.index(title)].split(", ")[paired.index(name)] == printed(value, 2), (site, title)
    found = readings(summary["boundary"], probes)
    said = {f"{reading.place} ({'only' if reading.low == reading.high else reading.interval})" for reading in found}
    said |= {reading.place for reading in found}
    header, *rows = table("three kinds of evidence")
    assert {row[column([header], name)] for row in rows} <= said
    assert rows[0][column([header], name)].startswith(found[0].place), "the rule comes first"


def test_a_run_comes_with_the_page() -> None:
    assert "region5" in EVIDENCE
