"""The two sentences at the top of a report, when probes stand beside the sweep: made-up curves, no network."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from steering.analysis.conclusion import caveats, conclude_sweep
from steering.analysis.summary import summarize
from steering.experiments.conditions import Key
from steering.experiments.outcome import Outcome
from steering.probes.summary import APART
from steering.records.probes import (
    CellBoundary,
    DecodingBoundary,
    NextMoveBoundary,
    ProbeBoundaries,
    RepresentationalBoundary,
)
from steering.records.sweep import SweepSummary
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
    first, second = sentences(conclude_sweep(summary))
    assert caveats(summary) == [] and summary.boundary.site == "b"
    assert first.startswith(
        "For agent subtracting the cheese vector takes away 0.5 or more of the cheese's effect on the moves up to b "
        "(95% interval b only"
    )
    assert "64 mazes; change-point of the curve b, b only; blindness of the controls there: random" in first
    assert "; no longer at c (blindness 0.90 -> 0.10, below 0.5)" in first
    assert "was not asked (`mazesteer probe` does)" in second


def test_probes_that_agree_are_the_second_sentence(summary: SweepSummary) -> None:
    found = probes(("c", "c", "d"), apart="d")
    first, second = sentences(conclude_sweep(summary, found))
    assert caveats(summary, found) == [] and first == sentences(conclude_sweep(summary))[0]
    assert second.startswith("Asked independently, the next move towards the cheese can be read beyond")
    assert "pixels and surroundings from c on" in second
    assert "(95% interval c to d; where the corner asks for another move" in second
    assert "another move, from d on)" in second
    half = "at least half of the cheese's effect on the activations is what it is at the start"
    assert second.endswith(f"; {half} up to b (95% interval a to c).")
    nowhere = conclude_sweep(summary, probes(("c", "c", "d")))
    assert "another move, nowhere, so it may be the way to the corner that is read)" in nowhere


def test_vectors_that_change_elsewhere_are_named(summary: SweepSummary) -> None:
    found = probes(("c", "c", "c"), held=("d", "d", "d"))
    assert caveats(summary, found) == []
    assert "up to d (95% interval d only, which does not meet the boundary)" in conclude_sweep(summary, found)
    assert "at the start nowhere (95% interval nowhere, which" in conclude_sweep(
        summary, probes(("c", "c", "c"), (None,) * 3)
    )


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        ((None, None, None), "can be read beyond pixels and surroundings at no site"),
        (("a", "a", "a"), "comes in elsewhere (from a on, 95% interval a only)"),
        (("d", "d", None), "comes in elsewhere (from d on, 95% interval d to nowhere)"),
    ],
)
def test_next_moves_elsewhere_or_nowhere_support_no_conclusion(
    summary: SweepSummary, move: tuple[Any, Any, Any], reason: str
) -> None:
    found = probes(move)
    assert len(caveats(summary, found)) == 1 and reason in caveats(summary, found)[0]
    _, second = sentences(conclude_sweep(summary, found))
    assert (
        second.startswith("These numbers do not support a conclusion about where planning begins") and reason in second
    )


def test_probes_of_other_sites_are_told_and_decide_nothing(summary: SweepSummary) -> None:
    found = probes(("elsewhere", "elsewhere", "elsewhere"))
    assert caveats(summary, found) == [] and "from elsewhere on" in conclude_sweep(summary, found)
    unasked = probes(("elsewhere", "elsewhere", "elsewhere"), rule=None)
    assert conclude_sweep(summary, unasked) == conclude_sweep(summary)
