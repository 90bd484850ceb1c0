"""A sweep that ends when its intervals are narrow: where it ends, what it records, whatever the way there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from steering.statistics import sequential
from steering.sweep.spec import SweepSpec
from tests.helpers.command import mazesteer
from tests.helpers.small_sweep import LEVELS, SITES

ASKED = ("region5", "--levels", LEVELS, "--sites", SITES, "--conditions", "subtract", "--episodes", "0")
FIRST_TWO = tuple(int(level) for level in LEVELS.split(","))[:2]


def _until(width: str, out: Path, *more: str) -> dict[str, Any]:
    done = mazesteer("layer-sweep", *ASKED, "--until-width", width, "--out", out, "--quiet", *more)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    told = _first_sentence(summary["stop"])
    assert told in " ".join(done.stdout.split())
    assert told in (out / "report.html").read_text() and told in (out / "report.md").read_text()
    return summary


def _first_sentence(stop: dict[str, Any]) -> str:
    """Return the first sentence on the end of a sweep."""
    how = ("Stopped", "with") if stop["narrow"] else ("Ended", "without")
    done = f"{how[0]} at {stop['levels']} of {stop['plan']['most']} levels, {how[1]}"
    return f"{done} intervals of blindness up to {stop['plan']['width']:g} wide."


def test_it_ends_at_the_same_look_whether_results_are_there_or_not(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks at 2 and 3 levels, those that qualify; in one directory all results are stored, in the other none."""
    monkeypatch.setattr(sequential, "FIRST", 2)
    shutil.copytree(sweep, tmp_path / "stored")
    stored, anew = (_until("2", tmp_path / name, "--workers", "2") for name in ("stored", "anew"))
    assert stored == anew
    assert stored["stop"]["narrow"] and stored["stop"]["levels"] == 2
    assert tuple(stored["levels"]["used"]) == FIRST_TWO == SweepSpec.load(tmp_path / "anew").levels
    assert all(each["high"] - each["low"] <= 2 for each in stored["stop"]["sites"])


def test_where_no_interval_gets_narrow_all_levels_are_done_and_a_plain_sweep_forgets_it(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequential, "FIRST", 2)
    out = shutil.copytree(sweep, tmp_path / "run")
    found = _until("0.001", out)
    assert not found["stop"]["narrow"] and found["stop"]["levels"] == 3 == len(found["levels"]["used"])
    ends = {site["name"]: site["conditions"]["subtract"] for site in found["sites"]}
    for each in found["stop"]["sites"]:
        plain = ends[each["site"]]
        assert each["low"] <= plain["blindness_low"] <= plain["blindness_high"] <= each["high"]
    plain = mazesteer("layer-sweep", *ASKED, "--out", out, "--quiet")
    assert plain.returncode == 0 and json.loads((out / "summary.json").read_text())["stop"] is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--n-levels", "16"), "the first look is at 32 levels, 16 asked for"),
        (("--n-levels", "64", "--conditions", "add"), "judges by `subtract` at trunk sites"),
        (("--n-levels", "64", "--sites", "embedder.block1.res1.conv1"), "judges by `subtract` at trunk sites"),
    ],
)
def test_what_it_could_not_judge_by_is_refused_before_anything_is_written(
    tmp_path: Path, asked: tuple[str, ...], said: str
) -> None:
    done = mazesteer("layer-sweep", "region5", "--until-width", "0.1", "--out", tmp_path / "run", *asked)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
