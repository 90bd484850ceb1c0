"""From probe scores to readings with intervals, and to where next moves appear and the cheese's cell is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from envs.actions import N_MOVES
from steering.probes.score_records import CellScores, MapScores, ProbeScores, SiteScores
from steering.records.probes import (
    CELL,
    CELL_SHUFFLED,
    QUESTIONS,
    SHUFFLED,
    SURROUNDINGS,
    CellReadings,
    Estimate,
    MapReadings,
    MoveReadings,
    ProbedSite,
)
from steering.records.sites import SiteFacts
from steering.statistics import bootstrap

# Next move to the cheese; APART: in the frames where it is not the one to the corner.
CHEESE, APART, *_ = QUESTIONS
# A statistic here is float[1 + draws]: of the mazes as they are, then of each bootstrap sample of them.
Statistic = np.ndarray
# By name (:data:`steering.probes.curves.Tallies`), a row for each site, or one for all: ``float[s, 1 + draws]``.
ProbeCurves = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class DecodingReadings:
    """Readings of the probes at all sites, and of the baselines that need no network."""

    asked: dict[str, int]
    """Frames that each question is asked about, by its name."""
    majority: dict[str, Estimate]
    """Share that the most frequent move of the frames learned from gets right, by question; 0 to 1."""
    surroundings: dict[str, Estimate]
    """Share that a look around the mouse gets right, by question; 0 to 1."""
    sites: tuple[ProbedSite, ...]
    """In depth order, the input first."""


def probe_questions(moves: Mapping[str, np.ndarray]) -> dict[str, tuple[str, np.ndarray]]:
    """Return, by name of what is asked about next moves, whose they are, and in which frames: ``bool[n]``.

    In most frames the way to the cheese begins as the way to the corner does. :data:`APART` leaves these out.

    Args:
        moves: the labels ``int[n]``, by whose they are (``cheese`` and ``corner`` among them).
    """
    every = {name: (name, np.ones(len(labels), dtype=bool)) for name, labels in moves.items()}
    return {CHEESE: every[CHEESE], APART: (CHEESE, moves[CHEESE] != moves["corner"]), **every}


def usual_move(labels: np.ndarray, fold: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return the most frequent label among those of ``frames`` (``bool[n]``) that lie in other folds: ``int[n]``."""
    found = np.empty_like(labels)
    for own in np.unique(fold):
        found[fold == own] = np.bincount(labels[frames & (fold != own)], minlength=N_MOVES).argmax()
    return found


def summarize_probes(
    facts: Sequence[SiteFacts], scores: ProbeScores, curves: ProbeCurves, samples: np.ndarray
) -> DecodingReadings:
    """Return the readings of the probes at each site and of the baselines, with 95% intervals over mazes.

    Args:
        facts: the sites in depth order, the input first.
        scores: what the probes said of every frame at these sites.
        curves: what :mod:`steering.probes.curves` makes of them, ``float[n_sites, 1 + draws]`` each.
        samples: ``int[draws, n_mazes]``, from :func:`steering.statistics.bootstrap.resamples`.

    Returns:
        One reading per site, in the order of ``facts``, and those of the baselines.
    """
    mazes = np.vstack([np.arange(samples.shape[1]), samples])
    questions = probe_questions(scores.moves)
    majority = {}
    for name, (whose, frames) in questions.items():
        right = usual_move(scores.moves[whose], scores.fold, frames) == scores.moves[whose]
        majority[name] = with_interval(_share(right, frames, scores.maze, mazes))
    return DecodingReadings(
        asked={name: int(frames.sum()) for name, (_, frames) in questions.items()},
        majority=majority,
        surroundings={name: with_interval(curves[name + SURROUNDINGS][0]) for name in questions},
        sites=tuple(_probed_site(number, fact, scores, curves, mazes) for number, fact in enumerate(facts)),
    )


