"""Files are written whole or not at all, and a run's directory belongs to one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TextIO

from envs.errors import InputError

_LONGEST_LOCK = 32  # bytes; it holds the number of a process
_STEM = 40  # characters of a name that its temporary file keeps
_NUMBER = itertools.count()  # tells this process's temporary files apart
_PART = ".[0-9]*-[0-9]*.part"  # what is added to the stem of a name, as a pattern


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, its folder too if it is missing.

    Raises:
        InputError: if it cannot be written; nothing of it is left, and an older file of that name is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from None


def check_folder(folder: Path) -> None:
    """Raise :class:`InputError` if no file can be written in ``folder``; to be called before the work is begun.

    A folder that is not there yet is not made.
    """
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with part_beside(there / "x"):
            pass
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another place") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside ``path`` to be written; it gets that name, durably, when the block ends well.

    It is locked, so that no other process takes it for one left behind. What a process that was killed left of the
    same name is removed. After an error (``OSError`` if it cannot be made or renamed) nothing is left.
    """
    with part_beside(path) as (part, file):
        _remove_left(path.parent, f".{glob.escape(path.stem[:_STEM])}{_PART}{glob.escape(path.suffix)}")
        yield part
        os.fsync(file.fileno())
        os.replace(part, path)
    _sync_directory(path.parent)


@contextlib.contextmanager
def part_beside(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Yield the name of an empty, locked, hidden file beside ``path``, and the file; it is gone afterwards.

    It keeps the suffix, and its name is short even where that of ``path`` is as long as names get. Raises ``OSError``
    if it cannot be made.
    """
    part = path.with_name(f".{path.stem[:_STEM]}.{os.getpid()}-{next(_NUMBER)}.part{path.suffix}")
    try:  # before it is made: a signal may come at once
        with _made_and_locked(part) as file:
            yield part, file
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _made_and_locked(part: Path) -> IO[bytes]:
    """Open a file that no other process can remove as left behind: it may do so before the lock is there."""
    while True:
        file = open(part, "wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):  # about to be removed
                file.close()
                continue
        try:
            if os.path.samestat(os.fstat(file.fileno()), part.stat()):
                return file
        except FileNotFoundError:
            pass
        file.close()


def _sync_directory(directory: Path) -> None:
    """Make a rename durable, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def without_waiting(name: str, flags: int) -> int:
    """Open a file as ``open`` does with this ``opener``, but do not wait for the other end of a pipe."""
    return os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)


def remove_stale(*folders: Path) -> None:
    """Remove what processes left in ``folders`` that were killed while they wrote a file; not what one is writing."""
    for folder in folders:
        for pattern in (f".*{_PART}", f".*{_PART}.*", ".*.[0-9]*.tmp"):  # the last: of versions before this one
            _remove_left(folder, pattern)


def _remove_left(folder: Path, pattern: str) -> None:
    """Remove the files of a folder that no process has locked."""
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError), open(path, "rb", opener=without_waiting) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


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
        lock = open(directory / ".lock", "a+", opener=_own_lock)
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


def _own_lock(name: str, flags: int) -> int:
    """Open a lock of ours: what a link leads to, or anything but a number, is no file to be written over."""
    try:
        number = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        raise InputError(f"{name}: not a lock of mazesteer; remove it") from None
    found = os.fstat(number)
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LONGEST_LOCK:
        os.close(number)
        raise InputError(f"{name}: not a lock of mazesteer; remove it")
    return number


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
