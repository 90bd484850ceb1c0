"""Worker processes, each at the other end of a pipe of its own: one that dies is replaced, and its work done again.

Nothing is shared between workers, no queue and no lock, so that none can leave another waiting: whatever ends a
process, at whatever moment, closes its pipe, and that is how its end is seen. The executors of the standard library
share both, and wait for ever where a worker is killed as it starts, or while it waits for work.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Generic, NoReturn, TypeVar

from agents.hardware import keep_freed_memory, one_thread
from envs.errors import one_line

Item = TypeVar("Item")
Result = TypeVar("Result")

DEATHS = 3  # of workers at one item, or of workers in a row that never began: more are no accident
_ENDED_SECONDS = 5.0  # to wait for word of how a worker ended, once it has
_PAUSE = 1.0  # seconds before a start after one that failed
_SERVER = threading.Lock()  # one thread at a time changes what the server, or what is born of it, is started with


class _Told(Exception):
    """Stands for an exception's cause in another process: its traceback as text."""


class WorkerLost(Exception):
    """Raised where workers die again and again; its text tells how the last one ended."""

    def __init__(self, item: object, how: str) -> None:
        super().__init__(how)
        self.item = item
        """The item that each of them was at; None: they died before they were given any."""


@dataclass(eq=False)
class _Task(Generic[Item]):
    item: Item
    deaths: int = 0


@dataclass(eq=False)
class _Worker(Generic[Item]):
    process: BaseProcess
    pipe: Connection
    stillborn: int  # how many had died in a row before they began when it was started
    ready: bool = False
    task: _Task[Item] | None = None


class Workers(Generic[Item, Result]):
    """Processes that turn items into results; a context manager, at whose end all of them are ended at once."""

    def __init__(self, begin: Callable[[], Callable[[Item], Result]], count: int, home: str) -> None:
        """Prepare ``count`` processes; they are started with the items.

        Args:
            begin: called once in each worker, returns the function of its items; is pickled.
            count: the largest number of processes at a time, 1 or more.
            home: name of the module that has what workers need, imported once for all of them.
        """
        self._begin, self._count, self._home = begin, count, home
        self._environment = dict(os.environ)
        self._waiting: deque[_Task[Item]] = deque()
        self._workers: list[_Worker[Item]] = []
        self._stillborn = 0
        self._failure: BaseException | None = None

    def __enter__(self) -> Workers[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.pipe.close()
            _kill(worker.process)
        self._workers.clear()

    def put(self, *items: Item) -> None:
        """Have ``items`` done, after those given before."""
        self._waiting.extend(map(_Task, items))
        self._hand_out()

    def take(self) -> list[tuple[Item, Result]]:
        """Wait until something is done; return all that is, as (item, result), in any order, or [] if nothing is to do.

        Raises:
            WorkerLost: if ``DEATHS`` workers died at one item, or as they started.
            Exception: whatever an item's function raised.
        """
        found: list[tuple[Item, Result]] = []
        while self._failure is None:
            self._hand_out()
            if not self._waiting and not any(worker.task for worker in self._workers):
                break
            ready = wait([worker.pipe for worker in self._workers], 0 if found else None)
            if not ready:
                break
            for worker in [worker for worker in self._workers if worker.pipe in ready]:
                found += self._hear(worker)
        if self._failure is not None and not found:
            raise self._failure
        return found

    def _hand_out(self) -> None:
        """Start the workers that are missing, and give each free one an item."""
        idle = [worker for worker in self._workers if worker.task is None]
        for _ in range(min(self._count - len(self._workers), len(self._waiting) - len(idle))):
            self._workers.append(_start(self._home, self._stillborn))
        for worker in idle:
            if worker.ready and self._waiting:
                worker.task = self._waiting.popleft()
                _tell(worker.pipe, worker.task.item)

    def _hear(self, worker: _Worker[Item]) -> Iterator[tuple[Item, Result]]:
        """Take what a worker says, or its end."""
        try:
            good, value = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        self._stillborn = 0
        task, worker.task = worker.task, None
        if task is None:
            worker.ready = True
            _tell(worker.pipe, (self._begin, self._environment))
        elif good:
            yield task.item, value
        else:
            self._failure, told = value
            self._failure.__cause__ = _Told(told)

    def _bury(self, worker: _Worker[Item]) -> None:
        """Note a worker's end; what it was at comes next again, unless others ended there before."""
        self._workers.remove(worker)
        how = _end_of(worker.process)
        task = worker.task
        if task is not None:
            task.deaths += 1
            self._waiting.appendleft(task)
            deaths = task.deaths
        else:  # those started at a time count as one: the death of what they come from is the death of all
            self._stillborn = deaths = max(self._stillborn, worker.stillborn + 1)
        if deaths >= DEATHS:
            self._failure = WorkerLost(task and task.item, how)


def _tell(pipe: Connection, message: object) -> None:
    """Send to a worker; if it has ended, that is seen where it is listened to."""
    with contextlib.suppress(OSError):
        pipe.send(message)


# -- birth and death ----------------------------------------------------------------------------


def _start(home: str, stillborn: int) -> _Worker[Item]:
    """Start a worker, in a thread: a signal finds the main thread where it can be handled, however long it takes.

    Should the start fail, the worker's end of the pipe is closed here, as if it had died. After a start that failed the
    next waits a little: what workers come from may be about to end, and takes no more until then.
    """
    ours, its = multiprocessing.Pipe()
    process = worker_context(home).Process(target=serve, args=(its,), daemon=True)

    def start() -> None:
        if stillborn:
            time.sleep(_PAUSE)
            worker_context(home)
        with its, contextlib.suppress(OSError, EOFError), signals_held(), _program_hidden():
            process.start()

    threading.Thread(target=start, daemon=True).start()
    return _Worker(process, ours, stillborn)


def _kill(process: BaseProcess) -> None:
    """End a worker at once; one that is not born yet finds its pipe closed, and ends."""
    with contextlib.suppress(AttributeError):  # of one that was never born
        process.kill()


def _end_of(process: BaseProcess) -> str:
    """Return in words how a worker ended whose pipe is closed."""
    if process.pid is None:
        return "it could not be started"
    _kill(process)
    process.join(_ENDED_SECONDS)
    code = process.exitcode
    if code == -signal.SIGKILL:
        return "killed, as the system does when memory is short"
    if code == errno.ENOMEM:
        return "out of memory"
    if code is not None and code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return "it ended by itself; was memory short?"


def worker_context(home: str) -> ForkServerContext:
    """Return the way in which workers are made: forked from a process that has imported ``home`` and computed nothing.

    A worker is there in a moment, and all of them share the libraries' memory. That process is started here, once, and
    again should it have ended; it ends with the one that started it, and leaves signals to it.
    """
    context = multiprocessing.get_context("forkserver")
    with _SERVER:
        resource_tracker.ensure_running()  # which lets signals through again when it starts
        paths = _server_paths()
        with environment(paths), signals_held():
            context.set_forkserver_preload(["agents.fork_server", home] if paths else [])
            forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _program_hidden() -> Iterator[None]:
    """Hide the program that runs from a process that is born: it would run a script again, up to its own start."""
    with _SERVER:
        program = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = program


def _server_paths() -> dict[str, str]:
    """Return the environment that lets another Python import from where this one does, and nowhere else first.

    Python's own server takes over neither ``sys.path`` nor what was put into it. Empty before Python 3.11, where a file
    random.py in the current folder would be imported for Python's: nothing is imported beforehand there.
    """
    if sys.version_info < (3, 11):
        return {}
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}


