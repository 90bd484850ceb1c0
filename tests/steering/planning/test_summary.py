"""What answers and patches come to: pooled shares, bins, readings with known places, how far ahead an agent looks."""

from __future__ import annotations

import numpy as np
import pytest

from envs.stored.json_records import from_plain, to_plain
from steering.planning.behaviour import LADDER, CellAnswers, PairAnswers
from steering.planning.located import PATCHES, Patched
from steering.planning.located_summary import located, plan_readings
from steering.planning.pairs import BINS, DISTANCE
from steering.planning.summary import goal_behaviour, share, weights_of
from steering.records.planning import Located

MAZES = 20
WEIGHTS = weights_of(MAZES, 0)
SITES = [("input", 0), ("one", 1), ("two", 2), ("three", 3)]
READERS = (0.0, 0.1, 0.2, 0.4, 0.5, 0.8, 1.0)


def answer(kind: str, distance: int, follows: bool, readers: tuple[float, ...] = READERS) -> PairAnswers:
    """One that follows, or does in the twin as in the level."""
    twin = (0.9, 0.1) if follows else (0.1, 0.9)
    if kind == "idle":
        return PairAnswers(kind, "cheese", distance, (0.9, 0.9), (0.9, 0.9), True, 0.01, readers)
    return PairAnswers(kind, "cheese", distance, (0.9, twin[0]), (0.1, twin[1]), follows, 0.8 * follows, readers)


def cells(right: float, count: int = 30) -> CellAnswers:
    return CellAnswers("cheese", count, right, right, READERS)


def behaviour(reach: int, *, mazes: int = MAZES):  # type: ignore[no-untyped-def]
    """An agent that follows detours whose change is nearer than ``reach``; idle pairs everywhere."""
    distances = [6, 8, 11, 13, 16, 22, 26, 40]
    answers = [
        [answer(kind, d, d < reach) for d in distances for kind in ("detour", "idle")] if k < mazes else []
        for k in range(MAZES)
    ]
    return goal_behaviour("cheese", answers, [cells(0.45)] * MAZES, WEIGHTS, DISTANCE)


@pytest.mark.parametrize(("reach", "seen"), [(5, None), (10, 8), (15, 13), (25, 22), (99, 40)])
def test_an_agent_looks_ahead_as_far_as_it_follows_detours(reach: int, seen: int | None) -> None:
    found = behaviour(reach)
    assert found.look_ahead == seen
    for part in found.detour[:-1]:
        assert part.pairs == 2 * MAZES and part.mazes == MAZES
        assert part.follows.value == (1.0 if part.low < reach else 0.0)
    assert [part.low for part in found.detour] == [*BINS, BINS[0]]
    assert found.detour[-1].pairs == 8 * MAZES == found.idle[-1].pairs


def test_an_agent_is_as_deep_as_the_first_reader_that_does_as_well() -> None:
    found = behaviour(10)
    assert found.readers == pytest.approx(READERS) and found.right.value == pytest.approx(0.45)
    assert found.equivalent_depth == LADDER[READERS.index(0.5)]
    assert found.detour[-1].follows.value == 0.25 and found.detour_depth == LADDER[READERS.index(0.4)]
    perfect = goal_behaviour("cheese", [[]] * MAZES, [cells(1.0)] * MAZES, WEIGHTS, DISTANCE)
    assert perfect.equivalent_depth == "all" and perfect.detour_depth is None and perfect.look_ahead is None
    assert perfect.detour[0].pairs == 0 and perfect.detour[0].follows.value is None


def test_few_mazes_get_no_interval_and_no_reach() -> None:
    found = behaviour(99, mazes=3)
    assert found.detour[0].follows.value == 1.0 and found.detour[0].follows.low is None and found.look_ahead is None


def test_shares_are_pooled_over_mazes() -> None:
    top, count = np.array([1.0, 0.0, 4.0] + [0.0] * 17), np.array([2.0, 0.0, 4.0] + [4.0] * 17)
    found = share(top, count, WEIGHTS)
    assert found.value == pytest.approx(5 / 74) and found.low is not None and found.high is not None
    assert 0 <= found.low <= found.value <= found.high
    assert share(0 * top, 0 * count, WEIGHTS).value is None


def left(source: list[float], mouse: list[float]) -> np.ndarray:
    """TV left by site, patch and maze where the source and the mouse carry these parts of an effect of 1."""
    out = np.ones((len(source), len(PATCHES), MAZES))
    out[:, 0], out[:, 1] = (1 - np.array(part)[:, None] for part in (source, mouse))
    return out


