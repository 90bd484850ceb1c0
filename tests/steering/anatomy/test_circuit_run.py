"""The part ``circuit`` by its command: what it stores, that it resumes, what the report shows, what it refuses."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from envs.stored.json_records import from_json, to_json
from steering.anatomy.circuit.rows import OutcomesRow, OutcomesSite, SetsRow, SinglesRow
from steering.anatomy.run import AnatomyOptions, run_anatomy
from steering.experiments.exact import evaluate
from steering.figures.anatomy.circuit_curves import circuit_curves_figure, circuit_curves_table
from steering.figures.anatomy.circuit_figures import circuit_caption, circuit_figure, circuit_table
from steering.interventions.edits import subtract
from steering.interventions.vectors import SteeringVector, cheese_vector
from steering.records.anatomy.circuit_site import CircuitSite
from steering.statistics import bootstrap
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import ANATOMY
from tests.helpers.anatomy import read, refused_with
from tests.helpers.command import mazesteer

LEVELS, SITES = "0:40", "block3.maxpool,block3.res1.relu1,relufc"
NAMES = ["embedder.block3.maxpool", "embedder.relufc"]  # of the trunk


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("circuit") / "run"
    words = ("anatomy", "region5", "--levels", LEVELS, "--mode", "easy", "--sites", SITES, "--parts", "circuit")
    done = mazesteer(*words, "--out", str(out))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert sum(line.startswith(("block3.maxpool ", "relufc ")) for line in lines) == 2
    return out


def rows(run: Path, step: str, kind: type[Any]) -> dict[int, Any]:
    with sqlite3.connect(run / "results.sqlite") as db:
        query = "SELECT level, measured FROM planning WHERE part = ? ORDER BY level"
        return {
            level: from_json(text, kind, "row", "x") for level, text in db.execute(query, (f"anatomy circuit {step}",))
        }


def parts_of(found: dict[int, OutcomesRow], site: CircuitSite) -> list[OutcomesSite]:
    return [row.sites[site.name] for row in found.values()]


def test_the_file_says_what_was_measured(run: Path) -> None:
    found = read(run)
    assert to_json(found, indent=1) == (run / ANATOMY.file).read_bytes()
    assert found.circuit is not None and [site.name for site in found.circuit] == NAMES
    singles, sets = rows(run, "singles", SinglesRow), rows(run, "sets", SetsRow)
    levels = found.settings.levels
    assert list(singles) == sorted(levels) and sorted(sets) == sorted(levels[1::2])
    for site in found.circuit:
        alone = np.sum([singles[level].sites[site.name].alone for level in levels[0::2]], axis=0)
        assert (np.diff(alone[list(site.ranking)]) >= 0).all()  # the less is left, the earlier
        left = np.array([sets[level].sites[site.name].ranked for level in levels[1::2]])
        clean = np.array([singles[level].clean for level in levels[1::2]])
        for k, each in enumerate(site.sets):
            assert each.ranked.value == pytest.approx(float(bootstrap.blindness(left[:, k], clean)))
        last = site.sets[-1]
        assert last.ranked.value == pytest.approx(last.random.value) == pytest.approx(last.norm.value)
        assert site.removed[-1].left.value is not None and site.removed[-1].left.value >= 0


def test_exact_outcomes_are_those_of_the_interventions(run: Path, policy: MazePolicy) -> None:
    found, outcomes = read(run), rows(run, "outcomes", OutcomesRow)
    assert found.circuit is not None and sorted(outcomes) == sorted(found.settings.levels[1::4])
    site, (level, row) = found.circuit[0], next(iter(outcomes.items()))
    maze = Maze.from_level(level, "easy")
    vector = cheese_vector(policy, maze, site.name)
    size = int(site.half.ranked.value) if site.half.ranked.value else site.channels
    part = vector.tensor.clone()
    part[list(site.ranking[size:])] = 0.0
    seen = evaluate(policy, maze, subtract(SteeringVector(site.name, part)))
    measured = dict(zip(row.sites[site.name].sizes, row.sites[site.name].competence, strict=True))
    assert measured[size] == pytest.approx(seen.p_region_first, abs=1e-6)
    bare = [outcomes[level].no_cheese_first for level in outcomes]
    for part in (part for part in site.sets if part.competence is not None):
        edited = [dict(zip(own.sizes, own.competence, strict=True))[part.size] for own in parts_of(outcomes, site)]
        assert part.competence.value == pytest.approx(sum(edited) / sum(bare))
    assert {part.size for part in site.sets if part.competence} >= {1, 2, 4, 8, 16, 32}
    assert row.no_cheese == pytest.approx(seen.no_cheese.p_region, abs=1e-9)
    assert row.no_cheese_first == pytest.approx(seen.no_cheese.p_region_first, abs=1e-9)


def test_typed_again_it_measures_nothing_and_what_is_missing_alone(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    with sqlite3.connect(again / "results.sqlite") as db:
        (level,) = db.execute("SELECT max(level) FROM planning WHERE part = 'anatomy circuit sets'").fetchone()
        db.execute("DELETE FROM planning WHERE level = ? AND part = 'anatomy circuit sets'", (level,))
    told: list[tuple[int, int]] = []
    options = AnatomyOptions("region5", again, LEVELS, sites=SITES, parts=("circuit",), mode="easy")
    run_anatomy(options, lambda done, total: told.append((done, total)))
    assert told[-1] == (1, 1)
    assert (again / ANATOMY.file).read_bytes() == (run / ANATOMY.file).read_bytes()


def test_one_process_and_two_give_the_same_file(tmp_path: Path) -> None:
    files = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        options = AnatomyOptions(
            "region5", out, "0:12", sites="block3.maxpool", parts=("circuit",), mode="easy", workers=workers
        )
        run_anatomy(options)
        files.append((out / ANATOMY.file).read_bytes())
    assert files[0] == files[1]


def test_a_report_shows_it_beside_the_sweep(run: Path, sweep: Path, tmp_path: Path) -> None:
    found = read(run)
    figure, table = circuit_figure(found), circuit_table(found)
    assert figure is not None and found.circuit is not None
    shares = {line.name: line.y for line in figure.data if line.yaxis == "y"}
    for site, share in zip(found.circuit, shares["ranked by effect alone"], strict=True):
        count = site.half.ranked.value
        assert share == (None if count is None else count / site.channels)
    assert [row[0] for row in table[1:]] == ["block3.maxpool", "relufc"]
    curves = circuit_curves_figure(found)
    assert curves is not None and len(circuit_curves_table(found)) == 1 + sum(len(site.sets) for site in found.circuit)
    upper = [list(line.y) for line in curves.data if line.yaxis == "y"]
    drawn = [site for site in found.circuit if site.half.ranked.value is not None]
    assert upper == [[each.ranked.value for each in site.sets] for site in drawn]
    named = [line.name for line in curves.data if line.showlegend is not False]
    assert named == [short_site_name(site.name) for site in drawn]  # once, for both panels
    out = tmp_path / "run"
    shutil.copytree(sweep, out)
    shown = json.loads((run / ANATOMY.file).read_text())
    shown["settings"]["mode"] = "hard"  # that of the sweep
    (out / ANATOMY.file).write_text(json.dumps(shown))
    assert mazesteer("report", str(out)).returncode == 0
    page = (out / "report.md").read_text()
    assert "How few channels carry the cheese" in page and str(circuit_caption(found)["circuit"]) in page


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("circuit",), None, "parts"),
        (("circuit", 0, "ranking", 0), 99, ".*: ranking"),
        (("circuit", 0, "sets", 0, "size"), 7, ".*: sets"),
        (("circuit", 1, "needed", 0, "share"), 0.7, ".*: needed"),
        (("circuit", 1, "removed", 0, "fall"), 0.7, ".*: removed"),
        (("circuit", 1, "name"), "x", "circuit: sites"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    path: tuple[str | int, ...], value: Any, words: str, run: Path, tmp_path: Path
) -> None:
    refused_with(run, path, value, words, tmp_path)
