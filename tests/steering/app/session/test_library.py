"""What the library's sentences say is so, of the agents that they name."""

from __future__ import annotations

import pytest

from agents.checkpoints.zoo import load_policy
from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.app.session.library import LIBRARY
from steering.experiments.exact import evaluate
from steering.experiments.outcome import Evaluation
from steering.interventions.edits import subtract
from steering.interventions.vectors import cheese_vector
from tests.helpers.workbench import SITE

MAZES = {example.name: example.maze().made() for example in LIBRARY}


def subtracted(policy: MazePolicy, name: str, site: str = SITE) -> Evaluation:
    maze = MAZES[name]
    return evaluate(policy, maze, subtract(cheese_vector(policy, maze, site)))


@pytest.mark.parametrize("name", ["Close to the start", "Blinded", "In the small world"])
def test_eaten_and_with_the_vector_subtracted_passed_by(policy: MazePolicy, name: str) -> None:
    agent = load_policy("region5-easy") if MAZES[name].mode == "easy" else policy
    found = subtracted(agent, name)
    assert (found.clean.p_cheese, found.p_region_first) == (pytest.approx(1, abs=0.01), pytest.approx(1, abs=0.01))


def test_too_deep(policy: MazePolicy) -> None:
    deep = subtracted(policy, "Too deep", "block3.res2.resadd")
    assert deep.p_cheese + deep.p_region_first < 0.01
    published = subtracted(policy, "Too deep")
    assert published.p_cheese < 0.01 < 0.99 < published.p_region_first


def test_how_often_it_is_eaten(policy: MazePolicy) -> None:
    assert evaluate(policy, MAZES["In two minds"]).p_cheese == pytest.approx(0.25, abs=0.02)
    room = subtracted(policy, "An open room")
    assert (room.clean.p_cheese, room.p_cheese) == (pytest.approx(1, abs=0.01), pytest.approx(0.27, abs=0.03))
    passed = subtracted(policy, "Behind the wall")
    assert passed.clean.p_cheese + passed.p_cheese < 0.01 < 0.99 < passed.p_region_first
    lost = evaluate(policy, MAZES["Lost"])
    assert lost.p_cheese + lost.p_region < 0.01


def test_the_lie_of_the_mazes() -> None:
    features = {name: maze.features() for name, maze in MAZES.items()}
    assert features["Close to the start"]["path_start_decision"] == 2
    assert features["In two minds"]["path_start_cheese"] == 3
    behind, largest = features["Behind the wall"], features["The largest maze"]
    assert (behind["euclid_start_cheese"], behind["path_start_cheese"]) == (2, 38)
    assert (len(MAZES["The largest maze"].states), largest["path_start_cheese"]) == (674, 40)
    assert MAZES["Lost"].dim == MAZES["The largest maze"].dim == 25
    assert "#" not in MAZES["An open room"].to_ascii()


def test_in_the_largest_maze_a_nearer_cheese_is_eaten(policy: MazePolicy) -> None:
    maze = MAZES["The largest maze"]
    assert evaluate(policy, maze).p_cheese < 0.01
    near = maze.path(maze.mouse, maze.cheese or maze.corner)[4]
    assert evaluate(policy, maze.with_cheese(near)).p_cheese > 0.5


def test_levels_stay_levels() -> None:
    for example in LIBRARY:
        if example.level is not None:
            assert MAZES[example.name] == Maze.from_level(example.level, example.mode)
