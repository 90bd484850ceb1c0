"""Several checkpoints in one go: one run directory each, side by side in a folder with an index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.checkpoints.zoo import load_policy
from envs.errors import InputError
from envs.files import locked, write_atomic
from steering.experiments.conditions import MAIN
from steering.run import run_layer_sweep
from steering.sweep.artifacts import INDEX, read_index
from steering.sweep.planning import SweepOptions, plan

ANOTHER = "choose another --out"


def run_layer_sweeps(options: SweepOptions, checkpoints: Sequence[str]) -> dict[str, Any]:
    """The same sweep for every checkpoint, each in a directory of its name under ``options.out``.

    All are planned before the first begins, so bad input costs nothing. Typed again, it goes on. Returns the index:
    checkpoint, directory and boundary of each. Raises :class:`InputError` if two checkpoints share a name, or if
    ``options.out`` holds something else.
    """
    parts = {}
    for checkpoint in checkpoints:
        name = load_policy(checkpoint).name
        if name in parts:
            raise InputError(f"--checkpoint: two checkpoints are called {name}; rename one of the files")
        parts[name] = replace(options, checkpoint=checkpoint, out=options.out / name)
    for part in parts.values():
        plan(part)
    _claim(options.out, list(parts))
    with locked(options.out):
        rows = [row for row in read_index(options.out, ANOTHER)["runs"] if row["name"] not in parts]
        mine = []
        for number, (name, part) in enumerate(parts.items(), 1):
            print(f"\n[{number}/{len(parts)}] {name}", flush=True)
            summary = run_layer_sweep(part)
            mine.append({**summary["checkpoint"], "directory": name, "boundary": summary["boundary"],
                         "blindness": {s["name"]: s["conditions"][MAIN]["blindness"]
                                       for s in summary["sites"] if MAIN in s["conditions"]}})  # fmt: skip
            names = [*(row["name"] for row in rows), *parts]
            index = {"format": INDEX.format, "checkpoints": names, "runs": rows + mine}
            write_atomic(options.out / INDEX.file, (json.dumps(index, indent=2) + "\n").encode())
    _show(mine)
    print(f"index: {options.out / INDEX.file}")
    return index


def _claim(directory: Path, names: list[str]) -> None:
    """Make the folder ours, or refuse one that holds anything else."""
    try:
        present = {path.name for path in directory.iterdir()} if directory.exists() else set()
    except OSError as error:
        raise InputError(f"{directory}: cannot be read ({error.strerror}); {ANOTHER}") from None
    if present and INDEX.file not in present:
        raise InputError(f"{directory} is not empty and not a folder of several runs; {ANOTHER}")
    if INDEX.file in present:
        read_index(directory, ANOTHER)
    else:
        write_atomic(
            directory / INDEX.file, json.dumps({"format": INDEX.format, "checkpoints": names, "runs": []}).encode()
        )


def _show(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("checkpoint", "boundary", "from", "to"):
        table.add_column(name)
    for row in rows:
        found = row["boundary"]
        table.add_row(row["name"], *(str(found[key] or "none") for key in ("site", "low", "high")))
    console = Console(width=120, highlight=False)
    console.print()
    console.print(table)
