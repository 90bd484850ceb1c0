"""The chart of a sweep that goes on: its numbers are the report's, it costs little and it stores nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from steering.analysis.summary import summarize_run
from steering.experiments.conditions import MAIN
from steering.statistics import bootstrap
from steering.statistics.boundary import ThresholdPair
from steering.statistics.formatting import short_site_name
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from steering.workflows.live_chart import EVERY, SHARE, LiveChart


def test_the_chart_of_all_levels_has_the_numbers_of_the_report(sweep: Path, tmp_path: Path) -> None:
    summary, spec = summarize_run(sweep), SweepSpec.load(sweep)
    with Store.open(shutil.copytree(sweep, tmp_path / "run")) as store:
        changes = store._db.total_changes
        head, titles, *rows = LiveChart(store, spec, ThresholdPair()).add([]).splitlines()
        assert store._db.total_changes == changes, "it stores nothing"
    site, low, high = (
        short_site_name(name) for name in (summary.boundary.site, summary.boundary.low, summary.boundary.high) if name
    )
    assert head == f"boundary: {site} (95%: {low} to {high})"
    assert titles.startswith("after 3 of 3 levels ") and titles.endswith("95% interval")
    shown = {row.split()[0]: row for row in rows}
    for each in summary.sites:
        found, row = each.conditions[MAIN], shown.get(short_site_name(each.name))
        if each.trunk and row is not None:
            assert found.blindness is not None and row.split()[1] == f"{found.blindness:.2f}"
            assert f"{found.blindness_low:.2f} to {found.blindness_high:.2f}" in row
    assert set(shown) == {"input", "block2.res1.resadd", "relu3"}, "block1.conv is the experiment of the input"
    assert [name for name, row in shown.items() if row.endswith(" <")] == [site.replace("block1.conv", "input")]
    assert max(map(len, (head, titles, *rows))) <= 80


def test_it_is_renewed_now_and_then_and_the_dearer_the_later(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Levels come in one by one; the clock stands still but where it is moved, and a chart takes a second of work."""
    monkeypatch.setattr(bootstrap, "FEWEST", 2)
    spec, now, worked = SweepSpec.load(sweep), 0.0, 0.0

    def work() -> float:
        nonlocal worked
        worked += 1.0
        return worked

    with Store.read(sweep) as store:
        rows, facts = store.rows(), list(store.sites().values())
    of = [[row for row in rows if row.key.level == level] for level in spec.levels]
    with Store.open(tmp_path) as empty:
        empty.claim({"sites": facts})
        chart = LiveChart(empty, spec, ThresholdPair(), clock=lambda: now, work=work)
    assert chart.add(of[0]) == "", "one level says too little"
    first = chart.add(of[1])
    assert "2 of 3 levels" in first
    now = max(EVERY, SHARE) + 1.0
    assert chart.add(of[2][:1]) == first, "a level counts when all that the chart needs of it is there"
    now -= 2.0
    assert chart.add(of[2]) == first
    now += 2.0
    assert "3 of 3 levels" in chart.add([])


def test_without_subtraction_at_a_trunk_site_there_is_no_chart(sweep: Path) -> None:
    spec = SweepSpec.load(sweep)
    with Store.read(sweep) as store:
        assert LiveChart(store, replace(spec, conditions=("add",)), ThresholdPair()).add(store.rows()) == ""
