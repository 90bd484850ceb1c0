"""The README keeps its word: its example runs, its files and commands exist."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code from a page in another folder, with this checkout's modules."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=env)


def test_the_python_example_runs_and_prints_what_is_said(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    (said,) = re.findall(r"```text\n(.*?)```", TEXT, re.S)
    assert done.stdout == said == "P(cheese): left alone 1.000, steered 0.000\n"


def test_the_example_of_the_python_page_shows_three_columns(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    title, heads, *lines = done.stdout.splitlines()
    assert title.startswith("region5, level 8, -1 x cheese @ ") and heads.split() == [
        "outcome",
        "clean",
        "no",
        "cheese",
    ]
    assert len(lines) > 16


def test_the_curve_of_a_module_of_ones_own(tmp_path: Path) -> None:
    """As in docs/method.md, on two levels; at the input subtraction takes the cheese away."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "method.md").read_text(), re.S)
    assert "range(100_000), 32)" in code
    made = "from agents.networks.impala import ImpalaPolicyNet\nmy_module = ImpalaPolicyNet(1)\n"
    code = made + code.replace("range(100_000), 32)", "range(100_000), 2)")
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    blind = ast.literal_eval(done.stdout)
    assert len(blind) == 18 and blind["input"] == pytest.approx(1.0, abs=0.01) and max(blind.values()) <= 1.0


def test_every_command_named_is_a_command() -> None:
    from typer.main import get_command

    from steering.cli.app import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"mazesteer ([a-z][a-z-]+)", "\n".join(p.read_text() for p in DOCS)))
    assert "layer-sweep" in named and named <= known | {"is", "measures", "lets", "import"}, named - known


@pytest.mark.parametrize("page", DOCS, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
