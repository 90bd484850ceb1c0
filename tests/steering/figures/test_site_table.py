"""The table per site: one line of code for each statistic, on both pages alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from steering.sweep.store import Store
from tests.helpers.runs import SPEC, make_run
from tests.helpers.worked_diff import copy_with, worked_diff


def reported(code: Path, run: Path) -> None:
    """Let the code in ``code`` report a run."""
    done = subprocess.run(
        [sys.executable, "-m", "steering.cli.app", "report", str(run)],
        env={**os.environ, "PYTHONPATH": str(code)},
        cwd=run.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, reported by a copy of the code with two diffs of the documentation in it, of three files each."""
    folder = tmp_path_factory.mktemp("worked")
    parts = [worked_diff("docs/contributing.md", heading) for heading in ("A statistic", "A figure, or a page")]
    assert [len(part) for part in parts] == [3, 3] and len(parts[0] | parts[1]) == 6
    code, run = folder / "code", make_run(folder / "run", SPEC, {"input": 0.0, "embedder.relu3": 0.8})
    code.mkdir()
    with Store.open(run) as store:
        store.describe("command", "mazesteer layer-sweep")
        store.describe("thresholds", {"blindness": 0.5, "competence": 0.8})
    reported(copy_with(parts[0] | parts[1], code), run)
    return run


def test_the_worked_diff_of_the_documentation_adds_a_statistic(run: Path) -> None:
    """It is in the summary and in the table of both pages, with its sentence below."""
    rows = [site["conditions"]["subtract"] for site in json.loads((run / "summary.json").read_text())["sites"]]
    assert [row["detour"] for row in rows] == [1.0, 1.0]
    text, page = ((run / f"report.{end}").read_text() for end in ("md", "html"))
    table = text[text.index("## Table per site") :].replace("\\|", "/").splitlines()[2:]
    header, _, clean, removed, first, *_ = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table[:6])
    at = header.index("detour")
    assert header[at - 1 : at + 2] == ["interaction", "detour", "blindness, weighted by visits"]
    assert (clean[at], removed[at], first[at]) == ("1", "", "1.000")
    sentence = "Detour: moves made relative to those of the policy left alone."
    assert sentence in text and sentence in page and ">detour</th>" in page


def test_the_worked_diff_of_the_documentation_adds_a_figure(run: Path) -> None:
    """Its title and caption are on both pages, after those of the figure before; its drawing is on one."""
    caption = "Mean number of moves made before the cheese is eaten, over 20 mazes."
    for end in ("md", "html"):
        text = (run / f"report.{end}").read_text()
        assert text.index("At the decision square") < text.index("Moves made") < text.index(caption)
    assert 'id="steps"' in (run / "report.html").read_text()
