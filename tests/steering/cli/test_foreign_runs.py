"""Run directories and recordings that were edited by hand, damaged, or made to do harm: exit code 2 and one line."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.trajectory import Trajectory
from tests.helpers.command import mazesteer
from tests.helpers.faults import DEEP, MISSING, Fault, text_of

GIBIBYTE = 2**20  # in the kibibytes that the system counts in
BEGIN = '{"format": "mazesteer-run-1", "checkpoint": "region5", "sites": '


@pytest.fixture(scope="module")
def run(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small sweep."""
    return shutil.copytree(sweep, tmp_path_factory.mktemp("foreign") / "run")


@pytest.fixture
def spec(run: Path) -> Iterator[Path]:
    """The run's ``spec.json``, put back afterwards."""
    path = run / "spec.json"
    before = path.read_bytes()
    yield path
    path.unlink()
    path.write_bytes(before)


def refused(*command: str | Path) -> str:
    """Return the line that a command is refused with."""
    done = mazesteer(*command)
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 1 and "Traceback" not in done.stdout, (done.stdout, done.stderr)
    assert len(lines[0]) < 2_000 and lines[0].isprintable()
    return lines[0]


SPECS: dict[str, Any] = {"levels": 5, "sites": [], "seed": 1.5, "skipped": 5, "draws": 10**30, "horizon": None}
SPECS |= {"coefficients": ["1"], "mode": "medium", "checkpoint": "x" * 1_000_000, "vector": "elsewhere"}
SPECS |= {"conditions": DEEP}


@pytest.mark.parametrize("field", SPECS)
def test_a_spec_with_a_wrong_field_is_one_line_that_names_it(run: Path, spec: Path, field: str) -> None:
    spec.write_text(text_of(Fault((field,), SPECS[field]).within(json.loads(spec.read_text()))))
    for command in (("report", run), ("power", run, "--width", "0.1")):
        line = refused(*command)
        assert "spec.json" in line and (field in line or SPECS[field] == DEEP)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "deep": lambda path: path.write_text("[" * 10_000),
    "deep behind a valid beginning": lambda path: path.write_text(BEGIN + "[" * 10_000),
    "deep and whole": lambda path: path.write_text(BEGIN + "[" * 10_000 + "]" * 10_000 + "}"),
    "a pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "wide": lambda path: path.write_text("[" + "[]," * 3_000_000 + "[]]"),
}
SMALL = ("--levels", "26", "--sites", "input", "--episodes", "0")


@pytest.mark.parametrize("what", HOSTILE)
def test_a_spec_that_is_no_record_is_one_line(run: Path, spec: Path, what: str) -> None:
    spec.unlink()
    HOSTILE[what](spec)
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("report", run),
        ("power", run, "--width", "0.1"),
        ("compare", run, run),
        ("film-sweep", run),
        ("probe", "region5", "--out", run),
        ("layer-sweep", "region5", *SMALL, "--out", run),
    )
    for command in commands:
        assert "spec.json" in refused(*command), command


@pytest.mark.parametrize("name", ["probes.json", "fields.json", "replicate.json"])
def test_what_a_report_shows_beside_the_sweep_is_read_as_carefully(run: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / name).unlink(missing_ok=True)
    os.mkfifo(copy / name)
    assert name in refused("report", copy)


@pytest.fixture(scope="module")
def recording(run: Path) -> Trajectory:
    """A recorded rollout under an edit."""
    return Trajectory.load(next((run / "rollouts").glob("level00026_subtract_*_e0.npz")))


INFOS: dict[str, Any] = {
    "intervention is a number": Fault(("intervention",), 5),
    "intervention is null": Fault(("intervention",), None),
    "intervention is a list": Fault(("intervention",), []),
    "an edit lacks its site": Fault(("intervention", "edits", 0, "site"), MISSING),
    "exact is a number": Fault(("exact",), 5),
    "exact holds texts": Fault(("exact",), {"p_cheese": "much"}),
    "level is infinite": Fault(("level",), float("inf")),
    "level is no level": Fault(("level",), 2**31),
    "cheese is infinite": Fault(("cheese",), [float("inf"), 0]),
    "cheese is out of the world": Fault(("cheese",), [25, 0]),
    "condition is long": Fault(("condition",), "x" * 1_000_000),
    "policy is long": Fault(("policy",), "x" * 1_000_000),
    "policy has two lines": Fault(("policy",), "a\nb"),
    "site is long": Fault(("intervention", "edits", 0, "site"), "x" * 1_000_000),
    "seed is text": Fault(("seed",), "0"),
    "deep": Fault(("more",), DEEP),
    "a world that unpacks to gigabytes": Fault(("state",), "x" * 400_000),
}


