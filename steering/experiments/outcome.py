"""The outcome of one level under one condition, and its profile by distance: fields and their names (no torch)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

HORIZON = 256


@dataclass(frozen=True)
class Outcome:
    """Statistics of one (level, condition), exact up to floating point; NaN where undefined.

    Within the horizon: ``p_cheese`` the cheese is eaten, ``p_cheese_cell`` the cell where the
    level has its cheese is visited (also where the cheese was taken away), ``p_corner`` the
    top-right cell and ``p_region`` the top-right 5x5 are visited before the episode ends,
    ``p_region_first`` the top-right 5x5 before the cell where the level has its cheese (equal to
    ``p_region`` while the cheese is there, so levels with and without it compare),
    ``expected_steps`` moves made. At the decision square, in the facing left by the shortest
    path: probability of the move towards the cheese, towards the corner, of any other.
    ``path_probability_*``: geometric mean of step probabilities along the shortest path.
    ``value_start``: value head at the start. ``tv_*``: mean total-variation distance of the move
    distributions to those of the clean and of the no-cheese policy, uniform over all states off
    the cheese cell, or weighted by the no-cheese occupancy (``*_occupancy``).
    """

    p_cheese: float
    p_cheese_cell: float
    p_corner: float
    p_region: float
    p_region_first: float
    p_cheese_decision: float
    p_corner_decision: float
    p_other_decision: float
    expected_steps: float
    path_probability_cheese: float
    path_probability_corner: float
    value_start: float
    tv_clean: float
    tv_no_cheese: float
    tv_clean_occupancy: float
    tv_no_cheese_occupancy: float

    def to_json(self) -> dict[str, float | None]:
        """Plain numbers; NaN becomes null."""
        return {key: (None if np.isnan(value) else value) for key, value in dataclasses.asdict(self).items()}


OUTCOME_FIELDS = tuple(f.name for f in dataclasses.fields(Outcome))
# First path length of each bin; the last is open.
DISTANCES = (0, 1, 3, 6, 11, 21, 41, 81)
PROFILE_SUMS = ("tv_subtract", "tv_clean", "interaction", "difference")
PROFILE_FIELDS = ("level", "site", "coefficient", "distance", "outside", "states", *PROFILE_SUMS)


@dataclass(frozen=True)
class Profile:
    """Sums over the ``states`` of one level in one bin, for one site and multiple of the vector.

    ``distance``: first path length of the bin (see ``DISTANCES``). ``outside``: 1 where the present and the start
    position are both farther from the cheese than the site's receptive field, so that additivity is guaranteed.
    ``tv_subtract``, ``tv_clean``: total-variation distances to the no-cheese policy. ``interaction``: norms
    ``|f(m,c) - f(m,0) - v|`` of what the vector ``v`` leaves over at position m; ``difference``: those of
    ``|f(m,c) - f(m,0)|``.
    """

    level: int
    site: str
    coefficient: float
    distance: int
    outside: int
    states: int
    tv_subtract: float
    tv_clean: float
    interaction: float
    difference: float
