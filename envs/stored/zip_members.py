"""Members of zip archives that may be anybody's, read in memory: names, methods and sizes are checked first.

All raise :class:`envs.errors.InputError` with one line that begins with ``where``, such as the file's path.
"""

from __future__ import annotations

import io
import zipfile
import zlib

from envs.errors import InputError, one_line, shown

MOST_MEMBERS = 2**16
LONGEST_NAME = 1_024  # bytes; torch's have some 50


def check_zip(data: bytes, where: str, most: int) -> zipfile.ZipFile:
    """Return the archive in ``data``, if it unpacks to at most ``most`` bytes and has no member that is an attack."""
    if data.count(b"PK\1\2") > MOST_MEMBERS:
        raise InputError(f"{where}: more than {MOST_MEMBERS} members; not loaded")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: damaged zip ({one_line(error)})") from None
    # An archive that was cut off within an archive in it would be taken for that one.
    if min((member.header_offset for member in members), default=0):
        raise InputError(f"{where}: damaged zip (it does not begin with its first member)")
    for member in members:
        # Nothing is ever unpacked to disk; such a name still says that the file is an attack.
        if member.filename.startswith(("/", "\\")) or ".." in member.filename.replace("\\", "/").split("/"):
            raise InputError(f"{where}: a member is named {member.filename[:80]!r}; not loaded")
        if not member.filename or len(member.filename.encode(errors="replace")) > LONGEST_NAME:
            raise InputError(f"{where}: a member has no name, or a very long one; not loaded")
        # Of other methods Python unpacks all there is before it looks at the size that the file claims.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{where}: {member.filename[:80]!r} is neither stored nor deflated; not loaded")
    if len({member.filename for member in members}) < len(members):
        raise InputError(f"{where}: two members have one name; not loaded")
    if sum(member.file_size for member in members) > most:
        raise InputError(f"{where}: unpacks to more than {most} bytes; not loaded")
    return archive


def zip_member(
    data: bytes, where: str, name: str, most: int, most_of_it: int | None = None, *, needed: bool = True
) -> bytes:
    """Return a member's bytes, at most ``most_of_it``, of an archive of ``most``; none if it may be missing and is."""
    archive = check_zip(data, where, most)
    if name not in archive.namelist():
        if not needed:
            return b""
        raise InputError(f"{where}: no {name} inside, expected one")
    size = archive.getinfo(name).file_size
    if most_of_it is not None and size > most_of_it:
        raise InputError(f"{where}: {name} unpacks to more than {most_of_it} bytes; not loaded")
    return _read(archive, name, size, where)


def stored(data: bytes, where: str, most: int) -> bytes:
    """Return the archive in ``data`` written anew, nothing compressed, of the members that this module reads in it.

    Another reader may find other members in the same bytes, and skip the checks; in these it finds the checked ones.
    """
    archive, buffer = check_zip(data, where, most), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as copy:
        for member in archive.infolist():
            copy.writestr(member.filename, _read(archive, member.filename, member.file_size, where))
    return buffer.getvalue()


def _read(archive: zipfile.ZipFile, name: str, size: int, where: str) -> bytes:
    try:
        with archive.open(name) as member:
            return member.read(size + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: {shown(name)} is damaged ({one_line(error)})") from None
