"""Made-up sub-circuits of agents: rows and records that belong together, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from envs.stored.json_records import to_json
from steering.analysis.anatomy.circuits import CircuitRows
from steering.anatomy.circuit.orders import finding_half, rising, sizes
from steering.anatomy.circuit.rows import (
    BASIS,
    POINTS,
    POINTS_BASIS,
    SINGLES,
    PointsRow,
    SinglesRow,
    SinglesSite,
)
from steering.anatomy.circuit.states import DrawnStates
from steering.anatomy.kept import row_basis, rows_name
from steering.measuring.rows import keep_rows
from steering.records.anatomy.circuit_site import FALLS, SHARES, CircuitSite, Needed, Removed, SizedSet
from steering.records.anatomy.summary import CIRCUIT, AnatomySettings, AnatomySummary
from steering.records.probes import Estimate
from steering.records.sweep import CheckpointId
from steering.sweep.artifacts import ANATOMY
from steering.sweep.store import Store
from tests.helpers.runs import LEVELS

SITE = "embedder.block1.maxpool"
ONE = Estimate(1.0, 1.0, 1.0)


def circuit_rows(name: str, alone: np.ndarray, points: np.ndarray, half: int | None, site: str = SITE) -> CircuitRows:
    """Return rows of one site.

    Args:
        name: of the run.
        alone: what is left with each channel alone, ``float[levels, c]``.
        points: activations, ``float[levels, c, n]``.
        half: channels that give half of the blindness.
        site: its name.
    """
    levels = LEVELS[: len(alone)]
    settings = AnatomySettings((CIRCUIT,), (site,), levels, 64, 64, 0, "hard")
    singles = {
        level: SinglesRow(DrawnStates((0,), (1.0,)), 0.5, {site: SinglesSite(tuple(row), tuple(row), tuple(row))})
        for level, row in zip(levels, alone.tolist(), strict=True)
    }
    seen = {
        level: PointsRow({site: tuple(map(tuple, values))})
        for level, values in zip(levels, points.tolist(), strict=True)
    }
    return CircuitRows(name, settings, (_site(site, alone, half),), singles, seen)


def store_circuit(directory: Path, sha256: str, rows: CircuitRows) -> None:
    """Put rows, and the file that belongs to them, beside a sweep."""
    summary = AnatomySummary(ANATOMY.format, CheckpointId(rows.name, sha256), rows.settings, circuit=rows.sites)
    (directory / ANATOMY.file).write_bytes(to_json(summary))
    kept: list[tuple[str, Mapping[str, object], Mapping[int, object]]] = [
        (SINGLES, BASIS, rows.singles),
        (POINTS, POINTS_BASIS, rows.points),
    ]
    with Store.open(directory) as store:
        for step, basis, found in kept:
            keep_rows(store, row_basis(rows.settings, basis), {rows_name(CIRCUIT, step): found})


def _site(name: str, alone: np.ndarray, half: int | None) -> CircuitSite:
    channels = alone.shape[1]
    ranking = rising(alone[list(finding_half(range(len(alone))))].sum(axis=0))
    count = Estimate(None if half is None else float(half), None, None)
    return CircuitSite(
        name=name,
        depth=1,
        shape=(channels, 8, 8),
        trunk=True,
        affine=False,
        equivalence_class=name,
        receptive_field=None,
        channels=channels,
        space=name,
        full=ONE,
        ranking=tuple(int(channel) for channel in ranking),
        sets=tuple(SizedSet(size, ONE, ONE, ONE, ONE) for size in sizes(channels)),
        needed=tuple(Needed(share, count, count, count, count, ONE) for share in SHARES),
        halves=None,
        before=None,
        removed=tuple(Removed(fall, (0,), ONE, ONE, ONE) for fall in FALLS),
        region_random=ONE,
    )