@contextlib.contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
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


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back from this thread and what is born in it: both are the main thread's affair."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- in the worker ------------------------------------------------------------------------------


def serve(pipe: Connection) -> None:
    """Do the items that come through ``pipe``, in the parent's environment, until it ends; then end without a word.

    A worker has one thread.
    """
    _follow_parent()
    keep_freed_memory()
    with contextlib.suppress(EOFError, OSError):  # only of the pipe: what an item raises is sent
        pipe.send((True, None))
        begin, environment = pipe.recv()
        os.environ.clear()
        os.environ.update(environment)
        with one_thread():  # now that the libraries are here which ``begin`` names
            _do_items(pipe, begin)


def _do_items(pipe: Connection, begin: Callable[[], Callable[[object], object]]) -> NoReturn:
    """Answer each item that comes, or say what its function raised."""
    function: Callable[[object], object] | None = None
    while True:
        item = pipe.recv()
        try:
            function = function or begin()
            answer = (True, function(item))
        except Exception as error:
            if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
                sys.exit(errno.ENOMEM)  # as the system would have ended it, had it promised the memory
            answer = (False, _portable(error))
        pipe.send(answer)


def _portable(error: Exception) -> tuple[Exception, str]:
    """Return an exception that can be sent, and the text of its traceback."""
    told = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an exception of any library, with whatever it holds
        error = RuntimeError(f"{type(error).__name__}: {one_line(error)}")
    return error, told


def _follow_parent() -> None:
    """End this worker process when the parent does, however it ends and whatever the worker is at."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)  # nobody is left to take a result

    threading.Thread(target=follow, daemon=True).start()
