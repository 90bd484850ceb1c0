"""The installed program, typed: in this process, or started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from typer.models import TyperInfo

from steering.cli.app import STOPPED_BY, app, main


def commands() -> dict[str, Any]:
    """The functions of all commands, by name."""
    groups = [app, *(group.typer_instance for group in app.registered_groups if isinstance(group, TyperInfo))]
    found = [command for group in groups if group is not None for command in group.registered_commands]
    return {command.name or command.callback.__name__: command.callback for command in found if command.callback}


def started(*args: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Start the installed console script: for what only a process of its own can show."""
    script = Path(sys.executable).parent / "mazesteer"
    assert script.exists(), "the console script is not installed; run `make test`"
    return subprocess.run([script, *map(str, args)], capture_output=True, text=True, cwd=cwd, timeout=900)


def mazesteer(*args: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Call the script's entry point here, which imports nothing again: a start takes seconds.

    Exit code, standard output and standard error are what the program would leave.
    """
    code: object = 0
    with _captured() as output, _restored(cwd):
        sys.argv = ["mazesteer", *map(str, args)]
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int), code
    stdout, stderr = output
    return subprocess.CompletedProcess(["mazesteer", *map(str, args)], code, stdout, stderr)


@contextlib.contextmanager
def _captured() -> Iterator[list[str]]:
    """Send what this process writes, libraries in C too, to two files, as a shell would; their texts at the end."""
    written: list[str] = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        paths = Path(folder, "stdout"), Path(folder, "stderr")
        stack.callback(lambda: written.extend(path.read_text(encoding="utf-8") for path in paths))
        for name, number, path in zip(("stdout", "stderr"), (1, 2), paths, strict=True):
            plain = getattr(sys, name)
            plain.flush()
            kept = os.dup(number)
            file = open(path, "w", encoding="utf-8")
            os.dup2(file.fileno(), number)
            setattr(sys, name, file)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, number)
            stack.callback(setattr, sys, name, plain)
            stack.callback(file.close)
        yield written


@contextlib.contextmanager
def _restored(cwd: Path | None) -> Iterator[None]:
    """Put back what the end of a process would take with it: handlers of signals, the alarm, threads, the folder."""
    handlers = {each: signal.getsignal(each) for each in STOPPED_BY}
    threads, argv, folder = torch.get_num_threads(), sys.argv, Path.cwd()
    try:
        if cwd is not None:
            os.chdir(cwd)
        yield
    finally:
        os.chdir(folder)
        sys.argv = argv
        torch.set_num_threads(threads)
        signal.alarm(0)
        for each, handler in handlers.items():
            signal.signal(each, handler)
