"""The part ``modules`` of the ``anatomy`` command: what it measures, stores, prints, and shows in a report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from agents.checkpoints.cards import zoo_snapshots
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy, to_input
from envs.maze import Maze, State
from envs.stored.json_records import to_json
from steering.anatomy.modules import network
from steering.anatomy.modules.alignment import CHANGES, alignment_row, changes, closed_walls, with_opened
from steering.anatomy.run import AnatomyOptions, run_anatomy
from steering.figures.anatomy.modules_figures import modules_figure, modules_training_figure
from steering.figures.anatomy.modules_words import modules_caption
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import find_site
from steering.records.anatomy.modules import KINDS
from steering.statistics.formatting import format_estimate
from steering.sweep.artifacts import ANATOMY
from tests.helpers.anatomy import read, refused_with
from tests.helpers.command import mazesteer

LEVELS, COUNT = "0:24", 7
SITES = "input,block2.maxpool,relufc"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with few shuffles, and of the training its ends alone."""
    out = tmp_path_factory.mktemp("modules") / "run"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("SHUFFLES", 4), ("STARTS", 1), ("FRESH", 2), ("NEWMAN_SHUFFLES", 1)):
            patch.setattr(network, name, value)
        patch.setattr(network, "zoo_snapshots", lambda name: {0: {}, 12_007_936: {}})
        words = ("anatomy", "region5", "--levels", LEVELS, "--sites", SITES, "--parts", "modules")
        done = mazesteer(*words, "--out", str(out))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"region5: {COUNT} levels of mode hard" and max(map(len, lines[:-1])) <= 80
    assert any(line.startswith("block2.maxpool") for line in lines) and "Newman's modularity 0.54" in done.stdout
    for sentence in modules_caption(ANATOMY.read(out, "x")).values():
        assert str(sentence).split() == [word for word in str(sentence).split() if word in done.stdout.split()]
    return out


def test_the_file_says_what_was_measured(run: Path) -> None:
    found = read(run)
    assert to_json(found, indent=1) == (run / ANATOMY.file).read_bytes()
    assert found.modules is not None
    picture, block, last = found.modules.sites
    assert (picture.channels, block.channels, last.channels) == (3, 32, 256)
    for site in (block, last):  # cheese vectors along few channels, in the network as trained
        ratio = site.cheese.ratio
        assert ratio.low is not None and ratio.high is not None and ratio.low <= (ratio.value or 0) <= ratio.high < 0.6
    trained, first = found.modules.network.modularity, found.modules.network.snapshots[0].modularity
    assert trained.kept.exceeded and trained.value > 2 * first.value
    assert [each.samples for each in found.modules.network.snapshots] == [0, 12_007_936]
    assert found.modules.network.whole_layers and found.modules.network.newman_shuffled.z is None
    assert (found.modules.network.untrained or trained.kept).mean == pytest.approx(first.value, rel=0.15)
    assert all(each.channels == 32 + 256 for each in found.modules.network.separations)  # of two layers that have sites


def test_each_change_is_one_thing_in_a_maze_that_stays_whole(maze: Maze) -> None:
    shown = changes(maze, 0)
    assert tuple(shown) == KINDS and {len(each) for each in shown.values()} == {CHANGES}
    blank, start = maze.without_cheese(), State(maze.mouse, maze.facing)
    assert shown["cheese"][0] == (maze, start)  # the level's own cheese is one of them
    assert len({each.cheese for each, _ in shown["cheese"]}) == CHANGES
    for opened, state in shown["walls"]:
        assert state == start and opened.cheese is None and len(opened.cells) == len(blank.cells) + 1
        assert all(opened.connected(cell, maze.mouse) for cell in opened.cells)
    cells = {state.cell for each, state in shown["mouse"] if each == blank and state.facing == maze.facing}
    assert len(cells) == CHANGES and maze.mouse not in cells
    assert changes(maze, 0) == shown and changes(maze, 1) != shown


def test_walls_to_open_lie_between_two_free_cells() -> None:
    maze = Maze.from_ascii("..C\n.##\nM..")
    assert closed_walls(maze) == [(1, 1), (2, 1)]
    assert with_opened(maze, (1, 1)).to_ascii() == "..C\n..#\nM.."


