"""The published findings run again: known answers, exactness, resuming, the command."""

from __future__ import annotations

import dataclasses
import fcntl
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from typer.testing import CliRunner

from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy, as_policy, to_input
from envs import chain
from envs.actions import Move
from envs.errors import InputError
from envs.maze import Maze, State
from steering.cli.replicate import commands
from steering.experiments.conditions import PUBLISHED_SITE
from steering.experiments.exact import LevelEvaluator, evaluate
from steering.figures.tables import replicate_table
from steering.interventions.edits import Intervention, add, clamp, subtract
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import find_site
from steering.interventions.vectors import cheese_vector, random_vector, top_right_vectors
from steering.replication.channels import measure_resampling, measure_retargeting, on_path
from steering.replication.own_vectors import measure_effect, measure_noise, measure_top_right
from steering.replication.protocol import Settings, Setup, published_site
from steering.replication.run import FINDINGS, chosen, read, replicate
from steering.replication.tracking import map_cell, selection_levels, track
from steering.replication.transfer import OFFSETS, measure_removal, offset_donors
from steering.statistics.formatting import published_inside
from steering.sweep.artifacts import REPLICATE

SMALL = (26, 54, 208, 223, 238)  # small mazes with a decision square
TRACKER = 4  # the planted channel


class Planted(nn.Module):
    """Channel :data:`TRACKER` shows where pixels have the cheese's colours; moves depend on it alone."""

    def __init__(self) -> None:
        super().__init__()
        colours = torch.tensor([[254.0, 231.0, 98.0], [253.0, 155.0, 37.0]]) / 255.0
        self.register_buffer("colours", colours.reshape(1, 2, 3, 1, 1))
        generator = torch.Generator().manual_seed(0)
        self.other = nn.Conv2d(3, 12, 4, stride=4)
        with torch.no_grad():
            self.other.weight.copy_(torch.randn(self.other.weight.shape, generator=generator))
            self.other.bias.zero_()
        self.maps = nn.Identity()
        side = torch.linspace(-1.0, 1.0, 16)
        readout = torch.zeros(15, 16, 16)
        readout[0], readout[6] = -side, side  # left, right: columns
        readout[5], readout[3] = -side[:, None], side[:, None]  # up, down: rows run down
        self.register_buffer("readout", 20.0 * readout)

    def forward(self, x: Tensor) -> Tensor:
        distance = (x.unsqueeze(1) - self.colours).abs().sum(2)
        cheese = functional.max_pool2d(functional.relu(1.0 - 40.0 * distance).sum(1, keepdim=True), 4)
        other = self.other(x)
        maps = self.maps(torch.cat([other[:, :TRACKER], cheese, other[:, TRACKER:]], dim=1))
        return torch.einsum("nhw,ahw->na", maps[:, TRACKER], self.readout)


@pytest.fixture(scope="module")
def planted() -> MazePolicy:
    return as_policy(Planted(), "planted")


def settings_of(policy: MazePolicy, site: str = PUBLISHED_SITE, **options: Any) -> Settings:
    return Settings(policy.name, policy.sha256, site, **{"levels": SMALL, "behaviour_levels": 10, **options})


@pytest.fixture(scope="module")
def bench(random_policy: MazePolicy) -> Setup:
    return Setup(random_policy, settings_of(random_policy))


@pytest.fixture(scope="module")
def planted_bench(planted: MazePolicy) -> Setup:
    return Setup(planted, settings_of(planted, "maps"))


# -- measurements against direct computation -----------------------------------------------------------------------


def test_effect_is_that_of_direct_evaluation(bench: Setup, small_maze: Maze) -> None:
    row = measure_effect(bench, small_maze)
    policy = bench.policy
    steered = evaluate(policy, small_maze, subtract(cheese_vector(policy, small_maze, PUBLISHED_SITE)))
    state = small_maze.arrival(small_maze.decision_square or (0, 0))
    removed = policy.move_probabilities(small_maze.without_cheese().observations([state]))[0]  # type: ignore[attr-defined]
    assert row["subtract_cheese"] == steered.p_cheese_decision
    assert row["no_cheese_cheese"] == pytest.approx(
        removed[Move.RIGHT], abs=1e-6
    )  # the cheese is one step to the right
    for condition in ("clean", "subtract", "no_cheese"):
        assert sum(row[f"{condition}_{move}"] for move in ("cheese", "corner", "other")) == pytest.approx(1.0)


