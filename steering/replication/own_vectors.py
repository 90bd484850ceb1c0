"""Published findings about a level's own vectors: the cheese vector, its controls, the top-right vector."""

from __future__ import annotations

import math

import numpy as np

from envs.maze import Maze
from steering.experiments.outcome import Outcome
from steering.interventions.edits import add, subtract
from steering.interventions.vectors import SteeringVector, cheese_vector, random_vector, top_right_vectors
from steering.records.replication import PUBLISHED
from steering.replication.protocol import (
    Claim,
    Finding,
    FindingSummary,
    Measurement,
    Sample,
    Setup,
    mean,
    median,
    median_change,
    pooled_ratio,
)

MOVES = {
    "cheese": "P(cheese | decision square)",
    "corner": "P(top-right | decision square)",
    "other": "P(other | decision square)",
}
NOISE_DRAWS = 2
ADDITIVE = (0.75, 1.25)  # joint effect / sum of single effects within these bounds is "roughly additive"
_SMALLEST = 1e-6  # probabilities are kept off 0 and 1 by it before the log-odds are taken


def at_decision(outcome: Outcome, condition: str) -> Measurement:
    """Return the three probabilities at the decision square under ``<condition>_<move>``."""
    return {f"{condition}_{move}": getattr(outcome, f"p_{move}_decision") for move in MOVES}


def own_vector(bench: Setup, maze: Maze) -> SteeringVector:
    """Return the cheese vector of the maze itself, mouse at its start."""
    return cheese_vector(bench.policy, maze, bench.site.name)


def measure_effect(bench: Setup, maze: Maze) -> Measurement:
    """Measure the decision square: left alone, subtracted, and with the cheese removed."""
    level = bench.evaluator(maze)
    steered = level.outcomes([subtract(own_vector(bench, maze))])[0]
    return {
        **at_decision(level.clean_outcome(), "clean"),
        **at_decision(steered, "subtract"),
        **at_decision(level.outcome_of(level.no_cheese), "no_cheese"),
    }


