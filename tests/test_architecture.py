"""The layout of the code, enforced: who may import whom, and that importing anything changes nothing."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# The files of each package, lowest first: a file imports only files listed above it in its own package.
ORDER = {
    "envs": (
        "errors lazy actions state_layout state_bytes procgen_env maze levels dynamics chain trajectory slots "
        "single_env register vec_env"
    ).split(),
    "agents": (
        "directories hardware impala nature policy sb3_policy weights sb3_zip zip_members torch_pickles "
        "torch_files checkpoints evaluation history muon supervised imitation dagger ppo_archive train card pipeline "
        "publish"
    ).split(),
    "videos": "frames ffmpeg encode fields plots scene stage chart side_by_side speed".split(),
    "steering": (
        "progress network sites hooks partial vectors interventions evaluate profiles rollouts stats boundary store "
        "plan donors probe_maps probes decoding surroundings representation probe_curves depth_axis readings "
        "figures_probes "
        "fields effects summary power units executors sweep tracking findings findings_store findings_vectors "
        "findings_transfer findings_channels findings_probe behaviour findings_levels replicate words tables answer "
        "figures examples evidence page picture report film depth_film doctor bench run several development arms "
        "compare compare_readings figures_compare compare_page probing cli_agents cli_compare cli_film "
        "cli_replicate cli_stats cli_probes cli"
    ).split(),
}
# The packages each package stands on.
BELOW = {"envs": (), "agents": ("envs",), "videos": ("envs",), "steering": ("envs", "agents", "videos")}
# Third-party imports that only some files may make.
PROCGEN = {
    "procgen": ["envs.procgen_env"],
    "gym3": ["envs.procgen_env"],
    "gym": ["envs.procgen_env", "envs.single_env"],
}
# Files that must not bring in torch even through what they import: all of envs but the training environment, and
# what `mazesteer --help` and `mazesteer doctor` need.
NO_TORCH = [f"envs.{name}" for name in ORDER["envs"] if name != "vec_env"]
NO_TORCH += ["envs", "agents", "videos", "steering", "steering.doctor", "steering.cli"]
NO_TORCH += [f"steering.{name}" for name in ORDER["steering"] if name.startswith("cli_")]


def modules(package: str) -> list[str]:
    """Dotted names of the package's modules on disk, itself first, then in the order of ``ORDER``."""
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / package).rglob("*.py")
    }
    ordered = [name for name in [package, *(f"{package}.{name}" for name in ORDER[package])] if name in found]
    return ordered + sorted(found - set(ordered))


def source_of(module: str) -> str:
    path = ROOT.joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def imported(tree: ast.AST) -> list[str]:
    """Dotted names that the code imports anywhere, functions included; ``from p import m`` gives ``p.m``."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            names += [f"{home}.{alias.name}" for alias in node.names]
    return names


def violations(module: str, source: str) -> list[str]:
    """What in a module's source breaks the rules of the layout."""
    tree = ast.parse(source)
    package, _, name = module.partition(".")
    above = ORDER[package][: ORDER[package].index(name)] if name in ORDER[package] else []
    own = above if name else ["lazy"]
    found = [f"line {n.lineno}: `global`" for n in ast.walk(tree) if isinstance(n, ast.Global)]
    for target in imported(tree):
        top, *rest = target.split(".")
        if not top:
            found.append(f"relative import of {target}")
        elif target.endswith(".*"):
            found.append(f"import * from {target[:-2]}")
        elif top in ORDER:
            if top == package and not (rest and rest[0] in own):
                found.append(f"{target} is not listed above this file, or is not a module")
            elif top != package and top not in BELOW[package] and target.split(".")[:2] != ["envs", "lazy"]:
                found.append(f"{package} does not stand on {top} ({target})")
            elif not rest or rest[0] not in ORDER[top]:
                found.append(f"{target}: import from the module that defines it")
        elif top == "torch" and package == "envs":
            found.append("envs imports no torch")
        elif top in PROCGEN and module not in PROCGEN[top]:
            found.append(f"{top} is imported only by {', '.join(PROCGEN[top])}")
    return found


@pytest.mark.parametrize("package", ORDER)
def test_every_module_is_listed(package: str) -> None:
    listed = {package, *(f"{package}.{name}" for name in ORDER[package])}
    assert set(modules(package)) - listed == set(), "give the new module its place in ORDER"


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_downward(package: str) -> None:
    found = {module: violations(module, source_of(module)) for module in modules(package)}
    assert {module: broken for module, broken in found.items() if broken} == {}


