"""The boundary's readings side by side: their rules and intervals on made-up mazes, their places on an axis, marks."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image, ImageColor

from steering.analysis.readings import readings
from steering.figures.comparison_figures import curves_figure, development_figure, differences_figure
from steering.figures.static_figures import sweep_picture
from steering.figures.sweep_figures import (
    blindness_figure,
    decision_figure,
    position_figure,
    readings_figure,
    threshold_figure,
)
from steering.marks import site_axis
from steering.marks.colours import GREY, TRICK
from steering.probes.curves import cell_lost, next_move_appears, position_dependence
from steering.records.boundary import BoundarySummary, ThresholdReach
from steering.records.comparison import BlindnessDifference, Comparison, CurvePoint, RunDifference
from steering.records.probes import (
    CellBoundary,
    DecodingBoundary,
    NextMoveBoundary,
    ProbeBoundaries,
    RepresentationalBoundary,
)
from steering.records.readings import DECODING, Reading
from steering.records.sites import SiteFacts
from steering.records.sweep import (
    CleanReference,
    ConditionSummary,
    LevelsUsed,
    MeanOutcome,
    PooledProfile,
    PositionBin,
    References,
    SiteSummary,
    SweepSummary,
)
from steering.statistics import bootstrap
from steering.statistics.boundary import ThresholdPair
from tests.helpers.comparisons import boundary_of, cheese_effect, comparison, run_summary
from tests.helpers.probe_sets import made_up_site
from tests.helpers.records import made

NAMES = "abcdefgh"
MAZES = 60
REPETITIONS = 1_000
# Three standard errors below the nominal .95; sites are whole, so intervals can be wider than that.
LEAST = 0.95 - 3 * np.sqrt(0.95 * 0.05 / REPETITIONS)


def facts(affine: str = "a") -> list[SiteFacts]:
    return [made_up_site(name, affine=name in affine) for name in NAMES]


def pooled(levels: list[float], spread: float, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means ``float[s, 1 + draws]`` of mazes that are alike at all sites."""
    noise = 0.7 * rng.normal(size=MAZES) + 0.7 * rng.normal(size=(len(levels), MAZES))
    mazes = np.vstack([np.arange(MAZES), samples])
    return np.asarray((np.array(levels)[:, None] + spread * noise)[:, mazes].mean(axis=2))


def order(found: Any, *keys: str) -> list[int]:
    places = [*NAMES, None]
    return [places.index(getattr(found, key)) for key in keys]


def test_intervals_of_the_decoding_reading_hold_the_site_as_often_as_they_say() -> None:
    """The move appears at the first gain that is not 0, and half of it later; both intervals are narrow."""
    rng = np.random.default_rng(0)
    gain = [0.0, 0.0, 0.0, 0.2, 0.22, 0.29, 0.5, 0.5]
    hits, widths = np.zeros(2), np.zeros(2)
    for _ in range(REPETITIONS):
        samples = bootstrap.resamples(MAZES, rng, draws=200)
        gaps = [pooled(gain, 0.3, samples, rng) for _ in range(2)]
        found = next_move_appears(facts(), list(zip(*gaps, strict=True)))
        for k, (prefix, truth) in enumerate((("", 3), ("half_", 5))):
            site, low, high = order(found, *(prefix + end for end in ("site", "low", "high")))
            assert low <= site <= high
            hits[k] += low <= truth <= high
            widths[k] += high - low
    assert (hits / REPETITIONS >= LEAST).all()
    assert (widths / REPETITIONS < 2).all()


def test_where_there_is_nothing_to_read_a_site_is_named_as_rarely_as_said() -> None:
    """In 8% of the studies (docs/probes.md): several sites are asked, and intervals are a little narrow."""
    rng, named = np.random.default_rng(1), 0
    for _ in range(REPETITIONS):
        samples = bootstrap.resamples(MAZES, rng, draws=200)
        gap = pooled([0.0] * 8, 0.3, samples, rng)
        found = next_move_appears(facts(), [(row, row) for row in gap])
        named += found.site is not None
        assert found.site is not None or found.half_site is found.half_low is None
    assert named / REPETITIONS <= 0.08 + 3 * np.sqrt(0.92 * 0.08 / REPETITIONS)


