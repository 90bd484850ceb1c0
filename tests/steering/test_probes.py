"""Probes: known answers, the fit done another way, honest splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge, RidgeClassifier

from agents.policy import MazePolicy
from envs.actions import STEP_OF_MOVE, Move
from envs.errors import InputError
from envs.maze import Maze
from steering import probe_maps, surroundings
from steering.decoding import APART, asked, summarize_probes, usual_move
from steering.plan import skip_reason
from steering.probe_curves import boundaries, decoding_tallies, probe_curves
from steering.probe_maps import holding, position_cells, predicted_positions
from steering.probes import (
    FOLDS,
    LEAST_SPREAD,
    MOVES,
    REACH,
    ProbeData,
    activations,
    drawn_states,
    feature_scores,
    linear_predictions,
    probe_data,
    shuffled,
)
from steering.stats import resamples
from steering.surroundings import open_ways, surroundings_moves

pytestmark = pytest.mark.usefixtures("one_thread")

# Small mazes that qualify for a sweep.
LEVELS = "26,52,54,92,95,152,163,193,208,223"
WORLD = 25


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def made_up(mazes: int = 40, states: int = 5, seed: int = 0) -> ProbeData:
    """Labels without pictures: cheese and moves drawn uniformly for every frame."""
    n, draw = mazes * states, rng(seed)
    maze = np.repeat(np.arange(mazes), states)
    moves = {name: draw.integers(4, size=n) for name in MOVES}
    frames = np.zeros((n, 64, 64, 3), dtype=np.uint8)
    cheese, mouse = (draw.integers(WORLD, size=(n, 2)) for _ in range(2))
    around = draw.random((n, 2 * REACH + 1, 2 * REACH + 1)) < 0.5
    corner = np.full((n, 2), WORLD - 1)
    return ProbeData(frames, maze, maze % FOLDS, cheese, moves, mouse, corner, around, WORLD)


def scores_of(sites: Mapping[str, torch.Tensor], data: ProbeData, draws: int = 3) -> dict[str, Any]:
    """What the probes say at made-up sites."""
    controls = [shuffled(data, rng(100 + draw)) for draw in range(draws)]
    found = {name: feature_scores(features, data, controls) for name, features in sites.items()}
    known = {"maze": data.maze, "fold": data.fold, "moves": data.moves, "surroundings": surroundings_moves(data)}
    return {**known, "sites": found}


def summary_of(features: torch.Tensor, data: ProbeData, draws: int = 3) -> dict[str, Any]:
    """The row of ``probes.json`` for made-up activations."""
    scores = scores_of({"made up": features}, data, draws)
    samples = resamples(int(data.maze.max()) + 1, rng(), 200)
    facts = [{"name": "made up", "affine": False}]
    curves = probe_curves(decoding_tallies(["made up"], scores), samples)
    row: dict[str, Any] = summarize_probes(facts, scores, curves, samples)["sites"][0]
    return row


def one_hot(labels: np.ndarray) -> np.ndarray:
    return (labels[:, None] == np.unique(labels)).astype(np.float32)


def noise(*shape: int, seed: int = 5) -> np.ndarray:
    return rng(seed).standard_normal(shape).astype(np.float32)


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
        assert skip_reason(shown) == "" and state.cell not in (shown.cheese, shown.corner)
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


# -- what the surroundings alone tell --------------------------------------------------------------


def told_by_hand(data: ProbeData, whose: str, frames: np.ndarray, radius: int) -> np.ndarray:
    """Shares told rightly of ``frames``, by scikit-learn: features made cell by cell, the penalty by a grid search."""
    rows = []
    for k in range(len(data.maze)):
        near = [bool(data.around[k, REACH + dy, REACH + dx])
                for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]  # fmt: skip
        ways = [data.around[k, REACH, REACH - 1], data.around[k, REACH, REACH + 1],
                data.around[k, REACH + 1, REACH], data.around[k, REACH - 1, REACH]]  # fmt: skip
        row = [*near, *(ways == [bool(n >> move & 1) for move in range(4)] for n in range(16))]
        for goal in [data.cheese] if whose == "cheese" else [data.corner]:
            dx, dy = goal[k] - data.mouse[k]
            row += [dx / data.world, dy / data.world]
            at = [(np.sign(dx), np.sign(dy)) == (a, b) for b in (-1, 0, 1) for a in (-1, 0, 1)]
            row += at
            row += [ways == [bool(n >> move & 1) for move in range(4)] and there for n in range(16) for there in at]
        rows.append(row)
    features = torch.tensor(np.array(rows, dtype=np.float32))[torch.from_numpy(frames)]
    labels = data.moves[whose][frames]
    classes = np.unique(labels)
    targets = {"x": (labels[:, None] == classes).astype(float)}
    found: np.ndarray = classes[linear_predictions(features, targets, data.fold[frames])["x"].argmax(1)] == labels
    return found


def test_the_surroundings_tell_what_the_best_look_around_tells(data: ProbeData) -> None:
    """Features made another way, on real mazes; the fit itself is compared with scikit-learn's below."""
    questions = asked(data.moves)
    assert list(questions) == ["cheese", APART, "corner", "policy"]
    assert questions[APART][1].tolist() == [a != b for a, b in zip(data.moves["cheese"], data.moves["corner"],
                                                                     strict=True)]  # fmt: skip
    tallies = decoding_tallies(["input"], scores_of({"input": torch.zeros(60, 1)}, data, 1))
    every = np.ones(60, dtype=bool)
    for name in ("cheese", "corner"):
        best = max(told_by_hand(data, name, every, radius).sum() for radius in (1, 2, 3))
        top, bottom = tallies[f"{name} surroundings"]
        assert top.sum() == best and np.array_equal(bottom, np.bincount(data.maze))
    apart = questions[APART][1]
    top, bottom = tallies[f"{APART} surroundings"]
    assert np.array_equal(bottom, np.bincount(data.maze[apart], minlength=10))
    assert top.sum() >= max(told_by_hand(data, "cheese", every, radius)[apart].sum() for radius in (1, 2, 3))


