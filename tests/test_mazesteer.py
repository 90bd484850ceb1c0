"""The module ``mazesteer``: the public names of the four packages under one import, at no cost."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import agents
import envs
import mazesteer
import steering
import videos

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (agents, envs, steering, videos)


def test_it_offers_every_public_name_of_the_packages_and_no_other() -> None:
    names = [name for package in PACKAGES for name in package.__all__]
    assert mazesteer.__all__ == sorted(names) and len(set(names)) == len(names), "one name, one thing"
    assert all(getattr(mazesteer, name) is getattr(package, name) for package in PACKAGES for name in package.__all__)


@pytest.mark.parametrize("module", [*PACKAGES, mazesteer], ids=lambda module: module.__name__)
def test_completion_lists_the_public_names(module: object) -> None:
    assert dir(module) == sorted(module.__all__)  # type: ignore[attr-defined]


def test_what_is_typed_most_is_among_them() -> None:
    typed = {
        "load_policy",
        "as_policy",
        "Maze",
        "cheese_vector",
        "cheese_vectors",
        "subtract",
        "add",
        "patch",
        "ablate",
    }
    typed |= {"clamp", "evaluate", "rollouts"}
    assert typed <= set(mazesteer.__all__)


def test_it_is_thin() -> None:
    """It defines nothing of its own and imports the packages, and the command where it is run."""
    tree = ast.parse((ROOT / "mazesteer.py").read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    plain = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    others = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert plain == [package.__name__ for package in PACKAGES] and others == ["envs.lazy", "steering.cli.app"]


def test_importing_it_and_listing_its_names_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import json, sys, mazesteer\ndir(mazesteer), mazesteer.__version__\nprint(json.dumps(sorted(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"torch", "numpy", "procgen", "pandas", "matplotlib", "plotly", "typer"}
