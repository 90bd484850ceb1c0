"""Published findings about channels that track the cheese: resampling them, and retargeting by one activation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agents.networks.policy import move_probabilities, to_input
from envs.actions import N_MOVES
from envs.chain import path_probability
from envs.maze import Cell, Maze
from steering.interventions.edits import Intervention, clamp, patch
from steering.interventions.hooks import HookedPolicy
from steering.interventions.vectors import activation
from steering.records.replication import PUBLISHED
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
)
from steering.replication.tracking import selection_levels
from steering.replication.transfer import SAME, offset_donors

TARGETS = 8  # cells of each maze that the mouse is sent to
NEAR, FAR = 2, 6  # steps from the path start -> top-right: at most, at least
CONDITIONS = ("clean", "clamped", "moved")
PLACES: dict[str, Callable[[float, float], bool]] = {
    "upper right": lambda upper_right, _: upper_right > 0,
    "elsewhere": lambda upper_right, _: upper_right == 0,
    "near the path": lambda _, off: off <= NEAR,
    "far from it": lambda _, off: off >= FAR,
}


def keeps(settings: Settings, maze: Maze) -> bool:
    """Return whether a level has a decision square and channels were not selected on it."""
    return maze.decision_square is not None and maze.level not in selection_levels(settings.seed)


# -- resampling -------------------------------------------------------------------------------------------------


def measure_resampling(bench: Setup, maze: Maze) -> Measurement:
    """Measure mean total variation to clean with channels of another maze, its cheese on the same cell or another.

    The other cell is as far away as :data:`steering.replication.transfer.OFFSETS` has it; NaN where there is none.
    """
    level, selected = bench.evaluator(maze), bench.tracking.channels
    others = [c for c in range(bench.site.shape[0]) if c not in selected]
    count = min(len(selected), len(others))
    drawn = tuple(sorted(map(int, bench.rng(maze, "random channels").choice(others, size=count, replace=False))))
    donors = offset_donors(bench, maze)
    row = dict.fromkeys([f"{which}_{where}" for which in ("cheese", "random") for where in ("same", "other")], np.nan)
    edits = {}
    farthest = list(donors)[-1]
    if farthest != SAME:
        for where, name in (("same", SAME), ("other", farthest)):
            source = activation(bench.policy, donors[name], bench.site.name)
            edits[f"cheese_{where}"] = patch(source, selected)
            if drawn:
                edits[f"random_{where}"] = patch(source, drawn)
    outcomes = level.outcomes(list(edits.values()))
    return {**row, **{key: outcome.tv_clean for key, outcome in zip(edits, outcomes, strict=True)}}


def summarize_resampling(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up what the place of the other maze's cheese matters, for tracking channels and for random ones."""
    selected = bench.tracking.channels
    published = {
        "cheese_same": "0.0088 (flawed)",
        "cheese_other": "0.0126 (flawed)",
        "random_same": "0.0060 (flawed)",
        "random_other": "0.0054 (flawed)",
    }
    words = {"cheese": "cheese-tracking channels", "random": "random channels"}
    figures = [
        sample.figure(
            f"total variation to clean, {words[which]}, cheese on {cell}",
            mean,
            f"{which}_{where}",
            published=published[f"{which}_{where}"],
        )
        for which in words
        for where, cell in (("same", "the same cell"), ("other", "another"))
    ]
    columns = {name: sample.column(name) for name in published}
    gap = {which: columns[f"{which}_other"] - columns[f"{which}_same"] for which in words}
    gaps = {which: sample.figure(f"other cell minus same cell, {words[which]}", mean, gap[which]) for which in words}
    beyond = sample.figure("difference of the two differences", mean_change, gap["cheese"], gap["random"])
    return FindingSummary(
        (*figures, *gaps.values(), beyond),
        (
            Claim(
                "with tracking channels, another cell changes moves more than the same cell does",
                gaps["cheese"].above(0),
            ),
            Claim("this difference is larger than with random channels", beyond.above(0)),
        ),
        (
            f"Channels selected at {bench.site.name}: {', '.join(map(str, selected))}, of {bench.site.shape[0]}. "
            "Another cell is 5 or more away, or as far as the other maze goes.",
            "The published statistic divided a Frobenius norm by the number of states. Its same-cell arm took random "
            "cells. It copied one item's channel over the batch. So compare directions and leave sizes aside.",
        ),
    )


# -- retargeting ------------------------------------------------------------------------------------------------


