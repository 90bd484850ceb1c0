"""The layout of the code, enforced: who may import whom, and that importing anything changes nothing."""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# The rooms of the house, lowest floor first; in each room its files, lowest first. A file imports from lower floors and
# from files listed before it in its own room; rooms of one floor are blind to each other.
FLOORS: tuple[dict[str, str], ...] = (
    {"envs": "errors lazy files actions"},
    {"envs.shown": "displays"},
    {"envs.stored": "sources zip_members arrays ranges json_records"},
    {"envs.simulator": "state_layout state_bytes procgen_env ascii_states"},
    {"envs": "maze dynamics chain trajectory recording register"},
    {"envs.training": "levels teachers returns slots single_env vec_env"},
    {"agents.networks": "impala nature policy sb3_policy"},
    {"agents.untrusted": "weights plain_pickles torch_pickles torch_files"},
    {"agents.checkpoints": "stated sb3_data sb3_zip registry files cards zoo"},
    {"agents": "hardware fork_server workers evaluation"},
    {"agents.sessions": "history muon session data"},
    {"agents.training": "supervised imitation dagger exact ppo_archive ppo race card pipeline publish",
     "videos": "frames ffmpeg encode fields plots scene stage chart side_by_side rollout_film"},
    {
        "steering.interventions": "graph sites hooks shared_passes partial vectors places edit_kinds edits",
        "steering.statistics": "bootstrap boundary formatting paired sample_size seeding sequential",
    },
    {"steering.experiments": "conditions outcome exact profiles levels vector_kinds edit_fields edit_text "
                             "level_conditions sampled"},
    {"steering.records": "sites boundary sweep probes planning readouts readings"},
    {"steering.records.anatomy": "interference_site analogy_site circuit_site shared_channels modules summary"},
    {"steering.records": "comparison examples replication"},
    {"steering.sweep": "artifacts provenance spec recordings store outcome_table units executors run planning"},
    {"steering.measuring": "rows beside_sweep"},
    {"steering.planning": "pairs readers behaviour located maps measure summary located_summary run"},
    {"steering.probes": "score_records data ridge convolutional summary surroundings scores curves "
                        "position_dependence run"},
    {"steering.readouts": "frames learners windows measure summary run directions written written_summary written_run"},
    {"steering.anatomy": "gram kept part interference mean_vectors interference_summary"},
    {
        "steering.anatomy.analogy": "pairs ranks behaviour measure summary",
        "steering.anatomy.circuit": "states orders level rows choices measure greedily overlap points "
                                    "summary",
        "steering.anatomy.modules": "energy channels partition alignment network modules_summary",
    },
    {"steering.anatomy": "parts several run"},
    {"steering.analysis": "paired_effects readings distances summary power conclusion compared_runs "
                          "development comparison_readings comparison"},
    {"steering.analysis.anatomy": "matching circuits"},
    {"steering.replication": "tracking protocol store own_vectors transfer channels cheese_probe behaviour levels run"},
    {"steering.films": "move_fields heat_maps condition_film sweep_film site_film map_film example_mazes "
                       "example_fields"},
    {"steering.marks": "colours site_axis"},
    {"steering.figures": "tables weighting_figures static_figures probe_figures planning_figures "
                         "readout_figures written_figures sweep_figures hero_figure comparison_figures"},
    {"steering.figures.anatomy": "lines interference_figures mean_figures analogy_figures circuit_figures "
                                 "circuit_curves shared_figures modules_words modules_figures parts"},
    {"steering.reports": "captions page first_screen network_diagram sweep_report comparison_report"},
    {"steering": "bench bench_films bench_device doctor"},
    {"steering.workflows": "progress live_chart outputs finished kept_vectors sweep_runs control"},
    {"steering.app": ""},
    {"steering.app.session": "updates state frames fields context outcomes"},
    {"steering.app.inside": "gradual heat channels curve causal rollouts"},
    {"steering.app.session": "library hello taken session"},
    {"steering": "bench_workbench"},
    {"steering.app.web": "frames guard pieces conversation server notebook widget"},
    {"steering.cli": "options"},
    {
        "steering.cli.given": "edit_options vector",
        "steering.cli.anatomy": "columns shown_interference shown_analogy shown_circuit shown_modules command",
        "steering.cli.workbench": "command",
    },
    {"steering.cli": "layer_sweep agents compare films probes planning replicate app __main__"},
)  # fmt: skip
# Where each file stands: (floor, room, place in it).
PLACES = {
    f"{room}.{name}": (floor, room, place)
    for floor, rooms in enumerate(FLOORS)
    for room, names in rooms.items()
    for place, name in enumerate(names.split())
}
PACKAGES = ("envs", "agents", "videos", "steering")
# The packages each package stands on.
BELOW = {"envs": (), "agents": ("envs",), "videos": ("envs",), "steering": ("envs", "agents", "videos")}
# Third-party imports that only some files may make.
PROCGEN = {
    "procgen": ["envs.simulator.procgen_env"],
    "gym3": ["envs.simulator.procgen_env"],
    "gym": ["envs.simulator.procgen_env", "envs.training.single_env"],
}
# What must not bring in torch even through what it imports: these rooms (of envs, all but the training environment),
# each room's own docstring and names, and what `mazesteer --help`, `mazesteer doctor` and `mazesteer report` need.
FREE_OF_TORCH = (
    "envs",
    "envs.shown",
    "envs.simulator",
    "envs.stored",
    "envs.training",
    "videos",
    "steering.statistics",
    "steering.records",
    "steering.records.anatomy",
    "steering.analysis",
    "steering.analysis.anatomy",
    "steering.marks",
    "steering.figures",
    "steering.figures.anatomy",
    "steering.reports",
)
NO_TORCH = [name for name, (_, room, _) in PLACES.items() if room in FREE_OF_TORCH and name != "envs.training.vec_env"]
NO_TORCH += [*PACKAGES, *(room for rooms in FLOORS for room in rooms), "agents.checkpoints.cards", "steering.doctor"]
NO_TORCH += ["agents.checkpoints.stated", "agents.sessions.history", "steering.films.move_fields"]
NO_TORCH += [f"steering.probes.{name}" for name in ("score_records", "summary", "curves")]
NO_TORCH += ["steering.anatomy.kept", *(f"steering.anatomy.circuit.{name}" for name in ("rows", "choices", "overlap"))]
NO_TORCH += [name for name, (_, room, _) in PLACES.items() if room.startswith("steering.cli")]
NO_TORCH += [f"steering.workflows.{name}" for name in ("progress", "outputs", "finished")]
MOST_FILES = 10  # of a room
MOST_LINES = 350  # of a file


