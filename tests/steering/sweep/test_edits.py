"""A sweep with edits of the user's: what is stored, what another edit does, and the vectors that are written."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.conditions import EDIT, Key
from steering.experiments.edit_text import edited, read_edits
from steering.experiments.exact import LevelEvaluator
from steering.experiments.level_conditions import Given
from steering.interventions.vectors import SteeringVector, cheese_vector
from steering.sweep.spec import SweepSpec
from steering.sweep.units import level_rows, record_rollouts
from steering.workflows.kept_vectors import vector_file
from tests.helpers.command import mazesteer

LEVEL = 26
SITES = ("embedder.relu3", "embedder.fc")
FREE, FIXED = "subtract,vector=cheese,coefficient=0.5", "ablate,site=embedder.block2.res1.resadd,channels=3+7"


@pytest.fixture(scope="module")
def level() -> Maze:
    """A small level."""
    return Maze.from_level(LEVEL)


def spec_of(policy: MazePolicy, edits: tuple[str, ...]) -> SweepSpec:
    return SweepSpec("region5", policy.sha256, (LEVEL,), SITES, (EDIT,), (1.0, 2.0), episodes=1, edits=edits)


def test_edits_act_at_each_site_swept_and_where_they_say(policy: MazePolicy, level: Maze) -> None:
    edits, spec = read_edits([FREE, FIXED], policy), spec_of(policy, (FREE, FIXED))
    keys = [key for key in spec.keys(LEVEL) if key.condition == EDIT]
    rows, _ = level_rows(policy, level, keys, spec, Given(edits=edits))
    assert [(row.key, row.computed_at) for row in rows] == [
        (Key(LEVEL, EDIT, site, coefficient), site) for site in SITES for coefficient in (1.0, 2.0)
    ]
    evaluator = LevelEvaluator(policy, level, spec.horizon)
    for row in rows:
        made = edited(edits, policy, level, row.key.site, row.key.coefficient)
        assert made.sites == (row.key.site, "embedder.block2.res1.resadd")
        assert row.outcome == evaluator.outcomes([made])[0]
    (_, data), *_ = record_rollouts(policy, level, keys[:1], spec, Given(edits=edits))
    assert data


def test_edits_that_all_name_their_sites_are_run_once(policy: MazePolicy, level: Maze) -> None:
    edits = read_edits([FIXED], policy)
    spec = replace(spec_of(policy, (FIXED,)), coefficients=(1.0,))
    keys = [key for key in spec.keys(LEVEL) if key.condition == EDIT]
    one, other = level_rows(policy, level, keys, spec, Given(edits=edits))[0]
    assert one.outcome == other.outcome and one.computed_at == other.computed_at == "embedder.block2.res1.resadd"
    again = level_rows(policy, level, keys[1:], spec, Given(edits=edits))[0]  # what a resumed run computes
    assert again == [other]


def test_a_spec_has_the_condition_and_its_edits_or_neither(policy: MazePolicy) -> None:
    spec = spec_of(policy, (FREE,))
    assert spec.shared()["edits"] == (FREE,) and "edits" not in replace(spec, conditions=("add",), edits=()).shared()
    for wrong in ({"edits": ()}, {"conditions": ("add",)}):
        with pytest.raises(InputError, match="condition 'edit' and its edits go together; give --edit"):
            replace(spec, **wrong)


def test_a_sweep_with_edits_goes_on_and_keeps_its_vectors(policy: MazePolicy, level: Maze, tmp_path: Path) -> None:
    given = cheese_vector(policy, level, "input")
    given.save(tmp_path / "v.safetensors")
    run, few = tmp_path / "run", ("--levels", str(LEVEL), "--horizon", "30", "--workers", "1", "--episodes", "0")
    sweep = ("layer-sweep", *few, "--sites", ",".join(SITES), "--conditions", "subtract", "--out", run)
    edit = ("--edit", f"add,vector={tmp_path / 'v.safetensors'}", "--edit", FREE)
    done = mazesteer(*sweep, *edit, "--save-vectors")
    assert done.returncode == 0, done.stderr
    rows = stored(run)
    assert {row[1] for row in rows} == {"clean", "no_cheese", "subtract", "edit"}
    texts = (f"add,vector={given.digest},site=input", FREE)
    assert SweepSpec.load(run).edits == texts
    for page in ("report.html", "report.md"):
        assert f"condition edit: {' then '.join(texts)}" in (run / page).read_text()
    assert SteeringVector.load(run / "vectors" / f"{given.digest}.safetensors") == given
    files = {site: vector_file(run, LEVEL, site) for site in SITES}
    assert SteeringVector.load(files[SITES[0]]) == cheese_vector(policy, level, SITES[0])

    before = {site: file.read_bytes() for site, file in files.items()}
    files[SITES[1]].unlink()
    assert mazesteer(*sweep, *edit, "--save-vectors").returncode == 0
    assert {site: file.read_bytes() for site, file in files.items()} == before and stored(run) == rows

    other = mazesteer(*sweep, "--edit", FIXED)
    assert other.returncode == 2 and other.stderr.count("\n") == 1 and "choose another --out" in other.stderr
    assert "holds results with edits" in other.stderr and SweepSpec.load(run).edits == texts
    assert mazesteer("outcome", "--level", str(LEVEL), "--vector", files[SITES[0]]).returncode == 0


def stored(run: Path) -> list[tuple[object, ...]]:
    """All results of a run."""
    with sqlite3.connect(run / "results.sqlite") as database:
        return database.execute("SELECT * FROM outcomes ORDER BY condition, site, coefficient").fetchall()


def test_an_edit_that_fits_no_site_of_the_sweep_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    for args, says in [
        (["--sites", "relu3,fc", "--edit", "ablate,channels=200"], "embedder.relu3 has channels 0 to 31, not 200"),
        (["--sites", "fc", "--edit", "subtract,place=cheese"], "is no map"),
        (["--sites", "relu3", "--edit", "subtract,place=9+9"], "level 26: place=9+9: not in this 7x7 maze"),
        (["--conditions", "subtract,edit"], "give --edit"),
        (["--edit", "subtract,vector=gone.safetensors"], "no file 'gone.safetensors'"),
    ]:
        done = mazesteer("layer-sweep", "--levels", str(LEVEL), *args, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and says in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []
