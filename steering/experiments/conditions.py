"""The conditions of an experiment, and what identifies a result."""

from __future__ import annotations

from typing import NamedTuple

PUBLISHED_SITE = "embedder.block2.res1.resadd"


REFERENCES = ("clean", "no_cheese")
OTHER_LEVEL, SAME_CELL, ALL_SITES = "other_level", "same_cell", "all_sites"
CONDITIONS = ("subtract", "add", "random", OTHER_LEVEL, SAME_CELL, ALL_SITES)
DEFAULT_CONDITIONS = CONDITIONS[:-1]
DRAWN = ("random", OTHER_LEVEL, SAME_CELL)  # with `draws` results each
# What is computed and stored together; a lost process loses one group of one level at most.
GROUPS = ((*REFERENCES, "subtract", "add", ALL_SITES), ("random",), (OTHER_LEVEL, SAME_CELL))


class Key(NamedTuple):
    """What identifies a result; what has no one site (clean, no_cheese, all_sites) has site ``""``.

    The coefficient of the references is 0; ``draw`` counts random vectors and levels drawn.
    """

    level: int
    condition: str
    site: str = ""
    coefficient: float = 0.0
    draw: int = 0


MAIN = "subtract"
CONTROLS = ("random", "add", "other_level", "same_cell")
