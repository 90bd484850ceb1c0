"""Comparing runs: paired by maze, refused where it means nothing, told with its caveats and settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.errors import InputError
from envs.stored.json_records import to_plain
from steering.analysis.compared_runs import ComparedRun, find_runs, read_compared_runs
from steering.analysis.comparison import compare
from steering.analysis.summary import summarize
from steering.experiments.conditions import Key
from steering.experiments.outcome import COMPARED
from steering.records.comparison import BlindnessDifference
from steering.reports.comparison_report import run_compare
from steering.reports.first_screen import FEW_RUNS, conclude_comparison
from steering.statistics import bootstrap
from steering.statistics.boundary import Reach, ThresholdPair
from steering.sweep.artifacts import INDEX
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from tests.helpers.browser import chromium, looked_at
from tests.helpers.runs import FACTS, LEVELS, SITES, SPEC, make_run

DISTINCT = 8  # sites of a simulated study


def study(n: int, rng: np.random.Generator, more: float = 1.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """(distances edited ``[s, n]``, left alone ``[n]``) of two agents in ``n`` mazes, with the same true blindness
    everywhere but at site 4, where the second has ``more`` left. A few mazes hold most of the sum, and mazes that are
    easy for one agent are for the other."""
    clean, ease = 0.3 * rng.beta(0.35, 1.8, size=n), rng.gamma(4.0, 1 / 4, size=n)
    agents = []
    for _ in range(2):
        own = clean * rng.gamma(8.0, 1 / 8, size=n)
        left = np.linspace(0.05, 0.9, DISTINCT)[:, None] * ease * rng.gamma(4.0, 1 / 4, size=(DISTINCT, n))
        agents.append((left * own, own))
    agents[1][0][4] *= more
    return agents


def intervals(n: int, rng: np.random.Generator, more: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weights = bootstrap.counts(bootstrap.resamples(n, rng, draws=400))
    first, second = study(n, rng, more)
    return bootstrap.difference_intervals(first, second, weights, range(DISTINCT))


@pytest.mark.parametrize(("n", "repetitions", "widest"), [(32, 300, 4.5), (200, 150, 3.5)])
def test_agents_alike_are_seldom_said_to_differ(n: int, repetitions: int, widest: float) -> None:
    """At each site the interval, and over all of them the band, leaves 0 out in 5% of the studies or less. They are
    not that wide by far more than needed: in standard deviations of what is estimated, 1.96 and 2.73 would do if all
    was normal and the sites independent."""
    rng = np.random.default_rng(3)
    found = np.array([intervals(n, rng) for _ in range(repetitions)])
    difference, one, band = found[:, 0], found[:, 1], found[:, 2]
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)
    missed = np.abs(difference) > one
    assert missed.mean(axis=0).max() <= most and missed.mean() > 0.01
    assert (np.abs(difference) > band).any(axis=1).mean() <= most
    assert missed.any(axis=1).mean() > 0.15, "counting sites by their own intervals would do as well"
    sd = difference.std(axis=0)
    assert (one.mean(axis=0) / sd).max() < 2.8 and (band.mean(axis=0) / sd).max() < widest


def test_a_difference_that_is_there_is_found_where_it_is() -> None:
    rng = np.random.default_rng(4)
    found = np.array([intervals(200, rng, more=2.0) for _ in range(60)])
    clear = np.abs(found[:, 0]) > found[:, 2]
    assert clear[:, 4].mean() > 0.9 and np.delete(clear, 4, axis=1).any(axis=1).mean() <= 0.05 + 3 * 0.0281
    assert (found[:, 0, 4] < 0).all(), "more is left, so less blind"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(n=st.integers(6, 40), mazes=st.integers(0, 5), seed=st.integers(0, 10_000))
def test_few_mazes_that_differ_give_no_absurd_width(n: int, mazes: int, seed: int) -> None:
    """Studentized alone, a width would have no bound: resamples without these mazes have no spread."""
    rng = np.random.default_rng(seed)
    edited, clean = rng.random((3, n)), rng.beta(0.3, 2.0, size=n) + 1e-3
    other = edited * clean
    other[:, :mazes] *= rng.random((3, mazes))
    weights = bootstrap.counts(bootstrap.resamples(n, rng, draws=200))
    first, second = (edited * clean, clean), (other, clean)
    difference, one, band = bootstrap.difference_intervals(first, second, weights, [0, 2])
    draws = bootstrap.blindness(other, clean, weights) - bootstrap.blindness(edited * clean, clean, weights)
    away = np.abs(draws - difference[:, None])
    assert (one <= np.quantile(away, 0.95, axis=1) / bootstrap.FLOOR + 2 * bootstrap.TIE).all()
    assert (one <= away.max(axis=1) / bootstrap.FLOOR + 2 * bootstrap.TIE).all() and (
        one[[0, 2]] <= band[[0, 2]] + 1e-12
    ).all()
    assert mazes or not (difference.any() or one.any() or band.any())
    back = bootstrap.difference_intervals(second, first, weights, [0, 2])
    np.testing.assert_allclose(back, [-difference, one, band], atol=1e-9)


def test_where_the_cheese_changes_nothing_no_difference_is_defined() -> None:
    nothing, weights = (
        (np.zeros((2, 8)), np.zeros(8)),
        bootstrap.counts(bootstrap.resamples(8, np.random.default_rng(0))),
    )
    first, _ = study(8, np.random.default_rng(0))
    difference, *_ = bootstrap.difference_intervals((first[0][:2], first[1]), nothing, weights, [0, 1])
    assert np.isnan(difference).all()


def test_a_difference_that_is_the_same_in_every_maze_has_no_width(tmp_path: Path) -> None:
    """Unpaired, the mazes' own spread would drown it."""
    a = make_run(tmp_path / "a", SPEC, {"input": 0.0, "embedder.relu3": 0.3})
    b = make_run(
        tmp_path / "b", replace(SPEC, checkpoint="agent-seed1", sha256="b" * 64), {"input": 0.0, "embedder.relu3": 0.7}
    )
    data = compare(read_compared_runs([a, b]))
    (row,) = data.differences
    first, last = row.blindness
    assert {first.difference, first.low, first.high, first.band_low, first.band_high} == {0.0}
    assert first.larger == 0.5
    assert last.difference == pytest.approx(-0.4) and last.larger == 0.0
    for end in ("low", "high", "band_low", "band_high"):
        assert getattr(last, end) == pytest.approx(-0.4)
    assert (
        "Blindness of agent-seed1 and agent differs clearly at 1 of 2 distinct sites (simultaneous 95% band over the "
        "sites). Most at relu3: 0.4 less blindness in agent-seed1 (band -0.4 to -0.4)."
    ) in conclude_comparison(data)
    assert [run.boundary.site for run in data.arms] == ["embedder.relu3", "input"]
    effect = row.effects["p_cheese, clean"]
    assert effect.n == effect.zeros == len(LEVELS) and effect.p == 1.0
    assert data.over_agents is not None and data.over_agents.site in SITES
    assert compare(read_compared_runs([a, b])) == data
    other = make_run(tmp_path / "c", replace(SPEC, checkpoint="other", sha256="c" * 64), dict.fromkeys(SITES, 0.1))
    assert compare(read_compared_runs([a, other])).over_agents is None, "two recipes are no sample of one"


