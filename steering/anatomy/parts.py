"""The parts of the anatomy by name, as the command measures them: a new part is an entry here."""

from __future__ import annotations

from collections.abc import Mapping

from steering.anatomy.analogy.summary import PART as ANALOGY_PART
from steering.anatomy.circuit.summary import PART as CIRCUIT_PART
from steering.anatomy.interference_summary import PART as INTERFERENCE_PART
from steering.anatomy.modules.modules_summary import PART as MODULES_PART
from steering.anatomy.part import Part
from steering.records.anatomy.summary import ANALOGY, CIRCUIT, INTERFERENCE, MODULES

MEASURED: Mapping[str, Part] = {
    INTERFERENCE: INTERFERENCE_PART,
    ANALOGY: ANALOGY_PART,
    CIRCUIT: CIRCUIT_PART,
    MODULES: MODULES_PART,
}
"""In the order of :data:`steering.records.anatomy.summary.PARTS`."""
