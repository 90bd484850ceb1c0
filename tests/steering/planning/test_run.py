"""The ``planning`` command: what it stores, that it resumes, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from agents.networks.policy import MazePolicy, as_policy
from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import to_json
from steering.figures.planning_figures import planning_figures, planning_tables
from steering.planning.measure import map_sites, patch_row
from steering.planning.pairs import Goal
from steering.planning.run import PlanningOptions, run_planning
from steering.reports.captions import FIGURES
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import PLANNING, PLANNING_MAPS, Artifact
from steering.sweep.store import Store
from tests.helpers.command import mazesteer
from tests.helpers.faults import MISSING, changed, hollowed

LEVELS = ["--levels", "1,2,8", "--pairs", "2"]  # the first does not qualify


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("planning") / "run"
    done = mazesteer("planning", "region5", *LEVELS, "--out", out)
    assert done.returncode == 0, done.stderr
    for words in (
        "detour 5 and more",
        "reader sees (steps)",
        "where the cheese itself is known",
        "handoff",
        "looks ahead",
    ):
        assert words in done.stdout
    assert re.search(r"^skipped, .+: 1$", done.stdout, re.MULTILINE), "levels left out are told with the reason"
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
    return out


def test_the_file_says_what_was_measured(run: Path, policy: MazePolicy) -> None:
    found = PLANNING.read(run, "x")
    assert to_json(found, indent=1) == (run / PLANNING.file).read_bytes()
    assert found.checkpoint.sha256 == policy.sha256 and found.settings.levels == (2, 8)
    assert found.settings.sites == tuple(site.name for site in map_sites(policy)) and len(found.settings.sites) == 14
    assert [row.goal for row in found.behaviour] == ["cheese", "corner"]
    assert [(row.kind, row.goal) for row in found.located] == [
        ("cheese", "cheese"),
        ("detour", "cheese"),
        ("detour", "corner"),
    ]
    for row in found.behaviour:
        assert row.detour[-1].pairs == row.idle[-1].pairs == 4
        assert row.cells == sum(len(Maze.from_level(seed).cells) - 1 for seed in (2, 8))
    for patched in found.located:
        assert patched.pairs + patched.left_out == 4
        assert patched.sites[0].name == "input" and patched.sites[0].carried[0].value == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("part", "field"), [("detour corner", "carried"), ("detour cheese", "apart")])
def test_stored_rows_that_do_not_fit_are_one_line(run: Path, part: str, field: str, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    hollowed(again, part, field)
    done = mazesteer("planning", "region5", *LEVELS, "--out", again)
    said = r"[^\n]+results.sqlite, planning, [^\n]+ choose another --out\n"
    assert done.returncode == 2 and re.fullmatch(said, done.stderr), done.stderr


def test_typed_again_it_measures_nothing_and_one_more_level_only_that(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    with sqlite3.connect(again / "results.sqlite") as db:
        db.execute("DELETE FROM planning WHERE level = 8 AND part LIKE 'detour%'")
    assert mazesteer("planning", "region5", *LEVELS, "--out", again).returncode == 0
    assert (again / PLANNING.file).read_bytes() == (run / PLANNING.file).read_bytes()
    for name in ("behaviour_row", "patch_row"):
        monkeypatch.setattr(f"steering.planning.run.{name}", lambda *_args, **_kwargs: pytest.fail("measured again"))
    assert mazesteer("planning", "region5", *LEVELS, "--out", again).returncode == 0
    assert (again / PLANNING.file).read_bytes() == (run / PLANNING.file).read_bytes()


def test_the_maps_are_of_the_patched_pairs(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, maps = PLANNING.read(run, "x"), PLANNING_MAPS.read(run, "x")
    assert maps.checkpoint == whole.checkpoint and whole.settings.maps == 1
    assert [(row.kind, row.goal) for row in maps.maps] == [(row.kind, row.goal) for row in whole.located]
    for row in maps.maps:
        assert [site.name for site in row.sites] == list(whole.settings.sites) and 1 <= row.pairs == row.mazes <= 2
        first, last = row.sites[0], row.sites[-1]
        assert first.from_source.value is not None and first.from_source.value <= 2  # at the input: at the source
        assert last.from_source.value is not None and last.from_source.value > first.from_source.value
    again = tmp_path / "again"
    shutil.copytree(run, again)
    monkeypatch.setattr("steering.planning.run.patch_row", lambda *_args, **_kwargs: pytest.fail("measured again"))
    more = run_planning(PlanningOptions("region5", again, "2,8", kinds=("detour",), goals=("corner",), pairs=2, maps=2))
    assert more.located == whole.located[2:]
    assert sum(row.pairs for row in PLANNING_MAPS.read(again, "x").maps) == more.located[0].pairs
    run_planning(PlanningOptions("region5", again, "2,8", kinds=("detour",), goals=("corner",), pairs=2, maps=0))
    assert not (again / PLANNING_MAPS.file).exists()


@pytest.mark.parametrize("part", ["detour corner", "maps of detour corner"])
def test_a_stored_row_with_numbers_missing_is_refused(part: str, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(run, out)
    with sqlite3.connect(out / "results.sqlite") as db:
        ((text,),) = db.execute("SELECT measured FROM planning WHERE part = ? AND level = 2", (part,)).fetchall()
        row = json.loads(text)
        row["apart"].append(0.5)
        db.execute("UPDATE planning SET measured = ? WHERE part = ? AND level = 2", (json.dumps(row), part))
    done = mazesteer("planning", "region5", *LEVELS, "--out", out)
    assert done.returncode == 2 and f"planning, {part}, level 2: numbers are missing; choose" in done.stderr


@pytest.mark.parametrize(
    ("of", "path", "value", "words"),
    [
        (PLANNING, ("ladder",), MISSING, "cheese: readers at"),
        (PLANNING, ("patches", 1), "x", "patches: expected"),
        (PLANNING, ("behaviour", 0, "goal"), "x", "goals of behaviour"),
        (PLANNING, ("behaviour", 0, "detour"), [], "cheese: bins"),
        (PLANNING, ("behaviour", 1, "idle", 0, "readers"), MISSING, "corner: readers at"),
        (PLANNING, ("behaviour", 1, "readers"), MISSING, "corner: readers: expected 7, got 6"),
        (PLANNING, ("located", 0, "kind"), "detour", "kinds and goals"),
        (PLANNING, ("located", 0, "sites"), MISSING, "cheese cheese: sites"),
        (PLANNING, ("located", 1, "sites", 3, "needed"), MISSING, "detour cheese: places at"),
        (PLANNING, ("located", 2, "bins", 0, "mouse"), MISSING, "detour corner: sites at"),
        (PLANNING, ("located", 2, "readings", 0, "name"), "arrival", "detour corner: readings"),
        (PLANNING_MAPS, ("maps", 0, "sites"), [], "cheese cheese: any site"),
        (PLANNING_MAPS, ("maps", 0, "goal"), "x", "kinds and goals"),
        (PLANNING_MAPS, ("maps", 1, "around_source", 3), MISSING, "detour cheese: blocks around the source, by row"),
        (PLANNING_MAPS, ("maps", 1, "sites", 2, "mouse"), MISSING, "detour cheese: blocks around the mouse at"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    of: Artifact[Any], path: tuple[str | int, ...], value: Any, words: str, run: Path, tmp_path: Path
) -> None:
    data = json.loads((run / of.file).read_text())
    (tmp_path / of.file).write_text(json.dumps(changed(data, path, value)))
    with pytest.raises(InputError, match=rf"^{re.escape(str(tmp_path / of.file))}: {words}.*; make it anew$"):
        of.read(tmp_path, "make it anew")


def test_figures_and_tables_show_the_numbers_of_the_files(run: Path) -> None:
    found, maps = PLANNING.read(run, "x"), PLANNING_MAPS.read(run, "x")
    figures, tables = planning_figures(found, maps), planning_tables(found, maps)
    assert set(figures) == set(tables) <= set(FIGURES) and len(figures) == 2 + 3 * 3
    for row in maps.maps:
        name = f"maps-{row.kind}-{row.goal}"
        heats = [trace for trace in figures[name].data if trace.type == "heatmap"]
        assert len(heats) == 2 * len(row.sites)
        assert heats[0].z[6][6] == pytest.approx(row.sites[0].source[7][7])  # the centre, of 13 and of 15 blocks
        assert heats[-1].z[6][6] == pytest.approx(row.sites[-1].mouse[7][7])
        assert [cells[0] for cells in tables[name][1:]] == [short_site_name(site.name) for site in row.sites]
    for part in found.located:
        name = f"lengths-{part.kind}-{part.goal}"
        lines = [trace for trace in figures[name].data if trace.type == "scatter" and trace.x is not None]
        shown = [each for each in part.bins if each.pairs]
        assert len(lines) == 2 * len(shown)
        assert list(lines[0].y) == [share.value for share in shown[0].source]
        assert {len(cells) for cells in tables[name]} == {1 + 2 * len(part.bins)}
    assert planning_figures(None, None) == planning_tables(None, None) == {}


def test_kinds_and_goals_are_measured_alone_as_together(run: Path, tmp_path: Path) -> None:
    whole = PLANNING.read(run, "x")
    options = PlanningOptions("region5", tmp_path / "part", "2,8", kinds=("detour",), goals=("corner",), pairs=2)
    part = run_planning(options)
    assert part.behaviour == whole.behaviour[1:] and part.located == whole.located[2:]


def test_a_sweep_has_its_levels_planned_and_another_agent_is_refused(sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(sweep, out)
    levels = tuple(json.loads((out / "spec.json").read_text())["levels"])
    found = run_planning(PlanningOptions("region5", out, kinds=(), goals=("corner",), pairs=1))
    assert found.settings.levels == levels and found.located == () and found.settings.sites == ()
    with pytest.raises(InputError, match=r"is a sweep of region5 \(\w+\), not of anywhere \(\w+\)"):
        run_planning(PlanningOptions("anywhere", out))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kinds": ("detours",)}, "--kinds 'detours': did you mean 'detour'"),
    ({"goals": ("chese",)}, "--goal 'chese': did you mean 'cheese'"),
    ({"goals": ()}, "--goal: name cheese, corner or both"),
    ({"pairs": 0}, "pairs 0: give 1 to 64"),
    ({"distance": 0}, "distance 0: give 1 to 24"),
    ({"maps": 65}, "maps 65: give 0 to 64"),
    ({"maps": 3, "pairs": 2}, "--maps 3: give at most --pairs, 2"),
    ({"levels": "0:4", "n_levels": 3}, "not both"),
    ({"levels": "1"}, r"--levels 1: none of 1 level qualifies \(.*: 1\)"),
    ({"levels": "26"}, "no detour pairs to the cheese in these levels .none has changes 5 cells away.; take more"),
    ({"seed": -1}, "seed -1"),
]


@pytest.mark.parametrize(("options", "says"), BAD, ids=[says for _, says in BAD])
def test_bad_input_is_one_line_and_leaves_nothing(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    asked = {"levels": "26", "kinds": ("detour",), "goals": ("cheese",), **options}
    with pytest.raises(InputError) as caught:
        run_planning(PlanningOptions("region5", tmp_path / "new", **asked))
    assert re.search(says, str(caught.value)) and "\n" not in str(caught.value)
    measured = "no detour pairs" in says  # what was measured before that was known is kept
    assert [path.name for path in tmp_path.iterdir()] == ["new"] * measured
    if measured:
        with Store.read(tmp_path / "new") as store:
            assert store.select("SELECT level FROM planning", "planning", {"level": int})


class Flat(nn.Module):
    """No site is a map: the picture is flattened at once."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3 * 64 * 64, 15)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.read(x.flatten(1))
        return out


def test_a_network_has_maps_if_only_its_input_and_pairs_that_touch_are_counted() -> None:
    flat = as_policy(Flat())
    assert [site.name for site in map_sites(flat)] == ["input"]
    tiny = patch_row(flat, Maze.from_level(26), "cheese", Goal.CHEESE, map_sites(flat), pairs=64, distance=5, seed=0)
    assert tiny.left_out + len(tiny.apart) == min(64, 2 * (len(Maze.from_level(26).cells) - 2)) and tiny.left_out > 0
