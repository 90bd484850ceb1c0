"""Published findings that compare levels: vectors of other levels, and the cheese truly removed."""

from __future__ import annotations

import numpy as np

from envs.maze import Maze
from steering.experiments.conditions import SAME_CELL
from steering.experiments.levels import donor
from steering.interventions.edits import subtract
from steering.records.replication import PUBLISHED
from steering.replication.own_vectors import MOVES, own_vector
from steering.replication.protocol import (
    Claim,
    Finding,
    FindingSummary,
    Measure,
    Measurement,
    Sample,
    Settings,
    Setup,
    mean,
    mean_change,
    median,
    pooled_ratio,
)
from steering.statistics.bootstrap import LEVEL, blindness

SAME, NEARBY, FAR = "0", "2", "5+"
OFFSETS = {SAME: (0, 0), "1": (1, 1), NEARBY: (2, 2), "3-4": (3, 4), FAR: (5, 99)}  # cells, both ends included
REMOVED = 0.25  # of the cheese's effect at most may be left over for "the same as removed"
SOME = 0.05  # of the levels at least, for "on some"
IDLE = 0.01  # mean total variation below which the cheese changes nothing worth removing
NAMED = {0: "same", 12: "same", 7: "not the same", 19: "not the same"}  # the levels that the post names


def offset_donors(bench: Setup, maze: Maze) -> dict[str, Maze]:
    """Return one other level with its cheese at each offset from ``maze``'s cheese, in procgen's whole grid.

    The offset is the larger of the two coordinates' differences; among the free cells at that offset one is drawn.
    Offsets at which the other level has no free cell are left out.
    """
    other = donor(maze, SAME_CELL, bench.settings.seed, 0)
    assert other.cheese is not None
    x, y = other.cheese
    found = {}
    for name, (low, high) in OFFSETS.items():
        cells = [c for c in other.cells if low <= max(abs(c[0] - x), abs(c[1] - y)) <= high and c != other.mouse]
        if cells:
            found[name] = other.with_cheese(cells[int(bench.rng(maze, f"offset {name}").integers(len(cells)))])
    return found


def measure_transfer(bench: Setup, maze: Maze) -> Measurement:
    """Measure the same other level's vector at every offset of its cheese, beside the maze's own."""
    level = bench.evaluator(maze)
    others = offset_donors(bench, maze)
    vectors = [own_vector(bench, maze), *(own_vector(bench, other) for other in others.values())]
    outcomes = level.outcomes([subtract(vector) for vector in vectors])
    clean = level.clean_outcome()
    row: Measurement = {"clean_cheese": clean.p_cheese_decision, "clean_tv": clean.tv_no_cheese}
    for name in ("own", *OFFSETS):
        row |= {f"{name}_cheese": float("nan"), f"{name}_tv": float("nan")}
    for name, outcome in zip(("own", *others), outcomes, strict=True):
        row |= {f"{name}_cheese": outcome.p_cheese_decision, f"{name}_tv": outcome.tv_no_cheese}
    return row


def summarize_transfer(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up blindness and the decision by offset."""
    words = {"own": "own vector", SAME: "same cell"}
    words |= {name: f"{name} cells away" for name in OFFSETS if name != SAME}
    figures = [
        figure
        for name, word in words.items()
        for figure in (
            sample.figure(f"median {MOVES['cheese']}, {word}", median, f"{name}_cheese"),
            sample.figure(f"blindness, {word}", blindness, f"{name}_tv", "clean_tv"),
        )
    ]
    clean = sample.column("clean_cheese")
    own = clean - sample.column("own_cheese")
    shares = {
        name: sample.figure(
            f"fall of P(cheese), {words[name]}, as a share of the own vector's",
            pooled_ratio,
            clean - sample.column(f"{name}_cheese"),
            own,
        )
        for name in (SAME, FAR)
    }
    nearby, far = (clean - sample.column(f"{name}_cheese") for name in (NEARBY, FAR))
    nearer = sample.figure(f"fall of P(cheese), {words[NEARBY]} minus {words[FAR]}", mean_change, nearby, far)
    return FindingSummary(
        (*figures, *shares.values(), nearer),
        (
            Claim(
                "with the cheese on the same cell, more than half of the own vector's effect remains",
                shares[SAME].above(0.5),
            ),
            Claim("with it 2 cells away, more remains than with it 5 or more away", nearer.above(0)),
            Claim("with it 5 or more cells away, less than half remains", shares[FAR].below(0.5)),
        ),
        ("Each maze has one other level. Between the offsets only the cheese of that level is moved.",),
    )


def measure_removal(bench: Setup, maze: Maze) -> Measurement:
    """Measure mean total variation to the level without cheese: steered, and left alone."""
    level = bench.evaluator(maze)
    steered = level.outcomes([subtract(own_vector(bench, maze))])[0]
    return {"level": maze.level, "steered": steered.tv_no_cheese, "clean": level.clean_outcome().tv_no_cheese}


def removal_keeps(settings: Settings, maze: Maze) -> bool:
    """Return whether a level has a decision square or is one of the four that the post names."""
    return maze.decision_square is not None or (settings.mode == "hard" and maze.level in NAMED)


def summarize_removal(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up on how many levels subtracting is the same as removing."""
    steered, clean = sample.column("steered"), sample.column("clean")
    left = np.divide(steered, clean, out=np.full(len(sample), np.nan), where=clean > IDLE)
    share = exact_share(
        f"share of levels where under {REMOVED:g} of the cheese's effect is left", left[~np.isnan(left)] < REMOVED
    )
    figures = [
        sample.figure("mean total variation, steered and removed", mean, steered),
        sample.figure("mean total variation, clean and removed", mean, clean),
        sample.figure("blindness", blindness, steered, clean),
        share,
    ]
    for level, word in NAMED.items():
        here = np.where(sample.column("level") == level, left, np.nan)
        if not np.isnan(here).all():
            figures.append(
                sample.figure(f"level {level}: part of the cheese's effect left; published: {word}", mean, here)
            )
    text = f"both act the same on over {SOME:g} of the levels, and differently on over {SOME:g}"
    return FindingSummary(
        tuple(figures),
        (Claim(text, share.within(SOME, 1.0 - SOME)),),
        (
            f"Levels where the cheese changes moves by less than {IDLE:g} on average are left out of the share. Its "
            "interval is exact (Clopper and Pearson). Resampling levels that are all alike would give an interval of "
            "no width.",
        ),
    )


def exact_share(label: str, yes: np.ndarray) -> Measure:
    """Return the share of ``bool[n]`` that is true, with its Clopper-Pearson interval; NaN for none."""
    from scipy.stats import binomtest

    n = len(yes)
    if n == 0:
        return Measure(label, np.nan, np.nan, np.nan)
    low, high = binomtest(int(yes.sum()), n).proportion_ci(LEVEL, method="exact")
    return Measure(label, float(yes.mean()), float(low), float(high))


TRANSFER = Finding(
    PUBLISHED["transfer"],
    measure_transfer,
    summarize_transfer,
)
REMOVAL = Finding(
    PUBLISHED["removal"],
    measure_removal,
    summarize_removal,
    keeps=removal_keeps,
    revision=2,
)
