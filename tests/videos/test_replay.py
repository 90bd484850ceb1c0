"""Recordings: filmed again they give the live film, frame for frame; only what may be compared stands side by side."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
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
from steering.films.condition_film import Cast, roll
from videos.rollout_film import film_of, header_of, rows_of, title_of
from videos.side_by_side import Look

SITE = "embedder.block2.res1.resadd"
SMALL, SMALLER = 26, 1  # levels of 9x9 and 3x3
CONDITIONS = ("clean", "subtract", "no_cheese", "all_sites")


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def tracks(policy: MazePolicy) -> list[Trajectory]:
    return roll(policy, Maze.from_level(SMALL), Cast(CONDITIONS, SITE, coefficient=1.5, horizon=5))


def told(track: Trajectory, **info: Any) -> Trajectory:
    """The same rollout with another story."""
    return dataclasses.replace(track, info={**track.info, **info})


@pytest.mark.parametrize("grid", [False, True])
def test_a_film_of_recordings_is_the_live_one_frame_for_frame(tmp_path: Path, grid: bool) -> None:
    """Three conditions side by side, two levels, cropped, by the commands that a user types."""
    live, again, folder = tmp_path / "live.mp4", tmp_path / "again.mp4", tmp_path / "rollouts"
    conditions = ("clean", "subtract", "no_cheese")
    films.video(
        level=f"{SMALL},{SMALLER}",
        conditions=",".join(conditions),
        size=96,
        crop=True,
        horizon=5,
        fps=4,
        grid=grid,
        out=live,
        record=folder,
    )
    files = [folder / f"level{level:05d}_{name}.npz" for level in (SMALL, SMALLER) for name in conditions]
    films.replay(files, again, size=96, crop=True, fps=4, grid=grid)
    frames = decoded(live)
    assert len(frames) > 5 and len({frame.tobytes() for frame in frames}) > 5
    for one, other in zip(frames, decoded(again), strict=True):
        assert np.array_equal(one, other)
    assert again.read_bytes() == live.read_bytes()


def test_only_what_may_be_compared_stands_side_by_side(policy: MazePolicy, tracks: list[Trajectory]) -> None:
    """Conditions of one rollout share a row; another agent, seed, episode, horizon, level or mode has its own."""
    others = [
        told(tracks[0], policy="other", checkpoint="f" * 64),
        told(tracks[0], checkpoint="f" * 64),
        told(tracks[0], seed=1),
        told(tracks[0], episode=1),
        told(tracks[0], horizon=9),
        *roll(policy, Maze.from_level(SMALL, "easy"), Cast(("clean",), horizon=1)),
        *roll(policy, Maze.from_level(SMALLER), Cast(("clean",), horizon=1)),
    ]
    shuffled = [tracks[1], *others[:3], tracks[0], tracks[2], *others[3:], tracks[3]]
    rows = rows_of(shuffled)
    assert rows[0] == [tracks[1], tracks[0], tracks[2], tracks[3]]
    assert rows[1:] == [[other] for other in others]


def test_no_two_rows_look_alike(tracks: list[Trajectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captions tell rows apart: above each film, in a grid before each title."""

    seen: list[tuple[str, list[str]]] = []

    def watched(rows: Any, *, header: str, look: Look) -> Any:
        seen.append((header, [panel.title for _, panels in rows for panel in panels]))
        return iter([np.zeros((2, 2, 3), dtype=np.uint8)])

    monkeypatch.setattr("videos.rollout_film.grid_frames", watched)
    others = [told(tracks[0], **info) for info in ({"seed": 1}, {"episode": 2}, {"checkpoint": "ab" * 32})]
    rows = [[tracks[0]], *([other] for other in others)]
    film_of(rows, tmp_path / "x.mp4")
    headers = [header for header, _ in seen]
    assert len(set(headers)) == 4 and all(header.startswith(f"level {SMALL}, policy region5") for header in headers)
    assert "seed 1" in headers[1] and "episode 2" in headers[2] and "checkpoint abababab" in headers[3]
    seen.clear()
    film_of(rows, tmp_path / "x.mp4", grid=True)
    ((header, titles),) = seen
    assert header == f"level {SMALL}, policy region5" and len(set(titles)) == 4
    assert titles[0].startswith("seed 0, checkpoint ") and titles[0].endswith(": clean")
    seen.clear()
    film_of([tracks[:2]], tmp_path / "x.mp4", grid=True)
    assert seen == [(header_of(tracks[0]), ["clean", title_of(tracks[1])])]


