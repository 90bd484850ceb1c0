"""A re-run of the published findings keeps its measurements: in the run's database, through kills, beside a sweep."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import fcntl
import html
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyarrow import parquet

from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy, as_policy
from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import to_plain
from steering.analysis.summary import summarize
from steering.experiments.conditions import Key
from steering.experiments.outcome import OUTCOME_FIELDS, Outcome
from steering.interventions.sites import enumerate_sites
from steering.records.replication import PUBLISHED, PublishedFinding, ReplicateSummary
from steering.records.sites import site_facts
from steering.replication import run as module
from steering.replication.levels import count_decisions, summarize_decisions
from steering.replication.protocol import Finding, FindingSummary, Sample, Settings, Setup, digest, mean
from steering.replication.run import FINDINGS, read, replicate
from steering.reports.sweep_report import write_report
from steering.statistics.formatting import published_inside
from steering.sweep.artifacts import DATABASE, REPLICATE, SCHEMA, RunArtifacts, read_artifacts
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row, Store

SMALL = (26, 54, 208)  # small mazes with a decision square
SITE = "features_extractor.cnn.2"
NAMES = ["effect", "paths"]
ROOT = Path(__file__).resolve().parents[3]
# A process that measures as the tests do and is killed before its fourth measurement.
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import as_policy
from steering.replication.protocol import Settings
from steering.replication.run import replicate

def kill(done, total):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(1)
policy = as_policy(NaturePolicyNet(generator=torch.Generator().manual_seed(0)), "nature")
out, site, *levels = sys.argv[1:]
settings = Settings(policy.name, policy.sha256, site, tuple(map(int, levels)), behaviour_levels=10)
replicate(policy, settings, Path(out), ["effect", "paths"], kill)
"""


@pytest.fixture(scope="module")
def nature() -> MazePolicy:
    """A seeded random network that is quick to run."""
    return as_policy(NaturePolicyNet(generator=torch.Generator().manual_seed(0)), "nature")


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Use two torch threads, as a machine of two cores does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def settings_of(policy: MazePolicy, **options: Any) -> Settings:
    return Settings(policy.name, policy.sha256, SITE, **{"levels": SMALL, "behaviour_levels": 10, **options})


def stored(directory: Path) -> list[tuple[str, int, dict[str, Any]]]:
    """(finding, level, row) of the database, read by SQLite alone."""
    with sqlite3.connect(directory / DATABASE) as db:
        rows = db.execute("SELECT finding, level, measured FROM measurements ORDER BY finding, level").fetchall()
    return [(finding, level, json.loads(text)) for finding, level, text in rows]


def test_a_killed_run_keeps_every_row_and_ends_the_same(nature: MazePolicy, tmp_path: Path, two_threads: None) -> None:
    """Begun with one thread and ended with two, as on another machine."""
    whole = replicate(nature, settings_of(nature), tmp_path / "whole", NAMES)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "parts"), SITE, *map(str, SMALL)], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "parts" / REPLICATE.file).exists()
    kept = stored(tmp_path / "parts")
    assert [(finding, level) for finding, level, _ in kept] == [("effect", 26), ("effect", 54), ("paths", 26)]
    asked: list[int] = []
    again = replicate(nature, settings_of(nature), tmp_path / "parts", NAMES, lambda _, total: asked.append(total))
    assert asked == [3, 3, 3] and again == whole == read(tmp_path / "parts")
    assert stored(tmp_path / "parts") == stored(tmp_path / "whole")


def test_a_second_process_is_refused_by_the_first_ones_number(
    nature: MazePolicy, tmp_path: Path, held: Callable[[Path], contextlib.AbstractContextManager[int]]
) -> None:
    with held(tmp_path / "run") as pid, pytest.raises(InputError, match=f"in use by process {pid}"):
        replicate(nature, settings_of(nature), tmp_path / "run", NAMES)


