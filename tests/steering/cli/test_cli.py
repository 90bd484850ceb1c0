"""The command line through its real entry point, as scripts will use it: called, and started where that counts."""

from __future__ import annotations

import base64
import csv
import html
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from envs.trajectory import Trajectory
from steering.cli.app import STOPPED_BY, main
from steering.reports.captions import as_sentences
from steering.statistics.bootstrap import TIE
from tests.helpers.command import commands, mazesteer, started
from tests.helpers.small_sweep import COMMAND, LEVELS, SITES, printed_beside


def content(run: Path) -> list[str]:
    """Everything in the results database, as text, in no order: workers end levels as they can."""
    with sqlite3.connect(f"file:{run / 'results.sqlite'}?mode=ro", uri=True) as db:
        return sorted(line for line in db.iterdump() if "'command'" not in line)


@pytest.fixture(scope="module")
def summary(sweep: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((sweep / "summary.json").read_text())
    return loaded


def test_run_directory_holds_what_is_promised(sweep: Path) -> None:
    names = {p.name for p in sweep.iterdir()}
    assert {
        "spec.json",
        "results.sqlite",
        "outcomes.csv",
        "outcomes.parquet",
        "summary.json",
        "report.html",
        "report.png",
        "rollouts",
    } <= names
    assert not [*sweep.rglob("*.tmp"), *sweep.rglob(".*.part*")]


def test_a_sweep_prints_its_report_and_its_answer(sweep: Path) -> None:
    printed = " ".join(printed_beside(sweep).read_text().split())
    assert str(sweep / "report.html") in printed
    assert "takes away 0.5 or more of the cheese's effect" in printed


def test_summary_keeps_the_contract(summary: dict[str, Any], policy: MazePolicy) -> None:
    assert summary["checkpoint"] == {"name": "region5", "sha256": policy.sha256}
    asked = [int(level) for level in LEVELS.split(",")]
    assert summary["levels"]["used"] + [s["level"] for s in summary["levels"]["skipped"]] == asked
    assert summary["reference"]["no_cheese"]["p_cheese"] == 0.0
    assert [s["name"] for s in summary["sites"]] == SITES.split(",")
    for site in summary["sites"]:
        assert {"name", "depth", "trunk", "affine", "equivalence_class", "conditions"} <= set(site)
        assert set(site["conditions"]) == {"subtract", "add", "random", "other_level", "same_cell"}
        row = site["conditions"]["subtract"]
        assert {"coefficient", "blindness", "competence", "p_cheese", "p_cheese_decision"} <= set(row)
        assert row["blindness_low"] <= row["blindness"] <= row["blindness_high"]
    assert {"site", "low", "high", "rule"} <= set(summary["boundary"])
    first, second = (site["conditions"]["subtract"] for site in summary["sites"][:2])
    assert summary["sites"][0]["affine"] and first == second
    assert first["blindness"] > 0.99


def test_csv_and_summary_say_the_same(sweep: Path, summary: dict[str, Any]) -> None:
    rows = list(csv.DictReader((sweep / "outcomes.csv").open()))
    for row in rows:  # a distance that is rounding is none
        if float(row["tv_no_cheese"]) <= TIE:
            row["tv_no_cheese"] = "0"
    clean = {row["level"]: float(row["tv_no_cheese"]) for row in rows if row["condition"] == "clean"}
    for site in summary["sites"]:
        mine = [r for r in rows if r["condition"] == "subtract" and r["site"] == site["name"]]
        b = 1 - sum(float(r["tv_no_cheese"]) for r in mine) / sum(clean[r["level"]] for r in mine)
        assert b == pytest.approx(site["conditions"]["subtract"]["blindness"], abs=1e-9)
        assert site["conditions"]["subtract"]["p_cheese"] == pytest.approx(
            np.mean([float(r["p_cheese"]) for r in mine])
        )


def test_report_is_self_contained_and_shows_the_numbers(sweep: Path, summary: dict[str, Any]) -> None:
    page = (sweep / "report.html").read_text()
    assert len(page) < 8_000_000
    outside = re.findall(r"""<(?:script|link|img|video|iframe)[^>]*(?:src|href)=["']([^"']+)""", page)
    assert all(not re.match(r"(?:https?:)?//", target) for target in outside)
    (film,) = (sweep / "rollouts").glob("*.mp4")
    inside = "data:video/mp4;base64," + base64.b64encode(film.read_bytes()).decode()
    assert outside == [inside], "nothing but the film, which is in the page"
    for site in summary["sites"]:
        assert f"{site['conditions']['subtract']['blindness']:.3f}" in page
    assert summary["checkpoint"]["sha256"] in page


def test_recorded_rollouts_are_trajectories_of_these_levels(sweep: Path, summary: dict[str, Any]) -> None:
    files = sorted((sweep / "rollouts").glob("*.npz"))
    assert len(files) == len(summary["levels"]["used"]) * 7 * 2
    for file in files:
        track = Trajectory.load(file)
        maze = Maze.from_level(track.info["level"])
        assert track.states[0] == (maze.mouse, maze.facing)
        assert all(maze.is_free(state.cell) for state in track.states)


def test_sweep_leaves_a_film_that_a_browser_plays(sweep: Path) -> None:
    (film,) = (sweep / "rollouts").glob("*.mp4")
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in container.decode(stream)) > 10


