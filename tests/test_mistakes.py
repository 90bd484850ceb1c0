"""What is typed by mistake gets one line that says what was found, what was expected, and what to type instead."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agents.checkpoints.zoo import load_policy
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.exact import evaluate
from steering.experiments.sampled import rollouts
from steering.interventions.edits import Intervention, add, patch, subtract
from steering.interventions.sites import enumerate_sites, find_site
from steering.interventions.vectors import SteeringVector, cheese_vector, cheese_vectors, random_vector
from steering.workflows.sweep_runs import layer_sweep

SITE = "embedder.fc"

# By what was mistaken: the call, and what its line says.
MISTAKES: dict[str, tuple[Callable[[SimpleNamespace], object], str]] = {
    "a vector for an intervention": (lambda t: evaluate(t.policy, t.maze, t.vector), "wrap it: subtract(v)"),
    "a vector for an intervention, sampled": (
        lambda t: rollouts(t.policy, t.maze, t.vector, episodes=1, seed=0),
        "wrap it: subtract(v)",
    ),
    "a list for an intervention": (lambda t: evaluate(t.policy, t.maze, [subtract(t.vector)]), "join them: a + b"),
    "a vector joined to an intervention": (lambda t: subtract(t.vector) + t.vector, "wrap it: subtract(v) or add(v)"),
    "a name for a policy": (lambda t: evaluate("region5", t.maze), "load it: load_policy('region5')"),
    "a network for a policy": (lambda t: cheese_vector(t.policy.net, t.maze, SITE), "wrap it: as_policy(net)"),
    "policy and maze exchanged": (lambda t: evaluate(t.maze, t.policy), "the policy comes first, then the maze"),
    "a number for a maze": (lambda t: evaluate(t.policy, 5), "make it: Maze.from_level(5)"),
    "a policy for a network": (lambda t: enumerate_sites(t.policy), "give its network: policy.net"),
    "a name for a network": (lambda t: find_site("region5", SITE), "load it: load_policy('region5').net"),
    "a number for a generator": (lambda t: random_vector(t.vector, 0), "make it: np.random.default_rng(0)"),
    "a generator of torch's": (lambda t: random_vector(t.vector, torch.Generator()), "make it: np.random.default_rng("),
    "a tensor for a vector": (lambda t: subtract(t.vector.tensor), "name its site: SteeringVector(site, tensor)"),
    "an array for a vector": (lambda t: patch(np.zeros(256)), "name its site: SteeringVector(site, array)"),
    "an intervention for a vector": (lambda t: add(subtract(t.vector)), "it is one already"),
    "all vectors for one": (lambda t: add({SITE: t.vector}), "take one of its vectors: vectors[site]"),
    "a name for names": (lambda t: cheese_vectors(t.policy, t.maze, SITE), f"put it in a list: ['{SITE}']"),
    "names for a name": (lambda t: cheese_vector(t.policy, t.maze, [SITE]), "for several use cheese_vectors"),
    "a vector times a vector": (lambda t: t.vector * t.vector, "multiplied by a number"),
    "a policy for a file": (lambda t: load_policy(t.policy), "it is loaded already"),
    "a network for a file": (lambda t: load_policy(t.policy.net), "wrap it: as_policy(net)"),
    "a policy for a sweep's file": (lambda t: layer_sweep(t.policy), "save_checkpoint(policy.net, path)"),
    "a setting that there is not": (lambda t: layer_sweep("region5", horizn=3), "did you mean 'horizon'?"),
    "words for numbers": (lambda t: SteeringVector(SITE, ["one"]), "not an array of numbers"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_line_with_the_remedy(mistake: str, random_policy: MazePolicy, small_maze: Maze) -> None:
    call, remedy = MISTAKES[mistake]
    typed = SimpleNamespace(policy=random_policy, maze=small_maze, vector=SteeringVector(SITE, np.ones(256)))
    with pytest.raises(InputError) as error:
        call(typed)
    told = str(error.value)
    assert remedy in told and "\n" not in told and len(told) < 200


def test_whatever_else_is_given_is_named(random_policy: MazePolicy, small_maze: Maze) -> None:
    with pytest.raises(InputError, match="^evaluate: found a complex, expected an intervention$"):
        evaluate(random_policy, small_maze, 1j)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="^evaluate: found None, expected a policy$"):
        evaluate(None, small_maze)  # type: ignore[arg-type]


def test_no_edit_is_no_mistake(random_policy: MazePolicy, small_maze: Maze) -> None:
    assert (
        evaluate(random_policy, small_maze, Intervention()).to_json() == evaluate(random_policy, small_maze).to_json()
    )
