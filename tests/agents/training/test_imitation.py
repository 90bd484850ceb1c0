"""The warm start: right labels on training levels only, batches by number, exact resumption."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.networks.impala import ImpalaPolicyNet
from agents.training.imitation import ImitationConfig, batches, make_block, train_imitation, training_mazes
from agents.training.pipeline import TrainSpec
from agents.training.supervised import Batch, batch_loss
from envs.actions import STEP_OF_MOVE, Move
from envs.errors import InputError
from envs.maze import Cell, Maze
from envs.simulator.state_layout import WORLD_DIM
from envs.training.levels import TRAIN_LEVELS, check_region, place_cheese
from envs.training.slots import LevelStream
from envs.training.teachers import reflex, shortest_path
from steering.planning.pairs import Goal, Kind, drawn_pairs
from steering.planning.readers import reader_moves
from tests.helpers.work import never_serve

ROOT = Path(__file__).resolve().parents[3]
TINY = ImitationConfig(samples=25 * 8, batch_size=8, levels_per_batch=2, block=4, warmup_samples=40, bf16=False, seed=5)


def mazes_of(config: ImitationConfig, number: int) -> list[Maze]:
    """The mazes that block ``number`` was drawn from: its generator's first use."""
    return training_mazes(
        config.region, config.levels_per_batch * config.block, np.random.default_rng([config.seed, number]), config.mode
    )


def whole_block(config: ImitationConfig, number: int) -> Batch:
    """All batches of a block as one."""
    parts = make_block(config, number)
    assert [len(part.moves) for part in parts] == [config.batch_size] * config.block
    return Batch(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("frames", "moves", "returns")))


def steps_to(maze: Maze, goal: Cell) -> dict[Cell, int]:
    """Breadth-first distances to ``goal``."""
    steps, queue = {goal: 0}, deque([goal])
    while queue:
        x, y = queue.popleft()
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            cell = (x + dx, y + dy)
            if maze.is_free(cell) and cell not in steps:
                steps[cell] = steps[(x, y)] + 1
                queue.append(cell)
    return steps


def recognized(mazes: list[Maze], frames: np.ndarray) -> list[list[tuple[Maze, Cell]]]:
    """Return the places (maze, cell) that each frame can show, by its pixels alone: nearly always one.

    The mouse is a few pixels large; in two states of most mazes no pixel of it is drawn at all.
    """
    known: dict[bytes, list[tuple[Maze, Cell]]] = {}
    for maze in mazes:
        for state, frame in zip(maze.states, maze.observations(), strict=True):
            places = known.setdefault(frame.tobytes(), [])
            if (maze, state.cell) not in places:
                places.append((maze, state.cell))
    return [known[frame.tobytes()] for frame in frames]


@pytest.mark.parametrize(("region", "mode"), [(5, "hard"), (None, "hard"), (5, "easy")])
def test_labels_lead_to_the_cheese_and_returns_are_discounted_steps(region: int | None, mode: str) -> None:
    config = ImitationConfig(region=region, batch_size=75, levels_per_batch=2, block=4, seed=2, mode=mode)
    batch, mazes = whole_block(config, 7), mazes_of(config, 7)
    assert {(maze.mode, maze.state.world_dim) for maze in mazes} == {(mode, WORLD_DIM[mode])}
    assert all(maze.dim <= WORLD_DIM[mode] for maze in mazes)
    assert batch.frames.shape == (300, 64, 64, 3) and batch.moves.shape == batch.returns.shape == (300,)
    ambiguous = 0
    for places, move, value in zip(recognized(mazes, batch.frames), batch.moves, batch.returns, strict=True):
        dx, dy = STEP_OF_MOVE[Move(move)]
        right = []
        for maze, cell in places:
            assert maze.cheese is not None
            steps = steps_to(maze, maze.cheese)
            closer = steps.get((cell[0] + dx, cell[1] + dy)) == steps[cell] - 1
            right.append(closer and math.isclose(value, 0.99 ** (steps[cell] - 1), rel_tol=1e-5))
        assert any(right)
        ambiguous += len(places) > 1
    assert ambiguous <= 6


def test_large_mazes_get_their_share() -> None:
    config = ImitationConfig(batch_size=500, levels_per_batch=2, block=4, seed=1)
    mazes = mazes_of(config, 0)
    found = Counter(id(places[0][0]) for places in recognized(mazes, whole_block(config, 0).frames))
    cells = np.array([len(maze.cells) for maze in mazes])
    assert cells.max() > 4 * cells.min()
    share = cells / cells.sum()
    counts = np.array([found[id(maze)] for maze in mazes])
    assert (np.abs(counts - 2000 * share) <= 5 * np.sqrt(2000 * share * (1 - share))).all()


