"""The published findings, run again: the list, a resumable run into ``replicate.json``, measured beside published."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agents.checkpoints import write_atomic
from agents.policy import Policy
from envs.errors import InputError, nearest
from envs.maze import Maze
from steering import findings_channels, findings_transfer, findings_vectors
from steering.behaviour import BEHAVIOUR
from steering.findings import Bench, Finding, Sample, Settings, plain, verdict
from steering.store import run_directory
from steering.tracking import check_maps

FILE = "replicate.json"
FORMAT = "mazesteer-replicate-1"
SAVE_EVERY = 10.0  # seconds between savings: what a killed run loses at most
FINDINGS: dict[str, Finding] = {
    finding.name: finding
    for finding in (
        findings_vectors.EFFECT,
        findings_vectors.ADDING,
        findings_vectors.NOISE,
        findings_transfer.TRANSFER,
        findings_transfer.REMOVAL,
        BEHAVIOUR,
        findings_channels.RESAMPLING,
        findings_channels.RETARGETING,
        findings_vectors.PATHS,
        findings_vectors.TOP_RIGHT_VECTOR,
    )
}
Progress = Callable[[int, int], None]
Data = dict[str, Any]


def chosen(names: Sequence[str]) -> list[Finding]:
    """The findings called ``names``, in the list's order (none: all); :class:`InputError` names the nearest."""
    for name in names:
        if name not in FINDINGS:
            raise InputError(f"no finding {name!r}; {nearest(name, FINDINGS)} (see `mazesteer replicate --list`)")
    return [finding for name, finding in FINDINGS.items() if not names or name in names]


def replicate(
    policy: Policy, settings: Settings, out: Path, names: Sequence[str] = (), progress: Progress | None = None
) -> Data:
    """Run findings, keep everything in ``out/replicate.json`` and return what that file holds.

    A maze measured before is not measured again, and a finding whose mazes are all as before is left as it is. Raises
    :class:`InputError` for an unknown name, a site that a finding cannot use, levels of which none can be used, or a
    directory with results of another checkpoint, site, horizon, seed or mode.
    """
    findings = chosen(names)
    bench = Bench(policy, settings)
    if any(finding.maps for finding in findings):
        check_maps(bench.site)
    with run_directory(out) as directory:
        data = _opened(directory / FILE, settings)
        mazes = {finding.name: _mazes(finding, settings) for finding in findings}
        missing = [
            (finding, maze)
            for finding in findings
            for maze in mazes[finding.name]
            if str(maze.level) not in data["rows"].get(finding.name, {})
        ]
        missing.sort(key=lambda pair: pair[1].level or 0)  # maze by maze: findings share what a maze costs
        with _saving(directory / FILE, data) as save:
            for done, (finding, maze) in enumerate(missing):
                if progress is not None:
                    progress(done, len(missing))
                row = finding.measure(bench, maze)
                data["rows"].setdefault(finding.name, {})[str(maze.level)] = {k: plain(v) for k, v in row.items()}
                save()
            for finding in findings:
                levels = [maze.level for maze in mazes[finding.name]]
                if data["findings"].get(finding.name, {}).get("levels") != levels:
                    rows = data["rows"][finding.name]
                    sample = Sample(finding.name, [rows[str(level)] for level in levels], settings.seed)
                    data["findings"][finding.name] = {**result(bench, finding, sample), "levels": levels}
    return data


def result(bench: Bench, finding: Finding, sample: Sample) -> Data:
    """One finding's record: what it is, what was published, figures, claims, verdict and notes, as plain data."""
    summary = finding.summarize(bench, sample)
    return {
        "what": finding.what,
        "published": finding.published,
        "figures": [figure.to_json() for figure in summary.figures],
        "claims": [{"text": claim.text, "holds": claim.holds} for claim in summary.claims],
        "verdict": verdict(summary.claims),
        "mazes": len(sample),
        "notes": list(summary.notes),
    }


def replicate_table(data: Data) -> list[dict[str, str]]:
    """One row per figure of a ``replicate.json``, as text, for a table: measured beside published.

    Keys ``finding``, ``figure``, ``published``, ``measured``, ``interval``; and ``verdict``, ``mazes``, which only the
    first row of a finding has.
    """
    rows = []
    for name in [name for name in FINDINGS if name in data["findings"]]:
        found = data["findings"][name]
        for i, figure in enumerate(found["figures"]):
            low, high = figure["low"], figure["high"]
            rows.append(
                {
                    "finding": name,
                    "figure": figure["label"],
                    "published": _text(figure["published"]),
                    "measured": _text(figure["value"]),
                    "interval": "" if low is None or high is None else f"{_text(low)} to {_text(high)}",
                    "verdict": found["verdict"] if i == 0 else "",
                    "mazes": str(found["mazes"]) if i == 0 else "",
                }
            )
    return rows


def read(out: Path) -> Data:
    """What a directory's ``replicate.json`` holds; :class:`InputError` if it has none that can be read."""
    try:
        data: Data = json.loads((out / FILE).read_text())
        if data["format"] != FORMAT:
            raise ValueError("another format")
        return data
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{out / FILE}: not readable as results of `mazesteer replicate` ({error})") from None


def _opened(path: Path, settings: Settings) -> Data:
    """The file's content, or that of a new one; refuses results that do not belong together."""
    shared = settings.shared()
    if not path.exists():
        checkpoint = {"name": settings.checkpoint, "sha256": settings.sha256}
        return {"format": FORMAT, "checkpoint": checkpoint, "settings": shared, "findings": {}, "rows": {}}
    data = read(path.parent)
    for key, value in shared.items():
        if data["settings"].get(key) != value:
            raise InputError(
                f"{path}: holds results with {key} {data['settings'].get(key)}, not {value}; choose another --out"
            )
    return data


def _mazes(finding: Finding, settings: Settings) -> list[Maze]:
    found = finding.mazes(settings)
    if not found:
        raise InputError(
            f"{finding.name}: none of the levels can be used (it needs a decision square); take a wider range"
        )
    return found


@contextlib.contextmanager
def _saving(path: Path, data: Data) -> Iterator[Callable[[], None]]:
    """Gives a function that saves every few seconds; saves at the end whatever ends it."""
    last = time.monotonic()

    def write() -> None:
        write_atomic(path, (json.dumps(data, allow_nan=False) + os.linesep).encode())

    def now_and_then() -> None:
        nonlocal last
        if time.monotonic() - last > SAVE_EVERY:
            write()
            last = time.monotonic()

    try:
        yield now_and_then
    finally:
        write()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"
    return str(value)