def test_removal_is_the_mean_distance_over_states_off_the_cheese(bench: Setup, small_maze: Maze) -> None:
    row = measure_removal(bench, small_maze)
    level = LevelEvaluator(bench.policy, small_maze)
    steered = level.fields([subtract(cheese_vector(bench.policy, small_maze, PUBLISHED_SITE))])[0]
    off = [i for i, state in enumerate(small_maze.states) if state.cell != small_maze.cheese]
    distance = chain.total_variation(steered.probabilities, level.no_cheese.probabilities)[off]
    assert row["steered"] == pytest.approx(distance.mean(), abs=1e-12)


def test_noise_is_a_function_of_seed_and_level(bench: Setup) -> None:
    maze = Maze.from_level(26)
    row = measure_noise(bench, maze)
    assert measure_noise(bench, maze) == row
    other = Setup(bench.policy, dataclasses.replace(bench.settings, seed=1))
    assert measure_noise(other, maze)["norm_tv_clean"] != row["norm_tv_clean"]
    vector = cheese_vector(bench.policy, maze, PUBLISHED_SITE)
    draws = [subtract(random_vector(vector, bench.rng(maze, "noise", draw))) for draw in (0, 1)]
    direct = np.mean([evaluate(bench.policy, maze, edit).tv_clean for edit in draws])
    assert row["norm_tv_clean"] == pytest.approx(direct)
    assert row["peak_tv_clean"] > row["norm_tv_clean"], "the peak of a vector is above its spread"


def test_top_right_adds_both_vectors(bench: Setup, small_maze: Maze) -> None:
    row = measure_top_right(bench, small_maze)
    policy = bench.policy
    both = add(top_right_vectors(policy, small_maze, [PUBLISHED_SITE])[PUBLISHED_SITE])
    both = both + subtract(cheese_vector(policy, small_maze, PUBLISHED_SITE))
    assert row["both"] == evaluate(policy, small_maze, both).p_corner_decision


def test_a_maze_that_fills_the_world_has_no_top_right_vector(bench: Setup) -> None:
    full = next(m for m in Maze.from_levels(range(64), "easy") if m.state.margin == 0 and m.decision_square)
    row = measure_top_right(bench, full)
    assert np.isnan([row["add"], row["both_region"]]).all() and np.isfinite(row["clean"])


@pytest.mark.parametrize("level", [26, 2])
def test_donors_differ_in_the_offset_of_the_cheese_alone(bench: Setup, level: int) -> None:
    maze = Maze.from_level(level)
    found = offset_donors(bench, maze)
    assert len({donor.walls for donor in found.values()}) == 1
    assert next(iter(found.values())).walls != maze.walls
    here = maze.outer([maze.cheese or (0, 0)])[0]
    for name, donor in found.items():
        low, high = OFFSETS[name]
        assert low <= np.abs(donor.outer([donor.cheese or (0, 0)])[0] - here).max() <= high
        assert donor.cheese != donor.mouse
    assert "0" in found and found == offset_donors(bench, maze)


# -- channels: a planted answer -------------------------------------------------------------------------------------


def test_a_map_cell_shows_the_maze_cell() -> None:
    for level in (*SMALL, 0, 2, 12):
        maze = Maze.from_level(level)
        start = [State(maze.mouse, maze.facing)]
        with_cheese, without = (m.observations(start)[0].astype(int) for m in (maze, maze.without_cheese()))
        rows, columns = np.nonzero(np.abs(with_cheese - without).sum(-1))
        assert maze.cheese is not None
        row, column = map_cell(maze, maze.cheese, (64, 64))
        assert rows.min() - 1 <= row <= rows.max() + 1 and columns.min() - 1 <= column <= columns.max() + 1


def test_the_rule_finds_the_planted_channel(planted: MazePolicy) -> None:
    found = track(planted, find_site(planted.net, "maps"), seed=0)
    assert found.channels == (TRACKER,) and found.leader == TRACKER
    others = np.delete(found.scores, TRACKER)
    assert found.scores[TRACKER] > 3 * others.max()
    assert 0.9 < found.peaks[TRACKER] <= 2.0
    assert track(planted, find_site(planted.net, "maps"), seed=0).scores.tolist() == found.scores.tolist()


def test_channels_are_selected_on_levels_of_their_own(planted_bench: Setup) -> None:
    apart = selection_levels(0)
    assert len(apart) == 64 and min(apart) >= 90_000 and apart != selection_levels(1)
    inside = dataclasses.replace(planted_bench.settings, levels=apart)
    assert FINDINGS["effect"].mazes(inside) and not FINDINGS["resampling"].mazes(inside)


