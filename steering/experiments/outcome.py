"""The outcome of one level under one condition, and its sums by distance: fields and their names (no torch)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from envs.shown.displays import html_table, text_table
from envs.stored.ranges import Count, Flag, LevelSeed, Name, NonNegative, Number, Positive, Probability
from steering.experiments.conditions import REFERENCES
from steering.statistics.bootstrap import blindness, without_rounding

HORIZON = 256


@dataclass(frozen=True, repr=False)
class Outcome:
    """Statistics of one (level, condition), exact up to floating point; NaN where undefined.

    Probabilities are of the horizon's moves from the start. The decision square is left in the facing that the shortest
    path to it ends in.

    Example:
        >>> outcome = evaluate(load_policy("region5"), Maze.from_level(26)).clean
        >>> round(outcome.p_cheese, 3), round(outcome.expected_steps, 1)
        (1.0, 5.0)
    """

    p_cheese: Probability
    """Probability, 0 to 1, that the cheese is eaten; 0 where it was taken away."""
    p_cheese_cell: Probability
    """Probability that the cell where the level has its cheese is visited, also where the cheese was taken away."""
    p_corner: Probability
    """Probability that the top-right cell is visited before the episode ends."""
    p_region: Probability
    """Probability that the top-right 5x5 is visited before the episode ends."""
    p_region_first: Probability
    """Probability that the top-right 5x5 is visited before the cell where the level has its cheese: ``p_region`` while
    the cheese is there, so that levels with and without it compare."""
    p_cheese_decision: Probability
    """Probability of the move towards the cheese at the decision square; NaN without such a square."""
    p_corner_decision: Probability
    """Probability of the move towards the top-right cell at the decision square; NaN without such a square."""
    p_other_decision: Probability
    """Probability of any other move at the decision square; NaN without such a square."""
    expected_steps: NonNegative
    """Mean number of moves made, 0 to the horizon."""
    path_probability_cheese: Probability
    """Geometric mean of the step probabilities along the shortest path to the cheese, 0 to 1."""
    path_probability_corner: Probability
    """Geometric mean of the step probabilities along the shortest path to the top-right cell, 0 to 1."""
    value_start: Number
    """Value head at the start, in discounted reward."""
    tv_clean: NonNegative
    """Mean total-variation distance, 0 to 1, of the move distributions to those of the policy left alone; all states
    off the cheese's cell alike."""
    tv_no_cheese: NonNegative
    """The same distance to the policy on the level without its cheese."""
    tv_clean_occupancy: NonNegative
    """``tv_clean`` with each state weighted by how often the policy without cheese is there; no page shows it: it is
    kept in ``outcomes.csv`` to tell how much an edit changes the policy where the mouse goes."""
    tv_no_cheese_occupancy: NonNegative
    """``tv_no_cheese`` with each state weighted by how often the policy without cheese is there; blindness by occupancy
    is made of it."""

    def to_json(self) -> dict[str, float | None]:
        """Return plain numbers; NaN becomes null."""
        numbers = {name: getattr(self, name) for name in OUTCOME_FIELDS}
        return {name: (None if np.isnan(value) else value) for name, value in numbers.items()}

    def __repr__(self) -> str:
        return text_table(["Outcome", ""], outcome_texts([self]))

    def _repr_html_(self) -> str:
        return html_table(["Outcome", ""], outcome_texts([self]))


OUTCOME_FIELDS = tuple(f.name for f in dataclasses.fields(Outcome))
# The fields as an outcome shows itself: group, then words and field.
GROUPS: dict[str, dict[str, str]] = {
    "P(reached)": {
        "cheese": "p_cheese",
        "cell of the cheese": "p_cheese_cell",
        "top-right cell": "p_corner",
        "top-right 5x5": "p_region",
        "top-right 5x5 before the cheese's cell": "p_region_first",
    },
    "P(move at the decision square)": {
        "to the cheese": "p_cheese_decision",
        "to the top right": "p_corner_decision",
        "another": "p_other_decision",
    },
    "path probability": {"to the cheese": "path_probability_cheese", "to the top right": "path_probability_corner"},
    "episode": {"moves made": "expected_steps", "value at the start": "value_start"},
    "distance of the moves": {
        "to clean": "tv_clean",
        "to no cheese": "tv_no_cheese",
        "to clean, by visits": "tv_clean_occupancy",
        "to no cheese, by visits": "tv_no_cheese_occupancy",
    },
}


