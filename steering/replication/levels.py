"""Published findings about levels that are named or counted: level 0's vector in two others; decision squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.maze import Maze
from steering.experiments.levels import skip_reason
from steering.interventions.edits import subtract
from steering.records.replication import PUBLISHED
from steering.replication.own_vectors import MOVES, own_vector
from steering.replication.protocol import Claim, Finding, FindingSummary, Measurement, Sample, Settings, Setup, mean
from steering.replication.transfer import IDLE

GIVER = 0  # the level whose vector is used
TAKERS = {795: "works", 3: "fails"}  # 795 has its cheese on the same cell of the picture, 3 on another
HALF = 0.5  # of the cheese's effect: less left over is "works"
PUBLISHED_SHARE = 0.524  # 5,239 of 10,000 levels
NEAR = 0.05  # of that share


def measure_named(bench: Setup, maze: Maze) -> Measurement:
    """Measure level 0's vector and the maze's own: distance to the level without cheese, and the decision."""
    level = bench.evaluator(maze)
    giver = Maze.from_level(GIVER, bench.settings.mode)
    clean = level.clean_outcome()
    given, own = level.outcomes([subtract(own_vector(bench, giver)), subtract(own_vector(bench, maze))])
    row: Measurement = {"level": maze.level}
    for name, outcome in (("clean", clean), ("given", given), ("own", own)):
        row |= {f"{name}_tv": outcome.tv_no_cheese, f"{name}_cheese": outcome.p_cheese_decision}
    return row


def summarize_named(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up what is left of the cheese's effect; exact numbers of two levels, so they decide without an interval."""
    clean = sample.column("clean_tv")
    left = {
        name: np.divide(sample.column(f"{name}_tv"), clean, out=np.full(len(sample), np.nan), where=clean > IDLE)
        for name in ("given", "own")
    }
    words = {"clean": "clean", "given": f"level {GIVER}'s vector", "own": "its own vector"}
    figures, claims = [], []
    for level, published in TAKERS.items():
        here = sample.column("level") == level
        label = f"level {level}: part of the cheese's effect left"
        given = sample.figure(
            f"{label}, {words['given']}", mean, np.where(here, left["given"], np.nan), published=published
        )
        own = sample.figure(f"{label}, {words['own']}", mean, np.where(here, left["own"], np.nan))
        figures += [given, own]
        figures += [
            sample.figure(
                f"level {level}: {MOVES['cheese']}, {word}",
                mean,
                np.where(here, sample.column(f"{name}_cheese"), np.nan),
            )
            for name, word in words.items()
        ]
        tells = given.value < HALF or own.value < HALF  # where none works, that the given one fails says nothing
        works = given.value < HALF if tells else None
        text = f"level {GIVER}'s vector {published} in level {level}"
        claims.append(Claim(text, None if works is None else works == (published == "works")))
    note = (
        "A vector works if less than half of the cheese's effect is left over all states. A level is undecided if the "
        f"cheese changes moves by less than {IDLE:g} on average, or if its own vector fails too. The numbers of these "
        "two levels are exact and have no interval."
    )
    return FindingSummary(tuple(figures), tuple(claims), (note,))


def count_decisions(_: Setup, mazes: Sequence[Maze]) -> list[Measurement]:
    """Return 1 for a level with a decision square, else 0; of those, 1 if its cheese is not in the top-right 5x5."""
    return [
        {"has": float(maze.decision_square is not None), "swept": float(skip_reason(maze) is None)} for maze in mazes
    ]


def summarize_decisions(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up the share of levels, by both ways of counting: the source does not say which mazes it took."""
    low, high = PUBLISHED_SHARE - NEAR, PUBLISHED_SHARE + NEAR
    names = {"has": "with a decision square", "swept": "with one and their cheese outside the top-right 5x5"}
    shares = {
        words: sample.figure(f"share of levels {words}", mean, key, published=PUBLISHED_SHARE)
        for key, words in names.items()
    }
    inside = [share.within(low, high) for share in shares.values()]
    either = True if True in inside else None if None in inside else False
    return FindingSummary(
        tuple(shares.values()),
        (Claim(f"by one of the two ways of counting, the share lies between {low:.3f} and {high:.3f}", either),),
        (
            "This is a fact of the levels, and no network is run. The seeds are those of the behaviour regression, "
            "each counted. The source does not say whether levels with the cheese near the corner were left out.",
        ),
    )


def _counted(settings: Settings) -> Sequence[int]:
    return range(settings.behaviour_levels)


NAMED_TRANSFER = Finding(
    PUBLISHED["named-transfer"],
    measure_named,
    summarize_named,
    levels=lambda _: tuple(TAKERS),
    keeps=lambda _, maze: True,
    mode="hard",
    revision=2,
)
DECISION_SQUARE = Finding(
    PUBLISHED["decision-square"],
    None,
    summarize_decisions,
    levels=_counted,
    keeps=lambda _, maze: True,
    jointly=count_decisions,
    mode="hard",
    distinct=False,
    revision=3,
)
