"""A sweep that is stopped or killed: nothing finished is lost, nothing goes on running."""

from __future__ import annotations

import functools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.command import mazesteer
from tests.helpers.killed_sweeps import OPTIONS
from tests.helpers.killed_sweeps import RESULTS as FEW_RESULTS

ROOT = Path(__file__).resolve().parents[3]
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
    """Return what is stored once nothing more comes: the driver may still hold results of a worker, now frozen."""
    found = stored(run)
    while True:
        time.sleep(1.0)
        before, found = found, stored(run)
        if before == found:
            return found


def alive(session: int, what: str = "") -> dict[int, int]:
    """Processes of a session, zombies left out, whose command line holds ``what``: number, and that of the parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, _, sid = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(sid) == session and state != "Z" and what in (folder / "cmdline").read_text():
                found[int(folder.name)] = int(parent)
        except OSError:  # ended meanwhile
            continue
    return found


def workers_of(session: int) -> list[int]:
    """Processes of a session that were forked from its server, which bears the same command line."""
    servers = alive(session, "forkserver")
    return [number for number, parent in servers.items() if parent in servers]


def kill_all(session: int) -> None:
    """Kill the processes that a failing test would leave behind."""
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
    assert mazesteer(*COMMAND[1:], "--out", whole).returncode == 0
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
        workers = workers_of(process.pid)
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
    assert mazesteer(*command[1:]).returncode == 0
    assert content(out) == content(whole)
    for name in ("summary.json", "outcomes.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    for record in (whole / "rollouts").glob("*.npz"):
        assert (out / "rollouts" / record.name).read_bytes() == record.read_bytes()


def test_killed_at_any_moment_it_ends_like_one_left_alone(tmp_path: Path) -> None:
    """SIGKILL before each begin and end of a transaction and before each file is put in place: 31 moments, one a sweep.

    What was stored is there, nothing is there by halves, and each sweep, gone on with, ends like one left alone; so
    does one sweep that is killed again and again. The sweeps are forked from one process: tests/helpers/killed_sweeps.
    """
    subprocess.run([sys.executable, "-m", "tests.helpers.killed_sweeps", tmp_path], check=True, cwd=ROOT, timeout=600)
    moments, whole = json.loads((tmp_path / "moments.json").read_text()), tmp_path / "whole"
    results = FEW_RESULTS * len(str(OPTIONS.levels).split(","))
    assert len(moments) == 31 and moments.count("COMMIT") == 2 + 4, "two to begin with, one for each unit"
    found = []
    for number, name in enumerate(moments):
        count, _ = stored(tmp_path / f"killed-{number}")
        assert found in ([], [*found[:-1], count]) or moments[number - 1] == "COMMIT", f"stored before {name}"
        found.append(count)
        assert content(tmp_path / str(number)) == content(whole), name
        again = tmp_path / str(number)
        assert not [*again.rglob("*.tmp"), *again.rglob(".*.part*")], name
        for record in (whole / "rollouts").glob("*.npz"):
            assert (tmp_path / str(number) / "rollouts" / record.name).read_bytes() == record.read_bytes()
    assert found == sorted(found) and len(set(found)) == 4 and found[-1] < results, "each unit at once, none lost"
    chain = tmp_path / "chain"
    assert content(chain) == content(whole)
    for file in ("summary.json", "outcomes.csv", "outcomes.parquet", "fields.json"):
        assert (chain / file).read_bytes() == (whole / file).read_bytes()


def test_ctrl_c_of_a_dask_sweep_ends_all_it_started_and_any_executor_goes_on(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A terminal sends Ctrl-C to every process of the group: workers must leave it to the driver."""
    pytest.importorskip("distributed")
    few = [*COMMAND[:3], "--levels", "26,54", *COMMAND[5:], "--out"]
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    assert mazesteer(*few[1:], whole).returncode == 0
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
    assert mazesteer(*few[1:], out).returncode == 0
    assert content(out) == content(whole)


KILLED = {
    "whenever": "",
    "before the request": "forkserver.reduction.sendfds = die",
    "within the request": "popen_forkserver.open = die",
}


@pytest.mark.parametrize("when", KILLED)
def test_no_worker_outlives_its_parent_or_says_a_word(
    request: pytest.FixtureRequest, tmp_path: Path, when: str
) -> None:
    """One is at work, one has nothing to do, and one was just asked for, at whatever point that was."""
    code = (
        "import functools, os, signal, time\n"
        "from multiprocessing import forkserver, popen_forkserver\n"
        "from agents.workers import Workers\n"
        "def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
        "pool = Workers(functools.partial(functools.partial, time.sleep), 3, 'agents.workers')\n"
        "pool.put(0); pool.take(); pool.put(600, 0); pool.take()\n"
        "print('ready', flush=True); input()\n"
        f"{KILLED[when]}\n"
        "pool.put(600, 600)\n"
        "print('asked', flush=True); time.sleep(600)"
    )
    pipe = subprocess.PIPE
    with open(tmp_path / "stderr", "wb") as stderr:
        parent = subprocess.Popen(
            [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=stderr, text=True, start_new_session=True
        )
    request.addfinalizer(functools.partial(kill_all, parent.pid))
    with parent:
        assert parent.stdin is not None and parent.stdout is not None and parent.stdout.readline() == "ready\n"
        assert workers_of(parent.pid)
        print(file=parent.stdin, flush=True)
        assert parent.stdout.readline() in ("asked\n", "")
        if when == "whenever":
            parent.kill()
        assert parent.wait(15) == -signal.SIGKILL
    assert wait_until(lambda: not alive(parent.pid), 15)
    assert (tmp_path / "stderr").read_text() == ""
