"""Readouts at the mouse, end to end: what is stored, that it resumes, known answers, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.stored.json_records import to_json
from steering.analysis.readings import readings
from steering.cli.probes import show_readouts
from steering.experiments.levels import first_levels
from steering.figures.readout_figures import learning_figure, readout_caption, readout_figure, readout_table
from steering.interventions.sites import find_site
from steering.planning.readers import reader_name
from steering.probes.summary import APART
from steering.readouts.frames import Asked, asked_of
from steering.readouts.measure import CHUNK, Reading, frames_to_learn, learn_narrow, reach
from steering.readouts.run import ReadoutOptions, learning_sizes, run_readouts
from steering.readouts.summary import Shares, appearances, blind_readers, strongest
from steering.readouts.windows import ladder_told, readers_told
from steering.statistics import bootstrap
from steering.sweep.artifacts import READOUTS
from tests.helpers.faults import changed

pytestmark = pytest.mark.usefixtures("one_thread")
FEW = 5 * CHUNK
SITES = "embedder.block1.maxpool,embedder.block3.maxpool,fc_policy"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> ReadoutOptions:
    out = tmp_path_factory.mktemp("readouts") / "run"
    return ReadoutOptions("region5", out, n_levels=8, sites=SITES, states=4, frames=FEW, pairs=2)


@pytest.fixture(scope="module")
def run(options: ReadoutOptions) -> Path:
    run_readouts(options)
    return options.out


def test_the_file_says_what_was_asked(run: Path, policy: MazePolicy) -> None:
    found = READOUTS.read(run, "x")
    assert to_json(found, indent=1) == (run / READOUTS.file).read_bytes()
    assert found.checkpoint.sha256 == policy.sha256 and found.settings.frames == (FEW,)
    assert found.asked["cheese"] == found.asked["policy"] == 32 and 0 < found.asked[APART] < 32
    assert found.pairs == {"cheese": 14, "corner": 16}  # one level has but few
    assert [site.name for site in found.sites] == ["input", *SITES.split(",")]
    assert [[view.view for view in site.views] for site in found.sites] == [["1x1", "3x3", "5x5", "whole"]] * 3 + [
        ["whole"]
    ]
    assert all([share.frames for share in view.curve] == [FEW] for site in found.sites for view in site.views)
    assert {row.site for row in found.detours} <= {None, "embedder.block3.maxpool"}  # the other sees too little
    kinds = [row.what for row in readings(None, None, readouts=found)]
    assert kinds[0].startswith("next move (towards the cheese) read at the mouse (3x3 units) follows detours")


def test_exact_readers_are_right_and_blind_ones_follow_nothing(run: Path) -> None:
    found = READOUTS.read(run, "x")
    readers = {reader.name: reader.curve[-1] for reader in found.readers}
    for goal in ("cheese", "corner"):
        assert readers["all"].accuracy[goal].value == readers["all"].follows[goal].value == 1
        for name in blind_readers(found.settings.distance):
            assert readers[name].follows[goal].value in (0, pytest.approx(0.0, abs=0.25))
    trees = [name for name in blind_readers(5) if name.startswith("window")]
    assert trees and all(readers[name].follows["cheese"].value == 0 for name in trees)


def test_console_table_and_figures_show_what_the_file_says(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = READOUTS.read(run, "x")
    show_readouts(found)
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= 100
    row = next(line for line in printed if line.startswith("block3.maxpool")).split()
    view = next(view for view in found.sites[2].views if view.view == "3x3")
    assert [row[2].rstrip("*"), row[6]] == [
        f"{view.curve[-1].accuracy['cheese'].value:.3f}",
        f"{view.curve[-1].follows['cheese'].value:.3f}",
    ]
    header, *rows = readout_table(found)
    assert {len(cells) for cells in rows} == {len(header)}
    assert len(rows) == 13 + len(found.readers) + 1
    figure = readout_figure(found)
    drawn = {trace.name: trace.y for trace in figure.data if trace.yaxis == "y"}
    assert drawn["3x3 at the mouse"][2] == view.curve[-1].accuracy["cheese"].value
    assert {trace.name for trace in learning_figure(found).data} == {
        "1x1",
        "3x3",
        "5x5",
        "whole",
    }  # one point: no curve
    assert readout_caption(found)["frames_learned"] == f"{FEW:,}"


def test_what_is_stored_is_not_asked_again(run: Path, options: ReadoutOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (run / READOUTS.file).read_bytes()
    monkeypatch.setattr("steering.readouts.run.asked_of", lambda *_: pytest.fail("asked again"))
    run_readouts(options)
    assert (run / READOUTS.file).read_bytes() == before


def test_a_stopped_run_goes_on_to_the_same_numbers(
    run: Path, options: ReadoutOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what is missing, stopped when the small readout is done and the large one is not; the rest is kept."""
    other, told = dataclasses.replace(options, out=tmp_path / "run"), []
    shutil.copytree(run, other.out)
    (other.out / READOUTS.file).unlink()
    with sqlite3.connect(other.out / "results.sqlite") as db:
        missing = (
            f"readouts whole of fc_policy from {FEW}",
            f"readouts whole of embedder.block1.maxpool from {FEW}",
        )
        assert db.execute("DELETE FROM planning WHERE part IN (?, ?)", missing).rowcount == 2 * 8

    def stop(chunks: int, total: int) -> None:
        told.append((chunks, total))
        if chunks > FEW // CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_readouts(other, stop)
    assert "27 of 28 readouts and readers are stored" in capsys.readouterr().err
    left = []
    run_readouts(other, lambda chunks, total: left.append(total))
    assert (other.out / READOUTS.file).read_bytes() == (run / READOUTS.file).read_bytes()
    assert {total for _, total in told} == {2 * FEW // CHUNK} and set(left) == {FEW // CHUNK}


def test_what_sees_no_change_follows_no_detour(run: Path) -> None:
    """A readout of units whose squares end before the change says the same of level and twin."""
    found = READOUTS.read(run, "x")
    near = [v for s in found.sites for v in s.views if v.reach is not None and v.reach < found.settings.distance]
    assert [view.reach for view in near] == [0, 1, 1, 1, 2, 3]
    for view in near:
        for goal in ("cheese", "corner"):
            assert view.curve[-1].follows[goal].value == view.curve[-1].swapped[goal].value == 0


def test_scores_count_frames_and_pairs_by_level(policy: MazePolicy) -> None:
    mazes = first_levels(4)[0]
    asked: Asked = asked_of(policy, mazes, 4, 2, 5, 0)
    counts = asked.counts()
    right = asked.score(
        {**asked.frames.moves, "policy": asked.policy},
        {goal: frames.moves[goal] for goal, frames in asked.pair_frames.items()},
    )
    assert [level.right for level in right] == [level.right for level in counts]
    assert [level.follows for level in right] == [level.follows for level in counts]
    assert all(value == 0 for level in right for value in level.swapped.values())
    other = {g: f.moves[g].reshape(-1, 2)[:, ::-1].reshape(-1) for g, f in asked.pair_frames.items()}
    turned = asked.score(asked.frames.moves, other)
    assert [level.swapped for level in turned] == [level.follows for level in counts]


def test_readers_see_as_far_as_the_units_that_they_are_compared_with(policy: MazePolicy) -> None:
    site = find_site(policy.net, "embedder.block1.maxpool")  # a unit sees 5 pixels, units are 2 pixels apart
    assert [reach(site, view, 25) for view in ("1x1", "3x3", "5x5", "whole")] == [1, 2, 3, None]
    assert [strongest(site, view, 25) for view in ("1x1", "3x3", "whole")] == ["window 1", "window 2", "all"]
    assert strongest(find_site(policy.net, "embedder.block3.maxpool"), "1x1", 25) == "all"


@pytest.mark.parametrize(("frames", "sizes"), [(20_480, (1_280, 5_120, 20_480)), (5_000, (1_280, 5_120)), (1_000, ())])
def test_the_curve_has_a_sixteenth_a_quarter_and_all(frames: int, sizes: tuple[int, ...]) -> None:
    assert learning_sizes(frames) == sizes


def test_too_few_frames_to_learn_from_are_refused(options: ReadoutOptions) -> None:
    with pytest.raises(InputError, match="frames 300: give 1025 at least, or 0 for no readouts"):
        run_readouts(dataclasses.replace(options, frames=300))


def test_mazes_too_small_for_a_pair_are_still_read(policy: MazePolicy) -> None:
    """With changes asked for farther away than any maze is wide there is no detour, and no site that follows one."""
    mazes = first_levels(2)[0]
    asked = asked_of(policy, mazes, 2, 2, 24, 0)
    counts = asked.counts()
    assert [level.follows for level in counts] == [{}, {}] and all(level.right["cheese"] == 2 for level in counts)
    readers = ladder_told(asked, mazes) | readers_told(asked, frames_to_learn(mazes, CHUNK, 0))
    reading, found = Reading(find_site(policy.net, "fc_policy"), "whole"), []
    learn_narrow(
        policy, mazes, asked, [reading], [FEW], 0, lambda size, _, levels: found.append((size, levels)), lambda: None
    )
    assert [size for size, _ in found] == [FEW]
    for levels in (*readers.values(), found[0][1]):
        assert [level.follows for level in levels] == [{}, {}] and set(levels[0].right) <= set(counts[0].right)
    named = {reader_name(name) if name is None or isinstance(name, int) else name: row for name, row in readers.items()}
    shares = Shares(counts, bootstrap.resamples(2, np.random.default_rng(0)))
    sites = [find_site(policy.net, name) for name in ("input", "embedder.block3.maxpool")]
    assert appearances(sites, lambda *_: counts, named, 24, shares)[0] == ()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("settings", "frames"), [], "settings: frames"),
        (("asked",), {}, "asked: cheese"),
        (("pairs",), {"x": 1}, "pairs: goals"),
        (("sites",), [], "any site with all views"),
        (("readers", 2, "curve"), [], "reader .*: name and curve"),
        (("readers", 2, "name"), "", "reader '': name and curve"),
        (("sites", 1, "views", 0, "view"), "whole", "embedder.block1.maxpool: views"),
        (("sites", 1, "views", 0, "curve", 0, "frames"), 7, "embedder.block1.maxpool, 1x1: frames"),
        (("detours", 0, "what"), "x", "goals of detours"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    path: tuple[str | int, ...], value: Any, words: str, run: Path, tmp_path: Path
) -> None:
    data = json.loads((run / READOUTS.file).read_text())
    (tmp_path / READOUTS.file).write_text(json.dumps(changed(data, path, value)))
    with pytest.raises(InputError, match=rf"^\S+readouts.json: {words}: expected .*; make it anew$"):
        READOUTS.read(tmp_path, "make it anew")
