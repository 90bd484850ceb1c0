"""``anatomy.json``: what the cheese vector is made of, part by part and site by site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envs.stored.json_records import check_parts
from envs.stored.ranges import Device, LevelSeed, Mode, Name, Positive, RandomSeed
from steering.records.anatomy.analogy_site import AnalogySummary, analogy_parts
from steering.records.anatomy.circuit_site import CircuitSite, circuit_parts
from steering.records.anatomy.interference_site import InterferenceSite, interference_parts
from steering.records.anatomy.modules import Modules, modules_parts
from steering.records.sweep import CheckpointId

INTERFERENCE, ANALOGY, CIRCUIT, MODULES = "interference", "analogy", "circuit", "modules"
CHECKS: Mapping[str, Callable[[Any, tuple[str, ...]], Iterator[tuple[str, object, object]]]] = {
    INTERFERENCE: interference_parts,
    ANALOGY: analogy_parts,
    CIRCUIT: circuit_parts,
    MODULES: modules_parts,
}
"""Of each part, in their order: what its record and the names of the sites must be to belong together."""
PARTS = tuple(CHECKS)
"""Names of the parts, those of their fields in :class:`AnatomySummary`."""


@dataclass(frozen=True)
class AnatomySettings:
    """The settings that determine the numbers."""

    parts: tuple[Name, ...]
    """Names of the parts measured."""
    sites: tuple[Name, ...]
    """Names of the sites, in depth order."""
    levels: tuple[LevelSeed, ...]
    """Seeds of the levels."""
    cells: Positive
    """Most cells of a level that the cheese is put on."""
    states: Positive
    """Most states of the mouse that the effective dimension is taken over."""
    seed: RandomSeed
    """Seed of everything drawn at random."""
    mode: Mode
    """Procgen's distribution mode of the levels."""
    device: Device = "cpu"
    """Kind of device that the network computed on."""


@dataclass(frozen=True)
class AnatomySummary:
    """All of ``anatomy.json``."""

    format: Name
    """Name of this format."""
    checkpoint: CheckpointId
    """The agent."""
    settings: AnatomySettings
    """The settings."""
    interference: tuple[InterferenceSite, ...] | None = None
    """Angles between the vectors of cells, by site in depth order; null: not measured."""
    analogy: AnalogySummary | None = None
    """Analogies between mazes; null: not measured."""
    circuit: tuple[CircuitSite, ...] | None = None
    """How few channels carry the cheese, by site of the trunk in depth order; null: not measured."""
    modules: Modules | None = None
    """Channels that cheese, walls and mouse move, and the graph of the weights; null: not measured."""


def check_anatomy(found: AnatomySummary, where: object, remedy: str) -> None:
    """Raise :class:`InputError` in one line if the parts of ``found`` do not belong together."""
    check_parts(_anatomy_parts(found), where, remedy)


def _anatomy_parts(found: AnatomySummary) -> Iterator[tuple[str, object, object]]:
    """Yield names of parts of ``anatomy.json``, what they are, and what they must be."""
    yield "settings: any part", bool(found.settings.parts), True
    yield "settings: any site", bool(found.settings.sites), True
    yield "parts", [name for name in PARTS if getattr(found, name) is not None], list(found.settings.parts)
    for name in found.settings.parts:
        yield from CHECKS[name](getattr(found, name), found.settings.sites)
