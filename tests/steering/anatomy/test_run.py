"""The ``anatomy`` command: what it stores, that it resumes, what it refuses, and what the report shows of it."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import from_json, to_json
from steering.anatomy.analogy.measure import AnalogyRow
from steering.anatomy.interference import InterferenceRow, drawn_cells, interference_row
from steering.anatomy.run import AnatomyOptions, run_anatomy
from steering.figures.anatomy.analogy_figures import analogy_caption, analogy_figure
from steering.figures.anatomy.interference_figures import interference_caption, interference_figure
from steering.interventions.sites import find_site
from steering.interventions.vectors import cheese_vector
from steering.statistics.formatting import format_estimate
from steering.sweep.artifacts import ANATOMY
from steering.sweep.spec import SweepSpec
from tests.helpers.anatomy import read, refused_with
from tests.helpers.command import mazesteer
from tests.helpers.faults import MISSING, hollowed

LEVELS, COUNT = "0:24", 7
PARTS = ("interference", "analogy")
SITES = "input,block2.res1.resadd,relufc"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("anatomy") / "run"
    words = ("anatomy", "region5", "--levels", LEVELS, "--sites", SITES, "--parts", ",".join(PARTS))
    done = mazesteer(*words, "--out", str(out))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"region5: {COUNT} levels of mode hard" and max(map(len, lines[:-1])) <= 80
    assert any(line.startswith("block2.res1.resadd") for line in lines) and "random directions" in done.stdout
    assert "skipped, no decision square: 4, 20, 22\n" in done.stdout
    return out


def test_the_file_says_what_was_measured(run: Path, policy: MazePolicy) -> None:
    found = read(run)
    assert to_json(found, indent=1) == (run / ANATOMY.file).read_bytes()
    assert found.checkpoint.sha256 == policy.sha256 and found.interference is not None
    with sqlite3.connect(run / "results.sqlite") as db:
        query = "SELECT measured FROM planning WHERE part = 'anatomy interference' ORDER BY level"
        rows = [from_json(text, InterferenceRow, "row", "x") for (text,) in db.execute(query)]
    assert len(rows) == COUNT
    for site in found.interference:
        parts = [row.sites[site.name].raw for row in rows]
        rms = np.sqrt(sum(part.squares for part in parts) / sum(part.pairs for part in parts))
        ratio = site.interference.ratio
        assert site.interference.measured.value == pytest.approx(rms)
        assert ratio.value == pytest.approx(rms * np.sqrt(site.dimension))
        assert ratio.low is not None and ratio.high is not None and ratio.low <= ratio.value <= ratio.high
    picture, block, last = found.interference
    assert (picture.interference.ratio.value or 0) < 0.1  # two sprites share no pixel, but for rounding
    assert (block.interference.ratio.low or 0) > 2 and (last.interference.ratio.low or 0) > 2


def test_a_row_is_of_the_cheese_vectors_of_the_level(policy: MazePolicy, small_maze: Maze) -> None:
    """The same numbers from the project's own vectors, one by one; every free cell but the mouse's has one."""
    site = find_site(policy.net, "block2.res1.resadd")
    row = interference_row(policy, small_maze, sites=[site], seed=0).sites[site.name]
    cells = drawn_cells(small_maze, 0)
    assert cells == [cell for cell in small_maze.cells if cell != small_maze.mouse]
    own = [cheese_vector(policy, small_maze.with_cheese(cell), site.name).tensor.flatten().double() for cell in cells]
    units = np.stack([(vector / vector.norm()).numpy() for vector in own])
    cosines = (units @ units.T)[np.triu_indices(len(units), 1)]
    assert row.cells == len(cells) and row.raw.pairs == len(cosines)
    assert row.raw.squares == pytest.approx(float(np.sum(cosines**2)), rel=1e-4)
    assert row.raw.largest == pytest.approx(float(np.abs(cosines).max()), rel=1e-4)
    assert len(drawn_cells(small_maze, 0, 5)) == 5 and drawn_cells(small_maze, 0, 5) != drawn_cells(small_maze, 1, 5)


def test_typed_again_it_measures_nothing_and_a_missing_level_alone(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    with sqlite3.connect(again / "results.sqlite") as db:
        (level,) = db.execute("SELECT max(level) FROM planning").fetchone()
        db.execute("DELETE FROM planning WHERE level = ?", (level,))
    told: list[tuple[int, int]] = []
    options = AnatomyOptions("region5", again, LEVELS, sites=SITES, parts=PARTS)
    run_anatomy(options, lambda done, total: told.append((done, total)))
    assert told[-1] == (2, 2)
    assert (again / ANATOMY.file).read_bytes() == (run / ANATOMY.file).read_bytes()
    again_measured = "steering.anatomy.interference.interference_row"
    monkeypatch.setattr(again_measured, lambda *_, **__: pytest.fail("measured again"))
    run_anatomy(options)
    assert (again / ANATOMY.file).read_bytes() == (run / ANATOMY.file).read_bytes()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"parts": ("interferense",)}, "--parts 'interferense': did you mean 'interference'"),
    ({"parts": ("x",)}, "--parts 'x': known: interference, analogy"),
    ({"parts": ()}, "--parts: name one or more of interference"),
    ({"sites": "block9"}, "no site 'block9'"),
    ({"levels": "0:4", "n_levels": 3}, "not both"),
    ({"levels": "1"}, r"--levels 1: none of 1 level qualifies \(.*: 1\)"),
    ({"seed": -1}, "seed -1"),
    ({"workers": 0}, "workers 0"),
    ({"workers": 4000}, "--workers 4000: at most"),
]


@pytest.mark.parametrize(("options", "says"), BAD, ids=[says for _, says in BAD])
def test_bad_input_is_one_line_and_leaves_nothing(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        run_anatomy(AnatomyOptions("region5", tmp_path / "new", **{"levels": "2", **options}))
    assert re.search(says, str(caught.value)) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", ["interference", "analogy"])
def test_stored_rows_that_do_not_fit_are_one_line_and_stay(run: Path, part: str, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    hollow = hollowed(again, f"anatomy {part}", "sites")
    with pytest.raises(InputError, match=rf"^\S+.sqlite, planning, anatomy {part}: rows that do not fit .*--out$"):
        run_anatomy(AnatomyOptions("region5", again, LEVELS, sites=SITES, parts=PARTS))
    with sqlite3.connect(again / "results.sqlite") as db:
        assert db.execute("SELECT count(*) FROM planning WHERE measured = ?", (hollow,)).fetchone() == (1,)


def test_a_directory_without_a_sweep_says_so_where_one_is_needed(run: Path) -> None:
    with pytest.raises(InputError, match=r"spec.json: no such file, so no sweep was run there; type mazesteer layer-s"):
        SweepSpec.load(run)


def test_only_processes_that_have_work_count_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A level in one process fits; as many levels as processes do not."""
    asked: list[int] = []

    def noted(needed: int, what: str, remedy: str) -> None:
        asked.append(needed)
        raise InputError(f"{what}; {remedy}")

    monkeypatch.setattr("steering.anatomy.run.check_memory", noted)
    for levels, said in (("2", "1 worker"), ("2,5", "2 workers")):
        with pytest.raises(InputError, match=rf"in {said}; give fewer --workers or --sites"):
            run_anatomy(AnatomyOptions("region5", tmp_path / "new", levels, workers=64, sites=SITES, parts=PARTS))
    assert asked[1] == 2 * asked[0] and not list(tmp_path.iterdir())


