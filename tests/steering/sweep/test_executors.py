"""Local processes and a real Dask cluster on this machine: the same results, also when a worker is lost."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.checkpoints.cards import checkpoint_file
from agents.checkpoints.zoo import load_policy, policy_from_bytes
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from steering.sweep.executors import Cluster, dask, local
from steering.sweep.spec import SweepSpec
from steering.sweep.units import Batch, Checkpoint, Result, Unit, batched, compute, split
from tests.helpers.command import mazesteer, started
from tests.helpers.work import begin_deadly
from tests.helpers.worked_diff import copy_with

SITES = ("embedder.block1.conv", "embedder.relu3")
LEVELS = (26, 54, 208)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    file = checkpoint_file("region5")
    return Checkpoint(file.read_bytes(), file.suffix, "region5")


@pytest.fixture(scope="module")
def spec(policy: MazePolicy) -> SweepSpec:
    return SweepSpec("region5", policy.sha256, LEVELS, SITES, ("subtract", "random", "same_cell"), episodes=0)


@pytest.fixture(scope="module")
def units(spec: SweepSpec) -> list[Unit]:
    return [unit for level in LEVELS for unit in split(level, spec.keys(level))]


@pytest.fixture(scope="module")
def expected(checkpoint: Checkpoint, units: list[Unit], spec: SweepSpec) -> dict[Unit, Result]:
    found = local(checkpoint, units, spec, workers=1)
    return {result.unit: result for result in found}


def environment() -> dict[str, str]:
    """Timeouts short enough for a test; everything on loopback."""
    return {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s", "OMP_NUM_THREADS": "1"}


def start(*args: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + args[0], *args[1:]],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.fixture
def scheduler_file(tmp_path: Path) -> Iterator[Path]:
    """A scheduler of its own process on 127.0.0.1."""
    file = tmp_path / "scheduler.json"
    process = start(
        "dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--no-show",
        "--scheduler-file",
        str(file),
    )
    deadline = time.monotonic() + 120
    while not (file.exists() and file.read_text().strip().endswith("}")) and time.monotonic() < deadline:
        time.sleep(0.1)
    yield file
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def worker(scheduler_file: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``worker(name, *options)`` starts one of its own process; those that live at the end are killed."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str, *options: str) -> subprocess.Popen[bytes]:
        process = start(
            "dask_worker",
            "--scheduler-file",
            str(scheduler_file),
            "--host",
            "127.0.0.1",
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--local-directory",
            str(tmp_path / name),
            *options,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_bytes_of_a_checkpoint_make_the_policy_they_came_from(policy: MazePolicy, checkpoint: Checkpoint) -> None:
    assert policy_from_bytes(checkpoint.data, checkpoint.suffix, "x").sha256 == policy.sha256
    for name in ("region5", "region5@4096"):
        assert (
            checkpoint_file(name).is_file()
            and load_policy(str(checkpoint_file(name))).sha256 == load_policy(name).sha256
        )
    assert checkpoint_file("some/file.pth") == Path("some/file.pth")


def test_two_processes_give_the_results_of_one_and_of_none(
    checkpoint: Checkpoint, units: list[Unit], spec: SweepSpec, expected: dict[Unit, Result]
) -> None:
    assert set(expected) == set(units)
    assert {result.unit: result for result in local(checkpoint, units, spec, workers=2)} == expected
    threads = torch.get_num_threads()
    assert compute(checkpoint, Batch([units[0]]), spec) == [expected[units[0]]]
    torch.set_num_threads(threads)


def test_a_unit_whose_process_dies_twice_gives_the_same_results(
    tmp_path: Path,
    checkpoint: Checkpoint,
    units: list[Unit],
    spec: SweepSpec,
    expected: dict[Unit, Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deadly = functools.partial(begin_deadly, tmp_path / "deaths", 54, 2)
    monkeypatch.setattr("steering.sweep.executors._begin", deadly)
    few = [unit for unit in units if unit.level == 54]
    assert {result.unit: result for result in local(checkpoint, few, spec, workers=2)} == {
        unit: expected[unit] for unit in few
    }
    assert len((tmp_path / "deaths").read_text()) == 2


def test_a_unit_at_which_three_processes_die_ends_the_sweep_and_is_named(
    tmp_path: Path, checkpoint: Checkpoint, units: list[Unit], spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = functools.partial(begin_deadly, tmp_path / "deaths", 54, 99)
    monkeypatch.setattr("steering.sweep.executors._begin", deadly)
    found = []
    with pytest.raises(InputError) as raised:
        for result in local(checkpoint, units[2:], spec, workers=1):
            found.append(result.unit)
    assert found == [unit for unit in units[2:] if unit.level == 26] and found
    assert str(raised.value).startswith(
        "3 worker processes died one after the other at level 54 (clean, no_cheese, subtract at 2 sites) (the last: "
        "killed, as the system does when memory is short); what was finished is stored: free memory, or"
    )


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of all three levels travel and are computed in one batch."""

    def together(checkpoint: Checkpoint, units: list[Unit], spec: SweepSpec) -> list[Batch]:
        return batched(units, spec.levels, len(LEVELS))

    monkeypatch.setattr("steering.sweep.executors._batches", together)


