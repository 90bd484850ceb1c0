"""The report as its readers get it: in a real browser, on a phone, on paper, and as Markdown."""

from __future__ import annotations

import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.checkpoints.zoo import load_policy
from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import from_json, to_json
from steering.analysis.readings import readings
from steering.experiments.conditions import Key
from steering.figures import tables
from steering.figures.sweep_figures import example_figures
from steering.probes.run import ProbeOptions, run_probes
from steering.records.examples import ExampleFields
from steering.records.sweep import CheckpointId, SweepSummary
from steering.reports.sweep_report import write_report
from steering.statistics.formatting import format_number
from steering.sweep.artifacts import RunArtifacts, read_artifacts
from steering.sweep.outcome_table import decision_squares
from steering.sweep.provenance import used_versions
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from steering.workflows.outputs import rewrite_outputs
from tests.helpers.browser import chromium, looked_at
from tests.helpers.probe_sets import made_up_site, made_up_summary, made_up_tallies, probes_in


@pytest.fixture(scope="module")
def run(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real sweep of small levels; some tests here write into it, so a copy."""
    out = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(sweep, out)
    return out


def summary_of(run: Path) -> SweepSummary:
    path = run / "summary.json"
    return from_json(path.read_bytes(), SweepSummary, path, "sweep again")


def test_the_page_opens_without_a_complaint_and_asks_nothing_of_the_network(run: Path) -> None:
    with chromium() as browser:
        looked_at(browser, run / "report.html", "blindness", "thresholds", "before-after", "positions")
        page = browser.new_page()
        page.goto(f"file://{run}/report.html")
        page.wait_for_selector("#figure-hero .main-svg")
        assert page.evaluate("document.querySelector('video').src").startswith("data:video/mp4;base64,")
        rows = page.locator("#trick td:not(.more), #methods p")
        assert rows.count() > 20 and not rows.last.is_visible()
        page.emulate_media(media="print")
        heights = rows.evaluate_all("cells => cells.map((cell) => cell.getBoundingClientRect().height)")
        assert min(heights) > 5, "what is folded on the screen is missing on paper"
        assert not page.locator("#effects").is_visible()
        paper = page.pdf(format="A4")
        assert paper.startswith(b"%PDF") and len(paper) > 20_000


def test_tables_are_sorted_and_widened_and_a_link_opens_its_section(run: Path) -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"file://{run}/report.html")
        page.click(".card[href='#trick']")
        table = page.locator("#trick table")
        assert table.is_visible() and not table.locator(".more").first.is_visible()
        page.click("#trick button.columns")
        assert table.locator(".more").first.is_visible()
        column = "rows => rows.map((row) => row.cells[1].innerText)"
        before = table.locator("tr:has(td)").evaluate_all(column)
        table.locator("th button").nth(1).click()
        after = [float(text) for text in table.locator("tr:has(td)").evaluate_all(column)]
        assert after == sorted(map(float, before), reverse=True)
        table.locator("th button").first.click()
        assert table.locator("tr:has(td)").evaluate_all(column) == before


def test_markdown_and_page_give_the_numbers_of_the_summary(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = json.loads((run / "summary.json").read_text())
    text, page = (run / "report.md").read_text(), (run / "report.html").read_text()
    for site in summary["sites"]:
        row = site["conditions"]["subtract"]
        able = f"{row['competence_low']:.3f} to {row['competence_high']:.3f}"
        for value in (f"{row['blindness']:.3f}", f"{row['competence']:.3f}", able, f"{row['p_cheese']:.3f}"):
            assert value in text and value in page
    for row in summary["boundary"]["threshold_curve"]:
        assert f"| {row['threshold']} | {row['site'] or 'nowhere'} |" in text
    section = text[text.index("## Where in the maze it works") :].split("\n## ")[0]
    for site in summary["sites"]:
        for row in site["position_curve"]:
            ends = f"{row['blindness_low']:.2f} to {row['blindness_high']:.2f}"
            assert ends not in section, "of so few mazes there is none"
            assert re.search(rf" {row['blindness']:.2f}[*]? [|]", section)
            assert f" ({row['mazes']} mazes) |" in section
            with monkeypatch.context() as few:
                few.setattr(tables, "FEW", 1)
                table = tables.position_table(summary_of(run))
                cells = [cell.replace("*", "") for line in table for cell in line]
            assert f"{row['blindness']:.2f} ({ends})" in cells
    clean, removed = summary["reference"]["clean"], summary["reference"]["no_cheese"]
    able = clean["p_region_first"] / removed["p_region_first"]
    names = ("p_cheese_cell", "p_region_first", "p_cheese_decision", "p_corner_decision")
    for name, blind, competence, row in (("clean", "0", f"{able:.3f}", clean), ("cheese removed", "1", "1", removed)):
        values = " | ".join(f"{row[key]:.3f}" for key in names)
        assert f"| {name} | {blind} | | {competence} | | {values} |" in text
    section = text[text.index("## At the decision square, before and after") :].split("\n## ")[0]
    assert f"| left alone | {clean['p_cheese_decision']:.3f}; " in section
    assert f" | {removed['p_corner_decision']:.3f}; " in section
    for part in (summary["checkpoint"]["sha256"], "torch ", "numpy ", "Versions:"):
        assert part in text and part in page
    for entry in summary["levels"]["skipped"]:
        assert re.search(rf"\b{entry['level']}\b", text)
    assert "\n\n\n\n" not in text and "None" not in text and "nan" not in text.lower().split()


def test_a_film_that_would_make_the_page_too_large_is_only_named(run: Path, tmp_path: Path) -> None:
    summary, page = summary_of(run), tmp_path / "report.html"
    for size, inside in ((100_000, True), (3_000_000, False)):
        (tmp_path / "film.mp4").write_bytes(bytes(size))
        write_report(summary, page, video="film.mp4")
        text = page.read_text()
        assert ("data:video/mp4" in text) is inside and "film.mp4" in text and len(text) <= 8_000_000


def test_every_condition_is_compared_with_both_references(run: Path) -> None:
    """All records of the summary, with all that is known of each, on the page and in its twin."""
    records = json.loads((run / "summary.json").read_text())["effects"]
    text, page = (run / "report.md").read_text(), html.unescape((run / "report.html").read_text())
    assert {record["condition"] for record in records} == {
        "clean",
        "subtract",
        "add",
        "random",
        "other_level",
        "same_cell",
    }
    lines = text.replace("\\|", "/").splitlines()
    for record in records:
        assert record["words"] in page
        row = next(line for line in lines if line.endswith(f" {record['words'].replace('|', '/')} |"))
        expected = [
            record["against"],
            str(record["n"]),
            str(record["zeros"]),
            format_number(record["mean"]),
            " to ".join(format_number(record[end]) for end in ("low", "high")),
            format_number(record["median"]),
            format_number(record["improvement"]),
            format_number(record["p"], 4),
            format_number(record["p_holm"], 4),
        ]
        cells = [cell.strip() for cell in row.split("|")[1:-1]]
        assert [cells[1], *cells[3:-1]] == expected


def test_a_run_of_an_early_version_is_shown(run: Path, tmp_path: Path) -> None:
    """It kept one set of versions, not a list of them."""
    path = tmp_path / "report.html"
    write_report(summary_of(run), path, versions={"torch": "1.2.3"})
    assert "Versions: torch 1.2.3." in path.with_suffix(".md").read_text()
    assert used_versions({"torch": "1.2.3"})[0] == {"torch": "1.2.3"}


def test_other_thresholds_are_told_with_the_command_that_asks_for_them(run: Path) -> None:
    try:
        rewrite_outputs(run, blindness=0.7)
        again = f"mazesteer report {run} --blindness-threshold 0.7 --competence-threshold 0.8"
        assert f"thresholds of this page: `{again}`" in (run / "report.md").read_text()
        assert f"thresholds of this page: <code>{again}</code>" in (run / "report.html").read_text()
    finally:
        rewrite_outputs(run)
    assert "thresholds of this page" not in (run / "report.md").read_text()


def probes(spec: SweepSpec, **changes: Any) -> bytes:
    """Return a file as `mazesteer probe` leaves it; only its agent, levels and sites mean something."""
    levels = changes.pop("levels", spec.levels)
    found = made_up_summary(
        [made_up_site("input", affine=True)],
        made_up_tallies(1, 0, len(levels)),
        levels,
        CheckpointId(spec.checkpoint, spec.sha256),
        spec.mode,
    )
    return to_json(replace(found, **changes))


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"checkpoint": CheckpointId("other", "f" * 64)}, "of another checkpoint"),
        ({"mode": "easy"}, "of mode easy, the sweep of mode hard"),
        ({"format": "something-else"}, "not made by this version"),
    ],
)
def test_evidence_of_something_else_is_left_out_with_a_note(
    run: Path, tmp_path: Path, changes: dict[str, Any], note: str
) -> None:
    spec = SweepSpec.load(run)
    (tmp_path / "probes.json").write_bytes(probes(spec, **changes))
    found, notes = read_artifacts(tmp_path, spec.sha256, spec.mode, spec.levels)
    assert found == RunArtifacts() and len(notes) == 1 and note in notes[0]
    (tmp_path / "probes.json").write_bytes(probes(spec, levels=(1, 2)))
    found, notes = read_artifacts(tmp_path, spec.sha256, spec.mode, spec.levels)
    assert found.probes and not found.fields and not found.replicate and "of 2 levels" in notes[0]
    (tmp_path / "probes.json").write_bytes(probes(spec))
    assert read_artifacts(tmp_path, spec.sha256, spec.mode, spec.levels)[1] == []
    for text, message in ((b"{", "not readable as JSON"), (probes(spec).replace(b"shuffles", b"draws"), "`shuffles`")):
        (tmp_path / "probes.json").write_bytes(text)
        with pytest.raises(InputError, match=message):
            read_artifacts(tmp_path, spec.sha256, spec.mode, spec.levels)


def test_the_report_shows_the_probes_of_its_run(run: Path) -> None:
    assert "Can the next move be read? Not measured: `mazesteer probe" in (run / "report.md").read_text()
    sites = ("input", "embedder.block2.res1.resadd", "embedder.relu3")
    run_probes(ProbeOptions("region5", run, levels="0:40", sites=",".join(sites), states=4))
    try:
        rewrite_outputs(run)
        text, page = (run / "report.md").read_text(), (run / "report.html").read_text()
        assert "figure-probes" in page and "figure-readings" in page and "Not measured: `mazesteer probe" not in page
        found = probes_in(run)
        assert found is not None
        boundary = summary_of(run).boundary
        for row in readings(boundary, found):
            assert f"| {row.kind} | {row.what} | {row.place} | {row.interval} |" in text
            assert f"<td>{row.place}</td><td>{row.interval}</td>" in page
        section = text[text.index("## What can be read from the activations") :].split("\n## ")[0]
        for site in found.sites:
            for move in site.moves.values():
                accuracy, control = move.accuracy, move.control
                ends = f"{accuracy.low:.2f} to {accuracy.high:.2f}"
                assert f"{accuracy.value:.2f} ({ends}); shuffled {control.value:.2f}" in section
            assert f"; shuffled {site.cell.control_r2.value:.2f}" in section
        assert {row.kind for row in readings(boundary, found)} == {"causal", "representational", "decoding"}
        assert "not those of the sweep" in text
        assert len(page) < 8_000_000
        frames = f"Probes: {len(found.levels)} mazes, 4 states of each ({found.frames} frames)"
        assert frames in text and frames in page
        with chromium() as browser:
            looked_at(browser, run / "report.html", "probes", "representation", "readings")
    finally:
        for file in run.glob("probe*.json"):
            file.unlink()


def test_the_examples_are_the_mazes_they_are_said_to_be(run: Path) -> None:
    """Their fields give the blindness that the report names, and the policy's own moves."""
    spec = SweepSpec.load(run)
    data = from_json((run / "fields.json").read_bytes(), ExampleFields, run, "sweep again")
    with Store.open(run) as store:
        table = {row.key: row.outcome for row in store.rows()}
        decisions = decision_squares(store, spec)
    assert decisions is not None and decisions.levels == tuple(spec.levels)
    policy = load_policy("region5")
    for name, (level, blindness) in data.chosen.items():
        clean, edited = (
            table[key].tv_no_cheese for key in (Key(level, "clean"), Key(level, "subtract", data.site, 1.0))
        )
        assert blindness == pytest.approx(1 - edited / clean)
        assert data.chosen["worst"].blindness <= blindness <= data.chosen["best"].blindness
        own = policy.move_probabilities(Maze.from_level(level).observations())
        assert np.abs(np.array(data.levels[str(level)].clean) - own).max() < 2e-5
        at = decisions.levels.index(level)
        outcome = table[Key(level, "subtract", data.site, 1.0)]
        assert decisions.subtract.cheese[at] == outcome.p_cheese_decision
        assert set(example_figures(data)) == {"typical", "best", "worst"}, name