def test_intervals_of_where_the_cell_is_lost() -> None:
    rng, hits, width = np.random.default_rng(2), 0, 0
    held = [0.3, 0.3, 0.5, 0.3, 0.15, 0.0, 0.0, 0.0]
    for _ in range(REPETITIONS):
        samples = bootstrap.resamples(MAZES, rng, draws=200)
        r2 = [pooled(held, 0.3, samples, rng) for _ in range(2)]
        found = cell_lost(facts(), list(zip(*r2, strict=True)))
        assert (found.first, found.best) == ("a", "c")
        site, low, high = order(found, "lost", "lost_low", "lost_high")
        assert low <= site <= high
        hits, width = hits + (low <= 5 <= high), width + high - low
    assert hits / REPETITIONS >= LEAST and width / REPETITIONS < 2


def test_a_cell_that_is_never_lost_or_never_there() -> None:
    rng = np.random.default_rng(3)
    samples = bootstrap.resamples(MAZES, rng, draws=200)
    always = cell_lost(facts(), [(row, row) for row in pooled([0.5] * 8, 0.05, samples, rng)])
    assert always.first == "a" and always.lost is always.lost_low is always.lost_high is None
    never = cell_lost(facts(), [(row, row) for row in np.zeros((8, 201))])
    assert all(value is None for key, value in vars(never).items() if key != "rule")


def sites(branch: str = "") -> list[SiteFacts]:
    return [made_up_site(name, trunk=name not in branch) for name in NAMES]


def test_intervals_of_the_representational_reading_hold_the_site() -> None:
    rng, hits, width = np.random.default_rng(4), np.zeros(2), 0
    interaction = [0.0, 0.02, 0.1, 0.2, 0.42, 0.58, 1.0, 1.1]
    for _ in range(REPETITIONS):
        samples = bootstrap.resamples(MAZES, rng, draws=200)
        found = position_dependence(sites(), pooled(interaction, 0.3, samples, rng))
        for k, (prefix, truth) in enumerate((("", 4), ("change_", 5))):
            low, high = order(found, prefix + "low", prefix + "high")
            hits[k] += low <= truth <= high
            width += high - low
    assert (hits / REPETITIONS >= LEAST).all() and width / (2 * REPETITIONS) < 2


def test_what_depends_on_nothing_where_no_state_is_inside() -> None:
    """NaN: no state inside the receptive field, so nothing can depend on the mouse; branch sites are not asked."""
    drawn = np.array([np.nan, 0.1, 0.9, 0.2, 0.9, 0.9, 0.9, 0.9])[:, None].repeat(51, axis=1)
    found = position_dependence(sites(branch="c"), drawn)
    assert (found.site, found.next_site, found.low, found.high) == ("d", "e", "d", "d")
    assert found.rule is not None and "(7, from a on)" in found.rule
    assert set(vars(position_dependence(sites(branch=NAMES), drawn)).values()) == {None}


PROBES = ProbeBoundaries(
    DecodingBoundary(
        next_move={
            "cheese": NextMoveBoundary("d", "c", None, "e", "e", "f", "r"),
            "cheese apart": NextMoveBoundary(None, None, None, None, None, None, None),
            "corner": NextMoveBoundary(None, None, None, None, None, None, "r"),
        },
        cell=CellBoundary("a", "a", "a", "a", "a", "a", lost=None, lost_low="h", lost_high=None, rule="r"),
    ),
    RepresentationalBoundary("c", "d", "b", "c", None, None, None, "r"),
)
BOUNDARY = made(BoundarySummary, high="a", change_site="c", change_low="b", change_high="d", rule="r")


