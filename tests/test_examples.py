"""The examples in the docstrings of public names run as printed, with the names of ``mazesteer`` at hand."""

from __future__ import annotations

import doctest
import inspect
import shutil
from pathlib import Path

import numpy as np
import pytest

import mazesteer
from tests.helpers.small_sweep import small_sweep

# Shown by the example of another: of `field_figure`, and of `Run`, whose `report` gives the last all that it takes.
WITHOUT = {"FieldPanel", "Heat", "field_drawing", "write_report"}
NAMES = sorted(set(mazesteer.__all__) - WITHOUT)
# Examples read finished sweeps in these folders: one small sweep, made once, and a copy of it.
FINISHED = ("runs/mine", "runs/again")


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs_as_printed(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = {each: getattr(mazesteer, each) for each in mazesteer.__all__} | {"np": np}
    text = inspect.getdoc(known[name])
    assert text is not None
    example = doctest.DocTestParser().get_doctest(text, known, name, None, None)
    assert example.examples, f"{name}: give its docstring an example"
    for folder in FINISHED:
        if folder in text:
            shutil.copytree(small_sweep(tmp_path_factory), folder)
    told: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=told.append)
    assert result.failed == 0, "".join(told)