def test_a_row_is_of_the_energy_of_the_vectors_by_channel(policy: MazePolicy, small_maze: Maze) -> None:
    """The same shares from the activations of each change, one by one."""
    site = find_site(policy.net, "block2.res1.resadd")
    row = alignment_row(policy, small_maze, sites=[site], seed=0).sites[site.name]
    blank = small_maze.without_cheese()

    def seen(maze: Maze, state: State) -> np.ndarray:
        frames = to_input(maze.observations([state]))
        return HookedPolicy(policy.net).run(frames, capture=[site.name])[2][site.name][0].double().numpy()

    base = seen(blank, State(blank.mouse, blank.facing))
    for kind, shown in changes(small_maze, 0).items():
        energies = np.array([np.square(seen(*each) - base).sum(axis=(1, 2)) for each in shown])
        shares = energies / energies.sum(axis=1, keepdims=True)
        found = row.kinds[kind]
        assert found.vectors == len(shown) and found.own is not None
        for half, expected in zip(found.halves, (shares[::2], shares[1::2]), strict=True):
            assert half == pytest.approx(expected.mean(axis=0), abs=1e-4)
        assert found.own.participation == pytest.approx(1 / np.square(shares.mean(axis=0)).sum(), rel=1e-3)


def test_typed_again_it_measures_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    for name in ("alignment.alignment_row", "network.network_row", "network.snapshots_row"):
        monkeypatch.setattr(f"steering.anatomy.modules.{name}", lambda *_, **__: pytest.fail("measured again"))
    run_anatomy(AnatomyOptions("region5", again, LEVELS, sites=SITES, parts=("modules",)))
    assert (again / ANATOMY.file).read_bytes() == (run / ANATOMY.file).read_bytes()


def test_snapshots_are_of_the_shipped_agent_alone(policy: MazePolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SHUFFLES", 2)
    assert network.snapshots_row(load_policy("corner"), 0).snapshots == ()  # none are shipped
    assert network.snapshots_row(MazePolicy(policy.net, "region5", "0" * 64), 0).snapshots == ()  # another of that name
    one = max(zoo_snapshots("region5"))
    monkeypatch.setattr(network, "zoo_snapshots", lambda name: {one: name})
    copied = network.snapshots_row(MazePolicy(policy.net, "mine", policy.sha256), 0)
    assert [each.samples for each in copied.snapshots] == [one]  # the same weights, whatever the file is called


def test_a_network_of_which_no_beginning_is_known_has_none_to_compare() -> None:
    assert network.fresh_networks(nn.Linear(3, 15), 0) == []
    one, two = (network.fresh_networks(ImpalaPolicyNet(0.25), 0)[k] for k in (0, 1))
    again = network.fresh_networks(ImpalaPolicyNet(0.25), 0)[1]
    assert (
        not (one.fc_policy.weight == two.fc_policy.weight).all()
        and (again.fc_policy.weight == two.fc_policy.weight).all()
    )


def test_a_report_shows_it_beside_the_sweep(run: Path, sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(sweep, out)
    shutil.copy(run / ANATOMY.file, out)
    assert mazesteer("report", str(out)).returncode == 0
    found, page = read(run), (out / "report.md").read_text()
    assert found.modules is not None
    html = (out / "report.html").read_text()
    for title in (
        "Which channels cheese, walls and mouse move",
        "Whether the channels form communities, over training",
    ):
        assert title in page and title in html
    (row,) = (line for line in page.splitlines() if line.startswith("| block2.maxpool | 32 |"))
    assert format_estimate(found.modules.sites[1].cheese.ratio) in row
    for sentence in modules_caption(found).values():
        assert str(sentence) in page
    figure, training = modules_figure(found), modules_training_figure(found)
    assert figure is not None and training is not None
    curves = {line.name: line.y for line in figure.data}
    assert curves["cheese"] == tuple(site.cheese.ratio.value for site in found.modules.sites)
    assert curves["cheese and walls"] == tuple(site.overlaps[0].above_chance.value for site in found.modules.sites)
    drawn = {line.name: (line.x, line.y) for line in training.data}
    assert drawn["the network"][0] == ("0", "12,007,936", "region5")
    assert drawn["the network"][1][-1] == found.modules.network.modularity.value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("modules", "sites"), [], "modules: sites"),
        (("modules", "sites", 0, "kinds", 0, "kind"), "x", ".*: kinds"),
        (("modules", "sites", 1, "overlaps", 0, "other"), "x", ".*: overlaps"),
        (("modules", "network", "separations"), [], "modules: separations"),
        (("modules", "network", "snapshots", 1, "samples"), 0, "modules: snapshots"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    path: tuple[str | int, ...], value: Any, words: str, run: Path, tmp_path: Path
) -> None:
    refused_with(run, path, value, words, tmp_path)
