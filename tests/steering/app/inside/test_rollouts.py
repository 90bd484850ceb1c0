"""Rollouts of the workbench: those that procgen records, the exact probabilities on average, and a film of its own."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.app.inside.rollouts import film_updates, rollout_updates, walked
from steering.app.session.context import Contexts
from steering.experiments import sampled
from steering.experiments.edit_text import edited, read_edits
from steering.experiments.exact import evaluate
from tests.helpers.workbench import SITE, Understood, understood_by

EDIT = "subtract,site=embedder.block3.res1.resadd"
SEEDS = 400


def test_rollouts_are_those_that_procgen_records(policy: MazePolicy, small_maze: Maze, understood: Understood) -> None:
    context = understood(small_maze, EDIT, horizon=40)
    edit = edited(read_edits([EDIT], policy), policy, small_maze)
    for seed in (0, 1, 2):
        (update,) = rollout_updates(context, seed)
        for run, made in (("clean", None), ("steered", edit)):
            (track,) = sampled.rollouts(policy, small_maze, made, episodes=1, seed=seed, horizon=40)
            assert update.arrays[run].tolist() == [[*state.cell, state.facing] for state in track.states]
            assert (update.facts["ends"][run] == "cheese") == track.reached_cheese


def test_with_a_coefficient_of_zero_both_are_one(understood: Understood, maze: Maze) -> None:
    context = understood(maze, f"subtract,site={SITE},coefficient=0")
    for seed in range(5):
        (update,) = rollout_updates(context, seed)
        np.testing.assert_array_equal(update.arrays["clean"], update.arrays["steered"])


def test_their_mean_is_the_exact_probability(random_policy: MazePolicy, small_maze: Maze, tmp_path: Path) -> None:
    """Within four standard errors of ``SEEDS`` episodes: chance breaks it once in 16,000 trials."""
    context = understood_by(Contexts(random_policy, tmp_path, 0), small_maze, EDIT, horizon=24)
    exact = evaluate(random_policy, small_maze, context.edits, horizon=24)
    for run, p in (("steered", exact.p_cheese), ("clean", exact.clean.p_cheese)):
        assert 0.1 < p < 0.9, "undecided, so that agreement means something"
        hits = [walked(context, run, seed)[-1].cell == small_maze.cheese for seed in range(SEEDS)]
        assert abs(np.mean(hits) - p) < 4 * np.sqrt(p * (1 - p) / SEEDS)


def test_only_states_that_are_met_are_looked_at(policy: MazePolicy, maze: Maze, understood: Understood) -> None:
    whole = understood(maze, EDIT, horizon=12)
    whole.fields.__init__(policy)  # type: ignore[misc]  # a session that knows nothing yet
    (update,) = rollout_updates(whole, 3)
    assert 1 <= whole.field("steered").known.sum() <= 12
    (again,) = rollout_updates(understood(maze, EDIT, horizon=12), 3)
    np.testing.assert_array_equal(update.arrays["steered"], again.arrays["steered"])


def test_a_film_is_written_beside_what_is_there(understood: Understood, small_maze: Maze) -> None:
    context = understood(small_maze, EDIT, horizon=4)
    there = context.start / "mazesteer-maze-seed3.mp4"
    there.write_text("mine")
    *_, update = film_updates(context, 3)
    assert update.facts == {"path": "mazesteer-maze-seed3-2.mp4"} and there.read_text() == "mine"
    assert (context.start / update.facts["path"]).stat().st_size > 1_000
    with pytest.raises(InputError, match="seed"):
        list(film_updates(context, -1))
    assert len(list(context.start.iterdir())) == 2, "a film that fails leaves no file"


def test_a_film_that_is_cut_off_leaves_nothing_where_it_was_to_be(
    understood: Understood, small_maze: Maze, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is whole nothing of it is in the start directory; a disk that is full takes nothing of it."""
    context, seen = understood(small_maze, EDIT, horizon=4), []

    def full(made: Path, path: Path) -> None:
        seen.append((made.stat().st_size > 1_000, [each.stat().st_size for each in context.start.iterdir()]))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError, match="cannot be written"):
        list(film_updates(context, 3))
    assert seen == [(True, [0])] and list(context.start.iterdir()) == []
