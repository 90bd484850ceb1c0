"""From the sums of each maze to curves, to readings, to the mean of several agents; and their table in a comparison."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

from envs.errors import InputError
from envs.stored.json_records import to_json, to_plain
from steering.analysis.comparison_readings import readings_table
from steering.analysis.readings import readings
from steering.figures.static_figures import compare_figure
from steering.marks.colours import RUN_COLOURS
from steering.probes.curves import (
    Tallies,
    Tally,
    boundaries,
    cut,
    mean_curves,
    probe_curves,
    tallies_from_json,
    tallies_to_json,
)
from steering.probes.summary import APART
from steering.records.sites import SiteFacts
from steering.records.sweep import CheckpointId
from steering.reports.comparison_report import run_compare
from steering.statistics import bootstrap
from steering.sweep.artifacts import PROBES
from steering.sweep.spec import SweepSpec
from tests.helpers.browser import chromium, looked_at
from tests.helpers.probe_sets import made_up_site, made_up_summary, made_up_tallies
from tests.helpers.runs import SPEC, make_run

NAMES = ("input", "a", "b", "c", "d", "e")
SITES = [made_up_site(name, depth, affine=name == "input") for depth, name in enumerate(NAMES)]
FACTS = [{name: value for name, value in vars(site).items() if name != "shape"} for site in SITES]
MAZES = 20


def made_up(planning: int, mazes: int = MAZES, seed: int = 0) -> Tallies:
    return made_up_tallies(len(NAMES), planning, mazes, seed)


def samples(mazes: int = MAZES, draws: int = 200) -> np.ndarray:
    return bootstrap.resamples(mazes, np.random.default_rng(5), draws)


@pytest.mark.parametrize("planning", [2, 4])
def test_all_readings_find_the_site_that_was_made(planning: int) -> None:
    found = boundaries(SITES, probe_curves(made_up(planning), samples()))
    for part in found.decoding_boundary.next_move.values():
        assert {part.site, part.low, part.high, part.half_site} == {NAMES[planning]}
    assert found.decoding_boundary.cell.lost == NAMES[planning]
    assert found.representational_boundary.site == NAMES[planning - 1]


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
    again = tallies_from_json(json.loads(to_json(tallies_to_json(tallies))))
    mazes = [7, 3, 11]
    part = probe_curves(cut(again, [0, 4], mazes), np.array([[2, 0, 0]]))
    whole = probe_curves(tallies, np.array([[11, 7, 7]]))
    for name, curve in part.items():
        sites = [0] if name.endswith("surroundings") else [0, 4]  # the same at all sites
        assert np.array_equal(curve[:, 1], whole[name][sites, 1])


def test_the_mean_of_agents_that_agree_is_the_agent_and_of_others_lies_between() -> None:
    drawn = samples()
    one, two = (probe_curves(made_up(planning), drawn) for planning in (2, 4))
    rng = np.random.default_rng(0)
    same = boundaries(SITES, mean_curves([one, one], rng))
    assert same.representational_boundary.site == "a"
    apart = boundaries(SITES, mean_curves([one, two], rng))
    for part in (apart.representational_boundary, apart.decoding_boundary.next_move["cheese"]):
        low, high = (NAMES.index(end) for end in (part.low, part.high))
        assert high - low == 2, "agents drawn anew are one, the other, or both"
    with pytest.raises(InputError, match="at least 2"):
        mean_curves([one], rng)


def test_each_draw_of_agents_takes_the_same_mazes_for_all_of_them() -> None:
    """An agent compared with itself: every draw is one of its own; the mazes as they are come first, once."""
    curves = probe_curves(made_up(3), samples(draws=40))
    mean = mean_curves([curves, curves], np.random.default_rng(0))
    assert mean["cell"].shape == (len(NAMES), 1 + bootstrap.DRAWS)
    assert mean["interaction"][:, 0] == pytest.approx(curves["interaction"][:, 0])
    for column in mean["cheese"][:, 1:].T:
        assert np.isclose(curves["cheese"][:, 1:].T, column, rtol=1e-12).all(axis=1).any()


def test_an_agent_whose_units_see_nothing_together_counts_as_no_interaction() -> None:
    seen = probe_curves(made_up(3), samples())
    unseen = {**seen, "interaction": np.full_like(seen["interaction"], np.nan)}
    mean = mean_curves([seen, unseen], np.random.default_rng(0))
    assert mean["interaction"][:, 0] == pytest.approx(seen["interaction"][:, 0] / 2)


def test_mazes_without_a_frame_that_is_asked_about_change_nothing() -> None:
    """Nor do draws of such mazes alone; where there is no frame at all nothing is said."""
    tallies, drawn = made_up(3), samples()
    none = np.arange(MAZES) % 2 == 0
    apart = {
        name: Tally(*(np.where(none, 0.0, sums) for sums in pair)) if name.startswith(APART) else pair
        for name, pair in tallies.items()
    }
    drawn[:3] = np.flatnonzero(none)[:1]
    curves = probe_curves(apart, drawn)
    assert np.isnan(curves[APART][:, 1:4]).all() and np.isfinite(curves[APART][:, 4:]).all()
    kept = cut(tallies, range(len(NAMES)), np.flatnonzero(~none).tolist())
    assert curves[APART][:, 0] == pytest.approx(probe_curves(kept, samples(MAZES // 2))[APART][:, 0])
    for found in (curves, mean_curves([curves, curves], np.random.default_rng(0))):
        part = boundaries(SITES, found).decoding_boundary.next_move[APART]
        assert {part.site, part.low, part.high, part.half_site, part.half_low, part.half_high} == {"c"}
    empty = {
        name: Tally(*(0.0 * sums for sums in pair)) if name.startswith(APART) else pair
        for name, pair in tallies.items()
    }
    found = boundaries(SITES, probe_curves(empty, drawn))
    moves = found.decoding_boundary.next_move
    assert set(vars(moves[APART]).values()) == {None} and moves["cheese"].site == "c"
    assert not any("not the one to the corner" in row.what for row in readings(None, found))


def test_where_no_site_is_known_to_be_more_than_the_picture_nothing_is_said_of_moves() -> None:
    """As of a network whose graph is not known: only its input is known to be the pixels."""
    sites = [replace(site, affine=True if site.name == "input" else None) for site in SITES]
    found = boundaries(sites, probe_curves(made_up(3), samples()))
    assert all(set(vars(part).values()) == {None} for part in found.decoding_boundary.next_move.values())
    assert not any("next move" in row.what for row in readings(None, found))


SHARE = {"input": 0.0, "embedder.relu3": 0.3}


def two_runs(folder: Path) -> list[Path]:
    """Two training seeds with sweeps of the same mazes."""
    specs = [replace(SPEC, checkpoint=f"agent-seed{k}", sha256=str(k) * 64) for k in range(2)]
    return [make_run(folder / spec.checkpoint, spec, SHARE, seed=k) for k, spec in enumerate(specs)]


def put_probes(
    run: Path, tallies: Tallies, levels: Sequence[int], sites: Sequence[SiteFacts] = SITES, **other: Any
) -> None:
    spec = SweepSpec.load(run)
    found = made_up_summary(sites, tallies, levels, CheckpointId(spec.checkpoint, spec.sha256), spec.mode)
    (run / PROBES.file).write_bytes(to_json(replace(found, **other)))


def test_a_comparison_shows_the_readings_of_each_agent_and_of_their_mean(tmp_path: Path) -> None:
    runs = two_runs(tmp_path)
    for run, planning in zip(runs, (2, 4), strict=True):
        put_probes(run, made_up(planning), range(MAZES))
    data = run_compare(runs, tmp_path / "out", seed=0)
    found = data.readings
    assert found is not None and found.levels == MAZES and found.sites == NAMES and data.no_readings == ""
    header, *rows = readings_table({"a": found.arms[0], "b": found.arms[1], "mean": found.over_agents or ()})
    assert header == ["evidence", "what holds", "a", "b", "mean"]
    moves = next(
        row for row in rows if row[1] == "next move (towards the cheese) can be read beyond pixels and surroundings"
    )
    assert moves[2:] == ["from b (b only)", "from d (d only)", "from d (b to d)"]  # at b one of two reads nothing
    for suffix in ("html", "md"):
        text = (tmp_path / "out" / f"compare.{suffix}").read_text()
        assert "mean of the agents" in text and f"{MAZES} mazes" in text and "from d (b to d)" in text
        assert "What probes read, run by run" in text
    with chromium() as browser:
        looked_at(browser, tmp_path / "out" / "compare.html", "compare-curves", "compare-probes")


def test_a_comparison_holds_and_draws_the_curves_behind_its_readings(tmp_path: Path) -> None:
    runs = two_runs(tmp_path)
    tallies = [made_up(2), made_up(4)]
    bare = run_compare(runs, tmp_path / "out", seed=0)
    without = Image.open(tmp_path / "out" / "compare.png").convert("RGB")
    for run, sums in zip(runs, tallies, strict=True):
        put_probes(run, sums, range(MAZES))
    data = run_compare(runs, tmp_path / "out", seed=0)
    found = data.readings
    assert bare.readings is None and found is not None and to_plain(found.facts) == FACTS
    for sums, curves in zip(tallies, found.curves, strict=True):
        keys = {
            "next_move": "cheese",
            "surroundings": "cheese surroundings",
            "apart": APART,
            "apart_surroundings": f"{APART} surroundings",
            "cell": "cell",
            "interaction": "interaction",
        }
        assert {field.name for field in fields(curves)} == set(keys)
        for name, key in keys.items():
            top, bottom = sums[key]
            ratios = np.atleast_1d(top.sum(axis=-1) / bottom.sum(axis=-1))
            expected = 1 - ratios if name == "cell" else ratios
            rows = getattr(curves, name)
            assert [row.value for row in rows] == pytest.approx(expected)
            assert all(row.low <= row.value + 1e-9 and row.value <= row.high + 1e-9 for row in rows)
    ticks = [tick.get_text() for tick in compare_figure(data).axes[-1].get_xticklabels()]
    assert ticks == ["input", "a", "relu3", "b", "c", "d", "e"], "by depth, whether swept or probed"
    drawn = Image.open(tmp_path / "out" / "compare.png").convert("RGB")
    assert drawn.height > without.height, "panels for what the probes read"
    for picture in (without, drawn):
        seen = {colour for _, colour in picture.getcolors(maxcolors=2**24) or []}
        assert all(ImageColor.getrgb(colour) in seen for colour in RUN_COLOURS[:2])
        assert ImageColor.getrgb(RUN_COLOURS[2]) not in seen


def test_mazes_and_sites_are_found_by_name_in_each_run(tmp_path: Path) -> None:
    """The second run was probed on more mazes, in another order, at fewer sites: what they share is the same."""
    runs = two_runs(tmp_path)
    tallies, kept = made_up(3), [0, 2, 3, 5]
    put_probes(runs[0], tallies, range(MAZES))
    order = np.random.default_rng(7).permutation(MAZES).tolist()
    shared, more = cut(tallies, kept, order), cut(made_up(1), kept, [0, 1, 2])  # three of an agent that plans at once
    mixed = {
        name: Tally(np.concatenate([more[name].top, top], -1), np.concatenate([more[name].bottom, bottom], -1))
        for name, (top, bottom) in shared.items()
    }
    put_probes(runs[1], mixed, [97, 98, 99, *order], sites=[SITES[k] for k in kept])
    found = run_compare(runs, tmp_path / "out", seed=0).readings
    assert found is not None and found.levels == MAZES and found.sites == ("input", "b", "c", "e")
    probed = [[row for row in arm if row.kind != "causal"] for arm in found.arms]
    assert probed[0] == probed[1] and probed[0][0].site == "b"


def test_many_agents_are_shown_by_their_mean_alone(tmp_path: Path) -> None:
    specs = [replace(SPEC, checkpoint=f"agent-seed{k}", sha256=f"{k:064d}") for k in range(6)]
    runs = [make_run(tmp_path / spec.checkpoint, spec, SHARE, seed=k) for k, spec in enumerate(specs)]
    for run in runs:
        put_probes(run, made_up(3), range(MAZES))
    data = run_compare(runs, tmp_path / "out", seed=0)
    assert data.readings is not None and len(data.readings.arms) == 6
    text = (tmp_path / "out" / "compare.md").read_text()
    assert "| evidence | what holds | mean of the agents |" in text and "each of so many runs" in text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (None, "agent-seed1 has none"),
        ({"format": "mazesteer-probes-2"}, "agent-seed1: probes.json was not made by this version"),
        ({"checkpoint": CheckpointId("agent", "c" * 64)}, "another checkpoint"),
        ({"mode": "easy"}, "mode easy"),
        ({"states": 9}, "--states"),
        ({"levels": range(MAZES - 3, 2 * MAZES - 3)}, "share 3 levels"),
        ({"sites": [replace(site, affine=None) for site in SITES]}, "other sites"),
    ],
)
def test_probes_that_were_not_made_alike_are_left_out_and_the_page_says_why(
    tmp_path: Path, change: dict[str, Any] | None, why: str
) -> None:
    runs = two_runs(tmp_path)
    put_probes(runs[0], made_up(2), range(MAZES))
    if change is not None:
        put_probes(runs[1], made_up(2), **{"levels": range(MAZES), **change})
    data = run_compare(runs, tmp_path / "out", seed=0)
    assert data.readings is None and why in data.no_readings
    text = (tmp_path / "out" / "compare.md").read_text()
    assert "## Kinds of evidence" not in text and why in text


def test_runs_without_any_probes_need_no_excuse(tmp_path: Path) -> None:
    data = run_compare(two_runs(tmp_path), tmp_path / "out", seed=0)
    assert data.readings is None and data.no_readings == ""
