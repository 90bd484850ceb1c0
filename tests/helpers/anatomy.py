"""What tests of the anatomy's parts share: the file that a run has, and the same file damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envs.errors import InputError
from steering.records.anatomy.summary import AnatomySummary
from steering.sweep.artifacts import ANATOMY
from tests.helpers.faults import changed


def read(run: Path) -> AnatomySummary:
    """The file of a run, as its record."""
    return ANATOMY.read(run, "x")


def refused_with(run: Path, path: tuple[str | int, ...], value: Any, words: str, tmp_path: Path) -> None:
    """Put ``value`` at ``path`` of a run's file: it is refused in a line that begins with ``words``."""
    data = json.loads((run / ANATOMY.file).read_text())
    (tmp_path / ANATOMY.file).write_text(json.dumps(changed(data, path, value)))
    with pytest.raises(InputError, match=rf"^\S+anatomy.json: {words}: expected .*; make it anew$"):
        ANATOMY.read(tmp_path, "make it anew")
