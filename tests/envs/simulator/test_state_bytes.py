"""The codec of procgen's states: exact round trips, and nothing dangerous gets past it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.actions import Facing
from envs.errors import InputError
from envs.simulator import procgen_env, state_bytes
from envs.simulator.state_bytes import MazeState, decode, encode
from envs.simulator.state_layout import CHEESE, SPACE, WALL

SEEDS = range(24)


@pytest.fixture(scope="module")
def hard() -> list[bytes]:
    return procgen_env.level_states(SEEDS, "hard")


@pytest.fixture(scope="module")
def easy() -> list[bytes]:
    return procgen_env.level_states(SEEDS, "easy")


def through_procgen(states: list[MazeState]) -> list[MazeState]:
    """Return procgen's states after it was given ``states``."""
    env = procgen_env.cached_env(states[0].mode, len(states))
    env.callmethod("set_state", [encode(state) for state in states])
    return [decode(data) for data in env.callmethod("get_state")]


def edited(state: MazeState, **fields: object) -> MazeState:
    """The state with raw field values, unchecked."""
    return dataclasses.replace(state, values={**state.values, **fields})


def with_entity(state: MazeState, field: int, value: float, kind: str = "<f4") -> MazeState:
    entities = state.entities.copy()
    entities[0, field] = np.array([value], dtype=kind).view("<i4")[0]
    return edited(state, entities=entities)


def with_object(state: MazeState, cell: tuple[int, int], value: int) -> MazeState:
    grid = state.grid.copy()
    grid[cell[1], cell[0]] = value
    return edited(state, grid=grid)


def assert_documented(state: MazeState) -> None:
    """The relations that the module promises of every state it lets through."""
    world = {"easy": 15, "hard": 25}[state.mode]
    assert state.world_dim == world and state.grid.shape == (world, world)
    assert state.maze_dim % 2 == 1 and 3 <= state.maze_dim <= world
    assert set(np.unique(state.grid)) <= {WALL, SPACE, CHEESE} and (state.grid == CHEESE).sum() <= 1
    ys, xs = np.nonzero(state.grid != WALL)
    low, high = state.margin, state.margin + state.maze_dim
    assert min(xs.min(), ys.min()) >= low and max(xs.max(), ys.max()) < high
    x, y = state.mouse
    assert state.grid[y, x] != WALL
    assert state.facing in Facing
    assert state.integer("level_seed_low") < state.integer("level_seed_high")


@pytest.mark.parametrize("mode", ["hard", "easy"])
def test_round_trip_of_level_states(mode: str, request: pytest.FixtureRequest) -> None:
    states = request.getfixturevalue(mode)
    for seed, data in zip(SEEDS, states, strict=True):
        state = decode(data)
        assert encode(state) == data
        assert_documented(state)
        assert (state.mode, state.integer("current_level_seed")) == (mode, seed)
        # Procgen starts the mouse in the bottom-left inner cell.
        assert state.mouse == (state.margin, state.margin) and state.cheese is not None
    assert len(set(states)) == len(states)