def test_states_on_the_start_path_come_more_often() -> None:
    """A quarter of each maze's weight is spread over the path from the start to the cheese."""
    config = ImitationConfig(batch_size=500, levels_per_batch=1, block=4, seed=8, region=None)
    mazes = mazes_of(config, 0)
    expected = cells = 0.0
    for maze in mazes:
        assert maze.cheese is not None
        on_path = len(maze.path(maze.mouse, maze.cheese)) - 1
        expected += len(maze.cells) * (0.25 + 0.75 * on_path / (len(maze.cells) - 1))
        cells += len(maze.cells)
    expected /= cells
    found = [places[0] for places in recognized(mazes, whole_block(config, 0).frames)]
    share = sum(cell in maze.path(maze.mouse, maze.cheese)[:-1] for maze, cell in found if maze.cheese) / len(found)
    assert expected < 0.8 and abs(share - expected) <= 5 * math.sqrt(expected * (1 - expected) / len(found))


@pytest.mark.parametrize("region", [5, 3, 1])
def test_the_cheese_is_uniform_over_the_free_cells_of_its_region(region: int) -> None:
    """Chi-square over many draws in one maze, at the 1e-4 level."""
    maze = Maze.from_level(7)
    cells = sorted(maze.region(region) - {maze.mouse})
    rng = np.random.default_rng(11)
    found = Counter(place_cheese(maze, region, rng).cheese for _ in range(200 * len(cells)))
    assert set(found) <= set(cells)
    assert len(cells) == 1 or chisquare([found[cell] for cell in cells]).pvalue > 1e-4


@pytest.mark.parametrize("source", ["imitation", "environments"])
def test_what_is_trained_on_has_the_cheese_uniform_over_its_region(source: str) -> None:
    """Chi-square at the 1e-4 level over which of a maze's free cells it is, in mazes whose region has as many."""
    rng = np.random.default_rng(17)
    if source == "imitation":
        mazes = training_mazes(5, 900, rng)
    else:
        stream = LevelStream(TRAIN_LEVELS, 5, "hard", rng, 32)
        mazes = [stream.next() for _ in range(900)]
    places: dict[int, Counter[int]] = {}
    for maze in mazes:
        cells = sorted(maze.region(5) - {maze.mouse})
        assert maze.cheese is not None
        places.setdefault(len(cells), Counter())[cells.index(maze.cheese)] += 1
    asked = {count: found for count, found in places.items() if found.total() >= 5 * count}
    assert sum(found.total() for found in asked.values()) > 700
    for count, found in asked.items():
        assert chisquare([found[k] for k in range(count)]).pvalue > 1e-4


def test_the_expert_walks_every_cell_to_the_cheese_by_a_shortest_path() -> None:
    for maze in training_mazes(5, 6, np.random.default_rng(3)):
        assert maze.cheese is not None
        moves, left = shortest_path(maze)
        steps = steps_to(maze, maze.cheese)
        for cell, move, count in zip(maze.cells, moves, left, strict=True):
            dx, dy = STEP_OF_MOVE[Move(move)]
            assert count == steps[cell]
            assert steps[(cell[0] + dx, cell[1] + dy)] == max(count - 1, 0)
        assert moves[maze.index[maze.cheese]] == Move.NOOP
    with pytest.raises(InputError, match="no cheese"):
        shortest_path(maze.without_cheese())


def test_the_reflex_is_the_reader_that_sees_one_step_and_tells_nothing_of_walls() -> None:
    """By the ladder of readers, and by a maze whose far walls are others."""
    for maze in training_mazes(5, 6, np.random.default_rng(3)):
        assert maze.cheese is not None
        moves, left = reflex(maze)
        others = [cell for cell in maze.cells if cell != maze.cheese]
        read = reader_moves(maze, others, maze.cheese, 1)
        for cell, chances in zip(others, read, strict=True):
            assert chances[moves[maze.index[cell]]] == pytest.approx(chances.max())
        assert moves[maze.index[maze.cheese]] == Move.NOOP
        assert left.tolist() == [abs(x - maze.cheese[0]) + abs(y - maze.cheese[1]) for x, y in maze.cells]
        for pair in drawn_pairs(maze, Kind.DETOUR, Goal.CHEESE, 4, 0, 5):
            here = [reflex(each)[0][each.index[pair.state.cell]] for each in (pair.level, pair.twin)]
            assert here[0] == here[1]
    with pytest.raises(InputError, match="no cheese"):
        reflex(maze.without_cheese())


