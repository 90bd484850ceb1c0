"""Snapshots of one training: known by their names, shown over training beside the loss and its bumps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.sessions.history import FILE, SNAPSHOTS
from envs.errors import InputError
from envs.stored.json_records import from_json
from steering.analysis.compared_runs import read_compared_runs
from steering.analysis.development import Series, bumps, looks, loss_curves, lower_envelope, snapshots
from steering.figures.comparison_figures import development_figure
from steering.records.comparison import (
    ComparedOutcomes,
    ComparedReferences,
    ComparedRunSummary,
    ComparedSite,
    Comparison,
    CurvePoint,
    Development,
)
from steering.reports.comparison_report import run_compare
from tests.helpers.browser import chromium, looked_at
from tests.helpers.comparisons import boundary_of, cheese_effect, run_summary
from tests.helpers.runs import SPEC, make_run


def test_snapshots_of_one_training_are_known_and_shown_with_its_loss(tmp_path: Path) -> None:
    runs = []
    for k, count in enumerate((4096, 1048576)):
        spec = replace(SPEC, checkpoint=f"region5@{count}", sha256=str(k) * 64)
        runs.append(make_run(tmp_path / str(count), spec, {"input": 0.0, "embedder.relu3": 0.4 * k}))
    found = snapshots([arm.spec.checkpoint for arm in read_compared_runs(runs)])
    assert found == Series("region5", (4096, 1048576), ("", "")) and found.positions() == [4096, 1048576]
    data = run_compare(runs[::-1], tmp_path / "out", seed=0)
    assert [run.checkpoint for run in data.arms] == ["region5@4096", "region5@1048576"], "in order of training"
    (tmp_path / FILE).write_text("")
    with pytest.raises(InputError, match="the loss of region5 is on its card"):
        run_compare(runs, tmp_path / "out", seed=0, history=tmp_path)
    assert isinstance(data.development, Development)
    stages = data.development.loss
    assert [stage.stage for stage in stages][:1] == ["imitation"] and len(stages[0].loss) > 10
    assert from_json((tmp_path / "out" / "compare.json").read_text(), Comparison, "compare.json", "") == data
    assert "A bump is a stretch" in (tmp_path / "out" / "compare.md").read_text()
    page = (tmp_path / "out" / "compare.html").read_text()
    assert len(page) < 8_000_000 and "http://" not in page.split("</script>")[-1]
    with chromium() as browser:
        looked_at(browser, tmp_path / "out" / "compare.html", "compare-curves", "development")


def test_snapshots_of_ones_own_training_are_shown_with_the_loss_of_its_history(tmp_path: Path) -> None:
    """They are swept under the names of the files, ``000004096-imitation``; two may have the same count."""
    names = ["000000000-imitation", "000004096-imitation", "000008192-dagger", "000008192-imitation"]
    digest = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    runs = [
        make_run(tmp_path / name, replace(SPEC, checkpoint=name, sha256=sha), {"input": 0.0, "embedder.relu3": 0.1 * k})
        for k, (name, sha) in enumerate(zip(names, digest, strict=True))
    ]
    page = tmp_path / "out" / "compare.md"
    without = run_compare(runs, tmp_path / "out", seed=0).development
    assert isinstance(without, Development)
    assert without.of is None and without.loss == ()
    assert without.counts == (0, 4096, 8192, 8192)
    assert without.stages == ("imitation", "imitation", "imitation", "dagger"), "in order of training"
    assert "--history RUN adds that of a training" in page.read_text() and "A bump" not in page.read_text()
    training = tmp_path / "training"
    (training / SNAPSHOTS).mkdir(parents=True)
    rows = [{"stage": name[10:], "count": int(name[:9]), "loss": 2.0 - 0.1 * k} for k, name in enumerate(names)]
    rows.append({"stage": "imitation", "count": 6000, "loss": 1.5})
    (training / FILE).write_text("".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda r: str(r["count"]))))
    (training / SNAPSHOTS / f"{names[1]}.safetensors").write_text(names[1])
    found = run_compare(runs, tmp_path / "out", seed=0, history=training).development
    assert isinstance(found, Development)
    (curve,) = found.loss
    assert curve.stage == "imitation" and curve.count == (4096, 6000, 8192)
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
    assert bumps(count, np.array([5, 3, 2, 1.5, 1.4])) == ()
    assert bumps(count, np.array([4, 3, 3.5, 1, 0.9])) == ((100, 100),)
    rows = [{"stage": "a", "count": int(c), "loss": x} for c, x in zip(count, (4, 3, 3.5, 1, 0.9), strict=True)]
    (curve,) = loss_curves(looks([*rows, {"stage": "ppo", "count": 99_999}]))
    assert curve.stage == "a" and curve.bumps == ((100, 100),)


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


def test_no_bump_where_the_loss_did_not_fall() -> None:
    """Else the tolerance is a share of nothing, and rounding is a bump."""
    count = np.array([1, 10, 100, 1000])
    assert bumps(count, np.array([0.1, 0.1001, 0.1, 0.1002])) == ()
    assert bumps(count, np.array([0.1, 0.1001, 0.0999, 0.1002])) == ()
    assert bumps(count, np.full(4, 0.1)) == ()
    assert bumps(count, np.array([0.1, -0.2, 0.05, -0.3])) == ((100, 100),), "a loss may be below 0, as PPO's is"


# -- the figure --------------------------------------------------------------------------------------


def snapshot(blindness: list[float], competence: list[float | None], *ends: str | None) -> ComparedRunSummary:
    """Return the summary of a run on sites a, b, c; ``ends``: the boundary and its interval."""
    return run_summary(
        curve=tuple(CurvePoint(s, x, x, x, y) for s, x, y in zip("abc", blindness, competence, strict=True)),
        boundary=boundary_of(*ends),
        reference=ComparedReferences(
            ComparedOutcomes(blindness[0], 0.5, 0.5),
            ComparedOutcomes(0.0, 0.5, 0.9),
        ),
        cheese=(cheese_effect(0.12 - blindness[1], 0.9),),
    )


FACTS = tuple(ComparedSite(s, k, s == "a", s, 7 if s == "b" else None) for k, s in enumerate("abc"))
ARMS = (  # not in the order of training
    snapshot([0.9, 0.8, 0.1], [0.95, 1.2, 0.3], "b", "a", "c"),
    snapshot([0.1, 0.1, 0.1], [0.7, 0.6, 0.5], None, None, "a"),
)
BUMPY = [
    {"stage": "x", "count": c, "loss": loss}
    for c, loss in zip((1, 10, 100, 1000, 10_000), (4, 3, 3.5, 1, 0.9), strict=True)
]


def traces(figure: go.Figure) -> dict[str, Any]:
    return {trace.name or trace.type: trace for trace in figure.data}


def test_the_loss_is_drawn_and_each_bump_is_shaded_over_its_samples() -> None:
    losses = loss_curves(
        looks([*BUMPY, {"stage": "y", "count": 20_000, "loss": 0.9}, {"stage": "y", "count": 40_000, "loss": 0.8}])
    )
    figure = development_figure(ARMS, FACTS, [1000, 10], losses)
    found = traces(figure)
    assert list(found["loss, x"].x) == [1, 10, 100, 1000, 10_000] and list(found["loss, x"].y) == [4, 3, 3.5, 1, 0.9]
    assert list(found["loss, y"].x) == [20_000, 40_000] and found["loss, y"].line.dash != found["loss, x"].line.dash
    (shape,) = figure.layout.shapes
    assert 10 < shape.x0 < 100 < shape.x1 < 1000, "one bump, over its own look and no other"
    assert shape.xref == found["loss, x"].xaxis and shape.yref == f"{found['loss, x'].yaxis} domain"
    axis = figure.layout[found["loss, x"].xaxis.replace("x", "xaxis")]
    assert axis.type == "log" and shape.fillcolor
    convex = loss_curves(looks([*BUMPY[:2], *BUMPY[3:]]))
    assert not development_figure(ARMS, FACTS, [1000, 10], convex).layout.shapes, "no bump, no shade"
    assert not development_figure(ARMS, FACTS, [1000, 10], []).layout.shapes


def test_the_boundary_is_drawn_with_its_interval_and_nowhere_is_a_place() -> None:
    figure = development_figure(ARMS, FACTS, [1000, 10], [])
    found = traces(figure)
    rows = ["nowhere", "a (free)", "b (local)", "c"]
    assert list(found["heatmap"].y) == rows and figure.layout.yaxis.autorange == "reversed"
    assert [list(row) for row in found["heatmap"].z] == [[None, None], [0.1, 0.9], [0.1, 0.8], [0.1, 0.1]]
    assert list(found["boundary"].x) == [10, 1000] and list(found["boundary"].y) == ["nowhere", "b (local)"]
    assert list(found["boundary"].marker.symbol) == ["circle", "circle-open"], "open: not by a sure 0.01"
    band = found["its 95% interval"]
    corners = list(zip(band.x, band.y, strict=True))
    assert corners == [(10, "nowhere"), (1000, "a (free)"), (1000, "c"), (10, "a (free)")] and band.fill == "toself"


def test_competence_is_that_of_the_boundary_or_where_it_is_nowhere_of_the_first_site() -> None:
    figure = development_figure(ARMS, FACTS, [1000, 10], [])
    found = traces(figure)
    able = found["competence"]
    assert list(able.x) == [10, 1000] and list(able.y) == [0.7, 1.2] and list(able.text) == ["a (free)", "b (local)"]
    assert [symbol.endswith("-open") for symbol in able.marker.symbol] == [True, False]
    assert able.yaxis == found["P(cheese), left alone"].yaxis and figure.layout.yaxis2.range[1] > 1.2
    assert list(found["P(cheese), left alone"].y) == [0.1, 0.9]
    undefined = [snapshot([0.1] * 3, [None] * 3, None, None, None)] * 2
    assert list(traces(development_figure(undefined, FACTS, [1, 2], []))["competence"].y) == [None, None]


def test_the_caption_says_what_is_known_of_the_loss(tmp_path: Path) -> None:
    names = ["000000000-ppo", "000004096-ppo"]
    runs = [
        make_run(
            tmp_path / name, replace(SPEC, checkpoint=name, sha256=str(k) * 64), {"input": 0.0, "embedder.relu3": 0.1}
        )
        for k, name in enumerate(names)
    ]
    training, page = tmp_path / "training", tmp_path / "out" / "compare.md"
    training.mkdir()

    def shown(*rows: dict[str, Any]) -> str:
        (training / FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
        run_compare(runs, tmp_path / "out", seed=0, history=training)
        return page.read_text()

    first, last = ({"stage": "ppo", "count": int(name[:9])} for name in names)
    text = shown(first, last)
    assert (
        "the history of this training has no loss curve" in text
        and "--history RUN" not in text
        and "A bump" not in text
    )
    warm = [{"stage": "imitation", "count": c, "loss": 1 / c} for c in (1, 2, 3)]
    text = shown(*warm, first, last)
    assert "The history has no loss curve for: ppo." in text and "A bump is a stretch" in text
    text = shown(first, {**last, "loss": 0.2}, {**last, "count": 8192, "loss": 0.1})
    assert "A bump is a stretch" in text and "no loss" not in text
    assert "or at input where that is nowhere (open markers)." in text