def _probed_site(
    number: int, fact: SiteFacts, scores: ProbeScores, curves: ProbeCurves, mazes: np.ndarray
) -> ProbedSite:
    """Return the readings of the site that is row ``number`` of ``curves``."""
    site, frames_of = scores.sites[fact.name], np.bincount(scores.maze)
    moves = {}
    for name, (whose, frames) in probe_questions(scores.moves).items():
        accuracy, chance = curves[name][number], curves[name + SHUFFLED][number]
        moves[name] = MoveReadings(
            accuracy=with_interval(accuracy),
            balanced=with_interval(_balanced(site, whose, frames, scores, mazes)),
            control=with_interval(chance),
            above_pixels=with_interval(accuracy - curves[name][0]),
            above_control=with_interval(accuracy - chance),
            above_surroundings=with_interval(accuracy - curves[name + SURROUNDINGS][0]),
        )
    return ProbedSite(
        name=fact.name,
        depth=fact.depth,
        shape=fact.shape,
        trunk=fact.trunk,
        affine=fact.affine,
        equivalence_class=fact.equivalence_class,
        receptive_field=fact.receptive_field,
        moves=moves,
        cell=_cell(site.cell, curves, number, scores.maze, mazes),
        map={kernel: _map(part, frames_of, mazes) for kernel, part in site.map.items()} if site.map else None,
    )


def _balanced(site: SiteScores, whose: str, frames: np.ndarray, scores: ProbeScores, mazes: np.ndarray) -> Statistic:
    """Return the mean over the moves of the share that is right where this move is the true one."""
    labels, told = scores.moves[whose], np.array(site.moves[whose].told)
    each = [frames & (labels == label) for label in np.unique(labels)]
    return _mean(np.array([_share(told == labels, own, scores.maze, mazes) for own in each]))


def _share(right: np.ndarray, frames: np.ndarray, maze: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Return the share of ``frames`` (``bool[n]``) where ``right`` (``bool[n]``) holds, for each row of ``mazes``."""
    count = mazes.shape[1]
    total = np.bincount(maze[frames], frames[frames], minlength=count)
    return pooled_ratio(np.bincount(maze[frames], right[frames], minlength=count), total, mazes)


def with_interval(values: Statistic) -> Estimate:
    """Return a statistic with its 95% interval over mazes; None for what is not defined."""
    ends = (values[0], *bootstrap.interval(values[1:]))
    return Estimate(*(float(number) if np.isfinite(number) else None for number in ends))


def pooled_ratio(top: np.ndarray, bottom: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Return the sum of ``top`` over that of ``bottom`` (``float[n_mazes]`` each) for each row of ``mazes``.

    NaN for nothing over nothing.
    """
    return bootstrap.quotient(top[mazes].sum(axis=1), bottom[mazes].sum(axis=1))


def _mean(shares: np.ndarray) -> Statistic:
    """Return the mean over the first axis; what a sample has nothing of does not count."""
    known = np.isfinite(shares)
    return bootstrap.quotient(np.where(known, shares, 0.0).sum(axis=0), known.sum(axis=0))


def _cell(scores: CellScores, curves: ProbeCurves, number: int, maze: np.ndarray, mazes: np.ndarray) -> CellReadings:
    """Return the readings of the cheese's cell at the site that is row ``number`` of ``curves``."""
    return CellReadings(
        r2=with_interval(1.0 - curves[CELL][number]),
        control_r2=with_interval(1.0 - curves[CELL_SHUFFLED][number]),
        median_error=with_interval(_median(np.array(scores.distance), maze, mazes)),
        control_error=with_interval(_median(np.array(scores.control), maze, mazes)),
        mean_cell_error=with_interval(_median(np.array(scores.mean), maze, mazes)),
    )


def _map(scores: MapScores, frames: np.ndarray, mazes: np.ndarray) -> MapReadings:
    """Return the readings of one kernel; ``frames``: how many each maze has, ``int[n_mazes]``."""

    def per_frame(sums: Sequence[float]) -> Estimate:
        return with_interval(pooled_ratio(np.array(sums), frames, mazes))

    return MapReadings(
        hits=per_frame(scores.hits),
        distance=per_frame(scores.distance),
        control_hits=per_frame(scores.control_hits),
        control_distance=per_frame(scores.control_distance),
    )


def _median(values: np.ndarray, maze: np.ndarray, mazes: np.ndarray) -> Statistic:
    """Return the lower median over frames, each as often as its maze is drawn."""
    order = np.argsort(values, kind="stable")
    found = []
    for row in mazes:
        seen = np.cumsum(np.bincount(row, minlength=mazes.shape[1])[maze[order]])
        found.append(values[order[np.searchsorted(seen, seen[-1] / 2)]])
    return np.array(found)
