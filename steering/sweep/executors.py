"""Executors of units: processes of this machine, or the workers of a Dask cluster.

An executor is a generator: units in, results out as they come, in any order. Every unit runs on one thread with fixed
passes, so the numbers are the same on one worker or many, here or there. On a GPU the units of a few levels travel and
are computed in one batch. Closing the generator (or an exception, Ctrl-C, SIGTERM as the command line treats it) ends
what it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

from agents.hardware import device_named, usual_workers
from agents.workers import DEATHS, WorkerLost, Workers, environment, signals_held
from envs.errors import InputError, one_line
from envs.stored.json_records import read_json
from steering.sweep.spec import SweepSpec
from steering.sweep.units import Batch, Checkpoint, Result, Unit, batched, compute

Item = TypeVar("Item")
T = TypeVar("T")
CODE = __file__  # where this process has the code from
RETRIES = 2  # of a unit that fails; one whose worker is lost is taken elsewhere by Dask itself
CONNECT_SECONDS = 30
LEVELS_ON_A_GPU = 4  # of a batch: some 1,000 states; a process that dies loses no more
SILENCE = 60.0  # seconds without a result, after which the cause is looked for
NEED = "a worker takes up to 0.9 GiB, and Dask pauses it at 80% of its limit: allow it 1.2 GiB"


def _batches(checkpoint: Checkpoint, units: Sequence[Unit], spec: SweepSpec) -> list[Batch]:
    """Return what a worker does at a time: one unit on the processor, those of a few levels on a GPU."""
    on_gpu = device_named(checkpoint.device).type != "cpu"
    return batched(units, spec.levels, LEVELS_ON_A_GPU if on_gpu else 1)


def _failed(batch: Batch, results: Sequence[Result]) -> list[Batch]:
    """Return the units of a batch that have no results, each by itself: done again, it says what is wrong."""
    done = {result.unit for result in results}
    return [Batch([unit]) for unit in batch if unit not in done]


# -- local processes ----------------------------------------------------------------------------


def local(
    checkpoint: Checkpoint, units: Sequence[Unit], spec: SweepSpec, workers: int | None = None
) -> Iterator[Result]:
    """Return the results of ``units`` from ``workers`` processes (default: :func:`usual_workers`).

    A process that dies is replaced, and its batch done again.

    Raises:
        InputError: if processes die again and again at one unit, or as they start.
    """
    begin = functools.partial(_begin, checkpoint, spec, CODE)
    with Workers(begin, workers or usual_workers(checkpoint.device), __name__) as pool:
        for batch, found in results(pool, _batches(checkpoint, units, spec)):
            yield from found
            pool.put(*_failed(batch, found))


def check_code(file: str) -> None:
    """Raise :class:`InputError` in a worker process that has other code than its parent; ``file``: its :data:`CODE`."""
    if file != CODE:
        raise InputError(f"workers import mazesteer from {CODE}, this process from {file}; set PYTHONPATH")


def results(pool: Workers[Item, T], items: Sequence[Item]) -> Iterator[tuple[Item, T]]:
    """Yield what processes make of items, with the item, in any order; of items put meanwhile, too.

    Raises:
        InputError: if processes die again and again at one item, or as they start.
    """
    pool.put(*items)
    try:
        while done := pool.take():
            yield from done
    except WorkerLost as lost:
        where = f"at {lost.item}" if lost.item else "as they started"
        raise InputError(
            f"{DEATHS} worker processes died one after the other {where} (the last: {lost}); what was finished is "
            "stored: free memory, or give --workers 1, and type the same command to go on"
        ) from None


def _begin(checkpoint: Checkpoint, spec: SweepSpec, file: str) -> Callable[[Batch], list[Result]]:
    """Return what a worker process does with a batch; ``file``: :data:`CODE` of its parent."""
    check_code(file)
    return functools.partial(compute, checkpoint, spec=spec)


# -- Dask ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler: known by address, by the file it writes, or (neither) one on this machine."""

    address: str | None = None
    """Its address, such as ``tcp://host:8786``; null: by the file, or one on this machine."""
    scheduler_file: Path | None = None
    """The file that it writes its address to; null: by the address, or one on this machine."""
    gpus_per_unit: float = 0.0
    """Amount of the Dask resource ``GPU`` that a batch of units takes, 0 to 1024."""


