"""``summary.json``, ``spec.json`` and ``index.json`` as records: real files, to the byte; older ones in one line."""

from __future__ import annotations

import dataclasses
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.errors import InputError
from envs.stored.json_records import from_json, to_json, to_plain
from steering.analysis.summary import maze_weights, summarize, write_summary
from steering.experiments.outcome import OUTCOME_FIELDS
from steering.records.boundary import RunIndex
from steering.records.sweep import ConditionSummary, MeanOutcome, SweepSummary
from steering.statistics import bootstrap
from steering.sweep.artifacts import INDEX, PROBES, read_index, read_probes
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store, run_directory

EVIDENCE = Path(__file__).parents[3] / "docs" / "evidence"


def evidence(name: str, folder: Path) -> Path:
    with tarfile.open(EVIDENCE / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evidence("region5", tmp_path_factory.mktemp("evidence"))


@pytest.fixture(scope="module")
def summary(run: Path) -> SweepSummary:
    with Store.open(run) as store:
        return summarize(store, SweepSpec.load(run))


@pytest.fixture(scope="module")
def stored(run: Path, summary: SweepSummary) -> dict[str, Any]:
    write_summary(summary, run / "summary.json")
    found: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return found


def test_a_summary_is_read_back_as_it_was_written(run: Path, summary: SweepSummary, stored: dict[str, Any]) -> None:
    assert from_json((run / "summary.json").read_bytes(), SweepSummary, "summary.json", "sweep again") == summary
    assert (run / "summary.json").read_bytes() == (json.dumps(stored, indent=2) + "\n").encode()


def test_a_condition_has_its_scores_then_every_outcome_then_what_came_later(stored: dict[str, Any]) -> None:
    ends = ["", "_low", "_high"]
    scores = ["coefficient", *(f"blindness{end}" for end in ends), *(f"competence{end}" for end in ends)]
    for site in stored["sites"]:
        for row in site["conditions"].values():
            assert list(row) == [*scores, *OUTCOME_FIELDS, *(f"blindness_occupancy{end}" for end in ends)]
    assert list(stored["reference"]["clean"]) == [*OUTCOME_FIELDS, "competence"]
    assert tuple(field.name for field in dataclasses.fields(MeanOutcome)) == OUTCOME_FIELDS


def test_blindness_by_occupancy_is_the_ratio_of_the_weighted_distances(run: Path, summary: SweepSummary) -> None:
    table = OutcomeTable.open(run)
    clean = table.reference("clean")["tv_no_cheese_occupancy"]
    for site in summary.sites[::6]:
        for name, row in site.conditions.items():
            edited = table.condition(name, site.name)["tv_no_cheese_occupancy"]
            assert row.blindness_occupancy == pytest.approx(1 - edited.sum() / clean.sum(), abs=1e-12)
            ends = bootstrap.blindness_interval(edited, clean, maze_weights(table))
            assert (row.blindness_occupancy_low, row.blindness_occupancy_high) == ends
            assert ends[0] <= row.blindness_occupancy <= ends[1] <= 1
    assert summary.sites[0].conditions["subtract"].blindness_occupancy == pytest.approx(1, abs=1e-5)


def without(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *steps, last = path
        part: Any = data
        for step in steps:
            part = part[step]
        del part[last]

    return change


def added(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        part: Any = data
        for step in path:
            part = part[step]
        part["entropy"] = 1.0

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("sites", 3, "conditions", "subtract", "blindness_occupancy"), "`blindness_occupancy`"),
        (without("boundary", "competence_curve"), "`competence_curve`"),
        (without("effects", 5, "p_holm"), "`p_holm`"),
        (added("sites", 3), "`$.sites[3].entropy`"),
        (added("sites", 3, "conditions", "random"), "`$.sites[3].conditions.random.entropy`"),
        (added("boundary", "controls", "add", "reach"), "`$.boundary.controls.add.reach.entropy`"),
        (added("effects", 5), "`$.effects[5].entropy`"),
    ],
)
def test_an_older_or_newer_summary_is_one_line_that_names_the_field(
    stored: dict[str, Any], change: Callable[[dict[str, Any]], None], said: str
) -> None:
    other = json.loads(json.dumps(stored))
    change(other)
    with pytest.raises(InputError) as caught:
        from_json(json.dumps(other), SweepSummary, "run/summary.json", "type `mazesteer report run`")
    text = str(caught.value)
    assert said in text and text.startswith("run/summary.json: ") and "\n" not in text
    assert text.endswith("; type `mazesteer report run`")


