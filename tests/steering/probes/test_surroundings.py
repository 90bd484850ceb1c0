"""The look around tells something without a network; a site must tell more."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from agents.networks.policy import MazePolicy
from envs.actions import STEP_OF_MOVE, Move
from envs.maze import Maze
from steering.probes import surroundings
from steering.probes.curves import Tally, boundaries, decoding_tallies, probe_curves
from steering.probes.data import REACH, ProbeData, probe_data
from steering.probes.ridge import linear_predictions
from steering.probes.score_records import MOVES
from steering.probes.summary import APART, probe_questions, summarize_probes, usual_move
from steering.probes.surroundings import open_ways, surroundings_moves
from steering.statistics.bootstrap import resamples
from tests.helpers.probe_sets import LEVELS, made_up, made_up_site, noise, one_hot, rng, scores_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(policy: MazePolicy) -> ProbeData:
    return probe_data(policy, Maze.from_levels([int(level) for level in LEVELS.split(",")]), 6, 0)


def told_by_hand(data: ProbeData, whose: str, frames: np.ndarray, radius: int) -> np.ndarray:
    """Shares told rightly of ``frames``, by scikit-learn: features made cell by cell, the penalty by a grid search."""
    rows = []
    for k in range(len(data.maze)):
        near = [
            bool(data.around[k, REACH + dy, REACH + dx])
            for dy in range(-radius, radius + 1)
            for dx in range(-radius, radius + 1)
        ]
        ways = [
            data.around[k, REACH, REACH - 1],
            data.around[k, REACH, REACH + 1],
            data.around[k, REACH + 1, REACH],
            data.around[k, REACH - 1, REACH],
        ]
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
    questions = probe_questions(data.moves)
    assert list(questions) == ["cheese", APART, "corner", "policy"]
    assert questions[APART][1].tolist() == [
        a != b for a, b in zip(data.moves["cheese"], data.moves["corner"], strict=True)
    ]
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
    facts = [made_up_site(name, affine=name == "input") for name in readers]
    none = Tally(np.zeros((4, 60)), np.ones((4, 60)))
    curves = probe_curves({**decoding_tallies(list(readers), scores), "interaction": none}, samples)
    rows = summarize_probes(facts, scores, curves, samples)
    walls, corner, cheese = (site.moves for site in rows.sites[1:])
    assert walls["cheese"].above_pixels.low > 0.1 and walls["cheese"].above_control.low > 0.1
    found = boundaries(facts, curves).decoding_boundary.next_move
    assert [found[name].site for name in ("corner", "cheese", APART)] == ["corner", "corner", "cheese"]
    assert found[APART].low == found[APART].half_site == "cheese"
    assert found["cheese"].low == "corner"
    assert corner[APART].accuracy.high < rows.surroundings[APART].low
    assert cheese[APART].accuracy.value > 0.95