def dask(
    checkpoint: Checkpoint, units: Sequence[Unit], spec: SweepSpec, cluster: Cluster, workers: int | None = None
) -> Iterator[Result]:
    """Return the results of ``units`` from a Dask cluster; the checkpoint is sent once, and to workers that join.

    A unit whose worker is lost is computed by another one; if all are lost, by those that come within
    ``CONNECT_SECONDS``, to whom the checkpoint is sent again. Without an address a cluster of ``workers`` processes is
    started on 127.0.0.1.

    Raises:
        InputError: if no scheduler answers or a unit fails everywhere.
    """
    try:
        from distributed import as_completed
    except ImportError:
        raise InputError("--executor dask: distributed is not installed; `pip install mazesteer[cluster]`") from None
    resources = {"GPU": cluster.gpus_per_unit} if cluster.gpus_per_unit else None
    small = replace(spec, levels=spec.levels[:1], skipped=())  # a unit names its level itself
    with _client(cluster, workers or usual_workers(checkpoint.device)) as client:
        package = _scattered(client, checkpoint)
        queue = iter(_batches(checkpoint, units, spec))
        running = as_completed(loop=client.loop)
        at_work: dict[str, Batch] = {}
        losses: Counter[Batch] = Counter()
        moved: set[str] = set()

        def submit(batch: Batch) -> None:
            future = client.submit(compute, package, batch, small, pure=False, retries=RETRIES, resources=resources)
            at_work[future.key] = batch
            running.add(future)

        def top_up() -> None:
            """Submit two batches for every thread there is now, so that workers that join find work."""
            wanted = max(2 * sum(client.nthreads().values()), 4) - running.count()
            for batch in itertools.islice(queue, max(wanted, 0)):
                submit(batch)

        top_up()
        for future in _finished(running, client, moved):
            batch = at_work.pop(future.key)
            try:
                if future.cancelled() and future.key in moved:
                    submit(batch)
                    continue
                if future.cancelled() and client.status == "running" and losses[batch] < RETRIES:
                    losses[batch] += 1  # the last worker with the checkpoint is gone, and what depends on it too
                    if package.cancelled():
                        package = _scattered(client, checkpoint)
                    submit(batch)
                    continue
                results = future.result()
            except InputError:
                raise
            except (Exception, asyncio.CancelledError) as error:  # whatever a machine of the cluster can do wrong
                reason, where = one_line(error), "workers'"
                if client.status != "running":
                    reason, where = "the scheduler is gone", "scheduler's"
                elif type(error).__name__ == "KilledWorker":
                    reason = f"each worker that was at it died (out of memory? {NEED})"
                elif isinstance(error, asyncio.TimeoutError | asyncio.CancelledError):
                    reason = "all workers are gone, and no new one came"
                raise InputError(
                    f"the cluster could not compute {batch}: {reason}; what was "
                    f"finished is stored: look at the {where} logs and type the same command to go on"
                ) from None
            for alone in _failed(batch, results):
                submit(alone)
            top_up()
            yield from results


def _finished(running: Any, client: Any, moved: set[str]) -> Iterator[Any]:
    """Yield futures as they are done; look into a silence: units that paused workers hold are ``moved``: cancelled."""
    quiet_until, told = time.monotonic() + SILENCE, False
    while not running.is_empty():
        if running.has_ready():
            yield next(running)
            quiet_until, told = time.monotonic() + SILENCE, False
            continue
        time.sleep(0.05)
        if time.monotonic() < quiet_until:
            continue
        quiet_until = time.monotonic() + SILENCE
        workers = _workers_of(client)
        paused = [address for address, worker in workers.items() if worker["status"] == "paused"]
        if reason := _all_paused(workers.values()):
            if not told:
                print(f"mazesteer: waiting: {reason}", file=sys.stderr, flush=True)
            told = True
        elif paused:  # Dask itself leaves them there for ever
            held = {key for keys in client.processing(paused).values() for key in keys}
            moved |= held
            client.cancel([future for future in list(running.futures) if future.key in held])


