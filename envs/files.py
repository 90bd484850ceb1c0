"""A run's directory belongs to one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from envs.errors import InputError


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file by temporary file, fsync and rename; raises :class:`InputError` if it cannot."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from None


@contextlib.contextmanager
def locked(directory: Path, *, make: bool = False) -> Iterator[None]:
    """Hold a directory alone; :class:`InputError` if it cannot be written or another process (named) holds it.

    With ``make`` it is made, parents and all, if it is not there; what an error leaves empty of it is gone again.
    """
    made: list[Path] = []
    try:
        if directory.exists() and not directory.is_dir():
            raise InputError(f"{directory} is a file; choose another --out")
        if make:
            made = [path for path in (directory, *directory.parents) if not path.exists()]
            directory.mkdir(parents=True, exist_ok=True)
        lock = open(directory / ".lock", "a+")
    except OSError as error:
        _remove_empty(made)
        raise InputError(f"{str(directory)[:80]}: cannot be written ({error.strerror}); choose another --out") from None
    with _held(lock, directory):
        try:
            yield
        except BaseException:
            if made and [path.name for path in directory.iterdir()] == [".lock"]:
                (directory / ".lock").unlink()
            _remove_empty(made)
            raise


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _held(lock: TextIO, directory: Path) -> Iterator[None]:
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise InputError(f"{directory} is in use by process {lock.read().strip() or '?'}; wait for it") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def remove_stale(*folders: Path) -> None:
    """Remove what a process left there that was killed while it wrote a file."""
    for folder in folders:
        for stale in [*folder.glob(".*.tmp"), *folder.glob(".*.part.*")]:
            stale.unlink(missing_ok=True)