def test_whoever_shows_the_moves_is_part_of_the_data_and_of_the_run() -> None:
    block, shown = (
        make_block(dataclasses.replace(TINY, batch_size=64, teacher=teacher), 3) for teacher in ("path", "reflex")
    )
    for one, other in zip(block, shown, strict=True):
        assert np.array_equal(one.frames, other.frames)
        assert 0.4 < (one.moves == other.moves).mean() < 0.95
        assert (one.returns <= other.returns + 1e-6).all(), "no way is shorter than the cells between"
    spec = TrainSpec(samples=512, dagger_samples=(512,), ppo_steps=0, teacher="reflex")
    assert {stage.teacher for stage in spec.stages().values() if stage} == {"reflex"}
    assert " --teacher reflex " in spec.command
    with pytest.raises(InputError, match="add --ppo-steps 0"):
        TrainSpec(teacher="reflex")
    with pytest.raises(InputError, match="teacher 'reflx': did you mean 'reflex'"):
        TrainSpec(teacher="reflx", ppo_steps=0)


def test_mazes_are_of_the_training_range_and_obey_the_region_rule() -> None:
    for region in (1, 5, None):
        mazes = training_mazes(region, 40, np.random.default_rng(0))
        assert all(m.level is not None and TRAIN_LEVELS[0] <= m.level < TRAIN_LEVELS[1] for m in mazes)
        assert min(m.level or 0 for m in mazes) >= 1_000_000
        assert len({m.level for m in mazes}) == 40
        if region is not None:
            assert all(m.cheese in m.region(region) for m in mazes)
        else:
            assert any(m.cheese not in m.region(5) for m in mazes)


def equal(one: Batch, other: Batch) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("frames", "moves", "returns"))


def test_batches_are_functions_of_seed_and_number() -> None:
    one, again, next_one = whole_block(TINY, 3), whole_block(TINY, 3), whole_block(TINY, 4)
    other = whole_block(dataclasses.replace(TINY, seed=6), 3)
    # Options that say nothing about data leave the data alone.
    same = whole_block(dataclasses.replace(TINY, learning_rate=1.0, samples=999), 3)
    assert equal(again, one) and equal(same, one)
    assert not np.array_equal(one.frames, next_one.frames) and not np.array_equal(one.frames, other.frames)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_from_any_number_and_whoever_makes_them(workers: int) -> None:
    expected = [batch for number in (1, 2) for batch in make_block(TINY, number)][1:6]
    coming = batches(TINY, TINY.block + 1, workers)
    try:
        assert all(equal(next(coming), batch) for batch in expected)
    finally:
        coming.close()


def test_data_come_in_order_though_their_makers_are_killed() -> None:
    expected = [batch for number in range(4) for batch in make_block(TINY, number)]
    coming = batches(TINY, 0, 2)
    found = []
    with contextlib.closing(coming):
        for _ in range(4):
            found.append(next(coming))
            for child in multiprocessing.active_children():
                child.kill()
            found += [next(coming) for _ in range(TINY.block - 1)]
    assert all(equal(*pair) for pair in zip(found, expected, strict=True))


def test_data_that_cannot_be_made_end_the_training_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.workers.serve", never_serve)
    coming = batches(TINY, 0, 2)
    with pytest.raises(InputError, match="^training data: 3 processes that made them died .*killed.*--resume"):
        next(coming)