def written(path: Path, track: Trajectory, **members: bytes | np.ndarray) -> Path:
    """Write a rollout with other members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy, zipfile.ZipFile(io.BytesIO(track.to_bytes())) as old:
        for name in old.namelist():
            data = members.get(name.removesuffix(".npy"), old.read(name))
            if isinstance(data, np.ndarray):
                part = io.BytesIO()
                np.save(part, data)
                data = part.getvalue()
            copy.writestr(name, data)
    return path


@pytest.mark.parametrize("what", INFOS)
def test_a_recording_with_a_wrong_fact_is_one_line_and_no_film(
    recording: Trajectory, tmp_path: Path, what: str
) -> None:
    text = text_of(INFOS[what].within({**recording.info, "exact": {}}))
    file = written(tmp_path / "x.npz", recording, info=np.frombuffer(text.encode(), np.uint8))
    assert "x.npz" in refused("replay", file, "--out", tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == [file]


def header(shape: str, rest: bytes = b"", kind: str = "|u1") -> bytes:
    """Return an ``.npy`` file that claims a shape."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + rest


ARRAYS: dict[str, dict[str, bytes | np.ndarray]] = {
    "infinite cells": {"cells": np.full((4, 2), np.inf)},
    "facts that unpack to a lot": {"info": header("(300000000,)", bytes(300_000_000))},
    "facts that claim a lot": {"info": header("(1000000000000,)", b"{}")},
    "fewer numbers than none": {"info": header("(-1,)", b"{}")},
    "a header without end": {"info": header("(" * 9_000, b"{}")},
    "an object": {"moves": header("(1,)", b"cos\nsystem\n", "|O")},
    "two hundred thousand moves": {
        "moves": np.zeros(200_000, np.int8),
        "facings": np.zeros(200_001, np.int8),
        "cells": np.zeros((200_001, 2), np.int16),
        "probabilities": np.zeros((200_000, 5)),
    },
    "no finite probability": {"probabilities": np.full((256, 5), np.nan)},
}


@pytest.mark.parametrize("what", ARRAYS)
def test_a_recording_with_a_wrong_array_is_one_line(recording: Trajectory, tmp_path: Path, what: str) -> None:
    assert "x.npz" in refused("replay", written(tmp_path / "x.npz", recording, **ARRAYS[what]))


def test_a_recording_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    assert "a pipe, expected a regular file" in refused("replay", tmp_path / "x.npz")


SCRIPT = """
import json, re, sys
from pathlib import Path
from tests.helpers.command import mazesteer
for command in json.loads(sys.argv[1]):
    done = mazesteer(*command)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, (command, done)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def test_hostile_files_take_less_than_a_gibibyte(recording: Trajectory, run: Path, spec: Path, tmp_path: Path) -> None:
    """A process that was refused all of them has never had more."""
    commands = []
    for what in ("facts that unpack to a lot", "facts that claim a lot", "two hundred thousand moves"):
        file = written(tmp_path / f"{len(commands)}.npz", recording, **ARRAYS[what])
        commands.append(["replay", str(file)])
    whole = json.loads(spec.read_text())
    texts = [json.dumps({**whole, field: value}) for field, value in (("draws", 10**30), ("draws", 10**5))]
    texts += [json.dumps({**whole, "levels": list(range(10**6))}), "[" + "[]," * 2_500_000 + "[]]", "[" * 2**24]
    for number, text in enumerate(texts):
        copy = tmp_path / f"run{number}"
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns("rollouts", "report*"))
        (copy / spec.name).write_text(text)
        commands += [["report", str(copy)], ["power", str(copy), "--width", "0.1"]]
    program = [sys.executable, "-c", SCRIPT, json.dumps(commands)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < GIBIBYTE
