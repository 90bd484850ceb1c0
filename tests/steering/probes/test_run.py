"""The ``probe`` command: the boundary's rule, one run from end to end, resumed, in a sweep."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.stored.json_records import from_plain
from steering.analysis.readings import readings
from steering.cli.probes import commands
from steering.figures.probe_figures import probe_figure, representation_figure
from steering.probes.curves import cell_lost, next_move_appears
from steering.probes.run import OLD_SCORES_FORMAT, SCORES, ProbeOptions, run_probes
from steering.records.probes import ProbeSummary
from steering.records.sweep import CheckpointId
from steering.sweep.artifacts import PROBES
from steering.sweep.spec import SweepSpec
from tests.helpers.probe_sets import made_up_site, probes_in

# Small mazes that qualify for a sweep.
LEVELS = "26,52,54,92,95,152,163,193,208,223"
SITES = "input,embedder.block3.maxpool,embedder.relufc"


def statistic(value: float, spread: float, seed: int) -> np.ndarray:
    return np.concatenate([[value], value + spread * np.random.default_rng(seed).standard_normal(500)])


def test_boundary_is_the_first_site_beyond_all_baselines() -> None:
    facts = [made_up_site(name, affine=name in "ab") for name in "abcdef"]
    gaps = [0.0, 0.5, 0.02, 0.3, 0.4, 0.4]
    pairs = [(statistic(gap, 0.02, k), statistic(gap, 0.02, k + 9)) for k, gap in enumerate(gaps)]
    three = np.array(
        [(*pair, statistic(max(gap, 0.3), 0.02, k + 20)) for k, (pair, gap) in enumerate(zip(pairs, gaps, strict=True))]
    )
    assert next_move_appears(facts, three).site == "d"  # b is affine in the pixels, c within the noise
    for k in range(3):  # any of the baselines not beaten is enough
        below = three.copy()
        below[:, k] = [statistic(0.0, 0.02, 50 + site) for site in range(6)]
        assert next_move_appears(facts, below).site is None
    assert set(vars(next_move_appears(facts[:2], three[:2])).values()) == {None}  # nothing to ask
    found = cell_lost(facts, [pairs[k] for k in (0, 3, 4, 3, 0, 2)])
    assert (found.first, found.best, found.lost) == ("b", "c", "e")
    assert cell_lost(facts, [pairs[0]] * 6).lost is None and cell_lost(facts, [pairs[3]] * 6).lost is None


def probe(*args: str | Path) -> str:
    done = CliRunner().invoke(commands, [*map(str, args), "--frames", "0"])  # tests/steering/readouts has the readouts
    assert done.exception is None, done.exception
    return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("probes") / "run"
    printed = probe("region5", "--levels", LEVELS, "--sites", SITES, "--out", out)
    assert str(out / PROBES.file) in printed and "mazesteer layer-sweep" in printed
    for row in readings(None, probes_in(out)):
        assert re.search(rf"{row.kind} +{re.escape(row.what)} +{row.place} +{row.interval}\n", printed)
    return out


def test_command_from_end_to_end(run: Path, policy: MazePolicy) -> None:
    found = probes_in(run)
    assert found is not None and found.checkpoint == CheckpointId("region5", policy.sha256)
    assert [str(level) for level in found.levels] == LEVELS.split(",") and found.frames == 80
    pixels, middle, last = found.sites
    assert pixels.affine and pixels.map and last.map is None
    own = last.moves["policy"]
    assert own.accuracy.value > 0.7 and own.above_pixels.low > 0 and own.above_control.low > 0
    for row in found.sites:
        for part in row.moves.values():
            assert part.accuracy.low <= part.accuracy.value <= part.accuracy.high
    assert middle.moves["policy"].accuracy.value < own.accuracy.value
    assert found.decoding_boundary.next_move["policy"].site in ("embedder.block3.maxpool", "embedder.relufc")
    assert 0 < found.asked["cheese apart"] < 40 and found.asked["policy"] == 80
    assert found.surroundings["policy"].value > 0.4 > found.majority["policy"].value
    above = own.accuracy.value - found.surroundings["policy"].value
    assert own.above_surroundings.value == pytest.approx(above)


def test_same_command_same_numbers_whether_stopped_or_not(run: Path, tmp_path: Path) -> None:
    args = ("region5", "--levels", LEVELS, "--sites", SITES, "--out", tmp_path)
    stored = json.loads((run / SCORES).read_text())
    kept = dict(list(stored["scores"].items())[:1])  # as if stopped behind the first site
    (tmp_path / SCORES).write_text(json.dumps({**stored, "scores": kept}))
    printed = json.loads(probe(*args, "--json"))
    assert printed.pop("readouts") is None
    assert (tmp_path / PROBES.file).read_bytes() == (run / PROBES.file).read_bytes()
    assert from_plain(printed, ProbeSummary, "printed") == probes_in(run)


def test_of_scores_of_an_earlier_version_the_maps_are_taken_and_the_numbers_are_the_same(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It kept next moves by maze only."""
    args = ("region5", "--levels", LEVELS, "--sites", SITES, "--out", tmp_path)
    stored = json.loads((run / SCORES).read_text())
    old = {
        site: {**scores, "moves": {"cheese": {"correct": [], "control": []}}}
        for site, scores in stored["scores"].items()
    }
    (tmp_path / SCORES).write_text(json.dumps({**stored, "format": OLD_SCORES_FORMAT, "scores": old}))
    monkeypatch.delattr("steering.probes.scores.predicted_positions")
    probe(*args)
    assert (tmp_path / PROBES.file).read_bytes() == (run / PROBES.file).read_bytes()
    assert json.loads((tmp_path / SCORES).read_text()) == stored
    monkeypatch.delattr("steering.probes.scores.linear_predictions")  # all is kept now
    probe(*args)
    assert (tmp_path / PROBES.file).read_bytes() == (run / PROBES.file).read_bytes()