ORPHANS = """
import dataclasses, multiprocessing, os, signal, sys
from agents.training.imitation import ImitationConfig, batches

if __name__ == "__main__":
    data = batches(ImitationConfig(samples=200, batch_size=8, levels_per_batch=2, block=4, bf16=False), 0, 1)
    next(data)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_worker_outlives_a_training_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=paths)
    assert done.returncode == -signal.SIGKILL, done.stderr
    workers = [Path("/proc", pid) for pid in done.stdout.split()]
    assert workers
    for _ in range(300):
        if not any(worker.exists() for worker in workers):
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {workers}")


class Stop(Exception):
    """An interruption from outside."""


@pytest.mark.parametrize("matrix_rate", [0.0, 0.02], ids=["adam", "muon"])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    tmp_path: Path, one_thread: None, matrix_rate: float
) -> None:
    config = dataclasses.replace(TINY, matrix_rate=matrix_rate)
    whole = train_imitation(config, tmp_path / "whole")
    seen = []

    def interrupt(samples: int, _figures: dict[str, float]) -> None:
        seen.append(samples)
        raise Stop

    with pytest.raises(Stop):
        train_imitation(config, tmp_path / "parts", save_every_seconds=0.0, progress=interrupt)
    stored = torch.load(tmp_path / "parts" / "imitation.pt", weights_only=True)
    assert seen == [160] and 0 < stored["samples"] < config.samples
    resumed = train_imitation(config, tmp_path / "parts")
    assert whole.state_dict().keys() == resumed.state_dict().keys()
    assert all(torch.equal(v, whole.state_dict()[k]) for k, v in resumed.state_dict().items())
    # Once more: nothing is left to do, and the stored weights, which are all that is kept, are those returned.
    kept = torch.load(tmp_path / "parts" / "imitation.pt", weights_only=True)
    assert kept["optimizers"] == [] and kept["net"].keys() == whole.state_dict().keys()
    done = train_imitation(config, tmp_path / "parts")
    assert all(torch.equal(v, whole.state_dict()[k]) for k, v in done.state_dict().items())
    assert {p.name for p in (tmp_path / "parts").iterdir()} == {"imitation.pt", "tensorboard"}
    assert any((tmp_path / "whole" / "tensorboard").iterdir())
    with pytest.raises(InputError, match=r"other options \(learning_rate, seed\)"):
        train_imitation(dataclasses.replace(config, seed=9, learning_rate=1.0), tmp_path / "parts")


def test_what_was_logged_before_the_first_save_is_logged_once(tmp_path: Path) -> None:
    def stop(done: int, figures: dict[str, float]) -> None:
        raise Stop

    with pytest.raises(Stop):
        train_imitation(TINY, tmp_path, progress=stop)
    assert not (tmp_path / "imitation.pt").exists()
    train_imitation(TINY, tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("imitation/loss")
    assert [event.step for event in events] == [160]


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80\x04N."])
def test_a_damaged_state_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "imitation.pt").write_bytes(data)
    with pytest.raises(InputError, match="^[^\n]*imitation.pt: not the state of a training stage[^\n]*$"):
        train_imitation(TINY, tmp_path)
    assert (tmp_path / "imitation.pt").read_bytes() == data


def test_loss_falls_and_is_the_textbook_one(one_thread: None) -> None:
    config = dataclasses.replace(TINY, batch_size=16)
    batch = make_block(config, 0)[0]
    net = ImpalaPolicyNet(1, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = []
    for _ in range(25):
        loss, _, _ = batch_loss(net, batch, config.update)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
    with torch.no_grad():
        logits, values = net(torch.from_numpy(batch.frames).permute(0, 3, 1, 2) / 255.0)
    actions = torch.softmax(logits, -1).numpy()
    of_move = {0: [0, 1, 2], 1: [6, 7, 8], 2: [5], 3: [3]}
    p = np.array([row[of_move[move]].sum() for row, move in zip(actions, batch.moves, strict=True)])
    expected = -np.log(p).mean() + 0.25 * ((values.numpy() - batch.returns) ** 2).mean()
    loss, figures, shown = batch_loss(net, batch, config.update)
    torch.testing.assert_close(shown, logits, rtol=1e-4, atol=1e-5)
    assert math.isclose(loss.item(), expected, rel_tol=1e-4)
    assert math.isclose(figures["loss"], -np.log(p).mean(), rel_tol=1e-4)
    assert 0 <= figures["accuracy"] <= 1


def test_learning_rate_rises_and_falls_linearly() -> None:
    config = ImitationConfig(samples=10_000, warmup_samples=1_000, batch_size=100, learning_rate=2.0)
    rates = [2.0 * config.update.schedule(done) for done in range(0, 10_100, 100)]
    assert math.isclose(rates[0], 0.2) and rates[-1] == 0.0
    assert int(np.argmax(rates)) in range(8, 12) and max(rates) <= 2.0
    assert math.isclose(rates[50], 1.0) and min(rates[:-1]) > 0
    half = dataclasses.replace(config, decay_to=0.5).update
    assert math.isclose(half.schedule(5_000), 0.75) and math.isclose(half.schedule(10_000), 0.5)


@pytest.mark.parametrize("field", ["scale", "samples", "batch_size", "levels_per_batch", "block"])
def test_options_must_be_positive(field: str) -> None:
    with pytest.raises(InputError, match=rf"^(imitation: )?{field} is 0, must be"):
        ImitationConfig(**{field: 0})


def test_a_region_typed_as_a_number() -> None:
    assert (check_region(0), check_region(1), check_region(5)) == (None, 1, 5)
    with pytest.raises(InputError, match="^region -2"):
        check_region(-2)
