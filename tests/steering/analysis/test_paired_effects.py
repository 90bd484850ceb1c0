"""Paired effects of real sweeps: who is compared with whom, null sweeps, permuted labels, the conclusion's words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from statsmodels.stats.multitest import multipletests
from typer.testing import CliRunner

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import to_plain
from steering.analysis.comparison import agents_boundary
from steering.analysis.conclusion import caveats, conclude_sweep
from steering.analysis.paired_effects import effects
from steering.analysis.power import power_of_run
from steering.analysis.summary import summarize
from steering.cli.compare import commands
from steering.experiments.conditions import Key
from steering.experiments.exact import LevelEvaluator
from steering.experiments.outcome import OUTCOME_FIELDS, OUTCOMES, Outcome
from steering.interventions.edits import subtract
from steering.interventions.sites import enumerate_sites
from steering.interventions.vectors import SteeringVector, cheese_vector
from steering.records.boundary import ControlReading, ControlSummary
from steering.records.sites import site_facts
from steering.records.sweep import EffectRecord, LevelsUsed, SiteSummary, SweepSummary
from steering.reports.sweep_report import write_report
from steering.statistics import bootstrap, paired
from steering.statistics.boundary import Reach
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row, Store, run_directory
from steering.sweep.units import level_rows

# The smallest mazes that qualify.
LEVELS = (26, 54, 193, 208, 223, 238, 242, 277, 354, 355, 373, 376, 388, 425, 588, 683)
RES2, RES3 = "embedder.block2.res1.resadd", "embedder.block3.res1.resadd"
BRANCH = "embedder.block3.res1.conv1"
SITES = ("input", "embedder.block1.conv", RES2, BRANCH, RES3, "embedder.relu3")
DISTINCT = ["input", RES2, RES3, "embedder.relu3"]
SEED = 5
NOWHERE = Reach(None, None, None)

TESTED = tuple(column.name for column in OUTCOMES if column.tested_against)


def sweep(policy: MazePolicy, directory: Path, **options: Any) -> Path:
    """A run directory with the results of a spec."""
    spec = SweepSpec("region5", policy.sha256, seed=SEED, **options)
    with run_directory(directory), Store.open(directory) as store:
        store.claim(spec.shared())
        store.claim({"sites": site_facts(enumerate_sites(policy.net))})
        store.add_levels([(level, True, "", {}) for level in spec.levels])
        spec.save(directory)
        for level in spec.levels:
            store.add(*level_rows(policy, Maze.from_level(level), spec.keys(level), spec))
    return directory


def summary_of(directory: Path) -> SweepSummary:
    with Store.open(directory) as store:
        return summarize(store, SweepSpec.load(directory))


@pytest.fixture(scope="module")
def run(policy: MazePolicy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "run"
    return sweep(policy, directory, levels=LEVELS, sites=SITES, conditions=("subtract", "random"))


@pytest.fixture(scope="module")
def null_run(policy: MazePolicy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors times zero, at one site."""
    directory = tmp_path_factory.mktemp("runs") / "null"
    options: dict[str, Any] = {"sites": (RES2,), "conditions": ("subtract", "random"), "coefficients": (0.0,)}
    return sweep(policy, directory, levels=LEVELS[: bootstrap.FEWEST], **options)


def made_up(policy: MazePolicy, directory: Path, **options: Any) -> Path:
    """A run directory at three sites whose outcomes are drawn at random: no network is run."""
    spec = SweepSpec("region5", policy.sha256, seed=SEED, sites=("input", BRANCH, RES3), **options)
    rng = np.random.default_rng(0)
    with run_directory(directory), Store.open(directory) as store:
        store.claim(spec.shared())
        store.claim({"sites": site_facts(enumerate_sites(policy.net))})
        store.add_levels([(level, True, "", {}) for level in spec.levels])
        for key in (key for level in spec.levels for key in spec.keys(level)):
            drawn = dict(zip(OUTCOME_FIELDS, rng.random(len(OUTCOME_FIELDS)), strict=True))
            store.add([Row(key, key.site, Outcome(**drawn))])
        spec.save(directory)
    return directory