@pytest.mark.parametrize("mode", ["hard", "easy"])
def test_round_trip_after_random_play(mode: str) -> None:
    env = procgen_env.gym3_env(24, mode, start_level=0, num_levels=0, rand_seed=7)
    rng = np.random.default_rng(1)
    met = set()
    for _ in range(20):
        for _ in range(4):
            env.act(rng.integers(15, size=24).astype(np.int32))
            env.observe()
        for data in env.callmethod("get_state"):
            state = decode(data)
            assert encode(state) == data
            assert_documented(state)
            met.add((state.mouse, state.facing))
    env.close()
    assert len(met) > 30


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_edits_survive_procgen_and_change_nothing_else(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["hard", "easy"]))
    base = decode(procgen_env.level_states([data.draw(st.integers(0, 60))], mode)[0])
    free = [(int(x), int(y)) for y, x in np.argwhere(base.grid != WALL)]
    mouse, facing = data.draw(st.sampled_from(free)), data.draw(st.sampled_from(list(Facing)))
    cheese = data.draw(st.none() | st.sampled_from(free))
    state = base.with_mouse(mouse, facing).with_cheese(cheese)
    assert decode(encode(state)).values.keys() == state.values.keys()
    assert encode(decode(encode(state))) == encode(state)
    (back,) = through_procgen([state])
    assert (back.mouse, back.facing, back.cheese) == (mouse, facing, cheese)
    assert encode(back) == encode(state)
    # Taken back, the edits leave the bytes procgen wrote.
    assert encode(state.with_cheese(base.cheese).with_mouse(base.mouse, base.facing)) == encode(base)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    level=st.integers(0, 23),
    how=st.sampled_from(["byte", "word", "cut", "insert", "grow"]),
    place=st.floats(0, 1, exclude_max=True),
    small_place=st.booleans(),
    value=st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, 1, -1, 2, 7, 25, 100, 2**31 - 1]),
)
def test_damaged_bytes_are_refused_or_still_hold_what_is_promised(
    hard: list[bytes], level: int, how: str, place: float, small_place: bool, value: int
) -> None:
    whole = hard[level]
    # Two thirds of the bytes are generator texts; look at the rest more often.
    tail = len(whole) - 3200
    at = tail + int(place * 3200) if small_place else int(place * len(whole))
    word = int(value).to_bytes(4, "little", signed=True)
    data = {
        "byte": whole[:at] + word[:1] + whole[at + 1 :],
        "word": whole[: at - at % 4] + word + whole[at - at % 4 + 4 :],
        "cut": whole[:at],
        "insert": whole[:at] + word + whole[at:],
        "grow": whole + word,
    }[how]
    try:
        state = decode(data)
    except InputError as error:
        assert "\n" not in str(error) and str(error).startswith("procgen state: ")
        return
    assert how in ("byte", "word")
    assert encode(state) == data
    assert_documented(state)


def damages(state: MazeState) -> dict[str, MazeState]:
    """Single damages, each of which would abort, hang or corrupt procgen, or show nonsense."""
    wall = tuple(int(v) for v in np.argwhere(state.grid == WALL)[-1][::-1])
    free = state.mouse
    twister = state.values["rand_gen.state"]
    assert isinstance(twister, bytes)
    words = twister.split(b" ")
    dim = state.maze_dim
    return {
        "rng position 625": edited(state, **{"rand_gen.state": b" ".join([*words[:-1], b"625"])}),
        "rng with a word less": edited(state, **{"rand_gen.state": b" ".join(words[1:])}),
        "rng with letters": edited(state, **{"level_seed_rand_gen.state": twister.replace(b"1", b"x", 1)}),
        "mouse in a wall": with_entity(with_entity(state, 0, wall[0] + 0.5), 1, wall[1] + 0.5),
        "mouse outside": with_entity(state, 0, 25.5),
        "mouse at NaN": with_entity(state, 0, float("nan")),
        "mouse at infinity": with_entity(state, 1, float("inf")),
        "mouse between cells": with_entity(state, 0, free[0] + 0.25),
        "facing 2": with_entity(state, 15, 2, "<i4"),
        "another entity type": with_entity(state, 6, 3, "<i4"),
        "a wide mouse": with_entity(state, 4, 0.75),
        "grid object 7": with_object(state, free, 7),
        "two cheeses": with_object(with_object(state, free, CHEESE), (free[0] + dim - 1, free[1]), CHEESE),
        "even maze_dim": edited(state, maze_dim=dim + 1),
        "maze_dim beyond the world": edited(state, maze_dim=27),
        "negative maze_dim": edited(state, maze_dim=-3),
        "another world": edited(state, world_dim=31),
        "grid width": edited(state, grid_width=24),
        "main height": edited(state, main_height=15),
        "another game": edited(state, game_name=b"heis"),
        "another version": edited(state, version=1),
        "memory mode": edited(state, distribution_mode=10),
        "no levels to draw": edited(state, level_seed_low=5, level_seed_high=5),
        "a waiting env": edited(state, is_waiting_for_step=1),
        "a picture that is not there": edited(state, background_index=9),
        "NaN reward": edited(state, reward=float("nan")),
        "end marker": edited(state, end_marker=0),
        "no entities": edited(state, entities=state.entities[:0]),
        "two entities": edited(state, entities=np.repeat(state.entities, 2, axis=0)),
    }


def test_dangerous_states_are_refused_before_procgen(hard: list[bytes]) -> None:
    state = next(s for s in map(decode, hard) if s.maze_dim < 20)
    for name, damaged in damages(state).items():
        with pytest.raises(InputError, match="^procgen state: [^\n]+$"):
            procgen_env.observe_states([hard[0], encode(damaged)])
            pytest.fail(f"{name} was accepted")
    assert procgen_env.observe_states([encode(state)]).shape == (1, 64, 64, 3)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"\xff" * 24_000, b"x" * 300_000, "text", None, 7])
