"""``compare.json`` as records: written, read back and refused by the field."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envs.errors import InputError
from envs.stored.json_records import from_json, from_plain, to_json
from steering.analysis.compared_runs import read_compared_runs
from steering.analysis.comparison import compare
from steering.records.anatomy.circuit_site import Overlap
from steering.records.anatomy.shared_channels import (
    Common,
    ComparedCircuit,
    ComparedCircuits,
    MeanShared,
    SharedChannels,
)
from steering.records.comparison import Comparison, Development, LossCurve
from steering.records.planning import Share
from steering.records.probes import Estimate
from steering.records.readings import (
    CAUSAL,
    ComparedPlan,
    ComparedPlanning,
    ComparedProbedSite,
    ComparedReadings,
    ProbedCurves,
    Reading,
)
from steering.records.sites import SiteFacts
from tests.helpers.runs import SITES, SPEC, make_run

PARTS = [
    "format",
    "levels",
    "sites",
    "classes",
    "facts",
    "thresholds",
    "horizon",
    "mode",
    "seed",
    "arms",
    "differences",
    "over_agents",
    "no_over_agents",
    "command",
    "versions",
    "readings",
    "no_readings",
    "unfinished",
    "planning",
    "circuits",
]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Three seeds of a recipe; the cheese does nothing to the last, so some numbers are not defined."""
    folder = tmp_path_factory.mktemp("runs")
    runs = []
    for k, effect in enumerate((1.0, 1.0, 0.0)):
        spec = replace(SPEC, checkpoint=f"agent-seed{k}", sha256=str(k) * 64)
        runs.append(make_run(folder / spec.checkpoint, spec, dict.fromkeys(SITES, 0.3), seed=k, effect=effect))
    return compare(read_compared_runs(runs))


@pytest.fixture(scope="module")
def whole(compared: Comparison) -> Comparison:
    """The same with all parts that only some comparisons have."""
    rows = (Estimate(0.5, None, 0.7),)
    reading = Reading(CAUSAL, "blindness", "up to", "input", None, "input")
    sites = (ComparedProbedSite("input", 0, True, None, "input", 1),)
    readings = ComparedReadings(20, ("input",), sites, (ProbedCurves(*[rows] * 6),), ((reading,),), (reading,))
    loss = LossCurve("imitation", (1, 10, 100), (3.0, 2.0, 1.0), ((10, 10),))
    development = Development(None, (0, 10), ("imitation", "imitation"), (loss,), ("ppo",), "a rule")
    share = Share(0.5, None, 0.75)
    plan = ComparedPlan("cheese", 8, share, share, share, 5, "4", None, 12, None)
    planning = ComparedPlanning(("agent-seed0", "agent-seed1"), ((plan,), ()), "agent-seed1: not measured")
    none, facts = Estimate(None, None, None), SiteFacts("input", 0, (3, 64, 64), True, None, "input", 1)
    mean = MeanShared(1, rows[0], none, 0.25, None)
    site = SharedChannels(
        "input", 3, Common(Overlap((1, 2), 1, 0.5, 0.25, 0.75), rows[0]), Common(None, none), 1.0, None
    )
    arm = ComparedCircuit("agent-seed1", mean, (site,))
    circuits = ComparedCircuits("agent-seed0", 10, (facts,), 0.5, (arm,), "agent-seed2: not measured")
    parts: dict[str, Any] = {"readings": readings, "planning": planning, "development": development}
    parts["circuits"] = circuits
    return replace(compared, **parts, versions={"python": "3.11"})


def read(data: bytes) -> Comparison:
    return from_json(data, Comparison, "compare.json", "type `mazesteer compare` again")


def test_a_comparison_comes_back_as_it_was_written(compared: Comparison, whole: Comparison) -> None:
    for found in (compared, whole):
        assert read(to_json(found, indent=2)) == found
        assert to_json(read(to_json(found, indent=2)), indent=2) == to_json(found, indent=2)
    assert list(json.loads(to_json(compared))) == PARTS, "as readers of the file know it"
    assert list(json.loads(to_json(whole))) == [*PARTS, "development"]


def test_what_is_not_defined_is_null(compared: Comparison) -> None:
    """In the record too, so that a page needs to ask for one thing only."""
    unmoved = json.loads(to_json(compared))["arms"][2]["curve"]
    assert [point["blindness"] for point in unmoved] == [None] * len(SITES)
    assert [point.low for point in compared.arms[2].curve] == [None] * len(SITES)
    assert [point.difference for point in compared.differences[1].blindness] == [None] * len(SITES)
    assert compared.over_agents is None and compared.no_over_agents


def without(*path: str | int) -> Any:
    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        del data[path[-1]]

    return change


def with_one_more(*path: str | int) -> Any:
    def change(data: Any) -> None:
        for step in path:
            data = data[step]
        data["colour"] = "red"

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("thresholds"), "object missing required field `thresholds`"),
        (
            without("arms", 1, "boundary", "affine"),
            r"object missing required field `affine` - at `\$.arms\[1\].boundary`",
        ),
        (
            without("readings", "curves", 0, "cell"),
            r"object missing required field `cell` - at `\$.readings.curves\[0\]`",
        ),
        (with_one_more(), r"unknown field `\$.colour`"),
        (with_one_more("differences", 1, "blindness", 1), r"unknown field `\$.differences\[1\].blindness\[1\].colour`"),
        (with_one_more("development", "loss", 0), r"unknown field `\$.development.loss\[0\].colour`"),
    ],
)
def test_a_file_with_other_fields_is_refused_in_one_line_that_names_the_field(
    whole: Comparison, change: Any, said: str
) -> None:
    data = json.loads(to_json(whole))
    change(data)
    with pytest.raises(InputError, match=f"^compare.json: {said}.*; make it anew$"):
        from_plain(data, Comparison, Path("compare.json"), "make it anew")
