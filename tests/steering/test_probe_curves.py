"""From the sums of each maze to curves, to readings, to the mean of several agents; and their table in a comparison."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.errors import InputError
from steering import stats
from steering.compare import compare, read_arms
from steering.compare_page import run_compare
from steering.compare_readings import readings_table, side_by_side
from steering.decoding import FORMAT, RESULTS
from steering.probe_curves import (
    Tallies,
    boundaries,
    cut,
    mean_curves,
    probe_curves,
    tallies_from_json,
    tallies_to_json,
)
from steering.representation import DEPENDENT
from tests.runs import SPEC, make_run

NAMES = ("input", "a", "b", "c", "d", "e")
FACTS = [{"name": name, "affine": name == "input", "trunk": True, "equivalence_class": name, "receptive_field": None}
         for name in NAMES]  # fmt: skip
MAZES = 20


def made_up(planning: int, mazes: int = MAZES, seed: int = 0) -> Tallies:
    """Sums of an agent that can be told its next move from site ``planning`` on; vector and cell are lost there."""
    rng = np.random.default_rng(seed)
    frames = np.full(mazes, 8.0)
    late = np.arange(len(NAMES))[:, None] >= planning
    luck = rng.normal(size=mazes)  # of a maze, at all sites
    told = frames * np.where(late, 0.9, 0.25) + 0.1 * luck
    chance = frames * np.full((len(NAMES), 1), 0.25) + 0.1 * luck
    mean = rng.gamma(4.0, size=mazes)
    moves = dict.fromkeys(("cheese", "corner", "policy"), (told, frames))
    shuffled = {f"{name} shuffled": (chance, frames) for name in moves}
    length = rng.gamma(4.0, size=(len(NAMES), mazes))
    return {
        **moves,
        **shuffled,
        "cell": (mean * np.where(late, 1.1, 0.4), mean),
        "cell shuffled": (mean * np.full((len(NAMES), 1), 1.05), mean),
        "interaction": (length * np.where(late, 2 * DEPENDENT, 0.1), length),
    }


def samples(mazes: int = MAZES, draws: int = 200) -> np.ndarray:
    return stats.resamples(mazes, np.random.default_rng(5), draws)


@pytest.mark.parametrize("planning", [2, 4])
def test_all_readings_find_the_site_that_was_made(planning: int) -> None:
    found = boundaries(FACTS, probe_curves(made_up(planning), samples()))
    for part in found["decoding_boundary"]["next_move"].values():
        assert {part[key] for key in ("site", "low", "high", "half_site")} == {NAMES[planning]}
    assert found["decoding_boundary"]["cell"]["lost"] == NAMES[planning]
    assert found["representational_boundary"]["site"] == NAMES[planning - 1]


def test_curves_are_ratios_of_sums_over_the_mazes_drawn() -> None:
    tallies, drawn = made_up(3), samples(draws=7)
    curves = probe_curves(tallies, drawn)
    top, bottom = tallies["interaction"]
    for k, mazes in enumerate([np.arange(MAZES), *drawn]):
        expected = [sum(top[s, m] for m in mazes) / sum(bottom[s, m] for m in mazes) for s in range(len(NAMES))]
        assert curves["interaction"][:, k] == pytest.approx(expected)
    top, bottom = tallies["cell"]
    assert curves["cell"][2, 0] == pytest.approx(top[2].sum() / bottom.sum())


def test_some_sites_and_mazes_and_json_and_back() -> None:
    tallies = made_up(3)
    again = tallies_from_json(json.loads(json.dumps(tallies_to_json(tallies))))
    mazes = [7, 3, 11]
    part = probe_curves(cut(again, [0, 4], mazes), np.array([[2, 0, 0]]))
    whole = probe_curves(tallies, np.array([[11, 7, 7]]))
    for name, curve in part.items():
        assert np.array_equal(curve[:, 1], whole[name][[0, 4], 1])


def test_the_mean_of_agents_that_agree_is_the_agent_and_of_others_lies_between() -> None:
    drawn = samples()
    one, two = (probe_curves(made_up(planning), drawn) for planning in (2, 4))
    rng = np.random.default_rng(0)
    same = boundaries(FACTS, mean_curves([one, one], rng))
    assert same["representational_boundary"]["site"] == "a"
    apart = boundaries(FACTS, mean_curves([one, two], rng))
    for part in (apart["representational_boundary"], apart["decoding_boundary"]["next_move"]["cheese"]):
        low, high = (NAMES.index(part[end]) for end in ("low", "high"))
        assert high - low == 2, "agents drawn anew are one, the other, or both"
    with pytest.raises(InputError, match="at least 2"):
        mean_curves([one], rng)


def with_probes(run: Path, sha256: str, planning: int, levels: range) -> Path:
    found: dict[str, Any] = {
        "format": FORMAT,
        "checkpoint": {"name": "agent", "sha256": sha256},
        "mode": "hard",
        "levels": list(levels),
        "sites": FACTS,
        "tallies": tallies_to_json(made_up(planning, len(levels))),
    }
    (run / RESULTS).write_text(json.dumps(found))
    return run


def test_a_comparison_shows_the_readings_of_each_agent_and_of_their_mean(tmp_path: Path) -> None:
    share = {"input": 0.0, "embedder.relu3": 0.3}
    runs = []
    for k, planning in enumerate((2, 4)):
        spec = replace(SPEC, checkpoint=f"agent-seed{k}", sha256=str(k) * 64)
        run = make_run(tmp_path / spec.checkpoint, spec, share, seed=k)
        runs.append(with_probes(run, spec.sha256, planning, range(5 * k, 40)))
    data = run_compare(runs, tmp_path / "out", seed=0)
    found = data["readings"]
    assert found["levels"] == 35 and len(found["arms"]) == 2
    header, *rows = readings_table(found, [arm["name"] for arm in data["arms"]])
    assert header[2:] == ["agent-seed0", "agent-seed1", "mean of the agents"]
    moves = next(row for row in rows if row[1] == "next move (towards the cheese) can be read beyond the pixels")
    assert moves[2:] == ["from b (b only)", "from d (d only)", "from d (b to d)"]  # at b one of two reads nothing
    for suffix in ("html", "md"):
        text = (tmp_path / "out" / f"compare.{suffix}").read_text()
        assert "from d (d only)" in text and "35 mazes" in text
    arms = read_arms(runs)
    assert side_by_side(arms, compare(arms)) == found, "the same numbers each time"


def test_without_probes_of_each_agent_there_is_no_such_table(tmp_path: Path) -> None:
    share = dict.fromkeys(("input", "embedder.relu3"), 0.1)
    a = with_probes(make_run(tmp_path / "a", SPEC, share), SPEC.sha256, 2, range(20))
    other = replace(SPEC, checkpoint="other", sha256="b" * 64)
    b = make_run(tmp_path / "b", other, share)
    assert run_compare([a, b], tmp_path / "out", seed=0)["readings"] is None
    with_probes(b, "c" * 64, 2, range(20))  # of other weights
    assert run_compare([a, b], tmp_path / "out", seed=0)["readings"] is None
    with_probes(b, other.sha256, 2, range(15, 40))  # on too few mazes in common
    assert run_compare([a, b], tmp_path / "out", seed=0)["readings"] is None
    assert "side by side" not in (tmp_path / "out" / "compare.md").read_text()
