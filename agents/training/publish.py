"""From a finished training run to the zoo: weights, card, learning curves, developmental series.

``python -m agents.training.publish RUN NAME [--series] [--notes TEXT]`` puts what ``mazesteer train`` left
in ``RUN`` into ``agents/zoo`` as ``NAME``. The snapshots of a series are kept in float16: they are
for looking at, not for training on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.checkpoints.cards import SERIES, ZOO, CardHead
from agents.checkpoints.files import save_checkpoint
from agents.checkpoints.registry import published_net
from agents.checkpoints.zoo import load_policy
from agents.sessions.history import EXACT, FIRST_SNAPSHOT, SNAPSHOTS, learning_curves, read_history
from agents.training.card import write_card
from envs.errors import InputError
from envs.files import write_atomic
from envs.stored.json_records import from_plain, read_json

SNAPSHOTS_KEPT = 12


def publish(run: Path, name: str, *, series: bool = False, notes: str = "", zoo: Path = ZOO) -> list[Path]:
    """Copy a finished run into ``zoo``; return what was written, weights first.

    Raises :class:`InputError` if the run is not finished.
    """
    final = run / "policy.safetensors"
    if not (final.is_file() and final.with_suffix(".json").is_file()):
        raise InputError(f"{run}: no finished training there; `mazesteer train --out {run} --resume` ends it")
    card: dict[str, Any] = read_json(final.with_suffix(".json"))
    from_plain(card, CardHead, final.with_suffix(".json"), partial=True)
    if notes:
        card["notes"] = notes
    zoo.mkdir(parents=True, exist_ok=True)
    weights, facts, curves = (zoo / f"{name}{suffix}" for suffix in (".safetensors", ".json", ".png"))
    shutil.copyfile(final, weights)
    write_card(card, facts)
    learning_curves(read_history(run), curves, f"{name}: exact figures on 16 evaluation levels while it learned")
    written = [weights, facts, curves]
    if series:
        written += publish_series(run, zoo / f"{name}{SERIES}")
    return written


def publish_series(run: Path, folder: Path) -> list[Path]:
    """Keep ``SNAPSHOTS_KEPT`` snapshots of ``run``, log-spaced from the first weights to the last."""
    rows = {row["count"]: row for row in read_history(run)}
    files: dict[int, Path] = {}
    for path in sorted((run / SNAPSHOTS).glob("*.safetensors")):
        files.setdefault(int(path.name.split("-")[0]), path)
    counts = np.array(sorted(set(files) & set(rows)))
    if len(counts) < 2:
        raise InputError(f"{run / SNAPSHOTS}: no snapshots to make a series of")
    marks = np.geomspace(FIRST_SNAPSHOT, max(counts.max(), 2 * FIRST_SNAPSHOT), SNAPSHOTS_KEPT - 1)
    late = counts[1:]
    chosen = {int(counts[0])} | {int(late[np.abs(np.log(late / mark)).argmin()]) for mark in marks}
    written, snapshots = [folder / "series.json"], []
    for count in sorted(chosen):
        file = f"{count:09d}.safetensors"
        net = published_net(load_policy(files[count]))
        digest = save_checkpoint(net, folder / file, {"count": str(count)}, torch.float16)
        row: dict[str, Any] = rows[count]
        kept = {key: row[key] for key in ("count", "stage", "seconds", *EXACT, "accuracy", "loss") if key in row}
        snapshots.append({**kept, "file": file, "sha256": digest})
        written.append(folder / file)
    write_atomic(written[0], (json.dumps({"snapshots": snapshots}, indent=2) + "\n").encode())
    return written


def main() -> None:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m agents.training.publish", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--series", action="store_true", help="keep the developmental series too")
    parser.add_argument("--notes", default="", help="what the card says beside its figures")
    given = parser.parse_args()
    try:
        for path in publish(given.run, given.name, series=given.series, notes=given.notes):
            print(path)
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
