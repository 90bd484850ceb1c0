"""The table per site: one line of code for each statistic, on both pages alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from steering.sweep.store import Store
from tests.helpers.runs import SPEC, make_run
from tests.helpers.worked_diff import copy_with, worked_diff


def reported(code: Path, run: Path) -> None:
    """Let the code in ``code`` report a run."""
    done = subprocess.run(
        [sys.executable, "-m", "steering.cli.app", "report", str(run)],
        env={**os.environ, "PYTHONPATH": str(code)}, cwd=run.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_worked_diff_of_the_documentation_adds_a_statistic(tmp_path: Path) -> None:
    """By three files; it is in the summary and in the table of both pages, with its sentence below."""
    changes = worked_diff("docs/contributing.md", "A statistic")
    assert len(changes) == 3
    code, run = tmp_path / "code", make_run(tmp_path / "run", SPEC, {"input": 0.0, "embedder.relu3": 0.8})
    code.mkdir()
    with Store.open(run) as store:
        store.describe("command", "mazesteer layer-sweep")
        store.describe("thresholds", {"blindness": 0.5, "competence": 0.8})
    reported(copy_with(changes, code), run)
    rows = [site["conditions"]["subtract"] for site in json.loads((run / "summary.json").read_text())["sites"]]
    assert [row["detour"] for row in rows] == [1.0, 1.0]
    text, page = ((run / f"report.{end}").read_text() for end in ("md", "html"))
    table = text[text.index("## Table per site") :].replace("\\|", "/").splitlines()[2:]
    header, _, clean, removed, first, *_ = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table[:6])
    at = header.index("detour")
    assert header[at - 1 : at + 2] == ["interaction", "detour", "blindness, weighted by visits"]
    assert (clean[at], removed[at], first[at]) == ("1", "", "1.000")
    sentence = "Detour: moves made relative to those of the policy left alone."
    assert sentence in text and sentence in page and "<th>detour</th>" in page
