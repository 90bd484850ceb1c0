"""Made-up sweeps for what reads runs: results in a real store, without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from steering.experiments.conditions import Key
from steering.experiments.outcome import OUTCOME_FIELDS, Outcome
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Row, Store

SITES = ("input", "embedder.relu3")
FACTS = [
    {
        "name": name,
        "depth": k,
        "shape": [3, 64, 64],
        "trunk": True,
        "affine": False,
        "equivalence_class": name,
        "receptive_field": None,
    }
    for k, name in enumerate(SITES)
]
LEVELS = tuple(range(20))
SPEC = SweepSpec("agent", "a" * 64, LEVELS, SITES, ("subtract",), (1.0,))


def outcome(tv: float, p: float = 0.5) -> Outcome:
    return Outcome(**{**dict.fromkeys(OUTCOME_FIELDS, p), "tv_no_cheese": tv})


def make_run(folder: Path, spec: SweepSpec, share: dict[str, float], seed: int = 0, effect: float = 1.0) -> Path:
    """A run whose blindness at each site is ``1 - share`` of it; the cheese's effect differs from maze to maze."""
    effects = effect * np.random.default_rng(seed).gamma(0.5, size=1000)
    folder.mkdir(parents=True)
    spec.save(folder)
    with Store.open(folder) as store:
        store.claim({"sites": FACTS})
        store.add_levels([(level, True, "", {}) for level in spec.levels])
        for level in spec.levels:
            tv = float(effects[level])
            seen = replace(outcome(tv), p_cheese_cell=0.9)
            rows = [Row(Key(level, "clean"), "", seen), Row(Key(level, "no_cheese"), "", outcome(0.0))]
            rows += [
                Row(Key(level, "subtract", site, c), site, outcome(share[site] * tv * c))
                for site in spec.sites
                for c in spec.coefficients
            ]
            store.add(rows)
    return folder
