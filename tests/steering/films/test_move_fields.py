"""Fields of moves: exact against hand calculation and against the chain; maps aligned to what their units see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy
from envs import chain
from envs.actions import Facing, Move
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.exact import LevelEvaluator
from steering.films.heat_maps import alignment, heat_map
from steering.films.move_fields import MoveField, level_fields, move_vectors, no_cheese_field, panels, show_field
from steering.interventions.edits import Intervention, ablate, subtract
from steering.interventions.hooks import HookedPolicy
from steering.interventions.vectors import cheese_vector
from videos.frames import cell_rect
from videos.scene import HeatOverlay

HORIZON = 30


def certain(maze: Maze, move: Move) -> np.ndarray:
    return np.tile(np.eye(5)[move], (len(maze.states), 1))


def test_vectors_are_mean_steps() -> None:
    assert move_vectors(np.eye(5)).tolist() == [[-1, 0], [1, 0], [0, 1], [0, -1], [0, 0]]
    assert move_vectors(np.full((1, 5), 0.2)) == pytest.approx(np.zeros((1, 2)))


def test_facings_and_their_mean(small_maze: Maze) -> None:
    """Right where the mouse looks right, up where it looks left: from the start's one facing, one of them counts."""
    p = certain(small_maze, Move.UP)
    p[int(Facing.RIGHT) :: 2] = np.eye(5)[Move.RIGHT]
    field = MoveField("x", small_maze, p, HORIZON)
    cheese = small_maze.index[small_maze.cheese or (0, 0)]
    keep = np.arange(len(small_maze.cells)) != cheese
    assert np.isnan(field.vectors("left")[cheese]).all()
    assert (field.vectors("left")[keep] == (0, 1)).all() and (field.vectors("right")[keep] == (1, 0)).all()
    visited = field.vectors()
    up_the_corridor = [small_maze.index[cell] for cell in [(0, y) for y in range(7)]]
    assert (visited[up_the_corridor] == (0, 1)).all()  # never looks right here
    elsewhere = [i for i in range(len(small_maze.cells)) if keep[i] and i not in up_the_corridor]
    assert (visited[elsewhere] == (0.5, 0.5)).all()  # not expected at all: the plain mean


def test_visits_and_path_probabilities_are_the_chains(random_policy: MazePolicy, small_maze: Maze) -> None:
    (field,) = level_fields(LevelEvaluator(random_policy, small_maze, HORIZON), {})
    stats = chain.statistics(small_maze, field.probabilities, HORIZON)
    visits, cheese = field.visits(), small_maze.index[small_maze.cheese or (0, 0)]
    assert visits[cheese] == stats.p_cheese
    assert np.delete(visits, cheese).sum() == pytest.approx(stats.expected_steps)
    paths = field.path_probability()
    assert paths[cheese] == chain.path_probability(small_maze, field.probabilities, small_maze.cheese)
    assert np.isnan(paths[small_maze.index[small_maze.mouse]]) and np.nanmin(paths) > 0 and np.nanmax(paths) <= 1


def test_panels_are_clean_steered_and_their_difference(random_policy: MazePolicy, small_maze: Maze) -> None:
    evaluator = LevelEvaluator(random_policy, small_maze, HORIZON)
    vector = cheese_vector(random_policy, small_maze, "embedder.block2.res1.resadd")
    clean, steered, nothing = level_fields(evaluator, {"subtract": subtract(vector, 1e4), "nothing": Intervention()})
    shown = panels(clean, steered, facing="right")
    assert [panel.title for panel in shown][:2] == ["clean", "subtract"]
    assert np.nanmax(np.abs(shown[2].vectors)) > 1e-3
    np.testing.assert_allclose(shown[2].vectors, shown[1].vectors - shown[0].vectors)
    assert shown[0].heat is not None and shown[1].heat is not None and shown[2].heat is not None
    assert shown[0].heat.limits == shown[1].heat.limits
    np.testing.assert_allclose(shown[2].heat.values, shown[1].heat.values - shown[0].heat.values)
    assert np.nanmax(np.abs(panels(clean, nothing)[2].vectors)) < 1e-6
    assert [len(panels(clean, heat=kind)) for kind in ("visits", "path", "none")] == [1, 1, 1]
    bare = no_cheese_field(evaluator)
    assert bare.maze.cheese is None and not np.isnan(bare.vectors()).any()
    assert len(panels(clean, bare, heat="path")) == 3
    four = panels(clean, steered, beside=bare)
    assert [panel.title for panel in four][::3] == ["clean", "cheese removed"] and "arrows at half" in four[2].title
    assert four[3].heat is not None and four[0].heat is not None and four[3].heat.limits == four[0].heat.limits


