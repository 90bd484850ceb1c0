"""Made-up frames and scores for tests of probes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from steering.probes.curves import DEPENDENT, Tallies, Tally, boundaries, probe_curves, tallies_to_json
from steering.probes.data import FOLDS, MOVES, REACH, ProbeData, shuffled
from steering.probes.score_records import ProbeScores
from steering.probes.scores import feature_scores
from steering.probes.summary import APART
from steering.probes.surroundings import surroundings_moves
from steering.records.probes import (
    CellReadings,
    Estimate,
    MoveReadings,
    ProbedSite,
    ProbeSummary,
    SiteVectors,
)
from steering.records.sites import SiteFacts
from steering.records.sweep import CheckpointId
from steering.statistics.bootstrap import resamples
from steering.sweep.artifacts import PROBES, read_probes

# Small mazes that qualify for a sweep.
LEVELS = "26,52,54,92,95,152,163,193,208,223"
WORLD = 25


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def made_up(mazes: int = 40, states: int = 5, seed: int = 0) -> ProbeData:
    """Labels without pictures: cheese and moves drawn uniformly for every frame."""
    n, draw = mazes * states, rng(seed)
    maze = np.repeat(np.arange(mazes), states)
    moves = {name: draw.integers(4, size=n) for name in MOVES}
    frames = np.zeros((n, 64, 64, 3), dtype=np.uint8)
    cheese, mouse = (draw.integers(WORLD, size=(n, 2)) for _ in range(2))
    around = draw.random((n, 2 * REACH + 1, 2 * REACH + 1)) < 0.5
    corner = np.full((n, 2), WORLD - 1)
    return ProbeData(frames, maze, maze % FOLDS, cheese, moves, mouse, corner, around, WORLD)


def scores_of(sites: Mapping[str, torch.Tensor], data: ProbeData, draws: int = 3) -> ProbeScores:
    """Return the probe scores at made-up sites."""
    controls = [shuffled(data, rng(100 + draw)) for draw in range(draws)]
    found = {name: feature_scores(features, data, controls) for name, features in sites.items()}
    return ProbeScores(data.maze, data.fold, data.moves, surroundings_moves(data), found)


def made_up_site(name: str, depth: int = 0, affine: bool | None = False, trunk: bool | None = True) -> SiteFacts:
    """A site of which only this is known."""
    return SiteFacts(name, depth, (1,), trunk, affine, name, None)


def made_up_tallies(sites: int, planning: int, mazes: int, seed: int = 0) -> Tallies:
    """Sums of an agent that can be told its next move from site ``planning`` on; vector and cell are lost there."""
    draw = rng(seed)
    frames = np.full(mazes, 8.0)
    late = np.arange(sites)[:, None] >= planning
    luck = draw.normal(size=mazes)  # of a maze, at all sites
    told = frames * np.where(late, 0.9, 0.25) + 0.1 * luck
    chance = frames * np.full((sites, 1), 0.25) + 0.1 * luck
    mean = draw.gamma(4.0, size=mazes)
    moves = dict.fromkeys(("cheese", APART, "corner", "policy"), Tally(told, frames))
    shuffled = {f"{name} shuffled": Tally(chance, frames) for name in moves}
    around = {f"{name} surroundings": Tally(0.5 * frames + 0.1 * luck, frames) for name in moves}
    length = draw.gamma(4.0, size=(sites, mazes))
    return {
        **moves,
        **shuffled,
        **around,
        "cell": Tally(mean * np.where(late, 1.1, 0.4), mean),
        "cell shuffled": Tally(mean * np.full((sites, 1), 1.05), mean),
        "interaction": Tally(length * np.where(late, 2 * DEPENDENT, 0.1), length),
    }


def made_up_summary(
    sites: Sequence[SiteFacts], tallies: Tallies, levels: Sequence[int], checkpoint: CheckpointId, mode: str = "hard"
) -> ProbeSummary:
    """All of a ``probes.json``, of which the boundaries and the tallies mean something."""
    blank = Estimate(None, None, None)
    questions = [name for name in tallies if f"{name} surroundings" in tallies]
    moves = dict.fromkeys(questions, MoveReadings(*[blank] * 6))
    cell = CellReadings(*[blank] * 5)
    edges = boundaries(sites, probe_curves(tallies, resamples(len(levels), rng(), 50)))
    return ProbeSummary(
        format=PROBES.format,
        checkpoint=checkpoint,
        levels=tuple(levels),
        states=8,
        frames=8 * len(levels),
        seed=0,
        mode=mode,
        shuffles=10,
        versions={"mazesteer": "0"},
        asked=dict.fromkeys(questions, 8 * len(levels)),
        majority=dict.fromkeys(questions, blank),
        surroundings=dict.fromkeys(questions, blank),
        sites=tuple(ProbedSite(**vars(site), moves=moves, cell=cell, map=None) for site in sites),
        representation=tuple(SiteVectors(site.name, None, None, ()) for site in sites),
        decoding_boundary=edges.decoding_boundary,
        representational_boundary=edges.representational_boundary,
        tallies=tallies_to_json(tallies),
    )


def probes_in(run: Path) -> ProbeSummary | None:
    """Return the readings that a finished ``probe`` left in a run directory; None without any."""
    path = run / PROBES.file
    if not path.exists():
        return None
    stored = json.loads(path.read_text())
    found, note = read_probes(run, stored["checkpoint"]["sha256"], stored["mode"])
    assert note == ""
    return found


def one_hot(labels: np.ndarray) -> np.ndarray:
    return (labels[:, None] == np.unique(labels)).astype(np.float32)


def noise(*shape: int, seed: int = 5) -> np.ndarray:
    return rng(seed).standard_normal(shape).astype(np.float32)
