"""A sweep that is stopped or killed: nothing finished is lost, nothing goes on running."""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

# Five small mazes that qualify, so that each of three stops finds some levels stored but not all.
COMMAND = [str(Path(sys.executable).parent / "mazesteer"), "layer-sweep", "region5", "--levels", "26,54,208,223,238"]
COMMAND += ["--sites", "embedder.block1.conv,embedder.relu3"]


def content(run: Path) -> list[str]:
    """Everything in the results database, as text, in no order: workers end levels as they can."""
    with sqlite3.connect(f"file:{run / 'results.sqlite'}?mode=ro", uri=True) as db:
        return sorted(line for line in db.iterdump() if "'command'" not in line)


RESULTS = 2 + 2 * 5  # of a level: the references, and five conditions at two sites


def stored(run: Path) -> tuple[int, int]:
    """Results in the database, and levels that have all of theirs; 0 while there is none."""
    try:
        with sqlite3.connect(f"file:{run / 'results.sqlite'}?mode=ro", uri=True) as db:
            counts = [row[0] for row in db.execute("SELECT COUNT(*) FROM outcomes GROUP BY level")]
            return sum(counts), counts.count(RESULTS)
    except sqlite3.Error:
        return 0, 0


def settled(run: Path) -> tuple[int, int]:
    """What is stored once nothing more comes: the driver may still hold what a worker, now frozen, had finished."""
    found = stored(run)
    while True:
        time.sleep(1.0)
        before, found = found, stored(run)
        if before == found:
            return found


def alive(session: int, what: str = "") -> list[int]:
    """Processes of a session, zombies left out, whose command line holds ``what``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, sid = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(sid) == session and state != "Z" and what in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except OSError:  # ended meanwhile
            continue
    return found


def kill_all(session: int) -> None:
    """What a failing test would leave behind."""
    for process in alive(session):
        os.kill(process, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """One run, stopped by SIGTERM, Ctrl-C and SIGKILL, each after a further level, then finished, on one worker.

    The worker is frozen when the signal comes, so it cannot have ended by finishing its level.
    """
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    subprocess.run([*COMMAND, "--out", whole], check=True, stdout=subprocess.DEVNULL)
    results, levels = stored(whole)
    assert (results, levels) == (5 * RESULTS, 5)
    command = [*COMMAND, "--out", str(out), "--workers", "1"]
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        before, _ = stored(out)
        with open(tmp_path / "stderr", "wb") as stderr:
            process = subprocess.Popen(
                ["env", "--default-signal=INT", *command],  # a background job would inherit it ignored
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        request.addfinalizer(functools.partial(kill_all, process.pid))
        assert wait_until(lambda: stored(out)[0] > before or process.poll() is not None, 200)  # noqa: B023
        workers = alive(process.pid, "spawn_main")
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        done, complete = settled(out)
        assert workers and before < done < results, f"{number!r} would come too early or too late: {before}, {done}"
        os.kill(process.pid, number)
        assert process.wait(timeout=15) == code, (tmp_path / "stderr").read_text()
        if number == signal.SIGKILL:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            lines = [line for line in (tmp_path / "stderr").read_text().splitlines() if line.strip()]
            assert len(lines) == 1 and f"{complete} of {levels} levels" in lines[0] and "same command" in lines[0]
        assert wait_until(lambda: not alive(process.pid), 15)  # noqa: B023
        assert stored(out) == (done, complete)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert content(out) == content(whole)
    for name in ("summary.json", "outcomes.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    for record in (whole / "rollouts").glob("*.npz"):
        assert (out / "rollouts" / record.name).read_bytes() == record.read_bytes()


def test_killed_at_twenty_random_moments_it_ends_like_one_left_alone(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """SIGKILL to the sweep and its worker, each time a random while after it has taken the run directory."""
    rng = np.random.default_rng(0)
    command = [*COMMAND[:3], "--levels", "26,54", *COMMAND[5:], "--workers", "1", "--out"]
    whole, out = tmp_path / "whole", tmp_path / "killed"

    def begin(run: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*command, str(run)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        request.addfinalizer(functools.partial(kill_all, process.pid))

        def holds() -> bool:
            lock = run / ".lock"
            return (lock.exists() and lock.read_text() == str(process.pid)) or process.poll() is not None

        assert wait_until(holds, 200)
        return process

    process, begun = begin(whole), time.monotonic()
    assert wait_until(lambda: stored(whole)[0] == 2 * RESULTS, 200)
    lasts = time.monotonic() - begun  # until the last result is stored
    assert process.wait(timeout=200) == 0
    found, running = [], 0
    for _ in range(20):
        process = begin(out)
        time.sleep(rng.uniform(0.0, 1.2 * lasts) if found else 0.5 * lasts)
        running += process.poll() is None
        kill_all(process.pid)
        process.wait()
        assert wait_until(lambda: not alive(process.pid), 15)  # noqa: B023
        found.append(stored(out)[0])
    assert found == sorted(found), "a kill lost results"
    assert running >= 3 and found[0] < 2 * RESULTS, "too few of the kills struck a running sweep"
    subprocess.run([*command, str(out)], check=True, stdout=subprocess.DEVNULL)
    assert content(out) == content(whole)
    for name in ("summary.json", "outcomes.csv", "outcomes.parquet"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_ctrl_c_of_a_dask_sweep_ends_all_it_started_and_any_executor_goes_on(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A terminal sends Ctrl-C to every process of the group: workers must leave it to the driver."""
    pytest.importorskip("distributed")
    few = [*COMMAND[:3], "--levels", "26,54", *COMMAND[5:], "--out"]
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    subprocess.run([*few, str(whole)], check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *few, str(out), "--executor", "dask", "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    request.addfinalizer(functools.partial(kill_all, process.pid))
    with process:
        try:
            assert wait_until(lambda: stored(out)[0] > 0 or process.poll() is not None, 200)
            assert len(alive(process.pid, "spawn_main")) >= 2
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            kill_all(process.pid)  # or a failed test would wait for their end
    assert process.returncode == 130
    # Without a terminal a line a minute says how far it is.
    lines = [line for line in errors.splitlines() if line.strip() and not line.startswith("sweeping: ")]
    assert len(lines) == 1 and "of 2 levels" in lines[0] and "same command" in lines[0], errors
    assert wait_until(lambda: not alive(process.pid), 15)
    assert 0 < stored(out)[0] < 2 * RESULTS
    subprocess.run([*few, str(out)], check=True, stdout=subprocess.DEVNULL)
    assert content(out) == content(whole)


def test_a_worker_does_not_outlive_its_parent(request: pytest.FixtureRequest) -> None:
    code = (
        "import multiprocessing, os, time; from concurrent.futures import ProcessPoolExecutor\n"
        "from steering.sweep.executors import _start_worker\n"
        "context = multiprocessing.get_context('spawn')\n"
        "pool = ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker, initargs=(None, None))\n"
        "pool.submit(os.getpid).result(); pool.submit(time.sleep, 600)\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    request.addfinalizer(functools.partial(kill_all, parent.pid))
    with parent:
        assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
        assert alive(parent.pid, "spawn_main")
        parent.kill()
    assert wait_until(lambda: not alive(parent.pid), 15)
