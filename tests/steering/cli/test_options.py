"""Options: one table of ranges, and every number, name and size that is out of it refused in one line."""

from __future__ import annotations

import inspect
import math
import os
import re
import typing
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.models import ArgumentInfo, OptionInfo

from envs.errors import RANGES, InputError, Range
from envs.files import check_folder
from steering.experiments.levels import first_levels, qualifying_levels
from steering.sweep.planning import MOST_RECORDINGS, check_size
from steering.sweep.spec import MOST_RESULTS, SweepSpec
from tests.helpers.command import commands, mazesteer

ROOT = Path(__file__).parents[3]
IN_TEXTS = {"dagger-samples", "patience", "strength", "vector-levels"}  # numbers within the text of an option
NEEDED = {"power": ["run"], "compare": ["run"], "film-sweep": ["run"], "report": ["run"], "replay": ["x.npz"]}


def options(function: Any) -> Iterator[tuple[str, type, OptionInfo]]:
    """(Flag, type, option) of a command's options."""
    wrapped = inspect.unwrap(function)
    for name, hint in typing.get_type_hints(wrapped, include_extras=True).items():
        for info in getattr(hint, "__metadata__", ()):
            if isinstance(info, OptionInfo):
                kind = next(k for k in (*typing.get_args(hint.__origin__), hint.__origin__) if k is not type(None))
                flag = next((f for f in info.param_decls or () if f.startswith("--")), "--" + name.replace("_", "-"))
                yield flag, kind, info


NUMBERS = [
    (command, flag, kind, info)
    for command, function in commands().items()
    for flag, kind, info in options(function)
    if kind in (int, float)
]


def test_every_number_is_in_the_table() -> None:
    assert len(NUMBERS) > 40 and len(commands()) > 15
    rows = {(row.low, row.high) for row in RANGES.values()}
    for command, flag, _, info in NUMBERS:
        assert (info.min, info.max) in rows, f"{command} {flag}: make it with steering.cli.options.number"
    used = {(info.min, info.max) for _, _, _, info in NUMBERS}
    assert [name for name, row in RANGES.items() if (row.low, row.high) not in used and name not in IN_TEXTS] == []


@pytest.mark.parametrize("command", sorted({command for command, *_ in NUMBERS}))
def test_a_number_out_of_its_range_is_one_line_and_leaves_nothing(command: str, tmp_path: Path) -> None:
    for name, flag, kind, info in NUMBERS:
        if name != command:
            continue
        assert info.min is not None and info.max is not None
        below, above = (
            (int(info.min) - 1, int(info.max) + 1)
            if kind is int
            else (math.nextafter(info.min, -math.inf), math.nextafter(info.max, math.inf))
        )
        for value in (below, above, "nan", "1e-320" if info.min > 0 else "inf", "", 10**400):
            done = mazesteer(command, *NEEDED.get(command, []), f"{flag}={value}", cwd=tmp_path)
            assert done.returncode == 2, (command, flag, value)
            assert done.stderr.count("\n") == 1 and flag in done.stderr, done.stderr
            assert list(tmp_path.iterdir()) == []


def paths(function: Any) -> Iterator[list[str]]:
    """Arguments that give a command a file or a directory, each with ``{}`` for its name."""
    for name, hint in typing.get_type_hints(inspect.unwrap(function), include_extras=True).items():
        kinds = {hint.__origin__, *typing.get_args(hint.__origin__)} if hasattr(hint, "__metadata__") else set()
        if kinds & {Path, list[Path]}:
            argument = isinstance(hint.__metadata__[0], ArgumentInfo)
            yield ["{}"] if argument else [f"--{name.replace('_', '-')}", "{}"]


PATHS = [(command, given) for command, function in commands().items() for given in paths(function)]