def test_typed_again_it_changes_nothing(sweep: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(sweep, run)
    before = content(run)
    recorded = {p: p.stat().st_mtime_ns for p in (run / "rollouts").iterdir()}
    done = mazesteer(*COMMAND, "--out", run)
    assert done.returncode == 0, done.stderr
    assert content(run) == before
    assert {p: p.stat().st_mtime_ns for p in (run / "rollouts").iterdir()} == recorded


def test_report_keeps_the_thresholds_of_the_sweep(sweep: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(sweep, run)

    def rule(*args: str | Path) -> str:
        done = mazesteer(*args)
        assert done.returncode == 0, done.stderr
        text: str = json.loads((run / "summary.json").read_text())["boundary"]["rule"]
        assert html.escape(as_sentences(text)) in (run / "report.html").read_text()
        return text

    command = ["layer-sweep", "region5", "--levels", LEVELS, "--sites", SITES, "--out", str(run)]
    own = rule(*command, "--blindness-threshold", "0.65", "--competence-threshold", "0.15")
    assert "blindness >= 0.65" in own and "competence >= 0.15" in own
    assert rule("report", run) == own
    other = rule("report", run, "--competence-threshold", "0.35")
    assert "blindness >= 0.65" in other and "competence >= 0.35" in other
    assert rule("report", run) == own
    with sqlite3.connect(run / "results.sqlite") as db:  # as written before thresholds were kept
        db.execute("DELETE FROM meta WHERE key = 'thresholds'")
    assert "blindness >= 0.5 and competence >= 0.8" in rule("report", run)
    refused = mazesteer("report", run, "--blindness-threshold", "nan")
    assert refused.returncode == 2 and "--blindness-threshold" in refused.stderr and refused.stderr.count("\n") == 1


def test_outcome_agrees_with_the_sweep(sweep: Path) -> None:
    level = LEVELS.split(",")[0]
    site = "embedder.block2.res1.resadd"
    done = mazesteer(
        "outcome", "region5", "--level", level, "--site", site, "--condition", "subtract", "--json", "--field"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["level"], report["site"], report["condition"], report["horizon"]) == (
        int(level),
        site,
        "subtract",
        256,
    )
    (row,) = (
        r
        for r in csv.DictReader((sweep / "outcomes.csv").open())
        if (r["level"], r["condition"], r["site"]) == (level, "subtract", site)
    )
    for name in (
        "p_cheese",
        "p_corner",
        "p_region",
        "p_cheese_decision",
        "p_corner_decision",
        "expected_steps",
        "tv_clean",
        "tv_no_cheese",
    ):
        assert report["outcome"][name] == pytest.approx(float(row[name]), abs=1e-5), name
    maze = Maze.from_level(int(level))
    assert [(tuple(f["cell"]), f["facing"]) for f in report["field"]] == [(s.cell, s.facing.label) for s in maze.states]
    for entry in report["field"]:
        assert set(entry["probabilities"]) == {"left", "right", "up", "down", "noop"}
        assert sum(entry["probabilities"].values()) == pytest.approx(1.0)


def test_video_command(tmp_path: Path) -> None:
    out = tmp_path / "x.mp4"
    level = LEVELS.split(",")[0]
    done = mazesteer("video", "--level", level, "--site", "block2.res1.resadd", "--out", out, "--horizon", "12")
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p" and stream.width > stream.height > 512


def test_sites_and_checkpoints_and_help() -> None:
    rows = json.loads(mazesteer("sites", "--json").stdout)
    assert len(rows) == 42 and sum(row["trunk"] for row in rows) == 18
    assert "embedder.block2.res1.resadd" in mazesteer("sites").stdout
    assert "region5" in started("checkpoints").stdout
    assert "layer-sweep" in started("--help").stdout
    module = subprocess.run(
        [sys.executable, "-m", "steering.cli", "--help"], capture_output=True, text=True, timeout=60
    )
    assert module.returncode == 0 and "layer-sweep" in module.stdout


# All that is typed to learn what there is, in one process in which what is slow cannot be imported.
WITHOUT_TORCH = """
import json, sys
sys.modules.update(dict.fromkeys(["torch", "procgen", "plotly", "pandas"]))
from steering.cli.app import main
for typed in json.loads(sys.argv[1]):
    sys.argv = ["mazesteer", *typed]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, (typed, ended.code)
"""


def test_what_there_is_is_told_without_torch() -> None:
    typed = [[], ["--version"], ["--help"], *([command, "--help"] for command in commands())]
    typed += [["replicate", "--list"], ["replicate", "--list", "--json", "effect"], ["checkpoints"]]
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, json.dumps(typed)], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "normalized path probability" in done.stdout and done.stdout.count("Usage: ") == len(commands()) + 2
    assert "retargeting" in done.stdout and "mazesteer 0." in done.stdout


@pytest.mark.parametrize(("words", "offered"), [("mazesteer lay", "layer-sweep"), ("mazesteer outcome reg", "region5")])
def test_the_shell_completes_commands_and_shipped_names(words: str, offered: str) -> None:
    asked = {"_MAZESTEER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    script = Path(sys.executable).parent / "mazesteer"
    done = subprocess.run([script], capture_output=True, text=True, env={**os.environ, **asked})
    assert offered in done.stdout.split() and not done.stderr


def test_json_is_one_document_and_nothing_else_on_standard_output(sweep: Path, tmp_path: Path) -> None:
    """Of the commands that have it but are not called with it elsewhere."""
    run = tmp_path / "run"
    shutil.copytree(sweep, run)
    (track,) = sorted((run / "rollouts").glob("*_clean_e0.npz"))[:1]

    def document(*args: str | Path) -> Any:
        done = mazesteer(*args, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert document("report", run) == json.loads((run / "summary.json").read_text())
    assert document(*COMMAND, "--out", run) == json.loads((run / "summary.json").read_text())
    assert document("replay", track) == {
        "film": None,
        "replayed": [{"file": str(track), "moves": len(Trajectory.load(track))}],
    }
    (filmed,) = document(
        "video", "--level", "26", "--conditions", "clean", "--horizon", "2", "--size", "64", "--out", tmp_path / "x.gif"
    )["rollouts"]
    assert (filmed["condition"], filmed["moves"], filmed["reached_cheese"]) == ("clean", 2, False)


def test_tables_fit_80_columns_with_the_names_of_sites_whole(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run = tmp_path / "run"
    shutil.copytree(sweep, run)
    for command in (["report", run], ["sites"], ["checkpoints"], ["replicate", "--list"]):
        done = mazesteer(*command)
        assert done.returncode == 0, done.stderr
        table = [line for line in done.stdout.splitlines() if str(tmp_path) not in line]
        assert max(map(len, table)) <= 80, command
        if command[0] == "report":
            told = done.stdout
            rows = {line.split()[0] for line in table if re.search(r" to -?\d", line)}
            assert {site.removeprefix("embedder.") for site in SITES.split(",")} <= rows, told
            skipped = json.loads((run / "summary.json").read_text())["levels"]["skipped"]
            for each in skipped:
                assert re.search(rf"skipped, {each['reason']}: .*\b{each['level']}\b", told), told


def test_quiet_shows_no_progress_wherever_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steering.workflows.progress.EVERY", 0.0)  # a line at every step
    asked = ["evaluate", "--n-levels", "2"]
    told = mazesteer(*asked)
    assert "evaluating: " in told.stderr
    for typed in ([*asked, "--quiet"], ["--quiet", *asked]):
        done = mazesteer(*typed)
        assert done.stdout == told.stdout and done.stderr == ""
    assert "evaluating: " in mazesteer(*asked).stderr, "it holds for that command alone"


def test_an_unknown_site_is_answered_by_the_three_nearest() -> None:
    done = mazesteer("outcome", "--condition", "subtract", "--site", "block2.res1.resad")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    near = re.findall(r"'(embedder[.\w]+)'", done.stderr)
    assert len(near) == 3 and near[0] == "embedder.block2.res1.resadd"


LONG = 300 * "a"
BAD = [
    (["layer-sweep", "regoin5"], "region5"),
    (["layer-sweep", "--levels", "0:8", "--sites", "embedder.block2.res1.resad"], "embedder.block2.res1.resadd"),
    (["layer-sweep", "--conditions", "substract"], "subtract"),
    (["layer-sweep", "--n-levels", "0"], "--n-levels"),
    (["layer-sweep", "--levels", "3:3"], "3:3"),
    (["layer-sweep", "--levels", "1"], "qualifies"),
    (["layer-sweep", "--levels", "0:4", "--n-levels", "4"], "not both"),
    (["layer-sweep", "--coefficients", "one"], "coefficients"),
    (["layer-sweep", "--horizon", "0"], "horizon"),
    (["layer-sweep", "--mode", "memory"], "memory"),
    (["layer-sweep", "--vector", "end"], "write start, mean"),
    (["layer-sweep", "region5", "--checkpoint", "region5"], "one more --checkpoint"),
    (["layer-sweep", "--checkpoint", "region5", "--checkpoint", "regoin5"], "region5"),
    (["layer-sweep", "--checkpoint", "."], "no checkpoint in this directory"),
    (["layer-sweep", "--executor", "ray"], "known: local, dask"),
    (["layer-sweep", "--scheduler", "tcp://127.0.0.1:1"], "add it"),
    (["layer-sweep", "--executor", "dask", "--scheduler-file", "none.json"], "no such file"),
    (["outcome", "--condition", "all_site"], "all_sites"),
    (["outcome", "--level", "-1"], "--level"),
    (["outcome", "--level", "99999999999"], "level"),
    (["outcome", "--condition", "blind", "--site", "input"], "condition"),
    (["outcome", "missing.pth"], "no such file"),
    (["video", "--out", "film.avi", "--level", "2", "--horizon", "2"], "film.avi"),
    (["evaluate", "--n-levels", "0"], "--n-levels"),
    (["train", "--out", "run", "--from-scratch", "--samples", "9"], "--from-scratch has no imitation"),
    (["train", "--out", "run", "--exact", "--from-scratch"], "two trainings; leave one out"),
    (["train", "--out", "run", "--exact", "--ppo-steps", "5"], "take the place of PPO"),
    (["train", "--out", "run", "--uniform-starts", "0.5"], "add --exact"),
    (["train", "--out", "run", "--dagger-samples", "1,x"], "whole numbers separated by commas"),
    (["train", "--out", "run", "--resume"], "no training run there"),
    (["train", "--out", "run", "--scale", "40"], "--scale"),
    (["train", "--out", "run", "--seed", str(2**64)], "less than"),
    (["train", "--out", "run", "--device", "cuda:99"], "CUDA devices|does not exist|not supported"),
    (["train", "--out", "run", "--region", "-1"], "region"),
    (["report", "nowhere"], "nowhere"),
    (["report", LONG], "too long"),
    (["outcome", LONG], "too long"),
    (["layer-sweep", LONG], "too long"),
    (["layer-sweep", "--executor", "dask", "--gpus-per-unit", "-1"], "--gpus-per-unit"),
    (
        ["layer-sweep", "--levels", "26", "--sites", "fc_policy", "--out", LONG],
        "too long",
    ),
    (
        ["layer-sweep", "--levels", "26", "--sites", "fc_policy", "--out", f"a/b/{LONG}"],
        "too long",
    ),
    (["layer-sweep", "--levels", "26", "--sites", "fc_policy", "--out", "/dev/null/run"], "cannot be written"),
    (
        ["video", "--level", "26", "--horizon", "2", "--out", f"{LONG}.mp4"],
        "too long",
    ),
    (["video", "--level", "26", "--horizon", "2", "--out", "/dev/null/x.gif"], "cannot write"),
]


@pytest.mark.parametrize(("args", "says"), BAD, ids=[" ".join(a).replace(LONG, "LONG") for a, _ in BAD])
def test_bad_input_is_one_clear_line(
    args: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The entry point, called: starting a program for each would take minutes, and other tests here start it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mazesteer", *args])
    handlers = {each: signal.getsignal(each) for each in STOPPED_BY}
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    said = capfd.readouterr().err
    assert ended.value.code == 2, said
    assert said.count("\n") == 1 and said.startswith("mazesteer: ") and re.search(says, said)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_no_text_is_a_path(sweep: Path, tmp_path: Path) -> None:
    run = tmp_path / os.fsdecode(b"run\xff")
    shutil.copytree(sweep, run)
    with sqlite3.connect(run / "results.sqlite") as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'command'", (json.dumps(str(run)),))
    done = started("report", run)
    assert done.returncode == 0, done.stderr
    assert r"run\udcff/report.html" in done.stdout


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "owned",))

    torch.save({"model_state_dict": Payload()}, tmp_path / "evil.pth")
    done = mazesteer("layer-sweep", tmp_path / "evil.pth", "--out", tmp_path / "run")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "not loaded" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.pth"]


def test_several_checkpoints_side_by_side(tmp_path: Path) -> None:
    """Each has the run it would have alone; typed again nothing changes; the folder takes nothing else."""
    from agents.checkpoints.files import save_checkpoint
    from agents.networks.impala import ImpalaPolicyNet

    folder, out = tmp_path / "snapshots", tmp_path / "out"
    for name in ("a", "b"):
        net = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(ord(name)))
        save_checkpoint(net, folder / f"{name}.safetensors")
    options = ["--levels", "26", "--sites", "embedder.relu3", "--conditions", "subtract", "--episodes", "0"]
    command = ["layer-sweep", "--checkpoint", "region5@4096", "--checkpoint", str(folder), *options, "--out", str(out)]
    done = mazesteer(*command)
    assert done.returncode == 0, done.stderr
    index = json.loads((out / "index.json").read_text())
    assert index["checkpoints"] == ["region5@4096", "a", "b"] == [run["name"] for run in index["runs"]]
    for run in index["runs"]:
        summary = json.loads((out / run["directory"] / "summary.json").read_text())
        assert summary["checkpoint"]["sha256"] == run["sha256"] and summary["boundary"] == run["boundary"]
    alone = mazesteer("layer-sweep", folder / "a.safetensors", *options, "--out", tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    assert (tmp_path / "alone" / "outcomes.csv").read_bytes() == (out / "a" / "outcomes.csv").read_bytes()
    before = {run: content(out / run) for run in index["checkpoints"]}
    assert mazesteer(*command).returncode == 0
    assert {run: content(out / run) for run in index["checkpoints"]} == before
    refused = mazesteer(*command[:-1], tmp_path)
    assert refused.returncode == 2 and "not a folder of several runs" in refused.stderr
    same = ["--checkpoint", folder, "--checkpoint", tmp_path / "snapshots/../snapshots"]
    twice = mazesteer("layer-sweep", *same, *options, "--out", tmp_path / "twice")
    assert twice.returncode == 2 and "two checkpoints are called a" in twice.stderr
    assert not (tmp_path / "twice").exists()


def test_a_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    done = mazesteer("layer-sweep", "--levels", LEVELS, "--out", tmp_path)
    assert done.returncode == 2 and "not a mazesteer run" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["thesis.txt"]


def test_another_checkpoint_in_an_existing_run_is_refused(sweep: Path, tmp_path: Path) -> None:
    from agents.checkpoints.files import save_checkpoint
    from agents.networks.impala import ImpalaPolicyNet

    copy = tmp_path / "run"
    shutil.copytree(sweep, copy)
    before = content(copy)
    save_checkpoint(ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(3)), tmp_path / "other.safetensors")
    done = mazesteer("layer-sweep", tmp_path / "other.safetensors", "--levels", LEVELS, "--sites", SITES, "--out", copy)
    assert done.returncode == 2 and "another --out" in done.stderr
    assert content(copy) == before
    assert json.loads((copy / "spec.json").read_text()) == json.loads((sweep / "spec.json").read_text())
