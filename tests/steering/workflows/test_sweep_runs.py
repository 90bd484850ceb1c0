"""The folder of several runs belongs to a command once its index is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.errors import InputError
from steering.sweep.artifacts import INDEX, read_index
from steering.workflows.sweep_runs import _claim


def test_a_folder_whose_first_index_was_never_finished_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / f".{Path(INDEX.file).stem}.123-0.part.json").write_bytes(b"{")
    _claim(tmp_path, ["agent"])
    assert read_index(tmp_path, "").checkpoints == ("agent",)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="not a folder of several runs"):
        _claim(tmp_path, ["agent"])
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
