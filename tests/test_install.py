"""The installed wheel, as a user gets it, in an environment without this checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "envs", "steering", "videos")
MODULE = "mazesteer.py"  # all their names under one import


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)


def succeeded(*command: str | Path, cwd: Path) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def product_files(names: Sequence[str] = PACKAGES) -> set[str]:
    """The files of the packages, as paths from the project's root."""
    return {
        path.relative_to(ROOT).as_posix()
        for name in names
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built offline from a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (MODULE, "setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, source)
    out = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    succeeded(sys.executable, "-m", "pip", "wheel", *offline, "-w", out, source, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it, and the libraries of this one within reach."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    succeeded(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin" / "python")
    succeeded(*pip, "install", "--no-deps", "--no-index", wheel, cwd=folder.parent)
    # After the wheel, or pip would see this environment's mazesteer as the one to replace. Names in a .pth file are
    # added to the path without reading the .pth files in them, so an editable install here stays out of sight.
    (site,) = folder.glob("lib/python*/site-packages")
    here = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (site / "libraries.pth").write_text("\n".join(here) + "\n")
    return folder


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == product_files() | {MODULE}


def test_the_wheel_holds_a_trained_policy_with_its_card(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    policies = {name for name in packed if name.startswith("agents/zoo/") and name.endswith(".safetensors")}
    assert policies
    of_series = {name for name in policies if Path(name).parent.name.endswith("-series")}
    assert {name.replace(".safetensors", ".json") for name in policies - of_series} <= packed
    assert {str(Path(name).parent / "series.json") for name in of_series} <= packed


def test_the_packages_import_from_an_empty_folder(venv: Path, tmp_path: Path) -> None:
    names = ", ".join((*PACKAGES, "mazesteer"))
    code = f"import {names}\nfor m in ({names}): print(m.__file__)"
    places = succeeded(venv / "bin" / "python", "-c", code, cwd=tmp_path).split()
    assert [Path(place).is_relative_to(venv) for place in places] == [True] * 5
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_the_one_that_pip_knows(venv: Path, tmp_path: Path) -> None:
    code = "import mazesteer, importlib.metadata as m\nprint(mazesteer.__version__, m.version('mazesteer'))"
    told, known = succeeded(venv / "bin" / "python", "-c", code, cwd=tmp_path).split()
    assert told == known


def test_a_shipped_policy_loads_from_an_empty_folder(venv: Path, tmp_path: Path) -> None:
    (name, *_) = sorted(path.stem for path in (ROOT / "agents" / "zoo").glob("*.safetensors"))
    code = f"from agents import load_policy\nprint(type(load_policy({name!r})).__module__)"
    assert succeeded(venv / "bin" / "python", "-c", code, cwd=tmp_path).startswith("agents.")


def test_the_command_answers_from_an_empty_folder(venv: Path, tmp_path: Path) -> None:
    done = run(venv / "bin" / "mazesteer", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(venv / "bin" / "python", "-m", "mazesteer", "--help", cwd=tmp_path).stdout == done.stdout
    for command in ("layer-sweep", "outcome", "sites", "video", "evaluate", "doctor"):
        assert command in done.stdout
    assert list(tmp_path.iterdir()) == []
