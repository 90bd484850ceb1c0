"""Facts about one site of a network, as runs store it and pages show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envs.stored.ranges import Count, Name, Positive

if TYPE_CHECKING:
    from steering.interventions.sites import Site


@dataclass(frozen=True)
class SiteFacts:
    """Facts about one site; those of a network without a graph are mostly not known."""

    name: Name
    """Name of the module whose output it is; ``input`` for the picture."""
    depth: Count
    """Number of sites before it in topological order; 0 is the input."""
    shape: tuple[Count, ...]
    """Shape of its activations without the batch axis, such as (32, 16, 16)."""
    trunk: bool | None
    """Whether every path from the input to the logits passes through it; null: not known."""
    affine: bool | None
    """Whether the network is affine in the pixels up to it, so that subtraction is free; null: not known."""
    equivalence_class: Name
    """Name of the first site at which subtraction is the same experiment; its own if there is none before it."""
    receptive_field: Positive | None
    """Side of the square that one unit sees, in input pixels (1 or more); null: the whole picture, or not known."""


def site_facts(sites: Iterable[Site]) -> list[SiteFacts]:
    """Return the facts that a report gives of each site."""
    return [
        SiteFacts(
            name=site.name,
            depth=site.depth,
            shape=site.shape,
            trunk=site.trunk,
            affine=site.affine,
            equivalence_class=site.equivalence_class,
            receptive_field=site.receptive_field,
        )
        for site in sites
    ]
