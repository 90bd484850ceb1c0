"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agents.checkpoints import write_atomic
from envs.errors import InputError


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
