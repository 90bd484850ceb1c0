"""Files are written whole or not at all, and a directory is held by one process."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from envs.errors import InputError
from envs.files import locked, remove_stale, replacing, write_atomic


def test_failed_writes_leave_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_atomic(target, b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"] and not any(target.iterdir())
    file = tmp_path / "file"
    write_atomic(file, b"old")
    write_atomic(file, b"new")
    assert file.read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 2
    with pytest.raises(InputError, match="cannot be written"):
        write_atomic(file / "below", b"data")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


def test_an_interrupted_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    write_atomic(file, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_atomic(file, b"new")
    assert file.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_directory_made_to_be_held_is_gone_after_an_error(tmp_path: Path) -> None:
    """Unless something was written there."""
    out = tmp_path / "a" / "b"
    with pytest.raises(KeyError), locked(out, make=True):
        raise KeyError
    assert not out.parent.exists()
    with pytest.raises(KeyError), locked(out, make=True):
        (out / "x").write_text("")
        raise KeyError
    assert (out / "x").exists()
    with locked(out, make=True), pytest.raises(InputError, match="is in use by process"), locked(out, make=True):
        pass
    (tmp_path / "file").write_text("")
    for path, words in ((tmp_path / "file", "is a file"), (tmp_path / ("n" * 300), "cannot be written")):
        with pytest.raises(InputError, match=words), locked(path, make=True):
            pass


@pytest.mark.parametrize("name", ["x.json", "x"])
def test_what_a_killed_writer_left_is_removed_and_nothing_that_is_being_written(tmp_path: Path, name: str) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from envs.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as part:\n"
        "    part.write_bytes(b'half')\n"
        "    if sys.argv[2] == 'killed': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    print('writing', flush=True); sys.stdin.read()\n"
    )
    path = tmp_path / name
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, str(path), "killed"], check=False)
    (left,) = tmp_path.iterdir()  # the second removed what the first had left
    (tmp_path / ".older.123.tmp").write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), "alive"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
        remove_stale(tmp_path, tmp_path / "missing")
        assert len(list(tmp_path.iterdir())) == 2 and not left.exists(), "its own part is kept"
        write_atomic(path, b"ours")
        assert path.read_bytes() == b"ours" and len(list(tmp_path.iterdir())) == 3
        writer.communicate("")
    assert writer.returncode == 0 and path.read_bytes() == b"half"
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([".hidden", name])


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, OSError])
def test_an_error_while_a_file_is_written_passes_through_and_leaves_the_older_one(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / ("é" * 120 + ".json")
    write_atomic(path, b"old")
    with pytest.raises(error, match="mine"), replacing(path) as part:
        part.write_bytes(b"half")
        raise error("mine")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_part_removed_before_its_lock_was_there_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by another process that takes it for one left behind."""
    lock, calls = fcntl.flock, []

    def late(file: IO[bytes], how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            os.unlink(file.name)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    write_atomic(tmp_path / "x", b"data")
    assert (tmp_path / "x").read_bytes() == b"data" and len(list(tmp_path.iterdir())) == 1


def test_a_file_can_be_replaced_while_it_is_being_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with replacing(path) as outer:
        with replacing(path) as inner:
            inner.write_bytes(b"inner")
        assert path.read_bytes() == b"inner" and outer != inner
        outer.write_bytes(b"outer")
    assert path.read_bytes() == b"outer" and [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_hidden_files_of_the_user_are_no_leftovers(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in (".draft.part", ".notes.tmp", ".a-b.part.txt")]
    for path in kept:
        path.write_bytes(b"mine")
    remove_stale(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


LOCKS: list[Callable[[Path], object]] = [
    lambda path: path.symlink_to("../mine"),
    lambda path: path.symlink_to("../nothing"),
    lambda path: path.write_text("what somebody keeps there, for whatever reason"),
    Path.mkdir,
    os.mkfifo,
]


@pytest.mark.parametrize("make", LOCKS)
def test_a_lock_that_is_not_ours_is_refused_and_nothing_is_written_over(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    """A directory from elsewhere may hold a link to any file of the user's."""
    (tmp_path / "mine").write_text("mine")
    lock = tmp_path / "run" / ".lock"
    lock.parent.mkdir()
    make(lock)
    text = lock.read_text() if lock.is_file() else ""
    with pytest.raises(InputError, match=r"\.lock: not a lock of mazesteer; remove it$"), locked(lock.parent):
        pass
    assert (tmp_path / "mine").read_text() == "mine" and sorted(p.name for p in tmp_path.iterdir()) == ["mine", "run"]
    assert not lock.is_file() or lock.read_text() == text
