"""Passes that levels share: every state is in one, and an edit touches its own level's states alone."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.networks.policy import MazePolicy, to_input
from envs.maze import Maze
from steering.interventions.edits import ablate, clamp, subtract
from steering.interventions.partial import PartialNetwork
from steering.interventions.shared_passes import passes, side_by_side
from steering.interventions.vectors import cheese_vector

SITE = "embedder.block2.res1.resadd"


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(1, 50))
def test_every_state_is_in_one_pass_and_all_passes_but_the_last_are_full(states: list[int], most: int) -> None:
    found = list(passes(states, most))
    taken = [(level, state) for parts in found for level, rows in parts for state in range(rows.start, rows.stop)]
    assert taken == [(level, state) for level, count in enumerate(states) for state in range(count)]
    sizes = [sum(rows.stop - rows.start for _, rows in parts) for parts in found]
    assert all(size == most for size in sizes[:-1]) and all(0 < size <= most for size in sizes[-1:])


def test_each_part_of_a_batch_has_its_own_edits_and_no_others(policy: MazePolicy) -> None:
    """Levels that edit another site, several sites, or nothing, in one batch and each for itself."""
    network, mazes = PartialNetwork(policy.net), Maze.from_levels((26, 54, 208))
    edits = [
        (subtract(cheese_vector(policy, mazes[0], SITE)) + clamp("embedder.fc", (3,), 5.0)).by_site(),
        {},
        ablate("embedder.relu3", (0, 4)).by_site(),
    ]
    sizes = [8, 9, 10]
    frames = [to_input(maze.observations()[:count]) for maze, count in zip(mazes, sizes, strict=True)]
    together = network.clean(torch.cat(frames))
    logits, values = network.rerun(together, side_by_side(edits, sizes))
    apart = (logits - network.outputs(together)[0]).abs().amax(1)
    assert [float(part.max()) > 0.1 for part in torch.split(apart, sizes)] == [True, False, True]
    alone = [network.rerun(network.clean(x), own) for x, own in zip(frames, edits, strict=True)]
    torch.testing.assert_close(logits, torch.cat([each[0] for each in alone]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(values, torch.cat([each[1] for each in alone]), atol=1e-4, rtol=1e-4)


def test_what_a_pass_keeps_is_known_before(policy: MazePolicy) -> None:
    network = PartialNetwork(policy.net)
    values = network.clean(to_input(Maze.from_level(26).observations()[:5])).values()
    assert sum(each.nbytes for each in values if isinstance(each, torch.Tensor)) == 5 * network.bytes_per_state
