"""Probes: known answers, the fit done another way, honest splits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge, RidgeClassifier

from agents.networks.policy import MazePolicy
from envs.actions import STEP_OF_MOVE, Move
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.levels import skip_reason
from steering.probes import convolutional
from steering.probes.convolutional import holding, position_cells, predicted_positions
from steering.probes.curves import decoding_tallies, probe_curves
from steering.probes.data import FOLDS, REACH, ProbeData, activations, drawn_states, probe_data, shuffled
from steering.probes.ridge import LEAST_SPREAD, linear_predictions
from steering.probes.score_records import MOVES
from steering.probes.summary import summarize_probes
from steering.probes.surroundings import open_ways
from steering.records.probes import ProbedSite
from steering.statistics.bootstrap import resamples
from tests.helpers.probe_sets import LEVELS, WORLD, made_up, made_up_site, noise, one_hot, rng, scores_of

pytestmark = pytest.mark.usefixtures("one_thread")


def summary_of(features: torch.Tensor, data: ProbeData, draws: int = 3) -> ProbedSite:
    """The row of ``probes.json`` for made-up activations."""
    scores = scores_of({"made up": features}, data, draws)
    samples = resamples(int(data.maze.max()) + 1, rng(), 200)
    facts = [made_up_site("made up")]
    curves = probe_curves(decoding_tallies(["made up"], scores), samples)
    return summarize_probes(facts, scores, curves, samples).sites[0]


@pytest.fixture(scope="module")
def mazes() -> list[Maze]:
    return Maze.from_levels([int(level) for level in LEVELS.split(",")])


@pytest.fixture(scope="module")
def data(policy: MazePolicy, mazes: list[Maze]) -> ProbeData:
    return probe_data(policy, mazes, 6, 0)


# -- what is asked --------------------------------------------------------------------------------


def test_no_maze_is_learned_from_and_asked_about(data: ProbeData) -> None:
    owners = [set(data.maze[data.fold == fold]) for fold in range(FOLDS)]
    assert sorted(maze for owned in owners for maze in owned) == list(range(10))
    assert all(len(owned) == 2 for owned in owners)


def test_frames_and_labels_are_of_the_states_drawn(policy: MazePolicy, mazes: list[Maze], data: ProbeData) -> None:
    """Redrawn by procgen from the cheese recorded; every move is a step of the shortest path."""
    states = [(maze, state) for maze in mazes for state in drawn_states(maze, 6, 0)]
    assert len(states) == len(data.frames) == 60
    own = policy.move_probabilities(data.frames).argmax(1)
    for number, (maze, state) in enumerate(states):
        x, y = data.cheese[number] - maze.state.margin
        shown = maze.with_cheese((int(x), int(y)))
        assert skip_reason(shown) is None and state.cell not in (shown.cheese, shown.corner)
        assert np.array_equal(shown.observations([state])[0], data.frames[number])
        for name, goal in (("cheese", shown.cheese), ("corner", shown.corner)):
            assert goal is not None
            dx, dy = STEP_OF_MOVE[Move(data.moves[name][number])]
            left = shown.distances(goal)
            there = shown.index[(state.cell[0] + dx, state.cell[1] + dy)]
            assert left[there] == left[shown.index[state.cell]] - 1
        assert data.moves["policy"][number] == own[number]
        assert maze.corner is not None
        assert np.array_equal([data.mouse[number], data.corner[number]], maze.outer([state.cell, maze.corner]))
        x, y = state.cell
        for dy, row in enumerate(data.around[number], start=-REACH):
            assert row.tolist() == [maze.is_free((x + dx, y + dy)) for dx in range(-REACH, REACH + 1)]
        ways = {Move.LEFT: (x - 1, y), Move.RIGHT: (x + 1, y), Move.UP: (x, y + 1), Move.DOWN: (x, y - 1)}
        assert open_ways(data.around)[number] == sum(2**move * maze.is_free(cell) for move, cell in ways.items())
    assert len(np.unique(data.cheese, axis=0)) > len(mazes)


def test_the_control_keeps_every_fold_its_labels(data: ProbeData) -> None:
    other = shuffled(data, rng(1))
    assert not np.array_equal(other.cheese, data.cheese)
    for fold in range(FOLDS):
        for name in MOVES:
            assert sorted(other.moves[name][data.fold == fold]) == sorted(data.moves[name][data.fold == fold])
    assert np.array_equal(shuffled(data, rng(1)).cheese, other.cheese)


def test_too_few_levels_are_refused(policy: MazePolicy, mazes: list[Maze]) -> None:
    with pytest.raises(InputError, match="at least 10 levels"):
        probe_data(policy, mazes[:9], 2, 0)


# -- linear probes --------------------------------------------------------------------------------


def test_kernel_fit_is_scikit_learns_fit_on_the_activations() -> None:
    """More columns than rows, one of them constant, one almost; every penalty tried, chosen by nested validation."""
    data, penalties = made_up(20, 4), np.array([0.01, 0.3, 5.0])
    features = noise(80, 150) * np.linspace(0.3, 4.0, 150, dtype=np.float32) + 2.0
    features[:, 3], features[:, 7] = 1.5, 1.5 + 1e-3 * features[:, 8]
    features[:, :2] += data.cheese
    label = one_hot(data.moves["cheese"])
    targets = {"cell": data.cheese.astype(float), "move": label}
    found = linear_predictions(torch.from_numpy(features), targets, data.fold, penalties)
    for outer in range(FOLDS):
        train, test = data.fold != outer, data.fold == outer
        spread = features[train].std(0)
        scale = np.maximum(spread, LEAST_SPREAD * np.sqrt((spread**2).mean()))
        rows = ((features - features[train].mean(0)) / scale * (spread > 0)).astype(float)

        def fit(name: str, learn: np.ndarray, p: float, rows: np.ndarray = rows) -> Ridge:
            length = ((rows[learn] - rows[learn].mean(0)) ** 2).sum(1).mean()
            return Ridge(alpha=p * length).fit(rows[learn], targets[name][learn])

        for name, target in targets.items():
            errors = [0.0] * 3
            for inner in set(range(FOLDS)) - {outer}:
                asked = data.fold == inner
                for k, p in enumerate(penalties):
                    guess = fit(name, train & ~asked, p).predict(rows[asked])
                    errors[k] += float(((guess - target[asked]) ** 2).sum())
            chosen = fit(name, train, penalties[int(np.argmin(errors))])
            assert np.allclose(found[name][test], chosen.predict(rows[test]), atol=2e-4)
        classifier = RidgeClassifier(alpha=chosen.alpha).fit(rows[train], data.moves["cheese"][train])
        assert np.array_equal(found["move"][test].argmax(1), classifier.predict(rows[test]))


def test_what_a_site_holds_linearly_is_told_perfectly() -> None:
    data = made_up()
    features = np.concatenate([data.cheese, *(one_hot(data.moves[name]) for name in MOVES), noise(200, 3)], axis=1)
    row = summary_of(torch.from_numpy(features.astype(np.float32)), data)
    assert all(row.moves[name].accuracy.value == 1.0 for name in MOVES)
    assert all(row.moves[name].balanced.low == 1.0 for name in MOVES)
    assert row.cell.r2.low > 0.99 and row.cell.median_error.value < 0.5
    assert row.cell.mean_cell_error.value > 5
    # Labels dealt out anew: chance, within four standard errors of as many frames.
    for name in MOVES:
        assert abs(row.moves[name].control.value - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 200)
        assert row.moves[name].above_control.low > 0.5
    assert row.cell.control_r2.value < 0.1


def test_a_constant_site_tells_the_most_frequent_move_and_the_mean_cell() -> None:
    data = made_up()
    usual = [np.bincount(data.moves["cheese"][data.fold != fold]).argmax() for fold in range(FOLDS)]
    for features in (torch.full((200, 7), 0.3), torch.full((200, 2, 4, 4), 0.3)):
        row = summary_of(features, data)
        expected = (data.moves["cheese"] == np.array(usual)[data.fold]).mean()
        assert row.moves["cheese"].accuracy.value == pytest.approx(expected)
        assert abs(row.cell.r2.value) < 1e-9
        assert row.moves["cheese"].above_pixels.value == 0.0
    assert row.map["1x1"].hits.value < 1 / 16 + 4 * np.sqrt(1 / 16 / 200)


def test_units_that_are_hardly_ever_active_do_not_decide() -> None:
    """Each is silent but for a whisper on the frames of one fold, where it never was on those learned from."""
    data = made_up()
    features = np.concatenate([data.cheese + noise(200, 2), 1e-3 * rng(3).random((200, FOLDS))], axis=1)
    features[np.arange(200), 2 + data.fold] += 0.5
    row = summary_of(torch.from_numpy(features.astype(np.float32)), data)
    assert row.cell.r2.value > 0.9


# -- convolutional probes -------------------------------------------------------------------------


def test_a_unit_shared_over_positions_finds_what_was_planted() -> None:
    data = made_up()
    mask = holding(data.cheese, (16, 16), WORLD)
    decoys = [holding(rng(seed).integers(WORLD, size=(200, 2)), (16, 16), WORLD) for seed in range(1, 8)]
    maps = 0.5 * noise(200, 8, 16, 16) + 6 * np.stack([mask, *decoys], axis=1)
    row = summary_of(torch.from_numpy(maps.astype(np.float32)), data).map
    for kernel in ("1x1", "3x3"):
        assert row[kernel].hits.value > 0.99 and row[kernel].distance.value < 1.0
        assert row[kernel].control_hits.high < 0.5 and row[kernel].control_distance.low > 2


def test_a_neighbourhood_sees_what_one_position_cannot() -> None:
    data = made_up()
    mask = holding(data.cheese, (16, 16), WORLD)
    maps = 0.3 * noise(200, 1, 16, 16)
    maps[:, 0] += 5 * np.roll(mask, 1, axis=1) + 5 * np.roll(mask, -1, axis=1)  # above and below the cheese
    row = summary_of(torch.from_numpy(maps), data).map
    assert row["3x3"].hits.value > 0.8 > 0.1 > row["1x1"].hits.value


def test_the_unit_is_scikit_learns_weighted_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutional, "PENALTIES", np.array([0.1]))
    data = made_up(10, 4)
    mask = holding(data.cheese, (4, 4), WORLD)
    maps = noise(40, 3, 4, 4) + 1.0
    maps[:, 1] += mask
    (found,) = predicted_positions(torch.from_numpy(maps), [mask], data.fold, 1)
    for fold in range(FOLDS):
        rows, wanted = (maps[data.fold != fold].transpose(0, 2, 3, 1).reshape(-1, 3), mask[data.fold != fold].ravel())
        weight = np.where(wanted, 0.5 / wanted.sum(), 0.5 / (~wanted).sum())
        mean = weight @ rows
        spread = np.sqrt(weight @ (rows - mean) ** 2)
        unit = Ridge(alpha=0.1).fit((rows - mean) / spread, wanted.astype(float), sample_weight=weight)
        asked = maps[data.fold == fold].transpose(0, 2, 3, 1)
        answers = unit.predict(((asked - mean) / spread).reshape(-1, 3)).reshape(len(asked), -1)
        assert np.array_equal(found[data.fold == fold], answers.argmax(1))


def test_positions_lie_where_procgen_and_the_network_show_the_cheese(policy: MazePolicy, mazes: list[Maze]) -> None:
    """At the pixels inside the tile; deeper, where the activations change most, within a position."""
    for maze in mazes[:4]:
        start = drawn_states(maze, 1, 0)
        frames = np.concatenate([part.observations(start) for part in (maze, maze.without_cheese())])
        assert maze.cheese is not None
        cell = maze.outer([maze.cheese])
        changed = (frames[0] != frames[1]).any(-1)
        mask = holding(cell, (64, 64), maze.state.world_dim)[0]
        assert 2 * (mask & changed).sum() > changed.sum() > 0
        for site in ("embedder.block1.maxpool", "embedder.block2.maxpool", "embedder.block3.maxpool"):
            here, gone = activations(policy, frames, site)
            energy = (here - gone).square().sum(0)
            shape = (energy.shape[0], energy.shape[1])
            strongest = np.unravel_index(int(energy.argmax()), shape)
            gaps = np.argwhere(holding(cell, shape, maze.state.world_dim)[0]) - strongest
            assert np.abs(gaps).max(axis=1).min() <= 1
    for shape in ((64, 64), (16, 16), (7, 7)):
        cells = position_cells(shape, WORLD).reshape(*shape, 2)
        assert cells[0, 0, 1] > cells[-1, 0, 1] and cells[0, -1, 0] > cells[0, 0, 0]  # y from below
        assert holding(np.array([[12, 12]]), shape, WORLD)[0].any()
