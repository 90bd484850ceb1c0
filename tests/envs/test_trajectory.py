"""The record of a rollout: exact round trips, and nothing but whole records is accepted."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.actions import N_MOVES, Facing, Move
from envs.dynamics import step
from envs.errors import InputError
from envs.maze import Maze, State
from envs.trajectory import Trajectory

UP_RIGHT = (
    State((0, 0), Facing.LEFT),
    State((0, 1), Facing.LEFT),
    State((0, 1), Facing.RIGHT),  # blocked, yet turned
    State((1, 1), Facing.RIGHT),
)
MOVES = (Move.UP, Move.RIGHT, Move.RIGHT)


def record(states: tuple[State, ...] = UP_RIGHT, moves: tuple[Move, ...] = MOVES, **fields: object) -> Trajectory:
    values = {"probabilities": np.full((len(moves), N_MOVES), 0.2), "reached_cheese": False, "info": {}, **fields}
    return Trajectory(states, moves, **values)  # type: ignore[arg-type]


def random_walk(seed: int, steps: int) -> Trajectory:
    maze = Maze.from_ascii(".....\n.###.\n.#C..\n.#.##\nM..##")
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(N_MOVES), size=steps)
    states, moves = [State(maze.mouse, maze.facing)], []
    for row in p:
        moves.append(Move(int(rng.choice(N_MOVES, p=row))))
        states.append(step(maze, states[-1], moves[-1]))
    info = {"level": seed, "condition": "subtract", "text": "Käse\n", "nested": {"a": [1, 2.5, None]}}
    return Trajectory(tuple(states), tuple(moves), p, bool(seed % 2), info)


def saved(path: Path, **arrays: np.ndarray) -> Path:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    return path


def parts(t: Trajectory) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(t.to_bytes())) as data:
        return dict(data)


@pytest.mark.parametrize(("seed", "steps"), [(0, 0), (1, 1), (2, 40), (3, 256)])
def test_round_trip(tmp_path: Path, seed: int, steps: int) -> None:
    walk = random_walk(seed, steps)
    path = tmp_path / "walk.npz"
    path.write_bytes(walk.to_bytes())
    back = Trajectory.load(path)
    assert (back.states, back.moves, back.reached_cheese, back.info) == (
        walk.states,
        walk.moves,
        walk.reached_cheese,
        walk.info,
    )
    np.testing.assert_array_equal(back.probabilities, walk.probabilities)
    assert len(back) == steps and back.to_bytes() == walk.to_bytes() == random_walk(seed, steps).to_bytes()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"states": UP_RIGHT[:-1]}, "3 states for 3 moves"),
        ({"moves": MOVES[:-1]}, "4 states for 2 moves"),
        ({"probabilities": np.full((2, 5), 0.2)}, "probabilities"),
        ({"probabilities": np.full((3, 4), 0.25)}, "probabilities"),
        ({"probabilities": np.full((3, 5), 0.3)}, "do not sum to 1"),
        ({"probabilities": np.full((3, 5), np.nan)}, "do not sum to 1"),
        ({"probabilities": np.tile([2.0, -1, 0, 0, 0], (3, 1))}, "negative"),
        ({"states": (*UP_RIGHT[:3], State((2, 1), Facing.RIGHT))}, "step 2 by right"),
        ({"states": (State((1, 0), Facing.LEFT), *UP_RIGHT[1:])}, "step 0 by up"),
        ({"states": (*UP_RIGHT[:2], UP_RIGHT[1], UP_RIGHT[3])}, "step 1 by right"),
        ({"info": [1]}, "info"),
    ],
)
def test_parts_that_do_not_fit(fields: dict[str, object], words: str) -> None:
    assert len(record()) == 3
    with pytest.raises(InputError, match=f"^trajectory: [^\n]*{words}"):
        record(**fields)  # type: ignore[arg-type]


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


def test_pickled_objects_are_not_run(tmp_path: Path) -> None:
    sign = tmp_path / "it-ran"
    whole = parts(record())
    bomb = np.array([Bomb(sign)], dtype=object)
    files = [saved(tmp_path / f"{name}.npz", **{**whole, name: bomb}) for name in whole]
    files.append(tmp_path / "bare.npz")
    files[-1].write_bytes(pickle.dumps(Bomb(sign)))
    for file in files:
        with pytest.raises(InputError, match=r"^[^\n]*\.npz: [^\n]*(not a recorded trajectory|damaged zip)[^\n]*$"):
            Trajectory.load(file)
    assert not sign.exists()
    pickle.loads(files[-1].read_bytes())
    assert sign.exists()  # the bomb is a live one


def test_foreign_files(tmp_path: Path) -> None:
    whole = parts(record())
    bad = {
        "missing part": {k: v for k, v in whole.items() if k != "moves"},
        "flat cells": {**whole, "cells": np.zeros(4)},
        "infinite cells": {**whole, "cells": np.full((4, 2), np.inf)},
        "facing 7": {**whole, "facings": np.full(4, 7)},
        "move 9": {**whole, "moves": np.full(3, 9)},
        "words": {**whole, "probabilities": np.full((3, 5), "a")},
        "info is no text": {**whole, "info": np.full(3, 255, np.uint8)},
        "info is a number": {**whole, "info": np.frombuffer(b"3", np.uint8)},
        "two flags": {**whole, "reached_cheese": np.zeros(2, bool)},
    }
    files = [saved(tmp_path / f"{name}.npz", **arrays) for name, arrays in bad.items()]
    array = tmp_path / "array.npz"
    with array.open("wb") as handle:
        np.save(handle, np.zeros(3))
    folder = tmp_path / "folder.npz"
    folder.mkdir()
    text = tmp_path / "text.npz"
    text.write_text("hello")
    for file in [*files, array, folder, text, tmp_path / "absent.npz"]:
        with pytest.raises(InputError, match="^[^\n]+$") as caught:
            Trajectory.load(file)
            pytest.fail(f"{file.name} was accepted")
        assert file.name in str(caught.value) or "trajectory: " in str(caught.value)


WALK = random_walk(4, 12).to_bytes()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    cut=st.none() | st.integers(0, len(WALK) - 1),
    changes=st.lists(st.tuples(st.integers(0, len(WALK) - 1), st.integers(0, 255)), max_size=4),
)
def test_damaged_files_raise_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, cut: int | None, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(WALK)
    for at, value in changes:
        data[at] = value
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(bytes(data[:cut]))
    try:
        back = Trajectory.load(path)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert cut is None
    # What zip's checksums let through is the record itself (a flipped date, say).
    assert back.to_bytes() == WALK


def test_the_file_is_a_plain_archive() -> None:
    with zipfile.ZipFile(io.BytesIO(WALK)) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
