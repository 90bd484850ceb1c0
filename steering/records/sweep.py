"""The results of a layer sweep: what ``summary.json`` holds, field by field, in its order.

All numbers are over the levels used. An end of an interval (``_low``, ``_high``) is that of a 95% bootstrap interval
over mazes; it is null where the number is.
"""

from __future__ import annotations

from dataclasses import dataclass

from envs.errors import InputError, shown
from envs.stored.ranges import (
    AtMostOne,
    Count,
    Digest,
    Horizon,
    LevelSeed,
    Line,
    Mode,
    Name,
    NonNegative,
    Number,
    Probability,
    RandomSeed,
)
from steering.experiments.levels import SkipReason
from steering.records.boundary import BoundarySummary
from steering.records.sites import SiteFacts
from steering.statistics.sequential import SequentialStop


@dataclass(frozen=True)
class CheckpointId:
    """Identity of a checkpoint."""

    name: Name
    """Its name: of the shipped agent, or of the file without suffix."""
    sha256: Digest
    """Digest of the file's bytes, 64 hexadecimal digits."""


@dataclass(frozen=True)
class SkippedLevel:
    """A level that was looked at and left out."""

    level: LevelSeed
    """Its seed, 0 or more."""
    reason: Line
    """Reason why it cannot answer the question, in the words of :class:`steering.experiments.levels.Skip`."""

    def __post_init__(self) -> None:
        if self.kind is None:
            raise InputError(f"level {self.level} left out: {shown(self.reason)} is no reason")

    @property
    def kind(self) -> SkipReason | None:
        """Return the reason without the cell or the level that its words name."""
        return SkipReason.read(self.reason)


@dataclass(frozen=True)
class LevelsUsed:
    """The levels that a sweep looked at."""

    used: tuple[LevelSeed, ...]
    """Seeds of the levels whose results are finished, in the order of the spec."""
    skipped: tuple[SkippedLevel, ...]
    """Those that were left out, in the order of their seeds."""


@dataclass(frozen=True)
class MeanOutcome:
    """Means of each :class:`Outcome` over the mazes where it is defined; null where it is in none.

    Probabilities, from 0 to 1, unless said otherwise.
    """

    p_cheese: Probability | None
    """The cheese is eaten within the horizon; 0 where it was taken away."""
    p_cheese_cell: Probability | None
    """The cell where the level has its cheese is visited, also where the cheese was taken away."""
    p_corner: Probability | None
    """The top-right cell is visited before the episode ends."""
    p_region: Probability | None
    """The top-right 5x5 is visited before the episode ends."""
    p_region_first: Probability | None
    """The top-right 5x5 is visited before the cell where the level has its cheese."""
    p_cheese_decision: Probability | None
    """The move towards the cheese at the decision square."""
    p_corner_decision: Probability | None
    """The move towards the top-right cell at the decision square."""
    p_other_decision: Probability | None
    """Any other move at the decision square."""
    expected_steps: NonNegative | None
    """Moves made before the cheese is eaten, from 0 to the horizon."""
    path_probability_cheese: Probability | None
    """Geometric mean of the step probabilities along the shortest path to the cheese."""
    path_probability_corner: Probability | None
    """Geometric mean of the step probabilities along the shortest path to the top-right cell."""
    value_start: Number | None
    """Value head at the start, in units of reward; any number."""
    tv_clean: NonNegative | None
    """Total-variation distance to the clean policy, mean over all states off the cheese."""
    tv_no_cheese: NonNegative | None
    """Total-variation distance to the policy without cheese, mean over all states off the cheese."""
    tv_clean_occupancy: NonNegative | None
    """As ``tv_clean``, with states weighted by how often the policy without cheese visits them."""
    tv_no_cheese_occupancy: NonNegative | None
    """As ``tv_no_cheese``, with states weighted by how often the policy without cheese visits them."""


@dataclass(frozen=True)
class CleanReference(MeanOutcome):
    """The policy left alone, in the level with its cheese."""

    competence: NonNegative | None
    """Its P(top-right 5x5 first) relative to that in the level without cheese, 0 or more; null: never reached there."""


