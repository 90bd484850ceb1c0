"""The number of levels needed: a known answer, what more levels really give, the command."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from typer.testing import CliRunner

from envs.errors import InputError
from steering.analysis.power import power_of_run
from steering.cli.compare import commands
from steering.experiments.conditions import Key
from steering.statistics import bootstrap
from steering.statistics.sample_size import SIZES, levels_needed
from steering.sweep.store import Row, Store
from tests.helpers.runs import SITES, SPEC, make_run, outcome


def pilot(n: int, sd: float) -> np.ndarray:
    """``float[n]`` with exactly mean 2 and standard deviation ``sd``, normal."""
    x = np.random.default_rng(0).normal(size=n)
    return (x - x.mean()) / x.std() * sd + 2


@pytest.mark.parametrize("width", [0.1, 0.05, 0.03])
def test_a_mean_needs_what_the_formula_says(width: float) -> None:
    """With the same TV everywhere blindness is one minus a mean: n = (2 t sd / width)^2, t Student's quantile.

    Within 8%: the quantile's degrees of freedom are estimated, and 64 studies have noise of their own.
    """
    sd = 0.3
    known = (2 * 1.96 * sd / width) ** 2
    expected = (2 * scipy.stats.t.ppf(0.975, known - 1) * sd / width) ** 2
    found = levels_needed(pilot(300, sd), np.ones(300), width, np.random.default_rng(1))
    assert found.levels == pytest.approx(expected, rel=0.08)
    assert (found.levels > SIZES[-1]) == (width == 0.03)


def test_the_number_of_levels_gives_the_width_asked() -> None:
    """Fresh mazes from where the pilot came from: the mean width is the one asked for, within 10%."""
    rng = np.random.default_rng(3)

    def mazes(n: int) -> tuple[np.ndarray, np.ndarray]:
        clean = rng.beta(1.0, 3.0, size=n)
        return clean * rng.beta(2.0, 2.0, size=n), clean

    found = levels_needed(*mazes(400), 0.08, rng)
    widths = []
    for _ in range(100):
        weights = bootstrap.counts(bootstrap.resamples(found.levels, rng, 500))
        low, high = bootstrap.blindness_interval(*mazes(found.levels), weights)
        widths.append(high - low)
    assert np.mean(widths) == pytest.approx(0.08, rel=0.10)


def test_narrower_needs_more_and_small_pilots_are_named() -> None:
    edited = pilot(300, 0.3)
    needed = [levels_needed(edited, np.ones(300), w, np.random.default_rng(1)) for w in (2.0, 0.3, 0.1)]
    assert [found.levels for found in needed] == sorted(found.levels for found in needed)
    assert needed[0].levels == SIZES[0] and all(not found.warning for found in needed)
    widths = [width for _, width in needed[0].curve]
    assert widths == sorted(widths, reverse=True)
    small = levels_needed(edited[:10], np.ones(10), 0.3, np.random.default_rng(1))
    assert "a pilot of 10 levels is small" in small.warning
    far = levels_needed(edited[:30], np.ones(30), 0.03, np.random.default_rng(1))
    assert far.levels > 300 and "more than 10 times the pilot's 30 levels" in far.warning


def pilot_run(directory: Path, levels: int) -> Path:
    """A run where the cheese does as much in every maze, and the last site leaves anything from none to all of it."""
    spec, rng = dataclasses.replace(SPEC, levels=tuple(range(levels))), np.random.default_rng(1)
    make_run(directory, spec, {SITES[0]: 0.0, SITES[1]: 0.0})
    with Store.open(directory) as store:
        for level in spec.levels:
            clean, edited = Key(level, "clean"), Key(level, "subtract", SITES[1], 1.0)
            store.add([Row(clean, "", outcome(1.0)), Row(edited, SITES[1], outcome(rng.random()))])
    return directory


def asked(directory: Path, width: str) -> str:
    done = CliRunner().invoke(commands, ["power", str(directory), "--width", width, "--site", SITES[1]])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(("levels", "suffices"), [(bootstrap.FEWEST, False), (bootstrap.FEW, True), (32, True)])
def test_no_fewer_levels_are_recommended_than_a_conclusion_takes(tmp_path: Path, levels: int, suffices: bool) -> None:
    """However wide an interval may be: fewer levels would do for the width, and the report would conclude nothing."""
    said = asked(pilot_run(tmp_path / "run", levels), "2")
    assert re.search(rf"^{SITES[1]} .* {bootstrap.FEW}$", said, re.MULTILINE)
    assert f"{bootstrap.FEW} is the least recommended: from fewer levels the report draws no conclusion" in said
    assert (f"the pilot already suffices: it has {levels} levels, {bootstrap.FEW} are needed" in said) is suffices
    assert (f"--n-levels {bootstrap.FEW} in place of its levels" in said) is not suffices


def test_more_levels_are_recommended_where_the_pilot_does_not_suffice(tmp_path: Path) -> None:
    directory = pilot_run(tmp_path / "run", 32)
    said, (record,) = asked(directory, "0.1"), power_of_run(directory, 0.1, SITES[1])
    assert record.levels > 32 and record.suffices is False
    assert f"--n-levels {record.levels} in place" in said and "suffices" not in said and "least" not in said


def test_what_cannot_be_asked() -> None:
    for width in (0.0, -1.0, 3.0, float("nan")):
        with pytest.raises(InputError, match="width"):
            levels_needed(np.ones(20), np.ones(20), width, np.random.default_rng(0))
    with pytest.raises(InputError, match="cheese changes nothing"):
        levels_needed(np.ones(20), np.zeros(20), 0.1, np.random.default_rng(0))
