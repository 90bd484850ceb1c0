"""The session tells what is inside after the outcomes, in one order, and goes on where a part cannot be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.app.session.session import Session
from steering.app.session.state import HeatAsked
from tests.helpers.workbench import SITE, state_of


@pytest.fixture
def session(policy: MazePolicy, tmp_path: Path) -> Session:
    return Session(policy, start=tmp_path)


def test_what_is_inside_comes_after_the_outcomes(session: Session) -> None:
    asked = state_of(Maze.from_level(26), [f"subtract,site={SITE}"], asked=("causal", "curve", "channels"))
    asked |= {"heat": {"kind": "norm", "channel": 0, "run": "difference"}, "site": "block3.conv"}
    kinds = list(dict.fromkeys(update.type for update in session.work(asked)))
    assert kinds == ["maze", "field", "outcome", "heat", "channels", "curve", "causal", "done"]


def test_a_map_that_the_site_lacks_hides_nothing_else(session: Session) -> None:
    asked = state_of(Maze.from_level(26), asked=("causal",), heat=HeatAsked("norm")) | {"site": "fc"}
    updates = list(session.work(asked))
    assert [update.facts["what"] for update in updates if update.type == "problem"] == ["heat"]
    assert updates[-1].type == "done" and updates[-2].type == "causal"


def test_rollouts_are_asked_for_with_their_state(session: Session) -> None:
    level = Maze.from_level(26)
    (found,) = session.ask({"what": "rollouts", "seed": 4, "state": state_of(level)})
    assert found.facts == {"seed": 4, "ends": {"clean": "cheese", "steered": "cheese"}}
    for wrong, what in (({"seed": 4}, "state"), ({"seed": -4, "state": state_of(level)}, "ask")):
        (update,) = session.ask({"what": "rollouts", **wrong})
        assert (update.type, update.facts["what"]) == ("problem", what)