def test_readings_side_by_side_and_where_they_lie_between_sites() -> None:
    found = readings(BOUNDARY, PROBES)
    assert [(row.kind, row.place, row.interval) for row in found] == [
        ("causal", "nowhere", "nowhere to a"),
        ("causal", "up to c", "b to d"),
        ("representational", "up to c", "b to c"),
        ("decoding", "from d", "c to nowhere"),
        ("decoding", "from e", "e to f"),
        ("decoding", "nowhere", "nowhere"),
        ("decoding", "nowhere", "h to nowhere"),
    ]
    order = list(NAMES)
    assert found[0].edges(order) == (-0.5, -0.5, 0.5)  # before the first site
    assert found[1].edges(order) == (2.5, 1.5, 3.5)
    assert found[3].edges(order) == (2.5, 1.5, 7.5)  # from d on is up to c; nowhere is behind the last
    assert found[3].edges(order[:3]) is None
    assert readings(None, None) == [] and len(readings(BOUNDARY, None)) == 2


# -- marks in the figures -----------------------------------------------------------------------------


def made_up_summary(**boundary: Any) -> SweepSummary:
    """Five trunk sites: one free, then three local of which one is a twin, then one that sees all."""
    able = {"blindness": 0.9, "blindness_low": 0.8, "blindness_high": 0.95}
    outcomes = {"p_cheese_decision": 0.2, "p_corner_decision": 0.6, "p_other_decision": 0.2}
    condition = made(ConditionSummary, **able, competence=1.0, competence_low=0.9, competence_high=1.1, **outcomes)
    bins = [
        made(
            PositionBin,
            distance=d,
            **able,
            mazes=16 - d,
            inside=made(PooledProfile, states=d),
            outside=made(PooledProfile, states=1),
        )
        for d in (0, 1)
    ]
    rows = [
        made(
            SiteSummary,
            name=name,
            trunk=True,
            affine=name == "a",
            equivalence_class="c" if name == "d" else name,
            receptive_field=None if name == "e" else 7,
            conditions={"subtract": condition, "random": condition},
            position_curve=bins,
        )
        for name in "abcde"
    ]
    curves = [
        [made(ThresholdReach, threshold=t, site=site, low="c", high="e") for t in (0.3, 0.6)] for site in ("d", "b")
    ]
    found = {
        "site": "d",
        "low": "c",
        "high": "e",
        "change_site": "c",
        "change_low": "b",
        "change_high": "d",
        "rule": "r",
        "thresholds": ThresholdPair(0.5, 0.8),
        "threshold_curve": curves[0],
        "competence_curve": curves[1],
        "controls": {},
    }
    return made(
        SweepSummary,
        sites=rows,
        levels=LevelsUsed((1, 2, 3), ()),
        reference=References(made(CleanReference, **outcomes), made(MeanOutcome, **outcomes)),
        boundary=made(BoundarySummary, **{**found, **boundary}),
    )


def compared(summary: SweepSummary) -> Comparison:
    names = [site.name for site in summary.sites]
    curve = [CurvePoint(name, 0.9, 0.8, 1.0, 1.0) for name in names]
    arms = [
        run_summary(name, curve=curve, boundary=boundary_of("d", "c", "d"), cheese=(cheese_effect(0.5, 0.9),))
        for name in ("one", "two")
    ]
    rows = [made(BlindnessDifference, site=name, difference=0.1, band_low=-0.1, band_high=0.3) for name in names]
    difference = made(RunDifference, of="two", against="one", blindness=rows)
    return comparison(arms=arms, sites=names, facts=summary.sites, differences=(difference,))


def texts(figure: go.Figure) -> list[str]:
    return [note.text for note in figure.layout.annotations]


def test_every_figure_over_depth_marks_what_is_no_finding() -> None:
    summary = made_up_summary()
    data = compared(summary)
    shaded = [
        blindness_figure(summary),
        decision_figure(summary),
        curves_figure(data),
        differences_figure(data),
        readings_figure(summary.sites, readings(summary.boundary, None)),
    ]
    for figure in shaded:
        assert figure is not None and {"free", "local"} <= set(texts(figure))
        frames = {shape.x0: shape.x1 for shape in figure.layout.shapes if shape.type == "rect"}
        first = 1 if figure is shaded[1] else 0  # the bars begin with the clean policy
        assert frames[first - 0.4] == first + 0.4 and frames[first + 0.6] == first + 3.4
    named = [position_figure(summary), threshold_figure(summary), development_figure(data.arms, data.facts, [1, 2], [])]
    for figure in named:
        assert figure is not None
        ticks = [*(figure.layout.yaxis.ticktext or ()), *(y for trace in figure.data for y in trace.y or ())]
        assert {"a (free)", "b (local)", "e"} <= set(ticks)