def test_things_that_are_no_state_are_refused(data: object) -> None:
    with pytest.raises(InputError, match="^procgen state: [^\n]+$"):
        decode(data)  # type: ignore[arg-type]


def test_edits_onto_walls_or_out_of_the_grid_are_refused(hard: list[bytes]) -> None:
    state = decode(hard[0])
    for cell in [(0, 0), (-1, 5), (25, 3), (10**6, 0)]:
        with pytest.raises(InputError):
            state.with_cheese(cell)
        with pytest.raises(InputError):
            state.with_mouse(cell, Facing.LEFT)
        with pytest.raises(InputError):
            state_bytes.mouse_variants(state, np.array([state.mouse, cell]), np.zeros(2, int))
    with pytest.raises(InputError):
        state_bytes.mouse_variants(state, np.array([state.mouse]), np.array([2]))
    for low, high in [(-1, 5), (5, 5), (6, 5), (0, 2**31)]:
        with pytest.raises(InputError):
            state.with_level_seeds(low, high)
    assert encode(state) == hard[0]


def test_mouse_variants_equal_single_edits(hard: list[bytes]) -> None:
    for data in hard[:6]:
        state = decode(data)
        free = np.argwhere(state.grid != WALL)[:, ::-1]
        facings = np.arange(len(free)) % 2
        singles = [
            encode(state.with_mouse((int(x), int(y)), Facing(int(f)))) for (x, y), f in zip(free, facings, strict=True)
        ]
        assert state_bytes.mouse_variants(state, free, facings) == singles


def test_frames_do_not_depend_on_the_generators(hard: list[bytes]) -> None:
    for data in hard[:6]:
        state = decode(data)
        free = np.argwhere(state.grid != WALL)[:, ::-1]
        facings = np.arange(len(free)) % 2
        whole = state_bytes.mouse_variants(state, free, facings)
        bare = state_bytes.mouse_variants(state, free, facings, frames_only=True)
        assert len(bare[0]) < len(whole[0]) / 2
        np.testing.assert_array_equal(procgen_env._observe(bare, "hard", False), procgen_env.observe_states(whole))
        with pytest.raises(InputError, match="rand_gen.state"):
            decode(bare[0])
    # What was shown leaves nothing behind: the next levels are those of a fresh process.
    assert procgen_env.level_states([3, 4, 5]) == [encode(decode(data)) for data in hard[3:6]]


EXTREMES = """
import dataclasses
import numpy as np
from envs.simulator import procgen_env, state_bytes
from envs.errors import InputError
from envs.simulator.state_layout import ENTITY, FIELDS

base = state_bytes.decode(procgen_env.level_states([3])[0])
env = procgen_env.gym3_env(1, start_level=0, num_levels=1, rand_seed=0)
shown = refused = 0
for names, where in ((FIELDS, "state"), (ENTITY, "entity")):
    for i, (name, kind, (low, high)) in enumerate(names):
        if kind not in "if":
            continue
        for value in {low, high} if kind == "i" else {low, high, 0.0, 1e-30, -1e-30, 1e-3, 1.0, -1.0}:
            if where == "state":
                values = {**base.values, name: int(value) if kind == "i" else float(value)}
            else:
                entities = base.entities.copy()
                entities[0, i] = np.array([value], dtype="<" + kind + "4").view("<i4")[0]
                values = {**base.values, "entities": entities}
            data = state_bytes.encode(dataclasses.replace(base, values=values))
            try:
                state_bytes.decode(data)
            except InputError:
                refused += 1
                continue
            env.callmethod("set_state", [data])
            env.observe()
            for action in (7, 5, 1, 3, -1):
                env.act(np.array([action], dtype=np.int32))
                env.observe()
            shown += 1
print(shown, refused)
"""


def test_whatever_is_accepted_procgen_survives() -> None:
    """Every field at both ends of its bounds: shown, stepped and reset, without abort or hang."""
    done = subprocess.run([sys.executable, "-c", EXTREMES], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-500:]
    shown, refused = map(int, done.stdout.split())
    assert shown > 150 and refused > 10
