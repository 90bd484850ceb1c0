"""The examples in the docstrings of public names run as printed, with the names of ``mazesteer`` at hand."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path

import numpy as np
import pytest

import mazesteer

# What is not called by itself: kinds of things, and what writes files or takes a finished run.
WITHOUT = {
    "Evaluation", "Facing", "FieldPanel", "Heat", "HeatOverlay", "HookedPolicy", "ImpalaPolicyNet", "InputError",
    "LevelEvaluator", "Look", "MazePolicy", "Move", "NaturePolicyNet", "Outcome", "OutcomeTable", "Panel", "Policy",
    "Run", "Site", "State", "Store", "SweepSpec", "SweepSummary", "Trajectory", "caption_bar", "check_encoder",
    "compare", "export_checkpoint", "field_drawing", "field_figure", "field_file", "film_frames", "grid_frames",
    "layer_sweep", "load_run", "policy_figures", "read_compared_runs", "recorded_maze", "replay", "replicate",
    "result_text", "save_checkpoint", "summarize", "summarize_run", "write_film", "write_gif", "write_report",
    "write_video",
}  # fmt: skip
NAMES = sorted(set(mazesteer.__all__) - WITHOUT)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs_as_printed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = {each: getattr(mazesteer, each) for each in mazesteer.__all__} | {"np": np}
    text = inspect.getdoc(known[name])
    assert text is not None
    example = doctest.DocTestParser().get_doctest(text, known, name, None, None)
    assert example.examples, f"{name}: give its docstring an example, or name it in WITHOUT"
    told: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=told.append)
    assert result.failed == 0, "".join(told)
