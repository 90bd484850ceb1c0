"""What a report shows beside the sweep's own numbers, read from a run directory: nothing here runs a network.

Probes, vector fields and the published findings are files of other commands (``probes.json``, ``fields.json``,
``replicate.json``); one that was made with another checkpoint or mode is left out, and the report says so.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

from steering.experiments.conditions import MAIN, Key
from steering.plan import SweepSpec
from steering.store import Store
from steering.units import rollout_site

_PARTS = {"cheese": "p_cheese_decision", "corner": "p_corner_decision", "other": "p_other_decision"}
_PACKAGES = ("mazesteer", "torch", "numpy", "scipy", "procgen", "gym3", "stable-baselines3", "scikit-learn",
             "ruptures", "plotly")  # fmt: skip


def versions() -> dict[str, str]:
    """Python, the machine's kind, and the packages that the numbers depend on; what is not installed is left out."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def used_versions(before: list[dict[str, str]] | dict[str, str]) -> list[dict[str, str]]:
    """All sets of :func:`versions` that a run was computed with, the present one last."""
    now = versions()
    return [found for found in version_sets(before) if found and found != now] + [now]


def version_sets(stored: list[dict[str, str]] | dict[str, str]) -> list[dict[str, str]]:
    """What a run's store has as ``versions``: early runs kept one set, later ones a list of them."""
    return [stored] if isinstance(stored, dict) else stored


def listed(packages: Mapping[str, str]) -> str:
    """A set of :func:`versions` on one line."""
    return ", ".join(map(" ".join, packages.items()))


def decision_squares(store: Store, spec: SweepSpec) -> dict[str, Any] | None:
    """Per maze, the move probabilities at the decision square: clean, subtracted at one site, cheese removed.

    ``{"site": name, "levels": [...], "clean" | "subtract" | "no_cheese": {"cheese" | "corner" | "other": [float]}}``.
    The site is the published one if it was swept. None if subtraction was not.
    """
    if MAIN not in spec.conditions:
        return None
    site = rollout_site(spec.sites)
    table = {row.key: row.outcome for row in store.rows()}
    keys = {
        "clean": [Key(level, "clean") for level in spec.levels],
        MAIN: [Key(level, MAIN, site, spec.coefficients[0]) for level in spec.levels],
        "no_cheese": [Key(level, "no_cheese") for level in spec.levels],
    }
    whole = [i for i in range(len(spec.levels)) if all(column[i] in table for column in keys.values())]
    if not whole:
        return None
    found: dict[str, Any] = {"site": site, "levels": [spec.levels[i] for i in whole]}
    for world, column in keys.items():
        found[world] = {part: [getattr(table[column[i]], name) for i in whole] for part, name in _PARTS.items()}
    return found