def test_no_maze_tells_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other labels in a fold change what is told of the others alone, by a look around and by the usual move."""
    monkeypatch.setattr(surroundings, "RADII", (2,))  # of several, labels choose the best
    data = made_up()
    every, labels = np.ones(200, dtype=bool), data.moves["cheese"]
    other = np.where(data.fold == 2, (labels + 1) % 4, labels)
    own = data.fold == 2
    sets = [dataclasses.replace(data, moves=dict.fromkeys(MOVES, part)) for part in (labels, other)]
    told, then = (surroundings_moves(part)["cheese"] for part in sets)
    assert np.array_equal(told[own], then[own]) and not np.array_equal(told, then)
    told, then = (usual_move(part, data.fold, every) for part in (labels, other))
    assert np.array_equal(told[own], then[own]) and set(told[own]) == {np.bincount(labels[~own]).argmax()}


def junctions(mazes: int = 60, states: int = 8, seed: int = 0) -> ProbeData:
    """Frames whose next moves are among the open ways, those up and right more often; four in five are the corner's."""
    data, draw = made_up(mazes, states, seed), rng(seed + 1000)
    n = mazes * states
    walls = draw.choice([k for k in range(16) if k.bit_count() > 1], size=n)
    open_ = np.array([[walls[i] >> k & 1 for k in range(4)] for i in range(n)])
    around = data.around.copy()
    for move, (dx, dy) in ((k, STEP_OF_MOVE[Move(k)]) for k in range(4)):
        around[:, REACH + dy, REACH + dx] = open_[:, move]
    cheese, corner = ((np.log(open_ * [1, 2, 2, 1] + 1e-9) + draw.gumbel(size=(n, 4))).argmax(1) for _ in range(2))
    corner = np.where(draw.random(n) < 0.75, cheese, corner)
    moves = {"cheese": cheese, "corner": corner, "policy": cheese}
    return dataclasses.replace(data, moves=moves, around=around)


