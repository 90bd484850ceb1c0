"""Files that may be anybody's: regular ones only, and no more of them than is asked for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from envs.errors import InputError
from envs.files import without_waiting

MOST_JSON = 2**24  # bytes of a JSON file; the largest that a command writes has a tenth, if not said otherwise
MOST_WEIGHTS = 2**30  # bytes of a checkpoint
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read_file(path: Path, most: int = MOST_JSON, remedy: str = "remove it, or make it anew") -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: the file, or a link to one.
        most: bytes it may have.
        remedy: what the user can do about another.

    Raises:
        InputError: in one line, if it cannot be read, has more bytes, or is no regular file: of a pipe, reading would
            wait for ever.
    """
    where = str(path)[:200]
    try:
        with open(path, "rb", opener=without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{where}: {_kind(found.st_mode)}, expected a regular file; {remedy}")
            data = file.read(most + 1) if found.st_size <= most else b""
    except IsADirectoryError:
        raise InputError(f"{where}: a directory, expected a regular file; {remedy}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else str(error)  # the second: of a name with a NUL
        raise InputError(f"{where}: cannot be read ({reason}); {remedy}") from None
    if max(found.st_size, len(data)) > most:
        size = max(found.st_size, len(data))
        raise InputError(f"{where}: {size} bytes, expected at most {most}; {remedy}")
    return data


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "a special file")