def test_the_exports_say_what_the_database_says(nature: MazePolicy, tmp_path: Path) -> None:
    data = replicate(nature, settings_of(nature), tmp_path, NAMES)
    assert read(tmp_path) == data
    rows = [(finding, int(level), row) for finding, part in data.rows.items() for level, row in part.items()]
    assert sorted(rows, key=lambda row: row[:2]) == stored(tmp_path)
    with sqlite3.connect(tmp_path / DATABASE) as db:
        results = {name: json.loads(text) for name, text in db.execute("SELECT finding, result FROM findings")}
        clean = db.execute("SELECT measured ->> 'clean_cheese' FROM measurements WHERE finding = 'effect'").fetchall()
    assert results == to_plain(data.findings)
    assert [value for (value,) in clean] == [row["clean_cheese"] for row in data.rows["effect"].values()]
    figures = [(name, each) for name, found in results.items() for each in found["figures"]]
    with open(tmp_path / "replicate.csv") as file:
        table = list(csv.DictReader(file))
    assert [(row["finding"], row["figure"], float(row["measured"]), row["published_inside"]) for row in table] == [
        (name, each["label"], each["value"], published_inside(each["published"], each["low"], each["high"]))
        for name, each in sorted(figures, key=lambda pair: NAMES.index(pair[0]))
    ]
    assert parquet.read_table(tmp_path / "replicate.parquet").num_rows == len(figures)


# -- what is made anew ----------------------------------------------------------------------------------------------


class Counting:
    """A finding that measures nothing but how often it was asked."""

    def __init__(self, **options: Any) -> None:
        self.measured: list[int | None] = []
        self.summed = 0
        self.finding = Finding(
            PublishedFinding("counting", "what", "published"), self.measure, self.summarize, **options
        )

    def measure(self, bench: Setup, maze: Maze) -> dict[str, Any]:
        self.measured.append(maze.level)
        return {"dim": float(maze.dim)}

    def together(self, bench: Setup, mazes: Any) -> list[dict[str, Any]]:
        return [self.measure(bench, maze) for maze in mazes]

    def summarize(self, bench: Setup, sample: Sample) -> FindingSummary:
        self.summed += 1
        return FindingSummary((sample.figure("mean dim", mean, "dim"),))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    found = Counting(levels=lambda settings: range(settings.behaviour_levels), keeps=lambda _, maze: True)
    monkeypatch.setitem(FINDINGS, "counting", found.finding)
    return found


