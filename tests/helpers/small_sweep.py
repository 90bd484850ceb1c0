"""One small sweep by the installed program, for every test that reads a run."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.helpers.command import started

SITES = "input,embedder.block1.conv,embedder.block2.res1.resadd,embedder.relu3"
# Small mazes with a decision square and cheese outside the top-right 5x5.
LEVELS = "26,54,193,15"
COMMAND = ("layer-sweep", "region5", "--levels", LEVELS, "--sites", SITES)


def printed_beside(run: Path) -> Path:
    """Return the file of what the program printed while it made the run."""
    return run.with_name(f"{run.name}.txt")


def small_sweep(factory: pytest.TempPathFactory) -> Path:
    """Return the run directory, made by the first worker of pytest that asks for it; the others wait for it."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    out = shared / "small-sweep"
    printed = printed_beside(out)
    with open(shared / "small-sweep.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            done = started(*COMMAND, "--out", out)
            assert done.returncode == 0, done.stderr
            printed.write_text(done.stdout)
    return out
