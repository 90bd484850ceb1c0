"""Versions of Python and of packages that a result was computed with."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping

_PACKAGES = (
    "mazesteer",
    "torch",
    "numpy",
    "scipy",
    "procgen",
    "gym3",
    "stable-baselines3",
    "scikit-learn",
    "ruptures",
    "plotly",
)


def versions() -> dict[str, str]:
    """Return the versions of Python, the machine's kind, and the installed packages that the numbers depend on."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def used_versions(before: list[dict[str, str]] | dict[str, str]) -> list[dict[str, str]]:
    """Return all sets of :func:`versions` that a run was computed with, the present one last."""
    now = versions()
    return [found for found in version_sets(before) if found and found != now] + [now]


def version_sets(stored: list[dict[str, str]] | dict[str, str]) -> list[dict[str, str]]:
    """Return the sets in what a run's store has as ``versions``: early runs kept one set, later ones a list of them."""
    return [stored] if isinstance(stored, dict) else stored


def format_versions(packages: Mapping[str, str]) -> str:
    """Return a set of :func:`versions` on one line."""
    return ", ".join(map(" ".join, packages.items()))