def test_twins_have_open_markers() -> None:
    summary = made_up_summary()
    data = compared(summary)
    for figure in (blindness_figure(summary), curves_figure(data), differences_figure(data)):
        markers = list(figure.data[0].marker.symbol)
        assert [symbol.endswith("-open") for symbol in markers] == [False, False, False, True, False]
    noise = next(trace for trace in blindness_figure(summary).data if trace.name == "blindness, random")
    assert noise.marker.symbol == "diamond"  # random vectors have no twins
    assert list(decision_figure(summary).data[0].marker.pattern.shape) == ["", "", "", "", "/", "", ""]


def test_positions_where_no_unit_sees_both_are_starred() -> None:
    figure = position_figure(made_up_summary())
    assert figure is not None
    shown = ("0.90*<br>(0.80 to 0.95)", "0.90")  # of fewer than 16 mazes there is no interval
    assert [tuple(line) for line in figure.data[0].text] == [shown] * 4
    assert list(figure.data[0].x) == ["0 (16 mazes)", "1-2 (15 mazes)"]


def test_competence_has_its_intervals_and_its_thresholds() -> None:
    summary = made_up_summary()
    lines = {trace.name: trace for trace in blindness_figure(summary).data}
    able = lines["competence, subtract"]
    assert list(able.error_y.array) == pytest.approx([0.1] * 5)
    assert set(lines) == {"blindness, subtract", "blindness, random", "competence, subtract"}
    levels = {shape.y0 for shape in blindness_figure(summary).layout.shapes if shape.y0 == shape.y1}
    assert {0.5, 0.8} <= levels, "thresholds are drawn where they decide"
    figure = threshold_figure(summary)
    assert figure is not None
    curves = {trace.name: trace for trace in figure.data if trace.mode == "lines+markers"}
    assert {name: [figure.layout.yaxis.ticktext[k] for k in trace.y] for name, trace in curves.items()} == {
        "of blindness (competence at least 0.8)": ["d (local)"] * 2,
        "of competence (blindness at least 0.5)": ["b (local)"] * 2,
    }


@pytest.mark.parametrize("flags", [[], [True], [False, True, True, False, True]])
def test_marks_are_runs_of_neighbours(flags: list[bool]) -> None:
    rows = [made(SiteFacts, name=str(k), affine=flag, equivalence_class=str(k)) for k, flag in enumerate(flags)]
    figure = go.Figure()
    site_axis.shade_sites(figure, rows)
    covered = [k for shape in figure.layout.shapes for k in range(len(flags)) if shape.x0 < k < shape.x1]
    assert covered == [k for k, flag in enumerate(flags) if flag]


def test_a_reading_of_a_site_that_is_not_shown_is_left_out() -> None:
    rows = made_up_summary().sites
    assert readings_figure(rows, [Reading(DECODING, "x", "from", "z", "a", "b")]) is None


def test_the_picture_of_a_sweep_shows_its_conditions_and_its_boundary() -> None:
    def colours(**change: Any) -> dict[tuple[int, int, int], int]:
        summary = made_up_summary(**{"site": None, "low": None, "high": None, **change})
        picture = Image.open(io.BytesIO(sweep_picture(summary))).convert("RGB")
        return {pixel: count for count, pixel in picture.getcolors(maxcolors=2**24) or []}  # type: ignore[misc]

    trick, grey = (ImageColor.getrgb(colour) for colour in (TRICK, GREY))
    without, marked = colours(), colours(site="b", low="b", high="c")
    assert without[grey] > 0 and marked[trick] > without[trick] > 0
