"""A finished run in Python: the numbers of its files, whoever made it."""

from __future__ import annotations

import builtins
import inspect
import io
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas
import pytest

from envs.errors import InputError
from envs.stored.json_records import to_json
from steering.cli.layer_sweep import layer_sweep as command
from steering.cli.options import numbers
from steering.sweep.outcome_table import export_tables
from steering.sweep.planning import SweepOptions
from steering.sweep.store import Store
from steering.workflows.finished import load_run
from steering.workflows.sweep_runs import layer_sweep
from tests.helpers.command import mazesteer
from tests.helpers.runs import SITES, SPEC, make_run

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up run: subtraction blinds at the first site and not at the second."""
    return make_run(tmp_path_factory.mktemp("made") / "run", SPEC, dict(zip(SITES, (0.1, 0.9), strict=True)))


def test_it_has_the_boundary_the_answer_and_a_figure(made: Path) -> None:
    run = load_run(str(made))
    assert (run.boundary.site, run.boundary.next_site) == SITES and run.boundary is run.summary.boundary
    assert run.answer.startswith("For agent, subtracting the cheese vector takes away 0.5 or more")
    assert run.others.probes is None
    (line,) = [part for part in run.plot_blindness().data if part.name == "blindness, subtract"]
    assert list(line.y) == [site.conditions["subtract"].blindness for site in run.summary.sites]


def test_the_table_is_that_of_outcomes_csv(made: Path, tmp_path: Path) -> None:
    with Store.read(made) as store:
        path, _ = export_tables(store, tmp_path)
    table = load_run(made).to_pandas()
    assert len(table) == 20 * 4
    written, shown = (pandas.read_csv(text) for text in (path, io.StringIO(table.to_csv(index=False))))
    pandas.testing.assert_frame_equal(shown, written)
    one = table[(table.condition == "subtract") & (table.site == SITES[0])]
    assert one.tv_no_cheese.dtype == "float64" and list(one.level) == list(range(20))


def test_without_pandas_the_remedy_is_named(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_ = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
        return import_(name, *rest)

    run = load_run(made)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'mazesteer\[pandas\]'"):
        run.to_pandas()


def test_it_shows_itself_on_one_screen(made: Path) -> None:
    run = load_run(made)
    lines = repr(run).splitlines()
    assert len(lines) < 30 and max(map(len, lines)) <= 160 and "\x1b" not in repr(run)
    assert any(line.startswith("input") and "<- boundary" in line for line in lines)
    page = run._repr_html_()
    assert page.count("<tr>") == 1 + len(SITES) and "data:image/png;base64," in page


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        load_run(tmp_path)


def test_the_call_and_the_command_have_the_same_defaults() -> None:
    """A command's texts are read as the command reads them."""
    typed = {name: each.default for name, each in inspect.signature(command).parameters.items()}
    plain, called = SweepOptions("agent"), inspect.signature(layer_sweep).parameters
    assert typed.pop("blindness_threshold") == plain.blindness and typed.pop("competence_threshold") == plain.competence
    assert tuple(typed.pop("conditions").split(",")) == plain.conditions
    assert numbers(typed.pop("coefficients"), "--coefficients", "coefficient") == plain.coefficients
    shared = {each.name for each in fields(SweepOptions)} & set(typed) - {"checkpoint"}
    assert {name: typed[name] for name in shared} == {name: getattr(plain, name) for name in shared} and len(
        shared
    ) > 10
    assert all(
        called[name].default == getattr(plain, name) for name in called if hasattr(plain, name) and name != "checkpoint"
    )


SCRIPT = """
from mazesteer import layer_sweep
asked = {"sites": ["input", "relu3"], "conditions": "subtract", "episodes": 0, "workers": 1}
run = layer_sweep("region5", out="run", levels=[26], **asked)
print(run.boundary.site)
"""


def test_a_call_makes_the_run_that_the_command_makes(tmp_path: Path) -> None:
    """In a plain script, without a guard for worker processes; the same command then has nothing left to do."""
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "input\n"), done.stderr
    run = load_run(tmp_path / "run")
    assert "`layer_sweep('region5', levels='26'" in (tmp_path / "run" / "report.md").read_text()
    asked = (
        "--levels",
        "26",
        "--sites",
        "input,relu3",
        "--conditions",
        "subtract",
        "--episodes",
        "0",
        "--workers",
        "1",
    )
    made = run.to_pandas()
    typed = mazesteer("layer-sweep", "region5", *asked, "--out", tmp_path / "run")
    assert typed.returncode == 0, typed.stderr
    again = load_run(tmp_path / "run")
    assert again.to_pandas().equals(made) and to_json(again.summary) == to_json(run.summary) and again.spec == run.spec
    assert run.report() == tmp_path / "run" / "report.html"
