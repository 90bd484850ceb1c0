"""The curves over depth behind the probes' readings of the boundary, for one agent or the mean of several.

Each curve is a ratio of sums over mazes. The sums of each maze are kept in ``probes.json`` as ``tallies``, so that
mazes and agents can be drawn anew without a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steering.probes.summary import (
    ProbeCurves,
    cell_lost,
    next_move_appears,
    pooled_ratio,
    position_dependence,
    probe_questions,
)
from steering.statistics.boundary import draw_agents

# By curve, what is summed over what, per site and maze ``float[s, m]``, or ``float[m]`` where it is the same at all
# sites. ``cheese``, ``cheese apart``, ``corner``, ``policy`` (:func:`steering.probes.summary.probe_questions`): next
# moves told rightly over frames, each also " shuffled" (labels) and " surroundings" (from these alone). ``cell``,
# ``cell shuffled``: squared distance of the probe's guess over that of the mean cell (1 - R2). ``interaction``: as by
# :func:`steering.probes.summary.interaction_tally`.
Tallies = Mapping[str, tuple[np.ndarray, np.ndarray]]


def decoding_tallies(names: Sequence[str], scores: Mapping[str, Any]) -> Tallies:
    """Of the sites ``names``; ``scores`` as for :func:`steering.probes.summary.summarize_probes`."""
    maze, moves = scores["maze"], scores["moves"]
    sites = [scores["sites"][name] for name in names]

    def summed(values: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """``float[..., n]`` over the ``frames`` of each maze: ``float[..., m]``."""
        counts = [np.bincount(maze[frames], row[frames], minlength=maze.max() + 1) for row in np.atleast_2d(values)]
        return np.reshape(counts, (*values.shape[:-1], -1))

    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, (whose, frames) in probe_questions(moves).items():
        told = np.array([site["moves"][whose]["told"] for site in sites]) == moves[whose]
        control = np.array([site["moves"][whose]["control"] for site in sites])
        around = scores["surroundings"][name] == moves[whose]
        total = summed(frames, frames)
        for suffix, right in (("", told), (" shuffled", control), (" surroundings", around)):
            found[name + suffix] = summed(right, frames), total
    every = np.ones(len(maze), dtype=bool)
    squares = {key: summed(np.square([site["cell"][key] for site in sites]), every)
               for key in ("distance", "control", "mean")}  # fmt: skip
    mean = squares["mean"][0]  # of the labels alone
    return {**found, "cell": (squares["distance"], mean), "cell shuffled": (squares["control"], mean)}


def probe_curves(tallies: Tallies, samples: np.ndarray) -> ProbeCurves:
    """Return the curves of all mazes and of each of ``samples``.

    ``samples``: ``int[draws, m]``, from :func:`steering.statistics.bootstrap.resamples`.
    """
    drawn = np.vstack([np.arange(samples.shape[1]), samples])
    found = {}
    for name, sums in tallies.items():
        top, bottom = np.broadcast_arrays(*(np.atleast_2d(part) for part in sums))
        found[name] = np.array([pooled_ratio(*pair, drawn) for pair in zip(top, bottom, strict=True)])
    return found


def boundaries(facts: Sequence[Mapping[str, Any]], curves: ProbeCurves) -> dict[str, Any]:
    """``decoding_boundary``, ``representational_boundary`` of ``probes.json``; ``facts``: of the sites, input first."""

    def gaps(name: str) -> np.ndarray:
        accuracy = curves[name]
        baselines = (accuracy[:1], curves[f"{name} shuffled"], curves[f"{name} surroundings"])
        return np.stack([accuracy - baseline for baseline in baselines], axis=1)

    r2, control = 1.0 - curves["cell"], 1.0 - curves["cell shuffled"]
    return {
        "decoding_boundary": {
            "next_move": {
                name: next_move_appears(facts, gaps(name)) for name in curves if f"{name} surroundings" in curves
            },
            "cell": cell_lost(facts, list(zip(r2, r2 - control, strict=True))),
        },
        "representational_boundary": position_dependence(facts, curves["interaction"]),
    }


def mean_curves(agents: Sequence[ProbeCurves], rng: np.random.Generator) -> ProbeCurves:
    """The agents' mean curves: of all mazes, then with agents drawn anew in every draw, mazes the same for all of them.

    The agents were asked at the same sites about the same mazes with the same resamples, as
    :func:`steering.statistics.boundary.over_agents` wants them. Raises :class:`envs.errors.InputError` for fewer than
    two.
    """
    draws = next(iter(agents[0].values())).shape[1] - 1
    chosen, rows = draw_agents(len(agents), draws, rng, same_mazes=True)
    found = {}
    for name in agents[0]:
        each = np.stack([agent[name] for agent in agents])  # [agents, s, 1 + draws]
        if name == "interaction":  # no state inside the receptive field is no interaction there
            each = np.nan_to_num(each)
        drawn = each[chosen, :, 1 + rows].mean(axis=1)  # [draws, s]
        found[name] = np.concatenate([each[:, :, :1].mean(axis=0), drawn.T], axis=1)
    return found


def cut(tallies: Tallies, sites: Sequence[int], mazes: Sequence[int]) -> Tallies:
    """The tallies at some of the sites and of some of the mazes, by index."""

    def part(sums: np.ndarray) -> np.ndarray:
        return sums[mazes] if sums.ndim == 1 else sums[np.ix_(sites, mazes)]

    return {name: (part(top), part(bottom)) for name, (top, bottom) in tallies.items()}


def tallies_to_json(tallies: Tallies) -> dict[str, list[Any]]:
    """Plain data for ``probes.json``."""
    return {name: [top.tolist(), bottom.tolist()] for name, (top, bottom) in tallies.items()}


def tallies_from_json(stored: Mapping[str, Sequence[Any]]) -> Tallies:
    """The reverse of :func:`tallies_to_json`, exactly."""
    return {name: (np.array(top, dtype=float), np.array(bottom, dtype=float)) for name, (top, bottom) in stored.items()}
