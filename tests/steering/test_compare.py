"""Comparing runs: paired by maze, refused where it means nothing, and what training's loss did."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.history import FILE, SNAPSHOTS
from envs.errors import InputError
from steering import stats
from steering.compare import OUTCOMES, compare, find_runs, read_arms
from steering.compare_page import answer, run_compare
from steering.development import Series, bumps, loss_curves, lower_envelope, snapshots
from steering.store import Store
from tests.runs import LEVELS, SITES, SPEC, make_run

DISTINCT = 8  # sites of a simulated study


def study(n: int, rng: np.random.Generator, more: float = 1.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """(distances edited ``[s, n]``, left alone ``[n]``) of two agents in ``n`` mazes, with the same true blindness
    everywhere but at site 4, where the second has ``more`` left. A few mazes hold most of the sum, and mazes that are
    easy for one agent are for the other."""
    clean, ease = 0.3 * rng.beta(0.35, 1.8, size=n), rng.gamma(4.0, 1 / 4, size=n)
    agents = []
    for _ in range(2):
        own = clean * rng.gamma(8.0, 1 / 8, size=n)
        left = np.linspace(0.05, 0.9, DISTINCT)[:, None] * ease * rng.gamma(4.0, 1 / 4, size=(DISTINCT, n))
        agents.append((left * own, own))
    agents[1][0][4] *= more
    return agents


def intervals(n: int, rng: np.random.Generator, more: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weights = stats.counts(stats.resamples(n, rng, draws=400))
    first, second = study(n, rng, more)
    return stats.difference_intervals(first, second, weights, range(DISTINCT))


@pytest.mark.parametrize(("n", "repetitions", "widest"), [(32, 300, 4.5), (200, 150, 3.5)])
def test_agents_alike_are_seldom_said_to_differ(n: int, repetitions: int, widest: float) -> None:
    """At each site the interval, and over all of them the band, leaves 0 out in 5% of the studies or less. They are
    not that wide by far more than needed: in standard deviations of what is estimated, 1.96 and 2.73 would do if all
    was normal and the sites independent."""
    rng = np.random.default_rng(3)
    found = np.array([intervals(n, rng) for _ in range(repetitions)])
    difference, one, band = found[:, 0], found[:, 1], found[:, 2]
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)
    missed = np.abs(difference) > one
    assert missed.mean(axis=0).max() <= most and missed.mean() > 0.01
    assert (np.abs(difference) > band).any(axis=1).mean() <= most
    assert missed.any(axis=1).mean() > 0.15, "counting sites by their own intervals would do as well"
    sd = difference.std(axis=0)
    assert (one.mean(axis=0) / sd).max() < 2.8 and (band.mean(axis=0) / sd).max() < widest


def test_a_difference_that_is_there_is_found_where_it_is() -> None:
    rng = np.random.default_rng(4)
    found = np.array([intervals(200, rng, more=2.0) for _ in range(60)])
    clear = np.abs(found[:, 0]) > found[:, 2]
    assert clear[:, 4].mean() > 0.9 and np.delete(clear, 4, axis=1).any(axis=1).mean() <= 0.05 + 3 * 0.0281
    assert (found[:, 0, 4] < 0).all(), "more is left, so less blind"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(n=st.integers(6, 40), mazes=st.integers(0, 5), seed=st.integers(0, 10_000))
def test_few_mazes_that_differ_give_no_absurd_width(n: int, mazes: int, seed: int) -> None:
    """Studentized alone, a width would have no bound: resamples without these mazes have no spread."""
    rng = np.random.default_rng(seed)
    edited, clean = rng.random((3, n)), rng.beta(0.3, 2.0, size=n) + 1e-3
    other = edited * clean
    other[:, :mazes] *= rng.random((3, mazes))
    weights = stats.counts(stats.resamples(n, rng, draws=200))
    first, second = (edited * clean, clean), (other, clean)
    difference, one, band = stats.difference_intervals(first, second, weights, [0, 2])
    draws = stats.blindness(other, clean, weights) - stats.blindness(edited * clean, clean, weights)
    away = np.abs(draws - difference[:, None])
    assert (one <= np.quantile(away, 0.95, axis=1) / stats.FLOOR + 2 * stats.TIE).all()
    assert (one <= away.max(axis=1) / stats.FLOOR + 2 * stats.TIE).all() and (one[[0, 2]] <= band[[0, 2]] + 1e-12).all()
    assert mazes or not (difference.any() or one.any() or band.any())
    back = stats.difference_intervals(second, first, weights, [0, 2])
    np.testing.assert_allclose(back, [-difference, one, band], atol=1e-9)


def test_where_the_cheese_changes_nothing_no_difference_is_defined() -> None:
    nothing, weights = (np.zeros((2, 8)), np.zeros(8)), stats.counts(stats.resamples(8, np.random.default_rng(0)))
    first, _ = study(8, np.random.default_rng(0))
    difference, *_ = stats.difference_intervals((first[0][:2], first[1]), nothing, weights, [0, 1])
    assert np.isnan(difference).all()


def test_a_difference_that_is_the_same_in_every_maze_has_no_width(tmp_path: Path) -> None:
    """Unpaired, the mazes' own spread would drown it."""
    a = make_run(tmp_path / "a", SPEC, {"input": 0.0, "embedder.relu3": 0.3})
    b = make_run(
        tmp_path / "b", replace(SPEC, checkpoint="agent-seed1", sha256="b" * 64), {"input": 0.0, "embedder.relu3": 0.7}
    )
    data = compare(read_arms([a, b]))
    (row,) = data["differences"]
    first, last = row["blindness"]
    assert {first[key] for key in ("difference", "low", "high", "band_low", "band_high")} == {0.0}
    assert first["larger"] == 0.5
    assert last["difference"] == pytest.approx(-0.4) and last["larger"] == 0.0
    for end in ("low", "high", "band_low", "band_high"):
        assert last[end] == pytest.approx(-0.4)
    assert (
        "Blindness of agent-seed1 clearly differs from that of agent at 1 of 2 distinct sites (simultaneous 95% band "
        "over the sites), of these most at relu3 (-0.4, band -0.4 to -0.4)."
    ) in answer(data)
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
    assert "too few mazes for the intervals of boundaries to be relied on (16 at least)" in answer(data)