def test_every_library_imported_is_one_that_is_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    needs = config["options"]["install_requires"] + config["options.extras_require"]["cluster"]
    lines = [line for line in needs.splitlines() if line and line[0] != "#"]
    declared = {re.split("[<>=~!]", line)[0].replace("-", "_") for line in lines} | {"procgen", "gym3"}
    by_module = {
        module: {target.split(".")[0] for target in imported(ast.parse(source_of(module)))}
        for package in ORDER
        for module in modules(package)
    }
    used = set().union(*by_module.values())
    assert [module for module, names in by_module.items() if "distributed" in names] == ["steering.executors"]
    third_party = used - set(ORDER) - set(sys.stdlib_module_names)
    assert {{"PIL": "pillow", "sklearn": "scikit_learn"}.get(name, name) for name in third_party} - declared == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("envs.maze", "from envs.dynamics import transition_table"),
        ("envs.maze", "def f():\n    from envs import dynamics"),
        ("envs.maze", "import envs.maze"),
        ("envs.maze", "from envs import Maze"),
        ("envs.maze", "from .actions import Move"),
        ("envs.maze", "from envs.actions import *"),
        ("envs.maze", "import torch.nn as nn"),
        ("envs.maze", "import agents.policy"),
        ("envs.maze", "import procgen"),
        ("envs.chain", "from gym import make"),
        ("agents.policy", "from videos import frames"),
        ("videos.frames", "from agents.policy import MazePolicy"),
        ("agents.policy", "from steering.sites import sites"),
        ("agents.policy", "import gym3"),
        ("steering.stats", "from agents import load_policy"),
        ("steering.stats", "def f():\n    global x\n    x = 1"),
        ("steering", "from steering.sites import sites"),
    ],
)
def test_each_kind_of_breach_is_seen(module: str, source: str) -> None:
    assert violations(module, source)


def test_what_is_allowed_is_not_taken_for_a_breach() -> None:
    assert violations("envs.maze", "import numpy as np\nfrom envs import state_bytes") == []
    assert violations("envs.maze", "from envs.actions import Move") == []
    assert violations("envs.procgen_env", "from procgen import ProcgenGym3Env") == []
    assert violations("steering.cli", "from agents.checkpoints import load_policy\nfrom steering import sites") == []
    assert violations("agents", "from envs.lazy import lazy_exports") == []


# Run in a fresh interpreter: imports modules one by one and tells on stdout what they changed. What a library changes
# when one of ours imports it is the library's affair (stable_baselines3 sets variables for pygame, rich draws from
# `random`), but what it prints is ours: stderr must stay empty but for the names printed here.
WATCH = """
import builtins, json, os, random, sys
import numpy as np

order, packages, no_torch, lazy = json.loads(sys.argv[1])
found = []

def state():
    torch = sys.modules.get("torch")
    return {
        "the working directory": os.getcwd(),
        "the environment": dict(os.environ),
        "random": random.getstate(),
        "numpy.random": repr(np.random.get_state()),
        "torch's generator": torch.get_rng_state().tolist() if hasattr(torch, "get_rng_state") else None,
    }

def compare(importer):
    now = state()
    found.extend(f"importing {importer} changes {what}" for what in now if now[what] != baseline[what])

def watched_import(name, globals=None, locals=None, fromlist=(), level=0):
    global baseline
    importer = (globals or {}).get("__name__", "")
    ours = importer.split(".")[0] in packages and name.split(".")[0] not in packages and not level
    if ours:
        compare(importer)
    try:
        return real_import(name, globals, locals, fromlist, level)
    finally:
        if ours:
            baseline = state()

real_import, builtins.__import__ = builtins.__import__, watched_import
for name in [n for n in order if n in no_torch] + [n for n in order if n not in no_torch]:
    print("##", name, file=sys.stderr, flush=True)
    baseline = state()
    __import__(name)
    compare(name)
    found += [f"importing {name} brings in {bad}" for bad in lazy if bad in sys.modules]
    if name in no_torch and "torch" in sys.modules:
        found.append(f"importing {name} brings in torch")
package = sys.modules[order[0]]
for name in package.__all__:
    getattr(package, name)
print(json.dumps(found))
"""


@pytest.mark.parametrize("package", ORDER)
def test_importing_changes_nothing(package: str, tmp_path: Path) -> None:
    """Also: every public name of the package exists, and procgen is loaded only when it is needed."""
    order = modules(package)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WATCH, json.dumps([order, list(ORDER), NO_TORCH, ["procgen", "gym3"]])],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert len(done.stdout.splitlines()) == 1, done.stdout
    assert sorted(done.stderr.splitlines()) == sorted(f"## {name}" for name in order)
    assert list(tmp_path.iterdir()) == []
