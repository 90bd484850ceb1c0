"""Edits at the mouse: in each state they are the edit at the cell where the mouse stands."""

import numpy as np
import pytest

from agents.networks.policy import MazePolicy, to_input
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.edit_text import EditText
from steering.experiments.exact import LevelEvaluator
from steering.experiments.sampled import rollouts
from steering.interventions.edits import Intervention
from steering.interventions.hooks import HookedPolicy
from steering.interventions.vectors import SteeringVector

SITE = "embedder.block2.res1.resadd"
KINDS = ("subtract,coefficient=2,channels=0+1+2+3+4+5+6+7", "patch,vector=activation", "ablate")


def at(kind: str, place: str, policy: MazePolicy, maze: Maze) -> Intervention:
    return EditText.parse(f"{kind},place={place}", SteeringVector.load).on(policy, maze, SITE)


@pytest.mark.parametrize("kind", KINDS)
def test_in_each_state_it_is_the_edit_at_the_mouses_cell(kind: str, policy: MazePolicy, maze: Maze) -> None:
    evaluator = LevelEvaluator(policy, maze)
    (moving,) = evaluator.fields([at(kind, "mouse", policy, maze)])
    fixed = evaluator.fields([at(kind, f"{x}+{y}", policy, maze) for x, y in maze.cells])
    for k, (cell, field) in enumerate(zip(maze.cells, fixed, strict=True)):
        here = slice(2 * k, 2 * k + 2)
        np.testing.assert_allclose(moving.probabilities[here], field.probabilities[here], atol=2e-5, err_msg=str(cell))
    assert np.abs(moving.probabilities - evaluator.clean.probabilities).max() > 1e-3


def test_hooks_and_rollouts_in_procgen_say_the_same(policy: MazePolicy, maze: Maze) -> None:
    edit = at("subtract,coefficient=2", "mouse", policy, maze)
    (field,) = LevelEvaluator(policy, maze).fields([edit])
    (hooked,) = LevelEvaluator(policy, maze, hooks_only=True).fields([edit])
    np.testing.assert_allclose(hooked.probabilities, field.probabilities, atol=2e-5)
    for track in rollouts(policy, maze, edit, episodes=3, seed=0, horizon=20):
        met = [maze.state_index(*state) for state in track.states[: len(track.moves)]]
        np.testing.assert_allclose(track.probabilities, field.probabilities[met], atol=2e-5)


def test_frames_of_unknown_states_are_refused(policy: MazePolicy, maze: Maze) -> None:
    edit = at("ablate", "mouse", policy, maze)
    with pytest.raises(InputError, match="needs the states"):
        edit.by_site()
    with pytest.raises(InputError, match="is no map"):
        EditText.parse("ablate,site=fc,place=mouse", SteeringVector.load).named(policy.net)
    two, three = to_input(maze.observations(maze.states[:2])), maze.states[:3]
    with pytest.raises(InputError):
        HookedPolicy(policy.net).run(two, edit.by_site(three))
