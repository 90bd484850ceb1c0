"""A comparison of runs: what ``compare.json`` holds, field by field, in its order.

Numbers are over the mazes that all runs share. An end of an interval (``low``, ``high``) is that of a 95% bootstrap
interval over these mazes; it is null where the number is.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from steering.records.anatomy.shared_channels import ComparedCircuits
from steering.records.boundary import WeightedReach
from steering.records.readings import ComparedPlanning, ComparedReadings
from steering.records.sweep import EffectSpread
from steering.statistics.boundary import Reach, ThresholdPair


@dataclass(frozen=True)
class ComparedSite:
    """Facts about one of the sites that all runs were swept at."""

    name: str
    """Name of the module whose output it is; ``input`` for the picture."""
    depth: int
    """Number of sites before it in topological order; 0 is the input."""
    affine: bool | None
    """Whether the network is affine in the pixels up to it, so that subtraction is free; null: not known."""
    equivalence_class: str
    """Name of the first site at which subtraction is the same experiment; its own if there is none before it."""
    receptive_field: int | None
    """Side of the square that one unit sees, in input pixels (1 or more); null: the whole picture, or not known."""


@dataclass(frozen=True)
class ComparedBoundary:
    """Up to which site subtraction works."""

    site: str | None
    """Last trunk site where subtraction works; null: nowhere."""
    next_site: str | None
    """First trunk site where it does not; null: it works at every site compared."""
    low: str | None
    """Shallow end of the interval of ``site``; null: nowhere."""
    high: str | None
    """Deep end of the interval of ``site``; null: nowhere."""
    change_site: str | None
    """Last site before the change-point of the blindness curve; null: the curve does not surely fall."""
    change_low: str | None
    """Shallow end of its interval."""
    change_high: str | None
    """Deep end of its interval."""
    blindness_alone: Reach
    """The same rule with competence not asked for."""
    rule: str
    """The rule in words."""
    affine: bool | None
    """Whether ``site`` is free (see :class:`ComparedSite`); null: nowhere, or not known."""


@dataclass(frozen=True)
class CurvePoint:
    """Subtraction at one site."""

    site: str
    """Name of the site."""
    blindness: float | None
    """Part of the cheese's effect on the moves that is gone, at most 1; null: the cheese changes nothing."""
    low: float | None
    """Low end of the interval of ``blindness``."""
    high: float | None
    """High end of the interval of ``blindness``, at most 1."""
    competence: float | None
    """P(top-right 5x5 first) relative to that without cheese, 0 or more; null: never reached without cheese."""


@dataclass(frozen=True)
class WeightedCurve(WeightedReach):
    """Subtraction with the states of a maze weighed in another way: its boundary, and blindness at each site."""

    blindness: tuple[float | None, ...]
    """As in :class:`CurvePoint`."""
    blindness_low: tuple[float | None, ...]
    """Low end of the interval at each site."""
    blindness_high: tuple[float | None, ...]
    """High end of the interval at each site."""


@dataclass(frozen=True)
class ComparedOutcomes:
    """Mean outcomes over the mazes where they are defined; null where in none."""

    p_cheese: float | None
    """Probability that the cheese is eaten within the horizon, 0 to 1."""
    p_cheese_decision: float | None
    """Probability of the move towards the cheese at the decision square, 0 to 1."""
    p_region: float | None
    """Probability that the top-right 5x5 is visited before the episode ends, 0 to 1."""


@dataclass(frozen=True)
class ComparedReferences:
    """The policy without any edit."""

    clean: ComparedOutcomes
    """In the levels with their cheese."""
    no_cheese: ComparedOutcomes
    """In the same levels with the cheese removed."""


@dataclass(frozen=True)
class EffectNumbers:
    """A difference of one outcome, maze by maze, as :class:`steering.statistics.paired.PairedEffect` has it.

    The numbers are null where ``note`` says why.
    """

    n: int
    """Number of mazes where both are defined."""
    undefined: int
    """Number of the other mazes."""
    zeros: int
    """Number of the ``n`` mazes that do not differ."""
    mean: float | None
    """Mean difference, a probability, -1 to 1."""
    median: float | None
    """Median difference, -1 to 1."""
    low: float | None
    """Low end of the 95% BCa interval of the mean."""
    high: float | None
    """High end of the 95% BCa interval of the mean."""
    p: float | None
    """P-value of the two-sided signed-rank test, 0 to 1."""
    improvement: float | None
    """Share of mazes where the outcome is larger than what it is compared with, ties counting half, 0 to 1."""
    note: str
    """Reason for there being no number, or a peculiarity of the data; mostly empty."""


@dataclass(frozen=True)
class OutcomeName:
    """What an effect is an effect on."""

    outcome: str
    """Name of the outcome, a field of :class:`steering.experiments.outcome.Outcome`."""


@dataclass(frozen=True)
class CheeseEffect(EffectNumbers, OutcomeName):
    """Effect of the cheese: the policy with it minus without it, on one outcome."""


@dataclass(frozen=True)
class RunEffect(EffectNumbers):
    """Difference of one outcome of a run from that of the first run."""

    words: str
    """One sentence that says it."""
    p_holm: float | None
    """``p`` after Holm's adjustment over all outcomes and runs of the comparison, 0 to 1."""