def test_a_reader_of_walls_is_not_said_to_read_moves_and_a_reader_of_moves_is() -> None:
    """Nor is a reader of the way to the corner said to read the way to the cheese where the two part."""
    data = junctions()
    walls_of = open_ways(data.around)
    readers = {
        "input": noise(480, 20),
        "walls": np.concatenate([one_hot(walls_of), noise(480, 5)], axis=1),
        "corner": np.concatenate([one_hot(walls_of), one_hot(data.moves["corner"])], axis=1),
        "cheese": np.concatenate([one_hot(walls_of), one_hot(data.moves["cheese"])], axis=1),
    }
    scores = scores_of({name: torch.from_numpy(features) for name, features in readers.items()}, data, 5)
    samples = resamples(60, rng(), 500)
    facts = [{"name": name, "affine": name == "input", "trunk": True, "equivalence_class": name} for name in readers]
    none = (np.zeros((4, 60)), np.ones((4, 60)))
    curves = probe_curves({**decoding_tallies(list(readers), scores), "interaction": none}, samples)
    rows = summarize_probes(facts, scores, curves, samples)
    walls, corner, cheese = (row["moves"] for row in rows["sites"][1:])
    assert walls["cheese"]["above_pixels"]["low"] > 0.1 and walls["cheese"]["above_control"]["low"] > 0.1
    found = boundaries(facts, curves)["decoding_boundary"]["next_move"]
    assert [found[name]["site"] for name in ("corner", "cheese", APART)] == ["corner", "corner", "cheese"]
    assert found[APART]["low"] == found[APART]["half_site"] == "cheese"
    assert found["cheese"]["low"] == "corner"
    assert corner[APART]["accuracy"]["high"] < rows["surroundings"][APART]["low"]
    assert cheese[APART]["accuracy"]["value"] > 0.95


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
    assert all(row["moves"][name]["accuracy"]["value"] == 1.0 for name in MOVES)
    assert all(row["moves"][name]["balanced"]["low"] == 1.0 for name in MOVES)
    assert row["cell"]["r2"]["low"] > 0.99 and row["cell"]["median_error"]["value"] < 0.5
    assert row["cell"]["mean_cell_error"]["value"] > 5
    # Labels dealt out anew: chance, within four standard errors of as many frames.
    for name in MOVES:
        assert abs(row["moves"][name]["control"]["value"] - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 200)
        assert row["moves"][name]["above_control"]["low"] > 0.5
    assert row["cell"]["control_r2"]["value"] < 0.1


def test_a_constant_site_tells_the_most_frequent_move_and_the_mean_cell() -> None:
    data = made_up()
    usual = [np.bincount(data.moves["cheese"][data.fold != fold]).argmax() for fold in range(FOLDS)]
    for features in (torch.full((200, 7), 0.3), torch.full((200, 2, 4, 4), 0.3)):
        row = summary_of(features, data)
        expected = (data.moves["cheese"] == np.array(usual)[data.fold]).mean()
        assert row["moves"]["cheese"]["accuracy"]["value"] == pytest.approx(expected)
        assert abs(row["cell"]["r2"]["value"]) < 1e-9
        assert row["moves"]["cheese"]["above_pixels"]["value"] == 0.0
    assert row["map"]["1x1"]["hits"]["value"] < 1 / 16 + 4 * np.sqrt(1 / 16 / 200)


def test_units_that_are_hardly_ever_active_do_not_decide() -> None:
    """Each is silent but for a whisper on the frames of one fold, where it never was on those learned from."""
    data = made_up()
    features = np.concatenate([data.cheese + noise(200, 2), 1e-3 * rng(3).random((200, FOLDS))], axis=1)
    features[np.arange(200), 2 + data.fold] += 0.5
    row = summary_of(torch.from_numpy(features.astype(np.float32)), data)
    assert row["cell"]["r2"]["value"] > 0.9


# -- convolutional probes -------------------------------------------------------------------------


def test_a_unit_shared_over_positions_finds_what_was_planted() -> None:
    data = made_up()
    mask = holding(data.cheese, (16, 16), WORLD)
    decoys = [holding(rng(seed).integers(WORLD, size=(200, 2)), (16, 16), WORLD) for seed in range(1, 8)]
    maps = 0.5 * noise(200, 8, 16, 16) + 6 * np.stack([mask, *decoys], axis=1)
    row = summary_of(torch.from_numpy(maps.astype(np.float32)), data)["map"]
    for kernel in ("1x1", "3x3"):
        assert row[kernel]["hits"]["value"] > 0.99 and row[kernel]["distance"]["value"] < 1.0
        assert row[kernel]["control_hits"]["high"] < 0.5 and row[kernel]["control_distance"]["low"] > 2


def test_a_neighbourhood_sees_what_one_position_cannot() -> None:
    data = made_up()
    mask = holding(data.cheese, (16, 16), WORLD)
    maps = 0.3 * noise(200, 1, 16, 16)
    maps[:, 0] += 5 * np.roll(mask, 1, axis=1) + 5 * np.roll(mask, -1, axis=1)  # above and below the cheese
    row = summary_of(torch.from_numpy(maps), data)["map"]
    assert row["3x3"]["hits"]["value"] > 0.8 > 0.1 > row["1x1"]["hits"]["value"]


def test_the_unit_is_scikit_learns_weighted_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_maps, "PENALTIES", np.array([0.1]))
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
