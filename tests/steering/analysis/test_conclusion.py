"""The sentences at the top of a report, with probes, planning and the control beside: made-up curves, no network."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steering.analysis import conclusion
from steering.analysis.conclusion import caveats, conclude_sweep, headline
from steering.analysis.readings import readings
from steering.analysis.summary import summarize
from steering.experiments.conditions import Key
from steering.experiments.outcome import Outcome
from steering.probes.summary import APART
from steering.records.planning import (
    GoalBehaviour,
    Located,
    PairBin,
    PlanningSettings,
    PlanningSummary,
    PlanReading,
    Share,
)
from steering.records.probes import (
    CellBoundary,
    DecodingBoundary,
    NextMoveBoundary,
    ProbeBoundaries,
    RepresentationalBoundary,
)
from steering.records.readings import CAUSAL, ControlDetours, ControlReadings, Reading
from steering.records.sweep import CheckpointId, SweepSummary
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row, Store
from tests.helpers.runs import outcome

SITES = ("input", "a", "b", "c", "d")
BLIND = {"input": 1.0, "a": 0.95, "b": 0.9, "c": 0.1, "d": 0.0}
SPEC = SweepSpec("agent", "a" * 64, tuple(range(64)), SITES, ("subtract", "random"), (1.0,))


def made(key: Key, tv: float, pull: float, noise: float) -> Outcome:
    """In a level where the cheese changes moves by ``tv`` and takes ``pull`` from the top right."""
    if key.condition == "no_cheese":
        return outcome(0.0, 0.6 - pull)
    if key.condition == "subtract":
        return outcome((1 - BLIND[key.site]) * tv * noise, 0.6 - pull)
    return outcome(tv * (noise if key.condition == "random" else 1.0), 0.6)


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> SweepSummary:
    """Return the summary of a sweep whose curve falls between b and c."""
    rng = np.random.default_rng(0)
    facts = [
        {
            "name": name,
            "trunk": True,
            "equivalence_class": name,
            "affine": name == "input",
            "depth": k,
            "receptive_field": None,
            "shape": [1],
        }
        for k, name in enumerate(SITES)
    ]
    with Store.open(tmp_path_factory.mktemp("answer")) as store:
        store.claim({"sites": facts})
        store.add_levels([(level, True, "", {}) for level in SPEC.levels])
        for level in SPEC.levels:
            tv, pull = rng.gamma(2.0), rng.uniform(0.1, 0.4)
            store.add([Row(key, key.site, made(key, tv, pull, rng.uniform(0.9, 1.1))) for key in SPEC.keys(level)])
        return summarize(store, SPEC)


def probes(
    move: tuple[Any, Any, Any],
    held: tuple[Any, Any, Any] = ("b", "a", "c"),
    apart: Any = None,
    rule: str | None = "r",
) -> ProbeBoundaries:
    """Return the probe results that a conclusion reads: ``(site, low, high)`` of next move and vectors."""
    half = (None, None, None)
    moves = {
        "cheese": NextMoveBoundary(*move, *half, rule),
        APART: NextMoveBoundary(apart, apart, apart, *half, rule),
    }
    cell = CellBoundary(*(None,) * 9, rule="r")
    site, low, high = held
    vectors = RepresentationalBoundary(site, None, low, high, None, None, None, rule)
    return ProbeBoundaries(DecodingBoundary(moves, cell), vectors)


def sentences(text: str) -> list[str]:
    return re.findall(r"[A-Z].*?[.](?= [A-Z]|$)", text)


def test_without_probes_nothing_is_said_of_next_moves(summary: SweepSummary) -> None:
    first, ends, change, controls, rule, planned = sentences(conclude_sweep(summary))
    assert caveats(summary) == [] and summary.boundary.site == "b"
    assert first == (
        "For agent, subtracting the cheese vector takes away 0.5 or more of the cheese's effect on the moves up to b "
        "(95% interval b only; 64 mazes)."
    )
    assert ends == "At c it no longer does (blindness 0.90 -> 0.10, below 0.5)."
    assert change == "The change-point of the curve is b (95% interval b only)."
    assert controls.startswith("Blindness of the controls there: random ")
    assert rule.startswith("That is no evidence of planning: reflex, which was taught to plan nothing, has")
    assert planned == "Planning was not measured (`mazesteer planning` does)."


def test_the_headline_is_one_short_sentence_whatever_was_found(summary: SweepSummary) -> None:
    assert headline(summary) == "Subtracting the cheese vector blinds agent up to b; at c it no longer does."
    found = summary.boundary
    nowhere = replace(summary, boundary=replace(found, site=None, next_site="input", low=None, high=None))
    everywhere = replace(summary, boundary=replace(found, site="d", next_site=None, high="d"))
    few = replace(summary, levels=replace(summary.levels, used=summary.levels.used[:3]))
    unasked = replace(summary, boundary=replace(found, rule=None))
    said = [headline(each) for each in (nowhere, everywhere, few, unasked)]
    assert "nowhere, not even at input" in said[0] and "at every site swept, up to d" in said[1]
    assert "seems to blind" in said[2] and "not settled" in said[2] and "nothing is said" in said[3]
    assert all(len(text.split()) <= 30 and text.count(". ") == 0 for text in said)


def test_probes_that_agree_have_a_sentence(summary: SweepSummary) -> None:
    found = probes(("c", "c", "d"), apart="d")
    *first, reads, other, half, _ = sentences(conclude_sweep(summary, found))
    assert first == sentences(conclude_sweep(summary))[:-1]
    assert reads.startswith("Probes of whole maps, which are short of frames, read the next move towards the cheese")
    assert reads.endswith("beyond pixels and surroundings from c (95% interval c to d).")
    assert other == "Where the corner asks for another move, they do so from d on."
    what = "At least half of the cheese's effect on the activations is as at the start"
    assert half == f"{what} up to b (95% interval a to c)."
    nowhere = conclude_sweep(summary, probes(("c", "c", "d")))
    assert "another move, they do so nowhere, so they may read the way to the corner." in nowhere
    assert "pixels and surroundings nowhere (95% interval nowhere)." in conclude_sweep(summary, probes((None,) * 3))


def control(*sites: str | None, sha256: str = "c" * 64, mode: str = "hard") -> ControlReadings:
    """Return a control whose trick ends at a site, with its interval."""
    place, low, high = sites
    what = "blindness (the part of the cheese's effect that subtraction takes away) reaches its threshold"
    row = Reading(CAUSAL, what, "up to", place, low, high)
    share = Share(0.05, 0.02, 0.08)
    detours = tuple(ControlDetours(goal, share, Share(0.9, 0.8, 0.95)) for goal in ("cheese", "corner"))
    return ControlReadings("f", CheckpointId("tame", sha256), 64, mode, (row,), detours)


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        (("b", "a", "b"), "no evidence of planning: tame, which was taught to plan nothing, is blinded up to b too ("),
        (("c", "b", "c"), "is blinded up to c too (95% interval b to c)."),
        (("d", "c", "d"), "That alone is no evidence of planning: tame, which was taught to plan nothing, is"),
        ((None, None, None), "is blinded nowhere (95% interval nowhere)."),
    ],
)  # fmt: skip
def test_what_the_control_has_too_is_no_evidence_of_planning(
    summary: SweepSummary, monkeypatch: pytest.MonkeyPatch, sites: tuple[str | None, ...], said: str
) -> None:
    monkeypatch.setattr(conclusion, "control_readings", lambda: control(*sites))
    assert said in conclude_sweep(summary)
    monkeypatch.setattr(conclusion, "control_readings", lambda: control(*sites, sha256=SPEC.sha256))
    assert "whatever is read of it is no evidence of planning" in conclude_sweep(summary)


def test_a_control_that_was_asked_on_other_levels_says_so(
    summary: SweepSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conclusion, "control_readings", lambda: control("c", "b", "c", mode="easy"))
    said = conclude_sweep(summary, None, planned(17))
    assert summary.mode == "hard" and said.count("tame (on levels of mode easy)") == said.count("tame") == 2


def planned(look_ahead: int | None) -> PlanningSummary:
    """Return readings of planning: detours followed to the corner, their effect gone from its place behind b."""
    share, none = Share(0.8, 0.7, 0.9), Share(None, None, None)
    bins = (PairBin(5, None, 40, 30, share, share, none, none, share, none, ()),)
    behaviour = GoalBehaviour("corner", bins, bins, 9, share, share, (), None, None, look_ahead)
    found = (PlanReading("departure", "b", "a", "b", 0.0), PlanReading("handoff", None, None, None, 1.0))
    part = Located("detour", "corner", 40, 30, 0, share, (), found, (), ())
    settings = PlanningSettings((), (1,), 8, 5, 0, "hard", 0)
    return PlanningSummary("f", CheckpointId("agent", "a" * 64), settings, (), (), (behaviour,), (part,))


def test_planning_is_told_beside_the_control(summary: SweepSummary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conclusion, "control_readings", lambda: control("b", "b", "b"))
    *_, follows, ahead, carried, mouse = sentences(conclude_sweep(summary, None, planned(17)))
    assert follows.startswith(
        "Of detours to the corner, agent follows 0.80 (0.70 to 0.90) and tame 0.05 (0.02 to 0.08)"
    )
    assert follows.endswith("of idle changes it is right in 0.80 (0.70 to 0.90).")
    assert ahead == "Up to 17 steps ahead it follows more detours than a reader that does not look ahead."
    assert carried == "On the way to the corner, far walls carry half of their effect up to b (95% interval a to b)."
    assert mouse == "The mouse's place carries more than they do nowhere."
    *_, last = sentences(conclude_sweep(summary, None, planned(None)))
    assert last.startswith("At no distance it follows more detours"), "where no detour is followed, none is traced"
    assert [len(readings(None, None, planned(ahead))) for ahead in (17, None)] == [2, 0], "nothing is traced there"


def test_vectors_that_change_elsewhere_are_named(summary: SweepSummary) -> None:
    found = probes(("c", "c", "c"), held=("d", "d", "d"))
    apart = "This interval and that of the boundary do not meet."
    assert f"at the start up to d (95% interval d only). {apart}" in conclude_sweep(summary, found)
    nowhere = conclude_sweep(summary, probes(("c", "c", "c"), (None,) * 3))
    assert f"at the start nowhere (95% interval nowhere). {apart}" in nowhere


def test_probes_of_other_sites_are_told_and_decide_nothing(summary: SweepSummary) -> None:
    found = probes(("elsewhere", "elsewhere", "elsewhere"))
    assert "from elsewhere (95% interval elsewhere only" in conclude_sweep(summary, found)
    unasked = probes(("elsewhere", "elsewhere", "elsewhere"), rule=None)
    assert conclude_sweep(summary, unasked) == conclude_sweep(summary)
