"""The runs of a comparison, read from their stores: one arm per run, or per coefficient of a single run."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.errors import InputError
from steering.experiments.conditions import MAIN, Key
from steering.sweep.artifacts import DATABASE, INDEX, read_index
from steering.sweep.provenance import version_sets
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store, thresholds

FACTS = ("name", "depth", "affine", "equivalence_class", "receptive_field")


@dataclass(frozen=True)
class ComparedRun:
    """One run under one coefficient: per level and trunk site, what subtraction did.

    ``facts``: of each site, :data:`FACTS`; ``edited``: ``{(level, site): Outcome fields}``; ``clean``, ``no_cheese``:
    ``{level: Outcome fields}``; ``thresholds``: those of the run's last sweep command, ``command``; ``versions``: see
    :func:`steering.sweep.provenance.used_versions`; ``directory``: of the run.
    """

    name: str
    spec: SweepSpec
    coefficient: float
    sites: tuple[str, ...]
    facts: dict[str, dict[str, Any]]
    edited: dict[tuple[int, str], dict[str, float]]
    clean: dict[int, dict[str, float]]
    no_cheese: dict[int, dict[str, float]]
    thresholds: dict[str, float]
    command: str
    versions: list[dict[str, str]]
    directory: Path

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels that have all their results."""
        return tuple(
            level
            for level in self.spec.levels
            if level in self.clean and level in self.no_cheese and all((level, s) in self.edited for s in self.sites)
        )


def find_runs(given: Sequence[Path]) -> list[Path]:
    """Run directories for what a user typed: runs, or folders of several.

    Raises :class:`InputError` for anything else.
    """
    found: list[Path] = []
    for path in given:
        if (path / DATABASE).is_file():
            found.append(path)
        elif (path / INDEX.file).is_file():
            found += [path / row["directory"] for row in read_index(path, "sweep again")["runs"]]
        else:
            raise InputError(f"{path}: no sweep there ({DATABASE} is missing); give what --out of layer-sweep was")
    return list(dict.fromkeys(found))


def unfinished(given: Sequence[Path]) -> list[str]:
    """Checkpoints that the folders among ``given`` were begun for and that have no finished run there."""
    found = []
    for path in dict.fromkeys(given):
        if not (path / DATABASE).is_file():
            index = read_index(path, "sweep again")
            found += [name for name in index["checkpoints"] if name not in {row["name"] for row in index["runs"]}]
    return found


def read_arms(runs: Sequence[Path]) -> list[ComparedRun]:
    """One arm per run; a single run with several coefficients gives one for each.

    Raises :class:`InputError` if that makes fewer than two.
    """
    arms: list[ComparedRun] = []
    for run in runs:
        spec = SweepSpec.load(run)
        if MAIN not in spec.conditions:
            raise InputError(f"{run}: {MAIN} was not swept there; nothing to compare")
        coefficients = spec.coefficients if len(runs) == 1 else spec.coefficients[:1]
        with Store.open(run) as store:
            arms += [_arm(store, spec, c) for c in coefficients]
    if len(arms) < 2:
        raise InputError("compare: one run with one coefficient has nothing to be compared with; give another run")
    if len(runs) > 1 and len({arm.name for arm in arms}) < len(arms):  # the directories tell them apart
        arms = [dataclasses.replace(arm, name=f"{arm.name} in {run}") for arm, run in zip(arms, runs, strict=True)]
    return arms


def _arm(store: Store, spec: SweepSpec, coefficient: float) -> ComparedRun:
    facts = {fact["name"]: fact for fact in store.meta("sites")}
    sites = tuple(name for name in spec.sites if facts[name]["trunk"])
    if not sites:
        raise InputError(f"{store.path.parent}: no trunk site was swept; nothing to compare")
    table = {row.key: dataclasses.asdict(row.outcome) for row in store.rows()}
    what = "" if len(spec.coefficients) == 1 and coefficient == 1 else f" x{coefficient:.15g}"
    what += "" if spec.vector == "start" else f" (vector {spec.vector})"
    return ComparedRun(
        name=spec.checkpoint + what,
        spec=spec,
        coefficient=coefficient,
        sites=sites,
        facts={name: {key: facts[name][key] for key in FACTS} for name in sites},
        edited={
            (level, site): table[key]
            for level, site in itertools.product(spec.levels, sites)
            if (key := Key(level, MAIN, site, coefficient)) in table
        },
        clean={level: table[Key(level, "clean")] for level in spec.levels if Key(level, "clean") in table},
        no_cheese={level: table[Key(level, "no_cheese")] for level in spec.levels if Key(level, "no_cheese") in table},
        thresholds=thresholds(store),
        command=store.meta("command", ""),
        versions=version_sets(store.meta("versions", [])),
        directory=store.path.parent,
    )


def training_seeds(arms: Sequence[ComparedRun]) -> bool:
    """Whether the arms are seeds of one recipe (``NAME``, ``NAME-seed1``, ...) under one coefficient and vector."""
    recipes = {re.sub(r"-seed\d+$", "", arm.spec.checkpoint) for arm in arms}
    same = {(arm.coefficient, arm.spec.vector) for arm in arms}
    return len(recipes) == len(same) == 1 and len({arm.spec.sha256 for arm in arms}) == len(arms)
