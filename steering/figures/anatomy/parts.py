"""What the report shows of each part of the anatomy: a new part is an entry here, and its captions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import plotly.graph_objects as go

from steering.figures.anatomy.analogy_figures import analogy_caption, analogy_figure, analogy_table
from steering.figures.anatomy.circuit_curves import (
    circuit_curves_caption,
    circuit_curves_figure,
    circuit_curves_table,
)
from steering.figures.anatomy.circuit_figures import circuit_caption, circuit_figure, circuit_table
from steering.figures.anatomy.interference_figures import (
    interference_caption,
    interference_figure,
    interference_table,
)
from steering.figures.anatomy.mean_figures import mean_caption, mean_figure, mean_table
from steering.figures.anatomy.modules_figures import (
    modules_figure,
    modules_table,
    modules_training_figure,
    modules_training_table,
)
from steering.figures.anatomy.modules_words import modules_caption
from steering.figures.tables import Table
from steering.records.anatomy.summary import ANALOGY, CIRCUIT, INTERFERENCE, MODULES, AnatomySummary


@dataclass(frozen=True)
class ShownPart:
    """What is shown of one part. The name of a figure is the part's, or begins with it and a hyphen."""

    figures: Mapping[str, Callable[[AnatomySummary], go.Figure | None]]
    """Functions that draw the figures, by name; those that there is nothing to draw of return None."""
    tables: Mapping[str, Callable[[AnatomySummary], Table]]
    """Functions that return the table below a figure, by the figure's name."""
    caption: Callable[[AnatomySummary], Mapping[str, object]]
    """Function that returns the values in the captions of its figures."""


SHOWN: Mapping[str, ShownPart] = {
    INTERFERENCE: ShownPart(
        {"interference": interference_figure, "interference-means": mean_figure},
        {"interference": interference_table, "interference-means": mean_table},
        lambda found: {**interference_caption(found), **mean_caption(found)},
    ),
    ANALOGY: ShownPart({"analogy": analogy_figure}, {"analogy": analogy_table}, analogy_caption),
    CIRCUIT: ShownPart(
        {"circuit": circuit_figure, "circuit-curves": circuit_curves_figure},
        {"circuit": circuit_table, "circuit-curves": circuit_curves_table},
        lambda found: {**circuit_caption(found), **circuit_curves_caption(found)},
    ),
    MODULES: ShownPart(
        {"modules": modules_figure, "modules-training": modules_training_figure},
        {"modules": modules_table, "modules-training": modules_training_table},
        modules_caption,
    ),
}
"""By name of the part."""


def _shown(found: AnatomySummary | None) -> list[ShownPart]:
    return [] if found is None else [SHOWN[name] for name in found.settings.parts]


def anatomy_figures(found: AnatomySummary | None) -> dict[str, go.Figure | None]:
    """Return the figures of the parts that were measured, by name."""
    return {name: draw(found) for part in _shown(found) for name, draw in part.figures.items() if found}


def anatomy_tables(found: AnatomySummary | None) -> dict[str, Table]:
    """Return the tables of the parts that were measured, by name of their figure."""
    return {name: make(found) for part in _shown(found) for name, make in part.tables.items() if found}


def anatomy_captions(found: AnatomySummary | None) -> dict[str, object]:
    """Return the values in the captions of the parts that were measured."""
    return {name: value for part in _shown(found) if found for name, value in part.caption(found).items()}