def test_what_is_not_defined_is_null() -> None:
    nothing = ConditionSummary(1.0, *(None,) * (6 + len(OUTCOME_FIELDS) + 3))
    assert from_json(to_json(nothing), ConditionSummary, "", "") == nothing
    assert np.isfinite([value for value in to_plain(nothing).values() if value is not None]).all()


def test_a_spec_is_read_as_it_was_written(run: Path, tmp_path: Path) -> None:
    before = (run / "spec.json").read_bytes()
    SweepSpec.load(run).save(tmp_path)
    assert (tmp_path / "spec.json").read_bytes() == before
    assert SweepSpec.load(tmp_path) == SweepSpec.load(run)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("levels"), "missing required field `levels`"),
        (added(), "unknown field `$.entropy`"),
        (lambda data: data.update(horizon="long"), "got `str` - at `$.horizon`"),
        (lambda data: data.update(conditions=["subtrakt"]), "unknown condition 'subtrakt'; did you mean 'subtract'?"),
        (lambda data: data.update(seed=-1), "expected `int` >= 0, got -1 - at `$.seed`"),
        (lambda data: data.update(format="something"), "not a mazesteer run"),
    ],
)
def test_another_spec_is_one_line(run: Path, tmp_path: Path, change: Callable[..., None], said: str) -> None:
    data = json.loads((run / "spec.json").read_text())
    change(data)
    (tmp_path / "spec.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        SweepSpec.load(tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value) and "spec.json" in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"horizon": NaN}', '{"horizon": 1e999}'])
def test_json_that_is_none_is_one_line_in_every_file(tmp_path: Path, text: str) -> None:
    for name in ("spec.json", INDEX.file, PROBES.file):
        (tmp_path / name).write_text(text)
    reads: tuple[Callable[[], object], ...] = (
        lambda: SweepSpec.load(tmp_path),
        lambda: read_index(tmp_path, "sweep again"),
        lambda: read_probes(tmp_path, "a" * 64, "easy"),
        lambda: run_directory(tmp_path).__enter__(),
    )
    for read in reads:
        with pytest.raises(InputError) as caught:
            read()
        assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("later", ["vector", "skipped", "episodes", "mode"])
def test_a_spec_without_a_later_field_has_its_default(run: Path, tmp_path: Path, later: str) -> None:
    data = json.loads((run / "spec.json").read_text())
    del data[later]
    (tmp_path / "spec.json").write_text(json.dumps(data))
    default = next(field.default for field in dataclasses.fields(SweepSpec) if field.name == later)
    assert SweepSpec.load(tmp_path) == dataclasses.replace(SweepSpec.load(run), **{later: default})


def test_an_index_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = evidence("region5-series", tmp_path)
    before = (folder / INDEX.file).read_bytes()
    index = read_index(folder, "sweep again")
    assert to_json(index, indent=2) == before and len(index.runs) == len(index.checkpoints) > 3
    assert from_json(to_json(index), RunIndex, "", "") == index
    data = json.loads(before)
    del data["runs"][0]["directory"]
    for text, said in ((json.dumps(data), "missing required field `directory`"), ("{}", ""), ("[", "")):
        (folder / INDEX.file).write_text(text)
        with pytest.raises(InputError, match=f"index.json: .*{said}.*; sweep again") as caught:
            read_index(folder, "sweep again")
        assert "\n" not in str(caught.value)
