"""The command ``app``: the live workbench in a browser, served from this machine to itself."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from envs.errors import InputError
from steering.cli.options import (
    DEFAULT_CHECKPOINT,
    Activation,
    Checkpoint,
    Device,
    Quiet,
    ScalePixels,
    number,
    path,
)
from steering.workflows.progress import after_loading, doing

commands = typer.Typer()


def _sharing_cores(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command that lets torch's threads sleep while they wait for one another.

    By default they spin, on the core that the other of them or the browser needs: measured with both cores busy, a pass
    then takes fifteen times as long. What the variable says is read once, when torch is loaded.
    """

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        command(*args, **options)

    return run


@commands.command("app")
@_sharing_cores
@after_loading("agents.checkpoints.zoo")
def workbench(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    run: Annotated[Path | None, path("A run directory: its curves colour the network.", "--run")] = None,
    port: Annotated[int, number("port", "Port to listen on; 0: any that is free.")] = 0,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any but 127.0.0.1 lets other machines in, with a token.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    device: Device = "cpu",
    activation: Activation = None,
    scale_pixels: ScalePixels = None,
    quiet: Quiet = False,
) -> None:
    """Open the live workbench: change maze, network and intervention by hand, and see the agent change its mind."""
    missing = [name for name in ("starlette", "uvicorn", "websockets") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"app needs {', '.join(missing)}: install mazesteer[app]")
    from steering.app.web.guard import LOCAL, Guard
    from steering.app.web.server import address_of, listening, serving

    guard = Guard(host, "" if host in LOCAL else secrets.token_urlsafe(24))
    with listening(host, port) as place:
        from agents.checkpoints.stated import Stated
        from agents.checkpoints.zoo import load_policy
        from agents.hardware import keep_freed_memory, on_device
        from steering.app.web.conversation import sessions

        keep_freed_memory()
        with doing("loading"):
            policy = on_device(load_policy(checkpoint, activation=activation, scale_pixels=scale_pixels), device)
            begin = sessions(policy, run, Path.cwd(), checkpoint, Stated(activation, scale_pixels))
        with _left_at_once(), serving(begin, place, guard) as server:
            address = address_of(place, guard)
            if guard.token:
                print(f"mazesteer: {host} lets other machines in; who has this address can use it", file=sys.stderr)
            print(f"workbench of {policy.name}: {address}\nCtrl-C ends it", flush=True)
            if browser and _has_screen():
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            while server.is_alive():
                server.join(1.0)


@contextlib.contextmanager
def _left_at_once() -> Iterator[None]:
    """End the process without more ado if a chunk is still computed: the interpreter would end under torch's feet."""
    from steering.app.web.conversation import WORKING

    try:
        yield
    except SystemExit as ended:
        if any(thread.name == WORKING for thread in threading.enumerate()):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        raise


def _has_screen() -> bool:
    """Return whether a browser would open beside the terminal and not in it."""
    return any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