def test_bad_input_is_one_line(run: Path, tmp_path: Path) -> None:
    def asked(**options: Any) -> ProbeOptions:
        return ProbeOptions("region5", **{"out": run, "levels": LEVELS, "sites": "input", **options})

    for options, message in (
        ({"seed": 1}, "belongs to another"),
        ({"states": 0}, "states 0: give 1 to 1000"),
        ({"n_levels": 3}, "not both"),
        ({"levels": "26,54"}, "at least 10 levels"),
        ({"sites": "embedder.block9"}, "no site"),
    ):
        with pytest.raises(InputError, match=message):
            run_probes(asked(**{"out": tmp_path / "new", **options} if "levels" in options else options))
    assert probes_in(tmp_path) is None


def test_damaged_scores_are_one_line(run: Path, tmp_path: Path) -> None:
    stored = json.loads((run / SCORES).read_text())
    options = ProbeOptions("region5", tmp_path, levels=LEVELS, sites=SITES)
    for text, message in (
        ("{", "not readable as JSON"),
        (json.dumps({**stored, "scores": [1]}), "scores|belongs to another"),
        (json.dumps({**stored, "scores": {"input": {"moves": {}, "map": None}}}), "input: .*missing .*`cell`"),
        (json.dumps({**stored, "scores": {"input": {"map": 3}}}), r"input: .*`\$\.map`"),
        (json.dumps({**stored, "scores": {"input": None}}), "input: expected `object`"),
    ):
        (tmp_path / SCORES).write_text(text)
        with pytest.raises(InputError, match=message) as caught:
            run_probes(options)
        assert SCORES in str(caught.value) and "choose another --out, or delete it" in str(caught.value)


def test_in_the_directory_of_a_sweep_its_levels_are_taken(policy: MazePolicy, tmp_path: Path) -> None:
    levels = tuple(int(level) for level in LEVELS.split(","))
    spec = SweepSpec("region5", policy.sha256, levels, ("input",))
    spec.save(tmp_path)
    found = run_probes(ProbeOptions("region5", tmp_path, sites="fc_policy", states=2))
    assert found.levels == levels and [site.name for site in found.sites] == ["input", "fc_policy"]
    replace(spec, sha256="0" * 64, checkpoint="other").save(tmp_path)
    with pytest.raises(InputError, match=r"a sweep of other \(\w{12}\), not of region5 \(\w{12}\)"):
        run_probes(ProbeOptions("region5", tmp_path))


def test_figures_mark_what_is_no_finding(run: Path) -> None:
    found = probes_in(run)
    assert found is not None
    for figure in (probe_figure(found), representation_figure(found)):
        texts = [note.text for note in figure.layout.annotations]
        assert {"free", "local"} <= set(texts)
        assert {"input", "relufc"} <= {x for trace in figure.data for x in trace.x}
        figure.to_json()
    names = [trace.name for trace in representation_figure(found).data]
    assert "cosine, outside the receptive field" in names and "cosine, inside the receptive field" in names
