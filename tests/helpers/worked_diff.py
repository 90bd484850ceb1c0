"""A diff from the documentation, applied to a copy of the code: what a newcomer is told to do is done."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def worked_diff(page: str, heading: str) -> dict[str, list[tuple[str, str]]]:
    """Return the first diff below a heading of a page, as (old text, new text) by file."""
    section = (ROOT / page).read_text().split(f"\n## {heading}\n")[1]
    found = re.search(r"```diff\n(.*?)```", section, re.DOTALL)
    assert found, f"{page} has no diff below {heading!r}"
    changes: dict[str, list[tuple[str, str]]] = {}
    for part in re.split(r"^--- ", found[1], flags=re.MULTILINE)[1:]:
        name, *hunks = re.split(r"^@@\n", part, flags=re.MULTILINE)
        lines = [hunk.splitlines(keepends=True) for hunk in hunks]
        changes[name.strip()] = [
            ("".join(li[1:] for li in hunk if li[0] != "+"), "".join(li[1:] for li in hunk if li[0] != "-"))
            for hunk in lines
        ]
    return changes


def copy_with(changes: dict[str, list[tuple[str, str]]], target: Path) -> Path:
    """Make a copy of the packages in ``target`` (links, where nothing changes) with the changes made."""
    for name in ("agents", "envs", "steering", "videos"):
        (target / name).symlink_to(ROOT / name)
    for name, hunks in changes.items():
        text = (ROOT / name).read_text() if (ROOT / name).exists() else ""
        for old, new in hunks:
            assert text.count(old) == 1 or not text, f"{name}: {old!r} is there {text.count(old)} times"
            text = text.replace(old, new) if text else new
        _unlink_folders(target, Path(name))
        (target / name).unlink(missing_ok=True)
        (target / name).write_text(text)
    return target


def _unlink_folders(target: Path, name: Path) -> None:
    """Replace the links to folders above a file by folders of links."""
    for folder in reversed(name.parents[:-1]):
        if (target / folder).is_symlink():
            (target / folder).unlink()
            (target / folder).mkdir()
            for child in (ROOT / folder).iterdir():
                if child.name != "__pycache__":
                    (target / folder / child.name).symlink_to(child)
