"""The ``write-moves`` command: what it stores, that it resumes, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.stored.json_records import from_json, to_json
from steering.figures.written_figures import written_figure
from steering.interventions.sites import enumerate_sites
from steering.readouts.written import WrittenRow
from steering.readouts.written_run import WriteOptions, run_write_moves, sites_to_write
from steering.readouts.written_summary import mean_share
from steering.records.readouts import WrittenSummary
from steering.statistics.formatting import format_estimate, short_site_name
from steering.sweep.artifacts import WRITTEN
from tests.helpers.command import mazesteer
from tests.helpers.faults import MISSING, changed, hollowed

LEVELS = "0:14"
SITES = "embedder.block3.maxpool,embedder.relufc"
OPTIONS = ["--levels", LEVELS, "--sites", SITES, "--branches", 2, "--learn-levels", 12, "--strengths", "4,1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written") / "run"
    done = mazesteer("write-moves", "region5", *map(str, OPTIONS), "--out", str(out))
    assert done.returncode == 0, done.stderr
    for words in ("at the mouse's place", "over the whole map", "read, but readout writes half at no strength"):
        assert words in done.stdout
    left_out = set(range(14)) - set(WRITTEN.read(out, "x").settings.levels)
    told = ", ".join(re.findall(r"^skipped, .+?: ([\d, ]+)$", done.stdout, re.MULTILINE))
    assert left_out == {int(level) for level in told.split(", ")}
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
    return out


def read(run: Path) -> WrittenSummary:
    return WRITTEN.read(run, "x")


def test_the_file_says_what_was_measured(run: Path, policy: MazePolicy) -> None:
    found = read(run)
    assert to_json(found, indent=1) == (run / WRITTEN.file).read_bytes()
    assert found.checkpoint.sha256 == policy.sha256 and found.settings.strengths == (1.0, 4.0)
    assert found.branches == 2 * found.mazes and len(found.settings.learned) == 12
    assert not set(found.settings.levels) & set(found.settings.learned)
    assert [[part.place for part in site.places] for site in found.sites] == [["mouse", "map"], ["map"]]
    with sqlite3.connect(run / "results.sqlite") as db:
        rows = [
            from_json(text, WrittenRow, "row", "x")
            for (text,) in db.execute("SELECT measured FROM planning WHERE part = 'written moves' ORDER BY level")
        ]
    count = np.array([row.branches for row in rows])
    for site in found.sites:
        for part in site.places:
            controls: dict[tuple[str, int], float] = {}
            for direction in part.directions:
                for k, effect in enumerate(direction.effects):
                    stored = np.array([row.written[site.name][part.place][direction.name][k].taken for row in rows])
                    clean = np.array([row.clean.taken for row in rows])
                    assert effect.taken.value == pytest.approx(stored.sum() / count.sum())
                    assert effect.rise.value == pytest.approx((stored - clean).sum() / count.sum())
                    controls[direction.name, k] = effect.rise.value or 0.0
            most = [max(controls[each.name, k] for each in part.directions[2:]) for k in (0, 1)]
            for direction in part.directions[:2]:
                for k, effect in enumerate(direction.effects):
                    assert effect.beyond is not None and effect.rise.value is not None
                    assert effect.beyond.value == pytest.approx(effect.rise.value - most[k])
            assert all(effect.beyond is None for each in part.directions[2:] for effect in each.effects)


def test_stored_rows_that_do_not_fit_are_one_line(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    hollowed(again, "written moves", "written")
    options = WriteOptions("region5", again, LEVELS, sites=SITES, branches=2, learn_levels=12, strengths=(1.0, 4.0))
    with pytest.raises(InputError, match=r"^\S+.sqlite, planning, written moves: .*--out$"):
        run_write_moves(options)


def test_typed_again_it_measures_nothing_and_a_missing_level_alone(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    with sqlite3.connect(again / "results.sqlite") as db:
        db.execute("DELETE FROM planning WHERE level = 8 AND part = 'written moves'")
    told: list[tuple[int, int]] = []
    options = WriteOptions("region5", again, LEVELS, sites=SITES, branches=2, learn_levels=12, strengths=(1.0, 4.0))
    run_write_moves(options, lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)  # two sites and one level
    assert (again / WRITTEN.file).read_bytes() == (run / WRITTEN.file).read_bytes()
    for name in ("LevelWriter", "learn_directions"):
        monkeypatch.setattr(f"steering.readouts.written_run.{name}", lambda *_: pytest.fail("measured again"))
    run_write_moves(options)
    assert (again / WRITTEN.file).read_bytes() == (run / WRITTEN.file).read_bytes()


def test_sites_are_those_asked_for_without_the_picture(policy: MazePolicy) -> None:
    distinct, trunk = ([site.name for site in sites_to_write(spec, policy.net)] for spec in ("distinct", "trunk"))
    known = {site.name: site for site in enumerate_sites(policy.net)}
    assert [name for name in trunk if known[name].equivalence_class == name] == distinct
    assert "input" not in trunk and {"embedder.relu3", "embedder.relufc"} <= set(distinct) < set(trunk)


def test_a_mean_that_may_be_negative_has_the_interval_of_its_resamples() -> None:
    rng = np.random.default_rng(0)
    top, count = rng.normal(size=40), rng.integers(1, 9, size=40).astype(float)
    weights = rng.multinomial(40, np.full(40, 1 / 40), size=500).astype(float)
    found = mean_share(top, count, np.vstack([np.ones(40), weights]))
    ratios = [(w @ top) / (w @ count) for w in weights]
    expected = [top.sum() / count.sum(), *np.quantile(ratios, [0.025, 0.975])]
    np.testing.assert_allclose([found.value, found.low, found.high], expected)
    few = mean_share(top[:5], count[:5], np.ones((1, 5)))
    assert few.value is not None and few.low is few.high is None


BAD: list[tuple[dict[str, Any], str]] = [
    ({"target": "chese"}, "--target 'chese': did you mean 'cheese'"),
    ({"branches": 0}, "branches 0: give 1 to 64"),
    ({"learn_levels": 9}, "learn-levels 9: give 10 to"),
    ({"strengths": ()}, "--strengths: write numbers"),
    ({"strengths": (0.0,)}, "strength 0.0: give 0.001"),
    ({"sites": "input"}, "--sites input: no site behind the picture"),
    ({"sites": "block9"}, "no site 'block9'"),
    ({"levels": "0:4", "n_levels": 3}, "not both"),
    ({"levels": "1"}, r"--levels 1: none of 1 level qualifies \(.*: 1\)"),
    ({"levels": "50000:50004"}, r"level 5000\d: readouts learn from it; take levels below 50000"),
    ({"seed": -1}, "seed -1"),
]


@pytest.mark.parametrize(("options", "says"), BAD, ids=[says for _, says in BAD])
def test_bad_input_is_one_line_and_leaves_nothing(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"levels": "2", "learn_levels": 12, **options}
    with pytest.raises(InputError) as caught:
        run_write_moves(WriteOptions("region5", tmp_path / "new", **asked))
    assert re.search(says, str(caught.value)) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_report_shows_them_beside_the_sweep(run: Path, sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(sweep, out)
    shutil.copy(run / WRITTEN.file, out)
    assert mazesteer("report", str(out)).returncode == 0
    found, page = read(run), (out / "report.md").read_text()
    title = "Whether what a readout of the next move reads is used"
    assert title in page and title in (out / "report.html").read_text()
    (part,) = found.sites[1].places
    cells = [format_estimate(effect.beyond) for effect in part.directions[0].effects]
    (row,) = (
        line for line in page.splitlines() if line.startswith("| relufc | whole site |") and "| readout |" in line
    )
    assert " | ".join(cells) in row
    assert f"whole site: {', '.join(map(short_site_name, found.unused('map', 'readout'))) or 'no site'}" in page
    figure = written_figure(found)
    curves = {(line.name, line.yaxis): line.y for line in figure.data}
    strongest = [site.places[-1].directions[1].effects[-1].beyond.value for site in found.sites]
    assert list(curves["difference of means, strength 4", "y2"]) == strongest
    assert len(curves["next move read", "y"]) == 1 and len(curves["next move read", "y2"]) == 2


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("settings", "strengths"), [], "settings: any strength"),
        (("sites",), MISSING, "sites"),
        (("sites", 0, "places", 0, "place"), "x", ".*: places"),
        (("sites", 0, "places", -1, "place"), "x", ".*: the whole site"),
        (("sites", 0, "places", 0, "directions", 0, "name"), "x", ".*: directions"),
        (("sites", 0, "places", 0, "directions", 0, "effects"), MISSING, ".*: strengths"),
        (("sites", 0, "places", 0, "directions", 0, "effects", 0, "beyond"), None, ".*: beyond controls"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    path: tuple[str | int, ...], value: Any, words: str, run: Path, tmp_path: Path
) -> None:
    data = json.loads((run / WRITTEN.file).read_text())
    (tmp_path / WRITTEN.file).write_text(json.dumps(changed(data, path, value)))
    with pytest.raises(InputError, match=rf"^\S+written_moves.json: {words}: expected .*; make it anew$"):
        WRITTEN.read(tmp_path, "make it anew")
