"""The conditions of an experiment, in one table, and what identifies a result.

A condition is a row of :data:`TABLE` here, and the edit that :mod:`steering.experiments.level_conditions` makes of it;
everything else (keys, draws, colours, legends, controls, the command line's help) is read from the table.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from envs.errors import InputError, nearest

PUBLISHED_SITE = "embedder.block2.res1.resadd"
OTHER_LEVEL, SAME_CELL, ALL_SITES = "other_level", "same_cell", "all_sites"
MAIN = "subtract"
MOVE = "move"
EDIT = "edit"
MOST_EDITS = 64  # of one command


class Draw(enum.Enum):
    """Things that a condition draws at random, `draws` times for each site and coefficient."""

    NOTHING = "nothing"
    VECTOR = "a random vector of the cheese vector's norm"
    LEVEL = "another level that qualifies, its cheese on another cell of the picture"
    LEVEL_WITH_CHEESE_THERE = "another level, its cheese moved to this level's cell of the picture"
    CELL = "another cell of this level for the cheese"


@dataclass(frozen=True)
class Condition:
    """One way to treat a policy on a level."""

    name: str
    """Its name as typed, stored and shown in tables."""
    label: str
    """The treatment in a few words, for legends."""
    colour: str
    """Colour of its lines and boxes, ``#rrggbb``."""
    group: str
    """Conditions of one group are computed and stored together: a lost process loses one group of one level at most."""
    marker: str = "o"
    """Marker of its points in static figures, as matplotlib names it."""
    draws: Draw = Draw.NOTHING
    """The thing drawn at random for it."""
    reference: bool = False
    """True if nothing is edited, so that it has neither site nor coefficient."""
    at_one_site: bool = True
    """False if it has no one site: a reference, or an edit of many sites at once."""
    default: bool = True
    """True if a sweep has it where no conditions are named; of no effect for references, which every sweep has."""
    control: int | None = None
    """Place among the controls that reports set beside the main condition, from 1; None: no control."""
    must_not_blind: bool = False
    """True for a control that speaks against the boundary if it blinds there too."""
    to_moved: bool = False
    """True if blindness asks how near it comes to the policy with the cheese on the cell drawn; else without cheese."""

    typed: bool = False
    """True if the user says what is edited, edit by edit."""

    @property
    def shared_in_class(self) -> bool:
        """Return whether affine-equivalent sites give one policy: the vector is a difference of activations there."""
        return self.at_one_site and self.draws is not Draw.VECTOR and not self.typed

    @property
    def takes_vector(self) -> bool:
        """Return whether the level's own vector is all that it edits with, so that another can stand in its place."""
        return not self.reference and self.at_one_site and not self.typed and self.draws in (Draw.NOTHING, Draw.VECTOR)


# Colours: what they mean in all figures is in :mod:`steering.marks.colours`; controls are grey.
TABLE: tuple[Condition, ...] = (
    Condition("clean", "left alone", "#666666", "own", reference=True, at_one_site=False),
    Condition("no_cheese", "cheese removed", "#009E73", "own", reference=True, at_one_site=False),
    Condition(MAIN, "cheese vector subtracted", "#D55E00", "own"),
    Condition("add", "cheese vector added", "#8C8C8C", "own", "^", control=2, must_not_blind=True),
    Condition("random", "noise of the same norm", "#666666", "random", "D", Draw.VECTOR, control=1,
              must_not_blind=True),
    Condition(OTHER_LEVEL, "vector of another level", "#A6A6A6", "levels", "v", Draw.LEVEL, control=3,
              must_not_blind=True),
    Condition(SAME_CELL, "vector of another level, cheese on the same cell", "#333333", "levels", "s",
              Draw.LEVEL_WITH_CHEESE_THERE, control=4),
    Condition(MOVE, "cheese vector moved to another cell", "#E69F00", "moved", "P", Draw.CELL, default=False,
              to_moved=True),
    Condition(ALL_SITES, "cheese vector subtracted at all sites", "#999999", "own", at_one_site=False, default=False),
    Condition(EDIT, "the edits typed", "#8B5A2B", "edit", "X", default=False, typed=True),
)  # fmt: skip
BY_NAME = {condition.name: condition for condition in TABLE}
REFERENCES = tuple(condition.name for condition in TABLE if condition.reference)
CONDITIONS = tuple(condition.name for condition in TABLE if not condition.reference)
DEFAULT_CONDITIONS = tuple(name for name in CONDITIONS if BY_NAME[name].default)
DRAWN = tuple(name for name in CONDITIONS if BY_NAME[name].draws is not Draw.NOTHING)
CONTROLS = tuple(
    condition.name for condition in sorted(TABLE, key=lambda each: each.control or 0) if condition.control is not None
)
MUST_NOT_BLIND = tuple(name for name in CONTROLS if BY_NAME[name].must_not_blind)
GROUPS = tuple(
    tuple(condition.name for condition in TABLE if condition.group == group)
    for group in dict.fromkeys(condition.group for condition in TABLE)
)


def find_condition(name: str, among: Iterable[str] = BY_NAME) -> Condition:
    """Return the condition called ``name``; raise :class:`InputError` with the nearest if none of ``among`` is."""
    known = tuple(among)
    if name not in known:
        raise InputError(f"unknown condition {name!r}; {nearest(name, known)}")
    return BY_NAME[name]


class Key(NamedTuple):
    """The identity of a result: a level under a condition."""

    level: int
    """Procgen's level seed."""
    condition: str
    """Name of a :class:`Condition`."""
    site: str = ""
    """Published name of the site edited; empty for what has no one site (references, all_sites)."""
    coefficient: float = 0.0
    """Multiple of the vector; 0 for references."""
    draw: int = 0
    """Number of the random vector or of the level drawn, from 0."""