@dataclass(frozen=True)
class References:
    """References that every condition is compared with."""

    clean: CleanReference
    """The policy left alone."""
    no_cheese: MeanOutcome
    """The policy in the same levels with their cheese removed."""


@dataclass(frozen=True)
class ConditionScores:
    """Blindness and competence of one condition at one site."""

    coefficient: Number
    """Multiple of the vector that is subtracted (or added)."""
    blindness: AtMostOne | None
    """Part of the cheese's effect on the moves that is gone, at most 1; null: the cheese changes nothing."""
    blindness_low: Number | None
    """Low end of its interval."""
    blindness_high: AtMostOne | None
    """High end of its interval, at most 1."""
    competence: NonNegative | None
    """P(top-right 5x5 first) relative to that without cheese, 0 or more; null: never reached without cheese."""
    competence_low: NonNegative | None
    """Low end of its interval, 0 or more."""
    competence_high: Number | None
    """High end of its interval."""


@dataclass(frozen=True)
class ConditionSummary(MeanOutcome, ConditionScores):
    """One condition at one site: its scores, the mean of every outcome, and blindness where the mouse goes."""

    blindness_occupancy: Number | None
    """Blindness with states weighted by how often the policy without cheese visits them; null as ``blindness``."""
    blindness_occupancy_low: Number | None
    """Low end of its interval."""
    blindness_occupancy_high: AtMostOne | None
    """High end of its interval, at most 1."""


@dataclass(frozen=True)
class PooledProfile:
    """Blindness and interaction over the states of all levels at some distance from where the vector was taken."""

    states: Count
    """Number of states, 0 or more."""
    mazes: Count
    """Number of levels that have such states."""
    blindness: AtMostOne | None
    """Blindness of subtraction there, at most 1; null: no states, or the cheese changes nothing there."""
    blindness_low: Number | None
    """Low end of its interval."""
    blindness_high: AtMostOne | None
    """High end of its interval, at most 1."""
    interaction: NonNegative | None
    """Part of the cheese's effect on the activations that the vector leaves over, 0 or more; null: none."""
    interaction_low: NonNegative | None
    """Low end of its interval, 0 or more."""
    interaction_high: Number | None
    """High end of its interval."""


@dataclass(frozen=True)
class PathLength:
    """A bin of path lengths."""

    distance: Count
    """Its first path length, in moves: one of ``DISTANCES``."""


@dataclass(frozen=True)
class PositionBin(PooledProfile, PathLength):
    """One bin of path lengths from where the vector was taken: altogether, then by the receptive field."""

    inside: PooledProfile
    """States where the mouse stands within the receptive field of the cheese, or stood there for the vector."""
    outside: PooledProfile
    """The other states: there additivity is guaranteed."""


@dataclass(frozen=True)
class ReceptiveFieldSplit:
    """The profiles over all distances, by the receptive field."""

    inside: PooledProfile
    """As in :class:`PositionBin`."""
    outside: PooledProfile
    """As in :class:`PositionBin`."""


@dataclass(frozen=True)
class NearnessBin:
    """Subtraction where the mouse is so many cells from the cheese: the larger of the columns and rows between them."""

    cells: Count
    """First distance of the bin: one of ``CELLS``."""
    states: Count
    """Number of states, 1 or more."""
    mazes: Count
    """Number of levels that have such states."""
    effect: Probability | None
    """Part of the cheese's effect on the moves that lies there, each maze's states weighing alike; null: no effect."""
    effective_mazes: NonNegative | None
    """Number of mazes among which that part is spread: see :class:`EffectSpread`."""
    blindness: AtMostOne | None
    """Blindness of subtraction there, at most 1; null: the cheese changes nothing there."""
    blindness_low: Number | None
    """Low end of its interval."""
    blindness_high: AtMostOne | None
    """High end of its interval, at most 1."""


