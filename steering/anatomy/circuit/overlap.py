"""What two sets of channels have in common, beside chance."""

from __future__ import annotations

import numpy as np

from steering.records.anatomy.circuit_site import Overlap


def overlap(one: set[int], other: set[int], channels: int) -> Overlap:
    """Return what two sets of the same ``channels`` have in common, beside sets of their sizes drawn at random.

    The number in common of such sets has the hypergeometric distribution.
    """
    from scipy.stats import hypergeom

    shared, both = len(one & other), len(one) + len(other)
    counts = np.arange(min(len(one), len(other)) + 1)
    chances = hypergeom(channels, len(one), len(other)).pmf(counts)
    return Overlap(
        sizes=(len(one), len(other)),
        shared=shared,
        jaccard=shared / (both - shared),
        chance=float(min(chances @ (counts / (both - counts)), 1.0)),
        p=float(min(chances[shared:].sum(), 1.0)),
    )