def test_only_mazes_and_sites_that_all_have_count(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", SPEC, {"input": 0.0, "embedder.relu3": 0.3})
    fewer = replace(SPEC, checkpoint="other", sha256="b" * 64, levels=LEVELS[5:17], sites=SITES[1:])
    b = make_run(tmp_path / "b", fewer, {"embedder.relu3": 0.3})
    data = compare(read_compared_runs([a, b]))
    assert data.levels == LEVELS[5:17] and data.sites == ("embedder.relu3",)
    assert "So few mazes give no reliable intervals of boundaries (at least 16 do)." in conclude_comparison(data)


def test_levels_count_that_have_what_is_compared(tmp_path: Path) -> None:
    """The second run has a control that is finished nowhere, the third has no trunk site."""
    share = {"input": 0.0, "embedder.relu3": 0.3}
    a = make_run(tmp_path / "a", SPEC, share)
    more = replace(SPEC, checkpoint="other", sha256="b" * 64, conditions=("subtract", "random"))
    b = make_run(tmp_path / "b", more, share)
    with pytest.raises(InputError, match="no level is finished"):
        OutcomeTable.open(b)
    assert compare(read_compared_runs([a, b])).levels == LEVELS
    c = make_run(tmp_path / "c", replace(SPEC, sites=("embedder.relu2",)), {"embedder.relu2": 0.0})
    with pytest.raises(InputError, match="no trunk site was swept; nothing to compare"):
        read_compared_runs([a, c])


def test_rounding_is_no_difference(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", SPEC, {"input": 1e-8, "embedder.relu3": 0.3})
    b = make_run(
        tmp_path / "b", replace(SPEC, checkpoint="b", sha256="b" * 64), {"input": 3e-8, "embedder.relu3": 0.3 + 1e-7}
    )
    data = compare(read_compared_runs([a, b]))
    for point in data.differences[0].blindness:
        assert point == BlindnessDifference(point.site, 0.0, 0.0, 0.0, 0.0, 0.0, larger=0.5)
    assert conclude_comparison(data).endswith(
        " Blindness of b and agent differs clearly at none of 2 distinct sites (simultaneous 95% band over the sites)."
    )


def test_the_runs_own_thresholds_are_taken_if_they_agree(tmp_path: Path) -> None:
    share = {"input": 0.0, "embedder.relu3": 0.3}
    a = make_run(tmp_path / "a", SPEC, share)
    b = make_run(tmp_path / "b", replace(SPEC, checkpoint="other", sha256="b" * 64), share)
    for run in (a, b):
        with Store.open(run) as store:
            store.describe("thresholds", {"blindness": 0.75, "competence": 0.8})
    data = compare(read_compared_runs([a, b]))
    assert data.thresholds == ThresholdPair(0.75, 0.8)
    assert data.arms[0].boundary.site == "input"
    assert compare(read_compared_runs([a, b]), blindness=0.5).arms[0].boundary.site == "embedder.relu3"
    with Store.open(b) as store:
        store.describe("thresholds", {"blindness": 0.5, "competence": 0.8})
    with pytest.raises(InputError, match=r"blindness thresholds differ \(0.5, 0.75\); say --blindness-threshold"):
        compare(read_compared_runs([a, b]))
    assert compare(read_compared_runs([a, b]), blindness=0.6).thresholds.blindness == 0.6
    with pytest.raises(InputError, match="threshold nan: give -10 to 10"):
        compare(read_compared_runs([a, b]), blindness=float("nan"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"horizon": 100}, "horizon 256.*100"),
        ({"levels": LEVELS[:3]}, "share 3 finished levels"),
        ({"levels": tuple(range(100, 120))}, "share 0 finished levels"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    share = dict.fromkeys(SITES, 0.3)
    a = make_run(tmp_path / "a", SPEC, share)
    b = make_run(tmp_path / "b", replace(SPEC, checkpoint="other", sha256="b" * 64, **change), share)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=words):
        compare(read_compared_runs([a, b]))


def test_one_run_is_compared_with_itself_under_other_coefficients_or_refused(tmp_path: Path) -> None:
    share = {"input": 0.0, "embedder.relu3": 0.2}
    arms = read_compared_runs([make_run(tmp_path / "a", replace(SPEC, coefficients=(1.0, 3.0)), share)])
    assert [arm.name for arm in arms] == ["agent x1", "agent x3"]
    (row,) = compare(arms).differences
    assert row.blindness[1].difference == pytest.approx(-0.4)
    assert list(row.effects) == [f"{o}, subtract at embedder.relu3" for o in COMPARED], "left alone they are one"
    with pytest.raises(InputError, match="nothing to be compared with"):
        read_compared_runs([make_run(tmp_path / "b", SPEC, share)])
    with pytest.raises(InputError, match="no sweep there"):
        find_runs([tmp_path])


# -- what is said of a comparison --------------------------------------------------------------------


def two_arms(tmp_path: Path) -> list[ComparedRun]:
    """Two different agents, both blinded at both sites."""
    share = {"input": 0.0, "embedder.relu3": 0.3}
    a = make_run(tmp_path / "a", SPEC, share)
    return read_compared_runs([a, make_run(tmp_path / "b", replace(SPEC, checkpoint="other", sha256="b" * 64), share)])


def changed(arm: ComparedRun, by: Callable[[Key], dict[str, float]]) -> ComparedRun:
    """The same, but that ``by`` gives other outcomes."""
    outcomes = {key: replace(outcome, **by(key)) for key, outcome in arm.table.outcomes.items()}
    return replace(arm, table=replace(arm.table, outcomes=outcomes))


def broken(arm: ComparedRun, *sites: str) -> ComparedRun:
    """The same, but that subtraction at ``sites`` keeps the agent from the top right."""
    return changed(arm, lambda key: {"p_region_first": 0.1} if key.site in sites else {})


def test_a_boundary_that_is_free_is_said_to_be(tmp_path: Path) -> None:
    arms = two_arms(tmp_path)
    assert "(95% interval relu3 only)." in conclude_comparison(compare(arms)), "nothing to say against that"
    facts = {name: replace(fact, affine=True) for name, fact in arms[1].table.facts.items()}
    free = replace(arms[1], table=replace(arms[1].table, facts=facts))
    data = compare([arms[0], free])
    assert (
        "That of other is relu3 (95% interval relu3 only). Caveat: free (affine in the pixels)."
        in conclude_comparison(data)
    )
    assert conclude_comparison(data).count("free") == 1 and [run.boundary.affine for run in data.arms] == [
        False,
        True,
    ]


def test_a_boundary_that_competence_sets_is_said_to_be(tmp_path: Path) -> None:
    arms = two_arms(tmp_path)
    data = compare([broken(arms[0], "embedder.relu3"), broken(arms[1], *SITES)])
    note = "competence sets it; blindness alone holds up to relu3"
    assert f"the boundary of agent is input (95% interval input only). Caveat: {note}." in conclude_comparison(data)
    assert f"That of other is nowhere (95% interval nowhere). Caveat: {note}." in conclude_comparison(data)
    assert data.arms[0].boundary.blindness_alone == Reach(*["embedder.relu3"] * 3)


def test_an_agent_that_has_no_use_for_the_cheese_is_said_to_have_none(tmp_path: Path) -> None:
    """Its blindness is a share of nearly nothing, however it looks."""
    arms = two_arms(tmp_path)
    same = changed(arms[1], lambda key: {"p_cheese_cell": 0.5} if key.condition == "clean" else {})
    text = conclude_comparison(compare([arms[0], same]))
    assert "boundary of agent is relu3 (95% interval relu3 only)." in text
    assert "of other is relu3 (95% interval relu3 only). Caveat: the cheese hardly draws the agent" in text


def test_distances_that_are_rounding_make_no_difference(tmp_path: Path) -> None:
    """An untrained agent has small distances only, and what rounding leaves of them at a free site is a share."""
    arms = two_arms(tmp_path)

    def distance(key: Key, agent: int) -> dict[str, float]:
        left = {"": 1e-4, "input": agent * 1e-8 * (key.level + 1)}.get(key.site, 5e-5)
        return {} if key.condition == "no_cheese" else {"tv_no_cheese": left}

    data = compare([changed(arm, partial(distance, agent=k)) for k, arm in enumerate(arms)])
    assert [point.difference for point in data.differences[0].blindness] == [0.0, 0.0]
    assert "differs clearly at none of" in conclude_comparison(data)


@pytest.mark.parametrize(("effect", "blindness"), [(1e-7, [None, None]), (2e-6, [1.0, None]), (1.0, [0.9, 0.5])])
def test_report_and_comparison_say_the_same_of_an_agent_that_the_cheese_hardly_moves(
    tmp_path: Path, effect: float, blindness: list[float | None]
) -> None:
    """Untrained, its distances are about 1e-7, and what rounding leaves of them is no share of anything."""
    share = {"input": 0.1, "embedder.relu3": 0.5}
    specs = [SPEC, replace(SPEC, checkpoint="other", sha256="b" * 64)]
    runs = [make_run(tmp_path / s.checkpoint, s, share, seed=k, effect=effect) for k, s in enumerate(specs)]
    for run, compared in zip(runs, compare(read_compared_runs(runs)).arms, strict=True):
        with Store.open(run) as store:
            sites = to_plain(summarize(store, SweepSpec.load(run)))["sites"]
        reported = [site["conditions"]["subtract"]["blindness"] for site in sites]
        assert [point.blindness for point in compared.curve] == reported
        known = [(found, least) for found, least in zip(reported, blindness, strict=True) if least is not None]
        assert all(found == pytest.approx(least) for found, least in known)
        assert effect > 1e-7 or reported == blindness


def test_the_boundary_over_agents_has_the_same_caveats(tmp_path: Path) -> None:
    arms = two_arms(tmp_path)
    seeds = [replace(arm, spec=replace(arm.spec, checkpoint=f"agent-seed{k}")) for k, arm in enumerate(arms)]
    over = compare([broken(arm, "embedder.relu3") for arm in seeds]).over_agents
    assert over is not None
    assert (over.site, over.affine, over.blindness_alone.site) == ("input", False, "embedder.relu3")
    alike = compare(seeds).over_agents
    assert alike is not None
    assert alike.blindness_alone == Reach(alike.site, alike.low, alike.high), "of the same draws"


def test_the_page_holds_what_is_needed_to_make_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [arm.directory for arm in two_arms(tmp_path)]
    sweeps = ["mazesteer layer-sweep --out 'first run'", "mazesteer layer-sweep --out second"]
    for run, command in zip(runs, sweeps, strict=True):
        with Store.open(run) as store:
            store.describe("command", command)
            store.describe("versions", [{"torch": "1.2.3"}, {"torch": "1.2.4"}])
    monkeypatch.setattr("sys.argv", ["mazesteer", "compare", "a b", "--seed", "3"])
    data = run_compare(runs, tmp_path / "out", seed=3)
    assert (data.horizon, data.mode, data.command) == (256, "hard", "mazesteer compare 'a b' --seed 3")
    assert [run.command for run in data.arms] == sweeps
    text = (tmp_path / "out" / "compare.md").read_text()
    section = text[text.index("## Methods and settings") :]
    for known in (
        "Horizon 256 moves; mode hard.",
        f"agent: sha256 {'a' * 64}; coefficient 1; seed 0; vectors taken: start.",
        f"other: sha256 {'b' * 64}; ",
        "Command of this comparison: `mazesteer compare 'a b' --seed 3`",
        f"Command of agent: `{sweeps[0]}`",
        f"Command of other: `{sweeps[1]}`",
        "Versions of this comparison: python ",
        "Versions of all runs: torch 1.2.3; also torch 1.2.4.",
    ):
        assert known in section
    page = (tmp_path / "out" / "compare.html").read_text()
    assert (
        "Methods and settings</h2>" in page and "b" * 64 in page and "<code>mazesteer layer-sweep --out second" in page
    )
    with chromium() as browser:
        looked_at(browser, tmp_path / "out" / "compare.html", "compare-curves", "compare-differences")


def test_the_table_of_boundaries_has_the_caveats(tmp_path: Path) -> None:
    arms = two_arms(tmp_path)
    with Store.open(arms[0].directory) as store:
        store.describe("sites", [{**fact, "affine": True} for fact in FACTS])
    run_compare([arm.directory for arm in arms], tmp_path / "out", seed=0)
    text = (tmp_path / "out" / "compare.md").read_text()
    rows = [line for line in text.split("## Site by site")[0].splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[3].strip(" |") for row in rows] == ["caveat", "free (affine in the pixels)", ""]


@pytest.mark.parametrize("arms", [2, FEW_RUNS + 1])
def test_the_markdown_twin_has_the_curves_in_numbers(tmp_path: Path, arms: int) -> None:
    share = {"input": 0.0, "embedder.relu3": 0.3}
    runs = [
        make_run(tmp_path / str(k), replace(SPEC, checkpoint=f"a{k}", sha256=str(k) * 64), share) for k in range(arms)
    ]
    data = run_compare(runs, tmp_path / "out", seed=0)
    text = (tmp_path / "out" / "compare.md").read_text()
    rows = [line for line in text.split("## Site by site")[1].split("## ")[0].splitlines() if line.startswith("| ")]
    assert rows[0].count(" a") == arms and len(rows) == 1 + len(SITES)
    point = data.arms[0].curve[1]
    whole = f"{point.blindness:.3f} ({point.low:.3f} to {point.high:.3f}); {point.competence:.3f}"
    shown = whole if arms <= FEW_RUNS else f"{point.blindness:.3f}"
    assert rows[2] == f"| relu3 {f'| {shown} ' * arms}|"


def test_what_is_missing_of_a_sweep_of_several_is_named(tmp_path: Path) -> None:
    """It was stopped: two of three checkpoints are swept."""
    arms = two_arms(tmp_path)
    runs = [{"name": arm.name, "directory": arm.directory.name} for arm in arms]
    (tmp_path / INDEX.file).write_text(
        json.dumps({"format": INDEX.format, "checkpoints": ["agent", "late", "other"], "runs": runs})
    )
    assert run_compare([tmp_path], tmp_path / "out", seed=0).unfinished == ("late",)
    line = "Not compared, since their sweeps are not finished: late."
    assert line in (tmp_path / "out" / "compare.md").read_text()
    assert run_compare([arm.directory for arm in arms], tmp_path / "out", seed=0).unfinished == ()
    assert "Not compared" not in (tmp_path / "out" / "compare.md").read_text()


def test_why_there_is_no_mean_over_agents_is_said(tmp_path: Path) -> None:
    runs = [arm.directory for arm in two_arms(tmp_path)]
    spec = replace(SPEC, checkpoint="agent-seed1", sha256="c" * 64)
    unmoved = make_run(tmp_path / "c", spec, dict.fromkeys(SITES, 0.0), effect=0.0)
    data = run_compare([runs[0], unmoved], tmp_path / "out", seed=0)
    assert data.over_agents is None
    line = "No boundary over agents: the cheese changes nothing for agent-seed1."
    assert line in (tmp_path / "out" / "compare.md").read_text()
    assert compare(read_compared_runs(runs)).no_over_agents is None, "two recipes: none is expected"
