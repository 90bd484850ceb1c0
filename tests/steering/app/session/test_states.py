"""Whatever state a client sends, it gets numbers or one line; memory stays bounded; sessions are apart."""

from __future__ import annotations

import gc
import itertools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.app.session import context, fields, frames, outcomes
from steering.app.session.session import Session
from steering.experiments.edit_fields import FIELDS
from steering.experiments.edit_text import edited, read_edits
from steering.interventions.sites import enumerate_sites
from steering.interventions.vectors import SteeringVector
from tests.helpers.workbench import SITE, STACK, fields_of, state_of

# Of each field what is right in most mazes and at most sites, and what is not.
VALUES: dict[str, tuple[list[str], list[str]]] = {
    "vector": (["cheese", "random", "activation", "top-right"], ["gone.safetensors", "../x", "\x00"]),
    "taken": (["start", "level:3"], ["0+0", "9+9", "level:-1"]),
    "seed": (["3"], ["-1"]),
    "coefficient": (["0", "-1.5", "2.25", "0.5"], ["1e6", "nan", "1e999", "x"]),
    "channels": (["0", "3+1", "2"], ["3+3", "99999", "-1"]),
    "place": (["cheese", "start", "0+0", "elsewhere"], ["decision", "mouse", "24+24"]),
    "index": (["0+0+0", "1+2+0", "5"], ["9999+0+0", "x"]),
    "value": (["0", "4.5", "-2"], ["1e7", ""]),
}


def seldom(draw: st.DrawFn, one_of: int = 20) -> bool:
    """True once in so many times."""
    return draw(st.integers(1, one_of)) == one_of


@st.composite
def mazes(draw: st.DrawFn) -> dict[str, Any]:
    """A drawing whose walls, mouse and cheese are anywhere, sometimes of another size or with other characters."""
    side = 4 if seldom(draw) else draw(st.sampled_from([3, 5]))
    cells = draw(st.lists(st.sampled_from("....#"), min_size=side * side, max_size=side * side))
    marks = draw(st.sampled_from(["M", "MCC", "MCx"])) if seldom(draw) else "MC"
    for mark, place in zip(marks, draw(st.permutations(range(side * side))), strict=False):
        cells[place] = mark
    drawn = "\n".join("".join(cells[row : row + side]) for row in range(0, side * side, side))
    level = draw(st.sampled_from([None, 26, 3]))
    return {"ascii": drawn, "mode": draw(st.sampled_from(["hard", "easy"])), "facing": "right", "level": level}


@st.composite
def edits(draw: st.DrawFn, sites: list[str]) -> dict[str, Any]:
    """A text in the notation of edits, or near it."""
    kind = "dance" if seldom(draw) else draw(st.sampled_from(sorted(FIELDS)))
    known = [
        name for name in (sorted(VALUES) if kind not in FIELDS or seldom(draw) else FIELDS[kind]) if name in VALUES
    ]
    chosen = draw(st.lists(st.sampled_from(known), max_size=2, unique=True))
    chosen += [name for name in {"clamp": ("index", "value"), "patch": ("vector",)}.get(kind, ()) if name not in chosen]
    parts = [f"{name}={draw(st.sampled_from(VALUES[name][seldom(draw)]))}" for name in chosen]
    if draw(st.booleans()):
        parts.append("site=nowhere" if seldom(draw) else f"site={draw(st.sampled_from(sites))}")
    return {"text": ",".join([kind, *parts]), "on": draw(st.sampled_from([True, True, False]))}


@st.composite
def states(draw: st.DrawFn, sites: list[str]) -> dict[str, Any]:
    """A state, sometimes with one of its parts out of order."""
    panels = st.lists(st.sampled_from(["clean", "steered", "no_cheese", "difference"]), max_size=4)
    made = {
        "maze": draw(mazes()),
        "edits": draw(st.lists(edits(sites), max_size=3)),
        "site": draw(st.sampled_from(sites)),
        "panels": draw(panels),
        "facing": "visited",
        "heat": {"kind": draw(st.sampled_from(["none", "norm", "channel"])), "channel": draw(st.integers(0, 40))},
        "asked": [],
        "horizon": draw(st.integers(1, 40)),
    }
    if not seldom(draw):
        return made
    return made | {draw(st.sampled_from(sorted(made))): draw(st.none() | st.integers() | st.text(max_size=5))}


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_every_state_gives_numbers_or_one_line(policy: MazePolicy, data: st.DataObject) -> None:
    session = SESSIONS.setdefault("one", Session(policy))
    state = data.draw(states([site.name for site in enumerate_sites(policy.net)]))
    updates = list(session.work(state))
    for update in updates:
        json.dumps(dict(update.facts), allow_nan=False)
    problems = [update.facts for update in updates if update.type == "problem"]
    assert all("\n" not in each["line"] and each["line"].isprintable() for each in problems)
    event(
        problems[-1]["what"] if problems else "numbers, steered" if any(e["on"] for e in state["edits"]) else "numbers"
    )
    stopped = [each for each in problems if each["what"] != "heat"]
    if stopped:
        assert stopped == [problems[-1]] and updates[-1].type == "problem"
        return
    assert updates[-1].type == "done"
    maze = Maze.from_ascii(state["maze"]["ascii"], state["maze"]["mode"])
    for found in fields_of(updates, len(maze.states)).values():
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)


