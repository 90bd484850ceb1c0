"""Workers that are killed at any moment: their work is done all the same, and nothing waits for them."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from agents.hardware import one_thread
from agents.workers import WorkerLost, Workers
from tests.helpers import work
from tests.helpers.work import Job


@pytest.fixture
def pool() -> Iterator[Workers[Job, object]]:
    before = set(multiprocessing.active_children())
    with Workers(work.begin, 2, "agents.workers") as workers:
        yield workers
    assert until(lambda: set(multiprocessing.active_children()) <= before)


def until(condition: Callable[[], object]) -> bool:
    """Wait until something is so, or a minute has passed."""
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(condition())


def all_of(pool: Workers[Job, object]) -> list[object]:
    """Everything that is still to come."""
    found = []
    while done := pool.take():
        found += [result for _, result in done]
    return found


def children() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.pid is not None]


def kill(number: int) -> None:
    os.kill(number, signal.SIGKILL)
    assert until(lambda: number not in children())


SUMS: list[Job] = [functools.partial(divmod, number, 3) for number in range(7)]
EXPECTED = [divmod(number, 3) for number in range(7)]


def test_whoever_dies_before_it_has_begun_is_replaced(pool: Workers[Job, object]) -> None:
    pool.put(*SUMS)
    for _ in range(2):
        assert until(children)
        kill(children()[0])
    assert sorted(all_of(pool)) == EXPECTED  # type: ignore[type-var]
    assert pool.take() == []


def test_whoever_dies_at_work_is_replaced_and_its_work_done_again(pool: Workers[Job, object], tmp_path: Path) -> None:
    pool.put(functools.partial(work.wait_at_first, tmp_path / "first"), *SUMS)
    found: list[object] = []
    while len(found) < len(SUMS):
        found += [result for _, result in pool.take()]
    assert sorted(found) == EXPECTED  # type: ignore[type-var]
    assert until((tmp_path / "first").exists)
    kill(int((tmp_path / "first").read_text()))
    assert all_of(pool) == ["done"]


def test_whoever_dies_amid_its_answer_is_replaced_and_half_an_answer_is_none(tmp_path: Path) -> None:
    """An answer larger than the pipe is stuck in it until somebody reads; its worker is killed in between."""
    with Workers(work.begin, 1, "agents.workers") as pool:
        pool.put(work.much)
        (worker,) = pool._workers
        assert until(worker.pipe.poll) and list(pool._hear(worker)) == []  # it is there
        pool._hand_out()
        assert until(worker.pipe.poll) and worker.process.pid is not None  # its answer begins
        kill(worker.process.pid)
        assert all_of(pool) == [work.much()]
        assert worker.task is not None and worker.task.deaths == 1


def test_whoever_dies_while_it_has_nothing_to_do_is_missed_by_nobody(pool: Workers[Job, object]) -> None:
    pool.put(*SUMS)
    assert sorted(all_of(pool)) == EXPECTED  # type: ignore[type-var]
    for number in children():
        kill(number)
    assert pool.take() == []
    pool.put(*SUMS)
    assert sorted(all_of(pool)) == EXPECTED  # type: ignore[type-var]
    kill(children()[0])  # and then the pool is left


def test_the_death_of_the_server_that_workers_come_from_loses_nothing(
    pool: Workers[Job, object], tmp_path: Path
) -> None:
    pool.put(functools.partial(work.wait_at_first, tmp_path / "first"), *SUMS)
    found: list[object] = []
    while len(found) < len(SUMS):
        found += [result for _, result in pool.take()]
    assert until((tmp_path / "first").exists)
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(server, signal.SIGKILL)
    os.kill(int((tmp_path / "first").read_text()), signal.SIGKILL)
    pool.put(*SUMS)
    found += all_of(pool)
    assert len(found) == 2 * len(SUMS) + 1 and "done" in found


def test_the_death_of_that_server_while_it_starts_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that were to come of it die at once, and those that are asked for before its end is seen."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    plain, killed = forkserver._forkserver.ensure_running, list[int]()  # type: ignore[attr-defined]

    def running() -> None:
        plain()
        server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        if not killed:
            killed.append(server)
            os.kill(server, signal.SIGSTOP)  # so that it takes none before it is killed
            threading.Timer(0.2, os.kill, (server, signal.SIGKILL)).start()

    monkeypatch.setattr(forkserver, "ensure_running", running)
    with Workers(work.begin, 8, "agents.workers") as pool:
        pool.put(*SUMS, *SUMS)
        assert sorted(all_of(pool)) == sorted(EXPECTED * 2)  # type: ignore[type-var]
    assert killed


@pytest.mark.parametrize(("job", "how"), [(work.die, "killed, as the system does when"), (work.too_much, "out of mem")])
def test_what_kills_again_and_again_is_named_after_all_else_is_delivered(
    pool: Workers[Job, object], job: Job, how: str
) -> None:
    pool.put(*SUMS[:3], job)
    with pytest.raises(WorkerLost, match=how) as lost:
        all_of(pool)
    assert lost.value.item is job


def test_workers_that_never_begin_are_given_up(pool: Workers[Job, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.workers.serve", work.never_serve)
    pool.put(*SUMS)
    with pytest.raises(WorkerLost, match="killed") as lost:
        pool.take()
    assert lost.value.item is None


def test_what_work_raises_is_raised_here_with_where_it_was(pool: Workers[Job, object]) -> None:
    pool.put(functools.partial(divmod, 1, 0))
    with pytest.raises(ZeroDivisionError) as raised:
        pool.take()
    assert "in _call" in str(raised.value.__cause__)


def test_linear_algebra_has_one_thread_in_a_worker_and_in_a_measurement() -> None:
    """Whatever the environment says: here two are asked for before."""
    np.linalg.inv(np.eye(2))  # so that its library is here
    with threadpool_limits(2, user_api="blas"):
        assert set(threads_of(threadpool_info())) == {2}
        with one_thread():
            assert set(threads_of(threadpool_info())) == {1} and torch.get_num_threads() == 1
        assert set(threads_of(threadpool_info())) == {2}
    with Workers[Job, object](work.BeginOnThreads(2), 1, "agents.workers") as pool:
        pool.put(threadpool_info)
        ((_, found),) = pool.take()
    assert isinstance(found, list) and set(threads_of(found)) == {1}


def threads_of(found: list[dict[str, Any]]) -> list[int]:
    """Threads of each library of linear algebra."""
    return [each["num_threads"] for each in found if each["user_api"] == "blas"]