def test_a_summary_is_made_anew_when_what_it_is_of_changes(
    nature: MazePolicy, tmp_path: Path, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(**options: Any) -> ReplicateSummary:
        return replicate(nature, settings_of(nature, **options), tmp_path, ["counting"])

    three = run(behaviour_levels=3).findings["counting"]
    assert (counting.measured, counting.summed) == ([0, 1, 2], 1)
    assert run(behaviour_levels=3).findings["counting"] == three and counting.summed == 1
    four = run(behaviour_levels=4).findings["counting"]
    assert (counting.measured, counting.summed, four.mazes) == ([0, 1, 2, 3], 2, 4)
    assert four.figures[0].value == np.mean([maze.dim for maze in Maze.from_levels(range(4))])
    assert run(behaviour_levels=3).findings["counting"] == three and counting.summed == 3

    changed = dataclasses.replace(counting.finding, revision=2)
    monkeypatch.setitem(FINDINGS, "counting", changed)
    run(behaviour_levels=3)
    assert counting.measured[4:] == [0, 1, 2] and counting.summed == 4, "rows of another revision are no rows"
    assert [row[:2] for row in stored(tmp_path)] == [("counting", level) for level in (0, 1, 2)]
    monkeypatch.setitem(
        FINDINGS, "counting", dataclasses.replace(changed, source=PublishedFinding("counting", "what", "other words"))
    )
    assert run(behaviour_levels=3).findings["counting"].published == "other words"
    assert len(counting.measured) == 7 and counting.summed == 5

    for options, word in (
        ({"seed": 1}, "findings seed"),
        ({"horizon": 9}, "findings horizon"),
        ({"mode": "easy"}, "mode"),
    ):
        with pytest.raises(InputError, match=f"holds results with {word}.*another --out"):
            run(**options)


def test_rows_measured_jointly_go_with_the_levels_they_were_measured_with(
    nature: MazePolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Counting(keeps=lambda _, maze: True)
    joint = dataclasses.replace(found.finding, measure=None, jointly=found.together)
    monkeypatch.setitem(FINDINGS, "counting", joint)
    for levels, asked in (((26, 54), [26, 54]), ((26, 54), []), ((26, 54, 208), [26, 54, 208]), ((26,), [26])):
        found.measured.clear()
        data = replicate(nature, settings_of(nature, levels=levels), tmp_path, ["counting"])
        assert found.measured == asked and [int(level) for level in data.rows["counting"]] == list(levels)
    assert found.finding.basis([]) == digest(1, None) != joint.basis(Maze.from_levels([26]))


# -- beside a sweep -------------------------------------------------------------------------------------------------


def swept(policy: MazePolicy, directory: Path) -> SweepSpec:
    """A run directory as a sweep leaves it, as far as findings meet it: spec, claims, one level, one result."""
    spec = SweepSpec(policy.name, policy.sha256, (26,), ("input",), horizon=100, seed=5)
    with Store.open(directory) as store:
        store.claim(spec.shared())
        store.add_levels([(26, True, "", {})])
        store.add([Row(Key(26, "clean"), "", Outcome(**dict.fromkeys(OUTCOME_FIELDS, 0.5)))])
    spec.save(directory)
    return spec


def test_findings_live_in_a_sweeps_database_and_its_report_finds_them(nature: MazePolicy, tmp_path: Path) -> None:
    spec = swept(nature, tmp_path)
    data = replicate(nature, settings_of(nature), tmp_path, ["paths"])
    found, notes = read_artifacts(tmp_path, spec.sha256, spec.mode, spec.levels)
    assert found.replicate == data and "published findings were measured at" in notes[0]
    with Store.open(tmp_path) as store:
        store.claim(spec.shared())  # the sweep goes on as before: its horizon and seed are its own
        assert store.keys() == {Key(26, "clean")} and store.levels() == [(26, True, "")]
    other = MazePolicy(nature.net, "other", "1" * 64)
    with pytest.raises(InputError, match="holds results with checkpoint sha256.*another --out"):
        replicate(other, settings_of(other), tmp_path, ["paths"])
    assert read(tmp_path) == data


def test_the_report_says_of_each_finding_what_was_asked_published_found_and_noted(
    nature: MazePolicy, tmp_path: Path
) -> None:
    """Also where no number was published: then the words are all there is to compare with."""
    spec = swept(nature, tmp_path)
    data = replicate(nature, settings_of(nature), tmp_path, ["adding", "noise"])
    noise = data.findings["noise"]
    first, second, *rest = noise.figures
    first = dataclasses.replace(first, published=0.25, low=0.5, high=0.75)
    second = dataclasses.replace(second, published=0.625, low=0.5, high=0.75)
    noise = dataclasses.replace(noise, figures=(first, second, *rest))
    data = dataclasses.replace(data, findings={**data.findings, "noise": noise})
    with Store.open(tmp_path) as store:
        store.claim({"sites": site_facts(enumerate_sites(nature.net))})
        outcome = Outcome(**dict.fromkeys(OUTCOME_FIELDS, 0.5))
        store.add([Row(key, key.site, outcome) for key in spec.keys(26) if key.condition != "clean"])
        summary = summarize(store, spec)
        write_report(summary, tmp_path / "report.html", others=RunArtifacts(replicate=data))
    text, page = ((tmp_path / f"report.{end}").read_text() for end in ("md", "html"))
    for name, found in data.findings.items():
        assert found.published == PUBLISHED[name].published and (found.notes or name == "adding")
        for said in (PUBLISHED[name].what, found.published, found.verdict, *found.notes):
            assert said in text and said in html.unescape(page)
    lines = [line for line in text.replace("\\|", "/").splitlines() if line.startswith("| median P(")]
    for figure, inside in ((first, "no"), (second, "yes")):
        label = figure.label.replace("|", "/")
        assert any(line.startswith(f"| {label} |") and line.endswith(f" 0.500 to 0.750 | {inside} |") for line in lines)
    assert "<td>0.500 to 0.750</td><td>no</td>" in page


def test_a_database_of_the_schema_before_is_taken_up_and_a_newer_one_refused(
    nature: MazePolicy, tmp_path: Path
) -> None:
    swept(nature, tmp_path)
    with sqlite3.connect(tmp_path / DATABASE) as db:  # as it was before findings came into it
        db.executescript(f"DROP TABLE measurements; DROP TABLE findings; PRAGMA user_version = {SCHEMA - 1}")
    replicate(nature, settings_of(nature), tmp_path, ["paths"])
    with Store.open(tmp_path) as store:
        assert store.keys() == {Key(26, "clean")}
    assert len(stored(tmp_path)) == len(SMALL)
    with sqlite3.connect(tmp_path / DATABASE) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    with pytest.raises(InputError, match=f"schema {SCHEMA + 1}, this mazesteer reads {SCHEMA}; use the version"):
        replicate(nature, settings_of(nature), tmp_path, ["paths"])


def test_a_command_that_can_use_no_level_claims_nothing(nature: MazePolicy, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the levels can be used"):
        replicate(nature, settings_of(nature, levels=(7,)), tmp_path, ["paths"])
    assert not (tmp_path / DATABASE).exists()
    with open(tmp_path / ".lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # and holds nothing


def test_what_is_about_hard_levels_is_left_out_of_easy_ones(nature: MazePolicy) -> None:
    hard = {finding.name for finding in FINDINGS.values() if finding.mode == "hard"}
    assert {f.name for f in module.chosen((), "easy")} == set(FINDINGS) - hard and hard
    with pytest.raises(InputError, match="named-transfer is about levels of mode hard, not easy"):
        module.chosen(["named-transfer"], "easy")


def test_a_maze_counts_as_deciding_where_no_way_contains_the_other(nature: MazePolicy) -> None:
    mazes = Maze.from_levels(range(24))
    rows = count_decisions(Setup(nature, settings_of(nature)), mazes)
    for maze, row in zip(mazes, rows, strict=True):
        assert maze.cheese is not None
        ways = [set(maze.path(maze.mouse, goal)) for goal in (maze.cheese, maze.corner)]
        assert row["has"] == float(not (ways[0] <= ways[1] or ways[1] <= ways[0]))
        corner_x, corner_y = maze.corner
        near = maze.cheese[0] > corner_x - 5 and maze.cheese[1] > corner_y - 5
        assert row["swept"] == row["has"] * (not near)
    assert 0 < sum(row["swept"] for row in rows) < sum(row["has"] for row in rows) < len(mazes)


@pytest.mark.parametrize(
    ("has", "swept", "holds"),
    [(0.62, 0.52, True), (0.52, 0.40, True), (0.7, 0.4, False), (0.62, 0.47, None), (0.47, 0.40, None)],
)
def test_a_share_agrees_if_it_does_by_either_way_of_counting(
    nature: MazePolicy, has: float, swept: float, holds: bool | None
) -> None:
    n = 2000
    rows: list[dict[str, Any]] = [{"has": float(i < has * n), "swept": float(i < swept * n)} for i in range(n)]
    found = summarize_decisions(Setup(nature, settings_of(nature)), Sample("decision-square", rows, 0))
    (claim,) = found.claims
    assert claim.holds is holds


def test_levels_are_counted_and_not_mazes_where_levels_were(nature: MazePolicy) -> None:
    """Small mazes come up under several seeds: each of these is a level of the published count."""
    settings = settings_of(nature, behaviour_levels=40)
    counted = FINDINGS["decision-square"].mazes(settings)
    assert [maze.level for maze in counted] == list(range(40))
    assert len({(maze.walls, maze.cheese) for maze in counted}) < 40
    once = dataclasses.replace(FINDINGS["decision-square"], distinct=True).mazes(settings)
    assert len(once) == len({(maze.walls, maze.cheese) for maze in counted})