SESSIONS: dict[str, Session] = {}


@settings(max_examples=100, deadline=None)
@given(
    message=st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists) | st.just({})
)
def test_what_is_no_state_or_question_gets_one_line(policy: MazePolicy, message: object) -> None:
    session = SESSIONS.setdefault("one", Session(policy))
    for found in (list(session.work(message)), list(session.ask(message)), list(session.ask({"what": message}))):
        assert [update.type for update in found] == ["problem"]
        assert "\n" not in found[0].facts["line"]


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_page_keeps_at_most_half_a_gigabyte() -> None:
    """As docs/workbench.md says: the bounds of all that one session keeps, together."""
    of_fields = fields.MOST_FIELDS + fields.MOST_VALUES + frames.MOST_FRAMES
    assert of_fields + context.MOST_TAKEN + context.MOST_FOUND + outcomes.MOST_PICTURES < 5e8


def test_fields_that_are_kept_hold_no_vectors(policy: MazePolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields of a small maze are small, their vectors are not: these have a bound of their own."""
    monkeypatch.setattr(context, "MOST_TAKEN", 2**20)
    session, maze = Session(policy), Maze.from_ascii("..C\n.##\nM..")
    digests = []
    for seed in range(30):
        text = f"add,vector=random,seed={seed},site=block1.conv"
        digests += edited(read_edits([text], policy), policy, maze).vectors
        assert list(session.work(state_of(maze, [text], panels=("steered",))))[-1].type == "done"
    gc.collect()
    held = {each.digest for each in gc.get_objects() if type(each) is SteeringVector}
    assert held & set(digests) and not held & set(digests[:10])


def test_memory_is_flat_over_a_thousand_edits(policy: MazePolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept has a bound; with one of 1 MB for each kind, 800 further edits add less than 64 MB.

    Torch keeps a thousand of its prepared convolutions, one for each size of batch: most of what is added is theirs.
    """
    for place, name in (
        (fields, "MOST_FIELDS"),
        (fields, "MOST_VALUES"),
        (frames, "MOST_FRAMES"),
        (context, "MOST_TAKEN"),
        (outcomes, "MOST_PICTURES"),
    ):
        monkeypatch.setattr(place, name, 2**20)
    session, rng = Session(policy), np.random.default_rng(0)
    names = [site.name for site in enumerate_sites(policy.net)][6:]
    state, sizes = state_of(Maze.from_level(26), look=26), []
    for number in range(1_000):
        if number % 5 == 0:  # another maze; else another coefficient
            walls, name = rng.choice([".", ".", "#"], size=9), rng.choice(names)
            walls[6], walls[rng.choice([0, 1, 2, 5, 8])] = "M", "C"
            state["maze"]["ascii"] = "\n".join("".join(walls[row : row + 3]) for row in (0, 3, 6))
        text = f"subtract,vector=cheese,site={name},coefficient={rng.normal():.4f}"
        state["edits"] = [{"text": text, "on": True}]
        for update in session.work(state):
            if update.type == "field" and number % 20:
                break  # a newer state came
        if number in (200, 999):
            gc.collect()
            sizes.append(resident())
    assert sizes[1] - sizes[0] < 64 * 2**20


def test_two_sessions_do_not_disturb_one_another(policy: MazePolicy, leak_check: None) -> None:
    """Their work alternates, chunk by chunk, on one network; each gets what it gets alone."""
    maze, other = Maze.from_level(26), Maze.from_level(3)
    asked = {"first": state_of(maze, STACK), "second": state_of(other, [f"ablate,site={SITE},channels=1+2"])}
    alone = {name: list(Session(policy).work(state)) for name, state in asked.items()}
    running = {name: Session(policy).work(state) for name, state in asked.items()}
    got: dict[str, list[Any]] = {name: [] for name in asked}
    for _ in range(200):
        for name, work in running.items():
            got[name] += itertools.islice(work, 1)
    for name, world in (("first", maze), ("second", other)):
        assert [update.type for update in got[name]] == [update.type for update in alone[name]]
        for panel, field in fields_of(got[name], len(world.states)).items():
            expected = fields_of(alone[name], len(world.states))[panel]
            np.testing.assert_array_equal(field.probabilities, expected.probabilities)


def test_a_run_of_another_agent_is_refused(
    policy: MazePolicy, random_policy: MazePolicy, sweep: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="not of random"):
        Session(random_policy, run=sweep)
    with pytest.raises(InputError):
        Session(policy, run=tmp_path)
