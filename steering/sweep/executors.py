"""Executors of units: processes of this machine, or the workers of a Dask cluster.

An executor is a generator: units in, results out as they come, in any order. Every unit runs on one thread with fixed
batches, so the numbers are the same on one worker or many, here or there. Closing the generator (or an exception,
Ctrl-C, SIGTERM as the command line treats it) ends what it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import torch

from agents.checkpoints.zoo import policy_from_bytes
from agents.hardware import follow_parent, keep_freed_memory
from agents.networks.policy import Policy
from envs.errors import InputError, one_line
from steering.sweep.spec import SweepSpec
from steering.sweep.units import Result, Unit, run_unit

RETRIES = 2  # of a unit that fails; one whose worker is lost is taken elsewhere by Dask itself
CONNECT_SECONDS = 30
_ONE_AT_A_TIME = threading.Lock()  # a worker of several threads: hooks and procgen serve one unit at a time


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as it travels to workers."""

    data: bytes
    """Content of its file."""
    suffix: str
    """Suffix of its file, which tells the layout, such as ``.safetensors``."""
    name: str
    """Name of the policy in messages and results."""


@functools.lru_cache(maxsize=2)
def _policy(checkpoint: Checkpoint) -> Policy:
    return policy_from_bytes(checkpoint.data, checkpoint.suffix, checkpoint.name)


def compute(checkpoint: Checkpoint, unit: Unit, spec: SweepSpec) -> Result:
    """Return the results of a unit on this process's one thread."""
    with _ONE_AT_A_TIME:
        torch.set_num_threads(1)
        return run_unit(_policy(checkpoint), unit, spec)


# -- local processes ----------------------------------------------------------------------------


def local(
    checkpoint: Checkpoint, units: Sequence[Unit], spec: SweepSpec, workers: int | None = None
) -> Iterator[Result]:
    """Return the results of ``units`` from ``workers`` processes (default: one per core)."""
    count = min(workers or os.cpu_count() or 1, len(units))
    others = set(multiprocessing.active_children())
    context = worker_context()
    born_with = (checkpoint, spec, __file__, dict(os.environ))
    with ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker, initargs=born_with) as pool:
        queue = iter(units)
        running: set[Future[Result]] = set()
        try:
            while True:
                for unit in itertools.islice(queue, count + 1 - len(running)):
                    with _signals_held():
                        running.add(pool.submit(_compute_here, unit))
                if not running:
                    break
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            if isinstance(error, BrokenProcessPool):
                raise InputError(
                    "a worker process died (out of memory?); what was finished is stored: "
                    "type the same command to go on, perhaps with --workers 1"
                ) from None
            raise


def worker_context() -> ForkServerContext:
    """Return the way in which workers are made: forked from a process that has imported this file and computed nothing.

    A worker is there in a moment, and all of them share the libraries' memory. That process is started here, once; it
    ends with the one that started it, and leaves signals to it.
    """
    context = multiprocessing.get_context("forkserver")
    resource_tracker.ensure_running()  # which lets signals through again when it starts
    paths = _server_paths()
    with _environment(paths), _signals_held():
        if paths:
            context.set_forkserver_preload([__name__])
        forkserver.ensure_running()
    return context


def _server_paths() -> dict[str, str]:
    """Return the environment that lets another Python import from where this one does, and nowhere else first.

    Python's own server takes over neither ``sys.path`` nor what was put into it. Empty before Python 3.11, where a file
    random.py in the current folder would be imported for Python's: nothing is imported beforehand there.
    """
    if sys.version_info < (3, 11):
        return {}
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and set them back."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


# What a worker process was born with. Sent with every unit instead, megabytes would block the queue's pipe, and
# Python 3.10 then hangs when a worker dies.
_HERE: list[tuple[Checkpoint, SweepSpec, str]] = []


def _compute_here(unit: Unit) -> Result:
    ((checkpoint, spec, file),) = _HERE
    if file != __file__:
        raise InputError(f"workers import mazesteer from {__file__}, this process from {file}; set PYTHONPATH")
    return compute(checkpoint, unit, spec)