def modules(package: str) -> list[str]:
    """Dotted names of the package's modules on disk, itself first, then in the order of ``FLOORS``."""
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / package).rglob("*.py")
    }
    ordered = [name for name in (package, *PLACES) if name in found]
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


def home_of(target: str) -> str:
    """The module that a dotted name of ours lies in; empty if it names only a room, or nothing of ours."""
    parts = target.split(".")
    return next((".".join(parts[:k]) for k in range(len(parts), 0, -1) if ".".join(parts[:k]) in PLACES), "")


def violations(module: str, source: str) -> list[str]:
    """Return the parts of a module's source that break the rules of the layout."""
    tree = ast.parse(source)
    package = module.split(".")[0]
    found = [f"line {n.lineno}: `global`" for n in ast.walk(tree) if isinstance(n, ast.Global)]
    for target in imported(tree):
        top = target.split(".")[0]
        home = home_of(target)
        if not top:
            found.append(f"relative import of {target}")
        elif target.endswith(".*"):
            found.append(f"import * from {target[:-2]}")
        elif top in PACKAGES:
            if not home:
                found.append(f"{target}: import from the module that defines it")
            elif home == "envs.lazy":
                continue
            elif top not in (package, *BELOW[package]):
                found.append(f"{package} does not stand on {top} ({target})")
            elif module not in PLACES:
                found.append(f"{module} offers names lazily and imports nothing ({target})")
            elif not lower(home, module):
                found.append(f"{home} does not stand below {module}")
        elif top == "torch" and package == "envs":
            found.append("envs imports no torch")
        elif top in PROCGEN and module not in PROCGEN[top]:
            found.append(f"{top} is imported only by {', '.join(PROCGEN[top])}")
    return found


def lower(home: str, module: str) -> bool:
    """Return True if ``home`` stands on a lower floor than ``module``, or before it in the same room."""
    (floor, room, place), (own_floor, own_room, own_place) = PLACES[home], PLACES[module]
    return floor < own_floor or (floor == own_floor and room == own_room and place < own_place)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_is_listed(package: str) -> None:
    rooms = {package, *(room for rooms in FLOORS for room in rooms)}
    assert set(modules(package)) - rooms - set(PLACES) == set(), "give the new module its place in FLOORS"
    assert [name for name in PLACES if name.split(".")[0] == package and name not in modules(package)] == []


@pytest.mark.parametrize("room", sorted({room for rooms in FLOORS for room in rooms}))
def test_a_room_is_small_says_its_purpose_and_offers_its_names(room: str) -> None:
    """Its docstring is one line; its public names exist, and none is also the name of one of its files."""
    files = {path.stem for path in ROOT.joinpath(*room.split(".")).glob("*.py")} - {"__init__"}
    assert len(files) <= MOST_FILES, "a room has one purpose: find the new file another, or make one"
    package = importlib.import_module(room)
    assert package.__doc__ and "\n" not in package.__doc__.strip() and package.__doc__.endswith(".")
    assert package.__all__ == sorted(package.__all__) and not files & set(package.__all__)
    assert all(getattr(package, name) is not None for name in package.__all__)