def outcome_texts(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return a row of texts for each field, by group: its words, then its value in each outcome, - where undefined."""
    rows = []
    for group, members in GROUPS.items():
        rows.append([group] + [""] * len(outcomes))
        for words, name in members.items():
            values = [getattr(outcome, name) for outcome in outcomes]
            rows.append([f"  {words}", *("-" if np.isnan(value) else f"{value:.3f}" for value in values)])
    return rows


@dataclass(frozen=True, repr=False, eq=False)
class Evaluation(Outcome):
    """The outcome of one level, beside those that it is read against; equal to another of equal numbers.

    Example:
        >>> policy, maze = load_policy("region5"), Maze.from_level(26)
        >>> found = evaluate(policy, maze, subtract(cheese_vector(policy, maze, "block2.res1.resadd")))
        >>> [round(number, 3) for number in (found.clean.p_cheese, found.p_cheese, found.blindness)]
        [1.0, 0.001, 0.883]
    """

    clean: Outcome
    """Outcome of the policy left alone."""
    no_cheese: Outcome
    """Outcome of the policy left alone on the level without its cheese."""
    title: str
    """The policy, the level, the intervention and the horizon in words."""

    @property
    def blindness(self) -> float:
        """Return blindness on this level, at most 1: 1 as without cheese, 0 as left alone; NaN without an effect."""
        edited, clean = without_rounding(np.array([[self.tv_no_cheese], [self.clean.tv_no_cheese]]))
        return float(blindness(edited, clean))

    def __repr__(self) -> str:
        return f"{self.title}\n{text_table(_BESIDE, outcome_texts([self, self.clean, self.no_cheese]))}"

    def _repr_html_(self) -> str:
        return html_table(_BESIDE, outcome_texts([self, self.clean, self.no_cheese]), self.title)


_BESIDE = ("", "outcome", "clean", "no cheese")
Page = Literal["console", "site table"]


@dataclass(frozen=True)
class OutcomeColumn:
    """A field of :class:`Outcome` as it is named, written, shown and compared, wherever a reader meets it."""

    name: str
    """The field; also the name of its column in ``outcomes.csv``."""
    label: str
    """Its heading in tables."""
    words: str = ""
    """Its name in a sentence; ``label`` where empty."""
    digits: int = 3
    """Digits after the decimal point in tables."""
    shown: tuple[Page, ...] = ()
    """The tables of sites that have a column of it: the console's, the report's."""
    across_worlds: str = ""
    """The field that compares levels with and without cheese and equals this one where there is cheese; ``name`` where
    empty."""
    tested_against: tuple[str, ...] = ()
    """The references that every condition of a sweep is tested against in it, paired by maze."""
    attraction: bool = False
    """True where a rise of it says that the cheese draws the agent."""
    compared: int = 0
    """Its place among the outcomes compared between runs (their intervals are drawn in this order); 0: not compared."""


# One for each field of Outcome, in its order: that of the columns of outcomes.csv.
OUTCOMES = (
    OutcomeColumn("p_cheese", "P(cheese)", shown=("console", "site table"), across_worlds="p_cheese_cell", compared=1),
    OutcomeColumn("p_cheese_cell", "P(cheese)", tested_against=REFERENCES, attraction=True),
    OutcomeColumn("p_corner", "P(top-right cell)"),
    OutcomeColumn("p_region", "P(top-right 5x5)", shown=("site table",), across_worlds="p_region_first", compared=3),
    OutcomeColumn("p_region_first", "P(top-right 5x5 first)", tested_against=REFERENCES),
    OutcomeColumn("p_cheese_decision", "P(cheese | decision)", "P(to the cheese | decision square)",
                  shown=("console", "site table"), tested_against=REFERENCES, attraction=True, compared=2),
    OutcomeColumn("p_corner_decision", "P(top right | decision)", "P(to the top right | decision square)",
                  shown=("site table",), tested_against=REFERENCES),
    OutcomeColumn("p_other_decision", "P(other | decision)", "P(another move | decision square)"),
    OutcomeColumn("expected_steps", "moves made", digits=1),
    OutcomeColumn("path_probability_cheese", "path probability, cheese", "path probability to the cheese"),
    OutcomeColumn("path_probability_corner", "path probability, top right", "path probability to the top right"),
    OutcomeColumn("value_start", "value at the start"),
    OutcomeColumn("tv_clean", "distance to clean", "distance to the policy left alone"),
    # A distance to itself is never negative, so against the level without cheese a difference is no test.
    OutcomeColumn("tv_no_cheese", "distance to no cheese", "distance to the policy without cheese",
                  tested_against=("clean",)),
    OutcomeColumn("tv_clean_occupancy", "distance to clean, by visits",
                  "distance to the policy left alone, weighted by visits"),
    OutcomeColumn("tv_no_cheese_occupancy", "distance to no cheese, by visits",
                  "distance to the policy without cheese, weighted by visits"),
)  # fmt: skip
LABELS = {column.name: column.label for column in OUTCOMES}
WORDS = {column.name: column.words or column.label for column in OUTCOMES}
ATTRACTION = tuple(column.name for column in OUTCOMES if column.attraction)
COMPARED = tuple(column.name for column in sorted(OUTCOMES, key=lambda column: column.compared) if column.compared)


def shown_on(page: Page) -> tuple[OutcomeColumn, ...]:
    """Return the outcomes that have a column on a page, from left to right."""
    return tuple(column for column in OUTCOMES if page in column.shown)


# First path length of each bin; the last is open.
DISTANCES = (0, 1, 3, 6, 11, 21, 41, 81)
PROFILE_SUMS = ("tv_subtract", "tv_clean", "interaction", "difference")
PROFILE_FIELDS = ("level", "site", "coefficient", "distance", "outside", "states", *PROFILE_SUMS)


@dataclass(frozen=True)
class Profile:
    """Sums over the states of one level in one bin, for one site and multiple of the vector."""

    level: LevelSeed
    """Seed of the level."""
    site: Name
    """Name of the site of subtraction."""
    coefficient: Number
    """Multiple of the vector subtracted."""
    distance: Count
    """First path length of the bin, in moves: one of ``DISTANCES``."""
    outside: Flag
    """1 where the present and the start position are both farther from the cheese than the site's receptive field, so
    that additivity is guaranteed; else 0."""
    states: Positive
    """Number of states in the bin, 1 or more."""
    tv_subtract: NonNegative
    """Sum of the total-variation distances of the edited to the no-cheese policy, 0 to ``states``."""
    tv_clean: NonNegative
    """Sum of those of the policy left alone, 0 to ``states``."""
    interaction: NonNegative
    """Sum of norms ``|f(m,c) - f(m,0) - v|``: what the vector ``v`` leaves over at position m, 0 or more."""
    difference: NonNegative
    """Sum of norms ``|f(m,c) - f(m,0)|``, 0 or more."""


# First distance of each bin, in cells between mouse and cheese; the last is open.
CELLS = (0, 3, 6, 9, 13)
NEARNESS_FIELDS = ("level", "site", "coefficient", "cells", "states", "tv_subtract", "tv_clean")


@dataclass(frozen=True)
class Nearness:
    """Sums over the states of one level where the mouse is so far from the cheese, for one site and multiple.

    Distance is the larger of the columns and the rows between the two (Chebyshev): walls do not count.
    """

    level: LevelSeed
    """Seed of the level."""
    site: Name
    """Name of the site of subtraction."""
    coefficient: Number
    """Multiple of the vector subtracted."""
    cells: Count
    """First distance of the bin, in cells: one of ``CELLS``."""
    states: Positive
    """Number of states in the bin, 1 or more; states on the cheese's cell are left out."""
    tv_subtract: NonNegative
    """Sum of the total-variation distances of the edited to the no-cheese policy, 0 to ``states``."""
    tv_clean: NonNegative
    """Sum of those of the policy left alone, 0 to ``states``."""


MOVED_FIELDS = ("level", "site", "coefficient", "draw", "column", "row", "states", "tv_edited", "tv_clean")


@dataclass(frozen=True)
class Moved:
    """How near an edit that moves the cheese comes to the policy on the level with its cheese really there.

    Sums over the states of one level that are on neither cell, for one site, multiple and draw.
    """

    level: LevelSeed
    """Seed of the level."""
    site: Name
    """Name of the site of the edit."""
    coefficient: Number
    """Multiple of the vectors."""
    draw: Count
    """Number of the cell drawn, from 0."""
    column: Count
    """Column of that cell."""
    row: Count
    """Row of that cell."""
    states: Positive
    """Number of states, 1 or more."""
    tv_edited: NonNegative
    """Sum of the total-variation distances of the edited policy to that with the cheese really there."""
    tv_clean: NonNegative
    """Sum of those of the policy left alone."""


Sums = Profile | Nearness | Moved  # what a level has beside its outcomes, as stored


def cells_label(first: int) -> str:
    """Return the name of a bin of :data:`CELLS`, given by its first distance: ``3-5 cells``."""
    following = [cells for cells in CELLS if cells > first]
    return f"{first}-{following[0] - 1} cells" if following else f"{first} or more cells"
