"""A GPU in one go: ``python -m steering.bench_device``: tests, numbers beside the processor's, batches, a training.

The parts fit into some ten minutes. The training is that of the published width; typed again, it goes on.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from agents.checkpoints.zoo import load_policy
from agents.hardware import check_device, hardware_class, on_device
from agents.networks.policy import MazePolicy
from agents.sessions.history import read_history
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.outcome import OUTCOME_FIELDS
from steering.planning.measure import KINDS, map_sites, patch_row
from steering.planning.pairs import Goal
from steering.sweep.spec import SweepSpec
from steering.sweep.units import rows_together

TESTS = Path(__file__).resolve().parents[1] / "tests" / "steering" / "test_devices.py"
LEVELS = (2, 26, 54)
PROBABILITIES = tuple(name for name in OUTCOME_FIELDS if name.startswith(("p_", "tv_", "path_")))


def tested() -> bool:
    """Run the tests of devices, those on a GPU among them; return whether all pass (True where there are no tests)."""
    if not TESTS.exists():
        print("tests: none are installed", flush=True)
        return True
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "0", str(TESTS)], check=False).returncode == 0


def swept(policy: MazePolicy, levels: Sequence[int], together: bool = False) -> np.ndarray:
    """Return outcomes, those that are probabilities, under every default condition at trunk sites.

    Args:
        policy: on its device.
        levels: seeds of levels.
        together: True to compute them in one batch, as a sweep on a GPU does; else one after the other.
    """
    sites = tuple(site.name for site in map_sites(policy))
    spec = SweepSpec(policy.name, policy.sha256, tuple(levels), sites)
    found = []
    for some in [levels] if together else [(level,) for level in levels]:
        found += rows_together(policy, Maze.from_levels(some), [spec.keys(level) for level in some], spec)
    rows = [row for level_rows, _ in found for row in level_rows]
    return np.array([[getattr(row.outcome, name) for name in PROBABILITIES] for row in rows])


def planned(policy: MazePolicy, levels: Sequence[int]) -> np.ndarray:
    """Return what each place leaves of the effect of each level's pairs."""
    sites, mazes = map_sites(policy), Maze.from_levels(levels)
    rows = [patch_row(policy, maze, kind, Goal.CHEESE, sites, 8, 5, 0) for maze in mazes for kind in KINDS]
    return np.concatenate([np.array(row.carried).ravel() for row in rows])


def compared(ways: Mapping[str, Callable[[Sequence[int]], np.ndarray]]) -> str:
    """Return in words how far two ways are apart, and the seconds that each takes after a first level."""
    found, seconds = [], []
    for name, measure in ways.items():
        measure(LEVELS[:1])
        begun = time.perf_counter()
        found.append(measure(LEVELS))
        seconds.append(f"{time.perf_counter() - begun:.1f} s {name}")
    return f"largest difference {np.nanmax(np.abs(found[0] - found[1])):.1e}; {', '.join(seconds)}"


def trained(out: Path, device: str, minutes: float) -> None:
    """Train the published width for some minutes, or go on with it; it is stopped as by Ctrl-C."""
    command = [sys.executable, "-m", "steering.cli", "train", "--out", str(out)]
    command += ["--resume"] if (out / "train.json").exists() else ["--region", "5", "--scale", "4", "--device", device]
    print(" ".join(["mazesteer", *command[3:]]), flush=True)
    running = subprocess.Popen(command)
    try:
        running.wait(timeout=60 * minutes)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGINT)
        running.wait()
    rows = read_history(out)
    print(f"training: {rows[-1] if rows else 'nothing yet'}", flush=True)


def main() -> None:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m steering.bench_device")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ... (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=6.0, help="of training; 0: none (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/region5-x4"), help="training directory")
    asked = parser.parse_args()
    try:
        check_device(asked.device)
        print(f"device: {hardware_class(asked.device)}, torch {torch.__version__}", flush=True)
        passed = tested()
        here, there = load_policy("region5"), on_device(load_policy("region5"), asked.device)
        for measure in (swept, planned):
            ways = {"on the processor": partial(measure, here), "there": partial(measure, there)}
            print(f"{measure.__name__}: {compared(ways)}", flush=True)
        ways = {"level by level": partial(swept, there), "in one batch": partial(swept, there, together=True)}
        print(f"batched: {compared(ways)}", flush=True)
        if asked.minutes:
            trained(asked.out, asked.device, asked.minutes)
    except InputError as error:
        parser.error(str(error))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