def _start_worker(checkpoint: Checkpoint, spec: SweepSpec, file: str, environment: Mapping[str, str]) -> None:
    """Keep what this worker's units need, take over the parent's environment and file of this code, end with it."""
    _HERE[:] = [(checkpoint, spec, file)]
    os.environ.clear()
    os.environ.update(environment)
    keep_freed_memory()
    follow_parent()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM: neither strikes between a worker's birth and its entry in the books.

    Workers born within inherit the hold, so both signals are the main process's to handle; so do threads, and the
    workers they bear later.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- Dask ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler: known by address, by the file it writes, or (neither) one on this machine."""

    address: str | None = None
    """Its address, such as ``tcp://host:8786``; null: by the file, or one on this machine."""
    scheduler_file: Path | None = None
    """The file that it writes its address to; null: by the address, or one on this machine."""
    gpus_per_unit: float = 0.0
    """Amount of the Dask resource ``GPU`` that a unit takes, 0 to 1024."""


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
    with _client(cluster, workers) as client:
        package = client.scatter(checkpoint, broadcast=True)
        queue = iter(units)
        running = as_completed(loop=client.loop)
        at_work: dict[str, Unit] = {}
        losses: Counter[Unit] = Counter()

        def submit(unit: Unit) -> None:
            future = client.submit(compute, package, unit, small, pure=False, retries=RETRIES, resources=resources)
            at_work[future.key] = unit
            running.add(future)

        def top_up() -> None:
            """Submit two units for every thread there is now, so that workers that join find work."""
            wanted = max(2 * sum(client.nthreads().values()), 4) - running.count()
            for unit in itertools.islice(queue, max(wanted, 0)):
                submit(unit)

        top_up()
        for future in running:
            unit = at_work.pop(future.key)
            try:
                if future.cancelled() and client.status == "running" and losses[unit] < RETRIES:
                    losses[unit] += 1  # the last worker with the checkpoint is gone, and what depends on it too
                    if package.cancelled():
                        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
                        package = client.scatter(checkpoint, broadcast=True)
                    submit(unit)
                    continue
                result = future.result()
            except InputError:
                raise
            except (Exception, asyncio.CancelledError) as error:  # whatever a machine of the cluster can do wrong
                reason, where = one_line(error), "workers'"
                if client.status != "running":
                    reason, where = "the scheduler is gone", "scheduler's"
                elif isinstance(error, asyncio.TimeoutError | asyncio.CancelledError):
                    reason = "all workers are gone, and no new one came"
                raise InputError(
                    f"the cluster could not compute a unit ({reason}); what was "
                    f"finished is stored: look at the {where} logs and type the same command to go on"
                ) from None
            top_up()
            yield result


def _address(cluster: Cluster) -> str | None:
    """Return the scheduler's address, also from its file (waiting for a file that never comes is Dask's own habit)."""
    if cluster.scheduler_file is None:
        return cluster.address
    try:
        found = json.loads(cluster.scheduler_file.read_text())["address"]
        if not isinstance(found, str):
            raise ValueError("its address is no text")
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(error) or type(error).__name__
        raise InputError(f"--scheduler-file {cluster.scheduler_file}: not a scheduler's file ({reason})") from None


def _end_workers(cluster: Any, others: set[Any]) -> None:
    """End the workers of a cluster of this machine at once: asked to close, they would finish their unit first."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
    for child in set(multiprocessing.active_children()) - others:
        child.kill()


@contextlib.contextmanager
def _client(cluster: Cluster, workers: int | None) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    address = _address(cluster)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what goes wrong is told in one line
    with contextlib.ExitStack() as stack:
        here: Any = address
        if here is None:
            count = workers or os.cpu_count() or 1
            quiet: dict[str, Any] = {"dashboard_address": None, "worker_dashboard_address": None, "silence_logs": 50}
            # Without a dashboard there is a page of health all the same: on any port, or a second sweep would complain.
            quiet["scheduler_kwargs"] = {"dashboard_address": "127.0.0.1:0"}
            others = set(multiprocessing.active_children())
            with _signals_held():
                own = LocalCluster(n_workers=count, threads_per_worker=1, host="127.0.0.1", **quiet)
            here = stack.enter_context(own)
            stack.push(lambda kind, *_: _end_workers(own, others) if kind is not None else None)
        try:
            client = stack.enter_context(Client(here, timeout=CONNECT_SECONDS, set_as_default=False))
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, TypeError, RuntimeError, asyncio.TimeoutError) as error:
            reason = one_line(error) or type(error).__name__
            where = address or "this machine"
            raise InputError(f"no Dask scheduler with a worker answers at {where} ({reason})") from None
        able = [info["resources"].get("GPU", 0) for info in client.scheduler_info(n_workers=-1)["workers"].values()]
        if max(able, default=0) < cluster.gpus_per_unit:
            raise InputError(
                f"--gpus-per-unit {cluster.gpus_per_unit:g}: no worker has as many; start them with --resources GPU=1"
            )
        yield client
