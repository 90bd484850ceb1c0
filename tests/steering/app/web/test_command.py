"""The command: it prints its address, serves it, and ends at once with Ctrl-C and with its terminal."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envs.errors import InputError
from steering import Workbench
from tests.helpers.command import mazesteer
from tests.helpers.workbench_page import page

ABSENT = ("uvicorn", "anywidget")


def as_in_a_terminal() -> None:
    """Let Ctrl-C and a closed terminal end the program, also where the tests run in the background."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The started program and its address."""
    script = Path(sys.executable).parent / "mazesteer"
    running = subprocess.Popen(
        [script, "app", "region5", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=as_in_a_terminal,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert running.stdout is not None
    line = running.stdout.readline()
    assert not line or running.stdout.readline() == "Ctrl-C ends it\n"
    found = re.fullmatch(r"workbench of region5: (http://127\.0\.0\.1:\d+/)\n", line)
    assert found, (line, running.stderr and running.stderr.read())
    yield running, found[1]
    running.kill()
    running.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, -signal.SIGHUP)])
def test_it_ends_at_once_in_the_middle_of_work(
    program: tuple[subprocess.Popen[str], str], number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """With Ctrl-C, and when its terminal is closed; it leaves nothing behind and says nothing."""
    running, address = program
    with page(address) as tab:
        tab.say({**tab.state, "asked": ["curve", "channels", "causal"]})
        tab.until(lambda header: header["type"] == "field")
        running.send_signal(number)
        said = running.communicate(timeout=60)
    assert (running.returncode, said) == (code, ("", ""))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["no-such-agent"], "no-such-agent"),
        (["region5", "--run", "nowhere"], "nowhere"),
        (["region5", "--host", "203.0.113.7"], "--host"),
        (["region5", "--port", "70000"], "65535"),
        (["region5", "--device", "tpu"], "tpu"),
    ],
)
def test_what_cannot_be_is_one_line(typed: list[str], said: str, tmp_path: Path) -> None:
    done = mazesteer("app", *typed, "--no-browser", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_what_is_not_installed_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ABSENT else found(name))
    done = mazesteer("app", "--no-browser", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "mazesteer: app needs uvicorn: install mazesteer[app]\n")
    with pytest.raises(InputError, match=r"Workbench needs anywidget: install mazesteer\[notebook\]"):
        Workbench("region5")