def test_resampling_the_planted_channel_matters_and_others_do_not(planted_bench: Setup) -> None:
    rows = [measure_resampling(planted_bench, maze) for maze in Maze.from_levels(SMALL)]
    assert all(row["random_same"] == row["random_other"] == 0.0 for row in rows)
    assert np.mean([row["cheese_other"] for row in rows]) > 0.1
    assert np.mean([row["cheese_other"] - row["cheese_same"] for row in rows]) > 0.05


def test_retargeting_the_planted_channel_moves_the_argmax(planted_bench: Setup) -> None:
    maze = Maze.from_level(26).without_cheese()
    frames = to_input(maze.observations())
    for index, move in (((8, 0), 0), ((8, 15), 6), ((0, 8), 5), ((15, 8), 3)):
        edit = clamp("maps", (TRACKER, *index), 5.0)
        logits, _, _ = HookedPolicy(planted_bench.policy.net).run(frames, edit.by_site())
        assert (logits.argmax(dim=1) == move).all()


def test_retargeting_measures_the_path_to_each_target(planted_bench: Setup, small_maze: Maze) -> None:
    row = measure_retargeting(planted_bench, small_maze)
    assert row == measure_retargeting(planted_bench, small_maze)
    assert len(row["targets"]) == 8 and {target[0] for target in row["targets"]} == {0.0, 1.0}
    # Without a cheese the planted network prefers no way: 3 of 15 actions go left or right, one up or down.
    assert all(1 / 15 - 1e-6 <= target[2] <= 3 / 15 + 1e-6 for target in row["targets"])
    assert any(target[3] > 0.3 for target in row["targets"])
    goal = (6, 6)
    level = LevelEvaluator(planted_bench.policy, small_maze)
    edit = clamp("maps", (TRACKER, 2, 9), 1.5)
    for each in (Intervention(), edit):
        whole = chain.path_probability(small_maze, level.fields([each])[0].probabilities, goal)
        assert on_path(planted_bench, small_maze, goal, each) == pytest.approx(whole, rel=1e-5)


def test_a_site_without_maps_is_refused_in_one_line(random_policy: MazePolicy, tmp_path: Path) -> None:
    settings = settings_of(random_policy, "embedder.fc")
    with pytest.raises(InputError, match="no channels with maps"):
        replicate(random_policy, settings, tmp_path / "run", ["resampling"])
    assert not (tmp_path / "run").exists()


def test_a_network_without_the_published_site_says_so() -> None:
    policy = as_policy(NaturePolicyNet(generator=torch.Generator().manual_seed(0)))
    with pytest.raises(InputError, match="has no site embedder.block2.res1.resadd.*--site"):
        published_site(policy, None)
    assert published_site(policy, "features_extractor.cnn.2") == "features_extractor.cnn.2"


# -- running --------------------------------------------------------------------------------------------------------


def test_an_unknown_finding_names_the_nearest() -> None:
    with pytest.raises(InputError, match="no finding 'retarget'; did you mean 'retargeting'"):
        chosen(["effect", "retarget"])
    assert [finding.name for finding in chosen(["paths", "effect"])] == ["effect", "paths"]


def test_twins_and_levels_without_a_decision_square_are_left_out(planted_bench: Setup) -> None:
    settings = dataclasses.replace(planted_bench.settings, levels=(7, *SMALL, SMALL[0]))
    assert [maze.level for maze in FINDINGS["effect"].mazes(settings)] == list(SMALL)
    assert [maze.level for maze in FINDINGS["removal"].mazes(settings)] == [7, *SMALL]


def test_a_run_that_was_stopped_goes_on_to_the_same_results(planted: MazePolicy, tmp_path: Path) -> None:
    settings = settings_of(planted, "maps", levels=SMALL[:3])
    names = ["effect", "paths"]
    whole = replicate(planted, settings, tmp_path / "whole", names)

    def stop(done: int, total: int) -> None:
        assert total == 6
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replicate(planted, settings, tmp_path / "parts", names, stop)
    left = read(tmp_path / "parts")
    assert len(left.rows["effect"]) == 2 and len(left.rows["paths"]) == 1 and left.findings == {}
    counts: list[int] = []
    again = replicate(planted, settings, tmp_path / "parts", names, lambda done, total: counts.append(total))
    assert counts == [3, 3, 3] and again == whole == read(tmp_path / "parts")
    replicate(planted, settings, tmp_path / "parts", names, lambda done, total: counts.append(total))
    assert len(counts) == 3, "nothing is measured twice"
    fewer = replicate(planted, dataclasses.replace(settings, levels=SMALL[:2]), tmp_path / "parts", names)
    assert fewer.findings["effect"].mazes == 2 and len(fewer.rows["effect"]) == 3