def test_a_batch_whose_process_dies_is_done_again(
    as_on_a_gpu: None,
    tmp_path: Path,
    checkpoint: Checkpoint,
    units: list[Unit],
    spec: SweepSpec,
    expected: dict[Unit, Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("steering.sweep.executors._begin", functools.partial(begin_deadly, tmp_path / "deaths", 54, 1))
    found = list(local(checkpoint, units, spec, workers=2))
    assert len(found) == len(units) and {result.unit for result in found} == set(units)
    for result in found:
        for row, alone in zip(result.rows, expected[result.unit].rows, strict=True):
            assert row.key == alone.key and vars(row.outcome) == pytest.approx(
                vars(alone.outcome), abs=1e-3, nan_ok=True
            )


@pytest.mark.parametrize("execute", [local, functools.partial(dask, cluster=Cluster())], ids=["local", "dask"])
def test_a_level_that_fails_takes_no_other_of_its_batch_with_it(
    as_on_a_gpu: None, execute: Callable[..., Iterator[Result]], checkpoint: Checkpoint, policy: MazePolicy
) -> None:
    """Its vectors are to be taken on a cell that is a wall in the first level."""
    first, *others = Maze.from_levels(LEVELS)
    cell = next(cell for cell in others[0].cells if not first.is_free(cell) and others[1].is_free(cell))
    said = {"vector": f"{cell[0]},{cell[1]}", "episodes": 0}
    spec = SweepSpec("region5", policy.sha256, LEVELS, SITES[1:], ("subtract",), **said)  # type: ignore[arg-type]
    found = []
    with pytest.raises(InputError, match="is not a free cell of this"):
        for result in execute(checkpoint, [split(level, spec.keys(level))[0] for level in LEVELS], spec, workers=1):
            found.append(result.unit.level)
    assert found == list(LEVELS[1:])


def test_a_cluster_that_loses_a_worker_gives_the_same_results(
    scheduler_file: Path,
    worker: Callable[[str], subprocess.Popen[bytes]],
    checkpoint: Checkpoint,
    units: list[Unit],
    spec: SweepSpec,
    expected: dict[Unit, Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two worker processes; the first is killed after the first result, while units are in its hands."""
    workers = [worker(name) for name in "ab"]
    from distributed import Client
    from distributed import Future as DaskFuture

    with Client(scheduler_file=str(scheduler_file), set_as_default=False, timeout=60) as client:
        client.wait_for_workers(2, timeout=120)
        assert {address.split("//")[1].split(":")[0] for address in client.nthreads()} == {"127.0.0.1"}
    sizes: dict[str, list[int]] = {"submit": [], "scatter": []}

    def weighed(name: str) -> Callable[..., Any]:
        plain = getattr(Client, name)

        def call(client: Any, *args: Any, **options: Any) -> Any:
            sizes[name].append(len(pickle.dumps([a for a in args if not isinstance(a, DaskFuture)])))
            return plain(client, *args, **options)

        return call

    for name in sizes:
        monkeypatch.setattr(Client, name, weighed(name))
    found = {}
    for number, result in enumerate(dask(checkpoint, units, spec, Cluster(scheduler_file=scheduler_file))):
        found[result.unit] = result
        if number == 0:
            os.killpg(workers[0].pid, signal.SIGKILL)
    assert workers[0].wait(10) == -signal.SIGKILL and workers[1].poll() is None
    assert found == expected
    (scattered,) = sizes["scatter"]  # the checkpoint travels once, and not with every unit
    assert scattered > len(checkpoint.data)
    assert len(sizes["submit"]) == len(units) and max(sizes["submit"]) < 5000


def test_a_cluster_that_loses_all_its_workers_goes_on_with_the_next(
    scheduler_file: Path,
    worker: Callable[[str], subprocess.Popen[bytes]],
    checkpoint: Checkpoint,
    units: list[Unit],
    spec: SweepSpec,
    expected: dict[Unit, Result],
) -> None:
    """With the last worker the checkpoint is lost that was sent to it, and every unit that waits for it."""
    first = worker("a")
    found = {}
    for number, result in enumerate(dask(checkpoint, units, spec, Cluster(scheduler_file=scheduler_file))):
        found[result.unit] = result
        if number == 0:
            os.killpg(first.pid, signal.SIGKILL)
            worker("b")
    assert first.wait(10) == -signal.SIGKILL
    assert found == expected


class Told(io.StringIO):
    """A text that starts something when a word is written to it."""

    def __init__(self, word: str, begin: Callable[[], object]) -> None:
        super().__init__()
        self._word, self._begin = word, begin

    def write(self, text: str) -> int:
        if self._word in text:
            self._begin()
        return super().write(text)


def test_a_cluster_whose_workers_are_all_paused_says_so_and_goes_on_with_the_next(
    scheduler_file: Path,
    worker: Callable[..., subprocess.Popen[bytes]],
    checkpoint: Checkpoint,
    units: list[Unit],
    spec: SweepSpec,
    expected: dict[Unit, Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that is allowed more than it takes when idle, and less than it takes after its first unit."""
    monkeypatch.setattr("steering.sweep.executors.SILENCE", 3.0)
    told = Told("paused", lambda: worker("b"))
    monkeypatch.setattr(sys, "stderr", told)
    worker("a", "--memory-limit", "500MiB")
    found = {result.unit: result for result in dask(checkpoint, units, spec, Cluster(scheduler_file=scheduler_file))}
    assert found == expected
    # What is used is what the worker last said, which may be before its first unit.
    assert re.search(
        r"^mazesteer: waiting: Dask has paused all 1 workers, .*up to 0\.\d\d GiB used, 0\.49 GiB allowed each.*"
        "a worker takes up to 0.9 GiB.*--memory-limit.*\n$",
        told.getvalue(),
    )


def test_a_cluster_whose_workers_cannot_even_begin_says_why(
    scheduler_file: Path,
    worker: Callable[..., subprocess.Popen[bytes]],
    checkpoint: Checkpoint,
    units: list[Unit],
    spec: SweepSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker("a", "--memory-limit", "50MiB")
    from distributed import Client

    with Client(scheduler_file=str(scheduler_file), set_as_default=False, timeout=60) as client:
        while [each["status"] for each in client.scheduler_info()["workers"].values()] != ["paused"]:
            time.sleep(0.1)  # it is not as soon as it is there
    monkeypatch.setattr("steering.sweep.executors.CONNECT_SECONDS", 5)
    with pytest.raises(InputError, match="^--executor dask: Dask has paused all 1 workers"):
        next(dask(checkpoint, units, spec, Cluster(scheduler_file=scheduler_file)))


def test_the_whole_command_on_a_cluster_of_its_own(tmp_path: Path) -> None:
    """Without an address dask starts workers on 127.0.0.1; tables and recordings are those of processes."""
    command = ["layer-sweep", "region5", "--levels", "26,54", "--sites", "embedder.relu3", "--episodes", "1"]
    for typed, name, extra in ((mazesteer, "local", []), (started, "dask", ["--executor", "dask"])):
        done = typed(*command, "--workers", "1", *extra, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    for file in ("outcomes.csv", "outcomes.parquet", "summary.json"):
        assert (tmp_path / "local" / file).read_bytes() == (tmp_path / "dask" / file).read_bytes()
    records = sorted(path.name for path in (tmp_path / "local" / "rollouts").glob("*.npz"))
    assert records and records == sorted(path.name for path in (tmp_path / "dask" / "rollouts").glob("*.npz"))
    for name in records:
        one, other = (tmp_path / run / "rollouts" / name for run in ("local", "dask"))
        assert one.read_bytes() == other.read_bytes()


def test_a_scheduler_that_is_not_there_is_one_line(
    tmp_path: Path, checkpoint: Checkpoint, units: list[Unit], spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steering.sweep.executors.CONNECT_SECONDS", 2)
    with socket.socket() as listener:  # a port that is taken, but speaks no Dask
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with pytest.raises(InputError, match=f"^no Dask scheduler with a worker answers at tcp://127.0.0.1:{port}"):
            next(dask(checkpoint, units, spec, Cluster(address=f"tcp://127.0.0.1:{port}")))
    with pytest.raises(InputError, match="not a scheduler's file"):
        next(dask(checkpoint, units, spec, Cluster(scheduler_file=tmp_path / "none.json")))
    bad = tmp_path / "bad.json"
    for text, says in (
        (json.dumps({"address": "tcp://127.0.0.1:1"}), "no Dask scheduler"),
        (json.dumps({"address": "tls://127.0.0.1:1"}), "no Dask scheduler"),
        (json.dumps({"address": 5}), "not a scheduler's file"),
        ("[]", "not a scheduler's file"),
        ("{", "not a scheduler's file"),
        ("[" * 10_000, "not a scheduler's file"),
    ):
        bad.write_text(text)
        with pytest.raises(InputError, match=says):
            next(dask(checkpoint, units, spec, Cluster(scheduler_file=bad)))


def test_gpus_that_no_worker_has_are_one_line(checkpoint: Checkpoint, units: list[Unit], spec: SweepSpec) -> None:
    with pytest.raises(InputError, match="^--gpus-per-unit 1: no worker has as many"):
        next(dask(checkpoint, units, spec, Cluster(gpus_per_unit=1.0), workers=1))


def test_workers_run_the_code_that_their_parent_runs(tmp_path: Path) -> None:
    """Be it another copy than the installed one, found by ``sys.path`` alone; and they have its environment."""
    copy = copy_with({"steering/sweep/executors.py": []}, tmp_path)
    code = f"""
import functools, os, sys
sys.path.insert(0, {str(copy)!r})
from agents.workers import Workers
from steering.sweep import executors
os.environ["SET_LATER"] = "here"
code = "__import__('sys').modules['steering.sweep.executors'].__file__, os.getenv('SET_LATER')"
with Workers(functools.partial(functools.partial, eval), 1, executors.__name__) as pool:
    pool.put(code.replace("os.", "__import__('os')."))
    print(executors.__file__)
    ((_, found),) = pool.take()
    print(*found, sep="\\n")
    pool.put("__import__('os').getenv('PYTHONSAFEPATH')")
    print(pool.take()[0][1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    parent, worker, later, path = done.stdout.splitlines()
    assert parent == worker == str(copy / "steering" / "sweep" / "executors.py")
    assert (later, path) == ("here", "None")
