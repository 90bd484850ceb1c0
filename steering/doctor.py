"""Checks of an installation, part by part, each with a remedy for what is missing.

Only the standard library is imported here. procgen, torch and the encoder are tried out in
processes of their own: a broken library may abort the process that loads it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

PYTHONS = ((3, 10), (3, 13))
LIBRARIES = (
    "cffi gym gym3 gymnasium imageio jinja2 numpy PIL plotly procgen pyarrow rich safetensors scipy stable_baselines3 "
    "tensorboard typer"
).split()
REINSTALL = "type `make setup` in the project's folder, or `pip install -c constraints.txt -e .` there"
PROCGEN_STEP = (
    "{python} -m pip install --no-deps --only-binary=:all: --python-version 3.10 --implementation cp "
    "--platform manylinux2014_x86_64 --upgrade --target {purelib} procgen==0.10.7 gym3==0.3.3"
)
TIMEOUT = 120.0  # seconds; a first import of torch from a cold disk can take long


@dataclass(frozen=True)
class Check:
    """One part of an installation: whether it works, what was found, and how to mend it."""

    name: str
    """Name of the part."""
    ok: bool
    """Whether it works."""
    detail: str
    """The finding in words."""
    remedy: str = ""
    """Remedy in words; empty where it works."""


def checks(directory: str | Path = ".") -> list[Check]:
    """Return a check of every part, each whatever became of the others; results are to go to ``directory``."""
    return [
        _python(),
        _glib(),
        _libraries(),
        *_procgen(),
        _part("torch", "probe_torch", REINSTALL),
        _part("encoder", "probe_encoder", REINSTALL + "; PyAV's own wheel brings libx264"),
        _writable(Path(directory)),
    ]


def report(found: list[Check]) -> str:
    """Return one line per check, and under each that failed what to do."""
    width = max(len(check.name) for check in found)
    lines = []
    for check in found:
        lines.append(f"{'ok     ' if check.ok else 'MISSING'}  {check.name:<{width}}  {check.detail}")
        if not check.ok and check.remedy:
            lines.append(f"{'':7}  {'':<{width}}  to mend: {check.remedy}")
    broken = sum(not check.ok for check in found)
    lines.append(f"{broken} of {len(found)} parts need mending" if broken else "everything works")
    return "\n".join(lines)


def _python() -> Check:
    low, high = PYTHONS
    machine = f"{platform.python_implementation()} {platform.python_version()}, {sys.platform} {platform.machine()}"
    supported = (
        low <= sys.version_info[:2] <= high
        and platform.python_implementation() == "CPython"
        and sys.platform == "linux"
        and platform.machine() == "x86_64"
    )
    remedy = "use CPython 3.10 to 3.13 on Linux x86-64; procgen has no library for anything else"
    return Check("Python", supported, machine, remedy)


def _glib() -> Check:
    library = "libgthread-2.0.so.0"
    try:
        ctypes.CDLL(library)
    except OSError as error:
        remedy = "as root: apt-get install -y --no-install-recommends libglib2.0-0 (elsewhere the package is glib2)"
        return Check("glib", False, str(error), remedy)
    return Check("glib", True, library)


def _libraries() -> Check:
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        return Check("libraries", False, "not installed: " + ", ".join(missing), REINSTALL)
    return Check("libraries", True, f"{len(LIBRARIES)} found")


def _procgen() -> list[Check]:
    ok, detail, stderr = _run("probe_procgen")
    step = PROCGEN_STEP.format(python=sys.executable, purelib=sysconfig.get_path("purelib"))
    quiet = Check(
        "gym's notice",
        ok and not stderr,
        "silenced" if not stderr else stderr.splitlines()[0],
        "something printed on stderr while procgen was loaded; the line above is its first",
    )
    return [Check("procgen", ok, detail, step), *([quiet] if ok else [])]


def _part(name: str, probe: str, remedy: str) -> Check:
    ok, detail, _ = _run(probe)
    return Check(name, ok, detail, remedy)


def _writable(directory: Path) -> Check:
    where = str(directory.absolute())
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"mazesteer")
            file.flush()
    except OSError as error:
        reason = error.strerror or str(error)
        return Check(
            "write access", False, f"{where}: {reason}", "change to a folder you may write to, with free space"
        )
    return Check("write access", True, where)


def _run(probe: str) -> tuple[bool, str, str]:
    """Call ``probe`` in a fresh process with this one's import path: (worked, what was found, stderr)."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from steering import doctor; print(doctor.{probe}())"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {TIMEOUT:.0f} s", ""
    stderr = done.stderr.strip()
    if done.returncode == 0:
        return True, done.stdout.strip(), stderr
    last = stderr.splitlines()[-1] if stderr else "nothing was printed"
    how = f"killed by signal {-done.returncode}: " if done.returncode < 0 else ""
    return False, how + last, stderr


def probe_procgen() -> str:
    """Build an environment and draw a frame; what was found."""
    from importlib.metadata import version

    from envs.simulator import procgen_env

    env = procgen_env.gym3_env(1, start_level=0, num_levels=1, rand_seed=0)
    frame = env.observe()[1]["rgb"][0]
    if frame.shape != (64, 64, 3) or not frame.any():
        raise RuntimeError(f"procgen draws an empty frame of shape {frame.shape}")
    env.close()
    return f"{version('procgen')} draws a maze"


def probe_torch() -> str:
    """Run one convolution; return the finding in words."""
    import torch

    out = torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(4, 3, 3, 3))
    if not torch.equal(out, torch.full((1, 4, 6, 6), 27.0)):
        raise RuntimeError("torch computes a convolution wrongly")
    return f"{torch.__version__} computes"


def probe_encoder() -> str:
    """Encode two frames as H.264 in memory; return the finding in words."""
    import io

    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for shade in (0, 255):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return f"PyAV {av.__version__} writes H.264 ({len(file.getvalue())} bytes for 2 frames)"
