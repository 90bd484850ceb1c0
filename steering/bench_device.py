"""A GPU in one go: ``python -m steering.bench_device``: its tests, its numbers beside the processor's, a training.

The three parts fit into some ten minutes. The training is that of the published width; typed again, it goes on.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
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
from steering.sweep.units import level_rows

TESTS = Path(__file__).resolve().parents[1] / "tests" / "steering" / "test_devices.py"
LEVELS = (2, 26, 54)
PROBABILITIES = tuple(name for name in OUTCOME_FIELDS if name.startswith(("p_", "tv_", "path_")))


def tested() -> bool:
    """Run the tests of devices, those on a GPU among them; return whether all pass (True where there are no tests)."""
    if not TESTS.exists():
        print("tests: none are installed", flush=True)
        return True
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "0", str(TESTS)], check=False).returncode == 0


def swept(policy: MazePolicy, level: int) -> np.ndarray:
    """Return the outcomes of a level, those that are probabilities, under every default condition at trunk sites."""
    sites = tuple(site.name for site in map_sites(policy))
    spec = SweepSpec(policy.name, policy.sha256, (level,), sites)
    rows, _ = level_rows(policy, Maze.from_level(level), spec.keys(level), spec)
    return np.array([[getattr(row.outcome, name) for name in PROBABILITIES] for row in rows])


def planned(policy: MazePolicy, level: int) -> np.ndarray:
    """Return what each place leaves of the effect of a level's pairs."""
    maze, sites = Maze.from_level(level), map_sites(policy)
    rows = [patch_row(policy, maze, kind, Goal.CHEESE, sites, 8, 5, 0) for kind in KINDS]
    return np.concatenate([np.array(row.carried).ravel() for row in rows])


def compared(measure: Callable[[MazePolicy, int], np.ndarray], policies: Sequence[MazePolicy]) -> str:
    """Return in words how far two policies are apart, and the seconds that each takes, the first level left out."""
    found, seconds = [], []
    for policy in policies:
        measure(policy, LEVELS[0])
        begun = time.perf_counter()
        found.append(np.concatenate([measure(policy, level) for level in LEVELS]))
        seconds.append(time.perf_counter() - begun)
    apart = float(np.nanmax(np.abs(found[0] - found[1])))
    return f"largest difference {apart:.1e}; {seconds[0]:.1f} s on the processor, {seconds[1]:.1f} s there"


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
        policies = [load_policy("region5"), on_device(load_policy("region5"), asked.device)]
        for measure in (swept, planned):
            print(f"{measure.__name__}: {compared(measure, policies)}", flush=True)
        if asked.minutes:
            trained(asked.out, asked.device, asked.minutes)
    except InputError as error:
        parser.error(str(error))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