def on_path(bench: Setup, maze: Maze, goal: Cell, edit: Intervention) -> float:
    """Return the normalized path probability start -> ``goal``; the network is run on the states of that path alone."""
    states = [state for state, _ in maze.walk(maze.path(maze.mouse, goal))]
    logits = HookedPolicy(bench.policy.net).run(to_input(maze.observations(states)), edit.by_site())[0]
    table = np.full((len(maze.states), N_MOVES), np.nan)
    table[[maze.state_index(*state) for state in states]] = move_probabilities(logits).numpy()
    return path_probability(maze, table, goal)


def measure_retargeting(bench: Setup, maze: Maze) -> Measurement:
    """Measure each target: its place, and the path probability clean, clamped, and with the cheese moved there.

    Clean and clamped are the level without its cheese: nothing else draws the mouse, and no path ends before its
    target. Targets are drawn among the free cells but the mouse's.
    """
    found, site = bench.tracking, bench.site
    if found.leader is None:
        return {"targets": []}
    value = float(found.peaks[found.leader])
    bare = maze.without_cheese()
    cells = [cell for cell in maze.cells if cell != maze.mouse and maze.connected(maze.mouse, cell)]
    rng = bench.rng(maze, "targets")
    drawn = [cells[i] for i in sorted(rng.choice(len(cells), size=min(TARGETS, len(cells)), replace=False))]
    to_path = np.min([maze.distances(cell) for cell in maze.path(maze.mouse, maze.corner)], axis=0)
    targets = []
    for cell in drawn:
        index = (found.leader, *found.place(found.leader, maze, cell, (site.shape[1], site.shape[2])))
        half = (maze.dim - 1) / 2
        targets.append(
            [
                float(cell[0] >= half and cell[1] >= half),
                float(to_path[maze.index[cell]]),
                on_path(bench, bare, cell, Intervention()),
                on_path(bench, bare, cell, clamp(site.name, index, value)),
                on_path(bench, maze.with_cheese(cell), cell, Intervention()),
            ]
        )
    return {"targets": targets}


def summarize_retargeting(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up path probability to the target by where it lies."""
    found = bench.tracking
    if found.leader is None:
        return FindingSummary(
            (), (Claim("one activation draws the mouse", None),), ("The cheese raises no channel selected.",)
        )
    words = {"clean": "no cheese", "clamped": "no cheese, clamped", "moved": "cheese moved there"}
    rows, columns = (f"{shift:+d}" for shift in found.shifts[found.leader])
    by_place = {place: {c: _averages(sample, place, i) for i, c in enumerate(CONDITIONS)} for place in PLACES}
    figures = [
        sample.figure(f"path probability, {place}, {words[condition]}", mean, values)
        for place, columns in by_place.items()
        for condition, values in columns.items()
    ]
    gains = {place: columns["clamped"] - columns["clean"] for place, columns in by_place.items()}
    upper, elsewhere, near, far = PLACES
    works = sample.figure(f"gain by clamping, {upper}", mean, gains[upper])
    weaker = sample.figure(f"gain, {upper} minus {elsewhere}", mean_change, gains[upper], gains[elsewhere])
    worse: Measure = sample.figure(
        "gain, near minus far",
        mean_change,
        gains[near],
        gains[far],
    )
    return FindingSummary(
        (*figures, works, weaker, worse),
        (
            Claim("clamping one activation draws the mouse to a cell in the upper right", works.above(0)),
            Claim("clamping draws it less to cells elsewhere", weaker.above(0)),
            Claim("clamping draws it less to cells far from the path to the top right", worse.above(0)),
        ),
        (
            f"Channel {found.leader} of {bench.site.name} is clamped to {found.peaks[found.leader]:.3g}. This is the "
            "largest value the cheese gave it on the levels of the selection (published: channel 55 to 5.6). "
            f"There the channel shows a cheese {rows} rows and {columns} columns from its place in the map. So the "
            f"clamp is put as far from the target's place. There are up to {TARGETS} targets a maze. The level's own "
            "cheese is removed throughout, as it was for the published figures. Near the path from the start to the "
            f"top right means at most {NEAR} steps off, far means {FAR} or more.",
        ),
    )


def _averages(sample: Sample, place: str, condition: int) -> np.ndarray:
    """Return ``float64[n]``, each maze's mean path probability over its targets at a place; NaN without any."""
    found = []
    for targets in sample.tables("targets", 2 + len(CONDITIONS)):
        values = [target[2 + condition] for target in targets if PLACES[place](target[0], target[1])]
        found.append(float(np.mean(values)) if values else np.nan)
    return np.array(found)


RESAMPLING = Finding(
    PUBLISHED["resampling"],
    measure_resampling,
    summarize_resampling,
    keeps=keeps,
    maps=True,
)
RETARGETING = Finding(
    PUBLISHED["retargeting"],
    measure_retargeting,
    summarize_retargeting,
    keeps=keeps,
    maps=True,
    revision=2,
)