def test_a_directory_of_another_agent_or_mode_is_refused(run: Path) -> None:
    before = (run / ANATOMY.file).read_bytes()
    for words in (["corner"], ["region5", "--mode", "easy"]):
        done = mazesteer("anatomy", *words, "--levels", LEVELS, "--sites", SITES, "--out", str(run))
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and str(run) in done.stderr
    assert (run / ANATOMY.file).read_bytes() == before


def test_analogies_are_summed_over_mazes(run: Path) -> None:
    found = read(run).analogy
    assert found is not None
    with sqlite3.connect(run / "results.sqlite") as db:
        query = "SELECT measured FROM planning WHERE part = 'anatomy analogy' ORDER BY level"
        rows = [from_json(text, AnalogyRow, "row", "x") for (text,) in db.execute(query)]
    assert len(rows) == COUNT
    for site in found.sites:
        parts = [row.sites[site.name] for row in rows]
        count = sum(part.analogies for part in parts)
        assert site.analogies == count == sum(group.analogies for group in site.distances)
        assert site.holds.value == pytest.approx(sum(part.ranks[0].first for part in parts) / count)
        assert site.left.value == pytest.approx(sum(p.left for p in parts) / sum(p.whole for p in parts))
        moves = [part.moves for part in parts if part.moves is not None]
        share = 1 - sum(part.edited for part in moves) / sum(part.nothing for part in moves)
        assert site.behaviour.value == pytest.approx(share, abs=1e-9)
        nearest = vars(site.nearest).values()
        assert sum(each.value or 0 for each in nearest) == pytest.approx(1) and site.nearest.target == site.holds
        alone, random = site.ranks[3], site.ranks[6]
        assert alone.top.value == 0 and (random.top.value or 0) < 0.1  # B is nearest to itself
    picture, _, last = found.sites
    assert (picture.holds.value or 0) > 0.5 > (last.holds.value or 0)
    assert [trend.correlation.value for trend in found.trends] == [None] * 3  # of three sites