def summarize_effect(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up medians over distinct mazes, as published."""
    published = {"clean": (0.806, 0.034, 0.102), "subtract": (0.032, 0.750, 0.187)}
    words = {"clean": "clean", "subtract": "subtracted", "no_cheese": "cheese removed"}
    figures = [
        sample.figure(f"median {text}, {word}", median, f"{condition}_{move}", published=known)
        for condition, word in words.items()
        for (move, text), known in zip(MOVES.items(), published.get(condition, (None,) * 3), strict=True)
    ]
    changes = {
        move: sample.figure(f"median change of {MOVES[move]}", median_change, f"subtract_{move}", f"clean_{move}")
        for move in ("cheese", "corner")
    }
    return FindingSummary(
        (*figures, *changes.values()),
        (
            Claim("subtracting lowers P(cheese | decision square)", changes["cheese"].below(0)),
            Claim("subtracting raises P(top-right | decision square)", changes["corner"].above(0)),
        ),
    )


def measure_adding(bench: Setup, maze: Maze) -> Measurement:
    """Measure the decision square and all states: added against subtracted."""
    level, vector = bench.evaluator(maze), own_vector(bench, maze)
    added, subtracted = level.outcomes([add(vector), subtract(vector)])
    row = {**at_decision(level.clean_outcome(), "clean"), **at_decision(added, "add")}
    return {
        **row,
        "add_moved": abs(added.p_cheese_decision - row["clean_cheese"]),
        "subtract_moved": abs(subtracted.p_cheese_decision - row["clean_cheese"]),
        "add_tv": added.tv_clean,
        "subtract_tv": subtracted.tv_clean,
    }


def summarize_adding(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up how much adding does beside subtracting."""
    share = sample.figure(
        "change of P(cheese), adding as a share of subtracting",
        pooled_ratio,
        "add_moved",
        "subtract_moved",
    )
    return FindingSummary(
        (
            *(sample.figure(f"median {text}, added", median, f"add_{move}") for move, text in MOVES.items()),
            sample.figure("median change of P(cheese | decision square)", median_change, "add_cheese", "clean_cheese"),
            share,
            sample.figure(
                "total variation to clean, adding as a share of subtracting", pooled_ratio, "add_tv", "subtract_tv"
            ),
        ),
        (
            Claim(
                "adding changes P(cheese | decision square) less than a quarter as much as subtracting",
                share.below(0.25),
            ),
        ),
    )


def measure_noise(bench: Setup, maze: Maze) -> Measurement:
    """Measure noise of the vector's norm, and as strong everywhere as the vector at its strongest; means of draws."""
    level, vector = bench.evaluator(maze), own_vector(bench, maze)
    spread = vector.norm / math.sqrt(vector.tensor.numel())
    sizes = {"norm": 1.0, "peak": float(vector.tensor.abs().max()) / spread}
    draws = [random_vector(vector, bench.rng(maze, "noise", draw)) for draw in range(NOISE_DRAWS)]
    outcomes = level.outcomes([subtract(noise, size) for size in sizes.values() for noise in draws])
    row: Measurement = {}
    arms = {"clean": [level.clean_outcome()], "norm": outcomes[:NOISE_DRAWS], "peak": outcomes[NOISE_DRAWS:]}
    for arm, found in arms.items():
        for name in ("p_cheese_decision", "p_corner_decision", "p_other_decision", "p_cheese", "p_region", "tv_clean"):
            row[f"{arm}_{name}"] = float(np.mean([getattr(outcome, name) for outcome in found]))
        row[f"{arm}_goal"] = 1.0 - row[f"{arm}_p_other_decision"]
    return row


def summarize_noise(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up what is left of the policy under noise."""
    words = {"clean": "clean", "norm": "noise of equal norm", "peak": "noise as strong as the vector's peak"}
    left = {
        arm: sample.figure(
            f"moves to either goal at the decision square, {words[arm]}, as a share of clean",
            pooled_ratio,
            f"{arm}_goal",
            "clean_goal",
        )
        for arm in ("norm", "peak")
    }
    figures = [
        figure
        for arm, word in words.items()
        for figure in (
            *(
                sample.figure(f"median {text}, {word}", median, f"{arm}_p_{move}_decision")
                for move, text in MOVES.items()
            ),
            sample.figure(f"mean P(cheese), {word}", mean, f"{arm}_p_cheese"),
            sample.figure(f"mean P(top-right 5x5), {word}", mean, f"{arm}_p_region"),
        )
    ]
    changed = [sample.figure(f"mean total variation to clean, {words[arm]}", mean, f"{arm}_tv_clean") for arm in left]
    return FindingSummary(
        (*figures, *changed, *left.values()),
        (Claim("noise of equal norm halves the moves to either goal at the decision square", left["norm"].below(0.5)),),
        (
            f"{NOISE_DRAWS} draws for each maze and size. The source says 'of like magnitude'. A vector's norm, spread "
            "over a whole map, is small in each place. So noise whose standard deviation is the vector's largest entry "
            "is shown too.",
        ),
    )


def measure_paths(bench: Setup, maze: Maze) -> Measurement:
    """Measure normalized path probabilities of the policy left alone."""
    clean = bench.evaluator(maze).clean_outcome()
    return {"cheese": clean.path_probability_cheese, "corner": clean.path_probability_corner}


def summarize_paths(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up medians over mazes."""
    return FindingSummary(
        (
            sample.figure("median normalized path probability to the cheese", median, "cheese"),
            sample.figure("median normalized path probability to the top-right cell", median, "corner"),
        )
    )


def measure_top_right(bench: Setup, maze: Maze) -> Measurement:
    """Measure the top-right vector added, the cheese vector subtracted, and both; NaN in a maze of full size."""
    level = bench.evaluator(maze)
    clean = level.clean_outcome()
    arms = ("add", "cheese", "both")
    row = {"clean": clean.p_corner_decision, "clean_region": clean.p_region}
    row |= dict.fromkeys([*arms, *(f"{arm}_region" for arm in arms)], float("nan"))
    if maze.state.margin == 0:
        return row
    top_right = add(top_right_vectors(bench.policy, maze, [bench.site.name])[bench.site.name])
    cheese = subtract(own_vector(bench, maze))
    outcomes = level.outcomes([top_right, cheese, top_right + cheese])
    for name, outcome in zip(arms, outcomes, strict=True):
        row |= {name: outcome.p_corner_decision, f"{name}_region": outcome.p_region}
    return row


def summarize_top_right(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up attraction to the top right, and whether effects add up (as log-odds: probabilities end at 1)."""
    words = {"clean": "clean", "add": "top-right vector added", "cheese": "cheese vector subtracted", "both": "both"}
    shift = {name: log_odds(sample.column(name)) - log_odds(sample.column("clean")) for name in words}
    raised = sample.figure(f"median change of {MOVES['corner']}, added", median_change, "add", "clean")
    joint = sample.figure(
        "log-odds shift of both, as a share of the sum of each alone",
        pooled_ratio,
        shift["both"],
        shift["add"] + shift["cheese"],
    )
    left_out = int(np.isnan(sample.column("add")).sum())
    low, high = ADDITIVE
    return FindingSummary(
        (
            *(sample.figure(f"median {MOVES['corner']}, {word}", median, name) for name, word in words.items()),
            *(sample.figure(f"mean P(top-right 5x5), {word}", mean, f"{name}_region") for name, word in words.items()),
            raised,
            *(
                sample.figure(f"mean shift of its log-odds, {words[name]}", mean, shift[name])
                for name in ("add", "cheese", "both")
            ),
            joint,
        ),
        (
            Claim("adding the top-right vector raises P(top-right | decision square)", raised.above(0)),
            Claim(f"the joint effect is {low:g} to {high:g} of the sum of the single effects", joint.within(low, high)),
        ),
        (f"{left_out} mazes fill the world and have no top-right vector.",) if left_out else (),
    )


def log_odds(p: np.ndarray) -> np.ndarray:
    """Return ``log(p / (1 - p))``, finite also at 0 and 1."""
    clipped = np.clip(p, _SMALLEST, 1.0 - _SMALLEST)
    return np.log(clipped) - np.log1p(-clipped)


EFFECT = Finding(
    PUBLISHED["effect"],
    measure_effect,
    summarize_effect,
)
ADDING = Finding(PUBLISHED["adding"], measure_adding, summarize_adding)
NOISE = Finding(
    PUBLISHED["noise"],
    measure_noise,
    summarize_noise,
    revision=2,
)
PATHS = Finding(
    PUBLISHED["paths"],
    measure_paths,
    summarize_paths,
)
TOP_RIGHT_VECTOR = Finding(
    PUBLISHED["top-right"],
    measure_top_right,
    summarize_top_right,
)
