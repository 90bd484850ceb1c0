"""Files: they play (decoded again here), are whole or absent, and are the same each time."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from envs.errors import InputError
from envs.maze import Maze
from videos import encode
from videos.encode import write_film, write_gif, write_video
from videos.frames import ACCENTS
from videos.side_by_side import Look, Panel, film_frames


@pytest.fixture(scope="module")
def film() -> list[np.ndarray]:
    """A real film: level 1 (3x3), walking to the corner."""
    maze = Maze.from_level(1)
    states = [state for state, _ in maze.walk(maze.path(maze.mouse, maze.corner))] + [maze.arrival(maze.corner)]
    panels = [Panel("clean", states), Panel("steered", states[:2])]
    return list(film_frames(maze, panels, header="level 1", look=Look(lead=0.25, hold=0.5, card=0.0)))


def flat(n: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    """Frames of one colour each, no two alike."""
    return [np.full((height, width, 3), (10 * i % 250, 90, 200 - 10 * i % 200), dtype=np.uint8) for i in range(n)]


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "h264"), (".webm", "vp9")])
def test_a_film_decodes_to_the_frames_that_went_in(
    film: list[np.ndarray], tmp_path: Path, suffix: str, codec: str
) -> None:
    path = write_video(tmp_path / f"film{suffix}", iter(film), fps=12)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (stream.codec.canonical_name, context.pix_fmt) == (codec, "yuv420p")
        assert (context.height, context.width) == film[0].shape[:2]
        assert stream.average_rate == 12
        assert len(container.streams) == 1
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == len(film)
    for got, sent in zip(decoded, film, strict=True):
        assert np.abs(got.astype(int) - sent).mean() < 3


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
@pytest.mark.parametrize("size", [(33, 48), (32, 47), (31, 45)])
def test_odd_sizes_are_padded_by_a_copy_of_the_edge(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    frame = np.repeat(np.repeat(rng.integers(0, 256, (1, 1, 3)), size[0], axis=0), size[1], axis=1).astype(np.uint8)
    path = write_film(tmp_path / f"odd{suffix}", [frame] * 2)
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24")
    expected = size if suffix == ".gif" else (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert decoded.shape[:2] == expected
    assert np.abs(decoded.astype(int) - frame[0, 0]).max() <= 6, "no seam of another colour at the edge"


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_colours_survive(tmp_path: Path, suffix: str) -> None:
    """A wrong or missing colour matrix would shift saturated colours by 10 and more."""
    colours = [(213, 94, 0), (86, 180, 233), (0, 158, 115), (230, 159, 0)]
    frame = np.concatenate([np.full((64, 32, 3), colour, dtype=np.uint8) for colour in colours], axis=1)
    path = write_film(tmp_path / f"c{suffix}", [frame] * 3)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24")
        assert (context.colorspace, context.color_range) == (6, 1)
    for i, colour in enumerate(colours):
        assert np.abs(decoded[32, 32 * i + 16].astype(int) - colour).max() <= 4


def test_mp4_can_start_playing_before_it_is_loaded_and_uses_our_settings(
    film: list[np.ndarray], tmp_path: Path
) -> None:
    data = write_video(tmp_path / "x.mp4", film, crf=23).read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    assert b"crf=23.0" in data and b" threads=2 " in data


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_same_frames_same_bytes(film: list[np.ndarray], tmp_path: Path, suffix: str) -> None:
    first = write_film(tmp_path / f"a{suffix}", film).read_bytes()
    assert write_film(tmp_path / f"b{suffix}", iter(film)).read_bytes() == first


def test_gif_has_the_films_length_and_colours(film: list[np.ndarray], tmp_path: Path) -> None:
    path = write_gif(tmp_path / "film.gif", film, fps=10, max_width=524)
    with Image.open(path) as gif:
        assert gif.format == "GIF" and gif.info["loop"] == 0
        assert gif.size == (524, round(film[0].shape[0] / 2))
        total, last = 0, np.zeros(0)
        for index in range(getattr(gif, "n_frames", 1)):
            gif.seek(index)
            total += gif.info["duration"]
            last = np.asarray(gif.convert("RGB"))
    assert total == 100 * len(film)  # equal neighbours are merged, their time kept
    expected = np.asarray(Image.fromarray(film[-1]).resize((524, last.shape[0]), Image.Resampling.LANCZOS))
    assert np.abs(last.astype(int) - expected).mean() < 6


def test_a_gif_has_the_colours_of_the_picture_that_it_is_told(tmp_path: Path) -> None:
    """A rare colour of a late frame, too, which the first frame's palette lacks."""
    grey, late = np.repeat(np.arange(256, dtype=np.uint8), 48).reshape(64, 64, 3), np.zeros((64, 64, 3), np.uint8)
    late[:4, :4] = rare = (20, 120, 190)
    path = write_gif(tmp_path / "film.gif", [grey, late], 2, colours_of=np.concatenate([grey, late]))
    with Image.open(path) as film:
        film.seek(1)
        shown = np.array(film.convert("RGB"))[1, 1].astype(int)
    assert np.abs(shown - rare).max() <= 8