def test_captions_of_several_sites_keep_their_coefficient(tracks: list[Trajectory]) -> None:
    assert [title_of(track) for track in tracks] == [
        "clean",
        "subtract x1.5 at block2.res1.resadd",
        "no cheese",
        "all sites x1.5 shared by 12 sites",
    ]
    edits = [{"site": "a", "coefficient": -1.0}, {"site": "b", "coefficient": -2.0}]
    assert title_of(told(tracks[1], intervention={"edits": edits})) == "subtract shared by 2 sites"
    assert title_of(told(tracks[1], intervention={"edits": [{"site": "a", "kind": "ablate"}]})) == "subtract at a"


def test_what_cannot_be_told_apart_or_compared_is_refused(
    policy: MazePolicy, tracks: list[Trajectory], tmp_path: Path
) -> None:
    maze = Maze.from_level(SMALL)
    moved = maze.with_cheese(next(cell for cell in maze.cells if cell not in (maze.cheese, maze.mouse)))
    elsewhere = roll(policy, moved, Cast(("clean",), horizon=2))
    file = tmp_path / "twice.npz"
    file.write_bytes(tracks[1].to_bytes())
    for call, says in [
        (lambda: films.replay([file, file], tmp_path / "x.mp4"), "are both 'subtract x1.5 at block2.res1.resadd'"),
        (lambda: film_of([[tracks[0], *elsewhere]], tmp_path / "x.mp4"), "different levels side by side"),
    ]:
        with pytest.raises(InputError, match=says) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [file]


def unfinished(folder: Path) -> list[Path]:
    return list(folder.glob(".x.*.part.mp4"))


def test_ctrl_c_leaves_no_file_and_says_so_in_one_line(tmp_path: Path) -> None:
    """The signal comes while the film is being written: its unfinished file is there by then."""
    program = str(Path(sys.executable).parent / "mazesteer")
    long = ["--horizon", "500", "--size", "512", "--fps", "60"]  # to write, so that the signal does not come too late
    wide = ["--conditions", "clean,subtract,add,no_cheese", *long]
    options = ["--level", str(SMALL), *wide, "--out", str(tmp_path / "x.mp4")]
    command = ["env", "--default-signal=INT", program, "video", *options]  # a background job would inherit it ignored
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not unfinished(tmp_path):
                assert process.poll() is None, "the film was finished too soon"
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()  # of a process that has ended nothing; else its end would be waited for
    assert process.returncode == 130
    lines = [line for line in said.splitlines() if "filming" not in line and line.strip()]
    assert lines == ["mazesteer: stopped; the picture was not written; type the same command to start again"]
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_is_refused_leaves_nothing(policy: MazePolicy, tracks: list[Trajectory], tmp_path: Path) -> None:
    """Also late: when the first level is filmed already, or the maze of the last recording is no maze."""
    moved = [told(track, cheese=[0, 1]) for track in tracks[:1]]
    assert not Maze.from_level(SMALL).is_free((0, 1))
    late = told(roll(policy, Maze.from_level(SMALLER), Cast(("clean",), horizon=1))[0], policy="W" * 200)
    for rows, says in (([tracks[:1], moved], "cheese cannot lie on"), ([tracks[:1], [late]], "does not fit|too")):
        for suffix in (".mp4", ".gif"):
            with pytest.raises(InputError, match=says):
                film_of(rows, tmp_path / f"x{suffix}", look=Look(side=64))
            assert list(tmp_path.iterdir()) == []
