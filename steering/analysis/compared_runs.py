"""The runs of a comparison, read from their stores: several runs, or the coefficients of a single one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.errors import InputError
from envs.stored.ranges import Text
from steering.experiments.conditions import MAIN
from steering.statistics.boundary import ThresholdPair
from steering.sweep.artifacts import DATABASE, INDEX, read_index
from steering.sweep.outcome_table import OutcomeTable
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store


@dataclass(frozen=True)
class ComparedRun:
    """One run under one coefficient: what subtraction did at each trunk site, level by level."""

    name: str
    """Name in the comparison: the checkpoint's, with the coefficient and where vectors were taken if not as usual."""
    spec: SweepSpec
    """Spec of the whole run."""
    coefficient: float
    """Multiple of the vector that was subtracted."""
    table: OutcomeTable
    """Outcomes of subtraction at this coefficient at the trunk sites, on the levels that have all of these."""
    thresholds: ThresholdPair
    """Thresholds of the run's last sweep command."""
    command: str
    """That command; empty if it was not recorded."""
    versions: list[dict[str, str]]
    """Versions it was computed with (see :func:`steering.sweep.provenance.used_versions`)."""
    directory: Path
    """The run's directory."""

    @property
    def sites(self) -> tuple[str, ...]:
        """Return the trunk sites swept, in the order swept."""
        return self.table.spec.sites

    @property
    def levels(self) -> tuple[int, ...]:
        """Return the levels that have all their results."""
        return tuple(self.table.levels)


def find_runs(given: Sequence[Path]) -> list[Path]:
    """Return the run directories for what a user typed: runs, or folders of several.

    Raises:
        InputError: for anything else.
    """
    found: list[Path] = []
    for path in given:
        if (path / DATABASE).is_file():
            found.append(path)
        elif (path / INDEX.file).is_file():
            found += [path / run.directory for run in read_index(path, "sweep again").runs]
        else:
            raise InputError(f"{path}: no sweep there ({DATABASE} is missing); give what --out of layer-sweep was")
    return list(dict.fromkeys(found))


def unfinished(given: Sequence[Path]) -> list[str]:
    """Return the checkpoints that the folders among ``given`` were begun for and that have no finished run there."""
    found = []
    for path in dict.fromkeys(given):
        if not (path / DATABASE).is_file():
            index = read_index(path, "sweep again")
            found += [name for name in index.checkpoints if name not in {run.name for run in index.runs}]
    return found


def read_compared_runs(directories: Sequence[Path]) -> list[ComparedRun]:
    """Read one run for each directory; a single directory with several coefficients gives one for each.

    Args:
        directories: run directories of finished sweeps.

    Returns:
        The runs, in that order, as :func:`steering.analysis.comparison.compare` takes them.

    Raises:
        InputError: if that makes fewer than two, or for a run without a finished level.

    Example:
        >>> from pathlib import Path
        >>> runs = read_compared_runs([Path("runs/mine"), Path("runs/again")])  # two finished sweeps
        >>> [run.name for run in runs]
        ['region5 in runs/mine', 'region5 in runs/again']
    """
    runs: list[ComparedRun] = []
    for directory in directories:
        spec = SweepSpec.load(directory)
        if MAIN not in spec.conditions:
            raise InputError(f"{directory}: {MAIN} was not swept there; nothing to compare")
        coefficients = spec.coefficients if len(directories) == 1 else spec.coefficients[:1]
        with Store.open(directory) as store:
            runs += [_read(store, spec, c) for c in coefficients]
    if len(runs) < 2:
        raise InputError("compare: one run with one coefficient has nothing to be compared with; give another run")
    if len(directories) > 1 and len({run.name for run in runs}) < len(runs):  # the directories tell them apart
        runs = [dataclasses.replace(run, name=f"{run.name} in {run.directory}") for run in runs]
    return runs


def _read(store: Store, spec: SweepSpec, coefficient: float) -> ComparedRun:
    table = OutcomeTable.read_trunk(store, spec, MAIN, coefficient)
    what = "" if len(spec.coefficients) == 1 and coefficient == 1 else f" x{coefficient:.15g}"
    what += "" if spec.vector == "start" else f" (vector {spec.vector})"
    return ComparedRun(
        name=spec.checkpoint + what,
        spec=spec,
        coefficient=coefficient,
        table=table,
        thresholds=store.thresholds(),
        command=store.meta("command", Text, ""),
        versions=store.versions(),
        directory=store.path.parent,
    )


def are_training_seeds(runs: Sequence[ComparedRun]) -> bool:
    """Return whether the runs are seeds of one recipe (``NAME``, ``NAME-seed1``, ...), swept alike.

    Alike is: under one coefficient, with vectors taken in one way.
    """
    recipes = {re.sub(r"-seed\d+$", "", run.spec.checkpoint) for run in runs}
    same = {(run.coefficient, run.spec.vector) for run in runs}
    return len(recipes) == len(same) == 1 and len({run.spec.sha256 for run in runs}) == len(runs)