def test_a_trail_keeps_its_colour_in_a_gif_though_its_first_picture_has_none(tmp_path: Path) -> None:
    for accent in ACCENTS:
        plain = np.full((32, 48, 3), (150, 110, 70), dtype=np.uint8)
        walked = plain.copy()
        walked[10:20] = accent
        with Image.open(write_gif(tmp_path / "x.gif", [plain, walked])) as gif:
            gif.seek(1)
            assert np.abs(np.asarray(gif.convert("RGB"))[15, 24].astype(int) - accent).max() <= 3


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_one_frame_is_a_film(tmp_path: Path, suffix: str) -> None:
    assert write_film(tmp_path / f"one{suffix}", flat(1)).stat().st_size > 0


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
@pytest.mark.parametrize("good", [0, 1, 5])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_error_midway_passes_through_and_leaves_nothing(
    tmp_path: Path, suffix: str, good: int, error: type[BaseException]
) -> None:
    def breaking() -> Iterator[np.ndarray]:
        yield from flat(good)
        raise error("from the generator")

    with pytest.raises(error, match="from the generator"):
        write_film(tmp_path / f"x{suffix}", breaking())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_a_failed_film_leaves_the_older_one_as_it_was(tmp_path: Path, suffix: str) -> None:
    path = write_film(tmp_path / f"x{suffix}", flat(3))
    before = path.read_bytes()
    with pytest.raises(InputError, match="all frames need one size"):
        write_film(path, [*flat(2), *flat(1, height=64)])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    code = (
        "import os, signal, sys, numpy as np; from videos.encode import write_film\n"
        "def frames():\n"
        "    yield np.zeros((32, 32, 3), np.uint8)\n"
        "    yield np.zeros((32, 32, 3), np.uint8)\n"
        "    if sys.argv[2] == 'killed': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    print('writing', flush=True); sys.stdin.read()\n"
        "write_film(sys.argv[1], frames())"
    )
    path = tmp_path / f"x{suffix}"
    subprocess.run([sys.executable, "-c", code, str(path), "killed"], check=False)
    (left,) = tmp_path.iterdir()
    other = tmp_path / f".y.1-1.part{suffix}"
    other.write_bytes(b"")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), "alive"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
        assert not left.exists()
        write_film(path, flat(2))
        writing = set(tmp_path.iterdir()) - {path, other}
        assert len(writing) == 1, "the other writer's file is in use, and its alone"
        writer.communicate("")
    assert writer.returncode == 0 and set(tmp_path.iterdir()) == {path, other}


def test_a_name_may_be_as_long_as_names_get(tmp_path: Path) -> None:
    path = write_film(tmp_path / ("é" * 125 + ".gif"), flat(2))
    assert list(tmp_path.iterdir()) == [path]


def test_frames_are_taken_one_by_one(tmp_path: Path) -> None:
    alive = most = 0

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def counting() -> Iterator[np.ndarray]:
        nonlocal alive, most
        for _ in range(60):
            alive += 1
            most = max(most, alive)
            yield np.zeros((32, 32, 3), dtype=np.uint8).view(Counted)

    write_video(tmp_path / "x.mp4", counting())
    assert most <= 4


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("kept")
    floats = [np.zeros((32, 48, 3))]
    for path, frames, fps, needle in [
        (tmp_path / "x.mp4", [], 12, "no frames"),
        (tmp_path / "x.gif", iter([]), 12, "no frames"),
        (tmp_path / "x.avi", flat(2), 12, "'.avi'"),
        (tmp_path / "x", flat(2), 12, "end the name in .mp4, .webm or .gif"),
        (tmp_path / "missing" / "x.mp4", flat(2), 12, "directory you can write to"),
        (tmp_path / f"{'a' * 300}.mp4", flat(2), 12, "File name too long"),
        (blocker / "x.mp4", flat(2), 12, "directory you can write to"),
        (tmp_path / "x.mp4", floats, 12, "uint8"),
        (tmp_path / "x.mp4", flat(2), 0, "fps 0: give 0.01 to 60"),
        (tmp_path / "x.mp4", flat(2), float("nan"), "fps nan: give 0.01 to 60"),
    ]:
        with pytest.raises(InputError) as caught:
            write_film(path, frames, fps)
        assert needle in str(caught.value) and "\n" not in str(caught.value)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InputError, match="is a directory"):
        write_film(tmp_path / "folder.mp4", flat(2))
    with pytest.raises(InputError, match="crf"):
        write_video(tmp_path / "x.mp4", flat(2), crf=52)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.mp4"]
    assert blocker.read_text() == "kept"


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("length", [2, 40])  # fails in the last flush, or while frames are coming
def test_a_full_disk_is_said_in_one_line(tmp_path: Path, length: int) -> None:
    """A file-size limit stands in for the full disk: the same path through the writer."""
    import gc
    import resource
    import signal

    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (128, 128, 3), dtype=np.uint8) for _ in range(length)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old_limit[1]))
        for suffix in (".mp4", ".webm", ".gif"):
            with pytest.raises(InputError, match="room on the disk"):
                write_film(tmp_path / f"x{suffix}", noise)
            gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_film_may_be_read_by_others(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert write_film(tmp_path / "x.mp4", flat(2)).stat().st_mode == plain.stat().st_mode


def test_the_encoders_are_there_and_one_that_is_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "libx264" in encode.check_encoder() and "libvpx-vp9" in encode.check_encoder("libvpx-vp9")
    monkeypatch.setitem(encode.CODECS, ".mp4", dataclasses.replace(encode.CODECS[".mp4"], name="libx999"))
    with pytest.raises(InputError, match=r"cannot be encoded .*libx999"):
        write_film(tmp_path / "x.mp4", flat(2))
    assert list(tmp_path.iterdir()) == []


def test_a_place_is_checked_before_the_work_begins(tmp_path: Path) -> None:
    assert encode.check_film_path(tmp_path / "x.webm") == tmp_path / "x.webm"
    for name, says in (("x.mkv", "unknown film format"), ("missing/x.mp4", "directory you can write to")):
        with pytest.raises(InputError, match=says):
            encode.check_film_path(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
