"""Files are written whole or not at all, and a directory is held by one process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envs.errors import InputError
from envs.files import locked, write_atomic
from tests.helpers.command import mazesteer


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


def test_a_training_that_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    for args in (("--out", tmp_path / ("n" * 300)), ("--out", tmp_path / "run", "--patience", "1,2,3")):
        done = mazesteer("train", "--samples", "64", *args)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout
    assert not list(tmp_path.iterdir())