@pytest.mark.parametrize(("command", "given"), PATHS, ids=[f"{command} {given[0]}" for command, given in PATHS])
def test_a_name_that_no_file_can_have_is_one_line_wherever_one_is_asked_for(
    command: str, given: list[str], tmp_path: Path
) -> None:
    needed = [] if given == ["{}"] else NEEDED.get(command, [])
    before = ["region5"] if command == "export" else []
    for name, says in (("", "it is empty"), (" ", "it is empty"), ("x" * 300, "too long"), ("x/" * 5000, "too long")):
        done = mazesteer(command, *before, *needed, *(part.format(name) for part in given), cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and says in done.stderr, (name[:9], done.stderr)
        assert len(done.stderr) < 300 and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is closed to root")
def test_a_place_that_is_closed_is_one_line_wherever_it_is_looked_at(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    for command, given in PATHS:
        needed = [] if given == ["{}"] else NEEDED.get(command, [])
        before = ["region5"] if command == "export" else []
        done = mazesteer(command, *before, *needed, *(part.format(closed / "x") for part in given), cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, (command, given, done.stderr)


def test_the_page_of_options_shows_the_table() -> None:
    page = (ROOT / "docs" / "options.md").read_text()
    shown = re.findall(r"^\| `([\w-]+)` \| (.*?) to (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert [row[0] for row in shown] == sorted(RANGES)
    for name, low, high, unit in shown:
        row = RANGES[name]
        assert (Fraction(low), Fraction(high.replace(",", ""))) == (Fraction(str(row.low)), Fraction(str(row.high))), (
            name
        )
        assert unit == row.unit, name


def test_ranges_include_their_ends_and_refuse_nan() -> None:
    row = Range("episodes", 0, 10, "rollouts")
    assert [row.check(value) for value in (0, 10)] == [0, 10]
    for value in (-1, 11, math.nan, math.inf):
        with pytest.raises(InputError, match=r"^episodes .*: give 0 to 10 \(rollouts\)$"):
            row.check(value)


IN_LISTS = [
    (["layer-sweep", "--coefficients", "1,2e6"], "coefficient 2000000.0: give"),
    (["layer-sweep", "--coefficients", "nan"], "coefficient nan: give"),
    (["layer-sweep", "--vector", "levels:0"], "vector-levels 0: give 1 to 256"),
    (["layer-sweep", "--vector", "levels:257"], "vector-levels 257: give 1 to 256"),
    (["layer-sweep", ""], "name of the checkpoint is empty"),
    (["layer-sweep", "--checkpoint", ""], "name of the checkpoint is empty"),
    (["layer-sweep", "--checkpoint", "region5", "--checkpoint", " "], "name of the checkpoint is empty"),
    (["layer-sweep", "--out", ""], "--out.*it is empty"),
    (["train", "--out", ""], "--out.*it is empty"),
    (["train", "--out", "run", "--dagger-samples", "5,-1"], "dagger-samples -1: give 0 to"),
    (["train", "--out", "run", "--dagger-samples", ",".join(["1"] * 101)], "101 rounds of walks; give at most 100"),
    (["train", "--out", "run", "--patience", "501"], "patience 501: give 0 to 500"),
    (["layer-sweep", "--n-levels", "100000"], r"only about \d+ of \d+ levels qualify \(\d+ of the first \d+ do\)"),
    (["probe", "--n-levels", "100000"], "need about .* GB of memory, and this machine has"),
    (
        ["layer-sweep", "--random-draws", "10000", "--n-levels", "99"],
        "results .* years of one core and .* GB; the most",
    ),
    (["layer-sweep", "--coefficients", ",".join(map(str, range(30_000))), "--n-levels", "99"], "results .*years"),
    (["layer-sweep", "--episodes", "1000", "--n-levels", "1000"], "recorded rollouts, a file each; the most"),
    (["video", "--level", "26", "--horizon", "2", "--record", "/dev/null/x"], "/dev/null/x: cannot be written"),
    (["field", "--level", "26", "--out", "/dev/null/x.png"], "/dev/null: cannot be written"),
]


@pytest.mark.parametrize(("args", "says"), IN_LISTS, ids=[" ".join(args)[:60] for args, _ in IN_LISTS])
def test_what_is_out_of_range_or_more_than_there_is_is_refused_at_once(
    args: list[str], says: str, tmp_path: Path
) -> None:
    done = mazesteer(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and re.search(says, done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_cannot_begin_leaves_no_directory(tmp_path: Path) -> None:
    bad = tmp_path / "scheduler.json"
    bad.write_text('{"address": 5}')
    few = ["--levels", "26", "--sites", "fc_policy", "--episodes", "0", "--executor", "dask"]
    done = mazesteer("layer-sweep", *few, "--scheduler-file", bad, "--out", tmp_path / "a" / "run")
    assert done.returncode == 2 and "not a scheduler's file" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["scheduler.json"]


def test_the_size_of_a_sweep_is_counted_without_making_its_keys() -> None:
    spec = SweepSpec("x", 64 * "0", (0,), ("a", "b", "c"), coefficients=(1.0, 2.0), draws=5)
    for conditions in (("subtract",), ("subtract", "random"), ("subtract", "random", "all_sites", "other_level")):
        asked = SweepSpec("x", 64 * "0", (0,), spec.sites, conditions, spec.coefficients, 5)
        assert asked.results_per_level == len(asked.keys(0))
    most = MOST_RESULTS // spec.results_per_level
    check_size(spec, min(most, MOST_RECORDINGS // (2 * len(spec.conditions))))
    with pytest.raises(InputError, match=f"asks for {(most + 1) * spec.results_per_level:,} results"):
        check_size(spec, most + 1)


def test_the_search_for_levels_tells_how_far_it_is_and_ends_when_it_must() -> None:
    told: list[tuple[int, int]] = []
    used, skipped = qualifying_levels(range(200), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (200, 200) and len(used) + len(skipped) == 200 and len(told) == 4
    told.clear()
    found, _ = first_levels(len(used), progress=lambda done, total: told.append((done, total)))
    assert [maze.level for maze in found] == [maze.level for maze in used]
    assert all(total == len(used) and done <= total for done, total in told)


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