@dataclass(frozen=True)
class ComparedRunSummary:
    """One of the runs compared, on the mazes and sites that all share."""

    name: str
    """Its name in the comparison."""
    checkpoint: str
    """Name of its checkpoint."""
    sha256: str
    """Digest of the checkpoint's bytes, 64 hexadecimal digits."""
    coefficient: float
    """Multiple of the vector that was subtracted."""
    vector: str
    """Place where the cheese vectors were taken: ``start``, ``mean``, ``levels:N`` or a cell ``X,Y``."""
    seed: int
    """Seed of its sweep, 0 or more."""
    command: str
    """Command of its sweep; empty if it was not recorded."""
    versions: tuple[dict[str, str], ...]
    """Sets of versions of the packages that its sweep was computed with; the last one is the latest."""
    boundary: ComparedBoundary
    """Up to which site subtraction works."""
    curve: tuple[CurvePoint, ...]
    """Subtraction at each of the sites, in their order."""
    reference: ComparedReferences
    """The policy without any edit."""
    tv_no_cheese: float
    """Mean total-variation distance of its moves with the cheese to those without, 0 to 1."""
    cheese: tuple[CheeseEffect, ...]
    """Effect of the cheese, by outcome."""
    weightings: tuple[WeightedCurve, ...] = ()
    """Subtraction with states weighed by visits, and of those at each distance from the cheese alone, where known."""
    spread: EffectSpread = EffectSpread(None, None, 0)  # noqa: RUF009  (frozen)
    """Mazes that its blindness is about."""


@dataclass(frozen=True)
class BlindnessDifference:
    """Blindness of a run minus that of the first run at one site; null where either is not defined."""

    site: str
    """Name of the site."""
    difference: float | None
    """The difference."""
    low: float | None
    """Low end of its own interval."""
    high: float | None
    """High end of its own interval."""
    band_low: float | None
    """Low end of the simultaneous 95% band, which holds all distinct sites at once."""
    band_high: float | None
    """High end of the simultaneous band."""
    larger: float | None
    """Share of the resamples where the difference is above 0, ties counting half, 0 to 1."""


@dataclass(frozen=True)
class RunDifference:
    """One run against the first."""

    of: str
    """Name of the run."""
    against: str
    """Name of the first run."""
    blindness: tuple[BlindnessDifference, ...]
    """At each of the sites, in their order."""
    effects: dict[str, RunEffect]
    """Effects on outcomes left alone and under subtraction at the first run's boundary, by what is compared."""


@dataclass(frozen=True)
class LossCurve:
    """The loss over one stage of training."""

    stage: str
    """Name of the stage."""
    count: tuple[int, ...]
    """Samples and steps of training at each look, rising, 1 or more."""
    loss: tuple[float, ...]
    """Loss at each look, in the units of the stage's own loss."""
    bumps: tuple[tuple[int, int], ...]
    """Stretches where it leaves its convex envelope: first and last of ``count``."""


@dataclass(frozen=True)
class Development:
    """Over the training that the runs are snapshots of."""

    of: str | None
    """Name of the shipped agent; null: a training of one's own."""
    counts: tuple[int, ...]
    """Samples and steps of training at each snapshot, 0 or more, in the order of the runs."""
    stages: tuple[str, ...]
    """Stage of training of each snapshot; empty texts of a shipped agent."""
    loss: tuple[LossCurve, ...]
    """Loss by stage; empty where none is known."""
    without_loss: tuple[str, ...] | None
    """Stages of the training that have no loss curve; null: no history is known."""
    rule: str
    """Definition of a bump, in words."""


@dataclass(frozen=True)
class Comparison:
    """All of ``compare.json``: runs compared maze by maze, on the mazes and trunk sites that all have."""

    format: str
    """Name and version of this file's format: ``mazesteer-compare-1``."""
    levels: tuple[int, ...]
    """Seeds of the shared levels, in the order of the first run."""
    sites: tuple[str, ...]
    """Names of the shared trunk sites, in depth order."""
    classes: tuple[str, ...]
    """Name, for each site, of the first one that is the same experiment."""
    facts: tuple[ComparedSite, ...]
    """Facts about each site, from the first run."""
    thresholds: ThresholdPair
    """Those of the boundary's rule."""
    horizon: int
    """Most moves of an episode, 1 or more."""
    mode: str
    """Procgen's distribution mode: ``hard`` or ``easy``."""
    seed: int
    """Seed of the bootstrap, 0 or more."""
    arms: tuple[ComparedRunSummary, ...]
    """The runs, the one that others are compared with first."""
    differences: tuple[RunDifference, ...]
    """Each of the other runs against the first."""
    over_agents: ComparedBoundary | None
    """Boundary of the runs' mean curve, agents and mazes drawn anew; null if they are not seeds of one recipe."""
    no_over_agents: str | None
    """Reason why seeds of one recipe have none; null: they have, or are not seeds of one recipe."""
    command: str
    """Command of the comparison."""
    versions: dict[str, str]
    """Versions of the packages that the comparison was made with."""
    readings: ComparedReadings | None
    """The three kinds of evidence side by side; null: see ``no_readings``."""
    no_readings: str
    """Reason why the probes are not shown side by side; empty if they are, or if no run has any."""
    unfinished: tuple[str, ...]
    """Checkpoints of the folders given that have no finished run there."""
    planning: ComparedPlanning | None = None
    """Planning side by side; null: no run measured it."""
    circuits: ComparedCircuits | None = None
    """Sub-circuits side by side; null: no run measured them."""
    development: Development | UnsetType = UNSET
    """Over training; only there if the runs are snapshots of one."""
