"""The warm start: right labels on training levels only, batches by number, exact resumption."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.imitation import ImitationConfig, make_batch, train_imitation, training_mazes
from agents.impala import ImpalaPolicyNet
from agents.supervised import batch_loss
from envs.actions import STEP_OF_MOVE, Move
from envs.errors import InputError
from envs.levels import TRAIN_LEVELS
from envs.maze import Cell, Maze

TINY = ImitationConfig(
    samples=25 * 8, batch_size=8, levels_per_batch=2, learning_rate=1e-3, warmup_samples=40, bf16=False, seed=5
)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums of several threads need not come in the same order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def mazes_of(config: ImitationConfig, number: int) -> list[Maze]:
    """The mazes that batch ``number`` was drawn from: its generator's first use."""
    return training_mazes(config.region, config.levels_per_batch, np.random.default_rng([config.seed, number]))


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


def recognized(mazes: list[Maze], frames: np.ndarray) -> list[tuple[Maze, Cell]]:
    """The maze and the cell that each frame shows, told by the pixels alone."""
    known: dict[bytes, tuple[Maze, Cell]] = {}
    for maze in mazes:
        for state, frame in zip(maze.states, maze.observations(), strict=True):
            known[frame.tobytes()] = (maze, state.cell)
    return [known[frame.tobytes()] for frame in frames]


@pytest.mark.parametrize("region", [5, None])
def test_labels_lead_to_the_cheese_and_returns_are_discounted_steps(region: int | None) -> None:
    config = ImitationConfig(region=region, batch_size=300, levels_per_batch=5, seed=2)
    batch, mazes = make_batch(config, 7), mazes_of(config, 7)
    assert batch.frames.shape == (300, 64, 64, 3) and batch.moves.shape == batch.returns.shape == (300,)
    for (maze, cell), move, value in zip(recognized(mazes, batch.frames), batch.moves, batch.returns, strict=True):
        assert maze.cheese is not None
        steps = steps_to(maze, maze.cheese)
        dx, dy = STEP_OF_MOVE[Move(move)]
        assert steps[(cell[0] + dx, cell[1] + dy)] == steps[cell] - 1
        assert math.isclose(value, 0.99 ** (steps[cell] - 1), rel_tol=1e-5)


def test_large_mazes_get_their_share() -> None:
    config = ImitationConfig(batch_size=2000, levels_per_batch=6, seed=1)
    mazes = mazes_of(config, 0)
    found = Counter(id(maze) for maze, _ in recognized(mazes, make_batch(config, 0).frames))
    cells = np.array([len(maze.cells) for maze in mazes])
    assert cells.max() > 4 * cells.min()
    share = cells / cells.sum()
    counts = np.array([found[id(maze)] for maze in mazes])
    assert (np.abs(counts - 2000 * share) <= 5 * np.sqrt(2000 * share * (1 - share))).all()


def test_states_on_the_start_path_come_more_often() -> None:
    """A quarter of the weight is spread over the path from the start to the cheese."""
    config = ImitationConfig(batch_size=2000, levels_per_batch=1, seed=8, region=None)
    (maze,) = mazes_of(config, 0)
    assert maze.cheese is not None
    path = maze.path(maze.mouse, maze.cheese)[:-1]
    others = len(maze.cells) - 1 - len(path)
    assert others > 20
    on_path = sum(cell in path for _, cell in recognized([maze], make_batch(config, 0).frames)) / 2000
    expected = 0.25 + 0.75 * len(path) / (len(maze.cells) - 1)
    assert abs(on_path - expected) <= 5 * math.sqrt(expected * (1 - expected) / 2000)


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


def test_batches_are_functions_of_seed_and_number() -> None:
    one, again, next_one = make_batch(TINY, 3), make_batch(TINY, 3), make_batch(TINY, 4)
    other = make_batch(dataclasses.replace(TINY, seed=6), 3)
    # Options that say nothing about data leave the data alone.
    same = make_batch(dataclasses.replace(TINY, learning_rate=1.0, samples=999), 3)
    for batch in (again, same):
        for field in ("frames", "moves", "returns"):
            np.testing.assert_array_equal(getattr(batch, field), getattr(one, field))
    assert not np.array_equal(one.frames, next_one.frames) and not np.array_equal(one.frames, other.frames)


class Stop(Exception):
    """An interruption from outside."""


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path, one_thread: None) -> None:
    whole = train_imitation(TINY, tmp_path / "whole")
    seen = []

    def interrupt(samples: int, _figures: dict[str, float]) -> None:
        seen.append(samples)
        raise Stop

    with pytest.raises(Stop):
        train_imitation(TINY, tmp_path / "parts", save_every_seconds=0.0, progress=interrupt)
    stored = torch.load(tmp_path / "parts" / "imitation.pt", weights_only=True)
    assert seen == [160] and 0 < stored["samples"] < TINY.samples
    resumed = train_imitation(TINY, tmp_path / "parts")
    assert whole.state_dict().keys() == resumed.state_dict().keys()
    assert all(torch.equal(v, whole.state_dict()[k]) for k, v in resumed.state_dict().items())
    # Once more: nothing is left to do, and the stored weights are those returned.
    done = train_imitation(TINY, tmp_path / "parts")
    assert all(torch.equal(v, whole.state_dict()[k]) for k, v in done.state_dict().items())
    assert {p.name for p in (tmp_path / "parts").iterdir()} == {"imitation.pt", "tensorboard"}
    assert any((tmp_path / "whole" / "tensorboard").iterdir())
    with pytest.raises(InputError, match=r"other options \(learning_rate, seed\)"):
        train_imitation(dataclasses.replace(TINY, seed=9, learning_rate=1.0), tmp_path / "parts")


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80\x04N."])
def test_a_damaged_state_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "imitation.pt").write_bytes(data)
    with pytest.raises(InputError, match="^[^\n]*imitation.pt: not the state of a warm start[^\n]*$"):
        train_imitation(TINY, tmp_path)
    assert (tmp_path / "imitation.pt").read_bytes() == data


def test_loss_falls_and_is_the_textbook_one(one_thread: None) -> None:
    config = dataclasses.replace(TINY, batch_size=16)
    batch = make_batch(config, 0)
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
    rates = [config.update.rate(done) for done in range(0, 10_100, 100)]
    assert math.isclose(rates[0], 0.2) and rates[-1] == 0.0
    assert int(np.argmax(rates)) in range(8, 12) and max(rates) <= 2.0
    assert math.isclose(rates[50], 1.0) and min(rates[:-1]) > 0


@pytest.mark.parametrize("field", ["scale", "samples", "batch_size", "levels_per_batch"])
def test_options_must_be_positive(field: str) -> None:
    with pytest.raises(InputError, match=f"^imitation: {field} is 0"):
        ImitationConfig(**{field: 0})
