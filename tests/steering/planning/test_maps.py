"""Averages of causal maps: around the source and the mouse, mirrored, and how far what is carried has come."""

from __future__ import annotations

import numpy as np
import pytest

from steering.planning.maps import AROUND, BlockEffects, causal_map
from steering.planning.summary import weights_of

MAZES = 12
WEIGHTS = weights_of(MAZES, 0)
SITES = [("input", 0), ("between", 1), ("last", 2)]
MIDDLE = AROUND // 2


def effects(source: tuple[int, int], mouse: tuple[int, int], half_way: tuple[int, int], size: float) -> BlockEffects:
    """All is carried by the source's block, then by one between, then by the mouse's."""
    rest = np.full((3, 1, 8, 8), size)
    for s, (row, column) in enumerate((source, half_way, mouse)):
        rest[s, 0, row, column] = 0.0
    return BlockEffects(np.array([source]), np.array([mouse]), np.array([size]), rest)


# The mouse lies 2 blocks above and 4 to the right of the source, or the same mirrored: (source, mouse, half way).
TURNS = [((5, 1), (3, 5), (4, 3)), ((5, 6), (3, 2), (4, 4)), ((2, 1), (4, 5), (3, 3)), ((2, 6), (4, 2), (3, 4))]


def test_an_effect_that_moves_is_seen_to_move_whichever_way_the_mouse_lies() -> None:
    results = [effects(*TURNS[k % 4], size=0.1 + 0.05 * k) for k in range(MAZES - 1)]
    found = causal_map("detour", "corner", SITES, [None, *results], WEIGHTS)
    assert (found.pairs, found.mazes, found.kind, found.goal) == (11, 11, "detour", "corner")
    for site, steps in zip(found.sites, (0, 1, 2), strict=True):
        source, mouse = (np.array(rows, dtype=float) for rows in (site.source, site.mouse))
        assert source.shape == mouse.shape == (AROUND, AROUND)
        assert source[MIDDLE - steps, MIDDLE + 2 * steps] == pytest.approx(1)
        assert mouse[MIDDLE + 2 - steps, MIDDLE - 4 + 2 * steps] == pytest.approx(1)
        assert np.nansum(source) == pytest.approx(1) and np.nansum(mouse) == pytest.approx(1)
        assert site.together == pytest.approx(1)
        for part, blocks in ((site.from_source, 2 * steps), (site.from_mouse, 4 - 2 * steps)):
            assert part.value == part.low == part.high == pytest.approx(blocks)


def test_blocks_that_no_picture_reaches_have_no_mean() -> None:
    found = causal_map("cheese", "cheese", SITES, [effects(*TURNS[0], size=0.5)] + [None] * (MAZES - 1), WEIGHTS)
    counts = np.array(found.around_source)
    assert counts.sum() == 64 and counts.max() == 1
    values = np.array(found.sites[0].source, dtype=float)
    np.testing.assert_array_equal(np.isnan(values), counts == 0)
    assert found.sites[0].from_source.low is None  # one maze has no interval


def test_larger_effects_count_more_and_what_leads_away_is_negative() -> None:
    one, two = (effects(*TURNS[0], size=size) for size in (0.1, 0.3))
    two.rest[0, 0, 5, 1] = 0.45  # the source's block makes it worse
    found = causal_map("detour", "cheese", SITES, [one, two] + [None] * (MAZES - 2), WEIGHTS)
    assert found.sites[0].source[MIDDLE][MIDDLE] == pytest.approx((0.1 - 0.15) / 0.4, abs=1e-6)


def test_distances_have_intervals_over_mazes() -> None:
    rng = np.random.default_rng(0)
    results = []
    for k in range(MAZES):
        source, mouse, _ = TURNS[k % 4]
        results.append(BlockEffects(*map(np.array, ([source], [mouse], [0.5])), 0.5 * rng.random((3, 1, 8, 8))))
    for site in causal_map("detour", "corner", SITES, results, WEIGHTS).sites:
        for part in (site.from_source, site.from_mouse):
            assert part.value is not None and part.low is not None and part.high is not None
            assert part.low < part.value < part.high < 7
