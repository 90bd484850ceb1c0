"""What a part of the anatomy is: its passes over the levels, each kept row by row, and how rows become numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.networks.policy import Policy
from envs.maze import Maze
from steering.anatomy.kept import row_basis, rows_name
from steering.experiments.exact import traced
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import Site
from steering.records.anatomy.summary import AnatomySettings
from steering.statistics import bootstrap
from steering.statistics.seeding import generator

ONCE = 0  # the level under which a row is kept that is not of a level
Rows = Mapping[int, Any]
"""The rows of a pass by level, :data:`ONCE` for what is not of a level."""


@dataclass(frozen=True)
class Asked:
    """What a part is asked about."""

    policy: Policy
    """The agent."""
    mazes: Sequence[Maze]
    """The levels, in the order of the settings."""
    sites: Sequence[Site]
    """The sites, in depth order."""
    settings: AnatomySettings
    """The settings of the command."""

    @functools.cached_property
    def network(self) -> PartialNetwork | None:
        """Return the agent's network, traced once for all levels; None: it cannot be traced, and is run whole."""
        return traced(self.policy.net)

    @functools.cached_property
    def samples(self) -> np.ndarray:
        """Return weights of the levels, those as they are first, then each resample: ``float64[1 + draws, n]``."""
        count = len(self.settings.levels)
        rng = generator(self.settings.seed, 0, "anatomy bootstrap", 0)
        return np.vstack([np.ones(count), bootstrap.counts(bootstrap.resamples(count, rng))])


def every_level(levels: Sequence[int]) -> Sequence[int]:
    """Return all levels: those that a pass measures if it does not say otherwise."""
    return levels


@dataclass(frozen=True)
class Pass:
    """One pass over levels. Each level's row is kept when it is measured, so a stopped pass goes on behind it."""

    row: type[Any]
    """Record of a row; as JSON it has at most 3,000,000 characters."""
    measure: Callable[[Asked, Maze, Sequence[Rows]], Any]
    """Function of what is asked, a level and the rows of the passes before, that returns the level's row."""
    basis: Mapping[str, Any]
    """Plain numbers and names that a row depends on besides the settings, such as a revision."""
    name: str = ""
    """Name among the passes of its part; empty: the first."""
    levels: Callable[[Sequence[int]], Sequence[int]] = every_level
    """Function that picks the levels of this pass from all, such as one half."""
    of_all: bool = False
    """Whether a row depends on which other levels are measured, as behind a pass that ranks."""

    def work(self, asked: Asked, before: Sequence[Rows]) -> dict[int, Callable[[], Any]]:
        """Return what makes the row of each level."""
        mazes = dict(zip(asked.settings.levels, asked.mazes, strict=True))
        wanted = self.levels(asked.settings.levels)
        return {level: functools.partial(self.measure, asked, mazes[level], before) for level in wanted}


@dataclass(frozen=True)
class Once:
    """What is measured once, not level by level: of the network alone, or of all levels together."""

    row: type[Any]
    """Record of the only row; as JSON it has at most 3,000,000 characters."""
    measure: Callable[[Asked, Sequence[Rows]], Any]
    """Function of what is asked and the rows of the passes before, that returns the row."""
    basis: Mapping[str, Any]
    """Plain numbers and names that the row depends on besides the settings, such as a revision."""
    name: str = ""
    """Name among the passes of its part; empty: the first."""
    of_all: bool = True
    """Whether the row depends on which levels are measured; False for the network alone."""

    def work(self, asked: Asked, before: Sequence[Rows]) -> dict[int, Callable[[], Any]]:
        """Return what makes the only row."""
        return {ONCE: functools.partial(self.measure, asked, before)}


@dataclass(frozen=True)
class EachSite:
    """What is measured once for each site, of all levels together. Each site's row is kept when it is measured."""

    row: type[Any]
    """Record of a row; as JSON it has at most 3,000,000 characters."""
    measure: Callable[[Asked, Site, Sequence[Rows]], Any]
    """Function of what is asked, a site and the rows of the passes before, that returns the site's row."""
    basis: Mapping[str, Any]
    """Plain numbers and names that a row depends on besides the settings, such as a revision."""
    name: str
    """Name among the passes of its part."""
    sites: Callable[[Sequence[Site]], Sequence[Site]]
    """Function that picks the sites of this pass from all; a row is kept under its site's depth."""
    of_all: bool = True
    """Whether a row depends on which levels are measured."""

    def work(self, asked: Asked, before: Sequence[Rows]) -> dict[int, Callable[[], Any]]:
        """Return what makes the row of each site."""
        wanted = self.sites(asked.sites)
        return {site.depth: functools.partial(self.measure, asked, site, before) for site in wanted}


def no_objection(policy: Policy, sites: Sequence[Site]) -> None:
    """Refuse nothing."""


@dataclass(frozen=True)
class Part:
    """One part of the anatomy, as it is measured."""

    passes: Sequence[Pass | Once | EachSite]
    """Passes in their order; each is given the rows of those before."""
    summarize: Callable[[Asked, Sequence[Rows]], Any]
    """Function of what is asked and the rows of all passes, that returns the part's record in ``anatomy.json``."""
    frames: int
    """Most frames whose activations at all sites it holds at once."""
    check: Callable[[Policy, Sequence[Site]], None] = field(default=no_objection)
    """Function that raises :class:`InputError` in one line for a network that the part cannot take."""


def basis_of(step: Pass | Once | EachSite, settings: AnatomySettings) -> str:
    """Return the digest of all that a row depends on, besides its level, the agent and the device."""
    return row_basis(settings, step.basis, of_all=step.of_all)


def stored_as(part: str, step: Pass | Once | EachSite) -> str:
    """Return the name under which the rows of a pass are kept."""
    return rows_name(part, step.name)