def _workers_of(client: Any) -> Mapping[str, Any]:
    """Return what the scheduler knows of its workers, by address: all of them, where Dask would give a few."""
    known: Mapping[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return known


def _all_paused(workers: Collection[Mapping[str, Any]]) -> str:
    """Return a line if no worker takes work because Dask has paused them all, else nothing."""
    if not workers or any(worker["status"] != "paused" for worker in workers):
        return ""
    gib = 2**30
    used = max(worker["metrics"].get("memory", 0) for worker in workers) / gib
    limit = min(worker["memory_limit"] for worker in workers) / gib
    return (
        f"Dask has paused all {len(workers)} workers, as it does where memory is short (up to {used:.2f} GiB "
        f"used, {limit:.2f} GiB allowed each); {NEED}: start others with a larger --memory-limit, or fewer on a machine"
    )


def _scattered(client: Any, checkpoint: Checkpoint) -> Any:
    """Send the checkpoint to all workers, as soon as one takes it; a line that names the cause if none does."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        return client.scatter(checkpoint, broadcast=True)
    except (TimeoutError, asyncio.TimeoutError, ValueError):  # nobody to send it to, or paused before all had it
        reason = _all_paused(_workers_of(client).values()) or "all workers are gone, and no new one came"
        raise InputError(
            f"--executor dask: {reason}; what was finished is stored: type the same command to go on"
        ) from None


def _address(cluster: Cluster) -> str | None:
    """Return the scheduler's address, also from its file (waiting for a file that never comes is Dask's own habit)."""
    if cluster.scheduler_file is None:
        return cluster.address
    try:
        found = read_json(cluster.scheduler_file)["address"]
        if not isinstance(found, str):
            raise ValueError("its address is no text")
        return found
    except (ValueError, KeyError, TypeError) as error:
        reason = one_line(error)
        raise InputError(f"--scheduler-file {cluster.scheduler_file}: not a scheduler's file ({reason})") from None


def _kill_children(others: Collection[Any]) -> None:
    """End what was started here but for ``others``, at once: asked to close, workers would finish their unit first."""
    for child in set(multiprocessing.active_children()) - set(others):
        child.kill()


@contextlib.contextmanager
def _own_cluster(count: int) -> Iterator[Any]:
    """Start a scheduler and ``count`` worker processes on 127.0.0.1; a start at which a worker dies is made again."""
    from distributed import LocalCluster
    from distributed.utils import LoopRunner

    quiet: dict[str, Any] = {"dashboard_address": None, "worker_dashboard_address": None, "silence_logs": 50}
    # Without a dashboard there is a page of health all the same: on any port, or a second sweep would complain.
    quiet["scheduler_kwargs"] = {"dashboard_address": "127.0.0.1:0"}
    others = multiprocessing.active_children()
    with environment({"PYTHONWARNINGS": "ignore:resource_tracker:UserWarning"}):  # of what a killed driver left behind
        resource_tracker.ensure_running()
    runner = LoopRunner()
    with signals_held():  # from the loop's thread, which bears the workers; not from this one, which waits for them
        runner.start()
    own: Any = None
    try:
        for deaths in range(DEATHS):
            try:
                own = LocalCluster(n_workers=count, threads_per_worker=1, host="127.0.0.1", loop=runner.loop, **quiet)
                break
            except RuntimeError as error:
                if deaths + 1 == DEATHS:
                    raise InputError(
                        f"--executor dask: workers died as they started, {DEATHS} times ({one_line(error)}; out of "
                        f"memory?); {NEED}: free memory, or give fewer --workers"
                    ) from None
        yield own
    except BaseException:
        if own is not None:
            for nanny in own.workers.values():
                nanny.auto_restart = False
        _kill_children(others)
        raise
    finally:
        if own is not None:
            own.close()
        runner.stop()


@contextlib.contextmanager
def _client(cluster: Cluster, workers: int) -> Iterator[Any]:
    from distributed import Client

    address = _address(cluster)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what goes wrong is told in one line
    with contextlib.ExitStack() as stack:
        here = address or stack.enter_context(_own_cluster(workers))
        client = None
        try:
            client = stack.enter_context(Client(here, timeout=CONNECT_SECONDS, set_as_default=False))
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, TypeError, RuntimeError, asyncio.TimeoutError) as error:
            if client is not None and (reason := _all_paused(_workers_of(client).values())):
                raise InputError(f"--executor dask: {reason}") from None
            reason = one_line(error) or type(error).__name__
            where = address or "this machine"
            raise InputError(f"no Dask scheduler with a worker answers at {where} ({reason})") from None
        able = [info["resources"].get("GPU", 0) for info in _workers_of(client).values()]
        if max(able, default=0) < cluster.gpus_per_unit:
            raise InputError(
                f"--gpus-per-unit {cluster.gpus_per_unit:g}: no worker has as many; start them with --resources GPU=1"
            )
        yield client
