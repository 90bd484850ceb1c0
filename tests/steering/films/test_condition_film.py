"""Films: live equals recorded, levels in turn and at once, bad input, the walk through the sites."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from envs.trajectory import Trajectory
from steering.cli import films
from steering.experiments.level_conditions import intervention_named
from steering.films import site_film
from steering.films.condition_film import Cast, heat_overlays, roll
from steering.sweep.run import run_sweep
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from steering.sweep.units import run_unit
from videos.rollout_film import film_of, header_of, panel_of, title_of
from videos.side_by_side import Look

SITE = "embedder.block2.res1.resadd"
CAST = Cast(("clean", "subtract", "no_cheese"), SITE, horizon=8)
LOOK = Look(side=96, fps=12, lead=0.0, hold=0.1, card=0.2)
SMALL = 26  # a 9x9 level that qualifies


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def tracks(policy: MazePolicy) -> list[Trajectory]:
    return roll(policy, Maze.from_level(SMALL), CAST)


def test_a_film_of_recordings_equals_the_live_one(tracks: list[Trajectory], tmp_path: Path) -> None:
    look = Look(side=96)
    live = film_of([tracks], tmp_path / "live.mp4", look=look)
    files = [tmp_path / f"{number}.npz" for number in range(len(tracks))]
    for file, track in zip(files, tracks, strict=True):
        file.write_bytes(track.to_bytes())
    films.replay(files, tmp_path / "again.mp4", size=96)
    assert (tmp_path / "again.mp4").read_bytes() == live.read_bytes()
    steps = max(map(len, tracks)) + 1
    assert len(decoded(live)) == steps + round(12 * look.lead) + round(12 * look.hold) + round(12 * look.card)


def test_captions_name_level_policy_condition_coefficient_and_site(tracks: list[Trajectory]) -> None:
    assert [title_of(track) for track in tracks] == ["clean", "subtract x1 at block2.res1.resadd", "no cheese"]
    assert header_of(tracks[0]) == f"level {SMALL}, policy region5, seed 0"
    panel = panel_of(tracks[0])
    assert panel.facts.startswith("exactly: P(cheese) ")
    assert [t.info["cheese"] is None for t in tracks] == [False, False, True]


def test_levels_come_in_turn_or_at_once(tracks: list[Trajectory], tmp_path: Path) -> None:
    alone = decoded(film_of([tracks], tmp_path / "a.mp4", look=LOOK))
    both = decoded(film_of([tracks, tracks], tmp_path / "b.mp4", look=LOOK))
    grid = decoded(film_of([tracks, tracks], tmp_path / "c.mp4", look=LOOK, grid=True))
    assert len(both) == 2 * len(alone) and len(grid) == len(alone)
    assert both[0].shape == alone[0].shape and grid[0].shape[0] > 1.5 * alone[0].shape[0]


def test_heat_maps_follow_the_site(policy: MazePolicy, tracks: list[Trajectory]) -> None:
    maze = Maze.from_level(SMALL)
    assert heat_overlays(policy, maze, tracks, CAST) == [None] * 3
    vector = heat_overlays(policy, maze, tracks, dataclasses.replace(CAST, heat="vector"))
    each = heat_overlays(policy, maze, tracks, dataclasses.replace(CAST, heat="activation", channel=3))
    for track, still, moving in zip(tracks, vector, each, strict=True):
        assert still is not None and still.maps.shape == (1, 16, 16) and (still.start, still.step) == (0.5 / 64, 1 / 16)
        assert moving is not None and moving.maps.shape == (len(track.states), 16, 16)
    assert each[0] is not None and each[1] is not None
    assert not np.array_equal(each[0].maps[0], each[1].maps[0]), "after the edit"


def test_the_walk_through_the_sites(policy: MazePolicy, tmp_path: Path) -> None:
    sites = ("input", "embedder.block1.conv", SITE, "embedder.relu3")
    spec = SweepSpec(policy.name, policy.sha256, (SMALL,), sites, conditions=("subtract",), horizon=8, episodes=0)
    from steering.interventions.sites import enumerate_sites
    from steering.records.sites import site_facts

    with Store.open(tmp_path) as store:
        store.claim(spec.shared())
        store.claim({"sites": site_facts(enumerate_sites(policy.net))})
        store.add_levels([(SMALL, True, "", Maze.from_level(SMALL).features())])
        run_sweep(spec, tmp_path, store, lambda units: (run_unit(policy, unit, spec) for unit in units))
    seen: list[tuple[int, int]] = []
    path = site_film.film_sites(
        tmp_path,
        spec,
        policy,
        episodes=1,
        seconds=0.5,
        look=dataclasses.replace(LOOK, side=128),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert path == tmp_path / "film-sweep.mp4"
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)], "input and block1.conv are one experiment"
    frames = decoded(path)
    charts = [frame[-site_film.CHART_HEIGHT - 30 : -30].astype(int) for frame in frames]
    kinds = 1 + sum(np.abs(a - b).mean() > 0.5 for a, b in itertools.pairwise(charts))
    assert kinds == 3, "the curve grows by one site at a time"
    for options, says in [
        ({"level": 5}, "choose one of 26"),
        ({"episodes": 0}, "1 to 4"),
        ({"seconds": 0.0}, "0.1 to 600"),
        ({"out": tmp_path / "x.avi"}, "unknown film format"),
    ]:
        asked: dict[str, Any] = options
        with pytest.raises(InputError, match=says):
            site_film.film_sites(tmp_path, spec, policy, **asked)


def test_bad_input_is_one_line_and_leaves_no_file(policy: MazePolicy, tracks: list[Trajectory], tmp_path: Path) -> None:
    none = dataclasses.replace(
        tracks[0], states=tracks[0].states[:1], moves=(), probabilities=np.zeros((0, 5)), reached_cheese=False
    )
    bare = Maze.from_level(SMALL).without_cheese()
    other = roll(policy, Maze.from_level(1), Cast(("clean",), horizon=2))
    for call, says in [
        (lambda: film_of([[none]], tmp_path / "x.mp4"), "no moves, so there is nothing to film"),
        (lambda: film_of([[tracks[0], *other]], tmp_path / "x.mp4"), "different levels side by side"),
        (lambda: film_of([tracks], tmp_path / "x.avi"), "unknown film format '.avi'"),
        (lambda: film_of([tracks], tmp_path / "no" / "x.mp4"), "directory you can write to"),
        (lambda: film_of([tracks], tmp_path / "x.mp4", look=Look(side=2048)), "at most 4096"),
        (lambda: roll(policy, bare, CAST), "no cheese to take a vector of"),
        (lambda: Cast(("clean", "substract")), "did you mean 'subtract'"),
        (lambda: Cast(("clean", "clean")), "each once"),
        (lambda: Cast(heat="vectors", site=SITE), "did you mean 'vector'"),
        (lambda: Cast(heat="vector"), "needs a site"),
        (lambda: intervention_named(policy, bare, "subtract", None, 1.0, 0), "--site"),
        (lambda: films.replay([tmp_path / "gone.npz"]), "not a recorded trajectory"),
    ]:
        with pytest.raises(InputError, match=says) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