def test_rounding_is_no_difference(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", SPEC, {"input": 1e-8, "embedder.relu3": 0.3})
    b = make_run(
        tmp_path / "b", replace(SPEC, checkpoint="b", sha256="b" * 64), {"input": 3e-8, "embedder.relu3": 0.3 + 1e-7}
    )
    data = compare(read_arms([a, b]))
    for point in data["differences"][0]["blindness"]:
        assert point == {"site": point["site"], "larger": 0.5, **dict.fromkeys(list(point)[1:-1], 0.0)}
    assert answer(data).endswith(
        " Blindness of b shows no clear difference from that of agent at any site (simultaneous 95% band over 2 "
        "distinct sites)."
    )


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
    (row,) = compare(arms)["differences"]
    assert row["blindness"][1]["difference"] == pytest.approx(-0.4)
    assert list(row["effects"]) == [f"{o}, subtract at embedder.relu3" for o in OUTCOMES], "left alone they are one"
    with pytest.raises(InputError, match="nothing to be compared with"):
        read_arms([make_run(tmp_path / "b", SPEC, share)])
    with pytest.raises(InputError, match="no sweep there"):
        find_runs([tmp_path])


def test_snapshots_of_one_training_are_known_and_shown_with_its_loss(tmp_path: Path) -> None:
    runs = []
    for k, count in enumerate((4096, 1048576)):
        spec = replace(SPEC, checkpoint=f"region5@{count}", sha256=str(k) * 64)
        runs.append(make_run(tmp_path / str(count), spec, {"input": 0.0, "embedder.relu3": 0.4 * k}))
    found = snapshots([arm.spec.checkpoint for arm in read_arms(runs)])
    assert found == Series("region5", (4096, 1048576), ("", "")) and found.positions() == [4096, 1048576]
    data = run_compare(runs, tmp_path / "out", seed=0)
    stages = data["development"]["loss"]
    assert [stage["stage"] for stage in stages][:1] == ["imitation"] and len(stages[0]["loss"]) > 10
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == data
    assert "A bump is a stretch" in (tmp_path / "out" / "compare.md").read_text()
    page = (tmp_path / "out" / "compare.html").read_text()
    assert len(page) < 8_000_000 and "http://" not in page.split("</script>")[-1]


def test_snapshots_of_ones_own_training_are_shown_with_the_loss_of_its_history(tmp_path: Path) -> None:
    """They are swept under the names of the files, ``000004096-imitation``; two may have the same count."""
    names = ["000000000-imitation", "000004096-imitation", "000008192-dagger", "000008192-imitation"]
    digest = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    runs = [
        make_run(tmp_path / name, replace(SPEC, checkpoint=name, sha256=sha), {"input": 0.0, "embedder.relu3": 0.1 * k})
        for k, (name, sha) in enumerate(zip(names, digest, strict=True))
    ]
    page = tmp_path / "out" / "compare.md"
    without = run_compare(runs, tmp_path / "out", seed=0)["development"]
    assert without["of"] is None and without["loss"] == []
    assert without["counts"] == [0, 4096, 8192, 8192]
    assert without["stages"] == ["imitation", "imitation", "dagger", "imitation"]
    assert "--history RUN adds that of a training" in page.read_text() and "A bump" not in page.read_text()
    training = tmp_path / "training"
    (training / SNAPSHOTS).mkdir(parents=True)
    rows = [{"stage": name[10:], "count": int(name[:9]), "loss": 2.0 - 0.1 * k} for k, name in enumerate(names)]
    rows.append({"stage": "imitation", "count": 6000, "loss": 1.5})
    (training / FILE).write_text("".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda r: str(r["count"]))))
    (training / SNAPSHOTS / f"{names[1]}.safetensors").write_text(names[1])
    (curve,) = run_compare(runs, tmp_path / "out", seed=0, history=training)["development"]["loss"]
    assert curve["stage"] == "imitation" and curve["count"] == [4096, 6000, 8192]
    assert "A bump is a stretch" in page.read_text() and "--history" not in page.read_text()
    (training / SNAPSHOTS / f"{names[1]}.safetensors").write_text("another training's")
    with pytest.raises(InputError, match="000004096-imitation is no snapshot of that training"):
        run_compare(runs, tmp_path / "out", seed=0, history=training)
    (training / SNAPSHOTS / f"{names[1]}.safetensors").unlink()
    (training / FILE).write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(InputError, match="000004096-imitation is no snapshot of that training"):
        run_compare(runs, tmp_path / "out", seed=0, history=training)


