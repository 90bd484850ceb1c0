"""Comparing runs: paired by maze, refused where it means nothing, and what training's loss did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.errors import InputError
from steering.compare import compare, find_runs, read_arms
from steering.compare_page import run_compare
from steering.development import bumps, loss_curves, lower_envelope, snapshots
from steering.store import Store
from tests.runs import LEVELS, SITES, SPEC, make_run


def test_a_difference_that_is_the_same_in_every_maze_has_no_width(tmp_path: Path) -> None:
    """Unpaired, the mazes' own spread would drown it."""
    a = make_run(tmp_path / "a", SPEC, {"input": 0.0, "embedder.relu3": 0.3})
    b = make_run(
        tmp_path / "b", replace(SPEC, checkpoint="agent-seed1", sha256="b" * 64), {"input": 0.0, "embedder.relu3": 0.7}
    )
    data = compare(read_arms([a, b]))
    (row,) = data["differences"]
    first, last = row["blindness"]
    assert (first["difference"], first["low"], first["high"], first["larger"]) == (0.0, 0.0, 0.0, 0.5)
    assert last["difference"] == pytest.approx(-0.4) and last["larger"] == 0.0
    assert last["low"] == pytest.approx(-0.4) and last["high"] == pytest.approx(-0.4)
    assert [arm["boundary"]["site"] for arm in data["arms"]] == ["embedder.relu3", "input"]
    effect = row["effects"]["p_cheese, clean"]
    assert effect["n"] == effect["zeros"] == len(LEVELS) and effect["p"] == 1.0
    assert data["over_agents"]["site"] in SITES
    assert compare(read_arms([a, b])) == data
    other = make_run(tmp_path / "c", replace(SPEC, checkpoint="other", sha256="c" * 64), dict.fromkeys(SITES, 0.1))
    assert compare(read_arms([a, other]))["over_agents"] is None, "two recipes are no sample of one"


def test_only_mazes_and_sites_that_all_have_count(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", SPEC, {"input": 0.0, "embedder.relu3": 0.3})
    fewer = replace(SPEC, checkpoint="other", sha256="b" * 64, levels=LEVELS[5:17], sites=SITES[1:])
    b = make_run(tmp_path / "b", fewer, {"embedder.relu3": 0.3})
    data = compare(read_arms([a, b]))
    assert data["levels"] == list(LEVELS[5:17]) and data["sites"] == ["embedder.relu3"]


def test_the_runs_own_thresholds_are_taken_if_they_agree(tmp_path: Path) -> None:
    share = {"input": 0.0, "embedder.relu3": 0.3}
    a = make_run(tmp_path / "a", SPEC, share)
    b = make_run(tmp_path / "b", replace(SPEC, checkpoint="other", sha256="b" * 64), share)
    for run in (a, b):
        with Store.open(run) as store:
            store.describe("thresholds", {"blindness": 0.75, "competence": 0.8})
    data = compare(read_arms([a, b]))
    assert data["thresholds"] == {"blindness": 0.75, "competence": 0.8}
    assert data["arms"][0]["boundary"]["site"] == "input"
    assert compare(read_arms([a, b]), blindness=0.5)["arms"][0]["boundary"]["site"] == "embedder.relu3"
    with Store.open(b) as store:
        store.describe("thresholds", {"blindness": 0.5, "competence": 0.8})
    with pytest.raises(InputError, match=r"blindness thresholds differ \(0.5, 0.75\); say --blindness-threshold"):
        compare(read_arms([a, b]))
    assert compare(read_arms([a, b]), blindness=0.6)["thresholds"]["blindness"] == 0.6
    with pytest.raises(InputError, match="between -10 and 10"):
        compare(read_arms([a, b]), blindness=float("nan"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"horizon": 100}, "horizon 256.*100"),
        ({"levels": LEVELS[:3]}, "share 3 finished levels"),
        ({"levels": tuple(range(100, 120))}, "share 0 finished levels"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    share = dict.fromkeys(SITES, 0.3)
    a = make_run(tmp_path / "a", SPEC, share)
    b = make_run(tmp_path / "b", replace(SPEC, checkpoint="other", sha256="b" * 64, **change), share)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=words):
        compare(read_arms([a, b]))


def test_one_run_is_compared_with_itself_under_other_coefficients_or_refused(tmp_path: Path) -> None:
    share = {"input": 0.0, "embedder.relu3": 0.2}
    arms = read_arms([make_run(tmp_path / "a", replace(SPEC, coefficients=(1.0, 3.0)), share)])
    assert [arm.name for arm in arms] == ["agent x1", "agent x3"]
    assert compare(arms)["differences"][0]["blindness"][1]["difference"] == pytest.approx(-0.4)
    with pytest.raises(InputError, match="nothing to be compared with"):
        read_arms([make_run(tmp_path / "b", SPEC, share)])
    with pytest.raises(InputError, match="no sweep there"):
        find_runs([tmp_path])


def test_snapshots_of_one_training_are_known_and_shown_with_its_loss(tmp_path: Path) -> None:
    runs = []
    for k, count in enumerate((4096, 1048576)):
        spec = replace(SPEC, checkpoint=f"region5@{count}", sha256=str(k) * 64)
        runs.append(make_run(tmp_path / str(count), spec, {"input": 0.0, "embedder.relu3": 0.4 * k}))
    assert snapshots([arm.spec.checkpoint for arm in read_arms(runs)]) == ("region5", [4096, 1048576])
    data = run_compare(runs, tmp_path / "out", seed=0)
    stages = data["development"]["loss"]
    assert [stage["stage"] for stage in stages][:1] == ["imitation"] and len(stages[0]["loss"]) > 10
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == data
    assert "A bump is a stretch" in (tmp_path / "out" / "compare.md").read_text()
    page = (tmp_path / "out" / "compare.html").read_text()
    assert len(page) < 8_000_000 and "http://" not in page.split("</script>")[-1]


def test_a_bump_is_where_the_loss_leaves_its_convex_envelope() -> None:
    count = np.array([1, 10, 100, 1000, 10_000])
    assert bumps(count, np.array([5, 3, 2, 1.5, 1.4])) == []
    assert bumps(count, np.array([4, 3, 3.5, 1, 0.9])) == [[100, 100]]
    rows = [{"stage": "a", "count": int(c), "loss": x} for c, x in zip(count, (4, 3, 3.5, 1, 0.9), strict=True)]
    (curve,) = loss_curves([*rows, {"stage": "ppo", "count": 99_999}])
    assert curve["stage"] == "a" and curve["bumps"] == [[100, 100]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12))
def test_the_envelope_is_the_greatest_convex_function_below(values: list[float]) -> None:
    """Against the definition: at each point, the least height of a chord over it."""
    x, y = np.arange(len(values), dtype=float), np.array(values)
    chords = [
        min(
            y[i] if a == b else y[a] + (y[b] - y[a]) * (x[i] - x[a]) / (x[b] - x[a])
            for a in range(i + 1)
            for b in range(i, len(x))
        )
        for i in range(len(x))
    ]
    assert lower_envelope(x, y) == pytest.approx(np.array(chords), abs=1e-9)