@dataclass(frozen=True)
class EffectSpread:
    """How unevenly the cheese's effect on the moves, which blindness is a share of, lies among the mazes."""

    effective_mazes: NonNegative | None
    """Number of equal mazes that would be spread as widely: 1 over the sum of squared shares; null: no effect."""
    largest: Probability | None
    """Share of the mazes with the largest effect, as many as ``of``; null: no effect."""
    of: Count
    """Number of these mazes, 20 or all there are."""


@dataclass(frozen=True)
class SiteSummary(SiteFacts):
    """One site: what it is, and what every condition does there."""

    conditions: dict[Name, ConditionSummary]
    """By label: ``subtract``, and ``subtract x2`` for a further coefficient; as far as swept."""
    position_curve: tuple[PositionBin, ...]
    """Subtraction by path length, nearest first; empty without profiles."""
    receptive_field_split: ReceptiveFieldSplit
    """The same over all path lengths."""
    nearness_curve: tuple[NearnessBin, ...] = ()
    """Subtraction by the distance between mouse and cheese, nearest first; empty in a run of an earlier version."""


@dataclass(frozen=True)
class EffectRecord:
    """The paired effect of one condition at one site on one outcome; numbers to 6 digits.

    See :class:`steering.statistics.paired.PairedEffect` for the numbers, which are null where ``words`` says why.
    """

    site: Name
    """Name of the site; ``all_sites`` for that condition, empty for ``clean``."""
    condition: Name
    """Label of the condition, such as ``subtract`` or ``subtract x2``."""
    against: Name
    """The reference: ``clean`` or ``no_cheese``."""
    outcome: Name
    """Name of the outcome, a field of :class:`MeanOutcome`."""
    n: Count
    """Number of mazes where both are defined."""
    undefined: Count
    """Number of the other mazes."""
    zeros: Count
    """Number of the ``n`` mazes that do not differ."""
    mean: Number | None
    """Mean difference, in units of the outcome."""
    median: Number | None
    """Median difference, in units of the outcome."""
    low: Number | None
    """Low end of the 95% BCa interval of the mean."""
    high: Number | None
    """High end of the 95% BCa interval of the mean."""
    p: Probability | None
    """P-value of the two-sided signed-rank test, from 0 to 1."""
    improvement: Probability | None
    """Share of mazes where the condition is above the reference, ties counting half, from 0 to 1."""
    words: Line
    """One sentence that says it."""
    p_holm: Probability | None
    """``p`` after Holm's adjustment over the sites of one (condition, reference, outcome), from 0 to 1."""


@dataclass(frozen=True)
class SweepSummary:
    """All of ``summary.json``: the numbers of a sweep's report.

    Example:
        >>> summary = summarize_run("runs/mine")  # a finished sweep
        >>> summary.boundary.site, len(summary.sites)
        ('embedder.block2.res1.resadd', 4)
    """

    checkpoint: CheckpointId
    """The agent."""
    levels: LevelsUsed
    """The mazes."""
    horizon: Horizon
    """Most moves of an episode, 1 or more."""
    seed: RandomSeed
    """Seed of everything drawn at random, 0 or more."""
    coefficients: tuple[Number, ...]
    """Multiples of the vector; the first one is that of the boundary."""
    vector: Name
    """Place where the cheese vectors were taken: ``start``, ``mean``, ``levels:N`` or a cell ``X,Y``."""
    reference: References
    """The agent left alone, with cheese and without."""
    sites: tuple[SiteSummary, ...]
    """The sites swept, in depth order."""
    all_sites: tuple[ConditionSummary, ...]
    """Subtraction at all distinct trunk sites at once, one entry per coefficient; empty if not swept."""
    boundary: BoundarySummary
    """Up to which site subtraction works."""
    effects: tuple[EffectRecord, ...]
    """Paired effects, those of the cheese itself (``clean`` against ``no_cheese``) first."""
    spread: EffectSpread = EffectSpread(None, None, 0)
    """Mazes that blindness is about."""
    mode: Mode = "hard"
    """Procgen's mode of the levels: ``hard`` or ``easy``."""
    stop: SequentialStop | None = None
    """The end of a sweep that was to stop when its intervals are narrow; null: it was not."""
