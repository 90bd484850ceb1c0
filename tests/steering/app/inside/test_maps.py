"""Heat maps and causal maps of one state are those that the package draws elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from agents.networks.policy import MazePolicy, to_input
from envs.maze import Maze, State
from steering.app.inside.causal import causal_updates, shown_state
from steering.app.inside.heat import heat_updates
from steering.app.session.state import HeatAsked
from steering.experiments.edit_text import edited, read_edits
from steering.films.heat_maps import heat_map
from steering.interventions.edits import Intervention
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import enumerate_sites, find_site
from steering.planning.located import Shown, patched, shown_cheese
from steering.planning.maps import block_effects
from steering.planning.measure import map_sites
from tests.helpers.workbench import SITE, Understood

EDIT = f"subtract,site={SITE},coefficient=1.5"


@pytest.mark.parametrize("channel", [None, 7])
@pytest.mark.parametrize("site", [SITE, "embedder.block3.res2.conv1", "input"])
def test_a_heat_map_is_that_of_the_activation_at_the_start(
    policy: MazePolicy, maze: Maze, understood: Understood, site: str, channel: int | None
) -> None:
    channel = 2 if channel is not None and site == "input" else channel
    x = to_input(maze.observations([State(maze.mouse, maze.facing)]))
    steer = edited(read_edits([EDIT], policy), policy, maze)
    seen = {
        run: HookedPolicy(policy.net).run(x, edits.by_site(), [site])[2][site][0]
        for run, edits in (("clean", Intervention()), ("steered", steer))
    }
    seen["difference"] = seen["steered"] - seen["clean"]
    scales = {}
    for run, tensor in seen.items():
        asked = HeatAsked("norm" if channel is None else "channel", channel or 0, run)  # type: ignore[arg-type]
        (update,) = heat_updates(understood(maze, EDIT, site=site, heat=asked))
        np.testing.assert_allclose(update.arrays["map"], heat_map(tensor, channel), rtol=1e-5, atol=1e-6)
        scales[run] = low, high = update.facts["limits"]
        assert low <= update.arrays["map"].min() and update.arrays["map"].max() <= high + 1e-5
        assert (low == 0 if channel is None else low in (0, -high)) and low < high
        left, top, right, bottom = update.arrays["extent"]
        units = find_site(policy.net, site).units
        assert units is not None
        middles = left + (np.arange(tensor.shape[2]) + 0.5) * (right - left) / tensor.shape[2]
        np.testing.assert_allclose(middles, units[0] + 0.5 + units[1] * np.arange(tensor.shape[2]))
        assert (top, bottom) == (left, right)
    assert scales["clean"] == scales["steered"]


def test_a_site_without_such_a_map_says_so_in_one_line(maze: Maze, understood: Understood) -> None:
    for site, channel, says in (("embedder.fc", 0, "no stack of maps"), (SITE, 99, "channel 99 of 32")):
        (update,) = heat_updates(understood(maze, site=site, heat=HeatAsked("channel", channel)))
        assert (update.type, update.facts["what"]) == ("problem", "heat") and says in update.facts["line"]
    assert list(heat_updates(understood(maze, heat=HeatAsked("visits")))) == []


def test_causal_maps_are_the_effects_of_blocks(policy: MazePolicy, understood: Understood) -> None:
    """At the start of level 26 there is one way to go, so that they are of its decision square."""
    level = Maze.from_level(26)
    sites, context = map_sites(policy), understood(level, asked=("causal",))
    assert level.decision_square is not None and level.cheese is not None
    state = level.arrival(level.decision_square)
    assert shown_state(context) == state
    none = np.zeros((8, 8), dtype=bool)
    shown = Shown((level.without_cheese(), level), state, 0, np.stack([none] * 4), none, level.cheese)
    effects = block_effects(policy, [shown], sites)
    found = list(causal_updates(context))
    assert [update.facts["site"] for update in found] == [site.name for site in sites]
    for k, update in enumerate(found):
        assert (tuple(update.facts["cell"]), update.facts["facing"]) == (state.cell, state.facing.label)
        assert update.facts["apart"] == pytest.approx(effects.apart[0]) and effects.apart[0] > 0.5
        np.testing.assert_allclose(update.arrays["effect"], 1 - effects.rest[k, 0] / effects.apart[0], atol=1e-4)
    assert list(causal_updates(context)) == found, "they are kept"
    assert len(found) < len(enumerate_sites(policy.net)) and list(causal_updates(understood(level))) == []


def test_whole_places_are_those_of_planning(policy: MazePolicy, maze: Maze, understood: Understood) -> None:
    """Of a maze in which cheese and mouse are apart; beside them all blocks but the cheese's."""
    sites, context = map_sites(policy), understood(maze, asked=("causal",))
    shown = shown_cheese(maze, shown_state(context), np.random.default_rng(0))
    assert shown is not None
    found = list(causal_updates(context))
    expected = patched(policy, [shown], sites)
    for k, update in enumerate(found):
        carried = 1 - expected.carried[k, :4, 0] / expected.apart[0]
        np.testing.assert_allclose(update.arrays["places"][:4], carried, atol=1e-3)
    np.testing.assert_allclose(found[0].arrays["places"], [1, 0, 0, 0, 0], atol=1e-3)
    whole = found[-1].arrays["places"]
    assert found[0].facts["names"][4] == "all but the cheese" and whole[4] != pytest.approx(0, abs=0.01)


def test_causal_maps_are_of_the_start_where_the_cheese_matters_there(understood: Understood, maze: Maze) -> None:
    level = Maze.from_level(26)
    assert level.decision_square is not None
    state, margin = level.arrival(level.decision_square), level.state.margin
    x, y = state.cell
    there = Maze.from_state(level.state.with_mouse((x + margin, y + margin), state.facing))
    assert shown_state(understood(there)) == state
    nowhere = shown_state(understood(maze))  # region5 takes the same way in level 2, whether its cheese is there or not
    assert nowhere.cell not in (maze.mouse, maze.decision_square, maze.cheese)


def test_a_maze_whose_cheese_touches_the_mouse_has_causal_maps(understood: Understood, small_maze: Maze) -> None:
    assert shown_cheese(small_maze, State(small_maze.mouse, small_maze.facing), np.random.default_rng(0)) is None
    first = next(causal_updates(understood(small_maze, asked=("causal",))))
    assert first.facts["cell"]
    assert first.facts["site"] == "input" and np.isfinite(first.arrays["effect"]).all()


def test_in_level_8_the_effect_leaves_the_cheese_and_does_not_gather_at_the_mouse(understood: Understood) -> None:
    """As docs/workbench.md says."""
    context = understood(Maze.from_level(8), asked=("causal",))
    carried = {update.facts["site"]: update.arrays["places"] for update in causal_updates(context)}
    cheese, mouse, *_, rest = np.array(list(carried.values())).T
    until = list(carried).index("embedder.block2.maxpool") + 1
    assert (cheese[:until] > 0.995).all() and cheese[-1] < 0.005 and rest[-1] > 0.995
    assert np.abs(mouse).max() < 0.005
