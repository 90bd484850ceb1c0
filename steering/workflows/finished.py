"""A finished sweep as a Python object: numbers, tables and figures from its directory; nothing is computed anew."""

from __future__ import annotations

import functools
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from envs.errors import InputError
from envs.shown.displays import html_picture, html_table
from steering.analysis.conclusion import conclude_sweep
from steering.analysis.summary import summarize_run
from steering.experiments.outcome import OUTCOME_FIELDS
from steering.figures.static_figures import sweep_picture
from steering.figures.sweep_figures import blindness_figure
from steering.records.boundary import BoundarySummary
from steering.records.sweep import SweepSummary
from steering.sweep.artifacts import RunArtifacts, read_artifacts
from steering.sweep.outcome_table import outcome_rows
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from steering.workflows.outputs import print_summary, rewrite_outputs, summary_rows

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Run:
    """A finished sweep; made by :func:`load_run` and :func:`steering.workflows.sweep_runs.layer_sweep`.

    Example:
        >>> run = load_run("runs/mine")  # a finished sweep
        >>> run.boundary.site, type(run.plot_blindness()).__name__, run.report().name
        ('embedder.block2.res1.resadd', 'Figure', 'report.html')
    """

    directory: Path
    """The run directory."""
    spec: SweepSpec
    """The settings of the sweep: levels, sites, conditions and so on."""
    summary: SweepSummary
    """All numbers of ``summary.json``, as a record."""

    @property
    def boundary(self) -> BoundarySummary:
        """Return up to which site subtraction works: ``boundary.site``, with the ends ``low`` and ``high``."""
        return self.summary.boundary

    @functools.cached_property
    def others(self) -> RunArtifacts:
        """Return what other commands measured in this directory: ``probes``, ``planning``, ``readouts`` and so on."""
        return read_artifacts(self.directory, self.spec.sha256, self.spec.mode, self.spec.levels)[0]

    @property
    def answer(self) -> str:
        """Return the finding in a few sentences, as the report has it."""
        return conclude_sweep(self.summary, self.others.probes, self.others.planning)

    def to_pandas(self) -> pandas.DataFrame:
        """Return all outcomes as a table: a row for each level, condition, site, coefficient and draw.

        Returns:
            The columns of ``outcomes.csv``; NaN where an outcome is undefined.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise InputError("to_pandas: pandas is not installed; type `pip install 'mazesteer[pandas]'`") from None
        with Store.read(self.directory) as store:
            names, rows = outcome_rows(store)
        table = pandas.DataFrame(rows, columns=names)
        return table.astype(dict.fromkeys(OUTCOME_FIELDS, "float64") | {"source": "Int64"})

    def report(self, blindness: float | None = None, competence: float | None = None) -> Path:
        """Write the report and the other outputs again, as ``mazesteer report`` does.

        Args:
            blindness: least blindness of every site up to the boundary; None: as the sweep had it.
            competence: least competence; None: as the sweep had it.

        Returns:
            The path of ``report.html``.

        Raises:
            InputError: for thresholds out of range, or a directory that cannot be written.
        """
        rewrite_outputs(self.directory, blindness, competence)
        return self.directory / "report.html"

    def plot_blindness(self) -> go.Figure:
        """Return blindness and competence over depth as a plotly figure, to be shown, styled or saved."""
        return blindness_figure(self.summary)

    def __repr__(self) -> str:
        made = f"Run {self.directory}: {self.spec.checkpoint} (sha256 {self.spec.sha256[:12]}), {self.spec.mode} mode"
        to = Console(width=120, highlight=False, color_system=None, file=io.StringIO())
        print_summary(self.summary, self.answer, to)
        return made + "\n" + to.file.getvalue().rstrip()  # type: ignore[attr-defined]

    def _repr_html_(self) -> str:
        columns, rows = summary_rows(self.summary)
        picture = html_picture(sweep_picture(self.summary), f"{self.spec.checkpoint}, {self.directory}")
        return html_table(columns, rows, self.answer) + picture


def load_run(directory: str | os.PathLike[str]) -> Run:
    """Return a finished sweep by its directory.

    Args:
        directory: what ``out`` of ``layer_sweep``, or ``--out`` of ``mazesteer layer-sweep``, was.

    Returns:
        Its numbers, with the thresholds of its last sweep; tables and figures are made when they are asked for.

    Raises:
        InputError: there is no finished run, or it is damaged.

    Example:
        >>> run = load_run("runs/mine")
        >>> run.spec.levels, len(run.summary.sites)
        ((26, 54, 193), 4)
    """
    return Run(Path(directory), SweepSpec.load(directory), summarize_run(directory))
