"""Easy mode from end to end: an agent whose card says easy, every command on one run, no mode typed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from agents.checkpoints.cards import ZOO
from envs.trajectory import Trajectory
from steering.sweep.artifacts import PLANNING, PLANNING_MAPS, PROBES, READOUTS, REPLICATE, WRITTEN
from steering.sweep.spec import SweepSpec
from tests.helpers.command import mazesteer

LEVELS = "21,49"  # mazes of 11x11 that qualify and have pairs whose places are apart
PROBED = "54,120,15,78,84,90,114,125,21,49"  # of 7x7 to 11x11: probes hold out whole mazes
MAP = "embedder.block3.maxpool"
PROBE = ["--sites", MAP, "--levels", PROBED, "--states", "2", "--frames", "1280", "--pairs", "2"]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shipped agent's weights, with a card that says easy."""
    path = tmp_path_factory.mktemp("easy") / "agent.safetensors"
    data = (ZOO / "region5.safetensors").read_bytes()
    path.write_bytes(data)
    figures = {"levels": [0, 4], "horizon": 256, "seed": 0, "region": 5, "mode": "easy"}
    path.with_suffix(".json").write_text(json.dumps({"sha256": hashlib.sha256(data).hexdigest(), "figures": figures}))
    return path


def typed(*args: str | Path) -> str:
    done = mazesteer(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(agent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep, and what the other commands add to it: each says the mode it took."""
    out = tmp_path_factory.mktemp("easy") / "run"
    few = ["--levels", LEVELS, "--conditions", "subtract", "--episodes", "0", "--horizon", "16", "--workers", "1"]
    assert "2 levels of mode easy used" in typed("layer-sweep", agent, "--sites", f"input,{MAP}", *few, "--out", out)
    pairs = ["--pairs", "2"]
    assert "2 levels of mode easy" in typed("planning", agent, "--goal", "cheese", *pairs, "--out", out)
    assert "10 levels of mode easy" in typed("probe", agent, *PROBE, "--out", out)
    written = ["--learn-levels", "10", "--strengths", "4", "--branches", "1"]
    assert "mazes, mode easy" in typed("write-moves", agent, "--sites", MAP, *written, "--out", out)
    found = typed("replicate", "effect", "--checkpoint", agent, "--levels", LEVELS, "--horizon", "16", "--out", out)
    assert "mode easy" in " ".join(found.split())
    return out


def test_a_probe_prints_its_readouts_in_the_same_document(agent: Path, run: Path) -> None:
    told = json.loads(typed("probe", agent, *PROBE, "--out", run, "--json"))
    assert told.pop("readouts") == json.loads((run / READOUTS.file).read_text())
    assert told == json.loads((run / PROBES.file).read_text())


def test_every_file_of_the_run_is_of_easy_levels(run: Path) -> None:
    spec = SweepSpec.load(run)
    assert spec.mode == "easy" and spec.levels == tuple(map(int, LEVELS.split(",")))
    modes = [PROBES.read(run, "x").mode, PLANNING_MAPS.read(run, "x").mode]
    modes += [each.read(run, "x").settings.mode for each in (PLANNING, READOUTS, WRITTEN, REPLICATE)]
    assert set(modes) == {"easy"} and json.loads((run / "summary.json").read_text())["mode"] == "easy"


def test_the_report_shows_all_of_it(run: Path) -> None:
    typed("report", run)
    page = " ".join((run / "report.md").read_text().split())
    assert "mode easy; horizon 16" in page and "is not shown" not in page


def test_films_and_fields_are_of_easy_levels(run: Path, agent: Path, tmp_path: Path) -> None:
    small = ["--size", "64", "--seconds", "0.2"]
    assert "film: " in typed("film-sweep", run, "--checkpoint", agent, "--episodes", "1", *small)
    assert "film: " in typed("film-sweep", run, "--map", "--checkpoint", agent, *small)
    film = ["--level", "54", "--horizon", "3", "--size", "64", "--conditions", "clean", "--record", tmp_path / "record"]
    assert "level 54, mode easy, clean: " in typed("video", agent, *film, "--out", tmp_path / "x.gif")
    (recorded,) = (tmp_path / "record").iterdir()
    assert Trajectory.load(recorded).facts.mode == "easy" and "as recorded" in typed("replay", recorded)
    field = ["--level", "54", "--condition", "clean", "--site", "embedder.block2.res1.resadd", "--heat", "map"]
    assert "(mode easy)" in typed("field", agent, *field, "--out", tmp_path / "x.svg")


def test_a_run_is_gone_on_with_in_its_mode_and_in_no_other(run: Path) -> None:
    """The shipped agent has the same weights, and a card that says hard."""
    before = PLANNING.read(run, "x")
    shipped = ["planning", "region5", "--goal", "cheese", "--pairs", "2", "--out", run]
    assert "2 levels of mode easy" in typed(*shipped)
    assert PLANNING.read(run, "x").located == before.located
    horizon = ["--horizon", "16"]
    for command in (
        ["layer-sweep", "region5", *horizon],
        ["planning", "region5"],
        ["replicate", "effect", "--checkpoint", "region5", *horizon],
    ):
        done = mazesteer(*command, "--levels", "26", "--mode", "hard", "--out", run)
        assert done.returncode == 2 and re.search(r"with mode \W*easy", done.stderr), done.stderr


def test_two_easy_runs_are_compared_and_none_with_a_hard_one(agent: Path, tmp_path: Path) -> None:
    levels = ",".join(PROBED.split(",")[:6])
    few = ["--levels", levels, "--conditions", "subtract", "--episodes", "0", "--horizon", "16", "--workers", "1"]
    few += ["--sites", MAP]
    typed("layer-sweep", agent, *few, "--out", tmp_path / "one")
    typed("layer-sweep", "region5-seed1", "--mode", "easy", *few, "--out", tmp_path / "other")
    typed("compare", tmp_path / "one", tmp_path / "other", "--out", tmp_path / "both")
    assert "mode easy" in (tmp_path / "both" / "compare.md").read_text()
    found = json.loads((tmp_path / "both" / "compare.json").read_text())
    assert found["mode"] == "easy" and found["levels"] == list(map(int, levels.split(",")))
    hard = tmp_path / "hard"
    shutil.copytree(tmp_path / "other", hard)
    spec = json.loads((hard / "spec.json").read_text())
    (hard / "spec.json").write_text(json.dumps({**spec, "mode": "hard"}))
    done = mazesteer("compare", tmp_path / "one", hard, "--out", tmp_path / "none")
    assert done.returncode == 2 and "mode" in done.stderr, done.stderr
