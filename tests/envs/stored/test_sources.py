"""Files are read if they are regular and not too large; all else is one line, at once."""

from __future__ import annotations

import ast
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from envs.errors import InputError
from envs.files import remove_stale
from envs.stored.sources import read_file

ROOT = Path(__file__).parents[3]


def sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**40)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


MAKERS: dict[str, Callable[[Path], object]] = {
    "a pipe, expected a regular file": os.mkfifo,
    "a directory, expected a regular file": Path.mkdir,
    "a device, expected a regular file": lambda path: path.symlink_to("/dev/zero"),
    "cannot be read (No such device or address)": a_socket,
    "cannot be read (No such file or directory)": lambda path: None,
    "cannot be read (Too many levels of symbolic links)": lambda path: path.symlink_to(path.name),
    "1099511627776 bytes, expected at most 16777216": sparse,
}


@pytest.mark.parametrize("said", MAKERS)
def test_what_is_no_file_to_read_is_one_line(tmp_path: Path, said: str) -> None:
    path = tmp_path / "x.json"
    MAKERS[said](path)
    with pytest.raises(InputError) as caught:
        read_file(path, remedy="make it anew")
    assert str(caught.value) == f"{path}: {said}; make it anew"


def test_a_name_that_no_file_can_have_is_one_line() -> None:
    for name in ("x" * 5_000, "a\0b"):
        with pytest.raises(InputError, match=r"^[^\n]{1,400}$"):
            read_file(Path(name))


def test_a_file_that_grows_beyond_its_size_is_read_to_the_bound(tmp_path: Path) -> None:
    """The system says 0 bytes of such a file, whatever it holds."""
    held = Path("/proc/self/maps")
    assert held.stat().st_size == 0
    with pytest.raises(InputError, match="101 bytes, expected at most 100"):
        read_file(held, 100)


def test_the_bytes_are_those_of_the_file_or_of_what_it_links_to(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / "y").symlink_to("x")
    assert read_file(tmp_path / "x", 3) == read_file(tmp_path / "y", 3) == b"abc"


def test_a_pipe_with_the_name_of_an_unfinished_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".x.1-2.part.json")
    remove_stale(tmp_path)


# What reads a file by other means than read_file, and why it may.
READERS = {
    "agents/checkpoints/cards.py": "shipped with the program",
    "agents/checkpoints/zoo.py": "its kind and size are looked at first",
    "envs/files.py": "locks and parts of files, whose content is of no matter",
    "envs/stored/sources.py": "read_file itself",
    "steering/app/web/pieces.py": "shipped with the program",
    "steering/reports/sweep_report.py": "a film, its kind and size are looked at first",
}


def test_files_are_read_in_one_place() -> None:
    """Anywhere else a pipe would be waited for, and a file without end be read."""
    found = set()
    for room in ("agents", "envs", "steering", "videos"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _reads(node):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == set(READERS)


def _reads(call: ast.Call) -> bool:
    """Whether a call reads a file: a method of a path, or ``open`` not for writing."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in ("read_bytes", "read_text")
    modes = [part.value for part in call.args[1:2] if isinstance(part, ast.Constant)]
    return isinstance(call.func, ast.Name) and call.func.id == "open" and modes not in (["wb"], ["w"])