@pytest.mark.parametrize(
    ("source", "mouse", "places"),
    [
        ([1, 1, 0.2, 0.0], [0, 0, 0.7, 1.0], ("one", "two", "two", None)),
        ([1, 0.9, 0.6, 0.1], [0, 0, 0.12, 0.2], ("two", "three", "two", None)),
        ([1, 0.9, 0.4, 0.3], [0, 0, 0.0, 0.0], ("one", None, None, "two")),  # gathered nowhere on the map
        ([1, 0.9, 0.8, 0.7], [0, 0, 0.1, 0.3], ("three", None, "three", None)),  # it stays where it is
        ([0.1, 0.1, 0.1, 0.1], [0.5, 0, 0, 0.5], (None, "input", "input", None)),
    ],
)
def test_readings_are_where_the_curves_say(
    source: list[float], mouse: list[float], places: tuple[str | None, ...]
) -> None:
    found = plan_readings([name for name, _ in SITES], left(source, mouse), np.ones(MAZES), WEIGHTS)
    assert [reading.name for reading in found] == ["departure", "handoff", "arrival", "spread"]
    for reading, place in zip(found, places, strict=True):
        assert (reading.site, reading.low, reading.high) == (place, place, place)
        assert reading.nowhere == float(place is None)


def test_a_reading_that_mazes_disagree_about_has_a_wide_interval() -> None:
    rest = left([1, 1, 1, 0], [0, 0, 0, 1])
    rest[1:3, 0, ::2] = 1.0  # in every second maze the source carries nothing from site one on
    rest[1, 1, ::2] = 0.02
    departure = plan_readings([name for name, _ in SITES], rest, np.ones(MAZES), WEIGHTS)[0]
    assert (departure.low, departure.high) == ("input", "two")


def test_patched_pairs_are_pooled_over_mazes() -> None:
    rng = np.random.default_rng(0)
    results = [
        None
        if k % 5 == 0
        else Patched(np.array([5, 12, 30]), rng.random(3) + 0.5, rng.random((4, 6, 3)), rng.random((4, 6, 3)))
        for k in range(MAZES)
    ]
    found = located("detour", "corner", SITES, results, 7, WEIGHTS, DISTANCE)
    have = [each for each in results if each is not None]
    assert (found.pairs, found.mazes, found.left_out) == (48, 16, 7)
    whole = np.concatenate([each.apart for each in have])
    for s, site in enumerate(found.sites):
        assert (site.name, site.depth) == SITES[s]
        for k in range(len(PATCHES)):
            rest = np.concatenate([each.carried[s, k] for each in have])
            assert site.carried[k].value == pytest.approx(1 - rest.sum() / whole.sum())
            back = np.concatenate([each.needed[s, k] for each in have])
            assert site.needed[k].value == pytest.approx(1 - back.sum() / whole.sum())
    assert found.apart.value == pytest.approx(whole.mean())


def test_the_only_pair_of_a_maze_is_no_control_of_itself() -> None:
    """The control "other" puts in what another pair of the maze has."""
    lone, two = (
        Patched(np.full(n, 6), np.ones(n), np.full((4, 6, n), rest), np.ones((4, 6, n)))
        for n, rest in ((1, 0.0), (2, 0.75))
    )
    found = located("detour", "corner", SITES, [lone, two] + [None] * (MAZES - 2), 0, WEIGHTS, DISTANCE)
    values = [part.value for part in found.sites[1].carried]
    assert values == pytest.approx([0.5] * 5 + [0.25])


def spreading(step: int) -> list[Patched]:
    """Pairs of three lengths; what is one bin farther leaves the source and arrives ``step`` sites later."""
    carried = np.ones((6, len(PATCHES), 3))
    for pair in range(3):
        carried[: 2 + pair * step, 0, pair] = 0.1  # the source carries it so far
        carried[2 + pair * step :, 1, pair] = 0.1  # the mouse from there on
    return [Patched(np.array([6, 12, 18]), np.ones(3), carried, np.ones_like(carried)) for _ in range(MAZES)]


@pytest.mark.parametrize("step", [0, 1])
def test_what_is_farther_is_known_later_where_it_spreads_step_by_step(step: int) -> None:
    sites = [(f"site{k}", k) for k in range(6)]
    found = located("detour", "corner", sites, spreading(step), 0, WEIGHTS, DISTANCE)
    assert [(part.steps, part.pairs) for part in found.bins] == [
        ("5 to 9", MAZES),
        ("10 to 14", MAZES),
        ("15 to 24", MAZES),
        ("25 and more", 0),
    ]
    assert found.bins[-1].readings == () and found.bins[-1].source[0].value is None
    for k, part in enumerate(found.bins[:-1]):
        departure, handoff, arrival, spread = part.readings
        assert departure.site == f"site{1 + k * step}" and spread.site is None
        assert handoff.site == arrival.site == f"site{2 + k * step}"
        assert part.source[0].value == pytest.approx(0.9) and part.mouse[-1].value == pytest.approx(0.9)
    assert [delay.name for delay in found.delays] == ["departure", "handoff", "arrival"]
    for delay in found.delays:
        assert (delay.near, delay.far) == (5, 15)
        assert delay.sites == delay.low == delay.high == 2 * step


def test_files_from_before_path_lengths_are_still_read() -> None:
    found = to_plain(located("detour", "corner", SITES, spreading(0)[:0] or [None], 0, np.ones((5, 1)), DISTANCE))
    for name in ("bins", "delays"):
        del found[name]
    assert from_plain(found, Located).bins == ()