def test_no_file_is_long() -> None:
    lines = {module: source_of(module).count("\n") for package in PACKAGES for module in modules(package)}
    assert {module: n for module, n in lines.items() if n > MOST_LINES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_downward(package: str) -> None:
    found = {module: violations(module, source_of(module)) for module in modules(package)}
    assert {module: broken for module, broken in found.items() if broken} == {}


def test_every_library_imported_is_one_that_is_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    needs = "\n".join(
        [config["options"]["install_requires"], *(extras[x] for x in ("app", "cluster", "notebook", "pandas"))]
    )
    lines = [line for line in needs.splitlines() if line and line[0] != "#"]
    declared = {re.split("[<>=~!]", line)[0].replace("-", "_") for line in lines} | {"procgen", "gym3"}
    by_module = {
        module: {target.split(".")[0] for target in imported(ast.parse(source_of(module)))}
        for package in PACKAGES
        for module in modules(package)
    }
    used = set().union(*by_module.values())
    assert [module for module, names in by_module.items() if "distributed" in names] == ["steering.sweep.executors"]
    assert [module for module, names in by_module.items() if "pandas" in names] == ["steering.workflows.finished"]
    web = {"starlette", "uvicorn", "websockets", "anywidget", "traitlets"}
    assert [m for m, names in by_module.items() if web & names and not m.startswith("steering.app.web.")] == []
    third_party = used - set(PACKAGES) - set(sys.stdlib_module_names)
    assert {{"PIL": "pillow", "sklearn": "scikit_learn"}.get(name, name) for name in third_party} - declared == set()


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        ("envs.maze", "from envs.dynamics import transition_table", "envs.dynamics does not stand below"),
        ("envs.maze", "def f():\n    from envs import dynamics", "envs.dynamics does not stand below"),
        ("envs.maze", "import envs.maze", "envs.maze does not stand below envs.maze"),
        ("envs.maze", "from envs import Maze", "import from the module that defines it"),
        ("envs.maze", "from .actions import Move", "relative import"),
        ("envs.maze", "from envs.actions import *", "import * from"),
        ("envs.maze", "import torch.nn as nn", "no torch"),
        ("envs.maze", "import agents.networks.policy", "envs does not stand on agents"),
        ("envs.maze", "import procgen", "procgen is imported only by"),
        ("envs.chain", "from gym import make", "gym is imported only by"),
        ("agents.networks.policy", "from videos import frames", "agents does not stand on videos"),
        ("videos.frames", "from agents.networks.policy import MazePolicy", "videos does not stand on agents"),
        (
            "agents.networks.policy",
            "from steering.interventions.sites import sites",
            "agents does not stand on steering",
        ),
        ("agents.networks.policy", "import gym3", "gym3 is imported only by"),
        ("steering.statistics.paired", "from agents import load_policy", "import from the module that defines it"),
        ("steering.statistics.paired", "from steering.interventions import sites", "sites does not stand below"),
        ("steering.interventions.sites", "from steering.statistics import paired", "paired does not stand below"),
        ("steering.statistics.paired", "def f():\n    global x\n    x = 1", "`global`"),
        ("steering", "from steering.interventions.sites import sites", "offers names lazily"),
    ],
)
def test_each_kind_of_breach_is_seen(module: str, source: str, said: str) -> None:
    (found,) = violations(module, source)
    assert said in found


def test_what_is_allowed_is_not_taken_for_a_breach() -> None:
    assert violations("envs.maze", "import numpy as np\nfrom envs.simulator import state_bytes") == []
    assert violations("envs.maze", "from envs.actions import Move") == []
    assert violations("envs.simulator.procgen_env", "from procgen import ProcgenGym3Env") == []
    assert (
        violations(
            "steering.cli.app",
            "from agents.checkpoints.zoo import load_policy\nfrom steering.interventions import sites",
        )
        == []
    )
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
    kind, keys, *rest = np.random.get_state()
    return {
        "the working directory": os.getcwd(),
        "the environment": dict(os.environ),
        "random": random.getstate(),
        "numpy.random": (kind, keys.tobytes(), *rest),
        "torch's generator": torch.get_rng_state().numpy().tobytes() if hasattr(torch, "get_rng_state") else None,
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


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_changes_nothing(package: str, tmp_path: Path) -> None:
    """Also: every public name of the package exists, and procgen is loaded only when it is needed."""
    order = modules(package)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if not sys.pycache_prefix:  # where compiled files would be put beside the sources
        env["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", WATCH, json.dumps([order, list(PACKAGES), NO_TORCH, ["procgen", "gym3"]])],
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