@pytest.mark.parametrize(
    ("site", "start", "step"),
    [
        ("input", 0, 1),
        ("embedder.block1.conv", 0, 1),
        ("embedder.block1.maxpool", 0, 2),
        ("embedder.block2.res1.resadd", 0, 4),
        ("embedder.block3.res2.resadd", 0, 8),
    ],
)
def test_alignment_of_the_published_network(random_policy: MazePolicy, site: str, start: float, step: float) -> None:
    found = alignment(random_policy.net, site)
    assert (found.start, found.step) == (start, step)
    assert found.share(0) == pytest.approx((start + 0.5) / 64)


@pytest.mark.parametrize("mode", ["hard", "easy"])
@pytest.mark.parametrize("site", ["input", "embedder.block1.maxpool", "embedder.block2.res1.resadd"])
def test_the_peak_of_a_synthetic_activation_lies_on_its_cell(
    one_pixel_net: ImpalaPolicyNet, site: str, mode: str
) -> None:
    """One white pixel in the middle of a cell's tile: what the overlay colours holds the middle of the cell."""
    maze, net = Maze.from_level(0, mode), one_pixel_net
    where = alignment(net, site)
    grey = np.full((512, 512, 3), 128, dtype=np.uint8)
    for cell in maze.cells[::17]:
        left, top, right, bottom = cell_rect(maze, cell, 64)
        x, y = int((left + right) / 2), int((top + bottom) / 2)
        frame = torch.zeros(1, 3, 64, 64)
        frame[0, 0, y, x] = 1.0
        seen = heat_map(HookedPolicy(net).run(frame, capture=[site])[2][site][0])
        overlay = HeatOverlay(seen[None], where.share(0), where.share(1) - where.share(0))
        rows, columns = np.nonzero((overlay.over(grey, 0) != grey).any(axis=2))
        # A pooled pixel is in one window or two: the middle of those that light up, to half a unit and a pixel.
        apart = np.array([columns.mean() + 0.5 - (x + 0.5) * 8, rows.mean() + 0.5 - (y + 0.5) * 8])
        assert np.abs(apart).max() <= 4 * where.step + 8, (cell, apart)
        assert columns.min() <= (x + 0.5) * 8 <= columns.max() and rows.min() <= (y + 0.5) * 8 <= rows.max()


def test_a_field_is_shown_in_one_panel_or_three(random_policy: MazePolicy, small_maze: Maze) -> None:
    edit = ablate("embedder.block1.conv")
    alone, steered = (show_field(random_policy, small_maze, each, title="ablated") for each in (None, edit))
    titles = [[note.text for note in figure.layout.annotations] for figure in (alone, steered)]
    assert "clean" in titles[0] and "ablated" not in titles[0]
    assert {"clean", "ablated", "ablated - clean (arrows at half scale)"} <= set(titles[1])
    assert any(edit.describe() in title for title in titles[1])
    steered.update_layout(title="my own")  # a plotly figure: it can be styled
    assert steered.layout.title.text == "my own"


def test_bad_requests_are_one_line(random_policy: MazePolicy, small_maze: Maze) -> None:
    field = MoveField("x", small_maze, certain(small_maze, Move.UP), HORIZON)
    other = MoveField("y", Maze.from_level(1), certain(Maze.from_level(1), Move.UP), HORIZON)
    for call, says in [
        (lambda: field.vectors("rigth"), "did you mean 'right'"),
        (lambda: field.heat("visit"), "did you mean 'visits'"),
        (lambda: panels(field, other), "different mazes"),
        (lambda: alignment(random_policy.net, "embedder.fc"), "no stack of maps"),
        (lambda: heat_map(torch.zeros(3, 2, 2), 3), "0 to 2"),
        (lambda: heat_map(torch.zeros(4)), "no stack of maps"),
    ]:
        with pytest.raises(InputError, match=says) as caught:
            call()
        assert "\n" not in str(caught.value)