@pytest.fixture(scope="module")
def doubled_run(policy: MazePolicy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two coefficients, and all sites at once."""
    directory, conditions = tmp_path_factory.mktemp("runs") / "doubled", ("subtract", "all_sites")
    return made_up(policy, directory, levels=tuple(range(9)), conditions=conditions, coefficients=(1.0, 2.0))


@pytest.fixture(scope="module")
def table(run: Path) -> OutcomeTable:
    return OutcomeTable.open(run)


@pytest.fixture(scope="module")
def summary(run: Path) -> SweepSummary:
    return summary_of(run)


def family(records: Sequence[EffectRecord], condition: str, against: str, outcome: str) -> dict[str, EffectRecord]:
    kind = (condition, against, outcome)
    return {e.site: e for e in records if (e.condition, e.against, e.outcome) == kind}


def test_distinct_trunk_experiments_are_compared_once(summary: SweepSummary) -> None:
    """Twins of a random vector are experiments of their own; branch sites are not compared."""
    for outcome in TESTED:
        assert list(family(summary.effects, "subtract", "clean", outcome)) == DISTINCT
        assert list(family(summary.effects, "random", "clean", outcome)) == [site for site in SITES if site != BRANCH]
        assert list(family(summary.effects, "clean", "no_cheese", outcome)) == (
            [""] if outcome != "tv_no_cheese" else []
        )
    assert len(summary.effects) == (4 + 5) * (5 + 4) + 4


def test_all_sites_at_once_and_further_coefficients_are_families_of_their_own(doubled_run: Path) -> None:
    """Each with its own outcomes, and Holm's adjustment over no more than its own experiments."""
    summary, table = summary_of(doubled_run), OutcomeTable.open(doubled_run)
    labels = {"subtract": 1.0, "all_sites": 1.0, "subtract x2": 2.0, "all_sites x2": 2.0}
    assert list(dict.fromkeys(e.condition for e in summary.effects)) == ["clean", *labels]
    assert {label for site in summary.sites for label in site.conditions} == {"subtract", "subtract x2"}
    for label, coefficient in labels.items():
        condition = label.split()[0]
        sites = {"input": "input", RES3: RES3} if condition == "subtract" else {"all_sites": ""}
        for against in ("clean", "no_cheese"):
            found = family(summary.effects, label, against, "p_cheese_cell")
            assert list(found) == list(sites)
            for name, site in sites.items():
                difference = (
                    table.condition(condition, site, coefficient)["p_cheese_cell"]
                    - table.reference(against)["p_cheese_cell"]
                )
                assert found[name].mean == pytest.approx(difference.mean(), rel=1e-4, abs=1e-6)
            p_values = [record.p for record in found.values()]
            holm = multipletests(p_values, method="holm")[1]
            assert [record.p_holm for record in found.values()] == pytest.approx(list(holm), rel=1e-4)
    once, twice = (family(summary.effects, label, "clean", "tv_no_cheese") for label in ("all_sites", "all_sites x2"))
    assert once["all_sites"].mean != twice["all_sites"].mean
    assert (
        "P(cheese), all_sites x2 against clean: "
        in family(summary.effects, "all_sites x2", "clean", "p_cheese_cell")["all_sites"].words
    )


def test_the_report_lists_each_family_in_a_table_of_its_own(doubled_run: Path, tmp_path: Path) -> None:
    summary = summary_of(doubled_run)
    write_report(summary, tmp_path / "report.html")
    text, page = ((tmp_path / f"report.{end}").read_text() for end in ("md", "html"))
    sizes = {"clean": 4, "subtract": 2 * 9, "all_sites": 9, "subtract x2": 2 * 9, "all_sites x2": 9}
    for condition, size in sizes.items():
        assert f"<summary>{condition} ({size} comparisons)</summary>" in text
        assert f"<summary>{condition} ({size} comparisons)</summary>" in page
    assert text.count("(left alone)") == sizes["clean"], "all sites at once are no policy left alone"


@pytest.mark.parametrize("against", ["clean", "no_cheese"])
@pytest.mark.parametrize("outcome", TESTED[:4])
def test_effects_are_those_of_the_outcomes(
    table: OutcomeTable, summary: SweepSummary, against: str, outcome: str
) -> None:
    found = family(summary.effects, "subtract", against, outcome)
    for site, record in found.items():
        a, b = table.condition("subtract", site)[outcome], table.reference(against)[outcome]
        assert record.n == len(LEVELS) and record.mean == pytest.approx((a - b).mean(), rel=1e-4, abs=1e-6)
        assert record.low <= record.mean <= record.high
    p_values = [record.p for record in found.values()]
    holm = multipletests(p_values, method="holm")[1]
    assert [record.p_holm for record in found.values()] == pytest.approx(list(holm), rel=1e-4)


def test_the_trick_shows_where_it_works_and_not_where_it_does_not(summary: SweepSummary) -> None:
    against_clean = family(summary.effects, "subtract", "clean", "p_cheese_decision")
    against_none = family(summary.effects, "subtract", "no_cheese", "p_cheese_decision")
    for site in ("input", RES2):
        assert against_clean[site].p_holm < 0.01 and " lower by " in against_clean[site].words
    assert against_none["input"].zeros == len(LEVELS) and "no difference in any maze" in against_none["input"].words
    assert "higher by" in against_none["embedder.relu3"].words
    noise = family(summary.effects, "random", "clean", "p_cheese_decision")
    assert all("no clear difference" in record.words for record in noise.values())
    assert "higher by" in family(summary.effects, "clean", "no_cheese", "p_cheese_cell")[""].words


def test_a_sweep_of_vectors_without_length_finds_nothing(policy: MazePolicy, null_run: Path) -> None:
    null = summary_of(null_run)
    compared = [e for e in null.effects if e.against == "clean"]
    assert len(compared) == 2 * 5
    for e in compared:
        assert (e.mean, e.low, e.high, e.p, e.p_holm, e.improvement) == (0.0, 0.0, 0.0, 1.0, 1.0, 0.5)
    for site in null.sites:
        row = site.conditions["subtract"]
        assert row.blindness == row.blindness_low == row.blindness_high == 0.0
    assert null.boundary.site is null.boundary.high is None and "works nowhere" in conclude_sweep(null)
    maze = Maze.from_level(LEVELS[0])
    nothing = SteeringVector(RES2, torch.zeros_like(cheese_vector(policy, maze, RES2).tensor), "{}")
    evaluator = LevelEvaluator(policy, maze)
    assert nothing.norm == 0 and evaluator.outcomes([subtract(nothing)]) == [evaluator.clean_outcome()]


def renamed(table: OutcomeTable, signs: np.ndarray) -> OutcomeTable:
    """A negative sign means that subtraction did the opposite: each of its outcomes is mirrored at the clean one."""
    flipped = {level for level, sign in zip(table.levels, signs, strict=True) if sign < 0}
    outcomes = dict(table.outcomes)
    for key, outcome in table.outcomes.items():
        if key.condition == "subtract" and key.level in flipped:
            clean = vars(table.outcomes[Key(key.level, "clean")])
            outcomes[key] = Outcome(**{name: 2 * clean[name] - value for name, value in vars(outcome).items()})
    return replace(table, outcomes=outcomes)


@pytest.mark.parametrize("outcome", ["p_cheese_cell", "p_cheese_decision", "tv_no_cheese"])
def test_permuted_labels_are_called_an_effect_no_more_often_than_said(table: OutcomeTable, outcome: str) -> None:
    """Clean and edited change names in half of the mazes, drawn anew each time: any p of the family up to .05.

    Now and then the whole of :func:`effects` is asked, about a table with the names changed.
    """
    rng, repetitions = np.random.default_rng(0), 400
    difference = (
        np.array([table.condition("subtract", s)[outcome] for s in DISTINCT]) - table.reference("clean")[outcome]
    )
    difference[np.abs(difference) <= bootstrap.TIE] = 0.0
    errors = 0
    for repetition in range(repetitions):
        signs = rng.choice([-1.0, 1.0], size=len(LEVELS))
        found = paired.holm([paired.signed_rank(signs * row) for row in difference])
        if not repetition % 200:
            asked = effects(renamed(table, signs))
            records = family(asked, "subtract", "clean", outcome)
            assert [records[site].p_holm for site in DISTINCT] == pytest.approx(found, rel=1e-5)
        errors += min(p for p in found if p is not None) <= 0.05
    assert errors / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


def sentences(text: str) -> int:
    return len(re.findall(r"[.](?= [A-Z]|$)", text))


def test_a_conclusion_that_the_numbers_support(summary: SweepSummary) -> None:
    text = conclude_sweep(summary)
    assert caveats(summary) == [] and sentences(text) == 6
    assert text.startswith(
        "For region5, subtracting the cheese vector takes away 0.5 or more of the cheese's effect on the moves up to "
        + RES2
    )
    assert "change-point" in text and "do not settle" not in text
    assert "evidence of planning: reflex, which was taught to plan nothing" in text
    assert "(blindness " in text and ", below 0.5" in text
    row = next(site for site in summary.sites if site.name == RES2).conditions["random"]
    ends = [f"{end:.2f}" for end in (row.blindness, row.blindness_low, row.blindness_high)]
    assert f" Blindness of the controls there: random {ends[0]} ({ends[1]} to {ends[2]}). " in text


def test_controls_are_asked_where_the_boundary_lies(summary: SweepSummary) -> None:
    """Noise leaves the level's cheese in the picture, so it never blinds at the input: what counts is deeper."""
    part = summary.boundary.controls["random"]
    rows = {site.name: site.conditions["random"].blindness for site in summary.sites if site.trunk}
    assert part.there.site == RES2 and part.there.blindness == rows[RES2]
    assert part.most.blindness == max(rows[name] for name in (RES2, RES3, "embedder.relu3"))
    assert part.reach.site is part.change.site is None
    assert set(to_plain(part.most)) == {"site", "blindness", "low", "high"}


def test_conclusions_that_the_numbers_do_not_support(summary: SweepSummary) -> None:
    def said(change: dict[str, Any], **more: Any) -> str:
        other = replace(summary, boundary=replace(summary.boundary, **change), **more)
        reasons = caveats(other)
        assert len(reasons) == 1
        assert f"stops. {reasons[0][0].upper()}{reasons[0][1:]}." in conclude_sweep(other)
        assert "do not settle where subtraction stops" in conclude_sweep(other) and conclude_sweep(other).startswith(
            "For region5, "
        )
        return reasons[0]

    def controls(name: str, there: ControlReading) -> dict[str, Any]:
        return {"controls": {name: ControlSummary(there, None, NOWHERE, NOWHERE)}}

    assert "5 mazes are too few" in said({}, levels=LevelsUsed((1, 2, 3, 4, 5), ()))
    assert "covers 3 of 4 distinct experiments" in said({"low": "input", "high": "embedder.relu3"})
    assert "covers 3 of 4" in said({"low": None, "high": RES3})
    there = ControlReading(RES2, 0.6, 0.4, 0.8)
    assert "control random blinds there too (0.60 (0.40 to 0.80))" in said(controls("random", there))
    there = replace(there, blindness=0.3, high=0.5)
    assert "control random may blind there too" in said(controls("random", there))
    assert "no control was swept (random, add, other_level)" in said({"controls": {}})
    assert "no control was swept" in said(controls("same_cell", there))
    assert "change-point lies elsewhere" in said({"change_low": RES3, "change_high": RES3})
    assert "free" in said({"affine": True})
    alone = Reach(RES3, RES2, RES3)
    assert f"competence sets the boundary, not blindness, which holds up to {RES3}" in said({"blindness_alone": alone})
    for low, high in ((-0.1, 0.1), (1e-5, 1e-4), (-0.3, -0.1)):
        effects = tuple(replace(e, low=low, high=high) if e.condition == "clean" else e for e in summary.effects)
        assert "the cheese hardly draws the agent" in said({}, effects=effects)


def test_the_same_vector_from_another_level_may_blind_too(summary: SweepSummary) -> None:
    """`same_cell` is the trick itself with another level's vector: as deep is no reason to doubt."""
    there = ControlSummary(ControlReading(RES2, 0.9, 0.8, 0.95), None, NOWHERE, NOWHERE)
    controls = summary.boundary.controls | {"same_cell": there}
    other = replace(summary, boundary=replace(summary.boundary, controls=controls))
    assert caveats(other) == [] and "same_cell 0.90 (0.80 to 0.95)" in conclude_sweep(other)


def test_the_answer_names_the_threshold_that_fails(summary: SweepSummary) -> None:
    def failing(site: SiteSummary) -> SiteSummary:
        row = replace(site.conditions["subtract"], blindness=0.7, competence=0.6)
        return replace(site, conditions=site.conditions | {"subtract": row}) if site.name == RES3 else site

    other = replace(summary, sites=tuple(failing(site) for site in summary.sites))
    assert f"At {RES3} it no longer does (competence " in conclude_sweep(
        other
    ) and "-> 0.60, below 0.8)" in conclude_sweep(other)
    assert "blindness 0" not in conclude_sweep(other).split("Blindness")[0]


def test_the_boundary_over_several_runs(run: Path, null_run: Path, summary: SweepSummary, tmp_path: Path) -> None:
    found = agents_boundary([run, run])
    assert (found.site, found.low, found.high) == tuple(
        getattr(summary.boundary, key) for key in ("site", "low", "high")
    )
    with pytest.raises(InputError, match="same sites"):
        agents_boundary([run, null_run])
    with pytest.raises(InputError, match="spec.json"):
        agents_boundary([run, tmp_path / "nowhere"])


def test_power_of_a_run(run: Path) -> None:
    """The sites asked about by default follow from the thresholds of the run's own sweep command."""
    with Store.open(run) as store:
        store.describe("thresholds", {"blindness": 0.95, "competence": 0.8})
        summary = summarize(store, SweepSpec.load(run), blindness=0.95)
        assert summary.boundary.site != summarize(store, SweepSpec.load(run)).boundary.site
    done = CliRunner().invoke(commands, ["power", str(run), "--width", "0.2", "--json"])
    assert done.exit_code == 0, done.output
    records = json.loads(done.stdout)
    assert [record["site"] for record in records] == [summary.boundary.site, summary.boundary.next_site]
    rows = {site.name: site.conditions["subtract"] for site in summary.sites}
    for record in records:
        assert record["pilot"] == len(LEVELS) and record["levels"] > 0
        for key in ("blindness", "blindness_low", "blindness_high"):
            assert record[key] == getattr(rows[record["site"]], key)
    text = CliRunner().invoke(commands, ["power", str(run), "--width", "0.2", "--site", RES3]).stdout
    assert RES3 in text and str(power_of_run(run, 0.2, RES3)[0].levels) in text and str(run) in text
    with pytest.raises(InputError, match="was not swept"):
        power_of_run(run, 0.2, "embedder.block2.res2.resadd")
