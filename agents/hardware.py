"""The abilities of the machine: precision, devices, threads, and an allocator that keeps what it was given."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits

from agents.networks.policy import MazePolicy
from envs.errors import RANGES, InputError

SAVE_EVERY = 30.0  # seconds between two states of a training on disk
SHARE_A_GPU = 8  # processes: while one renders and solves chains, others keep it busy; each takes memory of it


def device_named(name: str) -> torch.device:
    """Return the device that a user names, be it here or not: ``auto`` is ``cuda`` where torch sees one, else ``cpu``.

    Raises:
        InputError: for a name other than ``auto``, ``cpu``, ``cuda`` or ``cuda:1``, ``cuda:2``, ...
    """
    try:
        device = torch.device(("cuda" if torch.cuda.device_count() else "cpu") if name == "auto" else name)
    except RuntimeError:
        raise InputError(f"device {name[:80]!r} does not exist; use auto, cpu or cuda") from None
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r} is not supported; use auto, cpu or cuda")
    return device


def check_device(name: str) -> torch.device:
    """Return :func:`device_named`, if this torch can use it; else :class:`InputError`."""
    device = device_named(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name!r}: torch sees {torch.cuda.device_count()} CUDA devices here; use --device cpu")
    return device


def on_device(policy: MazePolicy, name: str) -> MazePolicy:
    """Move a policy to the device that a user names, and return it.

    On a GPU torch is told, for the whole process, to compute with algorithms that give the same bits each time, and in
    float32 throughout. On the processor nothing changes.

    Raises:
        InputError: for a device that is not here.
    """
    device = check_device(name)
    if device.type == "cpu":
        return policy
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS is first used
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # 10 bits of a fraction, not 23
    return policy.to(device)


def check_memory(needed: int, what: str, remedy: str = "take fewer") -> None:
    """Raise :class:`InputError` if ``what`` needs more bytes than this machine has; its line ends in ``remedy``."""
    present = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > present:
        need, have = (f"{each / 1e9:,.0f} GB" for each in (needed, present))
        raise InputError(f"{what} need about {need} of memory, and this machine has {have}; {remedy}")


def bf16_pays(device: str = "cpu") -> bool:
    """Return whether the device computes in bfloat16 by itself.

    Where it does, training in bfloat16 takes about half the time. A processor without such
    instructions emulates them: measured, a minibatch then takes twelve times as long.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    ask = getattr(torch.cpu, "get_capabilities", None)  # torch 2.11 and newer
    able = ask() if ask is not None else {}
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks of any size for reuse.

    By default it returns a minibatch's activations to the kernel, and the next minibatch faults
    them in again: measured, that doubles the time of a minibatch of 2,048. Elsewhere a no-op.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**30)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread, in torch and in numpy's and scipy's linear algebra.

    So sums are in the same order on every machine, and processes side by side do not wait for each other's threads:
    OpenBLAS starts one a core in each process, and they spin.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


def usual_workers(device: str) -> int:
    """Return the number of processes where none is given: one per core, but few that share a GPU."""
    cores = os.cpu_count() or 1
    return cores if device_named(device).type == "cpu" else min(cores, SHARE_A_GPU)


def check_workers(workers: int | None) -> None:
    """Raise :class:`InputError` for a number of processes that no machine runs; None is any."""
    if workers is not None:
        RANGES["workers"].check(workers)
    most = max(64, 4 * (os.cpu_count() or 1))
    if (workers or 1) > most:
        raise InputError(f"--workers {workers}: at most {most} processes on this machine")


def hardware_class(device: str) -> str:
    """Return one line for a model card: what kind of machine trained."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return (
        f"{platform.machine()} processor, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    )