def test_what_does_not_belong_together_is_refused(planted: MazePolicy, tmp_path: Path) -> None:
    settings = settings_of(planted, "maps", levels=SMALL[:1])
    replicate(planted, settings, tmp_path, ["paths"])
    with pytest.raises(InputError, match="holds results with findings seed 0, now asked: 1"):
        replicate(planted, dataclasses.replace(settings, seed=1), tmp_path, ["paths"])
    with pytest.raises(InputError, match="none of the levels can be used"):
        replicate(planted, dataclasses.replace(settings, levels=(7,)), tmp_path, ["paths"])
    with open(tmp_path / ".lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="in use"):
            replicate(planted, settings, tmp_path, ["paths"])
    (tmp_path / REPLICATE.file).write_text('{"format": "something else"}')
    with pytest.raises(InputError, match="not published findings"):
        read(tmp_path)
    assert replicate(planted, settings, tmp_path, ["paths"]) == read(tmp_path), "it is an export of the database"


def ends(figure: dict[str, Any]) -> tuple[Any, Any, Any]:
    return figure["published"], figure["low"], figure["high"]


def test_the_command_prints_measured_beside_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")  # labels are whole lines then
    options = ["--behaviour-levels", "3", "--out", str(tmp_path / "run")]
    levels = ["--levels", ",".join(map(str, SMALL))]
    first = CliRunner().invoke(commands, ["effect", *levels, *options, "--json"], catch_exceptions=False)
    effect = json.loads(first.stdout)["findings"]["effect"]
    clean, *_ = effect["figures"]
    assert clean["published"] == 0.806 and 0.0 <= clean["low"] <= clean["value"] <= clean["high"] <= 1.0
    assert effect["verdict"].startswith("agrees in direction"), "the trick works on the shipped agent"
    shown = CliRunner().invoke(commands, ["effect", *levels, *options], catch_exceptions=False).stdout.splitlines()
    assert any(line.split()[-1:] == ["inside"] for line in shown)
    for figure in effect["figures"]:
        line = next(line for line in shown if line.startswith(figure["label"] + " "))
        said = line.split()[-1]
        assert (said if said in ("yes", "no") else "") == published_inside(*ends(figure))
    assert {published_inside(*ends(figure)) for figure in effect["figures"]} == {"yes", "no", ""}

    done = CliRunner().invoke(commands, ["--levels", "26,54", *options], catch_exceptions=False)
    assert done.exit_code == 0
    data = read(tmp_path / "run")
    assert sorted(data.findings) == sorted(FINDINGS)
    for name, found in data.findings.items():
        assert name in done.stdout and found.figures and found.mazes == (3 if name == "decision-square" else 2)
        decided = found.verdict.startswith(("agrees", "does not"))
        assert not decided or name == "named-transfer", "two mazes decide nothing, unless it is about these two"
    tables = replicate_table(data)
    assert [table.name for table in tables] == list(FINDINGS)
    for table in tables:
        assert [row.figure for row in table.rows] == [figure.label for figure in data.findings[table.name].figures]
        assert all(isinstance(value, str) for row in table.rows for value in vars(row).values())
    assert str(tmp_path / "run" / REPLICATE.file) in done.stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("published", "low", "high", "inside"),
    [
        (0.5, 0.4, 0.6, "yes"),
        (0.5, 0.5, 0.6, "yes"),
        (0.5, 0.51, 0.6, "no"),
        (-1.5, -2.0, -1.0, "yes"),
        (7.0, 1.0, 6.0, "no"),
        ("0.83 to 0.84", 0.8, 0.9, "yes"),
        ("0.83 to 0.84", 0.7, 0.82, "no"),
        ("0.83 to 0.84", 0.7, 0.835, "in part"),
        ("0.0088 (flawed)", 0.0, 1.0, ""),
        ("works", 0.0, 1.0, ""),
        (None, 0.0, 1.0, ""),
        (0.5, None, None, ""),
    ],
)
def test_a_published_number_is_looked_for_in_the_measured_interval(
    published: float | str | None, low: float | None, high: float | None, inside: str
) -> None:
    assert published_inside(published, low, high) == inside


def test_the_list_needs_no_run() -> None:
    done = CliRunner().invoke(commands, ["--list"], catch_exceptions=False)
    assert all(name in done.stdout for name in FINDINGS) and "P(cheese) .806 and .032" in done.stdout
    facts = json.loads(CliRunner().invoke(commands, ["transfer", "--list", "--json"]).stdout)
    assert [fact["name"] for fact in facts] == ["transfer"]
