"""Every steering test checks that networks are left as they were found."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.small_sweep import small_sweep

HOLD = (
    "import sys; from pathlib import Path; from steering.sweep.store import run_directory\n"
    "with run_directory(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def _no_leaks(leak_check: None) -> None:
    """Applies ``leak_check`` to every test of this folder."""


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of one small sweep, shared by all workers: read it, or copy it first."""
    return small_sweep(tmp_path_factory)


@pytest.fixture
def held() -> Callable[[Path], contextlib.AbstractContextManager[int]]:
    """``with held(directory) as pid``: another process, of this number, has the run directory."""

    @contextlib.contextmanager
    def hold(directory: Path) -> Iterator[int]:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        try:
            yield holder.pid
        finally:
            holder.communicate("")

    return hold