def test_one_level_alone_has_no_analogies_and_no_means(tmp_path: Path) -> None:
    words = ("anatomy", "region5", "--levels", "2", "--sites", "relufc", "--parts", ",".join(PARTS))
    done = mazesteer(*words, "--out", str(tmp_path / "run"))
    assert done.returncode == 0 and "analogies: Analogies take two mazes or more.\n" in done.stdout
    found = read(tmp_path / "run")
    assert found.analogy is not None and found.analogy.sites[0].analogies == 0
    assert found.interference is not None and found.interference[0].means is None
    assert analogy_figure(found) is None


def test_a_report_shows_it_beside_the_sweep(run: Path, sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(sweep, out)
    shutil.copy(run / ANATOMY.file, out)
    assert mazesteer("report", str(out)).returncode == 0
    found, page = read(run), (out / "report.md").read_text()
    assert found.interference is not None
    title = "How far the vectors of different cells are from orthogonal"
    assert title in page and title in (out / "report.html").read_text()
    site = found.interference[1]
    rows = [line for line in page.splitlines() if line.startswith("| block2.res1.resadd | 8192 |")]
    assert any(format_estimate(site.interference.ratio) in line for line in rows)
    assert str(interference_caption(found)["interferes"]) in page
    title = "Whether a cheese of another maze, added, is the cheese here"
    assert title in page and title in (out / "report.html").read_text()
    assert str(analogy_caption(found)["analogies"]) in " ".join(page.split())
    assert found.analogy is not None
    rows = [line for line in page.splitlines() if line.startswith("| block2.res1.resadd | 8192 |")]
    assert any(format_estimate(found.analogy.sites[1].behaviour) in line for line in rows)
    picture = analogy_figure(found)
    assert picture is not None and sum(line.showlegend is not False for line in picture.data) <= 6
    assert picture.data[0].y == tuple(site.holds.value for site in found.analogy.sites)
    figure = interference_figure(found)
    assert figure is not None
    curves = {(line.name, line.yaxis): line.y for line in figure.data}
    assert curves["cheese vectors", "y"][1:] == tuple(s.interference.measured.value for s in found.interference[1:])
    assert curves["cheese vectors", "y"][0] is None  # below the lower edge of the axis
    assert sum(line.showlegend is not False for line in figure.data) <= 6


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("settings", "parts"), [], "settings: any part"),
        (("interference",), None, "parts"),
        (("interference",), MISSING, "interference: sites"),
        (("analogy", "sites", 0, "ranks", 0, "guess"), "x", "analogy, .*: ranks"),
        (("analogy", "trends", 0, "what"), "x", "analogy: trends"),
        (("interference", 0, "raw", 0, "what"), "x", ".*: raw"),
        (("interference", 1, "distances", 0, "low"), 7, ".*: distances"),
        (("interference", 1, "sets", 0, "size"), 7, ".*: sets"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    path: tuple[str | int, ...], value: Any, words: str, run: Path, tmp_path: Path
) -> None:
    refused_with(run, path, value, words, tmp_path)
