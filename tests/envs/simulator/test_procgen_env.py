"""Levels and frames against environments that procgen makes by itself."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from envs.errors import InputError
from envs.maze import Maze
from envs.simulator import procgen_env, state_bytes
from envs.simulator.procgen_env import MAX_SEED, level_states, observe_many, observe_states, observe_variants
from envs.simulator.state_bytes import MazeState
from envs.simulator.state_layout import WALL
from envs.training.vec_env import MazeVecEnv


def every_state(state: MazeState) -> tuple[np.ndarray, np.ndarray]:
    free = np.argwhere(state.grid != WALL)[:, ::-1]
    return np.repeat(free, 2, axis=0), np.tile([0, 1], len(free))


@pytest.mark.parametrize("mode", ["hard", "easy"])
def test_levels_are_those_of_start_level(mode: str) -> None:
    seeds = [0, 1, 7, 12_345, 99_999, 1_000_000, MAX_SEED]
    frames = observe_states(level_states(seeds, mode))
    for seed, frame in zip(seeds, frames, strict=True):
        env = procgen_env.gym3_env(1, mode, start_level=seed, num_levels=1, rand_seed=42)
        np.testing.assert_array_equal(env.observe()[1]["rgb"][0], frame)
        assert env.get_info()[0]["level_seed"] == seed
        env.close()
    assert len({frame.tobytes() for frame in frames}) == len(seeds)


@pytest.mark.parametrize("count", [1, 4, 5, 16, 17, 64, 67])
def test_levels_do_not_depend_on_the_batch(count: int) -> None:
    together = level_states(range(count))
    some = sorted({0, count // 2, count - 1})
    assert [together[i] for i in some] == [level_states([i])[0] for i in some]


def test_frames_do_not_depend_on_the_batch() -> None:
    state = state_bytes.decode(level_states([4])[0])
    cells, facings = every_state(state)
    assert len(cells) > 130
    alone = np.concatenate([observe_variants(state, c, f) for c, f in zip(cells[:, None], facings, strict=True)])
    # No two cells look alike (the two facings of a cell sometimes do, at 2.56 pixels a tile).
    assert len({frame.tobytes() for frame in alone[::2]}) == len(cells) // 2
    for n in (1, 2, 5, 16, 17, 63, 64, 65, 130):
        np.testing.assert_array_equal(observe_variants(state, cells[:n], facings[:n]), alone[:n])
    backwards = observe_variants(state, cells[::-1], facings[::-1])
    np.testing.assert_array_equal(backwards[::-1], alone)


def test_batches_of_several_levels_keep_their_order() -> None:
    requests = []
    for data in level_states([5, 0, 9]):
        state = state_bytes.decode(data)
        cells, facings = every_state(state)
        requests.append((state, cells[:40], facings[:40]))
    np.testing.assert_array_equal(observe_many(requests), np.concatenate([observe_variants(*r) for r in requests]))


def test_human_frames_show_the_same_states() -> None:
    state = state_bytes.decode(level_states([4])[0])
    cells, facings = every_state(state)
    cells, facings = cells[::2], facings[::2]
    large = observe_variants(state, cells[:18], facings[:18], human=True)
    assert large.shape == (18, 512, 512, 3) and large.dtype == np.uint8
    np.testing.assert_array_equal(large[17], observe_variants(state, cells[17:18], facings[17:18], human=True)[0])
    small = observe_variants(state, cells[:18], facings[:18])
    # The same pictures at another size: each brings the mouse to the same place.
    for frames, size in ((large, 512), (small, 64)):
        changed = np.abs(frames.astype(int) - np.median(frames, axis=0)).sum(axis=3) > 60
        tile = size / 25
        for where, (x, y) in zip(changed, cells[:18], strict=True):
            rows, columns = np.nonzero(where)
            assert len(rows) > 0
            assert np.hypot(np.median(columns) / tile - x - 0.5, 24.5 - np.median(rows) / tile - y) < 1


def test_threads_do_not_mix_their_frames() -> None:
    states = [state_bytes.decode(data) for data in level_states(range(6))]
    expected = [observe_variants(s, *every_state(s)) for s in states]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda s: observe_variants(s, *every_state(s)), states * 2))
    for frames, right in zip(found, expected * 2, strict=True):
        np.testing.assert_array_equal(frames, right)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 10**12, 1.5, "3", None, float("nan")])
def test_seeds_that_do_not_exist(seed: object) -> None:
    with pytest.raises(InputError, match=rf"^level .* does not exist; levels are the whole numbers 0 to {MAX_SEED}$"):
        level_states([0, seed])  # type: ignore[list-item]


def test_unknown_mode_names_the_nearest() -> None:
    with pytest.raises(InputError, match="^maze mode 'hrd' is not supported; did you mean 'hard'[?]$"):
        level_states([0], "hrd")
    with pytest.raises(InputError, match="memory"):
        procgen_env.gym3_env(1, "memory")


def test_nothing_and_mixtures_are_refused() -> None:
    hard, easy = (level_states([0], mode)[0] for mode in ("hard", "easy"))
    decoded = [state_bytes.decode(data) for data in (hard, easy)]
    requests = [(s, np.array([s.mouse]), np.array([0])) for s in decoded]
    for ask in (lambda: observe_states([hard, easy]), lambda: observe_many(requests)):
        with pytest.raises(InputError, match="different modes"):
            ask()
    nothing = np.zeros((0, 2), int)
    for ask in (
        lambda: observe_states([]),
        lambda: observe_many([]),
        lambda: observe_variants(decoded[0], nothing, nothing[:, 0]),
    ):
        with pytest.raises(InputError, match="^no states to observe$"):
            ask()
    assert level_states([]) == []


def walls_of(seed: int) -> tuple[str, ...]:
    return Maze.from_level(seed).walls


def step_of(env: MazeVecEnv) -> None:
    env.step(np.zeros(1, dtype=int))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_child_process_has_environments_of_its_own(method: str) -> None:
    """The parent's stay in the parent, threads and all; a child that waited for them would wait for ever."""
    expected = [walls_of(seed) for seed in range(3)]
    mine = MazeVecEnv(1, seed=0)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        assert list(pool.map(walls_of, range(3), timeout=60)) == expected
    if method == "fork":
        mine.reset()
        child = multiprocessing.get_context(method).Process(target=_use_of_the_parents, args=(mine,))
        child.start()
        child.join(60)
        assert child.exitcode == 0
    mine.reset()
    step_of(mine)
    mine.close()
    assert walls_of(0) == expected[0]


def _use_of_the_parents(env: MazeVecEnv) -> None:
    with pytest.raises(InputError, match=r"made before a fork; make one in this process$"):
        step_of(env)
    env.close()


def test_nothing_is_printed() -> None:
    code = "from envs.maze import Maze; Maze.from_level(0).observations(); import gym"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