@pytest.mark.parametrize(
    "names",
    [
        ["region5@4096", "region5-seed1@8192"],
        ["region5@4096", "region5@4096"],
        ["region5@4096", "region5"],
        ["region5@4096", "000008192-imitation"],
        ["000008192-imitation", "000008192-imitation"],
        ["000008192-imitation", "8192-imitation"],
        ["000008192-imitation"],
    ],
)
def test_other_runs_are_no_series(names: list[str]) -> None:
    assert snapshots(names) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.sampled_from("abc")), min_size=2, max_size=12, unique=True).map(
        lambda found: Series(None, *zip(*found, strict=True))
    )
)
def test_no_two_snapshots_stand_in_the_same_place(series: Series) -> None:
    places = series.positions()
    assert len(set(places)) == len(places)
    order = sorted(range(len(places)), key=places.__getitem__)
    assert [series.counts[i] for i in order] == sorted(series.counts)
    once = [i for i, count in enumerate(series.counts) if series.counts.count(count) == 1]
    assert all(places[i] >= series.counts[i] for i in once)


def test_a_stage_that_begins_stands_behind_the_one_that_ended() -> None:
    series = Series(None, (8192, 8192, 4096, 16384), ("dagger", "imitation", "imitation", "dagger"))
    places = series.positions()
    assert places[2] == 4096 and places[1] == 8192 and 8192 * 1.1 < places[0] < 8192 * 1.25 and places[3] == 16384


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
